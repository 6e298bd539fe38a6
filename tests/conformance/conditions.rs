//! Each condition is an edge of its own: an event tells what it tells, and anything else still gives one.

#![cfg_attr(windows, allow(unused_imports, reason = "for the conditions that Unix alone has"))]

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use mio::event::Event;
use mio::net::{TcpStream, UdpSocket};
use mio::{Interest, Poll, Token};
use socket2::SockRef;

#[cfg(target_os = "linux")]
use crate::queue::Queue;
#[cfg(target_os = "linux")]
use crate::util::knows_priority;
use crate::util::{assert_no_event, assert_would_block, drain, next_event, tcp_pair, udp_pair, wait_for};

const TOKEN: Token = Token(0);
const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

fn reset(stream: TcpStream) {
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
}

/// Not where the OS has no flag for it: there `poll(2)` says that there is something to read, which is no news.
#[test]
#[cfg_attr(windows, ignore = "Wine tells of the end only when what was sent before has been read")]
fn a_half_close_after_data_that_was_not_read_gives_an_event() {
    let mut poll = Poll::new().unwrap();
    let (mut ours, mut theirs) = tcp_pair();
    poll.registry().register(&mut ours, TOKEN, Interest::READABLE).unwrap();
    theirs.write_all(b"data").unwrap();
    assert!(!wait_for(&mut poll, TOKEN, Event::is_readable).is_read_closed());
    theirs.shutdown(Shutdown::Write).unwrap();
    let event = wait_for(&mut poll, TOKEN, Event::is_read_closed);
    assert!(event.is_readable() && !event.is_write_closed());
    assert_no_event(&mut poll);
    let mut data = String::new();
    ours.read_to_string(&mut data).unwrap();
    assert_eq!(data, "data");
    assert_no_event(&mut poll);
}

#[test]
fn a_reset_reaches_a_registration_for_writing_alone() {
    let mut poll = Poll::new().unwrap();
    let (mut ours, theirs) = tcp_pair();
    poll.registry().register(&mut ours, TOKEN, Interest::WRITABLE).unwrap();
    assert!(!next_event(&mut poll).is_write_closed());
    assert_no_event(&mut poll);
    reset(theirs);
    wait_for(&mut poll, TOKEN, Event::is_write_closed);
    assert_no_event(&mut poll);
}

#[test]
fn a_reset_after_data_that_was_not_read_gives_an_event() {
    let mut poll = Poll::new().unwrap();
    let (mut ours, mut theirs) = tcp_pair();
    poll.registry().register(&mut ours, TOKEN, BOTH).unwrap();
    theirs.write_all(b"data").unwrap();
    wait_for(&mut poll, TOKEN, Event::is_readable);
    reset(theirs);
    wait_for(&mut poll, TOKEN, Event::is_write_closed);
    assert_no_event(&mut poll);
}

/// On kqueue a registration for priority alone is told of that alone.
#[test]
#[cfg(all(target_os = "linux", not(mio_backend = "kqueue")))]
fn a_reset_reaches_a_registration_for_urgent_data_alone() {
    let mut poll = Poll::new().unwrap();
    let (mut ours, theirs) = tcp_pair();
    poll.registry().register(&mut ours, TOKEN, Interest::PRIORITY).unwrap();
    assert_no_event(&mut poll);
    reset(theirs);
    wait_for(&mut poll, TOKEN, Event::is_error);
    assert_no_event(&mut poll);
}

/// Whether an event tells of the error of a datagram socket. On kqueue it says that something is ready: the error.
#[cfg(unix)]
fn tells_of_an_error(event: &Event) -> bool {
    event.is_error() || Queue::HERE.is_kqueue() && event.is_readable()
}

