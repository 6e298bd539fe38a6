//! The parts that the backends of Unix-like systems share: checked system calls, pipes and time-outs, and in separate files a
//! map, the identity of files, a notifier and the emulation of triggers.

#![allow(unsafe_code)]

pub(crate) mod emulated;
pub(crate) mod fd_map;
pub(crate) mod identity;
pub(crate) mod notifier;

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

pub(crate) use crate::sys::common::lock::lock;
pub(crate) use crate::sys::common::time::{TimeLeft, milliseconds};

/// Converts the result of a system call that returns -1 and sets `errno` on failure.
#[inline]
pub(crate) fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Calls `poll(2)` with a time-out in milliseconds. Returns how many descriptors it has something to report about.
pub(crate) fn poll(watched: &mut [libc::pollfd], timeout: libc::c_int) -> io::Result<usize> {
    let count = watched.len() as libc::nfds_t;
    // SAFETY: `count` is the number of entries that the kernel may write to.
    check(unsafe { libc::poll(watched.as_mut_ptr(), count, timeout) }).map(|ready| ready as usize)
}

/// Converts a time-out for calls that take a `timespec`. A longer one becomes the longest that fits on every platform.
pub(crate) fn timespec(time: Duration) -> libc::timespec {
    // SAFETY: a `timespec` consists of numbers, and of padding on some platforms, so all zeros is a valid value.
    let mut timespec: libc::timespec = unsafe { std::mem::zeroed() };
    timespec.tv_sec = time.as_secs().min(i32::MAX as u64) as _;
    timespec.tv_nsec = time.subsec_nanos() as _;
    timespec
}

cfg_if! {
    if #[cfg(any(target_os = "espidf", target_os = "hermit", target_os = "wasi"))] {
        /// Fails, because the system has no pipes.
        pub(crate) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
            Err(io::ErrorKind::Unsupported.into())
        }
    } else if #[cfg(any(target_os = "aix", target_os = "haiku", target_os = "nto", target_vendor = "apple"))] {
        /// Makes a pipe, (reading end, writing end). Both ends are non-blocking and close-on-exec. The system has no
        /// `pipe2(2)`, so a program that another thread starts between the calls inherits them.
        pub(crate) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
            let mut ends = [-1; 2];
            // SAFETY: the kernel writes two descriptors, which are new, and nothing else owns them.
            let (reader, writer) = unsafe {
                check(libc::pipe(ends.as_mut_ptr()))?;
                (OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1]))
            };
            for end in [&reader, &writer] {
                set_cloexec(end)?;
                set_nonblocking(end, true)?;
            }
            Ok((reader, writer))
        }
    } else {
        /// Makes a pipe, (reading end, writing end). Both ends are non-blocking and close-on-exec from the start.
        pub(crate) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
            let mut ends = [-1; 2];
            // SAFETY: the kernel writes two descriptors, which are new, and nothing else owns them.
            unsafe {
                check(libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC | libc::O_NONBLOCK))?;
                Ok((OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])))
            }
        }
    }
}

/// Sets `FD_CLOEXEC`.
pub(crate) fn set_cloexec(fd: &impl AsRawFd) -> io::Result<()> {
    fcntl(fd.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC).map(drop)
}

/// Fails if `fd` is not open.
pub(crate) fn check_open(fd: RawFd) -> io::Result<()> {
    fcntl(fd, libc::F_GETFD, 0).map(drop)
}

/// Sets or clears `O_NONBLOCK`.
pub(crate) fn set_nonblocking(fd: &impl AsRawFd, nonblocking: bool) -> io::Result<()> {
    let fd = fd.as_raw_fd();
    let flags = fcntl(fd, libc::F_GETFL, 0)?;
    let wanted = if nonblocking { flags | libc::O_NONBLOCK } else { flags & !libc::O_NONBLOCK };
    if wanted != flags { fcntl(fd, libc::F_SETFL, wanted).map(drop) } else { Ok(()) }
}

/// Calls `fcntl(2)` with one of the commands above. (Hermit wants a number with each of them.)
fn fcntl(fd: RawFd, command: libc::c_int, number: libc::c_int) -> io::Result<libc::c_int> {
    // SAFETY: these commands take a number, and no pointer.
    check(unsafe { libc::fcntl(fd, command, number) })
}
