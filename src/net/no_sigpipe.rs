//! Writing to a socket whose peer is gone: an error, never the signal `SIGPIPE`. The standard library raises it with
//! vectored writes, and in older versions with every write to a Unix socket; Rust programs ignore it unless told otherwise.

/// The system calls take a flag for that.
#[cfg(all(unix, not(any(target_vendor = "apple", target_os = "nuttx", target_os = "redox", target_os = "vita"))))]
mod write {
    use std::io::{self, IoSlice};

    use libc::MSG_NOSIGNAL;
    use socket2::SockRef;

    /// `IOV_MAX`: of more buffers the kernels make an error.
    const MOST_BUFFERS: usize = 1024;

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
        SockRef::from(*socket).send_vectored_with_flags(&buffers[..buffers.len().min(MOST_BUFFERS)], MSG_NOSIGNAL)
    }
}

/// There is no such signal, or the socket was made not to raise it.
#[cfg(not(all(
    unix,
    not(any(target_vendor = "apple", target_os = "nuttx", target_os = "redox", target_os = "vita"))
)))]
mod write {
    use std::io::{self, IoSlice, Write};

    pub(in crate::net) fn write(socket: &mut impl Write, buffer: &[u8]) -> io::Result<usize> {
        socket.write(buffer)
    }

    pub(in crate::net) fn write_vectored(socket: &mut impl Write, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        socket.write_vectored(buffers)
    }
}

pub(super) use self::write::{write, write_vectored};
