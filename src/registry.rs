//! [`Registry`]: the side of a queue that sources register with.

use std::fmt;
use std::io;
use std::sync::Arc;

use crate::event::Source;
use crate::log::trace;
use crate::queue::Queue;
use crate::{Interest, Token, Trigger};

/// Registers sources with the queue of a [`Poll`](crate::Poll). You get it from `Poll::registry`.
///
/// You can use it from any thread, even while another thread is inside `Poll::poll`, and it takes effect at once. To give
/// another thread a registry of its own, use [`try_clone`](Registry::try_clone).
///
/// # Examples
///
/// ```
/// # #[cfg(not(all(feature = "os-poll", feature = "net")))]
/// # fn main() {}
/// # #[cfg(all(feature = "os-poll", feature = "net"))]
/// # fn main() -> std::io::Result<()> {
/// use mio::net::UdpSocket;
/// use mio::{Interest, Poll, Token};
///
/// let poll = Poll::new()?;
/// let registry = poll.registry();
///
/// let mut socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
/// registry.register(&mut socket, Token(0), Interest::READABLE)?;
/// registry.reregister(&mut socket, Token(0), Interest::READABLE | Interest::WRITABLE)?;
/// registry.deregister(&mut socket)?;
/// # Ok(())
/// # }
/// ```
pub struct Registry {
    queue: Arc<Queue>,
}

impl Registry {
    pub(crate) fn new(queue: Queue) -> Registry {
        Registry { queue: Arc::new(queue) }
    }

    #[inline]
    pub(crate) fn queue(&self) -> &Arc<Queue> {
        &self.queue
    }

    /// Starts watching `source`. When it becomes ready in one of the ways that `interests` names, a poll reports an event that
    /// carries `token`.
    ///
    /// The registration is edge-triggered: an event says that readiness arrived. After it, do I/O until that returns
    /// [`WouldBlock`](io::ErrorKind::WouldBlock); only then is the next event certain. If the source is ready when you
    /// register it, you get an event. [`register_with`](Registry::register_with) offers other triggers.
    ///
    /// The source must be in non-blocking mode. Register it with one `Poll` at a time.
    ///
    /// # Errors
    ///
    /// - [`AlreadyExists`](io::ErrorKind::AlreadyExists) (`EEXIST` on Unix): the source is already registered, with this
    ///   `Poll` or another. poll(2), event ports and AFD always report this, and epoll reports it for a source that is
    ///   registered with this `Poll`. Debug builds report it in the other cases too.
    /// - The OS's own error, such as `EPERM` for a regular file with epoll, `EBADF` for a closed descriptor, `ENOSPC` at
    ///   the limit of watches, or `ENOMEM`.
    ///
    /// After an error the queue still works, and this call has not registered the source.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(not(all(feature = "os-poll", feature = "net")))]
    /// # fn main() {}
    /// # #[cfg(all(feature = "os-poll", feature = "net"))]
    /// # fn main() -> std::io::Result<()> {
    /// use mio::net::TcpListener;
    /// use mio::{Interest, Poll, Token};
    ///
    /// let poll = Poll::new()?;
    /// let mut listener = TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
    /// poll.registry().register(&mut listener, Token(0), Interest::READABLE)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn register<S>(&self, source: &mut S, token: Token, interests: Interest) -> io::Result<()>
    where
        S: Source + ?Sized,
    {
        trace!("register: {token:?}, {interests:?}");
        source.register(self, token, interests)
    }

