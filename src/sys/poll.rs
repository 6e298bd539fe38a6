//! `poll(2)`, for systems that have nothing better.
//!
//! The table of registrations is the truth; each wait works on a copy of it. So a registering thread waits for nobody:
//! it changes the table, and if the poller sleeps on an older copy, tells it to take a new one. What the poller then
//! reports is checked against the table as it is, so nothing comes for what was deregistered meanwhile.
//!
//! While there are registrations that need to be looked at (see `unix::emulated`), a call that does not wait, and asks all about
//! them, comes before each wait, which is short then.

#![allow(unsafe_code)]

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use libc::{POLLIN, pollfd};

use super::unix::emulated::{Entry, Looks, POLLNVAL, PollFlags, Registration, Registrations, details, shortened};
use super::unix::fd_map::FdMap;
use super::unix::file::Identity;
use super::unix::notifier::Notifier;
use super::unix::{self, TimeLeft, check_open, lock, poll};
use super::{Backend, Spent, TokenAndFlags, Watch, already_registered, not_registered};
use crate::Token;
use crate::event::Event;

#[derive(Debug)]
pub(crate) struct Selector {
    shared: Arc<Shared>,
}

impl Backend for Selector {
    type Buffer = Snapshot;
    type Registration = Registration<Shared>;
    type Event = TokenAndFlags<PollFlags>;

    fn new() -> io::Result<Selector> {
        let notifier = match Notifier::new() {
            // WASI has none. An OS that knows the call not (`ENOSYS`, which is `Unsupported` as well) says so by its code.
            Err(error) if error.kind() == io::ErrorKind::Unsupported && error.raw_os_error().is_none() => None,
            notifier => Some(notifier?),
        };
        let shared = Shared { table: Mutex::default(), notifier, woken: AtomicBool::new(false) };
        Ok(Selector { shared: Arc::new(shared) })
    }

    fn buffer(capacity: usize) -> Snapshot {
        Snapshot { capacity, watched: Vec::new(), ids: Vec::new(), look: false }
    }

    fn select(&self, snapshot: &mut Snapshot, events: &mut Vec<Event>, timeout: Option<Duration>) -> io::Result<bool> {
        let time = TimeLeft::new(timeout);
        let (mut left, mut looked) = (timeout, false);
        loop {
            let mut table = self.shared.table();
            let look = !looked && table.looks.are_needed();
            let longest = if look { Some(Duration::ZERO) } else { shortened(left, table.looks.patience()) };
            table.copy_to(snapshot, look, self.shared.notifier.as_ref());
            if longest.is_none() && snapshot.watched.iter().all(|entry| entry.fd < 0) {
                table.sleeping = false;
                return Err(nothing_to_wait_for());
            }
            drop(table);
            let ready = wait(&mut snapshot.watched, longest);
            let mut table = self.shared.table();
            (table.sleeping, table.outdated) = (false, false);
            let mut ready = ready?;

            let mut notified = false;
            if snapshot.interrupted() {
                ready -= 1;
                self.shared.notifier.as_ref().map_or(Ok(()), Notifier::drain)?;
                notified = self.shared.woken.swap(false, Ordering::AcqRel);
            }
            table.report(snapshot, ready, events, snapshot.capacity);

            left = time.left();
            // With neither events nor the time up, the table had changed, or what was ready is watched no more, or it was
            // a look, or it is time for the next.
            if notified || !events.is_empty() || left == Some(Duration::ZERO) {
                return Ok(notified);
            }
            looked = look;
        }
    }

    fn register(&self, fd: RawFd, registration: &mut Registration<Shared>, watch: Watch) -> io::Result<()> {
        if registration.queue.strong_count() > 0 {
            return Err(already_registered());
        }
        let id = self.shared.insert(fd, Entry::new(watch, false))?;
        *registration = Registration { queue: Arc::downgrade(&self.shared), fd, id };
        Ok(())
    }

    fn register_bare(&self, fd: RawFd, watch: Watch) -> io::Result<()> {
        self.shared.insert(fd, Entry::new(watch, true)).map(drop)
    }

    fn reregister(&self, fd: RawFd, registration: &mut Registration<Shared>, watch: Watch) -> io::Result<()> {
        if registration.is_with_another(&self.shared) {
            return Err(already_registered());
        }
        self.shared.change(|table| table.replace(fd, watch))
    }

