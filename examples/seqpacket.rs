//! Uses sockets that this crate has no type for, with `IoSource` and the `socket2` crate: a `SOCK_SEQPACKET` pair, whose
//! messages arrive whole. One end sends each argument, and the other sends it back in capitals.
//!
//! ```sh
//! cargo run --example seqpacket --features os-ext -- 'how are you?' 'and you?'
//! ```

mod cli;

const USAGE: &str = "\
usage: seqpacket MESSAGE...

Sends each MESSAGE through a pair of SOCK_SEQPACKET sockets, and prints it as it comes back, in capitals.";

fn main() -> std::process::ExitCode {
    cli::run(USAGE, seqpacket::run)
}

#[cfg(not(target_os = "linux"))]
mod seqpacket {
    pub(super) fn run(_messages: Vec<String>) -> crate::cli::Outcome {
        Err("this example needs Linux".into())
    }
}

#[cfg(target_os = "linux")]
mod seqpacket {
    use std::collections::VecDeque;
    use std::io::{self, ErrorKind, Read};

    use mio::{Events, Interest, IoSource, Poll, Token};
    use socket2::{Domain, Socket, Type};

    use crate::cli;

    const ASKING: Token = Token(0);
    const ANSWERING: Token = Token(1);

    pub(super) fn run(messages: Vec<String>) -> cli::Outcome {
        if messages.is_empty() {
            return Err("no MESSAGE given; `--help` shows the arguments".into());
        }
        let (one, other) = Socket::pair(Domain::UNIX, Type::SEQPACKET, None)?;
        let (mut asking, mut answering) = (end(one)?, end(other)?);
        let mut poll = Poll::new()?;
        let mut events = Events::with_capacity(8);
        poll.registry().register(&mut asking, ASKING, Interest::READABLE | Interest::WRITABLE)?;
        poll.registry().register(&mut answering, ANSWERING, Interest::READABLE | Interest::WRITABLE)?;

        let mut answers_left = messages.len();
        let mut questions: VecDeque<Vec<u8>> = messages.into_iter().map(String::into_bytes).collect();
        let mut answers = VecDeque::new();
        while answers_left > 0 {
            poll.poll_deadline(&mut events, None)?;
            for event in &events {
                if event.token() == ANSWERING {
                    while let Some(question) = receive(&answering)? {
                        answers.push_back(question.to_ascii_uppercase());
                    }
                } else {
                    while let Some(answer) = receive(&asking)? {
                        println!("{}", String::from_utf8_lossy(&answer));
                        answers_left -= 1;
                    }
                }
            }
            send(&asking, &mut questions)?;
            send(&answering, &mut answers)?;
        }
        Ok(())
    }

    fn end(socket: Socket) -> io::Result<IoSource<Socket>> {
        socket.set_nonblocking(true)?;
        Ok(IoSource::new(socket))
    }

    /// Receives the next message, if there is one.
    fn receive(socket: &IoSource<Socket>) -> io::Result<Option<Vec<u8>>> {
        // Linux allows no longer argument than this.
        let mut buffer = vec![0; 128 * 1024];
        match socket.try_io_for(Interest::READABLE, |mut socket| socket.read(&mut buffer)) {
            Ok(length) => {
                buffer.truncate(length);
                Ok(Some(buffer))
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sends as many messages as there is room for.
    fn send(socket: &IoSource<Socket>, messages: &mut VecDeque<Vec<u8>>) -> io::Result<()> {
        while let Some(message) = messages.front() {
            match socket.try_io_for(Interest::WRITABLE, |socket| socket.send(message)) {
                Ok(_) => drop(messages.pop_front()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
