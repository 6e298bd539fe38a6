//! `TcpListener` and `TcpStream`.

use std::io::{ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::net::Shutdown;

use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Poll, Token};
use socket2::SockRef;

use crate::util::{assert_no_event, assert_would_block, next_event, tcp_listener, tcp_pair, wait_for, wait_until};

const LISTENER: Token = Token(0);
const CLIENT: Token = Token(1);
const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

#[test]
fn a_connection_is_made_accepted_and_talked_over() {
    let mut poll = Poll::new().unwrap();
    let (mut listener, address) = tcp_listener();
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE).unwrap();
    assert_would_block(listener.accept());

    let mut client = TcpStream::connect(address).unwrap();
    wait_for(&mut poll, LISTENER, Event::is_readable);
    let (mut server, from) = listener.accept().unwrap();
    assert_would_block(listener.accept());
    poll.registry().register(&mut client, CLIENT, BOTH).unwrap();
    wait_for(&mut poll, CLIENT, Event::is_writable);
    assert!(client.take_error().unwrap().is_none());
    assert_eq!(client.peer_addr().unwrap(), address);
    assert_eq!(client.local_addr().unwrap(), from);
    assert_eq!(server.peer_addr().unwrap(), from);
    assert_eq!(server.local_addr().unwrap(), address);

    server.write_all(b"hello").unwrap();
    wait_for(&mut poll, CLIENT, Event::is_readable);
    let mut buffer = [0; 8];
    assert_eq!(client.peek(&mut buffer).unwrap(), 5);
    assert_eq!(client.read(&mut buffer).unwrap(), 5);
    assert_eq!(&buffer[..5], b"hello");
}

#[test]
fn a_connected_stream_is_writable_once() {
    let mut poll = Poll::new().unwrap();
    let (_listener, address) = tcp_listener();
    let mut client = TcpStream::connect(address).unwrap();
    poll.registry().register(&mut client, CLIENT, BOTH).unwrap();
    wait_for(&mut poll, CLIENT, Event::is_writable);
    assert_no_event(&mut poll);
}

/// A listener whose queue is full does not answer, so a client that connects has to wait.
#[test]
#[cfg(target_os = "linux")]
fn connect_returns_at_once_and_not_connected_means_still_connecting() {
    use socket2::{Domain, Socket, Type};

    let mut poll = Poll::new().unwrap();
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener.bind(&crate::util::localhost().into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap().as_socket().unwrap();
    let mut ahead = Vec::new();
    let mut client = loop {
        let client = TcpStream::connect(address).unwrap();
        match client.peer_addr() {
            Ok(_) => ahead.push(client),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::NotConnected);
                break client;
            }
        }
    };
    poll.registry().register(&mut client, CLIENT, BOTH).unwrap();
    assert_no_event(&mut poll);
    assert!(client.take_error().unwrap().is_none());
    assert_eq!(client.peer_addr().unwrap_err().kind(), ErrorKind::NotConnected);
    // Once the clients ahead are accepted, it is this client's turn.
    let _accepted: Vec<_> = ahead.iter().map(|_| listener.accept().unwrap()).collect();
    wait_for(&mut poll, CLIENT, Event::is_writable);
    assert!(client.take_error().unwrap().is_none());
    assert_eq!(client.peer_addr().unwrap(), address);
}

#[test]
fn one_event_may_stand_for_many_connections() {
    let mut poll = Poll::new().unwrap();
    let (mut listener, address) = tcp_listener();
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE).unwrap();
    let clients: Vec<_> = (0..50).map(|_| std::net::TcpStream::connect(address).unwrap()).collect();
    let mut accepted = Vec::new();
    while accepted.len() < clients.len() {
        wait_for(&mut poll, LISTENER, Event::is_readable);
        while let Ok((stream, _)) = listener.accept() {
            accepted.push(stream);
        }
    }
    assert_would_block(listener.accept());
}

