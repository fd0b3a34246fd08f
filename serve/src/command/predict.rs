//! `gradus predict FILE INPUT`: predictions for data in files.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use gradus_datasets::{Csv, Preparation};
use gradus_nn::{Activation, InputInfo, Model, OutputInfo};
use gradus_serve::{Format, predictions, preparation};
use gradus_tensor::{AnyTensor, Columns, Element, Tensor};
use lexopt::{Arg, Parser, ValueExt};

use super::{Failure, Result, failed, load, print, printed};

const HELP: &str = "\
Usage: gradus predict FILE INPUT [OPTIONS]

Reads raw data, runs the preprocessing of the model's file and the model, and prints a line for each sample. Samples are
predicted one by one, as by the server, so that each has the same bits.

Input, one of:
  --csv DATA          a table with a sample in each row: the columns that the model's preparation of tables takes, by their
                      names; without one, numbers, with all columns of the model's input
  --npy DATA          an array of NumPy; NAME=DATA for each input of a model with several
  --image DATA..      PNG or JPEG pictures, resized to the size that the model takes

Options:
  --no-header         the first line of the table is a sample
  --invert            pictures are dark on light, and the model has learnt light on dark, as MNIST's digits
  --top N             how many classes are printed [3]
  --json              print JSON, as the server answers
";

enum Data {
    Csv(PathBuf),
    Npy(Vec<String>),
    Images(Vec<PathBuf>),
}

pub(super) fn run(mut arguments: Parser) -> Result<()> {
    let (mut file, mut data): (Option<PathBuf>, Option<Data>) = (None, None);
    let (mut header, mut invert, mut top, mut json) = (None, false, 3_usize, false);
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Long("csv") if data.is_none() => data = Some(Data::Csv(arguments.value()?.into())),
            Arg::Long("npy") => {
                let value = arguments.value()?.string()?;
                match &mut data {
                    None => data = Some(Data::Npy(vec![value])),
                    Some(Data::Npy(files)) => files.push(value),
                    Some(_) => return Err(Failure::Usage("--npy: there is other data already".to_owned())),
                }
            }
            Arg::Long("image") => {
                let values = arguments.values()?.map(PathBuf::from);
                match &mut data {
                    None => data = Some(Data::Images(values.collect())),
                    Some(Data::Images(files)) => files.extend(values),
                    Some(_) => return Err(Failure::Usage("--image: there is other data already".to_owned())),
                }
            }
            Arg::Long("no-header") => header = Some(false),
            Arg::Long("invert") => invert = true,
            Arg::Long("top") => top = super::number(&mut arguments, "--top", 1)?,
            Arg::Long("json") => json = true,
            Arg::Long("help") | Arg::Short('h') => return print(HELP),
            Arg::Value(value) if file.is_none() => file = Some(value.into()),
            other => return Err(other.unexpected().into()),
        }
    }
    let file = file.ok_or_else(|| Failure::Usage("predict: there is no FILE".to_owned()))?;
    let data = data.ok_or_else(|| Failure::Usage("predict: give --csv, --npy or --image".to_owned()))?;
    let model = load(&file)?;
    let inputs = model.raw_inputs();
    let samples = match data {
        Data::Csv(path) => Samples::Arrays(match preparation(&model).map_err(failed)? {
            Some(preparation) => prepared(&path, header, &preparation)?,
            None => table(&path, header, only(&inputs, "--csv")?)?.into(),
        }),
        Data::Npy(files) => Samples::Arrays(arrays(&files, &inputs)?),
        Data::Images(paths) => Samples::Images(paths, only(&inputs, "--image")?.clone(), invert),
    };
    let count = samples.count()?;
    let name = |place: usize| match &samples {
        Samples::Arrays(_) => place.to_string(),
        Samples::Images(paths, ..) => paths[place].display().to_string(),
    };
    let width = (0..count).map(|place| name(place).chars().count()).max().unwrap_or(0);
    // It is printed as it comes, so that neither predictions nor text fill the memory.
    let mut text = String::new();
    for place in 0..count {
        let outputs =
            model.preprocess(samples.get(place)?).and_then(|inputs| model.predict_all(inputs)).map_err(failed)?;
        if json {
            // The list of predictions, of one sample, without its ends.
            let all = predictions(Format::Rows, model.outputs(), &outputs);
            let all = String::from_utf8_lossy(&all);
            text.push_str(if place == 0 { LIST } else { "," });
            text.push_str(all.strip_prefix(LIST).and_then(|all| all.strip_suffix("]}")).unwrap_or_default());
            text.push_str(if place + 1 == count { "]}\n" } else { "" });
        } else {
            let _ = write!(text, "{:width$} ", name(place));
            for (info, output) in model.outputs().iter().zip(&outputs) {
                if model.outputs().len() > 1 {
                    let _ = write!(text, " {}:", info.name);
                }
                line(&mut text, &model, info, &output.to_vec(), top);
            }
            text.push('\n');
        }
        if text.len() > 1 << 16 || place + 1 == count {
            if !printed(&text)? {
                break;
            }
            text.clear();
        }
    }
    if matches!(samples, Samples::Images(..)) && model.preprocessing().is_none() {
        eprintln!(
            "note: the model has no preprocessing, so it is given pixels from 0 to 255 as they are. If it was trained on others, \
             save it with Model::with_preprocessing."
        );
    }
    Ok(())
}

