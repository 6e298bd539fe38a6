//! The events of one poll, and the memory that they arrive in.

use std::fmt;
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
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Events {
        Events { buffer: sys::Selector::buffer(capacity), ready: Vec::with_capacity(capacity + 1), capacity }
    }

    /// How many events of sources one poll can give; what was passed to [`with_capacity`](Events::with_capacity).
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
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
