//! What the tests share: waiting for events with a guard against hanging, and pairs of connected sockets.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::net::{TcpListener, TcpStream, UdpSocket};
use mio::{Events, Interest, Poll, Registry, Token};

use crate::queue::Queue;

/// Whether misuse of a registration is always an error. In release builds, kqueue takes a second registration for a change of
/// the first, and a change of none for a registration.
pub(crate) fn is_always_told() -> bool {
    !Queue::HERE.is_kqueue() || cfg!(debug_assertions)
}

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

/// As `next_event`; kqueue may give one event for each filter of a source, and then `hints` tell of each that there is one.
pub(crate) fn next_event_of_each(poll: &mut Poll, hints: &[fn(&Event) -> bool]) {
    if !Queue::HERE.is_kqueue() {
        let event = next_event(poll);
        assert!(hints.iter().all(|hint| hint(&event)), "{event:?}");
        return;
    }
    let mut events: Vec<Event> = Vec::new();
    while !hints.iter().all(|hint| events.iter().any(hint)) {
        events.extend(next_events(poll));
    }
    assert!(events.len() <= hints.len(), "{events:?}");
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
    let events = events_so_far(poll);
    assert!(events.is_empty(), "unexpected: {events:?}");
}

/// The events of one poll that waits for no more than a moment.
pub(crate) fn events_so_far(poll: &mut Poll) -> Events {
    let mut events = Events::with_capacity(64);
    poll.poll_deadline(&mut events, Some(Instant::now() + QUIET)).unwrap();
    events
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

/// Numbers without a pattern, the same in each run.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    /// Passes a few microseconds, or none.
    fn linger(&mut self) {
        for _ in 0..self.below(2) * self.below(4_000) {
            std::hint::spin_loop();
        }
    }
}

/// Round by round, a thread polls a new `Poll` until there is an event of `TO_WAKE`, and another one has `wake` make one
/// come. Before it does, it ends the wait with a datagram, so the poller often comes back, and goes to sleep again, while
/// `wake` is at work.
///
/// It takes a second. `MIO_STRESS_SECONDS=3600` and `--release` make an hour of it, with a count of the rounds.
pub(crate) fn wake_beside_polls(mut wake: impl FnMut(&Registry, &mut Random)) {
    let longer = std::env::var("MIO_STRESS_SECONDS").ok().map(|seconds| seconds.parse().unwrap());
    let end = Instant::now() + Duration::from_secs(longer.unwrap_or(1));
    let (to_poll, polls) = mpsc::channel::<(Poll, UdpSocket)>();
    let (to_tell, told) = mpsc::channel();
    let poller = thread::spawn(move || {
        let mut events = Events::with_capacity(4);
        for (mut poll, socket) in polls {
            let is_woken = loop {
                // Not by the deadline: no look at the clock is to keep it from going to sleep.
                match poll.poll(&mut events, Some(HANG)) {
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    result => result.unwrap(),
                }
                if events.is_empty() || events.iter().any(|event| event.token() == TO_WAKE) {
                    break !events.is_empty();
                }
            };
            to_tell.send((is_woken, socket)).unwrap();
        }
    });
    let mut random = Random(1);
    let (mut ours, theirs) = udp_pair();
    for round in 1_u64.. {
        let poll = Poll::new().unwrap();
        let registry = poll.registry().try_clone().unwrap();
        registry.register(&mut ours, Token(0), Interest::READABLE).unwrap();
        to_poll.send((poll, ours)).unwrap();
        random.linger();
        theirs.send(b"data").unwrap();
        random.linger();
        wake(&registry, &mut random);
        let is_woken;
        (is_woken, ours) = told.recv().unwrap();
        assert!(is_woken, "a wake was lost in round {round}");
        registry.deregister(&mut ours).unwrap();
        while ours.recv(&mut [0; 8]).is_ok() {}
        let is_over = Instant::now() > end;
        if is_over || longer.is_some() && round % 100_000 == 0 {
            eprintln!("{round} rounds, no wake lost");
        }
        if is_over {
            break;
        }
    }
    drop(to_poll);
    poller.join().unwrap();
}

/// The token of the waker that ends a round of [`wake_beside_polls`].
pub(crate) const TO_WAKE: Token = Token(10);

/// Whether the queue can tell of urgent data. kqueue on FreeBSD and NetBSD cannot, which its double on Linux may act like.
#[cfg(any(target_os = "dragonfly", target_os = "linux", target_os = "openbsd", target_vendor = "apple"))]
pub(crate) fn knows_priority() -> bool {
    let poll = Poll::new().unwrap();
    match poll.registry().register(&mut tcp_pair().0, Token(0), Interest::PRIORITY) {
        Err(error) if Queue::HERE.is_kqueue() => {
            assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
            false
        }
        result => result.is_ok(),
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

/// A pipe with a name.
#[cfg(unix)]
#[allow(unsafe_code)]
pub(crate) fn make_fifo(path: &std::path::Path) {
    let path = std::ffi::CString::new(path.as_os_str().as_encoded_bytes()).unwrap();
    // SAFETY: the path ends with a zero, and is only read.
    assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o600) }, 0);
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

/// An address at which nobody listens: a client's. While the client lives, nobody else gets it.
pub(crate) fn refusing() -> ((TcpStream, TcpStream), SocketAddr) {
    let pair = tcp_pair();
    let address = pair.0.local_addr().unwrap();
    (pair, address)
}

/// From now on the socket refuses what others send to it, as if it was closed: it is connected to itself. It keeps its address,
/// which nobody else gets.
#[cfg(unix)]
pub(crate) fn refuse(socket: &UdpSocket) {
    socket.connect(socket.local_addr().unwrap()).unwrap();
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
