//! WASI: an echo server for each trigger, on listeners that the host has opened; time-outs; and what the system lacks.
//!
//! `ci/wasi` builds this, runs it, and lets `examples/tcp_clients.rs` check what comes back.

#![cfg(all(target_os = "wasi", feature = "os-poll", feature = "net"))]
#![allow(unsafe_code)]

use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token, Trigger, Waker};

/// A wait that takes longer than this is a hang.
const HANG: Duration = Duration::from_secs(60);
/// How many connections each server waits for, and serves until they end.
const CLIENTS: usize = 50;

const LISTENER: Token = Token(usize::MAX);
const FIRST_CLIENT: Token = Token(0);
const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// Returns a listener by its number. The host has opened them, and they follow the three standard descriptors.
#[cfg(not(target_env = "p2"))]
fn listener(number: usize) -> TcpListener {
    use std::os::fd::FromRawFd;

    // SAFETY: the descriptor is open, and each test has one of its own.
    listening(unsafe { std::net::TcpListener::from_raw_fd(3 + number as i32) })
}

/// Returns a listener by its number, on one of the ports that `ci/wasi` has found free.
#[cfg(target_env = "p2")]
fn listener(number: usize) -> TcpListener {
    let ports = std::env::var("MIO_TEST_PORTS").unwrap();
    let port: u16 = ports.split(',').nth(number).unwrap().parse().unwrap();
    listening(std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, port)).unwrap())
}

fn listening(listener: std::net::TcpListener) -> TcpListener {
    listener.set_nonblocking(true).unwrap();
    TcpListener::from_std(listener)
}

fn poll(poll: &mut Poll, timeout: Duration) -> Vec<Event> {
    let mut events = Events::with_capacity(64);
    poll.poll(&mut events, Some(timeout)).unwrap();
    events.iter().cloned().collect()
}

/// Returns whether the event is data of the first client.
fn is_first_data(event: &Event) -> bool {
    event.token() == FIRST_CLIENT && event.is_readable()
}

/// Sends back what comes, until `WouldBlock`. Returns whether the client is gone.
fn echo(client: &mut TcpStream) -> bool {
    let mut buffer = [0; 64];
    loop {
        match client.read(&mut buffer) {
            Ok(0) => return true,
            Ok(count) => client.write_all(&buffer[..count]).unwrap(),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                return false;
            }
        }
    }
}

/// Serves all clients. It leaves the first one's data unread for one more poll, to see whether the data is `told_again`.
fn serve(mut listener: TcpListener, interests: Interest, trigger: Trigger, told_again: bool) {
    let mut queue = Poll::new().unwrap();
    queue.registry().register_with(&mut listener, LISTENER, Interest::READABLE, trigger).unwrap();
    let mut clients: Vec<Option<TcpStream>> = Vec::new();
    let mut first_is_new = true;

    while clients.len() < CLIENTS || clients.iter().any(Option::is_some) {
        let mut events = poll(&mut queue, HANG);
        assert!(!events.is_empty(), "nothing within {HANG:?}, after {} clients", clients.len());
        if first_is_new && events.iter().any(is_first_data) {
            first_is_new = false;
            let more = poll(&mut queue, Duration::from_millis(20));
            assert_eq!(more.iter().any(is_first_data), told_again, "{trigger:?}");
            events.extend(more);
        }
        for token in events.iter().map(Event::token) {
            if token == LISTENER {
                while let Ok((mut client, _)) = listener.accept() {
                    let token = Token(clients.len());
                    queue.registry().register_with(&mut client, token, interests, trigger).unwrap();
                    clients.push(Some(client));
                }
                if trigger == Trigger::OneShot {
                    queue.registry().reregister_with(&mut listener, token, Interest::READABLE, trigger).unwrap();
                }
            } else if let Some(client) = &mut clients[token.0] {
                if echo(client) {
                    clients[token.0] = None;
                } else if trigger == Trigger::OneShot {
                    queue.registry().reregister_with(client, token, interests, trigger).unwrap();
                }
            }
        }
    }
    assert!(!first_is_new);
}

#[test]
fn an_edge_triggered_server_echoes_and_is_told_once() {
    serve(listener(0), BOTH, Trigger::Edge, false);
}

#[test]
fn a_level_triggered_server_echoes_and_is_told_again() {
    serve(listener(1), Interest::READABLE, Trigger::Level, true);
}

#[test]
fn a_one_shot_server_echoes_and_is_told_once() {
    serve(listener(2), BOTH, Trigger::OneShot, false);
}

#[test]
fn a_time_out_ends_a_poll_and_is_never_early() {
    let mut queue = Poll::new().unwrap();
    for timeout in [Duration::ZERO, Duration::from_micros(1_500), Duration::from_millis(30)] {
        let start = Instant::now();
        assert!(poll(&mut queue, timeout).is_empty());
        assert!(start.elapsed() >= timeout, "{timeout:?}");
    }
}

#[test]
fn waiting_for_ever_for_nothing_is_unsupported() {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(8);
    let error = poll.poll(&mut events, None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    // The queue still works.
    poll.poll(&mut events, Some(Duration::from_millis(1))).unwrap();
    assert!(events.is_empty());
}

#[test]
fn there_is_no_waker_and_it_says_so() {
    let poll = Poll::new().unwrap();
    assert_eq!(Waker::new(poll.registry(), Token(0)).unwrap_err().kind(), ErrorKind::Unsupported);
}