/// A connected datagram socket whose peer is gone and comes back, with `take` to take the error that tells of the former.
#[cfg(unix)]
fn refused_then_served(interests: Interest, take: impl Fn(&UdpSocket)) {
    let mut poll = Poll::new().unwrap();
    let (mut ours, theirs) = udp_pair();
    poll.registry().register(&mut ours, TOKEN, interests).unwrap();
    if interests.is_writable() {
        assert!(next_event(&mut poll).is_writable());
    }
    crate::util::refuse(&theirs);
    for _ in 0..3 {
        ours.send(b"data").unwrap();
        wait_for(&mut poll, TOKEN, tells_of_an_error);
        take(&ours);
        assert_no_event(&mut poll);
    }
    theirs.connect(ours.local_addr().unwrap()).unwrap();
    theirs.send(b"data").unwrap();
    wait_for(&mut poll, TOKEN, Event::is_readable);
    assert_eq!(ours.recv(&mut [0; 8]).unwrap(), 4);
}

#[test]
#[cfg(unix)]
fn after_an_error_that_was_taken_a_datagram_is_told() {
    for interests in [Interest::READABLE, BOTH] {
        refused_then_served(interests, |socket| drop(socket.take_error().unwrap().unwrap()));
    }
}

#[test]
#[cfg(unix)]
fn after_an_error_of_receiving_a_datagram_is_told() {
    for interests in [Interest::READABLE, BOTH] {
        refused_then_served(interests, |socket| {
            assert_eq!(socket.recv(&mut [0; 8]).unwrap_err().kind(), ErrorKind::ConnectionRefused);
        });
    }
}

/// Taken past the library, which is not told of it.
#[test]
#[cfg(unix)]
fn after_an_error_that_was_taken_elsewhere_a_datagram_is_told() {
    refused_then_served(BOTH, |socket| drop(SockRef::from(socket).take_error().unwrap().unwrap()));
}

#[test]
#[cfg(unix)]
fn with_an_error_that_nobody_takes_a_datagram_is_told() {
    let mut poll = Poll::new().unwrap();
    let (mut ours, theirs) = udp_pair();
    poll.registry().register(&mut ours, TOKEN, BOTH).unwrap();
    crate::util::refuse(&theirs);
    ours.send(b"data").unwrap();
    wait_for(&mut poll, TOKEN, tells_of_an_error);
    theirs.connect(ours.local_addr().unwrap()).unwrap();
    theirs.send(b"data").unwrap();
    wait_for(&mut poll, TOKEN, Event::is_readable);
}

/// The error queue: of time stamps, which stay there, although reading and writing find no error.
#[test]
#[cfg(all(target_os = "linux", not(mio_backend = "kqueue")))]
#[allow(unsafe_code)]
fn an_error_that_stays_does_not_keep_a_writer_from_hearing_of_room() {
    use std::os::fd::AsRawFd;

    for read in [false, true] {
        let mut poll = Poll::new().unwrap();
        let (mut ours, mut theirs) = tcp_pair();
        let stamps: libc::c_uint = libc::SOF_TIMESTAMPING_TX_ACK | libc::SOF_TIMESTAMPING_SOFTWARE;
        // SAFETY: reads an integer of that size.
        let result = unsafe {
            let (value, size) = ((&raw const stamps).cast(), size_of_val(&stamps) as libc::socklen_t);
            libc::setsockopt(ours.as_raw_fd(), libc::SOL_SOCKET, libc::SO_TIMESTAMPING, value, size)
        };
        if result == -1 && std::io::Error::last_os_error().raw_os_error() == Some(libc::ENOPROTOOPT) {
            return; // under QEMU, whose emulation of system calls does not know the option
        }
        assert_eq!(result, 0);
        poll.registry().register(&mut ours, TOKEN, BOTH).unwrap();
        let written = crate::util::fill(&mut ours);
        wait_for(&mut poll, TOKEN, Event::is_error);
        if read {
            assert_would_block(ours.read(&mut [0; 8]));
        }
        // What was due, of the time stamps that are still coming.
        let mut events = mio::Events::with_capacity(8);
        for _ in 0..4 {
            poll.poll(&mut events, Some(Duration::from_millis(5))).unwrap();
        }
        crate::util::drain_exactly(&mut theirs, written);
        wait_for(&mut poll, TOKEN, Event::is_writable);
        assert!(ours.write(b"more").is_ok());
    }
}

