//! [`TcpStream`]: a TCP connection.

use std::io;
use std::net::{self, Shutdown, SocketAddr};

use crate::Interest;
use crate::io_source::IoSource;
use crate::io_type::io_type;
use crate::net::no_sigpipe;
#[cfg(any(unix, windows))]
use {
    crate::net::socket,
    socket2::{Domain, Type},
};

/// A TCP connection between two sockets.
///
/// Available with the crate feature `net`.
///
/// # Examples
///
/// Connecting takes three steps: start the attempt, wait for the first writable event, and ask for the outcome.
///
/// ```
/// # #[cfg(feature = "os-poll")]
/// # fn main() -> std::io::Result<()> {
/// use std::io::ErrorKind;
/// use mio::net::TcpStream;
/// use mio::{Events, Interest, Poll, Token};
///
/// let server = std::net::TcpListener::bind("127.0.0.1:0")?;
///
/// let mut poll = Poll::new()?;
/// let mut events = Events::with_capacity(8);
/// let mut stream = TcpStream::connect(server.local_addr()?)?;
/// poll.registry().register(&mut stream, Token(0), Interest::READABLE | Interest::WRITABLE)?;
///
/// 'connecting: loop {
///     poll.poll(&mut events, None)?;
///     for _ in events.iter().filter(|event| event.is_writable()) {
///         if let Some(error) = stream.take_error()? {
///             return Err(error); // the connection was refused, the host is unreachable, ...
///         }
///         match stream.peer_addr() {
///             Ok(address) => {
///                 println!("connected to {address}");
///                 break 'connecting;
///             }
///             Err(error) if error.kind() == ErrorKind::NotConnected => {} // not yet
///             Err(error) => return Err(error),
///         }
///     }
/// }
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "os-poll"))]
/// # fn main() {}
/// ```
pub struct TcpStream {
    inner: IoSource<net::TcpStream>,
}

impl TcpStream {
    /// Starts connecting a new socket to `address`, and returns at once.
    ///
    /// Available on Unix and Windows.
    ///
    /// The first event that says writable or error tells you that the attempt has ended. After a failure,
    /// [`take_error`](TcpStream::take_error) returns the cause. Once the stream is connected,
    /// [`peer_addr`](TcpStream::peer_addr) works. If `peer_addr` returns `NotConnected`, the event was spurious and the
    /// stream is still connecting. The documentation of [`TcpStream`] has an example of all three cases.
    ///
    /// Calls `socket(2)` and `connect(2)`.
    ///
    /// # Errors
    ///
    /// Returns the errors of these calls. Some failures are known at once (`ENETUNREACH`, `EADDRNOTAVAIL`, or a refused
    /// connection on some platforms); most arrive with the event.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use mio::net::TcpStream;
    ///
    /// let server = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let stream = TcpStream::connect(server.local_addr()?)?;
    /// match stream.peer_addr() {
    ///     Ok(address) => println!("already connected to {address}"),
    ///     Err(error) if error.kind() == ErrorKind::NotConnected => println!("connecting in the background"),
    ///     Err(error) => return Err(error),
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[cfg(any(unix, windows))]
    pub fn connect(address: SocketAddr) -> io::Result<TcpStream> {
        let socket = socket::open(Domain::for_address(address), Type::STREAM)?;
        socket::connect(&socket, &address.into())?;
        Ok(TcpStream::new(socket.into()))
    }

