//! Named pipes, by overlapped I/O.
//!
//! Windows tells of no readiness of a pipe, only of the end of an operation. So readiness is made of operations: a read
//! is always in flight, into a buffer of the pipe, and the user's reads are served from it; a write is taken over into a
//! buffer, and the pipe is writable again when that is written. All buffers and operations are part of [`Pipe`], which
//! the port keeps alive while one is in flight.

#![allow(unsafe_code)]

use std::ffi::OsStr;
use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::iter;
use std::mem;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle, RawHandle};
use std::ptr;
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use windows_sys::Win32::Foundation::{
    ERROR_BROKEN_PIPE, ERROR_IO_PENDING, ERROR_MORE_DATA, ERROR_NO_DATA, ERROR_OPERATION_ABORTED, ERROR_PIPE_CONNECTED,
    ERROR_PIPE_LISTENING, INVALID_HANDLE_VALUE,
};
use windows_sys::Win32::Storage::FileSystem::{FILE_FLAG_OVERLAPPED, PIPE_ACCESS_DUPLEX, ReadFile, WriteFile};
use windows_sys::Win32::System::IO::{CancelIoEx, OVERLAPPED};
use windows_sys::Win32::System::Pipes::{
    ConnectNamedPipe, CreateNamedPipeW, DisconnectNamedPipe, PIPE_READMODE_BYTE, PIPE_TYPE_BYTE,
    PIPE_UNLIMITED_INSTANCES, PIPE_WAIT,
};

use crate::event::Source;
use crate::sys::windows::afd_flags::{DISCONNECT, RECEIVE, SEND};
use crate::sys::windows::{Batch, Operation, Owner, Port, check, lock};
use crate::sys::{already_registered, not_registered};
use crate::{Interest, Registry, Token};

/// The size of a pipe's buffers in the kernel.
const KERNEL_BUFFER: u32 = 64 * 1024;
/// How much the first read asks for; later ones ask for as much as the caller did, within these bounds.
const LEAST_READ: usize = 4 * 1024;
const LARGEST_READ: usize = 1024 * 1024;

/// One end of a named pipe of Windows, in non-blocking mode.
///
/// A server makes its end with [`new`](NamedPipe::new) and waits for a client with [`connect`](NamedPipe::connect). A
/// client opens the pipe's name with [`OpenOptions`] and `FILE_FLAG_OVERLAPPED` and converts the file with
/// [`from_raw_handle`](FromRawHandle::from_raw_handle).
///
/// [`OpenOptions`]: std::fs::OpenOptions
///
/// # How it differs from a socket
///
/// - I/O works from the time the pipe was registered; before that, it says `WouldBlock`.
/// - What `write` has taken may still be on its way; a failure of it is told by the next `write`. Dropping the pipe lets a
///   write that is under way come to its end, as long as the `Poll` goes on; dropping the `Poll` ends it.
/// - A pipe stays with the first `Poll` that it was registered with; each call of another one's gives
///   [`AlreadyExists`](std::io::ErrorKind::AlreadyExists).
/// - It is edge-triggered only.
/// - In message mode a message that is longer than what one read asked for comes in several reads; two messages never come
///   in one.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::fs::OpenOptions;
/// use std::io::{Read, Write};
/// use std::os::windows::fs::OpenOptionsExt;
/// use std::os::windows::io::{FromRawHandle, IntoRawHandle};
/// use mio::windows::NamedPipe;
/// use mio::{Events, Interest, Poll, Token};
///
/// const FILE_FLAG_OVERLAPPED: u32 = 0x4000_0000;
///
/// let mut poll = Poll::new()?;
/// let mut events = Events::with_capacity(8);
///
/// let name = format!(r"\\.\pipe\mio-example-{}", std::process::id());
/// let mut server = NamedPipe::new(&name)?;
/// poll.registry().register(&mut server, Token(0), Interest::READABLE)?;
///
/// let file = OpenOptions::new().read(true).write(true).custom_flags(FILE_FLAG_OVERLAPPED).open(&name)?;
/// // SAFETY: the handle is the file's, which was opened for overlapped I/O, and nobody else's from now on.
/// let mut client = unsafe { NamedPipe::from_raw_handle(file.into_raw_handle()) };
/// poll.registry().register(&mut client, Token(1), Interest::WRITABLE)?;
///
/// server.connect()?;
/// client.write_all(b"hello")?;
/// let mut buffer = [0; 16];
/// let count = loop {
///     poll.poll(&mut events, None)?;
///     if events.iter().any(|event| event.token() == Token(0) && event.is_readable()) {
///         break server.read(&mut buffer)?;
///     }
/// };
/// assert_eq!(&buffer[..count], b"hello");
/// # Ok(())
/// # }
/// ```
pub struct NamedPipe {
    pipe: Arc<Pipe>,
}

