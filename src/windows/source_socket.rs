//! [`SourceSocket`]: any socket as a source.

use std::os::windows::io::RawSocket;

/// Turns any socket of Windows into a [`Source`](crate::event::Source), as `unix::SourceFd` does for descriptors on Unix.
///
/// It borrows the socket's number and owns nothing: it neither sets non-blocking mode nor closes the socket. Deregister the
/// socket before you close it. The registration of a closed socket is silent, but another socket that gets its number may
/// revive it, and cause spurious events.
///
/// # Re-arming after `WouldBlock`
///
/// This crate emulates edges, and arms a direction again after I/O that would block. The types of [`net`](crate::net) tell the
/// queue about that, but the crate does not see your I/O on a bare socket. So after an event, do I/O until `WouldBlock`, and
/// then call [`Registry::reregister`](crate::Registry::reregister): only then does the next event of that direction arrive. Or
/// register with [`Trigger::Level`](crate::Trigger::Level).
///
/// # Errors
///
/// If you register a handle that is not a socket, you get `WSAENOTSOCK`. If the socket is already registered, the new
/// registration replaces the old one, without an error, because Windows reuses the numbers of closed sockets and this may be
/// another socket. If you call `reregister` or `deregister` for a socket that is not registered, you get
/// [`NotFound`](std::io::ErrorKind::NotFound).
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::net::UdpSocket;
/// use std::os::windows::io::AsRawSocket;
/// use mio::windows::SourceSocket;
/// use mio::{Events, Interest, Poll, Token};
///
/// let socket = UdpSocket::bind("127.0.0.1:0")?;
/// socket.set_nonblocking(true)?;
///
/// let mut poll = Poll::new()?;
/// let mut events = Events::with_capacity(8);
/// poll.registry().register(&mut SourceSocket(&socket.as_raw_socket()), Token(0), Interest::READABLE)?;
///
/// socket.send_to(b"to myself", socket.local_addr()?)?;
/// poll.poll(&mut events, None)?;
/// let mut buffer = [0; 16];
/// while socket.recv(&mut buffer).is_ok() {}
/// // The next read would block: wait for the next datagram.
/// poll.registry().reregister(&mut SourceSocket(&socket.as_raw_socket()), Token(0), Interest::READABLE)?;
///
/// poll.registry().deregister(&mut SourceSocket(&socket.as_raw_socket()))?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct SourceSocket<'a>(pub &'a RawSocket);
