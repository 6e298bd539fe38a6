//! Descriptors are non-blocking and close-on-exec from the start, however they are made. This also tests what a child may do.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};
use std::process::Command;

use mio::event::Source;
use mio::net::{TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream};
use mio::unix::pipe;
use mio::{Interest, Poll, Token};

use crate::queue::Queue;
use crate::util::{localhost, next_event, tcp_listener, udp_pair, wait_until};

/// Returns one source of each kind from each constructor.
fn one_of_each() -> Vec<(&'static str, OwnedFd)> {
    let mut all: Vec<(_, OwnedFd)> = Vec::new();
    let (listener, address) = tcp_listener();
    all.push(("TcpStream::connect", TcpStream::connect(address).unwrap().into()));
    wait_until("accepted", || match listener.accept() {
        Ok((stream, _)) => {
            all.push(("TcpListener::accept", stream.into()));
            true
        }
        Err(_) => false,
    });
    all.push(("TcpListener::bind", listener.into()));
    all.push(("UdpSocket::bind", UdpSocket::bind(localhost()).unwrap().into()));

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("stream");
    let listener = UnixListener::bind(&path).unwrap();
    all.push(("UnixStream::connect", UnixStream::connect(&path).unwrap().into()));
    all.push(("UnixListener::accept", listener.accept().unwrap().0.into()));
    all.push(("UnixListener::bind", listener.into()));
    let (a, b) = UnixStream::pair().unwrap();
    all.extend([("UnixStream::pair", a.into()), ("UnixStream::pair", b.into())]);
    let (a, b) = UnixDatagram::pair().unwrap();
    all.extend([("UnixDatagram::pair", a.into()), ("UnixDatagram::pair", b.into())]);
    all.push(("UnixDatagram::bind", UnixDatagram::bind(directory.path().join("datagram")).unwrap().into()));
    all.push(("UnixDatagram::unbound", UnixDatagram::unbound().unwrap().into()));

    let (sender, receiver) = pipe::new().unwrap();
    all.extend([("pipe::new", sender.into()), ("pipe::new", receiver.into())]);
    all
}

fn flags(fd: BorrowedFd<'_>, command: libc::c_int) -> libc::c_int {
    // SAFETY: the call takes no pointer.
    unsafe { libc::fcntl(fd.as_raw_fd(), command) }
}

#[test]
fn everything_is_non_blocking_and_close_on_exec() {
    for (constructor, fd) in one_of_each() {
        assert_ne!(flags(fd.as_fd(), libc::F_GETFL) & libc::O_NONBLOCK, 0, "{constructor} blocks");
        assert_ne!(flags(fd.as_fd(), libc::F_GETFD) & libc::FD_CLOEXEC, 0, "{constructor} is inherited");
    }
}

#[test]
fn either_end_of_a_pipe_can_be_made_to_block_and_not_to() {
    let (sender, receiver) = pipe::new().unwrap();
    for on in [true, false, false, true, true] {
        sender.set_nonblocking(on).unwrap();
        receiver.set_nonblocking(on).unwrap();
        for fd in [sender.as_fd(), receiver.as_fd()] {
            assert_eq!(flags(fd, libc::F_GETFL) & libc::O_NONBLOCK != 0, on);
        }
    }
}

#[test]
#[cfg(target_os = "linux")]
fn children_inherit_nothing() {
    let poll = Poll::new().unwrap();
    let _waker = mio::Waker::new(poll.registry(), Token(0)).unwrap();
    let all = one_of_each();
    let name = |fd: &OwnedFd| std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd())).unwrap();
    let ours: Vec<_> = all.iter().map(|(_, fd)| name(fd)).collect();
    assert!(ours.iter().all(|name| name.to_str().unwrap().contains(":[")), "{ours:?}");

    let inherited = || {
        let list = Command::new("sh").args(["-c", "readlink /proc/self/fd/* /proc/$$/fd/*"]).output().unwrap().stdout;
        let list = String::from_utf8(list).unwrap();
        assert!(list.lines().count() >= 3, "{list}");
        list
    };
    let list = inherited();
    for name in ours {
        assert!(!list.contains(name.to_str().unwrap()), "{name:?} in {list}");
    }
    // The doubles make a queue close-on-exec only with a second call, and another test may be between the two.
    let is_double = matches!(Queue::HERE, Queue::EventPorts | Queue::Kqueue);
    wait_until("no queue is inherited", || {
        let list = inherited();
        let is_inherited = list.contains("eventpoll") || list.contains("eventfd");
        assert!(!is_inherited || is_double, "{list}");
        !is_inherited
    });
}

