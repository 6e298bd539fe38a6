//! Checks which system calls the crate makes, and what it does if they fail in ways that cannot be provoked otherwise.
//!
//! Each test runs itself again in a child process under `strace(1)`. Without that program, it says so and is skipped.

#![cfg(all(target_os = "linux", feature = "os-ext", feature = "net"))]
#![allow(unsafe_code)]

use std::env;
use std::io::{ErrorKind, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsRawFd;
use std::process::Command;
use std::time::Duration;

use mio::net::{TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixStream};
use mio::unix::pipe;
use mio::{Events, Interest, Poll, Token, Trigger};

#[cfg_attr(mio_backend = "kqueue", allow(dead_code))] // the tests of that backend are in the conformance suite
const HANG: Duration = Duration::from_secs(20);
const CHILD: &str = "MIO_TEST_UNDER_STRACE";

/// Runs `test` under strace with the given options. In the child, this does the `work` and returns `None`. In the parent, it
/// returns the calls that the child made between its two marks, or `None` without strace.
fn strace(test: &str, options: &[&str], work: impl FnOnce()) -> Option<Vec<String>> {
    if env::var_os(CHILD).is_some() {
        work();
        return None;
    }
    let directory = tempfile::tempdir().unwrap();
    let child = Command::new("strace")
        .args(["-ff", "-qq", "-o"])
        .arg(directory.path().join("calls"))
        .args(options)
        .arg(env::current_exe().unwrap())
        .args(["--exact", test, "--test-threads=1", "--nocapture"])
        .env(CHILD, "1")
        .output();
    let child = match child {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            eprintln!("SKIPPED: {test} needs strace(1), which is not installed");
            return None;
        }
        child => child.unwrap(),
    };
    let output = [child.stdout, child.stderr].map(|output| String::from_utf8_lossy(&output).into_owned()).concat();
    assert!(child.status.success() && output.contains("1 passed"), "{output}");
    // Each thread has a file, so that no other thread cuts its calls in two. The interesting file is the one with the marks.
    let mut logs =
        std::fs::read_dir(&directory).unwrap().map(|log| std::fs::read_to_string(log.unwrap().path()).unwrap());
    let log = logs.find(|log| log.lines().any(is_mark)).unwrap_or_default();
    let calls = log.lines().skip_while(|call| !is_mark(call)).skip(1).take_while(|call| !is_mark(call));
    Some(calls.map(with_one_name).collect())
}

/// Gives `epoll_wait(2)` and `epoll_pwait(2)` one name. Without a signal mask they are the same, and each C library uses one of
/// them: musl uses the second, and so does every library where Linux no longer has the first.
fn with_one_name(call: &str) -> String {
    match call.strip_prefix("epoll_pwait(") {
        Some(rest) => format!("epoll_wait({}", rest.replace(", NULL, 8)", ")")),
        None => call.to_owned(),
    }
}

/// Makes a system call that nothing else makes.
fn mark() {
    // SAFETY: the call has no preconditions.
    unsafe { libc::getppid() };
}

fn is_mark(call: &str) -> bool {
    call.starts_with("getppid")
}

/// Returns the names of the calls, in order.
fn names(calls: &[String]) -> Vec<&str> {
    calls.iter().filter_map(|call| call.split_once('(')).map(|(name, _)| name).collect()
}

fn localhost() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

#[test]
fn each_socket_takes_as_few_calls_as_can_be() {
    let calls = strace("each_socket_takes_as_few_calls_as_can_be", &[], || {
        let listener = std::net::TcpListener::bind(localhost()).unwrap();
        let address = listener.local_addr().unwrap();
        mark();
        let streams = TcpStream::connect(address).unwrap();
        let listener = TcpListener::bind(localhost()).unwrap();
        let udp = UdpSocket::bind(localhost()).unwrap();
        let pairs = (UnixStream::pair().unwrap(), UnixDatagram::pair().unwrap());
        let pipe = pipe::new().unwrap();
        mark();
        drop((streams, listener, udp, pairs, pipe));
    });
    let Some(calls) = calls else { return };
    let expected = [
        "socket",
        "connect", // TcpStream::connect
        "socket",
        "setsockopt",
        "bind",
        "listen", // TcpListener::bind
        "socket",
        "bind", // UdpSocket::bind
        "socketpair",
        "socketpair",
        "pipe2",
    ];
    assert_eq!(names(&calls), expected, "{calls:#?}");
}

