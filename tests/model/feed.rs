//! Gives a model its events, from a poll of its own or from a thread that polls for several models.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use mio::event::Event;
use mio::{Events, Poll};

/// An event, with the number of the poll that reported it.
pub(crate) type Numbered = (u64, Event);

pub(crate) trait Feed {
    /// Whether a model hears of events at the moment of the poll. If it does not, the state of a source may have changed by
    /// then.
    const EXACT: bool;

    /// Waits for at most `timeout`, and returns events, at most `capacity` for each poll.
    fn next(&mut self, capacity: usize, timeout: Duration) -> Vec<Numbered>;

    /// Returns the number of the last poll that has started.
    fn last(&self) -> u64;
}

pub(crate) struct OwnPoll {
    pub(crate) poll: Poll,
    pub(crate) number: u64,
}

impl Feed for OwnPoll {
    const EXACT: bool = cfg!(unix); // AFD reports what was ready when the kernel looked, which is before the poll

    fn next(&mut self, capacity: usize, timeout: Duration) -> Vec<Numbered> {
        self.number += 1;
        let mut events = Events::with_capacity(capacity);
        self.poll.poll(&mut events, Some(timeout)).unwrap();
        // If one of them is a wake, one more than `capacity` may come.
        assert!(events.iter().count() <= capacity + 1);
        events.iter().map(|event| (self.number, event.clone())).collect()
    }

    fn last(&self) -> u64 {
        self.number
    }
}

/// Events from another thread, which polls without end.
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
