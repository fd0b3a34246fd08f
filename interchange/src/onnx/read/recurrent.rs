//! LSTM, GRU and simple recurrent networks.

use std::sync::Arc;

use gradus_autograd::{RecurrentVars, Var};
use gradus_tensor::{CellFunction, Float, Pointwise, Recurrence, RecurrentCell, Shape, Tensor, functions};

use super::call::{Call, Outputs, sized};
use super::value::{Kind, Value};

/// What an operator says of its cell.
struct Cell<'a> {
    cell: RecurrentCell,
    /// The order of the gates here, as places in the file.
    order: &'a [usize],
    /// The functions by default, and how many there are.
    functions: &'a [&'a str],
}

pub(crate) fn lstm<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    if call.optional(7).is_some() {
        return Err("the peepholes, input 7, are not read".to_owned());
    }
    if call.flag("input_forget", false)? {
        return Err("input_forget = 1 is not read".to_owned());
    }
    // The file has input, output, forget, cell; here it is input, forget, cell, output.
    let cell = Cell { cell: RecurrentCell::Lstm, order: &[0, 2, 3, 1], functions: &["Sigmoid", "Tanh", "Tanh"] };
    recurrent(call, &cell)
}

pub(crate) fn gru<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let reset_after = call.flag("linear_before_reset", false)?;
    let cell = Cell { cell: RecurrentCell::Gru { reset_after }, order: &[0, 1, 2], functions: &["Sigmoid", "Tanh"] };
    recurrent(call, &cell)
}

pub(crate) fn rnn<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    recurrent(call, &Cell { cell: RecurrentCell::Simple, order: &[0], functions: &["Tanh"] })
}

/// A function of a cell by its name.
fn function<T: Float>(name: &str) -> Result<CellFunction<T>, String> {
    let other: &'static Pointwise = match name {
        "Tanh" => return Ok(CellFunction::Tanh),
        "Sigmoid" => return Ok(CellFunction::Sigmoid),
        "Relu" => &functions::RELU,
        "Softsign" => &functions::SOFTSIGN,
        "Softplus" => &functions::SOFTPLUS,
        other => {
            return Err(format!(
                "the activation {other:?} is not read, only Tanh, Sigmoid, Relu, Softsign and Softplus"
            ));
        }
    };
    Ok(CellFunction::Other(Arc::new(other)))
}

/// The cell with the functions of one direction.
fn how<T: Float>(
    call: &Call<'_, T>,
    cell: &Cell<'_>,
    direction: usize,
    backwards: bool,
) -> Result<Recurrence<T>, String> {
    let count = cell.functions.len();
    let names: Vec<&str> = match call.texts("activations")? {
        None => cell.functions.to_vec(),
        Some(names) => match names.get(direction * count..(direction + 1) * count) {
            Some(names) => names.iter().map(String::as_str).collect(),
            None => return Err(format!("{count} activations for each direction are needed, found {names:?}")),
        },
    };
    if cell.cell == RecurrentCell::Lstm && names[1] != names[2] {
        return Err(format!("one activation for cell and output is read, found {names:?}"));
    }
    let recurrence = Recurrence::new(cell.cell).go_backwards(backwards).zero_output_for_mask(true);
    let recurrence = recurrence.activation(function(names[count.min(2) - 1])?);
    Ok(if count > 1 { recurrence.recurrent_activation(function(names[0])?) } else { recurrence })
}

