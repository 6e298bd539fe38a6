//! One registered waitable object, and the state machine of its waits.
//!
//! A thread of the system's pool waits for the object, and posts to the port when it is signalled. Such a wait works once, and the
//! trigger decides what follows:
//!
//! | phase | what happens | how it ends |
//! |---|---|---|
//! | idle | nothing, because the registration has fired, or ended | when it is registered again: waiting, or signalled |
//! | waiting | the pool waits | when the object is signalled: signalled |
//! | signalled | a packet is on its way to the port | with that packet: idle, or queued if level-triggered |
//! | queued | an event was reported | when the next `select` looks again: signalled, or waiting |
//!
//! Before the pool waits, this looks at the object, so that the report of a signalled object needs no detour through the pool. Each
//! look and each wait takes the signal where Windows does that: it resets an auto-reset event, and counts down a semaphore.
//!
//! The pool waits on a duplicate of the handle. So nothing that the user does to theirs, or forgets, harms the pool.

#![allow(unsafe_code)]

use std::ffi::c_void;
use std::io;
use std::mem::{self, ManuallyDrop};
use std::os::windows::io::{AsRawHandle, BorrowedHandle, OwnedHandle};
use std::ptr;
use std::sync::{Arc, Mutex, MutexGuard};

use windows_sys::Wdk::Foundation::{NtQueryObject, ObjectTypeInformation};
use windows_sys::Win32::Foundation::{INVALID_HANDLE_VALUE, UNICODE_STRING, WAIT_OBJECT_0, WAIT_TIMEOUT};
use windows_sys::Win32::System::Threading::{
    INFINITE, RegisterWaitForSingleObject, UnregisterWaitEx, WT_EXECUTEINWAITTHREAD, WT_EXECUTEONLYONCE,
    WaitForSingleObject,
};

use super::afd::check;
use super::iocp::{InFlight, Operation, Port};
use super::{Again, Batch, lock};
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
        refuse_mutex(object)?;
        let wait = Arc::new(Wait {
            notice: Operation::new(),
            object: object.try_clone_to_owned()?,
            port: Arc::clone(port),
            inner: Mutex::new(Inner { watch: Some(watch), phase: Phase::Idle }),
        });
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
            let mut inner = wait.inner();
            inner.watch = None;
            inner.phase = Phase::Idle;
        }
    }
}

struct Wait {
    /// An operation that the OS knows nothing about. Its completion brings the signal into the queue.
    notice: Operation,
    object: OwnedHandle,
    port: Arc<Port>,
    /// The pool's callback does not take this lock, so it may be held while a callback is waited for.
    inner: Mutex<Inner>,
}

