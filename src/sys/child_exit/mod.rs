//! [`ChildExit`]: the exit of a child process as a source, on the platforms whose queue can watch for it.

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

/// Turns the exit of a child process into a [`Source`](crate::event::Source).
///
/// When its child has exited, a registered `ChildExit` produces one event, even if the child had exited before you registered
/// it. With [`Trigger::Level`] it goes on until you deregister it. The event is readable, whatever the interests are. Then call
/// [`Child::try_wait`], which returns the exit status and removes the child from the system's table of processes; `ChildExit`
/// does not do that for you.
///
/// Use it in an event loop that starts programs, instead of one waiting thread for each of them, or of a handler for
/// `SIGCHLD`, which a process has only one of.
///
/// Available with the crate feature `os-ext` on Linux (with any queue), where the queue is `kqueue(2)`, and on Windows.
///
/// # Platform notes
///
/// - **Linux** (5.3 or later): `pidfd_open(2)`. Each `ChildExit` holds a file descriptor.
/// - **kqueue**: `EVFILT_PROC` with `NOTE_EXIT`, and an `EVFILT_USER` event, which NetBSD has had since version 10 and OpenBSD
///   since 7.8. It takes no descriptor, and you can register one `ChildExit` for each child with a [`Poll`](crate::Poll). The
///   kernel reports the exit a little before you can wait for the child; the event arrives when you can. Once you have waited,
///   deregister or drop the source, because the number of the child may become that of another one.
/// - **Windows**: a duplicate of the handle of the process, in a `windows::Waitable`.
///
/// # Errors
///
/// `register` returns the errors that [`Registry::register`] lists, and with kqueue also
///
/// - [`Unsupported`](io::ErrorKind::Unsupported): the kernel has no `EVFILT_USER`;
/// - [`AlreadyExists`](io::ErrorKind::AlreadyExists): another `ChildExit` of this child is registered with this `Poll`.
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
#[derive(Debug)]
pub struct ChildExit(os::Exit);

impl ChildExit {
    /// Makes a source of the exit of `child`. Do this before you wait for the child, because afterwards its number may belong
    /// to another process.
    ///
    /// # Errors
    ///
    /// - [`Unsupported`](io::ErrorKind::Unsupported): Linux is older than 5.3.
    /// - Otherwise, the OS's own error, for example if too many files are open or memory runs out. On Unix this is `ESRCH` or
    ///   `ECHILD` if you have already waited for `child` and the system can tell.
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
        os::open(child).map(ChildExit)
    }
}

impl Watched for ChildExit {
    fn watch(&mut self, registry: &Registry, watch: Watch) -> io::Result<()> {
        self.0.watch(registry, once(watch))
    }

    fn rewatch(&mut self, registry: &Registry, watch: Watch) -> io::Result<()> {
        self.0.rewatch(registry, once(watch))
    }

    fn unwatch(&mut self, registry: &Registry) -> io::Result<()> {
        self.0.unwatch(registry)
    }
}

impl_source!(ChildExit);

/// Makes `watch` ask for readable, and once, unless it is level-triggered. A process exits only once, and what happens to it
/// later, for example when the program waits for it, must not cause another event.
fn once(watch: Watch) -> Watch {
    let trigger = if watch.trigger == Trigger::Level { Trigger::Level } else { Trigger::OneShot };
    Watch { interest: Interest::READABLE, trigger, ..watch }
}
