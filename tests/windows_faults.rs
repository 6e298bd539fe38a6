//! Polls of the driver AFD fail, for lack of memory or the like: no source goes mute, and nobody waits for ever.
//!
//! Debug builds of the crate have a switch for it, `MIO_FAIL_POLLS`, which is read once a process: so each plan of failures
//! has a process of its own, in which `everything_is_heard` runs.

#![cfg(windows)]

use std::env;
use std::io::{ErrorKind, Read, Write};
use std::net::{self, SocketAddr};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::net::{TcpListener, TcpStream, UdpSocket};
use mio::{Events, Interest, Poll, Registry, Token, Trigger};

const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);
const GUARD: Duration = Duration::from_secs(30);

fn localhost() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

fn poll_until(queue: &mut Poll, wanted: impl Fn(&Event) -> bool) {
    let mut events = Events::with_capacity(16);
    let start = Instant::now();
    while !events.iter().any(&wanted) {
        assert!(start.elapsed() < GUARD, "the event does not come");
        queue.poll(&mut events, Some(GUARD)).unwrap();
    }
}

/// Does I/O until it succeeds, after each `WouldBlock` waiting for an event.
fn hear<T>(queue: &mut Poll, token: Token, mut io: impl FnMut() -> std::io::Result<T>) -> T {
    loop {
        match io() {
            Ok(done) => return done,
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
        poll_until(queue, |event| event.token() == token);
    }
}

#[test]
fn failed_polls_of_the_driver_are_tried_again_or_told() {
    if !cfg!(debug_assertions) {
        return;
    }
    for when in ["submit", "complete"] {
        for which in ["1", "2", "3", "/2", "/3", "/1"] {
            let plan = format!("{when} {which}");
            let start = Instant::now();
            let mut child = Command::new(env::current_exe().unwrap());
            child.args(["--exact", "everything_is_heard", "--ignored"]).env("MIO_FAIL_POLLS", &plan);
            let output = child.output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success() && text.contains("1 passed"), "plan {plan}: {text}");
            println!("{plan}: {:?}", start.elapsed());
        }
    }
}

#[test]
#[ignore = "run by the test above, with failures"]
fn everything_is_heard() {
    let mut queue = Poll::new().unwrap();
    streams(&mut queue);
    datagrams(&mut queue);
    another_thread(&mut queue);
    ends(&mut queue);
}

fn streams(queue: &mut Poll) {
    let mut listener = TcpListener::bind(localhost()).unwrap();
    queue.registry().register(&mut listener, Token(0), Interest::READABLE).unwrap();
    let triggers = [Trigger::Edge, Trigger::Level, Trigger::OneShot];
    for trigger in triggers {
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        queue.registry().register_with(&mut client, Token(1), BOTH, trigger).unwrap();
        let (mut server, _) = hear(queue, Token(0), || listener.accept());
        assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
        queue.registry().register_with(&mut server, Token(2), Interest::READABLE, trigger).unwrap();
        for _ in 0..10 {
            if trigger == Trigger::OneShot {
                queue.registry().reregister_with(&mut client, Token(1), BOTH, trigger).unwrap();
                queue.registry().reregister_with(&mut server, Token(2), Interest::READABLE, trigger).unwrap();
            }
            let registry = queue.registry().try_clone().unwrap();
            exchange(queue, &registry, trigger, (&client, Token(1)), (&mut server, Token(2)));
        }
    }
}

/// A message there and back.
fn exchange(
    queue: &mut Poll,
    registry: &Registry,
    trigger: Trigger,
    (client, client_token): (&TcpStream, Token),
    (server, server_token): (&mut TcpStream, Token),
) {
    let mut client = client;
    hear(queue, client_token, || client.write(b"there"));
    let mut buffer = [0; 16];
    let count = hear(queue, server_token, || {
        server.read(&mut buffer).inspect_err(|_| {
            if trigger == Trigger::OneShot {
                registry.reregister_with(server, server_token, Interest::READABLE, trigger).unwrap();
            }
        })
    });
    assert_eq!(&buffer[..count], b"there");
    server.write_all(b"back").unwrap();
    if trigger != Trigger::OneShot {
        assert_eq!(hear(queue, client_token, || client.read(&mut buffer)), 4);
    } else {
        while client.read(&mut buffer).is_err() {
            thread::yield_now();
        }
    }
}

