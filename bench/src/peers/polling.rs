//! A queue on the crate `polling`.

use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{BorrowedFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

use ::polling::{Event, Events, PollMode, Poller};

use crate::queue::{Direction, POLL_BACKENDS, Queue, StdSockets, Wake};

pub struct Polling {
    poller: Arc<Poller>,
    events: Events,
}

const MODE: PollMode = if POLL_BACKENDS { PollMode::Oneshot } else { PollMode::Edge };

#[inline]
fn event(token: usize, direction: Direction) -> Event {
    match direction {
        Direction::Read => Event::readable(token),
        Direction::Write => Event::writable(token),
    }
}

/// # Safety
///
/// The descriptor must be open for as long as the result is used.
#[inline]
unsafe fn borrow<'a>(fd: RawFd) -> BorrowedFd<'a> {
    // SAFETY: the caller promises that it is open.
    unsafe { BorrowedFd::borrow_raw(fd) }
}

impl Queue for Polling {
    type Waker = Poller;

    fn new(capacity: usize) -> io::Result<Polling> {
        let capacity = NonZeroUsize::new(capacity).ok_or(io::ErrorKind::InvalidInput)?;
        Ok(Polling { poller: Arc::new(Poller::new()?), events: Events::with_capacity(capacity) })
    }

    #[inline]
    fn register(&self, fd: RawFd, token: usize, direction: Direction) -> io::Result<()> {
        // SAFETY: the programs call `closing` before they close a descriptor, or drop the queue first.
        unsafe { self.poller.add_with_mode(fd, event(token, direction), MODE) }
    }

    #[inline]
    fn reregister(&self, fd: RawFd, token: usize, direction: Direction) -> io::Result<()> {
        // SAFETY: the programs pass open descriptors.
        self.poller.modify_with_mode(unsafe { borrow(fd) }, event(token, direction), MODE)
    }

    #[inline]
    fn deregister(&self, fd: RawFd) -> io::Result<()> {
        // SAFETY: the programs pass open descriptors.
        self.poller.delete(unsafe { borrow(fd) })
    }

    #[inline(always)]
    fn poll(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.events.clear();
        self.poller.wait(&mut self.events, timeout).map(drop)
    }

    #[inline]
    fn tokens(&self) -> impl Iterator<Item = usize> {
        self.events.iter().map(|event| event.key)
    }

    /// polling has a built-in waker, whose wakes produce no event.
    fn waker(&self, _token: usize) -> io::Result<Arc<Poller>> {
        Ok(Arc::clone(&self.poller))
    }

    #[inline]
    fn closing(&self, fd: RawFd) -> io::Result<()> {
        self.deregister(fd)
    }
}

impl Wake for Poller {
    #[inline]
    fn wake(&self) -> io::Result<()> {
        self.notify()
    }
}

impl StdSockets for Polling {}
