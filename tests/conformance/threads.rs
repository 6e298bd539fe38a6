//! While one thread polls, any thread can register sources. The change takes effect at once, and does not wait for the poll.

use std::io::{Read, Write};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Barrier, mpsc};
use std::thread;
use std::time::Duration;

use mio::event::Event;
use mio::{Events, Interest, Poll, Registry, Token, Waker};

use crate::util::{HANG, assert_no_event, next_event, tcp_pair, udp_pair};

const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

#[test]
fn everything_may_be_shared_and_sent() {
    fn is_free<T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe>() {}

    is_free::<Poll>();
    is_free::<Registry>();
    is_free::<Waker>();
    is_free::<Events>();
    is_free::<Event>();
    is_free::<mio::net::TcpListener>();
    is_free::<mio::net::TcpStream>();
    is_free::<mio::net::UdpSocket>();
    #[cfg(unix)]
    {
        is_free::<mio::net::UnixListener>();
        is_free::<mio::net::UnixStream>();
        is_free::<mio::net::UnixDatagram>();
        is_free::<mio::unix::SourceFd<'_>>();
        is_free::<mio::unix::pipe::Sender>();
        is_free::<mio::unix::pipe::Receiver>();
    }
}

/// Polls for one event, while a little later another thread does something.
fn poll_while(poll: &mut Poll, other: impl FnOnce(&Registry) + Send) -> Event {
    let registry = poll.registry().try_clone().unwrap();
    thread::scope(|scope| {
        scope.spawn(move || {
            // After this time the poll has probably begun. The test must pass in either case.
            thread::sleep(Duration::from_millis(10));
            other(&registry);
        });
        next_event(poll)
    })
}

#[test]
fn a_source_that_is_registered_during_a_poll_is_part_of_it() {
    let mut poll = Poll::new().unwrap();
    let (mut ours, theirs) = udp_pair();
    theirs.send(b"data").unwrap();
    let event = poll_while(&mut poll, |registry| registry.register(&mut ours, Token(1), Interest::READABLE).unwrap());
    assert_eq!(event.token(), Token(1));
}

#[test]
fn data_for_a_source_that_was_registered_during_a_poll_ends_it() {
    let mut poll = Poll::new().unwrap();
    let (mut ours, theirs) = udp_pair();
    let event = poll_while(&mut poll, |registry| {
        registry.register(&mut ours, Token(1), Interest::READABLE).unwrap();
        theirs.send(b"data").unwrap();
    });
    assert_eq!(event.token(), Token(1));
}

#[test]
fn a_change_during_a_poll_takes_effect_at_once() {
    let mut poll = Poll::new().unwrap();
    let (mut ours, _theirs) = udp_pair();
    poll.registry().register(&mut ours, Token(1), Interest::READABLE).unwrap();
    let event = poll_while(&mut poll, |registry| registry.reregister(&mut ours, Token(2), BOTH).unwrap());
    assert_eq!(event.token(), Token(2));
    assert!(event.is_writable());
}

#[test]
fn a_source_that_was_deregistered_during_a_poll_does_not_end_it() {
    let mut poll = Poll::new().unwrap();
    let waker = Waker::new(poll.registry(), Token(0)).unwrap();
    let (mut ours, theirs) = udp_pair();
    poll.registry().register(&mut ours, Token(1), Interest::READABLE).unwrap();
    let event = poll_while(&mut poll, |registry| {
        registry.deregister(&mut ours).unwrap();
        theirs.send(b"data").unwrap();
        thread::sleep(Duration::from_millis(10));
        waker.wake().unwrap();
    });
    assert_eq!(event.token(), Token(0));
    assert_no_event(&mut poll);
}

#[test]
fn io_that_blocks_during_a_poll_is_followed_by_an_event() {
    let mut poll = Poll::new().unwrap();
    let (mut ours, theirs) = tcp_pair();
    poll.registry().register(&mut ours, Token(1), Interest::READABLE).unwrap();
    for _ in 0..3 {
        (&theirs).write_all(b"x").unwrap();
        assert!(next_event(&mut poll).is_readable());
        // The event has been taken, and another thread reads while this one polls again.
        let event = poll_while(&mut poll, |_| {
            assert_eq!((&ours).read(&mut [0; 8]).unwrap(), 1);
            assert!((&ours).read(&mut [0; 8]).is_err());
            (&theirs).write_all(b"y").unwrap();
        });
        assert!(event.is_readable());
        assert_eq!((&ours).read(&mut [0; 8]).unwrap(), 1);
        assert!((&ours).read(&mut [0; 8]).is_err());
    }
}

