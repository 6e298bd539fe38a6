//! Runs a program on both crates, and compares the outcome of each step.

use std::time::Instant;

use crate::field::{History, Known, PATIENCE, SLOTS, Step, known};
use crate::outcome::{Outcome, Subject, Told};
use crate::{ours, released};

/// A step whose outcomes differ.
#[derive(Clone, Debug)]
pub struct Difference {
    pub step: Step,
    /// The token, if the step is a poll.
    pub token: Option<usize>,
    /// The steps before it.
    pub before: Vec<Step>,
    pub ours: Outcome,
    pub theirs: Outcome,
    /// The history of the slot that the step concerns, if there is one. In a poll, each token that differs is a difference of
    /// its own.
    pub history: History,
}

impl Difference {
    /// Returns the steps up to this one.
    pub fn program(&self) -> Vec<Step> {
        [&self.before[..], &[self.step]].concat()
    }
}

#[derive(Debug, Default)]
pub struct Run {
    pub steps: usize,
    /// The names of known differences.
    pub seen: Vec<&'static str>,
    pub found: Option<Difference>,
}

/// Runs the program up to the first difference after which the two go separate ways.
pub fn run(program: &[Step]) -> Run {
    let mut ours = ours::World::new();
    let mut theirs = released::World::new();
    let mut histories: [History; SLOTS] = Default::default();
    let mut slots_of_tokens = vec![None; program.len()];
    let mut run = Run::default();
    for (index, &step) in program.iter().enumerate() {
        run.steps += 1;
        let mut outcomes = (ours.perform(index, step), theirs.perform(index, step));
        let slot = step.slot();
        let before = || program[..index].to_vec();
        let differences = |outcomes: &(Outcome, Outcome)| match outcomes {
            (Outcome::Events(ours), Outcome::Events(theirs)) => differing(ours, theirs)
                .into_iter()
                .map(|(token, ours, theirs)| {
                    let slot: Option<usize> = slots_of_tokens.get(token).copied().flatten();
                    let history = slot.map(|slot| histories[slot].clone()).unwrap_or_default();
                    Difference { step, token: Some(token), before: before(), ours, theirs, history }
                })
                .collect(),
            (ours, theirs) if alike(ours, theirs) => Vec::new(),
            (ours, theirs) => {
                let history = slot.map(|slot| histories[slot].clone()).unwrap_or_default();
                vec![Difference {
                    step,
                    token: None,
                    before: before(),
                    ours: ours.clone(),
                    theirs: theirs.clone(),
                    history,
                }]
            }
        };
        // What only one of them has told so far may take its time in the other.
        let start = Instant::now();
        while matches!(step, Step::Poll(_))
            && differences(&outcomes).iter().any(|difference| explanation(difference).is_none())
            && start.elapsed() < PATIENCE
        {
            outcomes.0.add(ours.perform(index, step));
            outcomes.1.add(theirs.perform(index, step));
        }
        let mut ends = false;
        for difference in differences(&outcomes) {
            match explanation(&difference) {
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
                    histories[*slot].hear(told.hints);
                }
            }
        }
        if let Some(slot) = slot {
            histories[slot].note(index, step, &outcomes.0);
            if step.registers() {
                slots_of_tokens[index] = Some(slot);
            }
        }
    }
    run
}

fn explanation(difference: &Difference) -> Option<&'static Known> {
    known().find(|known| (known.explains)(difference))
}

/// Returns whether the outcomes are alike. If mio has an error without a code of the OS, the error here may have one.
fn alike(ours: &Outcome, theirs: &Outcome) -> bool {
    match (ours, theirs) {
        (Outcome::Failed(ours, _), Outcome::Failed(theirs, None)) => ours == theirs,
        _ => ours == theirs,
    }
}

/// Returns the tokens whose events differ.
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

/// Returns the hints for the token that only one of the two has reported: only ours, and only theirs.
pub fn hints(difference: &Difference) -> Option<(u8, u8)> {
    let of = |outcome: &Outcome| match outcome {
        Outcome::Events(told) => Some(told.iter().fold(0, |hints, told| hints | told.hints)),
        _ => None,
    };
    let (ours, theirs) = (of(&difference.ours)?, of(&difference.theirs)?);
    Some((ours & !theirs, theirs & !ours))
}

/// Leaves out steps as long as an unknown difference remains, in each of three runs.
pub fn shortest(program: &[Step]) -> Option<Difference> {
    let differs = |program: &[Step]| (0..3).map(|_| run(program).found).collect::<Option<Vec<_>>>()?.pop();
    let mut shortest = differs(program)?;
    let mut index = shortest.before.len();
    while index > 0 {
        index -= 1;
        let mut shorter = shortest.program();
        shorter.remove(index);
        if let Some(found) = differs(&shorter) {
            index = index.min(found.before.len());
            shortest = found;
        }
    }
    Some(shortest)
}
