//! The side of a queue that waits.

use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use crate::queue::Queue;
use crate::sys::{Backend, Selector};
use crate::{Events, Registry};

/// The longest wait that every queue can do in one go: whole seconds that, in milliseconds, an `i32` holds.
const LONGEST_WAIT: Duration = Duration::from_secs(i32::MAX as u64 / 1_000);

/// Waits for events of the sources that are registered with its [`Registry`].
///
/// One thread waits; any number of threads may register sources meanwhile, or wake it through a [`Waker`].
///
/// [`Waker`]: crate::Waker
///
/// # The queue
///
/// | platforms | queue |
/// |---|---|
/// | Android, illumos, Linux, Redox | `epoll(7)` |
/// | DragonFly BSD, FreeBSD, NetBSD, OpenBSD, Apple's | `kqueue(2)` |
/// | Solaris | event ports, `port_create(3C)` |
/// | Windows | an I/O completion port, fed by the socket driver AFD |
/// | others | `poll(2)` |
///
/// On Unix, `Poll` and [`Registry`] give the queue's file descriptor (not with `poll(2)`, which has none): it can be
/// watched by another queue, and becomes readable when an event waits. From the time it was taken out, every
/// [`Waker::wake`](crate::Waker::wake) makes a system call; `Registry::with_fd` leaves wakes as they are.
///
/// # Portability
///
/// A program runs alike everywhere if it
/// - does I/O after an event until that says `WouldBlock`, through the methods of the source (or its `try_io`);
/// - takes events for hints: they may be spurious, and only the I/O call tells;
/// - keeps a source registered with one `Poll` at a time.
///
/// # Examples
///
/// A client, and the server that it talks to:
///
/// ```
/// # #[cfg(feature = "net")]
/// # fn main() -> std::io::Result<()> {
/// use std::io::{Read, Write};
/// use mio::net::{TcpListener, TcpStream};
/// use mio::{Events, Interest, Poll, Token};
///
/// const LISTENER: Token = Token(0);
/// const CLIENT: Token = Token(1);
///
/// let mut poll = Poll::new()?;
/// let mut events = Events::with_capacity(128);
///
/// let mut listener = TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
/// poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
///
/// let mut client = TcpStream::connect(listener.local_addr()?)?;
/// poll.registry().register(&mut client, CLIENT, Interest::READABLE)?;
///
/// let mut greeting = String::new();
/// while greeting.is_empty() {
///     poll.poll(&mut events, None)?;
///     for event in &events {
///         match event.token() {
///             LISTENER => {
///                 let (mut connection, _address) = listener.accept()?;
///                 connection.write_all(b"hello")?;
///             }
///             // Reads "hello", and the end of the stream after it; `WouldBlock` means: later.
///             CLIENT => drop(client.read_to_string(&mut greeting)),
///             _ => unreachable!(),
///         }
///     }
/// }
/// assert_eq!(greeting, "hello");
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "net"))]
/// # fn main() {}
/// ```
pub struct Poll {
    registry: Registry,
}

impl Poll {
    /// Whether a stream that took or gave fewer bytes than the buffer holds is drained in that direction, as if the next
    /// call had said `WouldBlock`: `true` with epoll and kqueue, `false` where readiness is emulated, on Windows, event
    /// ports and `poll(2)`.
    ///
    /// Where it is `true`, an edge-triggered loop may skip the call whose only purpose is to see `WouldBlock`: more data,
    /// or more room, gives an event. Where it is `false` that call is what arms the direction again, and must be made.
    ///
    /// It holds for byte streams (TCP, Unix streams, pipes), not for datagrams or listeners, and not once the peer has
    /// closed: after [`is_read_closed`](crate::event::Event::is_read_closed) read up to the end of the stream.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # #[cfg(feature = "net")]
    /// # fn read(mut stream: mio::net::TcpStream) -> std::io::Result<()> {
    /// use std::io::{ErrorKind, Read};
    /// use mio::Poll;
    ///
    /// let mut buffer = [0; 4096];
    /// loop {
    ///     match stream.read(&mut buffer) {
    ///         Ok(0) => break, // the end of the stream
    ///         Ok(count) if count < buffer.len() && Poll::SHORT_IO_DRAINS => break,
    ///         Ok(_) => {}
    ///         Err(error) if error.kind() == ErrorKind::WouldBlock => break,
    ///         Err(error) => return Err(error),
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub const SHORT_IO_DRAINS: bool = <Selector as Backend>::SHORT_IO_DRAINS;