    fn deregister(&self, fd: RawFd, registration: &mut Registration<Shared>) -> io::Result<()> {
        if registration.is_with_another(&self.shared) {
            return Err(not_registered());
        }
        self.shared.change(|table| table.remove(fd, None))?;
        mem::take(registration).forget();
        Ok(())
    }

    fn rearm(fd: RawFd, registration: &Registration<Shared>, spent: Spent) -> io::Result<()> {
        let Some(shared) = registration.queue.upgrade() else { return Ok(()) };
        let mut table = shared.table();
        let Some(place) = table.place(fd, Some(registration.id)) else { return Ok(()) };
        // After I/O that was done, nobody tries again. So the change is made in any case, and a poller that sleeps and could
        // not be told of it is told next time.
        if let Some(after) = table.entries[place].after_io(spent) {
            table.set(place, after);
            table.outdated = table.sleeping;
        }
        if table.outdated { shared.rouse(&mut table) } else { Ok(()) }
    }

    fn set_waker(&self, _token: Token) -> io::Result<()> {
        // If there is none, the error that says why.
        if self.shared.notifier.is_some() { Ok(()) } else { Notifier::new().map(drop) }
    }

    fn notify(&self) -> io::Result<()> {
        self.shared.woken.store(true, Ordering::Release);
        self.shared.interrupt()
    }
}

#[derive(Debug)]
pub(crate) struct Shared {
    table: Mutex<Table>,
    /// Interrupts a sleeping poller: for a wake, or because the table has changed. WASI has nothing to make one of.
    notifier: Option<Notifier>,
    /// The interruption is a wake.
    woken: AtomicBool,
}

impl Shared {
    fn table(&self) -> MutexGuard<'_, Table> {
        lock(&self.table)
    }

    /// Changes the table, after it has told a poller that sleeps on an older copy of it to take a new one. The poller
    /// waits for the table to be unlocked; and if it cannot be told, nothing was changed.
    fn change<R>(&self, change: impl FnOnce(&mut Table) -> io::Result<R>) -> io::Result<R> {
        let mut table = self.table();
        self.rouse(&mut table)?;
        change(&mut table)
    }

    fn insert(&self, fd: RawFd, entry: Entry) -> io::Result<u64> {
        // `poll(2)` itself would complain about a closed descriptor only in the next wait.
        check_open(fd)?;
        self.change(|table| table.insert(fd, entry))
    }

    /// Interrupts the poller if it sleeps.
    fn rouse(&self, table: &mut Table) -> io::Result<()> {
        if table.sleeping {
            self.interrupt()?;
            (table.sleeping, table.outdated) = (false, false);
        }
        Ok(())
    }

    fn interrupt(&self) -> io::Result<()> {
        self.notifier.as_ref().map_or(Ok(()), Notifier::notify)
    }
}

impl Registrations for Shared {
    fn end(&self, fd: RawFd, id: u64) {
        let mut table = self.table();
        // The descriptor is about to be closed: the registration goes whether or not the poller can be told, or else the
        // next source of that number would inherit it.
        let _ = self.rouse(&mut table);
        // It may be gone already, closed behind our back.
        let _ = table.remove(fd, Some(id));
    }
}

/// All registrations. The first vectors run in parallel.
#[derive(Debug, Default)]
struct Table {
    /// What is asked for, in the form that is copied for the kernel. A mute registration's descriptor has all bits
    /// inverted: the kernel takes no notice of negative ones.
    watched: Vec<pollfd>,
    entries: Vec<Entry>,
    /// Never used twice, so that what was asked for one registration is not told to the next on the same descriptor.
    ids: Vec<u64>,
    /// Where a descriptor stands in the vectors.
    places: FdMap<usize>,
    /// What a descriptor stood for, of those that may be closed and used again without a word.
    identities: FdMap<Identity>,
    last_id: u64,
    looks: Looks,
    /// The place where the next report begins, so that when more is ready than fits, each source gets its turn.
    next_turn: usize,
    /// The poller waits, or is about to, with a copy of this table.
    sleeping: bool,
    /// The table has changed since, and the poller could not be told.
    outdated: bool,
}

/// A copy of what a table asks for, for the kernel to write its answers into; and the notifier behind it.
pub(crate) struct Snapshot {
    /// How many events there may be.
    capacity: usize,
    watched: Vec<pollfd>,
    /// The id of each registration.
    ids: Vec<u64>,
    /// All was asked about those that need to be looked at.
    look: bool,
}

