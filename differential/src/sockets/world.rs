//! Does steps with the crate that the parent module calls `mio`: this one or the release. One text serves both, so whatever
//! differs is due to the crates.

use std::fs::File;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::mem::ManuallyDrop;
use std::net::{self, Ipv4Addr, Shutdown, SocketAddr};
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::os::unix::net as unix_net;
use std::time::Duration;

use socket2::SockRef;

use super::mio::event::Source;
use super::mio::net::{TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream};
use super::mio::unix::SourceFd;
use super::mio::unix::pipe::{Receiver, Sender};
use super::mio::{Events, Interest, Poll, Registry, Token, Waker};
use crate::field::{Kind, POLLS, SLOTS, Side, Step};
use crate::outcome::{Outcome, Subject, Told};

const WAKER: Token = Token(usize::MAX);

/// Programs fill the buffers, which could otherwise take a megabyte or more.
const BUFFER: usize = 1 << 12;

/// How often a program writes until it is enough: it is more than the buffers between two ends hold.
const MOST: usize = 200;

pub struct World {
    polls: [Poll; POLLS],
    wakers: [Option<Waker>; POLLS],
    /// In debug builds, mio panics at a second waker, even if the first was dropped.
    had_waker: [bool; POLLS],
    slots: [Option<Slot>; SLOTS],
    events: Events,
}

struct Slot {
    ours: Ours,
    peer: Option<Peer>,
}

enum Ours {
    Tcp(TcpStream),
    Listener(TcpListener),
    Udp(UdpSocket),
    Unix(UnixStream),
    Datagram(UnixDatagram),
    UnixListener(UnixListener),
    Sender(Sender),
    Receiver(Receiver),
    Descriptor(OwnedFd),
}

enum Peer {
    Tcp(net::TcpStream),
    Udp(net::UdpSocket),
    Unix(unix_net::UnixStream),
    Datagram(unix_net::UnixDatagram),
    Pipe(File),
    /// The clients that connect to a listener.
    Clients(SocketAddr, Vec<net::TcpStream>),
    UnixClients(unix_net::SocketAddr, Vec<unix_net::UnixStream>),
}

fn localhost() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

impl Subject for World {
    fn new() -> World {
        let polls = [(); POLLS].map(|()| Poll::new().unwrap());
        World {
            polls,
            wakers: [const { None }; POLLS],
            had_waker: [false; POLLS],
            slots: [const { None }; SLOTS],
            events: Events::with_capacity(64),
        }
    }

