//! A TCP connection.

use std::io;
use std::net::{self, Shutdown, SocketAddr};

#[cfg(any(unix, windows))]
use socket2::{Domain, Type};

use crate::Interest;
use crate::convert::{convert_raw, delegate_to_inner, read_inner, try_io_inner, write_inner};
use crate::io_source::IoSource;
use crate::net::no_sigpipe;
#[cfg(any(unix, windows))]
use crate::net::socket;

/// A TCP connection between two sockets.
///
/// # Examples
///
/// The whole of connecting: begin, wait for the first writable event, ask how it went.
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
///             return Err(error); // refused, unreachable, ...
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
    /// Begins to connect a new socket to `address`, and returns at once.
    ///
    /// How the attempt ends is told by the first event that is writable (or an error): then
    /// [`take_error`](TcpStream::take_error) gives the cause of a failure, and [`peer_addr`](TcpStream::peer_addr)
    /// works once the stream is connected; `NotConnected` means that it still connects, and the event was spurious.
    ///
    /// Calls `socket(2)` and `connect(2)`.
    ///
    /// # Errors
    ///
    /// Those of the calls. Some failures are known at once (`ENETUNREACH`, `EADDRNOTAVAIL`, or a refused connection on
    /// some platforms), most come with the event.
    #[cfg(any(unix, windows))]
    pub fn connect(address: SocketAddr) -> io::Result<TcpStream> {
        let socket = socket::open(Domain::for_address(address), Type::STREAM)?;
        socket::connect(&socket, &address.into())?;
        Ok(TcpStream::from_std(socket.into()))
    }

    /// Converts a stream of the standard library, which must be in non-blocking mode: this is not checked or changed.
    ///
    /// With a stream made elsewhere this allows what [`connect`](TcpStream::connect) has no option for: make a socket,
    /// bind it to a local address or set options, set it non-blocking, call its `connect`, and convert it.
    pub fn from_std(stream: net::TcpStream) -> TcpStream {
        TcpStream { inner: IoSource::new(stream) }
    }

    /// The address of the other end. Calls `getpeername(2)`.
    ///
    /// # Errors
    ///
    /// [`NotConnected`](io::ErrorKind::NotConnected) while the stream still connects, or when the connection is gone.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.inner.peer_addr()
    }

    /// The address of this end. Calls `getsockname(2)`.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    /// Shuts down reading, writing or both. Calls `shutdown(2)`.
    ///
    /// # Errors
    ///
    /// [`NotConnected`](io::ErrorKind::NotConnected) if the stream is not connected, or on some platforms when called
    /// twice.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.inner.shutdown(how)
    }

    /// Sets the `TCP_NODELAY` option: `true` sends small segments at once, without waiting to fill them (Nagle's
    /// algorithm).
    ///
    /// On Windows, set it only once the stream is connected.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.inner.set_nodelay(nodelay)
    }

    /// Reads the `TCP_NODELAY` option.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.inner.nodelay()
    }

    /// Sets the `IP_TTL` option: how many hops a packet may make.
    ///
    /// On Windows, set it only once the stream is connected.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.inner.set_ttl(ttl)
    }

    /// Reads the `IP_TTL` option.
    pub fn ttl(&self) -> io::Result<u32> {
        self.inner.ttl()
    }

    /// Takes the pending error of the socket, `SO_ERROR`, if there is one: after a failed connect, its cause.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.inner.take_error()
    }

    /// Reads without taking the data out: the next read gives it again. Calls `recv(2)` with `MSG_PEEK`.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) without data; others of `recv(2)`.
    pub fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.try_io(Interest::READABLE, |stream| stream.peek(buffer))
    }
}

delegate_to_inner!(TcpStream);
try_io_inner!(TcpStream);
read_inner!(TcpStream);
write_inner!(TcpStream, no_sigpipe::write, no_sigpipe::write_vectored);
convert_raw!(TcpStream, net::TcpStream);

impl From<TcpStream> for net::TcpStream {
    /// The stream stays in non-blocking mode.
    fn from(stream: TcpStream) -> Self {
        stream.inner.into_inner()
    }
}
