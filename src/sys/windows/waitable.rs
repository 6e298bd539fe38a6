//! One registered waitable object, and the state machine of its waits.
//!
//! A thread of the system's pool waits for the object, and posts to the port when it is signalled. Such a wait works once, and
//! the trigger decides what follows:
//!
//! | phase | what happens | how it ends |
//! |---|---|---|
//! | idle | nothing, because the registration has fired, or ended | when it is registered again: waiting, or signalled |
//! | waiting | the pool waits | when the object is signalled: signalled |
//! | signalled | a packet is on its way to the port | with that packet: idle, or queued if level-triggered |
//! | queued | an event was reported | when the next `select` looks again: signalled, or waiting |
//!
//! Before the pool waits, this looks at the object, so that the report of a signalled object needs no detour through the pool.
//! Each look and each wait takes the signal where Windows does that: it resets an auto-reset event, and counts down a
//! semaphore.
//!
//! A signal that was taken belongs to the event that reports it. If the registration or its queue ends before that, the signal
//! is given back where that is possible. Other code may reset an object whose signal a wait does not take. If it has done so by
//! the time of the packet, a level-triggered registration does not report the object.
//!
//! The pool waits on a duplicate of the handle. So whatever users do to their own handle, or forget to do, does not harm the
//! pool.

#![allow(unsafe_code)]

use std::ffi::c_void;
use std::io;
use std::mem;
use std::os::windows::io::{AsRawHandle, BorrowedHandle, OwnedHandle};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use windows_sys::Wdk::Foundation::{NtQueryObject, ObjectTypeInformation};
use windows_sys::Win32::Foundation::{
    HANDLE, INVALID_HANDLE_VALUE, NTSTATUS, UNICODE_STRING, WAIT_OBJECT_0, WAIT_TIMEOUT,
};
use windows_sys::Win32::System::Threading::{
    INFINITE, RegisterWaitForSingleObject, ReleaseSemaphore, SetEvent, UnregisterWaitEx, WT_EXECUTEINWAITTHREAD,
    WT_EXECUTEONLYONCE, WaitForSingleObject,
};

use super::afd::check;
use super::iocp::{InFlight, Operation, Port};
use super::{Batch, lock};
use crate::Trigger;
use crate::sys::logic::afd::RECEIVE;
use crate::sys::{Watch, already_registered, not_registered};

/// What a source remembers of its registration. Dropping this ends the registration.
#[derive(Default)]
pub(crate) struct Registration(Option<Arc<Wait>>);

impl Registration {
    pub(crate) fn register(&mut self, port: &Arc<Port>, object: BorrowedHandle<'_>, watch: Watch) -> io::Result<()> {
        if self.0.as_ref().is_some_and(|wait| !wait.port.is_closed()) {
            return Err(already_registered());
        }
        let wait = Wait::new(object, port, watch)?;
        wait.arm(&mut wait.inner())?;
        *self = Registration(Some(wait));
        Ok(())
    }

    pub(crate) fn reregister(&self, port: &Arc<Port>, watch: Watch) -> io::Result<()> {
        match &self.0 {
            Some(wait) if Arc::ptr_eq(&wait.port, port) => wait.replace(watch),
            Some(wait) if !wait.port.is_closed() => Err(already_registered()),
            _ => Err(not_registered()),
        }
    }

    pub(crate) fn deregister(&mut self, port: &Arc<Port>) -> io::Result<()> {
        match &self.0 {
            Some(wait) if Arc::ptr_eq(&wait.port, port) => *self = Registration(None),
            _ => return Err(not_registered()),
        }
        Ok(())
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        if let Some(wait) = &self.0 {
            wait.end();
        }
    }
}

pub(super) struct Wait {
    /// An operation that the OS knows nothing about. Its completion brings the signal into the queue.
    notice: Operation,
    effect: Effect,
    port: Arc<Port>,
    /// The object's signal was taken, and no event has reported it yet.
    taken: AtomicBool,
    /// The pool's callback does not take this lock, so a thread may hold it while it waits for a callback.
    inner: Mutex<Inner>,
}

