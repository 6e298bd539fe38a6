//! `unix::pipe`: what each end learns of the other, and the standard streams of children.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};

use mio::event::Event;
use mio::unix::pipe::{self, Receiver, Sender};
use mio::{Interest, Poll, Token, Trigger};

use crate::queue::Queue;
use crate::util::{assert_no_event, assert_would_block, events_so_far, fill, make_fifo, next_event, wait_for};

const SENDER: Token = Token(0);
const RECEIVER: Token = Token(1);
const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

#[test]
fn data_goes_from_sender_to_receiver() {
    let mut poll = Poll::new().unwrap();
    let (mut sender, mut receiver) = pipe::new().unwrap();
    poll.registry().register(&mut sender, SENDER, Interest::WRITABLE).unwrap();
    poll.registry().register(&mut receiver, RECEIVER, Interest::READABLE).unwrap();
    wait_for(&mut poll, SENDER, Event::is_writable);
    assert_would_block(receiver.read(&mut [0; 8]));
    assert_eq!(sender.write_vectored(&[IoSlice::new(b"da"), IoSlice::new(b"ta")]).unwrap(), 4);
    sender.flush().unwrap();
    wait_for(&mut poll, RECEIVER, Event::is_readable);
    let mut buffer = [0; 8];
    assert_eq!(receiver.read_vectored(&mut [IoSliceMut::new(&mut buffer)]).unwrap(), 4);
    assert_eq!(&buffer[..4], b"data");
    assert_would_block(receiver.read(&mut buffer));
}

#[test]
fn a_fifo_tells_of_each_writer_that_comes_and_goes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fifo");
    make_fifo(&path);
    let mut poll = Poll::new().unwrap();
    // On Linux, opening a FIFO for reading alone waits for a writer.
    let open = || OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let mut writer = Some(open());
    let mut receiver = Receiver::from(OwnedFd::from(File::open(&path).unwrap()));
    receiver.set_nonblocking(true).unwrap();
    poll.registry().register(&mut receiver, RECEIVER, Interest::READABLE).unwrap();
    for _ in 0..3 {
        writer.get_or_insert_with(open).write_all(b"data").unwrap();
        wait_for(&mut poll, RECEIVER, |event| event.is_readable() && !event.is_read_closed());
        assert_eq!(receiver.read(&mut [0; 4]).unwrap(), 4);
        writer = None;
        wait_for(&mut poll, RECEIVER, Event::is_read_closed);
        assert_eq!(receiver.read(&mut [0; 4]).unwrap(), 0);
        assert_no_event(&mut poll);
    }
}

#[test]
fn a_receiver_whose_sender_is_gone_is_read_closed_once() {
    let mut poll = Poll::new().unwrap();
    let (sender, mut receiver) = pipe::new().unwrap();
    poll.registry().register(&mut receiver, RECEIVER, Interest::READABLE).unwrap();
    drop(sender);
    let event = next_event(&mut poll);
    assert!(event.is_readable() && event.is_read_closed());
    assert_eq!(receiver.read(&mut [0; 8]).unwrap(), 0);
    assert_no_event(&mut poll);
}

#[test]
fn a_dropped_receiver_is_closed() {
    let (mut sender, receiver) = pipe::new().unwrap();
    drop(receiver);
    assert_eq!(sender.write(b"data").unwrap_err().kind(), ErrorKind::BrokenPipe);
}

#[test]
fn a_sender_whose_receiver_is_gone_is_write_closed_once() {
    let mut poll = Poll::new().unwrap();
    let (mut sender, receiver) = pipe::new().unwrap();
    // The pipe is full, so the hang-up comes alone.
    fill(&mut sender);
    poll.registry().register(&mut sender, SENDER, Interest::WRITABLE).unwrap();
    assert_no_event(&mut poll);
    drop(receiver);
    if !Queue::HERE.hears_the_end_of_a_full_pipe() {
        assert_no_event(&mut poll);
        poll.registry().reregister(&mut sender, SENDER, Interest::WRITABLE).unwrap();
    }
    assert!(next_event(&mut poll).is_write_closed());
    assert_eq!(sender.write(b"data").unwrap_err().kind(), ErrorKind::BrokenPipe);
    assert_no_event(&mut poll);
}