    fn try_perform(&mut self, index: usize, step: Step) -> Option<Outcome> {
        let result = match step {
            Step::Open(slot, kind) => {
                self.slots[slot] = None;
                self.slots[slot] = Some(open(kind).unwrap());
                Ok(0)
            }
            Step::Close(slot) => self.slots[slot].take().map(|_| Ok(0))?,
            Step::Register(slot, poll, bits) => {
                let registry = self.polls[poll].registry();
                self.slots[slot].as_mut()?.ours.register(registry, Token(index), interest(bits)).map(|()| 0)
            }
            Step::Reregister(slot, poll, bits) => {
                let registry = self.polls[poll].registry();
                self.slots[slot].as_mut()?.ours.reregister(registry, Token(index), interest(bits)).map(|()| 0)
            }
            Step::Deregister(slot, poll) => {
                let registry = self.polls[poll].registry();
                self.slots[slot].as_mut()?.ours.deregister(registry).map(|()| 0)
            }
            Step::Read(slot, length) => self.slots[slot].as_ref()?.ours.read(&mut vec![0; length])?,
            Step::ReadAll(slot) => {
                let ours = &self.slots[slot].as_ref()?.ours;
                loop {
                    match ours.read(&mut [0; BUFFER])? {
                        Ok(0) if !ours.is_packets() => break Ok(0),
                        Ok(_) => {}
                        Err(error) => break Err(error),
                    }
                }
            }
            Step::Write(slot, length) => self.slots[slot].as_ref()?.ours.write(&vec![b'x'; length])?,
            Step::WriteAll(slot) => {
                let ours = &self.slots[slot].as_ref()?.ours;
                // A datagram can always be sent.
                for _ in 0..MOST {
                    if let Err(error) = ours.write(&[b'x'; BUFFER])? {
                        return Some(Err(error).into());
                    }
                }
                Ok(0)
            }
            Step::WriteVectored(slot, count, length) => {
                let bytes = vec![b'x'; length];
                let slices: Vec<_> = (0..count).map(|_| IoSlice::new(&bytes)).collect();
                self.slots[slot].as_ref()?.ours.write_vectored(&slices)?
            }
            Step::Peek(slot) => self.slots[slot].as_ref()?.ours.peek()?,
            Step::TryIo(slot) => self.slots[slot].as_ref()?.ours.try_io_that_would_block()?,
            Step::TakeError(slot) => self.slots[slot].as_ref()?.ours.take_error()?.map(|error| match error {
                Some(error) => error.raw_os_error().unwrap() as usize,
                None => 0,
            }),
            Step::Shutdown(slot, side) => self.slots[slot].as_ref()?.ours.shutdown(shutdown(side))?.map(|()| 0),
            Step::Convert(slot) => {
                let Slot { ours, peer } = self.slots[slot].take()?;
                self.slots[slot] = Some(Slot { ours: ours.convert(), peer });
                Ok(0)
            }
            Step::PeerWrite(slot, length) => {
                // It depends on the kernel whether the write takes all bytes.
                self.slots[slot].as_mut()?.peer.as_mut()?.write(&vec![b'y'; length])?.map(|_| 0)
            }
            Step::PeerFill(slot) => {
                let peer = self.slots[slot].as_mut()?.peer.as_mut()?;
                // There is no end of connections, but there is one of the backlog.
                for _ in 0..MOST {
                    if peer.write(&[b'y'; BUFFER])?.is_err() || peer.clients() > 3 {
                        break;
                    }
                }
                Ok(0)
            }
            Step::PeerRead(slot) => {
                let peer = self.slots[slot].as_mut()?.peer.as_mut()?;
                while peer.read(&mut [0; BUFFER])?.is_ok_and(|count| count > 0) {}
                Ok(0)
            }
            Step::PeerUrgent(slot) => match self.slots[slot].as_mut()?.peer.as_mut()? {
                Peer::Tcp(stream) => SockRef::from(&*stream).send_out_of_band(b"!").map(|_| 0),
                _ => return None,
            },
            Step::PeerShutdown(slot, side) => self.slots[slot].as_mut()?.peer.as_mut()?.shutdown(shutdown(side))?,
            Step::PeerClose(slot) => self.slots[slot].as_mut()?.peer.take().map(|_| Ok(0))?,
            Step::PeerReset(slot) => match self.slots[slot].as_mut()?.peer.take()? {
                Peer::Tcp(stream) => SockRef::from(&stream).set_linger(Some(Duration::ZERO)).map(|()| 0),
                _ => Ok(0),
            },
            Step::MakeWaker(poll) if !self.had_waker[poll] => {
                self.had_waker[poll] = true;
                self.wakers[poll] = Some(Waker::new(self.polls[poll].registry(), WAKER).unwrap());
                Ok(0)
            }
            Step::MakeWaker(_) => return None,
            Step::DropWaker(poll) => self.wakers[poll].take().map(|_| Ok(0))?,
            Step::Wake(poll) => self.wakers[poll].as_ref()?.wake().map(|()| 0),
            Step::Poll(poll) => return Some(self.poll(poll)),
        };
        Some(result.into())
    }
}

impl World {
    fn poll(&mut self, poll: usize) -> Outcome {
        if let Err(error) = self.polls[poll].poll(&mut self.events, Some(Duration::ZERO)) {
            return Err(error).into();
        }
        let mut told: Vec<Told> = Vec::new();
        for event in &self.events {
            let hints = [
                event.is_readable(),
                event.is_writable(),
                event.is_error(),
                event.is_read_closed(),
                event.is_write_closed(),
                event.is_priority(),
            ];
            let hints = hints.iter().enumerate().map(|(bit, &hint)| u8::from(hint) << bit).sum();
            match told.iter_mut().find(|told| told.token == event.token().0) {
                Some(told) => (told.hints, told.events) = (told.hints | hints, told.events + 1),
                None => told.push(Told { token: event.token().0, hints, events: 1 }),
            }
        }
        told.sort_by_key(|told| told.token);
        Outcome::Events(told)
    }
}

