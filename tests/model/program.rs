//! The steps of a random program.

use std::net::Shutdown;

use mio::{Interest, Trigger};
use proptest::prelude::*;
use proptest::sample::select;

use crate::pair::{KINDS, Kind};

/// Only Linux reports urgent data well enough for the model. Not every kqueue can report it, and none can for a source that is
/// no socket.
#[cfg(all(target_os = "linux", not(mio_backend = "kqueue")))]
pub(crate) const PRIORITY: Option<Interest> = Some(Interest::PRIORITY);
#[cfg(not(all(target_os = "linux", not(mio_backend = "kqueue"))))]
pub(crate) const PRIORITY: Option<Interest> = None;

pub(crate) fn is_priority(interest: Interest) -> bool {
    PRIORITY.is_some_and(|priority| interest.remove(priority) != Some(interest))
}

/// How many pairs of connected sources a program uses at a time.
pub(crate) const PAIRS: usize = 4;

/// One end of one of the pairs.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct End {
    pub(crate) pair: usize,
    pub(crate) side: usize,
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Closes both ends, if they are open, and opens new ones.
    Open(usize, Kind),
    Close(End),
    Register(End, Interest, Trigger),
    Reregister(End, Interest, Trigger),
    Deregister(End),
    /// Writes so many bytes once.
    Write(End, usize),
    /// Writes until there is no room.
    Fill(End),
    /// Reads once into a buffer of so many bytes.
    Read(End, usize),
    /// Reads until there is nothing to read.
    Drain(End),
    Shutdown(End, Shutdown),
    /// Sends a byte of urgent data.
    Urgent(End),
    /// Takes urgent data and, if the second field is true, sends more at once.
    ReadUrgent(End, bool),
    Wake,
    /// Polls once without blocking, with room for so many events.
    Poll(usize),
    /// Polls, with room for so many events, until everything that must come has come, and then until nothing does.
    Settle(usize),
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    let end = || (0..PAIRS, 0..2_usize).prop_map(|(pair, side)| End { pair, side });
    let interest = || {
        let (read, write) = (Interest::READABLE, Interest::WRITABLE);
        let plain = prop_oneof![2 => Just(read), 1 => Just(write), 2 => Just(read | write)];
        (plain, prop_oneof![2 => Just(None), 1 => Just(PRIORITY)])
            .prop_map(|(plain, urgent)| urgent.map_or(plain, |urgent| plain | urgent))
    };
    let trigger = || prop_oneof![3 => Just(Trigger::Edge), 1 => Just(Trigger::Level), 1 => Just(Trigger::OneShot)];
    let how = select(&[Shutdown::Read, Shutdown::Write, Shutdown::Both][..]);
    prop_oneof![
        2 => (0..PAIRS, select(KINDS)).prop_map(|(pair, kind)| Step::Open(pair, kind)),
        1 => end().prop_map(Step::Close),
        6 => (end(), interest(), trigger()).prop_map(|(end, interest, trigger)| Step::Register(end, interest, trigger)),
        4 => (end(), interest(), trigger()).prop_map(|(end, interest, trigger)| Step::Reregister(end, interest, trigger)),
        2 => end().prop_map(Step::Deregister),
        8 => (end(), 1..=64_usize).prop_map(|(end, length)| Step::Write(end, length)),
        2 => end().prop_map(Step::Fill),
        3 => (end(), 1..=4096_usize).prop_map(|(end, length)| Step::Read(end, length)),
        6 => end().prop_map(Step::Drain),
        1 => (end(), how).prop_map(|(end, how)| Step::Shutdown(end, how)),
        3 => end().prop_map(Step::Urgent),
        3 => (end(), any::<bool>()).prop_map(|(end, more)| Step::ReadUrgent(end, more)),
        2 => Just(Step::Wake),
        6 => (1..=8_usize).prop_map(Step::Poll),
        3 => (1..=8_usize).prop_map(Step::Settle),
    ]
}
