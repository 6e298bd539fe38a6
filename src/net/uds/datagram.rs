//! Unix datagram sockets.

use std::io;
use std::net::Shutdown;
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;

use socket2::{Domain, Type};

use super::{path_address, to_os};
use crate::Interest;
use crate::convert::{convert_raw, delegate_to_inner, try_io_inner};
use crate::io_source::IoSource;
use crate::net::socket;

/// A Unix datagram socket.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use mio::net::UnixDatagram;
///
/// let (one, other) = UnixDatagram::pair()?;
/// one.send(b"hello")?;
/// let mut buffer = [0; 16];
/// let length = other.recv(&mut buffer)?;
/// assert_eq!(&buffer[..length], b"hello");
/// # Ok(())
/// # }
/// ```
pub struct UnixDatagram {
    inner: IoSource<net::UnixDatagram>,
}

impl UnixDatagram {
    /// Binds a new socket to `path`, which must not exist. On Linux and Android, a path that begins with a NUL is an
    /// abstract name: the bytes after it. Calls `socket(2)` and `bind(2)`.
    ///
    /// # Errors
    ///
    /// - [`InvalidInput`](io::ErrorKind::InvalidInput): the path has a NUL elsewhere, or is too long for the OS.
    /// - Those of the calls, such as `AddrInUse`, `PermissionDenied`, `NotFound`.
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<UnixDatagram> {
        UnixDatagram::bind_addr(&path_address(path.as_ref())?)
    }

    /// As [`bind`](UnixDatagram::bind), to an address: a path or, on Linux and Android, an abstract name.
    pub fn bind_addr(address: &SocketAddr) -> io::Result<UnixDatagram> {
        let socket = socket::open(Domain::UNIX, Type::DGRAM)?;
        socket.bind(&to_os(address)?)?;
        Ok(UnixDatagram::from_std(socket.into()))
    }

    /// A new socket without an address. Calls `socket(2)`.
    pub fn unbound() -> io::Result<UnixDatagram> {
        let socket = socket::open(Domain::UNIX, Type::DGRAM)?;
        Ok(UnixDatagram::from_std(socket.into()))
    }

    /// Two sockets that are connected to each other. Calls `socketpair(2)`.
    pub fn pair() -> io::Result<(UnixDatagram, UnixDatagram)> {
        let (one, other) = socket::pair(Type::DGRAM)?;
        Ok((UnixDatagram::from_std(one.into()), UnixDatagram::from_std(other.into())))
    }

    /// Converts a socket of the standard library, which must be in non-blocking mode: this is not checked or changed.
    pub fn from_std(socket: net::UnixDatagram) -> UnixDatagram {
        UnixDatagram { inner: IoSource::new(socket) }
    }

    /// Connects the socket to `path`: where [`send`](UnixDatagram::send) sends to, and the only one that it receives
    /// from. Calls `connect(2)`.
    pub fn connect<P: AsRef<Path>>(&self, path: P) -> io::Result<()> {
        self.inner.connect(path)
    }

    /// The address of this socket. Calls `getsockname(2)`.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    /// The address that the socket is connected to. Calls `getpeername(2)`.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.inner.peer_addr()
    }

    /// Sends a datagram to the socket at `path`. Returns how many bytes were sent: all of them.
    ///
    /// Calls `sendto(2)`.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if the receiver has no room; others of `sendto(2)`.
    pub fn send_to<P: AsRef<Path>>(&self, buffer: &[u8], path: P) -> io::Result<usize> {
        self.inner.try_io(Interest::WRITABLE, |socket| socket.send_to(buffer, path))
    }

    /// Receives a datagram: its length, and where it came from.
    ///
    /// Calls `recvfrom(2)`. What does not fit the buffer is lost.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if there is none; others of `recvfrom(2)`.
    pub fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.inner.try_io(Interest::READABLE, |socket| socket.recv_from(buffer))
    }

    /// Sends a datagram to the socket that this one is connected to. Returns how many bytes were sent: all of them.
    ///
    /// Calls `send(2)`.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if the receiver has no room; others of `send(2)`.
    pub fn send(&self, buffer: &[u8]) -> io::Result<usize> {
        self.inner.try_io(Interest::WRITABLE, |socket| socket.send(buffer))
    }

    /// Receives a datagram. Returns its length.
    ///
    /// Calls `recv(2)`. What does not fit the buffer is lost.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if there is none; others of `recv(2)`.
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.try_io(Interest::READABLE, |socket| socket.recv(buffer))
    }

    /// Takes the pending error of the socket, `SO_ERROR`, if there is one.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.inner.take_error()
    }

    /// Shuts down reading, writing or both. Calls `shutdown(2)`.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.inner.shutdown(how)
    }
}

delegate_to_inner!(UnixDatagram);
try_io_inner!(UnixDatagram);
convert_raw!(UnixDatagram, net::UnixDatagram);

impl From<UnixDatagram> for net::UnixDatagram {
    /// The socket stays in non-blocking mode.
    fn from(socket: UnixDatagram) -> Self {
        socket.inner.into_inner()
    }
}
