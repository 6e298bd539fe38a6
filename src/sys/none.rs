//! Without `os-poll` there is no queue: a backend that has no value, so nothing of it can ever be called.

use std::io;

use super::{Backend, Flags, Plain, RawSource, Watch};
use crate::event::Readiness;

#[derive(Debug)]
pub(crate) enum Selector {}

/// The flags of an event that cannot be.
#[derive(Copy, Clone, Debug)]
pub(crate) enum NoFlags {}

impl Backend for Selector {
    type Buffer = ();
    type Registration = ();
    type Event = Plain<NoFlags>;

    fn buffer(_capacity: usize) {}

    fn register(&self, _source: RawSource, _registration: &mut (), _watch: Watch) -> io::Result<()> {
        match *self {}
    }

    fn reregister(&self, _source: RawSource, _registration: &mut (), _watch: Watch) -> io::Result<()> {
        match *self {}
    }

    fn deregister(&self, _source: RawSource, _registration: &mut ()) -> io::Result<()> {
        match *self {}
    }
}

impl Flags for NoFlags {
    fn readiness(self) -> Readiness {
        match self {}
    }
}
