//! A function of the program as a layer.

use std::fmt;
use std::sync::Arc;

use gradus_autograd::Var;
use gradus_tensor::{Float, PerFloat, Tensor};
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::Result;
use crate::layer::{Build, Built, Layer, compiled_here};
use crate::mask::MaskRule;

type Function<T> = Arc<dyn Fn(&Var<T>) -> Var<T> + Send + Sync>;

/// y = f(x), for a function of the program.
///
/// Shapes: `[n, ..]` to whatever the function makes of it, as long as the first axis stays that of the samples. Each sample is
/// computed alone: the function may not mix them. The shape of the output is found when the model is built, by a call on zeros.
///
/// ```
/// use gradus_nn::{Dense, Lambda, Model, Sequential};
/// use gradus_tensor::Tensor;
/// let network = Sequential::new().add(Lambda::new("squares", |x| x.square())).add(Dense::new(1));
/// let model = Model::build(network, [3], 42)?;
/// assert_eq!(model.predict(&Tensor::<f32>::zeros([2, 3]))?.shape(), &[2, 1]);
/// # Ok::<(), gradus_nn::Error>(())
/// ```
///
/// No file holds a function: a model with this layer is trained and predicts, and neither it nor its checkpoints can be written.
/// A layer of one's own can ([`Layer`]; example 6), and may have weights.
#[derive(Clone)]
pub struct Lambda {
    name: String,
    single: Function<f32>,
    double: Option<Function<f64>>,
    supports_masking: bool,
}

impl Lambda {
    /// A layer that computes this function. The name stands in messages.
    pub fn new(name: impl Into<String>, function: impl Fn(&Var<f32>) -> Var<f32> + Send + Sync + 'static) -> Self {
        Lambda { name: name.into(), single: Arc::new(function), double: None, supports_masking: false }
    }

    /// Computes this function in models of f64, which are refused without it. A generic function serves for both:
    ///
    /// ```
    /// use gradus_autograd::Var;
    /// use gradus_nn::Lambda;
    /// use gradus_tensor::Float;
    ///
    /// fn squares<T: Float>(x: &Var<T>) -> Var<T> {
    ///     x.square()
    /// }
    /// let layer = Lambda::new("squares", squares).in_f64(squares);
    /// ```
    pub fn in_f64(self, function: impl Fn(&Var<f64>) -> Var<f64> + Send + Sync + 'static) -> Self {
        Lambda { double: Some(Arc::new(function)), ..self }
    }

    /// Whether the function computes each position of a sequence alone, so that the output has the [mask](MaskRule) of the input.
    /// False by default: an input with a mask is refused.
    pub fn supports_masking(self, supports_masking: bool) -> Self {
        Lambda { supports_masking, ..self }
    }

    fn refusal(&self) -> String {
        format!(
            "a Lambda holds a function of the program ({:?}), which no file can hold; write a layer of your own instead, as in \
             example 6",
            self.name
        )
    }
}

/// The function for each type of floats, if there is one.
struct Chosen<'a>(&'a Lambda);

impl PerFloat for Chosen<'_> {
    type Of<T: Float> = Option<Function<T>>;
    fn f32(self) -> Option<Function<f32>> {
        Some(Arc::clone(&self.0.single))
    }
    fn f64(self) -> Option<Function<f64>> {
        self.0.double.clone()
    }
}

impl Layer for Lambda {
    const KIND: &'static str = "Lambda";
    compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        const SAMPLES: usize = 2;
        let input = build.input()?;
        let Some(function) = T::choose(Chosen(self)) else {
            let problem = format!("its function {:?} is one of f32, and the model computes in {}", self.name, T::NAME);
            return Err(build.error(problem, "give the function of f64 as well, by Lambda::in_f64"));
        };
        let shape: Vec<usize> = [SAMPLES].iter().chain(input.iter()).copied().collect();
        let output = function(&Var::from(Tensor::zeros(shape.clone())));
        let Some((&SAMPLES, output)) = output.shape().split_first() else {
            let problem =
                format!("its function {:?} makes {} of {SAMPLES} samples, {shape:?}", self.name, output.shape());
            return Err(build.error(problem, "keep the first axis, that of the samples"));
        };
        Ok(Built::new(output, move |_, x| function(x)).mask_rule(MaskRule::kept_if(self.supports_masking)))
    }
}

impl fmt::Debug for Lambda {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lambda").field(&self.name).finish()
    }
}

impl Serialize for Lambda {
    fn serialize<S: Serializer>(&self, _: S) -> std::result::Result<S::Ok, S::Error> {
        Err(S::Error::custom(self.refusal()))
    }
}

impl<'de> Deserialize<'de> for Lambda {
    fn deserialize<D: Deserializer<'de>>(_: D) -> std::result::Result<Self, D::Error> {
        Err(D::Error::custom("a Lambda holds a function of a program, which no file can hold"))
    }
}
