//! Einstein sums: products of any tensors, summed over any axes, by the matrix product.

use crate::einsum::{Equation, Label};
use crate::element::{Element, Float};
use crate::shape::Shape;
use crate::tensor::{Tensor, expect_shape};

impl<T: Float> Tensor<T> {
    /// The Einstein sum of an equation: `"ij,jk->ik"` is the matrix product, sum_j a_ij b_jk. NumPy's `einsum`.
    ///
    /// Each letter names an axis. Axes of one letter run together, and letters that are not in the output are summed over. A
    /// letter twice in an operand is its diagonal. `...` stands for any further axes, which broadcast. Without an arrow the
    /// output has the axes of the ellipsis, then the letters that occur once, in alphabetical order, capitals first. Axes of
    /// length 1 broadcast.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// let (a, b) = (Tensor::new([[1.0, 2.0], [3.0, 4.0]]), Tensor::new([10.0, 1.0]));
    /// assert_eq!(Tensor::einsum("ij,j->i", &[&a, &b]), Tensor::new([12.0, 34.0]));
    /// assert_eq!(Tensor::einsum("ii", &[&a]), Tensor::new(5.0)); // the trace
    /// assert_eq!(Tensor::einsum("...ij->...ji", &[&a]), a.t());
    /// ```
    ///
    /// Operands are taken two at a time, first those whose product is smallest beside what it replaces (the greedy order of
    /// opt_einsum; Smith and Gray, "opt_einsum", 2018). A product over shared letters is one [`matmul`](Tensor::matmul).
    ///
    /// # Panics
    /// If the text is no equation, or the operands do not fit it.
    #[track_caller]
    pub fn einsum(equation: &str, operands: &[&Tensor<T>]) -> Tensor<T> {
        let equation = read("einsum", equation, operands);
        let terms = (0..operands.len()).map(|which| Term::operand(&equation, operands, which)).collect();
        contract(terms, &equation.output).tensor
    }

    /// The gradient of [`einsum`](Tensor::einsum) by operand number `which`, for the gradient by its output: an Einstein sum of
    /// that and the other operands. Shape: that of the operand.
    ///
    /// # Panics
    /// If the text is no equation, the operands do not fit it, there is no such operand, or the gradient has not the output's
    /// shape.
    #[track_caller]
    pub fn einsum_gradient(equation: &str, operands: &[&Tensor<T>], which: usize, gradient: &Tensor<T>) -> Tensor<T> {
        let equation = read("einsum_gradient", equation, operands);
        if which >= operands.len() {
            panic!("einsum_gradient: there is no operand {which}, there are {}", operands.len());
        }
        let output = equation.shape_of(&equation.output);
        super::expect_output_shape("einsum_gradient", "the gradient", gradient.shape(), &output);
        let others = (0..operands.len()).filter(|other| *other != which);
        let mut terms: Vec<Term<T>> = others.map(|other| Term::operand(&equation, operands, other)).collect();
        terms.push(Term { tensor: gradient.clone(), labels: equation.output.clone() });
        // An axis that nothing else has was summed over: each of its elements has the same gradient.
        let wanted = Term::operand(&equation, operands, which).labels;
        let known: Vec<Label> =
            wanted.iter().copied().filter(|label| terms.iter().any(|term| term.has(*label))).collect();
        let sum = contract(terms, &known).aligned(&wanted).broadcast_to(equation.shape_of(&wanted));
        spread(sum, &equation, which, operands[which].shape())
    }
}

#[track_caller]
fn read<T: Float>(op: &str, equation: &str, operands: &[&Tensor<T>]) -> Equation {
    let shapes: Vec<&Shape> = operands.iter().map(|operand| operand.shape()).collect();
    expect_shape(op, Equation::new(equation, &shapes))
}

/// A tensor with a label for each axis, all of them different.
struct Term<T: Element> {
    tensor: Tensor<T>,
    labels: Vec<Label>,
}

impl<T: Float> Term<T> {
    /// An operand: diagonals in place of repeated labels, and no axis along which it broadcasts.
    fn operand(equation: &Equation, operands: &[&Tensor<T>], which: usize) -> Self {
        let mut term = Term { tensor: operands[which].clone(), labels: equation.operands[which].clone() };
        for axis in (0..term.labels.len()).rev() {
            let label = term.labels[axis];
            if broadcasts(equation, label, term.tensor.shape()[axis]) {
                term.tensor = term.tensor.squeeze(axis as isize);
                term.labels.remove(axis);
            } else if let Some(first) = term.labels[..axis].iter().position(|earlier| *earlier == label) {
                term.tensor = term.tensor.with_layout(term.tensor.view().layout.diagonal(first, axis));
                term.labels.remove(axis);
            }
        }
        term
    }

    fn has(&self, label: Label) -> bool {
        self.labels.contains(&label)
    }

    fn size(&self) -> f64 {
        self.tensor.size() as f64
    }

    /// The sum over the labels that are not kept.
    fn summed(self, is_kept: impl Fn(Label) -> bool) -> Self {
        let (kept, gone): (Vec<usize>, Vec<usize>) =
            (0..self.labels.len()).partition(|&axis| is_kept(self.labels[axis]));
        if gone.is_empty() {
            return self;
        }
        let labels = kept.into_iter().map(|axis| self.labels[axis]).collect();
        Term { tensor: self.tensor.sum(&gone[..]), labels }
    }

