//! The steps of a program, and how it is drawn at random.

use super::{BACKEND, Backend};
use crate::lot::Lot;

pub const SLOTS: usize = 3;
pub const POLLS: usize = 2;

/// What a slot may hold: a source, and its peer, which is a type of the standard library.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    Tcp,
    /// A stream that connects to an address at which nobody listens.
    Refused,
    Listener,
    Udp,
    Unix,
    Datagram,
    UnixListener,
    Sender,
    Receiver,
    /// The descriptor of a Unix stream, as a `SourceFd`.
    Descriptor,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Side {
    Read,
    Write,
    Both,
}

/// One step. The first number is that of the slot or, if there is no slot, of the poll. A step on an empty slot does nothing.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Open(usize, Kind),
    Close(usize),
    /// Slot, poll, and interests as bits: 1 readable, 2 writable, 4 priority. The token is the step's index.
    Register(usize, usize, u8),
    Reregister(usize, usize, u8),
    Deregister(usize, usize),
    /// Reads at most so many bytes, or a datagram, or accepts a connection.
    Read(usize, usize),
    /// Reads until it would block, ends or fails.
    ReadAll(usize),
    Write(usize, usize),
    WriteAll(usize),
    /// Writes so many slices of so many bytes.
    WriteVectored(usize, usize, usize),
    Peek(usize),
    /// Calls `try_io` with I/O that would block.
    TryIo(usize),
    TakeError(usize),
    Shutdown(usize, Side),
    /// Converts the source to a descriptor and back.
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

const LENGTH: usize = 60;

/// What the programs open.
const KINDS: &[Kind] = &[
    Kind::Tcp,
    Kind::Tcp,
    Kind::Tcp,
    Kind::Refused,
    Kind::Listener,
    Kind::Udp,
    Kind::Unix,
    Kind::Datagram,
    Kind::UnixListener,
    Kind::Sender,
    Kind::Receiver,
    Kind::Descriptor,
];

impl Lot {
    /// Returns a program, which begins with registered sources and polls often.
    pub fn program(&mut self) -> Vec<Step> {
        // On poll(2), a closed descriptor stays registered, and the other crate opens the next one with that number.
        let kinds: Vec<_> =
            KINDS.iter().copied().filter(|&kind| BACKEND == Backend::Epoll || kind != Kind::Descriptor).collect();
        let kinds = &kinds[..];
        let mut program = Vec::with_capacity(LENGTH);
        for slot in 0..SLOTS {
            program.push(Step::Open(slot, self.one_of(kinds)));
            program.push(Step::Register(slot, 0, self.interest()));
        }
        program.push(Step::MakeWaker(0));
        program.push(Step::Poll(0));
        while program.len() < LENGTH {
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
        // The second poll serves as the wrong one, but not on poll(2). There, a call with it leaves registrations in mio's
        // tables, which mio then takes for those of the next sources with these numbers.
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

impl Step {
    pub fn slot(self) -> Option<usize> {
        match self {
            Step::MakeWaker(_) | Step::DropWaker(_) | Step::Wake(_) | Step::Poll(_) => None,
            Step::Open(slot, _)
            | Step::Close(slot)
            | Step::Register(slot, ..)
            | Step::Reregister(slot, ..)
            | Step::Deregister(slot, _)
            | Step::Read(slot, _)
            | Step::ReadAll(slot)
            | Step::Write(slot, _)
            | Step::WriteAll(slot)
            | Step::WriteVectored(slot, ..)
            | Step::Peek(slot)
            | Step::TryIo(slot)
            | Step::TakeError(slot)
            | Step::Shutdown(slot, _)
            | Step::Convert(slot)
            | Step::PeerWrite(slot, _)
            | Step::PeerFill(slot)
            | Step::PeerRead(slot)
            | Step::PeerUrgent(slot)
            | Step::PeerShutdown(slot, _)
            | Step::PeerClose(slot)
            | Step::PeerReset(slot) => Some(slot),
        }
    }

    /// Returns whether events may carry its token from now on.
    pub fn registers(self) -> bool {
        matches!(self, Step::Register(..) | Step::Reregister(..))
    }
}
