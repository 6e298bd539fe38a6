//! The backend on event ports, `port_create(3C)`, for Solaris.
//!
//! A descriptor is *associated* with a port for some directions, and the association ends with its event. So a registration is
//! an entry in a table, which knows what to associate again, and when. The decisions are in `logic::event_ports`, and the
//! system calls here.

#![allow(unsafe_code)]

cfg_if! {
    if #[cfg(target_os = "linux")] {
        mod linux_double;
        use self::linux_double as os;
    } else {
        use libc as os;
    }
}

use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use super::common::kernel::Buffer;
use super::logic::event_ports::{Association, Table, dissociated, is_closed, retrieved, taken};
use super::unix::emulated::{PollFlags, Registration, Registrations, details};
use super::unix::{TimeLeft, check, lock, set_cloexec, timespec};
use super::{Backend, Spent, TokenAndFlags, Watch, already_registered, not_registered};
use crate::Token;
use crate::event::Event;

/// The most events that one call may have room for (`PORT_MAX_LIST`).
const MOST_EVENTS: usize = 8192;

/// A packet that has this as its events only interrupts the poller, and is not a wake.
const MARKER: libc::c_int = 1;

#[derive(Debug)]
pub(crate) struct Selector {
    port: Arc<Port>,
}

impl Backend for Selector {
    type Buffer = Buffer<os::port_event>;
    type Registration = Registration<Port>;
    type Event = TokenAndFlags<PollFlags>;

    fn new() -> io::Result<Selector> {
        // SAFETY: the call takes no argument; the descriptor is new, and nothing else owns it.
        let port = unsafe { OwnedFd::from_raw_fd(check(os::port_create())?) };
        set_cloexec(&port)?;
        Ok(Selector { port: Arc::new(Port { port, table: Mutex::default() }) })
    }

    fn buffer(capacity: usize) -> Buffer<os::port_event> {
        Buffer(Vec::with_capacity(capacity))
    }

    fn select(
        &self,
        Buffer(buffer): &mut Buffer<os::port_event>,
        events: &mut Vec<Event>,
        timeout: Option<Duration>,
    ) -> io::Result<bool> {
        let time = TimeLeft::new(timeout);
        let mut left = timeout;
        loop {
            let mut table = lock(&self.port.table);
            self.port.associate_due(&mut table);
            let is_ports_turn = mem::take(&mut table.is_ports_turn);
            if !is_ports_turn {
                self.port.look(&mut table, events, buffer.capacity());
            }
            let room = (buffer.capacity() - events.len()).min(MOST_EVENTS);
            if room == 0 {
                table.is_ports_turn = true;
                return Ok(false);
            }
            let is_look = is_ports_turn || !events.is_empty();
            let longest = if is_look { Some(Duration::ZERO) } else { table.before_wait(left) };
            drop(table);

            buffer.clear();
            let result = self.port.wait(buffer, room, longest);
            let mut table = lock(&self.port.table);
            table.after_wait();
            // A signal must not make the events of the look get lost.
            if events.is_empty() {
                result?;
            }

            let (mut notified, mut has_marker) = (false, false);
            for event in buffer.iter() {
                match libc::c_int::from(event.portev_source) {
                    os::PORT_SOURCE_FD => {
                        let (fd, id) = (event.portev_object as RawFd, event.portev_user.addr() as u64);
                        let (told, association) = table.fire(fd, id, event.portev_events as i16, details);
                        events.extend(told.map(|(token, flags)| Event::new(token, flags)));
                        if let Some(association) = association {
                            self.port.associate_anew(&mut table, association);
                        }
                    }
                    os::PORT_SOURCE_USER if event.portev_events == MARKER => has_marker = true,
                    os::PORT_SOURCE_USER => notified = true,
                    // The program has associated something with the port's descriptor, for example a timer.
                    _ => events.push(Event::new(Token(event.portev_user.addr()), PollFlags(0))),
                }
            }
            if has_marker {
                // Since the wait took the marker, other threads may have relied on it.
                table.is_marked = false;
                self.port.mark(&mut table);
            }
            drop(table);

            left = time.left();
            // If there are no events and time is left, the port no longer watches what was ready, or the next look is due. If
            // the batch was full, there may be more events.
            let is_all = !is_ports_turn && buffer.len() < room;
            if notified || !events.is_empty() || left == Some(Duration::ZERO) && is_all {
                return Ok(notified);
            }
        }
    }

