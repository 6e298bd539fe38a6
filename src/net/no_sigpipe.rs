//! Writing to a socket whose peer is gone: an error, never the signal `SIGPIPE`. The standard library raises it with
//! vectored writes, and in older versions with every write to a Unix socket; Rust programs ignore it unless told otherwise.
//!
//! A vectored write of nothing does nothing: an error of the socket stays pending, as with `writev(2)`.

/// The system calls take a flag for that.
#[cfg(all(unix, not(any(target_vendor = "apple", target_os = "nuttx", target_os = "redox", target_os = "vita"))))]
mod write {
    use std::io::{self, IoSlice};

    use libc::MSG_NOSIGNAL;
    use socket2::SockRef;

    use super::is_nothing;

    // Of more buffers the kernels make an error. Where the headers give no number, there is the one that POSIX guarantees.
    #[cfg(any(
        target_os = "cygwin",
        target_os = "dragonfly",
        target_os = "freebsd",
        target_os = "haiku",
        target_os = "netbsd",
        target_os = "openbsd",
    ))]
    use libc::IOV_MAX as MOST_BUFFERS;
    #[cfg(any(target_os = "android", target_os = "emscripten", target_os = "linux", target_os = "nto"))]
    use libc::UIO_MAXIOV as MOST_BUFFERS;
    #[cfg(not(any(
        target_os = "android",
        target_os = "cygwin",
        target_os = "dragonfly",
        target_os = "emscripten",
        target_os = "freebsd",
        target_os = "haiku",
        target_os = "linux",
        target_os = "netbsd",
        target_os = "nto",
        target_os = "openbsd",
    )))]
    const MOST_BUFFERS: libc::c_int = 16;

    pub(in crate::net) fn write<'s, S>(socket: &mut &'s S, buffer: &[u8]) -> io::Result<usize>
    where
        SockRef<'s>: From<&'s S>,
    {
        SockRef::from(*socket).send_with_flags(buffer, MSG_NOSIGNAL)
    }

    pub(in crate::net) fn write_vectored<'s, S>(socket: &mut &'s S, buffers: &[IoSlice<'_>]) -> io::Result<usize>
    where
        SockRef<'s>: From<&'s S>,
    {
        if is_nothing(buffers) {
            return Ok(0);
        }
        let buffers = &buffers[..buffers.len().min(MOST_BUFFERS as usize)];
        SockRef::from(*socket).send_vectored_with_flags(buffers, MSG_NOSIGNAL)
    }
}

/// There is no such signal, or the socket was made not to raise it.
#[cfg(not(all(
    unix,
    not(any(target_vendor = "apple", target_os = "nuttx", target_os = "redox", target_os = "vita"))
)))]
mod write {
    use std::io::{self, IoSlice, Write};

    use super::is_nothing;

    pub(in crate::net) fn write(socket: &mut impl Write, buffer: &[u8]) -> io::Result<usize> {
        socket.write(buffer)
    }

    pub(in crate::net) fn write_vectored(socket: &mut impl Write, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        if is_nothing(buffers) { Ok(0) } else { socket.write_vectored(buffers) }
    }
}

pub(super) use self::write::{write, write_vectored};

fn is_nothing(buffers: &[std::io::IoSlice<'_>]) -> bool {
    buffers.iter().all(|buffer| buffer.is_empty())
}