#[test]
fn accept_is_one_call() {
    let calls = strace("accept_is_one_call", &[], || {
        let listener = TcpListener::bind(localhost()).unwrap();
        let _client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        mark();
        let accepted = listener.accept().unwrap();
        mark();
        drop(accepted);
    });
    let Some(calls) = calls else { return };
    assert_eq!(names(&calls), ["accept4"]);
    assert!(calls[0].contains("SOCK_CLOEXEC|SOCK_NONBLOCK"), "{calls:?}");
}

/// Some sandboxes and kernels support only `accept(2)`.
#[test]
fn without_accept4_it_falls_back() {
    let calls = strace("without_accept4_it_falls_back", &["-e", "inject=accept4:error=ENOSYS"], || {
        let listener = TcpListener::bind(localhost()).unwrap();
        let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        mark();
        let (accepted, from) = listener.accept().unwrap();
        mark();
        assert_eq!(from, client.local_addr().unwrap());
        assert!(socket2::SockRef::from(&accepted).nonblocking().unwrap());
        // SAFETY: the call takes no pointer.
        assert_eq!(unsafe { libc::fcntl(accepted.as_raw_fd(), libc::F_GETFD) }, libc::FD_CLOEXEC);
        assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    });
    let Some(calls) = calls else { return };
    assert_eq!(names(&calls)[..2], ["accept4", "accept"]);
}

/// Returns a poll, a socket, and all else that exists without a system call.
#[cfg_attr(mio_backend = "kqueue", allow(dead_code))]
fn with_ready_socket() -> (Poll, Events, UdpSocket) {
    let poll = Poll::new().unwrap();
    let mut socket = UdpSocket::bind(localhost()).unwrap();
    poll.registry().register_with(&mut socket, Token(0), Interest::WRITABLE, Trigger::Level).unwrap();
    (poll, Events::with_capacity(8), socket)
}

#[cfg(not(any(
    mio_backend = "event_ports",
    mio_backend = "kqueue",
    mio_backend = "poll",
    mio_unsupported_force_poll_poll
)))]
mod epoll {
    use std::time::Instant;

    use mio::Waker;

    use super::*;

    #[test]
    fn a_poll_is_one_call_and_sets_no_timer() {
        let calls = strace("epoll::a_poll_is_one_call_and_sets_no_timer", &[], || {
            let (mut poll, mut events, _socket) = with_ready_socket();
            mark();
            for timeout in [None, None, Some(Duration::ZERO), Some(HANG)] {
                poll.poll(&mut events, timeout).unwrap();
                assert!(!events.is_empty());
            }
            mark();
        });
        let Some(calls) = calls else { return };
        assert_eq!(names(&calls), ["epoll_wait", "epoll_wait", "epoll_wait", "epoll_pwait2"]);
        assert!(calls[0].contains(", -1) ") && calls[2].contains(", 0) "), "{calls:?}");
    }

    #[test]
    fn a_wake_is_a_call_only_when_the_poller_sleeps() {
        let calls = strace("epoll::a_wake_is_a_call_only_when_the_poller_sleeps", &[], || {
            let (mut poll, mut events, _socket) = with_ready_socket();
            let waker = Waker::new(poll.registry(), Token(1)).unwrap();
            poll.poll(&mut events, None).unwrap();
            mark();
            for _ in 0..3 {
                waker.wake().unwrap();
                waker.wake().unwrap();
                poll.poll(&mut events, None).unwrap();
                assert_eq!(events.iter().count(), 2);
            }
            mark();
        });
        let Some(calls) = calls else { return };
        assert_eq!(names(&calls), ["epoll_wait"; 3]);
    }

    /// Each wake follows a poll, after which the state is at rest.
    #[test]
    fn only_a_descriptor_that_was_taken_out_makes_each_wake_a_call() {
        let calls = strace("epoll::only_a_descriptor_that_was_taken_out_makes_each_wake_a_call", &[], || {
            let (mut poll, mut events, _socket) = with_ready_socket();
            let waker = Waker::new(poll.registry(), Token(1)).unwrap();
            poll.poll(&mut events, None).unwrap();
            mark();
            poll.registry().with_fd(|_| ());
            waker.wake().unwrap();
            poll.poll(&mut events, None).unwrap();
            poll.as_raw_fd();
            waker.wake().unwrap();
            waker.wake().unwrap();
            poll.poll(&mut events, None).unwrap();
            mark();
        });
        let Some(calls) = calls else { return };
        assert_eq!(names(&calls)[..3], ["epoll_wait", "write", "epoll_wait"]);
    }

