//! An `eventfd(2)` is the waker of the raw queues, and the cheapest source of which to register many.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use crate::queue::{Wake, check};

pub struct EventFd(OwnedFd);

impl EventFd {
    pub fn new() -> io::Result<EventFd> {
        // SAFETY: the call takes no pointer, and the descriptor is new.
        Ok(EventFd(unsafe { OwnedFd::from_raw_fd(check(libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK))?) }))
    }

    /// Makes it readable.
    #[inline]
    pub fn set(&self) -> io::Result<()> {
        // SAFETY: the kernel reads eight bytes.
        match unsafe { libc::write(self.0.as_raw_fd(), (&raw const ONE).cast(), 8) } {
            8 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Makes it unreadable.
    #[inline]
    pub fn reset(&self) -> io::Result<()> {
        let mut count = 0_u64;
        // SAFETY: the kernel writes eight bytes.
        match unsafe { libc::read(self.0.as_raw_fd(), (&raw mut count).cast(), 8) } {
            8 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

static ONE: u64 = 1;

impl AsRawFd for EventFd {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl Wake for EventFd {
    #[inline]
    fn wake(&self) -> io::Result<()> {
        self.set()
    }
}
