//! What a queue reports, and what it can watch: [`Event`], [`Events`] and the [`Source`] trait.

#[allow(clippy::module_inception)] // `Event` is what this module is about
mod event;
mod events;
mod readiness;
mod source;

pub use self::event::Event;
pub use self::events::{Events, Iter};
pub(crate) use self::readiness::{Readiness, write_names};
pub use self::source::Source;
pub(crate) use self::source::{Watched, impl_source};
