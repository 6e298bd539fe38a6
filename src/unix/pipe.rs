//! Pipes, which are one-way byte streams within a process, or to and from a child process.
//!
//! Available with the crate feature `os-ext` on Unix.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::process::{ChildStderr, ChildStdin, ChildStdout};

use crate::io_source::IoSource;
use crate::io_type::io_type;
use crate::sys::unix::{pipe, set_nonblocking};

/// Makes a pipe: what you write to the [`Sender`], you read from the [`Receiver`]. Both ends are non-blocking and
/// close-on-exec.
///
/// Available with the crate feature `os-ext` on Unix.
///
/// Calls `pipe2(2)`; where that does not exist, `pipe(2)` and `fcntl(2)`.
///
/// # Errors
///
/// Returns the errors of these calls, such as `EMFILE`, and [`Unsupported`](io::ErrorKind::Unsupported) on ESP-IDF,
/// which has no pipes.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::io::{Read, Write};
/// use mio::unix::pipe;
/// use mio::{Events, Interest, Poll, Token};
///
/// let mut poll = Poll::new()?;
/// let mut events = Events::with_capacity(8);
/// let (mut sender, mut receiver) = pipe::new()?;
/// poll.registry().register(&mut receiver, Token(0), Interest::READABLE)?;
///
/// sender.write_all(b"hello")?;
/// drop(sender);
///
/// poll.poll(&mut events, None)?;
/// let mut text = String::new();
/// receiver.read_to_string(&mut text)?;
/// assert_eq!(text, "hello");
/// # Ok(())
/// # }
/// ```
pub fn new() -> io::Result<(Sender, Receiver)> {
    let (receiver, sender) = pipe()?;
    Ok((Sender { inner: IoSource::new(sender.into()) }, Receiver { inner: IoSource::new(receiver.into()) }))
}

/// The writing end of a pipe.
///
/// Available with the crate feature `os-ext` on Unix.
///
/// When no process holds the other end any more, an event says [`is_write_closed`](crate::event::Event::is_write_closed),
/// and a write returns [`BrokenPipe`](io::ErrorKind::BrokenPipe). (That holds while the process ignores `SIGPIPE`, as Rust
/// programs do by default.)
///
/// To convert an end that comes from elsewhere, use `From`; for the standard library's `PipeWriter`, convert it to an
/// [`OwnedFd`] first. Then set it to non-blocking mode with [`set_nonblocking`](Sender::set_nonblocking).
///
/// # Examples
///
/// ```
/// use std::io::{ErrorKind, Write};
/// use mio::unix::pipe;
///
/// let (mut sender, receiver) = pipe::new()?;
/// drop(receiver);
/// assert_eq!(sender.write(b"hello").unwrap_err().kind(), ErrorKind::BrokenPipe);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Sender {
    inner: IoSource<File>,
}

impl Sender {
    /// Switches between non-blocking and blocking mode. You need this for ends that come from elsewhere, such as those
    /// of a child process.
    ///
    /// Calls `fcntl(2)`.
    ///
    /// # Errors
    ///
    /// Returns the errors of this call.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::process::{Command, Stdio};
    /// use mio::unix::pipe::Sender;
    ///
    /// let mut child = Command::new("cat").stdin(Stdio::piped()).spawn()?;
    /// let sender = Sender::from(child.stdin.take().unwrap());
    /// sender.set_nonblocking(true)?;
    /// # drop(sender);
    /// # child.wait()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        set_nonblocking(&*self.inner, nonblocking)
    }
}

io_type!(Sender, File, try_io, write_by(Write::write, Write::write_vectored));

impl From<ChildStdin> for Sender {
    /// Takes over a child's standard input, which is in blocking mode: see [`Sender::set_nonblocking`].
    fn from(stdin: ChildStdin) -> Sender {
        OwnedFd::from(stdin).into()
    }
}

/// The reading end of a pipe.
///
/// Available with the crate feature `os-ext` on Unix.
///
/// When no process holds the other end any more, an event says [`is_read_closed`](crate::event::Event::is_read_closed), and
/// a read returns the end of the stream once you have read what is still in the pipe.
///
/// To convert an end that comes from elsewhere, use `From`; for the standard library's `PipeReader`, convert it to an
/// [`OwnedFd`] first. Then set it to non-blocking mode with [`set_nonblocking`](Receiver::set_nonblocking).
///
/// # Examples
///
/// ```
/// use std::io::{ErrorKind, Read};
/// use mio::unix::pipe;
///
/// let (sender, mut receiver) = pipe::new()?;
/// assert_eq!(receiver.read(&mut [0; 16]).unwrap_err().kind(), ErrorKind::WouldBlock);
/// drop(sender);
/// assert_eq!(receiver.read(&mut [0; 16])?, 0); // the end of the stream
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Receiver {
    inner: IoSource<File>,
}

impl Receiver {
    /// Switches between non-blocking and blocking mode. You need this for ends that come from elsewhere, such as those
    /// of a child process.
    ///
    /// Calls `fcntl(2)`.
    ///
    /// # Errors
    ///
    /// Returns the errors of this call.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::process::{Command, Stdio};
    /// use mio::unix::pipe::Receiver;
    ///
    /// let mut child = Command::new("echo").arg("hello").stdout(Stdio::piped()).spawn()?;
    /// let receiver = Receiver::from(child.stdout.take().unwrap());
    /// receiver.set_nonblocking(true)?;
    /// # child.wait()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        set_nonblocking(&*self.inner, nonblocking)
    }
}

io_type!(Receiver, File, try_io, read);

impl From<ChildStdout> for Receiver {
    /// Takes over a child's standard output, which is in blocking mode: see [`Receiver::set_nonblocking`].
    fn from(stdout: ChildStdout) -> Receiver {
        OwnedFd::from(stdout).into()
    }
}

impl From<ChildStderr> for Receiver {
    /// Takes over a child's standard error, which is in blocking mode: see [`Receiver::set_nonblocking`].
    fn from(stderr: ChildStderr) -> Receiver {
        OwnedFd::from(stderr).into()
    }
}
