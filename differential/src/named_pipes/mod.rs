//! Named pipes of Windows.

mod known;
mod steps;

use std::io::ErrorKind;
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

pub use self::known::{Known, known};
pub use self::steps::{Kind, POLLS, SLOTS, Step};
use crate::outcome::{Outcome, READABLE, WRITABLE};

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Backend {
    CompletionPort,
}

pub const BACKEND: Backend = Backend::CompletionPort;

/// How long the two may take to tell the same: operations take their time.
pub const PATIENCE: Duration = Duration::from_secs(1);

/// What the kernel keeps between two ends. No program's peers write as much.
pub const BUFFER: usize = 1 << 16;

/// What has happened in a slot, as far as a known difference may depend on it.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The token of the registration.
    pub token: Option<usize>,
    /// `connect` waits.
    pub waits: bool,
    /// It was registered while `connect` waited, which has not succeeded since.
    pub registered_while_waiting: bool,
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
    /// Directions that I/O has used up, with nothing since that could have made them ready anew.
    pub used: u8,
    /// How much the other end has written that was not read.
    unread: usize,
}

impl History {
    pub fn hear(&mut self, _hints: u8) {
        self.was_disconnected = false;
    }

    /// Notes the outcome of a step.
    pub fn note(&mut self, index: usize, step: Step, outcome: &Outcome) {
        match (step, outcome) {
            (Step::Open(..) | Step::Close(_), _) => *self = History::default(),
            (Step::Register(..) | Step::Reregister(..), Outcome::Count(_)) => {
                self.token = Some(index);
                self.found |= self.uninvited;
                self.registered_while_waiting |= self.waits;
            }
            (Step::Deregister(..), Outcome::Count(_)) => self.token = None,
            (Step::Read(..) | Step::ReadAll(_), outcome) => {
                self.found |= self.uninvited;
                let count = if let Outcome::Count(count) = outcome { *count } else { 0 };
                self.unread = self.unread.saturating_sub(count);
                if self.unread == 0 {
                    self.used |= READABLE;
                }
            }
            (Step::Write(_, length), Outcome::Count(_)) if length > BUFFER => {
                self.found |= self.uninvited;
                self.used |= WRITABLE;
            }
            (Step::Write(..) | Step::WriteVectored(..), _) => self.found |= self.uninvited,
            (Step::Connect(_), Outcome::Failed(ErrorKind::WouldBlock, _)) => self.waits = true,
            (Step::Connect(_), Outcome::Count(_)) => {
                (self.waits, self.registered_while_waiting, self.uninvited) = (false, false, false);
                self.disconnected = false;
            }
            (Step::Disconnect(_), Outcome::Count(_)) => {
                let (token, cancelled) = (self.token, self.cancelled);
                *self = History { token, cancelled, disconnected: true, was_disconnected: true, ..History::default() };
            }
            (Step::Cancel(_), _) => self.cancelled = true,
            (Step::PeerOpen(_), Outcome::Count(_)) => (self.uninvited, self.disconnected) = (!self.waits, false),
            (Step::PeerWrite(..), Outcome::Count(count @ 1..)) => {
                self.unread += count;
                self.used &= !READABLE;
            }
            (Step::PeerRead(_), Outcome::Count(_)) => self.used &= !WRITABLE,
            (Step::PeerDisconnect(_), Outcome::Count(_)) => (self.used, self.unread) = (0, 0),
            (Step::PeerClose(_), Outcome::Count(_)) => self.used = 0,
            _ => {}
        }
    }
}

/// Returns a name for a pipe of one crate or the other.
pub fn new_name() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    format!(r"\\.\pipe\mio-differential-{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}