impl Snapshot {
    /// Whether the notifier interrupted the wait.
    fn interrupted(&self) -> bool {
        self.watched.get(self.ids.len()).is_some_and(|notifier| notifier.revents != 0)
    }
}

impl Table {
    fn insert(&mut self, fd: RawFd, entry: Entry) -> io::Result<u64> {
        if let Some(&place) = self.places.get(fd) {
            if self.identities.get(fd).is_none_or(|identity| identity.is_of(fd)) {
                return Err(already_registered());
            }
            // Closed without being deregistered, and its number used again.
            self.remove_at(place);
        }
        self.last_id += 1;
        let place = self.watched.len();
        self.places.insert(fd, place);
        if let Some(identity) = entry.identity(fd) {
            self.identities.insert(fd, identity);
        }
        self.watched.push(pollfd { fd, events: 0, revents: 0 });
        self.entries.push(entry);
        self.ids.push(self.last_id);
        self.looks.count(&entry, 1);
        self.set(place, entry);
        Ok(self.last_id)
    }

    fn replace(&mut self, fd: RawFd, watch: Watch) -> io::Result<()> {
        let place = self.place(fd, None).ok_or_else(not_registered)?;
        self.set(place, self.entries[place].replaced(watch));
        Ok(())
    }

    /// Removes the registration of `fd`, if its id is the one given or none is.
    fn remove(&mut self, fd: RawFd, id: Option<u64>) -> io::Result<()> {
        self.place(fd, id).map(|place| self.remove_at(place)).ok_or_else(not_registered)
    }

    fn remove_at(&mut self, place: usize) {
        self.looks.count(&self.entries[place], -1);
        let removed = descriptor(&self.watched.swap_remove(place));
        self.entries.swap_remove(place);
        self.ids.swap_remove(place);
        self.places.remove(removed);
        self.identities.remove(removed);
        if let Some(moved) = self.watched.get(place) {
            self.places.insert(descriptor(moved), place);
        }
    }

    /// Where the registration of `fd` stands, if its id is the one given or none is.
    fn place(&self, fd: RawFd, id: Option<u64>) -> Option<usize> {
        self.places.get(fd).copied().filter(|&place| id.is_none_or(|id| self.ids[place] == id))
    }

    fn set(&mut self, place: usize, entry: Entry) {
        self.looks.count(&self.entries[place], -1);
        self.looks.count(&entry, 1);
        self.entries[place] = entry;
        // WASI refuses to watch for nothing but hang-ups and errors.
        let asked = entry.asked().filter(|&directions| directions != 0 || !cfg!(target_os = "wasi"));
        let watched = &mut self.watched[place];
        let fd = descriptor(watched);
        watched.fd = if asked.is_some() { fd } else { !fd };
        watched.events = asked.unwrap_or(0);
    }

    fn copy_to(&mut self, snapshot: &mut Snapshot, look: bool, notifier: Option<&Notifier>) {
        snapshot.watched.clear();
        snapshot.watched.reserve(self.watched.len() + 1);
        snapshot.watched.extend_from_slice(&self.watched);
        snapshot.ids.clone_from(&self.ids);
        snapshot.look = look;
        if look {
            for (watched, entry) in
                snapshot.watched.iter_mut().zip(&self.entries).filter(|(_, entry)| entry.needs_look())
            {
                *watched = pollfd { fd: descriptor(watched), events: entry.all_directions(), revents: 0 };
            }
        }
        snapshot.watched.extend(notifier.map(|notifier| pollfd {
            fd: notifier.as_raw_fd(),
            events: POLLIN,
            revents: 0,
        }));
        self.sleeping = true;
    }

    /// Turns the kernel's answers to `snapshot`, `ready` of them other than zero, into no more than `room` events.
    fn report(&mut self, snapshot: &Snapshot, mut ready: usize, events: &mut Vec<Event>, room: usize) {
        if ready == 0 && !snapshot.look {
            return;
        }
        let now = snapshot.look.then(Instant::now);
        let end = snapshot.ids.len();
        let first = self.next_turn.min(end);
        for turn in [first..end, 0..first] {
            for (place, &pollfd { fd, revents, .. }) in turn.clone().zip(&snapshot.watched[turn]) {
                // Of those that are looked at, the ones that are not ready are waited for from now on.
                if revents == 0 && (!snapshot.look || fd < 0) {
                    continue;
                }
                if events.len() == room {
                    self.next_turn = place;
                    return;
                }
                // Where the registration stands now, if it still exists.
                let id = snapshot.ids[place];
                let now_at = if self.ids.get(place) == Some(&id) { Some(place) } else { self.place(fd, Some(id)) };
                if let Some(place) = now_at {
                    self.report_one(place, revents, now, events);
                }
                ready -= usize::from(revents != 0);
                if ready == 0 && !snapshot.look {
                    return;
                }
            }
        }
    }

