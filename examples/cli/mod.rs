//! The command line of the examples: `--help`, and errors as a single line that says what is wrong with which argument.
//!
//! This has nothing to do with events. If you turn an example into a program of your own, you can do without it.

#![allow(dead_code, reason = "each example uses only a part")]

use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::str::FromStr;
use std::{env, io};

pub(crate) type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Runs `program` with the arguments of the process. Prints `usage` if the first one is `--help`, and an error as one line.
pub(crate) fn run(usage: &str, program: impl FnOnce(Vec<String>) -> Outcome) -> ExitCode {
    let arguments: Vec<String> = env::args_os().skip(1).map(|argument| argument.to_string_lossy().into()).collect();
    if arguments.first().is_some_and(|first| first == "--help" || first == "-h") {
        println!("{usage}");
        return ExitCode::SUCCESS;
    }
    match program(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Refuses options, and more arguments than the program uses.
pub(crate) fn at_most(count: usize, arguments: &[String]) -> Outcome {
    let option = arguments.iter().find(|argument| argument.starts_with('-'));
    match option.or(arguments.get(count)) {
        Some(argument) => Err(format!("unexpected argument `{argument}`; `--help` lists the arguments").into()),
        None => Ok(()),
    }
}

/// Returns the argument `what`, or `default` if it is not given.
pub(crate) fn argument<T: FromStr>(what: &str, given: Option<&String>, default: T) -> Outcome<T> {
    let Some(text) = given else { return Ok(default) };
    text.parse().map_err(|_| format!("`{text}` is not {what}").into())
}

/// Returns the address that is the only argument, or the default address, whose port all examples share.
pub(crate) fn only_address(arguments: &[String]) -> Outcome<SocketAddr> {
    at_most(1, arguments)?;
    address(arguments.first())
}

pub(crate) fn address(given: Option<&String>) -> Outcome<SocketAddr> {
    argument("an address such as 127.0.0.1:13265", given, SocketAddr::from(([127, 0, 0, 1], 13265)))
}

/// Adds to an error what failed and with which address, for example "cannot listen on" it.
pub(crate) fn at<T>(what: &str, address: SocketAddr, result: io::Result<T>) -> Outcome<T> {
    result.map_err(|error| format!("{what} {address}: {error}").into())
}
