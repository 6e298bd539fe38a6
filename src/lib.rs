//! Metal I/O gives you non-blocking sockets and the operating system's event queue, with as little in between as possible.
//!
//! You register *sources* (sockets, pipes, anything that the operating system's queue can watch) under a [`Token`] of your
//! choice, wait for *events*, and do I/O that never blocks. Asynchronous runtimes are built on this layer, and you can build
//! a server directly on it.
//!
//! - [`Poll`] waits, [`Registry`] registers, and [`Waker`] wakes from another thread.
//! - [`Events`] holds what a poll reported, and an [`event::Source`] is something that you can register.
//! - [`net`] has TCP, UDP and Unix sockets; [`unix`] and [`windows`] have the items that only these systems offer.
//! - The [`guide`] shows how to use them well, and [`features`] lists the cargo features that they need.
//!
//! The crate has no file operations, no thread pools and no timers.
//!
//! # Examples
//!
//! ```
//! # #[cfg(all(feature = "os-poll", feature = "net"))]
//! # fn main() -> std::io::Result<()> {
//! use mio::net::UdpSocket;
//! use mio::{Events, Interest, Poll, Token};
//!
//! let mut poll = Poll::new()?;
//! let mut events = Events::with_capacity(128);
//!
//! let mut socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
//! poll.registry().register(&mut socket, Token(7), Interest::READABLE)?;
//! socket.send_to(b"to myself", socket.local_addr()?)?;
//!
//! poll.poll(&mut events, None)?;
//! for event in &events {
//!     assert_eq!(event.token(), Token(7));
//!     assert!(event.is_readable());
//! }
//! # Ok(())
//! # }
//! # #[cfg(not(all(feature = "os-poll", feature = "net")))]
//! # fn main() {}
//! ```
// Links to items that this build does not have lead to the page that describes them.
#![cfg_attr(not(feature = "os-poll"), doc = "\n[`Poll`]: features\n[`Waker`]: features")]
#![cfg_attr(not(feature = "net"), doc = "\n[`net`]: features")]
#![cfg_attr(not(all(unix, feature = "os-ext")), doc = "\n[`unix`]: features#platforms")]
#![cfg_attr(not(all(windows, feature = "os-ext")), doc = "\n[`windows`]: features#platforms")]
#![cfg_attr(docsrs, feature(doc_cfg))]
// The documentation names items of all features, so some links are broken in a build without them.
#![cfg_attr(
    not(all(any(unix, windows), feature = "os-ext", feature = "net")),
    allow(
        dead_code,
        unreachable_pub,
        unused_imports,
        unused_macros,
        rustdoc::broken_intra_doc_links,
        reason = "features choose what the crate exports, and so what it uses"
    )
)]

#[macro_use]
mod cfg_if;

#[cfg(all(any(unix, windows), feature = "os-ext"))]
mod bare_source;
pub mod event;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod interest;
mod io_source;
mod io_type;
mod log;
#[cfg(feature = "net")]
pub mod net;
mod poll;
mod queue;
mod registry;
mod sys;
mod token;
mod trigger;
#[cfg(all(unix, feature = "os-ext"))]
pub mod unix;
mod wake_state;
mod waker;
#[cfg(all(windows, feature = "os-ext"))]
pub mod windows;

#[doc(inline)]
pub use self::event::Events;
pub use self::interest::Interest;
#[cfg(all(any(unix, windows), feature = "os-ext"))]
pub use self::io_source::IoSource;
#[cfg(feature = "os-poll")]
pub use self::poll::Poll;
pub use self::registry::Registry;
#[cfg(feature = "os-ext")]
#[allow(unused_imports, unreachable_pub, reason = "only some queues have something public in here")]
pub use self::sys::*;
pub use self::token::Token;
pub use self::trigger::Trigger;
#[cfg(feature = "os-poll")]
pub use self::waker::Waker;

#[doc = include_str!("../docs/features.md")]
pub mod features {}

#[doc = include_str!("../docs/guide.md")]
pub mod guide {}

/// Makes the documentation tests include the programs in the README.
#[cfg(all(doctest, feature = "os-poll", feature = "net"))]
#[doc = include_str!("../README.md")]
mod readme {}
