//! Makes every system call of the library fail with every error: the first time, the third time, every tenth time.
//!
//! A *victim* process makes every kind of call of the library, again and again, and records the errors. The test attaches
//! `strace(1)` to it and makes one system call fail in one way. Whatever fails, nothing may panic, hang, lose an event or leak
//! a descriptor. After the fault, everything must work again, and with the same queue.
//!
//! The examples go through the same, from a user's point of view: see `faults/examples.rs`.
//!
//! This takes minutes, so it runs only if asked to. `ci/faults` asks, and prints the table. Without strace, the test is
//! skipped.

#![cfg(all(target_os = "linux", feature = "os-ext", feature = "net"))]
#![allow(unsafe_code)]

mod faults {
    #[cfg(not(mio_backend = "poll"))]
    pub(crate) mod examples;
    pub(crate) mod operations;
    pub(crate) mod stage;
}

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, ErrorKind};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use faults::operations;
use faults::stage::{Scene, Stage};

const ERRORS: [&str; 9] =
    ["EINTR", "EMFILE", "ENFILE", "ENOMEM", "ENOBUFS", "EAGAIN", "ENOSYS", "EPERM", "ECONNABORTED"];

/// The first call, the third one and every tenth one, in strace's words, each with the number of rounds of all operations in
/// which this happens even to a call that occurs once a round.
const TIMES: [(&str, usize); 3] = [("1", 2), ("3", 4), ("10+10", 12)];

/// POSIX lets an interrupted `connect(2)` go on, and so does the library. With strace it never begins.
const NOT_TRUE_TO_LIFE: (&str, &str) = ("connect", "EINTR");

/// Calls that the victim makes for itself, for threads, memory and clocks. `close(2)` is in the list as well, because nobody
/// hears of its error: if strace prevents it, a descriptor leaks by definition.
const NOT_THE_LIBRARYS: &[&str] = &[
    "brk",
    "clock_nanosleep",
    "clone3",
    "close",
    "exit",
    "exit_group",
    "futex",
    "getpid",
    "getrandom",
    "gettid",
    "madvise",
    "mmap",
    "mprotect",
    "munmap",
    "prctl",
    "restart_syscall",
    "rseq",
    "rt_sigaction",
    "rt_sigprocmask",
    "sched_getaffinity",
    "sched_yield",
    "set_robust_list",
    "sigaltstack",
];

/// A victim that takes longer than this hangs.
const HANG: Duration = Duration::from_secs(60);

const VICTIM: &str = "MIO_TEST_VICTIM";
const ROUNDS: &str = "MIO_TEST_ROUNDS";

/// The result of one run.
struct Outcome {
    /// How often the fault was injected.
    injected: usize,
    /// Whether the library returned that error to its caller.
    told: bool,
    /// The calls that the victim made.
    calls: BTreeSet<String>,
    /// What went wrong.
    broken: Option<String>,
}

#[test]
#[ignore = "takes minutes: ci/faults runs it"]
fn a_failing_system_call_breaks_nothing() {
    if let Some(stage) = env::var_os(VICTIM) {
        let rounds = env::var(ROUNDS).unwrap().parse().unwrap();
        return operations::play(&Stage::open(Path::new(&stage)), rounds);
    }
    if !has_strace() {
        return;
    }

    let rehearsal = run(None);
    assert_eq!(rehearsal.broken, None, "without a fault");
    let calls: Vec<String> =
        rehearsal.calls.into_iter().filter(|call| !NOT_THE_LIBRARYS.contains(&call.as_str())).collect();

    let faults: Vec<_> = calls
        .iter()
        .flat_map(|call| ERRORS.iter().map(move |&error| (call, error)))
        .filter(|&(call, error)| (call.as_str(), error) != NOT_TRUE_TO_LIFE)
        .flat_map(|(call, error)| TIMES.iter().map(move |&(time, _)| (call, error, time)))
        .collect();
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(BTreeMap::new());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(&fault) = faults.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = run(Some(fault));
                    outcomes.lock().unwrap().insert(fault, outcome);
                }
            });
        }
    });
    let outcomes = outcomes.into_inner().unwrap();

    let mut table = format!("{:18}", "");
    ERRORS.iter().for_each(|error| write!(table, "{error:>13}").unwrap());
    for call in &calls {
        write!(table, "\n{call:18}").unwrap();
        for error in ERRORS {
            let cell: String = TIMES.iter().map(|(time, _)| mark(outcomes.get(&(call, error, *time)))).collect();
            write!(table, "{cell:>13}").unwrap();
        }
    }
    println!("{table}");
    println!(
        "\nthe first, third and every tenth call: E: the caller got the error; r: the library recovered; .: not reached"
    );
    println!(
        "{} system calls, {} errors, {} runs, {} faults injected",
        calls.len(),
        ERRORS.len(),
        outcomes.len(),
        outcomes.values().map(|outcome| outcome.injected).sum::<usize>(),
    );

    let broken =
        outcomes.iter().filter_map(|(fault, outcome)| Some(format!("{fault:?}: {}", outcome.broken.as_ref()?)));
    let broken: Vec<String> = broken.collect();
    assert!(broken.is_empty(), "{} runs went wrong:\n{}", broken.len(), broken.join("\n"));
}

