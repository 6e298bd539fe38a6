//! Edge-triggered registrations, the default, miss no edge and report none twice.

use std::io::{Read, Write};
use std::thread;

use mio::event::Event;
use mio::{Interest, Poll, Token, Waker};

use crate::util::{
    assert_no_event, assert_would_block, drain, drain_exactly, next_event, next_event_of_each, next_events, tcp_pair,
    udp_pair, wait_for,
};

const TOKEN: Token = Token(0);
const OTHER: Token = Token(1);
const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

#[test]
fn data_from_before_register_gives_an_event() {
    let mut poll = Poll::new().unwrap();
    let (mut ours, mut theirs) = tcp_pair();
    theirs.write_all(b"early").unwrap();
    poll.registry().register(&mut ours, TOKEN, Interest::READABLE).unwrap();
    wait_for(&mut poll, TOKEN, Event::is_readable);
    assert_eq!(drain(&mut ours), 5);
}

#[test]
fn data_from_before_reregister_gives_an_event() {
    let mut poll = Poll::new().unwrap();
    let (mut ours, mut theirs) = tcp_pair();
    poll.registry().register(&mut ours, TOKEN, Interest::READABLE).unwrap();
    theirs.write_all(b"data").unwrap();
    wait_for(&mut poll, TOKEN, Event::is_readable);
    // A source that nobody has read is not armed, but `reregister` arms it.
    for _ in 0..3 {
        assert_no_event(&mut poll);
        poll.registry().reregister(&mut ours, TOKEN, Interest::READABLE).unwrap();
        wait_for(&mut poll, TOKEN, Event::is_readable);
    }
}

#[test]
fn data_between_would_block_and_poll_gives_an_event() {
    let mut poll = Poll::new().unwrap();
    let (mut ours, mut theirs) = tcp_pair();
    poll.registry().register(&mut ours, TOKEN, Interest::READABLE).unwrap();
    for _ in 0..100 {
        assert_would_block(ours.read(&mut [0; 8]));
        theirs.write_all(b"x").unwrap();
        wait_for(&mut poll, TOKEN, Event::is_readable);
        assert_eq!(drain(&mut ours), 1);
    }
}

#[test]
fn one_arrival_gives_one_event() {
    let mut poll = Poll::new().unwrap();
    let (mut ours, theirs) = udp_pair();
    poll.registry().register(&mut ours, TOKEN, BOTH).unwrap();
    assert!(next_event(&mut poll).is_writable());
    assert_no_event(&mut poll);
    theirs.send(b"data").unwrap();
    assert!(next_event(&mut poll).is_readable());
    assert_no_event(&mut poll);
}

#[test]
fn no_edge_is_missed_while_another_thread_writes() {
    const BYTES: usize = 20_000;
    let mut poll = Poll::new().unwrap();
    let (mut ours, theirs) = tcp_pair();
    poll.registry().register(&mut ours, TOKEN, Interest::READABLE).unwrap();
    thread::scope(|scope| {
        scope.spawn(move || {
            for count in 0..BYTES {
                // If the reader stalled, this would fail: a few thousand bytes always fit.
                (&theirs).write_all(b"x").unwrap();
                if count % 64 == 0 {
                    thread::yield_now();
                }
            }
            theirs
        });
        let mut received = 0;
        while received < BYTES {
            wait_for(&mut poll, TOKEN, Event::is_readable);
            received += drain(&mut ours);
        }
    });
}

#[test]
fn a_short_read_leaves_the_rest_to_be_read() {
    let mut poll = Poll::new().unwrap();
    let (mut ours, mut theirs) = tcp_pair();
    poll.registry().register(&mut ours, TOKEN, Interest::READABLE).unwrap();
    theirs.write_all(&[1; 100]).unwrap();
    wait_for(&mut poll, TOKEN, Event::is_readable);
    let mut received = 0;
    while received < 100 {
        match ours.read(&mut [0; 7]) {
            Ok(count) => received += count,
            Err(_) => drop(wait_for(&mut poll, TOKEN, Event::is_readable)),
        }
    }
    assert_would_block(ours.read(&mut [0; 7]));
    theirs.write_all(b"more").unwrap();
    wait_for(&mut poll, TOKEN, Event::is_readable);
}

/// Checks the promise of `Poll::SHORT_IO_DRAINS` with loops that rely on it.
#[test]
fn short_io_drains_so_that_would_block_need_not_be_seen() {
    const { assert!(Poll::SHORT_IO_DRAINS) };
    let mut poll = Poll::new().unwrap();
    let (mut ours, mut theirs) = tcp_pair();
    poll.registry().register(&mut ours, TOKEN, Interest::READABLE).unwrap();
    for _ in 0..100 {
        theirs.write_all(b"data").unwrap();
        wait_for(&mut poll, TOKEN, Event::is_readable);
        let mut received = 0;
        while received < 4 {
            received += ours.read(&mut [0; 8]).unwrap_or(0);
        }
    }

    poll.registry().reregister(&mut ours, TOKEN, Interest::WRITABLE).unwrap();
    for _ in 0..3 {
        wait_for(&mut poll, TOKEN, Event::is_writable);
        let mut written = 0;
        while written % (64 * 1024) == 0 {
            match ours.write(&[1; 64 * 1024]) {
                Ok(count) => written += count,
                Err(_) => break,
            }
        }
        drain_exactly(&mut theirs, written);
    }
}

