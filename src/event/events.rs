//! [`Events`]: the events of one poll, and the memory that they arrive in.

use std::fmt;
use std::iter::FusedIterator;
use std::ops::Index;
use std::slice;

use super::Event;
use crate::sys::{self, Backend};

/// Holds the events of one call of [`Poll::poll`](crate::Poll::poll).
///
/// Make it once and lend it to every poll, which clears it first. It allocates all its memory in
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
    /// The memory that the kernel writes into, unless that is `ready` itself.
    pub(crate) buffer: <sys::Selector as Backend>::Buffer,
    /// The events, with room for one more than `capacity`, so that a waker's event always fits.
    pub(crate) ready: Vec<Event>,
    pub(crate) capacity: usize,
}

impl Events {
    /// Makes room for `capacity` events of sources in one poll. Events that do not fit arrive with the next poll.
    ///
    /// The event of a [`Waker`](crate::Waker) may come on top, so that a full batch never delays it.
    ///
    /// If the capacity is zero, a poll returns [`InvalidInput`](std::io::ErrorKind::InvalidInput).
    ///
    /// # Panics
    ///
    /// Panics with "capacity overflow", as the collections of the standard library do, if `capacity` events take more than
    /// `isize::MAX` bytes, the most that a program can address. Any capacity for which there is memory works.
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
        // `Vec` panics if it cannot have that much memory. A sum that wraps around would ask it for none at all.
        let ready = Vec::with_capacity(capacity.saturating_add(1));
        Events { buffer: sys::Selector::buffer(capacity), ready, capacity }
    }

    /// Returns how many events of sources one poll can report, which is the number that you passed to
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

    /// Returns how many events the last poll reported. With the event of a [`Waker`](crate::Waker), this may be one more than
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

    /// Returns whether the last poll reported no event.
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

    /// Returns an iterator over the events, in the order in which the operating system reported them. `&Events` implements
    /// [`IntoIterator`], so `for event in &events` does the same.
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

    /// Forgets the events. You need not call this before a poll, which does it by itself.
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

    /// Returns the event at `place`, counted from zero in the order of [`iter`](Events::iter).
    ///
    /// # Panics
    ///
    /// Panics if there is no event at `place`.
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