#[test]
fn large_data_goes_through_in_parts() {
    const SIZE: usize = 4 * 1024 * 1024;
    let mut poll = Poll::new().unwrap();
    let (mut ours, mut theirs) = tcp_pair();
    poll.registry().register(&mut ours, Token(0), Interest::WRITABLE).unwrap();
    poll.registry().register(&mut theirs, Token(1), Interest::READABLE).unwrap();
    let data: Vec<u8> = (0..SIZE).map(|index| (index % 251) as u8).collect();
    let (mut sent, mut received) = (0, Vec::new());
    let mut buffer = vec![0; 50_000];
    while received.len() < SIZE {
        for event in crate::util::next_events(&mut poll) {
            match event.token() {
                Token(0) => {
                    while sent < SIZE {
                        match ours.write(&data[sent..]) {
                            Ok(count) => sent += count,
                            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                            Err(error) => panic!("{error}"),
                        }
                    }
                }
                _ => loop {
                    match theirs.read(&mut buffer) {
                        Ok(count) => received.extend_from_slice(&buffer[..count]),
                        Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                        Err(error) => panic!("{error}"),
                    }
                },
            }
        }
    }
    assert!(received == data);
}

/// The system call returns an error instead. The limit is in the system's headers.
#[test]
#[cfg(unix)]
fn a_vectored_write_of_more_buffers_than_the_system_takes_is_a_short_one() {
    let (mut ours, mut theirs) = tcp_pair();
    let written = ours.write_vectored(&[std::io::IoSlice::new(b"x"); 3_000]).unwrap();
    assert!((16..3_000).contains(&written), "{written}");
    #[cfg(target_os = "linux")]
    assert_eq!(written, libc::UIO_MAXIOV as usize);
    crate::util::drain_exactly(&mut theirs, written);
}

#[test]
fn vectored_io_goes_through_all_buffers() {
    let (ours, theirs) = tcp_pair();
    let count = (&ours).write_vectored(&[IoSlice::new(b"hel"), IoSlice::new(b"lo")]).unwrap();
    assert_eq!(count, 5);
    (&ours).flush().unwrap();
    wait_until("the data arrives", || matches!(theirs.peek(&mut [0; 8]), Ok(5)));
    let (mut a, mut b) = ([0; 2], [0; 8]);
    assert_eq!((&theirs).read_vectored(&mut [IoSliceMut::new(&mut a), IoSliceMut::new(&mut b)]).unwrap(), 5);
    assert_eq!((&a, &b[..3]), (b"he", &b"llo"[..]));
    // The crate accepts more buffers than any system takes in one call.
    match (&ours).write_vectored(&[IoSlice::new(b"x"); 5_000]) {
        Ok(count) => assert!((1..=5_000).contains(&count)),
        // Wine passes them all to Linux and returns `WSAEMSGSIZE`.
        Err(error) => assert!(cfg!(windows) && error.raw_os_error() == Some(10040), "{error:?}"),
    }
}

#[test]
fn options_are_set_and_read() {
    let (listener, _) = tcp_listener();
    listener.set_ttl(61).unwrap();
    assert_eq!(listener.ttl().unwrap(), 61);
    assert!(listener.take_error().unwrap().is_none());
    let (stream, _theirs) = tcp_pair();
    stream.set_ttl(62).unwrap();
    assert_eq!(stream.ttl().unwrap(), 62);
    for on in [true, false] {
        stream.set_nodelay(on).unwrap();
        assert_eq!(stream.nodelay().unwrap(), on);
    }
    assert!(stream.take_error().unwrap().is_none());
}

