//! A program for mio 1: it connects to itself and sends a greeting over the connection. `tests/both.rs` runs it.

use std::error::Error;
use std::io::{ErrorKind, Read, Write};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

fn main() -> Result<(), Box<dyn Error>> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(8);
    let mut listener = TcpListener::bind("127.0.0.1:0".parse()?)?;
    poll.registry().register(&mut listener, Token(0), Interest::READABLE)?;
    let mut client = TcpStream::connect(listener.local_addr()?)?;
    poll.registry().register(&mut client, Token(1), Interest::READABLE)?;

    let mut greeting = String::new();
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            match event.token() {
                // This sends the greeting, and closes the connection.
                Token(0) => listener.accept()?.0.write_all(b"hello from mio 1")?,
                _ => match client.read_to_string(&mut greeting) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    result => {
                        result?;
                        println!("{greeting}");
                        return Ok(());
                    }
                },
            }
        }
    }
}
