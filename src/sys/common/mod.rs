//! What backends of every system use.

pub(crate) mod kernel;
pub(crate) mod lock;
pub(crate) mod time;
