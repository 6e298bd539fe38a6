//! Triggers for the queues that only report what *is*, in the words of `poll(2)`: poll(2) itself and event ports.
//!
//! Edges are made of it: a registration keeps what it has *not told yet*, errors and hang-ups like directions. An event
//! takes out what it tells, nothing else; I/O that has used something up puts that back.
//!
//! What was told may also go away unseen: the I/O of a `SourceFd` goes past this crate, and so does what empties an error
//! queue or takes urgent data out. And while an error or a hang-up stays, the OS, which tells of them unasked, cannot be
//! asked for anything else. Such registrations are *looked at*: asked about without waiting, before each wait and every
//! few milliseconds of it.

#![allow(unsafe_code)]

use std::fmt;
use std::os::fd::RawFd;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

#[cfg(not(target_os = "espidf"))]
pub(super) use libc::POLLNVAL;
#[cfg(not(target_os = "wasi"))]
use libc::POLLPRI;
use libc::{POLLERR, POLLHUP, POLLIN, POLLOUT};

use super::{Flags, Spent, Watch};
use crate::event::{Readiness, write_names};
use crate::{Interest, Token, Trigger};

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

/// How long a wait may last while registrations are looked at.
pub(super) const LOOK: Duration = Duration::from_millis(5);

/// How long something that may have gone and come again between two looks has to stay before it is told again.
const AGAIN: Duration = Duration::from_millis(50);

/// What a registration asks the OS for: directions, or nothing at all while it is mute. With no directions, hang-ups
/// and errors are told all the same.
pub(super) type Asked = Option<i16>;

