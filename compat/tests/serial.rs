//! The crate mio-serial makes a serial line a source of a `Poll`. The test runs it on a pseudo-terminal.

#![cfg(unix)]

use std::io::{ErrorKind, Read, Write};
use std::time::Instant;

use compat::{PATIENCE, assert_bytes, pattern};
use mio::{Events, Interest, Poll, Token};
use mio_serial::SerialStream;

const OURS: Token = Token(0);
const THEIRS: Token = Token(1);

#[test]
fn a_serial_line_carries_bytes() {
    const LENGTH: usize = 300_000;

    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(8);
    let (mut ours, mut theirs) = SerialStream::pair().unwrap();
    poll.registry().register(&mut ours, OURS, Interest::WRITABLE).unwrap();
    poll.registry().register(&mut theirs, THEIRS, Interest::READABLE).unwrap();

    let sent = pattern(11, LENGTH);
    let mut left = &sent[..];
    let mut arrived = Vec::new();
    let mut buffer = [0; 1000];
    while arrived.len() < LENGTH {
        poll.poll_deadline(&mut events, Some(Instant::now() + PATIENCE)).unwrap();
        assert!(!events.is_empty(), "{} bytes are left, {} arrived", left.len(), arrived.len());
        for event in &events {
            loop {
                let result = match event.token() {
                    OURS if left.is_empty() => break,
                    OURS => ours.write(left).inspect(|count| left = &left[*count..]),
                    _ => theirs.read(&mut buffer).inspect(|count| arrived.extend_from_slice(&buffer[..*count])),
                };
                match result {
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => panic!("{error}"),
                }
            }
        }
    }
    assert_bytes(&arrived, &sent);
    poll.registry().deregister(&mut ours).unwrap();
    poll.registry().deregister(&mut theirs).unwrap();
}
