//! The text of tensors, held against what NumPy 2.4.6 prints with `str` for the same arrays.

use gradus_tensor::{Element, Shape, Tensor};

/// 0, 1, .. , n - 1
fn count(n: i64) -> Tensor<i64> {
    Tensor::arange(0, n, 1)
}

/// A tensor of these bits.
fn of_bits<T: Element>(shape: &str, bits: &str, of: fn(u64) -> T) -> String {
    let shape: Shape =
        shape.split(',').filter(|length| !length.is_empty()).map(|n| n.parse::<usize>().unwrap()).collect();
    let elements = bits.split(',').map(|bits| of(u64::from_str_radix(bits, 16).unwrap())).collect();
    Tensor::from_vec(elements, shape).unwrap().to_string()
}

/// Floats of every size, alone and beside others; `reference/display.py` has written what NumPy prints.
#[test]
fn floats_have_the_digits_of_numpy() {
    let lines = include_str!("../reference/display.txt").lines();
    let mut wrong = Vec::new();
    for line in lines.clone() {
        let [kind, shape, bits, expected] = line.split(';').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let found = match kind {
            "f32" => of_bits(shape, bits, |bits| f32::from_bits(bits as u32)),
            _ => of_bits(shape, bits, f64::from_bits),
        };
        if found != expected.replace('|', "\n") {
            wrong.push(format!("{kind} {shape}:\n{found}\n{}", expected.replace('|', "\n")));
        }
    }
    assert!(lines.count() > 600 && wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn numbers_are_written_as_numpy_writes_them() {
    let cases = [
        (Tensor::scalar(5).to_string(), "5"),
        (Tensor::scalar(2.5).to_string(), "2.5"),
        (Tensor::scalar(3.0).to_string(), "3.0"),
        (Tensor::scalar(0.1_f32).to_string(), "0.1"),
        (Tensor::scalar(true).to_string(), "True"),
        (Tensor::<i64>::from([1, 2, 3]).to_string(), "[1 2 3]"),
        (Tensor::<i64>::from([1, -20, 300]).to_string(), "[  1 -20 300]"),
        (Tensor::<i64>::from([-1, 2]).to_string(), "[-1  2]"),
        (Tensor::<i64>::from([[1, -2], [300, 4]]).to_string(), "[[  1  -2]\n [300   4]]"),
        (Tensor::<f64>::from([1.0, 2.0, 3.0]).to_string(), "[1. 2. 3.]"),
        (Tensor::<f64>::from([1.5, 2.0, -3.25]).to_string(), "[ 1.5   2.   -3.25]"),
        (Tensor::<f64>::from([0.1, 0.2, 0.3]).to_string(), "[0.1 0.2 0.3]"),
        (Tensor::<f64>::from([1.0 / 3.0, 2.0 / 3.0, 1.0]).to_string(), "[0.33333333 0.66666667 1.        ]"),
        (Tensor::<f32>::from([1.0 / 3.0, 2.0 / 3.0, 1.0]).to_string(), "[0.33333334 0.6666667  1.        ]"),
        (Tensor::<f64>::from([0.1, 12.5, 1234.5678]).to_string(), "[1.0000000e-01 1.2500000e+01 1.2345678e+03]"),
        (Tensor::<f32>::from([0.1, 12.5, 1234.5678]).to_string(), "[1.0000000e-01 1.2500000e+01 1.2345677e+03]"),
        (Tensor::<f64>::from([1e-3, 1.0]).to_string(), "[0.001 1.   ]"),
        (Tensor::<f64>::from([1e-4, 1.0]).to_string(), "[1.e-04 1.e+00]"),
        (Tensor::<f64>::from([1e-5, 1.0]).to_string(), "[1.e-05 1.e+00]"),
        (Tensor::<f64>::from([9.9e-5, 0.5]).to_string(), "[9.9e-05 5.0e-01]"),
        (Tensor::<f64>::from([1e-4]).to_string(), "[0.0001]"),
        (Tensor::<f64>::from([9.99e-5]).to_string(), "[9.99e-05]"),
        (Tensor::<f64>::from([1e8, 1.0]).to_string(), "[1.e+08 1.e+00]"),
        (Tensor::<f64>::from([1e7, 1.0]).to_string(), "[1.e+07 1.e+00]"),
        (Tensor::<f64>::from([99999999.0]).to_string(), "[99999999.]"),
        (Tensor::<f64>::from([1e8]).to_string(), "[1.e+08]"),
        (Tensor::<f64>::from([1e16]).to_string(), "[1.e+16]"),
        (Tensor::<f64>::from([123456.789, 0.001]).to_string(), "[1.23456789e+05 1.00000000e-03]"),
        (Tensor::<f64>::from([1e5, 0.01]).to_string(), "[1.e+05 1.e-02]"),
        (Tensor::<f64>::from([1e5, 1e2]).to_string(), "[100000.    100.]"),
        (Tensor::<f64>::from([1.0, 1001.0]).to_string(), "[1.000e+00 1.001e+03]"),
        (Tensor::<f64>::from([0.5, 501.0]).to_string(), "[5.00e-01 5.01e+02]"),
        (Tensor::<f64>::from([1e-10, 1e10]).to_string(), "[1.e-10 1.e+10]"),
        (Tensor::<f64>::from([1e-100, 1.0]).to_string(), "[1.e-100 1.e+000]"),
        (Tensor::<f64>::from([1e100, 1e200]).to_string(), "[1.e+100 1.e+200]"),
        (Tensor::<f64>::from([1.23456789e-12, -4.5e-12]).to_string(), "[ 1.23456789e-12 -4.50000000e-12]"),
        (Tensor::<f64>::from([1e10, 1e11]).to_string(), "[1.e+10 1.e+11]"),
        (Tensor::<f64>::from([0.0, 1e-7]).to_string(), "[0.e+00 1.e-07]"),
        (Tensor::<f64>::from([0.0, -0.0, 1.0]).to_string(), "[ 0. -0.  1.]"),
        (Tensor::<f64>::from([0.0]).to_string(), "[0.]"),
        (Tensor::<f64>::from([f64::NAN, 1.0]).to_string(), "[nan  1.]"),
        (Tensor::<f64>::from([f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1.5]).to_string(), "[ nan  inf -inf  1.5]"),
        (Tensor::<f64>::from([f64::NAN, f64::NAN]).to_string(), "[nan nan]"),
        (Tensor::<f64>::from([f64::INFINITY, f64::NEG_INFINITY]).to_string(), "[ inf -inf]"),
        (Tensor::<f64>::from([f64::NAN, 1e10, 1e-3]).to_string(), "[   nan 1.e+10 1.e-03]"),
        (Tensor::<f64>::from([f64::NEG_INFINITY, 1e-10]).to_string(), "[  -inf 1.e-10]"),
        (Tensor::<f64>::from([1.123456789, 2.0]).to_string(), "[1.12345679 2.        ]"),
        (Tensor::<f64>::from([1.12345678949, 2.0]).to_string(), "[1.12345679 2.        ]"),
        (Tensor::<f64>::from([0.99999999999, 2.0]).to_string(), "[1. 2.]"),
        (Tensor::<f32>::from([100.123_46, 2.0]).to_string(), "[100.12346   2.     ]"),
        (Tensor::<f32>::from([3.4028235e38, 1.0]).to_string(), "[3.4028235e+38 1.0000000e+00]"),
        (Tensor::<f32>::from([1.175_494_4e-38]).to_string(), "[1.1754944e-38]"),
        (Tensor::<f32>::from([16777216.0, 0.5]).to_string(), "[1.6777216e+07 5.0000000e-01]"),
        (Tensor::<f64>::from([[1.5, -2.0], [100.25, 4.0]]).to_string(), "[[  1.5   -2.  ]\n [100.25   4.  ]]"),
        (Tensor::<f64>::from([[1.0, f64::NAN], [f64::INFINITY, -1.0]]).to_string(), "[[ 1. nan]\n [inf -1.]]"),
        (Tensor::<f64>::from([[1e-8, 1.0], [2.0, 3.0]]).to_string(), "[[1.e-08 1.e+00]\n [2.e+00 3.e+00]]"),
        (Tensor::<bool>::from([true, false]).to_string(), "[ True False]"),
        (Tensor::<bool>::from([[true, false], [false, true]]).to_string(), "[[ True False]\n [False  True]]"),
        (Tensor::<u8>::from([0, 128, 255]).to_string(), "[  0 128 255]"),
        (
            Tensor::<i64>::from([-9223372036854775808, 9223372036854775807]).to_string(),
            "[-9223372036854775808  9223372036854775807]",
        ),
        (
            Tensor::<bool>::ones([20]).to_string(),
            "[ True  True  True  True  True  True  True  True  True  True  True  True\n  True  True  True  True  True  True  True  True]",
        ),
        (Tensor::<bool>::ones([1001]).to_string(), "[ True  True  True ...  True  True  True]"),
        (Tensor::<f32>::from([1e6]).to_string(), "[1.e+06]"),
        (Tensor::<f32>::from([999999.0]).to_string(), "[999999.]"),
        (Tensor::<f32>::from([1e-4]).to_string(), "[0.0001]"),
        (Tensor::scalar(1e10_f32).to_string(), "1e+10"),
        (Tensor::scalar(1e10).to_string(), "10000000000.0"),
        (Tensor::scalar(1.5e17).to_string(), "1.5e+17"),
        (Tensor::scalar(1e-4_f32).to_string(), "1e-04"),
        (Tensor::scalar(3.25e-7).to_string(), "3.25e-07"),
        (Tensor::scalar(-0.0).to_string(), "-0.0"),
        (Tensor::scalar(f64::NEG_INFINITY).to_string(), "-inf"),
    ];
    for (text, expected) in cases {
        assert_eq!(text, expected);
    }
}

#[test]
fn rows_and_their_middle_are_laid_out_as_numpy_does() {
    let cases = [
        (Tensor::<f64>::zeros([2, 0, 3]).to_string(), "[]"),
        (
            count(24).reshape([2, 3, 4]).to_string(),
            "\
[[[ 0  1  2  3]
  [ 4  5  6  7]
  [ 8  9 10 11]]

 [[12 13 14 15]
  [16 17 18 19]
  [20 21 22 23]]]",
        ),
        (
            (count(8).reshape([2, 2, 2]).to::<f64>() * 1.5).to_string(),
            "\
[[[ 0.   1.5]
  [ 3.   4.5]]

 [[ 6.   7.5]
  [ 9.  10.5]]]",
        ),
        (
            count(16).reshape([2, 2, 2, 2]).to_string(),
            "\
[[[[ 0  1]
   [ 2  3]]

  [[ 4  5]
   [ 6  7]]]


 [[[ 8  9]
   [10 11]]

  [[12 13]
   [14 15]]]]",
        ),
        (count(3).reshape([1, 1, 3]).to_string(), "[[[0 1 2]]]"),
        (
            count(3).reshape([3, 1]).to_string(),
            "\
[[0]
 [1]
 [2]]",
        ),
        (
            count(25).to_string(),
            "\
[ 0  1  2  3  4  5  6  7  8  9 10 11 12 13 14 15 16 17 18 19 20 21 22 23
 24]",
        ),
        (
            (count(40).to::<f64>() / 10.0).to_string(),
            "\
[0.  0.1 0.2 0.3 0.4 0.5 0.6 0.7 0.8 0.9 1.  1.1 1.2 1.3 1.4 1.5 1.6 1.7
 1.8 1.9 2.  2.1 2.2 2.3 2.4 2.5 2.6 2.7 2.8 2.9 3.  3.1 3.2 3.3 3.4 3.5
 3.6 3.7 3.8 3.9]",
        ),
        (Tensor::linspace(0.0, 1.0, 11).to_string(), "[0.  0.1 0.2 0.3 0.4 0.5 0.6 0.7 0.8 0.9 1. ]"),
        (
            Tensor::linspace(0.0, 1.0, 25).to_string(),
            "\
[0.         0.04166667 0.08333333 0.125      0.16666667 0.20833333
 0.25       0.29166667 0.33333333 0.375      0.41666667 0.45833333
 0.5        0.54166667 0.58333333 0.625      0.66666667 0.70833333
 0.75       0.79166667 0.83333333 0.875      0.91666667 0.95833333
 1.        ]",
        ),
        (
            Tensor::<f32>::linspace(-1.0, 1.0, 7).to_string(),
            "\
[-1.         -0.6666667  -0.33333334  0.          0.33333334  0.6666667
  1.        ]",
        ),
        (
            count(60).reshape([2, 30]).to_string(),
            "\
[[ 0  1  2  3  4  5  6  7  8  9 10 11 12 13 14 15 16 17 18 19 20 21 22 23
  24 25 26 27 28 29]
 [30 31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53
  54 55 56 57 58 59]]",
        ),
        (
            Tensor::<f64>::linspace(0.0, 1.0, 30).reshape([2, 15]).to_string(),
            "\
[[0.         0.03448276 0.06896552 0.10344828 0.13793103 0.17241379
  0.20689655 0.24137931 0.27586207 0.31034483 0.34482759 0.37931034
  0.4137931  0.44827586 0.48275862]
 [0.51724138 0.55172414 0.5862069  0.62068966 0.65517241 0.68965517
  0.72413793 0.75862069 0.79310345 0.82758621 0.86206897 0.89655172
  0.93103448 0.96551724 1.        ]]",
        ),
        (count(1001).to_string(), "[   0    1    2 ...  998  999 1000]"),
        (count(1001).to::<f64>().to_string(), "[   0.    1.    2. ...  998.  999. 1000.]"),
        (
            count(1200).reshape([30, 40]).to_string(),
            "\
[[   0    1    2 ...   37   38   39]
 [  40   41   42 ...   77   78   79]
 [  80   81   82 ...  117  118  119]
 ...
 [1080 1081 1082 ... 1117 1118 1119]
 [1120 1121 1122 ... 1157 1158 1159]
 [1160 1161 1162 ... 1197 1198 1199]]",
        ),
        (
            (count(1200).reshape([30, 40]).to::<f64>() / 7.0).to_string(),
            "\
[[0.00000000e+00 1.42857143e-01 2.85714286e-01 ... 5.28571429e+00
  5.42857143e+00 5.57142857e+00]
 [5.71428571e+00 5.85714286e+00 6.00000000e+00 ... 1.10000000e+01
  1.11428571e+01 1.12857143e+01]
 [1.14285714e+01 1.15714286e+01 1.17142857e+01 ... 1.67142857e+01
  1.68571429e+01 1.70000000e+01]
 ...
 [1.54285714e+02 1.54428571e+02 1.54571429e+02 ... 1.59571429e+02
  1.59714286e+02 1.59857143e+02]
 [1.60000000e+02 1.60142857e+02 1.60285714e+02 ... 1.65285714e+02
  1.65428571e+02 1.65571429e+02]
 [1.65714286e+02 1.65857143e+02 1.66000000e+02 ... 1.71000000e+02
  1.71142857e+02 1.71285714e+02]]",
        ),
        (
            count(1200).reshape([6, 200]).to_string(),
            "\
[[   0    1    2 ...  197  198  199]
 [ 200  201  202 ...  397  398  399]
 [ 400  401  402 ...  597  598  599]
 [ 600  601  602 ...  797  798  799]
 [ 800  801  802 ...  997  998  999]
 [1000 1001 1002 ... 1197 1198 1199]]",
        ),
        (
            count(2000).reshape([10, 10, 20]).to_string(),
            "\
[[[   0    1    2 ...   17   18   19]
  [  20   21   22 ...   37   38   39]
  [  40   41   42 ...   57   58   59]
  ...
  [ 140  141  142 ...  157  158  159]
  [ 160  161  162 ...  177  178  179]
  [ 180  181  182 ...  197  198  199]]

 [[ 200  201  202 ...  217  218  219]
  [ 220  221  222 ...  237  238  239]
  [ 240  241  242 ...  257  258  259]
  ...
  [ 340  341  342 ...  357  358  359]
  [ 360  361  362 ...  377  378  379]
  [ 380  381  382 ...  397  398  399]]

 [[ 400  401  402 ...  417  418  419]
  [ 420  421  422 ...  437  438  439]
  [ 440  441  442 ...  457  458  459]
  ...
  [ 540  541  542 ...  557  558  559]
  [ 560  561  562 ...  577  578  579]
  [ 580  581  582 ...  597  598  599]]

 ...

 [[1400 1401 1402 ... 1417 1418 1419]
  [1420 1421 1422 ... 1437 1438 1439]
  [1440 1441 1442 ... 1457 1458 1459]
  ...
  [1540 1541 1542 ... 1557 1558 1559]
  [1560 1561 1562 ... 1577 1578 1579]
  [1580 1581 1582 ... 1597 1598 1599]]

 [[1600 1601 1602 ... 1617 1618 1619]
  [1620 1621 1622 ... 1637 1638 1639]
  [1640 1641 1642 ... 1657 1658 1659]
  ...
  [1740 1741 1742 ... 1757 1758 1759]
  [1760 1761 1762 ... 1777 1778 1779]
  [1780 1781 1782 ... 1797 1798 1799]]

 [[1800 1801 1802 ... 1817 1818 1819]
  [1820 1821 1822 ... 1837 1838 1839]
  [1840 1841 1842 ... 1857 1858 1859]
  ...
  [1940 1941 1942 ... 1957 1958 1959]
  [1960 1961 1962 ... 1977 1978 1979]
  [1980 1981 1982 ... 1997 1998 1999]]]",
        ),
        (
            (count(2000).to::<f64>().reshape([2, 1000]) * 1e-6).to_string(),
            "\
[[0.000e+00 1.000e-06 2.000e-06 ... 9.970e-04 9.980e-04 9.990e-04]
 [1.000e-03 1.001e-03 1.002e-03 ... 1.997e-03 1.998e-03 1.999e-03]]",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(text, expected, "\n{text}\nis not\n{expected}");
    }
}

#[test]
fn debug_names_the_type_and_the_shape() {
    let x = Tensor::new([[1.0, 2.0], [3.0, 4.5]]);
    assert_eq!(format!("{x:?}"), "Tensor<f32>([2, 2])\n[[1.  2. ]\n [3.  4.5]]");
}
