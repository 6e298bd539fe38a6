//! The exits of children.
//!
//! `EVFILT_PROC` reports an exit once, with every trigger, and for a child that has already exited some kernels return `ESRCH`.
//! All kernels may report it a little before `waitid(2)` finds the child. So the program does not see these reports. Instead,
//! each child has an `EVFILT_USER` event, which this backend triggers when `waitid(2)` finds the child. That event is the
//! source, and the kernel supplies its triggers.
//!
//! | filter | until the child has exited | until `waitid(2)` finds it | then |
//! |---|---|---|---|
//! | `EVFILT_PROC` | waits | gone | gone |
//! | `EVFILT_TIMER` | | checks each millisecond | gone |
//! | `EVFILT_USER` | silent | silent | triggered |

#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::io;
use std::mem::MaybeUninit;
use std::sync::Mutex;

use libc::pid_t;

use super::{Selector, filter, no_event, os, udata, unless_gone};
use crate::sys::logic::kqueue::{EV_ADD, EV_DELETE, EV_ENABLE, EV_ONESHOT, Filter, mode};
use crate::sys::unix::{check, lock};
use crate::sys::{already_registered, not_registered};
use crate::{Token, Trigger};

/// The children that the queue watches.
#[derive(Debug, Default)]
pub(super) struct Exits(Mutex<BTreeMap<pid_t, Exit>>);

#[derive(Debug)]
struct Exit {
    /// A change of a filter has to include the token, because it replaces the previous one.
    token: Token,
    /// Whether the `EVFILT_USER` event was triggered.
    told: bool,
}

impl Selector {
    /// Starts watching for the exit of `child`. If the child has already exited, an event is due at once.
    pub(crate) fn register_exit(&self, child: pid_t, token: Token, trigger: Trigger) -> io::Result<()> {
        let mut exits = lock(&self.exits.0);
        if exits.contains_key(&child) {
            return Err(already_registered());
        }
        self.add_source(child, token, trigger).map_err(no_user_events)?;
        let has_ended =
            match self.change_exit(child, Filter::Proc, EV_ADD | EV_ENABLE | EV_ONESHOT, os::NOTE_EXIT, token) {
                // The child may have exited before, which not every kernel reports.
                Ok(()) => can_be_waited_for(child),
                Err(error) if error.raw_os_error() == Some(libc::ESRCH) => true,
                Err(error) => {
                    let _ = self.change_exit(child, Filter::User, EV_DELETE, 0, token);
                    return Err(error);
                }
            };
        let told = has_ended && self.tell(child, token);
        exits.insert(child, Exit { token, told });
        Ok(())
    }

    /// Replaces the token and the trigger. If an exit was reported, it is reported again.
    pub(crate) fn reregister_exit(&self, child: pid_t, token: Token, trigger: Trigger) -> io::Result<()> {
        let mut exits = lock(&self.exits.0);
        let exit = exits.get_mut(&child).ok_or_else(not_registered)?;
        // Adding the filter again would change neither `EV_CLEAR` nor `EV_DISPATCH`, so this deletes it first. It is gone if an
        // earlier call could not add it.
        unless_gone(self.change_exit(child, Filter::User, EV_DELETE, 0, token))?;
        self.add_source(child, token, trigger)?;
        exit.token = token;
        if exit.told { self.trigger(child, token) } else { Ok(()) }
    }

    /// Stops watching. Filters that have fired are already gone.
    pub(crate) fn deregister_exit(&self, child: pid_t) -> io::Result<()> {
        let mut exits = lock(&self.exits.0);
        exits.remove(&child).ok_or_else(not_registered)?;
        for filter in [Filter::Proc, Filter::Timer, Filter::User] {
            let _ = self.change_exit(child, filter, EV_DELETE, 0, Token(0));
        }
        Ok(())
    }

    /// Returns whether `kevent`, of `EVFILT_PROC` or `EVFILT_TIMER`, concerns a watched child. If so, the program does not get
    /// it.
    #[cold]
    pub(super) fn hears_of_exit(&self, kevent: &os::kevent) -> bool {
        let child = match filter(kevent) {
            Filter::Proc => kevent.ident as pid_t,
            // A program's timer is that of no child.
            _ => pid_t::try_from(!kevent.ident).unwrap_or(0),
        };
        let mut exits = lock(&self.exits.0);
        let Some(exit) = exits.get_mut(&child) else { return false };
        exit.told = exit.told || self.tell(child, exit.token);
        true
    }

