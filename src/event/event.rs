//! [`Event`]: the token of a registration, and what has become ready.

use std::fmt;

use super::Readiness;
use crate::Token;
use crate::sys::{Backend, EventFlags, Flags, RawEvent, Selector};

/// Says which registration has become ready, by its [`Token`], and hints at what it is ready for.
///
/// An event is a hint. It may be spurious: the I/O that it suggests may still return `WouldBlock`. If a hint is false, the
/// operating system did not give it, which does not mean that the opposite holds. The tables below say which of the
/// operating system's flags make each hint true.
///
/// `Debug` names every hint; the alternate form (`{:#?}`) adds the operating system's own flags.
///
/// # Examples
///
/// ```
/// # #[cfg(not(all(feature = "os-poll", feature = "net")))]
/// # fn main() {}
/// # #[cfg(all(feature = "os-poll", feature = "net"))]
/// # fn main() -> std::io::Result<()> {
/// use mio::net::UdpSocket;
/// use mio::{Events, Interest, Poll, Token};
///
/// let mut poll = Poll::new()?;
/// let mut events = Events::with_capacity(8);
/// let mut socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
/// poll.registry().register(&mut socket, Token(0), Interest::READABLE | Interest::WRITABLE)?;
///
/// poll.poll(&mut events, None)?;
/// for event in &events {
///     if event.is_readable() {
///         println!("{:?} has something to read", event.token());
///     }
///     if event.is_writable() {
///         println!("{:?} has room to send", event.token());
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[repr(transparent)] // so that the kernel can write its own events straight into a list of these
pub struct Event(<Selector as Backend>::Event);

impl Event {
    #[inline]
    pub(crate) fn new(token: Token, flags: EventFlags) -> Event {
        Event(RawEvent::new(token, flags))
    }