    /// Opens a queue: `epoll_create1(2)`, `kqueue(2)`, `port_create(3C)` or `CreateIoCompletionPort`.
    ///
    /// # Errors
    ///
    /// Those of that call: the limit of open files, or no memory.
    pub fn new() -> io::Result<Poll> {
        Ok(Poll { registry: Registry::new(Queue::new()?) })
    }

    /// Where sources are registered.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Clears `events`, waits until there is at least one event or `timeout` has passed, and fills `events`.
    ///
    /// `None` waits for as long as it takes; `Some(Duration::ZERO)` never blocks. A wait is never cut short: the time
    /// is rounded up to the unit that the OS takes, nanoseconds on most, milliseconds on Windows, macOS's poll(2)
    /// and Linux before 5.11. Without an event when the time is up, `events` is empty and the result is `Ok`.
    ///
    /// No more than [`events.capacity()`](Events::capacity) events of sources come at once; others come with the next
    /// call.
    ///
    /// Calls `epoll_pwait2(2)` or `epoll_wait(2)`, `kevent(2)`, `port_getn(3C)`, `GetQueuedCompletionStatusEx`, or
    /// `poll(2)` or `ppoll(2)`.
    ///
    /// # Errors
    ///
    /// - [`Interrupted`](io::ErrorKind::Interrupted): a signal handler ran. Nothing is lost; call again.
    ///   [`poll_deadline`](Poll::poll_deadline) does so by itself.
    /// - [`InvalidInput`](io::ErrorKind::InvalidInput): `events` has no capacity.
    /// - The OS's own error otherwise.
    #[inline(always)] // a program polls in one place; there, an idle poll is 30 instructions instead of 70
    pub fn poll(&mut self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        match timeout {
            Some(timeout) if timeout.as_secs() >= LONGEST_WAIT.as_secs() => {
                self.wait_until(events, Instant::now().checked_add(timeout))
            }
            timeout => self.registry.queue().select(events, timeout),
        }
    }

    /// As [`poll`](Poll::poll), but waits until `deadline`, and goes on waiting after a signal; `None` waits for as long
    /// as it takes. A deadline that has passed does not block.
    ///
    /// # Errors
    ///
    /// As those of `poll`, without `Interrupted`.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// use std::time::{Duration, Instant};
    /// use mio::{Events, Poll};
    ///
    /// let mut poll = Poll::new()?;
    /// let mut events = Events::with_capacity(8);
    ///
    /// let deadline = Instant::now() + Duration::from_millis(5);
    /// poll.poll_deadline(&mut events, Some(deadline))?;
    /// assert!(events.is_empty() && Instant::now() >= deadline);
    /// # Ok(())
    /// # }
    /// ```
    pub fn poll_deadline(&mut self, events: &mut Events, deadline: Option<Instant>) -> io::Result<()> {
        loop {
            match self.wait_until(events, deadline) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    /// Waits until `deadline`, in slices that every queue can do.
    fn wait_until(&mut self, events: &mut Events, deadline: Option<Instant>) -> io::Result<()> {
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            self.registry.queue().select(events, left.map(|left| left.min(LONGEST_WAIT)))?;
            if !events.is_empty() || left.is_some_and(|left| left <= LONGEST_WAIT) {
                return Ok(());
            }
        }
    }
}

impl fmt::Debug for Poll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Poll").field("registry", &self.registry).finish()
    }
}
