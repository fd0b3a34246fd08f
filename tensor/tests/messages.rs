//! What mistakes with tensors are told. Messages name the operation, what is wrong and all shapes, and point at the caller's
//! line. Some more are tested beside the operations.

use std::panic::{Location, catch_unwind};
use std::sync::Mutex;

use gradus_tensor::{
    Attention, Convolution, Generator, Interpolation, PadMode, Pooling, Recurrence, RecurrentInputs, Standardization,
    Tensor, keepdims, step, update,
};

/// The message and the file of the panic that `mistake` ends in.
#[track_caller]
fn message(mistake: fn()) -> (String, String) {
    static PLACE: Mutex<String> = Mutex::new(String::new());
    let place = |info: &std::panic::PanicHookInfo<'_>| {
        *PLACE.lock().unwrap() = info.location().map(|location| location.file().to_owned()).unwrap_or_default();
    };
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(place));
    let result = catch_unwind(mistake);
    std::panic::set_hook(before);
    let caught = result.expect_err("a mistake ends in a panic");
    let text = caught.downcast_ref::<String>().cloned();
    let text = text.or_else(|| caught.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    (text.expect("panics carry text"), PLACE.lock().unwrap().clone())
}

fn zeros(shape: impl Into<gradus_tensor::Shape>) -> Tensor {
    Tensor::zeros(shape)
}

#[track_caller]
fn recur(x: &Tensor, kernel: &Tensor, recurrent_kernel: &Tensor) {
    Recurrence::simple().of(&RecurrentInputs::new(x, kernel, recurrent_kernel));
}

#[track_caller]
fn attend(how: Attention) {
    let x = zeros([2, 3, 4, 8]);
    x.attention(&x, &x, &how);
}

#[track_caller]
fn sum_up(equation: &str, operands: &[&Tensor]) {
    Tensor::einsum(equation, operands);
}

