//! For systems where `socket(2)`, `socketpair(2)` and `accept4(2)` take the flags, so that one system call is enough.

use std::io;

use socket2::{Domain, SockAddr, SockRef, Socket, Type};

/// Makes a non-blocking socket.
pub(crate) fn open(domain: Domain, kind: Type) -> io::Result<Socket> {
    Socket::new(domain, kind.nonblocking(), None)
}

/// Makes two connected Unix sockets, both non-blocking.
pub(crate) fn pair(kind: Type) -> io::Result<(Socket, Socket)> {
    Socket::pair(Domain::UNIX, kind.nonblocking(), None)
}

/// Accepts a connection as a non-blocking socket.
pub(crate) fn accept(listener: SockRef<'_>) -> io::Result<(Socket, SockAddr)> {
    match listener.accept4(libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK) {
        // Old kernels (Android 6 on x86) and some sandboxes support only `accept(2)`. Android's sandbox allows `accept4`
        // through libc, as here, although it forbids the bare system call on x86.
        Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => {
            let (socket, address) = listener.accept_raw()?;
            socket.set_cloexec(true)?;
            socket.set_nonblocking(true)?;
            Ok((socket, address))
        }
        result => result,
    }
}
