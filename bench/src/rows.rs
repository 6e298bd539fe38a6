//! The rows of the table: what is measured, and which ratios this crate aims at.

use std::time::Duration;

use crate::work::{Change, Work};

pub struct Row {
    /// The row's name in the CSV and in scripts.
    pub id: &'static str,
    /// The row's name on the page, in the plots and for `--only`.
    pub title: &'static str,
    pub work: Work,
    /// The ratios to reach, compared with the raw system calls and with mio 1.2.5.
    pub aim_raw: Option<f64>,
    pub aim_mio: Option<f64>,
}

const fn row(id: &'static str, title: &'static str, work: Work, aim_raw: Option<f64>, aim_mio: f64) -> Row {
    Row { id, title, work, aim_raw, aim_mio: Some(aim_mio) }
}

/// A ratio that counts as equal, because noise hides smaller differences.
const EQUAL: f64 = 1.02;

pub const ROWS: &[Row] = &[
    row("ping-pong", "ping-pong over a socket pair", Work::PingPong, Some(EQUAL), EQUAL),
    row("burst", "burst: 1,000 registered and 64 active", active(1_000, 64), Some(EQUAL), EQUAL),
    row("sparse", "sparse: 4,000 registered and 1 active", active(4_000, 1), Some(EQUAL), EQUAL),
    row("scaling-10", "one event among 10 sources", active(10, 1), None, EQUAL),
    row("scaling-1000", "one event among 1,000 sources", active(1_000, 1), None, EQUAL),
    row("scaling-10000", "one event among 10,000 sources", active(10_000, 1), None, EQUAL),
    row("scaling-100000", "one event among 100,000 sources", active(100_000, 1), None, EQUAL),
    row("churn", "register + reregister + deregister", Work::Churn, Some(EQUAL), EQUAL),
    row("idle-poll", "idle poll", Work::IdlePoll, Some(EQUAL), EQUAL),
    row("redundant-wake", "redundant wake", Work::RedundantWake, None, 0.10),
    row("wake-then-poll", "wake then poll on one thread", Work::WakeThenPoll, None, 0.50),
    row("wake-sleeping", "wake of a sleeping poller", Work::WakeSleeping { processors: 1 }, None, EQUAL),
    row("wake-across", "wake of a poller on another processor", Work::WakeSleeping { processors: 2 }, None, EQUAL),
    row("wake-storm", "4 threads waking one poller", Work::WakeStorm { threads: 4 }, None, EQUAL),
    row("time-out-50", "time-out of 50 µs", time_out(50), None, 200.0 / 1_090.0),
    row("time-out-200", "time-out of 200 µs", time_out(200), None, EQUAL),
    row("time-out-1500", "time-out of 1.5 ms", time_out(1_500), None, EQUAL),
    row("tcp-echo-64", "TCP echo with 64 connections", Work::TcpEcho { connections: 64 }, None, EQUAL),
    row("tcp-echo-1000", "TCP echo with 1,000 connections", Work::TcpEcho { connections: 1_000 }, None, EQUAL),
    row("udp-echo", "UDP echo", Work::UdpEcho, None, EQUAL),
    row("connect", "connect + accept + close", Work::ConnectAcceptClose, None, EQUAL),
];

/// The works whose instructions are counted, with their names in the budget.
pub const COUNTED: &[(&str, Work)] = &[
    ("idle poll", Work::IdlePoll),
    ("poll with one event", active(1, 1)),
    ("register", Work::Change(Change::Register)),
    ("reregister", Work::Change(Change::Reregister)),
    ("deregister", Work::Change(Change::Deregister)),
    ("wake, asked for already", Work::RedundantWake),
    ("wake while nobody sleeps, then poll", Work::WakeThenPoll),
    ("wake through the OS, then poll", Work::WakeExported),
    ("TCP read", Work::TcpRead),
    ("TCP write", Work::TcpWrite),
];

const fn active(registered: usize, active: usize) -> Work {
    Work::Active { registered, active }
}

const fn time_out(micros: u64) -> Work {
    Work::TimeOut(Duration::from_micros(micros))
}

/// How long to measure.
#[derive(Copy, Clone)]
pub struct Effort {
    /// How often all programs are set up anew, because their place in memory is part of the noise.
    pub blocks: usize,
    /// Rounds in a block. Each peer runs once in a round.
    pub rounds: usize,
    /// About how long the raw program runs in a round.
    pub round: Duration,
}

impl Effort {
    /// This takes minutes.
    pub const FULL: Effort = Effort { blocks: 6, rounds: 40, round: Duration::from_micros(400) };
    /// This takes seconds. It proves that everything works, and says little about speed.
    pub const QUICK: Effort = Effort { blocks: 1, rounds: 3, round: Duration::from_micros(100) };

    pub fn of(self, work: Work) -> Effort {
        match work {
            // These take long to set up.
            Work::Active { registered: 2_000.., .. } | Work::TcpEcho { connections: 1_000.. } => {
                Effort { blocks: self.blocks.div_ceil(3), ..self }
            }
            // It takes several turns of the scheduler to mean something.
            Work::WakeSleeping { .. } | Work::WakeStorm { .. } => Effort { round: self.round * 8, ..self },
            _ => self,
        }
    }
}
