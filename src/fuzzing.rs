//! The functions that the targets in `fuzz/` call and the public API does not have. Only `cargo fuzz` builds this, on Linux.

#![allow(missing_docs)]

use crate::Token;
use crate::event::{Event, Readiness};
use crate::sys::logic::afd::AfdFlags;
use crate::sys::logic::kqueue::{Filter, KqueueFlags};
use crate::sys::unix::emulated::PollFlags;
use crate::sys::{EventFlags, Flags};

pub use crate::net::uds_round_trip as unix_address_round_trip;

/// Returns the event that this platform's queue makes from these flags.
pub fn event(token: usize, flags: u32) -> Event {
    Event::new(Token(token), EventFlags::from_bits(flags))
}

/// What some flags mean to a queue.
#[derive(Debug)]
pub struct Decoded {
    pub flags: String,
    pub readable: bool,
    pub read_closed: bool,
    pub aio: bool,
    pub lio: bool,
}

impl Decoded {
    fn new(flags: impl Flags) -> Decoded {
        let has = |hint| flags.readiness().contains(hint);
        Decoded {
            flags: format!("{flags:?}"),
            readable: has(Readiness::READABLE),
            read_closed: has(Readiness::READ_CLOSED),
            aio: has(Readiness::AIO),
            lio: has(Readiness::LIO),
        }
    }
}

/// Returns what these flags mean to the queues of other platforms: event ports and `poll(2)`, AFD, and kqueue with one filter
/// and with two.
pub fn elsewhere(flags: u32, filter: u8, fflags: u32) -> [Decoded; 4] {
    let filter = match filter {
        0 => Filter::Read,
        1 => Filter::Write,
        2 => Filter::Aio,
        3 => Filter::Lio,
        4 => Filter::User,
        5 => Filter::Vnode,
        6 => Filter::Proc,
        7 => Filter::Signal,
        8 => Filter::Timer,
        _ => Filter::Other,
    };
    let one = KqueueFlags::new(filter, flags as u16, fflags);
    let write = KqueueFlags::new(Filter::Write, (flags >> 16) as u16, fflags);
    let two = KqueueFlags::new(Filter::Read, flags as u16, 0).and(write);
    [Decoded::new(PollFlags::from_bits(flags)), Decoded::new(AfdFlags(flags)), Decoded::new(one), Decoded::new(two)]
}
