//! `Poll` and `Registry` as file descriptors, so that a queue can be watched by another: for the backends whose queue is
//! one.

#![allow(unsafe_code)]

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use crate::{Poll, Registry};

impl AsRawFd for Registry {
    /// The queue's descriptor. It becomes readable when an event waits, a [`Waker`](crate::Waker)'s included.
    fn as_raw_fd(&self) -> RawFd {
        let queue = self.queue();
        queue.export();
        queue.backend.as_raw_fd()
    }
}

impl AsFd for Registry {
    /// The queue's descriptor. It becomes readable when an event waits, a [`Waker`](crate::Waker)'s included.
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the queue, which owns the descriptor, lives at least as long as this `Registry`.
        unsafe { BorrowedFd::borrow_raw(self.as_raw_fd()) }
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
