//! `poll(2)`, for systems that have nothing better.
//!
//! The table of registrations is the truth; each wait works on a copy of it. So a registering thread waits for nobody:
//! it changes the table, and if the poller sleeps on an older copy, tells it to take a new one. What the poller then
//! reports is checked against the table as it is, so nothing comes for what was deregistered meanwhile.
//!
//! `poll(2)` reports what *is*; edges are made of it: a direction that was reported is not asked for again until I/O
//! has said `WouldBlock` in that direction, or `reregister`.

#![allow(unsafe_code)]

use std::fmt;
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use libc::{POLLERR, POLLHUP, POLLIN, POLLNVAL, POLLOUT, POLLPRI, pollfd};

use super::notifier::Notifier;
use super::unix::{check, timespec};
use super::{Backend, Flags, Watch, already_registered, not_registered};
use crate::event::{Event, Readiness, write_names};
use crate::queue::AtomicToken;
use crate::{Interest, Token, Trigger};

/// The peer has shut its writing side: told with the read direction where the OS has a flag for it.
#[cfg(any(target_os = "android", target_os = "linux"))]
const POLLRDHUP: i16 = libc::POLLRDHUP;
#[cfg(not(any(target_os = "android", target_os = "linux")))]
const POLLRDHUP: i16 = 0;

#[derive(Debug)]
pub(crate) struct Selector {
    shared: Arc<Shared>,
    /// The copy that the kernel works on. Locked for as long as a wait takes, by the one thread that polls.
    snapshot: Mutex<Snapshot>,
}

impl Backend for Selector {
    /// How many events fit; the kernel writes into the snapshot.
    type Buffer = usize;
    type Registration = Registration;
    type Flags = PollFlags;

    const SHORT_IO_DRAINS: bool = false;

    fn new() -> io::Result<Selector> {
        let notifier = Notifier::new()?;
        let table = Table::new(&notifier);
        let shared = Shared { table: Mutex::new(table), notifier, woken: AtomicBool::new(false) };
        Ok(Selector { shared: Arc::new(shared), snapshot: Mutex::default() })
    }

    fn buffer(capacity: usize) -> usize {
        capacity
    }

    fn select(
        &self,
        room: &mut usize,
        events: &mut Vec<Event>,
        timeout: Option<Duration>,
        waker: &AtomicToken,
    ) -> io::Result<bool> {
        let mut snapshot = lock(&self.snapshot);
        let start = timeout.filter(|timeout| !timeout.is_zero()).map(|_| Instant::now());
        let mut left = timeout;
        loop {
            self.shared.table().copy_to(&mut snapshot);
            let ready = wait(&mut snapshot.watched, left);
            let mut table = self.shared.table();
            table.sleeping = false;
            let mut ready = ready?;

            let mut notified = false;
            if snapshot.watched[0].revents != 0 {
                ready -= 1;
                self.shared.notifier.drain()?;
                notified = self.shared.woken.swap(false, Ordering::AcqRel);
                if notified {
                    events.push(Event::new(waker.get(), PollFlags::WOKEN));
                }
            }
            table.report(&snapshot, ready, events, *room + usize::from(notified));

            left = timeout.map(|timeout| timeout.saturating_sub(start.map_or(timeout, |start| start.elapsed())));
            // With neither events nor the time up, the table had changed, or what was ready is watched no more.
            if !events.is_empty() || left.is_some_and(|left| left.is_zero()) {
                return Ok(notified);
            }
        }
    }

    fn register(&self, fd: RawFd, registration: &mut Registration, watch: Watch) -> io::Result<()> {
        if registration.queue.strong_count() > 0 {
            return Err(already_registered());
        }
        // `poll(2)` itself would complain about a closed descriptor only in the next wait.
        // SAFETY: takes no pointer.
        check(unsafe { libc::fcntl(fd, libc::F_GETFD) })?;
        let id = self.shared.change(|table| table.insert(fd, watch))?;
        *registration = Registration { queue: Arc::downgrade(&self.shared), fd, id };
        Ok(())
    }

    fn reregister(&self, fd: RawFd, _registration: &mut Registration, watch: Watch) -> io::Result<()> {
        self.shared.change(|table| table.replace(fd, watch))
    }

    fn deregister(&self, fd: RawFd, registration: &mut Registration) -> io::Result<()> {
        self.shared.change(|table| table.remove(fd, None))?;
        mem::take(registration).forget();
        Ok(())
    }

    #[cfg(feature = "os-ext")]
    fn detach(registration: Registration) {
        registration.forget();
    }

    fn rearm(fd: RawFd, registration: &Registration, blocked: Interest) -> io::Result<()> {
        let Some(shared) = registration.queue.upgrade() else { return Ok(()) };
        let mut table = shared.table();
        let outdated = table.rearm(fd, registration.id, blocked) && mem::take(&mut table.sleeping);
        drop(table);
        if outdated { shared.notifier.notify() } else { Ok(()) }
    }

