//! A named pipe: turns its operations into readiness.
//!
//! Windows does not report the readiness of a pipe, only the end of an operation. So this file derives readiness from
//! operations. A read is always in flight, into a buffer of the pipe, from which the program's reads take their data. A write
//! copies its data into another buffer, and the pipe is writable again when that has been written. The port keeps the owner of
//! operations alive.
//!
//! The operations belong to a [`Session`], which lasts from one `disconnect` to the next and is in one [`State`]:
//!
//! | state | what is known | how it ends |
//! |---|---|---|
//! | alone | there is no other end | with `connect`: connecting; or, when I/O finds another end: connected |
//! | connecting | `ConnectNamedPipe` is in flight | with its completion: arrived, or failed |
//! | failed | waiting for a client has failed | with `connect` |
//! | arrived | a client has arrived, and `connect` has not returned `Ok` for it | with `connect`: connected |
//! | connected | there is another end, which is also the guess for a new handle | when a read finds that there is none: alone |
//! | over | the pipe was dropped or disconnected | never: later completions do not count |
//!
//! If a session has operations in flight when the pipe is disconnected, it is left to them, and the pipe gets a new session. So
//! no late completion can look like news about the next client, and the next `connect` does not wait for it.
//!
//! Events report both directions, whatever the interests are. Only a registered pipe starts operations, because nothing else
//! would report how they end; what was in flight when it was deregistered still gives its result. mio does both.

#![allow(unsafe_code)]

use std::io::{self, IoSlice};
use std::mem;
use std::os::windows::io::{AsRawHandle, OwnedHandle, RawHandle};
use std::ptr;
use std::sync::{Arc, Mutex, MutexGuard};

use windows_sys::Win32::Foundation::{
    ERROR_BROKEN_PIPE, ERROR_IO_PENDING, ERROR_MORE_DATA, ERROR_NO_DATA, ERROR_OPERATION_ABORTED, ERROR_PIPE_CONNECTED,
    ERROR_PIPE_LISTENING, ERROR_PIPE_NOT_CONNECTED,
};
use windows_sys::Win32::Storage::FileSystem::{FILE_TYPE_PIPE, GetFileType, ReadFile, WriteFile};
use windows_sys::Win32::System::IO::{CancelIoEx, OVERLAPPED};
use windows_sys::Win32::System::Pipes::{ConnectNamedPipe, DisconnectNamedPipe};

use super::afd::check;
use super::iocp::{InFlight, Operation, Port};
use super::{Batch, Slot, lock};
use crate::Token;
use crate::sys::logic::afd::{DISCONNECT, RECEIVE, SEND};
use crate::sys::{already_registered, not_registered};

/// How much the first read of a pipe asks for. Later ones ask for as much as the caller did, within these bounds.
const LEAST_READ: usize = 4 * 1024;
const LARGEST_READ: usize = 64 * 1024;
/// How much one write takes. The kernel may refuse to lock so much in memory, but its count of bytes could hold more.
pub(crate) const LARGEST_WRITE: usize = 64 * 1024 * 1024;
/// If the buffer for writes grows larger than this, it is not kept.
const LARGEST_KEPT: usize = 64 * 1024;

/// A pipe's handle and its operations.
///
/// The user's calls take the outer lock, and then the session's lock, which completions take as well. The box keeps the lock
/// out of the public type, which must have no interior mutability (`Freeze`).
pub(crate) struct Pipe(Box<Mutex<Arc<Session>>>);

