//! Linear algebra against NumPy and SciPy (`reference/linalg.py` writes the numbers and names the versions), and against what
//! defines each result.

use gradus_tensor::{Float, Generator, Shape, Tensor, step};

/// A section of the reference: its head and its lines by name.
struct Case {
    head: String,
    lines: Vec<(String, Vec<f64>)>,
}

impl Case {
    fn all(&self, name: &str) -> Vec<&[f64]> {
        self.lines.iter().filter(|line| line.0 == name).map(|line| &line.1[..]).collect()
    }

    fn tensor(&self, name: &str, shape: impl Into<Shape>) -> Tensor<f64> {
        Tensor::from_vec(self.all(name)[0].to_vec(), shape).unwrap()
    }
}

fn cases(kind: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in include_str!("../reference/linalg.txt").lines() {
        if let Some(head) = line.strip_prefix("## ") {
            cases.push(Case { head: head.to_owned(), lines: Vec::new() });
        } else if let Some((name, numbers)) = line.split_once(':').filter(|_| !line.starts_with('#')) {
            let numbers = numbers.split_whitespace().map(|number| number.parse().unwrap()).collect();
            cases.last_mut().unwrap().lines.push((name.to_owned(), numbers));
        }
    }
    cases.retain_mut(|case| match case.head.strip_prefix(kind) {
        Some(rest) => {
            case.head = rest.trim_start().to_owned();
            true
        }
        None => false,
    });
    assert!(cases.len() > 5);
    cases
}

/// The matrices as they are, transposed in memory, backwards in memory, and every other row of larger ones.
fn ways<T: Float>(a: &Tensor<T>) -> [Tensor<T>; 4] {
    if a.ndim() < 2 {
        // A vector backwards in memory.
        let vector = if a.ndim() == 0 { a.clone() } else { a.flip(0).contiguous().flip(0) };
        return std::array::from_fn(|_| vector.clone());
    }
    let flipped = a.flip(-1).flip(-2).contiguous().flip(-1).flip(-2);
    [a.clone(), a.t().contiguous().t(), flipped, a.repeat(2, -2).slice(-2, step(.., 2))]
}

/// Compares to a tolerance relative to the largest element.
#[track_caller]
fn close<T: Float>(found: &Tensor<T>, expected: &Tensor<f64>, tolerance: f64, what: &str) {
    let size = expected.iter().fold(0.0, |size: f64, x| if x.is_finite() { size.max(x.abs()) } else { size });
    near(found, expected, tolerance * size, what);
}

#[track_caller]
fn near<T: Float>(found: &Tensor<T>, expected: &Tensor<f64>, tolerance: f64, what: &str) {
    assert_eq!(found.shape(), expected.shape(), "{what}");
    for (place, (found, expected)) in found.to::<f64>().iter().zip(expected.iter()).enumerate() {
        let is_near = (found - expected).abs() <= tolerance;
        assert!(is_near || found == expected, "{what}, {place}: {found} for {expected}");
    }
}

fn eye_like<T: Float>(product: &Tensor<T>) -> Tensor<f64> {
    Tensor::eye(product.shape()[product.ndim() - 1]).broadcast_to(product.shape())
}

#[test]
fn sums_are_those_of_numpy() {
    let cases = cases("einsum");
    for case in &cases {
        let shapes = case.all("shape").into_iter().map(|shape| shape.iter().map(|&length| length as usize).collect());
        let operands = shapes.zip(case.all("operand"));
        let operands: Vec<Tensor<f64>> =
            operands.map(|(shape, numbers): (Shape, _)| Tensor::from_vec(numbers.to_vec(), shape).unwrap()).collect();
        let shape: Shape = case.all("result shape")[0].iter().map(|&length| length as usize).collect();
        let expected = case.tensor("result", shape);
        for way in 0..4 {
            let lying: Vec<Tensor<f64>> = operands.iter().map(|x| ways(x)[way].clone()).collect();
            let found = Tensor::einsum(&case.head, &lying.iter().collect::<Vec<_>>());
            near(&found, &expected, 1e-14, &format!("{}, way {way}", case.head));
            let single: Vec<Tensor> = lying.iter().map(Tensor::to).collect();
            near(&Tensor::einsum(&case.head, &single.iter().collect::<Vec<_>>()), &expected, 1e-5, &case.head);
        }
    }
}

