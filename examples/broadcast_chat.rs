//! A chat room: what one client writes, all others read.
//!
//! ```sh
//! cargo run --example broadcast_chat --features os-poll,net
//! nc 127.0.0.1 13265    # in as many terminals as there are people
//! ```
//!
//! Write interest is asked for only while something is unsent to a client. One that does not read what it is sent is shown
//! the door when too much has piled up.

use std::collections::HashMap;
use std::env;
use std::error::Error;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Registry, Token};

const LISTENER: Token = Token(0);

/// How much may wait for a client that does not read.
const MOST_UNSENT: usize = 1024 * 1024;

/// How long a line may be; what is longer is passed on in pieces.
const LONGEST_LINE: usize = 4096;

fn main() -> Result<(), Box<dyn Error>> {
    let address: SocketAddr = env::args().nth(1).unwrap_or("127.0.0.1:13265".into()).parse()?;

    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(256);
    let mut listener = TcpListener::bind(address)?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    println!("listening on {}", listener.local_addr()?);

    let mut room = Room { registry: poll.registry().try_clone()?, clients: HashMap::new(), next_token: 1 };
    loop {
        match poll.poll(&mut events, None) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            result => result?,
        }
        for event in &events {
            match event.token() {
                LISTENER => room.accept(&listener)?,
                client => {
                    if event.is_writable() {
                        room.send(client, b"");
                    }
                    if event.is_readable() {
                        room.receive(client);
                    }
                }
            }
        }
    }
}

struct Room {
    registry: Registry,
    clients: HashMap<Token, Client>,
    /// Tokens are not used again: an event for a client that has left finds nobody.
    next_token: usize,
}

struct Client {
    stream: TcpStream,
    /// The beginning of a line.
    line: Vec<u8>,
    unsent: Vec<u8>,
    /// Whether write interest is asked for.
    writing: bool,
}

impl Room {
    fn accept(&mut self, listener: &TcpListener) -> io::Result<()> {
        loop {
            let (mut stream, address) = match listener.accept() {
                Ok(accepted) => accepted,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => {
                    eprintln!("cannot accept: {error}");
                    return Ok(());
                }
            };
            let token = Token(self.next_token);
            self.next_token += 1;
            self.registry.register(&mut stream, token, Interest::READABLE)?;
            self.clients.insert(token, Client { stream, line: Vec::new(), unsent: Vec::new(), writing: false });
            self.broadcast(token, format!("* {address} is here as number {}\n", token.0).as_bytes());
        }
    }

    /// Reads all that a client has written, and passes the whole lines on.
    fn receive(&mut self, token: Token) {
        let mut buffer = [0; 4096];
        loop {
            let Some(client) = self.clients.get_mut(&token) else { return };
            match client.stream.read(&mut buffer) {
                Ok(0) => return self.remove(token),
                Ok(count) => {
                    client.line.extend_from_slice(&buffer[..count]);
                    let end = match client.line.iter().rposition(|&byte| byte == b'\n') {
                        Some(newline) => newline + 1,
                        None if client.line.len() > LONGEST_LINE => client.line.len(),
                        None => continue,
                    };
                    let rest = client.line.split_off(end);
                    let lines = std::mem::replace(&mut client.line, rest);
                    for line in lines.split_inclusive(|&byte| byte == b'\n') {
                        self.broadcast(token, &[format!("{}: ", token.0).as_bytes(), line].concat());
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return self.remove(token),
            }
        }
    }

    fn broadcast(&mut self, from: Token, text: &[u8]) {
        let others: Vec<Token> = self.clients.keys().copied().filter(|&token| token != from).collect();
        for token in others {
            self.send(token, text);
        }
    }

    /// Sends what is unsent and then `text`, as far as it goes; asks for write interest while it does not go all the way.
    fn send(&mut self, token: Token, text: &[u8]) {
        let Some(client) = self.clients.get_mut(&token) else { return };
        client.unsent.extend_from_slice(text);
        let sent = client.write_unsent().and_then(|()| client.set_interest(&self.registry, token));
        if sent.is_err() || client.unsent.len() > MOST_UNSENT {
            self.remove(token);
        }
    }

    fn remove(&mut self, token: Token) {
        // Dropping the stream closes it, which ends its registration.
        if self.clients.remove(&token).is_some() {
            self.broadcast(token, format!("* number {} has left\n", token.0).as_bytes());
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

    fn set_interest(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let writing = !self.unsent.is_empty();
        if writing != self.writing {
            let interest = if writing { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
            registry.reregister(&mut self.stream, token, interest)?;
            self.writing = writing;
        }
        Ok(())
    }
}
