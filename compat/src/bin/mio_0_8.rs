//! A program as people wrote it for mio 0.8, with the features `os-poll`, `net` and `os-ext`. It uses nothing of a later
//! version. `tests/mio_0_8.rs` runs it.

#[cfg(unix)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    program::main()
}

#[cfg(not(unix))]
fn main() {
    eprintln!("this program is for Unix");
}

#[cfg(unix)]
mod program {
    use std::error::Error;
    use std::io::{self, ErrorKind, Read, Write};
    use std::os::unix::io::{AsRawFd, FromRawFd, IntoRawFd};
    use std::sync::Arc;
    use std::thread;
    use std::time::Duration;

    use mio::event::{Event, Source};
    use mio::net::{SocketAddr, TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream};
    use mio::unix::{SourceFd, pipe};
    use mio::{Events, Interest, Poll, Registry, Token, Waker};

    // Some tokens to tell from which source an event comes.
    const SERVER: Token = Token(0);
    const CLIENT: Token = Token(1);
    const PEER: Token = Token(2);
    const WAKER: Token = Token(3);
    const OTHER: Token = Token(4);

    const TIMEOUT: Option<Duration> = Some(Duration::from_secs(100));

    pub(super) fn main() -> Result<(), Box<dyn Error>> {
        // Create a poll instance, and storage for events.
        let mut poll = Poll::new()?;
        let mut events = Events::with_capacity(128);

        tcp(&mut poll, &mut events)?;
        udp(&mut poll, &mut events)?;
        unix_sockets(&mut poll, &mut events)?;
        pipes(&mut poll, &mut events)?;
        waker(&mut poll, &mut events)?;
        a_descriptor(&mut poll, &mut events)?;

        poll.poll(&mut events, Some(Duration::from_millis(1)))?;
        println!("left: {}", events.iter().count());
        Ok(())
    }

    /// A source that forwards to another one.
    struct Connection {
        stream: TcpStream,
    }

    impl Source for Connection {
        fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
            self.stream.register(registry, token, interests)
        }

        fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
            self.stream.reregister(registry, token, interests)
        }

        fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
            self.stream.deregister(registry)
        }
    }

    /// The client asks, and the server answers and hangs up.
    fn tcp(poll: &mut Poll, events: &mut Events) -> io::Result<()> {
        let address = "127.0.0.1:0".parse().unwrap();
        let mut server = TcpListener::bind(address)?;
        poll.registry().register(&mut server, SERVER, Interest::READABLE)?;
        let mut client = TcpStream::connect(server.local_addr()?)?;
        poll.registry().register(&mut client, CLIENT, Interest::READABLE.add(Interest::WRITABLE))?;
        let mut peer: Option<Connection> = None;
        let mut answer = String::new();

        loop {
            poll.poll(events, TIMEOUT)?;
            if events.is_empty() {
                return Err(ErrorKind::TimedOut.into());
            }
            for event in events.iter() {
                match event.token() {
                    SERVER => loop {
                        match server.accept() {
                            Ok((stream, _address)) => {
                                let mut connection = Connection { stream };
                                poll.registry().register(&mut connection, PEER, Interest::READABLE)?;
                                peer = Some(connection);
                            }
                            Err(ref error) if would_block(error) => break,
                            Err(error) => return Err(error),
                        }
                    },
                    PEER => {
                        let mut question = [0; 64];
                        let connection = peer.as_mut().unwrap();
                        match connection.stream.read(&mut question) {
                            Ok(count) => {
                                connection.stream.write_all(&question[..count])?;
                                poll.registry().deregister(connection)?;
                                peer = None;
                            }
                            Err(ref error) if would_block(error) => {}
                            Err(error) => return Err(error),
                        }
                    }
                    CLIENT => {
                        if event.is_writable() && !event.is_write_closed() {
                            client.set_nodelay(true)?;
                            client.write_all(b"hello")?;
                            poll.registry().reregister(&mut client, CLIENT, Interest::READABLE)?;
                        }
                        if event.is_readable() {
                            match client.read_to_string(&mut answer) {
                                Ok(_) => {
                                    println!("tcp: {answer}");
                                    poll.registry().deregister(&mut client)?;
                                    return poll.registry().deregister(&mut server);
                                }
                                Err(ref error) if would_block(error) => {}
                                Err(error) => return Err(error),
                            }
                        }
                    }
                    _ => unreachable!(),
                }
            }
        }
    }

    fn udp(poll: &mut Poll, events: &mut Events) -> io::Result<()> {
        let mut receiver = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
        let sender = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
        poll.registry().register(&mut receiver, OTHER, Interest::READABLE)?;
        sender.connect(receiver.local_addr()?)?;
        sender.send(b"datagram")?;
        wait_for(poll, events, OTHER, Event::is_readable)?;
        let mut buffer = [0; 64];
        let (count, from) = receiver.recv_from(&mut buffer)?;
        assert_eq!(from, sender.local_addr()?);
        println!("udp: {}", String::from_utf8_lossy(&buffer[..count]));
        poll.registry().deregister(&mut receiver)
    }

    fn unix_sockets(poll: &mut Poll, events: &mut Events) -> io::Result<()> {
        let path = std::env::temp_dir().join(format!("mio_0_8.{}", std::process::id()));
        let mut listener = UnixListener::bind(&path)?;
        poll.registry().register(&mut listener, OTHER, Interest::READABLE)?;
        let mut client = UnixStream::connect(&path)?;
        wait_for(poll, events, OTHER, Event::is_readable)?;
        // In mio 0.8, the address has a type of mio's own.
        let (mut stream, address): (UnixStream, SocketAddr) = listener.accept()?;
        println!("unix: {}", if address.is_unnamed() { "unnamed" } else { "named" });
        assert_eq!(client.peer_addr()?.as_pathname(), Some(path.as_path()));
        std::fs::remove_file(&path)?;
        poll.registry().deregister(&mut listener)?;

        poll.registry().register(&mut stream, OTHER, Interest::READABLE)?;
        client.write_all(b"stream")?;
        wait_for(poll, events, OTHER, Event::is_readable)?;
        println!("unix: {}", read(&mut stream)?);
        drop(client);
        wait_for(poll, events, OTHER, Event::is_read_closed)?;

        let (mut ours, theirs) = UnixDatagram::pair()?;
        poll.registry().register(&mut ours, OTHER, Interest::READABLE)?;
        theirs.send(b"datagram")?;
        wait_for(poll, events, OTHER, Event::is_readable)?;
        let mut buffer = [0; 64];
        let count = ours.recv(&mut buffer)?;
        println!("unix: {}", String::from_utf8_lossy(&buffer[..count]));
        Ok(())
    }

    fn pipes(poll: &mut Poll, events: &mut Events) -> io::Result<()> {
        let (mut sender, mut receiver) = pipe::new()?;
        poll.registry().register(&mut receiver, OTHER, Interest::READABLE)?;
        sender.write_all(b"through a pipe")?;
        wait_for(poll, events, OTHER, Event::is_readable)?;
        println!("pipe: {}", read(&mut receiver)?);
        drop(sender);
        wait_for(poll, events, OTHER, Event::is_read_closed)
    }

    fn waker(poll: &mut Poll, events: &mut Events) -> io::Result<()> {
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let other = waker.clone();
        let thread = thread::spawn(move || other.wake());
        wait_for(poll, events, WAKER, Event::is_readable)?;
        println!("waker: woken");
        thread.join().unwrap()
    }

    /// Any descriptor can be a source, and types convert to descriptors and back.
    fn a_descriptor(poll: &mut Poll, events: &mut Events) -> io::Result<()> {
        let (mut ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        theirs.set_nonblocking(true)?;
        poll.registry().register(&mut SourceFd(&theirs.as_raw_fd()), OTHER, Interest::READABLE)?;
        ours.write_all(b"bare")?;
        wait_for(poll, events, OTHER, Event::is_readable)?;
        poll.registry().deregister(&mut SourceFd(&theirs.as_raw_fd()))?;
        let fd = theirs.into_raw_fd();
        #[allow(unsafe_code)]
        // SAFETY: `into_raw_fd` has just given up the descriptor.
        let mut stream = unsafe { UnixStream::from_raw_fd(fd) };
        println!("descriptor: {}", read(&mut stream)?);
        Ok(())
    }

    /// Polls until the source has the given hint.
    fn wait_for(poll: &mut Poll, events: &mut Events, token: Token, hint: fn(&Event) -> bool) -> io::Result<()> {
        loop {
            poll.poll(events, TIMEOUT)?;
            if events.is_empty() {
                return Err(ErrorKind::TimedOut.into());
            }
            if events.iter().any(|event| event.token() == token && hint(event)) {
                return Ok(());
            }
        }
    }

    /// Reads everything that is there.
    fn read(source: &mut impl Read) -> io::Result<String> {
        let mut text = String::new();
        match source.read_to_string(&mut text) {
            Err(ref error) if would_block(error) => Ok(text),
            result => result.map(|_| text),
        }
    }

    fn would_block(error: &io::Error) -> bool {
        error.kind() == ErrorKind::WouldBlock
    }
}
