//! What is special to sockets on Windows: their readiness comes from polls of the driver AFD.

#![cfg(windows)]
#![allow(unsafe_code)]

use std::io::{self, ErrorKind, Read, Write};
use std::net::{self, SocketAddr};
use std::os::windows::io::{AsRawSocket, RawSocket};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::net::{TcpListener, TcpStream, UdpSocket};
use mio::windows::SourceSocket;
use mio::{Events, Interest, Poll, Token, Trigger, Waker};
use windows_sys::Win32::Foundation::{ERROR_INVALID_HANDLE, GetHandleInformation, HANDLE_FLAG_INHERIT};
use windows_sys::Win32::Networking::WinSock::WSAENOTSOCK;

use crate::util::{assert_would_block, localhost, refusing};

mod queue;
#[allow(dead_code, reason = "most of it is for the conformance suite")]
mod util;

const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// A wait that takes longer than this is a hang.
const GUARD: Duration = Duration::from_secs(60);

/// Returns a connected stream and its other end, which is in blocking mode.
fn connection() -> (TcpStream, net::TcpStream) {
    let listener = net::TcpListener::bind(localhost()).unwrap();
    let stream = net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (other, _) = listener.accept().unwrap();
    stream.set_nonblocking(true).unwrap();
    (TcpStream::from_std(stream), other)
}

/// Closes the socket so that the peer sees a reset.
fn reset(stream: net::TcpStream) {
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
}

fn poll(poll: &mut Poll, events: &mut Events, timeout: Duration) -> Vec<Event> {
    poll.poll(events, Some(timeout)).unwrap();
    events.iter().cloned().collect()
}

/// Polls until an event satisfies `wanted`, and returns all events up to it.
fn poll_until(poll: &mut Poll, events: &mut Events, wanted: impl Fn(&Event) -> bool) -> Vec<Event> {
    let start = Instant::now();
    let mut seen = Vec::new();
    while !seen.iter().any(&wanted) {
        assert!(start.elapsed() < GUARD, "the event does not come, only {seen:?}");
        poll.poll(events, Some(GUARD)).unwrap();
        seen.extend(events.iter().cloned());
    }
    seen
}

fn assert_silent(poll: &mut Poll, events: &mut Events) {
    for _ in 0..3 {
        poll.poll(events, Some(Duration::from_millis(20))).unwrap();
        assert!(events.is_empty(), "{events:?}");
    }
}

