//! Runs a program, and prints its standard output and standard error line by line as they arrive, through pipes.
//!
//! ```sh
//! cargo run --example unix_pipe_child --features os-ext -- sh -c 'echo one; echo two >&2; sleep 1; echo three'
//! ```

mod cli;

const USAGE: &str = "\
usage: unix_pipe_child PROGRAM [ARGUMENT...]

Runs PROGRAM, prints its standard output and standard error line by line as they arrive,
and exits with its status.";

fn main() -> std::process::ExitCode {
    cli::run(USAGE, unix_pipe_child::run)
}

#[cfg(not(unix))]
mod unix_pipe_child {
    pub(super) fn run(_arguments: Vec<String>) -> crate::cli::Outcome {
        Err("this example needs a Unix-like system".into())
    }
}

#[cfg(unix)]
mod unix_pipe_child {
    use std::io::{self, ErrorKind, Read, Write};
    use std::process::{Command, Stdio, exit};

    use mio::unix::pipe::Receiver;
    use mio::{Events, Interest, Poll, Token};

    use crate::cli;

    pub(super) fn run(arguments: Vec<String>) -> cli::Outcome {
        let [program, arguments @ ..] = &arguments[..] else {
            return Err("no PROGRAM given; `--help` shows the arguments".into());
        };
        let mut command = Command::new(program);
        command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("cannot run `{program}`: {error}"))?;

        let stdout = child.stdout.take().expect("standard output is piped");
        let stderr = child.stderr.take().expect("standard error is piped");
        let mut outputs = [Output::new("stdout", stdout.into()), Output::new("stderr", stderr.into())];

        let mut poll = Poll::new()?;
        let mut events = Events::with_capacity(outputs.len());
        for (number, output) in outputs.iter_mut().enumerate() {
            // The standard library's pipes to and from a child are in blocking mode.
            output.pipe.set_nonblocking(true)?;
            poll.registry().register(&mut output.pipe, Token(number), Interest::READABLE)?;
        }

        let mut open = outputs.len();
        while open > 0 {
            poll.poll_deadline(&mut events, None)?;
            for event in &events {
                let output = &mut outputs[event.token().0];
                if output.print_what_has_come()? {
                    poll.registry().deregister(&mut output.pipe)?;
                    open -= 1;
                }
            }
        }
        let status = child.wait()?;
        println!("{status}");
        exit(status.code().unwrap_or(1));
    }

    struct Output {
        name: &'static str,
        pipe: Receiver,
        /// The start of a line that is not complete yet.
        line: Vec<u8>,
    }

    impl Output {
        fn new(name: &'static str, pipe: Receiver) -> Output {
            Output { name, pipe, line: Vec::new() }
        }

        /// Reads until a read would block. Returns whether the output has ended.
        fn print_what_has_come(&mut self) -> io::Result<bool> {
            let mut buffer = [0; 4096];
            loop {
                match self.pipe.read(&mut buffer) {
                    Ok(0) => {
                        let end = std::mem::take(&mut self.line);
                        return if end.is_empty() { Ok(true) } else { self.print(&end).map(|()| true) };
                    }
                    Ok(count) => {
                        self.line.extend_from_slice(&buffer[..count]);
                        while let Some(newline) = self.line.iter().position(|&byte| byte == b'\n') {
                            let rest = self.line.split_off(newline + 1);
                            let line = std::mem::replace(&mut self.line, rest);
                            self.print(&line[..newline])?;
                        }
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
        }

        fn print(&self, line: &[u8]) -> io::Result<()> {
            writeln!(io::stdout(), "{}: {}", self.name, String::from_utf8_lossy(line))
        }
    }
}
