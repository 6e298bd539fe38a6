//! Processes that hold descriptors. epoll watches open files, so if other processes hold these, a queue can watch more of them
//! than one process may open.

use std::io;
use std::os::fd::AsRawFd;
use std::ptr;

use crate::peers::eventfd::EventFd;
use crate::queue::check;

/// A process that holds some open files, and does nothing until this is dropped.
pub struct Holder(libc::pid_t);

impl Holder {
    /// Makes a process that holds the `sources`. After that, this process may close them.
    pub fn of(sources: &[EventFd]) -> io::Result<Holder> {
        let all = || sources.iter().map(|source| source.as_raw_fd() as libc::c_uint);
        let (first, last) = (all().min().unwrap_or(0), all().max().unwrap_or(0));
        // SAFETY: the copy makes only calls that are allowed in a copy of a process with threads, and they take no pointer.
        match check(unsafe { libc::fork() })? {
            0 => unsafe {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                // This does not keep the queues open, nor anything else that must end when the other process closes it.
                libc::syscall(libc::SYS_close_range, last + 1, libc::c_uint::MAX, 0);
                if let Some(below) = first.checked_sub(1) {
                    libc::syscall(libc::SYS_close_range, 0, below, 0);
                }
                loop {
                    libc::pause();
                }
            },
            child => Ok(Holder(child)),
        }
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // SAFETY: nobody has waited for the child, and a null pointer asks for no status.
        unsafe {
            libc::kill(self.0, libc::SIGKILL);
            libc::waitpid(self.0, ptr::null_mut(), 0);
        }
    }
}
