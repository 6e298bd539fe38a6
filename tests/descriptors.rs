//! No descriptor leaks, even if something fails halfway. Running out of descriptors is a normal error.
//!
//! A process has one limit and one table of descriptors, so the tests here take turns.

#![cfg(all(unix, feature = "os-ext", feature = "net"))]
#![allow(unsafe_code)]

mod queue;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mio::net::{TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream};
use mio::unix::{SourceFd, pipe};
use mio::{Events, Interest, Poll, Token, Waker};
use queue::Queue;

const HANG: Duration = Duration::from_secs(20);

static TURN: Mutex<()> = Mutex::new(());

fn my_turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn localhost() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

fn is_open(fd: i32) -> bool {
    // SAFETY: the call takes no pointer.
    unsafe { libc::fcntl(fd, libc::F_GETFD) != -1 }
}

/// Returns the numbers of this process's open descriptors.
fn open() -> Vec<i32> {
    (0..4096).filter(|&fd| is_open(fd)).collect()
}

/// Keeps this process from opening descriptors, until it is dropped.
struct Exhausted {
    before: libc::rlimit,
}

impl Exhausted {
    fn new() -> Exhausted {
        let mut before = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: the kernel writes the limit.
        assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut before) }, 0);
        // The limit is the highest number plus one, and the lowest free number is used next.
        let lowest_free = (0..).find(|&fd| !is_open(fd)).unwrap();
        set_limit(libc::rlimit { rlim_cur: lowest_free as libc::rlim_t, ..before });
        Exhausted { before }
    }
}

impl Drop for Exhausted {
    fn drop(&mut self) {
        set_limit(self.before);
    }
}

fn set_limit(limit: libc::rlimit) {
    // SAFETY: the kernel reads the limit.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) }, 0);
}

#[track_caller]
fn assert_exhausted<T>(result: io::Result<T>) {
    assert_eq!(result.err().expect("no descriptor is left").raw_os_error(), Some(libc::EMFILE));
}

#[test]
fn what_was_made_and_dropped_leaves_nothing_open() {
    let _turn = my_turn();
    let before = open();
    let directory = tempfile::tempdir().unwrap();
    for round in 0..10 {
        let mut poll = Poll::new().unwrap();
        let waker = Waker::new(poll.registry(), Token(0)).unwrap();
        let mut listener = TcpListener::bind(localhost()).unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut udp = UdpSocket::bind(localhost()).unwrap();
        let path = directory.path().join(format!("{round}"));
        let unix = UnixListener::bind(&path).unwrap();
        let unix_client = UnixStream::connect(&path).unwrap();
        let unix_server = unix.accept().unwrap();
        poll.registry().register(&mut listener, Token(1), Interest::READABLE).unwrap();
        poll.registry().register(&mut client, Token(2), Interest::READABLE).unwrap();
        poll.registry().register(&mut udp, Token(3), Interest::READABLE).unwrap();
        waker.wake().unwrap();
        let mut events = Events::with_capacity(8);
        poll.poll(&mut events, Some(HANG)).unwrap();
        let clone = poll.registry().try_clone().unwrap();
        drop(pipe::new().unwrap());
        drop(UnixStream::pair().unwrap());
        drop(UnixDatagram::pair().unwrap());
        // The order of dropping changes from round to round.
        if round % 2 == 0 {
            drop((waker, poll, clone));
        } else {
            drop((listener, client, udp));
        }
        drop((unix_server, unix_client));
    }
    drop(directory);
    assert_eq!(open(), before);
}

