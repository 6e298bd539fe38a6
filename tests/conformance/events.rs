//! `Event` and `Events`: what the hints say, and that an event is plain data.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::time::Duration;

#[cfg(target_os = "linux")]
use mio::Trigger;
use mio::event::Event;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use socket2::SockRef;

#[cfg(any(target_os = "dragonfly", target_os = "linux", target_os = "openbsd", target_vendor = "apple"))]
use crate::util::knows_priority;
use crate::util::{HANG, assert_no_event, drain, next_event, refusing, tcp_pair, udp_pair, wait_for};

const TOKEN: Token = Token(0);
const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

#[test]
fn data_is_readable_and_nothing_else() {
    let mut poll = Poll::new().unwrap();
    let (mut ours, theirs) = udp_pair();
    poll.registry().register(&mut ours, TOKEN, Interest::READABLE).unwrap();
    theirs.send(b"data").unwrap();
    let event = next_event(&mut poll);
    assert!(event.is_readable());
    assert!(!event.is_writable() && !event.is_error() && !event.is_read_closed() && !event.is_write_closed());
    assert!(!event.is_priority() && !event.is_aio() && !event.is_lio());
}

#[test]
fn only_what_was_asked_for_is_told() {
    let mut poll = Poll::new().unwrap();
    let (mut ours, theirs) = udp_pair();
    theirs.send(b"data").unwrap();
    poll.registry().register(&mut ours, TOKEN, Interest::WRITABLE).unwrap();
    let event = next_event(&mut poll);
    assert!(event.is_writable() && !event.is_readable());
    assert_no_event(&mut poll);
}

#[test]
#[cfg_attr(windows, ignore = "Wine tells of the end only when what was sent before has been read")]
fn a_half_close_is_read_closed_and_readable_and_no_hang_up() {
    let mut poll = Poll::new().unwrap();
    let (mut ours, mut theirs) = tcp_pair();
    poll.registry().register(&mut ours, TOKEN, BOTH).unwrap();
    theirs.write_all(b"last words").unwrap();
    theirs.shutdown(Shutdown::Write).unwrap();
    let event = wait_for(&mut poll, TOKEN, Event::is_read_closed);
    assert!(event.is_readable() && !event.is_write_closed() && !event.is_error());
    // What was sent before is there, then the end of the stream.
    let mut words = String::new();
    ours.read_to_string(&mut words).unwrap();
    assert_eq!(words, "last words");
    // They still listen.
    ours.write_all(b"answer").unwrap();
    drop(ours);
    let mut answer = String::new();
    crate::util::wait_until("the answer", || theirs.read_to_string(&mut answer).is_ok());
    assert_eq!(answer, "answer");
}

#[test]
fn our_own_shutdown_of_writing_closes_no_reading() {
    let mut poll = Poll::new().unwrap();
    let (mut ours, mut theirs) = tcp_pair();
    poll.registry().register(&mut ours, TOKEN, Interest::READABLE).unwrap();
    ours.shutdown(Shutdown::Write).unwrap();
    assert_no_event(&mut poll);
    theirs.write_all(b"data").unwrap();
    let event = wait_for(&mut poll, TOKEN, Event::is_readable);
    assert!(!event.is_read_closed());
    assert_eq!(drain(&mut ours), 4);
}

#[test]
fn a_closed_connection_is_told_once() {
    let mut poll = Poll::new().unwrap();
    let (mut ours, theirs) = tcp_pair();
    poll.registry().register(&mut ours, TOKEN, Interest::READABLE).unwrap();
    drop(theirs);
    let event = wait_for(&mut poll, TOKEN, Event::is_read_closed);
    assert!(event.is_readable());
    assert_eq!(ours.read(&mut [0; 8]).unwrap(), 0);
    assert_no_event(&mut poll);
}

