//! The crate's own terms for what an event says: one set of bits, which is the same for all operating systems.

use std::fmt;

/// A set of hints that an [`Event`](super::Event) gives.
#[derive(Copy, Clone, PartialEq, Eq)]
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

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            (self.contains(Readiness::READABLE), "READABLE"),
            (self.contains(Readiness::WRITABLE), "WRITABLE"),
            (self.contains(Readiness::ERROR), "ERROR"),
            (self.contains(Readiness::READ_CLOSED), "READ_CLOSED"),
            (self.contains(Readiness::WRITE_CLOSED), "WRITE_CLOSED"),
            (self.contains(Readiness::PRIORITY), "PRIORITY"),
            (self.contains(Readiness::AIO), "AIO"),
            (self.contains(Readiness::LIO), "LIO"),
        ];
        write_names(f, &names)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_hint_is_told_apart_and_shown_by_its_name() {
        let hints = [
            (Readiness::READABLE, "READABLE"),
            (Readiness::WRITABLE, "WRITABLE"),
            (Readiness::ERROR, "ERROR"),
            (Readiness::READ_CLOSED, "READ_CLOSED"),
            (Readiness::WRITE_CLOSED, "WRITE_CLOSED"),
            (Readiness::PRIORITY, "PRIORITY"),
            (Readiness::AIO, "AIO"),
            (Readiness::LIO, "LIO"),
        ];
        for (hint, name) in hints {
            assert_eq!(format!("{hint:?}"), name);
            assert_eq!(hints.map(|(other, _)| hint.contains(other)), hints.map(|(_, other)| other == name), "{name}");
            assert!(!Readiness::EMPTY.contains(hint), "{name}");
        }
        assert_eq!(format!("{:?}", Readiness::EMPTY.with(Readiness::LIO, false)), "(empty)");
    }
}
