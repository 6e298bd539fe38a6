//! The types for what a queue reports, [`Event`] and [`Events`], and the trait for what it can watch, [`Source`].

#[allow(clippy::module_inception)] // the module is about `Event`, so both have that name
mod event;
mod events;
mod readiness;
mod source;

pub use self::event::Event;
pub use self::events::{Events, Iter};
pub(crate) use self::readiness::{Readiness, write_flags, write_names};
pub use self::source::Source;
pub(crate) use self::source::{Watched, impl_source};
