//! `IoSource` makes a source of something for which this crate has no type.

use std::io::{Read, Write};
use std::panic::{RefUnwindSafe, UnwindSafe};
#[cfg(unix)]
use std::{
    cell::Cell,
    os::fd::{AsFd, BorrowedFd},
    sync::Arc,
};

use mio::{Interest, IoSource, Poll, Token, Trigger};
use socket2::{Domain, Socket, Type};

#[cfg(unix)]
use crate::queue::Queue;
use crate::util::{assert_no_event, assert_would_block, events_so_far, localhost, next_event, wait_for};

const TOKEN: Token = Token(11);

/// Returns two connected sockets, the first of which is non-blocking.
fn pair() -> (IoSource<Socket>, Socket) {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener.bind(&localhost().into()).unwrap();
    listener.listen(1).unwrap();
    let ours = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    ours.connect(&listener.local_addr().unwrap()).unwrap();
    ours.set_nonblocking(true).unwrap();
    let (theirs, _) = listener.accept().unwrap();
    theirs.set_tcp_nodelay(true).unwrap();
    (IoSource::new(ours), theirs)
}

fn read(source: &IoSource<Socket>) -> std::io::Result<usize> {
    source.try_io_for(Interest::READABLE, |mut socket| socket.read(&mut [0; 64]))
}

#[test]
fn each_arrival_gives_an_event_after_would_block() {
    let mut poll = Poll::new().unwrap();
    let (mut ours, mut theirs) = pair();
    poll.registry().register(&mut ours, TOKEN, Interest::READABLE).unwrap();
    for _ in 0..3 {
        assert_no_event(&mut poll);
        theirs.write_all(b"data").unwrap();
        assert!(next_event(&mut poll).is_readable());
        assert_eq!(read(&ours).unwrap(), 4);
        assert_would_block(read(&ours));
    }
}

#[test]
fn a_read_that_blocks_brings_no_writable_event() {
    let mut poll = Poll::new().unwrap();
    let (mut ours, _theirs) = pair();
    poll.registry().register(&mut ours, TOKEN, Interest::READABLE | Interest::WRITABLE).unwrap();
    wait_for(&mut poll, TOKEN, |event| event.is_writable());
    assert_would_block(read(&ours));
    assert_no_event(&mut poll);
}

#[test]
fn any_io_that_blocks_arms_both_directions() {
    let mut poll = Poll::new().unwrap();
    let (mut ours, mut theirs) = pair();
    poll.registry().register(&mut ours, TOKEN, Interest::READABLE).unwrap();
    assert_would_block(ours.try_io(|mut socket| socket.read(&mut [0; 64])));
    theirs.write_all(b"data").unwrap();
    assert!(next_event(&mut poll).is_readable());
}

#[test]
fn every_trigger_works() {
    let (mut ours, mut theirs) = pair();
    theirs.write_all(b"data").unwrap();
    for (trigger, events) in [(Trigger::Edge, 1), (Trigger::OneShot, 1), (Trigger::Level, 3)] {
        let mut poll = Poll::new().unwrap();
        poll.registry().register_with(&mut ours, TOKEN, Interest::READABLE, trigger).unwrap();
        for _ in 0..events {
            assert!(next_event(&mut poll).is_readable(), "{trigger:?}");
        }
        if trigger != Trigger::Level {
            assert_no_event(&mut poll);
        }
        poll.registry().reregister_with(&mut ours, TOKEN, Interest::READABLE, trigger).unwrap();
        assert!(next_event(&mut poll).is_readable(), "{trigger:?}");
        poll.registry().deregister(&mut ours).unwrap();
        assert_no_event(&mut poll);
    }
}

#[test]
fn dropping_it_closes_what_it_holds_and_ends_its_events() {
    let mut poll = Poll::new().unwrap();
    let (mut ours, mut theirs) = pair();
    poll.registry().register(&mut ours, TOKEN, Interest::READABLE).unwrap();
    drop(ours);
    assert_eq!(theirs.read(&mut [0; 8]).unwrap_or(0), 0, "it is closed");
    assert_no_event(&mut poll);
}

#[test]
fn what_it_holds_comes_out_again_open() {
    let poll = Poll::new().unwrap();
    let (mut ours, mut theirs) = pair();
    poll.registry().register(&mut ours, TOKEN, Interest::READABLE).unwrap();
    poll.registry().deregister(&mut ours).unwrap();
    let mut socket: Socket = ours.into_inner();
    socket.write_all(b"still open").unwrap();
    let mut text = [0; 10];
    theirs.read_exact(&mut text).unwrap();
    assert_eq!(&text, b"still open");
}

