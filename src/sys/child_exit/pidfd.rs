//! The source for Linux: the descriptor of a process, from `pidfd_open(2)`, which is readable when the process has exited.

#![allow(unsafe_code)]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::Child;

use crate::io_source::IoSource;
use crate::sys::unix::check;

pub(super) type Exit = IoSource<OwnedFd>;

pub(super) fn open(child: &Child) -> io::Result<Exit> {
    let child = child.id() as libc::pid_t;
    // SAFETY: the call takes no pointer; the descriptor is new, and nothing else owns it.
    let pidfd = unsafe { OwnedFd::from_raw_fd(check(libc::syscall(libc::SYS_pidfd_open, child, 0) as _)?) };
    still_ours(&pidfd)?;
    Ok(IoSource::new(pidfd))
}

/// Returns `ECHILD` if the number belongs to another process by now, because the program has waited for ours.
fn still_ours(pidfd: &OwnedFd) -> io::Result<()> {
    let mut info = MaybeUninit::<libc::siginfo_t>::uninit();
    let look = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: the kernel writes to `info`, which lives long enough and is never read.
    let result = check(unsafe { libc::waitid(libc::P_PIDFD, pidfd.as_raw_fd() as _, info.as_mut_ptr(), look) });
    match result {
        // Linux 5.3 does not know `P_PIDFD`.
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Ok(()),
        result => result.map(drop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_is_no_child_of_ours_is_echild() {
        // SAFETY: the call takes no pointer; the descriptor is new, and nothing else owns it.
        let init = unsafe { OwnedFd::from_raw_fd(check(libc::syscall(libc::SYS_pidfd_open, 1, 0) as _).unwrap()) };
        assert_eq!(still_ours(&init).unwrap_err().raw_os_error(), Some(libc::ECHILD));
    }
}
