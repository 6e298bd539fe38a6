//! A queue on polling, whose registrations end with an event, because it has no edges on Windows.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use polling::{Event, Events, Poller};
use socket2::{Domain, Socket, Type};

use crate::peers::Queue;

pub struct Polling {
    poller: Poller,
    events: Events,
}

fn event(token: usize, write: bool) -> Event {
    if write { Event::writable(token) } else { Event::readable(token) }
}

impl Queue for Polling {
    type Listener = TcpListener;
    type Stream = TcpStream;
    type Udp = UdpSocket;

    fn new() -> io::Result<Polling> {
        Ok(Polling { poller: Poller::new()?, events: Events::new() })
    }

    fn poll(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.events.clear();
        self.poller.wait(&mut self.events, timeout).map(drop)
    }

    fn tokens(&self) -> Vec<usize> {
        self.events.iter().map(|event| event.key).collect()
    }

    fn wake(&self) -> io::Result<()> {
        self.poller.notify()
    }

    fn listen(&self, address: SocketAddr, token: usize) -> io::Result<(TcpListener, SocketAddr)> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        // SAFETY: the listener and the queue end together.
        unsafe { self.poller.add(&listener, event(token, false))? };
        let address = listener.local_addr()?;
        Ok((listener, address))
    }

    fn accept(&self, listener: &TcpListener, token: usize) -> io::Result<TcpStream> {
        match listener.accept() {
            Ok((stream, _)) => stream.set_nonblocking(true).map(|()| stream),
            Err(error) => {
                self.poller.modify(listener, event(token, false))?;
                Err(error)
            }
        }
    }

    fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        match socket.connect(&address.into()) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(socket.into()),
        }
    }

    fn register(&self, stream: &mut TcpStream, token: usize, write: bool) -> io::Result<()> {
        // SAFETY: the programs close streams with `close`, or the streams end with the queue.
        unsafe { self.poller.add(&*stream, event(token, write)) }
    }

    fn reregister(&self, stream: &mut TcpStream, token: usize, write: bool) -> io::Result<()> {
        self.poller.modify(&*stream, event(token, write))
    }

    fn close(&self, mut stream: TcpStream) -> io::Result<()> {
        self.deregister(&mut stream)
    }

    fn deregister(&self, stream: &mut TcpStream) -> io::Result<()> {
        self.poller.delete(&*stream)
    }

    fn reset_on_close(&self, stream: &TcpStream) -> io::Result<()> {
        socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO))
    }

    fn udp(&self, token: usize) -> io::Result<(UdpSocket, SocketAddr)> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.set_nonblocking(true)?;
        // SAFETY: the socket and the queue end together.
        unsafe { self.poller.add(&socket, event(token, false))? };
        let address = socket.local_addr()?;
        Ok((socket, address))
    }

    fn send_to(&self, socket: &UdpSocket, bytes: &[u8], to: SocketAddr) -> io::Result<usize> {
        socket.send_to(bytes, to)
    }

    fn recv_from(&self, socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        socket.recv_from(buffer)
    }

    fn rearm_stream(&self, stream: &TcpStream, token: usize) -> io::Result<()> {
        self.poller.modify(stream, event(token, false))
    }

    fn rearm_udp(&self, socket: &UdpSocket, token: usize) -> io::Result<()> {
        self.poller.modify(socket, event(token, false))
    }
}