#[test]
fn a_reset_connection_gives_exactly_one_event() {
    let mut queue = Poll::new().unwrap();
    let mut events = Events::with_capacity(16);
    let (mut stream, other) = connection();
    queue.registry().register(&mut stream, Token(1), BOTH).unwrap();
    poll_until(&mut queue, &mut events, Event::is_writable);
    assert_would_block(stream.read(&mut [0; 16]));
    reset(other);

    let seen = poll_until(&mut queue, &mut events, Event::is_read_closed);
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert!(seen[0].is_readable() && seen[0].is_writable() && seen[0].is_write_closed(), "{seen:?}");
    assert_silent(&mut queue, &mut events);
    // Wine takes the error to learn of the reset, and leaves the reader an end of the stream.
    match stream.read(&mut [0; 16]) {
        Ok(count) => assert_eq!(count, 0),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
    assert_silent(&mut queue, &mut events);
}

#[test]
fn a_reset_after_a_half_close_is_told() {
    let mut queue = Poll::new().unwrap();
    let mut events = Events::with_capacity(16);
    let (mut stream, other) = connection();
    queue.registry().register(&mut stream, Token(1), BOTH).unwrap();
    other.shutdown(net::Shutdown::Write).unwrap();
    poll_until(&mut queue, &mut events, Event::is_read_closed);
    assert_silent(&mut queue, &mut events);
    // The peer does not read this, so it answers with a reset.
    stream.write_all(b"unread").unwrap();
    reset(other);
    poll_until(&mut queue, &mut events, Event::is_write_closed);
    assert_silent(&mut queue, &mut events);
}

#[test]
fn a_half_closed_connection_gives_one_event_and_can_be_written() {
    let mut queue = Poll::new().unwrap();
    let mut events = Events::with_capacity(16);
    let (mut stream, mut other) = connection();
    queue.registry().register(&mut stream, Token(1), BOTH).unwrap();
    poll_until(&mut queue, &mut events, Event::is_writable);
    other.shutdown(net::Shutdown::Write).unwrap();

    let seen = poll_until(&mut queue, &mut events, Event::is_read_closed);
    assert!(seen.iter().all(|event| event.is_readable() && !event.is_write_closed()), "{seen:?}");
    assert_silent(&mut queue, &mut events);
    stream.write_all(b"still here").unwrap();
    let mut buffer = [0; 10];
    other.read_exact(&mut buffer).unwrap();
    assert_eq!(stream.read(&mut buffer).unwrap(), 0);
}

#[test]
fn a_reset_reaches_a_program_that_only_writes() {
    let mut queue = Poll::new().unwrap();
    let mut events = Events::with_capacity(16);
    let (mut stream, other) = connection();
    queue.registry().register(&mut stream, Token(1), Interest::WRITABLE).unwrap();
    poll_until(&mut queue, &mut events, Event::is_writable);
    assert_silent(&mut queue, &mut events);
    reset(other);
    let seen = poll_until(&mut queue, &mut events, Event::is_write_closed);
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_silent(&mut queue, &mut events);
    // Nor does I/O that fails repeat the event.
    for _ in 0..3 {
        let _ = stream.write(b"x");
        assert_silent(&mut queue, &mut events);
    }
}

#[test]
fn a_reset_reaches_a_reader_that_has_heard_of_everything_else() {
    let mut queue = Poll::new().unwrap();
    let mut events = Events::with_capacity(16);
    let (mut stream, mut other) = connection();
    queue.registry().register(&mut stream, Token(1), BOTH).unwrap();
    poll_until(&mut queue, &mut events, Event::is_writable);
    other.write_all(b"data").unwrap();
    poll_until(&mut queue, &mut events, Event::is_readable);
    assert_silent(&mut queue, &mut events);
    reset(other);
    poll_until(&mut queue, &mut events, Event::is_write_closed);
    assert_silent(&mut queue, &mut events);
}

/// Windows reports the half-close at once. Wine reports it when the data has been read, which nothing tells the queue here.
#[test]
fn a_half_close_behind_data_is_told_and_only_once() {
    let mut queue = Poll::new().unwrap();
    let mut events = Events::with_capacity(16);
    let (mut stream, mut other) = connection();
    queue.registry().register(&mut stream, Token(1), Interest::READABLE).unwrap();
    other.write_all(b"data").unwrap();
    let seen = poll_until(&mut queue, &mut events, Event::is_readable);
    assert!(seen.iter().all(|event| !event.is_read_closed()), "{seen:?}");
    other.shutdown(net::Shutdown::Write).unwrap();
    assert_eq!(stream.read(&mut [0; 4]).unwrap(), 4);
    let seen = poll_until(&mut queue, &mut events, Event::is_read_closed);
    assert_eq!(seen.len(), 1, "{seen:?}");
    for _ in 0..3 {
        assert_eq!(stream.read(&mut [0; 4]).unwrap(), 0);
        assert_silent(&mut queue, &mut events);
    }
    // Reading still does not wait, but that is no news.
    assert_would_block(stream.try_io_for(Interest::READABLE, || Err::<(), _>(ErrorKind::WouldBlock.into())));
    assert_silent(&mut queue, &mut events);
}

#[test]
fn a_short_read_arms_reading_again() {
    let mut queue = Poll::new().unwrap();
    let mut events = Events::with_capacity(16);
    let (mut stream, mut other) = connection();
    queue.registry().register(&mut stream, Token(0), BOTH).unwrap();
    for _ in 0..10 {
        other.write_all(b"data").unwrap();
        poll_until(&mut queue, &mut events, Event::is_readable);
        assert_eq!(stream.read(&mut [0; 16]).unwrap(), 4);
    }
    other.write_all(b"data").unwrap();
    poll_until(&mut queue, &mut events, Event::is_readable);
    // This read fills its buffer.
    assert_eq!(stream.read(&mut [0; 2]).unwrap(), 2);
    assert_silent(&mut queue, &mut events);
}

#[test]
fn a_second_attempt_to_connect_is_reported_like_the_first() {
    let mut queue = Poll::new().unwrap();
    let mut events = Events::with_capacity(16);
    let (_others, refusing) = refusing();
    let mut stream = TcpStream::connect(refusing).unwrap();
    queue.registry().register(&mut stream, Token(0), BOTH).unwrap();
    let connect = |stream: &TcpStream, address: SocketAddr| {
        let again = || socket2::SockRef::from(stream).connect(&address.into());
        let mut result = stream.try_io_for(Interest::WRITABLE, again);
        // Under Wine, Linux reports the previous attempt once more.
        if result.as_ref().is_err_and(|error| error.kind() == ErrorKind::ConnectionAborted) {
            result = stream.try_io_for(Interest::WRITABLE, again);
        }
        assert_would_block(result);
    };
    for _ in 0..3 {
        poll_until(&mut queue, &mut events, Event::is_write_closed);
        assert!(stream.take_error().unwrap().is_some());
        assert_silent(&mut queue, &mut events);
        connect(&stream, refusing);
    }
    poll_until(&mut queue, &mut events, Event::is_write_closed);
    let listener = net::TcpListener::bind(localhost()).unwrap();
    connect(&stream, listener.local_addr().unwrap());
    poll_until(&mut queue, &mut events, |event| event.is_writable() && !event.is_write_closed());
    stream.write_all(b"data").unwrap();
}

#[test]
fn a_registration_that_ends_before_the_next_poll_leaves_nothing() {
    let mut queue = Poll::new().unwrap();
    let mut events = Events::with_capacity(16);
    let sender = net::UdpSocket::bind(localhost()).unwrap();
    for round in 0..200 {
        let mut socket = UdpSocket::bind(localhost()).unwrap();
        queue.registry().register(&mut socket, Token(round), BOTH).unwrap();
        if round % 2 == 0 {
            queue.registry().reregister(&mut socket, Token(round), Interest::READABLE).unwrap();
            sender.send_to(b"x", socket.local_addr().unwrap()).unwrap();
            queue.registry().deregister(&mut socket).unwrap();
        }
    }
    assert_silent(&mut queue, &mut events);
}

#[test]
fn a_registration_made_while_another_thread_polls_takes_effect_at_once() {
    let mut queue = Poll::new().unwrap();
    let registry = queue.registry().try_clone().unwrap();
    let mut events = Events::with_capacity(16);
    let (mut stream, mut other) = connection();
    let polling = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !polling.load(Ordering::Acquire) {
                thread::yield_now();
            }
            // After this time the poller probably sleeps. The test must pass in either case.
            thread::sleep(Duration::from_millis(20));
            registry.register(&mut stream, Token(7), Interest::READABLE).unwrap();
            other.write_all(b"x").unwrap();
        });
        polling.store(true, Ordering::Release);
        let seen = poll_until(&mut queue, &mut events, Event::is_readable);
        assert_eq!(seen[0].token(), Token(7));
    });
}

