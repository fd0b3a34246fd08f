//! The columns that a model is given: matched to its inputs or outputs, checked, and converted.

use gradus_autograd::Var;
use gradus_tensor::{AnyTensor, Columns, Float, Shape, Tensor};
use smallvec::SmallVec;

use crate::error::{Error, Result};
use crate::inputs::InputInfo;
use crate::value::{Value, ValueKind, Values};

/// Columns in the order of the inputs or outputs that they were matched to.
pub(crate) type Matched<'a> = SmallVec<[&'a AnyTensor; 1]>;

/// The columns for these names, in the order of the names: matched by name if the columns have names, else by place. One
/// column is matched to one name, whatever it is called.
///
/// `what` is `"input"` or `"target"`, for messages.
pub(crate) fn matched<'a>(op: &str, what: &str, names: &[&str], columns: &'a Columns) -> Result<Matched<'a>> {
    let count = columns.len();
    if count != names.len() {
        let expected = match names {
            [_] => format!("one {what}"),
            names => format!("{} {what}s ({})", names.len(), names.join(", ")),
        };
        let found = if count == 1 { "one column".to_owned() } else { format!("{count} columns") };
        let problem = format!("the model takes {expected}, found {found}");
        return Err(Error::new(op, problem, format!("give a column for each {what}, in order or by name")));
    }
    let named = columns.names().flatten().count();
    if count == 1 || named == 0 {
        return Ok(columns.iter().collect());
    }
    if named < count {
        let problem = format!("{named} of {count} columns have names");
        return Err(Error::new(op, problem, "name all columns or none"));
    }
    let find = |name: &&str| {
        columns.named(name).ok_or_else(|| {
            let found: Vec<&str> = columns.names().flatten().collect();
            let problem = format!("there is no column for the {what} {name:?}, only {}", found.join(", "));
            Error::new(op, problem, format!("name the columns as the network names its {what}s"))
        })
    };
    names.iter().map(find).collect()
}

/// The inputs of a model, found among its columns, with shapes that it can take.
pub(crate) struct Fed<'a> {
    pub columns: Matched<'a>,
    /// The number of samples.
    pub samples: usize,
}

impl<'a> Fed<'a> {
    /// Matches columns to inputs and checks the shapes.
    pub fn new(op: &str, inputs: &[InputInfo], columns: &'a Columns) -> Result<Self> {
        let names: SmallVec<[&str; 1]> = inputs.iter().map(|input| &*input.name).collect();
        let columns = matched(op, "input", &names, columns)?;
        for (input, column) in inputs.iter().zip(&columns) {
            check_shape(op, input, column.shape(), inputs.len() > 1)?;
        }
        let samples = columns.first().map_or(0, |column| column.shape()[0]);
        match columns.iter().zip(names).find(|(column, _)| column.shape()[0] != samples) {
            None => Ok(Fed { columns, samples }),
            Some((column, name)) => {
                let problem = format!("the first input has {samples} samples, {name:?} has {}", column.shape()[0]);
                Err(Error::new(op, problem, "give as many of each"))
            }
        }
    }

    /// The shapes of the inputs, without the batch axis.
    pub fn shapes(&self) -> Vec<Shape> {
        self.columns.iter().map(|column| column.shape()[1..].into()).collect()
    }

    /// Checks the ids and the masks of all samples, some at a time: ids are converted for it.
    pub fn check_values(&self, op: &str, inputs: &[InputInfo]) -> Result<()> {
        const ELEMENTS: usize = 1 << 20;
        let discrete = inputs.iter().zip(&self.columns).filter(|(input, _)| input.kind != ValueKind::Floats);
        for (input, column) in discrete {
            let samples = (ELEMENTS / column.shape()[1..].iter().product::<usize>().max(1)).max(1);
            for first in (0..self.samples).step_by(samples) {
                let part = column.rows(first..(first + samples).min(self.samples));
                value::<f32>(op, input, &part, first, inputs.len() > 1)?;
            }
        }
        Ok(())
    }

