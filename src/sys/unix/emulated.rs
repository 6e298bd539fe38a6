//! Triggers for the queues that only report what *is*, in the words of `poll(2)`: poll(2) itself and event ports.
//!
//! Edges are made of it: a registration keeps what it has *not told yet*, errors and hang-ups like directions. An event
//! takes out what it tells, nothing else; I/O that has used something up puts that back.
//!
//! What was told may also go away unseen: the I/O of a `SourceFd` goes past this crate, and so does what empties an error
//! queue or takes urgent data out. And while an error or a hang-up stays, the OS, which tells of them unasked, cannot be
//! asked for anything else. Such registrations are *looked at*: asked about without waiting, before each wait and, as long as
//! something may still come, during it.

#![allow(unsafe_code)]

use std::fmt;
use std::os::fd::RawFd;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use libc::{POLLERR, POLLHUP, POLLIN, POLLOUT};

use super::poll;
use crate::event::{Readiness, write_names};
use crate::sys::{Flags, Spent, Watch};
use crate::{Interest, Token, Trigger};

// What an OS does not know is a flag that it never says.
cfg_if! {
    if #[cfg(any(target_os = "android", target_os = "freebsd", target_os = "illumos", target_os = "linux"))] {
        /// The peer has shut its writing side: told with the read direction.
        use libc::POLLRDHUP;
    } else {
        const POLLRDHUP: i16 = 0;
    }
}
cfg_if! {
    if #[cfg(target_os = "wasi")] {
        pub(crate) use libc::POLLNVAL;
        const POLLPRI: i16 = 0;
    } else if #[cfg(target_os = "espidf")] {
        pub(crate) const POLLNVAL: i16 = 0;
        use libc::POLLPRI;
    } else {
        pub(crate) use libc::POLLNVAL;
        use libc::POLLPRI;
    }
}

/// How long a wait may last while registrations are looked at.
pub(crate) const LOOK: Duration = Duration::from_millis(5);

/// The same, if all of them have come to an end that hardly anything follows.
const RARE_LOOK: Duration = Duration::from_millis(100);

/// How long something that may have gone and come again between two looks has to stay before it is told again.
const AGAIN: Duration = Duration::from_millis(50);

/// What a registration asks the OS for: directions, or nothing at all while it is mute. With no directions, hang-ups
/// and errors are told all the same.
pub(crate) type Asked = Option<i16>;

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
pub(crate) struct Entry {
    watch: Watch,
    /// Of what is watched, that which makes an event when it comes.
    untold: i16,
    /// Of what was told, that which may have been used up by I/O, and have come again since: what I/O has left so. More is,
    /// see [`doubtful`](Entry::doubtful).
    spent: i16,
    /// When what is doubtful is told again, if it is still there.
    again: Option<Instant>,
    /// I/O goes past this crate.
    bare: bool,
    stream: Stream,
}

/// How far a stream has come, as its hang-ups tell.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Stream {
    /// Nothing is known of it, or it is being connected.
    New,
    /// It has been ready without a hang-up.
    Alive,
    /// It has a hang-up that may be over some day: a FIFO gets another writer, a terminal is opened again, a socket is
    /// connected. So may that of a connection that never was one: Linux connects the socket again.
    HungUp { read_closed: bool },
    /// It was alive, and then there came at once the hang-up, the end of what there is to read, and an error: a connection
    /// that was reset. Nothing follows that, unless the program makes another one of the socket.
    Reset,
}

impl Stream {
    /// The stream when the OS `said` so, with `POLLRDHUP` asked for.
    fn after(self, said: i16) -> Stream {
        let read_closed = said & POLLRDHUP != 0;
        match self {
            Stream::Alive if said & POLLHUP != 0 && read_closed && said & POLLERR != 0 => Stream::Reset,
            Stream::Reset if said & POLLHUP != 0 && read_closed => Stream::Reset,
            _ if said & POLLHUP != 0 => Stream::HungUp { read_closed },
            Stream::New | Stream::HungUp { .. } if said == 0 => Stream::New,
            _ => Stream::Alive,
        }
    }

    /// Whether this is another stream than the one that had a hang-up `before`.
    fn is_another_than(self, before: Stream) -> bool {
        self != before && matches!(before, Stream::HungUp { .. } | Stream::Reset)
    }
}

