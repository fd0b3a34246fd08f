//! Networks as ONNX files.
//!
//! [`load`] makes a model of a file, which predicts and can be trained on. [`OnnxFile`] shows what a file has, and computes it on named
//! tensors, with or without a batch axis. [`Program`] is the layer that holds the operators of a file.
//!
//! Files of the opsets 6 to 28 are read, with external data beside the model. Nothing that a file contains is run but the operators
//! below. What is not read is refused when the file is opened, and the error names all of it.
//!
//! # Values
//!
//! Floats of all widths (float16, bfloat16, float32, float64) are computed in the type of the model, f32, or that of
//! [`OnnxFile::run_as`]. A Cast to float16 or bfloat16 rounds, all else does not. Whole numbers (int8 to int64, uint8 to uint64) are
//! exact and wrap around as their types do; those of uint64 stay below 2^63. Bools are masks. Texts, complex numbers, floats of 8 bits
//! and less, whole numbers of 4 bits and less, sequences, maps, optional values and sparse tensors are not read.
//!
//! Gradients flow through floats, from the outputs to the weights and the inputs. The weights are the initializers that are floats and
//! no single numbers. Not trained are the moving averages of BatchNormalization and tables with minus infinity, such as masks: they are
//! states of the model, and in training, too, BatchNormalization takes the averages and Dropout drops nothing. If an exporter has
//! written other tables as initializers, [`Model::freeze`](gradus_nn::Model::freeze) keeps them.
//!
//! # Operators
//!
//! Each is read in all its versions from opset 6 on, with all its attributes and modes but those in the last column.
//!
//! | Family | Operators | Not read |
//! |---|---|---|
//! | Arithmetic | Add, Sub, Mul, Div, Mod, Pow, Neg, Abs, Sign, Sqrt, Reciprocal, Exp, Log, Erf, Floor, Ceil, Round, Min, Max, Sum | |
//! | | Mean | |
//! | Trigonometry | Sin, Cos, Tan, Asin, Acos, Atan, Sinh, Cosh, Asinh, Acosh, Atanh | |
//! | Activations | Relu, LeakyRelu, PRelu, ThresholdedRelu, Elu, Selu, Celu, Sigmoid, HardSigmoid, HardSwish, Swish, Tanh | |
//! | | Softplus, Softsign, Gelu, Mish, Clip, Shrink | |
//! | Logic | And, Or, Xor, Not, Equal, Less, LessOrEqual, Greater, GreaterOrEqual, IsNaN, IsInf, Where | |
//! | Bits | BitShift, BitwiseAnd, BitwiseOr, BitwiseXor, BitwiseNot | BitwiseNot of uint64 |
//! | Types | Cast, CastLike, Identity, Constant | texts |
//! | Matrices | MatMul, Gemm, Einsum | products of whole numbers |
//! | Convolution | Conv, ConvTranspose | more than three spatial axes |
//! | Pooling | MaxPool, AveragePool, LpPool, GlobalMaxPool, GlobalAveragePool, GlobalLpPool | more than three spatial axes |
//! | Normalisation | BatchNormalization, InstanceNormalization, LayerNormalization | `training_mode`, `spatial` = 0 |
//! | | GroupNormalization, RMSNormalization, LpNormalization | |
//! | | MeanVarianceNormalization, LRN | |
//! | Softmax | Softmax, LogSoftmax, Hardmax (before opset 13 over all axes from `axis` on together) | |
//! | Reductions | ReduceSum, ReduceMean, ReduceMax, ReduceMin, ReduceProd, ReduceL1, ReduceL2, ReduceLogSum, ReduceLogSumExp | |
//! | | ReduceSumSquare, ArgMax, ArgMin, CumSum, CumProd, TopK | |
//! | Shapes | Reshape, Flatten, Transpose, Squeeze, Unsqueeze, Concat, Split, Expand, Tile, Pad, DepthToSpace, SpaceToDepth | |
//! | | ReverseSequence, Shape, Size | |
//! | Making | ConstantOfShape, Range, EyeLike, Trilu, OneHot | |
//! | Graphs | If, Loop, Scan (from opset 9 on) | sequences as states or outputs |
//! | Choosing | Slice, Gather, GatherElements, GatherND, Scatter, ScatterElements, ScatterND, NonZero, Compress | |
//! | Resizing | Resize (nearest, linear, cubic), Upsample | |
//! | Recurrent | LSTM, GRU, RNN, with lengths and first states, in one or both directions | peepholes, `clip`, `input_forget` |
//! | | with Tanh, Sigmoid, Relu, Softsign or Softplus | other activations, two different ones for cell and output of an LSTM |
//! | Attention | Attention, RotaryEmbedding | |
//! | Training | Dropout, which drops nothing | `training_mode` with a ratio |
//!
//! Where ONNX's cases and ONNX Runtime differ, the cases hold: Resize with `align_corners` divides by the new length before it is rounded
//! down. But a query that sees no key gets zeros from Attention, as in ONNX Runtime and PyTorch. A Loop or Scan without a turn gives
//! outputs of the lengths that a turn would give, where ONNX Runtime makes all lengths 0 that the file leaves free.
//!
//! Functions that the file has of its own stand where they are called. Of an If whose condition is a constant only the branch that is
//! taken is read. The weights in graphs within operators are weights of the model, whose outputs have the shapes that such graphs give
//! for zeros. One run computes these graphs 131,072 times at most. Operators of other sets are not read.

mod proto;
mod read;
mod wire;
mod write;

pub use read::{OnnxFile, Program, ValueInfo, load, read_tensor};
pub use write::{save, to_bytes};
