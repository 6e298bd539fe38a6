//! The listening side of Unix stream sockets.

use std::io;
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;

use socket2::{Domain, SockRef, Type};

use super::{UnixStream, from_os, path_address, to_os};
use crate::Interest;
use crate::convert::{convert_raw, delegate_to_inner};
use crate::io_source::IoSource;
use crate::net::socket;

/// A Unix socket that accepts connections.
///
/// Its path stays in the file system when the listener is dropped.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::io::ErrorKind;
/// use mio::net::{UnixListener, UnixStream};
///
/// let path = std::env::temp_dir().join(format!("mio-example-{}", std::process::id()));
/// let listener = UnixListener::bind(&path)?;
/// assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
///
/// let _client = UnixStream::connect(&path)?;
/// let (_connection, address) = listener.accept()?;
/// assert!(address.is_unnamed());
/// std::fs::remove_file(&path)
/// # }
/// ```
pub struct UnixListener {
    inner: IoSource<net::UnixListener>,
}

impl UnixListener {
    /// Binds a new socket to `path`, which must not exist, and listens. The backlog is the standard library's.
    ///
    /// On Linux and Android, a path that begins with a NUL is an abstract name: the bytes after it.
    ///
    /// Calls `socket(2)`, `bind(2)`, `listen(2)`.
    ///
    /// # Errors
    ///
    /// - [`InvalidInput`](io::ErrorKind::InvalidInput): the path has a NUL elsewhere, or is too long for the OS.
    /// - Those of the calls, such as `AddrInUse`, `PermissionDenied`, `NotFound`.
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<UnixListener> {
        UnixListener::bind_addr(&path_address(path.as_ref())?)
    }

    /// As [`bind`](UnixListener::bind), to an address: a path or, on Linux and Android, an abstract name.
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
        /// The standard library's: the most that the OS allows, on those where -1 says so.
        const BACKLOG: i32 =
            if cfg!(any(target_os = "linux", target_os = "freebsd", target_os = "openbsd")) { -1 } else { 128 };

        let socket = socket::open(Domain::UNIX, Type::STREAM)?;
        socket.bind(&to_os(address)?)?;
        socket.listen(BACKLOG)?;
        Ok(UnixListener::from_std(socket.into()))
    }

    /// Converts a listener of the standard library, which must be in non-blocking mode: this is not checked or changed.
    pub fn from_std(listener: net::UnixListener) -> UnixListener {
        UnixListener { inner: IoSource::new(listener) }
    }

    /// Accepts a connection: the new stream, non-blocking, and the peer's address, which is mostly unnamed.
    ///
    /// Calls `accept4(2)`, or `accept(2)` and what makes the new socket non-blocking where there is no such call.
    ///
    /// # Errors
    ///
    /// As those of [`TcpListener::accept`](crate::net::TcpListener::accept).
    pub fn accept(&self) -> io::Result<(UnixStream, SocketAddr)> {
        self.inner.try_io(Interest::READABLE, |listener| {
            let (socket, address) = socket::accept(SockRef::from(listener))?;
            let stream = UnixStream::from_std(socket.into());
            // What the peer calls itself must not cost the connection: the standard library also takes addresses that
            // it would not make, such as a path that fills the address to the last byte.
            let address = from_os(&address).or_else(|_| stream.peer_addr())?;
            Ok((stream, address))
        })
    }

    /// The address that the listener is bound to. Calls `getsockname(2)`.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    /// Takes the pending error of the socket, `SO_ERROR`, if there is one.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.inner.take_error()
    }
}

delegate_to_inner!(UnixListener);
convert_raw!(UnixListener, net::UnixListener);

impl From<UnixListener> for net::UnixListener {
    /// The listener stays in non-blocking mode.
    fn from(listener: UnixListener) -> Self {
        listener.inner.into_inner()
    }
}