/// An interest in the OS's words. `POLLERR` and `POLLHUP` come unasked.
fn directions(interest: Interest) -> i16 {
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

/// A registration as the queue keeps it.
#[derive(Copy, Clone, Debug)]
pub(super) struct Entry {
    watch: Watch,
    /// Of what is watched, that which makes an event when it comes.
    untold: i16,
    /// Of what was told, that which may have been used up by I/O, and have come again since.
    doubtful: i16,
    /// When that is told again, if it is still there.
    again: Option<Instant>,
    /// I/O goes past this crate, so everything that was told is doubtful.
    raw: bool,
}

impl Entry {
    pub(super) fn new(watch: Watch) -> Entry {
        Entry { watch, untold: everything(&watch), doubtful: 0, again: None, raw: false }
    }

    /// The entry after a change of what is watched.
    pub(super) fn replaced(&self, watch: Watch) -> Entry {
        Entry { raw: self.raw, ..Entry::new(watch) }
    }

    /// The entry of a source that does its I/O past this crate.
    pub(super) fn detached(&self) -> Entry {
        Entry { raw: true, again: Some(Instant::now() + AGAIN), ..*self }
    }

    pub(super) fn token(&self) -> Token {
        self.watch.token
    }

    pub(super) fn is_level(&self) -> bool {
        self.watch.trigger == Trigger::Level
    }

    fn is_edge(&self) -> bool {
        !matches!(self.watch.trigger, Trigger::Level | Trigger::OneShot)
    }

    fn told(&self) -> i16 {
        everything(&self.watch) & !self.untold
    }

    /// What to ask for in a wait. While an error or a hang-up may still be there that was told, nothing: it would end
    /// each wait at once.
    pub(super) fn asked(&self) -> Asked {
        (self.told() & (POLLERR | POLLHUP) == 0).then_some(self.untold & !(POLLERR | POLLHUP))
    }

    /// What to ask for in a look.
    pub(super) fn all_directions(&self) -> i16 {
        directions(self.watch.interest)
    }

    /// Whether it has to be looked at. An error or urgent data goes away unseen; a hang-up is the end.
    pub(super) fn needs_look(&self) -> bool {
        let told = self.told();
        let unseen = told & (POLLERR | POLLPRI) != 0 && told & POLLHUP == 0;
        self.is_edge() && (unseen || self.doubtful != 0 || self.raw && told != 0)
    }

    /// An error came in a wait, in which not all directions were asked for: only all that the OS says tells what an
    /// error means.
    pub(super) fn needs_details(&self, said: i16) -> bool {
        said & POLLERR != 0 && self.told() != 0
    }

    /// In a wait the OS `said` so. Returns what to tell; zero if there is no news.
    pub(super) fn event(&mut self, said: i16) -> i16 {
        let said = said & everything(&self.watch);
        let news = said & self.untold;
        if news == 0 {
            return 0;
        }
        match self.watch.trigger {
            Trigger::Level => return said,
            Trigger::OneShot => self.untold = 0,
            _ => self.untold &= !news,
        }
        if self.raw {
            self.again = Some(Instant::now() + AGAIN);
        }
        flags(said, news)
    }

    /// In a look the OS `said` so, of everything. Returns what to tell; zero if there is no news.
    pub(super) fn look(&mut self, said: i16, now: Instant) -> i16 {
        let everything = everything(&self.watch);
        let said = said & everything;
        let doubtful = if self.raw { self.told() } else { self.doubtful };
        let again = if self.again.is_some_and(|again| again <= now) { doubtful } else { 0 };
        let news = said & (self.untold | again);
        self.untold = (self.untold | everything & !said) & !news;
        self.doubtful &= said & !news;
        if news != 0 && self.raw {
            self.again = Some(now + AGAIN);
        }
        flags(said, news)
    }

    /// The entry after I/O has used up what is `spent`, if that makes a difference.
    pub(super) fn after_io(&self, spent: Spent) -> Option<Entry> {
        if !self.is_edge() {
            return None;
        }
        let told = self.told();
        let (untold, doubtful) = match spent {
            Spent::Error => (told & POLLERR, 0),
            // The end of a stream was told: what comes after it is told already, and reading blocks no more.
            Spent::Readiness(_) if told & POLLHUP != 0 && told & POLLIN != 0 => return None,
            Spent::Readiness(interest) => {
                let mut spent = directions(interest);
                if told & POLLRDHUP != 0 {
                    spent &= !(POLLIN | POLLRDHUP);
                }
                // I/O does not wait while there is an error or a hang-up, nor, mostly, reading before urgent data. But it
                // may be an error of another kind, and the data be unread.
                let unasked = POLLERR | POLLHUP | if interest.is_readable() { POLLPRI } else { 0 };
                (told & spent & !POLLPRI, told & unasked)
            }
        };
        let mut after = Entry { untold: self.untold | untold, doubtful: (self.doubtful | doubtful) & !untold, ..*self };
        if after.doubtful & !self.doubtful != 0 {
            after.again = Some(Instant::now() + AGAIN);
        }
        ((after.untold, after.doubtful) != (self.untold, self.doubtful)).then_some(after)
    }
}

/// What a registration is told of at most.
fn everything(watch: &Watch) -> i16 {
    directions(watch.interest) | POLLERR | POLLHUP
}

/// What an event says: the news, and with an error all there is.
fn flags(said: i16, news: i16) -> i16 {
    if news & POLLERR != 0 { said } else { news }
}

/// What the OS says of a descriptor now.
pub(super) fn details(fd: RawFd, directions: i16) -> i16 {
    let mut descriptor = libc::pollfd { fd, events: directions, revents: 0 };
    // SAFETY: the kernel writes to one entry.
    let ready = unsafe { libc::poll(&mut descriptor, 1, 0) };
    if ready == 1 { descriptor.revents } else { 0 }
}

/// The type of a file within its mode: `S_IFMT`, on every system.
#[cfg(unix)]
const FILE_TYPE: u32 = 0o170_000;

/// Which file a descriptor stands for.
#[derive(Copy, Clone, Debug)]
pub(super) struct Identity(Option<(u64, u64)>);

impl Identity {
    #[cfg(unix)]
    pub(super) fn of(fd: RawFd) -> Identity {
        use std::fs::File;
        use std::mem::ManuallyDrop;
        use std::os::fd::FromRawFd;
        use std::os::unix::fs::MetadataExt;

        // SAFETY: it is asked about, and not closed. If no such descriptor is open, the answer is an error.
        let file = ManuallyDrop::new(unsafe { File::from_raw_fd(fd) });
        // Linux has one inode, of no type, for all of what is no file but has a descriptor: eventfd, timers, epoll.
        let known = file.metadata().ok().filter(|file| file.mode() & FILE_TYPE != 0);
        Identity(known.map(|file| (file.dev(), file.ino())))
    }

    #[cfg(not(unix))]
    pub(super) fn of(_fd: RawFd) -> Identity {
        Identity(None)
    }

    /// Whether `fd` stands for this file. Where that cannot be told it does not: a registration that is replaced by
    /// mistake was made twice by mistake.
    pub(super) fn is_of(&self, fd: RawFd) -> bool {
        self.0.is_some() && self.0 == Identity::of(fd).0
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
            .with(Readiness::READABLE, self.any(POLLIN | POLLRDHUP | POLLHUP | POLLPRI))
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
