//! Any socket as a source.

use std::os::windows::io::RawSocket;

/// Any socket of Windows, as a [`Source`](crate::event::Source): what `unix::SourceFd` is on Unix.
///
/// It borrows the socket's number and owns nothing: it neither sets non-blocking mode nor closes. Deregister the socket
/// before it is closed: the registration of a closed one is mute, but another socket that gets its number may bring it to
/// life, and make spurious events.
///
/// # Re-arming after `WouldBlock`
///
/// Edges are made of I/O that would block: the types of [`net`](crate::net) tell the queue of it, but I/O on a bare socket
/// goes past this crate. So after an event and I/O until `WouldBlock`, call
/// [`Registry::reregister`](crate::Registry::reregister): only then does the next event of that direction come. Or register
/// with [`Trigger::Level`](crate::Trigger::Level).
///
/// # Errors
///
/// Registering what is no socket gives `WSAENOTSOCK`. A socket that is registered already is registered anew, without an
/// error: Windows uses the number of a closed socket again, so it may be another one. `reregister` and `deregister` of a
/// socket that is not registered give [`NotFound`](std::io::ErrorKind::NotFound).
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
/// // It would block: wait for the next one.
/// poll.registry().reregister(&mut SourceSocket(&socket.as_raw_socket()), Token(0), Interest::READABLE)?;
///
/// poll.registry().deregister(&mut SourceSocket(&socket.as_raw_socket()))?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct SourceSocket<'a>(pub &'a RawSocket);