/// Holds all results for the matrices of a case against the reference, with these tolerances for what depends on the condition of
/// the matrix and for what does not.
fn check<T: Float>(case: &Case, a: &Tensor<T>, solved: f64, direct: f64) {
    let what = |name: &str| format!("{name} of {}", case.head);
    let (stack, [m, n]) = (Shape::from(&a.shape()[..a.ndim() - 2]), [a.shape()[a.ndim() - 2], a.shape()[a.ndim() - 1]]);
    let k = m.min(n);
    let expect = |name: &str, found: &Tensor<T>, axes: &[usize], tolerance: f64| {
        close(found, &case.tensor(name, stack.join(axes)), tolerance, &what(name));
    };
    let b = case.tensor("b", stack.join(&[m, 2])).to::<T>();
    let (q, r) = a.qr();
    expect("q", &q, &[m, k], solved);
    expect("r", &r, &[k, n], direct);
    let (u, s, vt) = a.svd();
    expect("s", &s, &[k], direct);
    expect("uvt", &(u.t().unsqueeze(-1) * vt.unsqueeze(-2)), &[k, m, n], solved);
    expect("pinv", &a.pinv(), &[n, m], solved);
    expect("lstsq", &a.lstsq(&b), &[n, 2], solved);
    if m != n {
        return;
    }
    expect("inverse", &a.inverse().unwrap(), &[n, n], solved);
    expect("determinant", &a.determinant(), &[], solved);
    expect("sign", &a.slogdet().0, &[], 0.0);
    expect("logabsdet", &a.slogdet().1, &[], solved);
    expect("solve", &a.solve(&b).unwrap(), &[n, 2], solved);
    expect("lower", &a.solve_triangular(&b, true).unwrap(), &[n, 2], solved);
    expect("upper", &a.solve_triangular(&b, false).unwrap(), &[n, 2], solved);
    expect("tril", &a.tril(1), &[n, n], direct);
    expect("triu", &a.triu(-1), &[n, n], direct);
    let (w, v) = a.eigh();
    expect("w", &w, &[n], direct);
    let v = v.t();
    expect("projections", &(v.unsqueeze(-1) * v.unsqueeze(-2)), &[n, n, n], solved);
    expect("cholesky", &case.tensor("gram", stack.join(&[n, n])).to::<T>().cholesky().unwrap(), &[n, n], direct);
}

#[test]
fn results_are_those_of_numpy() {
    for case in cases("case") {
        let shape: Shape = case.head.split(' ').skip(1).map(|length| length.parse().unwrap()).collect();
        let a = case.tensor("a", shape);
        let is_hilbert = case.head.starts_with("hilbert");
        for a in ways(&a) {
            // The condition of the Hilbert matrix of five rows is 5e5.
            check(&case, &a, if is_hilbert { 1e-10 } else { 1e-13 }, 1e-14);
            check(&case, &a.to::<f32>(), if is_hilbert { 0.3 } else { 3e-5 }, 3e-6);
        }
    }
}

/// Numbers without order.
fn normal(shape: impl Into<Shape>, seed: u64) -> Tensor<f64> {
    Generator::new(seed).normal(shape, 0.0, 1.0).to()
}

/// Sizes on both sides of what is cut into halves.
const SIZES: [usize; 8] = [0, 1, 2, 3, 23, 25, 49, 130];

#[test]
fn solutions_solve() {
    for n in SIZES {
        for columns in [0, 1, 3, 70] {
            let (a, b) = (normal([n, n], 1) + Tensor::eye(n) * 3.0, normal([n, columns], 2));
            for a in ways(&a).into_iter().filter(|_| n > 0) {
                let what = format!("{n} x {n}, {columns}");
                close(&a.matmul(&a.solve(&b).unwrap()), &b, 1e-11, &what);
                close(&a.t().matmul(&a.lu().solve_transposed(&b).unwrap()), &b, 1e-11, &what);
                close(&a.matmul(&a.inverse().unwrap()), &Tensor::eye(n), 1e-11, &what);
                // Off the diagonal small, so that the triangles are well conditioned.
                let small = &a / (2.0 * n as f64) + Tensor::eye(n);
                let lower = small.solve_triangular(&b, true).unwrap();
                close(&small.tril(0).matmul(&lower), &b, 1e-13, &what);
                let upper = small.solve_triangular(&b, false).unwrap();
                close(&small.triu(0).matmul(&upper), &b, 1e-13, &what);
            }
        }
        let a = normal([n, n], 3);
        let positive = a.matmul(&a.t()) + Tensor::eye(n);
        for positive in ways(&positive).into_iter().filter(|_| n > 0) {
            let l = positive.cholesky().unwrap();
            close(&l.matmul(&l.t()), &positive, 1e-14, "L L'");
            assert_eq!(l, l.tril(0));
            // The upper triangle is not read.
            let other = positive.tril(0) + (positive.zeros_like() / 0.0).triu(1);
            assert_eq!(other.cholesky().unwrap(), l);
        }
    }
}