/// How an answer begins.
const LIST: &str = "{\"predictions\":[";

/// What is to be predicted. Pictures are read one by one.
enum Samples {
    Arrays(Columns),
    Images(Vec<PathBuf>, InputInfo, bool),
}

impl Samples {
    fn count(&self) -> Result<usize> {
        match self {
            Samples::Images(paths, ..) if paths.is_empty() => {
                Err(Failure::Usage("--image: there is no picture".to_owned()))
            }
            Samples::Images(paths, ..) => Ok(paths.len()),
            Samples::Arrays(columns) => {
                let mut counts = columns.iter().map(|column| column.shape().first().copied().unwrap_or(0));
                let count = counts.next().unwrap_or(0);
                match counts.find(|&other| other != count) {
                    None if count == 0 => Err(failed("there are no samples: the first axis of the data counts them")),
                    None => Ok(count),
                    Some(other) => Err(failed(format!("one input has {count} samples, another {other}"))),
                }
            }
        }
    }

    fn get(&self, place: usize) -> Result<Columns> {
        match self {
            Samples::Arrays(columns) => Ok(columns.rows(place..place + 1)),
            Samples::Images(paths, input, invert) => Ok(shaped(&paths[place], input, *invert)?.into()),
        }
    }
}

/// The numbers of a sample, or the likeliest of its classes.
fn line(text: &mut String, model: &Model, info: &OutputInfo, numbers: &[f32], top: usize) {
    let names = model.class_names_of(&info.name);
    let has_classes = info.shape.len() == 1
        && (!names.is_empty() || matches!(info.activation, Some(Activation::Softmax)))
        && (names.is_empty() || names.len() == numbers.len());
    if let ([probability], [no, yes]) = (numbers, names) {
        let _ = write!(text, " {} {probability:.4}", if *probability > 0.5 { yes } else { no });
        return;
    }
    if !has_classes {
        numbers.iter().for_each(|number| write!(text, " {number}").unwrap_or_default());
        return;
    }
    let mut order: Vec<usize> = (0..numbers.len()).collect();
    order.sort_by(|&a, &b| numbers[b].total_cmp(&numbers[a]));
    for (place, class) in order.into_iter().take(top).enumerate() {
        let separator = if place > 0 { "," } else { "" };
        let name = names.get(class).cloned().unwrap_or_else(|| class.to_string());
        let _ = write!(text, "{separator} {name} {:.4}", numbers[class]);
    }
}

/// The only input of a model.
fn only<'a>(inputs: &'a [InputInfo], option: &str) -> Result<&'a InputInfo> {
    match inputs {
        [input] => Ok(input),
        several => {
            let names: Vec<&str> = several.iter().map(|input| &*input.name).collect();
            let names = names.join(", ");
            Err(failed(format!("{option}: the model has the inputs {names}; give each by --npy NAME=FILE")))
        }
    }
}

fn csv(path: &Path, header: Option<bool>) -> Result<Csv<'static>> {
    let csv = Csv::open(path).map_err(failed)?;
    Ok(if let Some(header) = header { csv.header(header) } else { csv })
}

