//! This crate.

use mio;

#[path = "mio.rs"]
mod queue;
pub use self::queue::Mio as Ours;
