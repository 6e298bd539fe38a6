//! A connection between two Unix sockets.

use std::io;
use std::net::Shutdown;
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;

use socket2::{Domain, Type};

use super::{path_address, to_os};
use crate::convert::{convert_raw, delegate_to_inner, read_inner, try_io_inner, write_inner};
use crate::io_source::IoSource;
use crate::net::{no_sigpipe, socket};

/// A connection between two Unix sockets.
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
    /// Connects a new socket to the listener at `path`, and returns at once. On Linux and Android, a path that begins with a
    /// NUL is an abstract name: the bytes after it.
    ///
    /// Where the OS connects in the background, the outcome comes with the first writable event, as for
    /// [`TcpStream::connect`](crate::net::TcpStream::connect).
    ///
    /// Calls `socket(2)` and `connect(2)`.
    ///
    /// # Errors
    ///
    /// - [`InvalidInput`](io::ErrorKind::InvalidInput): the path has a NUL elsewhere, or is too long for the OS.
    /// - [`WouldBlock`](io::ErrorKind::WouldBlock): the listener's backlog is full (Linux). Nothing goes on in the
    ///   background: try again later.
    /// - Others of the calls, such as `NotFound`, `ConnectionRefused`.
    pub fn connect<P: AsRef<Path>>(path: P) -> io::Result<UnixStream> {
        UnixStream::connect_addr(&path_address(path.as_ref())?)
    }

    /// As [`connect`](UnixStream::connect), to an address: a path or, on Linux and Android, an abstract name.
    pub fn connect_addr(address: &SocketAddr) -> io::Result<UnixStream> {
        let socket = socket::open(Domain::UNIX, Type::STREAM)?;
        socket::connect(&socket, &to_os(address)?)?;
        Ok(UnixStream::from_std(socket.into()))
    }

    /// Converts a stream of the standard library, which must be in non-blocking mode: this is not checked or changed.
    pub fn from_std(stream: net::UnixStream) -> UnixStream {
        UnixStream { inner: IoSource::new(stream) }
    }

    /// Two sockets that are connected to each other. Calls `socketpair(2)`.
    pub fn pair() -> io::Result<(UnixStream, UnixStream)> {
        let (one, other) = socket::pair(Type::STREAM)?;
        Ok((UnixStream::from_std(one.into()), UnixStream::from_std(other.into())))
    }

    /// The address of this end. Calls `getsockname(2)`.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    /// The address of the other end. Calls `getpeername(2)`.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.inner.peer_addr()
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

delegate_to_inner!(UnixStream);
try_io_inner!(UnixStream);
read_inner!(UnixStream);
write_inner!(UnixStream, no_sigpipe::write, no_sigpipe::write_vectored);
convert_raw!(UnixStream, net::UnixStream);

impl From<UnixStream> for net::UnixStream {
    /// The stream stays in non-blocking mode.
    fn from(stream: UnixStream) -> Self {
        stream.inner.into_inner()
    }
}
