//! Measures what a peer costs besides time: memory, system calls, build time and crates.

use std::fs;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

#[cfg(not(mio_backend = "poll"))]
use mio::Trigger;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Registry, Token, Waker};

use crate::peers::Peer;
use crate::peers::eventfd::EventFd;
use crate::rows::{ROWS, Row};
use crate::work::Work;
use crate::{Outcome, cargo};

/// One line of the table of costs: a title, and a cell for each peer.
pub struct Cost {
    pub title: &'static str,
    pub cells: Vec<(Peer, String)>,
}

/// The usual limit of open files leaves room for so many.
const SOURCES: usize = 10_000;

pub fn measure(root: &Path, scratch: &Path, quick: bool) -> Outcome<Vec<Cost>> {
    let mut costs = memory()?;
    costs.push(Cost {
        title: "size of a `TcpStream`, bytes",
        cells: vec![
            (Peer::Raw, size_of::<std::net::TcpStream>().to_string()),
            (Peer::Ours, size_of::<mio::net::TcpStream>().to_string()),
            (Peer::Mio, size_of::<mio_1_2_5::net::TcpStream>().to_string()),
        ],
    });
    costs.push(Cost { title: "wake-ups per connection, 8 polls on one listener", cells: wake_ups()? });
    costs.extend(build(root, scratch, quick)?);
    Ok(costs)
}

/// Measures the memory of registered sources: the program's, for each peer in a process of its own, and the kernel's.
pub fn memory() -> Outcome<Vec<Cost>> {
    eprintln!("memory");
    let mut memory = Vec::new();
    for peer in Peer::ALL {
        let output = Command::new(std::env::current_exe()?).args(["--memory", peer.name()]).output()?;
        let output = String::from_utf8(output.stdout)?;
        let numbers: Vec<f64> = output.split_whitespace().filter_map(|number| number.parse().ok()).collect();
        if let [heap, resident] = numbers[..] {
            memory.push((peer, (heap, resident)));
        }
    }
    let kernel = kernel_memory()?;
    let column = |cell: &dyn Fn(&(f64, f64)) -> String| {
        memory.iter().map(|(peer, bytes)| (*peer, cell(bytes))).collect::<Vec<_>>()
    };
    Ok(vec![
        Cost { title: "allocated bytes per registered source", cells: column(&|bytes| format!("{:.0}", bytes.0)) },
        Cost { title: "resident bytes per registered source", cells: column(&|bytes| format!("{:.0}", bytes.1)) },
        Cost {
            title: "the kernel's bytes per source registered with epoll",
            cells: column(&|_| format!("{kernel:.0}")),
        },
        Cost {
            title: "MB for 1,000,000 registered sources, allocated and the kernel's, from these figures",
            // The bytes of one source are the MB of a million.
            cells: column(&|bytes| format!("{:.0} + {kernel:.0}", bytes.0)),
        },
    ])
}

/// Returns the kernel's bytes for a source that is registered with epoll, which do not depend on the peer. They do not include
/// the source itself and its descriptor.
fn kernel_memory() -> io::Result<f64> {
    const QUEUES: usize = 10;
    let sources = (0..SOURCES).map(|_| EventFd::new()).collect::<io::Result<Vec<_>>>()?;
    let mut slopes = Vec::new();
    for _ in 0..5 {
        let queues = (0..QUEUES).map(|_| Poll::new()).collect::<io::Result<Vec<_>>>()?;
        let before = slab();
        for queue in &queues {
            for source in &sources {
                queue.registry().register(&mut SourceFd(&source.as_raw_fd()), Token(0), Interest::READABLE)?;
            }
        }
        slopes.push(slab().saturating_sub(before) as f64 / (QUEUES * SOURCES) as f64);
        drop(queues);
        // The kernel frees some of the memory later.
        thread::sleep(Duration::from_millis(500));
    }
    slopes.sort_by(f64::total_cmp);
    Ok(slopes[slopes.len() / 2])
}

