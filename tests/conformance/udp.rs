//! `UdpSocket`.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr};

use mio::event::Event;
use mio::net::UdpSocket;
use mio::{Interest, Poll, Token};

use crate::util::{assert_would_block, hide, localhost, next_event, udp_pair, wait_for, wait_until};

const TOKEN: Token = Token(0);
const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

fn bound() -> UdpSocket {
    UdpSocket::bind(localhost()).unwrap()
}

#[test]
fn datagrams_go_between_unconnected_sockets() {
    let mut poll = Poll::new().unwrap();
    let (mut ours, theirs) = (bound(), bound());
    poll.registry().register(&mut ours, TOKEN, BOTH).unwrap();
    assert_would_block(ours.recv_from(&mut [0; 8]));
    assert_would_block(ours.peek_from(&mut [0; 8]));
    theirs.send_to(b"data", ours.local_addr().unwrap()).unwrap();
    wait_for(&mut poll, TOKEN, Event::is_readable);
    let mut buffer = [0; 8];
    assert_eq!(ours.peek_from(&mut buffer).unwrap(), (4, theirs.local_addr().unwrap()));
    assert_eq!(ours.recv_from(&mut buffer).unwrap(), (4, theirs.local_addr().unwrap()));
    assert_eq!(&buffer[..4], b"data");
    assert_would_block(ours.recv_from(&mut buffer));
}

#[test]
fn datagrams_go_between_connected_sockets() {
    let mut poll = Poll::new().unwrap();
    let (mut ours, theirs) = udp_pair();
    assert_eq!(ours.peer_addr().unwrap(), theirs.local_addr().unwrap());
    poll.registry().register(&mut ours, TOKEN, BOTH).unwrap();
    assert_would_block(ours.recv(&mut [0; 8]));
    assert_would_block(ours.peek(&mut [0; 8]));
    theirs.send(b"data").unwrap();
    wait_for(&mut poll, TOKEN, Event::is_readable);
    let mut buffer = [0; 8];
    assert_eq!(ours.peek(&mut buffer).unwrap(), 4);
    assert_eq!(ours.recv(&mut buffer).unwrap(), 4);
    assert_eq!(&buffer[..4], b"data");
}

#[test]
fn an_unconnected_socket_has_no_peer() {
    assert_eq!(bound().peer_addr().unwrap_err().kind(), ErrorKind::NotConnected);
    assert!(bound().send(b"data").is_err());
}

#[test]
fn one_event_may_stand_for_many_datagrams_and_an_empty_one_counts() {
    let mut poll = Poll::new().unwrap();
    let (mut ours, theirs) = udp_pair();
    poll.registry().register(&mut ours, TOKEN, Interest::READABLE).unwrap();
    for size in [3, 0, 1] {
        theirs.send(&[1; 8][..size]).unwrap();
    }
    let mut sizes = Vec::new();
    while sizes.len() < 3 {
        wait_for(&mut poll, TOKEN, Event::is_readable);
        while let Ok(size) = ours.recv(&mut [0; 8]) {
            sizes.push(size);
        }
    }
    assert_eq!(sizes, [3, 0, 1]);
}

/// The system tells the sender (by ICMP) that nobody receives; on Windows it does so even if the socket is not connected.
#[test]
fn an_unreachable_port_is_no_busy_loop_and_receiving_goes_on() {
    let mut poll = Poll::new().unwrap();
    let mut ours = bound();
    let gone = bound();
    hide(&gone);
    poll.registry().register(&mut ours, TOKEN, BOTH).unwrap();
    wait_for(&mut poll, TOKEN, Event::is_writable);
    for _ in 0..3 {
        ours.send_to(b"data", gone.local_addr().unwrap()).unwrap();
        while ours.recv_from(&mut [0; 8]).is_err_and(|error| error.kind() != ErrorKind::WouldBlock) {}
    }
    let theirs = bound();
    theirs.send_to(b"data", ours.local_addr().unwrap()).unwrap();
    wait_for(&mut poll, TOKEN, Event::is_readable);
    wait_until("the data", || ours.recv_from(&mut [0; 8]).is_ok());
}

