//! Data sets, batches and the readers that fill them.
//!
//! A [`Dataset`] holds samples: inputs, and a target for each. It is made by a reader or of two tensors, prepared by
//! methods that return another one, and divided into [`Batches`].
//!
//! ```
//! use gradus_datasets::mnist;
//!
//! // 60,000 images to train on and 10,000 to test on, as the bytes of the files.
//! let mnist = mnist::load()?;
//! // Both sets are changed alike.
//! let (train, test) = mnist.map_inputs(|x| x.to::<f32>() / 255.0).split();
//! let train = train.take(1000).to_categorical(mnist::CLASSES)?;
//! let (train, validation) = train.validation_split(0.1)?;
//! assert_eq!((train.len(), validation.len(), test.len()), (900, 100, 10_000));
//!
//! for epoch in 0..2 {
//!     // Another order in every epoch, the same one in every run; batches are made on a thread, two ahead of their use.
//!     for batch in train.batches(32).shuffled(epoch).prefetch(2) {
//!         assert_eq!(batch.inputs.shape()[1..], [28, 28]);
//!         assert_eq!(batch.targets.shape()[1..], [10]);
//!     }
//! }
//! # Ok::<(), gradus_datasets::DatasetError>(())
//! ```
//!
//! # What there is
//!
//! | | |
//! |---|---|
//! | [`mnist`] | handwritten digits, 70,000 images of ten classes |
//! | [`fashion_mnist`], [`kmnist`] | clothes and Japanese letters of the same form |
//! | [`emnist`] | handwritten digits and letters, up to 814,255 images of 62 classes |
//! | [`usps`] | digits from envelopes, 9,298 images |
//! | [`cifar10`] | animals and vehicles, 60,000 colour pictures of ten classes |
//! | [`iris`] | flowers: 4 numbers, three classes, 150 samples |
//! | [`auto_mpg`] | cars: 9 numbers to predict one, 392 samples |
//! | [`movie_snippets`] | 10,605 sentences of film reviews, with ratings |
//! | [`shakespeare`] | eight plays, a million letters |
//! | [`verses`] | 12,893 verses in English and Spanish |
//! | [`spoken_digits`] | 3,000 recordings of digits as frames of MFCC |
//! | [`splice`] | 3,004 windows of DNA, with a boundary of exon and intron or without |
//! | [`protein_q3`] | 154 proteins, with a state of structure for each residue |
//! | [`idx`] | the format of MNIST, read and written, every element type |
//! | [`Csv`] | tables of numbers and labels, and of texts ([`Table`]) |
//! | `ImageFolder`, with the feature `images` | PNG and JPEG pictures, a folder for each class |
//!
//! The files of MNIST, iris, Auto MPG, the plays, the verses, the spoken digits, the splice junctions and the proteins lie in the folder `data` of this crate's source. For the other data sets, or
//! without the source, the environment variable `GRADUS_DATA` names a folder that holds `mnist/`, `fashion-mnist/` and so
//! on, or `load_from` takes such a folder. The page of each data set says where its files are published.
//!
//! # Several inputs and targets
//!
//! Inputs and targets are one tensor each, of any element type, or [`Columns`](gradus_tensor::Columns): several tensors of
//! different element types, with names. Batches then hold columns too; see [`Dataset`].
//!
//! # Tables
//!
//! [`Csv::table`] reads a file with texts and gaps into a [`Table`]. A [`FeatureSpace`] says what becomes of each column: numbers are
//! filled and scaled ([`Number`]), categories become one-hot or ids ([`Category`]), dates and texts numbers ([`Date`],
//! [`TextVectorization`]). It is adapted to the rows to train on, which gives a [`Preparation`]: a value that is applied to all other
//! rows, and is kept in a model's file. [`StringLookup`], [`IntegerLookup`], [`Hashing`] and [`Discretization`] are such steps alone.
//! [`Table::stratified_split`], [`Dataset::stratified_split`] and `k_folds` divide samples; [`TimeSeries`] makes windows.
//!
//! # Text and sequences
//!
//! [`TextVectorization`] makes ids of words or characters, or counts of them, [`BytePair`] ids of bytes and of pairs that it
//! has found in texts. [`pad_sequences`] and [`PadSequences`] bring sequences to one length.
//! [`IndexedDataset::from_sequences`] pads each batch to its longest sample, and [`IndexedDataset::bucketed`] puts samples of
//! like length into one batch.
//!
//! # Sound
//!
//! [`audio`] reads and writes WAV files; with the feature `audio` it makes spectra, mel spectra and MFCC of them.
//!
//! # Biology
//!
//! [`biology`] reads FASTA, FASTQ, PDB and mmCIF, and makes one-hot rows and k-mers of sequences.
//!
//! # Data larger than memory
//!
//! An [`IndexedDataset`] reads samples by their indices when they are used, a [`StreamDataset`] one after the other, through a
//! buffer that shuffles them. They are trained on as a [`Dataset`], with the same batches for the same seed: all three are a
//! [`DataSource`]. Files are read in these ways by [`Csv::regression_stream`], [`Csv::classification_stream`],
//! [`Csv::regression_by_index`], [`Csv::classification_by_index`], [`idx::stream`], [`idx::by_index`] and
//! `ImageFolder::load_by_index`.
//!
//! | | a data set in memory | by index | a stream |
//! |---|---|---|---|
//! | in memory | all samples | a batch, and a few bytes for each sample | a batch and the shuffle buffer |
//! | order | any | any | as well shuffled as the buffer is large |
//! | length | known | known | known behind the first end |
//! | packed files | yes | no | yes |
//! | parts | `slice`, `take`, `skip`, `split_at`, `validation_split` | the same | `take`, `skip` |
//! | weights | `with_weights` | `with_weights` | by `map` |
//!
//! Those few bytes are 8 of a random order, 8 of the place of a row in a CSV, and a picture's path. A billion rows of a CSV in
//! random order therefore take 16 GB, and are better read as a stream.
//!
//! # Several workers
//!
//! One of several workers that train one model takes a [`Share`] of each batch: [`DataSource::shares_of`] gives its rows, the
//! same as those of the whole batch. What it reads for them depends on the data:
//!
//! | | reads | makes and augments |
//! |---|---|---|
//! | [`Dataset`] | its own rows | its own rows |
//! | [`IndexedDataset`] | its own rows; all, where a batch is padded to its longest sample | its own rows |
//! | [`StreamDataset`] | all | its own rows |
//! | a [`DataSource`] of your own | all, unless it overrides `shares_of` | all, likewise |
//!
//! With mix-up, the samples that its own are mixed with are read and augmented, too.
//!
//! # Augmentation
//!
//! [`Dataset::augment`] has pictures shifted, turned, flipped and so on, at random and anew in every epoch, by the thread
//! that makes the batches: see [`Augment`]. [`Warp`] makes one exact change.
//!
//! # Your own data set
//!
//! [`Dataset::new`] takes two tensors, and a reader makes tensors from files. [`IndexedDataset::from_fn`] takes a function of a
//! sample's index, an [`IndexedSource`] reads several samples at once, and [`StreamDataset::new`] takes an iterator.
//! [`DataFiles`] finds the files, unpacks them, compares their checksums and names them in errors.
//!
//! # Features
//!
//! | | |
//! |---|---|
//! | `parallel`, on by default | the tensors' kernels use all cores |
//! | `audio` | spectra of sound, mel spectra and MFCC; seven crates more, for the Fourier transform |
//! | `bzip2` | files that bzip2 packed are unpacked, as gzip'd ones always are |
//! | `download` | files that are nowhere else are fetched into a cache ([`DataFiles::find`]); needs a C compiler to build |
//! | `images` | `ImageFolder` reads PNG and JPEG pictures, a folder for each class |
//!
//! # Errors
//!
//! An error in data is a [`DatasetError`], which names the file, the place, the finding, the expectation and one thing to
//! do. The readers believe no header: they take memory only for bytes that are there.
#![forbid(unsafe_code)]

