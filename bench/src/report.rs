//! Writes the results as text: a table for people, a CSV for programs, and the generated half of docs/performance.md.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::mem;
use std::path::Path;
use std::process::Command;

use crate::costs::Cost;
use crate::measure::Result;
use crate::peers::Peer;
use crate::rows::{ROWS, Row};
use crate::work::Work;

pub fn write_csv(path: &Path, results: &[Result]) -> io::Result<()> {
    let lines: Vec<String> = results.iter().map(Result::to_csv).collect();
    fs::write(path, format!("{}\n{}\n", Result::HEADER, lines.join("\n")))
}

/// Returns everything that was measured, and on what.
pub fn text(results: &[Result], costs: &[Cost], system_calls: &str, instructions: &str) -> String {
    let allocations = |peer| {
        let of_peer = results.iter().filter(|result| result.queue == "epoll" && result.peer == peer);
        of_peer.map(|result| result.allocations).sum::<u64>()
    };
    let of = |queue| results.iter().filter(|result| result.queue == queue).cloned().collect::<Vec<_>>();
    format!(
        "{}\n### epoll\n\n{}\n\
        Allocations and frees in all these rounds together: this crate {}, mio 1.2.5 {}, polling {} (the C \
        libraries' are not counted). This crate's shortest waits with each time-out: {}.\n\n\
        ### poll(2)\n\n{}\n### Memory and building\n\n{}\n### System calls\n\n{system_calls}\n\
        ### Instructions\n\n\
        Callgrind counts the instructions outside the kernel, which do not depend on what else the machine does. The \
        instructions that move the other end of a connection, or make a source ready, count for all of them alike.\n\n{instructions}",
        machine(),
        table(&of("epoll"), true),
        allocations(Peer::Ours),
        allocations(Peer::Mio),
        allocations(Peer::Polling),
        shortest_waits(results),
        table(&of("poll(2)"), false),
        cost_table(costs),
    )
}

/// Returns the shortest waits, none of which may be shorter than its time-out.
fn shortest_waits(results: &[Result]) -> String {
    let of_row = |row: &Row| results.iter().find(|result| result.row == row.id && result.peer == Peer::Ours);
    let time_outs = ROWS.iter().filter(|row| matches!(row.work, Work::TimeOut(_)));
    let waits: Vec<String> = time_outs.filter_map(of_row).map(|result| time(result.fastest)).collect();
    waits.join(", ")
}

/// Returns the medians of all peers, this crate's ratios with their quartiles and, if there are `aims`, the ratios to reach.
pub fn table(results: &[Result], aims: bool) -> String {
    let peers: Vec<Peer> =
        Peer::ALL.into_iter().filter(|peer| results.iter().any(|result| result.peer == *peer)).collect();
    let mut table = String::from("| one operation of |");
    for peer in &peers {
        let _ = write!(table, " {peer} |");
    }
    table.push_str(" to raw | aim | to mio 1.2.5 | aim |\n|---|");
    table.push_str(&"--:|".repeat(peers.len() + 4));
    table.push('\n');
    for row in ROWS {
        let of_row = |peer| results.iter().find(|result| result.row == row.id && result.peer == peer);
        let Some(ours) = of_row(Peer::Ours) else { continue };
        let aim = |aim: Option<f64>| aim.filter(|_| aims).map_or(String::new(), |aim| format!("≤ {aim:.2}"));
        let _ = write!(table, "| {} |", row.title);
        for &peer in &peers {
            let _ = write!(table, " {} |", of_row(peer).map_or("–".to_owned(), |result| time(result.time.median)));
        }
        let (to_raw, to_mio) = (ours.to_raw, ours.to_mio);
        let _ = writeln!(table, " {to_raw} | {} | {to_mio} | {} |", aim(row.aim_raw), aim(row.aim_mio));
    }
    table
}

