//! The listening side of TCP.

use std::io;
use std::net::{self, SocketAddr};

#[cfg(any(unix, windows))]
use socket2::{Domain, SockRef, Type};

use super::TcpStream;
use crate::Interest;
use crate::convert::{convert_raw, delegate_to_inner};
use crate::io_source::IoSource;
#[cfg(any(unix, windows))]
use crate::net::socket;

/// A TCP socket that accepts connections.
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
/// // Edge-triggered: accept until there are no more.
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
    /// Binds a new socket to `address` and listens. Port 0 lets the OS choose one; see
    /// [`local_addr`](TcpListener::local_addr).
    ///
    /// As the standard library does: on Unix with `SO_REUSEADDR`, so that a server can be started again at once; on
    /// Windows without, where that option would let others take the port. The backlog is the standard library's.
    ///
    /// Calls `socket(2)`, `setsockopt(2)`, `bind(2)`, `listen(2)`.
    ///
    /// # Errors
    ///
    /// Those of the calls, such as `AddrInUse`, `AddrNotAvailable`, `PermissionDenied`.
    #[cfg(any(unix, windows))]
    pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
        /// The standard library's.
        const BACKLOG: i32 = if cfg!(target_os = "haiku") { 32 } else { 128 };

        let socket = socket::open(Domain::for_address(address), Type::STREAM)?;
        if cfg!(unix) {
            socket.set_reuse_address(true)?;
        }
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Ok(TcpListener::from_std(socket.into()))
    }

    /// Converts a listener of the standard library, which must be in non-blocking mode: this is not checked or changed.
    pub fn from_std(listener: net::TcpListener) -> TcpListener {
        TcpListener { inner: IoSource::new(listener) }
    }

    /// Accepts a connection: the new stream, non-blocking, and the peer's address.
    ///
    /// Calls `accept4(2)`, or `accept(2)` and what makes the new socket non-blocking where there is no such call.
    ///
    /// # Errors
    ///
    /// - [`WouldBlock`](io::ErrorKind::WouldBlock): no connection waits.
    /// - [`ConnectionAborted`](io::ErrorKind::ConnectionAborted): one did, and was gone. Accept the next.
    /// - `EMFILE`, `ENFILE`: too many open files. The connection goes on to wait and, with an edge-triggered
    ///   registration, makes no new event: accept again when a file was closed.
    /// - Others of `accept(2)`.
    #[cfg(any(unix, windows))]
    pub fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        self.inner.try_io(Interest::READABLE, |listener| {
            let (socket, address) = socket::accept(SockRef::from(listener))?;
            // Without an address the connection was dead on arrival, as macOS says it.
            let address = address.as_socket().ok_or(io::ErrorKind::ConnectionAborted)?;
            Ok((TcpStream::from_std(socket.into()), address))
        })
    }

    /// Accepts a connection: the new stream, non-blocking, and the peer's address.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if no connection waits; others of `accept`.
    #[cfg(not(any(unix, windows)))]
    pub fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        self.inner.try_io(Interest::READABLE, |listener| {
            let (stream, address) = listener.accept()?;
            stream.set_nonblocking(true)?;
            Ok((TcpStream::from_std(stream), address))
        })
    }

    /// The address that the listener is bound to. Calls `getsockname(2)`.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    /// Sets the `IP_TTL` option: how many hops a packet may make.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.inner.set_ttl(ttl)
    }

    /// Reads the `IP_TTL` option.
    pub fn ttl(&self) -> io::Result<u32> {
        self.inner.ttl()
    }

    /// Takes the pending error of the socket, `SO_ERROR`, if there is one.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.inner.take_error()
    }
}

delegate_to_inner!(TcpListener);
convert_raw!(TcpListener, net::TcpListener);

impl From<TcpListener> for net::TcpListener {
    /// The listener stays in non-blocking mode.
    fn from(listener: TcpListener) -> Self {
        listener.inner.into_inner()
    }
}
