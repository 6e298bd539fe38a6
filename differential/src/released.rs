//! The release that this crate replaces.

use ::mio_1_2_5 as mio;

#[cfg_attr(unix, path = "sockets/world.rs")]
#[cfg_attr(windows, path = "named_pipes/world.rs")]
mod world;

pub use self::world::World;