/// If a fork has a `Poll` of its own, it leaves alone what the kernel shares between it and its parent.
#[test]
fn a_fork_with_its_own_poll_does_not_harm_its_parents() {
    let mut poll = Poll::new().unwrap();
    let (mut ours, theirs) = udp_pair();
    poll.registry().register(&mut ours, Token(1), Interest::READABLE).unwrap();

    in_a_fork(|| {
        let mut poll = Poll::new()?;
        // To keep using a socket, the fork makes a source of its own from a duplicate.
        let mut copy = UdpSocket::from(ours.as_fd().try_clone_to_owned()?);
        poll.registry().register(&mut copy, Token(3), Interest::READABLE | Interest::WRITABLE)?;
        assert_eq!(next_event(&mut poll).token(), Token(3));
        poll.registry().deregister(&mut copy)?;
        drop(copy);

        let (mut ours, theirs) = (UdpSocket::bind(localhost())?, UdpSocket::bind(localhost())?);
        poll.registry().register(&mut ours, Token(2), Interest::READABLE)?;
        theirs.send_to(b"child", ours.local_addr()?)?;
        let token = next_event(&mut poll).token();
        poll.registry().deregister(&mut ours)?;
        assert_eq!(token, Token(2));
        Ok(())
    });

    theirs.send(b"data").unwrap();
    assert_eq!(next_event(&mut poll).token(), Token(1));
}

/// This shows why a fork must not use its parent's `Poll`: the kernel holds epoll's registrations, and both share them.
#[test]
#[cfg(target_os = "linux")]
fn a_fork_that_deregisters_with_its_parents_poll_ends_the_parents_registration() {
    if !Queue::HERE.is_epoll() {
        return;
    }
    let mut poll = Poll::new().unwrap();
    let (mut ours, theirs) = udp_pair();
    poll.registry().register(&mut ours, Token(1), Interest::READABLE).unwrap();
    in_a_fork(|| poll.registry().deregister(&mut ours));
    theirs.send(b"data").unwrap();
    crate::util::assert_no_event(&mut poll);
}

/// Runs `work` in a copy of this process, where it must succeed.
fn in_a_fork(work: impl FnOnce() -> io::Result<()>) {
    // SAFETY: the child only does `work`, which needs no other thread, and exits.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let worked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        let code = if matches!(worked, Ok(Ok(()))) { 0 } else { 1 };
        // SAFETY: the call ends the process.
        unsafe { libc::_exit(code) };
    }
    assert!(child > 0);
    let mut status = 0;
    // SAFETY: the kernel writes the status.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    assert_eq!(status, 0);
}

/// `into_raw_fd`, `from_raw_fd`, `as_fd` and the conversions all mean the same descriptor.
#[test]
fn conversions_keep_the_descriptor() {
    fn check<T>(source: T)
    where
        T: Source + AsFd + AsRawFd + IntoRawFd + FromRawFd + From<OwnedFd> + Into<OwnedFd>,
    {
        let fd = source.as_raw_fd();
        assert_eq!(source.as_fd().as_raw_fd(), fd);
        let owned: OwnedFd = source.into();
        assert_eq!(owned.as_raw_fd(), fd);
        let source = T::from(owned);
        assert_eq!(source.into_raw_fd(), fd);
        // SAFETY: `into_raw_fd` has just given up the descriptor.
        let mut source = unsafe { T::from_raw_fd(fd) };
        assert_eq!(source.as_raw_fd(), fd);
        let poll = Poll::new().unwrap();
        poll.registry().register(&mut source, Token(0), Interest::READABLE).unwrap();
    }

    let directory = tempfile::tempdir().unwrap();
    let (listener, address) = tcp_listener();
    check(TcpStream::connect(address).unwrap());
    check(listener);
    check(UdpSocket::bind(localhost()).unwrap());
    check(UnixListener::bind(directory.path().join("socket")).unwrap());
    check(UnixStream::pair().unwrap().0);
    check(UnixDatagram::pair().unwrap().0);
    let (sender, receiver) = pipe::new().unwrap();
    check(sender);
    check(receiver);
}
