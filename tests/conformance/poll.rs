//! `Poll::poll` and `Poll::poll_deadline`: how long they wait, and what fits into one call.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::thread;
use std::time::{Duration, Instant};

use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token, Trigger, Waker};

use crate::util::{HANG, Watchdog, assert_no_event, localhost, next_event};

/// Returns sockets that are writable from the start, registered with tokens from 0 on.
fn writable_sockets(count: usize, poll: &Poll, trigger: Trigger) -> Vec<UdpSocket> {
    let register = |token| {
        let mut socket = UdpSocket::bind(localhost()).unwrap();
        poll.registry().register_with(&mut socket, Token(token), Interest::WRITABLE, trigger).unwrap();
        socket
    };
    (0..count).map(register).collect()
}

#[test]
fn a_timeout_is_never_cut_short() {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(8);
    for micros in [1, 300, 999, 1_500, 10_001] {
        let timeout = Duration::from_micros(micros) + Duration::from_nanos(1);
        let start = Instant::now();
        poll.poll(&mut events, Some(timeout)).unwrap();
        assert!(start.elapsed() >= timeout);
        assert!(events.is_empty());

        let deadline = Instant::now() + timeout;
        poll.poll_deadline(&mut events, Some(deadline)).unwrap();
        assert!(Instant::now() >= deadline);
        assert!(events.is_empty());
    }
}

#[test]
fn a_timeout_of_zero_never_blocks() {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(8);
    for _ in 0..1_000 {
        poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
        assert!(events.is_empty());
    }
}

#[test]
fn a_timeout_of_zero_gives_what_is_there() {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(8);
    let _socket = writable_sockets(1, &poll, Trigger::Edge);
    poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
    assert_eq!(events.iter().count(), 1);
}

#[test]
fn a_deadline_that_has_passed_does_not_block() {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(8);
    let socket = writable_sockets(1, &poll, Trigger::Edge);
    let past = Instant::now();

    poll.poll_deadline(&mut events, Some(past)).unwrap();
    assert_eq!(events.iter().count(), 1);
    drop(socket);
    poll.poll_deadline(&mut events, Some(past)).unwrap();
    assert!(events.is_empty());
}

#[test]
fn the_longest_timeouts_neither_overflow_nor_end_early() {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(8);
    let waker = Waker::new(poll.registry(), Token(0)).unwrap();
    let i32_max = Duration::from_millis(i32::MAX as u64);
    let timeouts = [
        i32_max - Duration::from_nanos(1),
        i32_max,
        i32_max + Duration::from_nanos(1),
        Duration::from_millis(u64::from(u32::MAX)),
        Duration::from_millis(u64::from(u32::MAX) + 1),
        Duration::from_secs(i64::MAX as u64),
        Duration::from_millis(u64::MAX),
        Duration::from_nanos(u64::MAX),
        Duration::MAX,
    ];
    let _watchdog = Watchdog::start();
    for timeout in timeouts {
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(5));
                waker.wake().unwrap();
            });
            poll.poll(&mut events, Some(timeout)).unwrap();
        });
        assert_eq!(events.iter().count(), 1, "{timeout:?}");
    }
}

#[test]
fn without_a_timeout_poll_waits_for_an_event() {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(8);
    let waker = Waker::new(poll.registry(), Token(0)).unwrap();
    let _watchdog = Watchdog::start();
    for deadline in [false, true] {
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(5));
                waker.wake().unwrap();
            });
            if deadline { poll.poll_deadline(&mut events, None) } else { poll.poll(&mut events, None) }.unwrap();
        });
        assert_eq!(events.iter().count(), 1);
    }
}

#[test]
fn a_ready_source_ends_a_long_wait() {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(8);
    let _socket = writable_sockets(1, &poll, Trigger::Edge);
    poll.poll(&mut events, Some(HANG * 1_000)).unwrap();
    assert_eq!(events.iter().count(), 1);
}

#[test]
fn poll_clears_what_the_last_one_gave() {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(8);
    let _socket = writable_sockets(1, &poll, Trigger::Edge);
    poll.poll(&mut events, Some(HANG)).unwrap();
    assert!(!events.is_empty());
    poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
    assert!(events.is_empty());
}

#[test]
fn what_does_not_fit_comes_with_the_next_poll() {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(3);
    let _sockets = writable_sockets(10, &poll, Trigger::Edge);
    let mut seen = Vec::new();
    while seen.len() < 10 {
        poll.poll(&mut events, Some(HANG)).unwrap();
        assert!((1..=3).contains(&events.iter().count()));
        seen.extend(events.iter().map(|event| usize::from(event.token())));
    }
    seen.sort();
    assert_eq!(seen, (0..10).collect::<Vec<_>>());
    assert_no_event(&mut poll);
}

#[test]
fn a_small_capacity_starves_no_source() {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(2);
    // All of them are always ready.
    let _sockets = writable_sockets(7, &poll, Trigger::Level);
    let mut seen = BTreeSet::new();
    for _ in 0..7 {
        poll.poll(&mut events, Some(HANG)).unwrap();
        seen.extend(events.iter().map(|event| usize::from(event.token())));
    }
    assert_eq!(seen.len(), 7);
}

#[test]
fn events_of_different_capacities_may_take_turns() {
    let mut poll = Poll::new().unwrap();
    let _sockets = writable_sockets(9, &poll, Trigger::Level);
    for capacity in [1, 64, 4, 9, 2] {
        let mut events = Events::with_capacity(capacity);
        assert_eq!(events.capacity(), capacity);
        poll.poll(&mut events, Some(HANG)).unwrap();
        assert_eq!(events.iter().count(), capacity.min(9));
    }
}

#[test]
fn without_room_for_events_poll_is_an_error() {
    let mut poll = Poll::new().unwrap();
    let mut none = Events::with_capacity(0);
    let waker = Waker::new(poll.registry(), Token(0)).unwrap();
    waker.wake().unwrap();
    for error in [poll.poll(&mut none, None).unwrap_err(), poll.poll_deadline(&mut none, None).unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("`events` has a capacity of zero"), "{error}");
    }
    // The wake is still pending.
    assert_eq!(next_event(&mut poll).token(), Token(0));
}
