//! Runs an echo server: every client gets back what it sends.
//!
//! ```sh
//! cargo run --release --example tcp_server --features os-poll,net
//! nc 127.0.0.1 13265    # in another terminal, or in many
//! ```
//!
//! You can give an address to listen on as the argument. Ctrl-C ends the server: the signal handler's thread wakes the
//! event loop, which closes every connection.
//!
//! Three things are worth a look. If data does not fit into the send buffer, the server keeps it, and reads nothing more from
//! that client until it has sent the data. No client can keep the others waiting. And when there are no descriptors left,
//! connections wait until one is closed, without a busy loop.

use std::io::{self, ErrorKind, Read, Write};
use std::process::ExitCode;
use std::time::Duration;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Registry, Token, Waker};
use slab::Slab;

mod cli;

const USAGE: &str = "\
usage: tcp_server [ADDRESS]

Sends every client back what it sends. Ctrl-C ends it.
Listens on ADDRESS, 127.0.0.1:13265 if you give none; port 0 lets the system choose one.";

// The token of a client is its index in the slab, and these start at zero.
const LISTENER: Token = Token(usize::MAX);
const SHUTDOWN: Token = Token(usize::MAX - 1);

const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// How many buffers the server echoes to one client before the others get their turn.
const TURN: usize = 16;

/// How long to wait before trying to accept again after an error, unless something happens earlier.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

fn main() -> ExitCode {
    cli::run(USAGE, run)
}

fn run(arguments: Vec<String>) -> cli::Outcome {
    let address = cli::only_address(&arguments)?;
    // Each client needs a descriptor.
    rlimit::increase_nofile_limit(u64::MAX)?;

    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1024);
    let waker = Waker::new(poll.registry(), SHUTDOWN)?;
    ctrlc::set_handler(move || waker.wake().expect("cannot wake the event loop"))?;

    let mut listener = cli::at("cannot listen on", address, TcpListener::bind(address))?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    println!("listening on {}", listener.local_addr()?);
    let mut server = Server::new(listener, poll.registry().try_clone()?);

    loop {
        let timeout = server.starved.then_some(ACCEPT_AGAIN);
        match poll.poll(&mut events, timeout) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            result => result?,
        }
        let mut accept = server.starved;
        for event in &events {
            match event.token() {
                SHUTDOWN => {
                    println!("closing {} connections", server.clients.len());
                    return Ok(());
                }
                LISTENER => accept = true,
                client => server.serve(client),
            }
        }
        // This comes last, so that a new client does not get an event of this batch that was meant for a client that has just
        // left.
        if accept {
            server.accept();
        }
    }
}

struct Server {
    listener: TcpListener,
    registry: Registry,
    clients: Slab<Client>,
    /// The buffer that the data of every client passes through on its way back.
    buffer: Vec<u8>,
    /// Connections are waiting that could not be accepted, most likely for lack of descriptors. No event will report them.
    starved: bool,
}

impl Server {
    fn new(listener: TcpListener, registry: Registry) -> Server {
        Server { listener, registry, clients: Slab::new(), buffer: vec![0; 64 * 1024], starved: false }
    }

    /// Accepts all waiting connections.
    fn accept(&mut self) {
        loop {
            match self.listener.accept().and_then(|(stream, _address)| self.welcome(stream)) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.starved = false;
                    return;
                }
                // The connection was gone before it was accepted, or a signal interrupted the call.
                Err(error) if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted) => {}
                Err(error) => {
                    if !self.starved {
                        eprintln!("{} clients, no more for now: {error}", self.clients.len());
                    }
                    self.starved = true;
                    return;
                }
            }
        }
    }

    fn welcome(&mut self, mut stream: TcpStream) -> io::Result<()> {
        let slot = self.clients.vacant_entry();
        self.registry.register(&mut stream, Token(slot.key()), BOTH)?;
        slot.insert(Client { stream, unsent: Vec::new() });
        Ok(())
    }

    /// Handles an event of a client, which may have left since.
    fn serve(&mut self, token: Token) {
        let Some(client) = self.clients.get_mut(token.0) else { return };
        let stays = match client.echo(&mut self.buffer) {
            Ok(Echo::Blocked) => Ok(true),
            // There is more to do, so registering again makes the next poll report another event.
            Ok(Echo::TurnOver) => self.registry.reregister(&mut client.stream, token, BOTH).map(|()| true),
            Ok(Echo::Ended) => Ok(false),
            Err(error) => Err(error),
        };
        if let Err(error) = &stays {
            eprintln!("lost a client: {error}");
        }
        if !stays.unwrap_or(false) {
            // Closing the stream ends its registration.
            self.clients.remove(token.0);
        }
    }
}

/// How far echoing has got.
enum Echo {
    Blocked,
    TurnOver,
    Ended,
}

struct Client {
    stream: TcpStream,
    /// The data that was read and did not fit into the send buffer.
    unsent: Vec<u8>,
}

impl Client {
    /// Echoes until the stream would block or has ended, or its turn is over.
    fn echo(&mut self, buffer: &mut [u8]) -> io::Result<Echo> {
        for _ in 0..TURN {
            while !self.unsent.is_empty() {
                match nonblocking(|| self.stream.write(&self.unsent))? {
                    Some(count) => drop(self.unsent.drain(..count)),
                    None => return Ok(Echo::Blocked),
                }
            }
            // A client with nothing unsent needs no memory.
            self.unsent = Vec::new();

            let count = match nonblocking(|| self.stream.read(buffer))? {
                Some(0) => return Ok(Echo::Ended),
                Some(count) => count,
                None => return Ok(Echo::Blocked),
            };
            let sent = nonblocking(|| self.stream.write(&buffer[..count]))?.unwrap_or(0);
            self.unsent.extend_from_slice(&buffer[sent..count]);
        }
        Ok(Echo::TurnOver)
    }
}

/// Does `io`, and repeats it if a signal interrupts it. Returns `None` if it would block.
fn nonblocking<T>(mut io: impl FnMut() -> io::Result<T>) -> io::Result<Option<T>> {
    loop {
        match io() {
            Ok(value) => return Ok(Some(value)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
