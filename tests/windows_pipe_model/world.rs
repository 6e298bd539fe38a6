//! The model: what it knows of both ends, and what follows for calls and events.

use std::collections::VecDeque;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Read, Write};
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::{FromRawHandle, IntoRawHandle};
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use mio::windows::NamedPipe;
use mio::{Events, Interest, Poll, Token};
use windows_sys::Win32::Storage::FileSystem::FILE_FLAG_OVERLAPPED;

use crate::Step;

const SERVER: usize = 0;
const CLIENT: usize = 1;
const GUARD: Duration = Duration::from_secs(20);
/// With no more than this underway, a write completes even if nobody reads.
const ROOM: usize = 16 * 1024;

/// The state of the connection.
#[derive(Copy, Clone, Debug, PartialEq)]
enum Link {
    /// The server is new.
    Fresh,
    /// `connect` waits.
    Waiting,
    Linked,
    /// The client is gone.
    Left,
    /// The server has disconnected the client, which may still hold its end.
    Down,
}

/// One end.
#[derive(Default)]
struct End {
    pipe: Option<NamedPipe>,
    /// It belongs to a queue for good.
    associated: bool,
    registered: Option<Token>,
    /// Reading and writing: the next readiness is news.
    awaited: [bool; 2],
    /// What the other end has written and this one has not read.
    incoming: VecDeque<u8>,
    /// The server has disconnected this client.
    cut: bool,
}

struct World {
    queue: Poll,
    other: Poll,
    events: Events,
    name: String,
    ends: [End; 2],
    link: Link,
    /// The server knows of the link, or will learn of it by an event.
    known: bool,
    /// A client has come to a server that waits, and no event has reported that.
    arrival: bool,
    next_token: usize,
    next_byte: u8,
}

pub(crate) fn run(program: &[Step]) {
    let mut world = World::new();
    for step in program {
        world.step(step);
    }
    world.end(program.len());
}

