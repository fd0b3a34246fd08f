//! Sizes that no memory holds are refused by every operation, in every profile, before anything relies on them. In a release
//! build a sum or product of lengths that wraps around would let safe code write outside its memory.

use std::panic::catch_unwind;

use gradus_tensor::{
    Convolution, Generator, Interpolation, PadMode, Pooling, Standardization, Tensor, broadcast_shapes, step,
};

const HALF: usize = 1 << 63;
const ROOT: usize = 1 << 32;

fn zeros(shape: impl Into<gradus_tensor::Shape>) -> Tensor {
    Tensor::zeros(shape)
}

fn number() -> Tensor {
    Tensor::scalar(1.0)
}

/// `count` places that share one element.
fn wide(count: usize) -> Tensor {
    number().broadcast_to([count])
}

fn refused(what: &str, mistake: fn()) {
    let result = catch_unwind(mistake);
    let caught = result.expect_err(what);
    let text = caught.downcast_ref::<String>().cloned();
    let text =
        text.or_else(|| caught.downcast_ref::<&str>().map(|text| (*text).to_owned())).expect("panics carry text");
    assert!(text.contains("tensor size overflows"), "{what}: {text}");
}

macro_rules! refused {
    ($($mistake:expr;)*) => {
        $(refused(stringify!($mistake), || drop($mistake));)*
    };
}

#[test]
fn joined_and_repeated_tensors() {
    refused! {
        Tensor::concat(&[wide(HALF), wide(HALF)], 0);
        Tensor::concat(&[wide(HALF / 2), wide(HALF / 2)], 0);
        // These lengths add up to 2^64, which wraps around to 0.
        Tensor::concat(&vec![wide(HALF / 2); 4], 0);
        Tensor::concat(&vec![number().broadcast_to([0, HALF / 2]); 4], 1);
        Tensor::stack(&vec![wide(HALF / 2); 4], 0);
        Tensor::stack(&vec![number().broadcast_to([0, HALF / 2]); 2], 0);
        wide(1 << 40).repeat(1 << 24, 0);
        zeros([2]).repeat(HALF, 0);
        zeros([2]).tile(&[HALF]);
        zeros([2, 2]).tile(&[ROOT, ROOT]);
        zeros([0]).tile(&[usize::MAX, 1]);
        zeros([2]).pad(&[(usize::MAX, usize::MAX)], 0.0);
        zeros([2]).pad(&[(HALF, HALF)], 0.0);
        zeros([2]).pad(&[(usize::MAX, 0)], PadMode::Replicate);
        zeros([2]).pad(&[(HALF / 2, HALF / 2)], PadMode::Replicate);
    }
}

#[test]
fn broadcasts() {
    refused! {
        wide(HALF);
        number().broadcast_to([ROOT, ROOT]);
        number().broadcast_to([0, ROOT, ROOT]);
        wide(ROOT).unsqueeze(1) + wide(ROOT);
        wide(ROOT).unsqueeze(1).less(wide(ROOT));
        wide(ROOT).outer(&wide(ROOT));
        wide(ROOT).unsqueeze(1).matmul(&wide(ROOT).unsqueeze(0));
        zeros([2]).less(1.0).where_(wide(ROOT).unsqueeze(1).unsqueeze(2), wide(ROOT).unsqueeze(1));
    }
    let error = number().try_broadcast_to([ROOT, ROOT]).unwrap_err();
    assert_eq!(error.to_string(), "tensor size overflows: [4294967296, 4294967296]");
    assert!(broadcast_shapes(&[ROOT, 1].into(), &[ROOT].into()).is_ok());
}

#[test]
fn new_tensors() {
    refused! {
        zeros([usize::MAX]);
        zeros([ROOT, ROOT]);
        // The bytes overflow, not the elements.
        zeros([1 << 61]);
        Tensor::<f64>::zeros([1 << 60]);
        Tensor::<f32>::ones([ROOT, ROOT, 0]);
        Tensor::full([ROOT, 1 << 31], 1_u8);
        Tensor::<f32>::eye(ROOT);
        Tensor::<u8>::eye(usize::MAX);
        Tensor::arange(0.0_f32, 1e30, 1.0);
        Tensor::arange(i64::MIN, i64::MAX, 1);
        Tensor::<f32>::linspace(0.0, 1.0, usize::MAX);
        Tensor::from([0, 1]).one_hot::<f32>(HALF);
        Tensor::<i64>::zeros([0]).one_hot::<f32>(usize::MAX);
        Generator::new(0).uniform::<f32>([ROOT, ROOT], 0.0..1.0);
        Generator::new(0).normal::<f32>([ROOT, ROOT], 0.0, 1.0);
        zeros([4, 0]).index_select(1, &Tensor::<i64>::zeros([0]).broadcast_to([0, ROOT, ROOT]));
        zeros([4, 0]).repeat(HALF, 1).repeat(HALF, 0);
    }
}

