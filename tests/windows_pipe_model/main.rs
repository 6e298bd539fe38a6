//! Runs random programs on a named pipe against a plain model, which says what each call must return and which events must
//! come.
//!
//! It finds a missed edge, an event after `deregister` or of an older client, two events of one pipe in one poll, bytes that
//! are lost, doubled or of an older client, a call that fails without a cause, a hang, and a busy loop.
//!
//! | variable | meaning |
//! |---|---|
//! | `PROPTEST_CASES` | how many programs run |
//! | `PROPTEST_RNG_SEED` | repeats a run; each run prints its seed |
//! | `MIO_NIGHTLY` | a hundred times as many programs, and longer ones |

#![cfg(windows)]
#![allow(unsafe_code)]

mod world;

use std::env;
use std::hash::{BuildHasher, RandomState};

use mio::Interest;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Connect,
    Disconnect,
    TakeError,
    /// A client opens the pipe.
    Open,
    DropClient,
    /// Drops both ends, and begins with a new server.
    Renew,
    Register(usize, Interest),
    Reregister(usize, Interest),
    Deregister(usize),
    /// Tries to change the registration through another queue than its own.
    Misuse(usize),
    Read(usize, usize),
    Write(usize, usize),
    /// Polls once without blocking.
    Poll,
    /// Polls until all events that must come have come, and then until none does.
    Settle,
    /// Reads until everything that was written has arrived.
    Exchange,
}

fn step() -> impl Strategy<Value = Step> {
    let end = || 0..2_usize;
    let interest = || {
        let (read, write) = (Interest::READABLE, Interest::WRITABLE);
        prop_oneof![1 => Just(read), 1 => Just(write), 3 => Just(read | write)]
    };
    let length = || prop_oneof![8 => 1..=64_usize, 1 => Just(100_000_usize)];
    prop_oneof![
        6 => Just(Step::Connect),
        3 => Just(Step::Disconnect),
        1 => Just(Step::TakeError),
        6 => Just(Step::Open),
        3 => Just(Step::DropClient),
        1 => Just(Step::Renew),
        6 => (end(), interest()).prop_map(|(end, interest)| Step::Register(end, interest)),
        3 => (end(), interest()).prop_map(|(end, interest)| Step::Reregister(end, interest)),
        1 => end().prop_map(Step::Deregister),
        1 => end().prop_map(Step::Misuse),
        6 => (end(), 1..=4096_usize).prop_map(|(end, length)| Step::Read(end, length)),
        8 => (end(), length()).prop_map(|(end, length)| Step::Write(end, length)),
        6 => Just(Step::Poll),
        3 => Just(Step::Settle),
        2 => Just(Step::Exchange),
    ]
}

#[test]
fn random_programs_get_the_results_and_events_that_they_must() {
    let default = Config::default();
    let nightly = env::var_os("MIO_NIGHTLY").is_some();
    let seed = match default.rng_seed {
        RngSeed::Fixed(seed) => seed,
        RngSeed::Random => RandomState::new().hash_one(()),
    };
    println!("PROPTEST_RNG_SEED={seed}");
    let mut runner = TestRunner::new(Config {
        cases: match env::var_os("PROPTEST_CASES") {
            Some(_) => default.cases,
            None if nightly => 15_000,
            None => 150,
        },
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        max_shrink_time: 60_000,
        ..default
    });
    let steps = if nightly { 300 } else { 60 };
    let result = runner.run(&vec(step(), 1..=steps), |program| {
        world::run(&program);
        Ok(())
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
}
