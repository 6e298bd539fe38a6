//! Runs a program on both crates, and compares what becomes of each step.

use std::io::ErrorKind;

use crate::known::known;
use crate::steps::{Outcome, READABLE, SLOTS, Step, Subject, Told, WRITABLE};
use crate::{ours, released};

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Backend {
    Epoll,
    Poll,
}

/// That of both crates, by the name that both know.
pub const BACKEND: Backend = if cfg!(mio_unsupported_force_poll_poll) { Backend::Poll } else { Backend::Epoll };

/// What has happened in a slot, as far as a known difference may depend on it.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The polls that it is or was registered with.
    pub registered: [bool; 2],
    /// A call of it with a poll that it is not registered with has failed.
    pub misused: bool,
    pub converted: bool,
    pub urgent: bool,
    /// The peer has gone or closed a direction, or we have.
    pub closed: bool,
    /// Directions in which I/O would have blocked since the last event of them: [`READABLE`], [`WRITABLE`].
    pub blocked: u8,
    /// Directions of which an event has told since the registration.
    pub told: u8,
    pub interest: u8,
}

/// One step that did not become the same.
#[derive(Clone, Debug)]
pub struct Difference {
    pub index: usize,
    pub step: Step,
    /// Of a poll.
    pub token: Option<usize>,
    /// Whether there was a wake since the last step that was the same: a poll.
    pub woken: bool,
    /// Whether a waker was dropped before.
    pub waker_dropped: bool,
    pub ours: Outcome,
    pub theirs: Outcome,
    /// Of the slot that it is about, if it is about one. Of a poll, each token that differs is a difference of its own.
    pub history: History,
}

#[derive(Debug, Default)]
pub struct Run {
    pub steps: usize,
    /// The names of known differences.
    pub seen: Vec<&'static str>,
    pub found: Option<Difference>,
}

/// Ends at the first difference from which the two do not find together again.
pub fn run(program: &[Step]) -> Run {
    let mut ours = ours::World::new();
    let mut theirs = released::World::new();
    let mut histories: [History; SLOTS] = Default::default();
    let mut slots_of_tokens = vec![None; program.len()];
    let mut run = Run::default();
    for (index, &step) in program.iter().enumerate() {
        run.steps += 1;
        let outcomes = (ours.perform(index, step), theirs.perform(index, step));
        let slot = step.slot();
        let woken =
            program[..index].iter().rev().take_while(|other| **other != step).any(|step| matches!(step, Step::Wake(_)));
        let waker_dropped = program[..index].iter().any(|step| matches!(step, Step::DropWaker(_)));
        let differences: Vec<_> = match &outcomes {
            (Outcome::Events(ours), Outcome::Events(theirs)) => differing(ours, theirs)
                .into_iter()
                .map(|(token, ours, theirs)| {
                    let slot: Option<usize> = slots_of_tokens.get(token).copied().flatten();
                    let history = slot.map(|slot| histories[slot].clone()).unwrap_or_default();
                    Difference { index, step, token: Some(token), woken, waker_dropped, ours, theirs, history }
                })
                .collect(),
            (ours, theirs) if alike(ours, theirs) => Vec::new(),
            (ours, theirs) => {
                let history = slot.map(|slot| histories[slot].clone()).unwrap_or_default();
                vec![Difference {
                    index,
                    step,
                    token: None,
                    woken,
                    waker_dropped,
                    ours: ours.clone(),
                    theirs: theirs.clone(),
                    history,
                }]
            }
        };
        let mut ends = false;
        for difference in differences {
            match known().find(|known| (known.explains)(&difference)) {
                Some(known) => {
                    run.seen.push(known.name);
                    ends |= known.ends;
                }
                None => {
                    run.found = Some(difference);
                    return run;
                }
            }
        }
        if ends {
            return run;
        }
        if let Outcome::Events(told) = &outcomes.0 {
            for told in told {
                if let Some(Some(slot)) = slots_of_tokens.get(told.token) {
                    let history: &mut History = &mut histories[*slot];
                    history.told |= told.hints;
                    history.blocked &= !told.hints;
                }
            }
        }
        if let Some(slot) = slot {
            note(&mut histories[slot], step, &outcomes.0);
            if matches!(step, Step::Register(..) | Step::Reregister(..)) {
                slots_of_tokens[index] = Some(slot);
            }
        }
    }
    run
}