    /// Triggers the event of a child if `waitid(2)` finds it, or checks again later. Returns whether it triggered the event.
    fn tell(&self, child: pid_t, token: Token) -> bool {
        if !can_be_waited_for(child) {
            if self.change_exit(child, Filter::Timer, EV_ADD | EV_ENABLE | EV_ONESHOT, 0, token).is_ok() {
                return false;
            }
            // The kernel has no timer left. The exit has begun, so this does not take long, unless a debugger holds the child.
            while look_for_exit(child, 0).is_err_and(|error| error.kind() == io::ErrorKind::Interrupted) {}
        }
        // This takes no memory. If a failed `reregister_exit` has removed the event, the next one triggers it.
        let _ = self.trigger(child, token);
        true
    }

    fn add_source(&self, child: pid_t, token: Token, trigger: Trigger) -> io::Result<()> {
        self.change_exit(child, Filter::User, EV_ADD | EV_ENABLE | mode(trigger), 0, token)
    }

    fn trigger(&self, child: pid_t, token: Token) -> io::Result<()> {
        self.change_exit(child, Filter::User, 0, os::NOTE_TRIGGER, token)
    }

    fn change_exit(&self, child: pid_t, filter: Filter, flags: u16, fflags: u32, token: Token) -> io::Result<()> {
        let (ident, filter) = match filter {
            Filter::Proc => (child as os::uintptr_t, os::EVFILT_PROC),
            Filter::Timer => (!(child as os::uintptr_t), os::EVFILT_TIMER),
            _ => (!(child as os::uintptr_t), os::EVFILT_USER),
        };
        let mut change = os::kevent { ident, filter, flags: flags.into(), fflags, udata: udata(token), ..no_event() };
        // This is the number of milliseconds for a timer.
        change.data = 1;
        self.kevent(&[change], &mut [], None).map(drop)
    }
}

/// Returns whether the program can wait for `child`, or has already waited for it. In either case nothing more will happen to
/// it.
fn can_be_waited_for(child: pid_t) -> bool {
    has_exited(child).unwrap_or(true)
}

/// Returns whether `child` has exited, or `ECHILD` if the program has already waited for it.
pub(crate) fn has_exited(child: pid_t) -> io::Result<bool> {
    look_for_exit(child, libc::WNOHANG)
}

/// Does the same, but waits for the exit unless the options say otherwise.
fn look_for_exit(child: pid_t, options: libc::c_int) -> io::Result<bool> {
    // Some systems do not write to it if there is nothing to report.
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    let options = options | libc::WEXITED | libc::WNOWAIT;
    // SAFETY: the kernel writes to `info`, which consists of numbers and pointers, so all zeros is a valid value.
    let info = unsafe {
        check(libc::waitid(libc::P_PID, child as _, info.as_mut_ptr(), options))?;
        info.assume_init()
    };
    Ok(info.si_signo != 0)
}

fn no_user_events(error: io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(libc::EINVAL) => io::Error::new(io::ErrorKind::Unsupported, "this kernel has no `EVFILT_USER`"),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::Backend;

    #[test]
    fn a_timer_of_the_program_is_not_taken_for_that_of_a_child() {
        const CHILD: pid_t = 1234;
        let selector = Selector::new().unwrap();
        lock(&selector.exits.0).insert(CHILD, Exit { token: Token(0), told: true });
        let timer = |ident| os::kevent { ident, filter: os::EVFILT_TIMER, ..no_event() };
        assert!(selector.hears_of_exit(&timer(!(CHILD as os::uintptr_t))));
        for ident in [0, 1, CHILD as os::uintptr_t, !(CHILD as u32) as os::uintptr_t >> 2] {
            assert!(!selector.hears_of_exit(&timer(ident)), "{ident}");
        }
        #[cfg(target_pointer_width = "64")]
        assert!(!selector.hears_of_exit(&timer(!(CHILD as u32) as os::uintptr_t)));
    }
}
