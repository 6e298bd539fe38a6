//! This crate.

use ::mio;

#[path = "mio.rs"]
mod queue;

pub type Ours = queue::Mio;
