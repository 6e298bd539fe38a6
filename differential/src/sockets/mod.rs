//! Sockets and pipes of Unix-like systems, on epoll and on poll(2).

mod known;
mod steps;

use std::io::ErrorKind;
use std::time::Duration;

pub use self::known::{Known, known};
pub use self::steps::{Kind, POLLS, SLOTS, Side, Step};
use crate::outcome::{Outcome, READABLE, WRITABLE};

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Backend {
    Epoll,
    Poll,
}

/// The backend of both crates, chosen by the name that both know.
pub const BACKEND: Backend = if cfg!(mio_unsupported_force_poll_poll) { Backend::Poll } else { Backend::Epoll };

/// What has happened is told at once, to both.
pub const PATIENCE: Duration = Duration::ZERO;

/// What has happened in a slot, as far as a known difference may depend on it.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The polls with which the source is or was registered.
    pub registered: [bool; 2],
    /// A call with a poll with which the source is not registered has failed.
    pub misused: bool,
    pub converted: bool,
    pub urgent: bool,
    /// The peer has gone, or one of the two has closed a direction.
    pub closed: bool,
    /// Directions in which I/O would have blocked since their last event: [`READABLE`], [`WRITABLE`].
    pub blocked: u8,
    /// Directions that an event has reported since the registration.
    pub told: u8,
    pub interest: u8,
}

impl History {
    /// Notes an event.
    pub fn hear(&mut self, hints: u8) {
        self.told |= hints;
        self.blocked &= !hints;
    }

    /// Notes the outcome of a step.
    pub fn note(&mut self, _index: usize, step: Step, outcome: &Outcome) {
        let failed = matches!(outcome, Outcome::Failed(..));
        let blocked = matches!(outcome, Outcome::Failed(ErrorKind::WouldBlock, _));
        match step {
            Step::Open(..) | Step::Close(_) => *self = History::default(),
            Step::Register(_, poll, interest) | Step::Reregister(_, poll, interest) if !failed => {
                self.registered[poll] = true;
                (self.interest, self.blocked, self.told) = (interest, 0, 0);
            }
            Step::Deregister(_, poll) if !failed => self.registered[poll] = false,
            Step::Register(..) | Step::Reregister(..) | Step::Deregister(..) => self.misused = true,
            Step::Convert(_) => self.converted = true,
            Step::PeerUrgent(_) => self.urgent = true,
            Step::Shutdown(..) | Step::PeerShutdown(..) | Step::PeerClose(_) | Step::PeerReset(_) => self.closed = true,
            Step::Read(..) | Step::ReadAll(_) | Step::Peek(_) if blocked => self.blocked |= READABLE,
            Step::Write(..) | Step::WriteAll(_) | Step::WriteVectored(..) if blocked => self.blocked |= WRITABLE,
            Step::TryIo(_) => self.blocked |= READABLE | WRITABLE,
            _ => {}
        }
    }
}
