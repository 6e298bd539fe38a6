//! Any file descriptor as a source.

use std::os::fd::RawFd;

/// Any file descriptor that the queue can watch, as a [`Source`](crate::event::Source).
///
/// It borrows the descriptor's number and owns nothing: it neither sets non-blocking mode nor closes. Deregister the
/// descriptor before it is closed: a duplicate of it that is still open would go on to make events, and with `poll(2)`
/// a new file of the same number would.
///
/// # Edge-triggering where the OS has none
///
/// With epoll and kqueue the kernel re-arms the descriptor. Event ports and `poll(2)` are told by I/O that would block,
/// which goes through the types of [`net`](crate::net) and [`pipe`](super::pipe) and past this one: there, after
/// `WouldBlock`, call [`Registry::reregister`](crate::Registry::reregister), or register with
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