    #[test]
    fn a_registration_is_one_call_and_ends_before_the_socket_is_closed() {
        let calls = strace("epoll::a_registration_is_one_call_and_ends_before_the_socket_is_closed", &[], || {
            let poll = Poll::new().unwrap();
            let mut socket = UdpSocket::bind(localhost()).unwrap();
            mark();
            poll.registry().register(&mut socket, Token(0), Interest::READABLE).unwrap();
            poll.registry().reregister(&mut socket, Token(0), Interest::READABLE).unwrap();
            poll.registry().deregister(&mut socket).unwrap();
            drop(socket);
            mark();
        });
        let Some(calls) = calls else { return };
        // In debug builds, the standard library looks at what it closes.
        let calls: Vec<_> = calls.into_iter().filter(|call| !call.starts_with("fcntl")).collect();
        assert_eq!(names(&calls), ["epoll_ctl", "epoll_ctl", "epoll_ctl", "close"]);
        for (call, operation) in calls.iter().zip(["EPOLL_CTL_ADD", "EPOLL_CTL_MOD", "EPOLL_CTL_DEL"]) {
            assert!(call.contains(operation), "{call}");
        }
    }

    /// `epoll_pwait2` is missing in kernels before 5.11, in some sandboxes and in gVisor.
    fn falls_back(test: &str, error: &str) {
        let calls = strace(test, &["-e", &format!("inject=epoll_pwait2:error={error}")], || {
            let mut poll = Poll::new().unwrap();
            let mut events = Events::with_capacity(8);
            mark();
            for micros in [300, 1_500, 1_000] {
                let timeout = Duration::from_micros(micros);
                let start = Instant::now();
                poll.poll(&mut events, Some(timeout)).unwrap();
                assert!(events.is_empty() && start.elapsed() >= timeout);
            }
            mark();
        });
        let Some(calls) = calls else { return };
        assert_eq!(names(&calls), ["epoll_pwait2", "epoll_wait", "epoll_wait", "epoll_wait"]);
        for (call, milliseconds) in calls[1..].iter().zip([1, 2, 1]) {
            assert!(call.contains(&format!(", {milliseconds}) ")), "{call}");
        }
    }

    #[test]
    fn without_epoll_pwait2_it_falls_back_once() {
        falls_back("epoll::without_epoll_pwait2_it_falls_back_once", "ENOSYS");
    }

    #[test]
    fn if_epoll_pwait2_is_forbidden_it_falls_back_once() {
        falls_back("epoll::if_epoll_pwait2_is_forbidden_it_falls_back_once", "EPERM");
    }

