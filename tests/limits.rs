//! Large numbers of sources, no descriptors left, reused descriptor numbers, threads that end.
//!
//! `descriptors.rs` tests what happens if a call needs a descriptor and none is left.

#![cfg(all(unix, feature = "os-ext", feature = "net"))]
#![allow(unsafe_code)]

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsRawFd;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use mio::net::{TcpListener, UdpSocket, UnixStream};
use mio::{Events, Interest, Poll, Token, Waker};

const HANG: Duration = Duration::from_secs(60);

/// A process has one limit and one table of descriptors, so the tests here take turns.
static TURN: Mutex<()> = Mutex::new(());

fn my_turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Limits the open files, until it is dropped.
struct Limit {
    before: libc::rlimit,
    count: usize,
}

impl Limit {
    /// Sets the limit as near to `count` as this process may.
    fn new(count: usize) -> Limit {
        let mut before = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: the kernel writes the limit.
        assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut before) }, 0);
        let set = |count, most| {
            // SAFETY: the kernel reads the limit.
            unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &libc::rlimit { rlim_cur: count, rlim_max: most }) == 0 }
        };
        let mut count = count as libc::rlim_t;
        // Some users may raise the upper limit. The tests never lower it, so that they can restore the old one.
        if count <= before.rlim_max || !set(count, count) {
            count = count.min(before.rlim_max);
            assert!(set(count, before.rlim_max));
        }
        Limit { before, count: count as usize }
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        // SAFETY: the kernel reads the limit.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &self.before) }, 0);
    }
}

/// Polls until there is nothing more, and returns the tokens of all events.
fn all_tokens(poll: &mut Poll, events: &mut Events) -> Vec<usize> {
    let mut tokens = Vec::new();
    loop {
        poll.poll(events, Some(Duration::ZERO)).unwrap();
        if events.is_empty() {
            return tokens;
        }
        tokens.extend(events.iter().map(|event| event.token().0));
    }
}

#[test]
fn as_many_sources_as_a_process_may_open_each_give_their_event() {
    let _turn = my_turn();
    let limit = Limit::new(101_000);
    let count = (limit.count - 1000) & !1;
    if count < 100_000 {
        eprintln!("using {count} sources instead of 100000, because this process may open {} files", limit.count);
    }
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(4096);
    let mut sources = Vec::with_capacity(count);
    while sources.len() < count {
        let (one, other) = UnixStream::pair().unwrap();
        sources.extend([one, other]);
    }
    for (index, source) in sources.iter_mut().enumerate() {
        poll.registry().register(source, Token(index), Interest::READABLE | Interest::WRITABLE).unwrap();
    }
    let mut tokens = all_tokens(&mut poll, &mut events);
    tokens.sort_unstable();
    assert!(tokens.into_iter().eq(0..count), "each is writable, and says so once");

    // One among many produces its event.
    for index in [0, count / 2, count - 1] {
        sources[index ^ 1].write_all(b"there").unwrap();
        poll.poll(&mut events, Some(HANG)).unwrap();
        assert!(events.iter().any(|event| event.token() == Token(index) && event.is_readable()));
        all_tokens(&mut poll, &mut events);
    }

    for source in sources.iter_mut().step_by(2) {
        poll.registry().deregister(source).unwrap();
    }
    drop(sources);
    assert!(all_tokens(&mut poll, &mut events).is_empty());
}

/// epoll watches open files and not their descriptors. So if children hold these, a queue can watch more files than a process
/// may open.
#[cfg(all(
    target_os = "linux",
    not(any(
        mio_backend = "event_ports",
        mio_backend = "kqueue",
        mio_backend = "poll",
        mio_unsupported_force_poll_poll
    ))
))]
mod held_by_children {
    use std::os::fd::{FromRawFd, OwnedFd};

    use mio::unix::SourceFd;

    use super::*;

    /// A copy of this process that does nothing but hold its descriptors.
    struct Holder(libc::pid_t);

    impl Holder {
        fn new() -> Holder {
            // SAFETY: the child's only call is `pause`, which is allowed in a copy of a process with threads.
            match unsafe { libc::fork() } {
                -1 => panic!("{}", std::io::Error::last_os_error()),
                0 => loop {
                    // SAFETY: the call takes no arguments.
                    unsafe { libc::pause() };
                },
                child => Holder(child),
            }
        }
    }

    impl Drop for Holder {
        fn drop(&mut self) {
            // SAFETY: the call takes no pointer, and nobody has waited for the child.
            unsafe { libc::kill(self.0, libc::SIGKILL) };
            // SAFETY: a null pointer asks for no status.
            unsafe { libc::waitpid(self.0, std::ptr::null_mut(), 0) };
        }
    }

