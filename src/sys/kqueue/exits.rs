//! The exits of children.
//!
//! `EVFILT_PROC` tells an exit once, whatever the trigger, and of a child that has exited before some kernels say `ESRCH`.
//! All of them may tell it a little before the child can be waited for. So what it says goes to nobody: when the child can be
//! waited for, an `EVFILT_USER` event of its own is triggered, and that is the source, with the triggers of the kernel.
//!
//! | filter | until the child has exited | until it can be waited for | then |
//! |---|---|---|---|
//! | `EVFILT_PROC` | waits | gone | gone |
//! | `EVFILT_TIMER` | | looks again each millisecond | gone |
//! | `EVFILT_USER` | silent | silent | triggered |

#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::io;
use std::mem::MaybeUninit;
use std::sync::Mutex;

use libc::pid_t;

use super::{Selector, filter, no_event, os, udata};
use crate::sys::logic::kqueue::{EV_ADD, EV_DELETE, EV_ENABLE, EV_ONESHOT, Filter, mode};
use crate::sys::unix::{check, lock};
use crate::sys::{already_registered, not_registered};
use crate::{Token, Trigger};

/// The children that are watched.
#[derive(Debug, Default)]
pub(super) struct Exits(Mutex<BTreeMap<pid_t, Exit>>);

#[derive(Debug)]
struct Exit {
    /// A change of a filter has to name it: it replaces the one before.
    token: Token,
    /// The `EVFILT_USER` event was triggered.
    told: bool,
}

impl Selector {
    /// Begins to watch for the exit of `child`; an event is due at once if that was before.
    pub(crate) fn register_exit(&self, child: pid_t, token: Token, trigger: Trigger) -> io::Result<()> {
        let mut exits = lock(&self.exits.0);
        if exits.contains_key(&child) {
            return Err(already_registered());
        }
        self.add_source(child, token, trigger).map_err(no_user_events)?;
        let has_ended =
            match self.change_exit(child, Filter::Proc, EV_ADD | EV_ENABLE | EV_ONESHOT, os::NOTE_EXIT, token) {
                // An exit that came before is looked for, whatever this kernel makes of it.
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

    /// Watches with another token and trigger. An exit that was told is told again.
    pub(crate) fn reregister_exit(&self, child: pid_t, token: Token, trigger: Trigger) -> io::Result<()> {
        let mut exits = lock(&self.exits.0);
        let exit = exits.get_mut(&child).ok_or_else(not_registered)?;
        // Adding it anew would change neither `EV_CLEAR` nor `EV_DISPATCH`.
        self.change_exit(child, Filter::User, EV_DELETE, 0, token)?;
        self.add_source(child, token, trigger)?;
        exit.token = token;
        if exit.told { self.trigger(child, token) } else { Ok(()) }
    }

    /// Ends the watching. Filters that have said what they had to say are gone already.
    pub(crate) fn deregister_exit(&self, child: pid_t) -> io::Result<()> {
        let mut exits = lock(&self.exits.0);
        exits.remove(&child).ok_or_else(not_registered)?;
        for filter in [Filter::Proc, Filter::Timer, Filter::User] {
            let _ = self.change_exit(child, filter, EV_DELETE, 0, Token(0));
        }
        Ok(())
    }

    /// Whether `kevent`, of `EVFILT_PROC` or `EVFILT_TIMER`, is about a child that is watched. Then it is for this alone.
    #[cold]
    pub(super) fn hears_of_exit(&self, kevent: &os::kevent) -> bool {
        let child = match filter(kevent) {
            Filter::Proc => kevent.ident as pid_t,
            _ => !kevent.ident as pid_t,
        };
        let mut exits = lock(&self.exits.0);
        let Some(exit) = exits.get_mut(&child) else { return false };
        exit.told = exit.told || self.tell(child, exit.token);
        true
    }

    /// Triggers the event of a child that has exited, or looks again later. Returns whether it was triggered.
    fn tell(&self, child: pid_t, token: Token) -> bool {
        let later = || self.change_exit(child, Filter::Timer, EV_ADD | EV_ENABLE | EV_ONESHOT, 0, token);
        if !can_be_waited_for(child) && later().is_ok() {
            return false;
        }
        // The event is there, and to trigger it takes no memory.
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
        // The waker's event is 0. A program that has user events or timers of its own on this queue will count up from there.
        let (ident, filter) = match filter {
            Filter::Proc => (child as os::uintptr_t, os::EVFILT_PROC),
            Filter::Timer => (!(child as os::uintptr_t), os::EVFILT_TIMER),
            _ => (!(child as os::uintptr_t), os::EVFILT_USER),
        };
        let mut change = os::kevent { ident, filter, flags: flags.into(), fflags, udata: udata(token), ..no_event() };
        // A timer's milliseconds.
        change.data = 1;
        self.kevent(&[change], &mut [], None).map(drop)
    }
}

/// Whether `child` has exited as far as that, or was waited for already: nothing else will come of it then.
fn can_be_waited_for(child: pid_t) -> bool {
    has_exited(child).unwrap_or(true)
}

/// `ECHILD` if `child` was waited for.
pub(crate) fn has_exited(child: pid_t) -> io::Result<bool> {
    // Not each system writes to it if there is nothing to say.
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    let look = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: the kernel writes to `info`: numbers and pointers, of which all zeros is a value as well.
    let info = unsafe {
        check(libc::waitid(libc::P_PID, child as _, info.as_mut_ptr(), look))?;
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
