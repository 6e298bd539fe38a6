//! Runs a program and reads its standard output and standard error as they come, through pipes.
//!
//! ```sh
//! cargo run --example unix_pipe_child --features os-ext -- sh -c 'echo one; echo two >&2; sleep 1; echo three'
//! ```

#[cfg(unix)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    unix::main()
}

#[cfg(not(unix))]
fn main() {
    eprintln!("this example is for Unix-like systems");
}

#[cfg(unix)]
mod unix {
    use std::env;
    use std::error::Error;
    use std::io::{self, ErrorKind, Read, Write};
    use std::process::{Command, Stdio, exit};

    use mio::unix::pipe::Receiver;
    use mio::{Events, Interest, Poll, Token};

    pub(super) fn main() -> Result<(), Box<dyn Error>> {
        let mut arguments = env::args_os().skip(1);
        let mut command = match arguments.next() {
            Some(program) => Command::new(program),
            None => Command::new("ls"),
        };
        let mut child = command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;

        let stdout = child.stdout.take().expect("standard output is piped");
        let stderr = child.stderr.take().expect("standard error is piped");
        let mut streams = [("stdout", Receiver::from(stdout)), ("stderr", Receiver::from(stderr))];

        let mut poll = Poll::new()?;
        let mut events = Events::with_capacity(streams.len());
        for (number, (_, stream)) in streams.iter_mut().enumerate() {
            // A child's pipes are made to block.
            stream.set_nonblocking(true)?;
            poll.registry().register(stream, Token(number), Interest::READABLE)?;
        }

        let mut open = streams.len();
        while open > 0 {
            match poll.poll(&mut events, None) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result?,
            }
            for event in &events {
                let (name, stream) = &mut streams[event.token().0];
                if copy(name, stream)? {
                    poll.registry().deregister(stream)?;
                    open -= 1;
                }
            }
        }
        let status = child.wait()?;
        println!("{status}");
        exit(status.code().unwrap_or(1));
    }

    /// Copies what has come to our standard output, and says from where. Returns whether the stream has ended.
    fn copy(name: &str, stream: &mut Receiver) -> io::Result<bool> {
        let mut buffer = [0; 4096];
        loop {
            match stream.read(&mut buffer) {
                Ok(0) => return Ok(true),
                Ok(count) => {
                    let text = String::from_utf8_lossy(&buffer[..count]);
                    for line in text.lines() {
                        writeln!(io::stdout(), "{name}: {line}")?;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}
