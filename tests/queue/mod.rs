//! Tells the tests which queue they run on, if they have to make an exception. It is the only place that knows.

#![allow(dead_code, reason = "no program needs all of it")]

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Queue {
    Afd,
    Epoll,
    EventPorts,
    Kqueue,
    Poll,
}

impl Queue {
    /// The queue that the crate uses here.
    pub(crate) const HERE: Queue = if cfg!(any(mio_backend = "poll", mio_unsupported_force_poll_poll)) {
        Queue::Poll
    } else if cfg!(any(mio_backend = "event_ports", target_os = "solaris")) {
        Queue::EventPorts
    } else if cfg!(any(
        mio_backend = "kqueue",
        target_os = "dragonfly",
        target_os = "freebsd",
        target_os = "netbsd",
        target_os = "openbsd",
        target_vendor = "apple",
    )) {
        Queue::Kqueue
    } else if cfg!(any(target_os = "android", target_os = "illumos", target_os = "linux", target_os = "redox")) {
        Queue::Epoll
    } else if cfg!(windows) {
        Queue::Afd
    } else {
        Queue::Poll
    };

    pub(crate) fn is_epoll(self) -> bool {
        self == Queue::Epoll
    }

    /// Returns whether a source may produce one event for each filter, and adding a filter again changes it.
    pub(crate) fn is_kqueue(self) -> bool {
        self == Queue::Kqueue
    }

    /// Returns whether the library makes edges from states, and keeps the registrations itself.
    pub(crate) fn is_emulated(self) -> bool {
        !self.is_epoll() && !self.is_kqueue()
    }

    /// Returns whether the queue reports that the reader of a full pipe is gone. The kernel of NetBSD 11 reports it in no way,
    /// and neither does the double that acts like it.
    pub(crate) fn hears_the_end_of_a_full_pipe(self) -> bool {
        std::env::var("KQUEUE_PERSONALITY").as_deref() != Ok("netbsd-current")
    }
}