fn interest(bits: u8) -> Interest {
    let all = [(1, Interest::READABLE), (2, Interest::WRITABLE), (4, Interest::PRIORITY)];
    all.into_iter().filter(|(bit, _)| bits & bit != 0).map(|(_, interest)| interest).reduce(Interest::add).unwrap()
}

fn shutdown(side: Side) -> Shutdown {
    match side {
        Side::Read => Shutdown::Read,
        Side::Write => Shutdown::Write,
        Side::Both => Shutdown::Both,
    }
}

fn open(kind: Kind) -> io::Result<Slot> {
    let (ours, peer) = match kind {
        Kind::Tcp => {
            let listener = net::TcpListener::bind(localhost())?;
            let stream = TcpStream::connect(listener.local_addr()?)?;
            let (peer, _) = listener.accept()?;
            peer.set_nonblocking(true)?;
            for socket in [SockRef::from(&stream), SockRef::from(&peer)] {
                socket.set_send_buffer_size(BUFFER)?;
                socket.set_recv_buffer_size(BUFFER)?;
                socket.set_tcp_nodelay(true)?;
            }
            (Ours::Tcp(stream), Some(Peer::Tcp(peer)))
        }
        Kind::Refused => {
            // The socket is bound, so nobody else takes the port, but does not listen.
            let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
            socket.bind(&localhost().into())?;
            let address = socket.local_addr()?.as_socket().unwrap();
            (Ours::Tcp(TcpStream::connect(address)?), None)
        }
        Kind::Listener => {
            let listener = TcpListener::bind(localhost())?;
            let address = listener.local_addr()?;
            (Ours::Listener(listener), Some(Peer::Clients(address, Vec::new())))
        }
        Kind::Udp => {
            let peer = net::UdpSocket::bind(localhost())?;
            let socket = UdpSocket::bind(localhost())?;
            socket.connect(peer.local_addr()?)?;
            peer.connect(socket.local_addr()?)?;
            peer.set_nonblocking(true)?;
            (Ours::Udp(socket), Some(Peer::Udp(peer)))
        }
        Kind::Unix => {
            let (stream, peer) = UnixStream::pair()?;
            // SAFETY: `into_raw_fd` gives up the descriptor.
            let peer = unsafe { unix_net::UnixStream::from_raw_fd(peer.into_raw_fd()) };
            (Ours::Unix(stream), Some(Peer::Unix(peer)))
        }
        Kind::Datagram => {
            let (socket, peer) = UnixDatagram::pair()?;
            // SAFETY: `into_raw_fd` gives up the descriptor.
            let peer = unsafe { unix_net::UnixDatagram::from_raw_fd(peer.into_raw_fd()) };
            (Ours::Datagram(socket), Some(Peer::Datagram(peer)))
        }
        Kind::UnixListener => {
            // The kernel chooses the name.
            let listener = UnixListener::bind("")?;
            (Ours::UnixListener(UnixListener::from_std(std_listener(listener))), None)
        }
        Kind::Sender | Kind::Receiver => {
            let (sender, receiver) = super::mio::unix::pipe::new()?;
            if kind == Kind::Sender {
                // SAFETY: `into_raw_fd` gives up the descriptor.
                let peer = unsafe { File::from_raw_fd(receiver.into_raw_fd()) };
                (Ours::Sender(sender), Some(Peer::Pipe(peer)))
            } else {
                // SAFETY: `into_raw_fd` gives up the descriptor.
                let peer = unsafe { File::from_raw_fd(sender.into_raw_fd()) };
                (Ours::Receiver(receiver), Some(Peer::Pipe(peer)))
            }
        }
        Kind::Descriptor => {
            let (ours, peer) = unix_net::UnixStream::pair()?;
            ours.set_nonblocking(true)?;
            peer.set_nonblocking(true)?;
            (Ours::Descriptor(ours.into()), Some(Peer::Unix(peer)))
        }
    };
    let peer = match &ours {
        Ours::UnixListener(listener) => Some(Peer::UnixClients(listener.local_addr()?, Vec::new())),
        _ => peer,
    };
    Ok(Slot { ours, peer })
}

