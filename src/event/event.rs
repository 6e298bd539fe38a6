//! One event: the token of a registration, and what became ready.

use std::fmt;

use super::Readiness;
use crate::Token;
use crate::sys::{Backend, EventFlags, Flags, RawEvent, Selector};

/// What a queue says about one registration: its [`Token`], and hints at what has become ready.
///
/// An event is a hint. It may be spurious: the I/O that it suggests may still say `WouldBlock`. A missing hint means
/// that the operating system did not give it, not that the contrary holds. The tables below say which of the operating
/// system's flags make each hint true.
///
/// `Debug` names every hint; the alternate form (`{:#?}`) adds the operating system's own flags.
#[derive(Clone)]
#[repr(transparent)] // a queue that writes such events writes these
pub struct Event(<Selector as Backend>::Event);

impl Event {
    #[cfg(feature = "os-poll")]
    #[inline]
    pub(crate) fn new(token: Token, flags: EventFlags) -> Event {
        Event(RawEvent::new(token, flags))
    }

    /// The token that the source was registered with, or that a [`Waker`] was made with.
    ///
    /// [`Waker`]: crate::Waker
    #[inline]
    #[must_use]
    pub fn token(&self) -> Token {
        self.0.token()
    }

    /// Reading may make progress: data, a connection to accept, or the end of the stream.
    #[inline]
    #[must_use]
    pub fn is_readable(&self) -> bool {
        self.has(Readiness::READABLE)
    }

    /// Writing may make progress; for a connecting stream: the attempt has ended, one way or the other.
    #[inline]
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.has(Readiness::WRITABLE)
    }

    /// The source has an error pending; `take_error` of the socket tells which.
    ///
    /// | queue | flags |
    /// |---|---|
    /// | epoll | `EPOLLERR` |
    /// | kqueue | `EV_ERROR`; `EV_EOF` with `fflags` other than zero |
    /// | event ports, poll(2) | `POLLERR`, `POLLNVAL` |
    /// | AFD | `AFD_POLL_CONNECT_FAIL` |
    #[inline]
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.has(Readiness::ERROR)
    }

    /// The peer has shut its writing side, or the connection is gone: after what is still buffered, reads give the end
    /// of the stream. [`is_readable`](Event::is_readable) holds as well.
    ///
    /// An end of stream can also be found by reading, with no such event before; this hint alone is no reason to skip
    /// what may still be buffered.
    ///
    /// | queue | flags |
    /// |---|---|
    /// | epoll | `EPOLLHUP`, `EPOLLRDHUP` |
    /// | kqueue | `EV_EOF` on `EVFILT_READ` |
    /// | event ports, poll(2) | `POLLHUP`, `POLLRDHUP` where it exists |
    /// | AFD | `AFD_POLL_DISCONNECT`, `AFD_POLL_ABORT`, `AFD_POLL_CONNECT_FAIL` |
    #[inline]
    #[must_use]
    pub fn is_read_closed(&self) -> bool {
        self.has(Readiness::READ_CLOSED)
    }

    /// Nothing that is written will be read any more: the connection is gone, or nobody holds the other end of a pipe.
    ///
    /// | queue | flags |
    /// |---|---|
    /// | epoll | `EPOLLHUP`; `EPOLLERR` alone or with `EPOLLOUT` |
    /// | kqueue | `EV_EOF` on `EVFILT_WRITE` |
    /// | event ports, poll(2) | `POLLHUP`; `POLLERR` alone or with `POLLOUT` |
    /// | AFD | `AFD_POLL_ABORT`, `AFD_POLL_CONNECT_FAIL` |
    #[inline]
    #[must_use]
    pub fn is_write_closed(&self) -> bool {
        self.has(Readiness::WRITE_CLOSED)
    }

    /// Urgent data, or another condition that the source's manual calls `POLLPRI`.
    ///
    /// | queue | flags |
    /// |---|---|
    /// | epoll | `EPOLLPRI` |
    /// | kqueue | `EVFILT_EXCEPT`, where there is an [`Interest::PRIORITY`](crate::Interest#associatedconstant.PRIORITY) |
    /// | event ports, poll(2) | `POLLPRI` |
    /// | AFD | always `false` |
    #[inline]
    #[must_use]
    pub fn is_priority(&self) -> bool {
        self.has(Readiness::PRIORITY)
    }

    /// An asynchronous I/O request completed: `EVFILT_AIO`. Without kqueue always `false`.
    #[inline]
    #[must_use]
    pub fn is_aio(&self) -> bool {
        self.has(Readiness::AIO)
    }

    /// All requests of one `lio_listio(2)` completed: `EVFILT_LIO`. Always `false` except on FreeBSD.
    #[inline]
    #[must_use]
    pub fn is_lio(&self) -> bool {
        self.has(Readiness::LIO)
    }

    /// The flags as the OS gave them.
    #[inline]
    pub(crate) fn flags(&self) -> EventFlags {
        self.0.flags()
    }

    #[inline]
    fn has(&self, hint: Readiness) -> bool {
        self.flags().readiness().contains(hint)
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let with_flags = f.alternate();
        let mut debug = f.debug_struct("Event");
        debug
            .field("token", &self.token())
            .field("readable", &self.is_readable())
            .field("writable", &self.is_writable())
            .field("error", &self.is_error())
            .field("read_closed", &self.is_read_closed())
            .field("write_closed", &self.is_write_closed())
            .field("priority", &self.is_priority())
            .field("aio", &self.is_aio())
            .field("lio", &self.is_lio());
        if with_flags {
            debug.field("flags", &self.flags());
        }
        debug.finish()
    }
}