#[test]
fn reregister_replaces_the_token() {
    let mut poll = Poll::new().unwrap();
    let (mut ours, theirs) = udp_pair();
    poll.registry().register(&mut ours, TOKEN, Interest::READABLE).unwrap();
    poll.registry().reregister(&mut ours, OTHER, Interest::READABLE).unwrap();
    theirs.send(b"data").unwrap();
    assert_eq!(next_event(&mut poll).token(), OTHER);
}

#[test]
fn reregister_replaces_the_interests() {
    let mut poll = Poll::new().unwrap();
    let (mut ours, theirs) = udp_pair();
    theirs.send(b"data").unwrap();
    poll.registry().register(&mut ours, TOKEN, Interest::READABLE).unwrap();
    let event = next_event(&mut poll);
    assert!(event.is_readable() && !event.is_writable());

    poll.registry().reregister(&mut ours, TOKEN, Interest::WRITABLE).unwrap();
    let event = next_event(&mut poll);
    assert!(event.is_writable() && !event.is_readable());
}

#[test]
fn reregister_keeps_the_registration_edge_triggered() {
    let mut poll = Poll::new().unwrap();
    let (mut ours, theirs) = udp_pair();
    poll.registry().register(&mut ours, TOKEN, Interest::READABLE).unwrap();
    theirs.send(b"data").unwrap();
    assert!(next_event(&mut poll).is_readable());
    poll.registry().reregister(&mut ours, TOKEN, BOTH).unwrap();
    next_event_of_each(&mut poll, &[Event::is_readable, Event::is_writable]);
    // Nobody has read the data, and it is reported once all the same.
    assert_no_event(&mut poll);
}

#[test]
fn after_deregister_there_is_no_event() {
    let mut poll = Poll::new().unwrap();
    let (mut ours, theirs) = udp_pair();
    poll.registry().register(&mut ours, TOKEN, BOTH).unwrap();
    theirs.send(b"data").unwrap();
    poll.registry().deregister(&mut ours).unwrap();
    assert_no_event(&mut poll);

    // The same holds if it has fired before.
    poll.registry().register(&mut ours, TOKEN, BOTH).unwrap();
    next_events(&mut poll);
    poll.registry().deregister(&mut ours).unwrap();
    theirs.send(b"data").unwrap();
    assert_no_event(&mut poll);
}

#[test]
fn after_deregister_a_source_can_be_registered_again_anywhere() {
    let mut poll = Poll::new().unwrap();
    let mut second = Poll::new().unwrap();
    let (mut ours, theirs) = udp_pair();
    theirs.send(b"data").unwrap();
    for _ in 0..3 {
        for poll in [&mut poll, &mut second] {
            poll.registry().register(&mut ours, TOKEN, Interest::READABLE).unwrap();
            assert!(next_event(poll).is_readable());
            poll.registry().deregister(&mut ours).unwrap();
        }
    }
}

#[test]
fn two_sources_may_share_a_token() {
    let mut poll = Poll::new().unwrap();
    let (mut a, mut b) = udp_pair();
    poll.registry().register(&mut a, TOKEN, Interest::READABLE).unwrap();
    poll.registry().register(&mut b, TOKEN, Interest::READABLE).unwrap();
    a.send(b"to b").unwrap();
    assert_eq!(next_event(&mut poll).token(), TOKEN);
    b.send(b"to a").unwrap();
    assert_eq!(next_event(&mut poll).token(), TOKEN);
}

#[test]
fn every_number_is_a_token() {
    for number in [0, 1, u32::MAX as usize, usize::MAX / 2, usize::MAX / 2 + 1, usize::MAX - 1, usize::MAX] {
        let mut poll = Poll::new().unwrap();
        let (mut ours, theirs) = udp_pair();
        poll.registry().register(&mut ours, Token(number), Interest::READABLE).unwrap();
        theirs.send(b"data").unwrap();
        assert_eq!(next_event(&mut poll).token(), Token(number));

        let waker = Waker::new(poll.registry(), Token(number)).unwrap();
        waker.wake().unwrap();
        assert_eq!(next_event(&mut poll).token(), Token(number));
    }
}

#[test]
fn an_earlier_event_never_carries_a_later_token() {
    let mut poll = Poll::new().unwrap();
    let (mut a, to_a) = udp_pair();
    let (mut b, to_b) = udp_pair();
    poll.registry().register(&mut a, Token(0), Interest::READABLE).unwrap();
    poll.registry().register(&mut b, Token(1), Interest::READABLE).unwrap();
    to_a.send(b"data").unwrap();
    to_b.send(b"data").unwrap();
    // The program handles the first event. Meanwhile it closes the second source, and a new one gets that descriptor.
    let mut tokens: Vec<_> = Vec::new();
    while tokens.is_empty() {
        tokens = next_events(&mut poll).iter().map(Event::token).collect();
    }
    drop(b);
    let (mut c, to_c) = udp_pair();
    poll.registry().register(&mut c, Token(2), Interest::READABLE).unwrap();
    assert!(!tokens.contains(&Token(2)));
    // `a` may come now if it did not come first. `b` must not come, and `c` only if something happens to it.
    if !tokens.contains(&Token(0)) {
        assert_eq!(next_event(&mut poll).token(), Token(0));
    }
    assert_no_event(&mut poll);
    to_c.send(b"data").unwrap();
    assert_eq!(next_event(&mut poll).token(), Token(2));
}
