//! Runs a server and thousands of clients that treat it badly, for as long as you like: they stall, flood, half-close and
//! reset.
//!
//! ```sh
//! cargo run --release --example soak --features os-poll,net -- --connections 5000 --seconds 600
//! ```
//!
//! The server echoes, and each client knows the value of every byte that it has to get back. The program fails if a byte is
//! wrong or missing. It also fails if, after all clients have left, the process holds more descriptors than before, or too much
//! memory.

use std::collections::{HashSet, VecDeque};
use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token, Waker};

mod cli;

const USAGE: &str = "\
usage: soak [--connections COUNT] [--seconds SECONDS]

Serves COUNT ill-behaved clients (default 5000) for SECONDS (default 60), and checks every byte,
every descriptor, and the memory.";

const LISTENER: Token = Token(usize::MAX);
const WAKER: Token = Token(usize::MAX - 1);

/// How much a connection reads or writes at a time, and how often before the next one gets its turn.
const CHUNK: usize = 16 * 1024;
const TURNS: usize = 4;

/// How many turns there are before the loop looks for new events.
const BATCH: usize = 64;

/// How often the loop looks at clients that pause.
const TICK: Duration = Duration::from_millis(50);

/// The time by which all clients must have left after the end.
const FAREWELL: Duration = Duration::from_secs(60);

/// How much the memory may grow from the time when nine tenths of the connections first exist until all of them are gone.
const LEAK: usize = 64 << 20;

fn main() -> ExitCode {
    cli::run(USAGE, run)
}

fn run(arguments: Vec<String>) -> cli::Outcome {
    let (mut connections, mut seconds) = (5000, 60);
    let mut arguments = arguments.iter();
    while let Some(name) = arguments.next() {
        match &name[..] {
            "--connections" => connections = number(name, arguments.next())?,
            "--seconds" => seconds = number(name, arguments.next())?,
            _ => return Err(format!("unexpected argument `{name}`; `--help` lists the arguments").into()),
        }
    }
    rlimit::increase_nofile_limit(u64::MAX)?;

    let before = descriptors();
    let stop = Arc::new(AtomicBool::new(false));
    let served = Arc::new(AtomicUsize::new(0));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0).into())?;
    let address = listener.local_addr()?;
    let poll = Poll::new()?;
    let waker = Waker::new(poll.registry(), WAKER)?;
    let server = thread::spawn({
        let (stop, served) = (Arc::clone(&stop), Arc::clone(&served));
        move || serve(poll, listener, &stop, &served).map_err(|error| error.to_string())
    });

    let outcome = Clients::new(address, connections)?.run(Duration::from_secs(seconds), &served);
    stop.store(true, Ordering::SeqCst);
    waker.wake()?;
    server.join().expect("the server panicked")?;
    drop(waker);
    let summary = outcome?;

    println!("{summary:#?}");
    let (after, memory) = (descriptors(), memory());
    println!("descriptors: {before:?} before, {after:?} after; resident bytes after: {memory:?}");
    if after > before {
        return Err("descriptors leaked".into());
    }
    if let (Some(full), Some(after)) = (summary.memory_when_full, memory) {
        if after > full + LEAK {
            return Err("memory leaked".into());
        }
    }
    Ok(())
}

fn number<T: std::str::FromStr>(name: &str, value: Option<&String>) -> Result<T, String> {
    value.and_then(|value| value.parse().ok()).ok_or_else(|| format!("`{name}` needs a number"))
}

/// Returns how many descriptors this process holds, where that can be found out. (Wine has this folder as well, but another
/// process opens it there, so its descriptors are not those of this program.)
fn descriptors() -> Option<usize> {
    if cfg!(windows) { None } else { Some(fs::read_dir("/proc/self/fd").ok()?.count()) }
}

/// Returns how many bytes of memory this process has resident, where that can be found out.
fn memory() -> Option<usize> {
    let pages: usize = fs::read_to_string("/proc/self/statm").ok()?.split(' ').nth(1)?.parse().ok()?;
    if cfg!(windows) { None } else { Some(pages * 4096) }
}

/// What a connection needs after its turn.
#[derive(PartialEq, Eq)]
enum Next {
    /// It waits for an event.
    Wait,
    /// It needs another turn.
    Turn,
    Close,
}

/// The connections that get a turn, each once.
#[derive(Default)]
struct Turns {
    places: VecDeque<usize>,
    waiting: HashSet<usize>,
}

