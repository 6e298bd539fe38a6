//! Triggers other than edge: level, one-shot and exclusive.

use mio::{Interest, Poll, Token, Trigger};

use crate::util::{assert_no_event, next_event, tcp_listener, udp_pair};

const TOKEN: Token = Token(0);
const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

#[test]
fn level_fires_at_each_poll_until_drained() {
    let mut poll = Poll::new().unwrap();
    let (mut ours, theirs) = udp_pair();
    poll.registry().register_with(&mut ours, TOKEN, Interest::READABLE, Trigger::Level).unwrap();
    assert_no_event(&mut poll);
    for _ in 0..2 {
        theirs.send(b"1").unwrap();
        theirs.send(b"2").unwrap();
        for _ in 0..3 {
            assert!(next_event(&mut poll).is_readable());
        }
        ours.recv(&mut [0; 8]).unwrap();
        assert!(next_event(&mut poll).is_readable());
        // Reading everything ends the level; no `WouldBlock` is necessary.
        ours.recv(&mut [0; 8]).unwrap();
        assert_no_event(&mut poll);
    }
}

#[test]
fn level_works_for_a_listener() {
    let mut poll = Poll::new().unwrap();
    let (mut listener, address) = tcp_listener();
    poll.registry().register_with(&mut listener, TOKEN, Interest::READABLE, Trigger::Level).unwrap();
    let _clients = [(); 2].map(|()| std::net::TcpStream::connect(address).unwrap());
    for _ in 0..2 {
        assert!(next_event(&mut poll).is_readable());
        assert!(next_event(&mut poll).is_readable());
        listener.accept().unwrap();
    }
    assert_no_event(&mut poll);
}

#[test]
fn one_shot_fires_once_until_registered_again() {
    let mut poll = Poll::new().unwrap();
    let (mut ours, theirs) = udp_pair();
    poll.registry().register_with(&mut ours, TOKEN, Interest::READABLE, Trigger::OneShot).unwrap();
    for round in 0..3 {
        theirs.send(b"1").unwrap();
        assert!(next_event(&mut poll).is_readable());
        // Neither more data nor `WouldBlock` arms it.
        theirs.send(b"2").unwrap();
        assert_no_event(&mut poll);
        while ours.recv(&mut [0; 8]).is_ok() {}
        theirs.send(b"3").unwrap();
        assert_no_event(&mut poll);
        // Registering again does, and reports what is there.
        poll.registry().reregister_with(&mut ours, Token(round), Interest::READABLE, Trigger::OneShot).unwrap();
        assert_eq!(next_event(&mut poll).token(), Token(round));
        while ours.recv(&mut [0; 8]).is_ok() {}
        poll.registry().reregister_with(&mut ours, TOKEN, Interest::READABLE, Trigger::OneShot).unwrap();
    }
}

#[test]
fn one_shot_fires_once_though_both_directions_become_ready() {
    let mut poll = Poll::new().unwrap();
    let (mut ours, theirs) = udp_pair();
    poll.registry().register_with(&mut ours, TOKEN, BOTH, Trigger::OneShot).unwrap();
    assert!(next_event(&mut poll).is_writable());
    theirs.send(b"data").unwrap();
    assert_no_event(&mut poll);
    // Both directions at once produce one event.
    poll.registry().reregister_with(&mut ours, TOKEN, BOTH, Trigger::OneShot).unwrap();
    let event = next_event(&mut poll);
    assert!(event.is_readable() && event.is_writable());
    assert_no_event(&mut poll);
}

#[test]
fn one_shot_that_has_fired_can_be_deregistered() {
    let mut poll = Poll::new().unwrap();
    let (mut ours, _theirs) = udp_pair();
    poll.registry().register_with(&mut ours, TOKEN, Interest::WRITABLE, Trigger::OneShot).unwrap();
    next_event(&mut poll);
    poll.registry().deregister(&mut ours).unwrap();
    poll.registry().register(&mut ours, TOKEN, Interest::WRITABLE).unwrap();
    next_event(&mut poll);
}

#[test]
fn reregister_changes_the_trigger() {
    let mut poll = Poll::new().unwrap();
    let (mut ours, _theirs) = udp_pair();
    poll.registry().register_with(&mut ours, TOKEN, Interest::WRITABLE, Trigger::Level).unwrap();
    next_event(&mut poll);
    next_event(&mut poll);
    // This returns to the default, which is edge.
    poll.registry().reregister(&mut ours, TOKEN, Interest::WRITABLE).unwrap();
    next_event(&mut poll);
    assert_no_event(&mut poll);
    poll.registry().reregister_with(&mut ours, TOKEN, Interest::WRITABLE, Trigger::Level).unwrap();
    next_event(&mut poll);
    next_event(&mut poll);
    poll.registry().reregister_with(&mut ours, TOKEN, Interest::WRITABLE, Trigger::OneShot).unwrap();
    next_event(&mut poll);
    assert_no_event(&mut poll);
}

