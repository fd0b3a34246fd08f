//! What the command does.

mod convert;
mod predict;
mod serve;
mod show;

use std::fmt::Display;
use std::io::{self, Write};
use std::path::Path;
use std::str::FromStr;

use gradus_nn::Model;
use lexopt::{Arg, Parser, ValueExt};

/// Why the command failed.
pub(crate) enum Failure {
    /// It was called wrongly: exit code 2.
    Usage(String),
    /// A file, a port or the data are not as they must be: exit code 1.
    Work(String),
}

type Result<T> = std::result::Result<T, Failure>;

impl From<lexopt::Error> for Failure {
    fn from(error: lexopt::Error) -> Self {
        Failure::Usage(error.to_string())
    }
}

const HELP: &str = "\
Models of Gradus as files: shown, asked, served.

Usage:
  gradus FILE [OPTIONS]              the same as gradus serve FILE
  gradus serve FILE [OPTIONS]        answer TensorFlow Serving's REST interface, and a page at /
  gradus predict FILE INPUT          predict, and print what comes out
  gradus show FILE                   print the layers, the sizes, and what else the file says
  gradus convert IN OUT              read and write Keras, PyTorch, ONNX, safetensors, NumPy

  gradus COMMAND --help              the options of a command
  gradus --version

FILE is what model.save(\"digits.safetensors\") has written, or a checkpoint; show takes files of
the other formats, too.
Exit codes: 0 done, 1 failed, 2 called wrongly.
";

/// Does what the command line asks for.
pub(crate) fn run(mut arguments: Parser) -> Result<()> {
    match arguments.next()? {
        None => {
            let _ = io::stderr().write_all(HELP.as_bytes());
            Err(Failure::Usage("there is no FILE".to_owned()))
        }
        Some(Arg::Long("help") | Arg::Short('h')) => print(HELP),
        Some(Arg::Long("version") | Arg::Short('V')) => print(concat!("gradus ", env!("CARGO_PKG_VERSION"), "\n")),
        Some(Arg::Value(word)) => match word.to_str() {
            Some("show") => show::run(arguments),
            Some("predict") => predict::run(arguments),
            Some("convert") => convert::run(arguments),
            Some("serve") => serve::run(arguments, None),
            Some("help") => print(HELP),
            Some(word) if meant(word).is_some() && !Path::new(word).exists() => {
                let meant = meant(word).unwrap_or_default();
                Err(Failure::Usage(format!("{word} is no file and no command; did you mean gradus {meant}?")))
            }
            _ => serve::run(arguments, Some(word.into())),
        },
        Some(other) => Err(other.unexpected().into()),
    }
}

/// The command that a word with at most two slips of the keys may mean.
fn meant(word: &str) -> Option<&'static str> {
    ["show", "convert", "predict", "serve", "help"].into_iter().find(|command| slips(word, command) <= 2)
}

/// Levenshtein's distance: the letters to insert, remove or replace.
fn slips(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut before = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.chars().enumerate() {
            let replaced = before + usize::from(x != y);
            before = row[j + 1];
            row[j + 1] = replaced.min(before + 1).min(row[j] + 1);
        }
    }
    row[b.chars().count()]
}

/// Writes to the standard output. It is no failure if nobody reads on, as behind `| head`.
fn print(text: &str) -> Result<()> {
    printed(text).map(|_| ())
}

/// Writes to the standard output, and tells whether somebody reads on.
fn printed(text: &str) -> Result<bool> {
    match io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(failed(error)),
    }
}

fn failed(error: impl Display) -> Failure {
    Failure::Work(error.to_string())
}

fn load(path: &Path) -> Result<Model> {
    Model::load_with(path, &gradus_interchange::kinds()).map_err(failed)
}

/// The value of an option, at least `least`.
fn number<N: FromStr<Err: Display> + PartialOrd + Display>(arguments: &mut Parser, name: &str, least: N) -> Result<N> {
    let text = arguments.value()?.string()?;
    let number: N = text.parse().map_err(|error| Failure::Usage(format!("{name} {text}: {error}")))?;
    if number >= least {
        Ok(number)
    } else {
        Err(Failure::Usage(format!("{name} {text}: it must be at least {least}")))
    }
}
