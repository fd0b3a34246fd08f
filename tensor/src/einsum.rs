//! Equations of Einstein sums: what the axes of operands and result are called. Nothing here touches data.

use crate::shape::{Shape, ShapeError};

/// The name of an axis: a letter, or a place among the axes of the ellipsis, counted from the last of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Label {
    Letter(char),
    Ellipsis(usize),
}

/// An equation for operands of known shapes.
///
/// Invariants: an operand has one label for each axis; the labels of the output differ from each other, and each of them is
/// a label of an operand; all axes of one label have its length, or 1 where the operand broadcasts.
#[derive(Debug)]
pub(crate) struct Equation {
    pub operands: Vec<Vec<Label>>,
    pub output: Vec<Label>,
    lengths: Vec<(Label, usize)>,
}

impl Equation {
    /// Reads NumPy's notation, such as `"...ij,jk->...ik"`.
    ///
    /// # Errors
    /// If the text is not such an equation, or the shapes do not fit it.
    pub fn new(text: &str, shapes: &[&Shape]) -> Result<Equation, ShapeError> {
        Equation::read(text, shapes).map_err(|problem| {
            let shapes: Vec<String> = shapes.iter().map(|shape| shape.to_string()).collect();
            ShapeError::new(format!("{problem}: {text:?} of {}", shapes.join(" and ")))
        })
    }

    fn read(text: &str, shapes: &[&Shape]) -> Result<Equation, String> {
        let text: String = text.chars().filter(|c| *c != ' ').collect();
        let (inputs, output) = match text.split_once("->") {
            Some((inputs, output)) => (inputs, Some(output)),
            None => (&text[..], None),
        };
        let terms: Vec<&str> = inputs.split(',').collect();
        if terms.len() != shapes.len() {
            return Err(format!("the equation has {} operands, {} are given", terms.len(), shapes.len()));
        }
        let mut equation = Equation { operands: Vec::new(), output: Vec::new(), lengths: Vec::new() };
        for (term, shape) in terms.into_iter().zip(shapes) {
            let labels = operand_labels(term, shape)?;
            equation.take_lengths(&labels, shape)?;
            equation.operands.push(labels);
        }
        equation.output = match output {
            Some(term) => equation.explicit_output(term)?,
            None => equation.implicit_output(),
        };
        Ok(equation)
    }

    /// Notes the length of each label.
    fn take_lengths(&mut self, labels: &[Label], shape: &Shape) -> Result<(), String> {
        for (place, (&label, &length)) in labels.iter().zip(shape.iter()).enumerate() {
            if let Some(first) = labels[..place].iter().position(|&earlier| earlier == label)
                && shape[first] != length
            {
                return Err(format!("the axes of {} have lengths {} and {length}", name(label), shape[first]));
            }
            match self.lengths.iter_mut().find(|known| known.0 == label) {
                Some((_, known)) if *known == 1 => *known = length,
                Some((_, known)) if *known != length && length != 1 => {
                    return Err(format!("the axes of {} have lengths {known} and {length}", name(label)));
                }
                Some(_) => {}
                None => self.lengths.push((label, length)),
            }
        }
        Ok(())
    }

    /// The labels of the ellipsis, outermost first.
    fn ellipsis(&self) -> Vec<Label> {
        let axes = self.lengths.iter().filter(|(label, _)| matches!(label, Label::Ellipsis(_))).count();
        (0..axes).rev().map(Label::Ellipsis).collect()
    }

    /// Without an arrow: the axes of the ellipsis, and the letters that occur once, by their order as characters.
    fn implicit_output(&self) -> Vec<Label> {
        let times = |label: &Label| self.operands.iter().flatten().filter(|other| *other == label).count();
        let mut letters: Vec<Label> =
            self.lengths.iter().map(|(label, _)| *label).filter(|label| matches!(label, Label::Letter(_))).collect();
        letters.retain(|label| times(label) == 1);
        letters.sort();
        [self.ellipsis(), letters].concat()
    }

    fn explicit_output(&self, term: &str) -> Result<Vec<Label>, String> {
        let Term { before, after, has_ellipsis } = Term::read(term)?;
        let ellipsis = self.ellipsis();
        if !has_ellipsis && !ellipsis.is_empty() {
            return Err("the output needs an ellipsis for the axes of those of the operands".to_owned());
        }
        let output = [before, ellipsis, after].concat();
        for (place, label) in output.iter().enumerate() {
            if output[..place].contains(label) {
                return Err(format!("the output has {} twice", name(*label)));
            }
            if !self.lengths.iter().any(|known| known.0 == *label) {
                return Err(format!("{} of the output is in no operand", name(*label)));
            }
        }
        Ok(output)
    }

    /// The length of the axes of a label.
    pub fn length(&self, label: Label) -> usize {
        self.lengths.iter().find(|known| known.0 == label).expect("a label of this equation").1
    }

    /// The shape of an array with these labels.
    pub fn shape_of(&self, labels: &[Label]) -> Shape {
        labels.iter().map(|&label| self.length(label)).collect()
    }
}

/// One operand of the text: the letters before and behind the ellipsis.
struct Term {
    before: Vec<Label>,
    after: Vec<Label>,
    has_ellipsis: bool,
}

impl Term {
    fn read(text: &str) -> Result<Term, String> {
        let (before, after) = match text.split_once("...") {
            Some((before, after)) => (before, Some(after)),
            None => (text, None),
        };
        let letters = |part: &str| -> Result<Vec<Label>, String> {
            let letter = |c: char| match c {
                'a'..='z' | 'A'..='Z' => Ok(Label::Letter(c)),
                '.' => Err("an operand may have one ellipsis, three dots".to_owned()),
                _ => Err(format!("{c:?} is no label, labels are letters")),
            };
            part.chars().map(letter).collect()
        };
        Ok(Term { before: letters(before)?, after: letters(after.unwrap_or(""))?, has_ellipsis: after.is_some() })
    }
}

/// The label of each axis of an operand.
fn operand_labels(text: &str, shape: &Shape) -> Result<Vec<Label>, String> {
    let Term { before, after, has_ellipsis } = Term::read(text)?;
    let letters = before.len() + after.len();
    let fits = if has_ellipsis { letters <= shape.len() } else { letters == shape.len() };
    if !fits {
        return Err(format!("{text:?} does not name the axes of {shape}"));
    }
    let ellipsis = (0..shape.len() - letters).rev().map(Label::Ellipsis).collect();
    Ok([before, ellipsis, after].concat())
}

fn name(label: Label) -> String {
    match label {
        Label::Letter(letter) => letter.to_string(),
        Label::Ellipsis(_) => "...".to_owned(),
    }
}
