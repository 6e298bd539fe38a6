//! The events of one poll, and the memory that they arrive in.

use std::fmt;
use std::iter::FusedIterator;
use std::ops::Index;
use std::slice;

use super::Event;
use crate::sys::{self, Backend};

/// The events of one call of [`Poll::poll`](crate::Poll::poll), and the memory that they arrive in.
///
/// Made once and lent to every poll, which clears it first; nothing is allocated after
/// [`with_capacity`](Events::with_capacity).
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "os-poll")]
/// # fn main() -> std::io::Result<()> {
/// use std::time::Duration;
/// use mio::{Events, Poll};
///
/// let mut poll = Poll::new()?;
/// let mut events = Events::with_capacity(1024);
///
/// poll.poll(&mut events, Some(Duration::ZERO))?;
/// for event in &events {
///     println!("{event:?}");
/// }
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "os-poll"))]
/// # fn main() {}
/// ```
pub struct Events {
    /// What the kernel writes into, where that is not `ready`.
    #[cfg_attr(not(feature = "os-poll"), allow(dead_code))]
    pub(crate) buffer: <sys::Selector as Backend>::Buffer,
    /// What the kernel wrote; one longer than `capacity`, so that a waker's event always fits.
    pub(crate) ready: Vec<Event>,
    pub(crate) capacity: usize,
}

impl Events {
    /// Room for `capacity` events of sources in one poll. Those that do not fit come with the next one.
    ///
    /// The event of a [`Waker`](crate::Waker) may come on top, so that a full batch never keeps it waiting.
    ///
    /// A poll with a capacity of zero gives [`InvalidInput`](std::io::ErrorKind::InvalidInput).
    ///
    /// # Panics
    ///
    /// With "capacity overflow", as the standard library's collections do, if that much memory cannot be addressed. Any
    /// capacity for which there is memory works.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Events {
        let ready = Vec::with_capacity(capacity.saturating_add(1));
        Events { buffer: sys::Selector::buffer(capacity), ready, capacity }
    }

    /// How many events of sources one poll can give; what was passed to [`with_capacity`](Events::with_capacity).
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// How many events the last poll gave: a [`Waker`](crate::Waker)'s may be one more than
    /// [`capacity`](Events::capacity).
    #[must_use]
    pub fn len(&self) -> usize {
        self.ready.len()
    }

    /// Whether the last poll gave no event.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ready.is_empty()
    }

    /// The events, in the order in which the operating system gave them.
    pub fn iter(&self) -> Iter<'_> {
        Iter { events: self.ready.iter() }
    }

    /// Forgets the events. A poll does so by itself.
    pub fn clear(&mut self) {
        self.ready.clear();
    }
}

impl Index<usize> for Events {
    type Output = Event;

    /// The event at a place in the order of [`iter`](Events::iter).
    ///
    /// # Panics
    ///
    /// If there are not that many.
    fn index(&self, place: usize) -> &Event {
        &self.ready[place]
    }
}

impl<'a> IntoIterator for &'a Events {
    type Item = &'a Event;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self).finish()
    }
}

/// Walks over [`Events`]; made by [`Events::iter`].
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    events: slice::Iter<'a, Event>,
}

impl<'a> Iterator for Iter<'a> {
    type Item = &'a Event;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.events.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.events.size_hint()
    }

    fn count(self) -> usize {
        self.events.count()
    }
}

impl DoubleEndedIterator for Iter<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        self.events.next_back()
    }
}

impl ExactSizeIterator for Iter<'_> {}

impl FusedIterator for Iter<'_> {}