#[test]
fn an_end_whose_other_is_gone_can_be_registered() {
    let mut poll = Poll::new().unwrap();
    let (mut sender, receiver) = pipe::new().unwrap();
    drop(receiver);
    poll.registry().register(&mut sender, SENDER, Interest::WRITABLE).unwrap();
    assert!(wait_for(&mut poll, SENDER, Event::is_write_closed).is_writable());

    let (sender, mut receiver) = pipe::new().unwrap();
    drop(sender);
    poll.registry().register(&mut receiver, RECEIVER, Interest::READABLE).unwrap();
    wait_for(&mut poll, RECEIVER, Event::is_read_closed);
}

/// The moment at which the receiver goes.
#[derive(Copy, Clone, Debug, PartialEq)]
enum Goes {
    BeforeTheRegistration,
    WhileThereIsRoom,
    WhileItIsFull,
}

/// The end is reported once, at each poll, or once until you register again.
#[test]
fn a_sender_without_a_receiver_is_write_closed_as_often_as_its_trigger_says() {
    for goes in [Goes::BeforeTheRegistration, Goes::WhileThereIsRoom, Goes::WhileItIsFull] {
        for trigger in [Trigger::Edge, Trigger::Level, Trigger::OneShot] {
            for interests in [Interest::WRITABLE, BOTH] {
                assert_closed_as_often_as_that(goes, trigger, interests);
            }
        }
    }
}

fn assert_closed_as_often_as_that(goes: Goes, trigger: Trigger, interests: Interest) {
    let what = format!("{goes:?}, {trigger:?}, {interests:?}");
    let mut poll = Poll::new().unwrap();
    let (mut sender, receiver) = pipe::new().unwrap();
    let reregister = |poll: &Poll, sender: &mut Sender| {
        poll.registry().reregister_with(sender, SENDER, interests, trigger).unwrap();
    };
    if goes == Goes::WhileItIsFull {
        fill(&mut sender);
    }
    let receiver = (goes != Goes::BeforeTheRegistration).then_some(receiver);
    poll.registry().register_with(&mut sender, SENDER, interests, trigger).unwrap();
    if goes == Goes::WhileThereIsRoom {
        assert!(next_event(&mut poll).is_writable(), "{what}");
    }
    drop(receiver);
    let is_used_up = goes == Goes::WhileThereIsRoom && trigger == Trigger::OneShot;
    if is_used_up || goes == Goes::WhileItIsFull && !Queue::HERE.hears_the_end_of_a_full_pipe() {
        assert_no_event(&mut poll);
        reregister(&poll, &mut sender);
    }
    for _ in 0..3 {
        wait_for(&mut poll, SENDER, Event::is_write_closed);
        if trigger == Trigger::Level {
            wait_for(&mut poll, SENDER, Event::is_write_closed);
            wait_for(&mut poll, SENDER, Event::is_write_closed);
        } else {
            // kqueue may report one event for each filter.
            let rest = events_so_far(&mut poll);
            let is_told_twice =
                rest.iter().any(Event::is_write_closed) || trigger == Trigger::OneShot && !rest.is_empty();
            assert!(!is_told_twice, "{what}: {rest:?}");
            assert!(rest.is_empty() || interests == BOTH && Queue::HERE.is_kqueue(), "{what}: {rest:?}");
        }
        reregister(&poll, &mut sender);
    }
    poll.registry().deregister(&mut sender).unwrap();
    assert_no_event(&mut poll);
}