    /// Does what [`register`](Registry::register) does, with a choice of [`Trigger`].
    ///
    /// # Errors
    ///
    /// Returns the errors that `register` lists, and [`Unsupported`](io::ErrorKind::Unsupported) if this kind of source
    /// does not support the trigger. Only a [`Source`] that is implemented outside this crate may return that.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(not(all(feature = "os-poll", feature = "net")))]
    /// # fn main() {}
    /// # #[cfg(all(feature = "os-poll", feature = "net"))]
    /// # fn main() -> std::io::Result<()> {
    /// use std::time::Duration;
    /// use mio::net::UdpSocket;
    /// use mio::{Events, Interest, Poll, Token, Trigger};
    ///
    /// let mut poll = Poll::new()?;
    /// let mut events = Events::with_capacity(8);
    /// let mut socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
    /// poll.registry().register_with(&mut socket, Token(0), Interest::WRITABLE, Trigger::Level)?;
    ///
    /// // There is room in the send buffer, and that does not change.
    /// for _ in 0..3 {
    ///     poll.poll(&mut events, Some(Duration::from_secs(5)))?;
    ///     assert!(events.iter().any(|event| event.is_writable()));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn register_with<S>(
        &self,
        source: &mut S,
        token: Token,
        interests: Interest,
        trigger: Trigger,
    ) -> io::Result<()>
    where
        S: Source + ?Sized,
    {
        trace!("register: {token:?}, {interests:?}, {trigger:?}");
        source.register_with(self, token, interests, trigger)
    }

    /// Replaces the token and the interests of a registered source, and arms it again: if the source is ready when you call
    /// this, you get an event.
    ///
    /// The registration is edge-triggered from now on, whatever it was before.
    ///
    /// # Errors
    ///
    /// - [`NotFound`](io::ErrorKind::NotFound) (`ENOENT` on Unix): the source is not registered. With kqueue, only debug builds
    ///   report this.
    /// - [`AlreadyExists`](io::ErrorKind::AlreadyExists) (`EEXIST` on Unix): the source is registered with another `Poll`.
    ///   poll(2), event ports and AFD always report this; epoll and kqueue report it in debug builds. In release builds epoll
    ///   reports `NotFound` instead.
    /// - The OS's own errors, which `register` lists.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(not(all(feature = "os-poll", feature = "net")))]
    /// # fn main() {}
    /// # #[cfg(all(feature = "os-poll", feature = "net"))]
    /// # fn main() -> std::io::Result<()> {
    /// use mio::net::UdpSocket;
    /// use mio::{Events, Interest, Poll, Token};
    ///
    /// let mut poll = Poll::new()?;
    /// let mut events = Events::with_capacity(8);
    /// let mut socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
    /// poll.registry().register(&mut socket, Token(0), Interest::READABLE)?;
    ///
    /// // From now on, also report when there is room to send.
    /// poll.registry().reregister(&mut socket, Token(1), Interest::READABLE | Interest::WRITABLE)?;
    ///
    /// poll.poll(&mut events, None)?;
    /// let event = events.iter().next().unwrap();
    /// assert!(event.token() == Token(1) && event.is_writable());
    /// # Ok(())
    /// # }
    /// ```
    pub fn reregister<S>(&self, source: &mut S, token: Token, interests: Interest) -> io::Result<()>
    where
        S: Source + ?Sized,
    {
        trace!("reregister: {token:?}, {interests:?}");
        source.reregister(self, token, interests)
    }

    /// Does what [`reregister`](Registry::reregister) does, with a choice of [`Trigger`]. Use it to arm a
    /// [`Trigger::OneShot`] again, or to change the trigger.
    ///
    /// # Errors
    ///
    /// Returns the errors that `reregister` lists, and [`Unsupported`](io::ErrorKind::Unsupported) as
    /// [`register_with`](Registry::register_with) does.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(not(all(feature = "os-poll", feature = "net")))]
    /// # fn main() {}
    /// # #[cfg(all(feature = "os-poll", feature = "net"))]
    /// # fn main() -> std::io::Result<()> {
    /// use std::time::Duration;
    /// use mio::net::UdpSocket;
    /// use mio::{Events, Interest, Poll, Token, Trigger};
    ///
    /// let mut poll = Poll::new()?;
    /// let mut events = Events::with_capacity(8);
    /// let mut socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
    /// poll.registry().register_with(&mut socket, Token(0), Interest::WRITABLE, Trigger::OneShot)?;
    /// poll.poll(&mut events, None)?;
    /// assert!(!events.is_empty());
    ///
    /// // It has fired, so it is silent until you arm it again.
    /// poll.poll(&mut events, Some(Duration::ZERO))?;
    /// assert!(events.is_empty());
    /// poll.registry().reregister_with(&mut socket, Token(0), Interest::WRITABLE, Trigger::OneShot)?;
    /// poll.poll(&mut events, None)?;
    /// assert!(!events.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    pub fn reregister_with<S>(
        &self,
        source: &mut S,
        token: Token,
        interests: Interest,
        trigger: Trigger,
    ) -> io::Result<()>
    where
        S: Source + ?Sized,
    {
        trace!("reregister: {token:?}, {interests:?}, {trigger:?}");
        source.reregister_with(self, token, interests, trigger)
    }

    /// Stops watching `source`: a poll that starts after this function has returned reports no event for it. You may
    /// register it again, with this or another `Poll`.
    ///
    /// Events that are already in an [`Events`](crate::Events) stay there.
    ///
    /// # Errors
    ///
    /// - [`NotFound`](io::ErrorKind::NotFound) (`ENOENT` on Unix): the source is not registered, or is registered with
    ///   another `Poll`. kqueue may not report this for a source whose other end is gone.
    /// - Otherwise, the OS's own error.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(not(all(feature = "os-poll", feature = "net")))]
    /// # fn main() {}
    /// # #[cfg(all(feature = "os-poll", feature = "net"))]
    /// # fn main() -> std::io::Result<()> {
    /// use std::time::Duration;
    /// use mio::net::UdpSocket;
    /// use mio::{Events, Interest, Poll, Token};
    ///
    /// let mut poll = Poll::new()?;
    /// let mut events = Events::with_capacity(8);
    /// let mut socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
    /// poll.registry().register(&mut socket, Token(0), Interest::WRITABLE)?;
    ///
    /// poll.registry().deregister(&mut socket)?;
    /// poll.poll(&mut events, Some(Duration::ZERO))?;
    /// assert!(events.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    pub fn deregister<S>(&self, source: &mut S) -> io::Result<()>
    where
        S: Source + ?Sized,
    {
        trace!("deregister");
        source.deregister(self)
    }

    /// Returns another handle to the same queue, so that another thread can register sources. The queue lives as long as
    /// any of its handles.
    ///
    /// # Errors
    ///
    /// Returns no error at present: the handle only counts a reference, and takes no file descriptor.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(not(all(feature = "os-poll", feature = "net")))]
    /// # fn main() {}
    /// # #[cfg(all(feature = "os-poll", feature = "net"))]
    /// # fn main() -> std::io::Result<()> {
    /// use std::thread;
    /// use mio::net::UdpSocket;
    /// use mio::{Events, Interest, Poll, Token};
    ///
    /// let mut poll = Poll::new()?;
    /// let mut events = Events::with_capacity(8);
    ///
    /// let registry = poll.registry().try_clone()?;
    /// let thread = thread::spawn(move || -> std::io::Result<UdpSocket> {
    ///     let mut socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
    ///     registry.register(&mut socket, Token(0), Interest::WRITABLE)?;
    ///     Ok(socket)
    /// });
    ///
    /// poll.poll(&mut events, None)?; // returns when the other thread has registered the socket
    /// assert!(!events.is_empty());
    /// # thread.join().unwrap()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn try_clone(&self) -> io::Result<Registry> {
        Ok(Registry { queue: Arc::clone(&self.queue) })
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("queue", &self.queue.backend).finish()
    }
}
