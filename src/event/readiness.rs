//! The crate's own terms for what an event says: one set of bits, which is the same for all operating systems.

use std::fmt;

/// A set of hints that an [`Event`](super::Event) gives.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Readiness(u16);

impl Readiness {
    pub(crate) const EMPTY: Readiness = Readiness(0);
    pub(crate) const READABLE: Readiness = Readiness(1);
    pub(crate) const WRITABLE: Readiness = Readiness(1 << 1);
    pub(crate) const ERROR: Readiness = Readiness(1 << 2);
    pub(crate) const READ_CLOSED: Readiness = Readiness(1 << 3);
    pub(crate) const WRITE_CLOSED: Readiness = Readiness(1 << 4);
    pub(crate) const PRIORITY: Readiness = Readiness(1 << 5);
    pub(crate) const AIO: Readiness = Readiness(1 << 6);
    pub(crate) const LIO: Readiness = Readiness(1 << 7);

    /// Returns this set and, if `condition` holds, adds `hint`.
    #[inline]
    #[must_use]
    pub(crate) const fn with(self, hint: Readiness, condition: bool) -> Readiness {
        if condition { Readiness(self.0 | hint.0) } else { self }
    }

    /// Returns whether this set contains all of `hint`.
    #[inline]
    pub(crate) const fn contains(self, hint: Readiness) -> bool {
        self.0 & hint.0 == hint.0
    }
}

/// Writes the names whose condition holds, joined by ` | `, or `(empty)`.
pub(crate) fn write_names(f: &mut fmt::Formatter<'_>, names: &[(bool, &str)]) -> fmt::Result {
    let mut separator = "";
    for (_, name) in names.iter().filter(|(holds, _)| *holds) {
        write!(f, "{separator}{name}")?;
        separator = " | ";
    }
    if separator.is_empty() { f.write_str("(empty)") } else { Ok(()) }
}

/// Writes the names of the constants for which `$is_set` holds.
macro_rules! write_flags {
    ($f:ident, $is_set:expr, $($flag:ident)|+) => {
        crate::event::write_names($f, &[$(($is_set($flag), stringify!($flag))),+])
    };
}

pub(crate) use write_flags;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_hint_is_told_apart() {
        let hints = [
            Readiness::READABLE,
            Readiness::WRITABLE,
            Readiness::ERROR,
            Readiness::READ_CLOSED,
            Readiness::WRITE_CLOSED,
            Readiness::PRIORITY,
            Readiness::AIO,
            Readiness::LIO,
        ];
        for (number, hint) in hints.into_iter().enumerate() {
            let told = hints.map(|other| hint.contains(other));
            assert_eq!(told, std::array::from_fn(|other| other == number), "{hint:?}");
            assert!(!Readiness::EMPTY.contains(hint), "{hint:?}");
        }
        assert_eq!(Readiness::EMPTY.with(Readiness::LIO, false), Readiness::EMPTY);
    }
}
