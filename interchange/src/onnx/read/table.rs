//! The operators that are read. The next one is a function in the file of its family, and a row here.

use gradus_tensor::Float;

use super::call::{Call, Outputs};
use super::node::Node;
use super::{
    attention, control, convolution, elementwise, matrix, normalization, pooling, recurrent, reduction, resize,
    selection, shapes,
};

/// The versions of the standard set of operators that are read.
pub(crate) const OLDEST: i64 = 6;
pub(crate) const NEWEST: i64 = 28;

/// How the shape of an operator's output follows from those of its inputs, so that large values need not be computed for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// It is computed to know.
    Run,
    /// That of the first input.
    Same,
    /// That to which all inputs broadcast.
    Broadcast,
    /// The same, and the output is a mask.
    Compare,
    /// That of the product of two matrices.
    Product,
}

/// An operator.
pub(crate) struct Row<T: Float> {
    pub name: &'static str,
    /// The attributes that it reads.
    attributes: &'static str,
    pub rule: Rule,
    pub run: fn(&Call<'_, T>) -> Outputs<T>,
}

macro_rules! table {
    ($($name:literal, $attributes:literal, $rule:ident, $family:ident::$function:ident;)*) => {
        /// The row of an operator.
        pub(crate) fn row<T: Float>(name: &str) -> Option<Row<T>> {
            match name {
                $($name => Some(Row {
                    name: $name,
                    attributes: $attributes,
                    rule: Rule::$rule,
                    run: $family::$function,
                }),)*
                _ => None,
            }
        }

        /// The names of all operators.
        #[cfg(test)]
        const NAMES: &[&str] = &[$($name),*];
    };
}

table! {
    "Abs", "", Same, elementwise::abs;
    "Acos", "", Same, elementwise::acos;
    "Acosh", "", Same, elementwise::acosh;
    "Add", "", Broadcast, elementwise::add;
    "And", "", Compare, elementwise::logical_and;
    "ArgMax", "axis keepdims select_last_index", Run, reduction::arg_max;
    "ArgMin", "axis keepdims select_last_index", Run, reduction::arg_min;
    "Asin", "", Same, elementwise::asin;
    "Asinh", "", Same, elementwise::asinh;
    "Atan", "", Same, elementwise::atan;
    "Atanh", "", Same, elementwise::atanh;
    "Attention",
        "is_causal kv_num_heads q_num_heads qk_matmul_output_mode scale softcap softmax_precision",
        Run, attention::attention;
    "AveragePool", "auto_pad ceil_mode count_include_pad dilations kernel_shape pads strides", Run, pooling::average;
    "BatchNormalization", "epsilon momentum spatial training_mode", Run, normalization::batch;
    "BitShift", "direction", Run, elementwise::bit_shift;
    "BitwiseAnd", "", Run, elementwise::bitwise_and;
    "BitwiseNot", "", Run, elementwise::bitwise_not;
    "BitwiseOr", "", Run, elementwise::bitwise_or;
    "BitwiseXor", "", Run, elementwise::bitwise_xor;
    "Cast", "to saturate round_mode", Run, elementwise::cast;
    "CastLike", "saturate round_mode", Run, elementwise::cast_like;
    "Ceil", "", Same, elementwise::ceil;
    "Celu", "alpha", Same, elementwise::celu;
    "Clip", "max min", Same, elementwise::clip;
    "Compress", "axis", Run, selection::compress;
    "Concat", "axis", Run, shapes::join;
    "ConstantOfShape", "value", Run, shapes::constant_of_shape;
    "Conv", "auto_pad dilations group kernel_shape pads strides", Run, convolution::conv;
    "ConvTranspose",
        "auto_pad dilations group kernel_shape output_padding output_shape pads strides",
        Run, convolution::conv_transpose;
    "Cos", "", Same, elementwise::cos;
    "Cosh", "", Same, elementwise::cosh;
    "CumProd", "exclusive reverse", Run, reduction::cum_prod;
    "CumSum", "exclusive reverse", Same, reduction::cum_sum;
    "DepthToSpace", "blocksize mode", Run, shapes::depth_to_space;
    "Div", "", Broadcast, elementwise::div;
    "Dropout", "ratio seed", Run, elementwise::dropout;
    "Einsum", "equation", Run, matrix::einsum;
    "Elu", "alpha", Same, elementwise::elu;
    "Equal", "", Compare, elementwise::equal;
    "Erf", "", Same, elementwise::erf;
    "Exp", "", Same, elementwise::exp;
    "Expand", "", Run, shapes::expand;
    "EyeLike", "dtype k", Run, shapes::eye_like;
    "Flatten", "axis", Run, shapes::flatten;
    "Floor", "", Same, elementwise::floor;
    "GRU",
        "activation_alpha activation_beta activations clip direction hidden_size layout linear_before_reset",
        Run, recurrent::gru;
    "Gather", "axis", Run, selection::gather;
    "GatherElements", "axis", Run, selection::gather_elements;
    "GatherND", "batch_dims", Run, selection::gather_nd;
    "Gelu", "approximate", Same, elementwise::gelu;
    "Gemm", "alpha beta transA transB", Run, matrix::gemm;
    "GlobalAveragePool", "", Run, pooling::global_average;
    "GlobalLpPool", "p", Run, pooling::global_lp;
    "GlobalMaxPool", "", Run, pooling::global_max;
    "Greater", "", Compare, elementwise::greater;
    "GreaterOrEqual", "", Compare, elementwise::greater_equal;
    "GroupNormalization", "epsilon num_groups stash_type", Same, normalization::group;
    "HardSigmoid", "alpha beta", Same, elementwise::hard_sigmoid;
    "HardSwish", "", Same, elementwise::hard_silu;
    "Hardmax", "axis", Same, reduction::hardmax;
    "Identity", "", Run, elementwise::identity;
    "If", "else_branch then_branch", Run, control::choose;
    "InstanceNormalization", "epsilon", Same, normalization::instance;
    "IsInf", "detect_negative detect_positive", Compare, elementwise::is_inf;
    "IsNaN", "", Compare, elementwise::is_nan;
    "LRN", "alpha beta bias size", Same, normalization::lrn;
    "LSTM",
        "activation_alpha activation_beta activations clip direction hidden_size input_forget layout",
        Run, recurrent::lstm;
    "LayerNormalization", "axis epsilon stash_type", Run, normalization::layer;
    "LeakyRelu", "alpha", Same, elementwise::leaky_relu;
    "Less", "", Compare, elementwise::less;
    "LessOrEqual", "", Compare, elementwise::less_equal;
    "Log", "", Same, elementwise::ln;
    "LogSoftmax", "axis", Same, reduction::log_softmax;
    "Loop", "body", Run, control::repeat;
    "LpNormalization", "axis p", Same, normalization::lp;
    "LpPool", "auto_pad ceil_mode dilations kernel_shape p pads strides", Run, pooling::lp;
    "MatMul", "", Product, matrix::matmul;
    "Max", "", Broadcast, elementwise::max;
    "MaxPool", "auto_pad ceil_mode dilations kernel_shape pads storage_order strides", Run, pooling::max;
    "Mean", "", Broadcast, elementwise::mean;
    "MeanVarianceNormalization", "axes", Same, normalization::mean_variance;
    "Min", "", Broadcast, elementwise::min;
    "Mish", "", Same, elementwise::mish;
    "Mod", "fmod", Broadcast, elementwise::modulo;
    "Mul", "", Broadcast, elementwise::mul;
    "Neg", "", Same, elementwise::neg;
    "NonZero", "", Run, selection::non_zero;
    "Not", "", Run, elementwise::not;
    "OneHot", "axis", Run, selection::one_hot;
    "Or", "", Compare, elementwise::logical_or;
    "PRelu", "", Same, elementwise::prelu;
    "Pad", "mode pads value", Run, shapes::pad;
    "Pow", "", Broadcast, elementwise::pow;
    "RMSNormalization", "axis epsilon stash_type", Same, normalization::rms;
    "RNN", "activation_alpha activation_beta activations clip direction hidden_size layout", Run, recurrent::rnn;
    "Range", "stash_type", Run, shapes::range;
    "Reciprocal", "", Same, elementwise::recip;
    "ReduceL1", "axes keepdims noop_with_empty_axes", Run, reduction::l1;
    "ReduceL2", "axes keepdims noop_with_empty_axes", Run, reduction::l2;
    "ReduceLogSum", "axes keepdims noop_with_empty_axes", Run, reduction::log_sum;
    "ReduceLogSumExp", "axes keepdims noop_with_empty_axes", Run, reduction::log_sum_exp;
    "ReduceMax", "axes keepdims noop_with_empty_axes", Run, reduction::max;
    "ReduceMean", "axes keepdims noop_with_empty_axes", Run, reduction::mean;
    "ReduceMin", "axes keepdims noop_with_empty_axes", Run, reduction::min;
    "ReduceProd", "axes keepdims noop_with_empty_axes", Run, reduction::prod;
    "ReduceSum", "axes keepdims noop_with_empty_axes", Run, reduction::sum;
    "ReduceSumSquare", "axes keepdims noop_with_empty_axes", Run, reduction::sum_square;
    "Relu", "", Same, elementwise::relu;
    "Reshape", "allowzero shape", Run, shapes::reshape;
    "Resize",
        "antialias axes coordinate_transformation_mode cubic_coeff_a exclude_outside extrapolation_value \
            keep_aspect_ratio_policy mode nearest_mode",
        Run, resize::resize;
    "ReverseSequence", "batch_axis time_axis", Run, shapes::reverse_sequence;
    "RotaryEmbedding", "interleaved num_heads rotary_embedding_dim", Run, attention::rotary;
    "Round", "", Same, elementwise::round;
    "Scan",
        "body num_scan_inputs scan_input_axes scan_input_directions scan_output_axes scan_output_directions",
        Run, control::scan;
    "Scatter", "axis", Run, selection::scatter_elements;
    "ScatterElements", "axis reduction", Run, selection::scatter_elements;
    "ScatterND", "reduction", Run, selection::scatter_nd;
    "Selu", "alpha gamma", Same, elementwise::selu;
    "Shape", "end start", Run, shapes::shape;
    "Shrink", "bias lambd", Same, elementwise::shrink;
    "Sigmoid", "", Same, elementwise::sigmoid;
    "Sign", "", Same, elementwise::sign;
    "Sin", "", Same, elementwise::sin;
    "Sinh", "", Same, elementwise::sinh;
    "Size", "", Run, shapes::size;
    "Slice", "axes ends starts", Run, selection::slice;
    "Softmax", "axis", Same, reduction::softmax;
    "Softplus", "", Same, elementwise::softplus;
    "Softsign", "", Same, elementwise::softsign;
    "SpaceToDepth", "blocksize", Run, shapes::space_to_depth;
    "Split", "axis num_outputs split", Run, shapes::split;
    "Sqrt", "", Same, elementwise::sqrt;
    "Squeeze", "axes", Run, shapes::squeeze;
    "Sub", "", Broadcast, elementwise::sub;
    "Sum", "", Broadcast, elementwise::sum;
    "Swish", "alpha", Same, elementwise::swish;
    "Tan", "", Same, elementwise::tan;
    "Tanh", "", Same, elementwise::tanh;
    "ThresholdedRelu", "alpha", Same, elementwise::thresholded_relu;
    "Tile", "", Run, shapes::tile;
    "TopK", "axis k largest sorted", Run, reduction::top_k;
    "Transpose", "perm", Run, shapes::transpose;
    "Trilu", "upper", Run, shapes::trilu;
    "Unsqueeze", "axes", Run, shapes::unsqueeze;
    "Upsample", "mode scales", Run, resize::upsample;
    "Where", "", Run, elementwise::where_;
    "Xor", "", Compare, elementwise::logical_xor;
}

/// The attributes that operators had in opset 6 alone, of those that are read.
const OF_OPSET_6: &[(&str, &[&str])] = &[
    ("axis", &["Add", "And", "Div", "Equal", "Greater", "Less", "Mul", "Or", "Pow", "Sub", "Xor"]),
    ("broadcast", &["Add", "And", "Div", "Equal", "Gemm", "Greater", "Less", "Mul", "Or", "Pow", "Sub", "Xor"]),
    ("is_test", &["BatchNormalization", "Dropout"]),
];

/// Why a node is not read, if it is not: its operator, or one of its attributes.
pub(crate) fn problem(node: &Node, opset: i64) -> Option<String> {
    let opset = node.opset.unwrap_or(opset);
    if !(OLDEST..=NEWEST).contains(&opset) {
        return Some(format!("opset {opset} is not read, only {OLDEST} to {NEWEST}"));
    }
    let Some(row) = row::<f32>(&node.op) else {
        return Some(format!("the operator {} is not read", node.op));
    };
    let is_read = |name: &str| {
        let is_old = |(old, operators): &(&str, &[&str])| *old == name && operators.contains(&row.name);
        row.attributes.split(' ').any(|read| read == name) || (opset < 7 && OF_OPSET_6.iter().any(is_old))
    };
    let unread = node.attributes.iter().find(|(name, _)| !is_read(name));
    unread.map(|(name, _)| format!("the attribute {name} of {} is not read", row.name))
}

#[cfg(test)]
mod tests {
    use super::NAMES;

    /// The operators that the documentation lists, those of the second column of its table.
    fn documented() -> Vec<&'static str> {
        let rows = include_str!("../mod.rs").lines().filter(|line| line.starts_with("//! | ")).skip(1);
        let cells = rows.filter_map(|row| row.split('|').nth(2));
        let words = cells.flat_map(|cell| cell.split(|c: char| !c.is_ascii_alphanumeric()));
        words.filter(|word| word.len() > 1 && word.starts_with(|c: char| c.is_ascii_uppercase())).collect()
    }

    #[test]
    fn the_documentation_lists_each_operator() {
        let documented = documented();
        let missing: Vec<_> = NAMES.iter().filter(|name| !documented.contains(name)).collect();
        assert!(missing.is_empty(), "not in the table of the documentation: {missing:?}");
        let unknown: Vec<_> = documented.iter().filter(|word| !NAMES.contains(word) && **word != "Constant").collect();
        assert!(unknown.is_empty(), "documented, but not read: {unknown:?}");
    }

    #[test]
    fn names_are_in_order() {
        assert!(NAMES.is_sorted());
    }
}