#[test]
fn a_box_passes_the_trigger_on() {
    let mut poll = Poll::new().unwrap();
    let (ours, _theirs) = udp_pair();
    let mut boxed = Box::new(ours);
    poll.registry().register_with(&mut boxed, TOKEN, Interest::WRITABLE, Trigger::Level).unwrap();
    next_event(&mut poll);
    next_event(&mut poll);
    poll.registry().reregister_with(&mut boxed, TOKEN, Interest::WRITABLE, Trigger::OneShot).unwrap();
    next_event(&mut poll);
    assert_no_event(&mut poll);
}

#[test]
fn the_edge_is_the_default() {
    assert_eq!(Trigger::default(), Trigger::Edge);
}

#[cfg(all(
    target_os = "linux",
    not(any(
        mio_backend = "event_ports",
        mio_backend = "kqueue",
        mio_backend = "poll",
        mio_unsupported_force_poll_poll
    ))
))]
mod exclusive {
    use std::io::ErrorKind;
    use std::os::fd::AsRawFd;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;
    use std::thread;

    use mio::unix::SourceFd;
    use mio::{Interest, Poll, Token, Trigger, Waker};

    use super::{BOTH, TOKEN};
    use crate::util::{assert_no_event, next_event, tcp_listener, udp_pair, wait_until};

    #[test]
    fn a_connection_does_not_wake_all_sleeping_polls() {
        const POLLS: usize = 8;
        const STOP: Token = Token(1);
        let (listener, address) = tcp_listener();
        let told = AtomicUsize::new(0);
        thread::scope(|scope| {
            let pollers: Vec<_> = (0..POLLS)
                .map(|_| {
                    let mut poll = Poll::new().unwrap();
                    let mut source = SourceFd(&listener.as_raw_fd());
                    poll.registry().register_with(&mut source, TOKEN, Interest::READABLE, Trigger::Exclusive).unwrap();
                    let stop = Waker::new(poll.registry(), STOP).unwrap();
                    let (send_id, id) = mpsc::channel();
                    let told = &told;
                    scope.spawn(move || {
                        send_id.send(std::fs::read_link("/proc/thread-self").unwrap()).unwrap();
                        // The poll is the only call in which this thread sleeps from now on.
                        while next_event(&mut poll).token() != STOP {
                            told.fetch_add(1, Ordering::Relaxed);
                        }
                    });
                    (stop, std::path::Path::new("/proc").join(id.recv().unwrap()).join("stat"))
                })
                .collect();
            for (_, stat) in &pollers {
                wait_until("the poller sleeps", || std::fs::read_to_string(stat).unwrap().contains(") S "));
            }
            std::net::TcpStream::connect(address).unwrap();
            wait_until("one of them is told", || told.load(Ordering::Relaxed) > 0);
            pollers.iter().for_each(|(stop, _)| stop.wake().unwrap());
        });
        assert!((1..POLLS).contains(&told.into_inner()));
    }

    #[test]
    fn it_is_edge_triggered() {
        let mut poll = Poll::new().unwrap();
        let (mut ours, theirs) = udp_pair();
        poll.registry().register_with(&mut ours, TOKEN, BOTH, Trigger::Exclusive).unwrap();
        assert!(next_event(&mut poll).is_writable());
        assert_no_event(&mut poll);
        theirs.send(b"data").unwrap();
        assert!(next_event(&mut poll).is_readable());
        assert_no_event(&mut poll);
    }

    #[test]
    fn it_can_be_deregistered_but_not_changed() {
        let mut poll = Poll::new().unwrap();
        let mut listener = tcp_listener().0;
        let registry = poll.registry();
        registry.register_with(&mut listener, TOKEN, Interest::READABLE, Trigger::Exclusive).unwrap();
        for trigger in [Trigger::Exclusive, Trigger::Edge] {
            let error = registry.reregister_with(&mut listener, TOKEN, Interest::READABLE, trigger).unwrap_err();
            assert_eq!((error.raw_os_error(), error.kind()), (Some(libc::EINVAL), ErrorKind::InvalidInput));
        }
        registry.deregister(&mut listener).unwrap();
        registry.register(&mut listener, TOKEN, Interest::READABLE).unwrap();
        // Nor can an edge-triggered registration become exclusive.
        let error = registry.reregister_with(&mut listener, TOKEN, Interest::READABLE, Trigger::Exclusive).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        assert_eq!(next_event(&mut poll).token(), Token(0));
        drop(client);
    }

    #[test]
    fn priority_is_refused() {
        let poll = Poll::new().unwrap();
        let (mut ours, _theirs) = udp_pair();
        let error =
            poll.registry().register_with(&mut ours, TOKEN, Interest::PRIORITY, Trigger::Exclusive).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        poll.registry().register(&mut ours, TOKEN, Interest::PRIORITY).unwrap();
    }
}
