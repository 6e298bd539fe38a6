//! The release that this crate replaces.

use ::mio_1_2_5 as mio;

#[path = "world.rs"]
mod world;

pub use self::world::World;