/// Returns the kernel's bytes for its own objects.
fn slab() -> usize {
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kilobytes = memory.lines().find_map(|line| line.strip_prefix("Slab:")?.trim().strip_suffix(" kB"));
    kilobytes.and_then(|kilobytes| kilobytes.parse::<usize>().ok()).unwrap_or(0) * 1024
}

/// Returns the bytes for a registered source: those of the allocator, and the resident ones. The kernel's own are not included.
pub fn registered_memory(peer: Peer) -> io::Result<(f64, f64)> {
    let mut register = peer.start(Work::Register(SOURCES))?;
    let before = (allocated(), resident());
    register(1)?;
    let after = (allocated(), resident());
    let each = |before, after: usize| after.saturating_sub(before) as f64 / SOURCES as f64;
    Ok((each(before.0, after.0), each(before.1, after.1)))
}

fn allocated() -> usize {
    // SAFETY: the call takes no pointer.
    let usage = unsafe { libc::mallinfo2() };
    // Large blocks have mappings of their own.
    usage.uordblks + usage.hblkhd
}

fn resident() -> usize {
    let pages = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    pages.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * 4096
}

/// Returns how many of 8 threads wake up for a connection. Each has a queue of its own, and all watch the same listener.
fn wake_ups() -> Outcome<Vec<(Peer, String)>> {
    eprintln!("wake-ups");
    let plain = wake_ups_a_connection(|registry, listener| {
        registry.register(&mut SourceFd(&listener), Token(0), Interest::READABLE)
    })?;
    #[cfg(not(mio_backend = "poll"))]
    {
        let exclusive = wake_ups_a_connection(|registry, listener| {
            registry.register_with(&mut SourceFd(&listener), Token(0), Interest::READABLE, Trigger::Exclusive)
        })?;
        Ok(vec![(Peer::Ours, format!("{plain:.2}; with `Trigger::Exclusive` {exclusive:.2}"))])
    }
    #[cfg(mio_backend = "poll")]
    Ok(vec![(Peer::Ours, format!("{plain:.2}"))])
}

fn wake_ups_a_connection(register: fn(&Registry, RawFd) -> io::Result<()>) -> io::Result<f64> {
    const THREADS: usize = 8;
    const CONNECTIONS: u32 = 100;
    const WAKER: Token = Token(1);

    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let ready = |_| {
        let poll = Poll::new()?;
        register(poll.registry(), listener.as_raw_fd())?;
        let waker = Waker::new(poll.registry(), WAKER)?;
        Ok((poll, waker))
    };
    let (polls, wakers): (Vec<Poll>, Vec<Waker>) =
        (0..THREADS).map(ready).collect::<io::Result<Vec<_>>>()?.into_iter().unzip();
    let serve = |mut poll: Poll| {
        let mut events = Events::with_capacity(8);
        let before = sleeps();
        while !events.iter().any(|event| event.token() == WAKER) {
            poll.poll(&mut events, None)?;
            while listener.accept().is_ok() {}
        }
        io::Result::Ok(sleeps() - before)
    };
    let wake_ups = thread::scope(|scope| {
        let threads: Vec<_> = polls.into_iter().map(|poll| scope.spawn(move || serve(poll))).collect();
        let connected = (0..CONNECTIONS).try_for_each(|_| {
            // By then all threads sleep again, or nearly so.
            thread::sleep(Duration::from_millis(5));
            TcpStream::connect(listener.local_addr()?).map(drop)
        });
        thread::sleep(Duration::from_millis(5));
        wakers.iter().try_for_each(Waker::wake)?;
        let join = |thread: thread::ScopedJoinHandle<'_, io::Result<i64>>| thread.join().expect("no panic in a server");
        connected.and(threads.into_iter().map(join).sum::<io::Result<i64>>())
    })?;
    Ok(wake_ups as f64 / f64::from(CONNECTIONS))
}