    /// Converts a stream of the standard library. Set it to non-blocking mode first: this function neither checks nor
    /// changes the mode.
    ///
    /// Use this for what [`connect`](TcpStream::connect) has no parameter for: make a socket, bind it to a local address or
    /// set options, make it non-blocking, call its `connect`, and convert it.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::{ErrorKind, Read};
    /// use mio::net::TcpStream;
    ///
    /// let server = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let stream = std::net::TcpStream::connect(server.local_addr()?)?;
    /// stream.set_nonblocking(true)?;
    ///
    /// let mut stream = TcpStream::from_std(stream);
    /// assert_eq!(stream.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn from_std(stream: net::TcpStream) -> TcpStream {
        TcpStream { inner: IoSource::taken_over(stream) }
    }

    /// Wraps a socket that this crate has just made.
    pub(super) fn new(stream: net::TcpStream) -> TcpStream {
        TcpStream { inner: IoSource::new(stream) }
    }

    /// Returns the address of the other end. Calls `getpeername(2)`.
    ///
    /// # Errors
    ///
    /// Returns [`NotConnected`](io::ErrorKind::NotConnected) while the stream is still connecting, or when the
    /// connection is gone.
    ///
    /// # Examples
    ///
    /// ```
    /// # let server = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// # let stream = std::net::TcpStream::connect(server.local_addr()?)?;
    /// # stream.set_nonblocking(true)?;
    /// # let stream = mio::net::TcpStream::from_std(stream);
    /// # let mut peer = server.accept()?.0;
    /// assert_eq!(stream.peer_addr()?, server.local_addr()?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.inner.peer_addr()
    }

    /// Returns the address of this end. Calls `getsockname(2)`.
    ///
    /// # Errors
    ///
    /// Returns the errors of this call.
    ///
    /// # Examples
    ///
    /// ```
    /// # let server = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// # let stream = std::net::TcpStream::connect(server.local_addr()?)?;
    /// # stream.set_nonblocking(true)?;
    /// # let stream = mio::net::TcpStream::from_std(stream);
    /// # let peer = server.accept()?.0;
    /// assert_eq!(stream.local_addr()?, peer.peer_addr()?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    /// Shuts down reading, writing or both. Calls `shutdown(2)`.
    ///
    /// `Shutdown::Write` tells the peer that you will send nothing more: the peer reads the end of the stream, and can
    /// still answer.
    ///
    /// # Errors
    ///
    /// Returns [`NotConnected`](io::ErrorKind::NotConnected) if the stream is not connected, or on some platforms if
    /// you call this twice.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::io::Read;
    /// use std::net::Shutdown;
    ///
    /// # let server = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// # let stream = std::net::TcpStream::connect(server.local_addr()?)?;
    /// # stream.set_nonblocking(true)?;
    /// # let stream = mio::net::TcpStream::from_std(stream);
    /// # let mut peer = server.accept()?.0;
    /// stream.shutdown(Shutdown::Write)?;
    /// assert_eq!(peer.read(&mut [0; 16])?, 0); // the end of the stream
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.inner.shutdown(how)
    }

    /// Sets the `TCP_NODELAY` option: `true` turns off Nagle's algorithm, so that the system sends small segments at once
    /// instead of waiting to fill them.
    ///
    /// On Windows, set it once the stream is connected, not before.
    ///
    /// # Errors
    ///
    /// Returns the errors of `setsockopt(2)`.
    ///
    /// # Examples
    ///
    /// ```
    /// # let server = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// # let stream = std::net::TcpStream::connect(server.local_addr()?)?;
    /// # stream.set_nonblocking(true)?;
    /// # let stream = mio::net::TcpStream::from_std(stream);
    /// # let mut peer = server.accept()?.0;
    /// stream.set_nodelay(true)?;
    /// assert!(stream.nodelay()?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.inner.set_nodelay(nodelay)
    }

    /// Returns the `TCP_NODELAY` option: `true` means that Nagle's algorithm is off, so that the system sends small segments at
    /// once instead of waiting to fill them.
    ///
    /// # Errors
    ///
    /// Returns the errors of `getsockopt(2)`.
    ///
    /// # Examples
    ///
    /// ```
    /// # let server = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// # let stream = std::net::TcpStream::connect(server.local_addr()?)?;
    /// # stream.set_nonblocking(true)?;
    /// # let stream = mio::net::TcpStream::from_std(stream);
    /// # let mut peer = server.accept()?.0;
    /// stream.set_nodelay(true)?;
    /// assert!(stream.nodelay()?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn nodelay(&self) -> io::Result<bool> {
        self.inner.nodelay()
    }

    /// Sets the `IP_TTL` option: how many hops a packet may make.
    ///
    /// On Windows, set it once the stream is connected, not before.
    ///
    /// # Errors
    ///
    /// Returns the errors of `setsockopt(2)`.
    ///
    /// # Examples
    ///
    /// ```
    /// # let server = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// # let stream = std::net::TcpStream::connect(server.local_addr()?)?;
    /// # stream.set_nonblocking(true)?;
    /// # let stream = mio::net::TcpStream::from_std(stream);
    /// # let mut peer = server.accept()?.0;
    /// stream.set_ttl(64)?;
    /// assert_eq!(stream.ttl()?, 64);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.inner.set_ttl(ttl)
    }

    /// Returns the `IP_TTL` option: how many hops a packet may make.
    ///
    /// # Errors
    ///
    /// Returns the errors of `getsockopt(2)`.
    ///
    /// # Examples
    ///
    /// ```
    /// # let server = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// # let stream = std::net::TcpStream::connect(server.local_addr()?)?;
    /// # stream.set_nonblocking(true)?;
    /// # let stream = mio::net::TcpStream::from_std(stream);
    /// # let mut peer = server.accept()?.0;
    /// stream.set_ttl(64)?;
    /// assert_eq!(stream.ttl()?, 64);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn ttl(&self) -> io::Result<u32> {
        self.inner.ttl()
    }

    /// Takes the pending error of the socket, `SO_ERROR`, if there is one. After a failed attempt to connect, this is the
    /// cause of the failure.
    ///
    /// # Errors
    ///
    /// Returns the errors of `getsockopt(2)`. The pending error is the value that this function returns.
    ///
    /// # Examples
    ///
    /// ```
    /// # let server = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// # let stream = std::net::TcpStream::connect(server.local_addr()?)?;
    /// # stream.set_nonblocking(true)?;
    /// # let stream = mio::net::TcpStream::from_std(stream);
    /// # let mut peer = server.accept()?.0;
    /// if let Some(error) = stream.take_error()? {
    ///     eprintln!("the connection has failed: {error}");
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.inner.take_error(net::TcpStream::take_error)
    }

    /// Reads without removing the data: the next read returns it again. Calls `recv(2)` with `MSG_PEEK`.
    ///
    /// # Errors
    ///
    /// Returns [`WouldBlock`](io::ErrorKind::WouldBlock) if there is no data, and the other errors of `recv(2)`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::io::{Read, Write};
    /// # let server = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// # let stream = std::net::TcpStream::connect(server.local_addr()?)?;
    /// # stream.set_nonblocking(true)?;
    /// # let mut stream = mio::net::TcpStream::from_std(stream);
    /// # let mut peer = server.accept()?.0;
    /// peer.write_all(b"GET /")?;
    ///
    /// let mut buffer = [0; 16];
    /// # while stream.peek(&mut buffer).is_err() {}
    /// assert_eq!(stream.peek(&mut buffer[..3])?, 3);
    /// assert_eq!(stream.read(&mut buffer)?, 5); // the data is still there
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.try_io_for(Interest::READABLE, |stream| stream.peek(buffer))
    }
}

io_type!(TcpStream, net::TcpStream, into_std, try_io, read, write_by(no_sigpipe::write, no_sigpipe::write_vectored));
