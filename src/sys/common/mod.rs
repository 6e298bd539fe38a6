//! The parts that the backends of all systems use.

pub(crate) mod kernel;
pub(crate) mod lock;
pub(crate) mod time;
