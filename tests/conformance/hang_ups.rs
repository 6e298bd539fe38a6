//! A hang-up may be over some day: a socket is connected, perhaps once more; a terminal is opened again. And what shuts a
//! socket of datagrams down is no hang-up of its peer. POSIX promises little of that; this is what Linux does.

use std::ffi::CStr;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use mio::event::{Event, Source};
use mio::net::TcpStream;
use mio::unix::SourceFd;
use mio::{Events, Interest, IoSource, Poll, Token};
use socket2::{Domain, SockAddr, SockRef, Socket, Type};

use crate::util::{
    HANG, assert_would_block, events_so_far, fill, make_fifo, refusing, tcp_listener, tcp_pair, udp_pair, wait_for,
};

const TOKEN: Token = Token(0);
const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// A socket that is not connected, in a poll that has told what that means.
fn unconnected(domain: Domain, interests: Interest) -> (Poll, IoSource<Socket>) {
    let socket = Socket::new(domain, Type::STREAM, None).unwrap();
    socket.set_nonblocking(true).unwrap();
    let (mut poll, mut socket) = (Poll::new().unwrap(), IoSource::new(socket));
    poll.registry().register(&mut socket, TOKEN, interests).unwrap();
    wait_for(&mut poll, TOKEN, Event::is_write_closed);
    (poll, socket)
}

/// Waits until the attempt to connect has come to an end: in a blocking way, which takes no event out of a queue.
fn settled(socket: &Socket) {
    let mut descriptor = libc::pollfd { fd: socket.as_raw_fd(), events: libc::POLLOUT, revents: 0 };
    #[allow(unsafe_code)]
    // SAFETY: the kernel writes to one entry.
    let ready = unsafe { libc::poll(&mut descriptor, 1, -1) };
    assert_eq!(ready, 1);
}

#[test]
fn a_socket_that_was_polled_before_it_was_connected_is_told_of_its_connection() {
    for interests in [Interest::READABLE, Interest::WRITABLE, BOTH] {
        let (listener, address) = tcp_listener();
        let (mut poll, ours) = unconnected(Domain::IPV4, interests);
        ours.connect(&address.into()).unwrap_err();
        if interests.is_writable() {
            wait_for(&mut poll, TOKEN, |event| event.is_writable() && !event.is_write_closed());
        }
        settled(&ours);
        let (mut theirs, _) = listener.accept().unwrap();
        if interests.is_readable() {
            theirs.write_all(b"data").unwrap();
            wait_for(&mut poll, TOKEN, |event| event.is_readable() && !event.is_read_closed());
        }
        SockRef::from(&theirs).set_linger(Some(Duration::ZERO)).unwrap();
        drop(theirs);
        wait_for(&mut poll, TOKEN, |event| event.is_error() && event.is_write_closed());
    }
}

