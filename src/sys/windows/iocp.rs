//! The I/O completion port, and its most important rule: memory that the kernel may write to stays alive until the kernel has
//! finished with it.
//!
//! The port itself keeps the owner of each operation in flight alive. It takes a reference before the operation starts, and
//! drops it when the completion of the operation was dequeued, or when the call that should have started it said that there
//! will be no completion. Nothing else ends that: neither dropping the source, nor deregistering, nor cancelling. So the memory
//! of an operation is a plain field of its owner, and no code frees it by hand. This crate looks up the addresses that come out
//! of the port, and never follows them, so a packet that it has not made finds nothing.
//!
//! A port outlives its queue, because sources keep it. When they drop it, it does nothing, so they may hold any lock. The life
//! of the *queue* ends with [`Port::close`], which only the selector calls, and after which nothing starts.

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

/// How many threads that have taken packets from the port may run at a time. A thread stays one of them until it waits on
/// another port or ends, and while this many are running, Windows gives no packets to other threads. If there were a limit, a
/// queue that moves to another thread would get no packets until the former thread sleeps. (0 would stand for the number of
/// processors.)
const CONCURRENCY: u32 = u32::MAX;

/// How long a closing port waits for the operations that it has cancelled. They complete at once. If one does not, its memory
/// is leaked, because the kernel may still write to it.
const PATIENCE: Duration = Duration::from_secs(10);

/// The keys of packets: one for the end of an operation of this crate's files, and one for a notification.
const COMPLETION: usize = 1;
const NOTIFICATION: usize = 2;

/// An I/O completion port, and the owners of the operations in flight on it.
pub(crate) struct Port {
    handle: OwnedHandle,
    table: Mutex<Table>,
    /// Whether there are unposted operations. It saves a wait from taking the lock if there are none.
    has_unposted: AtomicBool,
}

#[derive(Default)]
struct Table {
    /// The owners of operations, with the address of the operation as the key.
    in_flight: HashMap<usize, Arc<dyn InFlight>, BuildHasherDefault<AddressHasher>>,
    /// Operations that have ended, but whose packets the OS has not taken.
    unposted: Vec<usize>,
    /// The queue is gone.
    closed: bool,
}

/// The owner of an operation, and of the memory that the operation reads and writes.
pub(crate) trait InFlight: Send + Sync + RefUnwindSafe {
    /// Called when the operation at this address has ended, and its memory no longer belongs to the kernel.
    fn completed(self: Arc<Self>, operation: usize, bytes: usize, batch: &mut Batch);

    /// Asks the kernel to end all operations of this owner. They still complete. It takes the lock under which they start,
    /// because it would otherwise miss one that is just being submitted.
    fn cancel(&self);
}

