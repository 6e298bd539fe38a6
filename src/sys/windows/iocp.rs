//! The I/O completion port, and its one law: what the kernel may write to stays alive until it is done with it.
//!
//! The port itself keeps alive whatever has an operation in flight. It takes that reference before the operation starts,
//! and gives it back when the operation's completion was dequeued, or when the call that would have started it said that
//! no completion will come. Nothing else ends it: neither dropping the source, nor deregistering, nor cancelling. So the
//! memory of an operation is a plain field of what it is part of, and is never freed by hand. Addresses that come out of
//! the port are looked up, never followed: a packet that is not of this crate's making finds nothing.
//!
//! A port outlives its queue: sources keep it, and it does nothing when they let go of it, whatever they hold locked. The
//! life of the *queue* ends with [`Port::close`], which the selector alone calls, and after which nothing starts.

#![allow(unsafe_code)]

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::io;
use std::mem;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::panic::RefUnwindSafe;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use windows_sys::Win32::Foundation::{HANDLE, INVALID_HANDLE_VALUE, NTSTATUS, WAIT_TIMEOUT};
use windows_sys::Win32::System::IO::{
    CreateIoCompletionPort, GetQueuedCompletionStatusEx, OVERLAPPED, OVERLAPPED_ENTRY, PostQueuedCompletionStatus,
};

use super::Batch;
use crate::sys::common::kernel::{Buffer, Lent};
use crate::sys::common::lock::lock;
use crate::sys::common::time::milliseconds;
use crate::sys::not_registered;

/// How many threads that took packets from the port may run at a time. A thread stays one of them until it waits on
/// another port or ends, and while there are this many running Windows hands packets to nobody else: a queue that moved on
/// to another thread would be deaf until its former one sleeps. So there is no limit (0 stands for the number of
/// processors, which is one).
const CONCURRENCY: u32 = u32::MAX;

/// How long a closing port waits for a completion of the operations that it has cancelled. They come at once; if one does
/// not, its memory is given up for lost, since the kernel may still write to it.
const PATIENCE: Duration = Duration::from_secs(10);

/// What packets are told apart by: the end of an operation of this crate's files, and a notification.
const COMPLETION: usize = 1;
const NOTIFICATION: usize = 2;

/// An I/O completion port, and what has operations in flight on it.
pub(crate) struct Port {
    handle: OwnedHandle,
    table: Mutex<Table>,
    /// So that the lock is taken only when there are any.
    has_unposted: AtomicBool,
}

#[derive(Default)]
struct Table {
    /// By the address of the operation.
    in_flight: HashMap<usize, Arc<dyn InFlight>, BuildHasherDefault<AddressHasher>>,
    /// Operations that are over, and whose packets the OS has not taken.
    unposted: Vec<usize>,
    /// The queue is gone.
    closed: bool,
}

/// What an operation is part of, together with the memory that the operation reads and writes.
pub(crate) trait InFlight: Send + Sync + RefUnwindSafe {
    /// The operation at this address is over. Its memory is no longer the kernel's.
    fn completed(self: Arc<Self>, operation: usize, bytes: usize, batch: &mut Batch);

    /// Asks the kernel to end all operations of this one. They complete nevertheless. For that it takes the lock under which
    /// they start: one that is just being submitted would be missed.
    fn cancel(&self);
}