#[test]
fn more_interest_is_watched_at_once_while_another_thread_polls() {
    let mut queue = Poll::new().unwrap();
    let registry = queue.registry().try_clone().unwrap();
    let mut events = Events::with_capacity(16);
    let (mut stream, _other) = connection();
    registry.register(&mut stream, Token(7), Interest::READABLE).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(20));
            // The poll in flight asks only for reading, so the queue has to replace it.
            registry.reregister(&mut stream, Token(8), BOTH).unwrap();
        });
        let seen = poll_until(&mut queue, &mut events, Event::is_writable);
        assert!(seen.iter().all(|event| event.token() == Token(8) && !event.is_readable()), "{seen:?}");
    });
}

#[test]
fn a_replaced_poll_does_not_end_a_wait_of_no_time() {
    let mut queue = Poll::new().unwrap();
    let mut events = Events::with_capacity(16);
    let (mut stream, _other) = connection();
    queue.registry().register(&mut stream, Token(1), Interest::READABLE).unwrap();
    queue.registry().reregister(&mut stream, Token(1), Interest::WRITABLE).unwrap();
    // The cancelled poll completes first, and readiness comes with the second completion.
    poll_until(&mut queue, &mut events, Event::is_writable);
    queue.registry().reregister(&mut stream, Token(1), Interest::READABLE).unwrap();
    queue.registry().reregister(&mut stream, Token(1), BOTH).unwrap();
    let start = Instant::now();
    while poll(&mut queue, &mut events, Duration::ZERO).is_empty() {
        assert!(start.elapsed() < GUARD);
    }
    assert!(events.iter().all(Event::is_writable));
}

