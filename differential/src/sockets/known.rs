//! The intended differences, each with its reason, which CHANGELOG.md gives as well.

use std::io::ErrorKind;

use super::{BACKEND, Backend, History, Kind, Side, Step};
use crate::compare::{Difference, hints};
use crate::outcome::{ERROR, Outcome, PRIORITY, READ_CLOSED, READABLE, WRITABLE, WRITE_CLOSED};

/// An intended difference.
pub struct Known {
    pub name: &'static str,
    pub reason: &'static str,
    /// The backends on which it shows.
    pub backends: &'static [Backend],
    pub debug_builds_only: bool,
    /// A program that shows it.
    pub example: &'static [Step],
    pub explains: fn(&Difference) -> bool,
    /// Whether the two may be in different states from then on, so that the program ends.
    pub ends: bool,
}

const BOTH: &[Backend] = &[Backend::Epoll, Backend::Poll];

/// Returns whether there was a wake since the last step that is the same as this one, a poll.
fn woken(difference: &Difference) -> bool {
    let since = difference.before.iter().rev().take_while(|step| **step != difference.step);
    since.into_iter().any(|step| matches!(step, Step::Wake(_)))
}

fn waker_dropped(difference: &Difference) -> bool {
    difference.before.iter().any(|step| matches!(step, Step::DropWaker(_)))
}

/// Returns the differences of this backend and this kind of build.
pub fn known() -> impl Iterator<Item = &'static Known> {
    MEANT
        .iter()
        .filter(|known| known.backends.contains(&BACKEND) && (cfg!(debug_assertions) || !known.debug_builds_only))
}