    fn register(&self, fd: RawFd, registration: &mut Registration<Port>, watch: Watch) -> io::Result<()> {
        if registration.queue.strong_count() > 0 {
            return Err(already_registered());
        }
        let id = self.port.insert(fd, watch, false)?;
        *registration = Registration { queue: Arc::downgrade(&self.port), fd, id };
        Ok(())
    }

    fn register_bare(&self, fd: RawFd, watch: Watch) -> io::Result<()> {
        self.port.insert(fd, watch, true).map(drop)
    }

    fn reregister(&self, fd: RawFd, registration: &mut Registration<Port>, watch: Watch) -> io::Result<()> {
        let (fd, id) = registration.key(&self.port, fd).ok_or_else(already_registered)?;
        let mut table = lock(&self.port.table);
        let (association, state) = table.replace(fd, id, watch)?;
        self.port.associate(&mut table, association)?;
        table.set(fd, state);
        Ok(())
    }

    fn deregister(&self, fd: RawFd, registration: &mut Registration<Port>) -> io::Result<()> {
        let (fd, id) = registration.key(&self.port, fd).ok_or_else(not_registered)?;
        let mut table = lock(&self.port.table);
        if !table.has(fd, id) {
            return Err(not_registered());
        }
        dissociated(self.port.dissociate(fd))?;
        table.remove(fd, id)?;
        // Dropping the source's part ends nothing any more.
        registration.queue = Weak::new();
        Ok(())
    }

    fn rearm(registration: &Registration<Port>, spent: Spent) -> io::Result<()> {
        let Some(port) = registration.queue.upgrade() else { return Ok(()) };
        let mut table = lock(&port.table);
        let fd = registration.fd;
        // If the I/O was successful, nothing repeats this call. So the change happens in any case. If the port does not take
        // the association, the poller tries again, and if a sleeping poller cannot be told, the next call tells it.
        if let Some((association, state)) = table.after_io(fd, registration.id, spent) {
            table.set(fd, state);
            if let Some(association) = association {
                port.associate_anew(&mut table, association);
            }
        }
        port.rouse(&mut table)
    }

    fn set_waker(&self, _token: Token) -> io::Result<()> {
        Ok(())
    }

    fn notify(&self) -> io::Result<()> {
        self.port.send(0)
    }

    fn export(&self) {
        let mut table = lock(&self.port.table);
        table.is_exported = true;
        self.port.associate_due(&mut table);
        // If the poller cannot be told, the next call tells it.
        let _ = self.port.rouse(&mut table);
    }
}

impl AsFd for Selector {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.port.port.as_fd()
    }
}

/// The port, and the registrations.
#[derive(Debug)]
pub(crate) struct Port {
    port: OwnedFd,
    /// It is locked while associations change, so that table and port agree, but never during a wait.
    table: Mutex<Table>,
}

impl Port {
    fn insert(&self, fd: RawFd, watch: Watch, bare: bool) -> io::Result<u64> {
        let mut table = lock(&self.table);
        let (association, state) = table.admit(fd, watch, bare)?;
        self.associate(&mut table, association)?;
        table.insert(association, state);
        Ok(association.id)
    }

    fn associate(&self, table: &mut Table, Association { fd, id, directions }: Association) -> io::Result<()> {
        let (port, user) = (self.as_raw_fd(), ptr::without_provenance_mut(id as usize));
        let directions = directions.into();
        // SAFETY: the port returns `user` with the event, and nothing follows that pointer.
        let result = check(unsafe { os::port_associate(port, os::PORT_SOURCE_FD, fd as _, directions, user) });
        taken(result.map(drop))?;
        self.mark(table);
        Ok(())
    }

    /// Wakes a thread that sleeps on the port's descriptor, if an event waits. A source that is already ready when it is
    /// associated does not do that, but a packet does.
    fn mark(&self, table: &mut Table) {
        if !table.is_exported || table.is_marked {
            return;
        }
        let mut waiting = 0;
        // SAFETY: there is no room for an event, so the call writes only the number of waiting events.
        let result = unsafe { os::port_getn(self.as_raw_fd(), ptr::null_mut(), 0, &mut waiting, ptr::null_mut()) };
        if result == 0 && waiting > 0 {
            // If this fails, the port is full, and the thread wakes when there is a packet or when a source becomes ready.
            let _ = self.interrupt(table);
        }
    }

