//! The outcome of a step, in terms that both crates share.

use std::fmt;
use std::io::{self, ErrorKind};

use crate::field::Step;

/// The outcome of a step.
#[derive(Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The slot was empty.
    Idle,
    Count(usize),
    Failed(ErrorKind, Option<i32>),
    /// The events, sorted by token.
    Events(Vec<Told>),
}

/// What the events of one poll said for a token.
#[derive(Copy, Clone, PartialEq, Eq)]
pub struct Told {
    pub token: usize,
    pub hints: u8,
    pub events: usize,
}

pub const READABLE: u8 = 1;
pub const WRITABLE: u8 = 2;
pub const ERROR: u8 = 4;
pub const READ_CLOSED: u8 = 8;
pub const WRITE_CLOSED: u8 = 16;
pub const PRIORITY: u8 = 32;
const NAMES: [(u8, &str); 6] = [
    (READABLE, "readable"),
    (WRITABLE, "writable"),
    (ERROR, "error"),
    (READ_CLOSED, "read-closed"),
    (WRITE_CLOSED, "write-closed"),
    (PRIORITY, "priority"),
];

impl From<io::Result<usize>> for Outcome {
    fn from(result: io::Result<usize>) -> Outcome {
        result.map_or_else(|error| Outcome::Failed(error.kind(), error.raw_os_error()), Outcome::Count)
    }
}

impl Outcome {
    /// Adds what another poll told.
    pub fn add(&mut self, more: Outcome) {
        let (Outcome::Events(all), Outcome::Events(more)) = (self, more) else { return };
        for more in more {
            match all.binary_search_by_key(&more.token, |told| told.token) {
                Ok(index) => all[index].hints |= more.hints,
                Err(index) => all.insert(index, more),
            }
        }
    }
}

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Idle => f.write_str("nothing"),
            Outcome::Count(count) => write!(f, "Ok({count})"),
            Outcome::Failed(kind, Some(code)) => write!(f, "{kind:?} ({code})"),
            Outcome::Failed(kind, None) => write!(f, "{kind:?}"),
            Outcome::Events(told) => told.fmt(f),
        }
    }
}

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = NAMES.iter().filter(|(bit, _)| self.hints & bit != 0).map(|(_, name)| *name).collect();
        write!(f, "{}× {}: {}", self.events, self.token, names.join(" "))
    }
}

/// A crate under test, which does the steps.
pub trait Subject {
    fn new() -> Self;
    /// Does a step. Returns `None` if there is nothing to do it with.
    fn try_perform(&mut self, index: usize, step: Step) -> Option<Outcome>;

    fn perform(&mut self, index: usize, step: Step) -> Outcome {
        self.try_perform(index, step).unwrap_or(Outcome::Idle)
    }
}