#[test]
fn a_socket_that_was_polled_before_it_was_refused_is_told_and_so_it_is_when_it_connects_again() {
    for interests in [Interest::READABLE, Interest::WRITABLE, BOTH] {
        let (_listener, address) = tcp_listener();
        let (_others, nobody) = refusing();
        let (mut poll, ours) = unconnected(Domain::IPV4, interests);
        ours.connect(&nobody.into()).unwrap_err();
        wait_for(&mut poll, TOKEN, Event::is_error);
        let error = ours.try_io_for(interests, |ours| ours.take_error()?.map_or(Ok(()), Err)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        assert!(ours.connect(&address.into()).is_err(), "the attempt before has failed");
        ours.connect(&address.into()).unwrap_err();
        if interests.is_writable() {
            wait_for(&mut poll, TOKEN, |event| event.is_writable() && !event.is_write_closed());
        }
        settled(&ours);
        events_so_far(&mut poll);
        ours.shutdown(Shutdown::Both).unwrap();
        wait_for(&mut poll, TOKEN, |event| event.is_write_closed() && !event.is_error());
    }
}

/// The attempt before is told of once, by the next one.
#[test]
fn a_socket_that_was_refused_and_connects_again_is_told_of_both() {
    for (is_raw, is_taken) in [(false, true), (false, false), (true, true), (true, false)] {
        let (listener, address) = tcp_listener();
        let (_others, nobody) = refusing();
        let mut ours = TcpStream::connect(nobody).unwrap();
        let fd = ours.as_raw_fd();
        let mut poll = Poll::new().unwrap();
        let source: &mut dyn Source = if is_raw { &mut SourceFd(&fd) } else { &mut ours };
        poll.registry().register(source, TOKEN, BOTH).unwrap();
        wait_for(&mut poll, TOKEN, Event::is_write_closed);
        if is_taken {
            assert_eq!(ours.take_error().unwrap().unwrap().kind(), ErrorKind::ConnectionRefused);
        }
        let ours = SockRef::from(&ours);
        assert!(ours.connect(&address.into()).is_err(), "the attempt before has failed");
        // What the system tells of that.
        events_so_far(&mut poll);
        ours.connect(&address.into()).unwrap_err();
        wait_for(&mut poll, TOKEN, |event| event.is_writable() && !event.is_write_closed());
        let mut theirs = listener.accept().unwrap().0;
        theirs.write_all(b"data").unwrap();
        wait_for(&mut poll, TOKEN, |event| event.is_readable() && !event.is_read_closed());
    }
}

/// Dissolves the connection of a socket, which is as new then.
#[allow(unsafe_code)]
fn dissolve(socket: &Socket) {
    let nowhere = libc::sockaddr { sa_family: libc::AF_UNSPEC as libc::sa_family_t, sa_data: [0; 14] };
    // SAFETY: the kernel reads the address, whose length is given.
    let result = unsafe { libc::connect(socket.as_raw_fd(), &nowhere, size_of_val(&nowhere) as libc::socklen_t) };
    assert_eq!(result, 0);
}

/// Nothing of the connection before is left, whatever was told of it; and the queue may not have seen that there was none.
#[test]
fn a_connected_socket_that_is_connected_elsewhere_is_told_of_that() {
    for (is_ended, is_served) in [(false, true), (false, false), (true, true), (true, false)] {
        let (ours, mut theirs) = tcp_pair();
        let (mut poll, mut ours) = (Poll::new().unwrap(), IoSource::new(Socket::from(OwnedFd::from(ours))));
        poll.registry().register(&mut ours, TOKEN, BOTH).unwrap();
        theirs.write_all(b"data").unwrap();
        if is_ended {
            theirs.shutdown(Shutdown::Write).unwrap();
        }
        while !events_so_far(&mut poll).is_empty() {}
        dissolve(&ours);
        let (listener, address) = tcp_listener();
        let (_others, nobody) = refusing();
        let address = if is_served { address } else { nobody };
        ours.try_io_for(Interest::WRITABLE, |ours| ours.connect(&address.into())).unwrap_err();
        if is_served {
            wait_for(&mut poll, TOKEN, |event| event.is_writable() && !event.is_write_closed());
            settled(&ours);
            let mut theirs = listener.accept().unwrap().0;
            theirs.write_all(b"data").unwrap();
            wait_for(&mut poll, TOKEN, |event| event.is_readable() && !event.is_read_closed());
            theirs.shutdown(Shutdown::Write).unwrap();
            wait_for(&mut poll, TOKEN, Event::is_read_closed);
        } else {
            wait_for(&mut poll, TOKEN, Event::is_error);
        }
    }
}

/// With and without a poll that sees it connected.
#[test]
fn a_unix_stream_that_was_polled_before_it_was_connected_is_told_of_its_end() {
    for (interests, is_seen) in [(Interest::WRITABLE, true), (Interest::WRITABLE, false), (BOTH, true), (BOTH, false)] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let (mut poll, ours) = unconnected(Domain::UNIX, interests);
        ours.connect(&SockAddr::unix(&path).unwrap()).unwrap();
        let theirs = listener.accept().unwrap();
        if is_seen {
            events_so_far(&mut poll);
        }
        drop(theirs);
        wait_for(&mut poll, TOKEN, Event::is_write_closed);
    }
}

/// A terminal: its master, and the path of what programs open.
#[allow(unsafe_code)]
fn terminal() -> (OwnedFd, PathBuf) {
    // SAFETY: takes no pointer; the descriptor is new, and nobody else's.
    let master = unsafe {
        let master = libc::posix_openpt(libc::O_RDWR | libc::O_NOCTTY | libc::O_NONBLOCK | libc::O_CLOEXEC);
        assert!(master >= 0);
        OwnedFd::from_raw_fd(master)
    };
    let mut name = [0; 64];
    // SAFETY: takes no pointer but that to the room for the name, whose length is given.
    let path = unsafe {
        assert_eq!(libc::grantpt(master.as_raw_fd()), 0);
        assert_eq!(libc::unlockpt(master.as_raw_fd()), 0);
        assert_eq!(libc::ptsname_r(master.as_raw_fd(), name.as_mut_ptr(), name.len()), 0);
        CStr::from_ptr(name.as_ptr()).to_str().unwrap()
    };
    (master, path.into())
}

