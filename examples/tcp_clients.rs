//! Drives an echo server with many clients at once, each a person with `nc`: connect, send a line, read it back, stay.
//!
//! ```sh
//! cargo run --release --example tcp_clients --features os-poll,net -- 127.0.0.1:13265 10000 10
//! ```
//!
//! The arguments: the server's address, how many clients, how many lines each of them sends. Every line comes back byte for
//! byte, or the program fails. It ends when all clients have had all their lines, with all of them connected until then;
//! enter a line on standard input first (or close it) to go on, so that the server can be looked at.

use std::env;
use std::error::Error;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::Instant;

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

/// As many attempts under way at a time as a listener's backlog takes.
const CONNECTING_AT_MOST: usize = 100;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let address: SocketAddr = arguments.next().unwrap_or("127.0.0.1:13265".into()).parse()?;
    let count: usize = arguments.next().unwrap_or("100".into()).parse()?;
    let lines: usize = arguments.next().unwrap_or("10".into()).parse()?;

    let start = Instant::now();
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1024);
    let mut clients: Vec<Client> = Vec::with_capacity(count);
    let (mut connecting, mut done) = (0, 0);

    while done < count {
        while clients.len() < count && connecting < CONNECTING_AT_MOST {
            let mut stream = TcpStream::connect(address)?;
            let token = Token(clients.len());
            poll.registry().register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
            clients.push(Client { stream, connected: false, line: 0, written: 0, read: Vec::new() });
            connecting += 1;
        }
        poll.poll(&mut events, None)?;
        for event in &events {
            let number = event.token().0;
            let client = &mut clients[number];
            if client.line == lines {
                continue;
            }
            if !client.connected && client.try_connect()? {
                connecting -= 1;
            }
            if client.connected && client.talk(number, lines)? {
                done += 1;
            }
        }
    }
    println!("{count} clients connected, each had {lines} lines echoed, in {:.1?}", start.elapsed());
    println!("press enter to disconnect");
    io::stdin().read_line(&mut String::new())?;
    Ok(())
}

struct Client {
    stream: TcpStream,
    connected: bool,
    /// The number of the line that is under way.
    line: usize,
    /// How much of it was written, and what has come back.
    written: usize,
    read: Vec<u8>,
}

impl Client {
    fn try_connect(&mut self) -> io::Result<bool> {
        if let Some(error) = self.stream.take_error()? {
            return Err(error);
        }
        match self.stream.peer_addr() {
            Ok(_) => self.connected = true,
            Err(error) if error.kind() == ErrorKind::NotConnected => {}
            Err(error) => return Err(error),
        }
        Ok(self.connected)
    }

    /// Sends and receives until it would block. Returns whether the last line has come back.
    fn talk(&mut self, number: usize, lines: usize) -> io::Result<bool> {
        while self.line < lines {
            let text = format!("client {number}, line {}\n", self.line);
            let step = if self.written < text.len() {
                self.stream.write(&text.as_bytes()[self.written..]).map(|count| self.written += count)
            } else {
                let mut buffer = [0; 256];
                let result = self.stream.read(&mut buffer);
                result.and_then(|count| {
                    self.read.extend_from_slice(&buffer[..count]);
                    if count == 0 { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
                })
            };
            match step {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => result?,
            }
            if self.read.len() >= text.len() {
                assert_eq!(self.read, text.as_bytes(), "the echo differs from what was sent");
                self.line += 1;
                self.written = 0;
                self.read = Vec::new();
            }
        }
        Ok(true)
    }
}