#[test]
fn constructors_that_fail_leave_nothing_open() {
    let _turn = my_turn();
    let directory = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind(localhost()).unwrap();
    let taken_udp = UdpSocket::bind(localhost()).unwrap();
    let taken_path = directory.path().join("taken");
    let taken_unix = UnixListener::bind(&taken_path).unwrap();
    // TEST-NET-1 is nobody's own address.
    let not_ours: SocketAddr = "192.0.2.1:1".parse().unwrap();
    let nobody = directory.path().join("nobody");

    let before = open();
    for _ in 0..3 {
        TcpListener::bind(taken.local_addr().unwrap()).unwrap_err();
        TcpListener::bind(not_ours).unwrap_err();
        UdpSocket::bind(taken_udp.local_addr().unwrap()).unwrap_err();
        UdpSocket::bind(not_ours).unwrap_err();
        // The system refuses a broadcast address at once.
        TcpStream::connect("255.255.255.255:1".parse().unwrap()).unwrap_err();
        taken.accept().unwrap_err();
        taken_unix.accept().unwrap_err();
        for path in [&*taken_path, &*nobody.join("deeper"), Path::new("a\0b"), Path::new(&"x".repeat(200))] {
            UnixListener::bind(path).unwrap_err();
            UnixDatagram::bind(path).unwrap_err();
        }
        for path in [&*nobody, Path::new("a\0b"), Path::new(&"x".repeat(200))] {
            UnixStream::connect(path).unwrap_err();
        }
        let poll = Poll::new().unwrap();
        poll.registry().register(&mut SourceFd(&-1), Token(0), Interest::READABLE).unwrap_err();
    }
    assert_eq!(open(), before);
}

#[test]
fn running_out_of_descriptors_is_an_error_and_leaks_none() {
    let _turn = my_turn();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let address = TcpListener::bind(localhost()).unwrap().local_addr().unwrap();
    let before = open();
    for _ in 0..3 {
        let exhausted = Exhausted::new();
        assert_exhausted(Poll::new());
        assert_exhausted(TcpListener::bind(localhost()));
        assert_exhausted(TcpStream::connect(address));
        assert_exhausted(UdpSocket::bind(localhost()));
        assert_exhausted(UnixListener::bind(directory.path().join("other")));
        assert_exhausted(UnixStream::connect(&path));
        assert_exhausted(UnixStream::pair());
        assert_exhausted(UnixDatagram::unbound());
        assert_exhausted(UnixDatagram::pair());
        assert_exhausted(pipe::new());
        drop(exhausted);
        assert_eq!(open(), before);

        // With room for one descriptor, a call that needs two fails, and gives the one back.
        let one = std::fs::File::open("/dev/null").unwrap();
        let exhausted = Exhausted::new();
        drop(one);
        assert_exhausted(UnixStream::pair());
        assert_exhausted(UnixDatagram::pair());
        assert_exhausted(pipe::new());
        drop(exhausted);
        assert_eq!(open(), before);
    }
    // The next calls work.
    drop((Poll::new().unwrap(), pipe::new().unwrap(), UnixStream::connect(&path).unwrap()));
    drop(listener);
}

#[test]
#[cfg(target_os = "linux")]
fn a_waker_that_could_not_be_made_can_be_made_later() {
    if !Queue::HERE.is_epoll() {
        return;
    }
    let _turn = my_turn();
    let mut poll = Poll::new().unwrap();
    let exhausted = Exhausted::new();
    for _ in 0..3 {
        assert_exhausted(Waker::new(poll.registry(), Token(0)));
    }
    drop(exhausted);
    let waker = Waker::new(poll.registry(), Token(0)).unwrap();
    waker.wake().unwrap();
    let mut events = Events::with_capacity(8);
    poll.poll(&mut events, Some(HANG)).unwrap();
    assert_eq!(events.iter().count(), 1);
}

#[test]
fn accept_without_a_free_descriptor_neither_spins_nor_stalls() {
    let _turn = my_turn();
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(8);
    let mut listener = TcpListener::bind(localhost()).unwrap();
    poll.registry().register(&mut listener, Token(0), Interest::READABLE).unwrap();
    let _clients = [(); 2].map(|()| std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap());
    let before = open();

    let exhausted = Exhausted::new();
    poll.poll(&mut events, Some(HANG)).unwrap();
    assert!(!events.is_empty());
    for _ in 0..3 {
        assert_exhausted(listener.accept());
        poll.poll(&mut events, Some(Duration::from_millis(10))).unwrap();
        assert!(events.is_empty(), "nothing new has happened");
    }
    drop(exhausted);
    assert_eq!(open(), before);

    // Nothing is lost.
    let _accepted = [(); 2].map(|()| listener.accept().unwrap());
    assert_eq!(listener.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
    let _client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    poll.poll(&mut events, Some(HANG)).unwrap();
    assert!(!events.is_empty());
}
