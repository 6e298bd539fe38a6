//! A pair is two connected sources of one kind, with the I/O that they do.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
#[cfg(unix)]
use std::os::fd::AsRawFd;

use mio::event::Source;
use mio::net::{TcpListener, TcpStream, UdpSocket};
#[cfg(unix)]
use mio::{
    net::{UnixDatagram, UnixStream},
    unix::pipe,
};

use socket2::SockRef;

use crate::program::PRIORITY;

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Tcp,
    /// A listener, and a client that connects to it.
    Listener,
    Udp,
    #[cfg(unix)]
    UnixStream,
    #[cfg(unix)]
    UnixDatagram,
    #[cfg(unix)]
    Pipe,
}

pub(crate) const KINDS: &[Kind] = &[
    Kind::Tcp,
    Kind::Listener,
    Kind::Udp,
    #[cfg(unix)]
    Kind::UnixStream,
    #[cfg(unix)]
    Kind::UnixDatagram,
    #[cfg(unix)]
    Kind::Pipe,
];

impl Kind {
    pub(crate) fn is_stream(self) -> bool {
        #[cfg(unix)]
        if matches!(self, Kind::UnixStream | Kind::Pipe) {
            return true;
        }
        self == Kind::Tcp
    }

    /// Returns whether an act of one end has taken effect on the other when the call returns. Over the network it takes longer.
    pub(crate) fn is_immediate(self) -> bool {
        !matches!(self, Kind::Tcp | Kind::Listener | Kind::Udp)
    }

    /// Returns how much may be in transit before the system silently begins to drop it.
    pub(crate) fn limit(self) -> usize {
        if matches!(self, Kind::Listener | Kind::Udp) { 16 } else { usize::MAX }
    }

    /// Returns whether a side can write: a pipe goes one way, and of a listener's pair only the connecting side acts.
    pub(crate) fn writes(self, side: usize) -> bool {
        match self {
            Kind::Listener => side == 1,
            #[cfg(unix)]
            Kind::Pipe => side == 0,
            _ => true,
        }
    }
}

/// A state that only the system knows.
#[derive(Copy, Clone, Debug)]
pub(crate) enum Condition {
    Error,
    Urgent,
}

/// One end of a pair.
pub(crate) enum Io {
    Tcp(TcpStream),
    Listener(TcpListener),
    /// Connects, and is no source.
    Connector(SocketAddr),
    Udp(UdpSocket),
    #[cfg(unix)]
    UnixStream(UnixStream),
    #[cfg(unix)]
    UnixDatagram(UnixDatagram),
    #[cfg(unix)]
    Sender(pipe::Sender),
    #[cfg(unix)]
    Receiver(pipe::Receiver),
}

pub(crate) fn open(kind: Kind) -> [Io; 2] {
    let localhost = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    match kind {
        Kind::Tcp => {
            let listener = std::net::TcpListener::bind(localhost).unwrap();
            let ours = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (theirs, _) = listener.accept().unwrap();
            [ours, theirs].map(|stream| {
                stream.set_nonblocking(true).unwrap();
                stream.set_nodelay(true).unwrap();
                Io::Tcp(TcpStream::from_std(stream))
            })
        }
        Kind::Listener => {
            let listener = TcpListener::bind(localhost).unwrap();
            let address = listener.local_addr().unwrap();
            [Io::Listener(listener), Io::Connector(address)]
        }
        Kind::Udp => {
            let (a, b) = (UdpSocket::bind(localhost).unwrap(), UdpSocket::bind(localhost).unwrap());
            a.connect(b.local_addr().unwrap()).unwrap();
            b.connect(a.local_addr().unwrap()).unwrap();
            [Io::Udp(a), Io::Udp(b)]
        }
        #[cfg(unix)]
        Kind::UnixStream => <[_; 2]>::from(UnixStream::pair().unwrap()).map(Io::UnixStream),
        #[cfg(unix)]
        Kind::UnixDatagram => <[_; 2]>::from(UnixDatagram::pair().unwrap()).map(Io::UnixDatagram),
        #[cfg(unix)]
        Kind::Pipe => {
            let (sender, receiver) = pipe::new().unwrap();
            [Io::Sender(sender), Io::Receiver(receiver)]
        }
    }
}

