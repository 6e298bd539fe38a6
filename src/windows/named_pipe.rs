//! Named pipes. The machinery is in `sys/windows/pipe.rs`.

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
use crate::sys::windows::Pipe;
use crate::{Interest, Registry, Token};

/// How a server's end is opened.
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
    pipe: Pipe,
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
        self.pipe.connect()
    }

    /// Disconnects the client, whose end is then closed; another one can [`connect`](NamedPipe::connect). What was
    /// written and not read is lost. Calls `DisconnectNamedPipe`.
    ///
    /// # Errors
    ///
    /// Those of the call, which also tells when there is no client.
    pub fn disconnect(&self) -> io::Result<()> {
        self.pipe.disconnect()
    }

    /// Takes the error with which waiting for a client has ended, if there is one.
    ///
    /// # Errors
    ///
    /// None at present.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(self.pipe.take_error())
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
        self.pipe.register(registry.queue().backend.port(), token, interests)
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.pipe.reregister(registry.queue().backend.port(), token, interests)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.pipe.deregister(registry.queue().backend.port())
    }
}

impl FromRawHandle for NamedPipe {
    /// # Safety
    ///
    /// The handle is open, nobody else's, and that of a pipe's end that was opened with `FILE_FLAG_OVERLAPPED`.
    unsafe fn from_raw_handle(handle: RawHandle) -> NamedPipe {
        // SAFETY: the caller hands the open handle over.
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
