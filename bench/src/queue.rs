//! What the programs need of an event queue and of sockets, so that each program is written once for all peers.
//!
//! Everything is generic and compiled for each peer by itself: the traits cost nothing.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

/// This build compares the `poll(2)` backends. They have no edges, so each source is armed anew after its event.
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

    /// Waits for events. Returns also, with or without an event, after a wake.
    ///
    /// To be inlined always: a program polls in one place, where the compiler would do so by itself. Here are many, and
    /// it would choose for one peer and against another.
    fn poll(&mut self, timeout: Option<Duration>) -> io::Result<()>;
    /// The tokens of the events of the last `poll`.
    fn tokens(&self) -> impl Iterator<Item = usize>;

    fn waker(&self, token: usize) -> io::Result<Arc<Self::Waker>>;

    /// Takes the queue's descriptor out, where that makes a difference to later wakes.
    fn export(&self) {}

    /// What the peer asks to be done after an event of `fd`.
    #[inline]
    fn rearm(&self, fd: RawFd, token: usize) -> io::Result<()> {
        if POLL_BACKENDS { self.reregister(fd, token, Direction::Read) } else { Ok(()) }
    }

    /// What the peer asks to be done before `fd` is closed.
    #[inline]
    fn closing(&self, _fd: RawFd) -> io::Result<()> {
        Ok(())
    }

    /// Whether `register` and its like take effect at once, so that measuring them by themselves means something.
    const REGISTERS_AT_ONCE: bool = true;

    /// Whether a descriptor may be closed and its number used again while the file stays registered.
    const FORGETS_DESCRIPTORS: bool = !POLL_BACKENDS;
}

pub trait Wake: Send + Sync + 'static {
    fn wake(&self) -> io::Result<()>;
}

/// A queue with the sockets that belong to it: the peer's own, or those of std made with as few system calls as can be.
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

/// For queues without sockets of their own.
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
        // The address is taken, as the others do.
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
        // SAFETY: takes no pointer; the descriptor is new.
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

/// The result of a system call.
#[inline]
pub fn check(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