impl NamedPipe {
    /// Makes the server's end of the pipe called `addr`, such as `\\.\pipe\name`: in byte mode, for both directions, with
    /// any number of instances. Calls `CreateNamedPipeW`.
    ///
    /// # Errors
    ///
    /// Those of the call: no valid name, or access denied by another process that has the name.
    /// [`InvalidInput`](io::ErrorKind::InvalidInput): the name contains a NUL.
    pub fn new<A: AsRef<OsStr>>(addr: A) -> io::Result<NamedPipe> {
        let mut name: Vec<u16> = addr.as_ref().encode_wide().collect();
        if name.contains(&0) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the name of the pipe contains a NUL"));
        }
        name.extend(iter::once(0));
        // SAFETY: the name ends with a NUL, and no security attributes are given: children do not inherit the handle.
        let handle = unsafe {
            CreateNamedPipeW(
                name.as_ptr(),
                PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED,
                PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_WAIT,
                PIPE_UNLIMITED_INSTANCES,
                KERNEL_BUFFER,
                KERNEL_BUFFER,
                0,
                ptr::null(),
            )
        };
        if handle == INVALID_HANDLE_VALUE {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the handle is new, and nobody else's.
        Ok(unsafe { NamedPipe::from_raw_handle(handle) })
    }

    /// Waits for a client, or tells that there is one. Calls `ConnectNamedPipe`.
    ///
    /// When a client has come after `WouldBlock`, the pipe becomes writable, and `connect` gives `Ok`.
    ///
    /// # Errors
    ///
    /// - [`WouldBlock`](io::ErrorKind::WouldBlock): there is no client yet. If the pipe is not registered yet, it begins to
    ///   wait for one when it is.
    /// - Those of the call. One that comes later, while waiting, is kept for [`take_error`](NamedPipe::take_error).
    pub fn connect(&self) -> io::Result<()> {
        let mut inner = self.pipe.inner();
        let result = self.pipe.connect(&mut inner);
        self.pipe.report(&mut inner)?;
        result
    }

    /// Disconnects the client, whose end is then closed; another one can [`connect`](NamedPipe::connect). What was
    /// written and not read is lost. Calls `DisconnectNamedPipe`.
    ///
    /// # Errors
    ///
    /// Those of the call, which also tells when there is no client.
    pub fn disconnect(&self) -> io::Result<()> {
        let mut inner = self.pipe.inner();
        // SAFETY: the handle is open.
        if unsafe { DisconnectNamedPipe(inner.raw()) } == 0 {
            return Err(io::Error::last_os_error());
        }
        // What is still in flight, or was left, is of no concern to the next client.
        inner.connected = false;
        inner.wants_connection = false;
        inner.read = match inner.read {
            Reading::InFlight { .. } => Reading::InFlight { stale: true },
            _ => Reading::Idle,
        };
        inner.write = match inner.write {
            Writing::InFlight { from, .. } => Writing::InFlight { from, stale: true },
            _ => Writing::Idle,
        };
        inner.due = 0;
        Ok(())
    }

    /// Takes the error with which waiting for a client has ended, if there is one.
    ///
    /// # Errors
    ///
    /// None at present.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(self.pipe.inner().connect_error.take())
    }
}

impl Read for NamedPipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buffer)
    }

    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        (&*self).read_vectored(buffers)
    }
}

