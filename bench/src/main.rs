//! Measures this crate, mio 1.2.5, polling, libuv, libevent and the raw system calls side by side in one run.
//!
//! ```text
//! cargo run --release -p mio-bench                   everything; writes docs/performance.{md,csv} and docs/img
//! cargo run --release -p mio-bench -- --quick        proves that it works, in seconds; writes under target/bench alone
//! cargo run --release -p mio-bench -- --only wake    the rows of the page whose name contains "wake"; writes nothing
//! cargo run --release -p mio-bench -- --again 100,000  the same rows, and memory; replaces these in docs/performance.*
//! cargo run --release -p mio-bench -- --plot         draws docs/img from docs/performance.csv; measures nothing
//! cargo run --release -p mio-bench -- --instructions           counts instructions; fails if bench/budget.csv has fewer
//! cargo run --release -p mio-bench -- --instructions --write   makes a new bench/budget.csv of them
//! ```

mod allocations;
mod costs;
mod holder;
mod instructions;
mod measure;
mod peers;
mod pin;
mod plot;
mod queue;
mod report;
mod rows;
mod work;

use std::env;
use std::error::Error;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, ExitCode};

use crate::measure::Result as Measured;
use crate::peers::Peer;
use crate::queue::POLL_BACKENDS;
use crate::rows::{COUNTED, Effort, ROWS};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Outcome {
    raise_file_limit();
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let quick = arguments.contains(&"--quick");
    let effort = if quick { Effort::QUICK } else { Effort::FULL };
    match arguments[..] {
        [] | ["--quick"] => everything(effort, quick),
        ["--only", part] | ["--only", part, "--quick"] => {
            let results = measure_all(effort, part)?;
            println!("{}", report::table(&results, true));
            Ok(())
        }
        ["--again", part] => again(part),
        ["--plot"] => {
            let docs = root()?.join("docs");
            plot::draw_all(&docs.join("img"), &written(&docs)?)
        }
        // The following arguments are for this program itself, and for scripts.
        ["--csv", part] | ["--csv", part, "--quick"] => {
            for result in measure_all(effort, part)? {
                println!("{}", result.to_csv());
            }
            Ok(())
        }
        ["--instructions"] => instructions::check(),
        ["--instructions", "--write"] => instructions::write(),
        ["--run", name, peer, operations] => {
            let rows = ROWS.iter().map(|row| (row.id, row.work));
            let found = rows.chain(COUNTED.iter().copied()).find(|(row, _)| *row == name);
            let (_, work) = found.ok_or("no such row")?;
            let peer = Peer::named(peer).ok_or("no such peer")?;
            Ok(peer.start(work)?(operations.parse()?)?)
        }
        ["--memory", peer] => {
            let (heap, resident) = costs::registered_memory(Peer::named(peer).ok_or("no such peer")?)?;
            println!("{heap} {resident}");
            Ok(())
        }
        _ => Err("arguments: --quick, --only <part of a row's name>, --again <part>, --plot, --instructions [--write], or none".into()),
    }
}

fn everything(effort: Effort, quick: bool) -> Outcome {
    for (found, package) in [(cfg!(libuv), "libuv1-dev"), (cfg!(libevent), "libevent-dev")] {
        if !found {
            eprintln!("{package} is not installed: its column is left out");
        }
    }
    let root = root()?;
    let scratch = root.join("target/bench");
    std::fs::create_dir_all(&scratch)?;

    let mut results = measure_all(effort, "")?;
    results.extend(measure_poll_backends(root, "", quick)?);
    let costs = costs::measure(root, &scratch, quick)?;
    let system_calls = costs::system_calls(root)?;
    let instructions = instructions::table(&instructions::count()?);

    let text = report::text(&results, &costs, &system_calls, &instructions);
    println!("{text}");
    let docs = if quick { scratch } else { root.join("docs") };
    report::write_csv(&docs.join("performance.csv"), &results)?;
    plot::draw_all(&docs.join("img"), &results)?;
    report::write_markdown(&docs.join("performance.md"), &text)?;
    eprintln!("written: performance.md, performance.csv and img in {}", docs.display());
    Ok(())
}

