//! When a source is dropped, it closes and falls silent. A `Poll` may be dropped before its sources.

use std::io::Read;
use std::thread;
use std::time::Duration;

use mio::{Events, Interest, Poll, Token, Waker};

use crate::util::{assert_no_event, next_event, next_events, tcp_pair, udp_pair, wait_until};

const TOKEN: Token = Token(0);
const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

#[test]
fn a_dropped_source_is_closed_and_silent() {
    let mut poll = Poll::new().unwrap();
    let (mut ours, mut theirs) = tcp_pair();
    poll.registry().register(&mut ours, TOKEN, BOTH).unwrap();
    drop(ours);
    assert_no_event(&mut poll);
    wait_until("the peer sees the end", || matches!(theirs.read(&mut [0; 8]), Ok(0)));
}

#[test]
fn a_source_that_is_dropped_during_a_poll_does_not_end_it() {
    let mut poll = Poll::new().unwrap();
    let waker = Waker::new(poll.registry(), Token(1)).unwrap();
    let (mut ours, theirs) = udp_pair();
    poll.registry().register(&mut ours, TOKEN, Interest::READABLE).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(10));
            drop(ours);
            let _refused = theirs.send(b"data");
            waker.wake().unwrap();
        });
        assert_eq!(next_event(&mut poll).token(), Token(1));
    });
    assert_no_event(&mut poll);
}

#[test]
fn a_poll_may_be_dropped_before_its_sources() {
    let (mut ours, theirs) = udp_pair();
    for _ in 0..3 {
        let poll = Poll::new().unwrap();
        poll.registry().register(&mut ours, TOKEN, BOTH).unwrap();
        drop(poll);
        // The source keeps working,
        theirs.send(b"data").unwrap();
        wait_until("the data arrives", || ours.recv(&mut [0; 8]).is_ok());
        // and it belongs to no queue, so another poll accepts it.
        let mut next = Poll::new().unwrap();
        next.registry().register(&mut ours, TOKEN, BOTH).unwrap();
        assert!(next_event(&mut next).is_writable());
        next.registry().deregister(&mut ours).unwrap();
    }
}

#[test]
fn a_registry_outlives_its_poll() {
    let poll = Poll::new().unwrap();
    let registry = poll.registry().try_clone().unwrap();
    drop(poll);
    let (mut ours, _theirs) = udp_pair();
    registry.register(&mut ours, TOKEN, BOTH).unwrap();
    registry.reregister(&mut ours, TOKEN, BOTH).unwrap();
    registry.deregister(&mut ours).unwrap();
}

#[test]
fn events_may_be_used_with_another_poll() {
    let mut events = Events::with_capacity(8);
    for number in 0..3 {
        let mut poll = Poll::new().unwrap();
        let (mut ours, _theirs) = udp_pair();
        poll.registry().register(&mut ours, Token(number), Interest::WRITABLE).unwrap();
        poll.poll(&mut events, Some(crate::util::HANG)).unwrap();
        assert!(events.iter().map(|event| event.token()).eq([Token(number)]));
    }
}

/// More sources come and go than fit into small tables.
#[test]
fn a_thousand_sources_come_and_go() {
    let mut poll = Poll::new().unwrap();
    for count in [33, 100, 500] {
        let mut pairs: Vec<_> = (0..count).map(|_| udp_pair()).collect();
        for (token, (a, b)) in pairs.iter_mut().enumerate() {
            poll.registry().register(a, Token(token), Interest::READABLE).unwrap();
            poll.registry().register(b, Token(usize::MAX - token), Interest::READABLE).unwrap();
        }
        for (a, _) in &pairs {
            a.send(b"data").unwrap();
        }
        let mut seen = Vec::new();
        while seen.len() < count {
            seen.extend(next_events(&mut poll).iter().map(|event| usize::MAX - event.token().0));
        }
        seen.sort();
        assert!(seen.into_iter().eq(0..count));
        // This closes every other source; the others stay registered.
        let mut position = 0;
        pairs.retain(|_| {
            position += 1;
            position % 2 == 0
        });
        for (_, b) in &pairs {
            b.send(b"data").unwrap();
        }
        let mut seen = 0;
        while seen < pairs.len() {
            seen += next_events(&mut poll).iter().inspect(|event| assert_eq!(event.token().0 % 2, 1)).count();
        }
        drop(pairs);
        assert_no_event(&mut poll);
    }
}
