//! `Debug` shows names and not numbers.

use mio::{Events, Interest, Poll, Token, Waker};

#[cfg(unix)]
use crate::queue::Queue;
use crate::util::{HANG, udp_pair};

fn one_event() -> (Poll, Events) {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(8);
    let (mut ours, _theirs) = udp_pair();
    poll.registry().register(&mut ours, Token(7), Interest::WRITABLE).unwrap();
    poll.poll(&mut events, Some(HANG)).unwrap();
    (poll, events)
}

#[test]
fn an_event_shows_every_hint_by_name() {
    let (_poll, events) = one_event();
    let expected = "Event { token: Token(7), readable: false, writable: true, error: false, read_closed: false, \
                    write_closed: false, priority: false, aio: false, lio: false }";
    assert_eq!(format!("{:?}", events.iter().next().unwrap()), expected);
    assert_eq!(format!("{events:?}"), format!("[{expected}]"));
}

#[test]
#[cfg(target_os = "linux")]
fn the_alternate_form_shows_the_raw_flags_by_name() {
    let (_poll, events) = one_event();
    let shown = format!("{events:#?}");
    assert!(shown.contains("writable: true"), "{shown}");
    let (written, not_read) =
        if Queue::HERE.is_kqueue() { ("EVFILT_WRITE", "EVFILT_READ") } else { ("POLLOUT", "POLLIN") };
    assert!(shown.contains(written), "{shown}");
    assert!(!shown.contains(not_read), "{shown}");
}

#[test]
fn everything_has_a_debug_form() {
    let (poll, events) = one_event();
    let waker = Waker::new(poll.registry(), Token(0)).unwrap();
    let (socket, _) = udp_pair();
    let address = socket.local_addr().unwrap().to_string();
    assert!(format!("{poll:?}").starts_with("Poll"));
    assert!(format!("{:?}", poll.registry()).starts_with("Registry"));
    assert!(format!("{waker:?}").starts_with("Waker"));
    assert!(format!("{:?}", events.iter()).contains("Token(7)"));
    assert!(format!("{socket:?}").contains(&address));
}