impl Entry {
    /// `bare`: the source does its I/O past this crate.
    pub(crate) fn new(watch: Watch, bare: bool) -> Entry {
        Entry { watch, untold: everything(&watch), spent: 0, again: None, bare, stream: Stream::New }
    }

    /// The entry after a change of what is watched.
    pub(crate) fn replaced(&self, watch: Watch) -> Entry {
        let was_alive = matches!(self.stream, Stream::Alive | Stream::Reset);
        let stream = if was_alive { Stream::Alive } else { Stream::New };
        Entry { stream, ..Entry::new(watch, self.bare) }
    }

    pub(crate) fn token(&self) -> Token {
        self.watch.token
    }

    /// What the descriptor stands for, if it may be closed and used again without a word.
    pub(crate) fn identity(&self, fd: RawFd) -> Option<Identity> {
        self.bare.then(|| Identity::of(fd))
    }

    pub(crate) fn is_level(&self) -> bool {
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
    pub(crate) fn asked(&self) -> Asked {
        (self.told() & (POLLERR | POLLHUP) == 0).then_some(self.untold & !(POLLERR | POLLHUP))
    }

    /// All that there is to ask for: in a look, and to know what an error or a hang-up means.
    pub(crate) fn all_directions(&self) -> i16 {
        directions(self.watch.interest) | POLLRDHUP
    }

    /// Of what was told, that which may have gone and come again unseen.
    fn doubtful(&self) -> i16 {
        let always = match self.stream {
            _ if self.bare => !0,
            // A FIFO or a terminal: a writer may come, write and go.
            Stream::HungUp { read_closed: false } => POLLIN | POLLPRI,
            // It is taken by I/O that the crate does not see.
            _ => POLLPRI,
        };
        self.told() & (self.spent | always)
    }

    /// Whether it has to be looked at before each wait.
    pub(crate) fn needs_look(&self) -> bool {
        self.is_edge() && (self.told() & (POLLERR | POLLHUP) != 0 || self.doubtful() != 0)
    }

    /// For how long it may not be looked at.
    fn patience(&self) -> Duration {
        match self.stream {
            _ if !self.needs_look() => Duration::MAX,
            _ if self.doubtful() != 0 => LOOK,
            Stream::Reset => Duration::MAX,
            // Both directions are shut. There may be an error to come; or it was refused, and may be connected again.
            Stream::HungUp { read_closed: true } => RARE_LOOK,
            _ => LOOK,
        }
    }

    /// An error or a hang-up came in a wait, in which not all directions were asked for: only all that the OS says tells
    /// what it means.
    pub(crate) fn needs_details(&self, said: i16) -> bool {
        said & (POLLERR | POLLHUP) != 0 && self.is_edge() && self.asked() != Some(self.all_directions())
    }

    /// In a wait the OS `said` so. Returns what to tell; zero if there is no news.
    pub(crate) fn event(&mut self, said: i16) -> i16 {
        self.stream = self.stream.after(said);
        let said = said & everything(&self.watch);
        let news = said & self.untold;
        if news == 0 {
            return 0;
        }
        match self.watch.trigger {
            Trigger::Level => return said,
            Trigger::OneShot => self.untold = 0,
            _ => {
                self.tell(news);
                self.set_clock(false, Instant::now);
            }
        }
        flags(said, news)
    }

    /// In a look the OS `said` so, of everything. Returns what to tell; zero if there is no news.
    pub(crate) fn look(&mut self, said: i16, now: Instant) -> i16 {
        let before = self.stream;
        self.stream = before.after(said);
        let everything = everything(&self.watch);
        let said = said & everything;
        let is_again = self.again.is_some_and(|again| again <= now);
        let again = if is_again { self.doubtful() } else { 0 };
        let news = said & (self.untold | again);
        // Of another stream nothing was told.
        let news = if self.stream.is_another_than(before) { said } else { news };
        self.untold |= everything & !said;
        self.tell(news);
        self.set_clock(is_again, || now);
        flags(said, news)
    }

    /// Takes `news` out of what is untold.
    fn tell(&mut self, news: i16) {
        self.untold &= !news;
        self.spent &= !news & !self.untold;
    }

    /// Makes the clock run while something is doubtful. News leave it alone: what comes often must not keep something else
    /// from being told.
    fn set_clock(&mut self, is_over: bool, now: impl FnOnce() -> Instant) {
        if self.doubtful() == 0 {
            self.again = None;
        } else if is_over || self.again.is_none() {
            self.again = Some(now() + AGAIN);
        }
    }

    /// The entry after I/O has used up what is `spent`, if that makes a difference.
    pub(crate) fn after_io(&self, spent: Spent) -> Option<Entry> {
        if !self.is_edge() {
            return None;
        }
        let told = self.told();
        // Once its end was told, a stream is readable for good.
        let stays = if told & POLLRDHUP != 0 { POLLIN | POLLRDHUP } else { 0 };
        let mut stream = self.stream;
        let (untold, doubtful) = match spent {
            Spent::Stream => return Some(Entry::new(self.watch, self.bare)),
            Spent::Error => (POLLERR, 0),
            Spent::Short(interest) if stream == Stream::Reset => (directions(interest) & !stays, 0),
            // I/O does not wait while there is an error. But it may be an error of another kind.
            Spent::Short(interest) => (directions(interest) & !stays, POLLERR),
            // Nor does it while there is a hang-up, or an end. So what was told was not that of a stream, or is over.
            Spent::Blocked(interest) => {
                if stream == Stream::Reset {
                    stream = Stream::HungUp { read_closed: true };
                }
                let spent = directions(interest);
                (spent & !stays, spent & stays & POLLIN | POLLERR | POLLHUP)
            }
        };
        let untold = self.untold | told & untold & !POLLPRI;
        let spent = (self.spent | told & doubtful) & !untold;
        if (untold, spent, stream) == (self.untold, self.spent, self.stream) {
            return None;
        }
        let mut after = Entry { untold, spent, stream, ..*self };
        after.set_clock(false, Instant::now);
        Some(after)
    }
}

/// How many registrations have to be looked at, by how soon.
#[derive(Debug, Default)]
pub(crate) struct Looks {
    all: usize,
    often: usize,
    rare: usize,
}

impl Looks {
    /// Counts a registration in, or out.
    pub(crate) fn count(&mut self, entry: &Entry, by: isize) {
        let patience = entry.patience();
        let counts = [
            (&mut self.all, entry.needs_look()),
            (&mut self.often, patience == LOOK),
            (&mut self.rare, patience == RARE_LOOK),
        ];
        for (count, _) in counts.into_iter().filter(|&(_, is_counted)| is_counted) {
            *count = count.saturating_add_signed(by);
        }
    }

