//! Runs the examples while one system call of the main thread fails. Each must do its work or say what is wrong, and end.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream, UdpSocket};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::{ERRORS, HANG, NOT_THE_LIBRARYS, NOT_TRUE_TO_LIFE, name};

/// Calls that the programs make for themselves, to print and to handle signals.
const THE_PROGRAMS: &[&str] = &["rt_sigreturn", "write"];

/// If an edge-triggered program reads `EAGAIN` although there is something to read, it waits for an edge that has passed.
const LIES: [(&str, &str); 3] = [("accept4", "EAGAIN"), ("read", "EAGAIN"), ("recvfrom", "EAGAIN")];

/// The calls that fail, counted from the point at which the program begins to use the library.
const TIMES: [(usize, &str); 3] = [(1, ""), (3, ""), (10, "+10")];

/// A client waits this long for an answer before it gives up.
const PATIENCE: Duration = Duration::from_millis(50);

/// The client that talks to the example.
#[derive(Copy, Clone)]
enum Visitor {
    /// No client: the example ends by itself.
    Nobody,
    Stream,
    Datagrams,
}

const EXAMPLES: [(&str, &[&str], Visitor); 5] = [
    ("quickstart", &[], Visitor::Nobody),
    ("unix_pipe_child", &["sh", "-c", "echo one; echo two >&2"], Visitor::Nobody),
    ("tcp_server", &["127.0.0.1:0"], Visitor::Stream),
    ("broadcast_chat", &["127.0.0.1:0"], Visitor::Stream),
    ("udp_server", &["127.0.0.1:0"], Visitor::Datagrams),
];

/// The result of all runs.
#[derive(Default)]
pub(crate) struct Outcomes {
    pub(crate) runs: usize,
    pub(crate) injected: usize,
    /// What went wrong.
    pub(crate) broken: Vec<String>,
}

/// Runs every example with every fault.
pub(crate) fn run_all() -> Outcomes {
    thread::scope(|scope| {
        let threads = EXAMPLES.map(|example| scope.spawn(move || run_with_all_faults(example)));
        threads.into_iter().map(|thread| thread.join().unwrap()).fold(Outcomes::default(), |mut all, one| {
            all.runs += one.runs;
            all.injected += one.injected;
            all.broken.extend(one.broken);
            all
        })
    })
}

fn run_with_all_faults(example: (&str, &[&str], Visitor)) -> Outcomes {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("calls");
    run(example, &log, None).unwrap();
    let mut outcomes = Outcomes::default();
    for (call, before) in calls(&fs::read_to_string(&log).unwrap()) {
        // Visitors come again, so a lie does not stop them.
        let lies = if matches!(example.2, Visitor::Nobody) { &LIES[..] } else { &[] };
        let is_told = |error| (call.as_str(), error) != NOT_TRUE_TO_LIFE && !lies.contains(&(call.as_str(), error));
        for error in ERRORS.into_iter().filter(|&error| is_told(error)) {
            for (nth, repeat) in TIMES {
                let fault = format!("inject={call}:error={error}:when={}{repeat}", before + nth);
                let result = run(example, &log, Some(&fault));
                outcomes.runs += 1;
                outcomes.injected += fs::read_to_string(&log).unwrap().matches("(INJECTED)").count();
                outcomes.broken.extend(result.err().map(|what| format!("{}, {fault}: {what}", example.0)));
            }
        }
    }
    outcomes
}

/// Returns the library's calls in a log, each with how often the program made it before it had a queue.
fn calls(log: &str) -> BTreeMap<String, usize> {
    let names: Vec<&str> = log.lines().filter_map(name).collect();
    let begin = names.iter().position(|&name| name == "epoll_create1").unwrap();
    let (before, after) = names.split_at(begin);
    let after = after.iter().filter(|name| !NOT_THE_LIBRARYS.contains(name) && !THE_PROGRAMS.contains(name));
    after.map(|&name| (name.to_owned(), before.iter().filter(|earlier| **earlier == name).count())).collect()
}

/// Runs an example, with visitors, until it ends by itself or on request.
fn run((example, arguments, visitor): (&str, &[&str], Visitor), log: &Path, fault: Option<&str>) -> Result<(), String> {
    let program = env::current_exe().unwrap().parent().unwrap().join("../examples").join(example);
    // Background jobs ignore SIGINT, and the example would as well. With `-D` the tracer is a grandchild, and the example our
    // child.
    let mut process = Command::new("env")
        .args(["--default-signal=INT", "strace", "-D", "-qq", "-o"])
        .arg(log)
        .args(fault.into_iter().flat_map(|fault| ["-e", fault]))
        .arg(program)
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(process.stdout.take().unwrap());
    let mut errors = process.stderr.take().unwrap();
    let errors = thread::spawn(move || {
        let mut text = String::new();
        errors.read_to_string(&mut text).map(|_| text)
    });

    let mut line = String::new();
    if !matches!(visitor, Visitor::Nobody) && output.read_line(&mut line).is_ok() {
        if let Some(address) = line.trim_end().strip_prefix("listening on ") {
            // A visitor of such a server has to expect errors.
            for _ in 0..2 {
                let _ = match visitor {
                    Visitor::Datagrams => visit_with_datagrams(address),
                    _ => visit(address),
                };
            }
        }
        let id = libc::pid_t::try_from(process.id()).unwrap();
        // SAFETY: the call takes no pointer. The process is our child, and nobody has waited for it.
        unsafe { libc::kill(id, libc::SIGINT) };
    }
    let ended = wait(&mut process);
    drop(output);
    let errors = errors.join().unwrap().unwrap();
    let status = ended.ok_or_else(|| format!("a hang: {errors}"))?;
    match status.code() {
        Some(0) => Ok(()),
        Some(1) if fault.is_some() && errors.to_lowercase().contains("error: ") => Ok(()),
        _ if status.signal() == Some(libc::SIGINT) && !errors.contains("panicked") => Ok(()),
        _ => Err(format!("{status}: {errors}")),
    }
}

fn visit(address: &str) -> io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"hello\n")?;
    stream.read_exact(&mut [0; 6])?;
    stream.shutdown(Shutdown::Write)
}

fn visit_with_datagrams(address: &str) -> io::Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.send_to(b"hello", address)?;
    socket.recv(&mut [0; 6]).map(drop)
}

fn wait(process: &mut Child) -> Option<ExitStatus> {
    let deadline = Instant::now() + HANG;
    while Instant::now() < deadline {
        if let Some(status) = process.try_wait().unwrap() {
            return Some(status);
        }
        thread::sleep(Duration::from_millis(1));
    }
    process.kill().unwrap();
    process.wait().unwrap();
    None
}
