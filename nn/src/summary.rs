//! A model as a table.

use std::fmt;

use gradus_autograd::{Param, Params};
use gradus_tensor::Float;

use crate::activation::Activation;
use crate::build::{LayerInfo, is_within};
use crate::inputs::{InputInfo, OutputInfo, PartialShape};
use crate::value::ValueKind;

/// A model's layers, their output shapes and numbers of parameters. Prints as Keras's `model.summary()` does.
///
/// ```
/// use gradus_nn::{Dense, Model, Sequential};
/// let model = Model::build(Sequential::new().add(Dense::new(10)), [4], 42)?;
/// let summary = model.summary();
/// println!("{summary}");
/// assert_eq!(summary.total_params, 50);
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// The inputs in order.
    pub inputs: Vec<InputInfo>,
    /// The outputs in order.
    pub outputs: Vec<OutputInfo>,
    /// The layers in order, each followed by those within it.
    pub layers: Vec<LayerSummary>,
    /// The number of elements of all weights and states.
    pub total_params: usize,
    /// Of those, the ones that an optimiser changes.
    pub trainable_params: usize,
    kind: &'static str,
    /// Whether what feeds a layer is shown: not in a chain, where that is the layer above.
    branches: bool,
    bytes_per_param: usize,
}

/// A line of a [`Summary`].
///
/// ```
/// use gradus_nn::{Dense, Flatten, Model, Sequential};
/// let model = Model::build(Sequential::new().add(Flatten).add(Dense::new(10)), [2, 2], 42)?;
/// let line = &model.summary().layers[1];
/// assert_eq!((&*line.path, line.kind, line.params), ("1", "Dense", 50));
/// assert_eq!(line.outputs[0], [10]);
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct LayerSummary {
    /// Where the layer is in the network: `"1"`, or `"encoder/0"` within another.
    pub path: String,
    /// [`Layer::KIND`](crate::Layer::KIND)
    pub kind: &'static str,
    /// The shapes of its outputs, without the batch axis.
    pub outputs: Vec<PartialShape>,
    /// The number of elements of its weights and states, those of layers within it included.
    pub params: usize,
    /// The names of the inputs and layers of its network that feed it; none for a part of a layer that is no network.
    pub inputs: Vec<String>,
    /// Where the layer is whose weights it uses, if it shares them; they are counted there.
    pub shares: Option<String>,
    /// The activation that the layer itself computes last, on its first output: `Linear` for a `Dense` without one. `None` if it
    /// is not known, and for a layer that only moves or drops elements.
    pub activation: Option<Activation>,
}

/// What a summary is made of.
pub(crate) struct Table<'a, T: Float> {
    pub is_chain: bool,
    /// Whether a network, nested or not, is no chain.
    pub branches: bool,
    pub inputs: &'a [InputInfo],
    pub outputs: &'a [OutputInfo],
    pub layers: &'a [LayerInfo],
    pub params: &'a Params<T>,
}

impl Summary {
    pub(crate) fn new<T: Float>(table: Table<'_, T>) -> Self {
        let params = table.params;
        let line = |layer: &LayerInfo| LayerSummary {
            path: layer.path.clone(),
            kind: layer.kind,
            outputs: layer.outputs.clone(),
            params: params.size_of(|param| is_within(&param.name, &layer.path)),
            inputs: layer.inputs.clone(),
            shares: layer.shares.clone(),
            activation: layer.activation,
        };
        Summary {
            kind: if table.is_chain { "Sequential" } else { "Graph" },
            branches: table.branches,
            inputs: table.inputs.to_vec(),
            outputs: table.outputs.to_vec(),
            layers: table.layers.iter().map(line).collect(),
            total_params: params.size_of(|_| true),
            trainable_params: params.size_of(Param::trainable),
            bytes_per_param: size_of::<T>(),
        }
    }
}

/// A model's inputs or outputs: `input (None, 4)`; several with their names: `inputs a (None, 4), b (None, 2)`.
fn ends<'a>(what: &str, list: impl ExactSizeIterator<Item = (&'a str, &'a PartialShape, ValueKind)>) -> String {
    let several = list.len() > 1;
    let one = |(name, shape, kind): (&str, &PartialShape, ValueKind)| {
        let name = if several { format!("{name} ") } else { String::new() };
        let kind = if kind == ValueKind::Floats { String::new() } else { format!(" {kind}") };
        format!("{name}{}{kind}", shape.batched())
    };
    format!("{what}{} {}", if several { "s" } else { "" }, list.map(one).collect::<Vec<String>>().join(", "))
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = if self.branches { 4 } else { 3 };
        let header = ["Layer (type)", "Output Shape", "Param #", "Connected to"];
        let rows: Vec<[String; 4]> = self.layers.iter().map(LayerSummary::cells).collect();
        let mut widths = [31, 22, 13, 18];
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let [name, shape, params, inputs] = widths;
        let rule = |left: char, line: char, cross: char, right: char| {
            let lines: Vec<String> = widths[..columns].iter().map(|width| line.to_string().repeat(width + 2)).collect();
            format!("{left}{}{right}", lines.join(&cross.to_string()))
        };
        let line = |cells: [&str; 4], edge: char| {
            let [a, b, c, d] = cells;
            let line = format!("{edge} {a:name$} {edge} {b:shape$} {edge} {c:>params$} {edge}");
            if self.branches { format!("{line} {d:inputs$} {edge}") } else { line }
        };

        let inputs = ends("input", self.inputs.iter().map(|input| (&*input.name, &input.shape, input.kind)));
        write!(f, "Model: {}, {inputs}", self.kind)?;
        if self.outputs.len() > 1 {
            let outputs = self.outputs.iter().map(|output| (&*output.name, &output.shape, ValueKind::Floats));
            write!(f, ", {}", ends("output", outputs))?;
        }
        writeln!(f)?;
        writeln!(f, "{}", rule('┏', '━', '┳', '┓'))?;
        writeln!(f, "{}", line(header, '┃'))?;
        writeln!(f, "{}", rule('┡', '━', '╇', '┩'))?;
        for (index, row) in rows.iter().enumerate() {
            if index > 0 {
                writeln!(f, "{}", rule('├', '─', '┼', '┤'))?;
            }
            writeln!(f, "{}", line(row.each_ref().map(String::as_str), '│'))?;
        }
        writeln!(f, "{}", rule('└', '─', '┴', '┘'))?;
        let fixed = self.total_params - self.trainable_params;
        let amount = |count: usize| format!("{} ({})", thousands(count), memory(count * self.bytes_per_param));
        writeln!(f, " Total params: {}", amount(self.total_params))?;
        writeln!(f, " Trainable params: {}", amount(self.trainable_params))?;
        write!(f, " Non-trainable params: {}", amount(fixed))
    }
}

