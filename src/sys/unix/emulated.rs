//! Emulates triggers for the queues that only report the current state, with the flags of `poll(2)`: `poll(2)` itself and event
//! ports.
//!
//! This turns states into edges. Each registration keeps the conditions that are *untold*: those for which an event is still
//! due. It treats errors and hang-ups like directions. An event removes the conditions that it reports, and nothing else. When
//! I/O has used up a condition, that is untold again.
//!
//! A condition that was reported may also end unseen: the crate does not see the I/O of a `SourceFd`, nor the calls that empty
//! an error queue or take urgent data. Besides, the OS reports errors and hang-ups even if nobody asks for them, so while one
//! of them lasts, a wait for anything else would end at once. The queue therefore *looks at* such registrations: it asks about
//! them without waiting, before each wait and, as long as something may still change, during it.

use std::fmt;
use std::os::fd::RawFd;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use libc::{POLLERR, POLLHUP, POLLIN, POLLOUT};

use super::identity::Identity;
use super::poll;
use crate::event::{Readiness, write_flags};
use crate::sys::{Flags, Spent, Watch};
use crate::{Interest, Token, Trigger};

// If an OS does not know a flag, it never reports it.
cfg_if! {
    if #[cfg(any(target_os = "android", target_os = "freebsd", target_os = "illumos", target_os = "linux"))] {
        /// The peer has shut down its writing side. It is reported with the read direction.
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

/// The time between two looks, that is, how long a wait may last while there are registrations to look at.
pub(crate) const LOOK: Duration = Duration::from_millis(5);

/// The time between two looks if all of those registrations have reached an end after which little can happen.
const RARE_LOOK: Duration = Duration::from_millis(100);

/// How long a condition has to last before it is reported again, if it may have ended and come back between two looks.
const AGAIN: Duration = Duration::from_millis(50);

/// Translates an interest into the OS's flags. `POLLERR` and `POLLHUP` need not be asked for.
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
    /// The watched conditions that produce an event when they hold.
    untold: i16,
    /// The reported conditions that I/O may have used up, and that may hold again since. [`doubtful`](Entry::doubtful) adds
    /// others to them.
    spent: i16,
    /// The time at which the doubtful conditions are reported again, if they still hold.
    again: Option<Instant>,
    /// The crate does not see the source's I/O.
    bare: bool,
    stream: Stream,
}

/// The stage of a stream's life, as far as its hang-ups show it.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Stream {
    /// Nothing is known about it yet, or it is connecting.
    New,
    /// It has been ready without a hang-up.
    Alive,
    /// It has a hang-up that may end: a FIFO may get another writer, a terminal may be opened again, and a socket may connect.
    /// Linux even lets a socket connect whose first attempt failed.
    HungUp { read_closed: bool },
    /// It was alive, and then a hang-up, the end of the data and an error arrived together, because the connection was reset.
    /// Nothing more happens, unless the program connects the socket again.
    Reset,
}

impl Stream {
    /// Returns the next stage, after the OS has reported the flags `said`, with `POLLRDHUP` asked for.
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

    /// Returns whether this is a different stream from the one that had a hang-up `before`.
    fn is_another_than(self, before: Stream) -> bool {
        self != before && matches!(before, Stream::HungUp { .. } | Stream::Reset)
    }
}

impl Entry {
    /// Makes the entry of a new registration. If it is `bare`, the crate does not see the source's I/O.
    pub(crate) fn new(watch: Watch, bare: bool) -> Entry {
        Entry { watch, untold: everything(&watch), spent: 0, again: None, bare, stream: Stream::New }
    }

    /// Returns the entry after a change of what it watches.
    pub(crate) fn replaced(&self, watch: Watch) -> Entry {
        let was_alive = matches!(self.stream, Stream::Alive | Stream::Reset);
        let stream = if was_alive { Stream::Alive } else { Stream::New };
        Entry { stream, ..Entry::new(watch, self.bare) }
    }

    pub(crate) fn token(&self) -> Token {
        self.watch.token
    }

    /// Returns what the descriptor stands for, if the program may close it and reuse its number without telling this crate.
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

    /// Returns the directions to ask for in a wait. (Even if there are none, the OS reports hang-ups and errors.) It is `None`
    /// while an error or a hang-up that was reported may still last, because it would end each wait at once: the registration
    /// is mute.
    pub(crate) fn asked(&self) -> Option<i16> {
        (self.told() & (POLLERR | POLLHUP) == 0).then_some(self.untold & !(POLLERR | POLLHUP))
    }