/// This runs on epoll alone: the call that makes its descriptor shows where a program begins to use the library.
#[test]
#[ignore = "takes minutes: ci/faults runs it"]
#[cfg(not(mio_backend = "poll"))]
fn an_example_with_a_failing_system_call_does_its_work_or_says_what_is_wrong() {
    if !has_strace() {
        return;
    }
    let outcomes = faults::examples::run_all();
    println!("examples: {} runs, {} faults injected", outcomes.runs, outcomes.injected);
    assert_ne!(outcomes.injected, 0);
    let broken = outcomes.broken;
    assert!(broken.is_empty(), "{} runs went wrong:\n{}", broken.len(), broken.join("\n"));
}

fn has_strace() -> bool {
    match Command::new("strace").arg("-V").output() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            eprintln!("SKIPPED: needs strace(1), which is not installed");
            false
        }
        version => version.unwrap().status.success(),
    }
}

fn mark(outcome: Option<&Outcome>) -> char {
    match outcome {
        None => ' ',
        Some(Outcome { broken: Some(_), .. }) => '!',
        Some(Outcome { injected: 0, .. }) => '.',
        Some(Outcome { told: true, .. }) => 'E',
        Some(_) => 'r',
    }
}

/// Runs a victim, with a fault if there is one: a system call, an error, and the calls that it hits.
fn run(fault: Option<(&String, &str, &str)>) -> Outcome {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("calls");
    let shared = directory.path().join("stage");
    let stage = Stage::create(&shared);
    let rounds =
        TIMES.iter().find(|(time, _)| fault.is_some_and(|fault| fault.2 == *time)).map_or(1, |(_, rounds)| *rounds);
    let mut victim = Command::new(env::current_exe().unwrap())
        .args(["--exact", "a_failing_system_call_breaks_nothing", "--ignored", "--test-threads=1", "--nocapture"])
        .env(VICTIM, &shared)
        .env(ROUNDS, rounds.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let begun = wait_for(&stage, Scene::Ready, &mut victim);

    let mut strace = Command::new("strace");
    strace.args(["-f", "-o"]).arg(&log).args(["-p", &victim.id().to_string()]);
    if let Some((call, error, time)) = fault {
        strace.args(["-e", &format!("trace={call}"), "-e", &format!("inject={call}:error={error}:when={time}")]);
    }
    let mut strace = strace.stderr(Stdio::piped()).spawn().unwrap();
    let mut messages = BufReader::new(strace.stderr.take().unwrap());
    let mut attached = String::new();
    messages.read_line(&mut attached).unwrap();
    assert!(attached.contains("attached"), "strace cannot attach: {attached}");

    stage.set(Scene::Fault);
    let ended = begun && wait_for(&stage, Scene::Over, &mut victim);
    // The victim may have ended, and the tracer with it.
    // SAFETY: the call takes no pointer.
    unsafe { libc::kill(strace.id() as libc::pid_t, libc::SIGTERM) };
    strace.wait().unwrap();
    stage.set(Scene::Aftermath);
    if !ended || !wait_for(&stage, Scene::End, &mut victim) {
        let _ = victim.kill();
    }
    let output = victim.wait_with_output().unwrap();

    let text = [output.stdout, output.stderr].map(|output| String::from_utf8_lossy(&output).into_owned()).concat();
    let calls = std::fs::read_to_string(log).unwrap();
    let broken = match output.status.signal() {
        _ if output.status.success() => None,
        Some(libc::SIGKILL) => Some(format!("a hang: {text}")),
        _ => Some(text.clone()),
    };
    Outcome {
        injected: calls.matches("(INJECTED)").count(),
        told: fault.is_some_and(|(_, error, _)| text.contains(&format!("told {error}\n"))),
        calls: calls.lines().filter_map(|line| name(line.split_once(' ')?.1)).map(str::to_owned).collect(),
        broken,
    }
}

/// Waits until the victim is in `scene` or a later one. Returns false if it does not get there.
fn wait_for(stage: &Stage, scene: Scene, victim: &mut Child) -> bool {
    let deadline = Instant::now() + HANG;
    while stage.scene() < scene {
        if victim.try_wait().unwrap().is_some() || Instant::now() > deadline {
            return false;
        }
        thread::sleep(Duration::from_millis(1));
    }
    true
}

/// Returns the name of the call in a line of strace's log, without the process number: `NAME(ARGUMENTS) = RESULT`.
fn name(line: &str) -> Option<&str> {
    let (name, _) = line.trim_start().split_once('(')?;
    name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_').then_some(name)
}