impl Io {
    /// Returns this end as a source, if it is one.
    pub(crate) fn source(&mut self) -> Option<&mut dyn Source> {
        Some(match self {
            Io::Tcp(stream) => stream,
            Io::Listener(listener) => listener,
            Io::Connector(_) => return None,
            Io::Udp(socket) => socket,
            #[cfg(unix)]
            Io::UnixStream(stream) => stream,
            #[cfg(unix)]
            Io::UnixDatagram(socket) => socket,
            #[cfg(unix)]
            Io::Sender(sender) => sender,
            #[cfg(unix)]
            Io::Receiver(receiver) => receiver,
        })
    }

    /// Reads once. A listener accepts one connection.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Io::Tcp(stream) => stream.read(buffer),
            Io::Listener(listener) => listener.accept().map(|_| 1),
            Io::Connector(_) => Err(ErrorKind::Unsupported.into()),
            Io::Udp(socket) => socket.recv(buffer),
            #[cfg(unix)]
            Io::UnixStream(stream) => stream.read(buffer),
            #[cfg(unix)]
            Io::UnixDatagram(socket) => socket.recv(buffer),
            #[cfg(unix)]
            Io::Sender(_) => Err(ErrorKind::Unsupported.into()),
            #[cfg(unix)]
            Io::Receiver(receiver) => receiver.read(buffer),
        }
    }

    /// Writes once. The client of a listener connects.
    pub(crate) fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        match self {
            Io::Tcp(stream) => stream.write(data),
            Io::Listener(_) => Err(ErrorKind::Unsupported.into()),
            Io::Connector(address) => std::net::TcpStream::connect(*address).map(|_| 1),
            Io::Udp(socket) => socket.send(data),
            #[cfg(unix)]
            Io::UnixStream(stream) => stream.write(data),
            #[cfg(unix)]
            Io::UnixDatagram(socket) => socket.send(data),
            #[cfg(unix)]
            Io::Sender(sender) => sender.write(data),
            #[cfg(unix)]
            Io::Receiver(_) => Err(ErrorKind::Unsupported.into()),
        }
    }

    /// Sends a byte of urgent data. Returns whether that was possible.
    pub(crate) fn write_urgent(&self) -> bool {
        match self {
            Io::Tcp(stream) if PRIORITY.is_some() => SockRef::from(stream).send_out_of_band(b"!").is_ok(),
            _ => false,
        }
    }

    /// Takes the byte of urgent data. Returns whether there was one.
    pub(crate) fn read_urgent(&self) -> bool {
        let mut buffer = [std::mem::MaybeUninit::uninit(); 1];
        match self {
            Io::Tcp(stream) => SockRef::from(stream).recv_out_of_band(&mut buffer).is_ok_and(|count| count == 1),
            _ => false,
        }
    }

    /// Returns what the system says, independently of any queue.
    #[cfg(unix)]
    #[allow(unsafe_code)]
    pub(crate) fn has(&self, condition: Condition) -> bool {
        let fd = match self {
            Io::Tcp(stream) => stream.as_raw_fd(),
            Io::Udp(socket) => socket.as_raw_fd(),
            _ => return false,
        };
        let (events, wanted) = match condition {
            Condition::Error => (0, libc::POLLERR),
            Condition::Urgent => (libc::POLLPRI, libc::POLLPRI),
        };
        let mut descriptor = libc::pollfd { fd, events, revents: 0 };
        // SAFETY: the kernel writes to one entry.
        unsafe { libc::poll(&mut descriptor, 1, 0) };
        descriptor.revents & wanted != 0
    }

    /// Here the system does not say.
    #[cfg(not(unix))]
    pub(crate) fn has(&self, _condition: Condition) -> bool {
        false
    }

    pub(crate) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        match self {
            Io::Tcp(stream) => stream.shutdown(how),
            #[cfg(unix)]
            Io::UnixStream(stream) => stream.shutdown(how),
            _ => Err(ErrorKind::Unsupported.into()),
        }
    }
}
