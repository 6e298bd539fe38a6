//! Triggers for the queues that only report what *is*, in the words of `poll(2)`: poll(2) itself and event ports.
//!
//! Edges are made of it: a direction that was reported is not asked for again until I/O has said `WouldBlock` in that
//! direction, or until `reregister`.

use std::fmt;
use std::os::fd::RawFd;
use std::sync::{Arc, Weak};

#[cfg(not(target_os = "espidf"))]
pub(super) use libc::POLLNVAL;
#[cfg(not(target_os = "wasi"))]
use libc::POLLPRI;
use libc::{POLLERR, POLLHUP, POLLIN, POLLOUT};

use super::{Flags, Spent, Watch};
use crate::event::{Readiness, write_names};
use crate::{Interest, Trigger};

/// The peer has shut its writing side: told with the read direction where the OS has a flag for it.
#[cfg(any(target_os = "android", target_os = "freebsd", target_os = "illumos", target_os = "linux"))]
const POLLRDHUP: i16 = libc::POLLRDHUP;
#[cfg(not(any(target_os = "android", target_os = "freebsd", target_os = "illumos", target_os = "linux")))]
const POLLRDHUP: i16 = 0;

/// Urgent data: WASI knows none.
#[cfg(target_os = "wasi")]
const POLLPRI: i16 = 0;

/// The descriptor is invalid: not told by ESP-IDF.
#[cfg(target_os = "espidf")]
pub(super) const POLLNVAL: i16 = 0;

/// What a registration asks the OS for: directions, or nothing at all while it is mute. With no directions, hang-ups
/// and errors may still be told.
pub(super) type Asked = Option<i16>;

/// An interest in the OS's words. `POLLERR` and `POLLHUP` come unasked.
pub(super) fn directions(interest: Interest) -> i16 {
    let mut directions = 0;
    if interest.is_readable() {
        directions |= POLLIN | POLLRDHUP;
    }
    if interest.is_writable() {
        directions |= POLLOUT;
    }
    if interest.is_priority() {
        directions |= POLLPRI;
    }
    directions
}

/// Of what the OS `said`, what is news to a registration that asks for `asked`: it may have been told to watch less in
/// the meantime. Zero if there is none.
pub(super) fn news(asked: Asked, said: i16) -> i16 {
    asked.map_or(0, |asked| said & (asked | POLLERR | POLLHUP))
}

/// What to ask for after an event with the flags `told`.
pub(super) fn after_event(trigger: Trigger, asked: i16, told: i16) -> Asked {
    match trigger {
        Trigger::Level => Some(asked),
        Trigger::OneShot => None,
        // Errors and hang-ups come unasked, and would come again and again.
        _ if told & (POLLERR | POLLHUP) != 0 => None,
        _ if told & (POLLIN | POLLRDHUP) != 0 => Some(asked & !(POLLIN | POLLRDHUP | told)),
        _ => Some(asked & !told),
    }
}

/// What to ask for after I/O has used up what is `spent`.
pub(super) fn after_io(watch: &Watch, asked: Asked, spent: Spent) -> Asked {
    match (watch.trigger, spent) {
        (Trigger::Level | Trigger::OneShot, _) | (_, Spent::Error) => asked,
        (_, Spent::Readiness(blocked)) => Some(asked.unwrap_or(0) | directions(blocked) & directions(watch.interest)),
    }
}

/// A table of registrations, to which those of the sources lead back.
pub(crate) trait Registrations {
    /// Ends the registration of `fd`, if it is the one with that id.
    fn end(&self, fd: RawFd, id: u64);
}

/// A source's part of a registration: what re-arms it, and what ends it when the source is dropped.
pub(crate) struct Registration<R: Registrations> {
    pub(super) queue: Weak<R>,
    pub(super) fd: RawFd,
    pub(super) id: u64,
}

impl<R: Registrations> Registration<R> {
    /// Whether the source is registered with a queue other than this.
    pub(super) fn is_with_another(&self, queue: &Arc<R>) -> bool {
        self.queue.strong_count() > 0 && self.queue.as_ptr() != Arc::as_ptr(queue)
    }

    /// Makes dropping it do nothing.
    pub(super) fn forget(mut self) {
        self.queue = Weak::new();
    }
}

impl<R: Registrations> Default for Registration<R> {
    fn default() -> Self {
        Registration { queue: Weak::new(), fd: -1, id: 0 }
    }
}

impl<R: Registrations> Drop for Registration<R> {
    fn drop(&mut self) {
        if let Some(queue) = self.queue.upgrade() {
            queue.end(self.fd, self.id);
        }
    }
}

impl<R: Registrations> fmt::Debug for Registration<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration").field("fd", &self.fd).field("id", &self.id).finish_non_exhaustive()
    }
}

/// `POLLIN` and its like.
#[derive(Copy, Clone)]
pub(crate) struct PollFlags(pub(super) i16);

impl PollFlags {
    #[cfg(fuzzing)]
    pub(crate) fn from_bits(bits: u32) -> PollFlags {
        PollFlags(bits as i16)
    }