#[test]
fn factors_are_orthonormal() {
    for m in [0, 1, 2, 7, 40] {
        for n in [0, 1, 3, 7, 55] {
            let a = normal([2, m, n], 4);
            let full = ways(&a).into_iter().filter(|_| m * n > 0).chain([a.clone()]);
            for a in full {
                let what = format!("{m} x {n}");
                let (q, r) = a.qr();
                close(&q.matmul(&r), &a, 1e-13, &what);
                let product = q.t().matmul(&q);
                close(&product, &eye_like(&product), 1e-14, &what);
                assert_eq!(r, r.triu(0));
                let (u, s, vt) = a.svd();
                check_svd(&a, [&u, &s, &vt], 1e-13);
                let single = a.to::<f32>().svd();
                check_svd(&a.to::<f32>(), [&single.0, &single.1, &single.2], 1e-5);
            }
        }
    }
}

fn check_svd<T: Float>(a: &Tensor<T>, [u, s, vt]: [&Tensor<T>; 3], tolerance: f64) {
    let [m, n] = [a.shape()[a.ndim() - 2], a.shape()[a.ndim() - 1]];
    let what = format!("{m} x {n}");
    let back = (u * s.unsqueeze(-2)).matmul(vt);
    close(&back, &a.to(), tolerance, &what);
    for product in [u.t().matmul(u), vt.matmul(&vt.t())] {
        close(&product, &eye_like(&product), tolerance, &what);
    }
    let s = s.to::<f64>();
    let k = m.min(n) as isize;
    if k > 0 {
        assert!((s.slice(-1, ..k - 1) - s.slice(-1, 1..)).iter().all(|gap| gap >= 0.0));
        assert!(s.iter().all(|s| s >= 0.0));
    }
}

#[test]
fn eigenvectors_are_those_of_the_matrix() {
    for n in SIZES {
        let a = normal([2, n, n], 5);
        let a = &a + a.t();
        for a in ways(&a).into_iter().filter(|_| n > 0).chain([a.clone()]) {
            let (w, v) = a.eigh();
            close(&(&v * w.unsqueeze(-2)).matmul(&v.t()), &a, 1e-13, "V diag(w) V'");
            let product = v.t().matmul(&v);
            close(&product, &eye_like(&product), 1e-13, "V'V");
            if n > 0 {
                assert!((w.slice(-1, 1..) - w.slice(-1, ..-1)).iter().all(|gap| gap >= 0.0));
            }
            let other = a.tril(0) + (a.zeros_like() / 0.0).triu(1);
            assert_eq!(other.eigh().0, w);
        }
    }
    // By hand: equal eigenvalues, and a matrix that is diagonal already.
    let ones = Tensor::<f64>::ones([4, 4]).eigh();
    close(&ones.0, &Tensor::from([0.0, 0.0, 0.0, 4.0]), 1e-15, "ones");
    close(&ones.1.t().matmul(&ones.1), &Tensor::eye(4), 1e-15, "ones");
    assert_eq!((Tensor::<f64>::eye(3) * 2.0).eigh().0, Tensor::from([2.0, 2.0, 2.0]));
    assert_eq!(Tensor::<f64>::zeros([3, 3]).eigh().0, Tensor::from([0.0, 0.0, 0.0]));
}

#[test]
fn stacks_broadcast() {
    let (a, b) = (normal([3, 1, 4, 4], 6), normal([2, 4, 5], 7));
    let x = a.solve(&b).unwrap();
    assert_eq!(x.shape(), &[3, 2, 4, 5]);
    close(&a.matmul(&x), &b.broadcast_to([3, 2, 4, 5]), 1e-12, "stacks");
    assert_eq!(a.solve_triangular(&b, true).unwrap().shape(), &[3, 2, 4, 5]);
    assert_eq!(a.lstsq(&b).shape(), &[3, 2, 4, 5]);
    let column = normal([4], 8);
    assert_eq!(a.solve(&column).unwrap().shape(), &[3, 1, 4]);
    let product = a.matmul(&a.solve(&column).unwrap().unsqueeze(-1)).squeeze(-1);
    close(&product, &column.broadcast_to([3, 1, 4]), 1e-12, "a column");
    close(&a.lstsq(&column), &a.solve(&column).unwrap(), 1e-12, "least squares");
    // Each matrix of a stack has the bits that it has alone.
    let (stack, sides) = (normal([300, 3, 3], 9), normal([300, 3, 2], 10));
    let solved = stack.solve(&sides).unwrap();
    for place in [0, 1, 150, 299] {
        assert_eq!(stack.select(0, place).solve(&sides.select(0, place)).unwrap(), solved.select(0, place));
        assert_eq!(stack.select(0, place).svd().1, stack.svd().1.select(0, place));
    }
}