/// What a successful wait does to the object.
#[derive(Copy, Clone, PartialEq)]
enum Effect {
    /// The wait does nothing, and the object stays signalled.
    None,
    /// The wait resets an auto-reset event.
    Resets,
    /// The wait counts down a semaphore.
    CountsDown,
    /// This is not known: there are timers of both kinds, and handles that do not permit the query.
    Unknown,
}

struct Inner {
    /// What the registration asks for, or `None` after it has ended.
    watch: Option<Watch>,
    /// The duplicate of the handle, which is closed when the registration ends.
    object: Option<Arc<OwnedHandle>>,
    phase: Phase,
}

enum Phase {
    Idle,
    /// This also holds after the pool has seen the signal, until its packet was dequeued.
    Waiting(#[allow(dead_code, reason = "dropping it ends the wait")] PoolWait),
    Signalled,
    Queued,
}

impl Wait {
    fn new(object: BorrowedHandle<'_>, port: &Arc<Port>, watch: Watch) -> io::Result<Arc<Wait>> {
        let effect = Effect::of(object)?;
        let object = Some(Arc::new(object.try_clone_to_owned()?));
        Ok(Arc::new(Wait {
            notice: Operation::new(),
            effect,
            port: Arc::clone(port),
            taken: AtomicBool::new(false),
            inner: Mutex::new(Inner { watch: Some(watch), object, phase: Phase::Idle }),
        }))
    }

    /// Waits for the object or, if it is already signalled, brings that into the queue.
    fn arm(self: &Arc<Self>, inner: &mut Inner) -> io::Result<()> {
        let object = inner.object.as_ref().ok_or_else(not_registered)?;
        if is_signalled(object)? {
            self.post(object);
            inner.phase = Phase::Signalled;
        } else {
            inner.phase = Phase::Waiting(PoolWait::new(self, object)?);
        }
        Ok(())
    }

    fn replace(self: &Arc<Self>, watch: Watch) -> io::Result<()> {
        let mut inner = self.inner();
        inner.watch = Some(watch);
        match inner.phase {
            Phase::Idle | Phase::Queued => self.arm(&mut inner),
            // The wait continues, so that a signal that it has already taken does not get lost.
            Phase::Waiting(_) | Phase::Signalled => Ok(()),
        }
    }

    /// Looks at the object again, after the next `select` has started. After an error, that has to be done again a little later.
    pub(super) fn look_again(self: &Arc<Self>) -> io::Result<()> {
        let mut inner = self.inner();
        match inner.phase {
            Phase::Queued => self.arm(&mut inner),
            _ => Ok(()),
        }
    }

    /// Ends the registration.
    fn end(&self) {
        let mut inner = self.inner();
        inner.watch = None;
        // After this, the pool takes no signal any more.
        inner.phase = Phase::Idle;
        if let Some(object) = inner.object.take() {
            self.give_back(&object);
        }
    }

    /// Notes that the object's signal was taken, and brings that into the queue.
    fn post(self: &Arc<Self>, object: &OwnedHandle) {
        self.taken.store(true, Ordering::Relaxed);
        // This fails if the queue is gone, and then no poll can report the signal.
        if self.port.post(self, |wait| &wait.notice).is_err() {
            self.give_back(object);
        }
    }