    #[inline]
    fn any(self, flags: i16) -> bool {
        self.0 & flags != 0
    }
}

impl Flags for PollFlags {
    const WOKEN: PollFlags = PollFlags(POLLIN);

    #[inline]
    fn readiness(self) -> Readiness {
        let error = self.any(POLLERR | POLLNVAL);
        // Hang-up: both directions are closed, and reading gives the end of the stream.
        let hung_up = self.any(POLLHUP);
        Readiness::EMPTY
            .with(Readiness::READABLE, self.any(POLLIN | POLLRDHUP | POLLHUP))
            .with(Readiness::WRITABLE, self.any(POLLOUT))
            .with(Readiness::ERROR, error)
            .with(Readiness::READ_CLOSED, self.any(POLLRDHUP | POLLHUP))
            .with(Readiness::WRITE_CLOSED, hung_up || error && (self.any(POLLOUT) || self.0 == POLLERR))
            .with(Readiness::PRIORITY, self.any(POLLPRI))
    }
}

impl fmt::Debug for PollFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            (self.any(POLLIN), "POLLIN"),
            (self.any(POLLPRI), "POLLPRI"),
            (self.any(POLLOUT), "POLLOUT"),
            (self.any(POLLRDHUP), "POLLRDHUP"),
            (self.any(POLLERR), "POLLERR"),
            (self.any(POLLHUP), "POLLHUP"),
            (self.any(POLLNVAL), "POLLNVAL"),
        ];
        write_names(f, &names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Token;

    const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

    fn watch(interest: Interest, trigger: Trigger) -> Watch {
        Watch { token: Token(0), interest, trigger }
    }

    #[test]
    fn an_edge_drops_the_direction_that_was_told() {
        let asked = directions(BOTH);
        assert_eq!(after_event(Trigger::Edge, asked, POLLOUT), Some(directions(Interest::READABLE)));
        assert_eq!(after_event(Trigger::Edge, asked, POLLIN), Some(POLLOUT));
        assert_eq!(after_event(Trigger::Edge, asked, POLLIN | POLLOUT), Some(0));
        assert_eq!(after_event(Trigger::Edge, asked, POLLIN | POLLHUP), None);
        assert_eq!(after_event(Trigger::Edge, asked, POLLERR), None);
    }

    #[test]
    fn a_level_stays_and_a_one_shot_does_not() {
        assert_eq!(after_event(Trigger::Level, POLLIN, POLLIN | POLLHUP), Some(POLLIN));
        assert_eq!(after_event(Trigger::OneShot, directions(BOTH), POLLIN), None);
    }

    #[test]
    fn would_block_asks_for_the_blocked_direction_only() {
        let edge = watch(BOTH, Trigger::Edge);
        assert_eq!(after_io(&edge, Some(0), Spent::Readiness(Interest::WRITABLE)), Some(POLLOUT));
        assert_eq!(after_io(&edge, None, Spent::Readiness(Interest::READABLE)), Some(directions(Interest::READABLE)));
        assert_eq!(after_io(&edge, Some(POLLOUT), Spent::Readiness(Interest::READABLE)), Some(directions(BOTH)));
        let reader = watch(Interest::READABLE, Trigger::Edge);
        assert_eq!(after_io(&reader, Some(0), Spent::Readiness(Interest::WRITABLE)), Some(0), "it is not watched");
    }

    #[test]
    fn would_block_does_not_arm_a_one_shot() {
        assert_eq!(after_io(&watch(BOTH, Trigger::OneShot), None, Spent::Readiness(BOTH)), None);
        assert_eq!(after_io(&watch(BOTH, Trigger::Level), Some(POLLIN), Spent::Readiness(BOTH)), Some(POLLIN));
    }

    #[test]
    fn what_is_not_asked_for_is_no_news_but_hang_ups_are() {
        assert_eq!(news(Some(POLLIN), POLLIN | POLLOUT), POLLIN);
        assert_eq!(news(Some(0), POLLHUP), POLLHUP);
        assert_eq!(news(Some(0), POLLIN), 0);
        assert_eq!(news(None, POLLIN | POLLHUP), 0);
    }

    #[test]
    fn hang_up_closes_both_directions_and_a_half_close_one() {
        let hung_up = PollFlags(POLLHUP).readiness();
        assert!(hung_up.contains(Readiness::READABLE));
        assert!(hung_up.contains(Readiness::READ_CLOSED) && hung_up.contains(Readiness::WRITE_CLOSED));
        let half_closed = PollFlags(POLLIN | POLLRDHUP).readiness();
        assert_eq!(half_closed.contains(Readiness::READ_CLOSED), POLLRDHUP != 0);
        assert!(!half_closed.contains(Readiness::WRITE_CLOSED));
        let broken_pipe = PollFlags(POLLOUT | POLLERR).readiness();
        assert!(broken_pipe.contains(Readiness::WRITE_CLOSED) && broken_pipe.contains(Readiness::ERROR));
        assert!(!broken_pipe.contains(Readiness::READ_CLOSED));
        assert!(!PollFlags(POLLPRI).readiness().contains(Readiness::READABLE));
    }
}