    /// The values of the samples from `first` to before `end`.
    pub fn values<T: Float>(&self, op: &str, inputs: &[InputInfo], first: usize, end: usize) -> Result<Values<T>> {
        let is_all = first == 0 && end == self.samples;
        inputs
            .iter()
            .zip(&self.columns)
            .map(|(input, &column)| match is_all {
                true => value(op, input, column, 0, inputs.len() > 1),
                false => value(op, input, &column.rows(first..end), first, inputs.len() > 1),
            })
            .collect()
    }
}

fn check_shape(op: &str, input: &InputInfo, found: &Shape, several: bool) -> Result<()> {
    let expected = &input.shape;
    if !found.is_empty() && expected.admits(&found[1..]) {
        return Ok(());
    }
    let pictures = expected.len() == 3 && found.len() == 4 && expected[2] == Some(found[3]);
    let hint = if expected.admits(found) {
        "give a single sample a batch axis by unsqueeze(0), and leave the batch axis out of the shape that the model \
         is built for"
    } else if pictures {
        "resize or crop the pictures, or build the model for their size"
    } else {
        "reshape the inputs, or build the model for their shape"
    };
    let which = if several { format!("input {:?}: ", input.name) } else { String::new() };
    let problem = format!("{which}the model takes inputs of shape {}, found {found}", expected.of_batch());
    Err(Error::new(op, problem, hint))
}

/// A column as the value that an input takes; `first` is the number of its first sample.
fn value<T: Float>(op: &str, input: &InputInfo, column: &AnyTensor, first: usize, several: bool) -> Result<Value<T>> {
    match input.kind {
        ValueKind::Floats => Ok(Value::Floats(Var::from(column.to::<T>()))),
        ValueKind::Mask => match column.get::<bool>() {
            Some(mask) => Ok(Value::Mask(mask.clone())),
            None => {
                let problem = format!("the input {:?} takes a mask, found {}", input.name, column.element());
                Err(Error::new(op, problem, "give true and false: a tensor of bool"))
            }
        },
        ValueKind::Ids { count } => {
            let ids = if column.is_float() { whole(column) } else { Ok(column.to::<i64>()) };
            let is_known = |id: i64| usize::try_from(id).is_ok_and(|id| id < count);
            let (place, found) = match ids {
                Err((place, number)) => (place, format!("{number}, which is no id,")),
                Ok(ids) => match ids.iter().enumerate().find(|&(_, id)| !is_known(id)) {
                    None => return Ok(Value::Ids(ids)),
                    Some((place, id)) => (place, format!("the id {id}")),
                },
            };
            let at = at(place, column.shape());
            let which = if several { format!("input {:?}: ", input.name) } else { String::new() };
            let knows = match count {
                0 => "no ids".to_owned(),
                count => format!("0 to {}", count - 1),
            };
            let sample = first + at[0];
            let place = if at.len() > 1 { format!(" at {:?}", &at[1..]) } else { String::new() };
            let problem = format!("{which}sample {sample} has {found}{place}, the layer {} knows {knows}", input.layer);
            Err(Error::new(op, problem, "give whole numbers in that range, or make the layer for more ids"))
        }
    }
}

/// Floats that are whole numbers, as such; or the place of the first that is not, and the number.
fn whole(column: &AnyTensor) -> Result<Tensor<i64>, (usize, f64)> {
    let floats = column.to::<f64>();
    match floats.iter().enumerate().find(|(_, number)| number.fract() != 0.0) {
        // NaN and infinities have a fraction of NaN.
        Some(found) => Err(found),
        None => Ok(floats.to()),
    }
}

/// The index of the element that is `place` elements behind the first.
fn at(mut place: usize, shape: &Shape) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    for (axis, &length) in shape.iter().enumerate().rev() {
        index[axis] = place % length;
        place /= length;
    }
    index
}
