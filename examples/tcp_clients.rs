//! Drives an echo server with many clients at once. Each acts like a person with `nc`: it connects, sends a line, reads it
//! back, sends the next, and stays connected.
//!
//! ```sh
//! cargo run --release --example tcp_server --features os-poll,net
//! cargo run --release --example tcp_clients --features os-poll,net -- 127.0.0.1:13265 10000 10 "$(pgrep -x tcp_server)"
//! ```
//!
//! The arguments are the server's address, the number of clients, the number of lines that each of them sends and, on Linux,
//! the number of the server's process, which shows how much memory a connection takes there. The program fails if a line does
//! not come back byte for byte.
//!
//! When all clients have received all their lines, the program keeps them connected and waits for a line on standard input, so
//! that you can look at the server.

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::process::ExitCode;
use std::time::Instant;

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

mod cli;

const USAGE: &str = "\
usage: tcp_clients [ADDRESS [CLIENTS [LINES [PROCESS]]]]

Connects CLIENTS clients (default 100) to the echo server at ADDRESS (default 127.0.0.1:13265). Each sends
LINES lines (default 10) and checks the echo. If you give the number of the server's PROCESS, on Linux, the
program shows how much memory it takes.";

/// How many clients may wait for their first line at a time, which is fewer than the backlog of a listener. A client that has
/// connected may still be in the backlog, and if that is full, the system drops or even resets new connections.
const WAITING_AT_MOST: usize = 100;

fn main() -> ExitCode {
    cli::run(USAGE, run)
}

fn run(arguments: Vec<String>) -> cli::Outcome {
    cli::at_most(4, &arguments)?;
    let address = cli::address(arguments.first())?;
    let count = cli::argument("a number of clients", arguments.get(1), 100)?;
    let lines = cli::argument("a number of lines", arguments.get(2), 10)?;
    let server = arguments.get(3);
    // Each client needs a descriptor.
    rlimit::increase_nofile_limit(u64::MAX)?;

    let memory_before = server.map(|process| resident_memory(process)).transpose()?;
    let start = Instant::now();
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1024);
    let mut clients: Vec<Client> = Vec::with_capacity(count);
    let (mut waiting, mut done) = (0, 0);

    while done < count {
        while clients.len() < count && waiting < WAITING_AT_MOST {
            let mut stream = cli::at("cannot connect to", address, TcpStream::connect(address))?;
            let token = Token(clients.len());
            poll.registry().register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
            clients.push(Client { stream, state: State::Connecting, written: 0, read: Vec::new() });
            waiting += 1;
        }
        poll.poll_deadline(&mut events, None)?;
        for event in &events {
            let number = event.token().0;
            let client = &mut clients[number];
            if client.state == State::Connecting && cli::at("cannot connect to", address, client.has_connected())? {
                client.state = State::Talking { line: 0 };
            }
            let was_waiting = client.is_waiting();
            if client.talk(number, lines)? {
                client.state = State::Done;
                done += 1;
            }
            if was_waiting && !client.is_waiting() {
                waiting -= 1;
            }
        }
    }

    println!("{count} clients connected, each had {lines} lines echoed, in {:.1?}", start.elapsed());
    if let (Some(server), Some(before)) = (server, memory_before) {
        let after = resident_memory(server)?;
        let each = (after.saturating_sub(before) * 1024) / count.max(1) as u64;
        println!("the server's memory went from {before} KiB to {after} KiB: {each} bytes for each connection");
    }
    println!("press enter to disconnect");
    io::stdin().read_line(&mut String::new())?;
    Ok(())
}

struct Client {
    stream: TcpStream,
    state: State,
    /// How much of the current line has been written, and what has come back.
    written: usize,
    read: Vec<u8>,
}

#[derive(PartialEq)]
enum State {
    Connecting,
    Talking { line: usize },
    Done,
}

impl Client {
    fn has_connected(&self) -> io::Result<bool> {
        if let Some(error) = self.stream.take_error()? {
            return Err(error);
        }
        match self.stream.peer_addr() {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Returns whether the server has not yet answered this client.
    fn is_waiting(&self) -> bool {
        matches!(self.state, State::Connecting | State::Talking { line: 0 })
    }

    /// Sends and receives until I/O would block. Returns whether the last line has just come back.
    fn talk(&mut self, number: usize, lines: usize) -> io::Result<bool> {
        let State::Talking { line } = &mut self.state else { return Ok(false) };
        while *line < lines {
            let text = format!("client {number}, line {line}\n");
            let step = if self.written < text.len() {
                self.stream.write(&text.as_bytes()[self.written..]).map(|count| self.written += count)
            } else {
                let mut buffer = [0; 256];
                self.stream.read(&mut buffer).and_then(|count| {
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
                *line += 1;
                self.written = 0;
                self.read.clear();
            }
        }
        Ok(true)
    }
}

/// Returns how much memory a process uses, in KiB, according to Linux.
fn resident_memory(process: &str) -> cli::Outcome<u64> {
    let file = format!("/proc/{process}/status");
    let status = fs::read_to_string(&file).map_err(|error| format!("cannot read {file}: {error}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS in the status")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
