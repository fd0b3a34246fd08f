//! `gradus show FILE`: what stands in a file.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use gradus_datasets::Preparation;
use gradus_interchange::Format;
use gradus_nn::{Model, ValueKind, WeightSource};
use gradus_tensor::Float;
use gradus_tensor::npy::NpyHeader;
use gradus_tensor::safetensors::File;
use lexopt::{Arg, Parser};
use serde_json::Value;

use super::{Failure, Result, failed, print};

const HELP: &str = "\
Usage: gradus show FILE

Prints the layers of a model's file, its inputs and outputs, class names and preprocessing, the element types and sizes of
the tensors, and where training stands if it is a checkpoint. Of a file of Keras, PyTorch, ONNX or NumPy, it prints the network if there
is one, and otherwise the tensors.
";

pub(super) fn run(mut arguments: Parser) -> Result<()> {
    let mut file: Option<PathBuf> = None;
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Long("help") | Arg::Short('h') => return print(HELP),
            Arg::Value(value) if file.is_none() => file = Some(value.into()),
            other => return Err(other.unexpected().into()),
        }
    }
    let path = file.ok_or_else(|| Failure::Usage("show: there is no FILE".to_owned()))?;
    let mut text = format!("{}\n", path.display());
    let format = Format::of(&path).map_err(failed)?;
    if !matches!(format, Format::Gradus | Format::Safetensors) {
        let _ = writeln!(text, "{}", format.name());
        foreign(&mut text, &path, format)?;
        return print(&text);
    }
    // A list of several files is none itself.
    if format == Format::Safetensors && path.extension().is_some_and(|ending| ending == "json") {
        listed(&mut text, &*gradus_interchange::tensors(&path).map_err(failed)?);
        return print(&text);
    }
    let file = File::open(&path).map_err(failed)?;
    tensors(&mut text, &file);
    training(&mut text, &file);
    let others = file.metadata().iter().filter(|(name, _)| *name != "gradus" && *name != "training");
    for (name, value) in others {
        let short: String = value.chars().take(60).collect();
        let _ = writeln!(text, "Metadata {name:?}: {short:?}, {} bytes", value.len());
    }
    if format == Format::Safetensors {
        listed(&mut text, &file);
        return print(&text);
    }
    // What can be shown is shown, also of a file of other layers.
    let kinds = gradus_interchange::kinds();
    let described = Model::<f32>::from_safetensors(&file, &kinds).map(|model| described(&model)).or_else(|error| {
        Model::<f64>::from_safetensors(&file, &kinds).map(|model| self::described(&model)).map_err(|_| error)
    });
    text.push_str(described.as_deref().unwrap_or_default());
    print(&text)?;
    described.map(drop).map_err(failed)
}

/// A file of another format: its network, or its tensors.
fn foreign(text: &mut String, path: &Path, format: Format) -> Result<()> {
    if format.has_network() {
        let loaded = gradus_interchange::load(path).map_err(failed)?;
        text.push_str(&described(&loaded.model));
        loaded.left_out.iter().for_each(|note| _ = writeln!(text, "Left out: {note}"));
        return Ok(());
    }
    if format == Format::Npy {
        let file = std::fs::File::open(path).map_err(failed)?;
        let header = NpyHeader::read(BufReader::new(file)).map_err(failed)?;
        let _ = writeln!(text, "{} of {}", header.shape, header.code);
        return Ok(());
    }
    listed(text, &*gradus_interchange::tensors(path).map_err(failed)?);
    Ok(())
}

/// A line for each tensor.
fn listed(text: &mut String, tensors: &dyn WeightSource) {
    for name in tensors.names() {
        let info = tensors.info(&name).expect("the file has a tensor of this name");
        let _ = writeln!(text, "{name}: {} of {}, {}", info.shape, info.stored, size(info.bytes));
    }
}

