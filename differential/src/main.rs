//! Takes the same random steps on this crate and on mio 1.2.5, and compares them step by step.
//!
//! ```text
//! cargo run -p mio-differential                      for ten seconds
//! cargo run -p mio-differential -- 60                for a minute
//! cargo run -p mio-differential -- 60 12345          repeats a run, which has printed its seed
//! ```
//!
//! On Unix-like systems the steps use sockets and pipes, and on Windows named pipes. The `known.rs` of each lists the known
//! differences, every one with its reason and a program that shows it. If there is any other, the program prints the shortest
//! steps that show it, and fails.

#![allow(clippy::duplicate_mod)] // world.rs is for two crates

mod compare;
mod lot;
#[cfg(windows)]
mod named_pipes;
mod ours;
mod outcome;
mod released;
#[cfg(unix)]
mod sockets;

use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};

use crate::compare::{Difference, Run, run, shortest};
use crate::field::{BACKEND, known};
use crate::lot::Lot;
#[cfg(windows)]
use crate::named_pipes as field;
#[cfg(unix)]
use crate::sockets as field;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u64>().expect("a number"));
    let time = Duration::from_secs(arguments.next().unwrap_or(10));
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let seed = arguments.next().unwrap_or(now.as_nanos() as u64);
    println!("on {BACKEND:?}, for {time:?}, seed {seed}");

    for known in known() {
        let Run { found, seen, .. } = run(known.example);
        if found.is_some() || !seen.contains(&known.name) {
            println!("{}: THIS DIFFERENCE IS MISSING, OR THERE IS ANOTHER: {found:#?}, {seen:?}", known.name);
            return ExitCode::FAILURE;
        }
    }

    let (mut lot, mut programs, mut steps) = (Lot(seed), 0, 0);
    let mut seen = vec![0; known().count()];
    let start = Instant::now();
    while start.elapsed() < time {
        let program = lot.program();
        let run = run(&program);
        programs += 1;
        steps += run.steps;
        for (count, known) in seen.iter_mut().zip(known()) {
            *count += run.seen.iter().filter(|name| **name == known.name).count();
        }
        let Some(once) = run.found else { continue };
        if let Some(difference) = shortest(&program) {
            println!("A DIFFERENCE, after {programs} programs. The shortest program that shows it:");
            difference.program().iter().enumerate().for_each(|(index, step)| println!("{index:4} {step:?}"));
            let Difference { ours, theirs, history, .. } = difference;
            println!("here: {ours:?}\nmio:  {theirs:?}\n{history:?}");
            return ExitCode::FAILURE;
        }
        println!("a difference that does not come each time: {once:?}");
    }
    println!("{programs} programs, {steps} steps, all alike except for known differences:");
    for (known, count) in known().zip(seen) {
        println!("{count:8} × {}: {}", known.name, known.reason);
    }
    ExitCode::SUCCESS
}