#[test]
#[cfg(target_os = "linux")]
fn urgent_data_is_told_as_often_as_it_comes() {
    if !knows_priority() {
        return;
    }
    for read in [false, true] {
        let mut poll = Poll::new().unwrap();
        let (mut ours, mut theirs) = tcp_pair();
        poll.registry().register(&mut ours, TOKEN, Interest::READABLE | Interest::PRIORITY).unwrap();
        for _ in 0..5 {
            SockRef::from(&theirs).send_out_of_band(b"!").unwrap();
            let event = wait_for(&mut poll, TOKEN, Event::is_priority);
            assert!(event.is_readable() && !event.is_error());
            let mut urgent = [std::mem::MaybeUninit::uninit(); 8];
            assert_eq!(SockRef::from(&ours).recv_out_of_band(&mut urgent).unwrap(), 1);
            if read {
                assert_would_block(ours.read(&mut [0; 8]));
            }
            // Other data changes nothing.
            theirs.write_all(b"data").unwrap();
            wait_for(&mut poll, TOKEN, Event::is_readable);
            assert_eq!(drain(&mut ours), 4);
        }
        assert_no_event(&mut poll);
    }
}

/// It comes again before the queue can see that it was gone.
#[test]
#[cfg(target_os = "linux")]
fn urgent_data_is_told_again_if_it_comes_before_the_next_poll() {
    if !knows_priority() {
        return;
    }
    for read in [false, true] {
        let mut poll = Poll::new().unwrap();
        let (mut ours, theirs) = tcp_pair();
        poll.registry().register(&mut ours, TOKEN, Interest::READABLE | Interest::PRIORITY).unwrap();
        SockRef::from(&theirs).send_out_of_band(b"!").unwrap();
        for _ in 0..3 {
            wait_for(&mut poll, TOKEN, Event::is_priority);
            let mut urgent = [std::mem::MaybeUninit::uninit(); 8];
            assert_eq!(SockRef::from(&ours).recv_out_of_band(&mut urgent).unwrap(), 1);
            if read {
                assert_would_block(ours.read(&mut [0; 8]));
            }
            SockRef::from(&theirs).send_out_of_band(b"!").unwrap();
            crate::util::wait_until("the urgent byte", || {
                let peek = SockRef::from(&ours).recv_with_flags(&mut urgent, libc::MSG_OOB | libc::MSG_PEEK);
                peek.is_ok_and(|count| count == 1)
            });
        }
    }
}

/// An event that tells of an end says that there is something to read, which stays true.
#[test]
#[cfg_attr(windows, ignore = "Wine tells of the end only when what was sent before has been read")]
fn the_end_of_a_stream_is_told_once_whatever_is_read_of_it() {
    let mut poll = Poll::new().unwrap();
    let (mut ours, mut theirs) = tcp_pair();
    poll.registry().register(&mut ours, TOKEN, Interest::READABLE).unwrap();
    theirs.write_all(b"data").unwrap();
    drop(theirs);
    wait_for(&mut poll, TOKEN, Event::is_read_closed);
    assert_eq!(ours.read(&mut [0; 3]).unwrap(), 3);
    assert_eq!(ours.read(&mut [0; 3]).unwrap(), 1);
    for _ in 0..3 {
        assert_eq!(ours.read(&mut [0; 3]).unwrap(), 0);
        #[cfg(target_os = "linux")]
        assert_no_event(&mut poll);
    }
    assert_no_event(&mut poll);
}

#[test]
#[cfg(unix)]
fn a_vectored_write_of_nothing_leaves_the_error_pending() {
    let (mut ours, theirs) = tcp_pair();
    reset(theirs);
    crate::util::wait_until("the reset", || {
        let (nothing, none) = (std::io::IoSlice::new(&[]), []);
        assert_eq!(ours.write_vectored(&none).unwrap(), 0);
        assert_eq!(ours.write_vectored(&[nothing, nothing]).unwrap(), 0);
        ours.take_error().unwrap().is_some_and(|error| error.kind() == ErrorKind::ConnectionReset)
    });
}