#[test]
fn matrices_without_an_inverse_are_named() {
    let mut stack = Tensor::<f64>::eye(3).broadcast_to([2, 2, 3, 3]).contiguous();
    // The rows of matrix [1, 0] are 1 0 0, 0 1 1 and 0 2 2.
    stack.as_mut_slice()[2 * 9..][..9].copy_from_slice(&[1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 2.0, 2.0]);
    let error = stack.solve(&Tensor::ones([3])).unwrap_err();
    assert_eq!((error.matrix(), error.pivot()), (&[1, 0][..], 2));
    assert_eq!(
        error.to_string(),
        "solve: the matrix [1, 0] of the stack is singular, pivot 2 is 0; `lstsq` finds the shortest of the best solutions: \
         [2, 2, 3, 3]"
    );
    assert_eq!(stack.determinant(), Tensor::from([[1.0, 1.0], [0.0, 1.0]]));
    assert_eq!(stack.slogdet().0, Tensor::from([[1.0, 1.0], [0.0, 1.0]]));
    assert_eq!(stack.slogdet().1, Tensor::from([[0.0, 0.0], [f64::NEG_INFINITY, 0.0]]));
    let error = Tensor::from([[1.0, 0.0], [5.0, 0.0]]).solve_triangular(&Tensor::from([1.0, 2.0]), true).unwrap_err();
    assert_eq!((error.matrix(), error.pivot()), (&[][..], 1));
    let error = Tensor::from([[4.0, 2.0], [2.0, -2.0]]).cholesky().unwrap_err();
    assert_eq!(
        error.to_string(),
        "cholesky: the matrix is not positive definite, pivot 1 is -3; a small number added to the diagonal may help: [2, 2]"
    );
    // The pivot where halves meet.
    let mut large = Tensor::<f64>::eye(60);
    large.as_mut_slice()[40 * 61] = 0.0;
    assert_eq!(large.inverse().unwrap_err().pivot(), 40);
    assert_eq!(large.cholesky().unwrap_err().pivot(), 40);
}

#[test]
fn singular_matrices_have_singular_values() {
    // Rank 2 of rows that are sums of two, and the zero matrix.
    for n in [5, 40] {
        let a = normal([n, 2], 11).matmul(&normal([2, n], 12));
        let (u, s, vt) = a.svd();
        check_svd(&a, [&u, &s, &vt], 1e-13);
        assert!(s.slice(0, 2..).iter().all(|s| s < 1e-13 * 100.0));
        // Penrose's conditions.
        let inverse = a.pinv();
        close(&a.matmul(&inverse).matmul(&a), &a, 1e-12, "A A+ A");
        close(&inverse.matmul(&a).matmul(&inverse), &inverse, 1e-12, "A+ A A+");
        let symmetric = a.matmul(&inverse);
        close(&symmetric, &symmetric.t(), 1e-12, "A A+");
    }
    let zeros = Tensor::<f64>::zeros([4, 3]);
    let (u, s, vt) = zeros.svd();
    check_svd(&zeros, [&u, &s, &vt], 1e-15);
    assert_eq!(zeros.pinv(), Tensor::zeros([3, 4]));
    assert_eq!(zeros.qr().1, Tensor::zeros([3, 3]));
    // A zero row and a zero column among others.
    let gaps = Tensor::from([[0.0, 1.0, 2.0], [0.0, 0.0, 0.0], [0.0, 3.0, 4.0]]);
    let (u, s, vt) = gaps.svd();
    check_svd(&gaps, [&u, &s, &vt], 1e-15);
    // By hand: of 1 2 3 in three rows the sum of squares is 42.
    let s = Tensor::from([[1.0, 2.0, 3.0]; 3]).svd().1;
    close(&s, &Tensor::from([42_f64.sqrt(), 0.0, 0.0]), 1e-15, "rank 1");
}

