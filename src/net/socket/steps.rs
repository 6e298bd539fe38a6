//! For systems where a socket becomes non-blocking in a second step. `socket2` makes it close-on-exec (not inheritable on
//! Windows) and, on Apple platforms, sets the option that prevents `SIGPIPE`.

use std::io;

use socket2::{Domain, SockAddr, SockRef, Socket, Type};

/// Makes a non-blocking socket.
pub(crate) fn open(domain: Domain, kind: Type) -> io::Result<Socket> {
    let socket = Socket::new(domain, kind, None)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Makes two connected Unix sockets, both non-blocking.
#[cfg(unix)]
pub(crate) fn pair(kind: Type) -> io::Result<(Socket, Socket)> {
    let (one, other) = Socket::pair(Domain::UNIX, kind, None)?;
    one.set_nonblocking(true)?;
    other.set_nonblocking(true)?;
    Ok((one, other))
}

/// Accepts a connection as a non-blocking socket. On Windows, the socket inherits the mode of its listener, which is non-blocking:
/// <https://learn.microsoft.com/windows/win32/api/winsock2/nf-winsock2-accept>.
pub(crate) fn accept(listener: SockRef<'_>) -> io::Result<(Socket, SockAddr)> {
    let (socket, address) = listener.accept()?;
    if cfg!(unix) {
        socket.set_nonblocking(true)?;
    }
    Ok((socket, address))
}