#[test]
fn a_ready_socket_ends_the_wait() {
    let mut queue = Poll::new().unwrap();
    let mut events = Events::with_capacity(16);
    let mut socket = UdpSocket::bind(localhost()).unwrap();
    queue.registry().register(&mut socket, Token(0), Interest::WRITABLE).unwrap();
    // If this waited for its full time, it would hang.
    queue.poll(&mut events, None).unwrap();
    assert!(events.iter().next().unwrap().is_writable());
}

#[test]
fn a_wait_is_never_cut_short() {
    let mut queue = Poll::new().unwrap();
    let mut events = Events::with_capacity(16);
    // Other activity in the queue must not end the wait either.
    let (mut stream, _other) = connection();
    for micros in [300, 1_000, 1_500, 9_999, 16_000, 31_000] {
        let asked = Duration::from_micros(micros);
        for _ in 0..5 {
            queue.registry().register(&mut stream, Token(0), Interest::READABLE).unwrap();
            queue.registry().deregister(&mut stream).unwrap();
            let start = Instant::now();
            queue.poll(&mut events, Some(asked)).unwrap();
            assert!(start.elapsed() >= asked, "{:?} instead of {asked:?}", start.elapsed());
            assert!(events.is_empty());
        }
    }
}

#[test]
fn the_longest_waits_are_ended_by_a_waker() {
    let mut queue = Poll::new().unwrap();
    let mut events = Events::with_capacity(16);
    let waker = Waker::new(queue.registry(), Token(3)).unwrap();
    for timeout in [Duration::from_millis(1 << 31), Duration::from_millis(u64::from(u32::MAX)), Duration::MAX] {
        thread::scope(|scope| {
            scope.spawn(|| waker.wake().unwrap());
            queue.poll(&mut events, Some(timeout)).unwrap();
        });
        let seen: Vec<_> = events.iter().map(|event| (event.token(), event.is_readable())).collect();
        assert_eq!(seen, [(Token(3), true)]);
    }
}

#[test]
fn a_connected_socket_is_reported_writable_once() {
    let mut queue = Poll::new().unwrap();
    let mut events = Events::with_capacity(16);
    let listener = net::TcpListener::bind(localhost()).unwrap();
    let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    queue.registry().register(&mut stream, Token(0), BOTH).unwrap();
    let seen = poll_until(&mut queue, &mut events, Event::is_writable);
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert!(stream.take_error().unwrap().is_none());
    stream.peer_addr().unwrap();
    assert_silent(&mut queue, &mut events);
}

