//! Tensors as text, exactly as NumPy prints arrays: aligned columns, 8 digits after the point, scientific notation for numbers of
//! very different size, and `...` in the middle of long axes.

use std::fmt;

use crate::element::Element;
use crate::tensor::Tensor;

/// The longest line, unless a single element is longer.
const LINE: usize = 75;
/// Tensors of more elements than this are shown without their middle.
const THRESHOLD: usize = 1000;
/// The elements that are shown at each end of a shortened axis.
const EDGE: usize = 3;
/// The most digits after the point; `{:.3}` asks for another number.
const PRECISION: usize = 8;

/// The text of NumPy's `str(array)`.
///
/// ```
/// use gradus_tensor::Tensor;
/// let x = Tensor::new([[0.5, -1.0], [100.25, 2.0]]);
/// assert_eq!(x.to_string(), "[[  0.5   -1.  ]\n [100.25   2.  ]]");
/// assert_eq!(format!("{:.2}", Tensor::new([1.0 / 3.0])), "[0.33]");
/// ```
impl<T: Element> fmt::Display for Tensor<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("[]");
        }
        if self.ndim() == 0 {
            return f.write_str(&scalar(self.item(), f.precision()));
        }
        let cut: Vec<bool> = self.shape().iter().map(|&n| self.size() > THRESHOLD && n > 2 * EDGE).collect();
        let mut shown = self.clone();
        for (axis, _) in cut.iter().enumerate().filter(|&(_, &cut)| cut) {
            let (axis, edge) = (axis as isize, EDGE as isize);
            shown = Tensor::concat(&[shown.slice(axis, ..edge), shown.slice(axis, -edge..)], axis);
        }
        let words = words(&shown, f.precision().unwrap_or(PRECISION));
        let axes: Vec<(usize, bool)> = shown.shape().iter().copied().zip(cut).collect();
        f.write_str(&nested(&mut words.into_iter(), &axes, 1, LINE))
    }
}

/// The type and the shape, then the text of `Display` on the next lines.
impl<T: Element> fmt::Debug for Tensor<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Tensor<{}>({})", T::NAME, self.shape())?;
        fmt::Display::fmt(self, f)
    }
}

/// The words in brackets, a pair for each axis. Rows are on lines of their own, indented by `indent` spaces and at most `width`
/// wide.
fn nested(words: &mut impl Iterator<Item = String>, axes: &[(usize, bool)], indent: usize, width: usize) -> String {
    let (&(length, cut), inner) = axes.split_first().expect("scalars are shown by themselves");
    let margin = " ".repeat(indent);
    let mut parts: Vec<String> = (0..length)
        .map(|_| if inner.is_empty() { words.next() } else { Some(nested(words, inner, indent + 1, width - 1)) })
        .map(|part| part.expect("one word for each element"))
        .collect();
    if cut {
        parts.insert(EDGE, "...".to_owned());
    }
    let text = if inner.is_empty() {
        wrapped(&parts, &margin, width - 1)
    } else {
        parts.join(&format!("{}{margin}", "\n".repeat(inner.len())))
    };
    format!("[{text}]")
}

/// The words in lines of at most `width`; every line but the first begins with the margin, which counts in the first too.
fn wrapped(words: &[String], margin: &str, width: usize) -> String {
    let mut text = String::new();
    let mut line = margin.to_owned();
    for word in words {
        if line.len() > margin.len() {
            // The space after a word counts even at the end of a line.
            if line.len() + 1 + word.len() > width {
                text += line.trim_end();
                text.push('\n');
                line = margin.to_owned();
            } else {
                line.push(' ');
            }
        }
        line += word;
    }
    text += &line;
    text.split_off(margin.len())
}

/// Every element as a word, all of one width.
fn words<T: Element>(x: &Tensor<T>, precision: usize) -> Vec<String> {
    let words: Vec<String> = match Precision::of::<T>() {
        Some(kind) => floats(&x.iter().map(T::cast::<f64>).collect::<Vec<_>>(), kind, precision),
        None => x.iter().map(|x| plain(x)).collect(),
    };
    // Bools are as wide as "False", even if none is false.
    let shortest = if T::NAME == "bool" { "False".len() } else { 0 };
    let width = words.iter().map(String::len).fold(shortest, usize::max);
    words.into_iter().map(|word| format!("{word:>width$}")).collect()
}

/// An integer or a bool as Python prints it.
fn plain<T: Element>(x: T) -> String {
    match (T::NAME, x == T::ZERO) {
        ("bool", false) => "True".to_owned(),
        ("bool", true) => "False".to_owned(),
        _ => x.to_string(),
    }
}

/// A scalar in the fewest digits that identify its value.
fn scalar<T: Element>(x: T, precision: Option<usize>) -> String {
    let Some(kind) = Precision::of::<T>() else {
        return plain(x);
    };
    let x = x.cast::<f64>();
    let size = x.abs();
    if !x.is_finite() {
        return non_finite(x).to_owned();
    }
    let positional = size == 0.0 || (1e-4..kind.largest_scalar()).contains(&size);
    let digits = kind.digits(x, !positional, precision.unwrap_or(usize::MAX));
    match digits.exponent {
        None if digits.fraction.is_empty() => format!("{}.0", digits.whole),
        None => format!("{}.{}", digits.whole, digits.fraction),
        Some(exponent) if digits.fraction.is_empty() => format!("{}e{exponent:+03}", digits.whole),
        Some(exponent) => format!("{}.{}e{exponent:+03}", digits.whole, digits.fraction),
    }
}

