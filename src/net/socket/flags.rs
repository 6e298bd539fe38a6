//! Where `socket(2)`, `socketpair(2)` and `accept4(2)` take the flags: one system call each.

use std::io;

use socket2::{Domain, SockAddr, SockRef, Socket, Type};

/// A new non-blocking socket.
pub(crate) fn open(domain: Domain, kind: Type) -> io::Result<Socket> {
    Socket::new(domain, kind.nonblocking(), None)
}

/// Two connected Unix sockets, both non-blocking.
pub(crate) fn pair(kind: Type) -> io::Result<(Socket, Socket)> {
    Socket::pair(Domain::UNIX, kind.nonblocking(), None)
}

/// Accepts a connection as a non-blocking socket.
pub(crate) fn accept(listener: SockRef<'_>) -> io::Result<(Socket, SockAddr)> {
    match listener.accept4(libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK) {
        // Old kernels (Android 6 on x86) and some sandboxes know `accept(2)` alone. By way of libc, as here, Android's
        // sandbox allows `accept4`; it forbids the bare system call on x86.
        Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => {
            let (socket, address) = listener.accept_raw()?;
            socket.set_cloexec(true)?;
            socket.set_nonblocking(true)?;
            Ok((socket, address))
        }
        result => result,
    }
}
