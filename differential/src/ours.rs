//! This crate.

use ::mio;

#[path = "world.rs"]
mod world;

pub use self::world::World;
