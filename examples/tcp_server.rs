//! An echo server: every client gets back what it sends.
//!
//! ```sh
//! cargo run --release --example tcp_server --features os-poll,net
//! nc 127.0.0.1 13265
//! ```
//!
//! An address to listen on may be given as the argument. Ctrl-C ends the server: the signal handler's thread wakes the event
//! loop, which closes every connection.

use std::collections::VecDeque;
use std::env;
use std::error::Error;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Registry, Token, Waker};

const LISTENER: Token = Token(usize::MAX);
const SHUTDOWN: Token = Token(usize::MAX - 1);

fn main() -> Result<(), Box<dyn Error>> {
    let address: SocketAddr = env::args().nth(1).unwrap_or("127.0.0.1:13265".into()).parse()?;

    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1024);
    let waker = Waker::new(poll.registry(), SHUTDOWN)?;
    ctrlc::set_handler(move || waker.wake().expect("cannot wake the event loop"))?;

    let listener = TcpListener::bind(address)?;
    println!("listening on {}", listener.local_addr()?);
    let mut server = Server::new(listener, poll.registry())?;

    loop {
        match poll.poll(&mut events, None) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            result => result?,
        }
        for event in &events {
            match event.token() {
                SHUTDOWN => {
                    println!("closing {} connections", server.clients.len());
                    return Ok(());
                }
                LISTENER => server.accept(poll.registry())?,
                client => server.serve(client, poll.registry())?,
            }
        }
    }
}

struct Server {
    listener: TcpListener,
    clients: Clients,
    /// What every client's data passes through on its way back.
    buffer: Vec<u8>,
}

impl Server {
    fn new(mut listener: TcpListener, registry: &Registry) -> io::Result<Server> {
        registry.register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(Server { listener, clients: Clients::default(), buffer: vec![0; 64 * 1024] })
    }

    /// Accepts all connections that wait.
    fn accept(&mut self, registry: &Registry) -> io::Result<()> {
        loop {
            match self.listener.accept() {
                Ok((stream, _address)) => {
                    let token = self.clients.insert(Client { stream, unsent: Vec::new() });
                    let stream = &mut self.clients.get(token).expect("just inserted").stream;
                    registry.register(stream, token, Interest::READABLE | Interest::WRITABLE)?;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted) => {}
                // Out of descriptors, most likely: the connection goes on to wait, and is accepted when a client leaves.
                Err(error) => {
                    eprintln!("cannot accept: {error}");
                    return Ok(());
                }
            }
        }
    }

    /// Something has happened to a client, which may be gone since.
    fn serve(&mut self, token: Token, registry: &Registry) -> io::Result<()> {
        let Some(client) = self.clients.get(token) else { return Ok(()) };
        match client.echo(&mut self.buffer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            end => {
                if let Err(error) = end {
                    eprintln!("lost a client: {error}");
                }
                self.clients.remove(token);
                // A descriptor is free again, perhaps for a connection that had to wait for one.
                self.accept(registry)
            }
        }
    }
}

struct Client {
    stream: TcpStream,
    /// What was read, and did not fit the send buffer.
    unsent: Vec<u8>,
}

impl Client {
    /// Echoes until the stream ends or would block. Nothing more is read from a client that does not take what it is sent.
    fn echo(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        loop {
            while !self.unsent.is_empty() {
                let count = retry(|| self.stream.write(&self.unsent))?;
                self.unsent.drain(..count);
            }
            // Idle clients hold no memory.
            self.unsent = Vec::new();

            let count = retry(|| self.stream.read(buffer))?;
            if count == 0 {
                return Ok(());
            }
            let sent = match retry(|| self.stream.write(&buffer[..count])) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
                result => result?,
            };
            self.unsent.extend_from_slice(&buffer[sent..count]);
        }
    }
}

/// Does `io` again if a signal interrupted it.
fn retry<T>(mut io: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match io() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// The clients, each at the place that its token names. A place is used again only after all others that are free, so that
/// an event which is still in the batch when its client leaves does not meet the next client.
#[derive(Default)]
struct Clients {
    places: Vec<Option<Client>>,
    free: VecDeque<usize>,
}

impl Clients {
    fn insert(&mut self, client: Client) -> Token {
        let place = self.free.pop_front().unwrap_or(self.places.len());
        if place == self.places.len() {
            self.places.push(None);
        }
        self.places[place] = Some(client);
        Token(place)
    }

    fn get(&mut self, token: Token) -> Option<&mut Client> {
        self.places.get_mut(token.0)?.as_mut()
    }

    fn remove(&mut self, token: Token) {
        if self.places[token.0].take().is_some() {
            self.free.push_back(token.0);
        }
    }

    fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }
}
