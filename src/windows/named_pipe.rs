//! Named pipes. The machinery is in `sys/windows/named_pipe.rs`.

#![allow(unsafe_code)]

use std::ffi::OsStr;
use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::iter;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle, RawHandle};
use std::ptr;

use windows_sys::Win32::Foundation::INVALID_HANDLE_VALUE;
use windows_sys::Win32::Storage::FileSystem::{
    FILE_FLAG_FIRST_PIPE_INSTANCE, FILE_FLAG_OVERLAPPED, PIPE_ACCESS_DUPLEX,
};
use windows_sys::Win32::System::Pipes::{
    CreateNamedPipeW, PIPE_READMODE_BYTE, PIPE_TYPE_BYTE, PIPE_UNLIMITED_INSTANCES, PIPE_WAIT,
};

use crate::event::Source;
use crate::io_type::{read_by_reference, write_by_reference};
use crate::sys::windows::{LARGEST_WRITE, Pipe};
use crate::{Interest, Registry, Token};

/// The mode in which a server opens its end.
const OPEN_MODE: u32 = PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED | FILE_FLAG_FIRST_PIPE_INSTANCE;
/// The size of a pipe's buffers in the kernel.
const KERNEL_BUFFER: u32 = 64 * 1024;

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
/// - I/O works while the pipe is registered with a queue that still exists. At other times `connect`, `read` and `write` return
///   [`NotFound`](std::io::ErrorKind::NotFound), except that `read` still returns the data that has arrived. If you deregister
///   the pipe, what it is doing goes on: until that has ended, the call that started it returns `WouldBlock`.
/// - Events report both directions, whatever the interests of the registration are.
/// - A pipe stays with the first `Poll` that you register it with. If you call `register`, `reregister` or `deregister` with
///   another one, you get [`AlreadyExists`](std::io::ErrorKind::AlreadyExists).
/// - It is only edge-triggered. One poll reports at most one event for a pipe. After a read that has failed or found the end,
///   the next read produces an event as well.
/// - After `deregister`, you can register the pipe again with `reregister`.
/// - `write` takes everything that you pass, up to 64 MiB, and writes it in the background. Until that is done, the next
///   `write` returns `WouldBlock`. The next `write` also reports a failure, so bytes that cannot be written never disappear
///   silently. If you drop the pipe while a write is under way, the write still finishes as long as the `Poll` exists; dropping
///   the `Poll` ends it.
/// - A read is always in flight, for as many bytes as the last `read` had room for: between 4 and 64 KiB, or fewer than 4 KiB
///   if the handle is not that of a pipe. If the buffer for writes has grown beyond 64 KiB, it is freed when it has been
///   written.
/// - In message mode, a message that is longer than one read asks for arrives in several reads. Two messages never arrive in
///   one read.
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
/// // SAFETY: the file was opened for overlapped I/O, and gives up its handle here.
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
    pipe: Pipe,
}

impl NamedPipe {
    /// Makes the server's end of the pipe called `addr`, such as `\\.\pipe\name`. The pipe is in byte mode and works in both
    /// directions. It may have any number of instances, of which this is the first. Make the others with `CreateNamedPipeW` and
    /// [`from_raw_handle`](FromRawHandle::from_raw_handle). Calls `CreateNamedPipeW`, with `FILE_FLAG_FIRST_PIPE_INSTANCE`.
    ///
    /// # Errors
    ///
    /// - [`InvalidInput`](io::ErrorKind::InvalidInput): the name contains a NUL.
    /// - The errors of the call, such as that for an invalid name, or `ERROR_ACCESS_DENIED` if a pipe of that name exists.
    ///   (Wine 8 ignores the flag, and makes another instance.)
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// use mio::windows::NamedPipe;
    ///
    /// let name = format!(r"\\.\pipe\mio-example-new-{}", std::process::id());
    /// let server = NamedPipe::new(&name)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn new<A: AsRef<OsStr>>(addr: A) -> io::Result<NamedPipe> {
        let mut name: Vec<u16> = addr.as_ref().encode_wide().collect();
        if name.contains(&0) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the name of the pipe contains a NUL"));
        }
        name.extend(iter::once(0));
        // SAFETY: the name ends with a NUL. There are no security attributes, so children do not inherit the handle.
        let handle = unsafe {
            CreateNamedPipeW(
                name.as_ptr(),
                OPEN_MODE,
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
        // SAFETY: the handle is new, and nothing else owns it. It is a pipe's, opened for overlapped I/O.
        Ok(unsafe { NamedPipe::from_raw_handle(handle) })
    }

    /// Waits for a client, or returns `Ok` if there is one. Calls `ConnectNamedPipe`.
    ///
    /// When a client arrives after `WouldBlock`, an event says that the pipe is writable, and `connect` returns `Ok`. If the
    /// client has left again by then, `connect` still returns `Ok`, and the pipe is also read-closed. After each `Ok`, an event
    /// reports what the pipe is ready for.
    ///
    /// # Errors
    ///
    /// - [`WouldBlock`](io::ErrorKind::WouldBlock): there is no client yet.
    /// - [`NotFound`](io::ErrorKind::NotFound): the pipe is not registered, or the queue is gone.
    /// - The errors of the call. If one occurs later, during the wait, an event reports it, and
    ///   [`take_error`](NamedPipe::take_error) returns it, until `connect` waits again or succeeds.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// use std::fs::OpenOptions;
    /// use std::io::ErrorKind;
    /// use mio::windows::NamedPipe;
    /// use mio::{Events, Interest, Poll, Token};
    ///
    /// let mut poll = Poll::new()?;
    /// let mut events = Events::with_capacity(8);
    /// let name = format!(r"\\.\pipe\mio-example-connect-{}", std::process::id());
    /// let mut server = NamedPipe::new(&name)?;
    /// poll.registry().register(&mut server, Token(0), Interest::READABLE)?;
    /// assert_eq!(server.connect().unwrap_err().kind(), ErrorKind::WouldBlock);
    ///
    /// let client = OpenOptions::new().read(true).write(true).open(&name)?;
    /// while let Err(error) = server.connect() {
    ///     assert_eq!(error.kind(), ErrorKind::WouldBlock);
    ///     poll.poll(&mut events, None)?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn connect(&self) -> io::Result<()> {
        self.pipe.connect()
    }

    /// Disconnects the client, or stops waiting for one; the next [`connect`](NamedPipe::connect) starts again. Data that was
    /// written and not read is lost, and so are errors, and a client that no event has reported. Calls `DisconnectNamedPipe`.
    ///
    /// # Errors
    ///
    /// Returns the errors of the call, which fails if there is neither a client nor a `connect` that waits.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// use std::fs::OpenOptions;
    /// use mio::windows::NamedPipe;
    /// use mio::{Interest, Poll, Token};
    ///
    /// let poll = Poll::new()?;
    /// let name = format!(r"\\.\pipe\mio-example-disconnect-{}", std::process::id());
    /// let mut server = NamedPipe::new(&name)?;
    /// poll.registry().register(&mut server, Token(0), Interest::READABLE)?;
    /// let client = OpenOptions::new().read(true).write(true).open(&name)?;
    /// server.connect()?;
    /// server.disconnect()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn disconnect(&self) -> io::Result<()> {
        self.pipe.disconnect()
    }

    /// Takes the error with which waiting for a client has ended, if there is one.
    ///
    /// # Errors
    ///
    /// Returns no error at present.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// use mio::windows::NamedPipe;
    ///
    /// let name = format!(r"\\.\pipe\mio-example-take-error-{}", std::process::id());
    /// let server = NamedPipe::new(&name)?;
    /// assert!(server.take_error()?.is_none());
    /// # Ok(())
    /// # }
    /// ```
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(self.pipe.take_error())
    }
}

