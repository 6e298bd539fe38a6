//! `UnixListener`, `UnixStream` and `UnixDatagram`.

use std::io::{ErrorKind, IoSlice, Read, Write};
use std::net::Shutdown;

use mio::event::Event;
use mio::net::{UnixDatagram, UnixListener, UnixStream};
use mio::{Interest, Poll, Token};

use crate::util::{assert_no_event, assert_would_block, drain, next_event, wait_for, wait_until};

const LISTENER: Token = Token(0);
const CLIENT: Token = Token(1);
const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

#[test]
fn a_connection_is_made_accepted_and_talked_over() {
    let mut poll = Poll::new().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let mut listener = UnixListener::bind(&path).unwrap();
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE).unwrap();
    assert_would_block(listener.accept());
    assert!(listener.take_error().unwrap().is_none());

    let mut client = UnixStream::connect(&path).unwrap();
    wait_for(&mut poll, LISTENER, Event::is_readable);
    let (mut server, from) = listener.accept().unwrap();
    assert!(from.is_unnamed());
    assert_eq!(client.peer_addr().unwrap().as_pathname(), Some(&*path));
    assert_eq!(server.local_addr().unwrap().as_pathname(), Some(&*path));

    poll.registry().register(&mut client, CLIENT, BOTH).unwrap();
    wait_for(&mut poll, CLIENT, Event::is_writable);
    server.write_all(b"hello").unwrap();
    wait_for(&mut poll, CLIENT, Event::is_readable);
    assert_eq!(drain(&mut client), 5);
    drop(server);
    assert!(wait_for(&mut poll, CLIENT, Event::is_read_closed).is_readable());
}

#[test]
fn connecting_to_nobody_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    assert_eq!(UnixStream::connect(&path).unwrap_err().kind(), ErrorKind::NotFound);
    drop(UnixListener::bind(&path).unwrap());
    // A child that another test starts may hold a copy of the listener until it becomes another program.
    wait_until("nobody listens", || {
        UnixStream::connect(&path).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
    });
    assert_eq!(UnixListener::bind(&path).unwrap_err().kind(), ErrorKind::AddrInUse);
}

/// If the queue of connections is full, the error says to try again. It is not a connection that never completes.
#[test]
#[cfg(target_os = "linux")]
fn connecting_to_a_full_listener_is_would_block() {
    use socket2::{Domain, SockAddr, Socket, Type};

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let listener = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    listener.bind(&SockAddr::unix(&path).unwrap()).unwrap();
    listener.listen(0).unwrap();
    let ahead = UnixStream::connect(&path).unwrap();
    assert_would_block(UnixStream::connect(&path));
    listener.accept().unwrap();
    UnixStream::connect(&path).unwrap();
    drop(ahead);
}

#[test]
fn many_connections_can_wait_to_be_accepted() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let clients: Vec<_> = (0..16).map(|_| UnixStream::connect(&path).unwrap()).collect();
    clients.iter().for_each(|_| drop(listener.accept().unwrap()));
}

/// Only Linux tells it.
#[test]
#[cfg(target_os = "linux")]
fn the_error_of_a_datagram_socket_whose_peer_turns_to_another_is_taken_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("another");
    let _another = UnixDatagram::bind(&path).unwrap();
    let (ours, theirs) = UnixDatagram::pair().unwrap();
    ours.send(b"data").unwrap();
    theirs.connect(&path).unwrap();
    assert_eq!(ours.take_error().unwrap().unwrap().kind(), ErrorKind::ConnectionReset);
    assert!(ours.take_error().unwrap().is_none());
}

/// On other systems, a Unix stream has no such error.
#[test]
#[cfg(target_os = "linux")]
fn the_error_of_a_peer_that_has_not_read_everything_is_taken_once() {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    ours.write_all(b"data").unwrap();
    drop(theirs);
    assert_eq!(ours.take_error().unwrap().unwrap().kind(), ErrorKind::ConnectionReset);
    assert!(ours.take_error().unwrap().is_none());
}

