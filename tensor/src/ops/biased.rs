//! Products with a bias and a ReLU behind them, as dense layers compute them.

use super::elements;
use crate::element::Float;
use crate::kernels::bias;
use crate::shape::Shape;
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The [product](Tensor::matmul) with a matrix plus a bias, and max(y, 0) in place of each result y if `relu`.
    ///
    /// Shapes: `[.., m, k]` with `[k, n]` and a bias `[n]` gives `[.., m, n]`.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// let (x, kernel) = (Tensor::new([[1.0, 2.0]]), Tensor::new([[1.0, 0.0], [0.0, -1.0]]));
    /// let bias = Tensor::new([0.5, 1.0]);
    /// assert_eq!(x.matmul_biased(&kernel, &bias, false), Tensor::new([[1.5, -1.0]]));
    /// assert_eq!(x.matmul_biased(&kernel, &bias, true), Tensor::new([[1.5, 0.0]]));
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit each other.
    #[track_caller]
    pub fn matmul_biased(&self, matrix: &Tensor<T>, bias: &Tensor<T>, relu: bool) -> Tensor<T> {
        if self.ndim() < 2 || matrix.ndim() != 2 || *bias.shape() != matrix.shape()[1..] {
            panic_shapes(self.shape(), matrix.shape(), bias.shape());
        }
        let (mut y, bias) = (self.matmul(matrix), bias.contiguous());
        bias::add_bias(y.as_mut_slice(), elements(&bias), relu);
        y
    }

    /// The gradient with respect to the product in [`matmul_biased`](Tensor::matmul_biased) and that with respect to the bias,
    /// from the gradient `self` of the result. `result` is that result if it came out of a ReLU.
    ///
    /// # Panics
    /// If the result has another shape, or there is no axis.
    #[track_caller]
    pub fn matmul_biased_gradient(mut self, result: Option<&Tensor<T>>) -> [Tensor<T>; 2] {
        let (shape, columns) = (self.shape(), self.shape()[self.ndim() - 1]);
        if let Some(result) = result {
            assert!(
                result.shape() == shape,
                "matmul_biased_gradient: the shapes differ: {shape} and {}",
                result.shape()
            );
        }
        let rows = shape[..shape.len() - 1].iter().product::<usize>();
        let parts = rows.div_ceil(bias::rows_of_sum(columns));
        let result = result.map(Tensor::contiguous);
        let sums = Tensor::written([parts, columns].into(), |sums| {
            bias::bias_gradient(result.as_ref().map(elements), self.as_mut_slice(), columns, sums);
        });
        let by_bias = if parts == 1 { sums.reshape([columns]) } else { sums.sum(0) };
        [self, by_bias]
    }
}

#[cold]
#[track_caller]
fn panic_shapes(x: &Shape, matrix: &Shape, bias: &Shape) -> ! {
    panic!("matmul_biased: [.., m, k], [k, n] and [n] are needed: {x}, {matrix} and {bias}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Generator;

    #[test]
    fn bias_and_relu_are_those_of_the_ops_apart() {
        let mut generator = Generator::new(1);
        // One part of rows and several, one task and several, no rows, no columns, nothing to add up.
        for [m, k, n] in [
            [1, 3, 4],
            [16, 5, 1],
            [64, 3, 10],
            [65, 3, 10],
            [300, 2, 130],
            [9, 2, 20_000],
            [5000, 1, 7],
            [0, 3, 4],
            [3, 0, 4],
            [3, 4, 0],
        ] {
            let mut draw = |shape: &[usize]| -> Tensor<f64> { generator.normal(shape, 0.0, 1.0) };
            let (x, matrix, bias, g) = (draw(&[m, k]), draw(&[n, k]).t(), draw(&[n]), draw(&[m, n]));
            for relu in [false, true] {
                let what = format!("{m} x {k} x {n}, relu: {relu}");
                let sums = x.matmul(&matrix) + &bias;
                let expected = if relu { sums.relu() } else { sums };
                let y = x.matmul_biased(&matrix, &bias, relu);
                assert_eq!(y, expected, "{what}");
                let [by_product, by_bias] = g.clone().matmul_biased_gradient(relu.then_some(&y));
                let expected = if relu { y.greater(0.0).where_(&g, 0.0) } else { g.clone() };
                assert_eq!(by_product, expected, "{what}");
                assert!(by_bias.allclose(&expected.sum(0), 1e-12, 1e-12), "{what}");
            }
        }
    }

    #[test]
    fn stacks_views_and_numbers_that_are_none() {
        let x: Tensor = Generator::new(2).normal([2, 3, 4], 0.0, 1.0);
        let (matrix, bias) = (x.select(1, 0).t(), Tensor::new([1.0, f32::NAN, 2.0, 3.0]).slice(0, crate::step(.., 2)));
        let y = x.matmul_biased(&matrix, &bias, true);
        assert_eq!(y, (x.matmul(&matrix) + &bias).relu());
        let g = Tensor::new([1.0, 10.0]).broadcast_to([2, 3, 2]);
        let [by_product, by_bias] = g.clone().matmul_biased_gradient(Some(&y));
        let expected = y.greater(0.0).where_(&g, 0.0);
        assert_eq!((by_product, by_bias), (expected.clone(), expected.sum([0, 1])));
        let nan = x.matmul_biased(&matrix, &Tensor::full([2], f32::NAN), true);
        assert!(nan.is_nan().all(..).item());
    }

    #[test]
    #[should_panic(expected = "matmul_biased: [.., m, k], [k, n] and [n] are needed: [2, 3], [3, 4] and [3]")]
    fn a_bias_of_another_length_is_refused() {
        Tensor::<f32>::zeros([2, 3]).matmul_biased(&Tensor::zeros([3, 4]), &Tensor::zeros([3]), false);
    }
}
