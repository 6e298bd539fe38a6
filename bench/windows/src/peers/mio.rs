//! A queue on the crate that the parent module calls `mio`: this one, or the release that it replaces. It is a drop-in
//! replacement, so one text serves both.

use std::fs::OpenOptions;
use std::io;
use std::net::SocketAddr;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::{FromRawHandle, IntoRawHandle};
use std::time::Duration;

use super::mio::event::Source;
use super::mio::net::{TcpListener, TcpStream, UdpSocket};
use super::mio::windows::NamedPipe;
use super::mio::{Events, Interest, Poll, Token, Waker};
use crate::peers::{Pipes, Queue};

const FILE_FLAG_OVERLAPPED: u32 = 0x4000_0000;

pub struct Mio {
    waker: Waker,
    poll: Poll,
    events: Events,
}

fn interest(write: bool) -> Interest {
    if write { Interest::WRITABLE } else { Interest::READABLE }
}

impl Queue for Mio {
    type Listener = TcpListener;
    type Stream = TcpStream;
    type Udp = UdpSocket;

    fn new() -> io::Result<Mio> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), Token(usize::MAX - 1))?;
        Ok(Mio { waker, poll, events: Events::with_capacity(1024) })
    }

    fn poll(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.poll.poll(&mut self.events, timeout)
    }

    fn tokens(&self) -> Vec<usize> {
        self.events.iter().map(|event| event.token().0).collect()
    }

    fn wake(&self) -> io::Result<()> {
        self.waker.wake()
    }

    fn listen(&self, address: SocketAddr, token: usize) -> io::Result<(TcpListener, SocketAddr)> {
        let mut listener = TcpListener::bind(address)?;
        listener.register(self.poll.registry(), Token(token), Interest::READABLE)?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    }

    fn accept(&self, listener: &TcpListener, _token: usize) -> io::Result<TcpStream> {
        listener.accept().map(|(stream, _)| stream)
    }

    fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        TcpStream::connect(address)
    }

    fn register(&self, stream: &mut TcpStream, token: usize, write: bool) -> io::Result<()> {
        stream.register(self.poll.registry(), Token(token), interest(write))
    }

    fn reregister(&self, stream: &mut TcpStream, token: usize, write: bool) -> io::Result<()> {
        stream.reregister(self.poll.registry(), Token(token), interest(write))
    }

    fn close(&self, _stream: TcpStream) -> io::Result<()> {
        Ok(())
    }

    fn deregister(&self, stream: &mut TcpStream) -> io::Result<()> {
        stream.deregister(self.poll.registry())
    }

    fn reset_on_close(&self, stream: &TcpStream) -> io::Result<()> {
        socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO))
    }

    fn udp(&self, token: usize) -> io::Result<(UdpSocket, SocketAddr)> {
        let mut socket = UdpSocket::bind(([127, 0, 0, 1], 0).into())?;
        socket.register(self.poll.registry(), Token(token), Interest::READABLE)?;
        let address = socket.local_addr()?;
        Ok((socket, address))
    }

    fn send_to(&self, socket: &UdpSocket, bytes: &[u8], to: SocketAddr) -> io::Result<usize> {
        socket.send_to(bytes, to)
    }

    fn recv_from(&self, socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        socket.recv_from(buffer)
    }
}

impl Pipes for Mio {
    type Pipe = NamedPipe;

    fn pipe(&self, name: &str, tokens: [usize; 2]) -> io::Result<[NamedPipe; 2]> {
        let server = NamedPipe::new(name)?;
        let file = OpenOptions::new().read(true).write(true).custom_flags(FILE_FLAG_OVERLAPPED).open(name)?;
        // SAFETY: the file was opened for overlapped I/O, and gives up its handle here.
        let client = unsafe { NamedPipe::from_raw_handle(file.into_raw_handle()) };
        let mut pipes = [server, client];
        for (pipe, token) in pipes.iter_mut().zip(tokens) {
            pipe.register(self.poll.registry(), Token(token), Interest::READABLE | Interest::WRITABLE)?;
        }
        Ok(pipes)
    }
}
