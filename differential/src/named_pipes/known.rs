//! The intended differences, each with its reason, which CHANGELOG.md gives as well.

use std::io::ErrorKind;

use super::{History, Kind, Step};
use crate::compare::{Difference, hints};
use crate::outcome::{Outcome, READ_CLOSED, READABLE, WRITABLE};

/// An intended difference.
pub struct Known {
    pub name: &'static str,
    pub reason: &'static str,
    /// A program that shows it.
    pub example: &'static [Step],
    pub explains: fn(&Difference) -> bool,
    /// Whether the two may be in different states from then on, so that the program ends.
    pub ends: bool,
}

pub fn known() -> impl Iterator<Item = &'static Known> {
    MEANT.iter()
}

/// Returns the directions that the interests do not name.
fn unwanted(difference: &Difference) -> u8 {
    (READABLE | WRITABLE) & !difference.history.interest
}

/// Returns the directions in which there was I/O since the last poll, and nothing from the other end since.
fn used(difference: &Difference) -> u8 {
    let slot = difference.token.and_then(|token| difference.before.get(token)?.slot());
    let since = difference.before.iter().rev().take_while(|step| **step != difference.step);
    let of_slot: Vec<_> = since.filter(|step| step.slot() == slot).collect();
    let is_last = |ours: fn(&Step) -> bool, peers: fn(&Step) -> bool| {
        of_slot.iter().find(|step| ours(step) || peers(step)).is_some_and(|step| ours(step))
    };
    let read = is_last(
        |step| matches!(step, Step::Read(..) | Step::ReadAll(_)),
        |step| matches!(step, Step::PeerWrite(..) | Step::PeerDisconnect(_) | Step::PeerClose(_)),
    );
    let written = is_last(
        |step| matches!(step, Step::Write(..) | Step::WriteVectored(..)),
        |step| matches!(step, Step::PeerRead(_) | Step::PeerDisconnect(_) | Step::PeerClose(_)),
    );
    (u8::from(read) * READABLE) | (u8::from(written) * WRITABLE)
}

