//! Runs several programs at once, prints what they say line by line, and starts those that fail again: in one loop, with no
//! thread and no signal handler. Each argument is a command for the shell. It ends when every program has succeeded, or has
//! failed `RETRIES` times after its first run.
//!
//! ```sh
//! cargo run --example supervisor --features os-ext -- 'sleep 1; echo done' 'echo trying; exit $((RANDOM % 2))'
//! ```

#[cfg(target_os = "linux")]
mod cli;

#[cfg(target_os = "linux")]
const USAGE: &str = "\
usage: supervisor COMMAND...

Runs each COMMAND in the shell, prints what it says line by line, and starts it again if it fails.";

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    cli::run(USAGE, supervisor::run)
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("this example is for Unix-like systems with `ChildExit`");
}

#[cfg(target_os = "linux")]
mod supervisor {
    use std::fmt::Display;
    use std::io::{self, ErrorKind, Read, Write};
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, Instant};

    use mio::unix::pipe::Receiver;
    use mio::{ChildExit, Events, Interest, Poll, Registry, Token};

    use crate::cli;

    /// How often a program is started again, and how long after its end.
    const RETRIES: u32 = 3;
    const PAUSE: Duration = Duration::from_millis(200);

    pub(super) fn run(commands: Vec<String>) -> cli::Outcome {
        if commands.is_empty() {
            return Err("which commands? `--help` shows how".into());
        }
        let mut poll = Poll::new()?;
        let mut events = Events::with_capacity(64);
        let mut programs: Vec<Program> =
            commands.into_iter().enumerate().map(|(number, command)| Program::new(number, command)).collect();
        for program in &mut programs {
            program.start(poll.registry())?;
        }
        while programs.iter().any(|program| !program.is_over()) {
            // The next program to be started again ends the wait, if no event does.
            let next_start = programs.iter().filter_map(|program| program.start_at).min();
            poll.poll_deadline(&mut events, next_start)?;
            for event in &events {
                // Two tokens for each program: its output, and its exit.
                let program = &mut programs[event.token().0 / 2];
                if event.token() == program.output_token() {
                    program.print_what_has_come()?;
                } else {
                    program.exited()?;
                }
            }
            for program in programs.iter_mut().filter(|program| program.start_at.is_some_and(|at| at <= Instant::now()))
            {
                program.start(poll.registry())?;
            }
        }
        match programs.iter().filter(|program| program.failures > RETRIES).count() {
            0 => Ok(()),
            failed => Err(format!("{failed} of {} programs failed for good", programs.len()).into()),
        }
    }

    struct Program {
        number: usize,
        command: String,
        running: Option<Running>,
        /// When to start it again.
        start_at: Option<Instant>,
        failures: u32,
    }

    struct Running {
        child: Child,
        /// Both are sources: dropping them ends their registrations.
        output: Receiver,
        _exit: ChildExit,
        /// The beginning of a line.
        line: Vec<u8>,
    }

    impl Program {
        fn new(number: usize, command: String) -> Program {
            Program { number, command, running: None, start_at: None, failures: 0 }
        }

        fn output_token(&self) -> Token {
            Token(2 * self.number)
        }

        fn is_over(&self) -> bool {
            self.running.is_none() && self.start_at.is_none()
        }

        fn start(&mut self, registry: &Registry) -> io::Result<()> {
            self.start_at = None;
            let mut child = Command::new("sh").args(["-c", &self.command]).stdout(Stdio::piped()).spawn()?;
            let mut output = Receiver::from(child.stdout.take().expect("standard output is piped"));
            // The standard library's pipes to and from a child block.
            output.set_nonblocking(true)?;
            registry.register(&mut output, self.output_token(), Interest::READABLE)?;
            let mut exit = ChildExit::new(&child)?;
            registry.register(&mut exit, Token(2 * self.number + 1), Interest::READABLE)?;
            self.running = Some(Running { child, output, _exit: exit, line: Vec::new() });
            Ok(())
        }

        /// Reads until that would block, or the output ends.
        fn print_what_has_come(&mut self) -> io::Result<()> {
            // An event that was under way when the program ended.
            let Some(running) = &mut self.running else { return Ok(()) };
            let mut buffer = [0; 4096];
            loop {
                match running.output.read(&mut buffer) {
                    Ok(0) => return Ok(()),
                    Ok(count) => running.line.extend_from_slice(&buffer[..count]),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
                while let Some(newline) = running.line.iter().position(|&byte| byte == b'\n') {
                    let line: Vec<u8> = running.line.drain(..=newline).collect();
                    print(self.number, String::from_utf8_lossy(&line[..newline]))?;
                }
            }
        }

        fn exited(&mut self) -> io::Result<()> {
            // What it said last may have come with its exit.
            self.print_what_has_come()?;
            let Some(running) = &mut self.running else { return Ok(()) };
            let Some(status) = running.child.try_wait()? else { return Ok(()) };
            if !running.line.is_empty() {
                print(self.number, String::from_utf8_lossy(&running.line))?;
            }
            print(self.number, status)?;
            self.running = None;
            if !status.success() {
                self.failures += 1;
                self.start_at = (self.failures <= RETRIES).then(|| Instant::now() + PAUSE);
            }
            Ok(())
        }
    }

    fn print(number: usize, what: impl Display) -> io::Result<()> {
        writeln!(io::stdout(), "{number}: {what}")
    }
}
