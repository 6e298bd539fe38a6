//! Runs an echo server for datagrams: each goes back to where it came from.
//!
//! ```sh
//! cargo run --example udp_server --features os-poll,net
//! nc -u 127.0.0.1 13265
//! ```
//!
//! You can give an address to listen on as the argument.

use std::io::{self, ErrorKind};
use std::process::ExitCode;

use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token};

mod cli;

const USAGE: &str = "\
usage: udp_server [ADDRESS]

Sends every datagram back to where it came from.
Listens on ADDRESS, 127.0.0.1:13265 if you give none; port 0 lets the system choose one.";

const SOCKET: Token = Token(0);

fn main() -> ExitCode {
    cli::run(USAGE, run)
}

fn run(arguments: Vec<String>) -> cli::Outcome {
    let address = cli::only_address(&arguments)?;

    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1);
    let mut socket = cli::at("cannot listen on", address, UdpSocket::bind(address))?;
    poll.registry().register(&mut socket, SOCKET, Interest::READABLE)?;
    println!("listening on {}", socket.local_addr()?);

    let mut buffer = vec![0; 65536];
    loop {
        match poll.poll(&mut events, None) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            result => result?,
        }
        for event in &events {
            match event.token() {
                SOCKET => echo(&socket, &mut buffer)?,
                token => unreachable!("nothing is registered with {token:?}"),
            }
        }
    }
}

/// Echoes every datagram that has arrived.
fn echo(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<()> {
    loop {
        let (length, from) = match socket.recv_from(buffer) {
            Ok(received) => received,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            // Some platforms report that the receiver of an earlier echo is gone. The server need not know.
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::ConnectionRefused) => continue,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        match socket.send_to(&buffer[..length], from) {
            Ok(_) => {}
            // There is no room, so the datagram is lost, as datagrams may be.
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => eprintln!("cannot send to {from}: {error}"),
        }
    }
}
