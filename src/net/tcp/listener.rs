//! [`TcpListener`]: the listening side of TCP.

use std::io;
use std::net::{self, SocketAddr};

use super::TcpStream;
use crate::Interest;
use crate::io_source::IoSource;
use crate::io_type::io_type;
#[cfg(any(unix, windows))]
use {
    crate::net::socket,
    socket2::{Domain, SockRef, Type},
};

/// A TCP socket that accepts connections.
///
/// Available with the crate feature `net`.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "os-poll")]
/// # fn main() -> std::io::Result<()> {
/// use std::io::ErrorKind;
/// use mio::net::{TcpListener, TcpStream};
/// use mio::{Events, Interest, Poll, Token};
///
/// let mut poll = Poll::new()?;
/// let mut events = Events::with_capacity(8);
/// let mut listener = TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
/// poll.registry().register(&mut listener, Token(0), Interest::READABLE)?;
///
/// let _client = TcpStream::connect(listener.local_addr()?)?;
///
/// poll.poll(&mut events, None)?;
/// // The registration is edge-triggered, so accept until there are no more.
/// loop {
///     match listener.accept() {
///         Ok((_connection, address)) => println!("a connection from {address}"),
///         Err(error) if error.kind() == ErrorKind::WouldBlock => break,
///         Err(error) => return Err(error),
///     }
/// }
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "os-poll"))]
/// # fn main() {}
/// ```
pub struct TcpListener {
    inner: IoSource<net::TcpListener>,
}

impl TcpListener {
    /// Binds a new socket to `address` and listens. Port 0 lets the OS choose one, which
    /// [`local_addr`](TcpListener::local_addr) returns.
    ///
    /// Available on Unix and Windows.
    ///
    /// Like the standard library, this function sets `SO_REUSEADDR` on Unix, so that you can restart a server at once. It does
    /// not set it on Windows, because there the option would let other programs take the port. The backlog is also that of
    /// the standard library.
    ///
    /// Calls `socket(2)`, `setsockopt(2)`, `bind(2)`, `listen(2)`.
    ///
    /// # Errors
    ///
    /// Returns the errors of these calls, such as `AddrInUse`, `AddrNotAvailable`, `PermissionDenied`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use mio::net::TcpListener;
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
    ///
    /// let second = TcpListener::bind(listener.local_addr()?);
    /// assert_eq!(second.unwrap_err().kind(), ErrorKind::AddrInUse);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[cfg(any(unix, windows))]
    pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
        /// The backlog of the standard library.
        const BACKLOG: i32 = if cfg!(target_os = "haiku") { 32 } else { 128 };

        let socket = socket::open(Domain::for_address(address), Type::STREAM)?;
        if cfg!(unix) {
            socket.set_reuse_address(true)?;
        }
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Ok(TcpListener { inner: IoSource::new(socket.into()) })
    }

    /// Converts a listener of the standard library. Set it to non-blocking mode first: this function neither checks nor
    /// changes the mode.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use mio::net::TcpListener;
    ///
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// listener.set_nonblocking(true)?;
    ///
    /// let listener = TcpListener::from_std(listener);
    /// assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn from_std(listener: net::TcpListener) -> TcpListener {
        TcpListener { inner: IoSource::taken_over(listener) }
    }

    /// Accepts a connection. Returns the new stream, which is non-blocking, and the peer's address.
    ///
    /// Calls `accept4(2)`; where that does not exist, `accept(2)` and the calls that make the new socket non-blocking.
    ///
    /// # Errors
    ///
    /// - [`WouldBlock`](io::ErrorKind::WouldBlock): no connection is waiting.
    /// - [`ConnectionAborted`](io::ErrorKind::ConnectionAborted): the connection was gone before you accepted it.
    ///   Accept the next one.
    /// - `EMFILE`, `ENFILE`: too many files are open. The connection keeps waiting, but an edge-triggered registration
    ///   reports no further event for it: accept again after you have closed a file.
    /// - The other errors of `accept(2)`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::{self, ErrorKind};
    /// use mio::net::{TcpListener, TcpStream};
    ///
    /// /// Accepts every connection that is waiting. Call this after each readable event.
    /// fn accept_all(listener: &TcpListener, streams: &mut Vec<TcpStream>) -> io::Result<()> {
    ///     loop {
    ///         match listener.accept() {
    ///             Ok((stream, _address)) => streams.push(stream),
    ///             Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
    ///             Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
    ///             Err(error) => return Err(error), // such as `EMFILE`: try again later
    ///         }
    ///     }
    /// }
    /// # let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
    /// # let _client = std::net::TcpStream::connect(listener.local_addr()?)?;
    /// # let mut streams = Vec::new();
    /// # while streams.is_empty() { accept_all(&listener, &mut streams)? }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[cfg(any(unix, windows))]
    pub fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        self.inner.try_io_for(Interest::READABLE, |listener| {
            let (socket, address) = socket::accept(SockRef::from(listener))?;
            // If macOS returns no address, the connection was already gone when it arrived.
            let address = address.as_socket().ok_or(io::ErrorKind::ConnectionAborted)?;
            Ok((TcpStream::new(socket.into()), address))
        })
    }

    /// Accepts a connection. Returns the new stream, which is non-blocking, and the peer's address.
    ///
    /// # Errors
    ///
    /// Returns [`WouldBlock`](io::ErrorKind::WouldBlock) if no connection is waiting, and the other errors of `accept`.
    #[cfg(not(any(unix, windows)))]
    pub fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        self.inner.try_io_for(Interest::READABLE, |listener| {
            let (stream, address) = listener.accept()?;
            stream.set_nonblocking(true)?;
            Ok((TcpStream::new(stream), address))
        })
    }

    /// Returns the address that the listener is bound to. Calls `getsockname(2)`.
    ///
    /// # Errors
    ///
    /// Returns the errors of this call.
    ///
    /// # Examples
    ///
    /// ```
    /// use mio::net::TcpListener;
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
    /// assert_ne!(listener.local_addr()?.port(), 0); // the OS has chosen one
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    /// Sets the `IP_TTL` option: how many hops a packet may make.
    ///
    /// # Errors
    ///
    /// Returns the errors of `setsockopt(2)`.
    ///
    /// # Examples
    ///
    /// ```
    /// use mio::net::TcpListener;
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
    /// listener.set_ttl(64)?;
    /// assert_eq!(listener.ttl()?, 64);
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
    /// use mio::net::TcpListener;
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
    /// listener.set_ttl(64)?;
    /// assert_eq!(listener.ttl()?, 64);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn ttl(&self) -> io::Result<u32> {
        self.inner.ttl()
    }

    /// Takes the pending error of the socket, `SO_ERROR`, if there is one.
    ///
    /// # Errors
    ///
    /// Returns the errors of `getsockopt(2)`. The pending error is the value that this function returns.
    ///
    /// # Examples
    ///
    /// ```
    /// use mio::net::TcpListener;
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
    /// if let Some(error) = listener.take_error()? {
    ///     eprintln!("the listener has failed: {error}");
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.inner.take_error(net::TcpListener::take_error)
    }
}

io_type!(TcpListener, net::TcpListener, into_std);
