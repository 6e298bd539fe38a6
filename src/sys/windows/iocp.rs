//! The I/O completion port, and its one law: what the kernel may write to stays alive until it is done with it.
//!
//! The port itself owns whatever has an operation in flight. It takes that reference before the operation starts, and
//! gives it back when the operation's completion was dequeued, or when the call that would have started it said that no
//! completion will come. Nothing else ends it: neither dropping the source, nor deregistering, nor cancelling. So the
//! memory of an operation is a plain field of its owner, and is never freed by hand. Addresses that come out of the port
//! are looked up, never followed.

#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::io;
use std::mem;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::panic::RefUnwindSafe;
use std::ptr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use windows_sys::Win32::Foundation::{HANDLE, INVALID_HANDLE_VALUE, NTSTATUS, WAIT_TIMEOUT};
use windows_sys::Win32::System::IO::{
    CreateIoCompletionPort, GetQueuedCompletionStatusEx, OVERLAPPED, OVERLAPPED_ENTRY, PostQueuedCompletionStatus,
};
use windows_sys::Win32::System::Threading::INFINITE;

use super::{Batch, lock};

/// How long a port that is being dropped waits for a completion of the operations that it has cancelled. They come at
/// once; if one does not, its memory is given up for lost, since the kernel may still write to it.
const PATIENCE: Duration = Duration::from_secs(10);

/// An I/O completion port, and the owners of the operations that are in flight on it.
pub(crate) struct Port {
    handle: OwnedHandle,
    /// By the address of the operation.
    in_flight: Mutex<HashMap<usize, Arc<dyn Owner>>>,
}

/// What an operation is part of, together with the memory that the operation reads and writes.
pub(crate) trait Owner: Send + Sync + RefUnwindSafe {
    /// The operation at this address is over. Its memory is the owner's again.
    fn completed(self: Arc<Self>, operation: usize, bytes: usize, batch: &mut Batch);

    /// Asks the kernel to end all operations of this owner. They complete nevertheless.
    fn cancel(&self);
}

impl Port {
    pub(crate) fn new() -> io::Result<Port> {
        // SAFETY: makes a new port, with no file.
        let handle = unsafe { CreateIoCompletionPort(INVALID_HANDLE_VALUE, ptr::null_mut(), 0, 1) };
        if handle.is_null() {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the handle is new, and nobody else's.
        let handle = unsafe { OwnedHandle::from_raw_handle(handle) };
        Ok(Port { handle, in_flight: Mutex::default() })
    }

    /// Has the operations on `file` report their completion here. For good: a file keeps its first port.
    pub(crate) fn associate(&self, file: &OwnedHandle) -> io::Result<()> {
        // SAFETY: both handles are open.
        let port = unsafe { CreateIoCompletionPort(file.as_raw_handle(), self.raw(), 0, 0) };
        if port.is_null() { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Starts an operation of `owner`: `submit` hands it to the OS. `Ok` from `submit` says that a completion will come,
    /// an error that none will.
    pub(crate) fn start<O: Owner + 'static>(
        &self,
        owner: &Arc<O>,
        operation: fn(&O) -> &Operation,
        submit: impl FnOnce(*mut OVERLAPPED) -> io::Result<()>,
    ) -> io::Result<()> {
        let operation = operation(owner);
        match self.in_flight().entry(operation.address()) {
            Entry::Vacant(entry) => entry.insert(Arc::<O>::clone(owner)),
            Entry::Occupied(_) => return Err(io::Error::other("the operation is in flight already")),
        };
        // SAFETY: it was not in flight, so nobody but this thread knows of the memory.
        unsafe { *operation.0.get() = OVERLAPPED::default() };
        let submitted = submit(operation.0.get());
        if submitted.is_err() {
            self.take(operation.address());
        }
        submitted
    }

    /// Completes an operation of `owner` that never was one of the OS's.
    #[cfg(feature = "os-ext")]
    pub(crate) fn post<O: Owner + 'static>(&self, owner: &Arc<O>, operation: fn(&O) -> &Operation) -> io::Result<()> {
        self.start(owner, operation, |overlapped| self.post_packet(overlapped))
    }

    /// Puts a packet without an operation into the queue.
    pub(crate) fn notify(&self) -> io::Result<()> {
        self.post_packet(ptr::null_mut())
    }

    fn post_packet(&self, overlapped: *mut OVERLAPPED) -> io::Result<()> {
        // SAFETY: the port is open; the kernel hands the pointer through without following it.
        let posted = unsafe { PostQueuedCompletionStatus(self.raw(), 0, 0, overlapped) };
        if posted == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Waits for packets, as many as the buffer has room for. There are none when the time, rounded up to milliseconds,
    /// is over: or a little before that, since the kernel counts in ticks of its clock.
    pub(crate) fn dequeue<'b>(
        &self,
        buffer: &'b mut Packets,
        timeout: Option<Duration>,
    ) -> io::Result<impl Iterator<Item = Packet> + 'b> {
        let packets = &mut buffer.0;
        packets.clear();
        // What is too large for 32 bits as a number of bytes is not offered.
        let room = packets.capacity().min(u32::MAX as usize / size_of::<OVERLAPPED_ENTRY>()) as u32;
        let mut count = 0;
        // SAFETY: the port is open, and there is room for `room` packets.
        let dequeued = unsafe {
            GetQueuedCompletionStatusEx(self.raw(), packets.as_mut_ptr(), room, &mut count, milliseconds(timeout), 0)
        };
        if dequeued != 0 {
            // SAFETY: the kernel has filled that many, no more than there is room for.
            unsafe { packets.set_len(count as usize) };
        } else {
            let error = io::Error::last_os_error();
            if error.raw_os_error() != Some(WAIT_TIMEOUT as i32) {
                return Err(error);
            }
        }
        Ok(packets.iter().map(|packet| Packet {
            operation: packet.lpOverlapped.addr(),
            bytes: packet.dwNumberOfBytesTransferred as usize,
        }))
    }