/// Returns how often this thread has gone to sleep. Events do not show that: a thread that wakes and finds nothing left goes
/// back to sleep inside the system call.
fn sleeps() -> i64 {
    // SAFETY: the kernel writes plain numbers.
    unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_THREAD, &mut usage);
        usage.ru_nvcsw
    }
}

/// Builds a program that has nothing but one dependency.
fn build(root: &Path, scratch: &Path, quick: bool) -> Outcome<Vec<Cost>> {
    eprintln!("build time");
    let features = r#"features = ["os-poll", "os-ext", "net"]"#;
    let dependencies = [
        (Peer::Ours, format!("mio = {{ path = {root:?}, {features} }}")),
        (Peer::Mio, format!("mio = {{ version = \"=1.2.5\", {features} }}")),
        (Peer::Polling, "polling = \"=3.11.0\"".to_owned()),
    ];
    let mut times = vec![Vec::new(); dependencies.len()];
    let mut crates = Vec::new();
    for round in 0..if quick { 1 } else { 3 } {
        for ((peer, dependency), times) in dependencies.iter().zip(&mut times) {
            let package = scratch.join("build").join(peer.name().replace(' ', "-"));
            let _ = fs::remove_dir_all(&package);
            fs::create_dir_all(package.join("src"))?;
            fs::write(package.join("src/lib.rs"), "")?;
            let head = "[workspace]\n[package]\nname = \"empty\"\nversion = \"0.0.0\"\nedition = \"2021\"\n";
            fs::write(package.join("Cargo.toml"), format!("{head}[dependencies]\n{dependency}\n"))?;
            fs::copy(root.join("Cargo.lock"), package.join("Cargo.lock"))?;
            let cargo_in_package = |arguments: &[&str]| {
                let mut command = Command::new(cargo());
                command.current_dir(&package).args(arguments).stderr(Stdio::inherit());
                command.env("CARGO_TARGET_DIR", "target").env_remove("RUSTFLAGS");
                command.output()
            };
            let tree = ["tree", "--offline", "--quiet", "--prefix", "none", "--no-dedupe", "--edges", "normal"];
            let output = cargo_in_package(&tree)?;
            if round == 0 {
                let tree = String::from_utf8(output.stdout)?;
                let mut names: Vec<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
                names.sort_unstable();
                names.dedup();
                // This does not count the empty program itself.
                crates.push((*peer, names.len().saturating_sub(1).to_string()));
            }
            let start = Instant::now();
            if !cargo_in_package(&["build", "--offline", "--quiet", "--release"])?.status.success() {
                return Err(format!("building with {peer} alone failed").into());
            }
            times.push(start.elapsed().as_secs_f64());
        }
    }
    let median = |times: &mut Vec<f64>| {
        times.sort_by(f64::total_cmp);
        format!("{:.1}", times[times.len() / 2])
    };
    let times = dependencies.iter().zip(&mut times).map(|((peer, _), times)| (*peer, median(times))).collect();
    Ok(vec![
        Cost { title: "release build from scratch, seconds", cells: times },
        Cost { title: "crates, including itself", cells: crates },
    ])
}

/// Returns the table of `ci/syscalls`, or a note that says why there is none.
pub fn system_calls(root: &Path) -> Outcome<String> {
    eprintln!("system calls");
    match Command::new(root.join("ci/syscalls")).current_dir(root).stderr(Stdio::inherit()).output() {
        Ok(output) if output.status.success() => {
            let table = String::from_utf8(output.stdout)?;
            let titled =
                |table: String, row: &Row| table.replace(&format!("\n| {} |", row.id), &format!("\n| {} |", row.title));
            Ok(ROWS.iter().fold(table, titled))
        }
        Ok(output) => {
            Err(format!("ci/syscalls: {}\n{}", output.status, String::from_utf8_lossy(&output.stdout)).into())
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok("not counted: no ci/syscalls here\n".to_owned()),
        Err(error) => Err(error.into()),
    }
}
