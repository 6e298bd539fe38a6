//! [`Interest`]: the kinds of readiness that a registration asks for.

use std::fmt;
use std::num::NonZeroU8;
use std::ops::{BitOr, BitOrAssign};

const READABLE: u8 = 1;
const WRITABLE: u8 = 1 << 1;
const AIO: u8 = 1 << 2;
const LIO: u8 = 1 << 3;
const PRIORITY: u8 = 1 << 4;

/// Says which kinds of readiness a registration asks for. There is always at least one.
///
/// You join interests with `|` (or with [`add`](Interest::add), which works in constants), and take them apart with
/// [`remove`](Interest::remove).
///
/// Whatever you ask for, the operating system may also report errors and hang-ups.
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
    /// Reading may make progress: data has arrived, a connection is waiting for `accept`, or the peer is gone.
    pub const READABLE: Interest = Interest::of(READABLE);

    /// Writing may make progress: there is room in the send buffer, or a connection attempt has ended.
    pub const WRITABLE: Interest = Interest::of(WRITABLE);

    /// An asynchronous I/O request (`aio(7)`) has completed.
    ///
    /// Available on DragonFly BSD, FreeBSD and Apple platforms.
    ///
    /// The request itself names the queue (`SIGEV_KEVENT`), so you need a [`Source`](crate::event::Source) of your own for this
    /// interest.
    #[cfg(any(target_os = "dragonfly", target_os = "freebsd", target_vendor = "apple"))]
    pub const AIO: Interest = Interest::of(AIO);

    /// All requests of one `lio_listio(2)` call have completed.
    ///
    /// Available on FreeBSD.
    #[cfg(target_os = "freebsd")]
    pub const LIO: Interest = Interest::of(LIO);

    /// Urgent (out-of-band) data of a socket has arrived. On Linux and Android this also covers any other exceptional
    /// condition that the source's manual calls `POLLPRI`.
    ///
    /// Available on Android, DragonFly BSD, Linux, OpenBSD and Apple platforms.
    ///
    /// With kqueue this is `EVFILT_EXCEPT` with `NOTE_OOB`, and registering a source that is not a socket may fail.
    #[cfg(any(
        target_os = "android",
        target_os = "dragonfly",
        target_os = "linux",
        target_os = "openbsd",
        target_vendor = "apple"
    ))]
    pub const PRIORITY: Interest = Interest::of(PRIORITY);

    /// Returns `PRIORITY`, for tests on platforms that do not have it.
    #[cfg(all(test, unix))]
    pub(crate) const fn priority() -> Interest {
        Interest::of(PRIORITY)
    }

    const fn of(bits: u8) -> Interest {
        Interest(NonZeroU8::new(bits).expect("an interest names at least one kind of readiness"))
    }

    /// Joins two interests. This is the `const` form of `|`.
    ///
    /// # Examples
    ///
    /// ```
    /// use mio::Interest;
    ///
    /// const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);
    /// assert!(BOTH.is_readable() && BOTH.is_writable());
    /// ```
    #[must_use]
    #[allow(clippy::should_implement_trait)] // the name is part of the API of mio 1.x
    pub const fn add(self, other: Interest) -> Interest {
        Interest(self.0.saturating_add(other.0.get() & !self.0.get()))
    }

    /// Removes `other`. Returns `None` if nothing is left.
    ///
    /// # Examples
    ///
    /// ```
    /// use mio::Interest;
    ///
    /// let both = Interest::READABLE | Interest::WRITABLE;
    /// assert_eq!(both.remove(Interest::WRITABLE), Some(Interest::READABLE));
    /// assert_eq!(Interest::READABLE.remove(Interest::READABLE), None);
    /// ```
    #[must_use]
    pub fn remove(self, other: Interest) -> Option<Interest> {
        NonZeroU8::new(self.0.get() & !other.0.get()).map(Interest)
    }

    /// Returns whether this asks for readable readiness.
    ///
    /// # Examples
    ///
    /// ```
    /// use mio::Interest;
    ///
    /// assert!(Interest::READABLE.is_readable());
    /// assert!(!Interest::WRITABLE.is_readable());
    /// ```
    #[must_use]
    pub const fn is_readable(self) -> bool {
        self.0.get() & READABLE != 0
    }

    /// Returns whether this asks for writable readiness.
    ///
    /// # Examples
    ///
    /// ```
    /// use mio::Interest;
    ///
    /// assert!(Interest::WRITABLE.is_writable());
    /// assert!(!Interest::READABLE.is_writable());
    /// ```
    #[must_use]
    pub const fn is_writable(self) -> bool {
        self.0.get() & WRITABLE != 0
    }

    /// Returns whether this asks for the completion of asynchronous I/O. This is always `false` on platforms without
    /// `Interest::AIO`.
    ///
    /// # Examples
    ///
    /// ```
    /// use mio::Interest;
    ///
    /// assert!(!Interest::READABLE.is_aio());
    /// #[cfg(target_os = "freebsd")]
    /// assert!((Interest::READABLE | Interest::AIO).is_aio());
    /// ```
    #[must_use]
    pub const fn is_aio(self) -> bool {
        self.0.get() & AIO != 0
    }

    /// Returns whether this asks for the completion of listed asynchronous I/O. This is always `false` on platforms without
    /// `Interest::LIO`.
    ///
    /// # Examples
    ///
    /// ```
    /// use mio::Interest;
    ///
    /// assert!(!Interest::READABLE.is_lio());
    /// #[cfg(target_os = "freebsd")]
    /// assert!((Interest::READABLE | Interest::LIO).is_lio());
    /// ```
    #[must_use]
    pub const fn is_lio(self) -> bool {
        self.0.get() & LIO != 0
    }

    /// Returns whether this asks for priority readiness. This is always `false` on platforms without `Interest::PRIORITY`.
    ///
    /// # Examples
    ///
    /// ```
    /// use mio::Interest;
    ///
    /// assert!(!Interest::READABLE.is_priority());
    /// #[cfg(target_os = "linux")]
    /// assert!((Interest::READABLE | Interest::PRIORITY).is_priority());
    /// ```
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
        let is_set = |bit| self.0.get() & bit != 0;
        crate::event::write_flags!(f, is_set, READABLE | WRITABLE | AIO | LIO | PRIORITY)
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
    fn each_kind_is_told_apart_and_shown_by_its_name() {
        let kinds =
            [(READABLE, "READABLE"), (WRITABLE, "WRITABLE"), (AIO, "AIO"), (LIO, "LIO"), (PRIORITY, "PRIORITY")];
        for (kind, name) in kinds {
            let interest = Interest::of(kind);
            let told = [
                interest.is_readable(),
                interest.is_writable(),
                interest.is_aio(),
                interest.is_lio(),
                interest.is_priority(),
            ];
            assert_eq!(told, kinds.map(|(_, other)| other == name), "{name}");
            assert_eq!(format!("{interest:?}"), name);
        }
    }

    #[test]
    fn debug_reads_like_code() {
        let mut both = Interest::READABLE;
        both |= Interest::WRITABLE;
        assert_eq!(format!("{both:?}"), "READABLE | WRITABLE");
    }
}
