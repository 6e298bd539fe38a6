//! The peers, and the one place that turns a choice at run time into code that is compiled for that peer.

#![allow(clippy::duplicate_mod)] // mio.rs is for two crates

use std::fmt;
use std::io;

use crate::queue::POLL_BACKENDS;
use crate::work::{self, Program, Work};

pub mod eventfd;
mod ours;
mod polling;
#[cfg_attr(mio_backend = "poll", path = "raw_poll.rs")]
#[cfg_attr(not(mio_backend = "poll"), path = "raw_epoll.rs")]
mod raw;
mod released;

#[cfg(all(libevent, not(mio_backend = "poll")))]
mod libevent;
#[cfg(all(libuv, not(mio_backend = "poll")))]
mod libuv;

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    Raw,
    Ours,
    Mio,
    Polling,
    Libuv,
    Libevent,
}

impl Peer {
    pub const ALL: [Peer; 6] = [Peer::Raw, Peer::Ours, Peer::Mio, Peer::Polling, Peer::Libuv, Peer::Libevent];

    pub fn name(self) -> &'static str {
        match self {
            Peer::Raw => "raw",
            Peer::Ours => "this crate",
            Peer::Mio => "mio 1.2.5",
            Peer::Polling => "polling 3.11",
            Peer::Libuv => "libuv",
            Peer::Libevent => "libevent",
        }
    }

    pub fn named(name: &str) -> Option<Peer> {
        Peer::ALL.into_iter().find(|peer| peer.name() == name)
    }

    /// Makes a program ready to run. Returns `Unsupported` if the peer cannot do the work, or is not there.
    pub fn start(self, work: Work) -> io::Result<Program> {
        match self {
            Peer::Raw => work::start::<raw::Raw>(work),
            Peer::Ours => work::start::<ours::Ours>(work),
            Peer::Mio => work::start::<released::Released>(work),
            // While several threads notify polling on poll(2), its wait fails with `WouldBlock`, or never ends.
            Peer::Polling if POLL_BACKENDS && matches!(work, Work::WakeStorm { .. }) => {
                Err(io::ErrorKind::Unsupported.into())
            }
            Peer::Polling => work::start::<polling::Polling>(work),
            #[cfg(all(libuv, not(mio_backend = "poll")))]
            Peer::Libuv => work::start::<libuv::Libuv>(work),
            #[cfg(all(libevent, not(mio_backend = "poll")))]
            Peer::Libevent => work::start::<libevent::Libevent>(work),
            #[allow(unreachable_patterns)] // if all of them are there
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
