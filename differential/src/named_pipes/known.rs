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

const MEANT: &[Known] = &[
    Known {
        name: "the end is read-closed",
        reason: "it is readable as well, as on every platform",
        example: &[Step::Open(0, Kind::Client), Step::Register(0, 0, 1), Step::PeerClose(0), Step::Poll(0)],
        explains: |difference| hints(difference).is_some_and(|(ours, theirs)| ours == READ_CLOSED && theirs == 0),
        ends: false,
    },
    Known {
        name: "an event reports what holds at the time of the poll",
        reason: "the event is spurious if the program has used that up in the meantime",
        example: &[Step::Open(0, Kind::Client), Step::Register(0, 0, 2), Step::Write(0, 100_000), Step::Poll(0)],
        explains: |difference| {
            hints(difference).is_some_and(|(ours, theirs)| ours == 0 && theirs & !difference.history.used == 0)
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
            let History { waits, used, cancelled, .. } = difference.history;
            let told = hints(difference).is_some_and(|(ours, theirs)| ours & WRITABLE != 0 && theirs == 0);
            waits && !cancelled && used & WRITABLE != 0 && told
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
        name: "a read that other code cancels starts again",
        reason: "nothing is lost by that; mio's next read returns the error",
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
        name: "an event reports that connect has failed",
        reason: "the documentation promises it, and a program that waits for it would wait forever; mio is silent",
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
        name: "a client that has ended a wait is read from once its event is reported",
        reason: "the wait ends with that event, which also reports that there is something to read; mio's reregister reads earlier",
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
            let told = hints(difference).is_some_and(|(_, theirs)| theirs == 0);
            let blocks = matches!(difference.theirs, Outcome::Failed(ErrorKind::WouldBlock, _));
            let read = matches!(difference.step, Step::Read(..) | Step::ReadAll(_));
            (uninvited || found) && told || read && (found || uninvited && blocks)
        },
        ends: true,
    },
];
