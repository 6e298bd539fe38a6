//! The differences that are meant, each with its reason, which CHANGELOG.md gives as well.

use std::io::ErrorKind;

use super::{History, Kind, Step};
use crate::compare::{Difference, hints};
use crate::outcome::{Outcome, READ_CLOSED, READABLE, WRITABLE};

/// A difference that is meant.
pub struct Known {
    pub name: &'static str,
    pub reason: &'static str,
    /// A program that shows it.
    pub example: &'static [Step],
    pub explains: fn(&Difference) -> bool,
    /// The two may be in different states from then on: the program ends.
    pub ends: bool,
}

pub fn known() -> impl Iterator<Item = &'static Known> {
    MEANT.iter()
}

const MEANT: &[Known] = &[
    Known {
        name: "the end is read-closed",
        reason: "as well as readable, as on every platform",
        example: &[Step::Open(0, Kind::Client), Step::Register(0, 0, 1), Step::PeerClose(0), Step::Poll(0)],
        explains: |difference| hints(difference).is_some_and(|(ours, theirs)| ours == READ_CLOSED && theirs == 0),
        ends: false,
    },
    Known {
        name: "an event tells of what holds when it is polled",
        reason: "it is spurious if the program has used that up in the meantime",
        example: &[Step::Open(0, Kind::Client), Step::Register(0, 0, 2), Step::Write(0, 100_000), Step::Poll(0)],
        explains: |difference| {
            hints(difference).is_some_and(|(ours, theirs)| ours == 0 && theirs & !difference.history.used == 0)
        },
        ends: false,
    },
    Known {
        name: "an event has the token of the latest registration",
        reason: "as with every other source; mio may tell of a former one, too, and after the end of the registration",
        example: &[Step::Open(0, Kind::Client), Step::Register(0, 0, 3), Step::Reregister(0, 0, 3), Step::Poll(0)],
        explains: |difference| {
            hints(difference).is_some_and(|(ours, _)| ours == 0) && difference.token != difference.history.token
        },
        ends: false,
    },
    Known {
        name: "a client that has come is told of while something is written",
        reason: "that waiting is over is news; mio tells when it is written",
        example: &[
            Step::Open(0, Kind::Server),
            Step::Register(0, 0, 3),
            Step::Connect(0),
            Step::PeerOpen(0),
            Step::Write(0, 100_000),
            Step::Poll(0),
        ],
        explains: |difference| {
            let History { waits, used, .. } = difference.history;
            let told = hints(difference).is_some_and(|(ours, theirs)| ours & WRITABLE != 0 && theirs == 0);
            waits && used & WRITABLE != 0 && told
        },
        ends: true,
    },
    Known {
        name: "a disconnected pipe is silent",
        reason: "nobody is there to read from or to write to, nor is an error, before the next client",
        example: &[
            Step::Open(0, Kind::Server),
            Step::PeerOpen(0),
            Step::Disconnect(0),
            Step::Register(0, 0, 3),
            Step::Poll(0),
        ],
        explains: |difference| {
            let nothing = matches!(difference.ours, Outcome::Failed(ErrorKind::WouldBlock | ErrorKind::NotFound, _));
            let told = hints(difference).is_some_and(|(ours, _)| ours == 0);
            let History { disconnected, was_disconnected, .. } = difference.history;
            let late = hints(difference).is_some_and(|(ours, theirs)| ours == 0 && theirs == READABLE);
            let read = matches!(difference.step, Step::Read(..) | Step::ReadAll(_));
            disconnected && (told || nothing && read) || was_disconnected && late
        },
        ends: true,
    },
    Known {
        name: "a read that somebody else cancels begins anew",
        reason: "nothing is lost by it; mio's next read returns the error",
        example: &[Step::Open(0, Kind::Client), Step::Register(0, 0, 3), Step::Poll(0), Step::Cancel(0), Step::Poll(0)],
        explains: |difference| {
            let History { cancelled, used, .. } = difference.history;
            let told = hints(difference)
                .is_some_and(|(ours, theirs)| (ours | theirs & !used) & !(READABLE | READ_CLOSED) == 0);
            let read = matches!(difference.step, Step::Read(..) | Step::ReadAll(_));
            cancelled && (told || read)
        },
        ends: true,
    },
    Known {
        name: "an event tells that connect has failed",
        reason: "the documentation promises it, and a program that waits for it would wait for ever; mio is silent",
        example: &[
            Step::Open(0, Kind::Server),
            Step::Register(0, 0, 3),
            Step::Connect(0),
            Step::Cancel(0),
            Step::Poll(0),
        ],
        explains: |difference| {
            let History { cancelled, waits, .. } = difference.history;
            cancelled && waits && hints(difference) == Some((WRITABLE, 0))
        },
        ends: false,
    },
    Known {
        name: "a connect that waits forgets the error of the one before",
        reason: "an error means that there is no client; mio returns it even when the new connect has found one",
        example: &[
            Step::Open(0, Kind::Server),
            Step::Register(0, 0, 3),
            Step::Connect(0),
            Step::Cancel(0),
            Step::Poll(0),
            Step::Connect(0),
            Step::PeerOpen(0),
            Step::Poll(0),
            Step::TakeError(0),
        ],
        explains: |difference| {
            matches!(difference.step, Step::TakeError(_))
                && difference.history.cancelled
                && difference.ours == Outcome::Count(0)
        },
        ends: false,
    },
    Known {
        name: "a client that a wait has brought is read from when the wait is over",
        reason: "its event, which is under way, tells that there is something to read, too; mio's reregister begins to read before",
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
            matches!(difference.step, Step::Read(..) | Step::ReadAll(_)) && difference.history.registered_while_waiting
        },
        ends: true,
    },
    Known {
        name: "disconnect ends a wait for a client",
        reason: "the next connect waits anew; Wine says that there is no client, and mio goes on waiting",
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
        reason: "by register, reregister, read and write; mio hears of it when connect is called",
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
            let told = hints(difference).is_some_and(|(_, theirs)| theirs == 0);
            let blocks = matches!(difference.theirs, Outcome::Failed(ErrorKind::WouldBlock, _));
            let read = matches!(difference.step, Step::Read(..) | Step::ReadAll(_));
            (uninvited || found) && told || read && (found || uninvited && blocks)
        },
        ends: true,
    },
];