    /// Whether there has to be a look before a wait.
    pub(crate) fn are_needed(&self) -> bool {
        self.all > 0
    }

    /// For how long there may be none.
    pub(crate) fn patience(&self) -> Duration {
        match self {
            Looks { often: 1.., .. } => LOOK,
            Looks { rare: 1.., .. } => RARE_LOOK,
            _ => Duration::MAX,
        }
    }
}

/// How long a wait lasts that may take as long as `left`, with something to be done after `patience`.
pub(crate) fn shortened(left: Option<Duration>, patience: Duration) -> Option<Duration> {
    let left = left.unwrap_or(Duration::MAX).min(patience);
    (left != Duration::MAX).then_some(left)
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
pub(crate) fn details(fd: RawFd, directions: i16) -> i16 {
    let mut descriptor = [libc::pollfd { fd, events: directions, revents: 0 }];
    if poll(&mut descriptor, 0).is_ok() { descriptor[0].revents } else { 0 }
}

/// Which socket a descriptor stands for. What is none is nothing that could be known again: a FIFO and a terminal may be
/// opened twice, and not all that has a descriptor is a file of its own.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Identity(Option<(u64, u64)>);

impl Identity {
    #[cfg(unix)]
    pub(crate) fn of(fd: RawFd) -> Identity {
        use std::fs::File;
        use std::mem::ManuallyDrop;
        use std::os::fd::FromRawFd;
        use std::os::unix::fs::{FileTypeExt, MetadataExt};

        // SAFETY: it is asked about, and not closed. If no such descriptor is open, the answer is an error.
        let file = ManuallyDrop::new(unsafe { File::from_raw_fd(fd) });
        // Not every system numbers its sockets.
        let known = file.metadata().ok().filter(|file| file.file_type().is_socket() && file.ino() != 0);
        Identity(known.map(|file| (file.dev(), file.ino())))
    }

    #[cfg(not(unix))]
    pub(crate) fn of(_fd: RawFd) -> Identity {
        Identity(None)
    }

    /// Whether `fd` stands for this socket. Where that cannot be told it does not: a registration that is replaced by
    /// mistake was made twice by mistake.
    pub(crate) fn is_of(&self, fd: RawFd) -> bool {
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
    pub(crate) queue: Weak<R>,
    pub(crate) fd: RawFd,
    pub(crate) id: u64,
}

impl<R: Registrations> Registration<R> {
    /// Whether the source is registered with a queue other than this.
    pub(crate) fn is_with_another(&self, queue: &Arc<R>) -> bool {
        self.queue.strong_count() > 0 && self.queue.as_ptr() != Arc::as_ptr(queue)
    }

    /// Makes dropping it do nothing.
    pub(crate) fn forget(mut self) {
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
pub(crate) struct PollFlags(pub(crate) i16);

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

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);
    const READING: i16 = POLLIN | POLLRDHUP;

    fn entry(interest: Interest, trigger: Trigger) -> Entry {
        Entry::new(Watch { token: Token(0), interest, trigger }, false)
    }

    /// An edge-triggered entry that has told this.
    fn told(interest: Interest, told: i16) -> Entry {
        told_by(entry(interest, Trigger::Edge), told)
    }

    fn told_by(mut entry: Entry, told: i16) -> Entry {
        assert_eq!(entry.event(told), told);
        entry
    }

    fn bare(interest: Interest, trigger: Trigger) -> Entry {
        Entry::new(Watch { token: Token(0), interest, trigger }, true)
    }

    fn after_io(entry: &Entry, spent: Spent) -> Entry {
        entry.after_io(spent).unwrap_or(*entry)
    }

    fn after_block(entry: &Entry, interest: Interest) -> Entry {
        after_io(entry, Spent::Blocked(interest))
    }

    fn later() -> Instant {
        Instant::now() + 2 * AGAIN
    }

    #[test]
    fn an_edge_takes_out_what_it_tells_and_nothing_else() {
        let rows = [
            (POLLOUT, Some(READING)),
            (POLLIN, Some(POLLRDHUP | POLLOUT)),
            (POLLIN | POLLRDHUP, Some(POLLOUT)),
            (POLLIN | POLLRDHUP | POLLOUT, Some(0)),
            (POLLIN | POLLHUP, None),
            (POLLERR, None),
        ];
        for (said, asked) in rows {
            assert_eq!(told(BOTH, said).asked(), asked, "{:?}", PollFlags(said));
        }
    }

    #[test]
    fn a_level_stays_and_a_one_shot_does_not() {
        let mut level = entry(Interest::READABLE, Trigger::Level);
        let mut one_shot = entry(BOTH, Trigger::OneShot);
        for round in 0..2 {
            assert_eq!(level.event(POLLIN | POLLHUP), POLLIN | POLLHUP);
            assert_eq!(level.asked(), Some(READING));
            assert_eq!(one_shot.event(POLLIN), if round == 0 { POLLIN } else { 0 });
            assert_eq!(one_shot.asked(), None);
        }
        for entry in [level, one_shot] {
            assert!(entry.after_io(Spent::Blocked(BOTH)).is_none() && entry.after_io(Spent::Error).is_none());
            assert!(!entry.needs_look());
        }
        for trigger in [Trigger::Level, Trigger::OneShot] {
            assert!(!told_by(bare(BOTH, trigger), POLLIN).needs_look());
        }
    }

    #[test]
    fn what_is_not_watched_is_no_news_but_errors_and_hang_ups_are() {
        let mut reader = entry(Interest::READABLE, Trigger::Edge);
        assert_eq!(reader.event(POLLOUT | POLLPRI), 0);
        assert_eq!(reader.event(POLLIN | POLLOUT), POLLIN);
        assert_eq!(reader.event(POLLHUP), POLLHUP);
        assert_eq!(reader.event(POLLHUP), 0);
    }

    #[test]
    fn io_that_would_block_puts_its_direction_back() {
        let entry = told(BOTH, POLLIN | POLLOUT);
        assert_eq!(after_block(&entry, Interest::WRITABLE).asked(), Some(POLLRDHUP | POLLOUT));
        assert_eq!(after_block(&entry, Interest::READABLE).asked(), Some(READING));
        let again = after_block(&entry, BOTH);
        assert_eq!(again.asked(), Some(READING | POLLOUT));
        assert!(again.after_io(Spent::Blocked(BOTH)).is_none(), "the second time makes no difference");
        let reader = told(Interest::READABLE, POLLIN);
        assert!(reader.after_io(Spent::Blocked(Interest::WRITABLE)).is_none(), "it is not watched");
    }

    #[test]
    fn an_error_that_was_taken_is_waited_for_again() {
        let entry = told(BOTH, POLLERR);
        assert_eq!(after_io(&entry, Spent::Error).asked(), Some(READING | POLLOUT));
        assert!(told(BOTH, POLLIN).after_io(Spent::Error).is_none(), "none was told");
    }

    #[test]
    fn of_a_stream_that_is_being_connected_nothing_was_told() {
        for said in [READING | POLLOUT, POLLOUT | POLLHUP, READING | POLLOUT | POLLERR | POLLHUP] {
            let entry = after_io(&told(BOTH, said), Spent::Stream);
            assert_eq!((entry.asked(), entry.needs_look()), (Some(READING | POLLOUT), false));
            assert_eq!(told_by(entry, READING | POLLOUT | POLLERR | POLLHUP).asked(), None);
        }
    }

    #[test]
    fn the_end_of_a_stream_is_not_waited_for_again() {
        for end in [READING | POLLHUP, POLLIN | POLLRDHUP] {
            assert!(POLLRDHUP == 0 || told(Interest::READABLE, end).after_io(Spent::Short(BOTH)).is_none());
        }
        // The peer has shut its writing side, and we still write.
        assert_eq!(after_block(&told(BOTH, READING | POLLOUT), BOTH).asked(), Some(POLLOUT));
    }

    #[test]
    #[cfg(any(target_os = "android", target_os = "freebsd", target_os = "illumos", target_os = "linux"))]
    fn a_hang_up_that_is_not_the_end_may_be_over() {
        for said in [POLLHUP, POLLIN | POLLHUP] {
            let mut fifo = told(Interest::READABLE, said);
            assert_eq!((fifo.asked(), fifo.patience()), (None, LOOK));
            fifo = after_block(&fifo, Interest::READABLE);
            assert_eq!(fifo.look(POLLHUP, Instant::now()), 0);
            assert_eq!(fifo.look(POLLHUP, later()), POLLHUP, "there was a writer, or it would not have blocked");
            assert_eq!(fifo.look(POLLHUP, later()), 0, "it stays");
            for round in 1..3 {
                let now = later() + round * 2 * AGAIN;
                assert_eq!(fifo.look(POLLIN | POLLHUP, now), POLLIN, "a writer may have come and gone");
                assert_eq!(fifo.look(POLLIN | POLLHUP, now), 0);
            }
            // There is a writer again, and what it wrote.
            assert_eq!(fifo.look(POLLIN, later()), POLLIN);
            assert_eq!(fifo.asked(), Some(POLLRDHUP));
            assert_eq!(fifo.event(POLLHUP), POLLHUP);
        }
    }

    /// A broken connection must not wake anybody for as long as it is registered.
    #[test]
    #[cfg(any(target_os = "android", target_os = "freebsd", target_os = "illumos", target_os = "linux"))]
    fn a_reset_of_what_was_connected_is_looked_at_between_waits_alone() {
        const END: i16 = POLLERR | POLLHUP | READING | POLLOUT;
        for interest in [BOTH, Interest::WRITABLE] {
            let mut entry = told(interest, POLLOUT);
            assert!(entry.needs_details(POLLHUP | POLLERR), "is it the end of what there is to read?");
            entry.event(END);
            for spent in [Spent::Short(Interest::READABLE), Spent::Error] {
                entry = after_io(&entry, spent);
                assert!(entry.asked().is_none() && entry.needs_look());
                assert_eq!(entry.patience(), Duration::MAX);
            }
            assert_eq!(entry.look(END & !POLLERR, later()), 0);
            assert_eq!(entry.look(END, later()) & POLLERR, POLLERR);
            assert_eq!(entry.patience(), Duration::MAX);
            // The program connects it once more.
            assert_eq!(entry.look(POLLOUT | POLLHUP, later()), POLLOUT | POLLHUP);
            assert_eq!(entry.patience(), LOOK);
            assert_eq!(entry.look(0, later()), 0);
            assert_eq!(entry.event(POLLOUT), POLLOUT);
            entry = entry.replaced(entry.watch);
            entry.event(END);
            assert_eq!((entry.asked(), entry.patience()), (None, Duration::MAX));
        }
    }

    /// A connection whose directions are both shut may still fail; one that was refused may be made again.
    #[test]
    #[cfg(any(target_os = "android", target_os = "freebsd", target_os = "illumos", target_os = "linux"))]
    fn what_hardly_anything_follows_is_looked_at_now_and_then() {
        const SHUT: i16 = POLLHUP | READING | POLLOUT;
        for interest in [BOTH, Interest::WRITABLE] {
            for first in [POLLOUT, 0] {
                let mut entry = if first == 0 { entry(interest, Trigger::Edge) } else { told(interest, first) };
                entry.event(SHUT);
                assert_eq!((entry.asked(), entry.patience()), (None, RARE_LOOK));
                assert_eq!(entry.look(SHUT | POLLERR, later()) & POLLERR, POLLERR);
                assert_eq!(entry.patience(), RARE_LOOK);
            }
        }
    }

    /// A socket of datagrams that was shut down still receives; and what was taken for the end may have been another's.
    #[test]
    fn io_that_would_block_knows_better_than_a_hang_up() {
        for end in [POLLRDHUP, POLLHUP | POLLRDHUP] {
            let mut entry = told_by(told(BOTH, POLLOUT), POLLIN | end);
            entry = after_block(&entry, Interest::READABLE);
            assert!(entry.patience() == LOOK || POLLRDHUP == 0);
            assert_eq!(entry.look(POLLIN | POLLOUT | end, Instant::now()) & POLLOUT, 0);
            assert_eq!(entry.look(POLLIN | POLLOUT | end, later()), POLLIN | end & POLLHUP);
            assert_eq!(entry.look(POLLIN | POLLOUT | end, later()), 0);
        }
    }

    #[test]
    fn a_connection_that_never_was_one_may_become_one() {
        const FRESH: i16 = POLLOUT | POLLHUP;
        const FAILED: i16 = READING | POLLOUT | POLLERR | POLLHUP;
        for interest in [BOTH, Interest::WRITABLE] {
            let watched = everything(&entry(interest, Trigger::Edge).watch);
            let mut entry = told(interest, FRESH);
            assert!(entry.asked().is_none() && entry.needs_look());
            // It is refused. The error is taken, and it is refused once more.
            assert_eq!(entry.look(FAILED, later()), FAILED & watched);
            entry = after_io(&entry, Spent::Error);
            assert_eq!(entry.look(FAILED & !POLLERR, later()), 0);
            assert_eq!(entry.look(FAILED, later()), FAILED & watched, "an error is told with all there is");
            // It is being connected, and is.
            assert_eq!(entry.look(0, later()), 0);
            assert_eq!(entry.asked(), Some(directions(interest)));
            assert_eq!(entry.event(POLLOUT), POLLOUT);
            assert_eq!(entry.event(READING | POLLHUP), (READING | POLLHUP) & watched);
        }
    }

    /// Connected and closed between two looks.
    #[test]
    #[cfg(any(target_os = "android", target_os = "freebsd", target_os = "illumos", target_os = "linux"))]
    fn another_hang_up_is_news() {
        let mut entry = told(Interest::WRITABLE, POLLOUT | POLLHUP);
        assert_eq!(entry.look(READING | POLLOUT | POLLHUP, later()), POLLOUT | POLLHUP);
        assert_eq!(entry.look(READING | POLLOUT | POLLHUP, later()), 0);
        assert_eq!(entry.look(POLLOUT | POLLHUP, later()), POLLOUT | POLLHUP);
    }

    #[test]
    fn an_error_that_stays_leaves_the_directions_to_looks() {
        let mut entry = told(BOTH, POLLERR);
        assert!(entry.asked().is_none() && entry.needs_look());
        assert_eq!(entry.look(POLLERR, later()), 0);
        assert_eq!(entry.look(POLLERR | POLLOUT, later()), POLLOUT);
        assert_eq!(entry.look(POLLERR | POLLOUT, later()), 0);
        // It goes away, and comes again.
        assert_eq!(entry.look(0, later()), 0);
        assert!(!entry.needs_look());
        assert_eq!(entry.asked(), Some(READING | POLLOUT));
        assert_eq!(entry.event(POLLERR), POLLERR);
    }

    /// Read past the library, and come again before it would have seen that it was gone.
    #[test]
    fn what_may_have_come_again_is_told_again_but_not_at_once() {
        let mut urgent = told(Interest::READABLE | Interest::PRIORITY, POLLPRI);
        assert!(urgent.needs_look());
        assert_eq!(urgent.look(POLLPRI, Instant::now()), 0);
        assert_eq!(urgent.look(POLLPRI, later()), POLLPRI);
        assert_eq!(urgent.look(0, later()), 0);
        assert!(!urgent.needs_look(), "it is waited for");

        let mut refused = told(Interest::READABLE, POLLERR);
        assert_eq!(refused.look(POLLERR, later()), 0);
        refused = after_block(&refused, Interest::READABLE);
        assert_eq!(refused.look(POLLERR, Instant::now()), 0);
        assert_eq!(refused.look(POLLERR, later()), POLLERR);
        assert_eq!(refused.look(POLLERR, later()), 0, "nothing was read since");

        let mut bare = told_by(bare(Interest::READABLE, Trigger::Edge), POLLIN);
        assert_eq!(bare.look(POLLIN, Instant::now()), 0);
        assert_eq!(bare.look(POLLIN, later()), POLLIN);
        assert_eq!(bare.look(0, later()), 0);
        assert!(!bare.needs_look(), "it is waited for");
    }

    #[test]
    fn what_comes_often_keeps_nothing_else_from_being_told_again() {
        let mut bare = told_by(bare(BOTH, Trigger::Edge), POLLIN | POLLOUT);
        let start = Instant::now();
        let is_told = |step| {
            let now = start + step * AGAIN / 5;
            bare.look(POLLOUT, now) & POLLOUT != 0 || bare.look(POLLIN | POLLOUT, now) & POLLOUT != 0
        };
        assert_eq!((0..20).map(is_told).filter(|&is_told| is_told).count(), 3);
    }

    #[test]
    fn looks_are_as_soon_as_the_first_needs_it() {
        let mut looks = Looks::default();
        let rare = told_by(told(BOTH, POLLOUT), POLLHUP | READING);
        let rows = [
            (told(BOTH, POLLOUT), false, Duration::MAX),
            (rare, true, if POLLRDHUP == 0 { LOOK } else { RARE_LOOK }),
            (told(BOTH, POLLERR), true, LOOK),
        ];
        for (entry, are_needed, patience) in rows {
            looks.count(&entry, 1);
            assert_eq!((looks.are_needed(), looks.patience()), (are_needed, patience));
        }
        for (entry, ..) in rows {
            looks.count(&entry, -1);
        }
        assert_eq!((looks.are_needed(), looks.patience()), (false, Duration::MAX));
        assert_eq!(shortened(None, Duration::MAX), None);
        assert_eq!(shortened(None, LOOK), Some(LOOK));
        assert_eq!(shortened(Some(LOOK / 2), LOOK), Some(LOOK / 2));
    }

    /// An error of a connection with data to read does not say that nobody reads what is written.
    #[test]
    fn an_error_is_told_with_all_there_is() {
        let mut entry = told(Interest::READABLE, POLLIN);
        assert!(entry.needs_details(POLLERR) && !entry.needs_details(POLLRDHUP));
        let flags = PollFlags(entry.event(POLLERR | POLLIN)).readiness();
        assert!(flags.contains(Readiness::ERROR.with(Readiness::READABLE, true)));
        assert!(!flags.contains(Readiness::WRITE_CLOSED));
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
        let urgent = PollFlags(POLLPRI).readiness();
        assert!(urgent.contains(Readiness::READABLE) && urgent.contains(Readiness::PRIORITY));
    }
}