#[test]
fn a_pair_is_connected() {
    let mut poll = Poll::new().unwrap();
    let (mut ours, mut theirs) = UnixStream::pair().unwrap();
    assert!(ours.local_addr().unwrap().is_unnamed());
    assert!(ours.peer_addr().unwrap().is_unnamed());
    assert!(ours.take_error().unwrap().is_none());
    poll.registry().register(&mut ours, CLIENT, Interest::READABLE).unwrap();
    assert_eq!(theirs.write_vectored(&[IoSlice::new(b"da"), IoSlice::new(b"ta")]).unwrap(), 4);
    assert!(next_event(&mut poll).is_readable());
    assert_eq!(drain(&mut ours), 4);

    theirs.shutdown(Shutdown::Write).unwrap();
    let event = wait_for(&mut poll, CLIENT, Event::is_read_closed);
    assert!(event.is_readable() && !event.is_write_closed());
    assert_eq!(ours.read(&mut [0; 8]).unwrap(), 0);
    ours.write_all(b"answer").unwrap();
    assert_eq!(drain(&mut theirs), 6);
}

#[test]
fn writing_after_the_peer_closed_is_broken_pipe() {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    drop(theirs);
    assert_eq!(ours.write(b"data").unwrap_err().kind(), ErrorKind::BrokenPipe);
    assert_eq!(ours.write_vectored(&[IoSlice::new(b"data")]).unwrap_err().kind(), ErrorKind::BrokenPipe);
}

#[test]
fn datagrams_go_by_path() {
    let mut poll = Poll::new().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let (path, their_path) = (directory.path().join("ours"), directory.path().join("theirs"));
    let mut ours = UnixDatagram::bind(&path).unwrap();
    let theirs = UnixDatagram::bind(&their_path).unwrap();
    poll.registry().register(&mut ours, CLIENT, Interest::READABLE).unwrap();
    assert_would_block(ours.recv_from(&mut [0; 8]));

    theirs.send_to(b"data", &path).unwrap();
    assert!(next_event(&mut poll).is_readable());
    let mut buffer = [0; 8];
    let (count, from) = ours.recv_from(&mut buffer).unwrap();
    assert_eq!((&buffer[..count], from.as_pathname()), (&b"data"[..], Some(&*their_path)));
    assert_would_block(ours.recv_from(&mut buffer));

    let unbound = UnixDatagram::unbound().unwrap();
    assert!(unbound.local_addr().unwrap().is_unnamed());
    assert!(unbound.send(b"data").is_err());
    unbound.connect(&path).unwrap();
    assert_eq!(unbound.peer_addr().unwrap().as_pathname(), Some(&*path));
    unbound.send(b"more").unwrap();
    wait_for(&mut poll, CLIENT, Event::is_readable);
    let (count, from) = ours.recv_from(&mut buffer).unwrap();
    assert!(count == 4 && from.is_unnamed());
    assert!(ours.take_error().unwrap().is_none());
}

#[test]
fn a_pair_of_datagram_sockets_is_connected() {
    let mut poll = Poll::new().unwrap();
    let (mut ours, theirs) = UnixDatagram::pair().unwrap();
    poll.registry().register(&mut ours, CLIENT, BOTH).unwrap();
    assert!(next_event(&mut poll).is_writable());
    theirs.send(b"data").unwrap();
    wait_for(&mut poll, CLIENT, Event::is_readable);
    assert_eq!(ours.recv(&mut [0; 8]).unwrap(), 4);
    assert_would_block(ours.recv(&mut [0; 8]));
    assert_no_event(&mut poll);
    ours.shutdown(Shutdown::Write).unwrap();
    assert_eq!(ours.send(b"data").unwrap_err().kind(), ErrorKind::BrokenPipe);
}

#[test]
fn sockets_go_to_std_and_back() {
    let mut poll = Poll::new().unwrap();
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut ours = UnixStream::from_std(ours.into());
    let mut theirs: std::os::unix::net::UnixStream = theirs.into();
    poll.registry().register(&mut ours, Token(0), Interest::READABLE).unwrap();
    theirs.write_all(b"data").unwrap();
    assert_eq!(next_event(&mut poll).token(), Token(0));

    let (ours, theirs) = UnixDatagram::pair().unwrap();
    let mut ours = UnixDatagram::from_std(ours.into());
    let theirs: std::os::unix::net::UnixDatagram = theirs.into();
    poll.registry().register(&mut ours, Token(1), Interest::READABLE).unwrap();
    theirs.send(b"data").unwrap();
    assert_eq!(next_event(&mut poll).token(), Token(1));

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let listener: std::os::unix::net::UnixListener = UnixListener::bind(&path).unwrap().into();
    let mut listener = UnixListener::from_std(listener);
    poll.registry().register(&mut listener, Token(2), Interest::READABLE).unwrap();
    let client = UnixStream::connect(&path).unwrap();
    assert_eq!(next_event(&mut poll).token(), Token(2));
    drop(client);
}
