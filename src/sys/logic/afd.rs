//! The flags with which AFD, the driver behind Windows' sockets, describes a socket, and their meaning.

use std::fmt;

use crate::event::{Readiness, write_names};
use crate::sys::Flags;

/// There is something to read.
pub(crate) const RECEIVE: u32 = 0x1;
/// There is room to write, or the socket is connected.
pub(crate) const SEND: u32 = 0x4;
/// The peer has shut down its writing side.
pub(crate) const DISCONNECT: u32 = 0x8;
/// The connection was reset.
pub(crate) const ABORT: u32 = 0x10;
/// The socket was closed on this side.
pub(crate) const LOCAL_CLOSE: u32 = 0x20;
/// There is a connection to accept.
pub(crate) const ACCEPT: u32 = 0x80;
/// The attempt to connect has failed.
pub(crate) const CONNECT_FAIL: u32 = 0x100;

/// This crate's own flag, which says that the driver cannot watch the socket at present, for example because it lacks memory.
pub(crate) const UNWATCHED: u32 = 1 << 31;

/// `AFD_POLL_RECEIVE` and the other flags of AFD.
#[derive(Copy, Clone)]
pub(crate) struct AfdFlags(pub(crate) u32);

impl AfdFlags {
    #[inline]
    fn any(self, flags: u32) -> bool {
        self.0 & flags != 0
    }
}

impl Flags for AfdFlags {
    const WOKEN: AfdFlags = AfdFlags(RECEIVE);

    #[inline]
    fn readiness(self) -> Readiness {
        // A reset connection and a failed attempt to connect end both directions.
        let failed = self.any(ABORT | CONNECT_FAIL);
        Readiness::EMPTY
            .with(Readiness::READABLE, failed || self.any(RECEIVE | ACCEPT | DISCONNECT))
            .with(Readiness::WRITABLE, failed || self.any(SEND))
            .with(Readiness::ERROR, self.any(CONNECT_FAIL | UNWATCHED))
            .with(Readiness::READ_CLOSED, failed || self.any(DISCONNECT))
            .with(Readiness::WRITE_CLOSED, failed)
    }
}

impl fmt::Debug for AfdFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            (self.any(RECEIVE), "AFD_POLL_RECEIVE"),
            (self.any(SEND), "AFD_POLL_SEND"),
            (self.any(DISCONNECT), "AFD_POLL_DISCONNECT"),
            (self.any(ABORT), "AFD_POLL_ABORT"),
            (self.any(ACCEPT), "AFD_POLL_ACCEPT"),
            (self.any(CONNECT_FAIL), "AFD_POLL_CONNECT_FAIL"),
            (self.any(UNWATCHED), "not watched"),
        ];
        write_names(f, &names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_flag_means_what_the_documentation_of_event_says() {
        let (read, write) = (Readiness::READABLE, Readiness::WRITABLE);
        let (error, read_closed) = (Readiness::ERROR, Readiness::READ_CLOSED);
        let write_closed = Readiness::WRITE_CLOSED;
        let rows: [(u32, &[Readiness]); 10] = [
            (0, &[]),
            (RECEIVE, &[read]),
            (ACCEPT, &[read]),
            (SEND, &[write]),
            (RECEIVE | SEND, &[read, write]),
            (DISCONNECT, &[read, read_closed]),
            (ABORT, &[read, write, read_closed, write_closed]),
            (CONNECT_FAIL, &[read, write, error, read_closed, write_closed]),
            (LOCAL_CLOSE, &[]),
            (UNWATCHED | RECEIVE, &[read, error]),
        ];
        for (flags, hints) in rows {
            let expected = hints.iter().fold(Readiness::EMPTY, |set, &hint| set.with(hint, true));
            assert_eq!(AfdFlags(flags).readiness(), expected, "{:?}", AfdFlags(flags));
        }
    }

    #[test]
    fn debug_names_the_flags() {
        let rows = [
            (RECEIVE, "AFD_POLL_RECEIVE"),
            (SEND, "AFD_POLL_SEND"),
            (DISCONNECT, "AFD_POLL_DISCONNECT"),
            (ABORT, "AFD_POLL_ABORT"),
            (ACCEPT, "AFD_POLL_ACCEPT"),
            (CONNECT_FAIL, "AFD_POLL_CONNECT_FAIL"),
            (UNWATCHED, "not watched"),
        ];
        for (flags, name) in rows {
            assert_eq!(format!("{:?}", AfdFlags(flags)), name);
        }
    }
}
