//! Plain `poll(2)`, which is level-triggered, with the table that it needs.

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use super::eventfd::EventFd;
use crate::queue::{Direction, Queue, StdSockets, check};

pub struct Raw {
    table: RefCell<Table>,
    ready: Vec<usize>,
}

#[derive(Default)]
struct Table {
    watched: Vec<libc::pollfd>,
    tokens: Vec<usize>,
    /// The place of each descriptor in the table.
    places: std::collections::HashMap<RawFd, usize>,
    waker: Option<Arc<EventFd>>,
}

impl Queue for Raw {
    type Waker = EventFd;

    fn new(capacity: usize) -> io::Result<Raw> {
        Ok(Raw { table: RefCell::default(), ready: Vec::with_capacity(capacity) })
    }

    fn register(&self, fd: RawFd, token: usize, direction: Direction) -> io::Result<()> {
        let mut table = self.table.borrow_mut();
        let place = table.watched.len();
        table.places.insert(fd, place);
        table.watched.push(libc::pollfd { fd, events: flags(direction), revents: 0 });
        table.tokens.push(token);
        Ok(())
    }

    fn reregister(&self, fd: RawFd, token: usize, direction: Direction) -> io::Result<()> {
        let mut table = self.table.borrow_mut();
        let place = table.places[&fd];
        table.watched[place].events = flags(direction);
        table.tokens[place] = token;
        Ok(())
    }

    fn deregister(&self, fd: RawFd) -> io::Result<()> {
        let table = &mut *self.table.borrow_mut();
        let place = table.places.remove(&fd).ok_or(io::ErrorKind::NotFound)?;
        table.watched.swap_remove(place);
        table.tokens.swap_remove(place);
        if let Some(moved) = table.watched.get(place) {
            table.places.insert(moved.fd, place);
        }
        Ok(())
    }

    #[inline(always)]
    fn poll(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.ready.clear();
        let table = self.table.get_mut();
        let timeout =
            timeout.map(|time| libc::timespec { tv_sec: time.as_secs() as _, tv_nsec: time.subsec_nanos() as _ });
        let timeout = timeout.as_ref().map_or(ptr::null(), ptr::from_ref);
        let watched = &mut table.watched;
        // SAFETY: the kernel writes to as many entries as there are, and reads the time during the call.
        let mut count = check(unsafe { libc::ppoll(watched.as_mut_ptr(), watched.len() as _, timeout, ptr::null()) })?;
        for (entry, &token) in watched.iter().zip(&table.tokens) {
            if count == 0 {
                break;
            }
            if entry.revents != 0 {
                count -= 1;
                if let Some(waker) = table.waker.as_ref().filter(|waker| waker.as_raw_fd() == entry.fd) {
                    waker.reset()?;
                }
                self.ready.push(token);
            }
        }
        Ok(())
    }

    fn tokens(&self) -> impl Iterator<Item = usize> {
        self.ready.iter().copied()
    }

    fn waker(&self, token: usize) -> io::Result<Arc<EventFd>> {
        let waker = Arc::new(EventFd::new()?);
        self.register(waker.as_raw_fd(), token, Direction::Read)?;
        self.table.borrow_mut().waker = Some(Arc::clone(&waker));
        Ok(waker)
    }

    /// A level-triggered queue needs no arming.
    fn rearm(&self, _fd: RawFd, _token: usize) -> io::Result<()> {
        Ok(())
    }
}

fn flags(direction: Direction) -> i16 {
    match direction {
        Direction::Read => libc::POLLIN | libc::POLLRDHUP,
        Direction::Write => libc::POLLOUT,
    }
}

impl StdSockets for Raw {}
