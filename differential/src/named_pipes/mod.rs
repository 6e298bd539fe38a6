//! Named pipes of Windows.

mod known;
mod steps;

use std::io::ErrorKind;
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};

pub use self::known::known;
pub use self::steps::{Kind, POLLS, SLOTS, Step};
use crate::outcome::Outcome;

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Backend {
    CompletionPort,
}

pub const BACKEND: Backend = Backend::CompletionPort;

/// What has happened in a slot, as far as a known difference may depend on it.
#[derive(Clone, Debug, Default)]
pub struct History {
    pub interest: u8,
    /// The token of the registration.
    pub token: Option<usize>,
    /// The pipe was deregistered at least once.
    pub deregistered: bool,
    /// `connect` waits.
    pub waits: bool,
    /// A client has come to a server that did not wait.
    pub uninvited: bool,
    /// That client was found without `connect`.
    pub found: bool,
    /// The server has disconnected, and no client has come since.
    pub disconnected: bool,
    /// The server has disconnected, and no event has come since.
    pub was_disconnected: bool,
    /// The pipe's operations were cancelled at least once.
    pub cancelled: bool,
}

impl History {
    pub fn hear(&mut self, _hints: u8) {
        self.was_disconnected = false;
    }

    /// Notes the outcome of a step.
    pub fn note(&mut self, index: usize, step: Step, outcome: &Outcome) {
        match (step, outcome) {
            (Step::Open(..) | Step::Close(_), _) => *self = History::default(),
            (Step::Register(_, _, interest) | Step::Reregister(_, _, interest), Outcome::Count(_)) => {
                (self.interest, self.token) = (interest, Some(index));
                self.found |= self.uninvited;
            }
            (Step::Deregister(..), Outcome::Count(_)) => (self.token, self.deregistered) = (None, true),
            (Step::Read(..) | Step::ReadAll(_) | Step::Write(..) | Step::WriteVectored(..), _) => {
                self.found |= self.uninvited;
            }
            (Step::Connect(_), Outcome::Failed(ErrorKind::WouldBlock, _)) => self.waits = true,
            (Step::Connect(_) | Step::Disconnect(_), Outcome::Count(_)) => {
                (self.waits, self.uninvited) = (false, false);
                self.disconnected = matches!(step, Step::Disconnect(_));
                self.found &= !self.disconnected;
                self.was_disconnected |= self.disconnected;
            }
            (Step::Cancel(_), _) => self.cancelled = true,
            (Step::PeerOpen(_), Outcome::Count(_)) => (self.uninvited, self.disconnected) = (!self.waits, false),
            _ => {}
        }
    }
}

/// Returns a name for a pipe of one crate or the other.
pub fn new_name() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    format!(r"\\.\pipe\mio-differential-{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}