const MEANT: &[Known] = &[
    Known {
        name: "the end is read-closed",
        reason: "it is readable as well, as on every platform",
        example: &[Step::Open(0, Kind::Client), Step::Register(0, 0, 1), Step::PeerClose(0), Step::Poll(0)],
        explains: |difference| {
            hints(difference).is_some_and(|(ours, theirs)| ours == READ_CLOSED && theirs & !unwanted(difference) == 0)
        },
        ends: false,
    },
    Known {
        name: "an event reports only what the interests name",
        reason: "every other source does the same; mio reports both directions",
        example: &[Step::Open(0, Kind::Client), Step::Register(0, 0, 1), Step::Poll(0)],
        explains: |difference| {
            hints(difference).is_some_and(|(ours, theirs)| ours == 0 && theirs & !unwanted(difference) == 0)
        },
        ends: false,
    },
    Known {
        name: "an event reports what holds at the time of the poll",
        reason: "the event is spurious if the program has used that up in the meantime",
        example: &[Step::Open(0, Kind::Client), Step::Register(0, 0, 2), Step::Write(0, 100_000), Step::Poll(0)],
        explains: |difference| {
            hints(difference)
                .is_some_and(|(ours, theirs)| ours == 0 && theirs & !(unwanted(difference) | used(difference)) == 0)
        },
        ends: false,
    },
    Known {
        name: "an event has the token of the latest registration",
        reason: "every other source does the same; mio may report an earlier token, even after the registration has ended",
        example: &[Step::Open(0, Kind::Client), Step::Register(0, 0, 3), Step::Reregister(0, 0, 3), Step::Poll(0)],
        explains: |difference| {
            hints(difference).is_some_and(|(ours, _)| ours == 0) && difference.token != difference.history.token
        },
        ends: false,
    },
    Known {
        name: "the arrival of a client is reported while something is being written",
        reason: "the end of the wait is news; mio reports it when the write completes",
        example: &[
            Step::Open(0, Kind::Server),
            Step::Register(0, 0, 3),
            Step::Connect(0),
            Step::PeerOpen(0),
            Step::Write(0, 100_000),
            Step::Poll(0),
        ],
        explains: |difference| {
            difference.history.waits
                && hints(difference).is_some_and(|(ours, theirs)| ours & WRITABLE != 0 && theirs == 0)
        },
        ends: true,
    },
    Known {
        name: "a deregistered pipe keeps working",
        reason: "a socket does the same; reads and writes complete without events",
        example: &[Step::Open(0, Kind::Client), Step::Register(0, 0, 3), Step::Deregister(0, 0), Step::Write(0, 8)],
        explains: |difference| {
            let io = matches!(
                difference.step,
                Step::Connect(_) | Step::Read(..) | Step::ReadAll(_) | Step::Write(..) | Step::WriteVectored(..)
            );
            let failed = matches!(difference.theirs, Outcome::Failed(ErrorKind::NotFound | ErrorKind::WouldBlock, _));
            difference.history.deregistered
                && (io && failed || hints(difference).is_some_and(|(_, theirs)| theirs & !unwanted(difference) == 0))
        },
        ends: true,
    },
    Known {
        name: "a disconnected pipe is silent",
        reason: "before the next client there is nobody to read from or to write to, and no error",
        example: &[
            Step::Open(0, Kind::Server),
            Step::PeerOpen(0),
            Step::Disconnect(0),
            Step::Register(0, 0, 3),
            Step::Poll(0),
        ],
        explains: |difference| {
            let blocks = matches!(difference.ours, Outcome::Failed(ErrorKind::WouldBlock, _));
            let told = hints(difference).is_some_and(|(ours, _)| ours == 0);
            let History { disconnected, was_disconnected, .. } = difference.history;
            let late = hints(difference)
                .is_some_and(|(ours, theirs)| ours == 0 && theirs & !(READABLE | unwanted(difference)) == 0);
            let read = matches!(difference.step, Step::Read(..) | Step::ReadAll(_));
            disconnected && (told || blocks && read) || was_disconnected && late
        },
        ends: true,
    },
    Known {
        name: "a read that other code cancels starts again",
        reason: "nothing is lost by that; an event reports a cancelled connect, and the next connect forgets it",
        example: &[Step::Open(0, Kind::Client), Step::Register(0, 0, 3), Step::Poll(0), Step::Cancel(0), Step::Poll(0)],
        explains: |difference| {
            let spurious = READABLE | unwanted(difference) | used(difference);
            let told = hints(difference).is_some_and(|(_, theirs)| theirs & !spurious == 0);
            let read = matches!(difference.step, Step::Read(..) | Step::ReadAll(_));
            let forgotten = matches!(difference.step, Step::TakeError(_));
            difference.history.cancelled && (told || read || forgotten)
        },
        ends: true,
    },
    Known {
        name: "a client that has ended a wait is read from once its event is reported",
        reason: "the wait ends with that event; mio's reregister reads earlier",
        example: &[
            Step::Open(0, Kind::Server),
            Step::Register(0, 0, 3),
            Step::Connect(0),
            Step::PeerOpen(0),
            Step::PeerClose(0),
            Step::Reregister(0, 0, 1),
            Step::Read(0, 600),
        ],
        explains: |difference| {
            let blocks = matches!(difference.ours, Outcome::Failed(ErrorKind::WouldBlock, _));
            let read = matches!(difference.step, Step::Read(..) | Step::ReadAll(_));
            difference.history.waits && blocks && read
        },
        ends: true,
    },
    Known {
        name: "disconnect ends a wait for a client",
        reason: "the next connect waits again; Wine says that there is no client, and mio keeps waiting",
        example: &[Step::Open(0, Kind::Server), Step::Register(0, 0, 1), Step::Connect(0), Step::Disconnect(0)],
        explains: |difference| {
            matches!(difference.step, Step::Disconnect(_))
                && difference.history.waits
                && difference.ours == Outcome::Count(0)
        },
        ends: true,
    },
    Known {
        name: "a client is found without connect",
        reason: "register, reregister, read and write find it; mio learns of it only from connect",
        example: &[
            Step::Open(0, Kind::Server),
            Step::Register(0, 0, 3),
            Step::PeerOpen(0),
            Step::PeerWrite(0, 8),
            Step::Read(0, 8),
            Step::Poll(0),
        ],
        explains: |difference| {
            let History { uninvited, found, .. } = difference.history;
            let told = hints(difference).is_some_and(|(_, theirs)| theirs & !unwanted(difference) == 0);
            let blocks = matches!(difference.theirs, Outcome::Failed(ErrorKind::WouldBlock, _));
            let read = matches!(difference.step, Step::Read(..) | Step::ReadAll(_));
            (uninvited || found) && told || read && (found || uninvited && blocks)
        },
        ends: true,
    },
];