fn time(nanoseconds: f64) -> String {
    match nanoseconds {
        ..10.0 => format!("{nanoseconds:.1} ns"),
        ..10_000.0 => format!("{nanoseconds:.0} ns"),
        ..10_000_000.0 => format!("{:.1} µs", nanoseconds / 1e3),
        _ => format!("{:.1} ms", nanoseconds / 1e6),
    }
}

fn cost_table(costs: &[Cost]) -> String {
    let mut table = String::from("| |");
    for peer in Peer::ALL {
        let _ = write!(table, " {peer} |");
    }
    let _ = writeln!(table, "\n|---|{}", "--:|".repeat(Peer::ALL.len()));
    table.extend(costs.iter().map(cost_line));
    table
}

fn cost_line(Cost { title, cells }: &Cost) -> String {
    let mut line = format!("| {title} |");
    for peer in Peer::ALL {
        let cell = cells.iter().find(|(of, _)| *of == peer).map_or("–", |(_, cell)| cell);
        let _ = write!(line, " {cell} |");
    }
    line + "\n"
}

/// Returns when and on what machine this runs.
fn machine() -> String {
    let said_by = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output();
        output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
    };
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let models: Vec<&str> =
        cpus.lines().filter_map(|line| line.strip_prefix("model name")?.split(": ").nth(1)).collect();
    format!(
        "{}, {} × {}, Linux {}, {}.\n",
        said_by("date", &["+%F"]),
        models.len(),
        models.first().unwrap_or(&"unknown processor"),
        said_by("uname", &["-rm"]),
        said_by("rustc", &["--version"]),
    )
}

const BEGIN: &str = "<!-- What follows is written by `cargo run --release -p mio-bench`. -->\n";

/// Replaces what an earlier run wrote, and leaves what people wrote above it.
pub fn write_markdown(path: &Path, text: &str) -> io::Result<()> {
    let old = fs::read_to_string(path).unwrap_or_default();
    let by_hand = old.split(BEGIN).next().unwrap_or_default();
    fs::write(path, format!("{by_hand}{BEGIN}\n{text}"))
}

/// Replaces the tables of the queues and the lines of `memory` that an earlier run wrote, and says what is newer.
pub fn write_again(path: &Path, results: &[Result], memory: &[Cost], part: &str) -> io::Result<()> {
    const EPOLL: &str = "### epoll\n\n";
    const AFTER_EPOLL: &str = "\nAllocations";
    const POLL: &str = "### poll(2)\n\n";
    const MEMORY: &str = "\n### Memory and building\n\n";
    let page = fs::read_to_string(path)?;
    let cut = |text, at| str::split_once(text, at).ok_or_else(|| io::Error::other(format!("no `{at}` on the page")));
    let (head, rest) = cut(&page, EPOLL)?;
    let (_, rest) = cut(rest, AFTER_EPOLL)?;
    let (middle, rest) = cut(rest, POLL)?;
    let (_, rest) = cut(rest, MEMORY)?;

    let of = |queue| results.iter().filter(|result| result.queue == queue).cloned().collect::<Vec<_>>();
    let (epoll, poll) = (table(&of("epoll"), true), table(&of("poll(2)"), false));
    let note = format!("Rows with \u{201c}{part}\u{201d} in their name, and memory, measured separately: ");
    // If several notes are about the same rows, only the last one stays.
    let notes: String = head.split_inclusive('\n').filter(|line| !line.starts_with(&note)).collect();
    let notes = notes.trim_end();
    let mut text = format!("{notes}\n\n{note}{}\n{EPOLL}{epoll}{AFTER_EPOLL}{middle}{POLL}{poll}{MEMORY}", machine());
    let is_replaced = |line: &str| memory.iter().any(|cost| line.starts_with(&format!("| {} |", cost.title)));
    let mut is_first = true;
    for line in rest.split_inclusive('\n').filter(|line| !is_replaced(line)) {
        text.push_str(line);
        if line.starts_with("|---|") && mem::take(&mut is_first) {
            text.extend(memory.iter().map(cost_line));
        }
    }
    fs::write(path, text)
}