    /// The owner of an operation whose completion was dequeued.
    pub(crate) fn take(&self, operation: usize) -> Option<Arc<dyn Owner>> {
        self.in_flight().remove(&operation)
    }

    fn in_flight(&self) -> MutexGuard<'_, HashMap<usize, Arc<dyn Owner>>> {
        lock(&self.in_flight)
    }

    fn raw(&self) -> HANDLE {
        self.handle.as_raw_handle()
    }
}

impl Drop for Port {
    /// Ends all operations that are in flight.
    fn drop(&mut self) {
        let owners: Vec<_> = self.in_flight().values().cloned().collect();
        for owner in owners {
            owner.cancel();
        }
        let mut buffer = Packets::with_capacity(64);
        while !self.in_flight().is_empty() {
            let mut batch = Batch::default();
            let mut idle = true;
            for packet in self.dequeue(&mut buffer, Some(PATIENCE)).into_iter().flatten() {
                idle = false;
                if let Some(owner) = self.take(packet.operation) {
                    owner.completed(packet.operation, packet.bytes, &mut batch);
                }
            }
            if idle {
                return mem::forget(mem::take(&mut *self.in_flight()));
            }
        }
    }
}

impl fmt::Debug for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Port").field(&self.raw()).finish()
    }
}

/// The kernel's part of an operation. While that is in flight, nobody else touches it.
pub(crate) struct Operation(UnsafeCell<OVERLAPPED>);

// SAFETY: the fields are accessed only through `Port::start`, while not in flight, and `status`, which is unsafe.
unsafe impl Send for Operation {}
// SAFETY: as above.
unsafe impl Sync for Operation {}
/// Nothing panics half-way through a change of it.
impl RefUnwindSafe for Operation {}

impl Operation {
    pub(crate) fn new() -> Operation {
        Operation(UnsafeCell::default())
    }

    /// By which the kernel knows the operation.
    pub(crate) fn address(&self) -> usize {
        self.0.get().addr()
    }

    /// The pointer to cancel it by.
    pub(crate) fn overlapped(&self) -> *const OVERLAPPED {
        self.0.get()
    }

    /// How it ended.
    ///
    /// # Safety
    ///
    /// The operation is not in flight, nor being started.
    pub(crate) unsafe fn status(&self) -> NTSTATUS {
        // SAFETY: the caller vouches that nobody writes to it. The field is where the kernel puts its `NTSTATUS`.
        unsafe { (*self.0.get()).Internal as NTSTATUS }
    }
}

/// What was dequeued: the end of the operation at this address, which is zero for the packet of [`Port::notify`].
pub(crate) struct Packet {
    pub(crate) operation: usize,
    pub(crate) bytes: usize,
}

/// What the kernel writes packets into.
pub(crate) struct Packets(Vec<OVERLAPPED_ENTRY>);

// SAFETY: the pointers in it are numbers to this crate, and never followed.
unsafe impl Send for Packets {}
// SAFETY: as above.
unsafe impl Sync for Packets {}

impl Packets {
    pub(crate) fn with_capacity(capacity: usize) -> Packets {
        Packets(Vec::with_capacity(capacity))
    }
}

/// Rounds up.
fn milliseconds(timeout: Option<Duration>) -> u32 {
    let Some(timeout) = timeout else { return INFINITE };
    let milliseconds = timeout.as_nanos().div_ceil(1_000_000);
    u32::try_from(milliseconds).map_or(INFINITE - 1, |milliseconds| milliseconds.min(INFINITE - 1))
}