impl Port {
    pub(crate) fn new() -> io::Result<Port> {
        // SAFETY: makes a new port, with no file.
        let handle = unsafe { CreateIoCompletionPort(INVALID_HANDLE_VALUE, ptr::null_mut(), 0, CONCURRENCY) };
        if handle.is_null() {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the handle is new, and nobody else's.
        let handle = unsafe { OwnedHandle::from_raw_handle(handle) };
        Ok(Port { handle, table: Mutex::default(), has_unposted: AtomicBool::new(false) })
    }

    /// Has the operations on `file` report their completion here. For good: a file keeps its first port.
    pub(crate) fn associate(&self, file: &OwnedHandle) -> io::Result<()> {
        // SAFETY: both handles are open.
        let port = unsafe { CreateIoCompletionPort(file.as_raw_handle(), self.raw(), COMPLETION, 0) };
        if port.is_null() { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Starts an operation of `owner`: `submit` hands it to the OS. `Ok` from `submit` says that a completion will come,
    /// an error that none will. [`NotFound`](io::ErrorKind::NotFound): the queue is gone.
    pub(crate) fn start<O: InFlight + 'static>(
        &self,
        owner: &Arc<O>,
        operation: fn(&O) -> &Operation,
        submit: impl FnOnce(*mut OVERLAPPED) -> io::Result<()>,
    ) -> io::Result<()> {
        let operation = operation(owner);
        self.table().insert(operation.address(), owner)?;
        // SAFETY: it was not in flight, so nobody but this thread knows of the memory.
        unsafe { *operation.0.get() = OVERLAPPED::default() };
        let submitted = submit(operation.0.get());
        if submitted.is_err() {
            self.take(operation.address());
        }
        submitted
    }

    /// Completes an operation of `owner` that never was one of the OS's. When the OS takes no packet, for lack of memory,
    /// the next `dequeue` gives it: so nothing that is due is lost. [`NotFound`](io::ErrorKind::NotFound): the queue is
    /// gone.
    pub(crate) fn post<O: InFlight + 'static>(
        &self,
        owner: &Arc<O>,
        operation: fn(&O) -> &Operation,
    ) -> io::Result<()> {
        self.start(owner, operation, |overlapped| {
            if self.post_packet(overlapped, COMPLETION).is_err() {
                self.table().unposted.push(overlapped.addr());
                self.has_unposted.store(true, Ordering::Release);
            }
            Ok(())
        })
    }

    /// Puts a packet without an operation into the queue.
    pub(crate) fn notify(&self) -> io::Result<()> {
        self.post_packet(ptr::null_mut(), NOTIFICATION)
    }

    fn post_packet(&self, overlapped: *mut OVERLAPPED, key: usize) -> io::Result<()> {
        injected_failure()?;
        // SAFETY: the port is open; the kernel hands the pointer through without following it.
        let posted = unsafe { PostQueuedCompletionStatus(self.raw(), 0, key, overlapped) };
        if posted == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Waits for packets, no more than `room` (which is not zero) and no more than the buffer has room for. There are none
    /// when the time, rounded up to milliseconds, is over: or a little before that, since the kernel counts in ticks of its
    /// clock.
    pub(crate) fn dequeue<'b>(
        &self,
        buffer: &'b mut Packets,
        room: usize,
        timeout: Duration,
    ) -> io::Result<impl Iterator<Item = Packet> + 'b> {
        let packets = &mut buffer.0;
        packets.clear();
        if self.has_unposted.load(Ordering::Acquire) {
            self.take_unposted(packets, room);
        } else {
            self.wait(packets, room, timeout)?;
        }
        Ok(packets.iter().map(|packet| match packet.lpCompletionKey {
            NOTIFICATION => Packet::Notification,
            _ => Packet::Completion {
                operation: packet.lpOverlapped.addr(),
                bytes: packet.dwNumberOfBytesTransferred as usize,
            },
        }))
    }

    fn wait(&self, packets: &mut Vec<OVERLAPPED_ENTRY>, room: usize, timeout: Duration) -> io::Result<()> {
        // What is too large for 32 bits as a number of bytes is not offered.
        let room = packets.capacity().min(room).min(u32::MAX as usize / size_of::<OVERLAPPED_ENTRY>()) as u32;
        let timeout = milliseconds(timeout) as u32;
        let mut count = 0;
        // SAFETY: the port is open, and there is room for `room` packets.
        let dequeued =
            unsafe { GetQueuedCompletionStatusEx(self.raw(), packets.as_mut_ptr(), room, &mut count, timeout, 0) };
        if dequeued != 0 {
            // SAFETY: the kernel has filled that many, no more than there is room for.
            unsafe { packets.set_len(count as usize) };
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.raw_os_error() == Some(WAIT_TIMEOUT as i32) { Ok(()) } else { Err(error) }
    }

    /// As many of those that were not posted as there is room for.
    fn take_unposted(&self, packets: &mut Vec<OVERLAPPED_ENTRY>, room: usize) {
        let mut table = self.table();
        let count = table.unposted.len().min(packets.capacity()).min(room);
        packets.extend(table.unposted.drain(..count).map(|operation| OVERLAPPED_ENTRY {
            lpCompletionKey: COMPLETION,
            lpOverlapped: ptr::without_provenance_mut(operation),
            ..OVERLAPPED_ENTRY::default()
        }));
        self.has_unposted.store(!table.unposted.is_empty(), Ordering::Release);
    }

    /// What was kept alive for an operation whose completion was dequeued.
    pub(crate) fn take(&self, operation: usize) -> Option<Arc<dyn InFlight>> {
        self.table().in_flight.remove(&operation)
    }

    /// Ends all operations that are in flight; no other starts. For the last one who uses the queue, and holds no lock.
    pub(crate) fn close(&self) {
        let in_flight: Vec<_> = {
            let mut table = self.table();
            table.closed = true;
            table.in_flight.values().cloned().collect()
        };
        for owner in in_flight {
            owner.cancel();
        }
        let mut buffer = Packets::with_capacity(64);
        while !self.table().in_flight.is_empty() {
            let mut batch = Batch::default();
            let mut idle = true;
            for packet in self.dequeue(&mut buffer, usize::MAX, PATIENCE).into_iter().flatten() {
                idle = false;
                let Packet::Completion { operation, bytes } = packet else { continue };
                if let Some(owner) = self.take(operation) {
                    owner.completed(operation, bytes, &mut batch);
                }
            }
            if idle {
                return mem::forget(mem::take(&mut self.table().in_flight));
            }
        }
    }

    /// The queue is gone.
    pub(crate) fn is_closed(&self) -> bool {
        self.table().closed
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        lock(&self.table)
    }

    fn raw(&self) -> HANDLE {
        self.handle.as_raw_handle()
    }
}

impl Table {
    fn insert<O: InFlight + 'static>(&mut self, operation: usize, owner: &Arc<O>) -> io::Result<()> {
        if self.closed {
            return Err(not_registered());
        }
        match self.in_flight.entry(operation) {
            Entry::Vacant(entry) => drop(entry.insert(Arc::<O>::clone(owner))),
            Entry::Occupied(_) => return Err(io::Error::other("the operation is in flight already")),
        }
        Ok(())
    }
}

