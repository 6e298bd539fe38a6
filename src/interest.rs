//! What a registration wants to hear about.

use std::fmt;
use std::num::NonZeroU8;
use std::ops::{BitOr, BitOrAssign};

const READABLE: u8 = 1;
const WRITABLE: u8 = 1 << 1;
const AIO: u8 = 1 << 2;
const LIO: u8 = 1 << 3;
const PRIORITY: u8 = 1 << 4;

/// What kinds of readiness a registration asks for: one or more of them, never none.
///
/// Interests are joined with `|` (or [`add`](Interest::add), which works in constants) and taken apart with
/// [`remove`](Interest::remove).
///
/// Whatever is asked for, the operating system may also report errors and hang-ups.
///
/// # Examples
///
/// ```
/// use mio::Interest;
///
/// const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);
///
/// assert_eq!(Interest::READABLE | Interest::WRITABLE, BOTH);
/// assert_eq!(BOTH.remove(Interest::READABLE), Some(Interest::WRITABLE));
/// assert_eq!(BOTH.remove(BOTH), None);
/// ```
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Interest(NonZeroU8);

impl Interest {
    /// Reading may be possible: data has arrived, a connection waits to be accepted, or the peer is gone.
    pub const READABLE: Interest = Interest::of(READABLE);

    /// Writing may be possible: there is room in the send buffer, or a connection attempt has ended.
    pub const WRITABLE: Interest = Interest::of(WRITABLE);

    /// An asynchronous I/O request (`aio(7)`) completed.
    ///
    /// The request itself names the queue (`SIGEV_KEVENT`), so sources with this interest are implementations of
    /// [`Source`](crate::event::Source) outside this crate.
    #[cfg(any(target_os = "dragonfly", target_os = "freebsd", target_vendor = "apple"))]
    pub const AIO: Interest = Interest::of(AIO);

    /// All requests of one `lio_listio(2)` call completed.
    #[cfg(target_os = "freebsd")]
    pub const LIO: Interest = Interest::of(LIO);

    /// Urgent (out-of-band) data of a socket. On Linux and Android also another exceptional condition that the source's
    /// manual calls `POLLPRI`.
    ///
    /// On kqueue this is `EVFILT_EXCEPT` with `NOTE_OOB`; registering other sources than sockets for it may fail there.
    #[cfg(any(
        target_os = "android",
        target_os = "dragonfly",
        target_os = "linux",
        target_os = "openbsd",
        target_vendor = "apple"
    ))]
    pub const PRIORITY: Interest = Interest::of(PRIORITY);

    /// `PRIORITY`, for tests on platforms that do not have it.
    #[cfg(all(test, unix, feature = "os-poll"))]
    pub(crate) const fn priority() -> Interest {
        Interest::of(PRIORITY)
    }

    const fn of(bits: u8) -> Interest {
        match NonZeroU8::new(bits) {
            Some(bits) => Interest(bits),
            None => panic!("an interest names at least one kind of readiness"),
        }
    }

    /// Joins two interests; the `const` form of `|`.
    #[must_use]
    #[allow(clippy::should_implement_trait)] // the name is part of the API of mio 1.x
    pub const fn add(self, other: Interest) -> Interest {
        Interest(self.0.saturating_add(other.0.get() & !self.0.get()))
    }

    /// Takes `other` out. Returns `None` when nothing is left.
    #[must_use]
    pub fn remove(self, other: Interest) -> Option<Interest> {
        NonZeroU8::new(self.0.get() & !other.0.get()).map(Interest)
    }

    /// Whether readable readiness is asked for.
    #[must_use]
    pub const fn is_readable(self) -> bool {
        self.0.get() & READABLE != 0
    }

    /// Whether writable readiness is asked for.
    #[must_use]
    pub const fn is_writable(self) -> bool {
        self.0.get() & WRITABLE != 0
    }

    /// Whether completion of asynchronous I/O is asked for. Always `false` where there is no `Interest::AIO`.
    #[must_use]
    pub const fn is_aio(self) -> bool {
        self.0.get() & AIO != 0
    }

    /// Whether completion of listed asynchronous I/O is asked for. Always `false` where there is no `Interest::LIO`.
    #[must_use]
    pub const fn is_lio(self) -> bool {
        self.0.get() & LIO != 0
    }

    /// Whether priority readiness is asked for. Always `false` where there is no `Interest::PRIORITY`.
    #[must_use]
    pub const fn is_priority(self) -> bool {
        self.0.get() & PRIORITY != 0
    }
}

impl BitOr for Interest {
    type Output = Interest;

    fn bitor(self, other: Self) -> Self {
        self.add(other)
    }
}

impl BitOrAssign for Interest {
    fn bitor_assign(&mut self, other: Self) {
        *self = self.add(other);
    }
}

impl fmt::Debug for Interest {
    /// Writes the names, joined as in code: `READABLE | WRITABLE`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            (self.is_readable(), "READABLE"),
            (self.is_writable(), "WRITABLE"),
            (self.is_aio(), "AIO"),
            (self.is_lio(), "LIO"),
            (self.is_priority(), "PRIORITY"),
        ];
        crate::event::write_names(f, &names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adding_joins_and_is_idempotent() {
        let both = Interest::READABLE | Interest::WRITABLE;
        assert!(both.is_readable() && both.is_writable());
        assert_eq!(both.add(Interest::READABLE), both);
    }

    #[test]
    fn removing_everything_leaves_none() {
        let both = Interest::READABLE | Interest::WRITABLE;
        assert_eq!(both.remove(Interest::WRITABLE), Some(Interest::READABLE));
        assert_eq!(Interest::READABLE.remove(Interest::READABLE), None);
        assert_eq!(Interest::READABLE.remove(Interest::WRITABLE), Some(Interest::READABLE));
    }

    #[test]
    fn debug_reads_like_code() {
        assert_eq!(format!("{:?}", Interest::READABLE | Interest::WRITABLE), "READABLE | WRITABLE");
    }
}