/// Windows repeats a connect that the loopback refuses, and gives up after about two seconds. Wine does not repeat it.
#[test]
fn a_refused_connect_gives_one_event_and_its_cause() {
    let mut queue = Poll::new().unwrap();
    let mut events = Events::with_capacity(16);
    let (_others, refusing) = refusing();
    let mut stream = TcpStream::connect(refusing).unwrap();
    queue.registry().register(&mut stream, Token(0), BOTH).unwrap();
    let seen = poll_until(&mut queue, &mut events, |event| event.is_writable() || event.is_error());
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert!(seen[0].is_write_closed() && seen[0].is_read_closed(), "{seen:?}");
    assert_silent(&mut queue, &mut events);
    assert_eq!(stream.take_error().unwrap().unwrap().kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn only_the_direction_that_blocked_is_armed_again() {
    let mut queue = Poll::new().unwrap();
    let mut events = Events::with_capacity(16);
    let (mut stream, mut other) = connection();
    queue.registry().register(&mut stream, Token(0), BOTH).unwrap();
    poll_until(&mut queue, &mut events, Event::is_writable);
    for _ in 0..10 {
        assert_would_block(stream.read(&mut [0; 16]));
        assert_silent(&mut queue, &mut events);
        other.write_all(b"x").unwrap();
        let seen = poll_until(&mut queue, &mut events, Event::is_readable);
        assert!(seen.iter().all(|event| !event.is_writable()), "{seen:?}");
        assert_eq!(stream.read(&mut [0; 16]).unwrap(), 1);
    }
}

#[test]
fn an_event_is_not_repeated_before_io_would_block() {
    let mut queue = Poll::new().unwrap();
    let mut events = Events::with_capacity(16);
    let (mut stream, mut other) = connection();
    queue.registry().register(&mut stream, Token(0), Interest::READABLE).unwrap();
    other.write_all(b"abc").unwrap();
    poll_until(&mut queue, &mut events, Event::is_readable);
    assert_eq!(stream.read(&mut [0; 1]).unwrap(), 1);
    assert_silent(&mut queue, &mut events);
    // Registering again has the same effect as `WouldBlock`.
    queue.registry().reregister(&mut stream, Token(0), Interest::READABLE).unwrap();
    poll_until(&mut queue, &mut events, Event::is_readable);
}

#[test]
fn a_full_stream_is_writable_again_when_the_peer_has_read() {
    let mut queue = Poll::new().unwrap();
    let mut events = Events::with_capacity(16);
    let (mut stream, mut other) = connection();
    queue.registry().register(&mut stream, Token(0), BOTH).unwrap();
    let data = [0; 1 << 16];
    let mut written = 0;
    for round in 0..5 {
        loop {
            match stream.write(&data) {
                Ok(count) => written += count,
                Err(error) => break assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
        let mut buffer = vec![0; written];
        other.read_exact(&mut buffer).unwrap();
        written = 0;
        poll_until(&mut queue, &mut events, |event| event.is_writable() && !event.is_readable());
        assert!(stream.write(&data).is_ok(), "round {round}: writable, although it is full");
        written += data.len();
    }
}

#[test]
fn level_triggered_fires_while_ready_and_one_shot_once() {
    let mut queue = Poll::new().unwrap();
    let mut events = Events::with_capacity(16);
    let (mut stream, mut other) = connection();
    queue.registry().register_with(&mut stream, Token(0), Interest::READABLE, Trigger::Level).unwrap();
    assert_silent(&mut queue, &mut events);
    other.write_all(b"ab").unwrap();
    for _ in 0..5 {
        let seen = poll_until(&mut queue, &mut events, Event::is_readable);
        assert_eq!(seen.len(), 1);
    }
    assert_eq!(stream.read(&mut [0; 16]).unwrap(), 2);
    assert_silent(&mut queue, &mut events);

    queue.registry().reregister_with(&mut stream, Token(0), BOTH, Trigger::OneShot).unwrap();
    poll_until(&mut queue, &mut events, Event::is_writable);
    other.write_all(b"ab").unwrap();
    assert_silent(&mut queue, &mut events);
    queue.registry().reregister_with(&mut stream, Token(0), Interest::READABLE, Trigger::OneShot).unwrap();
    poll_until(&mut queue, &mut events, Event::is_readable);
    assert_silent(&mut queue, &mut events);
}

#[test]
fn any_number_of_sockets_fits_on_one_queue() {
    for count in [33, 100, 1_000] {
        let mut queue = Poll::new().unwrap();
        let mut events = Events::with_capacity(64);
        let mut sockets: Vec<_> = (0..count).map(|_| UdpSocket::bind(localhost()).unwrap()).collect();
        for (number, socket) in sockets.iter_mut().enumerate() {
            queue.registry().register(socket, Token(number), Interest::READABLE).unwrap();
        }
        let sender = net::UdpSocket::bind(localhost()).unwrap();
        for socket in &sockets {
            sender.send_to(b"x", socket.local_addr().unwrap()).unwrap();
        }
        let mut heard = vec![0; count];
        let start = Instant::now();
        while heard.contains(&0) {
            assert!(start.elapsed() < GUARD);
            for event in poll(&mut queue, &mut events, GUARD) {
                heard[event.token().0] += 1;
                assert_eq!(sockets[event.token().0].recv(&mut [0; 8]).unwrap(), 1);
            }
        }
        assert_silent(&mut queue, &mut events);
        assert!(heard.iter().all(|&events| events == 1), "{heard:?}");
    }
}

#[test]
fn a_deregistered_socket_is_silent_and_can_be_registered_again() {
    let mut queue = Poll::new().unwrap();
    let mut events = Events::with_capacity(16);
    let (mut stream, mut other) = connection();
    for round in 0..20 {
        queue.registry().register(&mut stream, Token(round), Interest::READABLE).unwrap();
        // Its poll may have completed and wait in the queue, or may be in flight.
        if round % 2 == 0 {
            other.write_all(b"x").unwrap();
        }
        queue.registry().deregister(&mut stream).unwrap();
        other.write_all(b"x").unwrap();
        if round % 3 == 0 {
            assert_silent(&mut queue, &mut events);
        }
    }
    assert_silent(&mut queue, &mut events);
    queue.registry().register(&mut stream, Token(99), Interest::READABLE).unwrap();
    let seen = poll_until(&mut queue, &mut events, Event::is_readable);
    assert!(seen.iter().all(|event| event.token() == Token(99)), "{seen:?}");
}

#[test]
fn misuse_is_an_error() {
    let queue = Poll::new().unwrap();
    let other_queue = Poll::new().unwrap();
    let registry = queue.registry();
    let mut socket = UdpSocket::bind(localhost()).unwrap();
    let kind = |result: io::Result<()>| result.unwrap_err().kind();

    assert_eq!(kind(registry.reregister(&mut socket, Token(0), BOTH)), ErrorKind::NotFound);
    assert_eq!(kind(registry.deregister(&mut socket)), ErrorKind::NotFound);
    registry.register(&mut socket, Token(0), BOTH).unwrap();
    assert_eq!(kind(registry.register(&mut socket, Token(0), BOTH)), ErrorKind::AlreadyExists);
    assert_eq!(kind(other_queue.registry().register(&mut socket, Token(0), BOTH)), ErrorKind::AlreadyExists);
    assert_eq!(kind(other_queue.registry().reregister(&mut socket, Token(0), BOTH)), ErrorKind::AlreadyExists);
    assert_eq!(kind(other_queue.registry().deregister(&mut socket)), ErrorKind::NotFound);
    registry.deregister(&mut socket).unwrap();
    assert_eq!(kind(registry.deregister(&mut socket)), ErrorKind::NotFound);
    other_queue.registry().register(&mut socket, Token(0), BOTH).unwrap();
    drop(other_queue);
    registry.register(&mut socket, Token(0), BOTH).unwrap();
}

#[test]
fn a_source_can_be_dropped_with_its_poll_in_flight() {
    let mut queue = Poll::new().unwrap();
    let mut events = Events::with_capacity(16);
    for round in 0..100 {
        let (mut stream, mut other) = connection();
        queue.registry().register(&mut stream, Token(round), Interest::READABLE).unwrap();
        if round % 2 == 0 {
            other.write_all(b"x").unwrap();
        }
        drop(stream);
        if round % 5 == 0 {
            assert!(poll(&mut queue, &mut events, Duration::ZERO).is_empty());
        }
    }
    assert_silent(&mut queue, &mut events);
}

#[test]
fn a_queue_can_be_dropped_with_polls_in_flight() {
    for _ in 0..50 {
        let queue = Poll::new().unwrap();
        let mut sockets: Vec<_> = (0..40).map(|_| UdpSocket::bind(localhost()).unwrap()).collect();
        for socket in &mut sockets {
            queue.registry().register(socket, Token(0), Interest::READABLE).unwrap();
        }
        // Half of the sockets outlive the queue.
        sockets.truncate(20);
        drop(queue);
        assert_would_block(sockets[0].recv(&mut [0; 8]));
    }
}

#[test]
fn what_is_no_socket_is_refused_and_the_queue_unharmed() {
    let mut queue = Poll::new().unwrap();
    let mut events = Events::with_capacity(16);
    let error = queue.registry().register(&mut SourceSocket(&RawSocket::MAX), Token(0), BOTH).unwrap_err();
    // Wine returns the second one.
    let expected = [WSAENOTSOCK, ERROR_INVALID_HANDLE as i32];
    assert!(error.raw_os_error().is_some_and(|code| expected.contains(&code)), "{error:?}");
    assert_silent(&mut queue, &mut events);
    let mut socket = UdpSocket::bind(localhost()).unwrap();
    queue.registry().register(&mut socket, Token(1), Interest::WRITABLE).unwrap();
    poll_until(&mut queue, &mut events, Event::is_writable);
}

#[test]
fn an_icmp_error_does_not_end_an_udp_loop() {
    let mut queue = Poll::new().unwrap();
    let mut events = Events::with_capacity(16);
    let closed = net::UdpSocket::bind(localhost()).unwrap().local_addr().unwrap();
    let mut socket = UdpSocket::bind(localhost()).unwrap();
    let sender = net::UdpSocket::bind(localhost()).unwrap();
    queue.registry().register(&mut socket, Token(0), Interest::READABLE).unwrap();
    for _ in 0..5 {
        // The answer is ICMP's "port unreachable". Windows reports it to the next `recv_from` as `WSAECONNRESET`, and Wine only
        // to connected sockets.
        let _ = socket.send_to(b"nobody there", closed);
        sender.send_to(b"x", socket.local_addr().unwrap()).unwrap();
        let mut heard = false;
        while !heard {
            poll_until(&mut queue, &mut events, Event::is_readable);
            loop {
                match socket.recv_from(&mut [0; 8]) {
                    Ok((count, _)) => heard = count == 1,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
                }
            }
        }
    }
    assert_silent(&mut queue, &mut events);
}

#[test]
fn an_accepted_socket_neither_blocks_nor_is_inherited() {
    let listener = TcpListener::bind(localhost()).unwrap();
    let _client = net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    assert_would_block(server.read(&mut [0; 8]));
    let handle = ptr::without_provenance_mut(server.as_raw_socket() as usize);
    let mut flags = 0;
    // SAFETY: the handle is open, and there is room for the flags.
    assert_ne!(unsafe { GetHandleInformation(handle, &mut flags) }, 0);
    assert_eq!(flags & HANDLE_FLAG_INHERIT, 0);
}

#[test]
fn accept_that_would_block_arms_the_listener_again() {
    let mut queue = Poll::new().unwrap();
    let mut events = Events::with_capacity(16);
    let mut listener = TcpListener::bind(localhost()).unwrap();
    let address = listener.local_addr().unwrap();
    queue.registry().register(&mut listener, Token(0), Interest::READABLE).unwrap();
    for _ in 0..5 {
        let _client = net::TcpStream::connect(address).unwrap();
        poll_until(&mut queue, &mut events, Event::is_readable);
        listener.accept().unwrap();
        assert_would_block(listener.accept().map(drop));
    }
}

#[test]
fn a_bare_socket_is_armed_again_by_reregister() {
    let mut queue = Poll::new().unwrap();
    let mut events = Events::with_capacity(16);
    let (stream, mut other) = connection();
    let raw = stream.as_raw_socket();
    let mut stream = net::TcpStream::from(stream);
    queue.registry().register(&mut SourceSocket(&raw), Token(0), Interest::READABLE).unwrap();
    for round in 1..10 {
        other.write_all(b"x").unwrap();
        let seen = poll_until(&mut queue, &mut events, Event::is_readable);
        assert_eq!((seen.len(), seen[0].token()), (1, Token(round - 1)));
        assert_eq!(stream.read(&mut [0; 16]).unwrap(), 1);
        assert_would_block(stream.read(&mut [0; 16]));
        queue.registry().reregister(&mut SourceSocket(&raw), Token(round), Interest::READABLE).unwrap();
    }
    queue.registry().deregister(&mut SourceSocket(&raw)).unwrap();
    other.write_all(b"x").unwrap();
    assert_silent(&mut queue, &mut events);
    let error = queue.registry().deregister(&mut SourceSocket(&raw)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let error = queue.registry().reregister(&mut SourceSocket(&raw), Token(0), BOTH).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[test]
fn debug_names_the_drivers_flags() {
    let mut queue = Poll::new().unwrap();
    let mut events = Events::with_capacity(16);
    let mut socket = UdpSocket::bind(localhost()).unwrap();
    queue.registry().register(&mut socket, Token(0), Interest::WRITABLE).unwrap();
    let seen = poll_until(&mut queue, &mut events, Event::is_writable);
    assert!(format!("{:#?}", seen[0]).contains("AFD_POLL_SEND"));
    assert!(format!("{queue:?}").contains("Port"));
}
