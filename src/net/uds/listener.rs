//! [`UnixListener`]: the listening side of Unix stream sockets.

use std::io;
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;

use socket2::{Domain, SockRef, Type};

use super::{UnixStream, from_os, path_address, to_os};
use crate::Interest;
use crate::io_source::IoSource;
use crate::io_type::io_type;
use crate::net::socket;

/// A Unix socket that accepts connections.
///
/// Available with the crate feature `net` on Unix.
///
/// When you drop the listener, its path stays in the file system.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::io::ErrorKind;
/// use mio::net::{UnixListener, UnixStream};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("socket");
/// let listener = UnixListener::bind(&path)?;
/// assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
///
/// let _client = UnixStream::connect(&path)?;
/// let (_connection, address) = listener.accept()?;
/// assert!(address.is_unnamed());
/// # Ok(())
/// # }
/// ```
pub struct UnixListener {
    inner: IoSource<net::UnixListener>,
}

impl UnixListener {
    /// Binds a new socket to `path`, which must not exist, and listens. The backlog is that of the standard library.
    ///
    /// On Linux and Android, if the path begins with a NUL, the bytes after that are an abstract name.
    ///
    /// Calls `socket(2)`, `bind(2)`, `listen(2)`.
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
    /// use std::io::ErrorKind;
    /// use mio::net::UnixListener;
    ///
    /// let folder = tempfile::tempdir()?;
    /// let path = folder.path().join("socket");
    /// let listener = UnixListener::bind(&path)?;
    /// drop(listener);
    ///
    /// // The path is still there: remove it before you bind again.
    /// assert_eq!(UnixListener::bind(&path).unwrap_err().kind(), ErrorKind::AddrInUse);
    /// std::fs::remove_file(&path)?;
    /// let listener = UnixListener::bind(&path)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<UnixListener> {
        UnixListener::bind_addr(&path_address(path.as_ref())?)
    }

    /// Does what [`bind`](UnixListener::bind) does, with an address: a path or, on Linux and Android, an abstract name.
    ///
    /// # Errors
    ///
    /// Returns the errors of `socket(2)`, `bind(2)` and `listen(2)`.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(target_os = "linux")]
    /// # fn main() -> std::io::Result<()> {
    /// use std::os::linux::net::SocketAddrExt;
    /// use std::os::unix::net::SocketAddr;
    /// use mio::net::UnixListener;
    ///
    /// let address = SocketAddr::from_abstract_name(format!("mio example {}", std::process::id()))?;
    /// let listener = UnixListener::bind_addr(&address)?;
    /// assert_eq!(listener.local_addr()?.as_abstract_name(), address.as_abstract_name());
    /// # Ok(())
    /// # }
    /// # #[cfg(not(target_os = "linux"))]
    /// # fn main() {}
    /// ```
    pub fn bind_addr(address: &SocketAddr) -> io::Result<UnixListener> {
        /// The backlog of the standard library, which is -1 on systems where that means the most that the OS allows.
        const BACKLOG: i32 =
            if cfg!(any(target_os = "linux", target_os = "freebsd", target_os = "openbsd")) { -1 } else { 128 };

        let socket = socket::open(Domain::UNIX, Type::STREAM)?;
        socket.bind(&to_os(address)?)?;
        socket.listen(BACKLOG)?;
        Ok(UnixListener { inner: IoSource::new(socket.into()) })
    }

    /// Converts a listener of the standard library. Set it to non-blocking mode first: this function neither checks nor
    /// changes the mode.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use mio::net::UnixListener;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("socket");
    /// let listener = std::os::unix::net::UnixListener::bind(&path)?;
    /// listener.set_nonblocking(true)?;
    ///
    /// let listener = UnixListener::from_std(listener);
    /// assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn from_std(listener: net::UnixListener) -> UnixListener {
        UnixListener { inner: IoSource::taken_over(listener) }
    }

    /// Accepts a connection. Returns the new stream, which is non-blocking, and the peer's address, which is usually
    /// unnamed.
    ///
    /// Calls `accept4(2)`; where that does not exist, `accept(2)` and the calls that make the new socket non-blocking.
    ///
    /// # Errors
    ///
    /// Returns the errors that [`TcpListener::accept`](crate::net::TcpListener::accept) lists.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::Read;
    /// use mio::net::{UnixListener, UnixStream};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("socket");
    /// let listener = UnixListener::bind(&path)?;
    /// let client = UnixStream::connect(&path)?;
    ///
    /// let (mut stream, _address) = listener.accept()?;
    /// drop(client);
    /// assert_eq!(stream.read(&mut [0; 16])?, 0); // the end of the stream
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn accept(&self) -> io::Result<(UnixStream, SocketAddr)> {
        self.inner.try_io_for(Interest::READABLE, |listener| {
            let (socket, address) = socket::accept(SockRef::from(listener))?;
            let stream = UnixStream::new(socket.into());
            // An unusual name of the peer must not make this fail. `peer_addr` accepts addresses that the standard library
            // does not let you make, such as a path that fills the address to the last byte.
            let address = from_os(&address).or_else(|_| stream.peer_addr())?;
            Ok((stream, address))
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
    /// use mio::net::UnixListener;
    ///
    /// let folder = tempfile::tempdir()?;
    /// let path = folder.path().join("socket");
    /// let listener = UnixListener::bind(&path)?;
    /// assert_eq!(listener.local_addr()?.as_pathname(), Some(path.as_path()));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
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
    /// use mio::net::UnixListener;
    ///
    /// let folder = tempfile::tempdir()?;
    /// let path = folder.path().join("socket");
    /// let listener = UnixListener::bind(&path)?;
    /// if let Some(error) = listener.take_error()? {
    ///     eprintln!("the listener has failed: {error}");
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.inner.take_error(net::UnixListener::take_error)
    }
}

io_type!(UnixListener, net::UnixListener, into_std);
