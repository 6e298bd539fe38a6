//! Non-blocking TCP, UDP and Unix sockets.
//!
//! The types are the standard library's of the same name, with two differences: they never block, and they can be
//! registered with a [`Poll`](crate::Poll). An operation that cannot be done at once gives
//! [`WouldBlock`](std::io::ErrorKind::WouldBlock); after it, wait for an event of that direction.
//!
//! Sockets made here are non-blocking and are not inherited by child processes (close-on-exec; not inheritable on
//! Windows). Writing to one whose peer is gone gives an error, not a `SIGPIPE`: by a flag of the call, or on
//! Apple's systems an option of the socket. Sockets made elsewhere are converted with `from_std`
//! or `From<OwnedFd>` (`From<OwnedSocket>`); they must be in non-blocking mode, which is not checked or changed.
//!
//! I/O that these types have no method for goes through `try_io` or `try_io_for`, which tell the queue if it would have
//! blocked:
//!
//! ```
//! # #[cfg(unix)]
//! # fn main() -> std::io::Result<()> {
//! use std::io::ErrorKind;
//! use std::mem::MaybeUninit;
//! use mio::Interest;
//! use mio::net::UdpSocket;
//! use socket2::SockRef;
//!
//! let socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
//! let mut buffer = [MaybeUninit::uninit(); 64];
//! let received = socket.try_io_for(Interest::READABLE, || {
//!     SockRef::from(&socket).recv_from_with_flags(&mut buffer, libc::MSG_TRUNC)
//! });
//! assert_eq!(received.unwrap_err().kind(), ErrorKind::WouldBlock);
//! # Ok(())
//! # }
//! # #[cfg(not(unix))]
//! # fn main() {}
//! ```

mod no_sigpipe;
#[cfg(any(unix, windows))]
mod socket;
mod tcp;
mod udp;
#[cfg(unix)]
mod uds;

pub use self::tcp::{TcpListener, TcpStream};
pub use self::udp::UdpSocket;
#[cfg(all(unix, fuzzing))]
#[doc(hidden)]
pub use self::uds::uds_round_trip;
#[cfg(unix)]
pub use self::uds::{SocketAddr, UnixDatagram, UnixListener, UnixStream};
