//! The side of a queue that sources register with.

use std::fmt;
use std::io;
use std::sync::Arc;

use crate::event::Source;
use crate::log::trace;
use crate::queue::Queue;
use crate::{Interest, Token, Trigger};

/// Registers sources with the queue of a [`Poll`](crate::Poll); got from `Poll::registry`.
///
/// Works from any thread, also while another one is inside `Poll::poll`, and takes effect at once. To move one into
/// another thread, [`try_clone`](Registry::try_clone) it.
pub struct Registry {
    queue: Arc<Queue>,
}

impl Registry {
    #[cfg(feature = "os-poll")]
    pub(crate) fn new(queue: Queue) -> Registry {
        Registry { queue: Arc::new(queue) }
    }

    #[cfg_attr(not(any(feature = "os-poll", feature = "net")), allow(dead_code))]
    #[inline]
    pub(crate) fn queue(&self) -> &Arc<Queue> {
        &self.queue
    }

    /// Begins to watch `source`: polls report, with `token`, when it becomes ready in the ways that `interests` names.
    ///
    /// The registration is edge-triggered: an event says that readiness arrived. After it, do I/O until that says
    /// [`WouldBlock`](io::ErrorKind::WouldBlock); only then is the next event certain. A source that is ready at the
    /// time of the call gives an event. [`register_with`](Registry::register_with) offers other triggers.
    ///
    /// The source must be in non-blocking mode, and must not be moved to another queue: register it with one `Poll` at
    /// a time.
    ///
    /// # Errors
    ///
    /// - [`AlreadyExists`](io::ErrorKind::AlreadyExists) (`EEXIST` on Unix): the source is registered already, with this
    ///   `Poll` or another. poll(2), event ports and AFD always tell, epoll if it is with this one; the rest is told in
    ///   debug builds.
    /// - The OS's own error, such as `EPERM` for a regular file in epoll, `EBADF` for a closed descriptor, `ENOSPC` at
    ///   the limit of watches, `ENOMEM`.
    ///
    /// The queue goes on to work after each of them, and the source stays unregistered.
    ///
    /// # Examples
    ///
    /// ```
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
    /// # #[cfg(not(all(feature = "os-poll", feature = "net")))]
    /// # fn main() {}
    /// ```
    pub fn register<S>(&self, source: &mut S, token: Token, interests: Interest) -> io::Result<()>
    where
        S: Source + ?Sized,
    {
        trace!("register: {token:?}, {interests:?}");
        source.register(self, token, interests)
    }

    /// As [`register`](Registry::register), with a choice of [`Trigger`].
    ///
    /// # Errors
    ///
    /// As those of `register`; and [`Unsupported`](io::ErrorKind::Unsupported) if this kind of source does not take
    /// that trigger, which a [`Source`] implemented outside this crate may do.
    ///
    /// # Examples
    ///
    /// ```
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
    /// // There is room in the send buffer, and it stays so.
    /// for _ in 0..3 {
    ///     poll.poll(&mut events, Some(Duration::from_secs(5)))?;
    ///     assert!(events.iter().any(|event| event.is_writable()));
    /// }
    /// # Ok(())
    /// # }
    /// # #[cfg(not(all(feature = "os-poll", feature = "net")))]
    /// # fn main() {}
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

    /// Replaces token and interests of a registered source, and re-arms it: if it is ready at that time, an event
    /// comes.
    ///
    /// The registration is edge-triggered from now on, whatever it was before.
    ///
    /// # Errors
    ///
    /// - [`NotFound`](io::ErrorKind::NotFound) (`ENOENT` on Unix): the source is not registered. kqueue tells in debug
    ///   builds.
    /// - [`AlreadyExists`](io::ErrorKind::AlreadyExists) (`EEXIST` on Unix): it is registered with another `Poll`. poll(2),
    ///   event ports and AFD always tell, epoll and kqueue in debug builds; else epoll says `NotFound`.
    /// - The OS's own error, as for `register`.
    pub fn reregister<S>(&self, source: &mut S, token: Token, interests: Interest) -> io::Result<()>
    where
        S: Source + ?Sized,
    {
        trace!("reregister: {token:?}, {interests:?}");
        source.reregister(self, token, interests)
    }

    /// As [`reregister`](Registry::reregister), with a choice of [`Trigger`]: the way to arm a
    /// [`Trigger::OneShot`] again, or to change the trigger.
    ///
    /// # Errors
    ///
    /// As those of `reregister`, and [`Unsupported`](io::ErrorKind::Unsupported) as for
    /// [`register_with`](Registry::register_with).
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

    /// Ends the watching: a poll that starts after this returned gives no event of `source`. It may be registered
    /// again, with this or another `Poll`.
    ///
    /// Events that are in an [`Events`](crate::Events) already stay there.
    ///
    /// # Errors
    ///
    /// - [`NotFound`](io::ErrorKind::NotFound) (`ENOENT` on Unix): the source is not registered, or with another `Poll`.
    /// - The OS's own error.
    pub fn deregister<S>(&self, source: &mut S) -> io::Result<()>
    where
        S: Source + ?Sized,
    {
        trace!("deregister");
        source.deregister(self)
    }

    /// Another handle to the same queue, to register sources from another thread. The queue lives as long as one of its
    /// handles.
    ///
    /// # Errors
    ///
    /// None at present: the handle is a reference count, and takes no file descriptor.
    pub fn try_clone(&self) -> io::Result<Registry> {
        Ok(Registry { queue: Arc::clone(&self.queue) })
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("queue", &self.queue.backend).finish()
    }
}
