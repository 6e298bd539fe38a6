//! Makes sockets that are non-blocking and close-on-exec from the start, in as few system calls as the OS allows.

use std::io;

use socket2::{SockAddr, Socket};

use crate::sys::has_begun_to_connect;

// If the OS takes `SOCK_NONBLOCK`, one system call does it all; elsewhere it takes several steps.
cfg_if! {
    if #[cfg(any(
        target_os = "android",
        target_os = "cygwin",
        target_os = "dragonfly",
        target_os = "freebsd",
        target_os = "fuchsia",
        target_os = "illumos",
        target_os = "linux",
        target_os = "netbsd",
        target_os = "openbsd",
    ))] {
        mod flags;
        use self::flags as making;
    } else {
        mod steps;
        use self::steps as making;
    }
}

#[cfg(unix)]
pub(super) use self::making::pair;
pub(super) use self::making::{accept, open};

/// Starts connecting. If the attempt goes on in the background, that is a success, and its end will be an event.
pub(super) fn connect(socket: &Socket, address: &SockAddr) -> io::Result<()> {
    match socket.connect(address) {
        Err(error) if goes_on(&error) => Ok(()),
        result => result,
    }
}

/// Returns whether the attempt goes on in the background. According to POSIX it does so after a signal has interrupted
/// `connect(2)`. It does not after `EAGAIN`, which means that the backlog of a Unix listener is full.
fn goes_on(error: &io::Error) -> bool {
    let kind = if cfg!(windows) { io::ErrorKind::WouldBlock } else { io::ErrorKind::Interrupted };
    error.kind() == kind || has_begun_to_connect(error)
}
