//! Where a socket is made first, and made non-blocking then. `socket2` makes it close-on-exec (not inheritable on
//! Windows) and, on Apple's systems, free of `SIGPIPE`.

use std::io;

use socket2::{Domain, SockAddr, SockRef, Socket, Type};

/// A new non-blocking socket.
pub(crate) fn open(domain: Domain, kind: Type) -> io::Result<Socket> {
    let socket = Socket::new(domain, kind, None)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Two connected Unix sockets, both non-blocking.
#[cfg(unix)]
pub(crate) fn pair(kind: Type) -> io::Result<(Socket, Socket)> {
    let (one, other) = Socket::pair(Domain::UNIX, kind, None)?;
    one.set_nonblocking(true)?;
    other.set_nonblocking(true)?;
    Ok((one, other))
}

/// Accepts a connection as a non-blocking socket.
#[cfg(not(windows))]
pub(crate) fn accept(listener: SockRef<'_>) -> io::Result<(Socket, SockAddr)> {
    let (socket, address) = listener.accept()?;
    socket.set_nonblocking(true)?;
    Ok((socket, address))
}

/// Accepts a connection as a non-blocking socket. It has the modes of its listener, which is non-blocking:
/// <https://learn.microsoft.com/windows/win32/api/winsock2/nf-winsock2-accept>.
#[cfg(windows)]
pub(crate) fn accept(listener: SockRef<'_>) -> io::Result<(Socket, SockAddr)> {
    listener.accept()
}
