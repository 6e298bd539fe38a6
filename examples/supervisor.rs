//! Runs several programs at once, prints their output line by line, and restarts those that fail, in one loop, with no thread
//! and no signal handler. Each argument is a command for the shell. It ends when every program has succeeded, or has failed
//! `RETRIES` times after its first run.
//!
//! ```sh
//! cargo run --example supervisor --features os-ext -- 'sleep 1; echo done' 'echo trying; exit $((RANDOM % 2))'
//! ```

mod cli;

const USAGE: &str = "\
usage: supervisor COMMAND...

Runs each COMMAND in the shell, prints its output line by line, and restarts it if it fails.";

fn main() -> std::process::ExitCode {
    cli::run(USAGE, supervisor::run)
}

// This list names the platforms that have `ChildExit`, because an example cannot ask the crate whether it has an item.
#[cfg(not(any(
    windows,
    target_os = "linux",
    all(
        not(any(mio_backend = "poll", mio_unsupported_force_poll_poll)),
        any(
            target_os = "dragonfly",
            target_os = "freebsd",
            target_os = "netbsd",
            target_os = "openbsd",
            target_vendor = "apple"
        )
    )
)))]
mod supervisor {
    pub(super) fn run(_commands: Vec<String>) -> crate::cli::Outcome {
        Err("this example needs `ChildExit`, which this system does not have".into())
    }
}

#[cfg(any(
    windows,
    target_os = "linux",
    all(
        not(any(mio_backend = "poll", mio_unsupported_force_poll_poll)),
        any(
            target_os = "dragonfly",
            target_os = "freebsd",
            target_os = "netbsd",
            target_os = "openbsd",
            target_vendor = "apple"
        )
    )
))]
mod supervisor {
    use std::fmt::Display;
    use std::io::{self, ErrorKind, Read, Write};
    use std::process::{Child, ExitStatus};
    use std::time::{Duration, Instant};

    use mio::{ChildExit, Events, Interest, Poll, Registry, Token};

    use self::shell::Output;
    use crate::cli;

    /// How often a program is restarted, and how long after its end.
    const RETRIES: u32 = 3;
    const PAUSE: Duration = Duration::from_millis(200);

    pub(super) fn run(commands: Vec<String>) -> cli::Outcome {
        if commands.is_empty() {
            return Err("no COMMAND given; `--help` shows the arguments".into());
        }
        let mut poll = Poll::new()?;
        let mut events = Events::with_capacity(64);
        let mut programs: Vec<Program> =
            commands.into_iter().enumerate().map(|(number, command)| Program::new(number, command)).collect();
        for program in &mut programs {
            program.start(poll.registry())?;
        }
        while programs.iter().any(|program| !program.is_over()) {
            // If no event ends the wait, the next restart does.
            let next_start = programs.iter().filter_map(|program| program.start_at).min();
            poll.poll_deadline(&mut events, next_start)?;
            for event in &events {
                // Each program has two tokens, one for its output and one for its exit.
                let program = &mut programs[event.token().0 / 2];
                if event.token() == program.output_token() {
                    program.has_said()?;
                } else {
                    program.has_exited()?;
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
        /// The time at which to restart it.
        start_at: Option<Instant>,
        failures: u32,
    }

    struct Running {
        child: Child,
        /// The output and the exit are sources, and dropping them ends their registrations.
        output: Output,
        _exit: ChildExit,
        /// The status, once the program has exited. The run is over when the output has ended as well.
        exited: Option<ExitStatus>,
        output_has_ended: bool,
        /// The start of a line that is not complete yet.
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
            let (child, output) = shell::start(&self.command, registry, self.output_token())?;
            let mut exit = ChildExit::new(&child)?;
            registry.register(&mut exit, Token(2 * self.number + 1), Interest::READABLE)?;
            let line = Vec::new();
            self.running = Some(Running { child, output, _exit: exit, exited: None, output_has_ended: false, line });
            Ok(())
        }

        fn has_said(&mut self) -> io::Result<()> {
            // An event may concern an earlier run.
            let Some(running) = &mut self.running else { return Ok(()) };
            running.output_has_ended = running.print_what_has_come(self.number)?;
            self.is_it_over()
        }

        fn has_exited(&mut self) -> io::Result<()> {
            let Some(running) = &mut self.running else { return Ok(()) };
            running.exited = running.child.try_wait()?;
            self.is_it_over()
        }

        fn is_it_over(&mut self) -> io::Result<()> {
            let Some(Running { exited: Some(status), output_has_ended: true, line, .. }) = &self.running else {
                return Ok(());
            };
            if !line.is_empty() {
                print(self.number, String::from_utf8_lossy(line))?;
            }
            print(self.number, status)?;
            if !status.success() {
                self.failures += 1;
                self.start_at = (self.failures <= RETRIES).then(|| Instant::now() + PAUSE);
            }
            self.running = None;
            Ok(())
        }
    }

    impl Running {
        /// Reads until a read would block, or the output ends. Returns whether it has ended.
        fn print_what_has_come(&mut self, number: usize) -> io::Result<bool> {
            let mut buffer = [0; 4096];
            loop {
                match self.output.read(&mut buffer) {
                    Ok(0) => return Ok(true),
                    Ok(count) => self.line.extend_from_slice(&buffer[..count]),
                    // A pipe of Windows reports its end with this error.
                    Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(true),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
                while let Some(newline) = self.line.iter().position(|&byte| byte == b'\n') {
                    let line: Vec<u8> = self.line.drain(..=newline).collect();
                    print(number, String::from_utf8_lossy(line.trim_ascii_end()))?;
                }
            }
        }
    }

    fn print(number: usize, what: impl Display) -> io::Result<()> {
        writeln!(io::stdout(), "{number}: {what}")
    }

    #[cfg(unix)]
    mod shell {
        use std::io;
        use std::process::{Child, Command, Stdio};

        pub(super) use mio::unix::pipe::Receiver as Output;
        use mio::{Interest, Registry, Token};

        pub(super) fn start(command: &str, registry: &Registry, token: Token) -> io::Result<(Child, Output)> {
            let mut child = Command::new("sh").args(["-c", command]).stdout(Stdio::piped()).spawn()?;
            let mut output = Output::from(child.stdout.take().expect("standard output is piped"));
            // The standard library's pipes to and from a child are in blocking mode.
            output.set_nonblocking(true)?;
            registry.register(&mut output, token, Interest::READABLE)?;
            Ok((child, output))
        }
    }

    #[cfg(windows)]
    mod shell {
        use std::fs::OpenOptions;
        use std::io;
        use std::os::windows::process::CommandExt;
        use std::process::{self, Child, Command};
        use std::sync::atomic::{AtomicUsize, Ordering};

        pub(super) use mio::windows::NamedPipe as Output;
        use mio::{Interest, Registry, Token};

        pub(super) fn start(command: &str, registry: &Registry, token: Token) -> io::Result<(Child, Output)> {
            static COUNT: AtomicUsize = AtomicUsize::new(0);
            // A queue cannot watch the standard library's pipes to and from a child, but it can watch a named pipe.
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let name = format!(r"\\.\pipe\mio-supervisor-{}-{count}", process::id());
            let mut output = Output::new(&name)?;
            registry.register(&mut output, token, Interest::READABLE)?;
            let theirs = OpenOptions::new().write(true).open(&name)?;
            output.connect()?;
            let child = Command::new("cmd").raw_arg("/C").raw_arg(command).stdout(theirs).spawn()?;
            Ok((child, output))
        }
    }
}
