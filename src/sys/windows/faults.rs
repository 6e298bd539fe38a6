//! Failures on demand, for tests. In debug builds, the environment variable `MIO_FAIL_POLLS` says which of a process's polls of
//! AFD fail.
//!
//! `3` makes the third poll fail, `/3` every third, and `/1` all. `submit 3` makes it fail when it is submitted, which is the
//! default, and `complete /3` makes polls fail when they end. Release builds ignore the variable.

use std::env;
use std::io;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use windows_sys::Win32::Foundation::{NTSTATUS, STATUS_INSUFFICIENT_RESOURCES};

use super::afd::check;

/// The plan that the environment asks for.
static PLAN: LazyLock<Option<Plan>> = LazyLock::new(|| Plan::parse(&env::var("MIO_FAIL_POLLS").ok()?));

#[derive(Debug, PartialEq)]
struct Plan {
    on_completion: bool,
    number: usize,
    repeated: bool,
}

impl Plan {
    fn parse(text: &str) -> Option<Plan> {
        let (on_completion, number) = match text.split_once(' ') {
            Some((when, number)) => (when == "complete", number),
            None => (false, text),
        };
        let (repeated, number) = number.strip_prefix('/').map_or((false, number), |number| (true, number));
        number.parse().ok().filter(|&number| number > 0).map(|number| Plan { on_completion, number, repeated })
    }

    fn hits(&self, count: usize) -> bool {
        if self.repeated { count % self.number == 0 } else { count == self.number }
    }
}

fn fails(on_completion: bool) -> bool {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let plan = if cfg!(debug_assertions) { PLAN.as_ref() } else { None };
    plan.filter(|plan| plan.on_completion == on_completion)
        .is_some_and(|plan| plan.hits(COUNT.fetch_add(1, Ordering::Relaxed) + 1))
}

/// Called before a poll is submitted.
pub(crate) fn on_submission() -> io::Result<()> {
    if fails(false) { check(STATUS_INSUFFICIENT_RESOURCES) } else { Ok(()) }
}

/// Called with the status of a poll that has ended.
pub(crate) fn on_completion(status: NTSTATUS) -> NTSTATUS {
    if fails(true) { STATUS_INSUFFICIENT_RESOURCES } else { status }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_says_which_polls_fail_and_when() {
        let hits = |text| {
            let plan = Plan::parse(text).unwrap();
            (plan.on_completion, (1..=6).filter(|&count| plan.hits(count)).collect::<Vec<_>>())
        };
        assert_eq!(hits("2"), (false, vec![2]));
        assert_eq!(hits("submit /3"), (false, vec![3, 6]));
        assert_eq!(hits("complete /1"), (true, vec![1, 2, 3, 4, 5, 6]));
        assert_eq!(Plan::parse("/0"), None);
        assert_eq!(Plan::parse("nonsense"), None);
    }
}
