//! Closing a socket while it is registered is a programming error, and must do no harm.
//!
//! These tests have a process to themselves, and run one by one. Windows soon uses the number of a closed socket again, and
//! then it could belong to another test's socket or handle. (The server of Wine 8 even exits if it is asked to poll a handle of
//! the driver.)

#![cfg(windows)]
#![allow(unsafe_code)]

use std::io::{self, ErrorKind};
use std::net::{self, SocketAddr};
use std::os::windows::io::{AsRawSocket, IntoRawSocket, RawSocket};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use mio::event::Source;
use mio::net::UdpSocket;
use mio::windows::SourceSocket;
use mio::{Events, Interest, Poll, Token};
use windows_sys::Win32::Networking::WinSock::{SOCKET, closesocket};

const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);
const GUARD: Duration = Duration::from_secs(60);

static ALONE: Mutex<()> = Mutex::new(());

fn localhost() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

fn assert_silent(poll: &mut Poll, events: &mut Events) {
    for _ in 0..3 {
        poll.poll(events, Some(Duration::from_millis(20))).unwrap();
        assert!(events.is_empty(), "{events:?}");
    }
}

#[test]
fn a_socket_closed_behind_the_queues_back_neither_panics_nor_spins() {
    let _alone = ALONE.lock();
    let mut queue = Poll::new().unwrap();
    let mut events = Events::with_capacity(16);
    for registered_bare in [false, true] {
        let socket = net::UdpSocket::bind(localhost()).unwrap();
        let raw = socket.as_raw_socket();
        let mut source: Box<dyn Source> = if registered_bare {
            Box::new(Bare(socket.into_raw_socket()))
        } else {
            Box::new(UdpSocket::from_std(socket))
        };
        queue.registry().register(&mut source, Token(0), Interest::READABLE).unwrap();
        assert_silent(&mut queue, &mut events);
        // SAFETY: the source no longer uses the socket.
        assert_eq!(unsafe { closesocket(raw as SOCKET) }, 0);
        assert_silent(&mut queue, &mut events);

        assert_eq!(queue.registry().reregister(&mut source, Token(0), BOTH).unwrap_err().kind(), ErrorKind::NotFound);
        assert_silent(&mut queue, &mut events);
        queue.registry().deregister(&mut source).unwrap();
        // Closing it again would close another object that has the number by now.
        std::mem::forget(source);
    }
}

#[test]
fn a_bare_socket_closed_without_deregistering_leaves_its_number_usable() {
    let _alone = ALONE.lock();
    let mut queue = Poll::new().unwrap();
    let mut events = Events::with_capacity(16);
    for round in 0..50 {
        let socket = net::UdpSocket::bind(localhost()).unwrap();
        socket.set_nonblocking(true).unwrap();
        queue.registry().register(&mut SourceSocket(&socket.as_raw_socket()), Token(round), BOTH).unwrap();
        let start = Instant::now();
        loop {
            assert!(start.elapsed() < GUARD, "no event");
            queue.poll(&mut events, Some(GUARD)).unwrap();
            if events.iter().any(|event| event.token() == Token(round) && event.is_writable()) {
                break;
            }
        }
    }
}

/// A socket by its number.
struct Bare(RawSocket);

impl Source for Bare {
    fn register(&mut self, registry: &mio::Registry, token: Token, interests: Interest) -> io::Result<()> {
        SourceSocket(&self.0).register(registry, token, interests)
    }

    fn reregister(&mut self, registry: &mio::Registry, token: Token, interests: Interest) -> io::Result<()> {
        SourceSocket(&self.0).reregister(registry, token, interests)
    }

    fn deregister(&mut self, registry: &mio::Registry) -> io::Result<()> {
        SourceSocket(&self.0).deregister(registry)
    }
}
