//! Without `os-poll` there is no queue: a backend that has no value, so nothing of it can ever be called.

use std::io;

use super::{Backend, Flags, Plain, RawSource, Watch};
use crate::event::Readiness;

#[derive(Debug)]
pub(crate) enum Selector {}

impl Backend for Selector {
    type Buffer = ();
    type Registration = ();
    type Event = Plain<Readiness>;

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

/// Of an event that nobody makes.
impl Flags for Readiness {
    fn readiness(self) -> Readiness {
        self
    }
}