#[test]
#[cfg(unix)]
fn a_refused_datagram_is_told_once_to_a_connected_socket() {
    let mut poll = Poll::new().unwrap();
    let (mut ours, theirs) = udp_pair();
    poll.registry().register(&mut ours, TOKEN, Interest::READABLE).unwrap();
    hide(&theirs);
    ours.send(b"data").unwrap();
    let event = next_event(&mut poll);
    assert!(event.is_readable() || event.is_error());
    assert_eq!(ours.recv(&mut [0; 8]).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    assert_would_block(ours.recv(&mut [0; 8]));
    crate::util::assert_no_event(&mut poll);
    // The error is reported again when it happens again.
    ours.send(b"data").unwrap();
    next_event(&mut poll);
    assert_eq!(ours.take_error().unwrap().unwrap().kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn options_are_set_and_read() {
    let socket = bound();
    socket.set_ttl(61).unwrap();
    assert_eq!(socket.ttl().unwrap(), 61);
    socket.set_multicast_ttl_v4(62).unwrap();
    assert_eq!(socket.multicast_ttl_v4().unwrap(), 62);
    for on in [true, false] {
        socket.set_broadcast(on).unwrap();
        assert_eq!(socket.broadcast().unwrap(), on);
        socket.set_multicast_loop_v4(on).unwrap();
        assert_eq!(socket.multicast_loop_v4().unwrap(), on);
    }
    assert!(socket.take_error().unwrap().is_none());
}

#[test]
fn options_of_ipv6_are_set_and_read() {
    // Some machines have no IPv6.
    let Ok(socket) = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0).into()) else { return };
    for on in [true, false] {
        let only_v6 = socket2::Socket::new(socket2::Domain::IPV6, socket2::Type::DGRAM, None).unwrap();
        only_v6.set_only_v6(on).unwrap();
        assert_eq!(UdpSocket::from_std(only_v6.into()).only_v6().unwrap(), on);
        socket.set_multicast_loop_v6(on).unwrap();
        assert_eq!(socket.multicast_loop_v6().unwrap(), on);
    }
}

#[test]
fn multicast_groups_are_joined_and_left() {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0).into()).unwrap();
    let group = Ipv4Addr::new(224, 0, 0, 123);
    socket.join_multicast_v4(&group, &Ipv4Addr::LOCALHOST).unwrap();
    assert_eq!(
        socket.join_multicast_v4(&group, &Ipv4Addr::LOCALHOST).unwrap_err().kind(),
        ErrorKind::AddrInUse,
        "it is joined"
    );
    socket.leave_multicast_v4(&group, &Ipv4Addr::LOCALHOST).unwrap();
    assert!(socket.leave_multicast_v4(&group, &Ipv4Addr::LOCALHOST).is_err());
    assert!(socket.join_multicast_v4(&Ipv4Addr::LOCALHOST, &Ipv4Addr::LOCALHOST).is_err());
}

#[test]
#[cfg(target_os = "linux")]
fn multicast_groups_of_ipv6_are_joined_and_left() {
    // Some machines have no IPv6. The first interface is the loopback's.
    let Ok(socket) = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0).into()) else { return };
    let group = Ipv6Addr::new(0xff01, 0, 0, 0, 0, 0, 0, 0x123);
    socket.join_multicast_v6(&group, 1).unwrap();
    assert_eq!(socket.join_multicast_v6(&group, 1).unwrap_err().kind(), ErrorKind::AddrInUse, "it is joined");
    socket.leave_multicast_v6(&group, 1).unwrap();
    assert!(socket.leave_multicast_v6(&group, 1).is_err());
}

#[test]
fn sockets_go_to_std_and_back() {
    let mut poll = Poll::new().unwrap();
    let (ours, theirs) = udp_pair();
    let ours: std::net::UdpSocket = ours.into();
    let mut ours = UdpSocket::from_std(ours);
    poll.registry().register(&mut ours, TOKEN, Interest::READABLE).unwrap();
    theirs.send(b"data").unwrap();
    assert!(next_event(&mut poll).is_readable());
}