impl LayerSummary {
    /// What the table shows; a layer within another stands indented below it.
    fn cells(&self) -> [String; 4] {
        let depth = self.path.matches('/').count();
        let name = self.path.rsplit('/').next().unwrap_or_default();
        let indent = if depth == 0 { String::new() } else { "  ".repeat(depth - 1) + "└ " };
        let shares = self.shares.as_ref().map(|path| format!(", shares {}", path.rsplit('/').next().unwrap_or(path)));
        let kind = format!("{indent}{name} ({}{})", self.kind, shares.unwrap_or_default());
        let shapes: Vec<String> = self.outputs.iter().map(PartialShape::batched).collect();
        [kind, shapes.join(", "), thousands(self.params), self.inputs.join(", ")]
    }
}

/// A number with separators: `101,770`.
fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number of bytes in the largest unit that it fills: `397.54 KB`.
fn memory(bytes: usize) -> String {
    let (mut amount, mut unit) = (bytes as f64, "B");
    for larger in ["KB", "MB", "GB", "TB"] {
        if amount < 1024.0 {
            break;
        }
        (amount, unit) = (amount / 1024.0, larger);
    }
    format!("{amount:.2} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Activation, BatchNormalization, Dense, Flatten, Model, Sequential};

    #[test]
    fn the_table_is_that_of_keras() {
        // Keras 3.15 prints this for the same network, but for the first line and the layers' names.
        let network = Sequential::new()
            .add(Flatten)
            .add(Dense::new(128).activation(Activation::Relu))
            .add(Dense::new(10).activation(Activation::Softmax));
        let model = Model::build(network, [28, 28], 42).unwrap();
        let expected = "\
Model: Sequential, input (None, 28, 28)
┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━┓
┃ Layer (type)                    ┃ Output Shape           ┃       Param # ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━┩
│ 0 (Flatten)                     │ (None, 784)            │             0 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ 1 (Dense)                       │ (None, 128)            │       100,480 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ 2 (Dense)                       │ (None, 10)             │         1,290 │
└─────────────────────────────────┴────────────────────────┴───────────────┘
 Total params: 101,770 (397.54 KB)
 Trainable params: 101,770 (397.54 KB)
 Non-trainable params: 0 (0.00 B)";
        assert_eq!(model.summary().to_string(), expected);
    }

    #[test]
    fn nested_networks_and_frozen_weights_are_counted_once() {
        let encoder = Sequential::new().add(Dense::new(5)).add(BatchNormalization::new());
        let network = Sequential::new().add_named("encoder", encoder).add(Dense::new(2));
        let mut model = Model::build(network, [3], 42).unwrap();
        // By hand: 3 x 5 + 5 = 20, four vectors of 5 of which two are states, 5 x 2 + 2 = 12.
        let summary = model.summary();
        let lines: Vec<(&str, usize)> = summary.layers.iter().map(|layer| (&*layer.path, layer.params)).collect();
        assert_eq!(lines, [("encoder", 40), ("encoder/0", 20), ("encoder/1", 20), ("1", 12)]);
        assert_eq!((summary.total_params, summary.trainable_params), (52, 42));
        assert!(summary.to_string().contains("│ └ 0 (Dense)  "));
        model.freeze("encoder").unwrap();
        assert_eq!(model.summary().trainable_params, 12);
        model.unfreeze("encoder/0").unwrap();
        assert_eq!(model.summary().trainable_params, 32);
        let error = model.freeze("decoder").unwrap_err().to_string();
        assert!(error.starts_with("freeze: there is no layer \"decoder\", only encoder, encoder/0, encoder/1, 1;"));
    }

    #[test]
    fn amounts_are_readable() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(1_000), "1,000");
        assert_eq!(thousands(123_456_789), "123,456,789");
        assert_eq!(memory(1023), "1023.00 B");
        assert_eq!(memory(1024 * 1024 * 3 / 2), "1.50 MB");
        assert_eq!(memory(5 << 50), "5120.00 TB");
    }
}