    /// Gives back a signal that was taken and that no event has reported. If the handle lacks the right to do so, the signal is
    /// lost.
    fn give_back(&self, object: &OwnedHandle) {
        if !self.taken.swap(false, Ordering::Relaxed) {
            return;
        }
        match self.effect {
            // SAFETY: the handle is open.
            Effect::Resets => _ = unsafe { SetEvent(object.as_raw_handle()) },
            // SAFETY: the handle is open, and the call need not return the count.
            Effect::CountsDown => _ = unsafe { ReleaseSemaphore(object.as_raw_handle(), 1, ptr::null_mut()) },
            Effect::None | Effect::Unknown => {}
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }
}

/// Returns whether the object is signalled, and takes the signal where Windows does that.
fn is_signalled(object: &OwnedHandle) -> io::Result<bool> {
    // SAFETY: the handle is open.
    match unsafe { WaitForSingleObject(object.as_raw_handle(), 0) } {
        WAIT_OBJECT_0 => Ok(true),
        WAIT_TIMEOUT => Ok(false),
        _ => Err(io::Error::last_os_error()),
    }
}

impl InFlight for Wait {
    fn completed(self: Arc<Self>, _operation: usize, _bytes: usize, batch: &mut Batch) {
        let mut inner = self.inner();
        // The callback that has posted may not have returned yet. It does not need this lock to return.
        inner.phase = Phase::Idle;
        let (Some(watch), Some(object)) = (inner.watch, &inner.object) else { return };
        if self.port.is_closed() {
            return self.give_back(object);
        }
        self.taken.store(false, Ordering::Relaxed);
        let is_level = watch.trigger == Trigger::Level;
        if is_level && self.effect == Effect::None && is_signalled(object).is_ok_and(|signalled| !signalled) {
            if self.arm(&mut inner).is_ok() {
                return;
            }
        } else {
            batch.report(watch.token, RECEIVE);
        }
        if is_level {
            inner.phase = Phase::Queued;
            drop(inner);
            batch.again.push(self);
        }
    }

    /// There is nothing to cancel, because an operation in flight is already in the port's queue.
    fn cancel(&self) {}
}

/// A wait of the system's thread pool. Dropping this ends the wait, and after that no callback runs.
struct PoolWait {
    /// A `HANDLE`, which is a number. Any thread except that of the callback may end the wait.
    handle: usize,
    lent: Arc<Context>,
}

/// What the callback gets.
struct Context {
    wait: Arc<Wait>,
    /// The handle that the pool waits for.
    object: Arc<OwnedHandle>,
}

impl PoolWait {
    fn new(wait: &Arc<Wait>, object: &Arc<OwnedHandle>) -> io::Result<PoolWait> {
        let lent = Arc::new(Context { wait: Arc::clone(wait), object: Arc::clone(object) });
        let context = Arc::as_ptr(&lent).cast();
        // The waiting thread itself runs the callback, because that takes hardly any time.
        let flags = WT_EXECUTEONLYONCE | WT_EXECUTEINWAITTHREAD;
        let (mut handle, raw) = (ptr::null_mut(), object.as_raw_handle());
        // SAFETY: the object and the context live until the wait has ended, because `lent` is dropped after that.
        let registered =
            unsafe { RegisterWaitForSingleObject(&mut handle, raw, Some(signalled), context, INFINITE, flags) };
        if registered == 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(PoolWait { handle: handle.expose_provenance(), lent })
    }
}

impl Drop for PoolWait {
    fn drop(&mut self) {
        // SAFETY: the wait has not ended yet. This waits for a callback that is running.
        let ended = unsafe { UnregisterWaitEx(ptr::with_exposed_provenance_mut(self.handle), INVALID_HANDLE_VALUE) };
        if ended == 0 {
            // The pool may still be waiting for the object, and run the callback.
            mem::forget(Arc::clone(&self.lent));
        }
    }
}

unsafe extern "system" fn signalled(context: *mut c_void, _timed_out: bool) {
    // SAFETY: the pointer comes from an `Arc`, which the `PoolWait` keeps until this has returned.
    let lent = unsafe { &*context.cast::<Context>() };
    lent.wait.post(&lent.object);
}

impl Effect {
    /// Finds out what a wait does to the object. It refuses a mutex, which would belong to the waiting thread of the pool,
    /// because the pool ends the process for that.
    fn of(object: BorrowedHandle<'_>) -> io::Result<Effect> {
        // This holds a `PUBLIC_OBJECT_TYPE_INFORMATION`, which begins with the name, and then the characters of the name.
        let mut information = [0_u64; 128];
        let size = mem::size_of_val(&information) as u32;
        let mut length = 0;
        let data = information.as_mut_ptr().cast();
        // SAFETY: the handle is open, and there is room for `size` bytes, with sufficient alignment.
        check(unsafe { NtQueryObject(object.as_raw_handle(), ObjectTypeInformation, data, size, &mut length) })?;
        // SAFETY: the call has filled in the beginning. The name is in `information`, and is that many bytes long.
        let name = unsafe {
            let name = &*information.as_ptr().cast::<UNICODE_STRING>();
            std::slice::from_raw_parts(name.Buffer, usize::from(name.Length) / 2)
        };
        match &*String::from_utf16_lossy(name) {
            "Mutant" => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "a mutex cannot be waited for on behalf of another thread",
            )),
            "Event" => Ok(Effect::of_event(object)),
            "Semaphore" => Ok(Effect::CountsDown),
            "Timer" => Ok(Effect::Unknown),
            _ => Ok(Effect::None),
        }
    }