#[test]
fn small_singular_values_are_exact() {
    // An orthonormal basis with columns of very different lengths: NumPy finds 1e-16 for the smallest of such values, an SVD by
    // Jacobi's rotations finds each to all digits.
    let lengths: Vec<f64> = (0..30).map(|i| 10_f64.powi(-(i * 7 % 30))).collect();
    let (q, _) = normal([30, 30], 13).qr();
    let s = (q * Tensor::from(lengths)).svd().1;
    for (place, found) in s.iter().enumerate() {
        let expected = 10_f64.powi(-(place as i32));
        assert!((found / expected - 1.0).abs() < 1e-13, "{found} for {expected}");
    }
    // The Hilbert matrix of 10 rows: its smallest singular value is 1.0931538193796657e-13 (mpmath 1.3.0, 60 digits).
    let hilbert: Tensor<f64> = (0..100).map(|i| 1.0 / (i / 10 + i % 10 + 1) as f64).collect();
    let s = hilbert.reshape([10, 10]).svd().1;
    assert!((s.get([9]) / 1.0931538193796657e-13 - 1.0).abs() < 3e-3);
}

#[test]
fn sizes_at_the_ends_of_the_range() {
    for factor in [1e300, 1e-300, 1e-308] {
        let (a, b) = (normal([30, 30], 14) * factor, normal([30, 2], 15) * factor);
        let tolerance = if factor < 1e-305 { 1e-2 } else { 1e-11 };
        close(&(&a / factor).matmul(&a.solve(&b).unwrap()), &(&b / factor), tolerance, "solve");
        let (q, r) = a.qr();
        close(&q.matmul(&(r / factor)), &(&a / factor), tolerance, "QR");
        let (u, s, vt) = a.svd();
        close(&(u * (s / factor)).matmul(&vt), &(&a / factor), tolerance, "SVD");
        let symmetric = &a + a.t();
        let (w, v) = symmetric.eigh();
        close(&(&v * (w / factor)).matmul(&v.t()), &(symmetric / factor), tolerance, "eigenvalues");
    }
    // By hand: the product of the diagonal, in any order.
    let diagonal = |numbers: [f64; 4]| Tensor::from(numbers).unsqueeze(1) * Tensor::eye(4);
    assert!((diagonal([1e300, 1e300, 1e-300, 1e-300]).determinant().item() - 1.0).abs() < 1e-14);
    assert!((diagonal([1e-300, 1e-300, 1e300, 1e299]).determinant().item() / 0.1 - 1.0).abs() < 1e-14);
    assert_eq!(diagonal([1e300, 1e300, 1.0, 1.0]).determinant().item(), f64::INFINITY);
    assert_eq!(diagonal([1e-300, 1e-300, 1.0, -1.0]).determinant().item(), 0.0);
    assert_eq!(diagonal([1e300, 1e300, 1e300, 0.0]).determinant().item(), 0.0);
    let positive = diagonal([1e300, 1e-300, 1.0, 1e308]).cholesky().unwrap();
    close(&positive, &diagonal([1e150, 1e-150, 1.0, 1e154]), 1e-15, "Cholesky");
}

#[test]
fn nan_and_infinity_are_told() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        for n in [1, 3, 30] {
            let mut a = Tensor::<f64>::eye(n) + 0.1;
            a.as_mut_slice()[n * n - 1] = bad;
            let is_told = |x: &Tensor<f64>| x.iter().any(|x| x.is_nan() || x.is_infinite());
            // 1 / inf is 0, so of infinity NumPy, too, finds solutions.
            let x = a.solve(&Tensor::ones([n])).unwrap();
            assert!(bad.is_infinite() || is_told(&x));
            assert!(is_told(&a.determinant()));
            assert!(is_told(&a.qr().1));
            let stack = Tensor::stack(&[Tensor::eye(n), a.clone()], 0);
            let (u, s, vt) = stack.svd();
            assert!([&u, &vt, &s].into_iter().all(|x| x.select(0, 1).iter().all(f64::is_nan)));
            assert_eq!(s.select(0, 0), Tensor::ones([n]));
            assert!(stack.pinv().select(0, 1).iter().all(f64::is_nan));
            assert!(stack.eigh().0.select(0, 1).iter().all(f64::is_nan));
            assert_eq!(stack.cholesky().unwrap_err().matrix(), [1]);
        }
    }
}
