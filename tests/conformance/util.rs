//! Code that the tests share: it waits for events, with a guard against hanging, and makes pairs of connected sockets.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::net::{TcpListener, TcpStream, UdpSocket};
use mio::{Events, Interest, Poll, Registry, Token};

use crate::queue::Queue;

/// Returns whether misuse of a registration is always an error. In release builds, kqueue takes a second registration for a
/// change of the first, and a change of a missing registration for a new one.
pub(crate) fn is_always_told() -> bool {
    !Queue::HERE.is_kqueue() || cfg!(debug_assertions)
}

/// How long a test waits for what must come before it fails. Only a hang takes that long.
pub(crate) const HANG: Duration = Duration::from_secs(20);

/// How long a test waits for what must not come.
const QUIET: Duration = Duration::from_millis(20);

/// Returns the events of the next poll that reports any.
pub(crate) fn next_events(poll: &mut Poll) -> Vec<Event> {
    let mut events = Events::with_capacity(64);
    poll.poll_deadline(&mut events, Some(Instant::now() + HANG)).unwrap();
    assert!(!events.is_empty(), "no event within {HANG:?}");
    events.iter().cloned().collect()
}

/// Returns the only event of the next poll.
pub(crate) fn next_event(poll: &mut Poll) -> Event {
    let mut events = next_events(poll);
    assert_eq!(events.len(), 1, "{events:?}");
    events.remove(0)
}

/// Waits until each of the `hints` holds: for a single event, except on kqueue, which may report one event for each filter.
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

/// Returns the events of one poll, which waits only for a moment.
pub(crate) fn events_so_far(poll: &mut Poll) -> Events {
    let mut events = Events::with_capacity(64);
    poll.poll_deadline(&mut events, Some(Instant::now() + QUIET)).unwrap();
    events
}

/// Ends the process if it lives too long. It guards tests that wait without a time-out.
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

/// Numbers without a pattern, which are the same in each run.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    /// Spends a few microseconds, or no time.
    fn linger(&mut self) {
        for _ in 0..self.below(2) * self.below(4_000) {
            std::hint::spin_loop();
        }
    }
}

/// Repeats this round: one thread polls a new `Poll` until there is an event of `TO_WAKE`, which another thread lets `wake`
/// cause. Before that, the other thread ends the wait with a datagram. So the poller often returns, and goes to sleep again,
/// while `wake` is at work.
///
/// It takes a second. `MIO_STRESS_SECONDS=3600` and `--release` make it an hour, with a count of the rounds.
pub(crate) fn wake_beside_polls(mut wake: impl FnMut(&Registry, &mut Random)) {
    let longer = std::env::var("MIO_STRESS_SECONDS").ok().map(|seconds| seconds.parse().unwrap());
    let end = Instant::now() + Duration::from_secs(longer.unwrap_or(1));
    let (to_poll, polls) = mpsc::channel::<(Poll, UdpSocket)>();
    let (to_tell, told) = mpsc::channel();
    let poller = thread::spawn(move || {
        let mut events = Events::with_capacity(4);
        for (mut poll, socket) in polls {
            let is_woken = loop {
                // This uses no deadline, because looking at the clock must not keep the poller from going to sleep.
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

/// Returns whether the queue can report urgent data. kqueue cannot on FreeBSD and NetBSD, and the double on Linux may act like
/// these.
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

/// Waits until something holds that produces no event.
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

/// Makes a named pipe.
#[cfg(unix)]
#[allow(unsafe_code)]
pub(crate) fn make_fifo(path: &std::path::Path) {
    let path = std::ffi::CString::new(path.as_os_str().as_encoded_bytes()).unwrap();
    // SAFETY: the path ends with a zero, and the kernel only reads it.
    assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o600) }, 0);
}

/// Returns an address with port 0, for which the system finds a free one.
pub(crate) fn localhost() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

/// Returns a listener and its address.
pub(crate) fn tcp_listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind(localhost()).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Returns the two ends of a TCP connection.
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

/// Returns two UDP sockets that are connected to each other.
pub(crate) fn udp_pair() -> (UdpSocket, UdpSocket) {
    let (a, b) = (UdpSocket::bind(localhost()).unwrap(), UdpSocket::bind(localhost()).unwrap());
    a.connect(b.local_addr().unwrap()).unwrap();
    b.connect(a.local_addr().unwrap()).unwrap();
    (a, b)
}

/// Reads until there is nothing more for now, or for ever. Returns how much there was.
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

/// Reads `expected` bytes, and waits for those that the system delivers late.
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
