//! Several threads share pipes and use every call, while another one polls the queue, and pipes and queue are dropped in any
//! order. Nothing may hang, nothing may be freed while the kernel uses it, and no handle may stay behind.
//!
//! It takes `MIO_STRESS_SECONDS` seconds, or five if that is not set.

#![cfg(windows)]
#![allow(unsafe_code)]

use std::env;
use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::{AsHandle, FromRawHandle, IntoRawHandle, OwnedHandle};
use std::process;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use mio::event::Source;
use mio::windows::{NamedPipe, Waitable};
use mio::{Events, Interest, Poll, Registry, Token, Trigger};
use windows_sys::Win32::Storage::FileSystem::FILE_FLAG_OVERLAPPED;
use windows_sys::Win32::System::Threading::{CreateEventW, GetCurrentProcess, GetProcessHandleCount};

const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);
const GUARD: Duration = Duration::from_secs(60);
const PAIRS: usize = 4;
const THREADS: usize = 3;

fn client(name: &str) -> NamedPipe {
    let file = OpenOptions::new().read(true).write(true).custom_flags(FILE_FLAG_OVERLAPPED).open(name).unwrap();
    // SAFETY: the file was opened for overlapped I/O, and gives up its handle here.
    unsafe { NamedPipe::from_raw_handle(file.into_raw_handle()) }
}

fn handles() -> u32 {
    let mut count = 0;
    // SAFETY: there is room for the count.
    assert_ne!(unsafe { GetProcessHandleCount(GetCurrentProcess(), &mut count) }, 0);
    count
}

/// Returns both ends of a pipe, registered. Every other server already waits for its client when the client comes.
fn pair(registry: &Registry, number: usize) -> [Arc<NamedPipe>; 2] {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let name = format!(r"\\.\pipe\mio-pipe-stress-{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let mut server = NamedPipe::new(&name).unwrap();
    server.register(registry, Token(number), BOTH).unwrap();
    if number % 2 == 0 {
        let _ = server.connect();
    }
    let mut client = client(&name);
    client.register(registry, Token(PAIRS + number), BOTH).unwrap();
    [server, client].map(Arc::new)
}

/// What a call returns does not matter here, but it must return.
fn work([server, client]: &[Arc<NamedPipe>; 2], step: usize) {
    let (mut server, mut client) = (&**server, &**client);
    let mut buffer = [0; 64];
    match step % 11 {
        0 => drop(server.connect()),
        1 | 2 => drop(server.read(&mut buffer)),
        3 | 4 => drop(client.read(&mut buffer)),
        5 => drop(server.write(&buffer)),
        6 => drop(client.write(&buffer)),
        7 if step % 5 == 0 => drop(server.write(&[0; 100_000])),
        8 if step % 7 == 0 => drop(server.disconnect()),
        9 => drop(server.take_error()),
        _ if step % 13 == 0 => drop(client.write(&[0; 100_000])),
        _ => {}
    }
}

fn round(number: usize) {
    let mut queue = Poll::new().unwrap();
    let registry = queue.registry().try_clone().unwrap();
    let mut events = Events::with_capacity(4);
    let pairs: Vec<_> = (0..PAIRS).map(|number| pair(&registry, number)).collect();
    // SAFETY: the call takes no attributes and no name.
    let event = unsafe { OwnedHandle::from_raw_handle(CreateEventW(ptr::null(), 0, 0, ptr::null())) };
    let mut signal = Waitable::new(event.as_handle());
    signal.register_with(&registry, Token(99), Interest::READABLE, Trigger::Level).unwrap();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (mut pairs, stop, number) = (pairs.clone(), &stop, number);
            scope.spawn(move || {
                let mut step = number.wrapping_mul(31) + thread * 7;
                while !stop.load(Ordering::Relaxed) {
                    step = step.wrapping_mul(5).wrapping_add(3);
                    work(&pairs[(step >> 4) % PAIRS], step >> 8);
                }
                // The last thread that drops a pipe closes it, in the midst of the others' I/O.
                while let Some(pair) = pairs.pop() {
                    work(&pair, step);
                    pairs.iter().for_each(|pair| work(pair, step + 1));
                }
            });
        }
        let start = Instant::now();
        let time = Duration::from_millis(1 + number as u64 % 15);
        while start.elapsed() < time {
            queue.poll(&mut events, Some(Duration::from_millis(1))).unwrap();
        }
        drop(pairs);
        match number % 4 {
            0 => drop((queue, registry)),
            1 => drop((registry, signal)),
            2 => stop.store(true, Ordering::Relaxed),
            _ => {
                stop.store(true, Ordering::Relaxed);
                // Another thread drops these at the same time.
                scope.spawn(move || drop((signal, registry, queue)));
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn pipes_and_their_queue_go_in_any_order_under_io_from_several_threads() {
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
    (0..20).for_each(round);
    let before = handles();
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(seconds) {
        round(ROUNDS.fetch_add(1, Ordering::Relaxed));
    }
    println!("{} rounds", ROUNDS.load(Ordering::Relaxed));
    // Threads give back their resources a little after they were joined.
    let start = Instant::now();
    while handles() > before + 20 {
        assert!(start.elapsed() < Duration::from_secs(10), "handles: {before} became {}", handles());
        thread::sleep(Duration::from_millis(10));
    }
}
