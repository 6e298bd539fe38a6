//! What can be registered.

use std::io;

use crate::{Interest, Registry, Token, Trigger};

/// Something that a queue can watch. Users of a source call [`Registry::register`], not these methods.
///
/// The sockets and pipes of this crate are sources. A type made of one implements this trait by handing the calls on; a
/// type that holds something of the operating system's does it with `unix::SourceFd` or `windows::SourceSocket`.
///
/// # Dropping
///
/// A source need not be deregistered before it is dropped as long as that closes the file descriptor or socket.
///
/// # Examples
///
/// ```
/// # #[cfg(all(feature = "os-poll", feature = "net"))]
/// # fn main() -> std::io::Result<()> {
/// use std::io;
/// use mio::event::Source;
/// use mio::net::UdpSocket;
/// use mio::{Interest, Poll, Registry, Token};
///
/// struct Resolver {
///     socket: UdpSocket,
/// }
///
/// impl Source for Resolver {
///     fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
///         self.socket.register(registry, token, interests)
///     }
///
///     fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
///         self.socket.reregister(registry, token, interests)
///     }
///
///     fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
///         self.socket.deregister(registry)
///     }
/// }
///
/// let poll = Poll::new()?;
/// let mut resolver = Resolver { socket: UdpSocket::bind("127.0.0.1:0".parse().unwrap())? };
/// poll.registry().register(&mut resolver, Token(0), Interest::READABLE)?;
/// # Ok(())
/// # }
/// # #[cfg(not(all(feature = "os-poll", feature = "net")))]
/// # fn main() {}
/// ```
pub trait Source {
    /// Begins to watch this source. Called by [`Registry::register`], which says what it means and how it can fail.
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()>;

    /// Replaces token and interests of a watched source. Called by [`Registry::reregister`].
    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()>;

    /// Ends the watching. Called by [`Registry::deregister`].
    fn deregister(&mut self, registry: &Registry) -> io::Result<()>;

    /// As [`register`](Source::register), with a choice of [`Trigger`].
    ///
    /// # Errors
    ///
    /// A source that does not implement this method takes [`Trigger::Edge`] only, and gives
    /// [`Unsupported`](io::ErrorKind::Unsupported) for the others.
    fn register_with(
        &mut self,
        registry: &Registry,
        token: Token,
        interests: Interest,
        trigger: Trigger,
    ) -> io::Result<()> {
        edge_only(trigger)?;
        self.register(registry, token, interests)
    }

    /// As [`reregister`](Source::reregister), with a choice of [`Trigger`].
    ///
    /// # Errors
    ///
    /// As those of [`register_with`](Source::register_with).
    fn reregister_with(
        &mut self,
        registry: &Registry,
        token: Token,
        interests: Interest,
        trigger: Trigger,
    ) -> io::Result<()> {
        edge_only(trigger)?;
        self.reregister(registry, token, interests)
    }
}

fn edge_only(trigger: Trigger) -> io::Result<()> {
    match trigger {
        Trigger::Edge => Ok(()),
        _ => Err(io::Error::new(io::ErrorKind::Unsupported, "this event source can be registered edge-triggered only")),
    }
}

impl<T> Source for Box<T>
where
    T: Source + ?Sized,
{
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        (**self).register(registry, token, interests)
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        (**self).reregister(registry, token, interests)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        (**self).deregister(registry)
    }

    fn register_with(
        &mut self,
        registry: &Registry,
        token: Token,
        interests: Interest,
        trigger: Trigger,
    ) -> io::Result<()> {
        (**self).register_with(registry, token, interests, trigger)
    }

    fn reregister_with(
        &mut self,
        registry: &Registry,
        token: Token,
        interests: Interest,
        trigger: Trigger,
    ) -> io::Result<()> {
        (**self).reregister_with(registry, token, interests, trigger)
    }
}