#[cfg(feature = "download")]
mod archive;
pub mod audio;
mod augment;
pub mod auto_mpg;
mod batch;
mod batches;
pub mod biology;
mod buckets;
pub mod cifar10;
mod classes;
mod columns;
mod csv;
mod data_source;
mod dataset;
mod decimal;
#[cfg(feature = "download")]
mod download;
pub mod emnist;
mod error;
pub mod fashion_mnist;
mod folder;
mod folds;
mod formats;
pub mod idx;
#[cfg(feature = "images")]
mod image_folder;
mod indexed;
pub mod iris;
pub mod kmnist;
mod labelled_images;
pub mod mnist;
pub mod movie_snippets;
mod normalize;
mod order;
mod parts;
#[cfg(feature = "images")]
mod picture;
mod plain_file;
mod prefetch;
pub mod protein_q3;
mod remote;
pub mod shakespeare;
mod share;
mod shuffle_buffer;
mod source;
pub mod splice;
mod splits;
pub mod spoken_digits;
mod stack;
mod stream;
mod tabbed;
mod table;
mod text;
mod text_lines;
mod time_series;
pub mod usps;
pub mod verses;

pub use self::csv::{Csv, CsvColumn};
pub use augment::{Augment, Fill, Warp};
pub use batch::Batch;
pub use batches::Batches;
pub use classes::balanced_class_weights;
pub use data_source::{DataSource, Pass, PassBatches, PassShares};
pub use dataset::Dataset;
#[cfg(feature = "download")]
pub use download::CACHE_VARIABLE;
pub use error::{DatasetError, Place, Result};
pub use folder::{DATA_VARIABLE, DataFiles, FoundFiles};
#[cfg(feature = "images")]
pub use image_folder::ImageFolder;
pub use indexed::{IndexedDataset, IndexedSource};
pub use normalize::Statistics;
pub use order::{Order, Randomness};
#[cfg(feature = "images")]
pub use picture::load_picture;
pub use prefetch::Prefetch;
pub use remote::Remote;
pub use share::{BatchShare, Share};
pub use source::ByteSource;
pub use splits::Splits;
pub use stream::StreamDataset;
pub use table::{
    Category, Date, Discretization, Feature, FeatureSpace, Hashing, Impute, IntegerLookup, Lookup, LookupToken, Number,
    Preparation, Scale, StringLookup, Table, TableColumn, Target, Texts,
};
pub use text::{
    BytePair, NamedFunction, OutputMode, PadSequences, Side, Split, Standardize, TextVectorization, pad_sequences,
};
pub use time_series::TimeSeries;
