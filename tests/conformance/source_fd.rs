//! With `SourceFd`, any descriptor is a source, and a bad one is an error.

use std::io::{ErrorKind, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use mio::event::{Event, Source};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Registry, Token, Trigger, Waker};
use socket2::SockRef;

use crate::queue::Queue;
use crate::util::{
    assert_no_event, assert_would_block, drain, events_so_far, fill, make_fifo, next_event, next_events, udp_pair,
    wait_for, wait_until,
};

const TOKEN: Token = Token(0);

/// No descriptor has this number.
const NONE: i32 = 1_000_000_000;

#[test]
fn any_descriptor_is_a_source() {
    let mut poll = Poll::new().unwrap();
    let (reader, mut writer) = std::io::pipe().unwrap();
    let fd = reader.as_raw_fd();
    // Each `SourceFd` is new, so it remembers nothing.
    poll.registry().register(&mut SourceFd(&fd), TOKEN, Interest::READABLE).unwrap();
    assert_no_event(&mut poll);
    writer.write_all(b"data").unwrap();
    assert!(next_event(&mut poll).is_readable());
    assert_no_event(&mut poll);
    poll.registry().reregister(&mut SourceFd(&fd), Token(1), Interest::READABLE).unwrap();
    assert_eq!(next_event(&mut poll).token(), Token(1));
    poll.registry().deregister(&mut SourceFd(&fd)).unwrap();
    writer.write_all(b"data").unwrap();
    assert_no_event(&mut poll);
}

#[test]
fn a_source_can_be_implemented_with_it() {
    struct Reader(std::io::PipeReader);

    impl Source for Reader {
        fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> std::io::Result<()> {
            SourceFd(&self.0.as_raw_fd()).register(registry, token, interests)
        }

        fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> std::io::Result<()> {
            SourceFd(&self.0.as_raw_fd()).reregister(registry, token, interests)
        }

        fn deregister(&mut self, registry: &Registry) -> std::io::Result<()> {
            SourceFd(&self.0.as_raw_fd()).deregister(registry)
        }
    }

    let mut poll = Poll::new().unwrap();
    let (reader, mut writer) = std::io::pipe().unwrap();
    let mut source: Box<dyn Source> = Box::new(Reader(reader));
    poll.registry().register(&mut source, TOKEN, Interest::READABLE).unwrap();
    writer.write_all(b"data").unwrap();
    assert!(next_event(&mut poll).is_readable());
    poll.registry().reregister(&mut source, TOKEN, Interest::READABLE).unwrap();
    assert!(next_event(&mut poll).is_readable());
    poll.registry().deregister(&mut source).unwrap();

    // It supports no other trigger, and says so.
    let error = poll.registry().register_with(&mut source, TOKEN, Interest::READABLE, Trigger::Level).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    poll.registry().register_with(&mut source, TOKEN, Interest::READABLE, Trigger::Edge).unwrap();
    let error = poll.registry().reregister_with(&mut source, TOKEN, Interest::READABLE, Trigger::OneShot).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    // The previous registration is still there.
    assert!(next_event(&mut poll).is_readable());
}

#[test]
fn a_number_that_is_no_descriptor_is_ebadf() {
    let mut poll = Poll::new().unwrap();
    for fd in [NONE, -1, i32::MIN] {
        for (interest, trigger) in [(Interest::WRITABLE, Trigger::Edge), (Interest::READABLE, Trigger::Level)] {
            let result = poll.registry().register_with(&mut SourceFd(&fd), TOKEN, interest, trigger);
            assert_eq!(result.unwrap_err().raw_os_error(), Some(libc::EBADF));
        }
        assert!(poll.registry().reregister(&mut SourceFd(&fd), TOKEN, Interest::READABLE).is_err());
        assert!(poll.registry().deregister(&mut SourceFd(&fd)).is_err());
    }
    assert_works(&mut poll);
}

