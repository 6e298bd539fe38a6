//! The backend on `poll(2)`, for systems that have nothing better.
//!
//! A table holds the registrations, and each wait works on a copy of it. So a thread that registers a source never has to wait
//! for the poller: it changes the table, and if the poller sleeps with an older copy, it tells the poller to take a new one.
//! Before the poller reports anything, it looks the registration up in the current table, so it reports nothing about a source
//! that was deregistered in the meantime.
//!
//! While there are registrations that the queue has to look at (see `unix::emulated`), it makes a call before each wait that
//! does not wait and asks everything about them, and then waits only for a short time.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::{Duration, Instant};

use libc::{POLLIN, pollfd};

use super::unix::emulated::{Entry, Looks, POLLNVAL, PollFlags, Registration, Registrations, details, shortened};
use super::unix::fd_map::FdMap;
use super::unix::identity::Identity;
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
            // WASI has no notifier. If an OS does not know the call, the error is `Unsupported` as well, but has a code,
            // `ENOSYS`.
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
            // If there are no events and time is left, the table has changed, or nothing watches any more what was ready, or
            // this was a look, or the next look is due.
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
        let (fd, id) = registration.key(&self.shared, fd).ok_or_else(already_registered)?;
        self.shared.change(|table| table.replace(fd, id, watch))
    }

    fn deregister(&self, fd: RawFd, registration: &mut Registration<Shared>) -> io::Result<()> {
        let (fd, id) = registration.key(&self.shared, fd).ok_or_else(not_registered)?;
        self.shared.change(|table| table.remove(fd, id))?;
        // Dropping the source's part ends nothing any more.
        registration.queue = Weak::new();
        Ok(())
    }

    fn rearm(registration: &Registration<Shared>, spent: Spent) -> io::Result<()> {
        let Some(shared) = registration.queue.upgrade() else { return Ok(()) };
        let mut table = shared.table();
        let Some(place) = table.place(registration.fd, Some(registration.id)) else { return Ok(()) };
        // If the I/O was successful, nothing repeats this call. So the change happens in any case, and if a sleeping poller
        // cannot be told about it, the next call tells it.
        if let Some(after) = table.entries[place].after_io(spent) {
            table.set(place, after);
            table.outdated = table.sleeping;
        }
        if table.outdated { shared.rouse(&mut table) } else { Ok(()) }
    }

    fn set_waker(&self, _token: Token) -> io::Result<()> {
        // If there is no notifier, making one returns the error that says why.
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
    /// Interrupts a sleeping poller, for a wake, or because the table has changed. On WASI there is none.
    notifier: Option<Notifier>,
    /// Whether the interruption is a wake.
    woken: AtomicBool,
}

impl Shared {
    fn table(&self) -> MutexGuard<'_, Table> {
        lock(&self.table)
    }

    /// Changes the table. If the poller sleeps with an older copy, this first tells it to take a new one. The poller then waits
    /// until the table is unlocked. If the poller cannot be told, the table stays unchanged.
    fn change<R>(&self, change: impl FnOnce(&mut Table) -> io::Result<R>) -> io::Result<R> {
        let mut table = self.table();
        self.rouse(&mut table)?;
        change(&mut table)
    }

    fn insert(&self, fd: RawFd, entry: Entry) -> io::Result<u64> {
        // `poll(2)` itself reports a closed descriptor only in the next wait.
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
        // The descriptor is about to be closed. The registration has to go even if the poller cannot be told, because otherwise
        // the next source with that number would inherit it.
        let _ = self.rouse(&mut table);
        // The registration is gone already if the program has closed the descriptor itself.
        let _ = table.remove(fd, Some(id));
    }
}

/// All registrations. The first three vectors have one item for each, in the same order.
#[derive(Debug, Default)]
struct Table {
    /// What to ask the kernel for, in the form that it takes a copy of. The descriptor of a mute registration has all its bits
    /// inverted, because the kernel ignores negative descriptors.
    watched: Vec<pollfd>,
    entries: Vec<Entry>,
    /// No id is used twice, so that an answer about one registration does not reach the next one for the same descriptor.
    ids: Vec<u64>,
    /// The index of each descriptor in the vectors.
    places: FdMap<usize>,
    /// What each bare descriptor stood for, because the program may close it and reuse its number without telling this crate.
    identities: FdMap<Identity>,
    last_id: u64,
    looks: Looks,
    /// The place where the next report starts, so that each source gets its turn when more are ready than fit.
    next_turn: usize,
    /// The poller waits, or is about to wait, with a copy of this table.
    sleeping: bool,
    /// The table has changed since then, and the poller could not be told.
    outdated: bool,
}

