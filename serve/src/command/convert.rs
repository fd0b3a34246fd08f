//! `gradus convert IN OUT`: networks and weights in other formats.

use std::path::{Path, PathBuf};

use gradus_interchange::pytorch::{self, Mapping, StateDict};
use gradus_interchange::{Format, keras, npz};
use gradus_nn::{Model, Stored};
use gradus_tensor::AnyTensor;
use gradus_tensor::safetensors::Writer;
use lexopt::{Arg, Parser, ValueExt};

use super::{Failure, Result, failed, print};

const HELP: &str = "\
Usage: gradus convert IN OUT [OPTIONS]

Reads IN, whose content says its format: a model of Gradus, Keras (.keras, .h5) or ONNX, or weights of Keras (.weights.h5), PyTorch
(.pt, .pth), safetensors or NumPy (.npz). Of weights in several files, IN is the list (.index.json, .weights.json). Nothing that it
holds is run.

Writes OUT, whose ending says its format:
  .safetensors        a model of Gradus; of weights, tensors under their names
  .keras              a model that Keras 3 loads
  .onnx               a model for inference; channels stay last
  .weights.h5         the weights of a model, for Keras
  .npz                the weights of a model, or tensors under their names, for NumPy

Options:
  --network MODEL     IN has weights alone: they go into the network of this file, of any format
  --module A=B        with --network: the module A in PyTorch is the layer B (the paths of gradus show); several times
  --under NAME        with --network: what IN holds under this name, such as state_dict
  --by-order          with --network: the modules of PyTorch are the layers in the order of both, by their shapes
  --partial           with --network: layers without tensors stay as they are, tensors without a layer are not used
  --pytorch           write .safetensors with PyTorch's names and layout, for load_state_dict
  --store f16|bf16    store the numbers of .safetensors in two bytes each
";

#[derive(Default)]
struct Options {
    network: Option<PathBuf>,
    modules: Vec<(String, String)>,
    under: Option<String>,
    by_order: bool,
    partial: bool,
    to_pytorch: bool,
    stored: Stored,
}

pub(super) fn run(mut arguments: Parser) -> Result<()> {
    let (mut files, mut options) = (Vec::<PathBuf>::new(), Options::default());
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Long("help") | Arg::Short('h') => return print(HELP),
            Arg::Long("network") => options.network = Some(arguments.value()?.into()),
            Arg::Long("module") => {
                let text = arguments.value()?.string()?;
                let wrong = || Failure::Usage(format!("--module {text}: it must be MODULE=LAYER, such as fc=head"));
                let (module, layer) = text.split_once('=').ok_or_else(wrong)?;
                options.modules.push((module.to_owned(), layer.to_owned()));
            }
            Arg::Long("under") => options.under = Some(arguments.value()?.string()?),
            Arg::Long("by-order") => options.by_order = true,
            Arg::Long("partial") => options.partial = true,
            Arg::Long("pytorch") => options.to_pytorch = true,
            Arg::Long("store") => {
                options.stored = match &*arguments.value()?.string()? {
                    "f16" => Stored::F16,
                    "bf16" => Stored::Bf16,
                    other => return Err(Failure::Usage(format!("--store {other}: it must be f16 or bf16"))),
                }
            }
            Arg::Value(value) if files.len() < 2 => files.push(value.into()),
            other => return Err(other.unexpected().into()),
        }
    }
    let [from, to] = &files[..] else {
        return Err(Failure::Usage("convert: give two files, IN and OUT".to_owned()));
    };
    let is_safetensors = to.extension().is_some_and(|ending| ending == "safetensors");
    if (options.to_pytorch || options.stored != Stored::AsIs) && !is_safetensors {
        let problem = format!("{}: --pytorch and --store need an OUT that ends in .safetensors", to.display());
        return Err(Failure::Usage(problem));
    }
    let (format, mut said) = (Format::of(from).map_err(failed)?, String::new());
    let model = if format.has_network() {
        if options.network.is_some() {
            let problem = format!("--network is for weights alone, and IN has a network ({})", format.name());
            return Err(Failure::Usage(problem));
        }
        Some(model(from, &mut said)?)
    } else {
        options.network.as_ref().map(|network| filled(from, format, network, &options, &mut said)).transpose()?
    };
    match &model {
        Some(model) => write_model(model, to, &options, &mut said)?,
        None => write_tensors(from, format, to, &options)?,
    }
    let what = if model.is_some() { "the model" } else { "the tensors" };
    print(&format!("{said}{}: {what} of {} ({})\n", to.display(), from.display(), format.name()))
}

