//! Time-outs: rounds them up to the unit that an OS takes, and says how much of one is left when a wait has to go on.

use std::time::{Duration, Instant};

/// Returns a time-out in milliseconds, rounded up, or the most that fits in an `int` if it is longer than that.
#[inline]
pub(crate) fn milliseconds(time: Duration) -> i32 {
    // This avoids `as_nanos`, because dividing 128 bits takes longer than everything else that this crate adds to an idle poll.
    let rounded_up = u64::from(time.subsec_nanos().div_ceil(1_000_000));
    let rounded_up = time.as_secs().saturating_mul(1_000).saturating_add(rounded_up);
    i32::try_from(rounded_up).unwrap_or(i32::MAX)
}

/// Keeps track of how much of a time-out is left, for a wait that may have to go on.
pub(crate) struct TimeLeft {
    timeout: Option<Duration>,
    start: Option<Instant>,
}

impl TimeLeft {
    pub(crate) fn new(timeout: Option<Duration>) -> TimeLeft {
        TimeLeft { timeout, start: timeout.filter(|timeout| !timeout.is_zero()).map(|_| Instant::now()) }
    }

    pub(crate) fn left(&self) -> Option<Duration> {
        let elapsed = self.start.map_or(Duration::ZERO, |start| start.elapsed());
        self.timeout.map(|timeout| timeout.saturating_sub(elapsed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_are_rounded_up_and_saturate() {
        let rows = [
            (Duration::ZERO, 0),
            (Duration::from_nanos(1), 1),
            (Duration::from_millis(1), 1),
            (Duration::from_nanos(1_000_001), 2),
            (Duration::from_millis(i32::MAX as u64), i32::MAX),
            (Duration::from_millis(1 << 31), i32::MAX),
            (Duration::MAX, i32::MAX),
        ];
        for (time, expected) in rows {
            assert_eq!(milliseconds(time), expected, "{time:?}");
        }
    }

    #[test]
    fn what_is_left_shrinks_to_zero_and_for_ever_stays() {
        assert_eq!(TimeLeft::new(None).left(), None);
        assert_eq!(TimeLeft::new(Some(Duration::ZERO)).left(), Some(Duration::ZERO));
        assert_eq!(TimeLeft::new(Some(Duration::from_nanos(1))).left(), Some(Duration::ZERO));
        assert!(TimeLeft::new(Some(Duration::MAX)).left().is_some_and(|left| !left.is_zero()));
    }
}
