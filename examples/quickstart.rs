//! A server and a client in one event loop: the smallest whole program.

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use std::process::ExitCode;

mod cli;

const USAGE: &str = "\
usage: quickstart

Connects a client to a server, and ends when an event tells the client of it.";

const SERVER: Token = Token(0);
const CLIENT: Token = Token(1);

fn main() -> ExitCode {
    cli::run(USAGE, run)
}

fn run(arguments: Vec<String>) -> cli::Outcome {
    cli::at_most(0, &arguments)?;
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(128);
    let mut server = TcpListener::bind("127.0.0.1:0".parse()?)?;
    poll.registry().register(&mut server, SERVER, Interest::READABLE)?;
    let mut client = TcpStream::connect(server.local_addr()?)?;
    poll.registry().register(&mut client, CLIENT, Interest::READABLE | Interest::WRITABLE)?;
    loop {
        poll.poll(&mut events, None)?;
        for event in events.iter() {
            match event.token() {
                SERVER => drop(server.accept()),
                CLIENT => {
                    if event.is_writable() { /* can (likely) write without blocking */ }
                    if event.is_readable() { /* can (likely) read without blocking */ }
                    return Ok(());
                }
                _ => unreachable!(),
            }
        }
    }
}
