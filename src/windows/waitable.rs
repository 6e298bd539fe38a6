//! [`Waitable`]: anything that Windows can wait for, as a source. The code that waits is in `sys/windows/waitable.rs`.

use std::fmt;
use std::io;
use std::ops::{Deref, DerefMut};
use std::os::windows::io::AsHandle;

use crate::event::{Watched, impl_source};
use crate::sys::Watch;
use crate::sys::windows::waitable::Registration;
use crate::{Interest, Registry};

/// Turns an object that Windows can wait for into a [`Source`](crate::event::Source): a process, a thread, an event, a
/// semaphore, a timer, a notification of a changed directory, or a console's input.
///
/// `H` holds or borrows the handle: an [`OwnedHandle`](std::os::windows::io::OwnedHandle), a
/// [`BorrowedHandle`](std::os::windows::io::BorrowedHandle), a [`Child`](std::process::Child), a
/// [`JoinHandle`](std::thread::JoinHandle). You can still use it, because a `Waitable` dereferences to it.
///
/// While the object is signalled, the source is readable. It has no other kind of readiness.
///
/// # When an event arrives
///
/// | trigger | events |
/// |---|---|
/// | [`Edge`](crate::Trigger::Edge), the default, and [`OneShot`](crate::Trigger::OneShot) | one, when the object is signalled, or at once if it is already signalled; the next after [`reregister`](Registry::reregister) |
/// | [`Level`](crate::Trigger::Level) | one from each poll while the object is signalled |
///
/// `Edge` and `OneShot` are the same here, because you do no I/O through this crate that could say that a signal is used up.
///
/// For some objects, Windows takes the signal from the object when a wait ends: it resets an auto-reset event, and counts down
/// a semaphore. So each event of theirs stands for one signal that the source has taken for you, and that no other thread gets.
/// If the registration ends before that event, the source gives the signal back: it sets the auto-reset event, or counts the
/// semaphore up. It cannot do so for a timer, or if the handle lacks the rights (`EVENT_QUERY_STATE` and `EVENT_MODIFY_STATE`,
/// or `SEMAPHORE_MODIFY_STATE`). Other objects, such as processes, threads and manual-reset events, stay signalled.
///
/// # Cost
///
/// A thread of the process's pool waits for up to 63 objects, and posts to the queue. A program that has no `Waitable` has no
/// such thread. If the pool is reporting the object, `register`, `deregister` and `drop` wait until it has finished. So do not
/// call them in a callback of the pool that runs in a waiting thread (`WT_EXECUTEINWAITTHREAD`).
///
/// The registration has a duplicate of the handle. So you may close or replace the object while it is registered: the
/// registration still watches the original object.
///
/// Calls `RegisterWaitForSingleObject`.
///
/// # Errors
///
/// `register` returns
///
/// - [`InvalidInput`](io::ErrorKind::InvalidInput) if the interests lack [`READABLE`](Interest::READABLE), or if the object is
///   a mutex, which would then belong to the thread that waits for it;
/// - the OS's own error, such as `ERROR_ACCESS_DENIED` for a handle without the right to wait (`SYNCHRONIZE`).
///
/// # Examples
///
/// A child's exit is an event:
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::process::Command;
/// use mio::windows::Waitable;
/// use mio::{Events, Interest, Poll, Token};
///
/// let mut poll = Poll::new()?;
/// let mut events = Events::with_capacity(8);
///
/// let child = Command::new("cmd").args(["/c", "exit 7"]).spawn()?;
/// let mut child = Waitable::new(child);
/// poll.registry().register(&mut child, Token(0), Interest::READABLE)?;
///
/// poll.poll(&mut events, None)?;
/// assert!(events.iter().any(|event| event.token() == Token(0) && event.is_readable()));
/// assert_eq!(child.wait()?.code(), Some(7));
/// # Ok(())
/// # }
/// ```
pub struct Waitable<H> {
    registration: Registration,
    object: H,
}

impl<H> Waitable<H> {
    /// Makes a source of `object`, without a system call.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// use std::process::Command;
    /// use mio::windows::Waitable;
    ///
    /// let child = Command::new("cmd").args(["/c", "exit 0"]).spawn()?;
    /// let mut source = Waitable::new(child);
    /// // You can still use the object that it holds.
    /// source.wait()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn new(object: H) -> Waitable<H> {
        Waitable { registration: Registration::default(), object }
    }

    /// Returns the object, and ends its registration if it has one.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// use std::thread;
    /// use mio::windows::Waitable;
    ///
    /// let source = Waitable::new(thread::spawn(|| 7));
    /// let thread = source.into_inner();
    /// assert_eq!(thread.join().unwrap(), 7);
    /// # Ok(())
    /// # }
    /// ```
    pub fn into_inner(self) -> H {
        self.object
    }
}

impl<H> Deref for Waitable<H> {
    type Target = H;

    fn deref(&self) -> &H {
        &self.object
    }
}

impl<H> DerefMut for Waitable<H> {
    fn deref_mut(&mut self) -> &mut H {
        &mut self.object
    }
}

impl<H: AsHandle> Watched for Waitable<H> {
    fn watch(&mut self, registry: &Registry, watch: Watch) -> io::Result<()> {
        expect_readable(watch.interest)?;
        self.registration.register(registry.queue().backend.port(), self.object.as_handle(), watch)
    }

    fn rewatch(&mut self, registry: &Registry, watch: Watch) -> io::Result<()> {
        expect_readable(watch.interest)?;
        self.registration.reregister(registry.queue().backend.port(), watch)
    }

    fn unwatch(&mut self, registry: &Registry) -> io::Result<()> {
        self.registration.deregister(registry.queue().backend.port())
    }
}

impl_source!(Waitable<H> where H: AsHandle);

impl<H: fmt::Debug> fmt::Debug for Waitable<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Waitable").field(&self.object).finish()
    }
}

fn expect_readable(interest: Interest) -> io::Result<()> {
    if interest.is_readable() {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidInput,
        "an object to wait for can only become readable: ask for `Interest::READABLE`",
    ))
}
