//! [`SourceFd`]: any file descriptor as a source.

use std::os::fd::RawFd;

/// Turns any file descriptor that the queue can watch into a [`Source`](crate::event::Source).
///
/// Available with the crate feature `os-ext` on Unix.
///
/// It borrows the number of the descriptor and owns nothing: it neither sets non-blocking mode nor closes the descriptor.
/// Deregister the descriptor before you close it. Otherwise, with epoll, a duplicate that is still open keeps producing events.
/// With `poll(2)`, a new file that gets the same number does so until you register it. If a number stands for another file by
/// now, you can register it, and the new registration replaces the old one. (`poll(2)` and event ports can tell only for
/// sockets whether the file is another one. If you register anything else twice, they assume that it is.)
///
/// # Edge-triggering where the OS has none
///
/// With epoll and kqueue the kernel arms the descriptor again. With event ports and `poll(2)` this crate emulates that. It sees
/// the I/O of the types of [`net`](crate::net) and [`pipe`](super::pipe), but not yours on a bare descriptor. So after a
/// descriptor has produced an event, the crate checks it before each wait, and every few milliseconds during the wait, until
/// the descriptor is no longer ready and the next event is certain to be news. If the descriptor stays ready, you may have
/// emptied it and it may have filled again unseen, so it produces another event after 50 ms. You save the crate that work if
/// you call [`Registry::reregister`](crate::Registry::reregister) after `WouldBlock`, or register with
/// [`Trigger::Level`](crate::Trigger::Level).
///
/// A descriptor that you have emptied costs nothing. A descriptor that stays ready does, and a socket stays writable as long as
/// you write little: a thousand of those took a tenth of a processor with `poll(2)` on Linux, and produced 18,000 events a
/// second. So ask for [`Interest::WRITABLE`](crate::Interest::WRITABLE) only while you have something to write, or use
/// [`IoSource`](crate::IoSource).
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