impl Read for &NamedPipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.pipe.read(buffer.len(), |mut data| data.read(buffer))
    }

    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let room = buffers.iter().map(|buffer| buffer.len()).sum();
        self.pipe.read(room, |mut data| data.read_vectored(buffers))
    }
}

impl Write for NamedPipe {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        (&*self).write(data)
    }

    fn write_vectored(&mut self, data: &[IoSlice<'_>]) -> io::Result<usize> {
        (&*self).write_vectored(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Write for &NamedPipe {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(data)])
    }

    /// In message mode the slices together are one message.
    fn write_vectored(&mut self, data: &[IoSlice<'_>]) -> io::Result<usize> {
        self.pipe.write(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Source for NamedPipe {
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        let port = registry.queue().backend.port();
        let mut inner = self.pipe.inner();
        match &inner.port {
            None => {
                port.associate(inner.handle.as_ref().ok_or_else(not_registered)?)?;
                inner.port = Some(Arc::downgrade(port));
            }
            Some(first) if Weak::as_ptr(first) == Arc::as_ptr(port) && inner.watch.is_none() => {}
            Some(_) => return Err(already_registered()),
        }
        self.pipe.watch(&mut inner, token, interests)
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        let mut inner = self.pipe.inner();
        inner.expect_registered(registry)?;
        self.pipe.watch(&mut inner, token, interests)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        let mut inner = self.pipe.inner();
        inner.expect_registered(registry)?;
        inner.watch = None;
        Ok(())
    }
}

impl FromRawHandle for NamedPipe {
    /// # Safety
    ///
    /// The handle is open, nobody else's, and that of a pipe's end that was opened with `FILE_FLAG_OVERLAPPED`.
    unsafe fn from_raw_handle(handle: RawHandle) -> NamedPipe {
        // SAFETY: the caller hands the open handle over.
        let handle = unsafe { OwnedHandle::from_raw_handle(handle) };
        NamedPipe { pipe: Arc::new(Pipe::new(handle)) }
    }
}

impl AsRawHandle for NamedPipe {
    fn as_raw_handle(&self) -> RawHandle {
        self.pipe.inner().raw()
    }
}

impl fmt::Debug for NamedPipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NamedPipe").field("handle", &self.as_raw_handle()).finish()
    }
}

impl Drop for NamedPipe {
    fn drop(&mut self) {
        let mut inner = self.pipe.inner();
        inner.dropped = true;
        inner.watch = None;
        for operation in [&self.pipe.connect, &self.pipe.read] {
            // SAFETY: the handle is open, and the address serves only to find the operation, if it is in flight.
            unsafe { CancelIoEx(inner.raw(), operation.overlapped()) };
        }
        inner.close_if_done();
    }
}

/// A pipe and its operations. It outlives the [`NamedPipe`] while one is in flight.
struct Pipe {
    connect: Operation,
    read: Operation,
    write: Operation,
    /// Not one of the OS's: brings the events that are due into the queue.
    notice: Operation,
    inner: Mutex<Inner>,
}

struct Inner {
    /// `None` when the pipe was dropped and has nothing left to write.
    handle: Option<OwnedHandle>,
    /// The port of the first registration.
    port: Option<Weak<Port>>,
    watch: Option<(Token, Interest)>,
    /// Events that were not reported yet, in the driver's words.
    due: u32,
    noticing: bool,
    /// Whether there is another end, as far as is known.
    connected: bool,
    connecting: bool,
    /// To begin with when the pipe is registered.
    wants_connection: bool,
    connect_error: Option<io::Error>,
    read: Reading,
    /// Belongs to the kernel while a read is in flight.
    read_buffer: Vec<u8>,
    read_size: usize,
    write: Writing,
    /// Belongs to the kernel while a write is in flight.
    write_buffer: Vec<u8>,
    dropped: bool,
}

enum Reading {
    Idle,
    /// Stale: it began before the client was disconnected.
    InFlight {
        stale: bool,
    },
    /// From here on the buffer holds what the user has not read yet.
    Data {
        from: usize,
    },
    Failed(io::Error),
}

enum Writing {
    Idle,
    /// What is before `from` is written already.
    InFlight {
        from: usize,
        stale: bool,
    },
    Failed(io::Error),
}

impl Pipe {
    fn new(handle: OwnedHandle) -> Pipe {
        let inner = Inner {
            handle: Some(handle),
            port: None,
            watch: None,
            due: 0,
            noticing: false,
            connected: true,
            connecting: false,
            wants_connection: false,
            connect_error: None,
            read: Reading::Idle,
            read_buffer: Vec::new(),
            read_size: LEAST_READ,
            write: Writing::Idle,
            write_buffer: Vec::new(),
            dropped: false,
        };
        Pipe {
            connect: Operation::new(),
            read: Operation::new(),
            write: Operation::new(),
            notice: Operation::new(),
            inner: Mutex::new(inner),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }

    /// Starts an operation by one of the calls that take an `OVERLAPPED`.
    fn start(
        self: &Arc<Self>,
        inner: &Inner,
        operation: fn(&Pipe) -> &Operation,
        call: impl FnOnce(RawHandle, *mut OVERLAPPED) -> i32,
    ) -> io::Result<()> {
        let port = inner.port.as_ref().and_then(Weak::upgrade).ok_or(io::ErrorKind::WouldBlock)?;
        port.start(self, operation, |overlapped| match call(inner.raw(), overlapped) {
            0 => match io::Error::last_os_error() {
                // The latter is a warning: the read has succeeded with a part of a message. Both complete at the port.
                // Errors do not, even if the peer died during the call.
                error if is(&error, ERROR_IO_PENDING) || is(&error, ERROR_MORE_DATA) => Ok(()),
                error => Err(error),
            },
            _ => Ok(()),
        })
    }

    fn connect(self: &Arc<Self>, inner: &mut Inner) -> io::Result<()> {
        if inner.connecting {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        // SAFETY: the handle is open; the operation is in flight until its completion was dequeued.
        let connect = |handle, overlapped| unsafe { ConnectNamedPipe(handle, overlapped) };
        match self.start(inner, |pipe| &pipe.connect, connect) {
            Ok(()) => {
                inner.connecting = true;
                Err(io::ErrorKind::WouldBlock.into())
            }
            // The latter: the client came, and has gone already; there may be something of it to read.
            Err(error) if is(&error, ERROR_PIPE_CONNECTED) || is(&error, ERROR_NO_DATA) => {
                self.connected(inner);
                Ok(())
            }
            Err(error) => {
                inner.wants_connection = error.kind() == io::ErrorKind::WouldBlock;
                Err(error)
            }
        }
    }

    /// There is another end now, or was all the time.
    fn connected(self: &Arc<Self>, inner: &mut Inner) {
        inner.connected = true;
        if let Reading::Idle = inner.read {
            self.begin_to_read(inner);
            if !matches!(inner.read, Reading::Idle | Reading::Failed(_)) {
                inner.due |= inner.writable();
            }
        }
    }

    /// Puts a read in flight. One that fails at once is for the user to hear of.
    fn begin_to_read(self: &Arc<Self>, inner: &mut Inner) {
        if !inner.connected {
            return;
        }
        let size = inner.read_size;
        let mut buffer = mem::take(&mut inner.read_buffer);
        buffer.clear();
        buffer.reserve(size);
        let data = buffer.as_mut_ptr();
        // SAFETY: the handle is open, and the buffer has room; it is the kernel's until the completion was dequeued.
        let read = |handle, overlapped| unsafe { ReadFile(handle, data, size as u32, ptr::null_mut(), overlapped) };
        let started = self.start(inner, |pipe| &pipe.read, read);
        inner.read_buffer = buffer;
        match started {
            Ok(()) => inner.read = Reading::InFlight { stale: false },
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) if is(&error, ERROR_PIPE_LISTENING) => inner.connected = false,
            Err(error) => inner.read_failed(error),
        }
    }

    fn read(self: &Arc<Self>, room: usize, take: impl FnOnce(&[u8]) -> io::Result<usize>) -> io::Result<usize> {
        if room == 0 {
            return Ok(0);
        }
        let mut inner = self.inner();
        inner.read_size = room.clamp(LEAST_READ, LARGEST_READ);
        if let Reading::Idle = inner.read {
            self.begin_to_read(&mut inner);
        }
        match mem::replace(&mut inner.read, Reading::Idle) {
            Reading::Idle => Err(io::ErrorKind::WouldBlock.into()),
            in_flight @ Reading::InFlight { .. } => {
                inner.read = in_flight;
                Err(io::ErrorKind::WouldBlock.into())
            }
            Reading::Failed(error) => {
                inner.due &= !(RECEIVE | DISCONNECT);
                if is(&error, ERROR_BROKEN_PIPE) { Ok(0) } else { Err(error) }
            }
            Reading::Data { from } => {
                let count = take(&inner.read_buffer[from..])?;
                inner.read = Reading::Data { from: from + count };
                if from + count == inner.read_buffer.len() {
                    inner.read = Reading::Idle;
                    self.begin_to_read(&mut inner);
                    self.report(&mut inner)?;
                }
                Ok(count)
            }
        }
    }

    fn write(self: &Arc<Self>, data: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut inner = self.inner();
        match mem::replace(&mut inner.write, Writing::Idle) {
            Writing::Idle => {}
            Writing::Failed(error) => return Err(error),
            in_flight @ Writing::InFlight { .. } => {
                inner.write = in_flight;
                return Err(io::ErrorKind::WouldBlock.into());
            }
        }
        inner.write_buffer.clear();
        for data in data {
            inner.write_buffer.extend_from_slice(data);
        }
        self.write_rest(&mut inner, 0)?;
        Ok(inner.write_buffer.len())
    }

    /// Puts a write of the buffer in flight, without what is before `from`.
    fn write_rest(self: &Arc<Self>, inner: &mut Inner, from: usize) -> io::Result<()> {
        let rest = &inner.write_buffer[from..];
        let length = u32::try_from(rest.len()).unwrap_or(u32::MAX);
        // SAFETY: the handle is open, and the buffer that long; nobody changes it until the completion was dequeued.
        let write =
            |handle, overlapped| unsafe { WriteFile(handle, rest.as_ptr(), length, ptr::null_mut(), overlapped) };
        self.start(inner, |pipe| &pipe.write, write)?;
        inner.write = Writing::InFlight { from, stale: false };
        Ok(())
    }

    fn watch(self: &Arc<Self>, inner: &mut Inner, token: Token, interest: Interest) -> io::Result<()> {
        inner.watch = Some((token, interest));
        if mem::take(&mut inner.wants_connection) {
            match self.connect(inner) {
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => inner.connect_error = Some(error),
                _ => {}
            }
        }
        if let Reading::Idle = inner.read {
            self.begin_to_read(inner);
        }
        inner.due = inner.readable() | if inner.connected { inner.writable() } else { 0 };
        self.report(inner)
    }

    /// Brings what is due into the queue.
    fn report(self: &Arc<Self>, inner: &mut Inner) -> io::Result<()> {
        if inner.due == 0 || inner.noticing {
            return Ok(());
        }
        if let Some(port) = inner.port.as_ref().and_then(Weak::upgrade) {
            port.post(self, |pipe| &pipe.notice)?;
            inner.noticing = true;
        }
        Ok(())
    }

    fn connect_completed(self: &Arc<Self>, inner: &mut Inner, result: io::Result<()>) {
        inner.connecting = false;
        match result {
            Ok(()) => self.connected(inner),
            Err(error) => {
                inner.connect_error = Some(error);
                inner.due |= SEND;
            }
        }
    }

    fn read_completed(self: &Arc<Self>, inner: &mut Inner, result: io::Result<()>, bytes: usize) {
        let stale = matches!(inner.read, Reading::InFlight { stale: true });
        inner.read = Reading::Idle;
        match result {
            _ if stale && inner.connected => self.connected(inner),
            _ if stale => {}
            Ok(()) => {
                // SAFETY: the kernel has written that many bytes, no more than there was room for.
                unsafe { inner.read_buffer.set_len(bytes) };
                inner.read = Reading::Data { from: 0 };
                inner.due |= RECEIVE;
            }
            // Cancelled, not by this crate: or the queue is gone, and this starts nothing.
            Err(error) if is(&error, ERROR_OPERATION_ABORTED) => self.begin_to_read(inner),
            Err(error) => inner.read_failed(error),
        }
    }

    fn write_completed(self: &Arc<Self>, inner: &mut Inner, result: io::Result<()>, bytes: usize) {
        let Writing::InFlight { from, stale } = mem::replace(&mut inner.write, Writing::Idle) else { return };
        let from = from + bytes;
        let result = match result {
            // Only a pipe in the obsolete mode `PIPE_NOWAIT` takes a part.
            Ok(()) if bytes != 0 && from < inner.write_buffer.len() && !stale => self.write_rest(inner, from),
            result => result,
        };
        if stale || matches!(inner.write, Writing::InFlight { .. }) {
            return;
        }
        if let Err(error) = result {
            inner.write = Writing::Failed(error);
        }
        inner.due |= SEND;
    }
}

impl Owner for Pipe {
    fn completed(self: Arc<Self>, operation: usize, bytes: usize, batch: &mut Batch) {
        let mut inner = self.inner();
        if inner.dropped && operation != self.write.address() {
            return;
        }
        // SAFETY: the operation is over, and starts again only under the lock that is held here.
        let result = |operation: &Operation| check(unsafe { operation.status() });
        if operation == self.connect.address() {
            self.connect_completed(&mut inner, result(&self.connect));
        } else if operation == self.read.address() {
            self.read_completed(&mut inner, result(&self.read), bytes);
        } else if operation == self.write.address() {
            self.write_completed(&mut inner, result(&self.write), bytes);
        } else {
            inner.noticing = false;
        }
        if inner.dropped {
            return inner.close_if_done();
        }
        let due = mem::take(&mut inner.due);
        if let Some((token, interest)) = inner.watch {
            batch.report(token, due & wanted(interest));
        }
    }

    fn cancel(&self) {
        // SAFETY: the handle is open, or null; without an address all that is in flight is cancelled.
        unsafe { CancelIoEx(self.inner().raw(), ptr::null()) };
    }
}

impl Inner {
    fn raw(&self) -> RawHandle {
        self.handle.as_ref().map_or(ptr::null_mut(), AsRawHandle::as_raw_handle)
    }

    fn expect_registered(&self, registry: &Registry) -> io::Result<()> {
        let port = Arc::as_ptr(registry.queue().backend.port());
        match &self.port {
            Some(first) if Weak::as_ptr(first) != port => Err(already_registered()),
            Some(_) if self.watch.is_some() => Ok(()),
            _ => Err(not_registered()),
        }
    }

    fn read_failed(&mut self, error: io::Error) {
        self.read = Reading::Failed(error);
        self.due |= self.readable();
    }

    fn readable(&self) -> u32 {
        match &self.read {
            Reading::Data { .. } => RECEIVE,
            Reading::Failed(error) if is(error, ERROR_BROKEN_PIPE) => RECEIVE | DISCONNECT,
            Reading::Failed(_) => RECEIVE,
            Reading::Idle | Reading::InFlight { .. } => 0,
        }
    }

    fn writable(&self) -> u32 {
        if let Writing::InFlight { .. } = self.write { 0 } else { SEND }
    }

    /// Closes the handle of a pipe that was dropped, unless something is still being written.
    fn close_if_done(&mut self) {
        if !matches!(self.write, Writing::InFlight { .. }) {
            self.handle = None;
        }
    }
}

fn wanted(interest: Interest) -> u32 {
    let mut events = 0;
    if interest.is_readable() {
        events |= RECEIVE | DISCONNECT;
    }
    if interest.is_writable() {
        events |= SEND;
    }
    events
}

fn is(error: &io::Error, code: u32) -> bool {
    error.raw_os_error() == Some(code as i32)
}
