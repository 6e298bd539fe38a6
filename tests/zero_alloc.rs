//! Once `Poll`, `Events` and sources exist, nothing is allocated or freed. The tests prove it on real connections, by counting
//! the calls of the allocator. With `poll(2)`, a table may grow when more sources than ever before are registered. So each test
//! warms up with a round like those that are counted.

#![allow(clippy::missing_const_for_thread_local)] // it is; Clippy does not see that where MinGW is the target
#![cfg(all(feature = "os-ext", feature = "net"))]
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use mio::net::{TcpListener, TcpStream, UdpSocket};
use mio::{Events, Interest, Poll, Token, Waker};

const HANG: Duration = Duration::from_secs(20);
const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// The system's allocator, with a count of each thread's calls.
struct Counting;

thread_local! {
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: this leaves everything to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.set(CALLS.get() + 1);
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        CALLS.set(CALLS.get() + 1);
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Asserts that this thread does its work without the allocator.
#[track_caller]
fn without_allocating<T>(work: impl FnOnce() -> T) -> T {
    let before = CALLS.get();
    let result = work();
    assert_eq!(CALLS.get() - before, 0, "calls of the allocator");
    result
}

fn localhost() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

#[test]
fn the_allocator_is_counted() {
    let before = CALLS.get();
    drop(Box::new(1));
    assert_eq!(CALLS.get() - before, 2);
}

const CLIENTS: usize = 16;
const LISTENER: Token = Token(CLIENTS);

/// An echo server, with its memory. It serves until each of its clients has come and gone.
struct Server {
    poll: Poll,
    events: Events,
    listener: TcpListener,
    connections: [Option<TcpStream>; CLIENTS],
    buffer: Vec<u8>,
}

impl Server {
    fn new() -> Server {
        let server = Server {
            poll: Poll::new().unwrap(),
            events: Events::with_capacity(8),
            listener: TcpListener::bind(localhost()).unwrap(),
            connections: Default::default(),
            buffer: vec![0; 4096],
        };
        let mut server = server;
        server.poll.registry().register(&mut server.listener, LISTENER, Interest::READABLE).unwrap();
        server
    }

    fn serve(&mut self) {
        let (mut come, mut gone) = (0, 0);
        while gone < CLIENTS {
            self.poll.poll(&mut self.events, Some(HANG)).unwrap();
            assert!(!self.events.is_empty(), "no event within {HANG:?}");
            for event in &self.events {
                if event.token() == LISTENER {
                    while let Ok((mut stream, _)) = self.listener.accept() {
                        self.poll.registry().register(&mut stream, Token(come), Interest::READABLE).unwrap();
                        self.connections[come] = Some(stream);
                        come += 1;
                    }
                    continue;
                }
                let connection = &mut self.connections[event.token().0];
                let Some(stream) = connection else { continue };
                loop {
                    match stream.read(&mut self.buffer) {
                        Ok(0) => {
                            self.poll.registry().deregister(stream).unwrap();
                            *connection = None;
                            gone += 1;
                            break;
                        }
                        Ok(count) => stream.write_all(&self.buffer[..count]).unwrap(),
                        Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                        Err(error) => panic!("{error}"),
                    }
                }
            }
        }
    }
}

#[test]
fn an_echo_server_allocates_nothing() {
    let mut server = Server::new();
    let address = server.listener.local_addr().unwrap();
    let all_are_connected = Arc::new(Barrier::new(CLIENTS));
    for round in 0..4 {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                let all_are_connected = Arc::clone(&all_are_connected);
                std::thread::spawn(move || {
                    let mut stream = std::net::TcpStream::connect(address).unwrap();
                    let mut buffer = [0; 1000];
                    stream.write_all(&buffer).unwrap();
                    stream.read_exact(&mut buffer).unwrap();
                    all_are_connected.wait();
                    for number in 0..20 {
                        stream.write_all(&[number; 1000]).unwrap();
                        stream.read_exact(&mut buffer).unwrap();
                        assert_eq!(buffer, [number; 1000]);
                    }
                })
            })
            .collect();
        if round == 0 {
            server.serve();
        } else {
            without_allocating(|| server.serve());
        }
        clients.into_iter().for_each(|client| client.join().unwrap());
    }
}

#[test]
fn registrations_allocate_nothing() {
    let poll = Poll::new().unwrap();
    let mut sockets: Vec<_> = (0..100).map(|_| UdpSocket::bind(localhost()).unwrap()).collect();
    let mut rounds = |count| {
        for round in 0..count {
            for (token, socket) in sockets.iter_mut().enumerate() {
                poll.registry().register(socket, Token(token), Interest::READABLE).unwrap();
                poll.registry().reregister(socket, Token(token + round), BOTH).unwrap();
            }
            for socket in &mut sockets {
                poll.registry().deregister(socket).unwrap();
            }
        }
    };
    rounds(1);
    without_allocating(|| rounds(100));
}