#[test]
fn a_reset_is_told_once_and_reading_tells_the_error() {
    let mut poll = Poll::new().unwrap();
    let (mut ours, theirs) = tcp_pair();
    poll.registry().register(&mut ours, TOKEN, Interest::READABLE).unwrap();
    SockRef::from(&theirs).set_linger(Some(Duration::ZERO)).unwrap();
    drop(theirs);
    let event = next_event(&mut poll);
    assert!(event.is_readable() && event.is_read_closed());
    match ours.read(&mut [0; 8]) {
        // Wine takes the error to find out about the reset, and leaves an end of the stream for the reader.
        Ok(count) => assert!(cfg!(windows) && count == 0),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
    assert_no_event(&mut poll);
}

#[test]
fn a_refused_connect_gives_an_event_and_take_error_tells() {
    let mut poll = Poll::new().unwrap();
    let (_others, address) = refusing();
    // Some systems say so at once.
    let mut stream = match TcpStream::connect(address) {
        Ok(stream) => stream,
        Err(error) => return assert_eq!(error.kind(), ErrorKind::ConnectionRefused),
    };
    poll.registry().register(&mut stream, TOKEN, BOTH).unwrap();
    let event = wait_for(&mut poll, TOKEN, |event| event.is_writable() || event.is_error());
    assert_eq!(event.token(), TOKEN);
    let error = stream.take_error().unwrap().expect("an error is pending");
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    assert_eq!(stream.peer_addr().unwrap_err().kind(), ErrorKind::NotConnected);
    assert_no_event(&mut poll);
}

/// As in mio: whoever looks at `is_readable` alone hears of it, too.
#[test]
#[cfg(target_os = "linux")]
fn urgent_data_is_priority_and_readable() {
    if !knows_priority() {
        return;
    }
    let mut poll = Poll::new().unwrap();
    let (mut ours, theirs) = tcp_pair();
    poll.registry().register(&mut ours, TOKEN, Interest::READABLE | Interest::PRIORITY).unwrap();
    SockRef::from(&theirs).send_out_of_band(b"!").unwrap();
    let event = wait_for(&mut poll, TOKEN, Event::is_priority);
    assert!(event.is_readable() && !event.is_error());
    assert_no_event(&mut poll);
}

/// Nor does it keep a poll busy, or use up a one-shot.
#[test]
#[cfg(any(target_os = "dragonfly", target_os = "linux", target_os = "openbsd", target_vendor = "apple"))]
fn data_that_is_not_urgent_is_no_priority() {
    if !knows_priority() {
        return;
    }
    for trigger in [Trigger::Edge, Trigger::Level, Trigger::OneShot] {
        let mut poll = Poll::new().unwrap();
        let (mut ours, mut theirs) = tcp_pair();
        poll.registry().register_with(&mut ours, TOKEN, Interest::PRIORITY, trigger).unwrap();
        theirs.write_all(b"data").unwrap();
        let before = thread_time();
        for _ in 0..5 {
            assert_no_event(&mut poll);
        }
        assert!(thread_time() - before < Duration::from_millis(50), "{trigger:?}: it was busy");
        SockRef::from(&theirs).send_out_of_band(b"!").unwrap();
        let event = next_event(&mut poll);
        assert!(event.is_priority() && event.is_readable() && !event.is_error(), "{event:?}");
        if trigger == Trigger::Level {
            assert!(next_event(&mut poll).is_priority());
            assert!(next_event(&mut poll).is_priority());
        } else {
            assert_no_event(&mut poll);
        }
        let mut urgent = [std::mem::MaybeUninit::uninit(); 8];
        assert_eq!(SockRef::from(&ours).recv_out_of_band(&mut urgent).unwrap(), 1);
        theirs.write_all(b"more").unwrap();
        theirs.shutdown(Shutdown::Write).unwrap();
        assert_no_event(&mut poll);
        poll.registry().reregister_with(&mut ours, TOKEN, Interest::READABLE, trigger).unwrap();
        assert!(next_event(&mut poll).is_readable());
        poll.registry().deregister(&mut ours).unwrap();
    }
}

/// The time that the processor has given to this thread.
#[cfg(any(target_os = "dragonfly", target_os = "linux", target_os = "openbsd", target_vendor = "apple"))]
#[allow(unsafe_code)]
fn thread_time() -> Duration {
    let mut time = std::mem::MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: the system writes the time, if it succeeds.
    let time = unsafe {
        assert_eq!(libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, time.as_mut_ptr()), 0);
        time.assume_init()
    };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[test]
#[cfg(target_os = "linux")]
fn urgent_data_is_told_to_none_but_who_asked() {
    let mut poll = Poll::new().unwrap();
    let (mut ours, theirs) = tcp_pair();
    poll.registry().register(&mut ours, TOKEN, Interest::READABLE).unwrap();
    SockRef::from(&theirs).send_out_of_band(b"!").unwrap();
    assert_no_event(&mut poll);
}

#[test]
fn events_are_data_that_outlives_what_they_tell_of() {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(8);
    let (mut ours, theirs) = udp_pair();
    poll.registry().register(&mut ours, TOKEN, Interest::WRITABLE).unwrap();
    poll.poll(&mut events, Some(HANG)).unwrap();
    let copy = events.iter().next().unwrap().clone();
    // Deregistering takes nothing out of `events`.
    poll.registry().deregister(&mut ours).unwrap();
    assert_eq!(events.iter().next().unwrap().token(), TOKEN);
    drop((poll, ours, theirs));
    assert!(events.iter().next().unwrap().is_writable());
    events.clear();
    assert!(events.is_empty() && events.iter().next().is_none());
    assert!(copy.token() == TOKEN && copy.is_writable());
}

#[test]
fn events_can_be_walked_over_many_times() {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(8);
    assert_eq!((events.len(), events.iter().len()), (0, 0));
    let (mut a, mut b) = udp_pair();
    poll.registry().register(&mut a, Token(1), Interest::WRITABLE).unwrap();
    poll.registry().register(&mut b, Token(2), Interest::WRITABLE).unwrap();
    // One poll may give the one, and the next the other.
    while events.len() < 2 {
        poll.registry().reregister(&mut a, Token(1), Interest::WRITABLE).unwrap();
        poll.registry().reregister(&mut b, Token(2), Interest::WRITABLE).unwrap();
        poll.poll(&mut events, Some(HANG)).unwrap();
        assert!(!events.is_empty());
    }
    let mut iter = events.iter();
    assert_eq!((iter.size_hint(), iter.len()), ((2, Some(2)), 2));
    let first = iter.next().unwrap().token();
    assert_eq!((iter.size_hint(), iter.clone().count()), ((1, Some(1)), 1));
    let last = iter.next_back().unwrap().token();
    assert!(iter.next().is_none() && iter.next().is_none() && iter.next_back().is_none());
    assert_eq!(format!("{:?}", events.iter()).matches("Event {").count(), 2);

    assert_ne!(first, last);
    assert_eq!((events[0].token(), events[1].token()), (first, last));
    let backwards: Vec<Token> = (&events).into_iter().rev().map(Event::token).collect();
    assert_eq!(backwards, [last, first]);
}

#[test]
#[should_panic(expected = "index out of bounds")]
fn there_is_no_event_past_the_last() {
    let _ = &Events::with_capacity(8)[0];
}

/// The smallest capacity of which one Linux says `EINVAL` (x86-64), if there is memory for it; no page of it is touched.
#[test]
fn any_capacity_that_can_be_allocated_works() {
    let capacity = if cfg!(all(target_pointer_width = "64", unix)) { 178_956_971 } else { 1_000_000 };
    let mut events = Events::with_capacity(capacity);
    assert_eq!(events.capacity(), capacity);
    let mut poll = Poll::new().unwrap();
    let (mut ours, _theirs) = udp_pair();
    poll.registry().register(&mut ours, TOKEN, Interest::WRITABLE).unwrap();
    poll.poll(&mut events, Some(HANG)).unwrap();
    assert_eq!(events[0].token(), TOKEN);
}

#[test]
fn a_capacity_that_no_memory_can_have_is_the_usual_panic() {
    for capacity in [usize::MAX, usize::MAX - 1, isize::MAX as usize] {
        let panic = std::panic::catch_unwind(|| Events::with_capacity(capacity)).unwrap_err();
        let message = panic.downcast_ref::<&str>().map(ToString::to_string);
        let message = message.or_else(|| panic.downcast_ref::<String>().cloned());
        assert_eq!(message.as_deref(), Some("capacity overflow"), "{capacity}");
    }
}

#[test]
fn room_for_more_events_than_memory_holds_is_a_panic_in_every_build() {
    for capacity in [usize::MAX, usize::MAX - 1] {
        assert!(std::panic::catch_unwind(|| Events::with_capacity(capacity)).is_err());
    }
}
