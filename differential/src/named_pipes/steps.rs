//! The steps of a program, and how it is drawn at random.

use crate::lot::Lot;

pub const SLOTS: usize = 2;
pub const POLLS: usize = 2;
const LENGTH: usize = 40;

/// What a slot may hold: one end of a pipe, and its peer, which is a type of the standard library.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A server, to which clients come by [`Step::PeerOpen`].
    Server,
    /// A client, and its server.
    Client,
}

/// One step. The first number is that of the slot or, if there is no slot, of the poll. A step on an empty slot does nothing.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Open(usize, Kind),
    Close(usize),
    /// Slot, poll, and interests as bits: 1 readable, 2 writable. The token is the step's index.
    Register(usize, usize, u8),
    Reregister(usize, usize, u8),
    Deregister(usize, usize),
    Connect(usize),
    Disconnect(usize),
    TakeError(usize),
    /// Cancels all operations without the crate's knowledge.
    Cancel(usize),
    /// Reads at most so many bytes.
    Read(usize, usize),
    /// Reads until it would block, ends or fails.
    ReadAll(usize),
    Write(usize, usize),
    WriteVectored(usize, usize, usize),
    PeerOpen(usize),
    PeerWrite(usize, usize),
    PeerRead(usize),
    /// The server disconnects the client.
    PeerDisconnect(usize),
    PeerClose(usize),
    Poll(usize),
}

impl Lot {
    /// Returns a program, which begins with sources, most of them registered, and polls often.
    pub fn program(&mut self) -> Vec<Step> {
        let mut program = Vec::with_capacity(LENGTH);
        for slot in 0..SLOTS {
            program.push(Step::Open(slot, self.kind()));
            if self.below(4) > 0 {
                program.push(Step::Register(slot, 0, self.interest()));
            }
        }
        while program.len() < LENGTH {
            program.push(self.step());
        }
        program
    }

    fn kind(&mut self) -> Kind {
        self.one_of(&[Kind::Server, Kind::Server, Kind::Client])
    }

    fn interest(&mut self) -> u8 {
        self.one_of(&[1, 2, 3, 3])
    }

    fn step(&mut self) -> Step {
        let slot = self.below(SLOTS);
        // The second poll serves as the wrong one.
        let poll = usize::from(self.below(12) == 0);
        match self.below(48) {
            0 => Step::Open(slot, self.kind()),
            1 => Step::Close(slot),
            2..=4 => Step::Register(slot, poll, self.interest()),
            5..=7 => Step::Reregister(slot, poll, self.interest()),
            8 => Step::Deregister(slot, poll),
            9..=12 => Step::Connect(slot),
            13 | 14 => Step::Disconnect(slot),
            15 => self.one_of(&[Step::TakeError(slot), Step::Cancel(slot)]),
            16..=18 => Step::Read(slot, self.one_of(&[0, 1, 8, 600])),
            19..=21 => Step::ReadAll(slot),
            22..=25 => Step::Write(slot, self.one_of(&[0, 1, 8, 600, 100_000])),
            26 => Step::WriteVectored(slot, self.below(3), self.below(3)),
            27..=29 => Step::PeerOpen(slot),
            30..=33 => Step::PeerWrite(slot, self.one_of(&[0, 1, 8, 600])),
            34 | 35 => Step::PeerRead(slot),
            36 => Step::PeerDisconnect(slot),
            37 => Step::PeerClose(slot),
            38 => Step::Poll(1),
            _ => Step::Poll(0),
        }
    }
}

impl Step {
    pub fn slot(self) -> Option<usize> {
        match self {
            Step::Poll(_) => None,
            Step::Open(slot, _)
            | Step::Close(slot)
            | Step::Register(slot, ..)
            | Step::Reregister(slot, ..)
            | Step::Deregister(slot, _)
            | Step::Connect(slot)
            | Step::Disconnect(slot)
            | Step::TakeError(slot)
            | Step::Cancel(slot)
            | Step::Read(slot, _)
            | Step::ReadAll(slot)
            | Step::Write(slot, _)
            | Step::WriteVectored(slot, ..)
            | Step::PeerOpen(slot)
            | Step::PeerWrite(slot, _)
            | Step::PeerRead(slot)
            | Step::PeerDisconnect(slot)
            | Step::PeerClose(slot) => Some(slot),
        }
    }

    /// Returns whether events may carry its token from now on.
    pub fn registers(self) -> bool {
        matches!(self, Step::Register(..) | Step::Reregister(..))
    }
}
