//! What the tests share: waiting for events with a guard against hanging, and pairs of connected sockets.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::net::{TcpListener, TcpStream, UdpSocket};
use mio::{Events, Poll, Token};

/// How long a test waits for what must come before it fails. Only a hang takes that long.
pub(crate) const HANG: Duration = Duration::from_secs(20);

/// How long a test listens for what must not come.
const QUIET: Duration = Duration::from_millis(20);

/// The events of the next poll that gives any.
pub(crate) fn next_events(poll: &mut Poll) -> Vec<Event> {
    let mut events = Events::with_capacity(64);
    poll.poll_deadline(&mut events, Some(Instant::now() + HANG)).unwrap();
    assert!(!events.is_empty(), "no event within {HANG:?}");
    events.iter().cloned().collect()
}

/// The event of the next poll, which must give one alone.
pub(crate) fn next_event(poll: &mut Poll) -> Event {
    let mut events = next_events(poll);
    assert_eq!(events.len(), 1, "{events:?}");
    events.remove(0)
}

/// Polls until an event of `token` has the given hint.
pub(crate) fn wait_for(poll: &mut Poll, token: Token, hint: fn(&Event) -> bool) -> Event {
    let deadline = Instant::now() + HANG;
    while Instant::now() < deadline {
        if let Some(event) = next_events(poll).into_iter().find(|event| event.token() == token && hint(event)) {
            return event;
        }
    }
    panic!("no such event of {token:?} within {HANG:?}");
}

/// Asserts that nothing more has happened.
pub(crate) fn assert_no_event(poll: &mut Poll) {
    let mut events = Events::with_capacity(64);
    poll.poll_deadline(&mut events, Some(Instant::now() + QUIET)).unwrap();
    assert!(events.is_empty(), "unexpected: {events:?}");
}

/// Ends the process if it lives too long: the guard of tests that wait without a time-out.
pub(crate) struct Watchdog(#[allow(dead_code)] mpsc::Sender<()>);

impl Watchdog {
    pub(crate) fn start() -> Watchdog {
        let (alive, ended) = mpsc::channel();
        thread::spawn(move || {
            if ended.recv_timeout(HANG) == Err(mpsc::RecvTimeoutError::Timeout) {
                eprintln!("a poll without a time-out hangs");
                std::process::abort();
            }
        });
        Watchdog(alive)
    }
}

/// Waits for what comes without an event.
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + HANG;
    while !holds() {
        assert!(Instant::now() < deadline, "not within {HANG:?}: {what}");
        thread::yield_now();
    }
}

pub(crate) fn assert_would_block<T: std::fmt::Debug>(result: io::Result<T>) {
    assert_eq!(result.unwrap_err().kind(), ErrorKind::WouldBlock);
}

/// Port 0: the system finds a free one.
pub(crate) fn localhost() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

/// A listener, and where it listens.
pub(crate) fn tcp_listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind(localhost()).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// The two ends of a TCP connection.
pub(crate) fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = std::net::TcpListener::bind(localhost()).unwrap();
    let ours = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (theirs, _) = listener.accept().unwrap();
    for stream in [&ours, &theirs] {
        stream.set_nonblocking(true).unwrap();
        stream.set_nodelay(true).unwrap();
    }
    (TcpStream::from_std(ours), TcpStream::from_std(theirs))
}

/// Two UDP sockets that are connected to each other.
pub(crate) fn udp_pair() -> (UdpSocket, UdpSocket) {
    let (a, b) = (UdpSocket::bind(localhost()).unwrap(), UdpSocket::bind(localhost()).unwrap());
    a.connect(b.local_addr().unwrap()).unwrap();
    b.connect(a.local_addr().unwrap()).unwrap();
    (a, b)
}

/// Reads until there is nothing more for now, or never will be. Returns how much there was.
pub(crate) fn drain(source: &mut impl Read) -> usize {
    let mut buffer = [0; 16 * 1024];
    let mut total = 0;
    loop {
        match source.read(&mut buffer) {
            Ok(0) => return total,
            Ok(count) => total += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return total,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Writes until there is no more room. Returns how much there was.
pub(crate) fn fill(source: &mut impl Write) -> usize {
    let mut total = 0;
    loop {
        match source.write(&[7; 16 * 1024]) {
            Ok(count) => total += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return total,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Has `writer` fill the connection up to the last byte, also what `reader`'s system takes over with delay; then empties
/// it. Returns when both have said `WouldBlock`.
pub(crate) fn drain_exactly(source: &mut impl Read, mut expected: usize) {
    let mut buffer = [0; 16 * 1024];
    wait_until("all bytes arrive", || {
        match source.read(&mut buffer) {
            Ok(count) => expected -= count,
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
        expected == 0
    });
}
