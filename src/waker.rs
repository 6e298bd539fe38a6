//! Waking a poll from another thread: the public [`Waker`]. What spares it system calls stands in `wake_state`, and where
//! that meets the backend, in `queue`.

use std::io;
use std::sync::Arc;

use crate::queue::Queue;
use crate::{Registry, Token};

/// Wakes a [`Poll`](crate::Poll) from any thread.
///
/// Available with the crate feature `os-poll`.
///
/// After [`wake`](Waker::wake), the poll that is running or the next one gives a readable event with the waker's token.
/// A wake is never lost; several wakes between two polls may give one event. Everything that happened before `wake` is
/// visible to the polling thread after that poll.
///
/// One waker serves any number of threads: share it by reference or in an [`Arc`]. A `Poll` has one waker at a time, which
/// may be dropped right after a wake: the event still comes. It carries the token of the `Poll`'s latest waker, so if you
/// make another one before you poll, the event is that one's. A dropped `Poll` makes `wake` pointless, not wrong.
///
/// # Cost
///
/// `wake` makes a system call only when a thread sleeps in the poll (or its file descriptor was taken out with
/// `as_raw_fd` or `as_fd`, and may be slept on elsewhere): `write(2)` to an `eventfd(2)` or pipe, `kevent(2)` with
/// `EVFILT_USER`, `port_send(3C)`, or `PostQueuedCompletionStatus`. Otherwise it is one atomic operation.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::sync::Arc;
/// use std::thread;
/// use mio::{Events, Poll, Token, Waker};
///
/// const WAKE: Token = Token(10);
///
/// let mut poll = Poll::new()?;
/// let mut events = Events::with_capacity(2);
///
/// let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
/// let thread = thread::spawn({
///     let waker = Arc::clone(&waker);
///     move || waker.wake()
/// });
///
/// poll.poll(&mut events, None)?;
/// let event = events.iter().next().expect("a wake gives an event");
/// assert_eq!(event.token(), WAKE);
/// assert!(event.is_readable());
/// # thread.join().unwrap()
/// # }
/// ```
#[derive(Debug)]
pub struct Waker {
    queue: Arc<Queue>,
}

impl Waker {
    /// Makes the waker of the `Poll` that `registry` belongs to; its events bear `token`.
    ///
    /// # Errors
    ///
    /// Those of making an `eventfd(2)` or pipe and adding it to the queue, where that is how the platform wakes.
    ///
    /// # Panics
    ///
    /// In debug builds, when the `Poll` has a live waker already. (In release builds the new waker's token replaces the
    /// older one's.)
    ///
    /// # Examples
    ///
    /// ```
    /// use mio::{Poll, Token, Waker};
    ///
    /// let poll = Poll::new()?;
    /// let waker = Waker::new(poll.registry(), Token(0))?;
    /// drop(waker);
    /// let waker = Waker::new(poll.registry(), Token(1))?; // the first one is gone
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn new(registry: &Registry, token: Token) -> io::Result<Waker> {
        let queue = Arc::clone(registry.queue());
        queue.claim_waker(token)?;
        Ok(Waker { queue })
    }

    /// Makes the poll that is running, or else the next one, return with this waker's event.
    ///
    /// Never blocks.
    ///
    /// # Errors
    ///
    /// Those of the system call, if one is made; any number of pending wakes is none. After an error, the event may come
    /// all the same; a sleeping poll goes on to sleep. A wake that returned `Ok` gives an event, whatever errors others get.
    ///
    /// On Solaris that is `ENOSPC` when the port is full of registrations: it has room for 65,536, and a wake takes the room
    /// of one.
    ///
    /// # Examples
    ///
    /// ```
    /// use mio::{Events, Poll, Token, Waker};
    ///
    /// let mut poll = Poll::new()?;
    /// let mut events = Events::with_capacity(8);
    /// let waker = Waker::new(poll.registry(), Token(0))?;
    ///
    /// waker.wake()?;
    /// waker.wake()?;
    /// poll.poll(&mut events, None)?;
    /// assert_eq!(events.iter().count(), 1); // one event may stand for several wakes
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[inline]
    pub fn wake(&self) -> io::Result<()> {
        self.queue.wake()
    }
}

impl Drop for Waker {
    fn drop(&mut self) {
        self.queue.release_waker();
    }
}
