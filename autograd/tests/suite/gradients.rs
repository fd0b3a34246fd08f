//! Every op's derivatives against finite differences, and its value against the tensor's: one row per op.
//!
//! Shapes have 0 to 3 axes of 0 to 3 elements, operands broadcast, and inputs are views of every kind.

use std::ops::Range;
use std::sync::Arc;

use gradus_autograd::{RecurrentVars, Tape, Var, gradcheck};
use gradus_tensor::{
    Attention, CellFunction, Convolution, Interpolation, PadMode, Pooling, Recurrence, RecurrentCell, RecurrentInputs,
    Standardization, Tensor, functions, keepdims, pointwise, step,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

type Shape = Vec<usize>;

/// Drawn by proptest: all that a row makes its inputs and arguments of.
#[derive(Clone, Debug)]
struct Case {
    shape: Shape,
    axis: usize,
    /// For each input: which axes have length 1, and how many leading ones are missing.
    ones: [usize; 2],
    leading: [usize; 2],
    views: [usize; 2],
    number: usize,
}

fn cases() -> impl Strategy<Value = Case> {
    let shape = prop::collection::vec(0..=3_usize, 0..=3);
    (shape, 0..6_usize, [0..8_usize, 0..8], [0..3_usize, 0..3], [0..5_usize, 0..5], 0..1000_usize)
        .prop_map(|(shape, axis, ones, leading, views, number)| Case { shape, axis, ones, leading, views, number })
}

impl Case {
    /// The shape with one axis at least.
    fn line(&self) -> Shape {
        if self.shape.is_empty() { vec![3] } else { self.shape.clone() }
    }

    /// The shape with two axes at least.
    fn matrix(&self) -> Shape {
        [&[2, 3][..2 - self.shape.len().min(2)], &self.shape].concat()
    }

    /// The shape, or one axis, without zeros.
    fn full(&self) -> Shape {
        self.line().iter().map(|&length| length.max(1)).collect()
    }

    /// An axis of `line`, counted from either end.
    fn axis(&self) -> isize {
        let ndim = self.line().len() as isize;
        self.axis as isize % (2 * ndim) - ndim
    }

    /// The same axis as an index.
    fn index(&self) -> usize {
        self.axis().rem_euclid(self.line().len() as isize) as usize
    }

    fn with_length(&self, length: usize) -> Shape {
        let mut shape = self.line();
        shape[self.index()] = length;
        shape
    }

    /// The shape of an operand that broadcasts against the other.
    fn operand(&self, which: usize) -> Shape {
        let one = |axis: usize| self.ones[which] >> axis & 1 == 1;
        let leading = self.leading[which].saturating_sub(1).min(self.shape.len());
        (leading..self.shape.len()).map(|axis| if one(axis) { 1 } else { self.shape[axis] }).collect()
    }

    /// Numbers below `bound` in the given shape.
    fn places(&self, shape: &[usize], bound: usize) -> Tensor<i64> {
        let size: usize = shape.iter().product();
        let numbers: Tensor<i64> = (0..size).map(|i| ((i + self.number) * 7 % 11 % bound) as i64).collect();
        numbers.reshape(shape)
    }

    fn mask(&self) -> Tensor<bool> {
        self.places(&self.shape, 2).equal(1)
    }

    /// Numbers in `range`, in no order, all of them apart from each other, from those of the other input, and from 0
    /// and other round numbers where functions have kinks; seen through one of several views.
    fn input(&self, which: usize, shape: &[usize], range: &Range<f64>) -> Tensor<f64> {
        let values = |shape: &[usize]| {
            let size: usize = shape.iter().product();
            let step = (1..).find(|step| step % 7 == 3 && gcd(*step, size.max(1)) == 1).expect("there are many");
            let numbers: Tensor<f64> = (0..size)
                .map(|i| {
                    let part = ((i * step + self.number) % size) as f64 / size as f64;
                    let grid = 0.004;
                    ((range.start + part * (range.end - range.start)) / grid).floor() * grid
                        + 0.001 * (which + 1) as f64
                })
                .collect();
            numbers.reshape(shape)
        };
        if shape.is_empty() {
            return values(shape);
        }
        let axis = self.axis % shape.len();
        let with_length = |length| shape.iter().enumerate().map(|(i, &l)| if i == axis { length } else { l }).collect();
        let (wide, long): (Shape, Shape) = (with_length(2 * shape[axis]), with_length(shape[axis] + 1));
        let axis = axis as isize;
        match self.views[which % 2] {
            0 => values(shape),
            1 => {
                let backwards: Vec<isize> = (0..shape.len() as isize).rev().collect();
                values(&shape.iter().rev().copied().collect::<Shape>()).permute(backwards)
            }
            2 => values(&wide).slice(axis, step(.., 2)),
            3 => values(shape).flip(axis),
            _ => values(&long).slice(axis, 1..),
        }
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// One op: the shapes of its inputs, the range of their elements, and the op on vars and on tensors.
struct Row {
    name: &'static str,
    shapes: fn(&Case) -> Vec<Shape>,
    range: Range<f64>,
    vars: fn(&[Var<f64>], &Case) -> Var<f64>,
    tensors: fn(&[Tensor<f64>], &Case) -> Tensor<f64>,
}

/// A row; one expression serves vars and tensors, since their methods have the same names.
macro_rules! row {
    ($name:literal, $shapes:expr, $range:expr, |$x:ident, $case:ident| $value:expr) => {
        row!($name, $shapes, $range, |$x, $case| $value, |$x, $case| $value)
    };
    ($name:literal, $shapes:expr, $range:expr, |$x:ident, $case:ident| $vars:expr, |$y:ident, $c:ident| $tensors:expr) => {
        Row {
            name: $name,
            shapes: $shapes,
            range: $range,
            vars: |$x, $case| {
                #[allow(dead_code)]
                type Array = Var<f64>;
                let _ = $case;
                $vars
            },
            tensors: |$y, $c| {
                #[allow(dead_code)]
                type Array = Tensor<f64>;
                let _ = $c;
                $tensors
            },
        }
    };
}

const ALL: Range<f64> = -2.0..2.0;
const POSITIVE: Range<f64> = 0.2..3.0;

fn one(case: &Case) -> Vec<Shape> {
    vec![case.shape.clone()]
}

fn two(case: &Case) -> Vec<Shape> {
    vec![case.operand(0), case.operand(1)]
}

fn line(case: &Case) -> Vec<Shape> {
    vec![case.line()]
}

fn matrix(case: &Case) -> Vec<Shape> {
    vec![case.matrix()]
}

fn full(case: &Case) -> Vec<Shape> {
    vec![case.full()]
}

/// The shapes of rows or of a stack of them, of a matrix and of a bias.
fn biased_products(case: &Case) -> Vec<Shape> {
    let &[m, k, n] = &[case.number / 2 % 4, case.number / 8 % 4, case.number / 32 % 3 + 1];
    vec![[&[2][..case.axis % 2], &[m, k]].concat(), vec![k, n], vec![n]]
}

fn products(case: &Case) -> Vec<Shape> {
    let &[m, k, n] = &[case.number % 4, case.number / 4 % 4, case.number / 16 % 3 + 1];
    match case.number / 50 % 10 {
        0 => vec![vec![k], vec![k]],
        1 => vec![vec![k], vec![k, n]],
        2 => vec![vec![m, k], vec![k]],
        3 => vec![vec![2, m, k], vec![k]],
        4 => vec![vec![k], vec![2, k, n]],
        5 => vec![vec![2, m, k], vec![k, n]],
        6 => vec![vec![2, m, k], vec![2, k, n]],
        7 => vec![vec![1, m, k], vec![2, k, n]],
        8 => vec![vec![3, 1, m, k], vec![2, k, n]],
        _ => vec![vec![m, k], vec![k, n]],
    }
}

/// The shape of logits of three classes for CTC.
fn frames(case: &Case) -> Vec<Shape> {
    vec![vec![case.number % 5, case.number / 5 % 7, 3]]
}

/// Losses without those that are inf, of which there are no differences.
fn finite(losses: &Var<f64>) -> Var<f64> {
    Var::where_(&losses.value().less(f64::INFINITY), losses, 0.0)
}

fn rows() -> Vec<Row> {
    let mut rows = elementwise();
    rows.extend(reductions());
    rows.extend(views());
    rows.extend(joins_and_indices());
    rows.extend(windows());
    rows.extend(standardizations());
    rows.extend(recurrences());
    rows.extend(attentions());
    rows.extend(matrices());
    rows
}

pointwise! {
    /// The squared distance of p from t, times a factor.
    static DISTANCE = distance(t, p; factor): factor * (p - t) * (p - t),
        derivative |g| N::of(2.0) * factor * g * (p - t);
}

fn elementwise() -> Vec<Row> {
    vec![
        row!("add", two, ALL, |x, c| &x[0] + &x[1]),
        row!("sub", two, ALL, |x, c| &x[0] - &x[1]),
        row!("mul", two, ALL, |x, c| &x[0] * &x[1]),
        row!("div", two, POSITIVE, |x, c| &x[0] / &x[1]),
        row!("add", one, ALL, |x, c| 0.7 + (&x[0] + 1.3)),
        row!("sub", one, ALL, |x, c| 0.7 - (&x[0] - 1.3)),
        row!("mul", one, ALL, |x, c| 0.7 * (&x[0] * 1.3)),
        row!("div", one, POSITIVE, |x, c| 0.7 / (&x[0] / 1.3)),
        row!("neg", one, ALL, |x, c| -&x[0]),
        row!("pow", two, POSITIVE, |x, c| x[0].pow(&x[1])),
        row!("pow", one, ALL, |x, c| x[0].pow([0.0, 1.0, 2.0, 3.0][c.number % 4])),
        row!("pow", one, POSITIVE, |x, c| x[0].pow([0.5, 1.7, -0.3, -2.0][c.number % 4])),
        row!("maximum", two, ALL, |x, c| x[0].maximum(&x[1])),
        row!("maximum", one, ALL, |x, c| x[0].maximum(0.5)),
        row!("minimum", two, ALL, |x, c| x[0].minimum(&x[1])),
        row!("clamp", one, ALL, |x, c| x[0].clamp(-1.0, 0.5)),
        row!("where_", two, ALL, |x, c| Var::where_(&c.mask(), &x[0], &x[1]), |x, c| c.mask().where_(&x[0], &x[1])),
        row!("where_", one, ALL, |x, c| Var::where_(&c.mask(), 1.0, &x[0]), |x, c| c.mask().where_(1.0, &x[0])),
        row!("abs", one, ALL, |x, c| x[0].abs()),
        row!("exp", one, ALL, |x, c| x[0].exp()),
        row!("expm1", one, ALL, |x, c| x[0].expm1()),
        row!("ln", one, POSITIVE, |x, c| x[0].ln()),
        row!("ln1p", one, -0.8..3.0, |x, c| x[0].ln1p()),
        row!("sqrt", one, POSITIVE, |x, c| x[0].sqrt()),
        row!("rsqrt", one, POSITIVE, |x, c| x[0].rsqrt()),
        row!("square", one, ALL, |x, c| x[0].square()),
        row!("recip", one, POSITIVE, |x, c| x[0].recip()),
        row!("sin", one, ALL, |x, c| x[0].sin()),
        row!("cos", one, ALL, |x, c| x[0].cos()),
        row!("tan", one, -1.2..1.2, |x, c| x[0].tan()),
        row!("tanh", one, ALL, |x, c| x[0].tanh()),
        row!("sigmoid", one, ALL, |x, c| x[0].sigmoid()),
        row!("softplus", one, ALL, |x, c| x[0].softplus()),
        row!("relu", one, ALL, |x, c| x[0].relu()),
        row!("leaky_relu", one, ALL, |x, c| x[0].leaky_relu(0.1)),
        row!("elu", one, ALL, |x, c| x[0].elu(0.7)),
        row!("selu", one, ALL, |x, c| x[0].selu()),
        row!("gelu", one, ALL, |x, c| x[0].gelu()),
        row!("gelu_tanh", one, ALL, |x, c| x[0].gelu_tanh()),
        row!("silu", one, ALL, |x, c| x[0].silu()),
        row!("erf", one, ALL, |x, c| x[0].erf()),
        row!("sign", one, ALL, |x, c| x[0].sign()),
        row!("floor", one, ALL, |x, c| x[0].floor()),
        row!("ceil", one, ALL, |x, c| x[0].ceil()),
        row!("round", one, ALL, |x, c| x[0].round()),
        row!("trunc", one, ALL, |x, c| x[0].trunc()),
        row!("log_sigmoid", one, ALL, |x, c| x[0].log_sigmoid()),
        row!("mish", one, ALL, |x, c| x[0].mish()),
        row!("relu6", one, -8.0..8.0, |x, c| x[0].relu6()),
        row!("relu_with", one, ALL, |x, c| x[0].relu_with(1.2, 0.1, -0.5)),
        row!("celu", one, ALL, |x, c| x[0].celu(0.7)),
        row!("softsign", one, ALL, |x, c| x[0].softsign()),
        row!("squareplus", one, ALL, |x, c| x[0].squareplus(4.0)),
        row!("sparse_plus", one, ALL, |x, c| x[0].sparse_plus()),
        row!("hard_sigmoid", one, -5.0..5.0, |x, c| x[0].hard_sigmoid()),
        row!("sparse_sigmoid", one, ALL, |x, c| x[0].sparse_sigmoid()),
        row!("hard_silu", one, -5.0..5.0, |x, c| x[0].hard_silu()),
        row!("hard_tanh", one, ALL, |x, c| x[0].hard_tanh()),
        row!("tanh_shrink", one, ALL, |x, c| x[0].tanh_shrink()),
        row!("hard_shrink", one, ALL, |x, c| x[0].hard_shrink(0.5)),
        row!("soft_shrink", one, ALL, |x, c| x[0].soft_shrink(0.5)),
        row!("pointwise", one, ALL, |x, c| x[0].pointwise(&DISTANCE, &[&x[0].value().map(|_| 0.3)], &[1.5]), |x, c| {
            DISTANCE.of(&[&x[0].map(|_| 0.3), &x[0]], &[1.5])
        }),
        row!("dropout", one, ALL, |x, c| x[0].dropout(0.4, c.number as u64)),
        row!("threshold", one, ALL, |x, c| x[0].threshold(0.5, -0.3)),
    ]
}

fn reductions() -> Vec<Row> {
    vec![
        row!("sum", line, ALL, |x, c| x[0].sum(c.axis())),
        row!("sum", one, ALL, |x, c| x[0].sum(..)),
        row!("mean", full, ALL, |x, c| x[0].mean(keepdims(c.axis()))),
        row!("mean", |c| vec![[&[2], &c.full()[..]].concat()], ALL, |x, c| x[0].mean([0, -1])),
        row!("var", full, ALL, |x, c| x[0].var(c.axis())),
        row!("var", full, ALL, |x, c| x[0].var(keepdims(..))),
        row!("std", |c| vec![c.with_length(3)], ALL, |x, c| x[0].std(c.axis())),
        row!("norm", full, ALL, |x, c| x[0].norm(c.axis())),
        row!("max", full, ALL, |x, c| x[0].max(c.axis())),
        row!("max", full, ALL, |x, c| x[0].max(keepdims(..))),
        row!("min", full, ALL, |x, c| x[0].min(c.axis())),
        row!("prod", line, ALL, |x, c| x[0].prod(c.axis())),
        row!("prod", one, POSITIVE, |x, c| x[0].prod(..)),
        row!("logsumexp", full, ALL, |x, c| x[0].logsumexp(c.axis())),
        row!("softmax", line, ALL, |x, c| x[0].softmax(c.axis())),
        row!("log_softmax", line, ALL, |x, c| x[0].log_softmax(c.axis())),
        row!(
            "ctc_loss",
            frames,
            ALL,
            |x, c| {
                // Strings with and without repetitions, of which the last may be too long for the frames.
                let strings = [vec![], vec![2], vec![1, 1], vec![2, 1, 2]];
                let samples = x[0].shape()[0];
                let mask = c.places(&[samples, x[0].shape()[1]], 5).greater(0);
                let losses = x[0].ctc_loss(Some(&mask).filter(|_| c.number % 2 == 0), &strings[..samples], 0);
                finite(&losses)
            },
            |x, c| {
                let strings = [vec![], vec![2], vec![1, 1], vec![2, 1, 2]];
                let samples = x[0].shape()[0];
                let mask = c.places(&[samples, x[0].shape()[1]], 5).greater(0);
                let losses = x[0].ctc_loss(Some(&mask).filter(|_| c.number % 2 == 0), &strings[..samples], 0);
                losses.less(f64::INFINITY).where_(&losses, 0.0)
            }
        ),
        row!("cumsum", line, ALL, |x, c| x[0].cumsum(c.axis())),
        row!("matmul", products, ALL, |x, c| x[0].matmul(&x[1])),
        row!("matmul_biased", biased_products, ALL, |x, c| x[0].matmul_biased(&x[1], &x[2], c.number % 2 == 0)),
        row!("dot", |c| vec![vec![c.number % 4]; 2], ALL, |x, c| x[0].dot(&x[1])),
        row!("outer", |c| vec![vec![c.number % 4], vec![c.number / 4 % 4]], ALL, |x, c| x[0].outer(&x[1])),
    ]
}

fn views() -> Vec<Row> {
    vec![
        row!("reshape", one, ALL, |x, c| x[0].reshape(c.shape.iter().rev().copied().collect::<Shape>())),
        row!("flatten", one, ALL, |x, c| x[0].flatten()),
        row!("squeeze", |c| vec![c.with_length(1)], ALL, |x, c| x[0].squeeze(c.axis())),
        row!("unsqueeze", line, ALL, |x, c| x[0].unsqueeze(c.axis())),
        row!("permute", matrix, ALL, |x, c| {
            let ndim = x[0].ndim() as isize;
            x[0].permute((0..ndim).map(|axis| (axis + 1) % ndim - ndim).collect::<Vec<_>>())
        }),
        row!("t", matrix, ALL, |x, c| x[0].t()),
        row!("swap_axes", line, ALL, |x, c| x[0].swap_axes(c.axis(), 0)),
        row!("slice", line, ALL, |x, c| x[0].slice(c.axis(), 1..)),
        row!("slice", line, ALL, |x, c| x[0].slice(c.axis(), step(..-1, -2))),
        row!("select", full, ALL, |x, c| x[0].select(c.axis(), -1)),
        row!("select", full, ALL, |x, c| x[0].select(c.axis(), 0)),
        row!("flip", line, ALL, |x, c| x[0].flip(c.axis())),
        row!("broadcast_to", |c| vec![c.operand(0)], ALL, |x, c| x[0].broadcast_to([&[2], &c.shape[..]].concat())),
        row!("split", |c| vec![c.with_length(5)], ALL, |x, c| {
            x[0].split(c.axis(), &[1, 0, 2, 2]).swap_remove(c.number % 4)
        }),
        row!("chunk", line, ALL, |x, c| x[0].chunk(c.axis(), 2).swap_remove(c.number % 2)),
    ]
}

fn joins_and_indices() -> Vec<Row> {
    vec![
        row!("concat", |c| vec![c.with_length(2), c.with_length(c.number % 3)], ALL, |x, c| {
            Array::concat(x, c.axis())
        }),
        row!("stack", |c| vec![c.line(), c.line()], ALL, |x, c| Array::stack(x, c.axis())),
        row!("pad", one, ALL, |x, c| x[0].pad(&vec![(c.number % 3, c.axis % 2); c.shape.len()], 0.5)),
        row!("pad", |c| vec![vec![3; c.line().len()]], ALL, |x, c| {
            x[0].pad(&vec![(c.number % 3, 2); x[0].ndim()], PadMode::Reflect)
        }),
        row!("pad", full, ALL, |x, c| x[0].pad(&vec![(2, c.number % 3); x[0].ndim()], PadMode::Replicate)),
        row!("repeat", line, ALL, |x, c| x[0].repeat(c.number % 3, c.axis())),
        row!("tile", one, ALL, |x, c| x[0].tile(&[2, c.number % 3][..1 + c.axis % 2])),
        row!("index_select", |c| vec![c.with_length(3)], ALL, |x, c| x[0]
            .index_select(c.axis(), &c.places(&[2, 2], 3))),
        row!("take_rows", full, ALL, |x, c| x[0].take_rows(&vec![x[0].shape()[0] - 1; c.number % 3])),
        row!("gather", |c| vec![c.with_length(3)], ALL, |x, c| {
            x[0].gather(c.axis(), &c.places(&c.with_length(c.number % 5), 3))
        }),
        row!("scatter_add", |c| vec![c.with_length(3), c.with_length(4)], ALL, |x, c| {
            x[0].scatter_add(c.axis(), &c.places(&c.with_length(c.number % 5), 3), &x[1])
        }),
        row!("index_add", |c| vec![c.with_length(3), c.with_length(4)], ALL, |x, c| {
            x[0].index_add(c.axis(), &c.places(&[4], 3), &x[1])
        }),
        row!("sort", line, ALL, |x, c| x[0].sort(c.axis())),
        row!("topk", |c| vec![c.with_length(4)], ALL, |x, c| x[0].topk(c.axis(), c.number % 5).0),
    ]
}

/// Equations with the shapes of their operands.
const EQUATIONS: [(&str, &[&[usize]]); 16] = [
    ("ij,jk->ik", &[&[2, 3], &[3, 2]]),
    ("bij,bjk", &[&[2, 2, 3], &[2, 3, 2]]),
    ("bqhd,bkhd->bhqk", &[&[2, 1, 2, 3], &[2, 2, 2, 3]]),
    ("ii", &[&[3, 3]]),
    ("iij->ji", &[&[3, 3, 2]]),
    ("iii->i", &[&[2, 2, 2]]),
    ("iji,jk->k", &[&[2, 3, 2], &[3, 2]]),
    ("...ij,...jk->...ik", &[&[2, 2, 3], &[3, 2]]),
    ("...i,...->i...", &[&[2, 1, 3], &[3]]),
    ("...,...", &[&[2, 1], &[1, 3]]),
    ("i...->...", &[&[2, 3]]),
    ("ij,jk->ik", &[&[2, 1], &[3, 2]]),
    ("i,i,i->", &[&[3], &[1], &[3]]),
    ("ij,jk,kl->il", &[&[2, 3], &[3, 2], &[2, 1]]),
    ("ij,kl->k", &[&[2, 3], &[2, 2]]),
    ("ij,jk->ik", &[&[2, 0], &[0, 3]]),
];

fn summed(c: &Case) -> Vec<Shape> {
    EQUATIONS[c.number % EQUATIONS.len()].1.iter().map(|shape| shape.to_vec()).collect()
}

/// Square matrices, or a stack of them.
fn square(c: &Case) -> Vec<Shape> {
    vec![[&[2][..c.axis % 2], &[c.number % 4; 2]].concat()]
}

/// The same, and the right-hand side of a system: a column, columns, or a stack of them.
fn system(c: &Case) -> Vec<Shape> {
    let n = c.number % 4;
    let mut shapes = square(c);
    shapes.push(vec![vec![n], vec![n, 2], vec![2, 1, n, 3]].swap_remove(c.number / 4 % 3));
    shapes
}

fn rectangle(c: &Case) -> Vec<Shape> {
    vec![[&[2][..c.axis % 2], &[c.number % 4, c.number / 4 % 4]].concat()]
}

/// A matrix as large as the matrices of `shape`, with multiples of `number` on its diagonal, which added to small numbers gives a
/// matrix of full rank with values apart from each other.
fn diagonal(shape: &[usize], number: f64) -> Tensor<f64> {
    let &[.., rows, columns] = shape else { unreachable!("matrices") };
    let steps = Tensor::arange(1.0, 5.0, 1.0) * number;
    (Tensor::eye(4) * steps).slice(0, ..rows).slice(1, ..columns)
}

fn matrices() -> Vec<Row> {
    const SMALL: Range<f64> = -0.5..0.5;
    vec![
        row!("einsum", summed, ALL, |x, c| {
            Array::einsum(EQUATIONS[c.number % EQUATIONS.len()].0, &x.iter().collect::<Vec<_>>())
        }),
        row!("solve", system, SMALL, |x, c| (&x[0] + &diagonal(x[0].shape(), 2.0)).solve(&x[1]).unwrap()),
        row!("solve_triangular", system, SMALL, |x, c| {
            (&x[0] + &diagonal(x[0].shape(), 2.0)).solve_triangular(&x[1], c.number % 2 == 0).unwrap()
        }),
        row!("inverse", square, SMALL, |x, c| (&x[0] + &diagonal(x[0].shape(), 2.0)).inverse().unwrap()),
        row!("determinant", square, ALL, |x, c| x[0].determinant()),
        row!("slogdet", square, SMALL, |x, c| (&x[0] - &diagonal(x[0].shape(), 2.0)).slogdet().1),
        row!("cholesky", square, ALL, |x, c| {
            (x[0].matmul(&x[0].t()) + &diagonal(x[0].shape(), 1.0)).cholesky().unwrap()
        }),
        row!("tril", matrix, ALL, |x, c| x[0].tril(c.number as isize % 5 - 2)),
        row!("triu", matrix, ALL, |x, c| x[0].triu(c.number as isize % 5 - 2)),
        row!("qr", rectangle, SMALL, |x, c| {
            let (q, r) = (&x[0] + &diagonal(x[0].shape(), 2.0)).qr();
            if c.number / 16 % 2 == 0 { q } else { r }
        }),
        row!("svd", rectangle, SMALL, |x, c| {
            let (u, s, vt) = (&x[0] + &diagonal(x[0].shape(), 3.0)).svd();
            vec![u.square(), s, vt.square()].swap_remove(c.number / 16 % 3)
        }),
        row!("eigh", square, SMALL, |x, c| {
            let (w, v) = (&x[0] + x[0].t() + &diagonal(x[0].shape(), 3.0)).eigh();
            if c.number / 4 % 2 == 0 { w } else { v.square() }
        }),
    ]
}

/// A convolution over one axis or two, with strides, dilation, uneven padding and groups.
fn convolution(c: &Case) -> Convolution {
    let (rank, n) = (1 + c.number % 2, c.number / 2);
    Convolution::new(rank)
        .strides(&[1 + n % 2, 2][..rank])
        .dilation(&[1 + n / 2 % 2, 1][..rank])
        .padding(&[(n / 4 % 2, n / 8 % 3), (1, 0)][..rank])
        .groups(1 + n / 24 % 2)
}

/// The shapes of an input and a kernel for it.
fn convolved(c: &Case) -> Vec<Shape> {
    let convolution = convolution(c);
    let (rank, groups) = (convolution.rank(), 1 + c.number / 48 % 2);
    let (input, kernel) = (&[5, 3][..rank], &[2, 3][..rank]);
    vec![[&[c.axis % 3], input, &[2 * groups]].concat(), [kernel, &[2, groups * (1 + c.axis / 3)]].concat()]
}

/// The shapes of an input, a kernel and a bias.
fn biased(c: &Case) -> Vec<Shape> {
    let mut shapes = convolved(c);
    shapes.push(vec![shapes[1][shapes[1].len() - 1]]);
    shapes
}

/// The shapes of an output of it and of the kernel.
fn deconvolved(c: &Case) -> Vec<Shape> {
    backwards(convolved(c), &convolution(c))
}

/// The same of channels each by itself, two or three of them, with one filter or two for each.
fn depthwise(c: &Case) -> Convolution {
    convolution(c).groups(2 + c.number / 48 % 2)
}

fn depthwise_shapes(c: &Case) -> Vec<Shape> {
    let (rank, channels) = (1 + c.number % 2, 2 + c.number / 48 % 2);
    let (input, kernel) = (&[5, 3][..rank], &[2, 3][..rank]);
    vec![[&[c.axis % 3], input, &[channels]].concat(), [kernel, &[1, channels * (1 + c.axis / 3)]].concat()]
}

/// A convolution over three axes, in one group or in two.
fn volume_convolution(c: &Case) -> Convolution {
    let n = c.number;
    Convolution::new(3)
        .strides(&[1 + n % 2, 2, 1])
        .dilation(&[1, 1 + n / 2 % 2, 1])
        .padding(&[(n / 4 % 2, 1), (0, 1), (n / 8 % 3, 0)])
        .groups(1 + n / 24 % 2)
}

/// Shapes for it: of two channels in each group, or of one, which is then by itself.
fn volumes(c: &Case) -> Vec<Shape> {
    let (groups, channels) = (1 + c.number / 24 % 2, 1 + c.number / 48 % 2);
    let kernel = vec![2, 2, 3, channels, groups * (1 + c.axis / 3)];
    vec![vec![c.axis % 3, 3, 4, 3, groups * channels], kernel]
}

/// An output of a convolution of these shapes in place of the input.
fn backwards(shapes: Vec<Shape>, convolution: &Convolution) -> Vec<Shape> {
    let [input, kernel] = shapes.try_into().expect("two shapes");
    let output = convolution.output_shape(&input.into(), &kernel[..].into()).expect("they fit");
    vec![output.to_vec(), kernel]
}

/// A pooling over three axes.
fn volume_pooling(c: &Case) -> Pooling {
    let n = c.number;
    Pooling::new(&[2, 1 + n % 2, 2]).strides(&[1 + n / 2 % 3, 1, 2]).padding(&[(n / 6 % 2, 1), (0, 0), (1, n / 12 % 2)])
}

fn volume(c: &Case) -> Vec<Shape> {
    vec![vec![c.axis % 3, 3, 2, 4, c.axis / 2]]
}

/// A pooling over one axis or two, of windows that overlap, leave gaps, or reach beyond the ends.
fn pooling(c: &Case) -> Pooling {
    let (rank, n) = (1 + c.number % 2, c.number / 2);
    let padding = &[(n % 2, n / 2 % 2), (1, 0)][..rank];
    Pooling::new(&[2 + n / 4 % 2, 2][..rank]).strides(&[1 + n / 8 % 3, 2][..rank]).padding(padding)
}

fn pooled(c: &Case) -> Vec<Shape> {
    vec![[&[c.axis % 3], &[5, 3][..1 + c.number % 2], &[c.axis / 2]].concat()]
}

/// The shapes of an input, a kernel and a bias such that the convolution has something to pool.
fn convolved_and_pooled(c: &Case) -> Vec<Shape> {
    let (rank, filters) = (1 + c.number % 2, 1 + c.axis / 3);
    let (input, kernel) = (&[7, 5][..rank], &[2, 2][..rank]);
    vec![[&[c.axis % 3], input, &[2]].concat(), [kernel, &[2, filters]].concat(), vec![filters]]
}

/// Windows side by side or overlapping, which do not see all of that.
fn pooling_behind(c: &Case) -> Pooling {
    let (rank, n) = (1 + c.number % 2, c.number / 2);
    Pooling::new(&[2 + n % 2, 2][..rank]).strides(&[2, 1 + n / 2 % 2][..rank])
}

/// Lengths for the output's one spatial axis or two.
fn lengths(c: &Case) -> Vec<usize> {
    [1 + c.number / 2 % 7, 1 + c.number / 14 % 5][..1 + c.number % 2].to_vec()
}

/// The shape of unfolded windows.
fn unfolded(c: &Case) -> Vec<Shape> {
    let rank = 1 + c.number % 2;
    let (mut shape, size) = (pooled(c).swap_remove(0), &[2, 3][..rank]);
    let output = convolution(c).output_lengths(&shape[1..=rank], size).expect("they fit");
    shape[1..=rank].copy_from_slice(&output);
    shape[rank + 1] *= size.iter().product::<usize>();
    vec![shape]
}

fn windows() -> Vec<Row> {
    vec![
        row!("convolve", convolved, ALL, |x, c| x[0].convolve(&x[1], &convolution(c))),
        row!("convolve_biased", biased, ALL, |x, c| x[0].convolve_biased(
            &x[1],
            &x[2],
            c.number % 2 == 0,
            &convolution(c)
        )),
        row!(
            "convolve_pooled",
            convolved_and_pooled,
            ALL,
            // Sums of the inputs themselves, which are even steps apart, would often be equal.
            |x, c| x[0].exp().convolve_pooled(
                &x[1],
                (c.number % 3 > 0).then_some(&x[2]),
                c.number % 5 > 2,
                &Convolution::new(1 + c.number % 2),
                &pooling_behind(c)
            ),
            |x, c| {
                let bias = (c.number % 3 > 0).then_some(&x[2]);
                let convolution = Convolution::new(1 + c.number % 2);
                x[0].exp().convolve_pooled(&x[1], bias, c.number % 5 > 2, &convolution, &pooling_behind(c)).0
            }
        ),
        row!(
            "convolve_transposed",
            deconvolved,
            ALL,
            |x, c| x[0].convolve_transposed(&x[1], convolved(c).swap_remove(0), &convolution(c)),
            |x, c| x[0].convolve_input_gradient(&x[1], &convolved(c).swap_remove(0).into(), &convolution(c))
        ),
        row!("convolve", depthwise_shapes, ALL, |x, c| x[0].convolve(&x[1], &depthwise(c))),
        row!(
            "convolve_biased",
            |c| {
                let mut shapes = depthwise_shapes(c);
                shapes.push(vec![shapes[1][shapes[1].len() - 1]]);
                shapes
            },
            ALL,
            |x, c| x[0].convolve_biased(&x[1], &x[2], c.number / 2 % 2 == 0, &depthwise(c))
        ),
        row!(
            "convolve_transposed",
            |c| backwards(depthwise_shapes(c), &depthwise(c)),
            ALL,
            |x, c| x[0].convolve_transposed(&x[1], depthwise_shapes(c).swap_remove(0), &depthwise(c)),
            |x, c| x[0].convolve_input_gradient(&x[1], &depthwise_shapes(c).swap_remove(0).into(), &depthwise(c))
        ),
        row!("convolve", volumes, ALL, |x, c| x[0].convolve(&x[1], &volume_convolution(c))),
        row!(
            "convolve_transposed",
            |c| backwards(volumes(c), &volume_convolution(c)),
            ALL,
            |x, c| x[0].convolve_transposed(&x[1], volumes(c).swap_remove(0), &volume_convolution(c)),
            |x, c| x[0].convolve_input_gradient(&x[1], &volumes(c).swap_remove(0).into(), &volume_convolution(c))
        ),
        row!("max_pool", volume, ALL, |x, c| x[0].max_pool(&volume_pooling(c))),
        row!("average_pool", volume, ALL, |x, c| x[0].average_pool(&volume_pooling(c))),
        row!("max_pool", pooled, ALL, |x, c| x[0].max_pool(&pooling(c))),
        row!("average_pool", pooled, ALL, |x, c| x[0].average_pool(&pooling(c))),
        row!("adaptive_max_pool", pooled, ALL, |x, c| x[0].adaptive_max_pool(&lengths(c))),
        row!("adaptive_average_pool", pooled, ALL, |x, c| x[0].adaptive_average_pool(&lengths(c))),
        row!("resize", pooled, ALL, |x, c| x[0].resize(&lengths(c), Interpolation::Nearest)),
        row!("resize", pooled, ALL, |x, c| x[0].resize(&lengths(c), Interpolation::Linear)),
        row!("unfold", pooled, ALL, |x, c| x[0].unfold(&[2, 3][..1 + c.number % 2], &convolution(c))),
        row!("fold", unfolded, ALL, |x, c| {
            x[0].fold(&pooled(c).swap_remove(0).into(), &[2, 3][..1 + c.number % 2], &convolution(c))
        }),
    ]
}

/// Any kind of standardisation, with groups of two channels.
fn standardization(c: &Case) -> Standardization {
    let kinds = [
        Standardization::of_channels(),
        Standardization::of_groups(1 + c.axis % 3),
        Standardization::of_rows(),
        Standardization::of_rows_by_square(),
    ];
    kinds[c.number % 4].epsilon(0.1)
}

/// That of channels, with and without a ReLU.
fn channels(c: &Case) -> Standardization {
    Standardization::of_channels().epsilon(0.1).relu(c.number.is_multiple_of(2))
}

/// The shapes of samples with one spatial axis or two, of gamma and of beta.
fn standardized(c: &Case) -> Vec<Shape> {
    let channels = 2 * (1 + c.axis % 3);
    vec![[&[c.number / 4 % 3], &[3, 2][..c.number / 12 % 3], &[channels]].concat(), vec![channels], vec![channels]]
}

/// Whether the mask has each step, whether the walk is backwards, which results are summed up, and so on.
impl Case {
    fn recurrence(&self, cell: RecurrentCell) -> Recurrence<f64> {
        let other = |which: usize| -> CellFunction<f64> {
            if self.number >> which & 3 == 0 {
                CellFunction::Other(Arc::new(&functions::SOFTSIGN))
            } else {
                [CellFunction::Tanh, CellFunction::Sigmoid][which].clone()
            }
        };
        Recurrence::new(cell)
            .activation(other(0))
            .recurrent_activation(other(1))
            .go_backwards(self.axis.is_multiple_of(2))
            .zero_output_for_mask(self.ones[0].is_multiple_of(2))
            .sequences(!self.ones[1].is_multiple_of(4))
    }

    /// The rows, steps, features and units.
    fn sequences(&self) -> [usize; 4] {
        [self.number % 4, self.number / 4 % 4, self.number / 16 % 3, self.number / 48 % 3 + 1]
    }

    /// What dropout makes of the states.
    fn factors(&self) -> Tensor<f64> {
        let [rows, .., units] = self.sequences();
        self.places(&[rows, units], 2).to::<f64>() * 2.0
    }

    fn step_mask(&self) -> Option<Tensor<bool>> {
        let [rows, steps, ..] = self.sequences();
        (self.leading[0] > 0).then(|| self.places(&[rows, steps], 3).greater(0))
    }
}

/// The shapes of sequences, weights, bias and states.
fn recurrent_shapes(case: &Case, cell: RecurrentCell) -> Vec<Shape> {
    let [rows, steps, features, units] = case.sequences();
    let (width, state) = (cell.gates() * units, vec![rows, units]);
    let bias = cell.bias_shape(units).to_vec();
    vec![vec![rows, steps, features], vec![features, width], vec![units, width], bias, state.clone(), state]
}

/// All results side by side, from vars.
fn recurred(x: &[Var<f64>], case: &Case, cell: RecurrentCell) -> Var<f64> {
    let (mask, dropout) = (case.step_mask(), case.factors());
    let vars = RecurrentVars {
        bias: (case.leading[1] > 0).then_some(&x[3]),
        states: if case.axis < 4 { [Some(&x[4]), (cell.states() > 1).then_some(&x[5])] } else { [None; 2] },
        mask: mask.as_ref(),
        recurrent_dropout: (case.ones[0] > 5).then_some(&dropout),
        ..RecurrentVars::new(&x[1], &x[2])
    };
    let given = x[0].recurrence(&case.recurrence(cell), &vars);
    let all = given.sequence.iter().chain(&given.states).map(Var::flatten).collect::<Vec<_>>();
    Var::concat(&all, 0)
}

/// The same, from tensors.
fn recurred_tensors(x: &[Tensor<f64>], case: &Case, cell: RecurrentCell) -> Tensor<f64> {
    let (mask, dropout) = (case.step_mask(), case.factors());
    let inputs = RecurrentInputs {
        bias: (case.leading[1] > 0).then_some(&x[3]),
        states: if case.axis < 4 { [Some(&x[4]), (cell.states() > 1).then_some(&x[5])] } else { [None; 2] },
        mask: mask.as_ref(),
        recurrent_dropout: (case.ones[0] > 5).then_some(&dropout),
        ..RecurrentInputs::new(&x[0], &x[1], &x[2])
    };
    let (outputs, _) = case.recurrence(cell).of(&inputs);
    let mut all: Vec<_> = outputs.sequence().iter().map(Tensor::flatten).collect();
    all.extend((0..cell.states()).map(|index| outputs.state(index).flatten()));
    Tensor::concat(&all, 0)
}

macro_rules! recurrence {
    ($cell:expr) => {
        row!("recurrence", |c| recurrent_shapes(c, $cell), -1.0..1.0, |x, c| recurred(x, c, $cell), |x, c| {
            recurred_tensors(x, c, $cell)
        })
    };
}

fn recurrences() -> Vec<Row> {
    vec![
        recurrence!(RecurrentCell::Simple),
        recurrence!(RecurrentCell::Lstm),
        recurrence!(RecurrentCell::Gru { reset_after: true }),
        recurrence!(RecurrentCell::Gru { reset_after: false }),
    ]
}

/// The shapes of queries, keys and values: one to three keys, one or two of their heads.
fn attended(c: &Case) -> Vec<Shape> {
    let &[n, tq, tk] = &[c.number % 3, c.number / 3 % 4, c.number / 12 % 3 + 1];
    let &[heads, d, dv] = &[c.axis % 2 + 1, c.ones[0] % 3, c.ones[1] % 3];
    vec![vec![n, tq, 2, d], vec![n, tk, heads, d], vec![n, tk, heads, dv]]
}

/// Every option of attention, in turn.
fn attention(c: &Case) -> Attention {
    let shapes = attended(c);
    let (n, tq, tk) = (shapes[0][0], shapes[0][1], shapes[1][1]);
    let how = Attention::new();
    match c.number % 5 {
        0 => how,
        1 => how.causal(true).scale(0.4),
        2 => how.key_mask(c.places(&[n, tk], 3).not_equal(1)),
        3 => how.mask(c.places(&[tq, tk], 3).not_equal(1)),
        _ => how.dropout(0.3, c.number as u64).causal(true),
    }
}

fn attentions() -> Vec<Row> {
    vec![row!("attention", attended, ALL, |x, c| x[0].attention(&x[1], &x[2], &attention(c)), |x, c| x[0]
        .attention(&x[1], &x[2], &attention(c))
        .0)]
}

fn standardizations() -> Vec<Row> {
    vec![
        row!("standardize", standardized, ALL, |x, c| x[0].standardize(&x[1], &x[2], &standardization(c)).0),
        row!("standardize", standardized, ALL, |x, c| {
            x[0].standardize(&x[1], &x[2], &standardization(c).relu(true)).0
        }),
        // The batch has a single part.
        row!(
            "standardize_with",
            standardized,
            ALL,
            |x, c| {
                let count = (x[0].value().size() / x[1].value().size()) as f64;
                let (moments, how) = (x[0].value().channel_moments(), channels(c));
                x[0].standardize_with(&x[1], &x[2], &moments, &how, move |sums| sums.map(|sum| sum / count))
            },
            |x, c| x[0].standardize_with(&x[1], &x[2], &x[0].channel_moments(), &channels(c))
        ),
        row!("affine", standardized, ALL, |x, c| x[0].affine(&x[1], &x[2], c.number % 2 == 0)),
    ]
}

/// Runs `test` on cases that are the same in every run.
fn for_cases(row: &Row, test: impl Fn(&Case, &[Tensor<f64>]) -> Result<(), TestCaseError>) {
    let config = Config { cases: 64, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let result = runner.run(&cases(), |case| {
        let shapes = (row.shapes)(&case);
        let inputs: Vec<_> =
            shapes.iter().enumerate().map(|(which, shape)| case.input(which, shape, &row.range)).collect();
        test(&case, &inputs)
    });
    result.unwrap_or_else(|error| panic!("{}: {error}", row.name));
}

#[test]
fn derivatives_agree_with_differences() {
    for row in rows() {
        for_cases(&row, |case, inputs| {
            gradcheck(inputs, |vars| (row.vars)(vars, case)).map_err(|error| TestCaseError::fail(error.to_string()))
        });
    }
}

#[test]
fn values_are_the_tensors_own() {
    for row in rows() {
        for_cases(&row, |case, inputs| {
            let tape = Tape::new();
            let vars: Vec<_> = inputs.iter().map(|input| tape.var(input.clone())).collect();
            let (value, expected) = ((row.vars)(&vars, case), (row.tensors)(inputs, case));
            prop_assert_eq!(value.value(), &expected);
            prop_assert!(value.is_recorded());
            let constants: Vec<_> = inputs.iter().map(Var::from).collect();
            let constant = (row.vars)(&constants, case);
            prop_assert_eq!(constant.value(), &expected);
            prop_assert!(!constant.is_recorded());
            Ok(())
        });
    }
}

/// The gradient of the sum of f(x).
fn slope(x: Tensor<f64>, f: impl Fn(&Var<f64>) -> Var<f64>) -> Vec<f64> {
    let tape = Tape::new();
    let x = tape.var(x);
    tape.backward(&f(&x).sum(..)).of(&x).to_vec()
}

#[test]
fn where_there_is_no_derivative_one_is_chosen() {
    let x = || Tensor::from([3.0, 1.0, 3.0]);
    // Equals share equally. The first four: jax.grad of jnp.max, min, maximum and minimum in JAX 0.10.2.
    assert_eq!(slope(x(), |x| x.max(..)), [0.5, 0.0, 0.5]);
    assert_eq!(slope(-x(), |x| x.min(keepdims(0))), [0.5, 0.0, 0.5]);
    assert_eq!(slope(x(), |x| x.maximum(3.0)), [0.5, 0.0, 0.5]);
    assert_eq!(slope(x(), |x| x.minimum(3.0)), [0.5, 1.0, 0.5]);
    assert_eq!(slope(x(), |x| x.clamp(1.0, 2.0)), [0.0, 1.0, 0.0]);
    let zeros = || Tensor::from([0.0, 0.0]);
    for f in [Var::abs, Var::relu, |x: &Var<f64>| x.norm(..), |x: &Var<f64>| x.std(..)] {
        assert_eq!(slope(zeros(), f), [0.0, 0.0]);
    }
}

#[test]
fn powers_and_products_have_derivatives_at_zero() {
    // By hand: d(abc)/da = bc.
    assert_eq!(slope(Tensor::from([2.0, 0.0, 3.0]), |x| x.prod(..)), [0.0, 6.0, 0.0]);
    assert_eq!(slope(Tensor::from([[0.0, 0.0, 3.0], [4.0, 5.0, 0.0]]), |x| x.prod(1)), [0.0, 0.0, 0.0, 0.0, 0.0, 20.0]);
    assert_eq!(slope(Tensor::from([0.0, -2.0]), |x| x.pow(3.0)), [0.0, 12.0]);
    assert_eq!(slope(Tensor::from([0.0, -2.0]), |x| x.pow(1.0)), [1.0, 1.0]);
    assert_eq!(slope(Tensor::from([0.0, -2.0]), |x| x.pow(0.0)), [0.0, 0.0]);
    assert_eq!(slope(Tensor::from([2.0, 0.5]), |y| Var::from(0.0).pow(y)), [0.0, 0.0]);
}

#[test]
fn determinants_of_singular_matrices_have_derivatives() {
    // By hand: the cofactors of a matrix of rank 2, and of one of rank 1.
    let found = slope(Tensor::from([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [1.0, 0.0, 1.0]]), |a| a.determinant());
    let expected = [4.0, 4.0, -4.0, -2.0, -2.0, 2.0, 0.0, 0.0, 0.0];
    assert!(found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-13), "{found:?}");
    assert!(slope(Tensor::ones([3, 3]), |a| a.determinant()).iter().all(|found| found.abs() < 1e-14));
    assert!(slope(Tensor::ones([2, 2]), |a| a.slogdet().1).iter().all(|found| found.is_nan()));
}

#[test]
fn gradients_of_parts_add_up() {
    // A = U diag(s) V' of factors that are all recorded: the gradient of what gives A back is that of A.
    let a = Tensor::from([[3.0, 1.0], [0.5, -2.0], [1.0, 1.0]]);
    let weights = Tensor::from([[1.0, -2.0], [0.5, 3.0], [2.0, -1.0]]);
    let back = |a: &Var<f64>| {
        let (u, s, vt) = a.svd();
        (u * s).matmul(&vt)
    };
    for product in [back, |a: &Var<f64>| a.qr().0.matmul(&a.qr().1)] {
        let found = slope(a.clone(), |a| product(a) * &weights);
        assert!(found.iter().zip(weights.iter()).all(|(found, weight)| (found - weight).abs() < 1e-13), "{found:?}");
    }
}

/// The names of the ops in a source file: those given to `Op::new`, and all public methods. The elementwise functions, whose
/// methods a macro makes, are listed by [`functions::all`].
fn ops_in(source: &str) -> Vec<String> {
    let until = |text: &str, end: char| text.split(end).next().expect("split yields one part at least").to_owned();
    let recorded = source.split("Op::new(\"").skip(1).map(|rest| until(rest, '"'));
    let methods = source.split("pub fn ").skip(1).map(|rest| until(&until(rest, '('), '<'));
    recorded.chain(methods).filter(|name| !name.starts_with('$')).collect()
}

/// The ops that no row is named for.
fn without_a_row(ops: Vec<String>, rows: &[Row]) -> Vec<String> {
    ops.into_iter()
        .filter(|op| !rows.iter().any(|row| row.name.trim_end_matches('_') == op.trim_end_matches('_')))
        .collect()
}

#[test]
fn every_op_has_a_row() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/ops");
    let rows = rows();
    let mut found = 0;
    for file in std::fs::read_dir(folder).expect("the ops have a folder") {
        let path = file.expect("a readable folder").path();
        let source = std::fs::read_to_string(&path).expect("a source file");
        found += ops_in(&source).len();
        assert_eq!(without_a_row(ops_in(&source), &rows), [""; 0], "ops of {} without a row here", path.display());
    }
    let functions: Vec<String> = functions::all().map(|function| function.name().to_owned()).collect();
    found += functions.len();
    assert_eq!(without_a_row(functions, &rows), [""; 0], "elementwise functions without a row here");
    assert!(found > rows.len(), "only {found} ops found in the sources");
}

#[test]
fn an_op_without_a_row_is_noticed() {
    let source = r#"
        pub fn cube(&self) -> Var<T> {
            Op::new("cubed", self.value().map(cube)).input(self, |g| g).finish()
        }
        pub fn sum<A: Into<Axes>>(&self, axes: A) -> Var<T> {
    "#;
    assert_eq!(without_a_row(ops_in(source), &rows())[..2], ["cubed", "cube"]);
    assert_eq!(without_a_row(ops_in("pub fn sum<A>("), &rows()), [""; 0]);
}

/// The gradient of a sum weighed by 2.
fn gradient_of<T: gradus_tensor::Float>(x: &Tensor<T>, y: impl Fn(&Var<T>) -> Var<T>) -> Vec<f64> {
    let tape = Tape::new();
    let var = tape.var(x.clone());
    let y = y(&var) * T::of(2.0);
    tape.backward(&y.sum(..)).of(&var).to::<f64>().to_vec()
}

#[test]
fn norms_of_any_size_pass_back_directions() {
    // By hand: 2 x / |x| of 3 and 4 times a factor; of a deviation, 2 (x - mean) / (n std) of 3 and 5 times a factor.
    fn check<T: gradus_tensor::Float>(factor: f64) {
        let x = |a: f64, b: f64| [a * factor, b * factor, a, b, 0.0, 0.0].map(T::of).to_vec();
        let close = |found: Vec<f64>, expected: [f64; 6]| {
            let near = found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-6);
            assert!(near, "{factor:e}: {found:?}");
        };
        let norm = Tensor::from(x(3.0, 4.0)).reshape([3, 2]);
        close(gradient_of(&norm, |x| x.norm(-1)), [1.2, 1.6, 1.2, 1.6, 0.0, 0.0]);
        let deviation = Tensor::from(x(3.0, 5.0)).reshape([3, 2]);
        close(gradient_of(&deviation, |x| x.std(-1)), [-1.0, 1.0, -1.0, 1.0, 0.0, 0.0]);
    }
    [4e37, 1e20, 1e-20, 1e-30, 1e-38, 2_f64.powi(-140)].into_iter().for_each(check::<f32>);
    [2e307, 1e200, 1e-200, 2_f64.powi(-1060)].into_iter().for_each(check::<f64>);
}

#[test]
fn a_shift_does_not_change_the_gradient() {
    // By hand: a softmax of ten equal numbers is 1/10 each; deviations of 0 and 1 are 1/2.
    for shift in [0.0, 3e7, -1e9, 1e30] {
        let x = Tensor::full([10], shift);
        let share = gradient_of(&x, |x| x.logsumexp(..));
        assert!(share.iter().all(|share| (share - 0.2).abs() < 1e-6), "{shift}: {share:?}");
        let share = gradient_of(&x, |x| x.log_softmax(0).select(0, 0));
        assert!((share[0] - 1.8).abs() < 1e-6 && (share[1] + 0.2).abs() < 1e-6, "{shift}: {share:?}");
    }
    let x = Tensor::new([1e7, 1e7 + 1.0]);
    assert_eq!(gradient_of(&x, |x| x.var(..)), [-1.0, 1.0]);
    assert_eq!(gradient_of(&x, |x| x.std(..)), [-1.0, 1.0]);
    assert_eq!(gradient_of(&Tensor::new([f32::NEG_INFINITY; 2]), |x| x.logsumexp(..)), [0.0, 0.0]);
}

#[test]
fn the_negative_of_zero_has_a_sign() {
    let bits = |x: &Tensor| x.to_vec().into_iter().map(f32::to_bits).collect::<Vec<_>>();
    let tape = Tape::new();
    let x = tape.var(Tensor::new([0.0, -0.0]));
    let y = -&x;
    assert_eq!(bits(y.value()), bits(&Tensor::new([-0.0, 0.0])));
    let loss = (y * &Tensor::new([0.0, -0.0])).sum(..);
    assert_eq!(bits(&tape.backward(&loss).of(&x)), bits(&Tensor::new([-0.0, 0.0])));
}