/// A change and the readiness that it could miss happen at the same time.
#[test]
fn a_change_that_races_readiness_loses_no_event() {
    let mut poll = Poll::new().unwrap();
    let (mut ours, theirs) = udp_pair();
    poll.registry().register(&mut ours, Token(0), Interest::READABLE).unwrap();
    let go = Barrier::new(2);
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..500 {
                go.wait();
                theirs.send(b"data").unwrap();
            }
        });
        for round in 0..500 {
            go.wait();
            poll.registry().reregister(&mut ours, Token(round), Interest::READABLE).unwrap();
            while ours.recv(&mut [0; 8]).is_err() {
                next_event(&mut poll);
            }
            assert!(ours.recv(&mut [0; 8]).is_err());
        }
    });
}

#[test]
fn a_clone_of_a_registry_is_the_same_queue() {
    let mut poll = Poll::new().unwrap();
    let clone = poll.registry().try_clone().unwrap();
    let (mut ours, theirs) = udp_pair();
    clone.register(&mut ours, Token(1), Interest::READABLE).unwrap();
    poll.registry().reregister(&mut ours, Token(2), Interest::READABLE).unwrap();
    drop(clone);
    theirs.send(b"data").unwrap();
    assert_eq!(next_event(&mut poll).token(), Token(2));
}

#[test]
fn a_poll_may_move_between_threads() {
    let mut poll = Poll::new().unwrap();
    let waker = Waker::new(poll.registry(), Token(0)).unwrap();
    for _ in 0..3 {
        let poller = thread::spawn(move || {
            assert_eq!(next_event(&mut poll).token(), Token(0));
            poll
        });
        waker.wake().unwrap();
        poll = poller.join().unwrap();
    }
}

/// In two threads, sockets come, get their event and go, while a third thread polls.
#[test]
fn churn_during_polls_loses_no_event() {
    const THREADS: usize = 2;
    const ROUNDS: usize = 300;
    let mut poll = Poll::new().unwrap();
    let waker = Waker::new(poll.registry(), Token(usize::MAX)).unwrap();
    let done = AtomicBool::new(false);
    let (tell, told): (Vec<_>, Vec<_>) = (0..THREADS).map(|_| mpsc::channel()).unzip();
    thread::scope(|scope| {
        let registries: Vec<_> = (0..THREADS).map(|_| poll.registry().try_clone().unwrap()).collect();
        let poller = scope.spawn(|| {
            let mut events = Events::with_capacity(4);
            while !done.load(Ordering::Acquire) {
                poll.poll(&mut events, Some(HANG)).unwrap();
                for event in events.iter().filter(|event| event.token() != Token(usize::MAX)) {
                    tell[event.token().0 / ROUNDS].send(event.token().0 % ROUNDS).unwrap();
                }
            }
        });
        let churners: Vec<_> = registries
            .into_iter()
            .zip(told)
            .enumerate()
            .map(|(index, (registry, told))| {
                scope.spawn(move || {
                    for round in 0..ROUNDS {
                        let (mut ours, theirs) = udp_pair();
                        registry.register(&mut ours, Token(index * ROUNDS + round), Interest::READABLE).unwrap();
                        theirs.send(b"data").unwrap();
                        assert_eq!(told.recv_timeout(HANG), Ok(round));
                        if round % 2 == 0 {
                            registry.deregister(&mut ours).unwrap();
                        }
                    }
                    // The poller may still have something to send.
                    told
                })
            })
            .collect();
        let results: Vec<_> = churners.into_iter().map(|churner| churner.join()).collect();
        done.store(true, Ordering::Release);
        waker.wake().unwrap();
        poller.join().unwrap();
        results.into_iter().for_each(|result| drop(result.unwrap()));
    });
}