/// A connection of a pipe, with its operations. It outlives the [`Pipe`] while one of them is in flight.
struct Session {
    connect: Operation,
    read: Operation,
    write: Operation,
    /// An operation that the OS knows nothing about. Its completion brings the events that are due into the queue.
    notice: Operation,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// It is `None` when the session is over, unless a write is still in flight.
    handle: Option<OwnedHandle>,
    /// The port of the first registration.
    port: Option<Arc<Port>>,
    registered: Option<Token>,
    state: State,
    read: Reading,
    /// A write that is in flight when the pipe is dropped still finishes.
    write: Writing,
    /// Events that have not been reported yet, as the driver's flags.
    due: u32,
    noticing: bool,
    slot: Slot,
    /// Belongs to the kernel while a read is in flight.
    read_buffer: Vec<u8>,
    read_size: usize,
    least_read: usize,
    /// Belongs to the kernel while a write is in flight.
    write_buffer: Vec<u8>,
}

#[derive(Default)]
enum State {
    #[default]
    Alone,
    /// A write may already succeed, if a client has arrived and its completion was not dequeued yet.
    Connecting,
    Failed(io::Error),
    Arrived,
    Connected,
    Over,
}

#[derive(Default)]
enum Reading {
    #[default]
    Idle,
    InFlight,
    /// The buffer holds data that the user has not read, from this index on.
    Data(usize),
    Failed(io::Error),
}

#[derive(Default)]
enum Writing {
    #[default]
    Idle,
    /// The part of the buffer before this index has been written.
    InFlight(usize),
    Failed(io::Error),
}

impl Pipe {
    pub(crate) fn new(handle: OwnedHandle) -> Pipe {
        // SAFETY: the handle is open.
        let is_pipe = unsafe { GetFileType(handle.as_raw_handle()) } == FILE_TYPE_PIPE;
        // A pipe returns what it has. Other devices, such as serial ports, may wait until the buffer is full.
        let least_read = if is_pipe { LEAST_READ } else { 1 };
        Pipe(Box::new(Mutex::new(Session::new(Inner {
            handle: Some(handle),
            state: State::Connected,
            read_size: least_read,
            least_read,
            ..Inner::default()
        }))))
    }

    pub(crate) fn raw(&self) -> RawHandle {
        self.session().inner().raw()
    }

    pub(crate) fn connect(&self) -> io::Result<()> {
        let session = self.session();
        let mut inner = session.inner();
        session.connect(&mut inner)?;
        session.greet(&mut inner);
        Ok(())
    }

    pub(crate) fn disconnect(&self) -> io::Result<()> {
        let mut session = self.session();
        let mut inner = session.inner();
        let was_connecting = matches!(inner.state, State::Connecting);
        if was_connecting {
            inner.cancel(session.connect.overlapped());
        }
        // SAFETY: the handle is open.
        let result = match unsafe { DisconnectNamedPipe(inner.raw()) } {
            0 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        };
        if result.is_err() && !was_connecting {
            if let State::Failed(_) = inner.state {
                inner.state = State::Alone;
            }
            return result;
        }
        let next = inner.next_session();
        drop(inner);
        // Only operations in flight have other references, and the lock on the session prevents new ones.
        match Arc::get_mut(&mut session) {
            Some(session) => *session.inner() = next,
            None => *session = Session::new(next),
        }
        match result {
            // Wine returns this for a pipe without a client, where Windows ends the wait without an error.
            Err(error) if is(&error, ERROR_PIPE_LISTENING) => Ok(()),
            result => result,
        }
    }

    pub(crate) fn take_error(&self) -> Option<io::Error> {
        let session = self.session();
        let mut inner = session.inner();
        match mem::replace(&mut inner.state, State::Alone) {
            State::Failed(error) => {
                if let Writing::InFlight(_) = inner.write {
                    // The write has found a client.
                    inner.state = State::Connected;
                    session.greet(&mut inner);
                }
                Some(error)
            }
            state => {
                inner.state = state;
                None
            }
        }
    }

    /// Makes `take` take data from what has arrived.
    pub(crate) fn read(&self, room: usize, take: impl FnOnce(&[u8]) -> io::Result<usize>) -> io::Result<usize> {
        let session = self.session();
        let mut inner = session.inner();
        session.read(&mut inner, room, take)
    }