fn std_listener(listener: UnixListener) -> unix_net::UnixListener {
    // SAFETY: `into_raw_fd` gives up the descriptor.
    unsafe { unix_net::UnixListener::from_raw_fd(listener.into_raw_fd()) }
}

impl Ours {
    fn register(&mut self, registry: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        self.with_source(|source| registry.register(source, token, interest))
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        self.with_source(|source| registry.reregister(source, token, interest))
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.with_source(|source| registry.deregister(source))
    }

    fn with_source(&mut self, call: impl FnOnce(&mut dyn Source) -> io::Result<()>) -> io::Result<()> {
        match self {
            Ours::Tcp(source) => call(source),
            Ours::Listener(source) => call(source),
            Ours::Udp(source) => call(source),
            Ours::Unix(source) => call(source),
            Ours::Datagram(source) => call(source),
            Ours::UnixListener(source) => call(source),
            Ours::Sender(source) => call(source),
            Ours::Receiver(source) => call(source),
            Ours::Descriptor(fd) => call(&mut SourceFd(&fd.as_raw_fd())),
        }
    }

    /// Returns whether reading nothing does not mean the end.
    fn is_packets(&self) -> bool {
        matches!(self, Ours::Listener(_) | Ours::UnixListener(_) | Ours::Udp(_) | Ours::Datagram(_))
    }

    fn read(&self, buffer: &mut [u8]) -> Option<io::Result<usize>> {
        Some(match self {
            Ours::Tcp(stream) => (&*stream).read(buffer),
            Ours::Listener(listener) => listener.accept().map(|_| 1),
            Ours::Udp(socket) => socket.recv(buffer),
            Ours::Unix(stream) => (&*stream).read(buffer),
            Ours::Datagram(socket) => socket.recv(buffer),
            Ours::UnixListener(listener) => listener.accept().map(|_| 1),
            Ours::Receiver(receiver) => (&*receiver).read(buffer),
            Ours::Descriptor(fd) => borrowed(fd).read(buffer),
            Ours::Sender(_) => return None,
        })
    }

    fn write(&self, bytes: &[u8]) -> Option<io::Result<usize>> {
        Some(match self {
            Ours::Tcp(stream) => (&*stream).write(bytes),
            Ours::Udp(socket) => socket.send(bytes),
            Ours::Unix(stream) => (&*stream).write(bytes),
            Ours::Datagram(socket) => socket.send(bytes),
            Ours::Sender(sender) => (&*sender).write(bytes),
            Ours::Descriptor(fd) => borrowed(fd).write(bytes),
            Ours::Listener(_) | Ours::UnixListener(_) | Ours::Receiver(_) => return None,
        })
    }