/// Spreads addresses, whose lowest bits are zero: Fibonacci hashing. Nobody outside chooses them.
#[derive(Default)]
struct AddressHasher(u64);

impl Hasher for AddressHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_usize(byte.into()));
    }

    fn write_usize(&mut self, address: usize) {
        let product = (self.0 ^ address as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = product ^ product >> 32;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl fmt::Debug for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Port").field(&self.raw()).finish()
    }
}

/// The kernel's part of an operation. While that is in flight, nobody else touches it.
pub(crate) struct Operation(Lent<OVERLAPPED>);

impl Operation {
    pub(crate) fn new() -> Operation {
        Operation(Lent::new(OVERLAPPED::default()))
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

/// What was dequeued.
pub(crate) enum Packet {
    /// The operation at this address is over; it may be one that this crate knows nothing of.
    Completion { operation: usize, bytes: usize },
    /// One of [`Port::notify`].
    Notification,
}

/// What the kernel writes packets into.
pub(crate) type Packets = Buffer<OVERLAPPED_ENTRY>;

impl Packets {
    pub(crate) fn with_capacity(capacity: usize) -> Packets {
        Buffer(Vec::with_capacity(capacity))
    }

    /// For how many packets there is room.
    pub(crate) fn room(&self) -> usize {
        self.0.capacity()
    }
}

#[cfg(not(test))]
fn injected_failure() -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
use self::tests::injected_failure;

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        #[allow(clippy::missing_const_for_thread_local, reason = "it is const; the linter sees the macro's way for MinGW")]
        static POSTS_FAIL: Cell<bool> = const { Cell::new(false) };
    }

    pub(super) fn injected_failure() -> io::Result<()> {
        if POSTS_FAIL.get() { Err(io::ErrorKind::OutOfMemory.into()) } else { Ok(()) }
    }

    /// Does nothing but to be kept alive.
    struct Nothing(Operation);

    impl InFlight for Nothing {
        fn completed(self: Arc<Self>, _operation: usize, _bytes: usize, _batch: &mut Batch) {}

        fn cancel(&self) {}
    }

    /// Two posted packets with a pointer that is not this crate's, as of I/O that somebody else began on a handle of the
    /// port's, and with none.
    #[test]
    fn a_packet_that_is_not_ours_is_found_nowhere() {
        let port = Port::new().unwrap();
        let mut foreign = OVERLAPPED::default();
        port.post_packet(&mut foreign, COMPLETION).unwrap();
        port.post_packet(ptr::null_mut(), COMPLETION).unwrap();
        port.post_packet(ptr::null_mut(), 0).unwrap();
        let mut buffer = Packets::with_capacity(8);
        let packets: Vec<_> = port.dequeue(&mut buffer, 8, Duration::ZERO).unwrap().collect();
        assert_eq!(packets.len(), 3);
        for packet in packets {
            let Packet::Completion { operation, .. } = packet else { panic!("taken for a notification") };
            assert!(port.take(operation).is_none());
        }
    }

