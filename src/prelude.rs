//! What a program that trains a network needs: `use gradus::prelude::*`.
//!
//! Layers, losses, optimisers and callbacks by their names, and the metrics whose names no loss has: the mean squared
//! error as a metric is `metrics::MeanSquaredError`.

pub use gradus_autograd::{Grads, Op, Params, Tape, Var, gradcheck, value_and_grad};
#[cfg(feature = "images")]
pub use gradus_datasets::ImageFolder;
pub use gradus_datasets::{
    Augment, Batch, BytePair, Category, Csv, DataSource, Dataset, Date, Discretization, Feature, FeatureSpace, Fill,
    Hashing, Impute, IndexedDataset, IndexedSource, IntegerLookup, Number, OutputMode, PadSequences, Preparation, Side,
    Split, Standardize, StreamDataset, StringLookup, Table, TableColumn, Target, TextVectorization, TimeSeries, Warp,
    audio, auto_mpg, balanced_class_weights, biology, cifar10, emnist, fashion_mnist, iris, kmnist, mnist,
    movie_snippets, pad_sequences, protein_q3, shakespeare, splice, spoken_digits, usps, verses,
};
pub use gradus_nn::losses::{self, *};
pub use gradus_nn::*;
pub use gradus_optim::*;
pub use gradus_tensor::{AnyTensor, Columns, Element, Float, Generator, Shape, Tensor, keepdims, step};
pub use gradus_train::callbacks::{self, *};
pub use gradus_train::metrics::{
    self, Accuracy, Auc, BinaryAccuracy, Bleu, CategoricalAccuracy, Chrf, ClassAverage, CohenKappa, ConfusionMatrix,
    Curve, ErrorRate, F1, FBeta, KappaWeights, LabelErrorRate, MatthewsCorrelation, MeanIoU, Metric, Named, Perplexity,
    Precision, PrecisionAtRecall, R2, Recall, RecallAtPrecision, RootMeanSquaredError, SensitivityAtSpecificity,
    SparseCategoricalAccuracy, SpecificityAtSensitivity, TopKAccuracy, character_error_rate, edit_distance,
    word_error_rate,
};
pub use gradus_train::{
    Examination, Examine, Finding, FindingKind, Fit, History, LogPosition, Logs, Ranks, SummaryWriter, Trainer,
    train_step,
};

/// A result of a program: any error, printed as its message when `main` returns it.
pub type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;
