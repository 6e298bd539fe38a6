//! Misuse is an error, and the queue works on after it.

use std::io::ErrorKind;

use mio::{Interest, Poll, Token};

use crate::util::{assert_no_event, next_event, udp_pair};

const TOKEN: Token = Token(0);

/// What misuse must leave as it was.
fn assert_unharmed(poll: &mut Poll) {
    let (mut ours, theirs) = udp_pair();
    poll.registry().register(&mut ours, Token(99), Interest::READABLE).unwrap();
    theirs.send(b"data").unwrap();
    assert_eq!(next_event(poll).token(), Token(99));
    poll.registry().deregister(&mut ours).unwrap();
}

#[test]
fn registering_twice_is_already_exists_and_keeps_the_first() {
    let mut poll = Poll::new().unwrap();
    let (mut ours, theirs) = udp_pair();
    poll.registry().register(&mut ours, TOKEN, Interest::READABLE).unwrap();
    let error = poll.registry().register(&mut ours, Token(1), Interest::WRITABLE).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert_no_event(&mut poll);
    theirs.send(b"data").unwrap();
    assert_eq!(next_event(&mut poll).token(), TOKEN);
    assert_unharmed(&mut poll);
}

#[test]
fn changing_what_is_not_registered_is_not_found() {
    let mut poll = Poll::new().unwrap();
    let (mut ours, _theirs) = udp_pair();
    let never = |poll: &Poll, ours: &mut _| {
        let error = poll.registry().reregister(ours, TOKEN, Interest::READABLE).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let error = poll.registry().deregister(ours).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    };
    never(&poll, &mut ours);
    poll.registry().register(&mut ours, TOKEN, Interest::WRITABLE).unwrap();
    poll.registry().deregister(&mut ours).unwrap();
    never(&poll, &mut ours);
    assert_no_event(&mut poll);
    assert_unharmed(&mut poll);
}

#[test]
fn another_poll_does_not_know_the_source() {
    let mut poll = Poll::new().unwrap();
    let mut other = Poll::new().unwrap();
    let (mut ours, _theirs) = udp_pair();
    poll.registry().register(&mut ours, TOKEN, Interest::WRITABLE).unwrap();
    let error = other.registry().reregister(&mut ours, TOKEN, Interest::READABLE).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let error = other.registry().deregister(&mut ours).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    // The registration stands.
    assert!(next_event(&mut poll).is_writable());
    poll.registry().deregister(&mut ours).unwrap();
    assert_unharmed(&mut poll);
    assert_unharmed(&mut other);
}

#[test]
#[cfg(debug_assertions)]
fn registering_with_a_second_poll_is_already_exists_in_debug_builds() {
    let mut poll = Poll::new().unwrap();
    let mut second = Poll::new().unwrap();
    let (mut ours, _theirs) = udp_pair();
    poll.registry().register(&mut ours, TOKEN, Interest::WRITABLE).unwrap();
    let error = second.registry().register(&mut ours, TOKEN, Interest::WRITABLE).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert!(next_event(&mut poll).is_writable());
    assert_no_event(&mut second);
}

#[test]
fn one_bad_source_does_not_keep_others_from_deregistering() {
    let mut poll = Poll::new().unwrap();
    let (mut a, mut never) = udp_pair();
    let (mut b, _to_b) = udp_pair();
    poll.registry().register(&mut a, TOKEN, Interest::WRITABLE).unwrap();
    poll.registry().register(&mut b, TOKEN, Interest::WRITABLE).unwrap();
    let results = [&mut a, &mut never, &mut b].map(|source| poll.registry().deregister(source).is_ok());
    assert_eq!(results, [true, false, true]);
    assert_no_event(&mut poll);
}