    /// Takes over data to be written.
    pub(crate) fn write(&self, data: &[IoSlice<'_>]) -> io::Result<usize> {
        let session = self.session();
        let mut inner = session.inner();
        session.write(&mut inner, data)
    }

    pub(crate) fn register(&self, port: &Arc<Port>, token: Token) -> io::Result<()> {
        let session = self.session();
        let mut inner = session.inner();
        match &inner.port {
            None => {
                port.associate(inner.handle.as_ref().ok_or_else(not_registered)?)?;
                inner.port = Some(Arc::clone(port));
            }
            Some(first) if Arc::ptr_eq(first, port) && inner.registered.is_none() => {}
            Some(_) => return Err(already_registered()),
        }
        session.watch(&mut inner, token)
    }

    pub(crate) fn reregister(&self, port: &Arc<Port>, token: Token) -> io::Result<()> {
        let session = self.session();
        let mut inner = session.inner();
        match &inner.port {
            Some(first) if Arc::ptr_eq(first, port) => session.watch(&mut inner, token),
            Some(_) => Err(already_registered()),
            None => Err(not_registered()),
        }
    }

    pub(crate) fn deregister(&self, port: &Arc<Port>) -> io::Result<()> {
        let session = self.session();
        let mut inner = session.inner();
        match &inner.port {
            Some(first) if !Arc::ptr_eq(first, port) => Err(already_registered()),
            _ => inner.registered.take().map(drop).ok_or_else(not_registered),
        }
    }

    fn session(&self) -> MutexGuard<'_, Arc<Session>> {
        lock(&self.0)
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        let session = self.session();
        let mut inner = session.inner();
        inner.registered = None;
        inner.cancel(session.connect.overlapped());
        inner.cancel(session.read.overlapped());
        inner.end();
    }
}

impl Session {
    fn new(inner: Inner) -> Arc<Session> {
        Arc::new(Session {
            connect: Operation::new(),
            read: Operation::new(),
            write: Operation::new(),
            notice: Operation::new(),
            inner: Mutex::new(inner),
        })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }

    /// Starts an operation with one of the calls that take an `OVERLAPPED`.
    fn start(
        self: &Arc<Self>,
        inner: &Inner,
        operation: fn(&Session) -> &Operation,
        call: impl FnOnce(RawHandle, *mut OVERLAPPED) -> i32,
    ) -> io::Result<()> {
        inner.port()?.start(self, operation, |overlapped| match call(inner.raw(), overlapped) {
            0 => match io::Error::last_os_error() {
                // The latter is a warning, which means that the read has returned a part of a message. Both complete at the
                // port. Errors do not, even if the peer disappears during the call.
                error if is(&error, ERROR_IO_PENDING) || is(&error, ERROR_MORE_DATA) => Ok(()),
                error => Err(error),
            },
            _ => Ok(()),
        })
    }

