//! The events of one poll, and the memory that they arrive in.

use std::fmt;
use std::iter::FusedIterator;
use std::ops::Index;
use std::slice;

use super::Event;
use crate::sys::{self, Backend};

/// The events of one call of [`Poll::poll`](crate::Poll::poll), and the memory that they arrive in.
///
/// You make it once and lend it to every poll, which clears it first. Nothing is allocated after
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
    pub(crate) buffer: <sys::Selector as Backend>::Buffer,
    /// What the kernel wrote; one longer than `capacity`, so that a waker's event always fits.
    pub(crate) ready: Vec<Event>,
    pub(crate) capacity: usize,
}

impl Events {
    /// Makes room for `capacity` events of sources in one poll. Those that do not fit come with the next one.
    ///
    /// The event of a [`Waker`](crate::Waker) may come on top, so that a full batch never keeps it waiting.
    ///
    /// A poll with a capacity of zero returns [`InvalidInput`](std::io::ErrorKind::InvalidInput).
    ///
    /// # Panics
    ///
    /// Panics with "capacity overflow", as the collections of the standard library do, if `capacity` events take more
    /// memory than can be addressed, `isize::MAX` bytes. Any capacity for which there is memory works.
    ///
    /// # Examples
    ///
    /// ```
    /// use mio::Events;
    ///
    /// let events = Events::with_capacity(128);
    /// assert!(events.is_empty());
    /// ```
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Events {
        // `Vec` panics if there is no such amount of memory; a sum that wrapped would ask it for none.
        let ready = Vec::with_capacity(capacity.saturating_add(1));
        Events { buffer: sys::Selector::buffer(capacity), ready, capacity }
    }

    /// Returns how many events of sources one poll can give, which is what you passed to
    /// [`with_capacity`](Events::with_capacity).
    ///
    /// # Examples
    ///
    /// ```
    /// use mio::Events;
    ///
    /// let events = Events::with_capacity(128);
    /// assert_eq!(events.capacity(), 128);
    /// ```
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Returns how many events the last poll gave. With the event of a [`Waker`](crate::Waker), this may be one more than
    /// [`capacity`](Events::capacity).
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(not(feature = "os-poll"))]
    /// # fn main() {}
    /// # #[cfg(feature = "os-poll")]
    /// # fn main() -> std::io::Result<()> {
    /// use mio::{Events, Poll, Token, Waker};
    ///
    /// let mut poll = Poll::new()?;
    /// let mut events = Events::with_capacity(8);
    /// Waker::new(poll.registry(), Token(0))?.wake()?;
    /// poll.poll(&mut events, None)?;
    /// assert_eq!(events.len(), 1);
    /// assert_eq!(events[0].token(), Token(0));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.ready.len()
    }

    /// Returns whether the last poll gave no event.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(not(feature = "os-poll"))]
    /// # fn main() {}
    /// # #[cfg(feature = "os-poll")]
    /// # fn main() -> std::io::Result<()> {
    /// use std::time::Duration;
    /// use mio::{Events, Poll};
    ///
    /// let mut poll = Poll::new()?;
    /// let mut events = Events::with_capacity(8);
    /// poll.poll(&mut events, Some(Duration::ZERO))?;
    /// assert!(events.is_empty()); // nothing is registered
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ready.is_empty()
    }

    /// Returns an iterator over the events, in the order in which the operating system gave them. `&Events` is
    /// [`IntoIterator`] as well, so `for event in &events` does the same.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(not(feature = "os-poll"))]
    /// # fn main() {}
    /// # #[cfg(feature = "os-poll")]
    /// # fn main() -> std::io::Result<()> {
    /// use mio::{Events, Poll, Token, Waker};
    ///
    /// let mut poll = Poll::new()?;
    /// let mut events = Events::with_capacity(8);
    /// let waker = Waker::new(poll.registry(), Token(0))?;
    /// waker.wake()?;
    ///
    /// poll.poll(&mut events, None)?;
    /// assert_eq!(events.iter().map(|event| event.token()).collect::<Vec<_>>(), [Token(0)]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn iter(&self) -> Iter<'_> {
        Iter { events: self.ready.iter() }
    }

    /// Forgets the events. You need not call it before a poll, which does the same.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(not(feature = "os-poll"))]
    /// # fn main() {}
    /// # #[cfg(feature = "os-poll")]
    /// # fn main() -> std::io::Result<()> {
    /// use mio::{Events, Poll, Token, Waker};
    ///
    /// let mut poll = Poll::new()?;
    /// let mut events = Events::with_capacity(8);
    /// let waker = Waker::new(poll.registry(), Token(0))?;
    /// waker.wake()?;
    ///
    /// poll.poll(&mut events, None)?;
    /// events.clear();
    /// assert!(events.is_empty());
    /// # Ok(())
    /// # }
    /// ```
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

/// Iterates over [`Events`]. [`Events::iter`] makes it.
///
/// # Examples
///
/// ```
/// # #[cfg(not(feature = "os-poll"))]
/// # fn main() {}
/// # #[cfg(feature = "os-poll")]
/// # fn main() -> std::io::Result<()> {
/// use mio::event::Iter;
/// use mio::{Events, Poll, Token, Waker};
///
/// let mut poll = Poll::new()?;
/// let mut events = Events::with_capacity(8);
/// let waker = Waker::new(poll.registry(), Token(0))?;
/// waker.wake()?;
///
/// poll.poll(&mut events, None)?;
/// let mut iter: Iter<'_> = events.iter();
/// assert!(iter.next().is_some_and(|event| event.is_readable()));
/// assert!(iter.next().is_none());
/// # Ok(())
/// # }
/// ```
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
