//! Polls of the driver AFD fail, for example for lack of memory. No source may fall silent, and nobody may wait for ever.
//!
//! Debug builds of the crate have a switch for that, `MIO_FAIL_POLLS`, which a process reads once. So each plan of failures has
//! a process of its own, which runs `everything_is_heard` or `everything_has_its_turn`.

#![cfg(windows)]

use std::env;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Read, Write};
use std::net::{self, SocketAddr};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::net::{TcpListener, TcpStream, UdpSocket};
use mio::windows::{NamedPipe, Waitable};
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

/// Repeats I/O until it succeeds. After each `WouldBlock` it waits for an event.
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
    for when in ["submit", "complete"] {
        for which in ["1", "2", "3", "/2", "/3", "/1"] {
            run("everything_is_heard", &format!("{when} {which}"));
        }
    }
}

#[test]
fn sockets_whose_polls_fail_starve_nothing_when_events_have_room_for_one() {
    run("everything_has_its_turn", "submit /1");
}

/// Runs a test of this file in a process whose polls fail according to the plan.
fn run(test: &str, plan: &str) {
    if !cfg!(debug_assertions) {
        return;
    }
    let start = Instant::now();
    let mut child = Command::new(env::current_exe().unwrap());
    child.args(["--exact", test, "--ignored"]).env("MIO_FAIL_POLLS", plan);
    let output = child.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "plan {plan}: {text}");
    println!("{plan}: {:?}", start.elapsed());
}

#[test]
#[ignore = "run by the tests above, with failures"]
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

/// Sends a message there and back.
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

/// A registration during a poll is submitted at once. If that fails, the caller gets the error, and no registration remains.
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
        // This is an error, or the end of the stream.
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
        assert!(start.elapsed() < GUARD, "the refusal is not reported");
        poll_until(queue, |event| event.token() == Token(6));
        if stream.peer_addr().is_err() && stream.write(b"").is_err() {
            // As after any spurious event, the program waits again.
            let _ = stream.try_io_for(Interest::WRITABLE, || Err::<(), _>(ErrorKind::WouldBlock.into()));
        }
    }
}

#[test]
#[ignore = "run by the tests above, with failures"]
fn everything_has_its_turn() {
    let mut queue = Poll::new().unwrap();
    let mut sockets = [(); 2].map(|()| UdpSocket::bind(localhost()).unwrap());
    for (number, socket) in sockets.iter_mut().enumerate() {
        queue.registry().register_with(socket, Token(number), Interest::WRITABLE, Trigger::Level).unwrap();
    }
    see(&mut queue, (0..2).map(Token), Duration::ZERO);
    // To a slow program, each poll comes after the time at which to try again.
    for pause in [Duration::ZERO, Duration::from_millis(20)] {
        let name = format!(r"\\.\pipe\mio-faults-{}-{}", std::process::id(), pause.as_millis());
        let mut pipe = NamedPipe::new(&name).unwrap();
        OpenOptions::new().write(true).open(&name).unwrap().write_all(b"x").unwrap();
        queue.registry().register(&mut pipe, Token(2), Interest::READABLE).unwrap();
        let mut ended = Waitable::new(Command::new("cmd").args(["/c", "exit"]).spawn().unwrap());
        ended.wait().unwrap();
        queue.registry().register_with(&mut ended, Token(3), Interest::READABLE, Trigger::Level).unwrap();
        see(&mut queue, (0..4).map(Token), pause);
    }
}

/// Polls, with pauses and room for one event, until each of the tokens has had an event.
fn see(queue: &mut Poll, tokens: impl Iterator<Item = Token>, pause: Duration) {
    let mut missing: Vec<_> = tokens.collect();
    let mut events = Events::with_capacity(1);
    let start = Instant::now();
    while !missing.is_empty() {
        assert!(start.elapsed() < GUARD, "no event comes for {missing:?}");
        queue.poll(&mut events, Some(GUARD)).unwrap();
        missing.retain(|&token| events.iter().all(|event| event.token() != token));
        thread::sleep(pause);
    }
}
