//! Runs random programs against a plain model, which says for every event whether it must come, may come or must not come.
//!
//! It finds a missed edge, an event after `deregister` or with an older token, an event of a direction that nobody asked for or
//! that is not ready, a one-shot that fires twice, a lost or invented wake, and a busy loop.
//!
//! | variable | meaning |
//! |---|---|
//! | `PROPTEST_CASES` | how many programs each test runs |
//! | `PROPTEST_RNG_SEED` | repeats a run; a failure prints the seed |
//! | `MIO_NIGHTLY` | a hundred times as many programs, and longer ones |
//!
//! If a program fails, the test cuts it down to a short one and prints that. It keeps the seed in `regressions.txt`, and tries
//! those first.

#![cfg(all(feature = "os-ext", feature = "net"))]

mod feed;
mod pair;
mod program;
#[path = "../queue/mod.rs"]
mod queue;
mod world;

use std::env;

use proptest::collection::vec;
use proptest::test_runner::{Config, FileFailurePersistence, RngSeed, TestError, TestRunner};

use program::{Step, step};

/// The most steps that a program has.
const STEPS: usize = 60;

fn nightly() -> bool {
    env::var_os("MIO_NIGHTLY").is_some()
}

fn steps() -> usize {
    if nightly() { 5 * STEPS } else { STEPS }
}

/// Returns a runner of `cases` programs, unless the environment says how many.
fn runner(cases: u32) -> TestRunner {
    let default = Config::default();
    let seed = match default.rng_seed {
        RngSeed::Fixed(seed) => seed,
        RngSeed::Random => std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), ()),
    };
    println!("PROPTEST_RNG_SEED={seed}");
    TestRunner::new(Config {
        cases: match env::var_os("PROPTEST_CASES") {
            Some(_) => default.cases,
            None if nightly() => 100 * cases,
            None => cases,
        },
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct("tests/model/regressions.txt"))),
        // A program that misses an event takes as long as the model waits for that event.
        max_shrink_time: 60_000,
        ..default
    })
}

#[track_caller]
fn pass<T: std::fmt::Debug>(result: Result<(), TestError<T>>) {
    if let Err(failure) = result {
        panic!("{failure}");
    }
}

#[test]
fn random_programs_get_the_events_that_they_must_and_no_others() {
    pass(runner(256).run(&vec(step(), 1..=steps()), |program: Vec<Step>| {
        world::run(&program);
        Ok(())
    }));
}

#[test]
fn random_programs_of_several_threads_get_the_events_that_they_must() {
    let programs = (vec(vec(step(), 1..=steps()), 2..=4), 1..=8_usize);
    pass(runner(64).run(&programs, |(programs, capacity)| {
        world::run_threads(&programs, capacity);
        Ok(())
    }));
}
