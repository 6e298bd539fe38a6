//! What no test from outside can bring about: failures of the driver, and a machine that sleeps.
//!
//! Failures are injected into the calling thread's submissions alone, so the tests can run side by side.

use std::io::{ErrorKind, Read, Write};
use std::net;
use std::time::{Duration, Instant};

use super::afd::faults::inject;
use super::{LONGEST_SLICE, RETRY, slice};
use crate::net::TcpStream;
use crate::{Events, Interest, Poll, Token, Trigger};

const GUARD: Duration = Duration::from_secs(20);

fn connection() -> (TcpStream, net::TcpStream) {
    let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (other, _) = listener.accept().unwrap();
    stream.set_nonblocking(true).unwrap();
    (TcpStream::from_std(stream), other)
}

/// Polls until the stream is readable, by one call that may wait for long.
fn assert_readable(queue: &mut Poll, events: &mut Events) {
    let start = Instant::now();
    loop {
        queue.poll(events, Some(GUARD)).unwrap();
        if events.iter().any(|event| event.is_readable()) {
            return;
        }
        assert!(start.elapsed() < GUARD, "the socket is mute");
    }
}

fn every(nth: usize) -> impl FnMut() -> bool {
    let mut count = 0;
    move || {
        count += 1;
        count % nth == 0
    }
}

fn once_at(nth: usize) -> impl FnMut() -> bool {
    let mut count = 0;
    move || {
        count += 1;
        count == nth
    }
}

/// Echoes under faults: a call may fail with the fault, but no socket goes mute.
fn echo(trigger: Trigger, fails: impl FnMut() -> bool + 'static) {
    let mut queue = Poll::new().unwrap();
    let mut events = Events::with_capacity(16);
    let (mut stream, mut other) = connection();
    let both = Interest::READABLE.add(Interest::WRITABLE);
    queue.registry().register_with(&mut stream, Token(1), both, trigger).unwrap();
    inject(fails);
    for round in 0..20 {
        other.write_all(&[round]).unwrap();
        let mut byte = [0];
        loop {
            assert_readable(&mut queue, &mut events);
            match stream.read(&mut byte) {
                Ok(count) => break assert_eq!((count, byte[0]), (1, round)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => panic!("{error}"),
            }
        }
        // Arms the direction again; one that fails is told, and tried again by the next one.
        while let Err(error) = stream.read(&mut byte) {
            if error.kind() == ErrorKind::WouldBlock {
                break;
            }
        }
    }
    inject(|| false);
}

#[test]
fn a_failed_submission_mutes_no_edge_triggered_socket() {
    for nth in 1..=6 {
        echo(Trigger::Edge, once_at(nth));
    }
    echo(Trigger::Edge, every(2));
    echo(Trigger::Edge, every(3));
}

#[test]
fn a_failed_submission_mutes_no_level_triggered_socket() {
    for nth in 1..=6 {
        echo(Trigger::Level, once_at(nth));
    }
    echo(Trigger::Level, every(2));
    echo(Trigger::Level, every(3));
}

#[test]
fn no_wait_is_longer_than_the_kernel_may_sleep_through_unseen() {
    let hour = Duration::from_secs(3_600);
    assert_eq!(slice(Some(hour), false), Some(LONGEST_SLICE));
    assert_eq!(slice(Some(Duration::ZERO), false), Some(Duration::ZERO));
    assert_eq!(slice(None, false), None);
    assert_eq!(slice(None, true), Some(RETRY));
    assert_eq!(slice(Some(hour), true), Some(RETRY));
    assert_eq!(slice(Some(Duration::from_millis(1)), true), Some(Duration::from_millis(1)));
}