fn recurrent<T: Float>(call: &Call<'_, T>, cell: &Cell<'_>) -> Outputs<T> {
    let layout = call.flag("layout", false)?;
    for name in ["clip", "activation_alpha", "activation_beta"] {
        if call.has(name) {
            return Err(format!("the attribute {name} is not read"));
        }
    }
    let backwards: &[bool] = match call.text("direction", "forward")? {
        "forward" => &[false],
        "reverse" => &[true],
        "bidirectional" => &[false, true],
        other => return Err(format!("the direction {other:?} is not known")),
    };
    let (x, w, r) = (call.floats(0)?, call.floats(1)?, call.floats(2)?);
    let (directions, gates) = (backwards.len(), cell.cell.gates());
    let &[a, b, features] = &x.shape()[..] else {
        return Err(format!("takes [steps, n, features], found {}", x.shape()));
    };
    let (samples, steps) = if layout { (a, b) } else { (b, a) };
    // Samples first, as here.
    let x = if layout { x.clone() } else { x.swap_axes(0, 1) };
    let units = r.shape().last().copied().unwrap_or(0);
    let hidden = usize::try_from(call.int("hidden_size", units as i64)?).unwrap_or(0);
    let fits = w.shape() == &[directions, gates * units, features] && r.shape() == &[directions, gates * units, units];
    if !fits || units == 0 || hidden != units {
        let problem =
            format!("kernels of {directions} directions and {gates} gates of {hidden} units for {features} features");
        return Err(format!("{problem} are needed, found {} and {}", w.shape(), r.shape()));
    }
    let bias = call.optional_floats(3)?;
    if let Some(bias) = bias.filter(|bias| bias.shape() != &[directions, 2 * gates * units]) {
        return Err(format!("a bias of shape [{directions}, {}] is needed, found {}", 2 * gates * units, bias.shape()));
    }
    let mask = lengths(call, samples, steps)?;
    let states: Vec<Option<&Var<T>>> =
        (5..5 + cell.cell.states()).map(|index| call.optional_floats(index)).collect::<Result<_, _>>()?;
    let expected = if layout { [samples, directions, units] } else { [directions, samples, units] };
    if let Some(state) = states.iter().flatten().find(|state| state.shape() != &expected) {
        return Err(format!("first states of shape {expected:?} are needed, found {}", state.shape()));
    }
    let whole = if layout { [samples, steps, directions, units] } else { [steps, directions, samples, units] };
    if let Some(y) = call.outline(&sized(&Shape::from(whole))?) {
        let last = Value::zeros(Kind::Floats, &Shape::from(expected));
        return Ok([vec![y], vec![last; cell.cell.states()]].concat());
    }
    let (mut sequences, mut lasts) = (Vec::new(), vec![Vec::new(); cell.cell.states()]);
    for (direction, &backwards) in backwards.iter().enumerate() {
        let of = |var: &Var<T>| var.select(0, direction as isize);
        let state = |var: &Var<T>| var.select(isize::from(layout), direction as isize);
        let (kernel, recurrent_kernel) = (in_order(&of(w), cell.order).t(), in_order(&of(r), cell.order).t());
        let bias = bias.map(|bias| bias_of(&of(bias), cell, units));
        let first: Vec<Option<Var<T>>> = states.iter().map(|given| given.map(state)).collect();
        let vars = RecurrentVars {
            bias: bias.as_ref(),
            states: [first[0].as_ref(), first.get(1).and_then(Option::as_ref)],
            mask: mask.as_ref(),
            ..RecurrentVars::new(&kernel, &recurrent_kernel)
        };
        let given = x.recurrence(&how(call, cell, direction, backwards)?, &vars);
        let sequence = given.sequence.ok_or("there are no outputs")?;
        // The steps are in the order of the computation.
        sequences.push(if backwards { sequence.flip(1) } else { sequence });
        lasts.iter_mut().zip(given.states).for_each(|(lasts, last)| lasts.push(last));
    }
    // [n, steps, directions, units], or [steps, directions, n, units].
    let all = Var::stack(&sequences, 2);
    let all = if layout { all } else { all.permute([1, 2, 0, 3]) };
    let mut outputs = vec![Value::Floats(all)];
    outputs.extend(lasts.iter().map(|lasts| Value::Floats(Var::stack(lasts, isize::from(layout)))));
    Ok(outputs)
}

/// Which steps are there, `[n, steps]`, if the sequences have lengths of their own.
fn lengths<T: Float>(call: &Call<'_, T>, samples: usize, steps: usize) -> Result<Option<Tensor<bool>>, String> {
    let Some(lengths) = call.optional_list(4)? else { return Ok(None) };
    if lengths.len() != samples || lengths.iter().any(|&length| length < 0 || length > steps as i64) {
        return Err(format!("a length of up to {steps} for each of {samples} sequences is needed, found {lengths:?}"));
    }
    let there = lengths.iter().flat_map(|&length| (0..steps as i64).map(move |step| step < length));
    Ok(Some(there.collect::<Tensor<bool>>().reshape([samples, steps])))
}

/// The gates, parts of the first axis, in another order.
fn in_order<T: Float>(x: &Var<T>, order: &[usize]) -> Var<T> {
    let gates = x.chunk(0, order.len());
    Var::concat(&order.iter().map(|&gate| gates[gate].clone()).collect::<Vec<_>>(), 0)
}

/// The two biases of the file, as the cell takes them.
fn bias_of<T: Float>(bias: &Var<T>, cell: &Cell<'_>, units: usize) -> Var<T> {
    let half = cell.cell.gates() * units;
    let [ours, recurrent] =
        [bias.slice(0, 0..half), bias.slice(0, half..2 * half)].map(|bias| in_order(&bias, cell.order));
    match cell.cell {
        RecurrentCell::Gru { reset_after: true } => Var::stack(&[ours, recurrent], 0),
        _ => ours + recurrent,
    }
}