/// A copy of what a table asks for, which the kernel writes its answers into. The notifier comes last.
pub(crate) struct Snapshot {
    /// How many events the caller has room for.
    capacity: usize,
    watched: Vec<pollfd>,
    /// The id of each registration.
    ids: Vec<u64>,
    /// This is a look: it asks everything about the registrations that need it.
    look: bool,
}

impl Snapshot {
    /// Returns whether the notifier interrupted the wait.
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
            // The program has closed the descriptor without deregistering it, and reused its number.
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

    /// Replaces the registration of `fd`. If `id` is given, the registration must have that id.
    fn replace(&mut self, fd: RawFd, id: Option<u64>, watch: Watch) -> io::Result<()> {
        let place = self.place(fd, id).ok_or_else(not_registered)?;
        self.set(place, self.entries[place].replaced(watch));
        Ok(())
    }

    /// Removes the registration of `fd`. If `id` is given, the registration must have that id.
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

    /// Returns the index of the registration of `fd`. If `id` is given, the registration must have that id.
    fn place(&self, fd: RawFd, id: Option<u64>) -> Option<usize> {
        self.places.get(fd).copied().filter(|&place| id.is_none_or(|id| self.ids[place] == id))
    }

    fn set(&mut self, place: usize, entry: Entry) {
        self.looks.count(&self.entries[place], -1);
        self.looks.count(&entry, 1);
        self.entries[place] = entry;
        // WASI refuses to watch a descriptor only for hang-ups and errors.
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

    /// Turns the kernel's answers to `snapshot` into at most `room` events. `ready` is the number of answers that are not zero.
    fn report(&mut self, snapshot: &Snapshot, mut ready: usize, events: &mut Vec<Event>, room: usize) {
        if ready == 0 && !snapshot.look {
            return;
        }
        let now = snapshot.look.then(Instant::now);
        let end = snapshot.ids.len();
        let first = self.next_turn.min(end);
        for turn in [first..end, 0..first] {
            for (place, &pollfd { fd, revents, .. }) in turn.clone().zip(&snapshot.watched[turn]) {
                // In a look, an answer of zero counts as well: it says that the next wait can ask for the condition again.
                if revents == 0 && (!snapshot.look || fd < 0) {
                    continue;
                }
                if events.len() == room {
                    self.next_turn = place;
                    return;
                }
                // The registration may have moved since, or be gone.
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
            // The program has closed the descriptor without deregistering it. The registration ends with it, as on other
            // queues.
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

/// Returns the descriptor of an entry, even if that is mute.
fn descriptor(entry: &pollfd) -> RawFd {
    entry.fd.max(!entry.fd)
}

/// The error of a wait that would never end, which only WASI can have, because it has no notifier.
#[cold]
fn nothing_to_wait_for() -> io::Error {
    io::Error::new(
        io::ErrorKind::Unsupported,
        "this poll would never end: it has no time-out, and no source can end it",
    )
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
        /// Waits, and rounds the time-out up to the unit that the OS takes. Returns how many descriptors it has something to
        /// report about.
        fn wait(watched: &mut [pollfd], timeout: Option<Duration>) -> io::Result<usize> {
            let Some(time) = timeout.filter(|time| !time.is_zero()) else {
                // This call is faster, because the kernel need not read a time and write it back.
                return poll(watched, if timeout.is_some() { 0 } else { -1 });
            };
            let count = watched.len() as libc::nfds_t;
            let time = unix::timespec(time);
            // SAFETY: `count` is the number of entries that the kernel may write to. It only reads the time, and there is no
            // signal mask.
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

    /// Makes a table with a readable registration for each of the descriptors, whose tokens are their numbers.
    fn table(fds: impl IntoIterator<Item = RawFd>) -> Table {
        let mut table = Table::default();
        for fd in fds {
            table.insert(fd, entry(fd as usize)).unwrap();
        }
        table
    }

    /// Returns what the kernel would answer if the descriptors of `ready` were readable.
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
    fn a_registration_that_has_changed_or_ended_keeps_no_wait_short() {
        const FD: RawFd = 10;
        let edge = Watch { trigger: Trigger::Edge, ..watch(0) };
        let mut table = Table::default();
        table.insert(FD, Entry::new(edge, true)).unwrap();
        let report_something = |table: &mut Table| {
            let answers = answers(table, |_| true);
            report(table, &answers, 1);
            assert_ne!(table.looks.patience(), Duration::MAX);
        };
        report_something(&mut table);
        table.replace(FD, None, edge).unwrap();
        assert_eq!(table.looks.patience(), Duration::MAX);
        report_something(&mut table);
        table.remove(FD, None).unwrap();
        assert_eq!(table.looks.patience(), Duration::MAX);
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

    /// This holds in a look as well, which gets an answer about each of them.
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
    fn a_look_says_of_each_source_that_its_error_is_over() {
        let mut table = Table::default();
        for fd in 10..13 {
            table.insert(fd, Entry::new(Watch { trigger: Trigger::Edge, ..watch(fd as usize) }, false)).unwrap();
        }
        let (mut snapshot, _) = answers(&mut table, |_| false);
        snapshot.watched.iter_mut().for_each(|watched| watched.revents = libc::POLLERR);
        assert_eq!(report(&mut table, &(snapshot, 3), 3), [10, 11, 12]);
        assert!(table.watched.iter().all(|watched| watched.fd < 0));
        let mut look = Selector::buffer(0);
        table.copy_to(&mut look, true, None);
        assert!(report(&mut table, &(look, 0), 3).is_empty());
        assert!(table.watched.iter().all(|watched| watched.fd >= 0));
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
        table.replace(10, None, Watch { trigger: Trigger::OneShot, ..watch(10) }).unwrap();
        let first = answers(&mut table, |_| true);
        assert_eq!(report(&mut table, &first, 8), [10, 11]);
        let second = answers(&mut table, |_| true);
        assert_eq!(report(&mut table, &second, 8), [11]);
        table.replace(10, None, watch(10)).unwrap();
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

    /// Makes a source that has reported data, and a sleeping poller that cannot be interrupted during `untold`, because the
    /// notifier's descriptor stands for a full device. Returns the tokens of the poller's events after `then`.
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
            // SAFETY: the call takes no pointer, and the notifier still owns the number.
            let replace = |with: RawFd| assert_eq!(unsafe { libc::dup2(with, end) }, end);
            // SAFETY: the call takes no pointer; the new descriptor stays open until the process ends.
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
                    // What the OS has reported once, it does not report again.
                    let taken = || Err::<(), _>(io::Error::from_raw_os_error(libc::ECONNRESET));
                    let error = ours.try_io_for(Interest::READABLE, |_| taken()).unwrap_err();
                    assert_eq!(error.raw_os_error(), Some(libc::ECONNRESET));
                }
            },
            |_, ours, theirs| {
                assert_eq!(read(ours).unwrap_err().kind(), io::ErrorKind::WouldBlock);
                theirs.write_all(b"more").unwrap();
            },
        );
        assert_eq!(tokens, [Token(0)]);
    }

    /// The short read was the last one, so no later read can tell the poller.
    #[test]
    #[cfg(all(target_os = "linux", feature = "os-ext"))]
    fn a_short_read_that_the_sleeping_poller_could_not_hear_of_counts_when_it_wakes() {
        let (first, mut other) = UnixStream::pair().unwrap();
        let mut first = IoSource::new(first);
        let tokens = with_a_poller_that_cannot_be_told(
            |_, ours| assert_eq!(read(ours).unwrap(), 4),
            |registry, _, theirs| {
                theirs.write_all(b"more").unwrap();
                // This wakes the poller for another reason.
                other.write_all(b"data").unwrap();
                registry.register(&mut first, Token(1), Interest::READABLE).unwrap();
            },
        );
        assert_eq!(tokens, [Token(0), Token(1)]);
    }
}
