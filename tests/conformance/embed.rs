//! A `Poll` is a file descriptor that another queue can watch. It is readable while an event waits.

use std::os::fd::{AsFd, AsRawFd};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Trigger, Waker};

use super::source_fd::assert_each_gets_its_turn;
use crate::util::{TO_WAKE, assert_no_event, events_so_far, next_event, udp_pair, wake_beside_polls};

const INNER: Token = Token(1);
const WAKE: Token = Token(2);

/// Returns a poll that watches `inner`.
fn outer(inner: &Poll, trigger: Trigger) -> Poll {
    let poll = Poll::new().unwrap();
    let mut source = SourceFd(&inner.as_raw_fd());
    poll.registry().register_with(&mut source, INNER, Interest::READABLE, trigger).unwrap();
    poll
}

#[test]
fn its_descriptor_is_one_and_the_same() {
    let poll = Poll::new().unwrap();
    let fd = poll.as_raw_fd();
    assert_eq!(poll.as_fd().as_raw_fd(), fd);
    assert_eq!(poll.registry().as_raw_fd(), fd);
    assert_eq!(poll.registry().as_fd().as_raw_fd(), fd);
    assert_eq!(poll.registry().try_clone().unwrap().as_raw_fd(), fd);
}

#[test]
fn with_fd_lends_the_same_descriptor() {
    let poll = Poll::new().unwrap();
    let lent = poll.registry().with_fd(|fd| fd.as_raw_fd());
    assert_eq!(lent, poll.as_raw_fd());
}

#[test]
fn with_the_descriptor_out_what_stays_ready_starves_no_wake() {
    let poll = Poll::new().unwrap();
    poll.as_raw_fd();
    assert_each_gets_its_turn(poll, 1);
}

#[test]
fn an_event_makes_it_readable_until_it_is_taken() {
    let mut inner = Poll::new().unwrap();
    let mut outer = outer(&inner, Trigger::Level);
    let (mut ours, theirs) = udp_pair();
    inner.registry().register(&mut ours, Token(0), Interest::READABLE).unwrap();
    assert_no_event(&mut outer);
    theirs.send(b"data").unwrap();
    for _ in 0..2 {
        let event = next_event(&mut outer);
        assert!(event.token() == INNER && event.is_readable());
    }
    assert_eq!(next_event(&mut inner).token(), Token(0));
    assert_no_event(&mut outer);
}

#[test]
fn each_wake_makes_it_readable() {
    let mut inner = Poll::new().unwrap();
    let waker = Waker::new(inner.registry(), WAKE).unwrap();
    // `inner` has been polled before, so its waker could do without the system.
    assert_no_event(&mut inner);
    let mut outer = outer(&inner, Trigger::Edge);
    // It makes no difference to take the descriptor out again.
    inner.as_raw_fd();
    for _ in 0..100 {
        // The second wake is redundant.
        waker.wake().unwrap();
        waker.wake().unwrap();
        assert_eq!(next_event(&mut outer).token(), INNER);
        assert_eq!(next_event(&mut inner).token(), WAKE);
    }
    assert_no_event(&mut outer);
    assert_no_event(&mut inner);
}

#[test]
fn a_wake_from_before_the_descriptor_was_taken_makes_it_readable() {
    let mut inner = Poll::new().unwrap();
    let waker = Waker::new(inner.registry(), WAKE).unwrap();
    assert_no_event(&mut inner);
    waker.wake().unwrap();
    let mut outer = outer(&inner, Trigger::Edge);
    assert_eq!(next_event(&mut outer).token(), INNER);
    assert_eq!(next_event(&mut inner).token(), WAKE);
}

#[test]
fn a_wake_ends_the_sleep_of_the_outer_queue() {
    let mut inner = Poll::new().unwrap();
    let waker = Waker::new(inner.registry(), WAKE).unwrap();
    let mut outer = outer(&inner, Trigger::Edge);
    let mut events = Events::with_capacity(8);
    for _ in 0..3 {
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(5));
                waker.wake().unwrap();
            });
            assert_eq!(next_event(&mut outer).token(), INNER);
        });
        inner.poll(&mut events, Some(Duration::ZERO)).unwrap();
        assert!(events.iter().map(|event| event.token()).eq([WAKE]));
    }
}