    fn eventfd() -> OwnedFd {
        // SAFETY: the call takes no pointer.
        let fd = unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) };
        assert!(fd >= 0, "{}", std::io::Error::last_os_error());
        // SAFETY: the descriptor is new, and nothing else owns it.
        unsafe { OwnedFd::from_raw_fd(fd) }
    }

    #[test]
    fn a_hundred_thousand_sources_each_give_their_event() {
        const COUNT: usize = 100_000;
        let _turn = my_turn();
        let limit = Limit::new(11_000);
        let mut poll = Poll::new().unwrap();
        let mut events = Events::with_capacity(1024);
        let mut holders = Vec::new();
        let mut registered = 0;
        while registered < COUNT {
            let sources: Vec<OwnedFd> = (0..(limit.count - 1000).min(COUNT - registered)).map(|_| eventfd()).collect();
            for source in &sources {
                let token = Token(usize::MAX - registered);
                poll.registry().register(&mut SourceFd(&source.as_raw_fd()), token, Interest::WRITABLE).unwrap();
                registered += 1;
            }
            holders.push(Holder::new());
        }
        let mut tokens = all_tokens(&mut poll, &mut events);
        tokens.sort_unstable_by(|a, b| b.cmp(a));
        assert!(tokens.into_iter().eq((0..COUNT).map(|index| usize::MAX - index)));

        drop(holders);
        let (mut one, mut other) = UnixStream::pair().unwrap();
        poll.registry().register(&mut one, Token(0), Interest::READABLE).unwrap();
        other.write_all(b"there").unwrap();
        assert_eq!(all_tokens(&mut poll, &mut events), [0]);
    }
}

#[test]
fn a_queue_in_use_needs_no_further_descriptor() {
    let _turn = my_turn();
    let mut poll = Poll::new().unwrap();
    let waker = Waker::new(poll.registry(), Token(9)).unwrap();
    let (mut one, mut other) = UnixStream::pair().unwrap();
    let mut events = Events::with_capacity(1);

    // The lowest free number is used next. (With a limit of zero, `poll(2)` would accept no descriptors at all.)
    let next = std::fs::File::open("/dev/null").unwrap().as_raw_fd();
    let none_left = Limit::new(next as usize);
    Poll::new().unwrap_err();
    let registry = poll.registry().try_clone().unwrap();
    registry.register(&mut one, Token(0), Interest::READABLE).unwrap();
    registry.reregister(&mut one, Token(1), Interest::READABLE).unwrap();
    other.write_all(b"there").unwrap();
    waker.wake().unwrap();
    let mut tokens = all_tokens(&mut poll, &mut events);
    tokens.sort_unstable();
    assert_eq!(tokens, [1, 9]);
    registry.deregister(&mut one).unwrap();
    drop(waker);
    Waker::new(&registry, Token(8)).unwrap().wake().unwrap();
    poll.poll(&mut events, Some(HANG)).unwrap();
    assert_eq!(events.iter().next().map(|event| event.token()), Some(Token(8)));
    drop(none_left);
}

#[test]
fn a_descriptor_number_that_is_used_again_is_a_new_source() {
    let _turn = my_turn();
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(8);
    let mut number = None;
    for round in 0..100 {
        let mut socket = UdpSocket::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        assert_eq!(*number.get_or_insert(socket.as_raw_fd()), socket.as_raw_fd(), "the number is used again");
        poll.registry().register(&mut socket, Token(round), Interest::READABLE).unwrap();
        // The socket is ready when it is dropped. Every other time its event has been reported.
        socket.send_to(b"to itself", socket.local_addr().unwrap()).unwrap();
        if round % 2 == 0 {
            poll.poll(&mut events, Some(HANG)).unwrap();
            assert_eq!(events.iter().map(|event| event.token()).collect::<Vec<_>>(), [Token(round)]);
        }
    }
    assert!(all_tokens(&mut poll, &mut events).is_empty());
}

#[test]
fn registrations_do_not_depend_on_the_thread_that_made_them() {
    let _turn = my_turn();
    let localhost = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let (mut poll, listener, waker) = thread::spawn(move || {
        let poll = Poll::new().unwrap();
        let waker = Waker::new(poll.registry(), Token(1)).unwrap();
        let mut listener = TcpListener::bind(localhost).unwrap();
        poll.registry().register(&mut listener, Token(0), Interest::READABLE).unwrap();
        (poll, listener, waker)
    })
    .join()
    .unwrap();
    let mut events = Events::with_capacity(8);

    let _client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    poll.poll(&mut events, Some(HANG)).unwrap();
    assert_eq!(events.iter().map(|event| event.token()).collect::<Vec<_>>(), [Token(0)]);

    // The thread ends, and so does what it has registered and owns.
    let registry = poll.registry().try_clone().unwrap();
    let (mut ours, mut theirs) = UnixStream::pair().unwrap();
    ours.write_all(b"there").unwrap();
    thread::spawn(move || registry.register(&mut theirs, Token(2), Interest::READABLE).unwrap()).join().unwrap();
    assert!(all_tokens(&mut poll, &mut events).is_empty());

    waker.wake().unwrap();
    assert_eq!(all_tokens(&mut poll, &mut events), [1]);
}