impl Turns {
    fn push(&mut self, place: usize) {
        if self.waiting.insert(place) {
            self.places.push_back(place);
        }
    }

    fn pop(&mut self) -> Option<usize> {
        let place = self.places.pop_front()?;
        self.waiting.remove(&place);
        Some(place)
    }

    /// Returns how long to wait for events: not at all if a connection has its turn, and as long as `otherwise` if none has.
    fn timeout(&self, otherwise: Option<Duration>) -> Option<Duration> {
        if self.places.is_empty() { otherwise } else { Some(Duration::ZERO) }
    }
}

// This is the server.

struct Echo {
    stream: TcpStream,
    unsent: Vec<u8>,
    ended: bool,
}

fn serve(mut poll: Poll, mut listener: TcpListener, stop: &AtomicBool, served: &AtomicUsize) -> io::Result<()> {
    let mut events = Events::with_capacity(1024);
    let mut places: Vec<Option<Echo>> = Vec::new();
    let mut free = Vec::new();
    let mut turns = Turns::default();
    let mut buffer = vec![0; CHUNK];
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    while !stop.load(Ordering::SeqCst) {
        wait(&mut poll, &mut events, turns.timeout(None))?;
        for event in &events {
            match event.token() {
                WAKER => {}
                LISTENER => accept(&poll, &listener, &mut places, &mut free)?,
                // An event of a connection that has left has no effect, or gives another connection an unnecessary turn.
                Token(place) => turns.push(place),
            }
        }
        for _ in 0..BATCH {
            let Some(place) = turns.pop() else { break };
            let Some(echo) = &mut places[place] else { continue };
            match echo.turn(&mut buffer).unwrap_or(Next::Close) {
                Next::Wait => {}
                Next::Turn => turns.push(place),
                Next::Close => {
                    places[place] = None;
                    free.push(place);
                }
            }
        }
        served.store(places.len() - free.len(), Ordering::SeqCst);
    }
    Ok(())
}

fn accept(
    poll: &Poll,
    listener: &TcpListener,
    places: &mut Vec<Option<Echo>>,
    free: &mut Vec<usize>,
) -> io::Result<()> {
    loop {
        match listener.accept() {
            Ok((mut stream, _)) => {
                let place = free.pop().unwrap_or_else(|| {
                    places.push(None);
                    places.len() - 1
                });
                poll.registry().register(&mut stream, Token(place), Interest::READABLE | Interest::WRITABLE)?;
                places[place] = Some(Echo { stream, unsent: Vec::new(), ended: false });
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            // The client has reset the connection before the server accepted it.
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset) => {}
            Err(error) => return Err(error),
        }
    }
}

impl Echo {
    fn turn(&mut self, buffer: &mut [u8]) -> io::Result<Next> {
        for _ in 0..TURNS {
            if !self.unsent.is_empty() {
                let Some(count) = unless_blocked(self.stream.write(&self.unsent))? else { return Ok(Next::Wait) };
                self.unsent.drain(..count);
            } else if self.ended {
                return Ok(Next::Close);
            } else {
                let Some(count) = unless_blocked(self.stream.read(buffer))? else {
                    self.unsent = Vec::new();
                    return Ok(Next::Wait);
                };
                self.unsent.extend_from_slice(&buffer[..count]);
                self.ended = count == 0;
            }
        }
        Ok(Next::Turn)
    }
}

// These are the clients.

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Manner {
    /// Sends a little, waits for it to come back, and pauses.
    Polite,
    /// Sends as much as it can, and reads at the same time.
    Floods,
    /// Sends until there is no more room, and reads only after a long pause.
    Stalls,
    /// Shuts down its writing side right after sending, and then reads the rest.
    HalfCloses,
    /// Resets the connection when it has sent half.
    Resets,
}

impl Manner {
    /// Returns what the client with this number does.
    fn of(number: u64) -> Manner {
        match number % 16 {
            0 => Manner::Floods,
            1 | 2 => Manner::Stalls,
            3 | 4 => Manner::HalfCloses,
            5 => Manner::Resets,
            _ => Manner::Polite,
        }
    }

    /// Returns how many bytes it sends.
    fn amount(self) -> u64 {
        match self {
            Manner::Polite => 40_000,
            Manner::HalfCloses | Manner::Resets => 100_000,
            Manner::Stalls => 500_000,
            Manner::Floods => 20_000_000,
        }
    }