/// The network of a file with its weights.
fn model(path: &Path, said: &mut String) -> Result<Model> {
    let loaded = gradus_interchange::load(path).map_err(failed)?;
    loaded.left_out.iter().for_each(|note| said.push_str(&format!("Left out: {note}\n")));
    Ok(loaded.model)
}

/// A network with the weights of another file.
fn filled(weights: &Path, format: Format, network: &Path, options: &Options, said: &mut String) -> Result<Model> {
    let mut model = model(network, said)?;
    if format == Format::KerasWeights {
        keras::load_weights(&mut model, weights).map_err(failed)?;
        return Ok(model);
    }
    let report = pytorch::load_weights(&mut model, &StateDict::open(weights).map_err(failed)?, &mapping(options));
    said.push_str(&format!("{}\n", report.map_err(|error| Failure::Work(as_options(&error.to_string())))?));
    Ok(model)
}

/// What an error says to do, by the options of the command.
fn as_options(error: &str) -> String {
    let under = error.split_once("Mapping::under(").and_then(|(before, rest)| {
        let (name, after) = rest.split_once(')')?;
        Some(format!("{before}--under {name}{after}"))
    });
    let error = under.unwrap_or_else(|| error.to_owned());
    let options = [
        ("by Mapping::module", "by --module A=B"),
        ("Mapping::by_order", "--by-order"),
        ("build a model of f64 by Model::<f64>::build_as", "convert them in Python, such as by .float()"),
        ("Mapping::partial", "--partial"),
    ];
    options.iter().fold(error, |error, (of_code, option)| error.replace(of_code, option))
}

fn mapping(options: &Options) -> Mapping {
    let begin = if options.by_order { Mapping::by_order() } else { Mapping::new() };
    let begin = if options.partial { begin.partial() } else { begin };
    let begin = options.modules.iter().fold(begin, |mapping, (module, layer)| mapping.module(module, layer));
    match &options.under {
        Some(name) => begin.under(name),
        None => begin,
    }
}

fn write_model(model: &Model, to: &Path, options: &Options, said: &mut String) -> Result<()> {
    let is_ours = !options.to_pytorch && to.extension().is_some_and(|ending| ending == "safetensors");
    if !is_ours && model.preprocessing().is_some() {
        said.push_str("Left out: the preprocessing; what is written takes prepared data\n");
    }
    if !is_ours && !model.class_names().is_empty() {
        said.push_str("Left out: the names of the classes\n");
    }
    if options.to_pytorch {
        let mapping =
            options.modules.iter().fold(Mapping::new(), |mapping, (module, layer)| mapping.module(module, layer));
        return pytorch::save(model, to, &mapping).map_err(failed);
    }
    if options.stored == Stored::AsIs {
        return gradus_interchange::save(model, to).map_err(failed);
    }
    let loss = model.save_as(to, options.stored).map_err(failed)?;
    said.push_str(&format!("{loss}\n"));
    Ok(())
}

fn write_tensors(from: &Path, format: Format, to: &Path, options: &Options) -> Result<()> {
    let source = gradus_interchange::tensors(from).map_err(failed)?;
    let read = |name: String| {
        let tensor = source.read(&name).map_err(failed)?;
        Ok((name, tensor))
    };
    let tensors = source.names().into_iter().map(read).collect::<Result<Vec<(String, AnyTensor)>>>()?;
    match to.extension().and_then(|ending| ending.to_str()) {
        Some("safetensors") => {
            let writer = tensors.into_iter().fold(Writer::new(), |writer, (name, tensor)| writer.tensor(name, tensor));
            writer.stored_as(options.stored).write(to).map_err(failed)
        }
        Some("npz") => npz::save(to, tensors).map_err(failed),
        _ => {
            let problem = format!(
                "{}: {} has weights without a network ({}); name a network by --network, or write .safetensors or .npz",
                to.display(),
                from.display(),
                format.name()
            );
            Err(Failure::Work(problem))
        }
    }
}