fn open_slave(path: &Path) -> File {
    OpenOptions::new().read(true).write(true).custom_flags(libc::O_NOCTTY).open(path).unwrap()
}

#[test]
#[cfg_attr(miri, ignore = "no terminals")]
fn each_hang_up_of_a_terminal_is_told() {
    for interests in [Interest::READABLE, Interest::WRITABLE, BOTH] {
        let (master, path) = terminal();
        let mut slave = open_slave(&path);
        let (mut poll, mut master) = (Poll::new().unwrap(), IoSource::new(master));
        poll.registry().register(&mut master, TOKEN, interests).unwrap();
        for _ in 0..3 {
            events_so_far(&mut poll);
            drop(slave);
            wait_for(&mut poll, TOKEN, Event::is_write_closed);
            slave = open_slave(&path);
        }
    }
}

/// Whoever writes comes and goes between two polls, and whoever reads knows the end already.
#[test]
#[cfg_attr(miri, ignore = "no terminals, no FIFOs")]
fn what_is_written_after_a_hang_up_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fifo");
    make_fifo(&path);
    let reader = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(&path).unwrap();
    let open_writer = || OpenOptions::new().write(true).open(&path).unwrap();
    assert_each_visit_is_told(reader, open_writer);

    let (master, path) = terminal();
    assert_each_visit_is_told(File::from(master), || open_slave(&path));
}

fn assert_each_visit_is_told(reader: File, open_writer: impl Fn() -> File) {
    let (mut poll, mut reader) = (Poll::new().unwrap(), IoSource::new(reader));
    poll.registry().register(&mut reader, TOKEN, Interest::READABLE).unwrap();
    for _ in 0..4 {
        open_writer().write_all(b"data").unwrap();
        wait_for(&mut poll, TOKEN, Event::is_readable);
        let read = || reader.try_io_for(Interest::READABLE, |mut reader| reader.read(&mut [0; 4]));
        assert_eq!(read().unwrap(), 4);
        // The end of a FIFO; a terminal has an error for it.
        assert!(read().unwrap_or(0) == 0);
    }
}

/// Both directions are shut, and what was written last was not read: so there may be an error yet, while the poll waits.
#[test]
fn an_error_that_follows_a_hang_up_ends_the_wait() {
    let mut events = Events::with_capacity(8);
    for interests in [Interest::READABLE, Interest::WRITABLE, BOTH] {
        let (mut ours, theirs) = tcp_pair();
        let mut poll = Poll::new().unwrap();
        poll.registry().register(&mut ours, TOKEN, interests).unwrap();
        events_so_far(&mut poll);
        fill(&mut ours);
        ours.shutdown(Shutdown::Write).unwrap();
        theirs.shutdown(Shutdown::Write).unwrap();
        wait_for(&mut poll, TOKEN, Event::is_write_closed);
        events_so_far(&mut poll);
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(50));
                SockRef::from(&theirs).set_linger(Some(Duration::ZERO)).unwrap();
                drop(theirs);
            });
            poll.poll_deadline(&mut events, Some(Instant::now() + HANG)).unwrap();
        });
        assert!(events.iter().any(Event::is_error), "{interests:?}: {events:?}");
    }
}

/// Shut down by its owner, it still receives. A program that reads until that would block hears of each datagram.
#[test]
fn a_datagram_socket_that_was_shut_down_is_told_of_datagrams() {
    for how in [Shutdown::Read, Shutdown::Both] {
        for interests in [Interest::READABLE, BOTH] {
            let mut poll = Poll::new().unwrap();
            let (mut ours, theirs) = udp_pair();
            poll.registry().register(&mut ours, TOKEN, interests).unwrap();
            SockRef::from(&ours).shutdown(how).unwrap();
            wait_for(&mut poll, TOKEN, Event::is_read_closed);
            for _ in 0..3 {
                assert_would_block(ours.recv(&mut [0; 8]));
                theirs.send(b"data").unwrap();
                wait_for(&mut poll, TOKEN, Event::is_readable);
                assert_eq!(ours.recv(&mut [0; 8]).unwrap(), 4);
            }
        }
    }
}