    /// The axes in the order of these labels, among them all of its own, with length 1 for a label that it does not have.
    fn aligned(&self, labels: &[Label]) -> Tensor<T> {
        let order: Vec<isize> = labels.iter().filter_map(|label| self.place(*label)).collect();
        let mut tensor = self.tensor.permute(order);
        for (axis, label) in labels.iter().enumerate() {
            if !self.has(*label) {
                tensor = tensor.unsqueeze(axis as isize);
            }
        }
        tensor
    }

    fn place(&self, label: Label) -> Option<isize> {
        self.labels.iter().position(|own| *own == label).map(|axis| axis as isize)
    }

    /// A stack of matrices: the axes of `stack` as they are, those of `rows` as one axis, those of `columns` as one.
    fn matrices(&self, stack: &[Label], rows: &[Label], columns: &[Label]) -> Tensor<T> {
        let tensor = self.aligned(&[stack, rows, columns].concat());
        let (rows, columns) = (stack.len()..stack.len() + rows.len(), stack.len() + rows.len()..tensor.ndim());
        let size = |axes: std::ops::Range<usize>| tensor.shape()[axes].iter().product();
        let shape = Shape::from(&tensor.shape()[..stack.len()]).join(&[size(rows), size(columns)]);
        tensor.reshape(shape)
    }
}

/// Whether an axis of this length is repeated along those of the same label.
fn broadcasts(equation: &Equation, label: Label, length: usize) -> bool {
    length == 1 && equation.length(label) != 1
}

/// The product of all terms, summed over all labels but those of the output, in their order.
fn contract<T: Float>(mut terms: Vec<Term<T>>, output: &[Label]) -> Term<T> {
    while terms.len() > 1 {
        let [first, second] = cheapest(&terms, output);
        let b = terms.remove(second);
        let a = terms.remove(first);
        let product = product(a, b, |label| output.contains(&label) || terms.iter().any(|term| term.has(label)));
        terms.push(product);
    }
    let last = terms.pop().expect("one operand at least").summed(|label| output.contains(&label));
    Term { tensor: last.aligned(output), labels: output.to_vec() }
}

/// The pair whose product takes the least memory beside that of the two, the first such pair.
fn cheapest<T: Float>(terms: &[Term<T>], output: &[Label]) -> [usize; 2] {
    let growth = |[first, second]: [usize; 2]| {
        let (a, b) = (&terms[first], &terms[second]);
        let stays = |label: Label| {
            let mut others = terms.iter().enumerate().filter(|(place, _)| *place != first && *place != second);
            output.contains(&label) || others.any(|(_, term)| term.has(label))
        };
        let lengths = |term: &Term<T>, new: &dyn Fn(Label) -> bool| -> f64 {
            let axes = term.labels.iter().zip(term.tensor.shape().iter());
            axes.filter(|(label, _)| stays(**label) && new(**label)).map(|(_, &length)| length as f64).product()
        };
        lengths(a, &|_| true) * lengths(b, &|label| !a.has(label)) - a.size() - b.size()
    };
    let pairs = (0..terms.len()).flat_map(|first| (first + 1..terms.len()).map(move |second| [first, second]));
    pairs.min_by(|a, b| growth(*a).total_cmp(&growth(*b))).expect("two terms at least")
}

/// The product of two terms, summed over the labels that are not kept.
fn product<T: Float>(a: Term<T>, b: Term<T>, is_kept: impl Fn(Label) -> bool) -> Term<T> {
    let of_a = a.labels.clone();
    let a = a.summed(|label| is_kept(label) || b.has(label));
    let b = b.summed(|label| is_kept(label) || of_a.contains(&label));
    let (shared, left): (Vec<Label>, Vec<Label>) = a.labels.iter().partition(|label| b.has(**label));
    let (stack, inner): (Vec<Label>, Vec<Label>) = shared.into_iter().partition(|label| is_kept(*label));
    let right: Vec<Label> = b.labels.iter().copied().filter(|label| !a.has(*label)).collect();
    let labels = [stack.clone(), left.clone(), right.clone()].concat();
    if inner.is_empty() {
        return Term { tensor: a.aligned(&labels) * b.aligned(&labels), labels };
    }
    let matrices = a.matrices(&stack, &left, &inner).matmul(&b.matrices(&stack, &inner, &right));
    let length = |label: &Label| {
        let of = if a.has(*label) { &a } else { &b };
        of.tensor.shape()[of.place(*label).expect("a label of one of the two") as usize]
    };
    let shape: Shape = labels.iter().map(length).collect();
    Term { tensor: matrices.reshape(shape), labels }
}

/// The gradient by an operand, for that by the term which [`Term::operand`] makes of it: diagonals are put back into zeros.
fn spread<T: Float>(mut sum: Tensor<T>, equation: &Equation, which: usize, shape: &Shape) -> Tensor<T> {
    let labels = &equation.operands[which];
    for (axis, (&label, &length)) in labels.iter().zip(shape.iter()).enumerate() {
        if broadcasts(equation, label, length) {
            sum = sum.unsqueeze(axis as isize);
        } else if let Some(first) = labels[..axis].iter().position(|earlier| *earlier == label) {
            sum = sum.unsqueeze(axis as isize);
            let along = |axis: usize| {
                let mut shape = vec![1; sum.ndim()];
                shape[axis] = length;
                Tensor::arange(0, length as i64, 1).reshape(shape)
            };
            sum = along(first).equal(along(axis)).where_(&sum, T::ZERO);
        }
    }
    sum
}