/// Mistakes and what they are told.
#[allow(clippy::type_complexity)] // A table.
const MISTAKES: &[(fn(), &str)] = &[
    (|| drop(zeros([2, 3]) + zeros([2])), "add: the shapes do not broadcast together: [2, 3] and [2]"),
    (|| zeros([2, 3]).div_assign_rows(), "div_assign: [4] does not broadcast to [2, 3]"),
    (|| drop(zeros([2]).maximum(zeros([3]))), "maximum: the shapes do not broadcast together: [2] and [3]"),
    (|| drop(zeros([2]).less(zeros([3]))), "less: the shapes do not broadcast together: [2] and [3]"),
    (|| drop(zeros([2]).less(0.0).where_(zeros([3]), 1.0)), "where: the shapes do not broadcast together: [2] and [3]"),
    (|| drop(zeros([2, 3]).sum(2)), "sum: axis 2 is out of range, axes are -2 to 1: [2, 3]"),
    (|| drop(zeros([2, 3]).mean([0, -2])), "mean: axis -2 is named twice: [2, 3]"),
    (|| drop(zeros([]).max(keepdims(0))), "max: axis 0 of a scalar, which has no axes: []"),
    (
        || recur(&zeros([2, 3]), &zeros([3, 4]), &zeros([4, 4])),
        "recurrence: sequences [n, steps, features] are needed: [2, 3]",
    ),
    (
        || recur(&zeros([2, 5, 3]), &zeros([2, 4]), &zeros([4, 4])),
        "recurrence: a kernel of [3, 4] is needed, found [2, 4], for sequences [2, 5, 3]",
    ),
    (
        || recur(&zeros([2, 5, 3]), &zeros([3, 0]), &zeros([0, 0])),
        "recurrence: a recurrent kernel [units, gates units] of one unit or more is needed: [0, 0]",
    ),
    (
        || drop(zeros([2, 3, 8]).attention(&zeros([2, 3, 1, 8]), &zeros([2, 3, 1, 8]), &Attention::new())),
        "attention: queries, keys and values need four axes [n, t, heads, d]: queries [2, 3, 8], keys [2, 3, 1, 8] and values \
         [2, 3, 1, 8]",
    ),
    (
        || drop(zeros([2, 3, 4, 8]).attention(&zeros([2, 3, 3, 8]), &zeros([2, 3, 3, 8]), &Attention::new())),
        "attention: the number of heads must be a multiple of that of keys: queries [2, 3, 4, 8], keys [2, 3, 3, 8] and values \
         [2, 3, 3, 8]",
    ),
    (
        || attend(Attention::new().key_mask(Tensor::full([2, 5], true))),
        "attention: the key mask must have a shape that fits [2, 3], found [2, 5]",
    ),
    (
        || attend(Attention::new().mask(Tensor::full([5, 5], true))),
        "attention: the mask must have a shape that fits [2, 4, 3, 3], found [5, 5]",
    ),
    (|| drop(zeros([2]).softmax(1)), "softmax: axis 1 is out of range, axes are -1 to 0: [2]"),
    (|| drop(zeros([2, 3]).reshape([4, 2])), "reshape: 6 elements do not fill a shape of 8: [2, 3] to [4, 2]"),
    (|| drop(zeros([2, 3]).broadcast_to([2, 4])), "broadcast_to: [2, 3] does not broadcast to [2, 4]"),
    (|| drop(zeros([2, 3]).permute([0, 0])), "permute: the order [0, 0] must name each of the 2 axes once: [2, 3]"),
    (|| drop(zeros([3]).t()), "t: a matrix is needed, two axes or more: [3]"),
    (|| drop(zeros([3]).slice(1, ..2)), "slice: axis 1 is out of range, axes are -1 to 0: [3]"),
    (|| drop(zeros([3]).slice(0, step(.., 0))), "slice: the step must not be 0"),
    (|| drop(zeros([3, 2]).select(0, -4)), "select: axis 0 has no element -4: [3, 2]"),
    (|| drop(zeros([3, 2]).squeeze(1)), "squeeze: axis 1 is not of length 1: [3, 2]"),
    (|| drop(zeros([3]).unsqueeze(3)), "unsqueeze: axis 3 is out of range, axes are -2 to 1: [1, 3]"),
    (|| drop(zeros([5]).split(0, &[2, 2])), "split: the lengths [2, 2] do not add up to axis 0: [5]"),
    (|| drop(zeros([5]).chunk(0, 0)), "chunk: the number of parts must not be 0: [5]"),
    (|| assert_eq!(zeros([5]).item(), 0.0), "item: exactly one element is needed, there are 5: [5]"),
    (|| assert_eq!(zeros([5, 2]).get([1]), 0.0), "get: there is no element [1]: [5, 2]"),
    (|| drop(zeros([2, 3]).matmul(&zeros([2, 3]))), "matmul: "),
    (|| sum_up("ij,jk", &[&zeros([2, 3])]), "einsum: the equation has 2 operands, 1 are given: \"ij,jk\" of [2, 3]"),
    (
        || sum_up("ij,jk->ik", &[&zeros([2, 3]), &zeros([4, 2])]),
        "einsum: the axes of j have lengths 3 and 4: \"ij,jk->ik\" of [2, 3] and [4, 2]",
    ),
    (|| sum_up("ii", &[&zeros([1, 3])]), "einsum: the axes of i have lengths 1 and 3: \"ii\" of [1, 3]"),
    (|| sum_up("ij", &[&zeros([2, 3, 4])]), "einsum: \"ij\" does not name the axes of [2, 3, 4]: \"ij\" of [2, 3, 4]"),
    (|| sum_up("ij->iij", &[&zeros([2, 3])]), "einsum: the output has i twice: \"ij->iij\" of [2, 3]"),
    (|| sum_up("ij->ik", &[&zeros([2, 3])]), "einsum: k of the output is in no operand: \"ij->ik\" of [2, 3]"),
    (|| sum_up("i1", &[&zeros([2, 3])]), "einsum: '1' is no label, labels are letters: \"i1\" of [2, 3]"),
    (|| sum_up("i->i->", &[&zeros([2])]), "einsum: '-' is no label, labels are letters: \"i->i->\" of [2]"),
    (|| sum_up("..i", &[&zeros([2])]), "einsum: an operand may have one ellipsis, three dots: \"..i\" of [2]"),
    (
        || sum_up("...i->i", &[&zeros([2, 3])]),
        "einsum: the output needs an ellipsis for the axes of those of the operands: \"...i->i\" of [2, 3]",
    ),
    (
        || drop(Tensor::einsum_gradient("i->", &[&zeros([2])], 0, &zeros([2]))),
        "einsum_gradient: the gradient must have the output's shape [], found [2]",
    ),
    (
        || drop(Tensor::einsum_gradient("i->", &[&zeros([2])], 1, &zeros([]))),
        "einsum_gradient: there is no operand 1, there are 1",
    ),
    (|| drop(zeros([2, 3]).solve(&zeros([2]))), "solve: square matrices are needed: [2, 3]"),
    (|| drop(zeros([3]).inverse()), "inverse: square matrices are needed: [3]"),
    (|| drop(zeros([2, 3, 3]).solve(&zeros([2, 1]))), "solve: the right-hand side needs 3 rows: [2, 3, 3] and [2, 1]"),
    (|| drop(zeros([2, 3, 3]).solve(&zeros([4, 3, 1]))), "solve: the shapes do not broadcast together: [2] and [4]"),
    (
        || drop(zeros([3, 3]).lu().solve_transposed(&zeros([]))),
        "solve_transposed: the right-hand side needs 3 rows: [3, 3] and []",
    ),
    (
        || drop(zeros([2, 3]).solve_triangular(&zeros([2]), true)),
        "solve_triangular: square matrices are needed: [2, 3]",
    ),
    (|| drop(zeros([2, 3]).lu()), "lu: square matrices are needed: [2, 3]"),
    (|| drop(zeros([2, 3]).determinant()), "determinant: square matrices are needed: [2, 3]"),
    (|| drop(zeros([2, 3]).slogdet()), "slogdet: square matrices are needed: [2, 3]"),
    (|| drop(zeros([2, 3]).cholesky()), "cholesky: square matrices are needed: [2, 3]"),
    (|| drop(zeros([2, 3]).eigh()), "eigh: square matrices are needed: [2, 3]"),
    (|| drop(zeros([3]).qr()), "qr: a matrix is needed, two axes or more: [3]"),
    (|| drop(zeros([3]).svd()), "svd: a matrix is needed, two axes or more: [3]"),
    (|| drop(zeros([3]).pinv()), "pinv: a matrix is needed, two axes or more: [3]"),
    (|| drop(zeros([3]).tril(0)), "tril: a matrix is needed, two axes or more: [3]"),
    (|| drop(zeros([]).triu(0)), "triu: a matrix is needed, two axes or more: []"),
    (|| drop(zeros([3, 2]).lstsq(&zeros([2]))), "lstsq: the right-hand side needs 3 rows: [3, 2] and [2]"),
    (|| drop(zeros([2]).dot(&zeros([3]))), "dot: two tensors of one axis and the same length are needed: [2] and [3]"),
    (|| drop(zeros([2]).outer(&zeros([3, 1]))), "outer: two tensors of one axis are needed: [2] and [3, 1]"),
    (
        || drop(zeros([2, 3]).index_select(1, &Tensor::from([0, 3]))),
        "index_select: index 3 is out of range along axis 1: [2, 3]",
    ),
    (
        || drop(zeros([2, 3]).gather(1, &Tensor::from([[0], [0], [0]]))),
        "gather: the index is longer than the tensor along another axis than 1: [3, 1] and [2, 3]",
    ),
    (
        || drop(zeros([3]).scatter_add(0, &Tensor::from([0, 1]), &zeros([1]))),
        "scatter_add: the index is longer than the source: [2] and [1]",
    ),
    (
        || drop(zeros([3, 2]).index_add(0, &Tensor::from([0, 1]), &zeros([2]))),
        "index_add: a source of [2, 2] is needed: [2] for [3, 2]",
    ),
    (|| drop(zeros([2, 3]).take_rows(&[2])), "take_rows: index 2 is out of range along axis 0: [2, 3]"),
    (|| drop(zeros([]).take_rows(&[])), "take_rows: a scalar has no rows: []"),
    (|| drop(Tensor::from([3]).one_hot::<f32>(3)), "one_hot: label 3 is not in 0..3: [1]"),
    (|| drop(zeros([0]).argmax(0)), "argmax: axis 0 has no elements to choose from: [0]"),
    (|| drop(zeros([2]).topk(0, 3)), "topk: axis 0 does not have 3 elements: [2]"),
    (|| drop(Tensor::<f32>::concat(&[], 0)), "concat: there are no tensors to join"),
    (
        || drop(Tensor::concat(&[zeros([2]), zeros([2, 1])], 0)),
        "concat: the shapes differ along another axis than 0: [2], [2, 1]",
    ),
    (|| drop(Tensor::stack(&[zeros([2]), zeros([3])], 0)), "stack: the shapes differ: [2], [3]"),
    (|| drop(zeros([2, 2]).pad(&[(1, 1)], 0.0)), "pad: 1 pairs of widths for 2 axes: [(1, 1)] for [2, 2]"),
    (
        || drop(zeros([0]).pad(&[(1, 0)], PadMode::Replicate)),
        "pad: axis 0 needs 1 elements or more to be continued that far: [0]",
    ),
    (|| zeros([2]).assign(&zeros([3])), "assign: [3] does not broadcast to [2]"),
    (
        || update(&mut zeros([2]), &zeros([3]), &mut [], |_, _, []| ()),
        "update: the gradient's shape is not the parameter's: [3] and [2]",
    ),
    (|| drop(Tensor::arange(0, 1, 0)), "arange: start, stop and step must be finite and step not 0: 0, 1, 0"),
    (|| drop(Generator::new(0).uniform([2], 1.0..1.0)), "uniform: the range must be finite and not empty: 1 .. 1"),
    (
        || drop(Generator::new(0).normal([2], 0.0, -1.0)),
        "normal: the mean must be finite, the standard deviation too and not negative: 0 and -1",
    ),
    (|| drop(Generator::new(0).bernoulli([2], 1.5)), "bernoulli: the probability must be in 0..=1: 1.5"),
    (|| drop(Generator::new(0).integers([2], 3..3)), "integers: the range is empty: 3 .. 3"),
    (|| drop(Convolution::new(0)), "convolution: one to three spatial axes are needed, found 0"),
    (|| drop(Convolution::new(2).strides(&[1])), "strides: 2 axes need a number of 1 or more each, found [1]"),
    (|| drop(Convolution::new(1).dilation(&[0])), "dilation: 1 axes need a number of 1 or more each, found [0]"),
    (
        || drop(Convolution::new(2).padding(&[(1, 1)])),
        "padding: 2 axes need a pair (before, after) each, found [(1, 1)]",
    ),
    (|| drop(Convolution::new(1).groups(0)), "groups: at least one is needed, found 0"),
    (
        || drop(zeros([1, 3, 1]).convolve(&zeros([2, 1]), &Convolution::new(1))),
        "convolve: input and kernel must have 3 axes: [1, 3, 1] and [2, 1]",
    ),
    (
        || drop(zeros([1, 4, 3]).convolve(&zeros([2, 1, 4]), &Convolution::new(1).groups(2))),
        "convolve: 2 groups must divide 3 channels and 4 filters, and the kernel must have channels / groups = 1 on its \
         last but one axis: [1, 4, 3] and [2, 1, 4]",
    ),
    (
        || drop(zeros([1, 4, 3]).convolve(&zeros([2, 2, 4]), &Convolution::new(1))),
        "convolve: 1 groups must divide 3 channels and 4 filters, and the kernel must have channels / groups = 3 on its \
         last but one axis: [1, 4, 3] and [2, 2, 4]",
    ),
    (
        || drop(zeros([1, 4, 1]).convolve_biased(&zeros([2, 1, 3]), &zeros([1]), true, &Convolution::new(1))),
        "convolve_biased: the bias must have one element for each filter: bias [1], kernel [2, 1, 3]",
    ),
    (
        || {
            let convolution = Convolution::new(1);
            drop(zeros([1, 4, 1]).convolve_kernel_gradient(&zeros([1, 4, 2]), &[2, 1, 2].into(), &convolution));
        },
        "convolve_kernel_gradient: the gradient must have the output's shape [1, 3, 2], found [1, 4, 2]",
    ),
    (
        || {
            let convolution = Convolution::new(1);
            drop(zeros([1, 4, 2]).convolve_input_gradient(&zeros([2, 1, 2]), &[1, 4, 1].into(), &convolution));
        },
        "convolve_input_gradient: the gradient must have the output's shape [1, 3, 2], found [1, 4, 2]",
    ),
    (
        || drop(Pooling::new(&[2, 2, 2, 2])),
        "pooling: one to three axes need a size of 1 or more each, found [2, 2, 2, 2]",
    ),
    (|| drop(Pooling::new(&[2]).strides(&[0])), "strides: 1 axes need a number of 1 or more each, found [0]"),
    (
        || drop(Pooling::new(&[2]).padding(&[(0, 2)])),
        "padding: windows of [2] must reach into their input, found [(0, 2)]",
    ),
    (
        || drop(Pooling::new(&[2, 2]).padding(&[(0, 1)])),
        "padding: 2 axes need a pair (before, after) each, found [(0, 1)]",
    ),
    (|| drop(zeros([3, 1]).max_pool(&Pooling::new(&[2]))), "max_pool: 3 axes are needed, found [3, 1]"),
    (
        || drop(zeros([1, 3, 2, 1]).average_pool(&Pooling::new(&[2, 4]).padding(&[(0, 0), (1, 0)]))),
        "average_pool: windows of [2, 4] do not fit the input [3, 2] (padding [(0, 0), (1, 0)])",
    ),
    (
        || drop(zeros([1, 0, 1]).max_pool(&Pooling::new(&[2]).padding(&[(1, 1)]))),
        "max_pool: the input [0] has no elements for windows of [2]",
    ),
    (
        || drop(zeros([1, 4, 1]).max_pool_gradient(&zeros([1, 2, 1]), &zeros([1, 3, 1]), &Pooling::new(&[2]))),
        "max_pool_gradient: output and gradient must have the output's shape [1, 2, 1], found [1, 3, 1]",
    ),
    (
        || drop(zeros([1, 3, 1]).average_pool_gradient(&[1, 4, 1].into(), &Pooling::new(&[2]))),
        "average_pool_gradient: the gradient must have the output's shape [1, 2, 1], found [1, 3, 1]",
    ),
    (
        || drop(zeros([1, 4, 1]).adaptive_average_pool(&[2, 2])),
        "adaptive_average_pool: each of one to three spatial axes needs a length of 1 or more: [1, 4, 1] to [2, 2]",
    ),
    (
        || drop(zeros([1, 4, 1]).adaptive_max_pool_gradient(&zeros([1, 2, 1]), &zeros([1, 2, 2]))),
        "adaptive_max_pool_gradient: output and gradient must have the output's shape [1, 2, 1], found [1, 2, 2]",
    ),
    (
        || drop(zeros([1, 4, 1]).resize(&[0], Interpolation::Linear)),
        "resize: each of one to three spatial axes needs a length of 1 or more: [1, 4, 1] to [0]",
    ),
    (
        || drop(zeros([1, 4, 2]).resize_gradient(&[1, 3, 1].into(), Interpolation::Nearest)),
        "resize_gradient: the gradient must have the output's shape [1, 4, 1], found [1, 4, 2]",
    ),
    (
        || drop(zeros([1, 4, 1]).unfold(&[2, 2], &Convolution::new(1))),
        "unfold: 3 axes are needed, 1 of them spatial: [1, 4, 1] by windows of [2, 2]",
    ),
    (
        || drop(zeros([1, 4, 1]).unfold(&[3], &Convolution::new(1).dilation(&[2]))),
        "unfold: windows of [3] (dilation [2]) do not fit the input [4] (padding [(0, 0)])",
    ),
    (
        || drop(zeros([1, 2, 4]).fold(&[1, 4, 1].into(), &[3], &Convolution::new(1))),
        "fold: windows of [1, 4, 1] have the shape [1, 2, 3], found [1, 2, 4]",
    ),
    (
        || drop(zeros([4, 3]).standardize(&zeros([3]), &zeros([2]), &Standardization::of_channels())),
        "standardize: each weight must have one number for each channel: [4, 3], [3] and [2]",
    ),
    (
        || drop(zeros([4, 3]).standardize(&zeros([3]), &zeros([3]), &Standardization::of_groups(2))),
        "standardize: the channels are no 2 groups of one size: [4, 3]",
    ),
    (
        || {
            let (x, ones, how) = (zeros([4, 3]), zeros([3]), Standardization::of_rows());
            let (y, moments) = x.standardize(&ones, &ones, &how);
            drop(x.standardize_gradient(y.slice(0, 1..), &ones, &ones, &moments, &how));
        },
        "standardize_gradient: the gradient must have the result's shape: [3, 3] and [4, 3]",
    ),
    (
        || {
            let (x, ones, how) = (zeros([4, 3]), zeros([3]), Standardization::of_rows());
            let (y, moments) = x.standardize(&ones, &ones, &Standardization::of_channels());
            drop(x.standardize_gradient(y, &ones, &ones, &moments, &how));
        },
        "standardize_gradient: the moments must have the shape [4]: [3]",
    ),
    (|| drop(zeros([]).channel_moments()), "channel_moments: channels are needed, found a single number"),
    (
        || {
            let (x, ones) = (zeros([4, 3]), zeros([3]));
            let moments = x.select(1, 0).unsqueeze(1).channel_moments();
            drop(x.standardize_with(&ones, &ones, &moments, &Standardization::of_channels()));
        },
        "standardize_with: each moment must have one number for each channel: [4, 3], [1] and [1]",
    ),
    (
        || {
            let (x, ones) = (zeros([4, 3]), zeros([3]));
            drop(x.standardize_with(&ones, &ones, &x.channel_moments(), &Standardization::of_groups(3)));
        },
        "standardize_with: a batch in parts needs Standardization::of_channels",
    ),
    (
        || {
            let (x, ones, how) = (zeros([4, 3]), zeros([3]), Standardization::of_channels());
            let means = |[sum, product]: [Tensor; 2]| [sum.slice(0, ..2), product];
            drop(x.standardize_gradient_with(x.clone(), &ones, &ones, &x.channel_moments(), &how, means));
        },
        "standardize_gradient_with: each mean must have one number for each channel: [4, 3], [2] and [3]",
    ),
    (
        || drop(zeros([4, 3]).affine(&zeros([4]), &zeros([3]), false)),
        "affine: each weight must have one number for each channel: [4, 3], [4] and [3]",
    ),
    (
        || drop(zeros([4, 3]).affine_gradient(zeros([4, 2]), &zeros([3]), &zeros([3]), true)),
        "affine_gradient: the gradient must have the result's shape: [4, 2] and [4, 3]",
    ),
    (
        || {
            let (x, kernel) = (zeros([1, 4, 1]), zeros([2, 1, 1]));
            drop(x.convolve_pooled(&kernel, None, false, &Convolution::new(1), &Pooling::new(&[4])));
        },
        "convolve_pooled: windows of [4] do not fit the input [3] (padding [(0, 0)])",
    ),
    (
        || {
            let (x, kernel, bias) = (zeros([1, 4, 1]), zeros([2, 1, 1]), zeros([2]));
            drop(x.convolve_pooled(&kernel, Some(&bias), false, &Convolution::new(1), &Pooling::new(&[2])));
        },
        "convolve_pooled: the bias must have one element for each filter: bias [2], kernel [2, 1, 1]",
    ),
    (
        || {
            let places = Tensor::<u8>::zeros([1, 1, 1]);
            drop(zeros([1, 2, 1]).max_unpool(&places, &[1, 4, 1].into(), &Pooling::new(&[2])));
        },
        "max_unpool: gradient and places must have the output's shape [1, 2, 1]: [1, 2, 1] and [1, 1, 1]",
    ),
];

/// Operators that assign cannot stand in an expression.
trait DivAssignRows {
    fn div_assign_rows(self);
}

impl DivAssignRows for Tensor {
    fn div_assign_rows(mut self) {
        self /= zeros([4]);
    }
}

#[test]
fn mistakes_are_named_at_the_callers_line() {
    for (mistake, expected) in MISTAKES {
        let (found, file) = message(*mistake);
        assert!(found.starts_with(expected), "{found}\nis not\n{expected}");
        assert_eq!(file, Location::caller().file(), "{found}");
    }
}