    fn set_waker(&self, _token: Token) -> io::Result<()> {
        self.shared.woken.store(false, Ordering::Release);
        Ok(())
    }

    fn notify(&self) -> io::Result<()> {
        self.shared.woken.store(true, Ordering::Release);
        self.shared.notifier.notify()
    }
}

/// A source's part of a registration: what re-arms it, and what ends it when the source is dropped.
#[derive(Default)]
pub(crate) struct Registration {
    queue: Weak<Shared>,
    fd: RawFd,
    id: u64,
}

impl Registration {
    /// Makes dropping it do nothing.
    fn forget(mut self) {
        self.queue = Weak::new();
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        if let Some(shared) = self.queue.upgrade() {
            // It may be gone already, closed behind our back.
            let _ = shared.change(|table| table.remove(self.fd, Some(self.id)));
        }
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration").field("fd", &self.fd).field("id", &self.id).finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Shared {
    table: Mutex<Table>,
    /// Interrupts a sleeping poller: for a wake, or because the table has changed.
    notifier: Notifier,
    /// The interruption is a wake.
    woken: AtomicBool,
}

impl Shared {
    fn table(&self) -> MutexGuard<'_, Table> {
        lock(&self.table)
    }

    /// Changes the table, and has a poller that sleeps on an older copy of it take a new one.
    fn change<R>(&self, change: impl FnOnce(&mut Table) -> io::Result<R>) -> io::Result<R> {
        let mut table = self.table();
        let result = change(&mut table)?;
        let asleep = mem::take(&mut table.sleeping);
        drop(table);
        if asleep {
            self.notifier.notify()?;
        }
        Ok(result)
    }
}

/// All registrations. The vectors run in parallel; the notifier is their first entry.
#[derive(Debug)]
struct Table {
    /// What to ask the kernel. A descriptor stands here as its complement, a negative number that the kernel passes
    /// over, while its registration is mute: an edge-triggered one has told of a hang-up or error, or a one-shot of
    /// anything.
    watched: Vec<pollfd>,
    /// Never used twice, so that what was asked for one registration is not told to the next on the same descriptor.
    ids: Vec<u64>,
    watches: Vec<Watch>,
    /// Where a descriptor stands in the other vectors; in the order of the descriptors. (A hash map would grow now and
    /// then though it holds no more than before.)
    places: Vec<(RawFd, usize)>,
    last_id: u64,
    /// Where the next report begins, so that when more is ready than fits, each source gets its turn.
    next_turn: usize,
    /// The poller waits, or is about to, with a copy of this table as it is.
    sleeping: bool,
}

/// A copy of a table, for the kernel to write its answers into.
#[derive(Debug, Default)]
struct Snapshot {
    watched: Vec<pollfd>,
    ids: Vec<u64>,
}

impl Table {
    fn new(notifier: &Notifier) -> Table {
        let never = Watch { token: Token(0), interest: Interest::READABLE, trigger: Trigger::Level };
        Table {
            watched: vec![pollfd { fd: notifier.as_raw_fd(), events: POLLIN, revents: 0 }],
            ids: vec![0],
            watches: vec![never],
            places: Vec::new(),
            last_id: 0,
            next_turn: 1,
            sleeping: false,
        }
    }

    fn insert(&mut self, fd: RawFd, watch: Watch) -> io::Result<u64> {
        let Err(gap) = self.find(fd) else { return Err(already_registered()) };
        self.last_id += 1;
        self.places.insert(gap, (fd, self.watched.len()));
        self.watched.push(pollfd { fd, events: directions(watch.interest), revents: 0 });
        self.ids.push(self.last_id);
        self.watches.push(watch);
        Ok(self.last_id)
    }

    fn replace(&mut self, fd: RawFd, watch: Watch) -> io::Result<()> {
        let place = self.place(fd).ok_or_else(not_registered)?;
        self.watched[place] = pollfd { fd, events: directions(watch.interest), revents: 0 };
        self.watches[place] = watch;
        Ok(())
    }

    /// Removes the registration of `fd`, if its id is the one given or none is.
    fn remove(&mut self, fd: RawFd, id: Option<u64>) -> io::Result<()> {
        let place = self.place(fd).ok_or_else(not_registered)?;
        if id.is_some_and(|id| self.ids[place] != id) {
            return Err(not_registered());
        }
        self.remove_at(place);
        Ok(())
    }

    fn remove_at(&mut self, place: usize) {
        if let Ok(index) = self.find(self.descriptor(place)) {
            self.places.remove(index);
        }
        self.watched.swap_remove(place);
        self.ids.swap_remove(place);
        self.watches.swap_remove(place);
        if place < self.watched.len() {
            // The last one has moved there.
            if let Ok(index) = self.find(self.descriptor(place)) {
                self.places[index].1 = place;
            }
        }
    }

