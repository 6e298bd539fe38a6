//! A queue may be dropped at any time. Here, that happens again and again while other threads do I/O on its sources. None of
//! them may hang, and sockets must keep working without the queue.
//!
//! It takes `MIO_STRESS_SECONDS` seconds, or five if that is not set.

#![cfg(windows)]
#![allow(unsafe_code)]

use std::env;
use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{self, SocketAddr};
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::{FromRawHandle, IntoRawHandle};
use std::process;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use mio::event::Source;
use mio::net::{TcpListener, TcpStream, UdpSocket};
use mio::windows::NamedPipe;
use mio::{Events, Interest, Poll, Token, Waker};
use windows_sys::Win32::Storage::FileSystem::FILE_FLAG_OVERLAPPED;

const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);
const GUARD: Duration = Duration::from_secs(60);
/// A queue that ends gives up waiting for an operation after ten seconds. That counts as a hang as well.
const PATIENCE: Duration = Duration::from_secs(10);

fn localhost() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

fn client(name: &str) -> NamedPipe {
    let file = OpenOptions::new().read(true).write(true).custom_flags(FILE_FLAG_OVERLAPPED).open(name).unwrap();
    // SAFETY: the file was opened for overlapped I/O, and gives up its handle here.
    unsafe { NamedPipe::from_raw_handle(file.into_raw_handle()) }
}