    /// Returns everything that can be asked for. A look asks for that, and so does a query about an error or a hang-up.
    pub(crate) fn all_directions(&self) -> i16 {
        directions(self.watch.interest) | POLLRDHUP
    }

    /// Returns the reported conditions that may have ended and come back unseen.
    fn doubtful(&self) -> i16 {
        let always = match self.stream {
            _ if self.bare => !0,
            // This is a FIFO or a terminal, and a writer may come, write and go.
            Stream::HungUp { read_closed: false } => POLLIN | POLLPRI,
            // The crate does not see the I/O that takes urgent data.
            _ => POLLPRI,
        };
        self.told() & (self.spent | always)
    }

    /// Returns whether the queue has to look at it before each wait.
    pub(crate) fn needs_look(&self) -> bool {
        self.is_edge() && (self.told() & (POLLERR | POLLHUP) != 0 || self.doubtful() != 0)
    }

    /// Returns how long the queue may wait before it looks at it again.
    fn patience(&self) -> Duration {
        match self.stream {
            _ if !self.needs_look() => Duration::MAX,
            _ if self.doubtful() != 0 => LOOK,
            Stream::Reset => Duration::MAX,
            // Both directions are shut down. There may still be an error, or the socket was refused and may connect again.
            Stream::HungUp { read_closed: true } => RARE_LOOK,
            _ => LOOK,
        }
    }

    /// Returns whether a wait has reported an error or a hang-up without asking for all directions. In that case the queue has
    /// to ask for all of them, to know what the error or hang-up means.
    pub(crate) fn needs_details(&self, said: i16) -> bool {
        said & (POLLERR | POLLHUP) != 0 && self.is_edge() && self.asked() != Some(self.all_directions())
    }

    /// Takes the flags that the OS has `said` in a wait. Returns what to report, or zero if there is no news.
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

    /// Takes the flags that the OS has `said` in a look, which asks for everything. Returns what to report, or zero if there is
    /// no news.
    pub(crate) fn look(&mut self, said: i16, now: Instant) -> i16 {
        let before = self.stream;
        self.stream = before.after(said);
        let everything = everything(&self.watch);
        let said = said & everything;
        let is_again = self.again.is_some_and(|again| again <= now);
        let again = if is_again { self.doubtful() } else { 0 };
        let news = said & (self.untold | again);
        // If this is a different stream, nothing about it has been reported yet.
        let news = if self.stream.is_another_than(before) { said } else { news };
        self.untold |= everything & !said;
        self.tell(news);
        self.set_clock(is_again, || now);
        flags(said, news)
    }

    /// Removes `news` from the untold conditions.
    fn tell(&mut self, news: i16) {
        self.untold &= !news;
        self.spent &= !news & !self.untold;
    }

    /// Makes the clock run while some condition is doubtful. News does not restart it, so that a frequent condition cannot keep
    /// another one from being reported.
    fn set_clock(&mut self, is_over: bool, now: impl FnOnce() -> Instant) {
        if self.doubtful() == 0 {
            self.again = None;
        } else if is_over || self.again.is_none() {
            self.again = Some(now() + AGAIN);
        }
    }

