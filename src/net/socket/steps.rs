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

/// Accepts a connection as a non-blocking socket.
#[cfg(not(windows))]
pub(crate) fn accept(listener: SockRef<'_>) -> io::Result<(Socket, SockAddr)> {
    let (socket, address) = listener.accept()?;
    socket.set_nonblocking(true)?;
    Ok((socket, address))
}

/// Accepts a connection as a non-blocking socket, because it inherits the mode of its listener:
/// <https://learn.microsoft.com/windows/win32/api/winsock2/nf-winsock2-accept>.
#[cfg(windows)]
#[allow(unsafe_code)]
pub(crate) fn accept(listener: SockRef<'_>) -> io::Result<(Socket, SockAddr)> {
    use std::os::windows::io::AsRawSocket;

    use windows_sys::Win32::Foundation::{HANDLE_FLAG_INHERIT, HANDLE_FLAG_PROTECT_FROM_CLOSE, SetHandleInformation};

    let (socket, address) = listener.accept_raw()?;
    // No child inherits it from now on, but a program that another thread starts between the calls may. If only one flag is
    // given, Wine asks its server for the other one first.
    let flags = HANDLE_FLAG_INHERIT | HANDLE_FLAG_PROTECT_FROM_CLOSE;
    // SAFETY: the socket is open, and a socket is a handle.
    match unsafe { SetHandleInformation(socket.as_raw_socket() as _, flags, 0) } {
        0 => Err(io::Error::last_os_error()),
        _ => Ok((socket, address)),
    }
}
