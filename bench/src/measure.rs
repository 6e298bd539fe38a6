//! Runs the programs of all peers side by side: one short round each, in turn, many times.
//!
//! What disturbs a machine lasts longer than a round, and so affects all peers alike. That makes the ratio of two times in one
//! round more telling than times that were measured minutes apart. The usual harnesses (criterion, divan) run one benchmark to
//! its end before the next.

use std::fmt;
use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use crate::allocations;
use crate::peers::Peer;
use crate::queue::POLL_BACKENDS;
use crate::rows::{Effort, Row};
use crate::work::{Program, Work};

/// Median and quartiles.
#[derive(Copy, Clone, Debug)]
pub struct Spread {
    pub low: f64,
    pub median: f64,
    pub high: f64,
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Spread {
        values.sort_by(f64::total_cmp);
        let at = |part: usize| values[(values.len() - 1) * part / 4];
        Spread { low: at(1), median: at(2), high: at(3) }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} ({:.2}–{:.2})", self.median, self.low, self.high)
    }
}

/// What one peer did in one row.
#[derive(Clone, Debug)]
pub struct Result {
    pub queue: String,
    pub row: String,
    pub peer: Peer,
    pub rounds: usize,
    pub operations: u64,
    /// Nanoseconds per operation.
    pub time: Spread,
    pub fastest: f64,
    pub to_raw: Spread,
    pub to_mio: Spread,
    /// Allocations, resizes and frees in Rust code, in all rounds together.
    pub allocations: u64,
}

impl Result {
    pub const HEADER: &'static str = "queue,row,peer,rounds,operations a round,\
        ns low quartile,ns median,ns high quartile,ns fastest,\
        to raw low quartile,to raw median,to raw high quartile,\
        to mio low quartile,to mio median,to mio high quartile,allocations";

    pub fn to_csv(&self) -> String {
        let Result { queue, row, peer, rounds, operations, time, fastest, to_raw, to_mio, allocations } = self;
        let spread = |Spread { low, median, high }: &Spread| format!("{low:.4},{median:.4},{high:.4}");
        let (time, to_raw, to_mio) = (spread(time), spread(to_raw), spread(to_mio));
        format!("{queue},{row},{peer},{rounds},{operations},{time},{fastest:.4},{to_raw},{to_mio},{allocations}")
    }

    pub fn from_csv(line: &str) -> Option<Result> {
        let mut fields = line.trim().split(',');
        let (queue, row) = (fields.next()?.to_owned(), fields.next()?.to_owned());
        let peer = Peer::named(fields.next()?)?;
        let numbers = fields.map(str::parse).collect::<std::result::Result<Vec<f64>, _>>().ok()?;
        let [rounds, operations, t0, t1, t2, fastest, r0, r1, r2, m0, m1, m2, allocations] = numbers[..] else {
            return None;
        };
        Some(Result {
            queue,
            row,
            peer,
            rounds: rounds as usize,
            operations: operations as u64,
            time: Spread { low: t0, median: t1, high: t2 },
            fastest,
            to_raw: Spread { low: r0, median: r1, high: r2 },
            to_mio: Spread { low: m0, median: m1, high: m2 },
            allocations: allocations as u64,
        })
    }
}

/// One peer's part of a row.
struct Entry {
    peer: Peer,
    /// Nanoseconds per operation, one entry for each round.
    times: Vec<f64>,
    allocations: u64,
}

/// Measures a row with all peers that can do it.
pub fn measure(row: &Row, effort: Effort) -> io::Result<Vec<Result>> {
    let (work, effort) = (row.work, effort.of(row.work));
    let (peers, operations) = peers_for(work, effort.round)?;
    let mut entries: Vec<Entry> = peers.iter().map(|&peer| Entry { peer, times: Vec::new(), allocations: 0 }).collect();
    for _ in 0..effort.blocks {
        let ready = |peer: Peer| {
            let mut program = peer.start(work)?;
            program(operations)?;
            io::Result::Ok(program)
        };
        // If all of them together need more open files than are allowed, the last ones are set up when it is their turn.
        let mut kept: Vec<Program> = peers.iter().map_while(|&peer| ready(peer).ok()).collect();
        if kept.len() < peers.len() {
            kept.pop();
        }
        for round in 0..if kept.is_empty() { effort.rounds.div_ceil(4) } else { effort.rounds } {
            for turn in 0..peers.len() {
                // Each peer is first in turn.
                let index = (turn + round) % peers.len();
                let mut new;
                let program = match kept.get_mut(index) {
                    Some(program) => program,
                    None => {
                        new = ready(peers[index])?;
                        &mut new
                    }
                };
                let before = allocations::count();
                let start = Instant::now();
                let result = program(operations);
                let time = start.elapsed();
                result.map_err(|error| io::Error::other(format!("{}: {error}", peers[index])))?;
                entries[index].allocations += allocations::count() - before;
                entries[index].times.push(time.as_nanos() as f64 / operations as f64);
            }
        }
    }

    let times_of = |peer| entries.iter().find(|entry| entry.peer == peer).map(|entry| &entry.times);
    let ratios = |times: &[f64], peer| match times_of(peer) {
        Some(others) => Spread::of(times.iter().zip(others).map(|(time, other)| time / other).collect()),
        None => Spread { low: f64::NAN, median: f64::NAN, high: f64::NAN },
    };
    let result = |entry: &Entry| Result {
        queue: if POLL_BACKENDS { "poll(2)" } else { "epoll" }.to_owned(),
        row: row.id.to_owned(),
        peer: entry.peer,
        rounds: entry.times.len(),
        operations,
        time: Spread::of(entry.times.clone()),
        fastest: entry.times.iter().copied().fold(f64::INFINITY, f64::min),
        to_raw: ratios(&entry.times, Peer::Raw),
        to_mio: ratios(&entry.times, Peer::Mio),
        allocations: entry.allocations,
    };
    Ok(entries.iter().map(result).collect())
}

/// Returns the peers that can do the work, and how many operations the first of them does in a round.
fn peers_for(work: Work, round: Duration) -> io::Result<(Vec<Peer>, u64)> {
    let mut peers = Vec::new();
    let mut operations = 0;
    for peer in Peer::ALL {
        match peer.start(work) {
            Ok(mut program) => {
                if peers.is_empty() {
                    operations = calibrate(work, &mut program, round)?;
                }
                peers.push(peer);
            }
            Err(error) if error.kind() == ErrorKind::Unsupported => {}
            Err(error) => return Err(error),
        }
    }
    if peers.is_empty() { Err(ErrorKind::Unsupported.into()) } else { Ok((peers, operations)) }
}

/// Returns how many operations take about as long as a round should.
fn calibrate(work: Work, program: &mut Program, round: Duration) -> io::Result<u64> {
    // This counts whole batches.
    let batch = match work {
        Work::TimeOut(_) => return Ok(1),
        Work::Active { active, .. } => active as u64,
        Work::TcpEcho { connections } => 2 * connections as u64,
        _ => 1,
    };
    let mut operations = batch;
    loop {
        let start = Instant::now();
        program(operations)?;
        let time = start.elapsed();
        if time >= round / 4 {
            let wanted = operations as f64 * round.as_secs_f64() / time.as_secs_f64();
            return Ok((wanted as u64).div_ceil(batch).max(1) * batch);
        }
        operations *= 2;
    }
}
