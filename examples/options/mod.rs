//! The command line of the examples that train.

use std::path::PathBuf;

use gradus::prelude::*;
use lexopt::{Arg, Parser, ValueExt};

/// What can be chosen on the command line; an example gives its own defaults.
pub struct Options {
    pub epochs: usize,
    pub batch_size: usize,
    pub learning_rate: f64,
    pub seed: u64,
    /// The folder of the data set, if it is none of those that the library looks in.
    pub data: Option<PathBuf>,
    #[allow(dead_code)] // Not every example draws pictures.
    pub pictures: PathBuf,
}

impl Options {
    pub fn new(epochs: usize, batch_size: usize, learning_rate: f64) -> Self {
        Options { epochs, batch_size, learning_rate, seed: 42, data: None, pictures: ".".into() }
    }

    /// These options, changed by the arguments of the program. `--help` prints them and ends the program.
    #[allow(dead_code)] // Unless an example has options of its own.
    pub fn parse(self, about: &str) -> Result<Self> {
        self.parse_with(about, "", |_, _| Ok(false))
    }

    /// As `parse`, with options of the example's own: `further` is their help, and `take` is given the name of an option without its
    /// dashes, takes its value from the parser, and returns whether it knows the option.
    pub fn parse_with(
        mut self,
        about: &str,
        further: &str,
        mut take: impl FnMut(&str, &mut Parser) -> Result<bool>,
    ) -> Result<Self> {
        let mut arguments = Parser::from_env();
        while let Some(argument) = arguments.next()? {
            match argument {
                Arg::Long("epochs") => self.epochs = arguments.value()?.parse()?,
                Arg::Long("batch-size") => self.batch_size = arguments.value()?.parse()?,
                Arg::Long("learning-rate") => self.learning_rate = arguments.value()?.parse()?,
                Arg::Long("seed") => self.seed = arguments.value()?.parse()?,
                Arg::Long("data") => self.data = Some(arguments.value()?.into()),
                Arg::Long("pictures") => self.pictures = arguments.value()?.into(),
                Arg::Long("help") | Arg::Short('h') => {
                    println!("{about}\n\n{}{further}", self.help());
                    std::process::exit(0);
                }
                Arg::Long(name) => {
                    let name = name.to_owned();
                    if !take(&name, &mut arguments)? {
                        return Err(format!("invalid option '--{name}'; --help lists the options").into());
                    }
                }
                other => return Err(format!("{}; --help lists the options", other.unexpected()).into()),
            }
        }
        for (name, count) in [("epochs", self.epochs), ("batch-size", self.batch_size)] {
            if count == 0 {
                return Err(format!("--{name} must be at least 1, found 0").into());
            }
        }
        let rate = self.learning_rate;
        if !(rate.is_finite() && rate > 0.0) {
            return Err(format!("--learning-rate must be above 0, found {rate}; 0.001 is a good start").into());
        }
        Ok(self)
    }

    fn help(&self) -> String {
        let Options { epochs, batch_size, learning_rate, seed, data: _, pictures } = self;
        format!(
            "Options:
  --epochs N         How many times to go through the training samples [default: {epochs}]
  --batch-size N     Samples per training step [default: {batch_size}]
  --learning-rate X  Adam's learning rate, at its highest [default: {learning_rate}]
  --seed N           Seed of everything random: first weights, order of samples, dropout [default: {seed}]
  --data PATH        The folder with the data set's files, or with a folder of the data set's name
  --pictures FOLDER  Where pictures are written, if the example draws any [default: {}]",
            pictures.display()
        )
    }
}
