//! Code that the tests share. The tests themselves are in `tests/`: each runs a program or a library from crates.io that was
//! written for mio, on this crate in mio's place, and compares what arrives byte by byte.

use std::fmt::Debug;
use std::future::Future;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

// This does not compile with any other mio, because only this one has these items. `ci/compat` shows that there is no other mio
// in the tree.
const _: bool = mio::Poll::SHORT_IO_DRAINS;
const _: mio::Trigger = mio::Trigger::Edge;

/// How long a test waits for what must come before it fails. Only a hang takes that long.
pub const PATIENCE: Duration = Duration::from_secs(100);

/// Returns bytes in which a missing, doubled or swapped one shows. Each `seed` yields other bytes.
pub fn pattern(seed: u64, length: usize) -> Vec<u8> {
    // SplitMix64.
    let mut state = seed;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bytes.extend_from_slice(&(mixed ^ (mixed >> 27)).to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// Asserts that all bytes are right, without printing a megabyte if they are not.
#[track_caller]
pub fn assert_bytes(arrived: &[u8], sent: &[u8]) {
    let wrong = arrived.iter().zip(sent).position(|(a, b)| a != b);
    assert_eq!((wrong, arrived.len()), (None, sent.len()), "(first wrong byte, length)");
}

/// Runs `scenario` to its end on each of Tokio's runtimes.
pub fn on_both_runtimes<Scenario>(scenario: impl Fn() -> Scenario)
where
    Scenario: Future,
    Scenario::Output: Debug,
{
    let run = |name: &str, runtime: Runtime| {
        eprintln!("on the {name} runtime");
        runtime.block_on(async { tokio::time::timeout(PATIENCE, scenario()).await }).expect("it hangs");
    };
    run("current-thread", Builder::new_current_thread().enable_all().build().unwrap());
    run("multi-thread", Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap());
}

/// Allows this process as many open files as it may have.
#[cfg(unix)]
pub fn raise_the_limit_of_open_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};

    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
}

/// Windows has no such limit.
#[cfg(windows)]
pub fn raise_the_limit_of_open_files() {}