/// This is what a program does for hours: sources go and others come, but there are never more than before.
#[test]
fn sources_that_take_turns_allocate_nothing() {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(8);
    let mut sockets: Vec<_> = (0..100).map(|_| UdpSocket::bind(localhost()).unwrap()).collect();
    for (token, socket) in sockets.iter_mut().enumerate() {
        poll.registry().register(socket, Token(token), Interest::WRITABLE).unwrap();
    }
    poll.poll(&mut events, Some(HANG)).unwrap();
    without_allocating(|| {
        for round in 0..5_000 {
            let place = round * 7 % sockets.len();
            poll.registry().deregister(&mut sockets[place]).unwrap();
            // The number of a closed descriptor is sometimes used again, and sometimes not.
            let new = UdpSocket::bind(localhost()).unwrap();
            let old = std::mem::replace(&mut sockets[place], new);
            let kept = (round % 3 == 0).then_some(old);
            poll.registry().register(&mut sockets[place], Token(place), Interest::WRITABLE).unwrap();
            poll.poll(&mut events, Some(HANG)).unwrap();
            drop(kept);
        }
    });
}

#[test]
fn wakes_and_time_outs_allocate_nothing() {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(8);
    let waker = Waker::new(poll.registry(), Token(0)).unwrap();
    let mut rounds = |count| {
        for _ in 0..count {
            waker.wake().unwrap();
            waker.wake().unwrap();
            poll.poll(&mut events, Some(HANG)).unwrap();
            assert!(!events.is_empty());
            poll.poll(&mut events, Some(Duration::from_micros(10))).unwrap();
        }
    };
    rounds(1);
    without_allocating(|| rounds(100));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(10));
            without_allocating(|| waker.wake().unwrap());
        });
        without_allocating(|| poll.poll(&mut events, Some(HANG)).unwrap());
        assert!(!events.is_empty());
    });
}

#[test]
fn datagrams_and_peeks_allocate_nothing() {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(8);
    let mut ours = UdpSocket::bind(localhost()).unwrap();
    let theirs = UdpSocket::bind(localhost()).unwrap();
    let address = ours.local_addr().unwrap();
    poll.registry().register(&mut ours, Token(0), Interest::READABLE).unwrap();
    let mut buffer = [0; 8];
    let mut rounds = |count| {
        for _ in 0..count {
            theirs.send_to(b"data", address).unwrap();
            poll.poll(&mut events, Some(HANG)).unwrap();
            assert_eq!(ours.peek_from(&mut buffer).unwrap().0, 4);
            assert_eq!(ours.recv_from(&mut buffer).unwrap().0, 4);
            assert_eq!(ours.recv_from(&mut buffer).unwrap_err().kind(), ErrorKind::WouldBlock);
        }
    };
    rounds(1);
    without_allocating(|| rounds(100));
}

#[test]
#[cfg(unix)]
fn unix_sockets_and_pipes_allocate_nothing() {
    use mio::net::{UnixDatagram, UnixListener, UnixStream};
    use mio::unix::pipe;

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(8);
    let mut listener = UnixListener::bind(&path).unwrap();
    let (mut stream, mut their_stream) = UnixStream::pair().unwrap();
    let (mut datagram, their_datagram) = UnixDatagram::pair().unwrap();
    let (mut sender, mut receiver) = pipe::new().unwrap();
    poll.registry().register(&mut listener, Token(0), Interest::READABLE).unwrap();
    poll.registry().register(&mut stream, Token(1), Interest::READABLE).unwrap();
    poll.registry().register(&mut datagram, Token(2), Interest::READABLE).unwrap();
    poll.registry().register(&mut receiver, Token(3), Interest::READABLE).unwrap();
    let mut buffer = [0; 8];
    for round in 0..10 {
        let _client = UnixStream::connect(&path).unwrap();
        let mut work = || {
            their_stream.write_all(b"data").unwrap();
            their_datagram.send(b"data").unwrap();
            sender.write_all(b"data").unwrap();
            let mut seen = 0;
            while seen < 4 {
                poll.poll(&mut events, Some(HANG)).unwrap();
                assert!(!events.is_empty());
                seen += events.iter().count();
            }
            drop(listener.accept().unwrap());
            assert!(listener.accept().is_err());
            assert_eq!(stream.read(&mut buffer).unwrap(), 4);
            assert!(stream.read(&mut buffer).is_err());
            assert_eq!(datagram.recv_from(&mut buffer).unwrap().0, 4);
            assert!(datagram.recv(&mut buffer).is_err());
            assert_eq!(receiver.read(&mut buffer).unwrap(), 4);
            assert!(receiver.read(&mut buffer).is_err());
        };
        if round == 0 { work() } else { without_allocating(work) }
    }
}