    fn write_vectored(&self, slices: &[IoSlice<'_>]) -> Option<io::Result<usize>> {
        Some(match self {
            Ours::Tcp(stream) => (&*stream).write_vectored(slices),
            Ours::Unix(stream) => (&*stream).write_vectored(slices),
            Ours::Sender(sender) => (&*sender).write_vectored(slices),
            _ => return None,
        })
    }

    fn peek(&self) -> Option<io::Result<usize>> {
        match self {
            Ours::Tcp(stream) => Some(stream.peek(&mut [0; 4])),
            Ours::Udp(socket) => Some(socket.peek(&mut [0; 4])),
            _ => None,
        }
    }

    fn try_io_that_would_block(&self) -> Option<io::Result<usize>> {
        fn would_block() -> io::Result<usize> {
            Err(ErrorKind::WouldBlock.into())
        }
        Some(match self {
            Ours::Tcp(stream) => stream.try_io(would_block),
            Ours::Udp(socket) => socket.try_io(would_block),
            Ours::Unix(stream) => stream.try_io(would_block),
            Ours::Datagram(socket) => socket.try_io(would_block),
            Ours::Sender(sender) => sender.try_io(would_block),
            Ours::Receiver(receiver) => receiver.try_io(would_block),
            _ => return None,
        })
    }

    fn take_error(&self) -> Option<io::Result<Option<io::Error>>> {
        Some(match self {
            Ours::Tcp(stream) => stream.take_error(),
            Ours::Listener(listener) => listener.take_error(),
            Ours::Udp(socket) => socket.take_error(),
            Ours::Unix(stream) => stream.take_error(),
            Ours::Datagram(socket) => socket.take_error(),
            Ours::UnixListener(listener) => listener.take_error(),
            _ => return None,
        })
    }

    fn shutdown(&self, how: Shutdown) -> Option<io::Result<()>> {
        Some(match self {
            Ours::Tcp(stream) => stream.shutdown(how),
            Ours::Unix(stream) => stream.shutdown(how),
            Ours::Datagram(socket) => socket.shutdown(how),
            _ => return None,
        })
    }

    fn convert(self) -> Ours {
        // SAFETY: each `into_raw_fd` gives up the descriptor of a source of the same type.
        unsafe {
            match self {
                Ours::Tcp(source) => Ours::Tcp(TcpStream::from_raw_fd(source.into_raw_fd())),
                Ours::Listener(source) => Ours::Listener(TcpListener::from_raw_fd(source.into_raw_fd())),
                Ours::Udp(source) => Ours::Udp(UdpSocket::from_raw_fd(source.into_raw_fd())),
                Ours::Unix(source) => Ours::Unix(UnixStream::from_raw_fd(source.into_raw_fd())),
                Ours::Datagram(source) => Ours::Datagram(UnixDatagram::from_raw_fd(source.into_raw_fd())),
                Ours::UnixListener(source) => Ours::UnixListener(UnixListener::from_raw_fd(source.into_raw_fd())),
                Ours::Sender(source) => Ours::Sender(Sender::from_raw_fd(source.into_raw_fd())),
                Ours::Receiver(source) => Ours::Receiver(Receiver::from_raw_fd(source.into_raw_fd())),
                Ours::Descriptor(source) => Ours::Descriptor(source),
            }
        }
    }
}

/// Returns a descriptor as a file that can be read and written.
fn borrowed(fd: &OwnedFd) -> ManuallyDrop<File> {
    // SAFETY: the file does not close the descriptor, because it is not dropped.
    ManuallyDrop::new(unsafe { File::from_raw_fd(fd.as_raw_fd()) })
}

impl Peer {
    fn write(&mut self, bytes: &[u8]) -> Option<io::Result<usize>> {
        Some(match self {
            Peer::Tcp(stream) => stream.write(bytes),
            Peer::Udp(socket) => socket.send(bytes),
            Peer::Unix(stream) => stream.write(bytes),
            Peer::Datagram(socket) => socket.send(bytes),
            Peer::Pipe(file) => file.write(bytes),
            Peer::Clients(address, clients) => net::TcpStream::connect(*address).map(|client| {
                clients.push(client);
                1
            }),
            Peer::UnixClients(address, clients) => unix_net::UnixStream::connect_addr(address).map(|client| {
                clients.push(client);
                1
            }),
        })
    }

    fn clients(&self) -> usize {
        match self {
            Peer::Clients(_, clients) => clients.len(),
            Peer::UnixClients(_, clients) => clients.len(),
            _ => 0,
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> Option<io::Result<usize>> {
        Some(match self {
            Peer::Tcp(stream) => stream.read(buffer),
            Peer::Udp(socket) => socket.recv(buffer),
            Peer::Unix(stream) => stream.read(buffer),
            Peer::Datagram(socket) => socket.recv(buffer),
            Peer::Pipe(file) => file.read(buffer),
            Peer::Clients(..) | Peer::UnixClients(..) => return None,
        })
    }

    fn shutdown(&self, how: Shutdown) -> Option<io::Result<usize>> {
        let result = match self {
            Peer::Tcp(stream) => stream.shutdown(how),
            Peer::Unix(stream) => stream.shutdown(how),
            Peer::Datagram(socket) => socket.shutdown(how),
            _ => return None,
        };
        Some(result.map(|()| 0))
    }
}