/// Returns the two ends of a pipe, whose server may still be waiting for the client.
fn pipe() -> (NamedPipe, NamedPipe) {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let name = format!(r"\\.\pipe\mio-drop-{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let server = NamedPipe::new(&name).unwrap();
    let client = client(&name);
    (server, client)
}

/// The result of the I/O does not matter here, unless it is a failure without a cause.
fn tolerate<T>(result: io::Result<T>) {
    if let Err(error) = result {
        let expected = [ErrorKind::WouldBlock, ErrorKind::NotFound, ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
        let pipe = error.raw_os_error().is_some();
        assert!(pipe || expected.contains(&error.kind()), "{error:?}");
    }
}

/// Something on which a thread does I/O, with every possible call.
trait Busy: Send {
    fn register(&mut self, queue: &Poll);
    fn work(&mut self, round: usize);
}

struct Streams(TcpStream, net::TcpStream);

impl Busy for Streams {
    fn register(&mut self, queue: &Poll) {
        self.0.register(queue.registry(), Token(0), BOTH).unwrap();
    }

    fn work(&mut self, round: usize) {
        match round % 4 {
            0 => tolerate(self.0.read(&mut [0; 64])),
            1 => tolerate(self.0.write(b"x")),
            2 => tolerate(self.0.peek(&mut [0; 64])),
            _ => {
                tolerate(self.0.try_io::<_, ()>(|| Err(ErrorKind::WouldBlock.into())));
                tolerate(self.1.read(&mut [0; 64]));
                tolerate(self.1.write(b"y"));
            }
        }
    }
}

struct Datagrams(UdpSocket);

impl Busy for Datagrams {
    fn register(&mut self, queue: &Poll) {
        self.0.register(queue.registry(), Token(1), BOTH).unwrap();
    }

    fn work(&mut self, round: usize) {
        match round % 3 {
            0 => tolerate(self.0.recv_from(&mut [0; 64])),
            1 => tolerate(self.0.peek_from(&mut [0; 64])),
            _ => tolerate(self.0.send_to(b"x", self.0.local_addr().unwrap())),
        }
    }
}

struct Listener(TcpListener);

impl Busy for Listener {
    fn register(&mut self, queue: &Poll) {
        self.0.register(queue.registry(), Token(2), Interest::READABLE).unwrap();
    }

    fn work(&mut self, _round: usize) {
        tolerate(self.0.accept());
    }
}

struct Pipes(NamedPipe, NamedPipe);

impl Busy for Pipes {
    fn register(&mut self, queue: &Poll) {
        self.0.register(queue.registry(), Token(3), BOTH).unwrap();
        self.1.register(queue.registry(), Token(4), BOTH).unwrap();
    }

    fn work(&mut self, round: usize) {
        match round % 8 {
            0 => tolerate(self.0.connect()),
            1 | 3 => tolerate(self.0.read(&mut [0; 64])),
            2 => tolerate(self.1.write(b"x")),
            4 => tolerate(self.0.write(b"y")),
            5 => tolerate(self.1.read(&mut [0; 64])),
            6 => tolerate(self.0.take_error()),
            _ if round % 64 == 7 => tolerate(self.0.disconnect()),
            _ => {}
        }
    }
}

fn sources() -> Vec<Box<dyn Busy>> {
    let listener = net::TcpListener::bind(localhost()).unwrap();
    let other = net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (stream, _) = listener.accept().unwrap();
    stream.set_nonblocking(true).unwrap();
    other.set_nonblocking(true).unwrap();
    let (server, client) = pipe();
    vec![
        Box::new(Streams(TcpStream::from_std(stream), other)),
        Box::new(Datagrams(UdpSocket::bind(localhost()).unwrap())),
        Box::new(Listener(TcpListener::bind(localhost()).unwrap())),
        Box::new(Pipes(server, client)),
    ]
}

/// Drops a part of what shares a queue, and with the last part the queue itself.
fn end<T>(share: T) {
    let start = Instant::now();
    drop(share);
    let took = start.elapsed();
    if took >= PATIENCE {
        eprintln!("the end of the queue took {took:?}");
        process::exit(1);
    }
}

/// Takes one queue from its beginning to an end in the midst of I/O.
fn round(number: usize) {
    let mut queue = Poll::new().unwrap();
    let mut events = Events::with_capacity(4);
    let mut sources = sources();
    for source in &mut sources {
        source.register(&queue);
    }
    let waker = Waker::new(queue.registry(), Token(9)).unwrap();
    let registry = queue.registry().try_clone().unwrap();
    let (begun, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let count = sources.len();
    thread::scope(|scope| {
        for source in &mut sources {
            let (begun, stop) = (&begun, &stop);
            scope.spawn(move || {
                for round in 0.. {
                    source.work(round);
                    if round == 10 {
                        begun.fetch_add(1, Ordering::Relaxed);
                    }
                    if stop.load(Ordering::Relaxed) {
                        return (0..10).for_each(|more| source.work(round + more));
                    }
                }
            });
        }
        while begun.load(Ordering::Relaxed) < count {
            queue.poll(&mut events, Some(Duration::from_millis(1))).unwrap();
        }
        for _ in 0..number % 4 {
            queue.poll(&mut events, Some(Duration::ZERO)).unwrap();
        }
        // From round to round, another handle to the queue is the last one, in one thread or another.
        match number % 3 {
            0 => end((waker, registry, queue)),
            1 => {
                drop(waker);
                scope.spawn(move || end(registry));
                end(queue);
            }
            _ => {
                scope.spawn(move || {
                    waker.wake().unwrap();
                    end(waker);
                });
                end((queue, registry));
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_queue_can_be_dropped_while_other_threads_do_io() {
    static ROUNDS: AtomicUsize = AtomicUsize::new(0);
    let seconds = env::var("MIO_STRESS_SECONDS").map_or(5, |seconds| seconds.parse().unwrap());
    thread::spawn(|| {
        let mut last = (0, Instant::now());
        loop {
            thread::sleep(Duration::from_millis(100));
            let rounds = ROUNDS.load(Ordering::Relaxed);
            if rounds != last.0 {
                last = (rounds, Instant::now());
            } else if last.1.elapsed() > GUARD {
                // Threads that hang cannot be joined.
                eprintln!("round {rounds} hangs");
                process::exit(1);
            }
        }
    });
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(seconds) {
        round(ROUNDS.fetch_add(1, Ordering::Relaxed));
    }
    println!("{} rounds", ROUNDS.load(Ordering::Relaxed));
}
