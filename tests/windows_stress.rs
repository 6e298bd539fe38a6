//! Many threads register, drop and close sources while another one polls. No event may be lost or come too late, and nothing
//! may stay behind.
//!
//! It takes `MIO_STRESS_SECONDS` seconds, or five if that is not set.

#![cfg(windows)]
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::HashMap;
use std::env;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Read, Write};
use std::net;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::{AsRawSocket, FromRawHandle, IntoRawHandle};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicIsize, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use mio::net::{TcpStream, UdpSocket};
use mio::windows::{NamedPipe, SourceSocket};
use mio::{Events, Interest, Poll, Registry, Token, Waker};
use windows_sys::Win32::Storage::FileSystem::FILE_FLAG_OVERLAPPED;
use windows_sys::Win32::System::Threading::{GetCurrentProcess, GetProcessHandleCount};

const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);
const WORKERS: usize = 4;
/// Any event takes less time than this; a lost one never comes.
const GUARD: Duration = Duration::from_secs(60);

/// The system's allocator, with a count of what it has given out.
struct Counting;

/// Blocks that have not been given back yet.
static ALLOCATED: AtomicIsize = AtomicIsize::new(0);
/// Blocks that were ever given out.
static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: this leaves everything to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(1, Ordering::Relaxed);
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        ALLOCATED.fetch_sub(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn handles() -> u32 {
    let mut count = 0;
    // SAFETY: there is room for the count.
    assert_ne!(unsafe { GetProcessHandleCount(GetCurrentProcess(), &mut count) }, 0);
    count
}

/// What workers and the poller know of the tokens. Each registration has a token of its own.
#[derive(Default)]
struct Board {
    /// How many events a live token has had. A token is removed when its source is deregistered or dropped.
    seen: Mutex<HashMap<usize, usize>>,
    /// How many polls have begun.
    polls: AtomicUsize,
    /// Tokens whose source was deregistered, with the number of polls that had begun by then.
    ended: Mutex<HashMap<usize, usize>>,
    next: AtomicUsize,
    late: AtomicUsize,
    events: AtomicUsize,
    rounds: AtomicUsize,
    /// Tells workers to end with their round.
    stop: AtomicBool,
    /// Tells the poller to end, because nobody waits for events any more.
    done: AtomicBool,
}

impl Board {
    fn token(&self) -> Token {
        let token = self.next.fetch_add(1, Ordering::Relaxed);
        self.seen.lock().unwrap().insert(token, 0);
        Token(token)
    }

    /// Waits until a token has had more events than `before`.
    fn await_event(&self, token: Token, before: usize) {
        let start = Instant::now();
        while self.count(token) <= before {
            assert!(start.elapsed() < GUARD, "an event was lost");
            thread::yield_now();
        }
    }

    /// Repeats I/O until it succeeds. After each failure it waits for an event, which shows whether one was lost.
    fn hear(&self, token: Token, mut io: impl FnMut() -> std::io::Result<usize>) {
        loop {
            let before = self.count(token);
            match io() {
                Ok(count) => return assert_ne!(count, 0),
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
            self.await_event(token, before);
        }
    }

    fn count(&self, token: Token) -> usize {
        self.seen.lock().unwrap()[&token.0]
    }

    /// Notes that the source of `token` was deregistered or dropped. A poll that begins after that must not report the token.
    fn end(&self, token: Token) {
        let polls = self.polls.load(Ordering::SeqCst);
        self.ended.lock().unwrap().insert(token.0, polls);
        self.seen.lock().unwrap().remove(&token.0);
    }

    fn poll(&self, mut queue: Poll) {
        let mut events = Events::with_capacity(8);
        while !self.done.load(Ordering::Relaxed) {
            let number = self.polls.fetch_add(1, Ordering::SeqCst) + 1;
            queue.poll(&mut events, Some(Duration::from_millis(100))).unwrap();
            let mut seen = self.seen.lock().unwrap();
            let mut ended = self.ended.lock().unwrap();
            for event in &events {
                self.events.fetch_add(1, Ordering::Relaxed);
                match (seen.get_mut(&event.token().0), ended.get(&event.token().0)) {
                    (_, Some(&by)) if number > by => drop(self.late.fetch_add(1, Ordering::Relaxed)),
                    (Some(count), _) => *count += 1,
                    _ => {}
                }
            }
            // Tokens that ended long before this poll have had their chance to be late.
            ended.retain(|_, by| *by + 16 > number);
        }
    }

    fn work(&self, registry: &Registry, waker: &Waker, seed: usize) {
        let mut round = seed;
        while !self.stop.load(Ordering::Relaxed) {
            round += 1;
            self.rounds.fetch_add(1, Ordering::Relaxed);
            match round % 4 {
                0 => self.streams(registry, round),
                1 => self.datagrams(registry, round),
                2 => self.bare(registry),
                _ => self.pipes(registry, round),
            }
            if round % 7 == 0 {
                waker.wake().unwrap();
            }
        }
    }

    fn streams(&self, registry: &Registry, round: usize) {
        let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let token = self.token();
        registry.register(&mut stream, token, BOTH).unwrap();
        let (mut other, _) = listener.accept().unwrap();
        self.await_event(token, 0);
        for _ in 0..5 {
            other.write_all(b"x").unwrap();
            self.hear(token, || stream.read(&mut [0; 8]));
        }
        // This registers anew, while the old registration's poll is in flight or done.
        let token = self.renew(token, |new| registry.reregister(&mut stream, new, BOTH).unwrap());
        self.await_event(token, 0);
        match round % 3 {
            0 => {
                registry.deregister(&mut stream).unwrap();
                self.end(token);
                let _ = other.write_all(b"nobody hears that");
            }
            1 => {
                drop(other);
                drop(stream);
                self.end(token);
            }
            _ => {
                socket2::SockRef::from(&other).set_linger(Some(Duration::ZERO)).unwrap();
                drop(other);
                drop(stream);
                self.end(token);
            }
        }
    }

    fn datagrams(&self, registry: &Registry, round: usize) {
        let mut socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let sender = net::UdpSocket::bind("127.0.0.1:0").unwrap();
        for _ in 0..3 {
            let token = self.token();
            registry.register(&mut socket, token, Interest::READABLE).unwrap();
            for _ in 0..3 {
                sender.send_to(b"x", socket.local_addr().unwrap()).unwrap();
                self.hear(token, || socket.recv(&mut [0; 8]));
            }
            registry.deregister(&mut socket).unwrap();
            self.end(token);
        }
        let token = self.token();
        registry.register(&mut socket, token, Interest::READABLE).unwrap();
        if round % 2 == 0 {
            sender.send_to(b"x", socket.local_addr().unwrap()).unwrap();
        }
        drop(socket);
        self.end(token);
    }

    fn bare(&self, registry: &Registry) {
        let socket = net::UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        let raw = socket.as_raw_socket();
        let mut token = self.token();
        registry.register(&mut SourceSocket(&raw), token, Interest::READABLE).unwrap();
        for _ in 0..5 {
            socket.send_to(b"x", socket.local_addr().unwrap()).unwrap();
            self.await_event(token, 0);
            while socket.recv(&mut [0; 8]).is_ok() {}
            token = self.renew(token, |new| {
                registry.reregister(&mut SourceSocket(&raw), new, Interest::READABLE).unwrap();
            });
        }
        registry.deregister(&mut SourceSocket(&raw)).unwrap();
        self.end(token);
    }

    fn pipes(&self, registry: &Registry, round: usize) {
        let (server_token, client_token) = (self.token(), self.token());
        let name = format!(r"\\.\pipe\mio-stress-{}-{}", std::process::id(), server_token.0);
        let mut server = NamedPipe::new(&name).unwrap();
        registry.register(&mut server, server_token, BOTH).unwrap();
        let connecting = server.connect();
        let mut client = client(&name);
        registry.register(&mut client, client_token, BOTH).unwrap();
        assert_eq!(connecting.unwrap_err().kind(), ErrorKind::WouldBlock);
        self.await_event(server_token, 0);
        self.await_event(client_token, 0);
        for _ in 0..5 {
            self.hear(client_token, || client.write(b"x"));
            self.hear(server_token, || server.read(&mut [0; 8]));
        }
        // This is more than fits, so the write is in flight when the pipe is dropped.
        if round % 3 == 0 {
            let _ = server.write(&[0; 100_000]);
        }
        if round % 2 == 0 {
            registry.deregister(&mut client).unwrap();
        }
        drop(client);
        self.end(client_token);
        drop(server);
        self.end(server_token);
    }

    /// Changes a registration's token.
    fn renew(&self, old: Token, change: impl FnOnce(Token)) -> Token {
        let new = self.token();
        change(new);
        self.end(old);
        new
    }
}

fn storm(time: Duration) {
    let queue = Poll::new().unwrap();
    let registry = queue.registry().try_clone().unwrap();
    let waker = Waker::new(&registry, Token(usize::MAX)).unwrap();
    let board = Board::default();
    thread::scope(|scope| {
        scope.spawn(|| board.poll(queue));
        let workers: Vec<_> = (0..WORKERS)
            .map(|seed| {
                let (board, registry, waker) = (&board, &registry, &waker);
                scope.spawn(move || board.work(registry, waker, seed))
            })
            .collect();
        thread::sleep(time);
        board.stop.store(true, Ordering::Relaxed);
        // The poller runs until all workers have had the events that they wait for.
        let failed = workers.into_iter().filter_map(|worker| worker.join().err()).count();
        board.done.store(true, Ordering::Relaxed);
        assert_eq!(failed, 0, "workers that failed");
    });
    assert_eq!(board.late.load(Ordering::Relaxed), 0, "events after deregistering");
    let (rounds, events) = (board.rounds.load(Ordering::Relaxed), board.events.load(Ordering::Relaxed));
    println!("{rounds} rounds, {events} events");
    assert!(rounds > 0 && events > 0);
}

/// Once all of it has happened before, registering, polling and I/O allocate nothing.
fn steady_state() {
    let mut queue = Poll::new().unwrap();
    let mut events = Events::with_capacity(16);
    let mut socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    let name = format!(r"\\.\pipe\mio-steady-{}", std::process::id());
    let mut server = NamedPipe::new(&name).unwrap();
    let mut client = client(&name);
    queue.registry().register(&mut server, Token(1), BOTH).unwrap();
    queue.registry().register(&mut client, Token(2), BOTH).unwrap();
    let mut round = || {
        queue.registry().register(&mut socket, Token(0), Interest::READABLE).unwrap();
        socket.send_to(b"x", address).unwrap();
        while socket.recv(&mut [0; 8]).is_err() {
            queue.poll(&mut events, Some(GUARD)).unwrap();
        }
        queue.registry().reregister(&mut socket, Token(0), BOTH).unwrap();
        queue.registry().deregister(&mut socket).unwrap();
        while client.write(&[1; 100]).is_err() {
            queue.poll(&mut events, Some(GUARD)).unwrap();
        }
        while server.read(&mut [0; 100]).is_err() {
            queue.poll(&mut events, Some(GUARD)).unwrap();
        }
        queue.poll(&mut events, Some(Duration::ZERO)).unwrap();
    };
    (0..100).for_each(|_| round());
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    (0..500).for_each(|_| round());
    assert_eq!(ALLOCATIONS.load(Ordering::Relaxed) - before, 0, "allocations in the steady state");
}

fn client(name: &str) -> NamedPipe {
    let file = OpenOptions::new().read(true).write(true).custom_flags(FILE_FLAG_OVERLAPPED).open(name).unwrap();
    // SAFETY: the file was opened for overlapped I/O, and gives up its handle here.
    unsafe { NamedPipe::from_raw_handle(file.into_raw_handle()) }
}

/// There is one test alone, since it counts what the whole process does.
#[test]
fn churn_loses_no_event_gives_none_too_late_and_leaves_nothing_behind() {
    // What the standard library allocates only once is allocated after this.
    thread::spawn(steady_state).join().unwrap();
    storm(Duration::from_secs(1));

    let before = (ALLOCATED.load(Ordering::Relaxed), handles());
    let seconds = env::var("MIO_STRESS_SECONDS").map_or(5, |seconds| seconds.parse().unwrap());
    storm(Duration::from_secs(seconds));
    // Threads give back their resources a little after they were joined.
    let start = Instant::now();
    loop {
        let after = (ALLOCATED.load(Ordering::Relaxed), handles());
        if after == before {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(10), "blocks of memory and handles: {before:?} became {after:?}");
        thread::sleep(Duration::from_millis(10));
    }
}
