//! A server and a client in one event loop: the smallest complete program.

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use std::error::Error;
use std::io::{ErrorKind, Read, Write};

const SERVER: Token = Token(0);
const CLIENT: Token = Token(1);

fn main() -> Result<(), Box<dyn Error>> {
    // The event queue, and the memory that its events arrive in.
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(128);

    // Register each source under a token of your choice.
    let mut server = TcpListener::bind("127.0.0.1:0".parse()?)?;
    poll.registry().register(&mut server, SERVER, Interest::READABLE)?;
    let mut client = TcpStream::connect(server.local_addr()?)?;
    poll.registry().register(&mut client, CLIENT, Interest::READABLE)?;

    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            match event.token() {
                // A connection is waiting. (There may be more than one: a real server accepts until it would block.)
                SERVER => match server.accept() {
                    Ok((mut connection, address)) => {
                        println!("the server greets {address}");
                        connection.write_all(b"hello")?;
                    }
                    // An event is a hint, and may be spurious.
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error.into()),
                },
                CLIENT => {
                    let mut greeting = [0; 64];
                    match client.read(&mut greeting) {
                        Ok(length) => {
                            println!("the client reads {:?}", String::from_utf8_lossy(&greeting[..length]));
                            return Ok(());
                        }
                        Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                _ => unreachable!(),
            }
        }
    }
}