    #[test]
    fn an_error_of_waiting_is_passed_on_and_loses_no_wake() {
        let inject = [
            "-e",
            "inject=?epoll_wait,epoll_pwait:error=EINTR:when=2",
            "-e",
            "inject=epoll_pwait2:error=ENOMEM:when=1",
        ];
        strace("epoll::an_error_of_waiting_is_passed_on_and_loses_no_wake", &inject, || {
            let mut poll = Poll::new().unwrap();
            let mut events = Events::with_capacity(8);
            let waker = Waker::new(poll.registry(), Token(0)).unwrap();
            poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
            waker.wake().unwrap();
            assert_eq!(poll.poll(&mut events, None).unwrap_err().kind(), ErrorKind::Interrupted);
            poll.poll(&mut events, None).unwrap();
            assert_eq!(events.iter().count(), 1);

            let error = poll.poll(&mut events, Some(Duration::from_millis(1))).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::ENOMEM));
            waker.wake().unwrap();
            poll.poll(&mut events, None).unwrap();
            assert_eq!(events.iter().count(), 1);
        });
    }

    /// At the limit of watches, or without memory, the source stays unregistered. You can register it later.
    #[test]
    fn a_registration_that_the_kernel_refuses_can_be_made_later() {
        let inject = ["-e", "inject=epoll_ctl:error=ENOSPC:when=1"];
        strace("epoll::a_registration_that_the_kernel_refuses_can_be_made_later", &inject, || {
            let mut poll = Poll::new().unwrap();
            let mut events = Events::with_capacity(8);
            let mut socket = UdpSocket::bind(localhost()).unwrap();
            let error = poll.registry().register(&mut socket, Token(0), Interest::WRITABLE).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::StorageFull);
            let error = poll.registry().deregister(&mut socket).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotFound);
            poll.registry().register(&mut socket, Token(0), Interest::WRITABLE).unwrap();
            poll.poll(&mut events, Some(HANG)).unwrap();
            assert_eq!(events.iter().count(), 1);
        });
    }

    #[test]
    fn no_memory_for_a_queue_or_waker_is_an_error() {
        let inject = ["-e", "inject=epoll_create1:error=ENOMEM:when=1", "-e", "inject=eventfd2:error=ENFILE:when=1"];
        strace("epoll::no_memory_for_a_queue_or_waker_is_an_error", &inject, || {
            assert_eq!(Poll::new().unwrap_err().raw_os_error(), Some(libc::ENOMEM));
            let mut poll = Poll::new().unwrap();
            #[cfg(not(mio_unsupported_force_waker_pipe))]
            assert_eq!(Waker::new(poll.registry(), Token(0)).unwrap_err().raw_os_error(), Some(libc::ENFILE));
            let waker = Waker::new(poll.registry(), Token(0)).unwrap();
            waker.wake().unwrap();
            let mut events = Events::with_capacity(8);
            poll.poll(&mut events, Some(HANG)).unwrap();
            assert_eq!(events.iter().count(), 1);
        });
    }
}

#[cfg(any(mio_backend = "poll", mio_unsupported_force_poll_poll))]
mod poll {
    use std::time::Instant;

    use mio::unix::SourceFd;

    use super::*;

    #[test]
    fn a_poll_is_one_call_and_sets_no_timer() {
        let calls = strace("poll::a_poll_is_one_call_and_sets_no_timer", &[], || {
            let (mut poll, mut events, _socket) = with_ready_socket();
            mark();
            for timeout in [None, None, Some(Duration::ZERO), Some(HANG)] {
                poll.poll(&mut events, timeout).unwrap();
                assert!(!events.is_empty());
            }
            mark();
        });
        let Some(calls) = calls else { return };
        // Where the OS has no `poll(2)`, the C library calls `ppoll(2)` instead.
        assert!(names(&calls).iter().all(|name| ["poll", "ppoll", "ppoll_time64"].contains(name)), "{calls:?}");
        assert_eq!(calls.len(), 4, "{calls:?}");
    }

    /// Polls for 100 ms. Returns how many events came.
    fn poll_for_a_while(poll: &mut Poll, events: &mut Events) -> usize {
        let deadline = Instant::now() + WHILE;
        let mut count = 0;
        while Instant::now() < deadline {
            poll.poll_deadline(events, Some(deadline)).unwrap();
            count += events.iter().count();
        }
        count
    }

    const WHILE: Duration = Duration::from_millis(100);

    /// One look and one wait every 5 ms, and as much again for the other calls at the start of a poll.
    const LOOKS: usize = 4 * 20;

    /// A socket whose data was reported stays unread, and a connection has been reset.
    #[test]
    fn a_reported_condition_that_stays_costs_a_sleeping_poll_nothing() {
        let calls = strace("poll::a_reported_condition_that_stays_costs_a_sleeping_poll_nothing", &[], || {
            let mut poll = Poll::new().unwrap();
            let mut events = Events::with_capacity(8);
            let mut unread = UdpSocket::bind(localhost()).unwrap();
            unread.send_to(b"data", unread.local_addr().unwrap()).unwrap();
            let (mut over, peer) = UnixStream::pair().unwrap();
            let both = Interest::READABLE | Interest::WRITABLE;
            poll.registry().register(&mut unread, Token(0), both).unwrap();
            poll.registry().register(&mut over, Token(1), both).unwrap();
            assert_eq!(poll_for_a_while(&mut poll, &mut events), 2);
            over.write_all(b"unread").unwrap();
            drop(peer);
            assert_eq!(poll_for_a_while(&mut poll, &mut events), 1);
            mark();
            poll.poll(&mut events, Some(WHILE)).unwrap();
            mark();
            assert!(events.is_empty());
        });
        let Some(calls) = calls else { return };
        // These are one look and one wait.
        assert_eq!(calls.len(), 2, "{calls:?}");
    }