/// A program that an edge wakes polls until nothing is left.
#[test]
fn an_empty_poll_leaves_no_event_behind() {
    let inner = Poll::new().unwrap();
    let mut outer = outer(&inner, Trigger::Edge);
    let pairs = [(); 3].map(|()| udp_pair());
    for (_, theirs) in &pairs {
        theirs.send(b"data").unwrap();
    }
    let mut sources = pairs.map(|(ours, _)| ours);
    for (index, ours) in sources.iter_mut().enumerate() {
        inner.registry().register(ours, Token(index), Interest::READABLE).unwrap();
    }
    assert_eq!(next_event(&mut outer).token(), INNER);
    assert_eq!(tokens_until_there_is_nothing(inner, 1), [Token(0), Token(1), Token(2)]);
}

/// Returns the tokens of all pending events, in order. It takes the events in batches of `capacity`.
fn tokens_until_there_is_nothing(mut poll: Poll, capacity: usize) -> Vec<Token> {
    let mut events = Events::with_capacity(capacity);
    let mut tokens = Vec::new();
    loop {
        poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
        if events.is_empty() {
            break;
        }
        tokens.extend(events.iter().map(|event| event.token()));
    }
    tokens.sort();
    tokens
}

/// A port has room for 65,536 registrations and packets.
#[test]
#[cfg_attr(miri, ignore = "slow")]
fn changes_while_an_event_waits_leave_room_for_a_wake() {
    let inner = Poll::new().unwrap();
    let waker = Waker::new(inner.registry(), WAKE).unwrap();
    let _outer = outer(&inner, Trigger::Level);
    let [(mut first, to_first), (mut second, to_second)] = [(); 2].map(|()| udp_pair());
    to_first.send(b"data").unwrap();
    to_second.send(b"data").unwrap();
    inner.registry().register(&mut first, Token(0), Interest::READABLE).unwrap();
    inner.registry().register(&mut second, Token(1), Interest::READABLE).unwrap();
    for _ in 0..66_000 {
        inner.registry().reregister(&mut second, Token(3), Interest::READABLE).unwrap();
    }
    waker.wake().unwrap();
    assert_eq!(tokens_until_there_is_nothing(inner, 8), [Token(0), WAKE, Token(3)]);
}

/// If a source is ready when it is registered, event ports do not end such a sleep by themselves.
#[test]
fn after_a_change_during_a_poll_a_later_one_still_ends_the_sleep_of_the_outer_queue() {
    let mut inner = Poll::new().unwrap();
    let mut outer = outer(&inner, Trigger::Level);
    let registry = inner.registry().try_clone().unwrap();
    let rounds = if cfg!(miri) { 3 } else { 1_000 };
    thread::scope(|scope| {
        let (ask, asked) = mpsc::channel();
        scope.spawn(move || {
            let (mut ours, theirs) = udp_pair();
            theirs.send(b"data").unwrap();
            registry.register(&mut ours, Token(0), Interest::READABLE).unwrap();
            for token in asked {
                registry.reregister(&mut ours, token, Interest::READABLE).unwrap();
            }
        });
        assert_eq!(next_event(&mut outer).token(), INNER);
        assert_eq!(next_event(&mut inner).token(), Token(0));
        for _ in 0..rounds {
            ask.send(Token(1)).unwrap();
            assert_eq!(next_event(&mut inner).token(), Token(1));
            ask.send(Token(2)).unwrap();
            assert_eq!(next_event(&mut outer).token(), INNER);
            assert_eq!(next_event(&mut inner).token(), Token(2));
        }
    });
}

#[test]
fn with_the_descriptor_out_a_level_is_reported_until_it_is_gone() {
    let mut inner = Poll::new().unwrap();
    let mut outer = outer(&inner, Trigger::Level);
    let (mut ours, theirs) = udp_pair();
    inner.registry().register_with(&mut ours, Token(0), Interest::READABLE, Trigger::Level).unwrap();
    for _ in 0..2 {
        theirs.send(b"data").unwrap();
        for _ in 0..3 {
            assert_eq!(next_event(&mut outer).token(), INNER);
            assert_eq!(next_event(&mut inner).token(), Token(0));
        }
        assert_eq!(ours.recv(&mut [0; 8]).unwrap(), 4);
        // The level may have been reported once more before.
        events_so_far(&mut inner);
        assert_no_event(&mut outer);
        assert_no_event(&mut inner);
    }
}

#[test]
fn a_descriptor_that_is_taken_beside_polls_and_wakes_loses_none() {
    wake_beside_polls(|registry, random| {
        thread::scope(|scope| {
            if random.below(2) == 0 {
                scope.spawn(|| registry.as_raw_fd());
            }
            Waker::new(registry, TO_WAKE).unwrap().wake().unwrap();
        });
    });
}
