//! Where a model gets its events from: a poll of its own, or a thread that polls for several.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use mio::event::Event;
use mio::{Events, Poll};

/// An event, and the number of the poll that gave it.
pub(crate) type Numbered = (u64, Event);

pub(crate) trait Feed {
    /// Whether no time passes between a poll and the model's hearing of its events. If it does, the state of a source
    /// may be another when the model hears of it.
    const EXACT: bool;

    /// Events, at most `capacity` of a poll, after waiting for at most `timeout`.
    fn next(&mut self, capacity: usize, timeout: Duration) -> Vec<Numbered>;

    /// The number of the last poll that has started.
    fn last(&self) -> u64;
}

pub(crate) struct OwnPoll {
    pub(crate) poll: Poll,
    pub(crate) number: u64,
}

impl Feed for OwnPoll {
    const EXACT: bool = cfg!(unix); // AFD tells what was ready when the kernel looked, which is before the poll

    fn next(&mut self, capacity: usize, timeout: Duration) -> Vec<Numbered> {
        self.number += 1;
        let mut events = Events::with_capacity(capacity);
        self.poll.poll(&mut events, Some(timeout)).unwrap();
        // One more than asked for may come, if one is a wake.
        assert!(events.iter().count() <= capacity + 1);
        events.iter().map(|event| (self.number, event.clone())).collect()
    }

    fn last(&self) -> u64 {
        self.number
    }
}

/// What another thread hears from polling without end.
pub(crate) struct OtherThread {
    pub(crate) events: Receiver<Numbered>,
    pub(crate) number: Arc<AtomicU64>,
}

impl Feed for OtherThread {
    const EXACT: bool = false;

    fn next(&mut self, _capacity: usize, timeout: Duration) -> Vec<Numbered> {
        let first = self.events.recv_timeout(timeout).ok();
        first.into_iter().chain(self.events.try_iter().take(64)).collect()
    }

    fn last(&self) -> u64 {
        self.number.load(Ordering::SeqCst)
    }
}
