//! For systems where `send(2)` and `sendmsg(2)` take `MSG_NOSIGNAL`.

use std::io::{self, IoSlice};

use libc::MSG_NOSIGNAL;
use socket2::SockRef;

use super::is_nothing;

// If a call has more buffers than this, the kernels return an error. Where the headers give no number, POSIX guarantees 16.
cfg_if! {
    if #[cfg(any(
        target_os = "cygwin",
        target_os = "dragonfly",
        target_os = "freebsd",
        target_os = "haiku",
        target_os = "netbsd",
        target_os = "openbsd",
    ))] {
        use libc::IOV_MAX as MOST_BUFFERS;
    } else if #[cfg(any(
        target_os = "android",
        target_os = "emscripten",
        target_os = "linux",
        target_os = "nto",
    ))] {
        use libc::UIO_MAXIOV as MOST_BUFFERS;
    } else {
        const MOST_BUFFERS: libc::c_int = 16;
    }
}

pub(crate) fn write<'s, S>(socket: &mut &'s S, buffer: &[u8]) -> io::Result<usize>
where
    SockRef<'s>: From<&'s S>,
{
    SockRef::from(*socket).send_with_flags(buffer, MSG_NOSIGNAL)
}

pub(crate) fn write_vectored<'s, S>(socket: &mut &'s S, buffers: &[IoSlice<'_>]) -> io::Result<usize>
where
    SockRef<'s>: From<&'s S>,
{
    if is_nothing(buffers) {
        return Ok(0);
    }
    let buffers = &buffers[..buffers.len().min(MOST_BUFFERS as usize)];
    SockRef::from(*socket).send_vectored_with_flags(buffers, MSG_NOSIGNAL)
}