const MEANT: &[Known] = &[
    Known {
        name: "a hang-up is readable",
        reason: "a reader sees the end of the stream on every platform",
        backends: BOTH,
        debug_builds_only: false,
        example: &[Step::Open(0, Kind::Receiver), Step::Register(0, 0, 1), Step::PeerClose(0), Step::Poll(0)],
        explains: |difference| {
            let read_closed = |outcome: &Outcome| matches!(outcome, Outcome::Events(told) if told.iter().all(|told| told.hints & READ_CLOSED != 0));
            hints(difference).is_some_and(|(ours, theirs)| ours == READABLE && theirs & !WRITABLE == 0)
                && read_closed(&difference.ours)
                && read_closed(&difference.theirs)
        },
        ends: false,
    },
    Known {
        name: "misuse leaves the registration as it is",
        reason: "in debug builds, mio takes a source for unregistered after a failed deregistration with another queue",
        backends: BOTH,
        debug_builds_only: true,
        example: &[Step::Open(0, Kind::Udp), Step::Register(0, 0, 1), Step::Deregister(0, 1), Step::Deregister(0, 0)],
        explains: |difference| {
            // On poll(2), its I/O does not arm it again either.
            difference.history.misused && (BACKEND == Backend::Poll || !matches!(difference.step, Step::Poll(_)))
        },
        ends: true,
    },
    Known {
        name: "a source keeps its registration when it is converted",
        reason: "release builds do the same, because there only epoll knows of it",
        backends: &[Backend::Epoll],
        debug_builds_only: true,
        example: &[Step::Open(0, Kind::Receiver), Step::Register(0, 0, 1), Step::Convert(0), Step::Reregister(0, 0, 1)],
        explains: |difference| difference.history.converted,
        ends: true,
    },
    Known {
        name: "a wake is never lost to a change of registrations",
        reason: "neither is an event of a source; on poll(2), mio ends a wait for wakes and for changes by the same means",
        backends: &[Backend::Poll],
        debug_builds_only: false,
        example: &[Step::Open(0, Kind::Udp), Step::MakeWaker(0), Step::Wake(0), Step::Register(0, 0, 1), Step::Poll(0)],
        explains: |difference| {
            let nothing =
                |outcome: &Outcome| matches!(outcome, Outcome::Events(told) if told.iter().all(|told| told.hints == 0));
            woken(difference) && nothing(&difference.theirs)
        },
        ends: true,
    },
    Known {
        name: "a wake outlives its waker",
        reason: "the program asked for it while the waker lived, and must see what came before it",
        backends: &[Backend::Epoll],
        debug_builds_only: false,
        example: &[Step::MakeWaker(0), Step::Wake(0), Step::DropWaker(0), Step::Poll(0)],
        explains: |difference| {
            waker_dropped(difference)
                && difference.token == Some(usize::MAX)
                && hints(difference) == Some((READABLE, 0))
        },
        ends: true,
    },
    Known {
        name: "only the direction that blocked is armed again",
        reason: "a read's `WouldBlock` says nothing of writing",
        backends: &[Backend::Poll],
        debug_builds_only: false,
        example: &[Step::Open(0, Kind::Tcp), Step::Register(0, 0, 3), Step::Poll(0), Step::ReadAll(0), Step::Poll(0)],
        explains: |difference| {
            let History { blocked, told, .. } = difference.history;
            // An error or a hang-up that was reported is reported again as well.
            let (ours, theirs) = hints(difference).unwrap_or((!0, 0));
            ours == 0 && blocked != 0 && theirs & !told == 0 && theirs & blocked & (READABLE | WRITABLE) == 0
        },
        ends: false,
    },
    Known {
        name: "an end or urgent data that stays is reported only once",
        reason: "epoll does the same: a read that blocks changes nothing about it",
        backends: &[Backend::Poll],
        debug_builds_only: false,
        example: &[
            Step::Open(0, Kind::Tcp),
            Step::Register(0, 0, 1),
            Step::PeerShutdown(0, Side::Write),
            Step::Poll(0),
            Step::TryIo(0),
            Step::Poll(0),
        ],
        explains: |difference| {
            let told = difference.history.told;
            let (ours, theirs) = hints(difference).unwrap_or((!0, 0));
            told & (READ_CLOSED | PRIORITY) != 0 && ours == 0 && theirs & !told == 0
        },
        ends: false,
    },
    Known {
        name: "an event of an error reports everything that holds",
        reason: "epoll does the same; the meaning of an error depends on what comes with it",
        backends: &[Backend::Poll],
        debug_builds_only: false,
        example: &[
            Step::Open(0, Kind::Tcp),
            Step::Register(0, 0, 5),
            Step::Write(0, 2),
            Step::PeerUrgent(0),
            Step::Poll(0),
            Step::PeerClose(0),
            Step::Poll(0),
        ],
        explains: |difference| {
            let failed = |outcome: &Outcome| matches!(outcome, Outcome::Events(told) if told.iter().any(|told| told.hints & ERROR != 0));
            // By itself, this says that nobody reads any more.
            failed(&difference.ours) && hints(difference).is_some_and(|(_, theirs)| theirs & !WRITE_CLOSED == 0)
        },
        ends: false,
    },
    Known {
        name: "urgent data is reported as often as it comes",
        reason: "epoll does the same; mio reports only the first",
        backends: &[Backend::Poll],
        debug_builds_only: false,
        example: &[
            Step::Open(0, Kind::Tcp),
            Step::Register(0, 0, 5),
            Step::PeerUrgent(0),
            Step::PeerWrite(0, 4),
            Step::Poll(0),
            Step::Read(0, 5),
            Step::Poll(0),
            Step::PeerUrgent(0),
            Step::Poll(0),
        ],
        explains: |difference| {
            let (ours, theirs) = hints(difference).unwrap_or((!0, !0));
            difference.history.told & PRIORITY != 0
                && theirs == 0
                && ours & PRIORITY != 0
                && ours & !(READABLE | PRIORITY) == 0
        },
        ends: false,
    },
    Known {
        name: "a short read or write arms its direction again",
        reason: "readers and writers may rely on it with epoll",
        backends: &[Backend::Poll],
        debug_builds_only: false,
        example: &[
            Step::Open(0, Kind::Tcp),
            Step::Register(0, 0, 3),
            Step::PeerWrite(0, 2),
            Step::Poll(0),
            Step::Read(0, 8),
            Step::PeerWrite(0, 1),
            Step::Poll(0),
        ],
        explains: |difference| {
            let (ours, theirs) = hints(difference).unwrap_or((0, !0));
            difference.history.told != 0 && theirs == 0 && ours & !(READABLE | WRITABLE) == 0
        },
        ends: false,
    },
    Known {
        name: "urgent data that comes after a hang-up is reported",
        reason: "epoll does the same; mio has removed the registration",
        backends: &[Backend::Poll],
        debug_builds_only: false,
        example: &[
            Step::Open(0, Kind::Tcp),
            Step::Register(0, 0, 7),
            Step::Shutdown(0, Side::Both),
            Step::Poll(0),
            Step::PeerUrgent(0),
            Step::Read(0, 6),
            Step::Poll(0),
        ],
        explains: |difference| {
            let (ours, theirs) = hints(difference).unwrap_or((!0, !0));
            difference.history.told & (READ_CLOSED | WRITE_CLOSED) != 0
                && difference.history.urgent
                && theirs == 0
                && ours & PRIORITY != 0
                && ours & !(READABLE | PRIORITY) == 0
        },
        ends: false,
    },
    Known {
        name: "a registration outlives a hang-up",
        reason: "the program ends it, as on every other queue, and its calls do not fail until then",
        backends: &[Backend::Poll],
        debug_builds_only: false,
        example: &[
            Step::Open(0, Kind::Unix),
            Step::Register(0, 0, 3),
            Step::PeerClose(0),
            Step::Poll(0),
            Step::Reregister(0, 0, 3),
        ],
        explains: |difference| {
            difference.history.told & (ERROR | READ_CLOSED | WRITE_CLOSED) != 0
                && (matches!(difference.theirs, Outcome::Failed(ErrorKind::NotFound, _))
                    || matches!(difference.ours, Outcome::Failed(ErrorKind::AlreadyExists, _)))
        },
        ends: true,
    },
    Known {
        name: "a descriptor that was closed while registered is silent",
        reason: "epoll does the same; mio produces an event that says nothing",
        backends: &[Backend::Poll],
        debug_builds_only: false,
        example: &[Step::Open(0, Kind::Descriptor), Step::Register(0, 0, 3), Step::Close(0), Step::Poll(0)],
        explains: |difference| {
            matches!(&difference.ours, Outcome::Events(told) if told.is_empty())
                && matches!(&difference.theirs, Outcome::Events(told) if told.iter().all(|told| told.hints == 0))
        },
        ends: true,
    },
];