read_by_reference!(NamedPipe);

impl Read for &NamedPipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.pipe.read(buffer.len(), |mut data| data.read(buffer))
    }

    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let room = buffers.iter().map(|buffer| buffer.len()).sum();
        self.pipe.read(room, |mut data| data.read_vectored(buffers))
    }
}

write_by_reference!(NamedPipe);

impl Write for &NamedPipe {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        // An `IoSlice` of more than 4 GiB is a panic, and one call writes less than that.
        self.write_vectored(&[IoSlice::new(&data[..data.len().min(LARGEST_WRITE)])])
    }

    /// Writes all slices, which in message mode are one message.
    fn write_vectored(&mut self, data: &[IoSlice<'_>]) -> io::Result<usize> {
        self.pipe.write(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Source for NamedPipe {
    fn register(&mut self, registry: &Registry, token: Token, _interests: Interest) -> io::Result<()> {
        self.pipe.register(registry.queue().backend.port(), token)
    }

    fn reregister(&mut self, registry: &Registry, token: Token, _interests: Interest) -> io::Result<()> {
        self.pipe.reregister(registry.queue().backend.port(), token)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.pipe.deregister(registry.queue().backend.port())
    }
}

impl FromRawHandle for NamedPipe {
    /// Takes over a handle. `PIPE_NOWAIT`, an obsolete mode of pipes, does not work with overlapped I/O: reads fail instead of
    /// waiting, and if a write cannot write everything at once, the next one fails.
    ///
    /// # Safety
    ///
    /// The handle must be open, with `FILE_FLAG_OVERLAPPED`, and nothing else may own it. It must be that of a pipe's end, or
    /// of another device that is read and written as a stream, such as a serial port. Nobody may have
    ///
    /// - associated it with a completion port,
    /// - changed its completion notification modes (`SetFileCompletionNotificationModes`), because without a packet the queue
    ///   would wait for the end of an operation for ever,
    /// - an operation in flight on it.
    ///
    /// The same holds while it belongs to the `NamedPipe`, which shows it through
    /// [`as_raw_handle`](AsRawHandle::as_raw_handle).
    unsafe fn from_raw_handle(handle: RawHandle) -> NamedPipe {
        // SAFETY: the caller passes on an open handle that nothing else owns.
        let handle = unsafe { OwnedHandle::from_raw_handle(handle) };
        NamedPipe { pipe: Pipe::new(handle) }
    }
}

impl AsRawHandle for NamedPipe {
    fn as_raw_handle(&self) -> RawHandle {
        self.pipe.raw()
    }
}

impl fmt::Debug for NamedPipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NamedPipe").field("handle", &self.as_raw_handle()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Wine 8 ignores the flag, so a test of its effect could not fail there.
    #[test]
    fn a_server_asks_to_be_the_first_of_its_name() {
        assert_eq!(OPEN_MODE & FILE_FLAG_FIRST_PIPE_INSTANCE, FILE_FLAG_FIRST_PIPE_INSTANCE);
    }
}