/// The two float types, which differ in their digits and in the size from which on notation is scientific.
#[derive(Clone, Copy, PartialEq)]
enum Precision {
    Single,
    Double,
}

/// The decimal digits of a finite number, without zeros at the end of the fraction.
struct Digits {
    /// The digits before the point, with the minus sign if there is one.
    whole: String,
    fraction: String,
    exponent: Option<i32>,
}

impl Precision {
    fn of<T: Element>() -> Option<Self> {
        match T::NAME {
            "f32" => Some(Precision::Single),
            "f64" => Some(Precision::Double),
            _ => None,
        }
    }

    /// The size from which on a scalar is shown in scientific notation.
    fn largest_scalar(self) -> f64 {
        if self == Precision::Single { 1e6 } else { 1e16 }
    }

    /// The fewest digits that identify a number of this type, but at most `precision` after the point. Half way between two
    /// numbers of so many digits, it is the one whose last digit is even.
    fn digits(self, x: f64, scientific: bool, precision: usize) -> Digits {
        let shortest = match (self, scientific) {
            (Precision::Single, false) => format!("{}", x as f32),
            (Precision::Single, true) => format!("{:e}", x as f32),
            (Precision::Double, false) => format!("{x}"),
            (Precision::Double, true) => format!("{x:e}"),
        };
        let digits = Digits::parse(&shortest);
        let places = digits.fraction.len().min(precision);
        let even = if scientific { format!("{x:.places$e}") } else { format!("{x:.places$}") };
        // (Beside a power of two, where the numbers below lie closer, the rounded digits may name another number.)
        let same = match self {
            Precision::Single => even.parse() == Ok(x as f32),
            Precision::Double => even.parse() == Ok(x),
        };
        if same || places < digits.fraction.len() { Digits::parse(&even) } else { digits }
    }

    /// Whether numbers are shown in scientific notation, from the largest and the smallest size (other than 0) among them.
    fn is_scientific(self, largest: f64, smallest: f64) -> bool {
        match self {
            Precision::Single => {
                let (largest, smallest) = (largest as f32, smallest as f32);
                largest >= 1e6 || smallest < 1e-4 || largest / smallest > 1000.0
            }
            Precision::Double => largest >= 1e8 || smallest < 1e-4 || largest / smallest > 1000.0,
        }
    }
}

impl Digits {
    /// Splits a number as Rust prints it.
    fn parse(text: &str) -> Digits {
        let (mantissa, exponent) = match text.split_once('e') {
            Some((mantissa, exponent)) => (mantissa, Some(exponent.parse().expect("Rust writes exponents in digits"))),
            None => (text, None),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        Digits { whole: whole.to_owned(), fraction: fraction.trim_end_matches('0').to_owned(), exponent }
    }
}

fn non_finite(x: f64) -> &'static str {
    match x {
        f64::INFINITY => "inf",
        f64::NEG_INFINITY => "-inf",
        _ => "nan",
    }
}

/// The numbers as words whose points and exponents are below each other once the words are aligned at the right.
fn floats(values: &[f64], kind: Precision, precision: usize) -> Vec<String> {
    let sizes = values.iter().map(|x| x.abs()).filter(|&size| size.is_finite() && size != 0.0);
    let (largest, smallest) = sizes.fold((0.0, f64::INFINITY), |(a, b): (f64, f64), size| (a.max(size), b.min(size)));
    let scientific = largest > 0.0 && kind.is_scientific(largest, smallest);
    let digits: Vec<Option<Digits>> =
        values.iter().map(|&x| x.is_finite().then(|| kind.digits(x, scientific, precision))).collect();
    let longest = |length: fn(&Digits) -> usize| digits.iter().flatten().map(length).max().unwrap_or(0);
    // In scientific notation, numbers that need fewer digits are shown to as many as the others, not filled up with zeros.
    let fraction_width = longest(|digits| digits.fraction.len());
    let exponent_width = longest(|digits| digits.exponent.unwrap_or(0).abs().to_string().len().max(2)) + 1;
    let word = |(digits, &x): (Option<Digits>, &f64)| match digits {
        None => non_finite(x).to_owned(),
        Some(Digits { whole, fraction, exponent: None }) => format!("{whole}.{fraction:<fraction_width$}"),
        Some(Digits { mut whole, mut fraction, exponent: Some(mut exponent) }) => {
            if fraction.len() < fraction_width {
                let more = Digits::parse(&format!("{x:.fraction_width$e}"));
                (whole, fraction, exponent) = (more.whole, more.fraction, more.exponent.unwrap_or(exponent));
            }
            format!("{whole}.{fraction:0<fraction_width$}e{exponent:+0exponent_width$}")
        }
    };
    digits.into_iter().zip(values).map(word).collect()
}
