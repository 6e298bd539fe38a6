//! What the programs need from an event queue and from sockets, so that one text of each program serves all peers.
//!
//! Everything is generic and compiled for each peer separately, so the traits cost nothing.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

/// Whether this build compares the `poll(2)` backends. They have no edges, so each source is armed again after its event.
pub const POLL_BACKENDS: bool = cfg!(mio_backend = "poll");

#[derive(Copy, Clone)]
pub enum Direction {
    Read,
    Write,
}

/// An event queue, edge-triggered where the peer can do that.
pub trait Queue: Sized {
    type Waker: Wake;

    fn new(capacity: usize) -> io::Result<Self>;
    fn register(&self, fd: RawFd, token: usize, direction: Direction) -> io::Result<()>;
    fn reregister(&self, fd: RawFd, token: usize, direction: Direction) -> io::Result<()>;
    fn deregister(&self, fd: RawFd) -> io::Result<()>;

    /// Waits for events. After a wake it also returns, with or without an event.
    ///
    /// Always inline this. A normal program polls in one place, where the compiler would inline the call by itself. Here are
    /// many places, and the compiler would do so for one peer and not for another.
    fn poll(&mut self, timeout: Option<Duration>) -> io::Result<()>;
    /// Returns the tokens of the events of the last `poll`.
    fn tokens(&self) -> impl Iterator<Item = usize>;

    fn waker(&self, token: usize) -> io::Result<Arc<Self::Waker>>;

    /// Takes the queue's descriptor out, where that affects later wakes.
    fn export(&self) {}

    /// Does what the peer requires after an event of `fd`.
    #[inline]
    fn rearm(&self, fd: RawFd, token: usize) -> io::Result<()> {
        if POLL_BACKENDS { self.reregister(fd, token, Direction::Read) } else { Ok(()) }
    }

    /// Does what the peer requires before `fd` is closed.
    #[inline]
    fn closing(&self, _fd: RawFd) -> io::Result<()> {
        Ok(())
    }

    /// Whether `register` and the like take effect at once, so that measuring each of them means something.
    const REGISTERS_AT_ONCE: bool = true;

    /// Whether a descriptor may be closed, and its number used again, while the file stays registered.
    const FORGETS_DESCRIPTORS: bool = !POLL_BACKENDS;
}

pub trait Wake: Send + Sync + 'static {
    fn wake(&self) -> io::Result<()>;
}

/// A queue with its sockets: the peer's own ones, or those of std, made with as few system calls as possible.
pub trait Sockets: Queue {
    type Listener: AsRawFd;
    type Stream: AsRawFd + Read + Write;
    type Udp: AsRawFd;

    fn listen(address: SocketAddr) -> io::Result<Self::Listener>;
    fn accept(listener: &Self::Listener) -> io::Result<Self::Stream>;
    fn connect(address: SocketAddr) -> io::Result<Self::Stream>;
    fn udp(address: SocketAddr) -> io::Result<Self::Udp>;
    fn send_to(socket: &Self::Udp, bytes: &[u8], to: SocketAddr) -> io::Result<usize>;
    fn recv_from(socket: &Self::Udp, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)>;

    fn register_listener(&self, listener: &mut Self::Listener, token: usize) -> io::Result<()> {
        self.register(listener.as_raw_fd(), token, Direction::Read)
    }
    fn register_stream(&self, stream: &mut Self::Stream, token: usize, direction: Direction) -> io::Result<()> {
        self.register(stream.as_raw_fd(), token, direction)
    }
    fn register_udp(&self, socket: &mut Self::Udp, token: usize) -> io::Result<()> {
        self.register(socket.as_raw_fd(), token, Direction::Read)
    }
}

/// A queue without sockets of its own.
pub trait StdSockets: Queue {}

impl<Q: StdSockets> Sockets for Q {
    type Listener = std::net::TcpListener;
    type Stream = std::net::TcpStream;
    type Udp = std::net::UdpSocket;

    fn listen(address: SocketAddr) -> io::Result<Self::Listener> {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    }

    fn accept(listener: &Self::Listener) -> io::Result<Self::Stream> {
        let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        // This takes the address, as the others do.
        let mut address = [0_u64; 16];
        let mut length = size_of_val(&address) as libc::socklen_t;
        // SAFETY: the kernel writes no more than `length` bytes of `address`.
        let fd =
            check(unsafe { libc::accept4(listener.as_raw_fd(), address.as_mut_ptr().cast(), &mut length, flags) })?;
        // SAFETY: the descriptor is new.
        Ok(unsafe { std::net::TcpStream::from_raw_fd(fd) })
    }

    fn connect(address: SocketAddr) -> io::Result<Self::Stream> {
        let SocketAddr::V4(address) = address else { return Err(io::ErrorKind::Unsupported.into()) };
        // SAFETY: the call takes no pointer, and the descriptor is new.
        let stream = unsafe {
            let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
            std::net::TcpStream::from_raw_fd(check(libc::socket(libc::AF_INET, kind, 0))?)
        };
        let address = libc::sockaddr_in {
            sin_family: libc::AF_INET as libc::sa_family_t,
            sin_port: address.port().to_be(),
            sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(address.ip().octets()) },
            sin_zero: [0; 8],
        };
        let length = size_of_val(&address) as libc::socklen_t;
        // SAFETY: the address is of that length.
        match check(unsafe { libc::connect(stream.as_raw_fd(), ptr::from_ref(&address).cast(), length) }) {
            Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => Err(error),
            _ => Ok(stream),
        }
    }

    fn udp(address: SocketAddr) -> io::Result<Self::Udp> {
        let socket = std::net::UdpSocket::bind(address)?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    }

    fn send_to(socket: &Self::Udp, bytes: &[u8], to: SocketAddr) -> io::Result<usize> {
        socket.send_to(bytes, to)
    }

    fn recv_from(socket: &Self::Udp, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        socket.recv_from(buffer)
    }
}

/// Returns the result of a system call.
#[inline]
pub fn check(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