/// The inputs that a preparation makes of a table.
fn prepared(path: &Path, header: Option<bool>, preparation: &Preparation) -> Result<Columns> {
    let table = preparation.read(csv(path, header)?).map_err(failed)?;
    preparation.prepare(&table).map_err(|error| failed(error.in_file(path)))
}

/// The samples of a table, in the shape of the input.
fn table(path: &Path, header: Option<bool>, input: &InputInfo) -> Result<Tensor> {
    let table = csv(path, header)?.tensor().map_err(failed)?;
    let [rows, columns] = [table.shape()[0], table.shape()[1]];
    match input.shape.fixed() {
        Some(shape) if shape.size() == columns => {
            let shape: Vec<usize> = std::iter::once(rows).chain(shape.iter().copied()).collect();
            Ok(table.reshape(shape))
        }
        Some(shape) => {
            let (path, numbers) = (path.display(), shape.size());
            let text =
                format!("{path}: the table has {columns} columns, the model takes {numbers} numbers of shape {shape}");
            Err(failed(format!("{text}; leave other columns, such as the target, out of the file")))
        }
        None => Ok(table),
    }
}

/// NumPy's arrays for all inputs.
fn arrays(files: &[String], inputs: &[InputInfo]) -> Result<Columns> {
    if let ([file], [_]) = (files, inputs) {
        return array(Path::new(file)).map(Columns::from);
    }
    let mut columns = Columns::new();
    for file in files {
        let found = file.split_once('=').filter(|(name, _)| inputs.iter().any(|input| input.name == *name));
        let Some((name, path)) = found else {
            let names: Vec<&str> = inputs.iter().map(|input| &*input.name).collect();
            let names = names.join(", ");
            return Err(failed(format!("--npy {file}: the model has the inputs {names}; give each as NAME=FILE")));
        };
        if columns.named(name).is_some() {
            return Err(failed(format!("--npy {file}: {name} is given twice")));
        }
        columns = columns.with(name, array(Path::new(path))?);
    }
    Ok(columns)
}

/// A NumPy array of any element type.
fn array(path: &Path) -> Result<AnyTensor> {
    fn tried<X: Element>(path: &Path) -> std::result::Result<AnyTensor, gradus_tensor::npy::NpyError> {
        Tensor::<X>::load_npy(path).map(AnyTensor::from)
    }
    let others = [tried::<f64>, tried::<u8>, tried::<i64>, tried::<i32>, tried::<bool>, tried::<i16>, tried::<i8>];
    // The error of f32 says what the file has.
    tried::<f32>(path).or_else(|error| others.iter().find_map(|read| read(path).ok()).ok_or(error)).map_err(failed)
}

/// A picture in the shape of the input: `[height, width]`, or with one or three channels behind.
fn shaped(path: &Path, input: &InputInfo, invert: bool) -> Result<Tensor<u8>> {
    let (size, channels, has_channels) = match input.shape[..] {
        [height, width] => ([height, width], 1, false),
        [height, width, Some(channels @ (1 | 3))] => ([height, width], channels, true),
        _ => {
            let shape = &input.shape;
            let expected = "[height, width], or 1 or 3 channels behind";
            return Err(failed(format!(
                "--image: the model takes inputs of shape {shape}, which are no pictures: {expected}"
            )));
        }
    };
    let size = match size {
        [Some(height), Some(width)] => Some([height, width]),
        _ => None,
    };
    let picture = picture(path, size, channels)?;
    let picture = if has_channels { picture } else { picture.squeeze(-1) };
    let picture = if invert { picture.map(|shade| 255 - shade) } else { picture };
    Ok(picture.unsqueeze(0))
}

#[cfg(feature = "images")]
fn picture(path: &Path, size: Option<[usize; 2]>, channels: usize) -> Result<Tensor<u8>> {
    gradus_datasets::load_picture(path, size, channels).map_err(failed)
}

#[cfg(not(feature = "images"))]
fn picture(path: &Path, _: Option<[usize; 2]>, _: usize) -> Result<Tensor<u8>> {
    Err(failed(format!("{}: this gradus was built without pictures; build it with --features images", path.display())))
}