/// `epoll(7)` watches no regular files. (`poll(2)` reports them as always ready.)
#[test]
#[cfg(target_os = "linux")]
fn a_regular_file_is_eperm() {
    if !Queue::HERE.is_epoll() {
        return;
    }
    let mut poll = Poll::new().unwrap();
    let file = tempfile::tempfile().unwrap();
    for _ in 0..2 {
        let mut source = SourceFd(&file.as_raw_fd());
        let error = poll.registry().register(&mut source, TOKEN, Interest::READABLE).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EPERM));
    }
    assert_works(&mut poll);
}

#[test]
fn registering_a_descriptor_twice_is_already_exists() {
    let mut poll = Poll::new().unwrap();
    let (ours, _theirs) = UnixStream::pair().unwrap();
    let fd = ours.as_raw_fd();
    poll.registry().register(&mut SourceFd(&fd), TOKEN, Interest::READABLE).unwrap();
    assert_registered(&poll, fd);
    poll.registry().deregister(&mut SourceFd(&fd)).unwrap();
    let error = poll.registry().deregister(&mut SourceFd(&fd)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_works(&mut poll);
}

#[test]
fn a_descriptor_that_was_closed_while_registered_is_silent() {
    let mut poll = Poll::new().unwrap();
    let (reader, mut writer) = std::io::pipe().unwrap();
    poll.registry().register(&mut SourceFd(&reader.as_raw_fd()), TOKEN, Interest::READABLE).unwrap();
    writer.write_all(b"data").unwrap();
    drop(reader);
    assert_no_event(&mut poll);
    assert_works(&mut poll);
}

#[test]
fn a_duplicate_keeps_no_deregistered_descriptor_firing() {
    let mut poll = Poll::new().unwrap();
    let (reader, mut writer) = std::io::pipe().unwrap();
    poll.registry().register(&mut SourceFd(&reader.as_raw_fd()), TOKEN, Interest::READABLE).unwrap();
    let _duplicate: OwnedFd = reader.try_clone().unwrap().into();
    poll.registry().deregister(&mut SourceFd(&reader.as_raw_fd())).unwrap();
    drop(reader);
    writer.write_all(b"data").unwrap();
    assert_no_event(&mut poll);
}

/// The I/O of such a source bypasses the library, as with Tokio's `AsyncFd`. Where edges are emulated, the queue looks for
/// itself.
#[test]
fn each_wave_of_data_is_told() {
    let mut poll = Poll::new().unwrap();
    let (mut ours, mut theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let both = Interest::READABLE | Interest::WRITABLE;
    poll.registry().register(&mut SourceFd(&ours.as_raw_fd()), TOKEN, both).unwrap();
    for early in [false, true, false, true, true, false] {
        // The data comes before the next poll begins, or while it sleeps.
        let writer = thread::spawn(move || {
            if !early {
                thread::sleep(Duration::from_millis(3));
            }
            theirs.write_all(b"data").unwrap();
            theirs
        });
        let join = |writer: thread::JoinHandle<UnixStream>| writer.join().unwrap();
        let writer = if early { Err(join(writer)) } else { Ok(writer) };
        wait_for(&mut poll, TOKEN, Event::is_readable);
        theirs = writer.map_or_else(|theirs| theirs, join);
        assert_eq!(drain(&mut ours), 4);
    }
}

#[test]
fn a_writer_hears_of_room_again_and_again() {
    let mut poll = Poll::new().unwrap();
    let (mut ours, mut theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    theirs.set_nonblocking(true).unwrap();
    poll.registry().register(&mut SourceFd(&ours.as_raw_fd()), TOKEN, Interest::WRITABLE).unwrap();
    for _ in 0..5 {
        wait_for(&mut poll, TOKEN, Event::is_writable);
        fill(&mut ours);
        drain(&mut theirs);
    }
}

/// The program closes a registered descriptor and uses its number again, in one step (`dup2`), so that no other test gets the
/// number.
#[test]
#[allow(unsafe_code)]
fn a_number_that_is_used_again_can_be_registered_and_is_what_it_is_now() {
    let mut poll = Poll::new().unwrap();
    let (first, _first_writer) = std::io::pipe().unwrap();
    let fd = first.as_raw_fd();
    for round in 1..4 {
        poll.registry().register(&mut SourceFd(&fd), Token(round), Interest::READABLE).unwrap();
        let (next, mut writer) = std::io::pipe().unwrap();
        // SAFETY: `first` owns the descriptor, whatever it stands for.
        assert_eq!(unsafe { libc::dup2(next.as_raw_fd(), fd) }, fd);
        drop(next);
        poll.registry().register(&mut SourceFd(&fd), Token(round + 10), Interest::READABLE).unwrap();
        assert_no_event(&mut poll);
        writer.write_all(b"data").unwrap();
        assert_eq!(next_event(&mut poll).token(), Token(round + 10));
        poll.registry().deregister(&mut SourceFd(&fd)).unwrap();
    }
}

/// It is the same file and yet another one. `epoll(7)` sees it in the same way.
#[test]
#[cfg(target_os = "linux")]
#[cfg_attr(miri, ignore = "no FIFOs")]
#[allow(unsafe_code)]
fn a_fifo_that_is_opened_again_under_the_same_number_can_be_registered() {
    let mut poll = Poll::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fifo");
    make_fifo(&path);
    let open = || std::fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let mut first = open();
    let fd = first.as_raw_fd();
    for round in 1..4 {
        poll.registry().register(&mut SourceFd(&fd), Token(round), Interest::READABLE).unwrap();
        // SAFETY: `first` owns the descriptor, whatever it stands for.
        assert_eq!(unsafe { libc::dup3(open().as_raw_fd(), fd, libc::O_CLOEXEC) }, fd);
        poll.registry().register(&mut SourceFd(&fd), Token(round + 10), Interest::READABLE).unwrap();
        first.write_all(b"data").unwrap();
        assert_eq!(next_event(&mut poll).token(), Token(round + 10));
        poll.registry().deregister(&mut SourceFd(&fd)).unwrap();
    }
}

/// The queue reports a ready source again and again, and that takes turns with everything else, a wake included.
#[test]
fn what_stays_ready_keeps_nothing_else_from_its_turn() {
    assert_each_gets_its_turn(Poll::new().unwrap(), 1);
    assert_each_gets_its_turn(Poll::new().unwrap(), 2);
}

/// Does so in a `poll` with two sources that stay ready, and with events of that `capacity`.
pub(crate) fn assert_each_gets_its_turn(mut poll: Poll, capacity: usize) {
    let waker = Waker::new(poll.registry(), Token(9)).unwrap();
    let pairs = [(); 2].map(|()| UnixStream::pair().unwrap());
    let both = Interest::READABLE | Interest::WRITABLE;
    for (ours, _) in &pairs {
        poll.registry().register(&mut SourceFd(&ours.as_raw_fd()), TOKEN, both).unwrap();
    }
    let mut events = Events::with_capacity(capacity);
    let (mut datagrams, theirs) = udp_pair();
    poll.registry().register(&mut datagrams, Token(1), Interest::READABLE).unwrap();
    for _ in 0..3 {
        theirs.send(b"data").unwrap();
        waker.wake().unwrap();
        let mut missing = vec![Token(1), Token(9)];
        wait_until("an event of each", || {
            // After this time, what stays ready is reported again.
            thread::sleep(Duration::from_millis(60));
            poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
            missing.retain(|&token| !events.iter().any(|event| event.token() == token));
            missing.is_empty()
        });
        assert_eq!(datagrams.recv(&mut [0; 8]).unwrap(), 4);
        assert_would_block(datagrams.recv(&mut [0; 8]));
    }
}

/// Data arrives more often than the queue repeats what it has reported.
#[test]
fn a_writer_hears_of_room_while_data_keep_coming() {
    let mut poll = Poll::new().unwrap();
    let (mut ours, mut theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    theirs.set_nonblocking(true).unwrap();
    let both = Interest::READABLE | Interest::WRITABLE;
    SockRef::from(&ours).set_send_buffer_size(4096).unwrap();
    poll.registry().register(&mut SourceFd(&ours.as_raw_fd()), TOKEN, both).unwrap();
    wait_for(&mut poll, TOKEN, Event::is_writable);
    fill(&mut ours);
    drain(&mut theirs);
    let mut is_told = false;
    wait_until("an event of the room", || {
        theirs.write_all(b"data").unwrap();
        let mut is_read = false;
        while !is_read {
            let events = next_events(&mut poll);
            is_read = events.iter().any(Event::is_readable);
            is_told |= events.iter().any(Event::is_writable);
        }
        drain(&mut ours);
        is_told |= events_so_far(&mut poll).iter().any(Event::is_writable);
        is_told
    });
}

/// Returns the master of a new terminal, and the end that programs open.
#[allow(unsafe_code)]
fn terminal() -> (OwnedFd, OwnedFd) {
    use std::os::fd::FromRawFd;

    let (mut master, mut slave) = (-1, -1);
    let (name, settings, size) = (std::ptr::null_mut(), std::ptr::null_mut(), std::ptr::null_mut());
    // SAFETY: the call writes two descriptors.
    assert_eq!(unsafe { libc::openpty(&mut master, &mut slave, name, settings, size) }, 0);
    // SAFETY: both are new, and nothing else owns them.
    unsafe { (OwnedFd::from_raw_fd(master), OwnedFd::from_raw_fd(slave)) }
}

/// The kernel may end its filters of a terminal by itself.
#[test]
fn a_terminal_that_has_hung_up_can_be_deregistered() {
    for interest in [Interest::READABLE, Interest::READABLE | Interest::WRITABLE] {
        let mut poll = Poll::new().unwrap();
        let (master, slave) = terminal();
        poll.registry().register(&mut SourceFd(&slave.as_raw_fd()), TOKEN, interest).unwrap();
        if interest.is_writable() {
            assert!(next_event(&mut poll).is_writable());
        }
        drop(master);
        assert!(wait_for(&mut poll, TOKEN, Event::is_read_closed).is_readable());
        poll.registry().deregister(&mut SourceFd(&slave.as_raw_fd())).unwrap();
        assert_no_event(&mut poll);
    }
}

/// Reregistering reports again what has been reported.
#[test]
fn a_terminal_that_has_hung_up_can_be_reregistered() {
    for trigger in [Trigger::Edge, Trigger::Level, Trigger::OneShot] {
        for interest in [Interest::READABLE, Interest::WRITABLE, Interest::READABLE | Interest::WRITABLE] {
            let mut poll = Poll::new().unwrap();
            let (master, slave) = terminal();
            poll.registry().register_with(&mut SourceFd(&slave.as_raw_fd()), TOKEN, interest, trigger).unwrap();
            if interest.is_writable() {
                wait_for(&mut poll, TOKEN, Event::is_writable);
            }
            drop(master);
            for round in 1..4 {
                let token = Token(round);
                let mut source = SourceFd(&slave.as_raw_fd());
                poll.registry().reregister_with(&mut source, token, interest, trigger).unwrap();
                let is_closed = if interest.is_writable() { Event::is_write_closed } else { Event::is_read_closed };
                wait_for(&mut poll, token, is_closed);
                if trigger == Trigger::Level {
                    wait_for(&mut poll, token, is_closed);
                    wait_for(&mut poll, token, is_closed);
                }
            }
            poll.registry().deregister(&mut SourceFd(&slave.as_raw_fd())).unwrap();
            assert_no_event(&mut poll);
        }
    }
}

/// Registering a descriptor a second time is an error, except on kqueue, which takes it for a change.
fn assert_registered(poll: &Poll, fd: i32) {
    let result = poll.registry().register(&mut SourceFd(&fd), TOKEN, Interest::READABLE);
    let expected = if Queue::HERE.is_kqueue() { Ok(()) } else { Err(ErrorKind::AlreadyExists) };
    assert_eq!(result.map_err(|error| error.kind()), expected);
}

fn assert_works(poll: &mut Poll) {
    let (mut ours, theirs) = udp_pair();
    poll.registry().register(&mut ours, Token(99), Interest::READABLE).unwrap();
    theirs.send(b"data").unwrap();
    assert_eq!(next_event(poll).token(), Token(99));
    poll.registry().deregister(&mut ours).unwrap();
}