struct Inner {
    /// What the registration asks for, or `None` after it has ended.
    watch: Option<Watch>,
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
    /// Waits for the object; if it is signalled already, brings that into the queue.
    fn arm(self: &Arc<Self>, inner: &mut Inner) -> io::Result<()> {
        if self.is_signalled()? {
            self.post();
            inner.phase = Phase::Signalled;
        } else {
            inner.phase = Phase::Waiting(PoolWait::new(self)?);
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

    /// Looks whether the object is signalled, and takes the signal if it is of the kind that can be taken.
    fn is_signalled(&self) -> io::Result<bool> {
        // SAFETY: the handle is open.
        match unsafe { WaitForSingleObject(self.object.as_raw_handle(), 0) } {
            WAIT_OBJECT_0 => Ok(true),
            WAIT_TIMEOUT => Ok(false),
            _ => Err(io::Error::last_os_error()),
        }
    }

    fn post(self: &Arc<Self>) {
        // It fails if the queue is gone, and with it those who would hear of it.
        let _ = self.port.post(self, |wait| &wait.notice);
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }
}

impl InFlight for Wait {
    fn completed(self: Arc<Self>, _operation: usize, _bytes: usize, batch: &mut Batch) {
        let mut inner = self.inner();
        // The callback that has posted may not have returned yet. It does not need this lock to return.
        inner.phase = Phase::Idle;
        let Some(watch) = inner.watch else { return };
        batch.report(watch.token, RECEIVE);
        if watch.trigger == Trigger::Level {
            inner.phase = Phase::Queued;
            drop(inner);
            batch.again.push(self);
        }
    }

    /// There is nothing to cancel, because an operation in flight is already in the port's queue.
    fn cancel(&self) {}
}

impl Again for Wait {
    fn again(self: Arc<Self>) -> bool {
        let mut inner = self.inner();
        match inner.phase {
            Phase::Queued => self.arm(&mut inner).is_ok(),
            _ => true,
        }
    }
}

/// A wait of the system's thread pool. Dropping this ends the wait, and after that no callback runs.
struct PoolWait {
    /// A `HANDLE`, which is a number: any thread but that of the callback may end the wait.
    handle: usize,
    /// The callback's.
    wait: Arc<Wait>,
}

impl PoolWait {
    fn new(wait: &Arc<Wait>) -> io::Result<PoolWait> {
        let object = wait.object.as_raw_handle();
        let context = Arc::as_ptr(wait).cast();
        // The waiting thread itself runs the callback, because that takes hardly any time.
        let flags = WT_EXECUTEONLYONCE | WT_EXECUTEINWAITTHREAD;
        let mut handle = ptr::null_mut();
        // SAFETY: object and context stay until the wait was ended, since `wait` is dropped after that.
        let registered =
            unsafe { RegisterWaitForSingleObject(&mut handle, object, Some(signalled), context, INFINITE, flags) };
        if registered == 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(PoolWait { handle: handle.expose_provenance(), wait: Arc::clone(wait) })
    }
}

impl Drop for PoolWait {
    fn drop(&mut self) {
        // SAFETY: the wait has not ended yet. This waits for a callback that is running.
        let ended = unsafe { UnregisterWaitEx(ptr::with_exposed_provenance_mut(self.handle), INVALID_HANDLE_VALUE) };
        if ended == 0 {
            // The pool may go on waiting for the object, and call back.
            mem::forget(Arc::clone(&self.wait));
        }
    }
}

unsafe extern "system" fn signalled(context: *mut c_void, _timed_out: bool) {
    // SAFETY: the pointer comes from an `Arc`, which the `PoolWait` keeps until this has returned.
    let wait = ManuallyDrop::new(unsafe { Arc::from_raw(context.cast::<Wait>().cast_const()) });
    wait.post();
}

/// A mutex belongs to the thread that waits for it, which would be one of the pool's: the pool ends the process for that.
fn refuse_mutex(object: BorrowedHandle<'_>) -> io::Result<()> {
    // A `PUBLIC_OBJECT_TYPE_INFORMATION`, which begins with the name, and the name's characters.
    let mut information = [0_u64; 128];
    let size = mem::size_of_val(&information) as u32;
    let mut length = 0;
    let data = information.as_mut_ptr().cast();
    // SAFETY: the handle is open, and there is room for `size` bytes, aligned for all that is in it.
    check(unsafe { NtQueryObject(object.as_raw_handle(), ObjectTypeInformation, data, size, &mut length) })?;
    // SAFETY: the call has filled the beginning in; the name lies in `information`, and is that many bytes long.
    let name = unsafe {
        let name = &*information.as_ptr().cast::<UNICODE_STRING>();
        std::slice::from_raw_parts(name.Buffer, usize::from(name.Length) / 2)
    };
    if name.iter().copied().eq("Mutant".encode_utf16()) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "a mutex cannot be waited for on behalf of another thread",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::env;
    use std::fs::File;

    use super::*;

    /// The pool may still run the callback with it.
    #[test]
    fn what_a_wait_that_cannot_be_ended_uses_is_never_freed() {
        let wait = Arc::new(Wait {
            notice: Operation::new(),
            object: File::open(env::current_exe().unwrap()).unwrap().into(),
            port: Arc::new(Port::new().unwrap()),
            inner: Mutex::new(Inner { watch: None, phase: Phase::Idle }),
        });
        // No wait has this handle.
        drop(PoolWait { handle: 0, wait: Arc::clone(&wait) });
        assert_eq!(Arc::strong_count(&wait), 2);
    }
}
