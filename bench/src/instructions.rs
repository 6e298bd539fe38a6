//! Counts the instructions of an operation. They depend on the compiler and the C library, but not on the day. callgrind counts
//! them, and a budget in the repository limits them.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Outcome;
use crate::peers::Peer;
use crate::rows::COUNTED;
use crate::work::CHANGES;

const PEERS: [Peer; 3] = [Peer::Raw, Peer::Ours, Peer::Mio];

/// The difference between a long and a short run leaves out the instructions of the setup.
const SHORT: u64 = 500;
const LONG: u64 = 1_500;
const _: () = assert!(LONG as usize <= CHANGES);

/// An operation may grow by this factor before somebody has to raise the budget.
const TOLERANCE: f64 = 1.02;

/// One line: the name of the operation, and its instructions for each of [`PEERS`].
pub struct Counts {
    name: String,
    instructions: [f64; 3],
}

/// Counts and prints. Fails if this crate takes more than its budget.
pub fn check() -> Outcome {
    let counts = count()?;
    println!("{}", table(&counts));
    let budget = read_budget()?;
    let mut verdict = String::new();
    for Counts { name, instructions: [raw, ours, _] } in &counts {
        let [raw_then, budget, _] = *budget
            .iter()
            .find_map(|entry| (entry.name == *name).then_some(&entry.instructions))
            .ok_or(format!("bench/budget.csv has no line for {name}"))?;
        if *ours > budget * TOLERANCE {
            let _ = writeln!(verdict, "{name}: {ours:.1} instructions, {budget:.1} in the budget");
            if (raw - raw_then).abs() > 0.5 {
                let _ = writeln!(
                    verdict,
                    "  (the raw program: {raw:.1}, was {raw_then:.1}: another compiler or C library?)"
                );
            }
        }
    }
    if verdict.is_empty() {
        return Ok(());
    }
    eprint!("{verdict}");
    Err("over the budget; if that is justified, make a new one with `--instructions --write`".into())
}

/// Counts, and makes the result the budget.
pub fn write() -> Outcome {
    let mut text = format!("operation,{}\n", PEERS.map(Peer::name).join(","));
    for Counts { name, instructions: [raw, ours, mio] } in count()? {
        let _ = writeln!(text, "\"{name}\",{raw:.1},{ours:.1},{mio:.1}");
    }
    print!("{text}");
    Ok(fs::write(budget_file(), text)?)
}

pub fn count() -> Outcome<Vec<Counts>> {
    eprintln!("instructions");
    let count = |(name, _): &(&str, _)| {
        let mut instructions = [0.0; 3];
        for (place, peer) in instructions.iter_mut().zip(PEERS) {
            let long = instructions_of(name, peer, LONG)?;
            *place = (long - instructions_of(name, peer, SHORT)?) / (LONG - SHORT) as f64;
        }
        Ok(Counts { name: (*name).to_owned(), instructions })
    };
    COUNTED.iter().map(count).collect()
}

pub fn table(counts: &[Counts]) -> String {
    let mut table = format!("| one operation of | {} |\n|---|--:|--:|--:|\n", PEERS.map(Peer::name).join(" | "));
    for Counts { name, instructions: [raw, ours, mio] } in counts {
        let _ = writeln!(table, "| {name} | {raw:.0} | {ours:.0} | {mio:.0} |");
    }
    table
}

/// Returns all instructions of a process of this program that does so many operations.
fn instructions_of(name: &str, peer: Peer, operations: u64) -> Outcome<f64> {
    // callgrind writes a profile, of which one line is needed.
    let profile = std::env::temp_dir().join(format!("mio-bench-callgrind-{}", std::process::id()));
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["-q", "--tool=callgrind", &format!("--callgrind-out-file={}", profile.display())]);
    valgrind.arg(std::env::current_exe()?).args(["--run", name, peer.name(), &operations.to_string()]);
    let status = valgrind.stdin(Stdio::null()).status().map_err(|error| format!("valgrind: {error}"))?;
    if !status.success() {
        return Err(format!("{name} of {peer} under valgrind: {status}").into());
    }
    let text = fs::read_to_string(&profile)?;
    fs::remove_file(&profile)?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: ")).ok_or("no total in callgrind's profile")?;
    Ok(total.trim().parse()?)
}

fn budget_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("budget.csv")
}

fn read_budget() -> Outcome<Vec<Counts>> {
    let text = fs::read_to_string(budget_file())?;
    let entry = |line: &str| {
        // Only the name, which stands in quotation marks, may contain a comma.
        let (name, numbers) = line.strip_prefix('"')?.split_once("\",")?;
        let numbers: Vec<f64> = numbers.split(',').filter_map(|number| number.parse().ok()).collect();
        Some(Counts { name: name.to_owned(), instructions: numbers.try_into().ok()? })
    };
    text.lines().skip(1).map(|line| entry(line).ok_or(format!("bench/budget.csv: {line}").into())).collect()
}
