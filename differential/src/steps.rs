//! What a program is made of, and how one is drawn by lot.

use std::fmt;
use std::io::{self, ErrorKind};

use crate::compare::{BACKEND, Backend};

pub const SLOTS: usize = 3;
pub const POLLS: usize = 2;

/// What may be in a slot: a source, and its peer, which is of the standard library.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    Tcp,
    /// Nobody listens where it connects to.
    Refused,
    Listener,
    Udp,
    Unix,
    Datagram,
    UnixListener,
    Sender,
    Receiver,
    /// A descriptor by `SourceFd`, that of a Unix stream.
    Descriptor,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Side {
    Read,
    Write,
    Both,
}

/// One step. The first number is that of the slot, or of the poll if there is no slot. A step on an empty slot does nothing.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Open(usize, Kind),
    Close(usize),
    /// Slot, poll, interests as bits: 1 readable, 2 writable, 4 priority. The token is the step's index.
    Register(usize, usize, u8),
    Reregister(usize, usize, u8),
    Deregister(usize, usize),
    /// At most so many bytes; a datagram, a connection.
    Read(usize, usize),
    /// Until it would block, ends or fails.
    ReadAll(usize),
    Write(usize, usize),
    WriteAll(usize),
    /// So many slices of so many bytes.
    WriteVectored(usize, usize, usize),
    Peek(usize),
    /// `try_io` with I/O that would block.
    TryIo(usize),
    TakeError(usize),
    Shutdown(usize, Side),
    /// Out into a descriptor, and in again.
    Convert(usize),
    PeerWrite(usize, usize),
    PeerFill(usize),
    PeerRead(usize),
    PeerUrgent(usize),
    PeerShutdown(usize, Side),
    PeerClose(usize),
    /// Closes with a reset.
    PeerReset(usize),
    MakeWaker(usize),
    DropWaker(usize),
    Wake(usize),
    Poll(usize),
}

/// What became of a step.
#[derive(Clone, PartialEq, Eq)]
pub enum Outcome {
    /// There was nothing to do it with.
    Idle,
    Count(usize),
    Failed(ErrorKind, Option<i32>),
    /// Sorted by token.
    Events(Vec<Told>),
}

/// What the events of one poll said for a token.
#[derive(Copy, Clone, PartialEq, Eq)]
pub struct Told {
    pub token: usize,
    pub hints: u8,
    pub events: usize,
}

pub const HINTS: [&str; 6] = ["readable", "writable", "error", "read-closed", "write-closed", "priority"];
pub const READABLE: u8 = 1;
pub const WRITABLE: u8 = 2;
pub const ERROR: u8 = 4;
pub const READ_CLOSED: u8 = 8;
pub const WRITE_CLOSED: u8 = 16;

impl From<io::Result<usize>> for Outcome {
    fn from(result: io::Result<usize>) -> Outcome {
        result.map_or_else(|error| Outcome::Failed(error.kind(), error.raw_os_error()), Outcome::Count)
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
        let names: Vec<_> = HINTS.iter().enumerate().filter(|(bit, _)| self.hints >> bit & 1 != 0).collect();
        let names: Vec<_> = names.into_iter().map(|(_, name)| *name).collect();
        write!(f, "{}× {}: {}", self.events, self.token, names.join(" "))
    }
}

/// A crate under test: it does steps.
pub trait Subject {
    fn new() -> Self;
    fn perform(&mut self, index: usize, step: Step) -> Outcome;
}

/// SplitMix64.
pub struct Lot(pub u64);

impl Lot {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed >> 33) as usize % bound
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    /// A program of `length` steps: it begins with sources that are registered, and often polls.
    pub fn program(&mut self, length: usize, kinds: &[Kind]) -> Vec<Step> {
        // On poll(2), that of a closed one stays registered, and the next of that number is opened by the other crate.
        let kinds: Vec<_> =
            kinds.iter().copied().filter(|&kind| BACKEND == Backend::Epoll || kind != Kind::Descriptor).collect();
        let kinds = &kinds[..];
        let mut program = Vec::with_capacity(length);
        for slot in 0..SLOTS {
            program.push(Step::Open(slot, self.one_of(kinds)));
            program.push(Step::Register(slot, 0, self.interest()));
        }
        program.push(Step::MakeWaker(0));
        program.push(Step::Poll(0));
        while program.len() < length {
            program.push(self.step(kinds));
        }
        program
    }

    fn interest(&mut self) -> u8 {
        self.one_of(&[1, 1, 1, 2, 3, 3, 3, 3, 4, 5, 6, 7])
    }

    fn step(&mut self, kinds: &[Kind]) -> Step {
        const SIDES: [Side; 3] = [Side::Read, Side::Write, Side::Both];

        let slot = self.below(SLOTS);
        // The second poll is there to be the wrong one: not on poll(2), where a call with it leaves registrations in mio's tables
        // that are mistaken for those of the next sources with these numbers.
        let poll = usize::from(BACKEND == Backend::Epoll && self.below(8) == 0);
        match self.below(64) {
            0 => Step::Open(slot, self.one_of(kinds)),
            1 => Step::Close(slot),
            2..=4 => Step::Register(slot, poll, self.interest()),
            5..=8 => Step::Reregister(slot, poll, self.interest()),
            9 | 10 => Step::Deregister(slot, poll),
            11..=13 => Step::Read(slot, self.below(9)),
            14..=17 => Step::ReadAll(slot),
            18 | 19 => Step::Write(slot, self.below(9)),
            20..=22 => Step::WriteAll(slot),
            23 => Step::WriteVectored(slot, self.below(3), self.below(3)),
            24 => Step::Peek(slot),
            25 => Step::TryIo(slot),
            26 => Step::TakeError(slot),
            27 => Step::Shutdown(slot, self.one_of(&SIDES)),
            28 => Step::Convert(slot),
            29..=33 => Step::PeerWrite(slot, self.below(9)),
            34 => Step::PeerFill(slot),
            35 | 36 => Step::PeerRead(slot),
            37 => Step::PeerUrgent(slot),
            38 => Step::PeerShutdown(slot, self.one_of(&SIDES)),
            39 => Step::PeerClose(slot),
            40 => Step::PeerReset(slot),
            41 => Step::MakeWaker(poll),
            42 => Step::DropWaker(poll),
            43 | 44 => Step::Wake(poll),
            45 => Step::Poll(1),
            _ => Step::Poll(0),
        }
    }
}
