//! Anything that Windows can wait for, as a source. The machinery is in `sys/windows/wait.rs`.

use std::fmt;
use std::io;
use std::ops::{Deref, DerefMut};
use std::os::windows::io::AsHandle;

use crate::event::{Watched, impl_source};
use crate::sys::Watch;
use crate::sys::windows::wait::Registration;
use crate::{Interest, Registry};

/// An object that Windows can wait for, as a [`Source`](crate::event::Source): a process, a thread, an event, a semaphore, a timer, a
/// notification of a changed directory, a console's input.
///
/// `H` is what holds or borrows the handle: an [`OwnedHandle`](std::os::windows::io::OwnedHandle), a
/// [`BorrowedHandle`](std::os::windows::io::BorrowedHandle), a [`Child`](std::process::Child), a
/// [`JoinHandle`](std::thread::JoinHandle). It stays usable: a `Waitable` derefs to it.
///
/// While the object is signalled, the source is readable; that is its only readiness.
///
/// # When an event comes
///
/// | trigger | events |
/// |---|---|
/// | [`Edge`](crate::Trigger::Edge), the default, and [`OneShot`](crate::Trigger::OneShot) | one, when the object is signalled, or at once if it is signalled already; the next after [`reregister`](Registry::reregister) |
/// | [`Level`](crate::Trigger::Level) | one from each poll while the object is signalled |
///
/// There is no I/O of this crate's that could say that a signal is used up, so both of the former are the same here.
///
/// Waiting for an object takes its signal where Windows has it so: an auto-reset event is reset, a semaphore is counted down.
/// So each event stands for one signal of theirs that was taken for you, and nobody else gets it. If the registration ends
/// before that event, the signal is given back: an auto-reset event is set, a semaphore counted up. There is no way to do so for
/// a timer, or with a handle that lacks the rights (`EVENT_QUERY_STATE` and `EVENT_MODIFY_STATE`, or `SEMAPHORE_MODIFY_STATE`).
/// Other objects, such as processes, threads and manual-reset events, stay signalled.
///
/// # Cost
///
/// A thread of the process's pool waits for up to 63 objects; it posts to the queue. A program that has no `Waitable` has
/// no such thread. `register`, `deregister` and `drop` wait for the pool if it is reporting the object at that time: so do not
/// call them in a callback of the pool's that runs in a thread that waits (`WT_EXECUTEINWAITTHREAD`).
///
/// The registration has a duplicate of the handle, so it does no harm to close or to change the object while it is
/// registered: it watches what was registered.
///
/// Calls `RegisterWaitForSingleObject`.
///
/// # Errors
///
/// `register` gives
///
/// - [`InvalidInput`](io::ErrorKind::InvalidInput) if the interests lack [`READABLE`](Interest::READABLE), or the object is
///   a mutex: that would belong to the thread that waits for it;
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
    /// Makes a source of `object`. Makes no system call.
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
    /// // What it holds stays usable.
    /// source.wait()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn new(object: H) -> Waitable<H> {
        Waitable { registration: Registration::default(), object }
    }

    /// Gives the object back, and ends its registration if it has one.
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
    Err(io::Error::new(io::ErrorKind::InvalidInput, "an object to wait for can only become readable"))
}