    fn report_one(&mut self, place: usize, said: i16, look: Option<Instant>, events: &mut Vec<Event>) {
        if said & POLLNVAL != 0 {
            // Closed without being deregistered: the registration is gone with the descriptor, as with other queues.
            return self.remove_at(place);
        }
        let mut entry = self.entries[place];
        let told = match look.filter(|_| entry.needs_look()) {
            Some(now) => entry.look(said, now),
            None if entry.needs_details(said) => {
                entry.event(said | details(descriptor(&self.watched[place]), entry.all_directions()))
            }
            None => entry.event(said),
        };
        self.set(place, entry);
        if told != 0 {
            events.push(Event::new(entry.token(), PollFlags(told)));
        }
    }
}

/// The descriptor of an entry, which may be mute.
fn descriptor(entry: &pollfd) -> RawFd {
    entry.fd.max(!entry.fd)
}

/// There is no notifier either: WASI.
#[cold]
fn nothing_to_wait_for() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "nothing can end this wait: no source waits for anything")
}

cfg_if! {
    if #[cfg(any(
        target_os = "android",
        target_os = "cygwin",
        target_os = "dragonfly",
        target_os = "freebsd",
        target_os = "fuchsia",
        target_os = "haiku",
        target_os = "hurd",
        target_os = "linux",
        target_os = "netbsd",
        target_os = "openbsd",
    ))] {
        /// Waits, rounding the time-out up to what the OS takes. Returns how many descriptors it had something to say of.
        fn wait(watched: &mut [pollfd], timeout: Option<Duration>) -> io::Result<usize> {
            let Some(time) = timeout.filter(|time| !time.is_zero()) else {
                // Here it takes less time than with a time that is to be read, and written back.
                return poll(watched, if timeout.is_some() { 0 } else { -1 });
            };
            let count = watched.len() as libc::nfds_t;
            let time = unix::timespec(time);
            // SAFETY: the kernel writes to as many entries as there are; the time is read, and no signal mask is given.
            let ready = unsafe { libc::ppoll(watched.as_mut_ptr(), count, &time, std::ptr::null()) };
            unix::check(ready).map(|ready| ready as usize)
        }
    } else {
        fn wait(watched: &mut [pollfd], timeout: Option<Duration>) -> io::Result<usize> {
            poll(watched, timeout.map_or(-1, unix::milliseconds))
        }
    }
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_os = "linux", feature = "os-ext"))]
    use std::{
        io::{Read, Write},
        os::{fd::OwnedFd, unix::net::UnixStream},
    };

    use super::*;
    #[cfg(all(target_os = "linux", feature = "os-ext"))]
    use crate::{Events, IoSource, Poll, Registry};
    use crate::{Interest, Trigger};

    #[cfg(all(target_os = "linux", feature = "os-ext"))]
    type Source = IoSource<UnixStream>;

    fn watch(token: usize) -> Watch {
        Watch { token: Token(token), interest: Interest::READABLE, trigger: Trigger::Level }
    }

    fn entry(token: usize) -> Entry {
        Entry::new(watch(token), false)
    }

    /// A table with a readable registration for each of the descriptors, whose tokens are their numbers.
    fn table(fds: impl IntoIterator<Item = RawFd>) -> Table {
        let mut table = Table::default();
        for fd in fds {
            table.insert(fd, entry(fd as usize)).unwrap();
        }
        table
    }

    /// What the kernel would answer if the descriptors of `ready` were readable.
    fn answers(table: &mut Table, ready: impl Fn(RawFd) -> bool) -> (Snapshot, usize) {
        let mut snapshot = Selector::buffer(0);
        table.copy_to(&mut snapshot, false, None);
        let mut count = 0;
        for entry in &mut snapshot.watched {
            if entry.fd >= 0 && ready(entry.fd) {
                entry.revents = POLLIN;
                count += 1;
            }
        }
        (snapshot, count)
    }

    fn report(table: &mut Table, (snapshot, ready): &(Snapshot, usize), room: usize) -> Vec<usize> {
        let mut events = Vec::new();
        table.report(snapshot, *ready, &mut events, room);
        events.iter().map(|event| event.token().0).collect()
    }

    #[test]
    fn every_ready_source_gets_its_turn_when_there_is_room_for_few() {
        let mut table = table(10..20);
        let mut told = Vec::new();
        for _ in 0..4 {
            let answers = answers(&mut table, |_| true);
            told.extend(report(&mut table, &answers, 3));
        }
        told.sort_unstable();
        told.dedup();
        assert_eq!(told, (10..20).collect::<Vec<usize>>());
    }

    /// Also in a look, which has something to say of each.
    #[test]
    fn there_are_never_more_events_than_there_is_room_for() {
        for (look, room) in [false, true].into_iter().flat_map(|look| (1..12).map(move |room| (look, room))) {
            let mut table = Table::default();
            for fd in 10..20 {
                let trigger = if fd % 2 == 0 { Trigger::Edge } else { Trigger::Level };
                table.insert(fd, Entry::new(Watch { trigger, ..watch(fd as usize) }, true)).unwrap();
            }
            let mut told = Vec::new();
            for _ in 0..10 {
                let mut answers = answers(&mut table, |_| true);
                answers.0.look = look;
                let events = report(&mut table, &answers, room);
                assert!(events.len() <= room, "{events:?}");
                told.extend(events);
            }
            told.sort_unstable();
            told.dedup();
            assert_eq!(told, (10..20).collect::<Vec<usize>>());
        }
    }

    #[test]
    fn turns_are_fair_although_registrations_come_and_go() {
        let mut table = table(10..20);
        let first = answers(&mut table, |_| true);
        assert_eq!(report(&mut table, &first, 4), [10, 11, 12, 13]);
        table.remove(19, None).unwrap();
        table.remove(10, None).unwrap();
        let second = answers(&mut table, |_| true);
        assert_eq!(report(&mut table, &second, 4), [14, 15, 16, 17]);
    }

    #[test]
    fn what_was_deregistered_during_the_wait_is_not_told() {
        let mut table = table([10, 11, 12]);
        let answers = answers(&mut table, |_| true);
        table.remove(10, None).unwrap();
        assert_eq!(report(&mut table, &answers, 8), [11, 12]);
    }

    #[test]
    fn an_answer_for_an_earlier_registration_of_the_descriptor_is_not_told() {
        let mut table = table([10, 11]);
        let answers = answers(&mut table, |fd| fd == 10);
        table.remove(10, None).unwrap();
        table.insert(10, entry(99)).unwrap();
        assert_eq!(report(&mut table, &answers, 8), []);
    }

    #[test]
    fn a_closed_descriptor_ends_its_registration() {
        let mut table = table([10, 11]);
        let mut answers = answers(&mut table, |_| true);
        answers.0.watched[0].revents = POLLNVAL;
        assert_eq!(report(&mut table, &answers, 8), [11]);
        assert!(table.insert(10, entry(10)).is_ok());
    }

    #[test]
    fn the_kernel_is_not_asked_about_a_mute_registration() {
        let mut table = table([10, 11]);
        table.replace(10, Watch { trigger: Trigger::OneShot, ..watch(10) }).unwrap();
        let first = answers(&mut table, |_| true);
        assert_eq!(report(&mut table, &first, 8), [10, 11]);
        let second = answers(&mut table, |_| true);
        assert_eq!(report(&mut table, &second, 8), [11]);
        table.replace(10, watch(10)).unwrap();
        let third = answers(&mut table, |_| true);
        assert_eq!(report(&mut table, &third, 8), [10, 11]);
    }

    #[test]
    fn places_follow_when_a_registration_is_removed_from_the_middle() {
        let mut table = table(10..15);
        table.remove(11, None).unwrap();
        table.remove(14, None).unwrap();
        for fd in [10, 12, 13] {
            assert_eq!(table.watched[*table.places.get(fd).unwrap()].fd, fd);
        }
        assert_eq!((table.places.get(11), table.places.get(14)), (None, None));
    }

    #[test]
    fn a_bare_source_is_looked_at_once_it_has_told_something() {
        let mut table = Table::default();
        let watch = Watch { trigger: Trigger::Edge, ..watch(10) };
        table.insert(10, Entry::new(watch, true)).unwrap();
        assert!(!table.looks.are_needed());
        let answers = answers(&mut table, |_| true);
        assert_eq!(report(&mut table, &answers, 8), [10]);
        assert!(table.looks.are_needed());
    }

    /// A source that has told of data, and a poller that sleeps and cannot be interrupted: the notifier's descriptor stands
    /// for a device that takes nothing during `untold`. Returns the tokens of the poller's events after `then`.
    #[cfg(all(target_os = "linux", feature = "os-ext"))]
    fn with_a_poller_that_cannot_be_told(
        untold: impl FnOnce(&Registry, &mut Source),
        then: impl FnOnce(&Registry, &mut Source, &mut UnixStream),
    ) -> Vec<Token> {
        let mut poll = Poll::new().unwrap();
        let mut events = Events::with_capacity(8);
        let registry = poll.registry().try_clone().unwrap();
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let mut ours = IoSource::new(ours);
        registry.register(&mut ours, Token(0), Interest::READABLE).unwrap();
        theirs.write_all(b"data").unwrap();
        poll.poll(&mut events, None).unwrap();

        std::thread::scope(|scope| {
            let poller = scope.spawn(move || {
                poll.poll(&mut events, Some(Duration::from_secs(20))).unwrap();
                events.iter().map(Event::token).collect()
            });
            let shared = &registry.queue().backend.shared;
            while !shared.table().sleeping {
                std::thread::yield_now();
            }
            let notifier = shared.notifier.as_ref().unwrap();
            let end = notifier.sending_end();
            let full = OwnedFd::from(std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
            // SAFETY: takes no pointer; the number stays the notifier's.
            let replace = |with: RawFd| assert_eq!(unsafe { libc::dup2(with, end) }, end);
            // SAFETY: takes no pointer; the new descriptor is closed with the process.
            let saved = unix::check(unsafe { libc::fcntl(end, libc::F_DUPFD_CLOEXEC, 0) }).unwrap();
            replace(full.as_raw_fd());
            untold(&registry, &mut ours);
            replace(saved);
            then(&registry, &mut ours, &mut theirs);
            poller.join().unwrap()
        })
    }

    #[cfg(all(target_os = "linux", feature = "os-ext"))]
    fn read(source: &Source) -> io::Result<usize> {
        source.stream_io(Interest::READABLE, || 8, |mut stream| stream.read(&mut [0; 8]))
    }

    #[test]
    #[cfg(all(target_os = "linux", feature = "os-ext"))]
    fn when_the_sleeping_poller_cannot_be_told_trying_again_works() {
        let tokens = with_a_poller_that_cannot_be_told(
            |registry, ours| {
                assert_eq!(ours.try_io_for(Interest::READABLE, |mut ours| ours.read(&mut [0; 4])).unwrap(), 4);
                for _ in 0..2 {
                    assert_eq!(read(ours).unwrap_err().raw_os_error(), Some(libc::ENOSPC));
                    let error = registry.reregister(ours, Token(1), Interest::READABLE).unwrap_err();
                    assert_eq!(error.raw_os_error(), Some(libc::ENOSPC));
                    assert!(registry.deregister(ours).is_err());
                }
            },
            |_, ours, theirs| {
                assert_eq!(read(ours).unwrap_err().kind(), io::ErrorKind::WouldBlock);
                theirs.write_all(b"more").unwrap();
            },
        );
        assert_eq!(tokens, [Token(0)]);
    }

    /// Nobody reads again, as the short read was the last.
    #[test]
    #[cfg(all(target_os = "linux", feature = "os-ext"))]
    fn a_short_read_that_the_sleeping_poller_could_not_be_told_of_counts_when_it_wakes() {
        let (first, mut other) = UnixStream::pair().unwrap();
        let mut first = IoSource::new(first);
        let tokens = with_a_poller_that_cannot_be_told(
            |_, ours| assert_eq!(read(ours).unwrap(), 4),
            |registry, _, theirs| {
                theirs.write_all(b"more").unwrap();
                // For another reason.
                other.write_all(b"data").unwrap();
                registry.register(&mut first, Token(1), Interest::READABLE).unwrap();
            },
        );
        assert_eq!(tokens, [Token(0), Token(1)]);
    }
}