    #[test]
    fn nothing_starts_on_a_closed_port_and_what_was_started_is_given_back() {
        let port = Port::new().unwrap();
        let nothing = Arc::new(Nothing(Operation::new()));
        let post = || port.start(&nothing, |nothing| &nothing.0, |at| port.post_packet(at, COMPLETION));
        post().unwrap();
        // In flight: it cannot start twice.
        assert!(post().is_err());
        assert_eq!(Arc::strong_count(&nothing), 2);
        port.close();
        assert_eq!(Arc::strong_count(&nothing), 1);
        assert_eq!(post().unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(Arc::strong_count(&nothing), 1);
    }

    #[test]
    fn a_start_that_fails_keeps_nothing() {
        let port = Port::new().unwrap();
        let nothing = Arc::new(Nothing(Operation::new()));
        let failed = port.start(&nothing, |nothing| &nothing.0, |_| Err(io::ErrorKind::OutOfMemory.into()));
        assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::OutOfMemory);
        assert_eq!(Arc::strong_count(&nothing), 1);
    }

    /// Wine has no limit, whatever the number is; Windows takes 0 for the number of processors.
    #[test]
    fn threads_that_polled_and_run_on_withhold_no_packets() {
        assert_eq!(CONCURRENCY, u32::MAX);
    }

    #[test]
    fn addresses_are_spread() {
        use std::collections::HashSet;
        use std::hash::Hash;

        // Blocks of an allocator, a cache line to some pages apart.
        for distance in [64, 176, 4096, 1 << 16] {
            let hashes = (0..1024_usize).map(|index| {
                let mut hasher = AddressHasher::default();
                (0x7f00_0000 + index * distance).hash(&mut hasher);
                hasher.finish() % 1024
            });
            assert!(hashes.collect::<HashSet<_>>().len() > 512, "{distance}");
        }
    }

    #[cfg(feature = "os-ext")]
    mod of_pipes {
        use std::fs::{File, OpenOptions};
        use std::io::{Read, Write};
        use std::time::Instant;

        use super::*;
        use crate::event::Event;
        use crate::windows::NamedPipe;
        use crate::{Events, Interest, Poll, Token};

        /// A queue, a server that is no source yet, and its client.
        fn pair(name: &str) -> (Poll, NamedPipe, File) {
            let name = format!(r"\\.\pipe\mio-{name}-{}", std::process::id());
            let server = NamedPipe::new(&name).unwrap();
            let client = OpenOptions::new().read(true).write(true).open(&name).unwrap();
            (Poll::new().unwrap(), server, client)
        }

        fn without_posts<T>(call: impl FnOnce() -> T) -> T {
            POSTS_FAIL.set(true);
            let result = call();
            POSTS_FAIL.set(false);
            result
        }

        /// Waits for such an event, after which there is none.
        fn expect(poll: &mut Poll, wanted: fn(&Event) -> bool) {
            let mut events = Events::with_capacity(4);
            let start = Instant::now();
            while !events.iter().any(|event| event.token() == Token(3) && wanted(event)) {
                poll.poll(&mut events, Some(Duration::from_secs(10))).unwrap();
                assert!(start.elapsed() < Duration::from_secs(5));
            }
            poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
            assert!(events.is_empty());
        }

        #[test]
        fn what_the_port_takes_no_packet_for_comes_with_the_next_poll() {
            let (mut poll, mut server, _client) = pair("unposted");
            without_posts(|| poll.registry().register(&mut server, Token(3), Interest::WRITABLE)).unwrap();
            expect(&mut poll, Event::is_writable);
        }

        #[test]
        fn a_read_whose_packet_cannot_be_posted_gives_its_bytes_and_the_event_comes_all_the_same() {
            let (mut poll, mut server, mut client) = pair("unposted-read");
            poll.registry().register(&mut server, Token(3), Interest::READABLE).unwrap();
            client.write_all(b"last words").unwrap();
            expect(&mut poll, Event::is_readable);
            drop(client);
            let mut buffer = [0; 16];
            // It looks for more, and finds the end.
            assert_eq!(without_posts(|| server.read(&mut buffer)).unwrap(), 10);
            assert_eq!(&buffer[..10], b"last words");
            expect(&mut poll, Event::is_read_closed);
            for _ in 0..3 {
                assert_eq!(without_posts(|| server.read(&mut buffer)).unwrap(), 0);
                expect(&mut poll, Event::is_read_closed);
            }
        }
    }
}