fn server() -> (String, End) {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let name = format!(r"\\.\pipe\mio-model-{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let pipe = NamedPipe::new(&name).unwrap();
    (name, End { pipe: Some(pipe), ..End::default() })
}

impl World {
    fn new() -> World {
        let (name, server) = server();
        World {
            queue: Poll::new().unwrap(),
            other: Poll::new().unwrap(),
            events: Events::with_capacity(8),
            name,
            ends: [server, End::default()],
            link: Link::Fresh,
            known: false,
            arrival: false,
            next_token: 0,
            next_byte: 0,
        }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Connect => self.connect(),
            Step::Disconnect => self.disconnect(),
            Step::TakeError => assert!(self.ends[SERVER].pipe.as_ref().unwrap().take_error().unwrap().is_none()),
            Step::Open => self.open(),
            Step::DropClient => self.drop_client(),
            Step::Renew => {
                self.drop_client();
                let (name, server) = server();
                self.name = name;
                self.ends[SERVER] = server;
                self.link = Link::Fresh;
                (self.known, self.arrival) = (false, false);
            }
            Step::Register(end, interest) => self.register(end, interest),
            Step::Reregister(end, interest) => self.reregister(end, interest),
            Step::Deregister(end) => self.deregister(end),
            Step::Misuse(end) => self.misuse(end),
            Step::Read(end, length) => drop(self.read(end, length)),
            Step::Write(end, length) => self.write(end, length),
            Step::Poll => drop(self.poll(Duration::ZERO)),
            Step::Settle => self.settle(),
            Step::Exchange => self.exchange(),
        }
    }

    fn pipe(&self, end: usize) -> Option<&NamedPipe> {
        self.ends[end].pipe.as_ref()
    }

    fn connect(&mut self) {
        let result = self.pipe(SERVER).unwrap().connect().map_err(|error| error.kind());
        match (self.ends[SERVER].registered.is_some(), self.link) {
            // It goes on waiting, and in a `poll` that brings no event may find a client.
            (false, Link::Waiting) => assert_eq!(result, Err(ErrorKind::WouldBlock)),
            (false, _) if self.arrival && result == Err(ErrorKind::WouldBlock) => {}
            (false, _) => assert_eq!(result, Err(ErrorKind::NotFound)),
            (_, Link::Fresh | Link::Down | Link::Waiting) => {
                assert_eq!(result, Err(ErrorKind::WouldBlock));
                self.link = Link::Waiting;
                self.known = true;
            }
            (_, Link::Linked | Link::Left) => {
                // While the event is underway, `connect` does not know of the client either.
                assert!(result == Ok(()) || self.arrival && result == Err(ErrorKind::WouldBlock), "{result:?}");
                if result.is_ok() {
                    (self.known, self.arrival) = (true, false);
                    self.ends[SERVER].awaited = [true; 2];
                }
            }
        }
    }

    fn disconnect(&mut self) {
        let result = self.pipe(SERVER).unwrap().disconnect();
        match self.link {
            // Windows allows it; Wine does not.
            Link::Fresh if result.is_err() => return,
            Link::Fresh => {}
            Link::Down => assert!(result.is_err()),
            Link::Waiting | Link::Linked | Link::Left => result.unwrap(),
        }
        self.ends[CLIENT].cut |= self.link == Link::Linked;
        self.link = Link::Down;
        (self.known, self.arrival) = (false, false);
        self.ends[SERVER].awaited = [false; 2];
        self.ends[SERVER].incoming.clear();
    }

    fn open(&mut self) {
        if self.pipe(CLIENT).is_some() {
            return;
        }
        let file = OpenOptions::new().read(true).write(true).custom_flags(FILE_FLAG_OVERLAPPED).open(&self.name);
        let Ok(file) = file else {
            assert!(matches!(self.link, Link::Linked | Link::Left | Link::Down), "{:?}: {file:?}", self.link);
            return;
        };
        // SAFETY: the file was opened for overlapped I/O, and gives up its handle here.
        let pipe = unsafe { NamedPipe::from_raw_handle(file.into_raw_handle()) };
        self.ends[CLIENT] = End { pipe: Some(pipe), ..End::default() };
        // If the server has disconnected a client, the next one may come where that leaves the pipe listening, as on Wine.
        assert!(matches!(self.link, Link::Fresh | Link::Waiting | Link::Down));
        if self.link == Link::Waiting {
            self.arrival = true;
            self.ends[SERVER].awaited = [true; 2];
        }
        self.link = Link::Linked;
    }

    fn drop_client(&mut self) {
        if self.ends[CLIENT].pipe.is_none() {
            return;
        }
        if self.link == Link::Linked && !self.ends[CLIENT].cut {
            self.link = Link::Left;
        }
        self.ends[CLIENT] = End::default();
    }

    fn register(&mut self, end: usize, interest: Interest) {
        let token = self.token();
        let known = self.known || self.link == Link::Linked || self.link == Link::Left;
        let own = &mut self.ends[end];
        let Some(pipe) = &mut own.pipe else { return };
        let result = self.queue.registry().register(pipe, token, interest);
        if own.registered.is_some() {
            return assert_eq!(result.unwrap_err().kind(), ErrorKind::AlreadyExists);
        }
        result.unwrap();
        own.associated = true;
        own.registered = Some(token);
        own.awaited = [true; 2];
        if end == SERVER {
            self.known = known;
        }
    }

    fn reregister(&mut self, end: usize, interest: Interest) {
        let token = self.token();
        let known = self.known || self.link == Link::Linked || self.link == Link::Left;
        let own = &mut self.ends[end];
        let Some(pipe) = &mut own.pipe else { return };
        let result = self.queue.registry().reregister(pipe, token, interest);
        if !own.associated {
            return assert_eq!(result.unwrap_err().kind(), ErrorKind::NotFound);
        }
        result.unwrap();
        own.registered = Some(token);
        own.awaited = [true; 2];
        if end == SERVER {
            self.known = known;
        }
    }

    fn deregister(&mut self, end: usize) {
        let own = &mut self.ends[end];
        let Some(pipe) = &mut own.pipe else { return };
        match (self.queue.registry().deregister(pipe), own.registered.take()) {
            (result, Some(_)) => result.unwrap(),
            (result, None) => assert_eq!(result.unwrap_err().kind(), ErrorKind::NotFound),
        }
    }

    fn misuse(&mut self, end: usize) {
        let own = &mut self.ends[end];
        let Some(pipe) = &mut own.pipe else { return };
        let registry = self.other.registry();
        let expected = if own.associated { ErrorKind::AlreadyExists } else { ErrorKind::NotFound };
        for result in [registry.reregister(pipe, Token(0), Interest::READABLE), registry.deregister(pipe)] {
            assert_eq!(result.unwrap_err().kind(), expected);
        }
        if own.associated {
            let result = registry.register(pipe, Token(0), Interest::READABLE);
            assert_eq!(result.unwrap_err().kind(), ErrorKind::AlreadyExists);
        }
    }

    /// Returns whether there was something to read.
    fn read(&mut self, end: usize, length: usize) -> bool {
        let mut buffer = vec![0; length];
        let Some(mut pipe) = self.pipe(end) else { return false };
        let result = pipe.read(&mut buffer);
        let over = self.is_over(end);
        let linked = self.is_linked(end);
        let own = &mut self.ends[end];
        own.awaited[0] = false;
        match result {
            Err(error) if error.kind() == ErrorKind::NotFound => assert!(own.registered.is_none()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => own.awaited[0] = true,
            // The next read ends in the same way, which is news again.
            Err(error) => {
                assert!(own.cut, "{error:?}");
                own.awaited[0] = true;
            }
            Ok(0) => {
                assert!(over && (own.cut || own.incoming.is_empty()), "the end came too early");
                own.awaited[0] = true;
            }
            Ok(count) => {
                let expected: Vec<_> = own.incoming.drain(..count.min(own.incoming.len())).collect();
                assert_eq!(buffer[..count], expected);
                if end == SERVER {
                    self.known = true;
                }
                return true;
            }
        }
        // A read has looked for a client that came without `connect`.
        if end == SERVER && linked && own.registered.is_some() && !self.arrival {
            self.known = true;
        }
        false
    }

    fn write(&mut self, end: usize, length: usize) {
        let first = self.next_byte;
        let data: Vec<u8> = (0..length).map(|offset| first.wrapping_add(offset as u8)).collect();
        let Some(mut pipe) = self.pipe(end) else { return };
        let result = pipe.write(&data);
        let (over, linked) = (self.is_over(end), self.is_linked(end));
        let own = &mut self.ends[end];
        own.awaited[1] = false;
        match result {
            Err(error) if error.kind() == ErrorKind::NotFound => assert!(own.registered.is_none()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                assert!(own.associated && (linked || over));
                own.awaited[1] = true;
            }
            Err(error) => assert!(over || !linked, "{error:?}"),
            Ok(count) => {
                assert_eq!(count, length);
                self.next_byte = first.wrapping_add(count as u8);
                if linked && !over {
                    self.ends[1 - end].incoming.extend(data);
                }
                if end == SERVER && !self.known {
                    self.known = true;
                    self.ends[SERVER].awaited[0] = true;
                }
            }
        }
    }

    /// Returns whether there is, or was, another end.
    fn is_linked(&self, end: usize) -> bool {
        end == CLIENT || matches!(self.link, Link::Linked | Link::Left)
    }

    /// Returns whether the other end is gone.
    fn is_over(&self, end: usize) -> bool {
        if end == CLIENT { self.ends[CLIENT].cut } else { self.link == Link::Left }
    }

    /// Polls once. Returns which ends have become readable and writable.
    fn poll(&mut self, timeout: Duration) -> [[bool; 2]; 2] {
        self.queue.poll(&mut self.events, Some(timeout)).unwrap();
        let mut seen = [[false; 2]; 2];
        let mut tokens = Vec::new();
        for event in &self.events {
            assert!(!tokens.contains(&event.token()), "two events of one pipe in one poll: {:?}", self.events);
            tokens.push(event.token());
            let of_token = |end: &End| end.registered == Some(event.token());
            let end = self.ends.iter().position(of_token).expect("an event of what is not registered any more");
            seen[end] = [event.is_readable(), event.is_writable()];
            assert!(event.is_readable() || event.is_writable());
        }
        for (end, seen) in self.ends.iter_mut().zip(seen) {
            end.awaited = [end.awaited[0] && !seen[0], end.awaited[1] && !seen[1]];
        }
        self.arrival &= !seen[SERVER][1];
        seen
    }

    /// Describes an event that must come and has not.
    fn missing(&self) -> Option<String> {
        if self.arrival && self.ends[SERVER].registered.is_some() {
            return Some("a client that has come".into());
        }
        let has_room = |number: usize| self.ends[1 - number].incoming.len() < ROOM || self.is_over(number);
        for (number, end) in self.ends.iter().enumerate() {
            if end.registered.is_none() || number == SERVER && !(self.known && self.is_linked(SERVER)) {
                continue;
            }
            let readable = !end.incoming.is_empty() || self.is_over(number);
            if end.awaited[0] && readable {
                return Some(format!("readable {number}"));
            }
            if end.awaited[1] && has_room(number) {
                return Some(format!("writable {number}"));
            }
        }
        None
    }

    fn settle(&mut self) {
        let start = Instant::now();
        let mut polls = 0;
        loop {
            let seen = self.poll(Duration::from_millis(1));
            polls += 1;
            assert!(polls < 1000 || start.elapsed() > Duration::from_secs(1), "a busy loop");
            match self.missing() {
                None if seen == [[false; 2]; 2] => return,
                None => {}
                Some(missing) => assert!(start.elapsed() < GUARD, "does not come: {missing}"),
            }
        }
    }

    fn exchange(&mut self) {
        let start = Instant::now();
        for end in [SERVER, CLIENT] {
            while self.read(end, 4096) {}
        }
        loop {
            let lacks = |end: usize| {
                let own = &self.ends[end];
                own.registered.is_some() && !own.cut && !own.incoming.is_empty() && (end == CLIENT || self.known)
            };
            if !lacks(SERVER) && !lacks(CLIENT) {
                return;
            }
            let seen = self.poll(Duration::from_millis(10));
            for end in [SERVER, CLIENT] {
                while seen[end][0] && self.read(end, 4096) {}
            }
            assert!(start.elapsed() < GUARD, "bytes do not arrive");
        }
    }

    fn token(&mut self) -> Token {
        self.next_token += 1;
        Token(self.next_token)
    }

    /// Drops everything, in one order or another.
    fn end(self, order: usize) {
        let World { queue, mut ends, .. } = self;
        let (server, client) = (ends[SERVER].pipe.take(), ends[CLIENT].pipe.take());
        match order % 4 {
            0 => drop((queue, server, client)),
            1 => drop((server, queue, client)),
            2 => drop((client, server, queue)),
            _ => {
                drop(queue);
                for (mut pipe, associated) in server.into_iter().chain(client).zip(ends.map(|end| end.associated)) {
                    let result = pipe.connect();
                    assert!(associated || result.unwrap_err().kind() == ErrorKind::NotFound);
                    for _ in 0..3 {
                        let blocks = |error: std::io::Error| error.kind() == ErrorKind::WouldBlock;
                        assert!(!pipe.read(&mut [0; 4096]).is_err_and(blocks));
                        assert!(!pipe.write(b"x").is_err_and(blocks));
                    }
                }
            }
        }
    }
}
