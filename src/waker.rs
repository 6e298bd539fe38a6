//! [`Waker`], which wakes a poll from another thread. The state that saves it system calls is in `wake_state`, and `queue`
//! connects that state with the backend.

use std::io;
use std::sync::Arc;

use crate::queue::Queue;
use crate::{Registry, Token};

/// Wakes a [`Poll`](crate::Poll) from any thread.
///
/// Available with the crate feature `os-poll`.
///
/// After [`wake`](Waker::wake), the poll that is running, or else the next one, reports a readable event with the waker's
/// token. A wake is never lost, but several wakes between two polls may share one event. Everything that happened before
/// `wake` is visible to the polling thread after that poll.
///
/// One waker serves any number of threads: share it by reference or in an [`Arc`]. A `Poll` has one waker at a time. You may
/// drop it right after a wake, and the event still arrives. The event carries the token of the `Poll`'s latest waker: if you
/// make another waker before you poll, the event carries that one's token. If the `Poll` is gone, `wake` succeeds and has no
/// effect.
///
/// # Cost
///
/// `wake` makes a system call only when a thread sleeps in the poll, or when you have taken out the queue's file descriptor
/// with `as_raw_fd` or `as_fd`, so that a thread may be sleeping on it elsewhere. The call is `write(2)` to an `eventfd(2)` or
/// pipe, `kevent(2)` with `EVFILT_USER`, `port_send(3C)`, or `PostQueuedCompletionStatus`. Otherwise, a wake is one atomic
/// operation.
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
/// let event = events.iter().next().expect("a wake produces an event");
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
    /// Makes the waker of the `Poll` that `registry` belongs to. Its events carry `token`.
    ///
    /// # Errors
    ///
    /// Where the platform wakes through an `eventfd(2)` or a pipe, returns the errors of making it and adding it to the queue.
    /// Returns [`Unsupported`](io::ErrorKind::Unsupported) on WASI, which has no means of waking a poll.
    ///
    /// # Panics
    ///
    /// Panics in debug builds if the `Poll` already has a waker that you have not dropped. (In release builds the new waker's
    /// token replaces the older one's.)
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
    /// It never blocks.
    ///
    /// # Errors
    ///
    /// Returns the error of the system call, if it makes one. Pending wakes cause no error, however many there are. After an
    /// error, a sleeping poll goes on sleeping, but the event may still arrive later. A wake that returns `Ok` produces its
    /// event, even if other wakes fail.
    ///
    /// On Solaris the error is `ENOSPC` when the port is full: it has room for 65,536 registrations, and a wake takes the room
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
