//! Deep learning in Rust: preprocess, build, fit, evaluate and predict on the CPU.
//!
//! A whole program, which learns to tell ten noisy patterns apart:
//!
//! ```
//! use gradus::prelude::*;
//!
//! fn main() -> Result<()> {
//!     // Stands in for `mnist::load()?`: bytes in images, a label for each.
//!     let mut random = Generator::new(7);
//!     let labels = Tensor::from_iter((0..600).map(|i| i % 10));
//!     let patterns = random.uniform([10, 8, 8], 0.0_f32..200.0).index_select(0, &labels);
//!     let images = (patterns + random.uniform([600, 8, 8], 0.0..50.0)).to::<u8>();
//!     let (train, test) = Dataset::new(images, labels)?.map_inputs(|x| x.to::<f32>() / 255.0).split_at(500);
//!
//!     let network = Sequential::new()
//!         .add(Flatten)
//!         .add(Dense::new(32).activation(Activation::Relu))
//!         .add(Dense::new(10).activation(Activation::Softmax));
//!     let model = Model::build(network, [8, 8], 42)?; // Shapes checked, weights drawn.
//!
//!     let mut trainer = Trainer::new(model, SparseCategoricalCrossentropy::default(), Adam::default().learning_rate(0.01))
//!         .metric(Accuracy::default());
//!     let history = trainer.fit(&train, Fit { epochs: 5, batch_size: 32, verbose: false, ..Fit::default() })?;
//!     let scores = trainer.evaluate(&test)?;
//!     println!("Test accuracy: {:.2}%", 100.0 * scores["accuracy"]);
//!     let digits = trainer.predict(&test.inputs().slice(0, ..3))?.argmax(-1);
//! #   assert!(history.get("loss")[4] < history.get("loss")[0] && scores["accuracy"] > 0.9);
//! #   assert_eq!(digits.shape(), &[3]);
//!     Ok(())
//! }
//! ```
//!
//! # Features
//!
//! `parallel`, on by default, uses all cores. Of [`datasets`], `images` reads PNG and JPEG, `bzip2` unpacks what bzip2
//! packed, and `download` fetches the files of data sets; it needs a C compiler. `mpi` trains on many machines; it needs an
//! MPI library, libclang and a C compiler. `interchange` reads and writes the files of Keras, PyTorch, ONNX and NumPy, `ndarray` the arrays of that crate besides.
//!
//! The crates behind it are modules here: [`tensor`], [`autograd`], [`nn`], [`optim`], [`datasets`], [`distributed`],
//! [`train`], [`explain`].
#![forbid(unsafe_code)]

pub mod prelude;

pub use gradus_autograd as autograd;
pub use gradus_datasets as datasets;
pub use gradus_distributed as distributed;
pub use gradus_explain as explain;
#[cfg(feature = "interchange")]
pub use gradus_interchange as interchange;
pub use gradus_nn as nn;
pub use gradus_optim as optim;
pub use gradus_tensor as tensor;
pub use gradus_train as train;

/// The chapters of the book, whose code `cargo test --doc` compiles and runs.
#[cfg(doctest)]
mod book {
    macro_rules! chapters {
        ($($Chapter:ident: $file:literal;)+) => {$(
            #[doc = include_str!(concat!("../book/src/", $file))]
            struct $Chapter;
        )+};
    }

    chapters! {
        Introduction: "introduction.md";
        FirstSteps: "first_steps.md";
        Losses: "losses.md";
        Tables: "tables.md";
        Pictures: "pictures.md";
        YourOwn: "your_own.md";
        FromKeras: "from_keras.md";
        FromPyTorch: "from_pytorch.md";
        Errors: "errors.md";
        Interchange: "interchange.md";
        Reproducibility: "reproducibility.md";
        Speed: "speed.md";
    }
}