    /// Sends a marker, unless one is on its way to a poll. One is enough, and each takes the room of a registration.
    fn interrupt(&self, table: &mut Table) -> io::Result<()> {
        if !table.is_marked {
            self.send(MARKER)?;
            table.is_marked = true;
        }
        Ok(())
    }

    /// Interrupts the poller if it sleeps, and there is something for it to do.
    fn rouse(&self, table: &mut Table) -> io::Result<()> {
        if table.oversleeps() {
            self.interrupt(table)?;
            table.after_wait();
        }
        Ok(())
    }

    fn send(&self, events: libc::c_int) -> io::Result<()> {
        // SAFETY: the port returns the last argument with the event, and nothing follows that pointer.
        taken(check(unsafe { os::port_send(self.as_raw_fd(), events, ptr::null_mut()) }).map(drop))
    }

    /// Does what `associate` does, within a wait, where an error has no caller.
    fn associate_anew(&self, table: &mut Table, association: Association) {
        match self.associate(table, association) {
            Err(error) if is_closed(&error) => {
                // The registration ends with the descriptor.
                let _ = table.remove(association.fd, Some(association.id));
            }
            Err(_) => table.put_off(association),
            Ok(()) => {}
        }
    }

    fn associate_due(&self, table: &mut Table) {
        // If an association fails, it is due again.
        for _ in 0..table.due() {
            if let Some(association) = table.take_due() {
                self.associate_anew(table, association);
            }
        }
    }

    /// Looks at the registrations that need it, and appends events as long as there is room.
    fn look(&self, table: &mut Table, events: &mut Vec<Event>, room: usize) {
        let looks = table.looks();
        if looks == 0 {
            return;
        }
        let now = Instant::now();
        for _ in 0..looks {
            let (told, association) = table.look(now, details);
            events.extend(told.map(|(token, flags)| Event::new(token, flags)));
            if let Some(association) = association {
                self.associate_anew(table, association);
            }
            if events.len() == room {
                return;
            }
        }
    }

    fn dissociate(&self, fd: RawFd) -> io::Result<()> {
        // SAFETY: the call takes no pointer.
        check(unsafe { os::port_dissociate(self.as_raw_fd(), os::PORT_SOURCE_FD, fd as _) }).map(drop)
    }

    /// Waits for at most `room` events, which is no more than `MOST_EVENTS`, and writes them into the empty `buffer`.
    fn wait(&self, buffer: &mut Vec<os::port_event>, room: usize, timeout: Option<Duration>) -> io::Result<()> {
        let room = room as libc::c_uint;
        let mut timeout = timeout.map(timespec);
        let timeout = timeout.as_mut().map_or(ptr::null_mut(), ptr::from_mut);
        // This asks the call to wait for one event, and to return all that there are.
        let mut count = 1;
        let events = buffer.as_mut_ptr();
        // SAFETY: there is room for `room` events, which are one or more (a poll checks that). The kernel reads and writes the
        // number of events and the time. The first event's source is initialized, with a value that no real source has.
        let (result, wrote) = unsafe {
            (*events).portev_source = 0;
            let result = check(os::port_getn(self.as_raw_fd(), events, room, &mut count, timeout));
            (result, (*events).portev_source != 0)
        };
        let count = retrieved(result.map(drop), count, wrote)?;
        // SAFETY: the kernel has filled that many events.
        unsafe { buffer.set_len(count) };
        Ok(())
    }
}

impl AsRawFd for Port {
    fn as_raw_fd(&self) -> RawFd {
        self.port.as_raw_fd()
    }
}

impl Registrations for Port {
    fn end(&self, fd: RawFd, id: u64) {
        let mut table = lock(&self.table);
        if table.remove(fd, Some(id)).is_ok() {
            // If this fails, closing the descriptor, which follows, ends the association.
            let _ = self.dissociate(fd);
        }
    }
}

#[cfg(all(test, feature = "os-poll"))]
mod tests {
    use super::*;
    use crate::Poll;

    #[test]
    fn only_a_descriptor_that_was_taken_out_is_exported() {
        let poll = Poll::new().unwrap();
        let is_exported = || lock(&poll.registry().queue().backend.port.table).is_exported;
        poll.registry().with_fd(|_| ());
        assert!(!is_exported());
        let _ = poll.as_fd();
        assert!(is_exported());
    }
}