    /// Returns the token that you passed when you registered the source or made the [`Waker`].
    ///
    /// [`Waker`]: crate::Waker
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(not(all(feature = "os-poll", feature = "net")))]
    /// # fn main() {}
    /// # #[cfg(all(feature = "os-poll", feature = "net"))]
    /// # fn main() -> std::io::Result<()> {
    /// use mio::net::UdpSocket;
    /// use mio::{Events, Interest, Poll, Token};
    ///
    /// let mut poll = Poll::new()?;
    /// let mut events = Events::with_capacity(8);
    /// let mut socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
    /// poll.registry().register(&mut socket, Token(7), Interest::WRITABLE)?;
    ///
    /// poll.poll(&mut events, None)?;
    /// assert_eq!(events.iter().next().unwrap().token(), Token(7));
    /// # Ok(())
    /// # }
    /// ```
    #[inline]
    #[must_use]
    pub fn token(&self) -> Token {
        self.0.token()
    }

    /// Returns whether reading may make progress: there is data, a connection to accept, or the end of the stream.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(not(all(feature = "os-poll", feature = "net")))]
    /// # fn main() {}
    /// # #[cfg(all(feature = "os-poll", feature = "net"))]
    /// # fn main() -> std::io::Result<()> {
    /// use mio::net::UdpSocket;
    /// use mio::{Events, Interest, Poll, Token};
    ///
    /// let mut poll = Poll::new()?;
    /// let mut events = Events::with_capacity(8);
    /// let mut socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
    /// poll.registry().register(&mut socket, Token(0), Interest::READABLE)?;
    /// socket.send_to(b"to myself", socket.local_addr()?)?;
    ///
    /// poll.poll(&mut events, None)?;
    /// assert!(events.iter().next().unwrap().is_readable());
    /// # Ok(())
    /// # }
    /// ```
    #[inline]
    #[must_use]
    pub fn is_readable(&self) -> bool {
        self.has(Readiness::READABLE)
    }

    /// Returns whether writing may make progress. For a stream that was connecting, it means that the attempt has
    /// ended, one way or the other.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(not(all(feature = "os-poll", feature = "net")))]
    /// # fn main() {}
    /// # #[cfg(all(feature = "os-poll", feature = "net"))]
    /// # fn main() -> std::io::Result<()> {
    /// use mio::net::UdpSocket;
    /// use mio::{Events, Interest, Poll, Token};
    ///
    /// let mut poll = Poll::new()?;
    /// let mut events = Events::with_capacity(8);
    /// let mut socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
    /// poll.registry().register(&mut socket, Token(7), Interest::WRITABLE)?;
    ///
    /// poll.poll(&mut events, None)?;
    /// assert!(events.iter().next().unwrap().is_writable());
    /// # Ok(())
    /// # }
    /// ```
    #[inline]
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.has(Readiness::WRITABLE)
    }

    /// Returns whether the source has an error pending. The socket's `take_error` tells you which.
    ///
    /// | queue | flags |
    /// |---|---|
    /// | epoll | `EPOLLERR` |
    /// | kqueue | `EV_ERROR`; `EV_EOF` with `fflags` other than zero |
    /// | event ports, poll(2) | `POLLERR`, `POLLNVAL` |
    /// | AFD | `AFD_POLL_CONNECT_FAIL` |
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(not(all(feature = "os-poll", feature = "net")))]
    /// # fn main() {}
    /// # #[cfg(all(feature = "os-poll", feature = "net"))]
    /// # fn main() -> std::io::Result<()> {
    /// use mio::net::TcpStream;
    /// use mio::{Events, Interest, Poll, Token};
    ///
    /// let mut poll = Poll::new()?;
    /// let mut events = Events::with_capacity(8);
    /// # let server = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let mut stream = TcpStream::connect(server.local_addr()?)?;
    /// poll.registry().register(&mut stream, Token(0), Interest::READABLE)?;
    ///
    /// # drop(server.accept()?);
    /// poll.poll(&mut events, None)?;
    /// for event in events.iter().filter(|event| event.is_error()) {
    ///     println!("{:?} has failed: {:?}", event.token(), stream.take_error()?);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[inline]
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.has(Readiness::ERROR)
    }

    /// Returns whether the peer has shut down its writing side, or the connection is gone. Reads return what is still
    /// buffered, and then the end of the stream. [`is_readable`](Event::is_readable) is true as well.
    ///
    /// You may also reach the end of a stream by reading, before any event says so. When you see this hint, read to the end
    /// of the stream, because data may still be buffered.
    ///
    /// | queue | flags |
    /// |---|---|
    /// | epoll | `EPOLLHUP`, `EPOLLRDHUP` |
    /// | kqueue | `EV_EOF` on `EVFILT_READ` |
    /// | event ports, poll(2) | `POLLHUP`, `POLLRDHUP` where it exists |
    /// | AFD | `AFD_POLL_DISCONNECT`, `AFD_POLL_ABORT`, `AFD_POLL_CONNECT_FAIL` |
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(not(all(feature = "os-poll", feature = "net")))]
    /// # fn main() {}
    /// # #[cfg(all(feature = "os-poll", feature = "net"))]
    /// # fn main() -> std::io::Result<()> {
    /// use mio::net::TcpStream;
    /// use mio::{Events, Interest, Poll, Token};
    ///
    /// let mut poll = Poll::new()?;
    /// let mut events = Events::with_capacity(8);
    /// # let server = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let mut stream = TcpStream::connect(server.local_addr()?)?;
    /// poll.registry().register(&mut stream, Token(0), Interest::READABLE)?;
    ///
    /// drop(server.accept()?); // the peer closes the connection
    ///
    /// loop {
    ///     poll.poll(&mut events, None)?;
    ///     if events.iter().any(|event| event.is_read_closed()) {
    ///         break; // read what is left, then close
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[inline]
    #[must_use]
    pub fn is_read_closed(&self) -> bool {
        self.has(Readiness::READ_CLOSED)
    }

    /// Returns whether nobody will read what you write: the connection is gone, or no process holds the other end of a pipe.
    ///
    /// | queue | flags |
    /// |---|---|
    /// | epoll | `EPOLLHUP`; `EPOLLERR` alone or with `EPOLLOUT` |
    /// | kqueue | `EV_EOF` on `EVFILT_WRITE` |
    /// | event ports, poll(2) | `POLLHUP`; `POLLERR` alone or with `POLLOUT` |
    /// | AFD | `AFD_POLL_ABORT`, `AFD_POLL_CONNECT_FAIL` |
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(not(all(unix, feature = "os-ext")))]
    /// # fn main() {}
    /// # #[cfg(all(unix, feature = "os-ext"))]
    /// # fn main() -> std::io::Result<()> {
    /// use mio::unix::pipe;
    /// use mio::{Events, Interest, Poll, Token};
    ///
    /// let mut poll = Poll::new()?;
    /// let mut events = Events::with_capacity(8);
    /// let (mut sender, receiver) = pipe::new()?;
    /// poll.registry().register(&mut sender, Token(0), Interest::WRITABLE)?;
    ///
    /// drop(receiver);
    ///
    /// loop {
    ///     poll.poll(&mut events, None)?;
    ///     if events.iter().any(|event| event.is_write_closed()) {
    ///         break; // a write would return `BrokenPipe`
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[inline]
    #[must_use]
    pub fn is_write_closed(&self) -> bool {
        self.has(Readiness::WRITE_CLOSED)
    }

    /// Returns whether there is urgent data, or another condition that the source's manual calls `POLLPRI`.
    ///
    /// | queue | flags |
    /// |---|---|
    /// | epoll | `EPOLLPRI` |
    /// | kqueue | `EVFILT_EXCEPT`, where [`Interest::PRIORITY`](crate::Interest#associatedconstant.PRIORITY) exists |
    /// | event ports, poll(2) | `POLLPRI` |
    /// | AFD | always `false` |
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(not(all(target_os = "linux", feature = "os-poll", feature = "net")))]
    /// # fn main() {}
    /// # #[cfg(all(target_os = "linux", feature = "os-poll", feature = "net"))]
    /// # fn main() -> std::io::Result<()> {
    /// use mio::net::TcpStream;
    /// use mio::{Events, Interest, Poll, Token};
    /// use socket2::SockRef;
    ///
    /// let mut poll = Poll::new()?;
    /// let mut events = Events::with_capacity(8);
    /// # let server = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let mut stream = TcpStream::connect(server.local_addr()?)?;
    /// poll.registry().register(&mut stream, Token(0), Interest::READABLE | Interest::PRIORITY)?;
    ///
    /// let (peer, _address) = server.accept()?;
    /// SockRef::from(&peer).send_out_of_band(b"!")?;
    ///
    /// loop {
    ///     poll.poll(&mut events, None)?;
    ///     if events.iter().any(|event| event.is_priority()) {
    ///         break; // receive it with `recv_out_of_band`
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[inline]
    #[must_use]
    pub fn is_priority(&self) -> bool {
        self.has(Readiness::PRIORITY)
    }

    /// Returns whether an asynchronous I/O request has completed (`EVFILT_AIO`). It is always `false` without kqueue.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(not(feature = "os-poll"))]
    /// # fn main() {}
    /// # #[cfg(feature = "os-poll")]
    /// # fn main() -> std::io::Result<()> {
    /// use mio::{Events, Poll, Token, Waker};
    ///
    /// let mut poll = Poll::new()?;
    /// let mut events = Events::with_capacity(8);
    /// let waker = Waker::new(poll.registry(), Token(0))?;
    /// waker.wake()?;
    ///
    /// poll.poll(&mut events, None)?;
    /// assert!(!events.iter().any(|event| event.is_aio())); // a wake is something else
    /// # Ok(())
    /// # }
    /// ```
    #[inline]
    #[must_use]
    pub fn is_aio(&self) -> bool {
        self.has(Readiness::AIO)
    }

    /// Returns whether all requests of one `lio_listio(2)` have completed (`EVFILT_LIO`). It is always `false` except
    /// on FreeBSD.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(not(feature = "os-poll"))]
    /// # fn main() {}
    /// # #[cfg(feature = "os-poll")]
    /// # fn main() -> std::io::Result<()> {
    /// use mio::{Events, Poll, Token, Waker};
    ///
    /// let mut poll = Poll::new()?;
    /// let mut events = Events::with_capacity(8);
    /// let waker = Waker::new(poll.registry(), Token(0))?;
    /// waker.wake()?;
    ///
    /// poll.poll(&mut events, None)?;
    /// assert!(!events.iter().any(|event| event.is_lio())); // a wake is something else
    /// # Ok(())
    /// # }
    /// ```
    #[inline]
    #[must_use]
    pub fn is_lio(&self) -> bool {
        self.has(Readiness::LIO)
    }

    /// Returns the flags as the OS gave them.
    #[inline]
    pub(crate) fn flags(&self) -> EventFlags {
        self.0.flags()
    }

    #[inline]
    fn has(&self, hint: Readiness) -> bool {
        self.flags().readiness().contains(hint)
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let with_flags = f.alternate();
        let mut debug = f.debug_struct("Event");
        debug
            .field("token", &self.token())
            .field("readable", &self.is_readable())
            .field("writable", &self.is_writable())
            .field("error", &self.is_error())
            .field("read_closed", &self.is_read_closed())
            .field("write_closed", &self.is_write_closed())
            .field("priority", &self.is_priority())
            .field("aio", &self.is_aio())
            .field("lio", &self.is_lio());
        if with_flags {
            debug.field("flags", &self.flags());
        }
        debug.finish()
    }
}