#[test]
fn writing_after_the_peer_closed_is_an_error() {
    let (listener, address) = tcp_listener();
    let connected = TcpStream::connect(address).unwrap();
    let mut accepted = None;
    wait_until("accepted", || {
        accepted = listener.accept().ok();
        accepted.is_some()
    });
    let (from_std, theirs) = tcp_pair();
    drop(theirs);
    let mut others = vec![from_std];
    let (accepted, _) = accepted.unwrap();
    // One of them is a connection whose connecting end was closed, and one whose accepted end was.
    drop(connected);
    others.push(accepted);
    let connected = TcpStream::connect(address).unwrap();
    wait_until("accepted and closed", || listener.accept().is_ok());
    others.push(connected);
    for mut stream in others {
        let mut error = None;
        wait_until("an error", || {
            error = stream.write(b"data").and_then(|_| stream.write_vectored(&[IoSlice::new(b"data")])).err();
            error.is_some()
        });
        let kind = error.unwrap().kind();
        assert!(matches!(kind, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted));
    }
}

#[test]
fn shutdown_ends_the_directions_it_names() {
    let (mut ours, mut theirs) = tcp_pair();
    ours.shutdown(Shutdown::Write).unwrap();
    let error = ours.write(b"data").unwrap_err();
    // The standard library has no name for `WSAESHUTDOWN`.
    assert!(cfg!(windows) || error.kind() == ErrorKind::BrokenPipe, "{error:?}");
    wait_until("the peer sees the end", || matches!(theirs.read(&mut [0; 8]), Ok(0)));
    theirs.write_all(b"data").unwrap();
    wait_until("data arrives", || ours.read(&mut [0; 8]).is_ok());
    theirs.shutdown(Shutdown::Both).unwrap();
    wait_until("the end", || matches!(ours.read(&mut [0; 8]), Ok(0)));
}

#[test]
#[cfg(unix)]
fn bind_sets_reuse_address_on_unix() {
    let (listener, address) = tcp_listener();
    assert!(SockRef::from(&listener).reuse_address().unwrap());
    // So a server can start again although connections of its previous run linger.
    let client = std::net::TcpStream::connect(address).unwrap();
    wait_until("accepted and closed", || listener.accept().is_ok());
    drop(listener);
    TcpListener::bind(address).unwrap();
    drop(client);
}

#[test]
#[cfg(windows)]
fn bind_does_not_set_reuse_address_on_windows() {
    let (listener, _) = tcp_listener();
    assert!(!SockRef::from(&listener).reuse_address().unwrap());
}

#[test]
fn an_address_in_use_is_an_error() {
    let (_listener, address) = tcp_listener();
    assert_eq!(TcpListener::bind(address).unwrap_err().kind(), ErrorKind::AddrInUse);
}

#[test]
fn ipv6_works_as_well() {
    // Some machines have no IPv6.
    let Ok(listener) = TcpListener::bind("[::1]:0".parse().unwrap()) else { return };
    let mut poll = Poll::new().unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    poll.registry().register(&mut client, CLIENT, Interest::WRITABLE).unwrap();
    wait_for(&mut poll, CLIENT, Event::is_writable);
    assert!(client.peer_addr().unwrap().is_ipv6());
    wait_until("accepted", || listener.accept().is_ok());
}

#[test]
fn sockets_go_to_std_and_back() {
    let mut poll = Poll::new().unwrap();
    let (ours, mut theirs) = tcp_pair();
    let ours: std::net::TcpStream = ours.into();
    let mut ours = TcpStream::from_std(ours);
    let (listener, address) = tcp_listener();
    let listener: std::net::TcpListener = listener.into();
    let mut listener = TcpListener::from_std(listener);
    poll.registry().register(&mut ours, CLIENT, Interest::READABLE).unwrap();
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE).unwrap();
    theirs.write_all(b"data").unwrap();
    assert_eq!(next_event(&mut poll).token(), CLIENT);
    let client = std::net::TcpStream::connect(address).unwrap();
    assert_eq!(next_event(&mut poll).token(), LISTENER);
    drop(client);
}

/// `from_std` leaves a socket as it is, even if it is blocking.
#[test]
#[cfg(unix)]
fn from_std_changes_nothing() {
    let listener = std::net::TcpListener::bind(crate::util::localhost()).unwrap();
    let listener = TcpListener::from_std(listener);
    assert!(!SockRef::from(&listener).nonblocking().unwrap());
}
