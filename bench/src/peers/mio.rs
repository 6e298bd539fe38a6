//! A queue on the crate that the parent module calls `mio`: this one, or the release that it replaces. It is a drop-in
//! replacement, so one text serves both.

use std::io;
use std::net::SocketAddr;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::time::Duration;

use super::mio::net::{TcpListener, TcpStream, UdpSocket};
use super::mio::unix::SourceFd;
use super::mio::{Events, Interest, Poll, Token, Waker};
use crate::queue::{Direction, Queue, Sockets, Wake};

pub struct Mio {
    poll: Poll,
    events: Events,
}

#[inline]
fn interest(direction: Direction) -> Interest {
    match direction {
        Direction::Read => Interest::READABLE,
        Direction::Write => Interest::WRITABLE,
    }
}

impl Queue for Mio {
    type Waker = Waker;

    fn new(capacity: usize) -> io::Result<Mio> {
        Ok(Mio { poll: Poll::new()?, events: Events::with_capacity(capacity) })
    }

    #[inline]
    fn register(&self, fd: RawFd, token: usize, direction: Direction) -> io::Result<()> {
        self.poll.registry().register(&mut SourceFd(&fd), Token(token), interest(direction))
    }

    #[inline]
    fn reregister(&self, fd: RawFd, token: usize, direction: Direction) -> io::Result<()> {
        self.poll.registry().reregister(&mut SourceFd(&fd), Token(token), interest(direction))
    }

    #[inline]
    fn deregister(&self, fd: RawFd) -> io::Result<()> {
        self.poll.registry().deregister(&mut SourceFd(&fd))
    }

    #[inline(always)]
    fn poll(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.poll.poll(&mut self.events, timeout)
    }

    #[inline]
    fn tokens(&self) -> impl Iterator<Item = usize> {
        self.events.iter().map(|event| event.token().0)
    }

    fn waker(&self, token: usize) -> io::Result<Arc<Waker>> {
        Ok(Arc::new(Waker::new(self.poll.registry(), Token(token))?))
    }

    #[cfg(not(mio_backend = "poll"))]
    fn export(&self) {
        std::os::fd::AsRawFd::as_raw_fd(&self.poll);
    }
}

impl Wake for Waker {
    #[inline]
    fn wake(&self) -> io::Result<()> {
        Waker::wake(self)
    }
}

impl Sockets for Mio {
    type Listener = TcpListener;
    type Stream = TcpStream;
    type Udp = UdpSocket;

    fn listen(address: SocketAddr) -> io::Result<TcpListener> {
        TcpListener::bind(address)
    }

    #[inline]
    fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
        listener.accept().map(|(stream, _address)| stream)
    }

    #[inline]
    fn connect(address: SocketAddr) -> io::Result<TcpStream> {
        TcpStream::connect(address)
    }

    fn udp(address: SocketAddr) -> io::Result<UdpSocket> {
        UdpSocket::bind(address)
    }

    #[inline]
    fn send_to(socket: &UdpSocket, bytes: &[u8], to: SocketAddr) -> io::Result<usize> {
        socket.send_to(bytes, to)
    }

    #[inline]
    fn recv_from(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        socket.recv_from(buffer)
    }

    #[inline]
    fn register_listener(&self, listener: &mut TcpListener, token: usize) -> io::Result<()> {
        self.poll.registry().register(listener, Token(token), Interest::READABLE)
    }

    #[inline]
    fn register_stream(&self, stream: &mut TcpStream, token: usize, direction: Direction) -> io::Result<()> {
        self.poll.registry().register(stream, Token(token), interest(direction))
    }

    #[inline]
    fn register_udp(&self, socket: &mut UdpSocket, token: usize) -> io::Result<()> {
        self.poll.registry().register(socket, Token(token), Interest::READABLE)
    }
}
