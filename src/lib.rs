//! Metal I/O: non-blocking sockets and the operating system's event queue, with as little in between as possible.

#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(any(feature = "net", all(unix, feature = "os-ext")))]
mod convert;
pub mod event;
mod interest;
#[cfg(any(feature = "net", all(unix, feature = "os-ext")))]
mod io_source;
mod log;
#[cfg(feature = "net")]
pub mod net;
#[cfg(feature = "os-poll")]
mod poll;
mod queue;
mod registry;
mod sys;
mod token;
mod trigger;
#[cfg(all(unix, feature = "os-ext"))]
pub mod unix;
#[cfg(feature = "os-poll")]
mod waker;

pub use self::event::Events;
pub use self::interest::Interest;
#[cfg(feature = "os-poll")]
pub use self::poll::Poll;
pub use self::registry::Registry;
pub use self::token::Token;
pub use self::trigger::Trigger;
#[cfg(feature = "os-poll")]
pub use self::waker::Waker;

/// The cargo features.
pub mod features {}

/// How to use this crate well.
pub mod guide {}
