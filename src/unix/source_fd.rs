//! Any file descriptor as a source.

use std::os::fd::RawFd;

/// Any file descriptor that the queue can watch, as a [`Source`](crate::event::Source).
///
/// Available with the crate feature `os-ext` on Unix.
///
/// It borrows the number of the descriptor and owns nothing: it neither sets non-blocking mode nor closes. Deregister
/// the descriptor before you close it. Otherwise a duplicate that is still open keeps giving events, and with `poll(2)`
/// so does a new file that gets the same number, until you register that: a number that stands for another file can be
/// registered, and replaces what it stood for. (`poll(2)` and event ports
/// can tell that of sockets. Anything else that you register twice they take for another file.)
///
/// # Edge-triggering where the OS has none
///
/// With epoll and kqueue the kernel re-arms the descriptor. On event ports and `poll(2)` this crate emulates that. It
/// sees the I/O of the types of [`net`](crate::net) and [`pipe`](super::pipe), but not yours on a bare descriptor. So it
/// looks at a descriptor that has given an event before each wait, and every few milliseconds of it, until it can tell
/// that the next one is news. A descriptor that stays ready, which you may have emptied and which may have filled again
/// unseen, gives another event after 50 ms. You save it that work if you call
/// [`Registry::reregister`](crate::Registry::reregister) after `WouldBlock`, or register with
/// [`Trigger::Level`](crate::Trigger::Level).
///
/// What you have emptied costs nothing. What stays ready does, and a socket stays writable for as long as you write little: a
/// thousand of those took a tenth of a processor with `poll(2)` on Linux, and gave 18,000 events a second. So ask for
/// [`Interest::WRITABLE`](crate::Interest::WRITABLE) while you have something to write, or use
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
