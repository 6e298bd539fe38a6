//! Non-blocking TCP, UDP and Unix sockets.
//!
//! The types are the standard library's of the same name, with two differences: they never block, and they can be
//! registered with a [`Poll`](crate::Poll). An operation that cannot be done at once gives
//! [`WouldBlock`](std::io::ErrorKind::WouldBlock); after it, wait for an event of that direction.
//!
//! Sockets made here are non-blocking and are not inherited by child processes (close-on-exec; not inheritable on Windows),
//! and writing to one whose peer is gone gives an error, not a `SIGPIPE`. Sockets made elsewhere are converted with
//! `from_std` or `From<OwnedFd>` (`From<OwnedSocket>`); they must be in non-blocking mode, which is not checked or changed.
//!
//! I/O that these types have no method for goes through `try_io`, which tells the queue if it would have blocked.

mod no_sigpipe;
mod socket;
mod tcp;
mod udp;
#[cfg(unix)]
mod uds;

pub use self::tcp::{TcpListener, TcpStream};
pub use self::udp::UdpSocket;
#[cfg(unix)]
pub use self::uds::{SocketAddr, UnixDatagram, UnixListener, UnixStream};
