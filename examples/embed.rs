//! Runs a `Poll` inside another event loop: an echo server for datagrams, in a program that is built on `calloop`.
//!
//! ```sh
//! cargo run --example embed --features os-poll,net
//! nc -u 127.0.0.1 13265
//! ```
//!
//! You can give an address to listen on as the argument. Ctrl-C ends the program.
//!
//! The outer loop knows nothing about sockets: it watches one descriptor, the inner queue's, and gives the server a turn when
//! that is readable. A timer of the outer loop runs at the same time. Wakes also arrive through the descriptor.
//!
//! This needs a queue that has a descriptor, as epoll, kqueue and event ports do.

mod cli;

const USAGE: &str = "\
usage: embed [ADDRESS]

Sends every datagram back to where it came from, inside the event loop of another library. Ctrl-C ends it.
Listens on ADDRESS, 127.0.0.1:13265 if you give none; port 0 lets the system choose one.";

fn main() -> std::process::ExitCode {
    cli::run(USAGE, embed::run)
}

#[cfg(not(all(unix, not(any(mio_backend = "poll", mio_unsupported_force_poll_poll)))))]
mod embed {
    pub(super) fn run(_arguments: Vec<String>) -> crate::cli::Outcome {
        Err("this example needs a queue that has a file descriptor".into())
    }
}

#[cfg(all(unix, not(any(mio_backend = "poll", mio_unsupported_force_poll_poll))))]
mod embed {
    use std::io::{self, ErrorKind};
    use std::net::SocketAddr;
    use std::os::fd::AsFd;
    use std::time::Duration;

    use calloop::generic::Generic;
    use calloop::timer::{TimeoutAction, Timer};
    use calloop::{EventLoop, LoopSignal, Mode, PostAction};
    use mio::net::UdpSocket;
    use mio::{Events, Interest, Poll, Token, Waker};

    use crate::cli;

    const SOCKET: Token = Token(0);
    const SHUTDOWN: Token = Token(1);

    const REPORT_EVERY: Duration = Duration::from_millis(500);

    pub(super) fn run(arguments: Vec<String>) -> cli::Outcome {
        let address = cli::only_address(&arguments)?;

        let mut outer: EventLoop<Server> = EventLoop::try_new()?;
        let mut server = Server::new(address, outer.get_signal())?;
        println!("listening on {}", server.socket.local_addr()?);

        // The outer loop owns a duplicate, so that the server keeps its `Poll`. Level-triggering reports the descriptor as long
        // as events are waiting inside.
        let queue = server.poll.as_fd().try_clone_to_owned()?;
        let source = Generic::new(queue, calloop::Interest::READ, Mode::Level);
        outer.handle().insert_source(source, |_, _, server| server.turn().map(|()| PostAction::Continue))?;

        outer.handle().insert_source(Timer::from_duration(REPORT_EVERY), |_, _, server| {
            server.report();
            TimeoutAction::ToDuration(REPORT_EVERY)
        })?;

        outer.run(None, &mut server, |_| {})?;
        Ok(())
    }

    struct Server {
        poll: Poll,
        events: Events,
        socket: UdpSocket,
        buffer: Vec<u8>,
        echoed: u64,
        reported: u64,
        stop: LoopSignal,
    }

    impl Server {
        fn new(address: SocketAddr, stop: LoopSignal) -> cli::Outcome<Server> {
            let poll = Poll::new()?;
            let mut socket = cli::at("cannot listen on", address, UdpSocket::bind(address))?;
            poll.registry().register(&mut socket, SOCKET, Interest::READABLE)?;
            let waker = Waker::new(poll.registry(), SHUTDOWN)?;
            ctrlc::set_handler(move || waker.wake().expect("cannot wake the event loop"))?;
            let events = Events::with_capacity(8);
            Ok(Server { poll, events, socket, buffer: vec![0; 65536], echoed: 0, reported: 0, stop })
        }

        /// Handles the events that are waiting inside, without waiting for more, because the outer loop does the waiting.
        fn turn(&mut self) -> io::Result<()> {
            match self.poll.poll(&mut self.events, Some(Duration::ZERO)) {
                Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
                result => result?,
            }
            for event in &self.events {
                match event.token() {
                    SOCKET => self.echoed += echo(&self.socket, &mut self.buffer)?,
                    SHUTDOWN => self.stop.stop(),
                    token => unreachable!("nothing is registered with {token:?}"),
                }
            }
            Ok(())
        }

        fn report(&mut self) {
            if self.echoed != self.reported {
                println!("echoed {} datagrams", self.echoed);
                self.reported = self.echoed;
            }
        }
    }

    /// Echoes every datagram that has arrived. Returns how many there were.
    fn echo(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<u64> {
        let mut count = 0;
        loop {
            match socket.recv_from(buffer) {
                Ok((length, from)) => {
                    // If a datagram cannot be sent, it is lost, as datagrams may be.
                    if socket.send_to(&buffer[..length], from).is_ok() {
                        count += 1;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(count),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}
