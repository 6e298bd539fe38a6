//! [`UnixDatagram`]: a Unix datagram socket.

use std::io;
use std::net::Shutdown;
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;

use socket2::{Domain, Type};

use super::{path_address, to_os};
use crate::Interest;
use crate::io_source::IoSource;
use crate::io_type::io_type;
use crate::net::socket;

/// A Unix datagram socket.
///
/// Available with the crate feature `net` on Unix.
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
    /// Binds a new socket to `path`, which must not exist. On Linux and Android, if the path begins with a NUL, the bytes after
    /// that are an abstract name. Calls `socket(2)` and `bind(2)`.
    ///
    /// # Errors
    ///
    /// - [`InvalidInput`](io::ErrorKind::InvalidInput): the path contains a NUL but does not begin with one, or is too long for
    ///   the OS.
    /// - The errors of these calls, such as `AddrInUse`, `PermissionDenied`, `NotFound`.
    ///
    /// # Examples
    ///
    /// ```
    /// use mio::net::UnixDatagram;
    ///
    /// let folder = tempfile::tempdir()?;
    /// let path = folder.path().join("socket");
    /// let socket = UnixDatagram::bind(&path)?;
    /// assert_eq!(socket.local_addr()?.as_pathname(), Some(path.as_path()));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<UnixDatagram> {
        UnixDatagram::bind_addr(&path_address(path.as_ref())?)
    }

    /// Does what [`bind`](UnixDatagram::bind) does, with an address: a path or, on Linux and Android, an abstract name.
    ///
    /// # Errors
    ///
    /// Returns the errors of `socket(2)` and `bind(2)`.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(target_os = "linux")]
    /// # fn main() -> std::io::Result<()> {
    /// use std::os::linux::net::SocketAddrExt;
    /// use std::os::unix::net::SocketAddr;
    /// use mio::net::UnixDatagram;
    ///
    /// let address = SocketAddr::from_abstract_name(format!("mio example {}", std::process::id()))?;
    /// let socket = UnixDatagram::bind_addr(&address)?;
    /// assert_eq!(socket.local_addr()?.as_abstract_name(), address.as_abstract_name());
    /// # Ok(())
    /// # }
    /// # #[cfg(not(target_os = "linux"))]
    /// # fn main() {}
    /// ```
    pub fn bind_addr(address: &SocketAddr) -> io::Result<UnixDatagram> {
        let socket = socket::open(Domain::UNIX, Type::DGRAM)?;
        socket.bind(&to_os(address)?)?;
        Ok(UnixDatagram::new(socket.into()))
    }

    /// Makes a new socket without an address. Calls `socket(2)`.
    ///
    /// # Errors
    ///
    /// Returns the errors of this call.
    ///
    /// # Examples
    ///
    /// ```
    /// use mio::net::UnixDatagram;
    ///
    /// let folder = tempfile::tempdir()?;
    /// let path = folder.path().join("socket");
    /// let receiver = UnixDatagram::bind(&path)?;
    /// let sender = UnixDatagram::unbound()?;
    /// sender.send_to(b"hello", &path)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn unbound() -> io::Result<UnixDatagram> {
        let socket = socket::open(Domain::UNIX, Type::DGRAM)?;
        Ok(UnixDatagram::new(socket.into()))
    }

    /// Makes two sockets that are connected to each other. Calls `socketpair(2)`.
    ///
    /// # Errors
    ///
    /// Returns the errors of this call.
    ///
    /// # Examples
    ///
    /// ```
    /// use mio::net::UnixDatagram;
    ///
    /// let (one, other) = UnixDatagram::pair()?;
    /// one.send(b"hello")?;
    /// assert_eq!(other.recv(&mut [0; 16])?, 5);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn pair() -> io::Result<(UnixDatagram, UnixDatagram)> {
        let (one, other) = socket::pair(Type::DGRAM)?;
        Ok((UnixDatagram::new(one.into()), UnixDatagram::new(other.into())))
    }

    /// Converts a socket of the standard library. Set it to non-blocking mode first: this function neither checks nor
    /// changes the mode.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use mio::net::UnixDatagram;
    ///
    /// let (socket, _other) = std::os::unix::net::UnixDatagram::pair()?;
    /// socket.set_nonblocking(true)?;
    ///
    /// let socket = UnixDatagram::from_std(socket);
    /// assert_eq!(socket.recv(&mut [0; 16]).unwrap_err().kind(), ErrorKind::WouldBlock);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn from_std(socket: net::UnixDatagram) -> UnixDatagram {
        UnixDatagram { inner: IoSource::taken_over(socket) }
    }

    /// Wraps a socket that this crate has just made.
    fn new(socket: net::UnixDatagram) -> UnixDatagram {
        UnixDatagram { inner: IoSource::new(socket) }
    }

    /// Connects the socket to `path`: [`send`](UnixDatagram::send) sends there, and the socket receives only
    /// from there. Calls `connect(2)`.
    ///
    /// # Errors
    ///
    /// - [`InvalidInput`](io::ErrorKind::InvalidInput): the path contains a NUL or is too long for the OS.
    /// - The errors of this call, such as `NotFound`, `ConnectionRefused`.
    ///
    /// # Examples
    ///
    /// ```
    /// use mio::net::UnixDatagram;
    ///
    /// let folder = tempfile::tempdir()?;
    /// let path = folder.path().join("socket");
    /// let receiver = UnixDatagram::bind(&path)?;
    /// let sender = UnixDatagram::unbound()?;
    /// sender.connect(&path)?;
    /// sender.send(b"hello")?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn connect<P: AsRef<Path>>(&self, path: P) -> io::Result<()> {
        self.inner.connect(path)
    }

    /// Returns the address of this socket. Calls `getsockname(2)`.
    ///
    /// # Errors
    ///
    /// Returns the errors of this call.
    ///
    /// # Examples
    ///
    /// ```
    /// use mio::net::UnixDatagram;
    ///
    /// let socket = UnixDatagram::unbound()?;
    /// assert!(socket.local_addr()?.is_unnamed());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    /// Returns the address that the socket is connected to. Calls `getpeername(2)`.
    ///
    /// # Errors
    ///
    /// Returns [`NotConnected`](io::ErrorKind::NotConnected) if the socket is not connected.
    ///
    /// # Examples
    ///
    /// ```
    /// use mio::net::UnixDatagram;
    ///
    /// let folder = tempfile::tempdir()?;
    /// let path = folder.path().join("socket");
    /// let receiver = UnixDatagram::bind(&path)?;
    /// let sender = UnixDatagram::unbound()?;
    /// sender.connect(&path)?;
    /// assert_eq!(sender.peer_addr()?.as_pathname(), Some(path.as_path()));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.inner.peer_addr()
    }

    /// Sends a datagram to the socket at `path`. Returns how many bytes it sent, which is all of them.
    ///
    /// Calls `sendto(2)`.
    ///
    /// # Errors
    ///
    /// Returns [`WouldBlock`](io::ErrorKind::WouldBlock) if the receiver has no room, and the other errors of `sendto(2)`.
    ///
    /// # Examples
    ///
    /// ```
    /// use mio::net::UnixDatagram;
    ///
    /// let folder = tempfile::tempdir()?;
    /// let path = folder.path().join("socket");
    /// let receiver = UnixDatagram::bind(&path)?;
    /// let sender = UnixDatagram::unbound()?;
    /// assert_eq!(sender.send_to(b"hello", &path)?, 5);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn send_to<P: AsRef<Path>>(&self, buffer: &[u8], path: P) -> io::Result<usize> {
        self.inner.try_io_for(Interest::WRITABLE, |socket| socket.send_to(buffer, path))
    }

    /// Receives a datagram. Returns its length and the address that it came from.
    ///
    /// Calls `recvfrom(2)`. Bytes that do not fit into the buffer are lost.
    ///
    /// # Errors
    ///
    /// Returns [`WouldBlock`](io::ErrorKind::WouldBlock) if no datagram is waiting, and the other errors of `recvfrom(2)`.
    ///
    /// # Examples
    ///
    /// ```
    /// use mio::net::UnixDatagram;
    ///
    /// let folder = tempfile::tempdir()?;
    /// let path = folder.path().join("socket");
    /// let receiver = UnixDatagram::bind(&path)?;
    /// UnixDatagram::unbound()?.send_to(b"hello", &path)?;
    ///
    /// let mut buffer = [0; 16];
    /// let (length, from) = receiver.recv_from(&mut buffer)?;
    /// assert_eq!(&buffer[..length], b"hello");
    /// assert!(from.is_unnamed());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.inner.try_io_for(Interest::READABLE, |socket| socket.recv_from(buffer))
    }

    /// Sends a datagram to the socket that this one is connected to. Returns how many bytes it sent, which is all of
    /// them.
    ///
    /// Calls `send(2)`.
    ///
    /// # Errors
    ///
    /// Returns [`WouldBlock`](io::ErrorKind::WouldBlock) if the receiver has no room, and the other errors of `send(2)`.
    ///
    /// # Examples
    ///
    /// ```
    /// use mio::net::UnixDatagram;
    ///
    /// let (one, other) = UnixDatagram::pair()?;
    /// assert_eq!(one.send(b"hello")?, 5);
    /// # let _ = other;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn send(&self, buffer: &[u8]) -> io::Result<usize> {
        self.inner.try_io_for(Interest::WRITABLE, |socket| socket.send(buffer))
    }

    /// Receives a datagram. Returns its length.
    ///
    /// Calls `recv(2)`. Bytes that do not fit into the buffer are lost.
    ///
    /// # Errors
    ///
    /// Returns [`WouldBlock`](io::ErrorKind::WouldBlock) if no datagram is waiting, and the other errors of `recv(2)`.
    ///
    /// # Examples
    ///
    /// ```
    /// use mio::net::UnixDatagram;
    ///
    /// let (one, other) = UnixDatagram::pair()?;
    /// one.send(b"hello")?;
    ///
    /// let mut buffer = [0; 16];
    /// let length = other.recv(&mut buffer)?;
    /// assert_eq!(&buffer[..length], b"hello");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.try_io_for(Interest::READABLE, |socket| socket.recv(buffer))
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
    /// use mio::net::UnixDatagram;
    ///
    /// let (one, _other) = UnixDatagram::pair()?;
    /// if let Some(error) = one.take_error()? {
    ///     eprintln!("the socket has failed: {error}");
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.inner.take_error(net::UnixDatagram::take_error)
    }

    /// Shuts down reading, writing or both. Calls `shutdown(2)`.
    ///
    /// # Errors
    ///
    /// Returns [`NotConnected`](io::ErrorKind::NotConnected) if the socket is not connected.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::net::Shutdown;
    /// use mio::net::UnixDatagram;
    ///
    /// let (one, _other) = UnixDatagram::pair()?;
    /// one.shutdown(Shutdown::Write)?;
    /// assert!(one.send(b"too late").is_err());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.inner.shutdown(how)
    }
}

io_type!(UnixDatagram, net::UnixDatagram, into_std, try_io);
