//! The exit of a child process as a source, on the platforms whose queue can watch for it.

use std::fmt;
use std::io;
use std::process::Child;

use crate::event::{Watched, impl_source};
use crate::sys::Watch;
use crate::{Interest, Registry, Trigger};

cfg_if! {
    if #[cfg(windows)] {
        mod windows;
        use self::windows as os;
    } else if #[cfg(all(target_os = "linux", not(mio_backend = "kqueue")))] {
        mod pidfd;
        use self::pidfd as os;
    } else {
        mod kqueue;
        use self::kqueue as os;
    }
}

/// The exit of a child process, as a [`Source`](crate::event::Source).
///
/// A registered `ChildExit` gives one event when its child has exited, also if it had exited before. The event is readable,
/// whatever the interests were: there is nothing else to wait for. Then call [`Child::try_wait`], which gives the exit
/// status and removes the child from the system's table of processes; nothing here does that.
///
/// Use it in an event loop that starts programs, in place of a thread that waits for each of them or of a handler for
/// `SIGCHLD`, which a process has only one of.
///
/// Available with the crate feature `os-ext` on Linux (with any queue), where the queue is `kqueue(2)`, and on Windows.
///
/// # Platform notes
///
/// - **Linux** (5.3 or later): `pidfd_open(2)`. Each `ChildExit` holds a file descriptor.
/// - **kqueue**: `EVFILT_PROC` with `NOTE_EXIT`, and an `EVFILT_USER` event, which NetBSD has since 10 and OpenBSD since 7.8.
///   There is no descriptor, and one `ChildExit` for each child and [`Poll`](crate::Poll). The kernel tells the exit a little
///   before the child can be waited for; the event comes when it can.
/// - **Windows**: the handle of the process, of which each `ChildExit` has a duplicate, by a
///   `windows::Waitable`.
///
/// # Errors
///
/// Besides those that [`Registry::register`] lists, `register` gives
///
/// - [`Unsupported`](io::ErrorKind::Unsupported): the kernel has no `EVFILT_USER`;
/// - [`AlreadyExists`](io::ErrorKind::AlreadyExists), with kqueue: another `ChildExit` of this child is registered with this
///   `Poll`.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::process::Command;
/// use mio::{ChildExit, Events, Interest, Poll, Token};
///
/// # if cfg!(windows) { return Ok(()); }
/// let mut poll = Poll::new()?;
/// let mut events = Events::with_capacity(8);
///
/// let mut child = Command::new("true").spawn()?;
/// let mut exit = ChildExit::new(&child)?;
/// poll.registry().register(&mut exit, Token(0), Interest::READABLE)?;
///
/// let status = loop {
///     poll.poll(&mut events, None)?;
///     if let Some(status) = child.try_wait()? {
///         break status;
///     }
/// };
/// assert!(status.success());
/// # Ok(())
/// # }
/// ```
pub struct ChildExit {
    exit: os::Exit,
}

impl ChildExit {
    /// Makes a source of the exit of `child`, which must not have been waited for: its number may belong to another
    /// process by then.
    ///
    /// # Errors
    ///
    /// - [`Unsupported`](io::ErrorKind::Unsupported): Linux is older than 5.3.
    /// - The OS's own error: too many open files, out of memory. On Unix `ESRCH` or `ECHILD` if `child` was waited for, and
    ///   this could be told.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::process::Command;
    /// use mio::ChildExit;
    ///
    /// # if cfg!(windows) { return Ok(()); }
    /// let mut child = Command::new("true").spawn()?;
    /// let exit = ChildExit::new(&child)?; // register this one
    /// # drop(exit);
    /// # child.wait()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn new(child: &Child) -> io::Result<ChildExit> {
        Ok(ChildExit { exit: os::open(child)? })
    }
}

impl Watched for ChildExit {
    fn watch(&mut self, registry: &Registry, watch: Watch) -> io::Result<()> {
        self.exit.watch(registry, once(watch))
    }

    fn rewatch(&mut self, registry: &Registry, watch: Watch) -> io::Result<()> {
        self.exit.rewatch(registry, once(watch))
    }

    fn unwatch(&mut self, registry: &Registry) -> io::Result<()> {
        self.exit.unwatch(registry)
    }
}

impl_source!(ChildExit);

/// A process exits once, which makes it readable. What may happen to it later, as when it is waited for, is no edge of its own.
fn once(watch: Watch) -> Watch {
    let trigger = if watch.trigger == Trigger::Edge { Trigger::OneShot } else { watch.trigger };
    Watch { interest: Interest::READABLE, trigger, ..watch }
}

impl fmt::Debug for ChildExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ChildExit").field(&self.exit).finish()
    }
}