    /// The peer has closed this connection.
    #[test]
    fn a_connection_that_is_almost_over_is_looked_at_now_and_then() {
        let calls = strace("poll::a_connection_that_is_almost_over_is_looked_at_now_and_then", &[], || {
            let (mut poll, mut events) = (Poll::new().unwrap(), Events::with_capacity(8));
            let (mut over, peer) = UnixStream::pair().unwrap();
            poll.registry().register(&mut over, Token(0), Interest::READABLE | Interest::WRITABLE).unwrap();
            assert_eq!(poll_for_a_while(&mut poll, &mut events), 1);
            drop(peer);
            assert_eq!(poll_for_a_while(&mut poll, &mut events), 1);
            mark();
            poll.poll(&mut events, Some(5 * WHILE)).unwrap();
            mark();
            assert!(events.is_empty());
        });
        let Some(calls) = calls else { return };
        assert!((4..=12).contains(&calls.len()), "{calls:?}");
    }

    /// The poll looks at an error that nobody takes, and at a descriptor whose I/O the library does not see, without a busy
    /// loop.
    #[test]
    fn looking_at_conditions_is_no_busy_loop() {
        let calls = strace("poll::looking_at_conditions_is_no_busy_loop", &[], || {
            let mut poll = Poll::new().unwrap();
            let mut events = Events::with_capacity(8);
            let mut refused = UdpSocket::bind(localhost()).unwrap();
            // Connected to itself, it refuses what others send to it.
            let other = UdpSocket::bind(localhost()).unwrap();
            other.connect(other.local_addr().unwrap()).unwrap();
            refused.connect(other.local_addr().unwrap()).unwrap();
            refused.send(b"data").unwrap();
            let (ours, _theirs) = UnixStream::pair().unwrap();
            let both = Interest::READABLE | Interest::WRITABLE;
            poll.registry().register(&mut refused, Token(0), both).unwrap();
            poll.registry().register(&mut SourceFd(&ours.as_raw_fd()), Token(1), both).unwrap();
            assert!(poll_for_a_while(&mut poll, &mut events) >= 2);
            mark();
            let again = poll_for_a_while(&mut poll, &mut events);
            mark();
            // A source to which something may have been written is reported again; the error is not.
            assert!(again <= 2, "{again} events");
        });
        let Some(calls) = calls else { return };
        assert!((2..=LOOKS).contains(&calls.len()), "{} calls", calls.len());
    }
}

/// If a system call fails for lack of memory or table space, the caller gets that error, and the next call works.
#[test]
fn a_refused_socket_is_an_error_and_the_next_call_works() {
    let inject = [
        "-e",
        "inject=socket:error=ENFILE:when=1",
        "-e",
        "inject=listen:error=ENOMEM:when=1",
        "-e",
        "inject=accept4:error=ENFILE:when=1",
        "-e",
        "inject=socketpair:error=ENOMEM:when=1",
        "-e",
        "inject=pipe2:error=ENFILE:when=1",
    ];
    strace("a_refused_socket_is_an_error_and_the_next_call_works", &inject, || {
        // strace counts the calls of the whole process, so the test does its own only later.
        assert_eq!(TcpListener::bind(localhost()).unwrap_err().raw_os_error(), Some(libc::ENFILE));
        let lowest_free = std::fs::File::open("/dev/null").unwrap().as_raw_fd();
        assert_eq!(TcpListener::bind(localhost()).unwrap_err().raw_os_error(), Some(libc::ENOMEM));
        assert_eq!(std::fs::File::open("/dev/null").unwrap().as_raw_fd(), lowest_free, "a socket leaked");
        let listener = TcpListener::bind(localhost()).unwrap();
        let mut client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        client.write_all(b"data").unwrap();
        assert_eq!(listener.accept().unwrap_err().raw_os_error(), Some(libc::ENFILE));
        listener.accept().unwrap();
        assert_eq!(UnixStream::pair().unwrap_err().raw_os_error(), Some(libc::ENOMEM));
        UnixStream::pair().unwrap();
        assert_eq!(pipe::new().unwrap_err().raw_os_error(), Some(libc::ENFILE));
        pipe::new().unwrap();
    });
}