/// Whatever a poll reports about an unconnected socket, its connection is news.
#[test]
fn a_socket_that_is_connected_after_a_poll_is_told_of_it() {
    let listener = std::net::TcpListener::bind(localhost()).unwrap();
    let mut poll = Poll::new().unwrap();
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_nonblocking(true).unwrap();
    let mut ours = IoSource::new(socket);
    poll.registry().register(&mut ours, TOKEN, Interest::READABLE | Interest::WRITABLE).unwrap();
    events_so_far(&mut poll);
    ours.connect(&listener.local_addr().unwrap().into()).unwrap_err();
    wait_for(&mut poll, TOKEN, |event| event.is_writable() && !event.is_write_closed());
    let (mut theirs, _) = listener.accept().unwrap();
    theirs.write_all(b"data").unwrap();
    wait_for(&mut poll, TOKEN, |event| event.is_readable() && !event.is_read_closed());
    assert_eq!(read(&ours).unwrap(), 4);
    drop(theirs);
    wait_for(&mut poll, TOKEN, mio::event::Event::is_read_closed);
}

/// It may borrow its descriptor, or share it. Dropping it then closes nothing, so nothing else ends the registration everywhere.
#[test]
fn a_source_that_shares_its_descriptor_can_be_made_again_once_it_is_deregistered() {
    let mut poll = Poll::new().unwrap();
    let (ours, mut theirs) = pair();
    let socket = ours.into_inner();
    for token in [TOKEN, Token(12)] {
        let mut shared = IoSource::new(&socket);
        poll.registry().register(&mut shared, token, Interest::READABLE).unwrap();
        theirs.write_all(b"data").unwrap();
        assert_eq!(next_event(&mut poll).token(), token);
        assert_eq!(shared.try_io_for(Interest::READABLE, |&(mut socket)| socket.read(&mut [0; 64])).unwrap(), 4);
        poll.registry().deregister(&mut shared).unwrap();
    }
    theirs.write_all(b"data").unwrap();
    assert_no_event(&mut poll);
}

/// It returns the descriptor of its second socket once it has changed, which breaks a rule of `IoSource`.
#[cfg(unix)]
struct Changing([Arc<Socket>; 2], Cell<usize>);

#[cfg(unix)]
impl AsFd for Changing {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0[self.1.get()].as_fd()
    }
}

/// With epoll and kqueue, the kernel keeps the registrations, and goes by the descriptor.
#[cfg(unix)]
#[test]
fn a_source_whose_descriptor_changes_still_ends_its_own_registration_if_the_crate_keeps_it() {
    if !Queue::HERE.is_emulated() {
        return;
    }
    let mut poll = Poll::new().unwrap();
    let ((first, mut first_peer), (second, mut second_peer)) = (pair(), pair());
    let [first, second] = [first, second].map(|source| Arc::new(source.into_inner()));
    let mut changing = IoSource::new(Changing([first.clone(), second.clone()], Cell::new(0)));
    let mut other = IoSource::new(second);
    poll.registry().register(&mut changing, TOKEN, Interest::READABLE).unwrap();
    poll.registry().register(&mut other, Token(12), Interest::READABLE).unwrap();
    changing.1.set(1);
    poll.registry().reregister(&mut changing, Token(13), Interest::READABLE).unwrap();
    first_peer.write_all(b"data").unwrap();
    assert_eq!(next_event(&mut poll).token(), Token(13));
    poll.registry().deregister(&mut changing).unwrap();

    second_peer.write_all(b"data").unwrap();
    assert_eq!(next_event(&mut poll).token(), Token(12));
    let mut again = IoSource::new(first);
    poll.registry().register(&mut again, Token(14), Interest::READABLE).unwrap();
    assert_eq!(next_event(&mut poll).token(), Token(14));
}

#[test]
fn misuse_is_an_error() {
    let poll = Poll::new().unwrap();
    let (mut ours, _theirs) = pair();
    let kind = |result: std::io::Result<()>| result.unwrap_err().kind();
    assert_eq!(kind(poll.registry().deregister(&mut ours)), std::io::ErrorKind::NotFound);
    poll.registry().register(&mut ours, TOKEN, Interest::READABLE).unwrap();
    if crate::util::is_always_told() {
        let again = poll.registry().register(&mut ours, TOKEN, Interest::READABLE);
        assert_eq!(kind(again), std::io::ErrorKind::AlreadyExists);
    }
}

#[test]
fn it_may_be_shared_and_sent_as_what_it_holds() {
    fn is<T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe>(_: &T) {}
    let (ours, _theirs) = pair();
    is(&ours);
    assert_eq!(ours.local_addr().unwrap(), ours.into_inner().local_addr().unwrap());
}

/// Messages stay apart, which no type of this crate offers.
#[test]
#[cfg(target_os = "linux")]
fn sequenced_packets_arrive_one_by_one() {
    let mut poll = Poll::new().unwrap();
    let (ours, theirs) = Socket::pair(Domain::UNIX, Type::SEQPACKET, None).unwrap();
    ours.set_nonblocking(true).unwrap();
    let mut ours = IoSource::new(ours);
    poll.registry().register(&mut ours, TOKEN, Interest::READABLE).unwrap();
    for length in [5, 1, 64] {
        theirs.send(&[7; 64][..length]).unwrap();
    }
    assert!(next_event(&mut poll).is_readable());
    for length in [5, 1, 64] {
        assert_eq!(read(&ours).unwrap(), length);
    }
    assert_would_block(read(&ours));
    theirs.send(b"more").unwrap();
    assert!(next_event(&mut poll).is_readable());
}