    fn connect(self: &Arc<Self>, inner: &mut Inner) -> io::Result<()> {
        if let State::Connecting = inner.state {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        inner.expect_queue()?;
        if let State::Arrived = inner.state {
            inner.state = State::Connected;
            return Ok(());
        }
        // SAFETY: the handle is open; the operation is in flight until its completion was dequeued.
        let connect = |handle, overlapped| unsafe { ConnectNamedPipe(handle, overlapped) };
        match self.start(inner, |session| &session.connect, connect) {
            Ok(()) => {
                inner.begin(State::Connecting);
                Err(io::ErrorKind::WouldBlock.into())
            }
            // The latter means that a client has come and gone, and that there may be data of it to read.
            Err(error) if is(&error, ERROR_PIPE_CONNECTED) || is(&error, ERROR_NO_DATA) => {
                if !matches!(inner.state, State::Connected) {
                    inner.begin(State::Connected);
                }
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Begins to read from a client that is new, and reports what it is ready for.
    fn greet(self: &Arc<Self>, inner: &mut Inner) {
        let _ = self.begin_to_read(inner);
        inner.tell(inner.ready());
        // If the notice cannot be sent now, a later one includes it, and the result of the caller is the same.
        let _ = self.report(inner);
    }

    /// Starts a read, unless one is in flight, or there is no other end. If the read fails at once, the user's next read
    /// returns the error.
    ///
    /// # Errors
    ///
    /// Returns `NotFound` if the pipe is not registered, or the queue is gone.
    fn begin_to_read(self: &Arc<Self>, inner: &mut Inner) -> io::Result<()> {
        inner.expect_registration()?;
        let (State::Arrived | State::Connected, Reading::Idle) = (&inner.state, &inner.read) else { return Ok(()) };
        let size = inner.read_size;
        let mut buffer = mem::take(&mut inner.read_buffer);
        buffer.clear();
        buffer.reserve(size);
        let data = buffer.as_mut_ptr();
        // SAFETY: the handle is open, and the buffer has room. It belongs to the kernel until the completion was dequeued.
        let read = |handle, overlapped| unsafe { ReadFile(handle, data, size as u32, ptr::null_mut(), overlapped) };
        let started = self.start(inner, |session| &session.read, read);
        inner.read_buffer = buffer;
        match started {
            Ok(()) => inner.read = Reading::InFlight,
            Err(error) if error.raw_os_error().is_none() => return Err(error),
            Err(error) if is(&error, ERROR_PIPE_LISTENING) => inner.begin(State::Alone),
            Err(error) => inner.read = Reading::Failed(error),
        }
        inner.tell(inner.readable());
        Ok(())
    }

    fn read(
        self: &Arc<Self>,
        inner: &mut Inner,
        room: usize,
        take: impl FnOnce(&[u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        inner.read_size = room.clamp(inner.least_read, LARGEST_READ);
        if let Reading::Idle = inner.read {
            inner.expect_queue()?;
            self.look_for_another_end(inner)?;
            self.begin_to_read(inner)?;
        }
        let result = match mem::take(&mut inner.read) {
            Reading::Idle => return Err(io::ErrorKind::WouldBlock.into()),
            Reading::InFlight => {
                inner.read = Reading::InFlight;
                return Err(io::ErrorKind::WouldBlock.into());
            }
            Reading::Failed(error) if is(&error, ERROR_BROKEN_PIPE) => Ok(0),
            Reading::Failed(error) => Err(error),
            Reading::Data(from) => {
                let count = take(&inner.read_buffer[from..]);
                let from = from + *count.as_ref().unwrap_or(&0);
                if from < inner.read_buffer.len() {
                    inner.read = Reading::Data(from);
                }
                count
            }
        };
        // The caller gets the data even if this fails, and the next call returns the error.
        let _ = self.begin_to_read(inner).and_then(|()| self.report(inner));
        result
    }

    /// Looks for a client that has arrived although nothing waits for one. If there is one, there is room to write to it.
    fn look_for_another_end(self: &Arc<Self>, inner: &mut Inner) -> io::Result<()> {
        let State::Alone = inner.state else { return Ok(()) };
        inner.begin(State::Connected);
        self.begin_to_read(inner)?;
        if matches!(&inner.read, Reading::Failed(error) if is(error, ERROR_PIPE_NOT_CONNECTED)) {
            inner.begin(State::Alone);
        }
        inner.tell(inner.writable());
        self.report(inner)
    }

    fn write(self: &Arc<Self>, inner: &mut Inner, data: &[IoSlice<'_>]) -> io::Result<usize> {
        match mem::take(&mut inner.write) {
            Writing::Idle => inner.expect_registration()?,
            Writing::Failed(error) => return Err(error),
            Writing::InFlight(from) => {
                inner.write = Writing::InFlight(from);
                return Err(io::ErrorKind::WouldBlock.into());
            }
        }
        let started = fill(&mut inner.write_buffer, data).and_then(|()| self.write_rest(inner, 0));
        if started.is_err() {
            inner.free_large_buffer();
        }
        started?;
        inner.write = Writing::InFlight(0);
        // The other end may have arrived without `connect`.
        if let State::Alone | State::Failed(_) = inner.state {
            inner.begin(State::Connected);
            self.greet(inner);
        }
        Ok(inner.write_buffer.len())
    }

    /// Starts a write of the buffer, from the index `from` on.
    fn write_rest(self: &Arc<Self>, inner: &Inner, from: usize) -> io::Result<()> {
        let rest = &inner.write_buffer[from..];
        // SAFETY: the handle is open, and the buffer is that long. Nothing changes it until the completion was dequeued.
        let write = |handle, overlapped| unsafe {
            WriteFile(handle, rest.as_ptr(), rest.len() as u32, ptr::null_mut(), overlapped)
        };
        self.start(inner, |session| &session.write, write)
    }

    /// Registers, or changes the token. If that fails, everything stays as it was.
    fn watch(self: &Arc<Self>, inner: &mut Inner, token: Token) -> io::Result<()> {
        let before = inner.registered.replace(token);
        let started = self.look_for_another_end(inner).and_then(|()| self.begin_to_read(inner)).and_then(|()| {
            inner.due = inner.ready();
            self.report(inner)
        });
        if started.is_err() {
            inner.registered = before;
        }
        started
    }

    /// Brings what is due, and still holds, into the queue.
    fn report(self: &Arc<Self>, inner: &mut Inner) -> io::Result<()> {
        inner.due &= inner.ready();
        if inner.due == 0 || inner.noticing || inner.registered.is_none() {
            return Ok(());
        }
        inner.port()?.post(self, |session| &session.notice)?;
        inner.noticing = true;
        Ok(())
    }

    fn connect_completed(self: &Arc<Self>, inner: &mut Inner, result: io::Result<()>) {
        let State::Connecting = inner.state else { return };
        match result {
            Ok(()) => {
                inner.state = State::Arrived;
                let _ = self.begin_to_read(inner);
            }
            Err(error) => inner.begin(State::Failed(error)),
        }
        inner.tell(inner.ready());
    }

    fn read_completed(self: &Arc<Self>, inner: &mut Inner, result: io::Result<()>, bytes: usize) {
        // Otherwise the session is over.
        let Reading::InFlight = inner.read else { return };
        inner.read = Reading::Idle;
        match result {
            Ok(()) => {
                // SAFETY: the kernel has written that many bytes, which is no more than there was room for.
                unsafe { inner.read_buffer.set_len(bytes) };
                inner.read = Reading::Data(0);
            }
            // Other code has cancelled the read, or the queue is gone, and then this starts nothing.
            Err(error) if is(&error, ERROR_OPERATION_ABORTED) => return drop(self.begin_to_read(inner)),
            Err(error) => inner.read = Reading::Failed(error),
        }
        inner.tell(inner.readable());
    }

    fn write_completed(self: &Arc<Self>, inner: &mut Inner, result: io::Result<()>, bytes: usize) {
        let Writing::InFlight(from) = inner.write else { return };
        let from = from + bytes;
        let result = match result {
            // A pipe in the obsolete mode `PIPE_NOWAIT`, or a serial port with a write time-out, may take a part, or nothing.
            Ok(()) if from < inner.write_buffer.len() && bytes == 0 => Err(io::ErrorKind::WriteZero.into()),
            Ok(()) if from < inner.write_buffer.len() => match self.write_rest(inner, from) {
                Ok(()) => {
                    inner.write = Writing::InFlight(from);
                    return;
                }
                result => result,
            },
            result => result,
        };
        inner.write = result.map_or_else(Writing::Failed, |()| Writing::Idle);
        inner.tell(inner.writable());
        inner.free_large_buffer();
        if let State::Over = inner.state {
            inner.handle = None;
        }
    }
}

impl InFlight for Session {
    fn completed(self: Arc<Self>, operation: usize, bytes: usize, batch: &mut Batch) {
        let mut inner = self.inner();
        // SAFETY: the operation has ended, and starts again only under the lock that is held here.
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
        // Whatever the user has used up since then is no longer due.
        let due = mem::take(&mut inner.due) & inner.ready();
        if let Some(token) = inner.registered {
            batch.report_once(&mut inner.slot, token, due);
        }
    }

    fn cancel(&self) {
        self.inner().cancel(ptr::null());
    }
}

impl Inner {
    fn raw(&self) -> RawHandle {
        self.handle.as_ref().map_or(ptr::null_mut(), AsRawHandle::as_raw_handle)
    }

    /// Cancels an operation if it is in flight, or all of them if the pointer is null. They still complete.
    fn cancel(&self, operation: *const OVERLAPPED) {
        let Some(handle) = &self.handle else { return };
        // SAFETY: the handle is open, and the kernel uses the address only to find the operation.
        unsafe { CancelIoEx(handle.as_raw_handle(), operation) };
    }

    /// Returns the port at which operations complete.
    fn port(&self) -> io::Result<&Port> {
        self.port.as_deref().ok_or_else(not_registered)
    }

    fn expect_registration(&self) -> io::Result<()> {
        self.registered.map(drop).ok_or_else(not_registered)
    }

    fn expect_queue(&self) -> io::Result<()> {
        self.expect_registration()?;
        if self.port()?.is_closed() { Err(not_registered()) } else { Ok(()) }
    }

    /// Enters a state, and forgets the results of earlier reads and writes. Those that are in flight go on.
    fn begin(&mut self, state: State) {
        self.state = state;
        if !matches!(self.read, Reading::InFlight) {
            self.read = Reading::Idle;
        }
        if !matches!(self.write, Writing::InFlight(_)) {
            self.write = Writing::Idle;
        }
    }

    /// Frees the buffer for writes if it is large.
    fn free_large_buffer(&mut self) {
        if self.write_buffer.capacity() > LARGEST_KEPT {
            self.write_buffer = Vec::new();
        }
    }

    /// Ends the session. A write that is in flight continues.
    fn end(&mut self) {
        if !matches!(self.write, Writing::InFlight(_)) {
            self.handle = None;
        }
        (self.state, self.read) = (State::Over, Reading::Idle);
    }

    /// Ends the session, and returns what the next one starts with.
    fn next_session(&mut self) -> Inner {
        // If the kernel uses a buffer, it stays where it is.
        let read_buffer = match self.read {
            Reading::InFlight => Vec::new(),
            _ => mem::take(&mut self.read_buffer),
        };
        let write_buffer = match self.write {
            Writing::InFlight(_) => Vec::new(),
            _ => mem::take(&mut self.write_buffer),
        };
        // The completions of what is in flight belong to nobody.
        (self.state, self.read, self.write) = (State::Over, Reading::Idle, Writing::Idle);
        Inner {
            handle: self.handle.take(),
            port: self.port.clone(),
            registered: self.registered.take(),
            slot: self.slot,
            read_buffer,
            read_size: self.read_size,
            least_read: self.least_read,
            write_buffer,
            ..Inner::default()
        }
    }

    /// Returns the conditions that hold now.
    fn ready(&self) -> u32 {
        self.readable() | self.writable()
    }

    fn readable(&self) -> u32 {
        let (State::Arrived | State::Connected) = &self.state else { return 0 };
        match &self.read {
            Reading::Idle | Reading::InFlight => 0,
            Reading::Failed(error) if is(error, ERROR_BROKEN_PIPE) || is(error, ERROR_PIPE_NOT_CONNECTED) => {
                RECEIVE | DISCONNECT
            }
            Reading::Data(_) | Reading::Failed(_) => RECEIVE,
        }
    }

    fn writable(&self) -> u32 {
        match (&self.state, &self.write) {
            // The end of the wait for a client is news, even while a write is in flight.
            (State::Arrived | State::Failed(_), _) => SEND,
            (State::Connected, Writing::Idle | Writing::Failed(_)) => SEND,
            (State::Connected, Writing::InFlight(_)) | (State::Alone | State::Connecting | State::Over, _) => 0,
        }
    }

    /// Makes conditions that have become true due for a report.
    fn tell(&mut self, events: u32) {
        if self.registered.is_some() {
            self.due |= events;
        }
    }
}

/// Copies as much of `data` as one write takes.
fn fill(buffer: &mut Vec<u8>, data: &[IoSlice<'_>]) -> io::Result<()> {
    buffer.clear();
    for data in data {
        let data = &data[..data.len().min(LARGEST_WRITE - buffer.len())];
        buffer.try_reserve(data.len()).map_err(|_| io::ErrorKind::OutOfMemory)?;
        buffer.extend_from_slice(data);
    }
    Ok(())
}

fn is(error: &io::Error, code: u32) -> bool {
    error.raw_os_error() == Some(code as i32)
}

#[cfg(test)]
mod tests {
    use std::fs::{File, OpenOptions};
    use std::io::Read;
    use std::os::windows::fs::OpenOptionsExt;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::{Duration, Instant};

    use windows_sys::Win32::Storage::FileSystem::FILE_FLAG_OVERLAPPED;

    use super::*;
    use crate::windows::NamedPipe;
    use crate::{Events, Interest, Poll};

    /// Makes a queue, a client that is registered with it, and the other end.
    fn pair() -> (Poll, Pipe, NamedPipe) {
        pair_with(OpenOptions::new().read(true).write(true))
    }

    /// Does what `pair` does, and opens the client with these options.
    fn pair_with(options: &mut OpenOptions) -> (Poll, Pipe, NamedPipe) {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!(r"\\.\pipe\mio-unit-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let server = NamedPipe::new(&name).unwrap();
        let client = options.custom_flags(FILE_FLAG_OVERLAPPED).open(&name).unwrap();
        let pipe = Pipe::new(client.into());
        let poll = Poll::new().unwrap();
        pipe.register(poll.registry().queue().backend.port(), Token(0)).unwrap();
        (poll, pipe, server)
    }

    #[test]
    fn what_cannot_be_written_is_an_error_of_the_next_write() {
        let (_poll, pipe, _server) = pair();
        let session = Arc::clone(&pipe.session());
        let outcomes: [(io::Result<()>, usize, io::ErrorKind); 3] = [
            // As a pipe in `PIPE_NOWAIT` says that it has no room.
            (Ok(()), 0, io::ErrorKind::WriteZero),
            (Err(io::Error::from_raw_os_error(ERROR_NO_DATA as i32)), 0, io::ErrorKind::BrokenPipe),
            (Err(io::ErrorKind::Other.into()), 2, io::ErrorKind::Other),
        ];
        for (result, bytes, expected) in outcomes {
            {
                let mut inner = session.inner();
                inner.write_buffer = b"hello".to_vec();
                inner.write = Writing::InFlight(0);
                session.write_completed(&mut inner, result, bytes);
                assert_eq!(inner.writable(), SEND);
            }
            assert_eq!(pipe.write(&[IoSlice::new(b"x")]).unwrap_err().kind(), expected);
        }
    }

    #[test]
    fn a_buffer_that_has_grown_is_given_back() {
        const LENGTH: usize = 1 << 20;

        let (mut poll, pipe, mut server) = pair();
        let mut events = Events::with_capacity(4);
        poll.registry().register(&mut server, Token(1), Interest::READABLE).unwrap();
        assert_eq!(pipe.write(&[IoSlice::new(&vec![1; LENGTH])]).unwrap(), LENGTH);
        assert!(pipe.session().inner().write_buffer.capacity() >= LENGTH);
        let (mut count, start) = (0, Instant::now());
        while count < LENGTH || pipe.session().inner().writable() == 0 {
            assert!(start.elapsed() < Duration::from_secs(20));
            poll.poll(&mut events, Some(Duration::from_millis(1))).unwrap();
            while let Ok(more) = server.read(&mut vec![0; LENGTH]) {
                count += more;
            }
        }
        assert!(pipe.session().inner().write_buffer.capacity() <= LARGEST_KEPT);
    }

    #[test]
    fn a_read_of_a_pipe_is_as_large_as_the_callers_within_bounds_and_no_larger_of_other_handles() {
        let (_poll, pipe, _server) = pair();
        let other = Pipe::new(File::open("NUL").unwrap().into());
        for (room, of_pipe, of_other) in
            [(1, LEAST_READ, 1), (100, LEAST_READ, 100), (5000, 5000, 5000), (1 << 20, LARGEST_READ, LARGEST_READ)]
        {
            for (pipe, expected) in [(&pipe, of_pipe), (&other, of_other)] {
                let _ = pipe.read(room, |_| Ok(0));
                assert_eq!(pipe.session().inner().read_size, expected);
            }
        }
    }

    #[test]
    fn the_first_read_of_a_handle_that_is_no_pipe_waits_for_one_byte_alone() {
        let device = Pipe::new(File::open("NUL").unwrap().into());
        assert_eq!(device.session().inner().read_size, 1);
        let (_poll, pipe, _server) = pair();
        assert_eq!(pipe.session().inner().read_size, LEAST_READ);
    }

    /// Polls until the condition holds for the session.
    fn poll_until(poll: &mut Poll, session: &Session, condition: fn(&Inner) -> bool) {
        let (mut events, start) = (Events::with_capacity(4), Instant::now());
        while !condition(&session.inner()) {
            assert!(start.elapsed() < Duration::from_secs(20));
            poll.poll(&mut events, Some(Duration::from_millis(1))).unwrap();
        }
    }

    #[test]
    fn a_change_that_fails_leaves_the_token() {
        let (poll, pipe, _server) = pair();
        let port = poll.registry().queue().backend.port();
        port.close();
        assert!(pipe.reregister(port, Token(1)).is_err());
        assert_eq!(pipe.session().inner().registered, Some(Token(0)));
    }

    #[test]
    fn a_read_that_finds_no_other_end_wakes_no_poll() {
        let (mut poll, pipe, server) = pair();
        let session = Arc::clone(&pipe.session());
        server.disconnect().unwrap();
        poll_until(&mut poll, &session, |inner| matches!(inner.read, Reading::Failed(_)) && !inner.noticing);
        session.inner().begin(State::Alone);
        assert_eq!(pipe.read(1, |_| Ok(1)).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        let inner = session.inner();
        assert!(matches!(inner.state, State::Alone) && !inner.noticing);
    }

    #[test]
    fn a_read_that_fails_at_once_is_reported_while_the_write_that_has_found_the_other_end_goes_on() {
        // Nothing can be read from this client.
        let (mut poll, pipe, _server) = pair_with(OpenOptions::new().write(true));
        let session = Arc::clone(&pipe.session());
        let finds: [fn(&Pipe); 2] =
            [|pipe| _ = pipe.write(&[IoSlice::new(b"x")]).unwrap(), |pipe| _ = pipe.take_error().unwrap()];
        for (find, write) in finds.into_iter().zip([Writing::Idle, Writing::InFlight(0)]) {
            poll_until(&mut poll, &session, |inner| matches!(inner.write, Writing::Idle) && !inner.noticing);
            {
                let mut inner = session.inner();
                inner.begin(State::Failed(io::ErrorKind::Other.into()));
                inner.write = write;
            }
            find(&pipe);
            let inner = session.inner();
            assert!(matches!(inner.state, State::Connected) && inner.noticing);
            assert_eq!(inner.ready(), RECEIVE);
        }
    }
}
