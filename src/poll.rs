//! [`Poll`]: the side of a queue that waits.

use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use crate::queue::Queue;
use crate::{Events, Registry};

/// The longest wait that every queue can do in one go: the most whole seconds whose milliseconds fit in an `i32`. (kqueue on
/// macOS up to 10.13 takes up to 100,000,000 seconds.)
const LONGEST_WAIT: Duration = Duration::from_secs(i32::MAX as u64 / 1_000);

/// Waits for events of the sources that are registered with its [`Registry`].
///
/// Available with the crate feature `os-poll`.
///
/// One thread waits at a time. Meanwhile, any number of threads may register sources, or wake it through a [`Waker`].
///
/// [`Waker`]: crate::Waker
///
/// # The queue
///
/// | platforms | queue |
/// |---|---|
/// | Android, illumos, Linux, Redox | `epoll(7)` |
/// | DragonFly BSD, FreeBSD, NetBSD, OpenBSD, Apple platforms | `kqueue(2)` |
/// | Solaris | event ports, `port_create(3C)` |
/// | Windows | an I/O completion port, fed by the socket driver AFD |
/// | others | `poll(2)` |
///
/// On Unix, `Poll` and [`Registry`] give you the queue's file descriptor (except with `poll(2)`, which has none). Another
/// queue can watch it: it becomes readable when an event is waiting. Once you have taken it out, every
/// [`Waker::wake`](crate::Waker::wake) makes a system call; `Registry::with_fd` lends you the descriptor without that cost.
///
/// # Portability
///
/// Your program behaves the same everywhere if it
/// - does I/O after an event until that returns `WouldBlock`, through the methods of the source (or its `try_io`);
/// - treats events as hints: they may be spurious, and only the I/O call tells the truth;
/// - keeps a source registered with one `Poll` at a time.
///
/// # After `fork(2)`
///
/// A child must make a `Poll` of its own, and sources of its own from duplicates of the descriptors that it goes on to use. It
/// must not poll, register, deregister or wake with its parent's. With epoll, and with wakers, parent and child share the
/// kernel's part, so the child would end the parent's registrations and take its events. A child does not inherit a kqueue.
/// With `poll(2)` it has a copy of the registrations, which the parent knows nothing about.
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
///             // Reads "hello" and then the end of the stream. After `WouldBlock`, the next event goes on.
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
    /// Whether a read or write that moves fewer bytes than the buffer holds has drained the stream in that direction, as if
    /// the next call had returned `WouldBlock`. This is `true` with every queue. So an edge-triggered loop may skip the call
    /// whose only purpose is to see `WouldBlock`: more data, or more room, produces an event.
    ///
    /// With epoll and kqueue the kernel makes sure of that. Where readiness is emulated (Windows, event ports, `poll(2)`), the
    /// I/O must go through `Read` and `Write` of the stream, which see how many bytes the call moved. If you bypass them, for
    /// example with `try_io`, only `WouldBlock` counts.
    ///
    /// This holds for byte streams (TCP, Unix streams, pipes), not for datagrams or listeners, and not once the peer has
    /// closed: after [`is_read_closed`](crate::event::Event::is_read_closed), read to the end of the stream. Vectored I/O uses
    /// only as many buffers as the system takes (`IOV_MAX`), which is 1,024 or, on some systems, 16; the bytes of further
    /// buffers do not count. Nor does it hold for a stream that keeps boundaries within its data: a read stops before an
    /// urgent byte of TCP, at a message of a Unix socket that carries descriptors, and at the end of a packet of a pipe in
    /// packet mode (`O_DIRECT`).
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
    pub const SHORT_IO_DRAINS: bool = true;

    /// Opens a queue. Calls `epoll_create1(2)`, `kqueue(2)`, `port_create(3C)` or `CreateIoCompletionPort`.
    ///
    /// # Errors
    ///
    /// Returns the errors of that call, such as `EMFILE` at the limit of open files, or `ENOMEM`.
    ///
    /// # Examples
    ///
    /// ```
    /// use mio::Poll;
    ///
    /// let poll = Poll::new()?;
    /// println!("a queue: {poll:?}");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn new() -> io::Result<Poll> {
        Ok(Poll { registry: Registry::new(Queue::new()?) })
    }

    /// Returns the [`Registry`] that you register sources with.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(not(feature = "net"))]
    /// # fn main() {}
    /// # #[cfg(feature = "net")]
    /// # fn main() -> std::io::Result<()> {
    /// use mio::net::UdpSocket;
    /// use mio::{Interest, Poll, Token};
    ///
    /// let poll = Poll::new()?;
    /// let mut socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
    /// poll.registry().register(&mut socket, Token(0), Interest::READABLE)?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Clears `events`, waits until there is at least one event or `timeout` has passed, and fills `events`.
    ///
    /// With `None` it waits for as long as it takes; with `Some(Duration::ZERO)` it never blocks. It never returns
    /// early: it rounds the time up to the unit that the OS uses, which is nanoseconds on most systems, and milliseconds on
    /// Windows, with macOS's `poll(2)` and on Linux before 5.11. If the time is up and no event has arrived, `events` is empty
    /// and the result is `Ok`.
    ///
    /// On Windows a time-out goes on while the machine is suspended, as `std::time::Instant` does. The kernel's own wait does
    /// not count that time, so `poll` waits for at most a second at a time, and then looks at that clock
    /// (`QueryPerformanceCounter`). If a time-out ends while the machine is suspended, `poll` returns within a second after the
    /// machine resumes.
    ///
    /// A poll reports at most [`events.capacity()`](Events::capacity) events of sources; the next call reports the others.
    ///
    /// Calls `epoll_pwait2(2)` or `epoll_wait(2)`, `kevent(2)`, `port_getn(3C)`, `GetQueuedCompletionStatusEx`, or
    /// `poll(2)` or `ppoll(2)`.
    ///
    /// # Errors
    ///
    /// - [`Interrupted`](io::ErrorKind::Interrupted): a signal handler ran. Nothing is lost; call again.
    ///   [`poll_deadline`](Poll::poll_deadline) does so by itself.
    /// - [`InvalidInput`](io::ErrorKind::InvalidInput): `events` has a capacity of zero.
    /// - [`Unsupported`](io::ErrorKind::Unsupported): on WASI, there is no time-out and no source that can end the wait.
    /// - Otherwise, the OS's own error.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use std::time::Duration;
    /// use mio::{Events, Poll};
    ///
    /// let mut poll = Poll::new()?;
    /// let mut events = Events::with_capacity(128);
    ///
    /// match poll.poll(&mut events, Some(Duration::from_millis(5))) {
    ///     Ok(()) if events.is_empty() => println!("nothing has happened within 5 ms"),
    ///     Ok(()) => events.iter().for_each(|event| println!("{event:?}")),
    ///     Err(error) if error.kind() == ErrorKind::Interrupted => println!("a signal; poll again"),
    ///     Err(error) => return Err(error),
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[inline(always)] // a program polls in one place, where this makes an idle poll 30 instructions instead of 70
    pub fn poll(&mut self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        match timeout {
            Some(timeout) if timeout.as_secs() >= LONGEST_WAIT.as_secs() => {
                self.wait_until(events, Instant::now().checked_add(timeout))
            }
            timeout => self.registry.queue().select(events, timeout),
        }
    }

    /// Does what [`poll`](Poll::poll) does, but waits until `deadline`, and resumes after a signal. With `None` it
    /// waits for as long as it takes; with a deadline that has passed it does not block.
    ///
    /// # Errors
    ///
    /// Returns the errors that `poll` lists, except `Interrupted`.
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

    /// Waits until `deadline`, in slices that every queue can wait.
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