/// How many tensors of each element type there are, and what they take.
fn tensors(text: &mut String, file: &File) {
    let mut kinds: BTreeMap<String, [usize; 3]> = BTreeMap::new();
    for info in file.names().filter_map(|name| file.info(name)) {
        let [tensors, elements, bytes] = kinds.entry(info.stored).or_default();
        *tensors += 1;
        *elements += info.shape.size();
        *bytes += info.bytes;
    }
    for (stored, [tensors, elements, bytes]) in kinds {
        let _ = writeln!(text, "{stored}: {tensors} tensors, {elements} elements, {}", size(bytes));
    }
}

/// Where training stands, of a checkpoint.
fn training(text: &mut String, file: &File) {
    let Some(training) = file.metadata().get("training") else { return };
    let Ok(written) = serde_json::from_str::<Value>(training) else {
        let _ = writeln!(text, "Checkpoint: what it says of training is no JSON");
        return;
    };
    let (rule, steps) = (written["rule"].as_str().unwrap_or("?"), &written["steps"]);
    let state = &written["state"];
    let epochs = state["history"]["epochs"].as_array().map_or(0, Vec::len);
    let place = match state["epoch"]["batch"].as_u64() {
        Some(batch) => format!(", {batch} batches of epoch {}", epochs + 1),
        None => String::new(),
    };
    let _ = writeln!(text, "Checkpoint: {rule}, {steps} steps; {epochs} epochs done{place}");
}

fn described<T: Float>(model: &Model<T>) -> String {
    let mut text = format!("\n{}", model.summary());
    if !text.ends_with('\n') {
        text.push('\n');
    }
    for input in model.inputs() {
        let kind = match input.kind {
            ValueKind::Floats => "numbers".to_owned(),
            ValueKind::Ids { count } => format!("ids below {count}"),
            ValueKind::Mask => "true or false".to_owned(),
        };
        let _ = writeln!(text, "Input {:?}: {}, {kind}", input.name, input.shape);
    }
    for output in model.outputs() {
        let _ = writeln!(text, "Output {:?}: {}", output.name, output.shape);
        let classes = model.class_names_of(&output.name);
        if !classes.is_empty() {
            let _ = writeln!(text, "  Classes: {}", classes.join(", "));
        }
    }
    match model.preprocessing() {
        None if model.info().preparations.contains_key(Preparation::NAME) => {}
        None => text.push_str("Preprocessing: none; the model takes prepared data\n"),
        Some(before) => {
            let summary = before.summary();
            let layers = summary.layers.iter().map(|layer| layer.kind);
            let _ = write!(text, "Preprocessing: {} of", layers.collect::<Vec<_>>().join(", "));
            for input in before.inputs() {
                let _ = write!(text, " {:?}: {}", input.name, input.shape);
            }
            text.push('\n');
        }
    }
    let info = model.info();
    if let Ok(preparation) = model.preparation::<Preparation>(Preparation::NAME) {
        let columns = preparation.columns().into_iter();
        let columns =
            columns.map(|(name, is_number)| format!("{name:?} ({})", if is_number { "number" } else { "text" }));
        let _ = writeln!(text, "Made of the columns of a table: {}", columns.collect::<Vec<_>>().join(", "));
    }
    for (output, loss) in &info.losses {
        let _ = writeln!(text, "Loss of {output:?}: {loss}");
    }
    if !info.metrics.is_empty() {
        let _ = writeln!(text, "Metrics: {}", info.metrics.join(", "));
    }
    text
}

/// Bytes in the unit that suits them.
fn size(bytes: usize) -> String {
    let mut amount = bytes as f64;
    let mut units = ["bytes", "KiB", "MiB", "GiB"].into_iter();
    let mut unit = units.next().unwrap_or_default();
    for larger in units {
        if amount < 1024.0 {
            break;
        }
        (amount, unit) = (amount / 1024.0, larger);
    }
    if unit == "bytes" { format!("{bytes} bytes") } else { format!("{amount:.1} {unit}") }
}