#[test]
fn windows() {
    let one = |stride: usize| Convolution::new(1).strides(&[stride]);
    refused! {
        zeros([1, 2, 1]).convolve(&zeros([1, 1, 1]), &Convolution::new(1).padding(&[(usize::MAX, 0)]));
        zeros([1, 2, 1]).convolve(&zeros([1, 1, 1]), &Convolution::new(1).padding(&[(HALF, HALF)]).strides(&[1 << 62]));
        zeros([1, 2, 1]).convolve(&zeros([1, 1, 1]), &Convolution::new(1).strides(&[usize::MAX]));
        zeros([1, 2, 0]).convolve(&zeros([1, 0, ROOT]), &Convolution::new(1).padding(&[(ROOT, 0)]));
        zeros([1, 2, 2, 1]).unfold(&[1, 1], &Convolution::new(2).padding(&[(ROOT, 0), (ROOT, 0)]));
        zeros([1, 2, 1]).convolve(&zeros([1, 1, 1]), &Convolution::new(1).padding(&[(HALF / 2, 0)]));
        zeros([1, 2, 1]).max_pool(&Pooling::new(&[HALF]).padding(&[(HALF - 1, HALF - 1)]));
        zeros([1, 2, 2, 1]).resize(&[ROOT, ROOT], Interpolation::Nearest);
        zeros([1, 2, 1]).resize(&[HALF], Interpolation::Linear);
        zeros([1, 2, 1]).adaptive_max_pool(&[usize::MAX]);
        zeros([1, 2, 0]).adaptive_average_pool(&[HALF / 2]);
    }
    // A step that leads to no second window may be as long as it likes.
    let long = one(isize::MAX as usize);
    let (x, kernel) = (zeros([2, 3, 4]) + 1.0, zeros([2, 4, 5]) + 1.0);
    let y = x.convolve(&kernel, &long);
    assert_eq!((y.shape(), y.get([1, 0, 4])), (&[2, 1, 5].into(), 8.0));
    assert_eq!(y.convolve_input_gradient(&kernel, x.shape(), &long).sum(..).item(), 640.0);
    assert_eq!(x.convolve_kernel_gradient(&y, kernel.shape(), &long).sum(..).item(), 640.0);
    let (few, narrow) = (zeros([2, 3, 1]) + 1.0, zeros([2, 1, 16]) + 1.0);
    assert_eq!(few.convolve(&narrow, &long).convolve_input_gradient(&narrow, few.shape(), &long).sum(..).item(), 128.0);
    let (by_channel, depthwise) = (zeros([2, 3, 4]) + 1.0, zeros([2, 1, 4]) + 1.0);
    let grouped = long.groups(4);
    let y = by_channel.convolve(&depthwise, &grouped);
    assert_eq!(y.convolve_input_gradient(&depthwise, x.shape(), &grouped).sum(..).item(), 32.0);
    assert_eq!(by_channel.convolve_kernel_gradient(&y, depthwise.shape(), &grouped).sum(..).item(), 32.0);
}

#[test]
fn parts_and_axes() {
    let refused = |mistake: fn()| assert!(catch_unwind(mistake).is_err());
    // 2^64 - 1 and 6 add up to 5 if they wrap around.
    refused(|| drop(Tensor::arange(0, 5, 1).split(0, &[usize::MAX, 6])));
    // As an isize, usize::MAX would be -1: the last axis, the last element.
    refused(|| drop(zeros([2, 3]).sum(usize::MAX)));
    refused(|| drop(zeros([2, 3]).sum([usize::MAX, 0])));
    let x = Tensor::arange(0, 5, 1);
    assert_eq!(x.slice(0, 1..usize::MAX).to_vec(), [1, 2, 3, 4]);
    assert_eq!(x.slice(0, ..usize::MAX).size(), 5);
    assert_eq!(x.slice(0, usize::MAX..).size(), 0);
    // Steps beyond the axis.
    let every_third = x.slice(0, step(.., 3));
    for by in [isize::MAX, isize::MIN + 1, isize::MIN] {
        assert_eq!(every_third.slice(0, step(.., by)).to_vec(), [if by > 0 { 0 } else { 3 }]);
        assert_eq!(x.slice(0, step(2..2, by)).size(), 0);
    }
    assert_eq!(x.flip(0).slice(0, step(.., isize::MIN)).flip(0).to_vec(), [0]);
}

#[test]
fn ranges_of_whole_numbers_are_exact() {
    // NumPy: np.arange(2**63 - 4, 2**63 - 1), of which f64 holds no two.
    assert_eq!(Tensor::arange(i64::MAX - 3, i64::MAX, 1), Tensor::from([i64::MAX - 3, i64::MAX - 2, i64::MAX - 1]));
    assert_eq!(Tensor::arange(i64::MAX, i64::MIN, i64::MIN), Tensor::from([i64::MAX, -1]));
    assert_eq!(Tensor::arange(-100_i8, 100, 50), Tensor::from([-100_i8, -50, 0, 50]));
    assert_eq!(Tensor::arange(5_u8, 250, 100), Tensor::from([5_u8, 105, 205]));
    assert_eq!(Tensor::arange(0, 5, -1).size() + Tensor::arange(5, 0, 1).size() + Tensor::arange(3, 3, -2).size(), 0);
}

#[test]
fn moments_of_no_elements() {
    let x = number().broadcast_to([0, 1 << 40, 1 << 20]);
    let gamma = Tensor::<f32>::zeros([1 << 20]);
    let (y, _) = x.standardize(&gamma, &gamma, &Standardization::of_channels());
    assert!(y.is_empty());
}