    fn of_event(event: BorrowedHandle<'_>) -> Effect {
        const EVENT_BASIC_INFORMATION: i32 = 0;

        // This holds the kind of the event, where 1 stands for auto-reset, and its state.
        let mut information = [0_i32; 2];
        let (data, size) = (information.as_mut_ptr().cast(), mem::size_of_val(&information) as u32);
        // SAFETY: the handle is open, and there is room for the answer. The call need not return its length.
        let status =
            unsafe { NtQueryEvent(event.as_raw_handle(), EVENT_BASIC_INFORMATION, data, size, ptr::null_mut()) };
        match (check(status), information) {
            (Ok(()), [1, _]) => Effect::Resets,
            (Ok(()), _) => Effect::None,
            // The handle does not permit the query.
            (Err(_), _) => Effect::Unknown,
        }
    }
}

#[link(name = "ntdll")]
unsafe extern "system" {
    /// `windows-sys` lacks this function. It writes an `EVENT_BASIC_INFORMATION`.
    fn NtQueryEvent(event: HANDLE, kind: i32, data: *mut c_void, size: u32, length: *mut u32) -> NTSTATUS;
}

#[cfg(test)]
mod tests {
    use std::env;
    use std::fs::File;
    use std::os::windows::io::{AsHandle, FromRawHandle};
    use std::thread;

    use windows_sys::Win32::System::Threading::CreateEventW;

    use super::*;
    use crate::{Interest, Token};

    fn wait(object: &impl AsHandle) -> Arc<Wait> {
        let port = Arc::new(Port::new().unwrap());
        let watch = Watch { token: Token(0), interest: Interest::READABLE, trigger: Trigger::Edge };
        Wait::new(object.as_handle(), &port, watch).unwrap()
    }

    #[test]
    fn a_signal_that_the_pool_has_taken_and_no_event_reported_is_given_back() {
        // SAFETY: the call gets no attributes and no name.
        let object = unsafe { OwnedHandle::from_raw_handle(CreateEventW(ptr::null(), 0, 0, ptr::null())) };
        for closed in [false, true] {
            let wait = wait(&object);
            wait.arm(&mut wait.inner()).unwrap();
            // SAFETY: the handle is open.
            unsafe { SetEvent(object.as_raw_handle()) };
            while !wait.taken.load(Ordering::Relaxed) {
                thread::yield_now();
            }
            if closed {
                wait.port.close();
            } else {
                wait.end();
            }
            assert!(is_signalled(&object).unwrap());
        }
    }

    /// The pool may still run the callback with it.
    #[test]
    fn what_a_wait_that_cannot_be_ended_uses_is_never_freed() {
        let object = File::open(env::current_exe().unwrap()).unwrap();
        let wait = wait(&object);
        let object = Arc::new(object.into());
        // There is no wait with this handle.
        drop(PoolWait { handle: 0, lent: Arc::new(Context { wait: Arc::clone(&wait), object: Arc::clone(&object) }) });
        assert_eq!((Arc::strong_count(&wait), Arc::strong_count(&object)), (2, 2));
    }
}
