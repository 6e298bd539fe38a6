//! Drives an echo server with many clients at once, each like a person with `nc`: connect, send a line, read it back, send
//! the next, and stay connected.
//!
//! ```sh
//! cargo run --release --example tcp_server --features os-poll,net
//! cargo run --release --example tcp_clients --features os-poll,net -- 127.0.0.1:13265 10000 10 "$(pgrep -x tcp_server)"
//! ```
//!
//! The arguments: the server's address; how many clients; how many lines each of them sends; on Linux, the server's process
//! number, to see how much memory a connection takes there. The program fails if a line does not come back byte for byte.
//!
//! When all clients have had all their lines, with all of them connected, it waits for a line on standard input, so that the
//! server can be looked at.

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::process::ExitCode;
use std::time::Instant;

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

mod cli;

const USAGE: &str = "\
usage: tcp_clients [ADDRESS [CLIENTS [LINES [PROCESS]]]]

Connects CLIENTS clients (100) to the echo server at ADDRESS (127.0.0.1:13265), and has LINES lines (10)
of each echoed. PROCESS is the number of the server's process, to see how much memory it takes (Linux).";

/// How many clients may wait for their first line at a time: fewer than a listener keeps waiting. That a client has connected
/// says no more than that it waits to be accepted, and what finds the queue full is dropped, or even reset.
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
    // Each client takes a descriptor.
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
        println!("the server's memory went from {before} KiB to {after} KiB: {each} bytes a connection");
    }
    println!("press enter to disconnect");
    io::stdin().read_line(&mut String::new())?;
    Ok(())
}

struct Client {
    stream: TcpStream,
    state: State,
    /// How much of the current line was written, and what has come back.
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

    /// Whether the server has yet to show that it knows this client.
    fn is_waiting(&self) -> bool {
        matches!(self.state, State::Connecting | State::Talking { line: 0 })
    }

    /// Sends and receives until that would block. Returns whether the last line has just come back.
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

/// How much memory a process has in use, in KiB, as Linux tells it.
fn resident_memory(process: &str) -> cli::Outcome<u64> {
    let file = format!("/proc/{process}/status");
    let status = fs::read_to_string(&file).map_err(|error| format!("cannot read {file}: {error}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS in the status")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