/// Measures rows again, or those that could not be measured before, and leaves the others as they are.
fn again(part: &str) -> Outcome {
    let docs = root()?.join("docs");
    let mut new = measure_all(Effort::FULL, part)?;
    new.extend(measure_poll_backends(root()?, part, false)?);
    let memory = costs::memory()?;
    let mut results = written(&docs)?;
    results.retain(|old| !new.iter().any(|new| new.row == old.row) && ROWS.iter().any(|row| row.id == old.row));
    results.extend(new);
    // This is the order of the page.
    let place = |result: &Measured| (result.queue != "epoll", ROWS.iter().position(|row| row.id == result.row));
    results.sort_by_key(place);
    report::write_csv(&docs.join("performance.csv"), &results)?;
    plot::draw_all(&docs.join("img"), &results)?;
    report::write_again(&docs.join("performance.md"), &results, &memory, part)?;
    Ok(())
}

/// Returns the results in the CSV.
fn written(docs: &Path) -> Outcome<Vec<Measured>> {
    let lines = std::fs::read_to_string(docs.join("performance.csv"))?;
    Ok(lines.lines().filter_map(Measured::from_csv).collect())
}

/// Returns the folder of the workspace.
fn root() -> Outcome<&'static Path> {
    Ok(Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("the workspace")?)
}

/// Measures the rows whose name on the page contains `part`.
fn measure_all(effort: Effort, part: &str) -> Outcome<Vec<Measured>> {
    let rows: Vec<_> = ROWS.iter().filter(|row| row.title.contains(part)).collect();
    if rows.is_empty() {
        let names: Vec<_> = ROWS.iter().map(|row| row.title).collect();
        return Err(format!("no row has `{part}` in its name; the names are:\n  {}", names.join("\n  ")).into());
    }
    let mut results = Vec::new();
    for row in rows {
        eprintln!("{}: {}", if POLL_BACKENDS { "poll(2)" } else { "epoll" }, row.title);
        match measure::measure(row, effort) {
            Ok(measured) => results.extend(measured),
            Err(error) if error.kind() == ErrorKind::Unsupported => eprintln!("  not on this queue"),
            Err(error) if error.raw_os_error() == Some(libc::EMFILE) => eprintln!("  skipped: {error}"),
            Err(error) => return Err(format!("{}: {error}", row.id).into()),
        }
    }
    Ok(results)
}

/// Builds this program again with every peer's `poll(2)` backend, and runs that.
fn measure_poll_backends(root: &Path, part: &str, quick: bool) -> Outcome<Vec<Measured>> {
    eprintln!("building with the poll(2) backends");
    let cfgs = r#"--cfg mio_backend="poll" --cfg mio_unsupported_force_poll_poll --cfg polling_test_poll_backend"#;
    let mut run = Command::new(cargo());
    run.current_dir(root).env("RUSTFLAGS", cfgs).args(["run", "--quiet", "--release", "-p", "mio-bench"]);
    run.args(["--target-dir", "target/bench/poll", "--", "--csv", part]).args(quick.then_some("--quick"));
    let output = run.stderr(std::process::Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err("the run with the poll(2) backends failed".into());
    }
    Ok(String::from_utf8(output.stdout)?.lines().filter_map(Measured::from_csv).collect())
}

fn cargo() -> String {
    env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}

/// Allows this process as many open files as it may have. If it is root, that may be more than before.
fn raise_file_limit() {
    for wanted in [1_048_576, 0] {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: the kernel writes and reads one `rlimit`.
        unsafe {
            libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit);
            limit.rlim_max = limit.rlim_max.max(wanted);
            limit.rlim_cur = limit.rlim_max;
            if libc::setrlimit(libc::RLIMIT_NOFILE, &limit) == 0 {
                return;
            }
        }
    }
}