/// An error of mio's without a code of the OS may have one here.
fn alike(ours: &Outcome, theirs: &Outcome) -> bool {
    match (ours, theirs) {
        (Outcome::Failed(ours, _), Outcome::Failed(theirs, None)) => ours == theirs,
        _ => ours == theirs,
    }
}

/// The tokens of which not the same was told.
fn differing(ours: &[Told], theirs: &[Told]) -> Vec<(usize, Outcome, Outcome)> {
    let mut tokens: Vec<usize> = ours.iter().chain(theirs).map(|told| told.token).collect();
    tokens.sort_unstable();
    tokens.dedup();
    let of = |all: &[Told], token| all.iter().filter(|told| told.token == token).copied().collect::<Vec<_>>();
    tokens
        .into_iter()
        .map(|token| (token, of(ours, token), of(theirs, token)))
        .filter(|(_, ours, theirs)| ours != theirs)
        .map(|(token, ours, theirs)| (token, Outcome::Events(ours), Outcome::Events(theirs)))
        .collect()
}

fn note(history: &mut History, step: Step, outcome: &Outcome) {
    let failed = matches!(outcome, Outcome::Failed(..));
    let blocked = matches!(outcome, Outcome::Failed(ErrorKind::WouldBlock, _));
    match step {
        Step::Open(..) | Step::Close(_) => *history = History::default(),
        Step::Register(_, poll, interest) | Step::Reregister(_, poll, interest) if !failed => {
            history.registered[poll] = true;
            (history.interest, history.blocked, history.told) = (interest, 0, 0);
        }
        Step::Deregister(_, poll) if !failed => history.registered[poll] = false,
        Step::Register(..) | Step::Reregister(..) | Step::Deregister(..) => history.misused = true,
        Step::Convert(_) => history.converted = true,
        Step::PeerUrgent(_) => history.urgent = true,
        Step::Shutdown(..) | Step::PeerShutdown(..) | Step::PeerClose(_) | Step::PeerReset(_) => history.closed = true,
        Step::Read(..) | Step::ReadAll(_) | Step::Peek(_) if blocked => history.blocked |= READABLE,
        Step::Write(..) | Step::WriteAll(_) | Step::WriteVectored(..) if blocked => history.blocked |= WRITABLE,
        Step::TryIo(_) => history.blocked |= READABLE | WRITABLE,
        _ => {}
    }
}

/// Leaves out steps for as long as there is an unknown difference all the same, each time of three.
pub fn shortest(program: &[Step]) -> Option<(Vec<Step>, Difference)> {
    let differs = |program: &[Step]| (0..3).map(|_| run(program).found).collect::<Option<Vec<_>>>();
    let mut shortest = (program.to_vec(), differs(program)?.pop()?);
    shortest.0.truncate(shortest.1.index + 1);
    let mut index = shortest.0.len();
    while index > 0 {
        index -= 1;
        let mut shorter = shortest.0.clone();
        shorter.remove(index);
        if let Some(mut found) = differs(&shorter) {
            shortest = (shorter, found.pop()?);
        }
    }
    Some(shortest)
}

impl Step {
    pub fn slot(self) -> Option<usize> {
        match self {
            Step::MakeWaker(_) | Step::DropWaker(_) | Step::Wake(_) | Step::Poll(_) => None,
            Step::Open(slot, _)
            | Step::Close(slot)
            | Step::Register(slot, ..)
            | Step::Reregister(slot, ..)
            | Step::Deregister(slot, _)
            | Step::Read(slot, _)
            | Step::ReadAll(slot)
            | Step::Write(slot, _)
            | Step::WriteAll(slot)
            | Step::WriteVectored(slot, ..)
            | Step::Peek(slot)
            | Step::TryIo(slot)
            | Step::TakeError(slot)
            | Step::Shutdown(slot, _)
            | Step::Convert(slot)
            | Step::PeerWrite(slot, _)
            | Step::PeerFill(slot)
            | Step::PeerRead(slot)
            | Step::PeerUrgent(slot)
            | Step::PeerShutdown(slot, _)
            | Step::PeerClose(slot)
            | Step::PeerReset(slot) => Some(slot),
        }
    }
}
