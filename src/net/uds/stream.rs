//! [`UnixStream`]: a connection between two Unix sockets.

use std::io;
use std::net::Shutdown;
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;

use socket2::{Domain, Type};

use super::{path_address, to_os};
use crate::io_source::IoSource;
use crate::io_type::io_type;
use crate::net::{no_sigpipe, socket};

/// A connection between two Unix sockets.
///
/// Available with the crate feature `net` on Unix.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::io::{Read, Write};
/// use mio::net::UnixStream;
///
/// let (mut one, mut other) = UnixStream::pair()?;
/// one.write_all(b"hello")?;
/// let mut buffer = [0; 16];
/// let length = other.read(&mut buffer)?;
/// assert_eq!(&buffer[..length], b"hello");
/// # Ok(())
/// # }
/// ```
pub struct UnixStream {
    inner: IoSource<net::UnixStream>,
}

impl UnixStream {
    /// Connects a new socket to the listener at `path`, and returns at once. On Linux and Android, if the path begins with a
    /// NUL, the bytes after that are an abstract name.
    ///
    /// If the OS connects in the background, the first writable event says that the attempt has ended, as for
    /// [`TcpStream::connect`](crate::net::TcpStream::connect).
    ///
    /// Calls `socket(2)` and `connect(2)`.
    ///
    /// # Errors
    ///
    /// - [`InvalidInput`](io::ErrorKind::InvalidInput): the path contains a NUL but does not begin with one, or is too long for
    ///   the OS.
    /// - [`WouldBlock`](io::ErrorKind::WouldBlock): the backlog of the listener is full (on Linux). The OS does not keep
    ///   trying, so try again later.
    /// - The other errors of these calls, such as `NotFound`, `ConnectionRefused`.
    ///
    /// # Examples
    ///
    /// ```
    /// use mio::net::{UnixListener, UnixStream};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("socket");
    /// let listener = UnixListener::bind(&path)?;
    /// let stream = UnixStream::connect(&path)?;
    /// assert_eq!(stream.peer_addr()?.as_pathname(), Some(path.as_path()));
    /// # let _ = listener;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn connect<P: AsRef<Path>>(path: P) -> io::Result<UnixStream> {
        UnixStream::connect_addr(&path_address(path.as_ref())?)
    }

    /// Does what [`connect`](UnixStream::connect) does, with an address: a path or, on Linux and Android, an abstract
    /// name.
    ///
    /// # Errors
    ///
    /// Returns the errors that [`connect`](UnixStream::connect) lists.
    ///
    /// # Examples
    ///
    /// ```
    /// use mio::net::{UnixListener, UnixStream};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("socket");
    /// let listener = UnixListener::bind(&path)?;
    /// let stream = UnixStream::connect_addr(&listener.local_addr()?)?;
    /// assert_eq!(stream.peer_addr()?.as_pathname(), Some(path.as_path()));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn connect_addr(address: &SocketAddr) -> io::Result<UnixStream> {
        let socket = socket::open(Domain::UNIX, Type::STREAM)?;
        socket::connect(&socket, &to_os(address)?)?;
        Ok(UnixStream::new(socket.into()))
    }

    /// Converts a stream of the standard library. Set it to non-blocking mode first: this function neither checks nor
    /// changes the mode.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::{ErrorKind, Read};
    /// use mio::net::UnixStream;
    ///
    /// let (stream, _other) = std::os::unix::net::UnixStream::pair()?;
    /// stream.set_nonblocking(true)?;
    ///
    /// let mut stream = UnixStream::from_std(stream);
    /// assert_eq!(stream.read(&mut [0; 16]).unwrap_err().kind(), ErrorKind::WouldBlock);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn from_std(stream: net::UnixStream) -> UnixStream {
        UnixStream { inner: IoSource::taken_over(stream) }
    }

    /// Wraps a socket that this crate has just made.
    pub(super) fn new(stream: net::UnixStream) -> UnixStream {
        UnixStream { inner: IoSource::new(stream) }
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
    /// use std::io::{Read, Write};
    /// use mio::net::UnixStream;
    ///
    /// let (mut one, mut other) = UnixStream::pair()?;
    /// one.write_all(b"hello")?;
    /// drop(one);
    ///
    /// let mut text = String::new();
    /// other.read_to_string(&mut text)?;
    /// assert_eq!(text, "hello");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn pair() -> io::Result<(UnixStream, UnixStream)> {
        let (one, other) = socket::pair(Type::STREAM)?;
        Ok((UnixStream::new(one.into()), UnixStream::new(other.into())))
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
    /// use mio::net::UnixStream;
    ///
    /// let (one, _other) = UnixStream::pair()?;
    /// assert!(one.local_addr()?.is_unnamed());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    /// Returns the address of the other end. Calls `getpeername(2)`.
    ///
    /// # Errors
    ///
    /// Returns the errors of this call, such as [`NotConnected`](io::ErrorKind::NotConnected).
    ///
    /// # Examples
    ///
    /// ```
    /// use mio::net::{UnixListener, UnixStream};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("socket");
    /// let listener = UnixListener::bind(&path)?;
    /// let stream = UnixStream::connect(&path)?;
    /// assert_eq!(stream.peer_addr()?.as_pathname(), listener.local_addr()?.as_pathname());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.inner.peer_addr()
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
    /// use mio::net::UnixStream;
    ///
    /// let (one, _other) = UnixStream::pair()?;
    /// if let Some(error) = one.take_error()? {
    ///     eprintln!("the connection has failed: {error}");
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.inner.take_error(net::UnixStream::take_error)
    }

    /// Shuts down reading, writing or both. Calls `shutdown(2)`.
    ///
    /// `Shutdown::Write` tells the peer that you will send nothing more: the peer reads the end of the stream, and can
    /// still answer.
    ///
    /// # Errors
    ///
    /// Returns [`NotConnected`](io::ErrorKind::NotConnected) if the stream is not connected.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::Read;
    /// use std::net::Shutdown;
    /// use mio::net::UnixStream;
    ///
    /// let (one, mut other) = UnixStream::pair()?;
    /// one.shutdown(Shutdown::Write)?;
    /// assert_eq!(other.read(&mut [0; 16])?, 0); // the end of the stream
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.inner.shutdown(how)
    }
}

io_type!(UnixStream, net::UnixStream, into_std, try_io, read, write_by(no_sigpipe::write, no_sigpipe::write_vectored));
