//! Any file descriptor as a source.

use std::os::fd::RawFd;

/// Any file descriptor that the queue can watch, as a [`Source`](crate::event::Source).
///
/// Available with the crate feature `os-ext` on Unix.
///
/// It borrows the number of the descriptor and owns nothing: it neither sets non-blocking mode nor closes. Deregister
/// the descriptor before you close it. Otherwise a duplicate that is still open keeps giving events, and with `poll(2)`
/// so does a new file that gets the same number.
///
/// # Edge-triggering where the OS has none
///
/// With epoll and kqueue the kernel re-arms the descriptor. On event ports and `poll(2)` this crate does it when I/O
/// would block. It sees the I/O of the types of [`net`](crate::net) and [`pipe`](super::pipe), but not yours on a bare
/// descriptor: there, after `WouldBlock`, call [`Registry::reregister`](crate::Registry::reregister), or register with
/// [`Trigger::Level`](crate::Trigger::Level).
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::os::fd::AsRawFd;
/// use std::os::unix::net::UnixStream;
/// use mio::unix::SourceFd;
/// use mio::{Interest, Poll, Token};
///
/// let (stream, _other) = UnixStream::pair()?;
/// stream.set_nonblocking(true)?;
///
/// let poll = Poll::new()?;
/// poll.registry().register(&mut SourceFd(&stream.as_raw_fd()), Token(0), Interest::READABLE)?;
/// poll.registry().deregister(&mut SourceFd(&stream.as_raw_fd()))?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct SourceFd<'a>(pub &'a RawFd);
