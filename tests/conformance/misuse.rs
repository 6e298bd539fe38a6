//! Misuse returns an error, and the queue keeps working.

use std::io::ErrorKind;

use mio::{Interest, Poll, Token};

use crate::queue::Queue;
use crate::util::{assert_no_event, is_always_told, next_event, udp_pair};

const TOKEN: Token = Token(0);

/// Checks that misuse has done no harm.
fn assert_unharmed(poll: &mut Poll) {
    let (mut ours, theirs) = udp_pair();
    poll.registry().register(&mut ours, Token(99), Interest::READABLE).unwrap();
    theirs.send(b"data").unwrap();
    assert_eq!(next_event(poll).token(), Token(99));
    poll.registry().deregister(&mut ours).unwrap();
}

#[test]
fn registering_twice_is_already_exists_and_keeps_the_first() {
    if !is_always_told() {
        return;
    }
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
        if is_always_told() {
            let error = poll.registry().reregister(ours, TOKEN, Interest::READABLE).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotFound);
        }
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
#[cfg(unix)]
fn misuse_has_the_same_code_and_text_in_every_build() {
    let poll = Poll::new().unwrap();
    let (mut ours, _theirs) = udp_pair();
    let told = |error: std::io::Error| (error.raw_os_error(), error.to_string());
    let said_by_os = |code| (Some(code), std::io::Error::from_raw_os_error(code).to_string());
    let registry = poll.registry();
    for _ in 0..2 {
        if is_always_told() {
            let error = registry.reregister(&mut ours, TOKEN, Interest::READABLE).unwrap_err();
            assert_eq!(told(error), said_by_os(libc::ENOENT));
        }
        assert_eq!(told(registry.deregister(&mut ours).unwrap_err()), said_by_os(libc::ENOENT));
        registry.register(&mut ours, TOKEN, Interest::READABLE).unwrap();
        if is_always_told() {
            let error = registry.register(&mut ours, TOKEN, Interest::READABLE).unwrap_err();
            assert_eq!(told(error), said_by_os(libc::EEXIST));
        }
        registry.deregister(&mut ours).unwrap();
    }
}

#[test]
fn another_poll_does_not_take_the_source_over() {
    let mut poll = Poll::new().unwrap();
    let mut other = Poll::new().unwrap();
    let (mut ours, _theirs) = udp_pair();
    poll.registry().register(&mut ours, TOKEN, Interest::WRITABLE).unwrap();
    let result = other.registry().reregister(&mut ours, TOKEN, Interest::READABLE);
    if size_of_val(&ours) > size_of::<std::net::UdpSocket>() {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::AlreadyExists);
    } else if is_always_told() {
        // This source remembers nothing, and epoll knows only its own registrations.
        assert_eq!(result.unwrap_err().kind(), ErrorKind::NotFound);
    } else {
        return;
    }
    let error = other.registry().deregister(&mut ours).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    // The registration is still there.
    assert!(next_event(&mut poll).is_writable());
    poll.registry().deregister(&mut ours).unwrap();
    assert_unharmed(&mut poll);
    assert_unharmed(&mut other);
}

/// In release builds, epoll and kqueue cannot know of another queue.
#[test]
fn registering_with_a_second_poll_is_already_exists_where_the_crate_can_know() {
    if !cfg!(debug_assertions) && !Queue::HERE.is_emulated() {
        return;
    }
    let mut poll = Poll::new().unwrap();
    let mut second = Poll::new().unwrap();
    let (mut ours, _theirs) = udp_pair();
    poll.registry().register(&mut ours, TOKEN, Interest::WRITABLE).unwrap();
    let error = second.registry().register(&mut ours, TOKEN, Interest::WRITABLE).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert!(next_event(&mut poll).is_writable());
    assert_no_event(&mut second);
    // A dropped queue has no sources.
    drop(poll);
    second.registry().register(&mut ours, TOKEN, Interest::WRITABLE).unwrap();
}

#[test]
fn what_was_registered_with_a_poll_that_is_gone_is_not_registered() {
    let poll = Poll::new().unwrap();
    let mut second = Poll::new().unwrap();
    let (mut ours, _theirs) = udp_pair();
    poll.registry().register(&mut ours, TOKEN, Interest::WRITABLE).unwrap();
    drop(poll);
    if is_always_told() {
        let error = second.registry().reregister(&mut ours, TOKEN, Interest::WRITABLE).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
    assert_eq!(second.registry().deregister(&mut ours).unwrap_err().kind(), ErrorKind::NotFound);
    second.registry().register(&mut ours, TOKEN, Interest::WRITABLE).unwrap();
    assert!(next_event(&mut second).is_writable());
}

/// A queue cannot watch itself, and the crate does not mistake the OS's code for another error.
#[test]
#[cfg(all(
    target_os = "linux",
    feature = "os-ext",
    not(any(mio_backend = "event_ports", mio_backend = "poll", mio_unsupported_force_poll_poll))
))]
fn a_queue_that_is_put_into_itself_is_einval() {
    use std::os::fd::AsRawFd;

    let mut poll = Poll::new().unwrap();
    let fd = poll.as_raw_fd();
    let mut source = mio::unix::SourceFd(&fd);
    let error = poll.registry().register(&mut source, TOKEN, Interest::READABLE).unwrap_err();
    assert_eq!((error.raw_os_error(), error.kind()), (Some(libc::EINVAL), ErrorKind::InvalidInput));
    let error = poll.registry().reregister(&mut source, TOKEN, Interest::READABLE).unwrap_err();
    assert_eq!((error.raw_os_error(), error.kind()), (Some(libc::EINVAL), ErrorKind::InvalidInput));
    assert_unharmed(&mut poll);
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

/// Where the kernel keeps registrations, a source that you convert to a descriptor and back stays registered.
#[test]
#[cfg(all(unix, not(any(mio_backend = "event_ports", mio_backend = "poll", mio_unsupported_force_poll_poll))))]
#[allow(unsafe_code)]
fn a_registration_outlives_conversions() {
    use std::os::fd::{FromRawFd, IntoRawFd, OwnedFd};

    use mio::net::UdpSocket;

    let mut poll = Poll::new().unwrap();
    let (mut ours, theirs) = udp_pair();
    poll.registry().register(&mut ours, TOKEN, Interest::READABLE).unwrap();
    // SAFETY: `into_raw_fd` has just given up the descriptor.
    let mut ours = unsafe { UdpSocket::from_raw_fd(ours.into_raw_fd()) };
    poll.registry().reregister(&mut ours, Token(1), Interest::READABLE).unwrap();
    theirs.send(b"data").unwrap();
    assert_eq!(next_event(&mut poll).token(), Token(1));
    let mut ours = UdpSocket::from(OwnedFd::from(ours));
    poll.registry().deregister(&mut ours).unwrap();
    let mut ours = UdpSocket::from_std(ours.into());
    assert_eq!(poll.registry().deregister(&mut ours).unwrap_err().kind(), ErrorKind::NotFound);
    assert_no_event(&mut poll);
    poll.registry().register(&mut ours, TOKEN, Interest::READABLE).unwrap();
    assert_eq!(next_event(&mut poll).token(), TOKEN);
}
