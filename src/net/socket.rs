//! Making sockets that are non-blocking and close-on-exec from the start, in as few system calls as the OS allows.

#![cfg_attr(unix, allow(unsafe_code))]

use std::io;

use socket2::{Domain, SockAddr, SockRef, Socket, Type};

/// A new non-blocking socket: one `socket(2)` where that takes `SOCK_NONBLOCK`.
pub(super) fn open(domain: Domain, kind: Type) -> io::Result<Socket> {
    let socket = Socket::new(domain, non_blocking(kind), None)?;
    make_non_blocking(&socket, kind)?;
    Ok(socket)
}

/// Two connected Unix sockets: one `socketpair(2)` where that takes `SOCK_NONBLOCK`.
#[cfg(unix)]
pub(super) fn pair(kind: Type) -> io::Result<(Socket, Socket)> {
    let (one, other) = Socket::pair(Domain::UNIX, non_blocking(kind), None)?;
    make_non_blocking(&one, kind)?;
    make_non_blocking(&other, kind)?;
    Ok((one, other))
}

/// Does what could not be asked for when the socket was made.
fn make_non_blocking(socket: &Socket, kind: Type) -> io::Result<()> {
    if non_blocking(kind) == kind { socket.set_nonblocking(true) } else { Ok(()) }
}

/// A kind of socket, non-blocking from the start where the OS makes such.
#[cfg(any(
    target_os = "android",
    target_os = "cygwin",
    target_os = "dragonfly",
    target_os = "freebsd",
    target_os = "fuchsia",
    target_os = "illumos",
    target_os = "linux",
    target_os = "netbsd",
    target_os = "openbsd",
))]
fn non_blocking(kind: Type) -> Type {
    kind.nonblocking()
}

/// A kind of socket, non-blocking from the start where the OS makes such: here it does not.
#[cfg(not(any(
    target_os = "android",
    target_os = "cygwin",
    target_os = "dragonfly",
    target_os = "freebsd",
    target_os = "fuchsia",
    target_os = "illumos",
    target_os = "linux",
    target_os = "netbsd",
    target_os = "openbsd",
)))]
fn non_blocking(kind: Type) -> Type {
    kind
}

/// Begins to connect. An attempt that goes on in the background is a success: its end is an event.
pub(super) fn connect(socket: &Socket, address: &SockAddr) -> io::Result<()> {
    match socket.connect(address) {
        Err(error) if goes_on(&error) => Ok(()),
        result => result,
    }
}

/// A connect that a signal interrupted goes on in the background as well (POSIX). `EAGAIN` is another matter: the backlog
/// of a Unix listener is full, and nothing goes on.
#[cfg(unix)]
fn goes_on(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EINPROGRESS | libc::EINTR))
}

#[cfg(windows)]
fn goes_on(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}

/// Accepts a connection as a non-blocking, close-on-exec socket: one `accept4(2)` where there is one.
#[cfg(any(
    target_os = "android",
    target_os = "cygwin",
    target_os = "dragonfly",
    target_os = "freebsd",
    target_os = "fuchsia",
    target_os = "hurd",
    target_os = "illumos",
    target_os = "linux",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "solaris",
))]
pub(super) fn accept(listener: SockRef<'_>) -> io::Result<(Socket, SockAddr)> {
    use std::os::fd::{AsRawFd, FromRawFd};

    let flags = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: the address is written by the kernel, which says how long it is.
    let accepted = unsafe {
        SockAddr::try_init(|storage, length| {
            crate::sys::unix::check(libc::accept4(listener.as_raw_fd(), storage.cast(), length, flags))
        })
    };
    match accepted {
        // SAFETY: the descriptor is new, and nobody else's.
        Ok((fd, address)) => Ok((unsafe { Socket::from_raw_fd(fd) }, address)),
        // Sandboxes (Android's on x86 was one) and old kernels know `accept(2)` alone.
        Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => {
            let (socket, address) = listener.accept_raw()?;
            socket.set_nonblocking(true)?;
            socket.set_cloexec(true)?;
            Ok((socket, address))
        }
        Err(error) => Err(error),
    }
}

/// Accepts a connection as a non-blocking socket that child processes do not inherit.
#[cfg(not(any(
    target_os = "android",
    target_os = "cygwin",
    target_os = "dragonfly",
    target_os = "freebsd",
    target_os = "fuchsia",
    target_os = "hurd",
    target_os = "illumos",
    target_os = "linux",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "solaris",
)))]
pub(super) fn accept(listener: SockRef<'_>) -> io::Result<(Socket, SockAddr)> {
    let (socket, address) = listener.accept()?;
    socket.set_nonblocking(true)?;
    Ok((socket, address))
}