    /// Asks for the blocked directions of an edge-triggered registration again. Returns whether that changed anything.
    fn rearm(&mut self, fd: RawFd, id: u64, blocked: Interest) -> bool {
        let Some(place) = self.place(fd) else { return false };
        let Watch { interest, trigger, .. } = self.watches[place];
        if self.ids[place] != id || trigger != Trigger::Edge {
            return false;
        }
        let armed = self.watched[place].events | directions(blocked) & directions(interest);
        let changed = armed != self.watched[place].events || self.watched[place].fd != fd;
        self.watched[place] = pollfd { fd, events: armed, revents: 0 };
        changed
    }

    /// The index of a descriptor in `places`, or else where it would stand.
    fn find(&self, fd: RawFd) -> Result<usize, usize> {
        self.places.binary_search_by_key(&fd, |&(fd, _)| fd)
    }

    fn place(&self, fd: RawFd) -> Option<usize> {
        self.find(fd).ok().map(|index| self.places[index].1)
    }

    /// The descriptor at `place`, mute or not.
    fn descriptor(&self, place: usize) -> RawFd {
        let fd = self.watched[place].fd;
        if fd < 0 { !fd } else { fd }
    }

    fn copy_to(&mut self, snapshot: &mut Snapshot) {
        snapshot.watched.clone_from(&self.watched);
        snapshot.ids.clone_from(&self.ids);
        self.sleeping = true;
    }

    /// Turns the kernel's answers to `snapshot`, `ready` of them other than zero, into no more than `room` events.
    fn report(&mut self, snapshot: &Snapshot, mut ready: usize, events: &mut Vec<Event>, room: usize) {
        let end = snapshot.watched.len();
        let first = self.next_turn.min(end);
        for place in (first..end).chain(1..first) {
            if ready == 0 {
                return;
            }
            let pollfd { fd, revents, .. } = snapshot.watched[place];
            if revents == 0 {
                continue;
            }
            ready -= 1;
            if events.len() == room {
                self.next_turn = place;
                return;
            }
            // Where the registration stands now, if it still exists.
            let id = snapshot.ids[place];
            let now = if self.ids.get(place) == Some(&id) { Some(place) } else { self.place(fd) };
            if let Some(place) = now.filter(|&place| self.ids[place] == id) {
                self.report_one(place, revents, events);
            }
        }
    }

    fn report_one(&mut self, place: usize, said: i16, events: &mut Vec<Event>) {
        if said & POLLNVAL != 0 {
            // Closed without being deregistered: the registration is gone with the descriptor, as with other queues.
            return self.remove_at(place);
        }
        let asked = &mut self.watched[place];
        let closed = said & (POLLERR | POLLHUP);
        // It may have been told to watch less in the meantime.
        let told = said & asked.events | closed;
        if told == 0 || asked.fd < 0 {
            return;
        }
        let Watch { token, trigger, .. } = self.watches[place];
        match trigger {
            Trigger::Edge => {
                if told & (POLLIN | POLLRDHUP) != 0 {
                    asked.events &= !(POLLIN | POLLRDHUP);
                }
                asked.events &= !(told & (POLLOUT | POLLPRI));
                if closed != 0 {
                    asked.fd = !asked.fd;
                }
            }
            Trigger::OneShot => asked.fd = !asked.fd,
            Trigger::Level => {}
        }
        events.push(Event::new(token, PollFlags(told)));
    }
}

/// Interests in `poll(2)`'s words. `POLLERR` and `POLLHUP` come unasked.
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

/// Waits, rounding the time-out up to what the OS takes. Returns how many descriptors it had something to say of.
fn wait(watched: &mut [pollfd], timeout: Option<Duration>) -> io::Result<usize> {
    let count = watched.len() as libc::nfds_t;
    let timeout = timeout.map(timespec);
    let timeout = timeout.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: the kernel writes to as many entries as there are; the time is read, and no signal mask is given.
    check(unsafe { libc::ppoll(watched.as_mut_ptr(), count, timeout, ptr::null()) }).map(|ready| ready as usize)
}

/// Nothing that happens under these locks can panic half-way, so a poisoned one is as good as any.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `POLLIN` and its like.
#[derive(Copy, Clone)]
pub(crate) struct PollFlags(i16);

impl PollFlags {
    #[inline]
    fn any(self, flags: i16) -> bool {
        self.0 & flags != 0
    }
}

impl Flags for PollFlags {
    const WOKEN: PollFlags = PollFlags(POLLIN);

    #[inline]
    fn readiness(self) -> Readiness {
        let error = self.any(POLLERR);
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
        ];
        write_names(f, &names)
    }
}