fn datagrams(queue: &mut Poll) {
    let mut socket = UdpSocket::bind(localhost()).unwrap();
    let sender = net::UdpSocket::bind(localhost()).unwrap();
    for _ in 0..5 {
        queue.registry().register(&mut socket, Token(3), Interest::READABLE).unwrap();
        for _ in 0..5 {
            sender.send_to(b"x", socket.local_addr().unwrap()).unwrap();
            assert_eq!(hear(queue, Token(3), || socket.recv(&mut [0; 8])), 1);
        }
        queue.registry().reregister(&mut socket, Token(3), BOTH).unwrap();
        poll_until(queue, |event| event.token() == Token(3) && event.is_writable());
        queue.registry().deregister(&mut socket).unwrap();
    }
}

/// A registration during a poll is submitted at once: there an error is the caller's, and leaves no registration behind.
fn another_thread(queue: &mut Poll) {
    let registry = queue.registry().try_clone().unwrap();
    thread::scope(|scope| {
        let registering = scope.spawn(|| {
            let mut sockets = Vec::new();
            for _ in 0..20 {
                let mut socket = UdpSocket::bind(localhost()).unwrap();
                thread::sleep(Duration::from_millis(1));
                match registry.register(&mut socket, Token(4), Interest::READABLE) {
                    Ok(()) => {
                        socket.send_to(b"x", socket.local_addr().unwrap()).unwrap();
                        sockets.push(socket);
                    }
                    Err(error) => {
                        assert_eq!(error.kind(), std::io::Error::from_raw_os_error(1450).kind(), "{error:?}");
                        let error = registry.deregister(&mut socket).unwrap_err();
                        assert_eq!(error.kind(), ErrorKind::NotFound);
                    }
                }
            }
            sockets
        });
        let mut events = Events::with_capacity(16);
        while !registering.is_finished() {
            queue.poll(&mut events, Some(Duration::from_millis(20))).unwrap();
        }
        for socket in registering.join().unwrap() {
            assert_eq!(hear(queue, Token(4), || socket.recv(&mut [0; 8])), 1);
        }
    });
}

fn ends(queue: &mut Poll) {
    let listener = net::TcpListener::bind(localhost()).unwrap();
    for by_reset in [false, true] {
        let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (other, _) = listener.accept().unwrap();
        queue.registry().register(&mut stream, Token(5), BOTH).unwrap();
        poll_until(queue, |event| event.token() == Token(5) && event.is_writable());
        if by_reset {
            socket2::SockRef::from(&other).set_linger(Some(Duration::ZERO)).unwrap();
        }
        drop(other);
        // An error, or the end.
        let end = loop {
            match stream.read(&mut [0; 8]) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    poll_until(queue, |event| event.token() == Token(5) && event.is_readable());
                }
                end => break end,
            }
        };
        assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
    }
    // Nobody listens at a client's address, and while the client lives, nobody else gets it.
    let listener = net::TcpListener::bind(localhost()).unwrap();
    let client = net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let mut stream = TcpStream::connect(client.local_addr().unwrap()).unwrap();
    queue.registry().register(&mut stream, Token(6), BOTH).unwrap();
    let start = Instant::now();
    while stream.take_error().unwrap().is_none() {
        assert!(start.elapsed() < GUARD, "the refusal is not told");
        poll_until(queue, |event| event.token() == Token(6));
        if stream.peer_addr().is_err() && stream.write(b"").is_err() {
            // As after any spurious event: it goes on waiting.
            let _ = stream.try_io_for(Interest::WRITABLE, || Err::<(), _>(ErrorKind::WouldBlock.into()));
        }
    }
}
