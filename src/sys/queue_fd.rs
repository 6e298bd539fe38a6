//! `Poll` and `Registry` as file descriptors, so that a queue can be watched by another: for the backends whose queue is
//! one.

#![cfg(feature = "os-poll")]

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use crate::{Poll, Registry};

impl Registry {
    /// Lends the queue's file descriptor to `f`, to set something on it: `EPIOCSPARAMS` for busy polling, or filters of
    /// your own in a kqueue.
    ///
    /// As opposed to [`as_fd`](AsFd::as_fd), this leaves [`Waker::wake`](crate::Waker::wake) as cheap as it is. So do not
    /// wait on the descriptor, and do not have another queue watch it, in `f` or later: you may miss a wake.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// use std::os::fd::AsRawFd;
    /// use mio::Poll;
    ///
    /// let poll = Poll::new()?;
    /// let number = poll.registry().with_fd(|fd| fd.as_raw_fd());
    /// assert!(number >= 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_fd<R>(&self, f: impl FnOnce(BorrowedFd<'_>) -> R) -> R {
        f(self.queue().backend.as_fd())
    }
}

impl AsRawFd for Registry {
    /// The queue's descriptor. It becomes readable when an event waits, a [`Waker`](crate::Waker)'s included; for that,
    /// every wake makes a system call from now on. If you only set something on it, use [`with_fd`](Registry::with_fd).
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl AsFd for Registry {
    /// The queue's descriptor. It becomes readable when an event waits, a [`Waker`](crate::Waker)'s included.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.queue().export();
        self.queue().backend.as_fd()
    }
}

impl AsRawFd for Poll {
    /// The queue's descriptor. It becomes readable when an event waits, a [`Waker`](crate::Waker)'s included.
    fn as_raw_fd(&self) -> RawFd {
        self.registry().as_raw_fd()
    }
}

impl AsFd for Poll {
    /// The queue's descriptor. It becomes readable when an event waits, a [`Waker`](crate::Waker)'s included.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.registry().as_fd()
    }
}
