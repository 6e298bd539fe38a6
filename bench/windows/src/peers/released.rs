//! The release that this crate replaces.

use mio_1_2_5 as mio;

#[path = "mio.rs"]
mod queue;
pub use self::queue::Mio as Released;
