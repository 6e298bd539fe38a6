//! What the targets in `fuzz/` drive and the public API does not show. Not part of it: built by `cargo fuzz` alone.

#![allow(missing_docs)]

use crate::Token;
use crate::event::Event;
use crate::sys::EventFlags;

pub use crate::net::uds_round_trip as unix_address_round_trip;

/// The event that this platform's queue makes of these flags.
pub fn event(token: usize, flags: u32) -> Event {
    Event::new(Token(token), EventFlags::from_bits(flags))
}
