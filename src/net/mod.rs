//! Non-blocking TCP, UDP and Unix sockets.
//!
//! Available with the crate feature `net`. On Unix and Windows you can make sockets; elsewhere you wrap those of the
//! standard library.
//!
//! The types work like those of the standard library that have the same name, with two differences: they never block, and
//! you can register them with a [`Poll`](crate::Poll). An operation that cannot be done at once returns
//! [`WouldBlock`](std::io::ErrorKind::WouldBlock); after that, wait for an event in that direction.
//!
//! Sockets that you make here are non-blocking, and child processes do not inherit them (on Unix they are close-on-exec). If
//! you write to a socket whose peer is gone, you get an error, and no `SIGPIPE`: the crate prevents the signal with a flag of
//! the call or, on Apple platforms, an option of the socket. To convert a socket from elsewhere, use `from_std` or
//! `From<OwnedFd>` (`From<OwnedSocket>`). Set it to non-blocking mode first: the conversion neither checks nor changes the
//! mode.
//!
//! If these types have no method for the I/O that you want to do, use `try_io` or `try_io_for`, which tell the queue if that
//! I/O would block:
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
