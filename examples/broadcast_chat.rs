//! Runs a chat room, in which everybody reads what one of the others writes.
//!
//! ```sh
//! cargo run --example broadcast_chat --features os-poll,net
//! nc 127.0.0.1 13265    # in as many terminals as there are people
//! ```
//!
//! You can give an address to listen on as the argument.
//!
//! The registrations of clients are level-triggered. So one read for each event is enough, and a client that writes a lot does
//! not keep the others waiting. On the other hand, a socket is nearly always writable, so the program asks for writable only
//! while something is unsent. If a client does not read what it is sent, it has to leave when too much has piled up.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Write};
use std::mem;
use std::process::ExitCode;
use std::time::Duration;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Registry, Token, Trigger};

mod cli;

const USAGE: &str = "\
usage: broadcast_chat [ADDRESS]

Runs a chat room, in which everybody reads what one of the others writes.
Listens on ADDRESS, 127.0.0.1:13265 if you give none; port 0 lets the system choose one.";

const LISTENER: Token = Token(0);

/// The most bytes that may wait for a client that does not read.
const MOST_UNSENT: usize = 1024 * 1024;

/// The most bytes that a line may have. A longer line is passed on in pieces.
const LONGEST_LINE: usize = 4096;

/// How long to wait before trying to accept again after an error, unless something happens earlier.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

fn main() -> ExitCode {
    cli::run(USAGE, run)
}

fn run(arguments: Vec<String>) -> cli::Outcome {
    let address = cli::only_address(&arguments)?;

    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(256);
    let mut listener = cli::at("cannot listen on", address, TcpListener::bind(address))?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    println!("listening on {}", listener.local_addr()?);

    let mut room = Room::new(poll.registry().try_clone()?);
    // Whether connections may be waiting that no event will report.
    let mut accept = false;
    loop {
        match poll.poll(&mut events, accept.then_some(ACCEPT_AGAIN)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            result => result?,
        }
        for event in &events {
            match event.token() {
                LISTENER => accept = true,
                client => {
                    if event.is_readable() {
                        room.receive(client);
                    }
                    if event.is_writable() {
                        room.send(client, b"");
                    }
                }
            }
        }
        if accept {
            accept = room.accept(&listener).is_err();
        }
        room.see_off();
    }
}

struct Room {
    registry: Registry,
    /// Tokens are not reused, so an event of a client that has left finds no client.
    clients: BTreeMap<Token, Client>,
    next: usize,
    /// The clients that are about to leave.
    leaving: Vec<Token>,
}

struct Client {
    stream: TcpStream,
    /// The start of a line that is not complete yet.
    line: Vec<u8>,
    unsent: Vec<u8>,
    /// Whether the registration asks for writable.
    writing: bool,
}

impl Room {
    fn new(registry: Registry) -> Room {
        Room { registry, clients: BTreeMap::new(), next: 1, leaving: Vec::new() }
    }

    /// Accepts all waiting connections. After an error, some of them may still be waiting.
    fn accept(&mut self, listener: &TcpListener) -> io::Result<()> {
        loop {
            let (mut stream, address) = match listener.accept() {
                Ok(accepted) => accepted,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            let token = Token(self.next);
            self.registry.register_with(&mut stream, token, Interest::READABLE, Trigger::Level)?;
            self.next += 1;
            self.clients.insert(token, Client { stream, line: Vec::new(), unsent: Vec::new(), writing: false });
            self.broadcast(token, format!("* {address} is here as number {}\n", token.0).as_bytes());
        }
    }

    /// Reads what a client has written, at most one buffer full, and passes on the complete lines.
    fn receive(&mut self, token: Token) {
        let Some(client) = self.clients.get_mut(&token) else { return };
        let mut buffer = [0; 4096];
        match client.stream.read(&mut buffer) {
            Ok(0) => self.leaving.push(token),
            Ok(count) => {
                client.line.extend_from_slice(&buffer[..count]);
                let end = match client.line.iter().rposition(|&byte| byte == b'\n') {
                    Some(newline) => newline + 1,
                    None if client.line.len() >= LONGEST_LINE => client.line.len(),
                    None => return,
                };
                let rest = client.line.split_off(end);
                let lines = mem::replace(&mut client.line, rest);
                for line in lines.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
                    self.broadcast(token, &[format!("{}: ", token.0).as_bytes(), line, b"\n"].concat());
                }
            }
            // The registration is level-triggered, so another event follows.
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(_) => self.leaving.push(token),
        }
    }

    fn broadcast(&mut self, from: Token, text: &[u8]) {
        let others: Vec<Token> = self.clients.keys().copied().filter(|&token| token != from).collect();
        for token in others {
            self.send(token, text);
        }
    }

    /// Sends what is unsent, and then as much of `text` as possible.
    fn send(&mut self, token: Token, text: &[u8]) {
        let Some(client) = self.clients.get_mut(&token) else { return };
        client.unsent.extend_from_slice(text);
        let sent = client.write_unsent().and_then(|()| client.ask_for_what_is_needed(&self.registry, token));
        if sent.is_err() || client.unsent.len() > MOST_UNSENT {
            self.leaving.push(token);
        }
    }

    /// Removes the clients that leave, and tells the others. In doing so, it may find that some of those have left as well.
    fn see_off(&mut self) {
        while let Some(token) = self.leaving.pop() {
            // Dropping the stream closes it, which ends its registration.
            if self.clients.remove(&token).is_some() {
                self.broadcast(token, format!("* number {} has left\n", token.0).as_bytes());
            }
        }
    }
}

impl Client {
    fn write_unsent(&mut self) -> io::Result<()> {
        let mut written = 0;
        while written < self.unsent.len() {
            match self.stream.write(&self.unsent[written..]) {
                Ok(count) => written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.unsent.drain(..written);
        Ok(())
    }

    /// Asks for writable while something is unsent, and no longer than that.
    fn ask_for_what_is_needed(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let writing = !self.unsent.is_empty();
        if writing != self.writing {
            let interest = if writing { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
            registry.reregister_with(&mut self.stream, token, interest, Trigger::Level)?;
            self.writing = writing;
        }
        Ok(())
    }
}