/// A queue that learns of the end by other means than the descriptor must not report it for a file that has that number now.
#[test]
#[allow(unsafe_code)]
fn a_sender_that_was_closed_after_its_end_was_told_is_silent() {
    for trigger in [Trigger::Edge, Trigger::Level, Trigger::OneShot] {
        for goes_before in [true, false] {
            let mut poll = Poll::new().unwrap();
            let (mut sender, receiver) = pipe::new().unwrap();
            let receiver = (!goes_before).then_some(receiver);
            poll.registry().register_with(&mut sender, SENDER, Interest::WRITABLE, trigger).unwrap();
            drop(receiver);
            wait_for(&mut poll, SENDER, Event::is_write_closed);
            // This is another sender whose receiver is gone, under the same number.
            let (next, receiver) = pipe::new().unwrap();
            drop(receiver);
            let fd = sender.into_raw_fd();
            // SAFETY: `into_raw_fd` has just given up the descriptor, whatever it stands for.
            let mut sender = unsafe {
                assert_eq!(libc::dup2(next.as_raw_fd(), fd), fd);
                Sender::from_raw_fd(fd)
            };
            // With epoll, a copy would keep the registration.
            drop(next);
            assert_no_event(&mut poll);
            poll.registry().register_with(&mut sender, RECEIVER, Interest::WRITABLE, trigger).unwrap();
            wait_for(&mut poll, RECEIVER, Event::is_write_closed);
            drop(sender);
            assert_no_event(&mut poll);
        }
    }
}

/// While the other end is there, nothing comes from the direction in which a pipe does not go.
#[test]
fn an_end_can_be_registered_for_both_directions() {
    for trigger in [Trigger::Edge, Trigger::Level, Trigger::OneShot] {
        let mut poll = Poll::new().unwrap();
        let (mut sender, mut receiver) = pipe::new().unwrap();
        poll.registry().register_with(&mut sender, SENDER, BOTH, trigger).unwrap();
        assert!(!wait_for(&mut poll, SENDER, Event::is_writable).is_readable());
        poll.registry().deregister(&mut sender).unwrap();
        poll.registry().register_with(&mut receiver, RECEIVER, BOTH, Trigger::Edge).unwrap();
        sender.write_all(b"data").unwrap();
        wait_for(&mut poll, RECEIVER, Event::is_readable);
        poll.registry().deregister(&mut receiver).unwrap();
        assert_no_event(&mut poll);
    }
}

#[test]
fn after_its_receiver_went_a_sender_can_be_deregistered_and_dropped() {
    let mut poll = Poll::new().unwrap();
    let (mut sender, receiver) = pipe::new().unwrap();
    fill(&mut sender);
    poll.registry().register(&mut sender, SENDER, Interest::WRITABLE).unwrap();
    drop(receiver);
    if Queue::HERE.hears_the_end_of_a_full_pipe() {
        assert!(next_event(&mut poll).is_write_closed());
    }
    poll.registry().deregister(&mut sender).unwrap();
    assert_no_event(&mut poll);
    for trigger in [Trigger::Edge, Trigger::Level, Trigger::OneShot] {
        let (mut sender, receiver) = pipe::new().unwrap();
        drop(receiver);
        poll.registry().register_with(&mut sender, SENDER, Interest::WRITABLE, trigger).unwrap();
        drop(sender);
        assert_no_event(&mut poll);
    }
}

#[test]
fn what_was_sent_before_the_sender_went_is_read_first() {
    let mut poll = Poll::new().unwrap();
    let (mut sender, mut receiver) = pipe::new().unwrap();
    poll.registry().register(&mut receiver, RECEIVER, Interest::READABLE).unwrap();
    sender.write_all(b"last words").unwrap();
    drop(sender);
    wait_for(&mut poll, RECEIVER, Event::is_readable);
    let mut words = String::new();
    receiver.read_to_string(&mut words).unwrap();
    assert_eq!(words, "last words");
}

#[test]
fn ends_go_to_descriptors_and_back() {
    let (sender, receiver) = pipe::new().unwrap();
    let mut sender = Sender::from(OwnedFd::from(sender));
    let fd = receiver.as_raw_fd();
    assert_eq!(receiver.into_raw_fd(), fd);
    #[allow(unsafe_code)]
    // SAFETY: `into_raw_fd` has just given up the descriptor.
    let mut receiver = unsafe { Receiver::from_raw_fd(fd) };
    sender.write_all(b"data").unwrap();
    assert_eq!(receiver.read(&mut [0; 8]).unwrap(), 4);
}