    /// Returns how many bytes may be on their way.
    fn window(self) -> u64 {
        match self {
            Manner::Polite => 4000,
            Manner::Floods => 250_000,
            _ => u64::MAX,
        }
    }
}

/// Returns the byte at a position in the stream of the client with this number.
fn byte(number: u64, position: u64) -> u8 {
    ((number.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ position).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
}

struct Client {
    stream: TcpStream,
    number: u64,
    manner: Manner,
    /// How many bytes it is going to send.
    amount: u64,
    sent: u64,
    received: u64,
    shut: bool,
    pause: Option<Instant>,
    /// It has already paused, and does not pause again.
    paused: bool,
}

/// What has happened so far.
#[derive(Debug, Default)]
struct Summary {
    completed: u64,
    reset: u64,
    bytes_checked: u64,
    pauses: u64,
    most_connections_served: usize,
    memory_when_full: Option<usize>,
}

struct Clients {
    poll: Poll,
    address: SocketAddr,
    places: Vec<Option<Client>>,
    turns: Turns,
    next_number: u64,
    buffer: Vec<u8>,
    summary: Summary,
}

impl Clients {
    fn new(address: SocketAddr, connections: usize) -> io::Result<Clients> {
        Ok(Clients {
            poll: Poll::new()?,
            address,
            places: (0..connections).map(|_| None).collect(),
            turns: Turns::default(),
            next_number: 0,
            buffer: vec![0; CHUNK],
            summary: Summary::default(),
        })
    }

    fn run(mut self, time: Duration, served: &AtomicUsize) -> Result<Summary, String> {
        let mut events = Events::with_capacity(1024);
        let mut end = Instant::now() + time;
        let mut tick = Instant::now();
        let mut going_on = true;
        loop {
            let now = Instant::now();
            if going_on && now >= end && self.were_full() {
                (going_on, end) = (false, now);
                self.call_it_a_day();
            }
            if now >= tick {
                tick = now + TICK;
                self.look_around(going_on);
                let served = served.load(Ordering::SeqCst);
                self.summary.most_connections_served = self.summary.most_connections_served.max(served);
                if self.were_full() && self.summary.memory_when_full.is_none() {
                    self.summary.memory_when_full = memory();
                }
            }
            if !going_on && self.places.iter().all(Option::is_none) && served.load(Ordering::SeqCst) == 0 {
                return Ok(self.summary);
            }
            if now > end + FAREWELL && going_on {
                return Err("nine tenths of the connections were never there at a time".into());
            }
            if now > end + FAREWELL {
                let stuck = self
                    .places
                    .iter()
                    .flatten()
                    .next()
                    .map(|client| (client.number, client.manner, client.sent, client.received, client.shut));
                return Err(format!("connections that do not end, such as {stuck:?}"));
            }
            let timeout = self.turns.timeout(Some(TICK));
            wait(&mut self.poll, &mut events, timeout).map_err(|error| error.to_string())?;
            events.iter().for_each(|event| self.turns.push(event.token().0));
            for _ in 0..BATCH {
                let Some(place) = self.turns.pop() else { break };
                self.turn(place)?;
            }
        }
    }

    /// Returns whether as many connections have existed at a time as can be expected. Some clients are always between one
    /// connection and the next.
    fn were_full(&self) -> bool {
        self.summary.most_connections_served >= self.places.len() * 9 / 10
    }

    /// Makes all clients stop sending.
    fn call_it_a_day(&mut self) {
        for (place, client) in self.places.iter_mut().enumerate() {
            if let Some(client) = client {
                client.amount = client.sent;
                self.turns.push(place);
            }
        }
    }

    /// Gives a turn to the clients whose pause is over, and opens new connections in place of those that have ended.
    fn look_around(&mut self, open: bool) {
        let now = Instant::now();
        // The backlog does not hold more at a time.
        let mut room = 100;
        for place in 0..self.places.len() {
            match &mut self.places[place] {
                Some(client) if client.pause.is_some_and(|until| until <= now) => {
                    client.pause = None;
                    self.turns.push(place);
                }
                None if open && room > 0 => {
                    room -= 1;
                    // If this fails for lack of a port, the next tick tries again.
                    self.places[place] = self.connect(place).ok();
                }
                _ => {}
            }
        }
    }

    fn connect(&mut self, place: usize) -> io::Result<Client> {
        let mut stream = TcpStream::connect(self.address)?;
        self.poll.registry().register(&mut stream, Token(place), Interest::READABLE | Interest::WRITABLE)?;
        let number = self.next_number;
        self.next_number += 1;
        let manner = Manner::of(number);
        let amount = manner.amount();
        Ok(Client { stream, number, manner, amount, sent: 0, received: 0, shut: false, pause: None, paused: false })
    }

    fn turn(&mut self, place: usize) -> Result<(), String> {
        let Some(client) = &mut self.places[place] else { return Ok(()) };
        if client.pause.is_some() {
            return Ok(());
        }
        let (number, manner, before) = (client.number, client.manner, client.received);
        let next = client.turn(&mut self.buffer);
        self.summary.bytes_checked += client.received - before;
        let next = next.map_err(|error| format!("client {number}, which {manner:?}: {error}"))?;
        self.summary.pauses += u64::from(client.pause.is_some());
        match next {
            Next::Wait => {}
            Next::Turn => self.turns.push(place),
            Next::Close => {
                let count =
                    if manner == Manner::Resets { &mut self.summary.reset } else { &mut self.summary.completed };
                *count += 1;
                self.places[place] = None;
            }
        }
        Ok(())
    }
}

impl Client {
    fn turn(&mut self, buffer: &mut [u8]) -> cli::Outcome<Next> {
        for _ in 0..TURNS {
            let wrote = self.write(buffer)?;
            if self.manner == Manner::Resets && self.sent >= self.amount / 2 {
                socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO))?;
                return Ok(Next::Close);
            }
            if self.manner == Manner::Stalls && !wrote && !self.paused {
                self.pause(Duration::from_secs(2));
                self.paused = true;
                return Ok(Next::Wait);
            }
            let holds_back = self.manner == Manner::HalfCloses && !self.shut;
            let received = if holds_back || self.manner == Manner::Stalls && !self.paused {
                None
            } else {
                unless_blocked(self.stream.read(buffer))?
            };
            match received {
                Some(0) if self.shut && self.received == self.amount => return Ok(Next::Close),
                Some(0) => return Err(format!("ends after {} of {} bytes", self.received, self.sent).into()),
                Some(count) => self.check(&buffer[..count])?,
                None if !wrote => return Ok(Next::Wait),
                None => {}
            }
            if self.manner == Manner::Polite && self.received == self.sent && !self.shut {
                self.pause(Duration::from_secs(1));
                return Ok(Next::Wait);
            }
        }
        Ok(Next::Turn)
    }

    fn pause(&mut self, time: Duration) {
        self.pause = Some(Instant::now() + time);
    }

    /// Writes what there is to write, and then ends the stream. Returns whether that has changed anything.
    fn write(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        let left = self.amount - self.sent;
        if left == 0 {
            if self.shut {
                return Ok(false);
            }
            match self.stream.shutdown(Shutdown::Write) {
                // The stream is still connecting.
                Err(error) if error.kind() == ErrorKind::NotConnected => return Ok(false),
                result => result?,
            }
            self.shut = true;
            return Ok(true);
        }
        let room = self.manner.window() - (self.sent - self.received).min(self.manner.window());
        let length = left.min(room).min(buffer.len() as u64) as usize;
        if length == 0 {
            return Ok(false);
        }
        for (position, slot) in (self.sent..).zip(&mut buffer[..length]) {
            *slot = byte(self.number, position);
        }
        match self.stream.write(&buffer[..length]) {
            // The stream is still connecting.
            Err(error) if error.kind() == ErrorKind::NotConnected => Ok(false),
            result => {
                let count = unless_blocked(result)?.unwrap_or(0);
                self.sent += count as u64;
                Ok(count > 0)
            }
        }
    }

    fn check(&mut self, bytes: &[u8]) -> Result<(), String> {
        for &got in bytes {
            let expected = byte(self.number, self.received);
            if got != expected || self.received >= self.sent {
                return Err(format!("byte {} is {got}, not {expected}", self.received));
            }
            self.received += 1;
        }
        Ok(())
    }
}

fn wait(poll: &mut Poll, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
    match poll.poll(events, timeout) {
        Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
        result => result,
    }
}

/// Converts the result of I/O, to `None` if it would block.
fn unless_blocked(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Ok(count) => Ok(Some(count)),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(None),
        Err(error) => Err(error),
    }
}
