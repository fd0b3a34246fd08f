//! The command `gradus`: shows a model's file, predicts by it, serves it.
#![forbid(unsafe_code)]

mod command;

use std::process::ExitCode;

fn main() -> ExitCode {
    match command::run(lexopt::Parser::from_env()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(command::Failure::Usage(text)) => {
            eprintln!("gradus: {text}; gradus --help lists the commands, gradus COMMAND --help the options of each");
            ExitCode::from(2)
        }
        Err(command::Failure::Work(text)) => {
            eprintln!("gradus: {text}");
            ExitCode::FAILURE
        }
    }
}
