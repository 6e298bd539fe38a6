//! `Poll` and `Registry` as file descriptors, so that another queue can watch one: for the backends whose queue has a
//! descriptor.

#![cfg(feature = "os-poll")]

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use crate::{Poll, Registry};

impl Registry {
    /// Lends the queue's file descriptor to `f`, so that you can set something on it, such as `EPIOCSPARAMS` for busy polling,
    /// or filters of your own in a kqueue.
    ///
    /// Available with the crate feature `os-poll` on Unix, except with the `poll(2)` backend.
    ///
    /// In a kqueue, `udata` becomes the token of your events. Numbers of `EVFILT_USER` and `EVFILT_TIMER` below `usize::MAX / 4`
    /// are yours; the others belong to this crate, and so does `EVFILT_PROC` for a child that a `ChildExit` watches. Do not
    /// send to an event port (`port_send(3C)`): this crate takes it for a wake or for a packet of its own.
    ///
    /// Unlike [`as_fd`](AsFd::as_fd), this does not make [`Waker::wake`](crate::Waker::wake) more expensive. So do not wait on
    /// the descriptor, and do not have another queue watch it, in `f` or later: you may miss a wake.
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
    /// Returns the queue's descriptor. It becomes readable when an event is waiting, including that of a
    /// [`Waker`](crate::Waker). To make sure of that, every wake makes a system call from now on. If you only want to set
    /// something on the descriptor, use [`with_fd`](Registry::with_fd).
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl AsFd for Registry {
    /// Returns the queue's descriptor, which becomes readable when an event is waiting. Every wake makes a system call from now
    /// on.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.queue().export();
        self.queue().backend.as_fd()
    }
}

impl AsRawFd for Poll {
    /// Returns the queue's descriptor, which becomes readable when an event is waiting. Every wake makes a system call from now
    /// on.
    fn as_raw_fd(&self) -> RawFd {
        self.registry().as_raw_fd()
    }
}

impl AsFd for Poll {
    /// Returns the queue's descriptor, which becomes readable when an event is waiting. Every wake makes a system call from now
    /// on.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.registry().as_fd()
    }
}