impl Port {
    pub(crate) fn new() -> io::Result<Port> {
        // SAFETY: the call makes a new port, and takes no file and no pointer.
        let handle = unsafe { CreateIoCompletionPort(INVALID_HANDLE_VALUE, ptr::null_mut(), 0, CONCURRENCY) };
        if handle.is_null() {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the handle is new, and nothing else owns it.
        let handle = unsafe { OwnedHandle::from_raw_handle(handle) };
        Ok(Port { handle, table: Mutex::default(), has_unposted: AtomicBool::new(false) })
    }

    /// Makes the operations on `file` report their completion here. This is permanent, because a file keeps its first port.
    pub(crate) fn associate(&self, file: &OwnedHandle) -> io::Result<()> {
        // SAFETY: both handles are open.
        let port = unsafe { CreateIoCompletionPort(file.as_raw_handle(), self.raw(), COMPLETION, 0) };
        if port.is_null() { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Starts an operation of `owner`, which `submit` passes to the OS. If `submit` returns `Ok`, there will be a completion;
    /// if it returns an error, there will be none. The error is [`NotFound`](io::ErrorKind::NotFound) if the queue is gone.
    pub(crate) fn start<O: InFlight + 'static>(
        &self,
        owner: &Arc<O>,
        operation: fn(&O) -> &Operation,
        submit: impl FnOnce(*mut OVERLAPPED) -> io::Result<()>,
    ) -> io::Result<()> {
        let operation = operation(owner);
        self.table().insert(operation.address(), owner)?;
        // SAFETY: the operation was not in flight, so only this thread accesses the memory.
        unsafe { *operation.0.get() = OVERLAPPED::default() };
        let submitted = submit(operation.0.get());
        if submitted.is_err() {
            self.table().in_flight.remove(&operation.address());
        }
        submitted
    }

    /// Completes an operation of `owner` that the OS knows nothing about. If the OS cannot take the packet for lack of memory,
    /// one of the next calls of `dequeue` returns it, so it does not get lost. The error is
    /// [`NotFound`](io::ErrorKind::NotFound) if the queue is gone.
    pub(crate) fn post<O: InFlight + 'static>(
        &self,
        owner: &Arc<O>,
        operation: fn(&O) -> &Operation,
    ) -> io::Result<()> {
        self.start(owner, operation, |overlapped| {
            if self.post_packet(overlapped, COMPLETION).is_err() {
                let mut table = self.table();
                table.unposted.push(overlapped.addr());
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
        // SAFETY: the port is open, and the kernel passes the pointer on without following it.
        let posted = unsafe { PostQueuedCompletionStatus(self.raw(), 0, key, overlapped) };
        if posted == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Waits for packets, which replace what is in the buffer: at most `room` (which is not zero), and at most as many as the
    /// buffer has room for. There are none if the time, rounded up to milliseconds, is over. That may happen a little early,
    /// because the kernel counts in ticks of its clock. Then completes the operations that have ended, whose owners report to
    /// `batch`. Returns whether there was a notification.
    pub(crate) fn dequeue(
        &self,
        Buffer(packets): &mut Packets,
        room: usize,
        timeout: Duration,
        batch: &mut Batch,
    ) -> io::Result<bool> {
        packets.clear();
        let has_unposted = self.has_unposted.load(Ordering::Acquire);
        // Packets come first in every other batch, so that neither they nor unposted operations starve.
        if !has_unposted || batch.number % 2 == 0 {
            self.wait(packets, room, if has_unposted { Duration::ZERO } else { timeout })?;
        }
        if has_unposted && packets.is_empty() {
            self.take_unposted(packets, room);
        }
        let mut notified = false;
        for packet in packets.iter() {
            if packet.lpCompletionKey == NOTIFICATION {
                notified = true;
                continue;
            }
            let operation = packet.lpOverlapped.addr();
            // A packet that is not this crate's own has no owner.
            let owner = self.table().in_flight.remove(&operation);
            if let Some(owner) = owner {
                owner.completed(operation, packet.dwNumberOfBytesTransferred as usize, batch);
            }
        }
        Ok(notified)
    }

    fn wait(&self, packets: &mut Vec<OVERLAPPED_ENTRY>, room: usize, timeout: Duration) -> io::Result<()> {
        // The size of the buffer in bytes has to fit in 32 bits.
        let room = packets.capacity().min(room).min(u32::MAX as usize / size_of::<OVERLAPPED_ENTRY>()) as u32;
        let timeout = milliseconds(timeout) as u32;
        let mut count = 0;
        // SAFETY: the port is open, and there is room for `room` packets.
        let dequeued =
            unsafe { GetQueuedCompletionStatusEx(self.raw(), packets.as_mut_ptr(), room, &mut count, timeout, 0) };
        if dequeued != 0 {
            // SAFETY: the kernel has filled that many packets, which is no more than there is room for.
            unsafe { packets.set_len(count as usize) };
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.raw_os_error() == Some(WAIT_TIMEOUT as i32) { Ok(()) } else { Err(error) }
    }

    /// Takes as many of the unposted operations as there is room for.
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

    /// Ends all operations that are in flight, and prevents others from starting. Only the last user of the queue may call
    /// this, while holding no lock.
    pub(crate) fn close(&self) {
        let in_flight: Vec<_> = {
            let mut table = self.table();
            table.closed = true;
            table.in_flight.values().cloned().collect()
        };
        for owner in in_flight {
            owner.cancel();
        }
        let mut buffer = Buffer(Vec::with_capacity(64));
        while !self.table().in_flight.is_empty() {
            // After an error, there are no packets either.
            let _ = self.dequeue(&mut buffer, usize::MAX, PATIENCE, &mut Batch::default());
            if buffer.0.is_empty() {
                return mem::forget(mem::take(&mut self.table().in_flight));
            }
        }
    }

    /// Returns whether the queue is gone.
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
            Entry::Occupied(_) => return Err(io::Error::other("the operation is already in flight")),
        }
        Ok(())
    }
}

/// Spreads addresses, whose lowest bits are zero, by Fibonacci hashing. That is safe, because no attacker can choose them.
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

/// The kernel's part of an operation. While the operation is in flight, no other code accesses it.
pub(crate) struct Operation(Lent<OVERLAPPED>);

impl Operation {
    pub(crate) fn new() -> Operation {
        Operation(Lent::new(OVERLAPPED::default()))
    }

    /// Returns the address by which the kernel knows the operation.
    pub(crate) fn address(&self) -> usize {
        self.0.get().addr()
    }

    /// Returns the pointer with which to cancel the operation.
    pub(crate) fn overlapped(&self) -> *const OVERLAPPED {
        self.0.get()
    }

    /// Returns the status with which the operation has ended.
    ///
    /// # Safety
    ///
    /// The operation is not in flight, and no thread is starting it.
    pub(crate) unsafe fn status(&self) -> NTSTATUS {
        // SAFETY: the caller promises that nothing writes to it. The kernel puts its `NTSTATUS` into this field.
        unsafe { (*self.0.get()).Internal as NTSTATUS }
    }
}

/// The memory that the kernel writes packets into.
pub(crate) type Packets = Buffer<OVERLAPPED_ENTRY>;

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
        #[allow(clippy::missing_const_for_thread_local, reason = "it is const, but the linter sees the macro's code for MinGW")]
        static POSTS_FAIL: Cell<bool> = const { Cell::new(false) };
    }

    pub(super) fn injected_failure() -> io::Result<()> {
        if POSTS_FAIL.get() { Err(io::ErrorKind::OutOfMemory.into()) } else { Ok(()) }
    }

    /// An owner that does nothing when its operation ends.
    struct Nothing(Operation);

    impl InFlight for Nothing {
        fn completed(self: Arc<Self>, _operation: usize, _bytes: usize, _batch: &mut Batch) {}

        fn cancel(&self) {}
    }

    /// Posts a packet with a pointer that does not belong to this crate, like those of I/O that other code starts on a handle
    /// of the port, and two packets with no pointer.
    #[test]
    fn a_packet_that_is_not_ours_is_found_nowhere() {
        let port = Port::new().unwrap();
        let mut foreign = OVERLAPPED::default();
        port.post_packet(&mut foreign, COMPLETION).unwrap();
        port.post_packet(ptr::null_mut(), COMPLETION).unwrap();
        port.post_packet(ptr::null_mut(), 0).unwrap();
        let nothing = Arc::new(Nothing(Operation::new()));
        port.table().insert(nothing.0.address(), &nothing).unwrap();
        let mut buffer = Buffer(Vec::with_capacity(8));
        assert!(!port.dequeue(&mut buffer, 8, Duration::ZERO, &mut Batch::default()).unwrap());
        assert_eq!((buffer.0.len(), port.table().in_flight.len()), (3, 1));
    }

    #[test]
    fn nothing_starts_on_a_closed_port_and_what_was_started_is_given_back() {
        let port = Port::new().unwrap();
        let nothing = Arc::new(Nothing(Operation::new()));
        let post = || port.start(&nothing, |nothing| &nothing.0, |at| port.post_packet(at, COMPLETION));
        post().unwrap();
        // The operation is in flight, so it cannot start again.
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

    /// Wine never has a limit, and Windows takes 0 for the number of processors, so this cannot test the behaviour.
    #[test]
    fn threads_that_polled_and_run_on_withhold_no_packets() {
        assert_eq!(CONCURRENCY, u32::MAX);
    }

    #[test]
    fn addresses_are_spread() {
        use std::collections::HashSet;
        use std::hash::Hash;

        // These are the distances between blocks of an allocator, from a cache line to some pages.
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
        use std::net::UdpSocket;
        use std::os::windows::io::AsRawSocket;
        use std::thread;
        use std::time::Instant;

        use super::*;
        use crate::event::Event;
        use crate::windows::{NamedPipe, SourceSocket, Waitable};
        use crate::{Events, Interest, Poll, Token, Trigger};

        /// Returns a queue, a server that is no source yet, and its client.
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

        /// Waits for an event that is `wanted`, after which there must be none.
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
            // The read looks for more, and finds the end.
            assert_eq!(without_posts(|| server.read(&mut buffer)).unwrap(), 10);
            assert_eq!(&buffer[..10], b"last words");
            expect(&mut poll, Event::is_read_closed);
            for _ in 0..3 {
                assert_eq!(without_posts(|| server.read(&mut buffer)).unwrap(), 0);
                expect(&mut poll, Event::is_read_closed);
            }
        }

        /// Polls until an event with this token has come, with room for one event.
        fn see(poll: &mut Poll, token: Token) {
            let (mut events, start) = (Events::with_capacity(1), Instant::now());
            while events.iter().all(|event| event.token() != token) {
                poll.poll(&mut events, Some(Duration::from_secs(10))).unwrap();
                assert!(start.elapsed() < Duration::from_secs(5));
            }
        }

        #[test]
        fn packets_and_what_the_port_takes_no_packet_for_do_not_starve_each_other() {
            let (mut poll, mut server, mut client) = pair("turns");
            poll.registry().register(&mut server, Token(3), Interest::READABLE).unwrap();
            expect(&mut poll, Event::is_writable);
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            let mut writable = SourceSocket(&socket.as_raw_socket());
            poll.registry().register_with(&mut writable, Token(5), Interest::WRITABLE, Trigger::Level).unwrap();
            let mut ended = Waitable::new(thread::spawn(|| ()));
            poll.registry().register_with(&mut ended, Token(4), Interest::READABLE, Trigger::Level).unwrap();
            see(&mut poll, Token(4));
            // From now on, each poll begins with a post that fails, and a socket that is ready.
            without_posts(|| {
                see(&mut poll, Token(4));
                client.write_all(b"x").unwrap();
                (3..=5).for_each(|token| see(&mut poll, Token(token)));
            });
        }
    }
}