    /// Returns the entry after I/O has used up what is `spent`, or `None` if that makes no difference.
    pub(crate) fn after_io(&self, spent: Spent) -> Option<Entry> {
        if !self.is_edge() {
            return None;
        }
        let told = self.told();
        // Once its end has been reported, a stream stays readable.
        let stays = if told & POLLRDHUP != 0 { POLLIN | POLLRDHUP } else { 0 };
        let mut stream = self.stream;
        let (untold, doubtful) = match spent {
            Spent::Stream => return Some(Entry::new(self.watch, self.bare)),
            Spent::Error => (POLLERR, 0),
            Spent::Short(interest) if stream == Stream::Reset => (directions(interest) & !stays, 0),
            // I/O does not block while there is an error. So if this moved some bytes, an error may have ended and come back.
            Spent::Short(interest) => (directions(interest) & !stays, POLLERR),
            // Nor does it block after a hang-up, or at the end of a stream. So what was reported has ended, or concerned no
            // stream.
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

/// How many registrations the queue has to look at, and how many of them soon.
#[derive(Debug, Default)]
pub(crate) struct Looks {
    all: usize,
    often: usize,
    rare: usize,
}

impl Looks {
    /// Adds a registration to the counts, or removes it.
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

    /// Returns whether a look has to precede each wait.
    pub(crate) fn are_needed(&self) -> bool {
        self.all > 0
    }

    /// Returns how long the queue may wait between two looks.
    pub(crate) fn patience(&self) -> Duration {
        match self {
            Looks { often: 1.., .. } => LOOK,
            Looks { rare: 1.., .. } => RARE_LOOK,
            _ => Duration::MAX,
        }
    }
}

/// Returns how long a wait may last if `left` is left of its time-out, and something has to be done after `patience`.
pub(crate) fn shortened(left: Option<Duration>, patience: Duration) -> Option<Duration> {
    let left = left.unwrap_or(Duration::MAX).min(patience);
    (left != Duration::MAX).then_some(left)
}

/// Returns everything that may be reported about a registration.
fn everything(watch: &Watch) -> i16 {
    directions(watch.interest) | POLLERR | POLLHUP
}

/// Returns the flags of an event: the news or, with an error, everything that the OS has said.
fn flags(said: i16, news: i16) -> i16 {
    if news & POLLERR != 0 { said } else { news }
}

/// Returns what the OS says about a descriptor now.
pub(crate) fn details(fd: RawFd, directions: i16) -> i16 {
    let mut descriptor = [libc::pollfd { fd, events: directions, revents: 0 }];
    if poll(&mut descriptor, 0).is_ok() { descriptor[0].revents } else { 0 }
}

/// A table of registrations, which the sources' registrations refer back to.
pub(crate) trait Registrations {
    /// Ends the registration of `fd`, if it is the one with this id.
    fn end(&self, fd: RawFd, id: u64);
}

/// The source's part of a registration. It arms the registration again after I/O, and ends it when the source is dropped.
pub(crate) struct Registration<R: Registrations> {
    pub(crate) queue: Weak<R>,
    pub(crate) fd: RawFd,
    pub(crate) id: u64,
}

impl<R: Registrations> Registration<R> {
    /// Returns what to look up in the table of `queue` for a source that has the descriptor `fd` now: its own registration, even
    /// if that is for another descriptor. If nothing is known about it, this is `fd`, with no id. Returns `None` if the source
    /// is registered with a different queue.
    pub(crate) fn key(&self, queue: &Arc<R>, fd: RawFd) -> Option<(RawFd, Option<u64>)> {
        if self.queue.strong_count() == 0 {
            return Some((fd, None));
        }
        (self.queue.as_ptr() == Arc::as_ptr(queue)).then_some((self.fd, Some(self.id)))
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

/// `POLLIN` and the other flags of `poll(2)`.
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
        // After a hang-up both directions are closed, and reading returns the end of the stream.
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
        write_flags!(f, |flag| self.any(flag), POLLIN | POLLPRI | POLLOUT | POLLRDHUP | POLLERR | POLLHUP | POLLNVAL)
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

    /// Returns an edge-triggered entry that has reported this.
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
    #[cfg(any(target_os = "android", target_os = "freebsd", target_os = "illumos", target_os = "linux"))]
    fn the_stage_of_a_stream_follows_from_the_one_before_and_what_is_said() {
        const RESET: i16 = POLLHUP | POLLRDHUP | POLLERR;
        let hung_up = |read_closed| Stream::HungUp { read_closed };
        let rows = [
            (Stream::New, 0, Stream::New),
            (Stream::New, POLLOUT, Stream::Alive),
            (Stream::New, RESET, hung_up(true)),
            (Stream::Alive, POLLRDHUP | POLLERR, Stream::Alive),
            (Stream::Alive, POLLHUP | POLLERR, hung_up(false)),
            (Stream::Alive, RESET, Stream::Reset),
            (Stream::Reset, POLLHUP | POLLRDHUP, Stream::Reset),
            (Stream::Reset, POLLRDHUP, Stream::Alive),
            (hung_up(true), 0, Stream::New),
        ];
        for (before, said, after) in rows {
            assert_eq!(before.after(said), after, "{before:?}, {:?}", PollFlags(said));
        }
    }

    #[test]
    fn no_more_is_asked_for_than_the_interests_and_the_end_of_the_data() {
        assert_eq!(entry(Interest::READABLE, Trigger::Edge).all_directions(), READING);
        assert_eq!(entry(Interest::WRITABLE, Trigger::Edge).all_directions(), POLLOUT | POLLRDHUP);
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
        for again in [again, after_block(&told(BOTH, POLLERR), BOTH)] {
            assert!(again.after_io(Spent::Blocked(BOTH)).is_none(), "the second time makes no difference");
        }
        let reader = told(Interest::READABLE, POLLIN);
        assert!(reader.after_io(Spent::Blocked(Interest::WRITABLE)).is_none(), "it is not watched");
    }

    #[test]
    fn an_error_that_was_taken_is_waited_for_again() {
        let entry = told(BOTH, POLLERR);
        assert_eq!(after_io(&entry, Spent::Error).asked(), Some(READING | POLLOUT));
        assert!(told(BOTH, POLLIN).after_io(Spent::Error).is_none(), "none was told");
        let mut moved_bytes = after_io(&entry, Spent::Short(Interest::WRITABLE));
        assert_eq!(moved_bytes.look(POLLERR, later()), POLLERR, "it may have ended and come back");
    }

    #[test]
    fn a_stream_that_starts_to_connect_is_as_if_nothing_had_been_reported() {
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
        // The peer has shut down its writing side, but the program still writes.
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
            // There is a writer again, and it has written something.
            assert_eq!(fifo.look(POLLIN, later()), POLLIN);
            assert_eq!(fifo.asked(), Some(POLLRDHUP));
            assert_eq!(fifo.event(POLLHUP), POLLHUP);
        }
    }

    /// A broken connection must not keep waking the poller while it is registered.
    #[test]
    #[cfg(any(target_os = "android", target_os = "freebsd", target_os = "illumos", target_os = "linux"))]
    fn a_reset_of_an_established_connection_is_looked_at_only_between_waits() {
        const END: i16 = POLLERR | POLLHUP | READING | POLLOUT;
        for interest in [BOTH, Interest::WRITABLE] {
            let mut entry = told(interest, POLLOUT);
            assert!(entry.needs_details(POLLHUP | POLLERR), "it may be the end of the data");
            entry.event(END);
            for spent in [Spent::Short(Interest::READABLE), Spent::Error] {
                entry = after_io(&entry, spent);
                assert!(entry.asked().is_none() && entry.needs_look());
                assert_eq!(entry.patience(), Duration::MAX);
            }
            assert_eq!(entry.look(END & !POLLERR, later()), 0);
            assert_eq!(entry.look(END, later()) & POLLERR, POLLERR);
            assert_eq!(entry.patience(), Duration::MAX);
            let mut blocked = after_block(&entry, Interest::READABLE);
            for _ in 0..2 {
                blocked.look(END, later());
            }
            assert_eq!(
                blocked.patience(),
                RARE_LOOK,
                "it was none of an established connection, or reading would not block"
            );
            // The program connects the socket again.
            assert_eq!(entry.look(POLLOUT | POLLHUP, later()), POLLOUT | POLLHUP);
            assert_eq!(entry.patience(), LOOK);
            assert_eq!(entry.look(0, later()), 0);
            assert_eq!(entry.event(POLLOUT), POLLOUT);
            entry = entry.replaced(entry.watch);
            entry.event(END);
            assert_eq!((entry.asked(), entry.patience()), (None, Duration::MAX));
        }
    }

    /// A connection that both sides have shut down may still fail, and a socket that was refused may connect again.
    #[test]
    #[cfg(any(target_os = "android", target_os = "freebsd", target_os = "illumos", target_os = "linux"))]
    fn a_connection_that_is_almost_over_is_looked_at_now_and_then() {
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

    /// A datagram socket that was shut down still receives, and the reported end may have concerned an earlier connection.
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
            // The connection is refused. The program takes the error, and the connection is refused again.
            assert_eq!(entry.look(FAILED, later()), FAILED & watched);
            entry = after_io(&entry, Spent::Error);
            assert_eq!(entry.look(FAILED & !POLLERR, later()), 0);
            assert_eq!(entry.look(FAILED, later()), FAILED & watched, "an error comes with everything that holds");
            // The socket starts connecting, and succeeds.
            assert_eq!(entry.look(0, later()), 0);
            assert_eq!(entry.asked(), Some(directions(interest)));
            assert_eq!(entry.event(POLLOUT), POLLOUT);
            assert_eq!(entry.event(READING | POLLHUP), (READING | POLLHUP) & watched);
        }
    }

    /// The socket connects and is closed between two looks.
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
        // The error ends, and comes back.
        assert_eq!(entry.look(0, later()), 0);
        assert!(!entry.needs_look());
        assert_eq!(entry.asked(), Some(READING | POLLOUT));
        assert_eq!(entry.event(POLLERR), POLLERR);
    }

    /// The program may read without the library's knowledge, and more may arrive before a look sees that it was gone.
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

    /// If a connection has an error and data to read, that does not mean that nobody reads what the program writes.
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
