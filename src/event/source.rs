//! [`Source`]: what you can register.

use std::io;

use crate::sys::Watch;
use crate::{Interest, Registry, Token, Trigger};

/// Something that a queue can watch. To register a source, call [`Registry::register`], not these methods.
///
/// The sockets and pipes of this crate are sources. If your type contains one of them, implement this trait by forwarding the
/// calls. If it holds a descriptor or socket of the operating system, use `IoSource`, `unix::SourceFd` or
/// `windows::SourceSocket`.
///
/// # Dropping
///
/// You need not deregister a source of this crate before you drop it: dropping it closes its file descriptor or socket. If
/// your source registers a bare descriptor, with `unix::SourceFd`, deregister the descriptor before you close it.
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
    /// Starts watching this source. [`Registry::register`] calls this method, and says what it means.
    ///
    /// # Errors
    ///
    /// Return an error if that fails. [`Registry::register`] passes it on to its caller, and lists the errors of this
    /// crate's sources.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(not(all(feature = "os-poll", feature = "net")))]
    /// # fn main() {}
    /// # #[cfg(all(feature = "os-poll", feature = "net"))]
    /// # fn main() -> std::io::Result<()> {
    /// use std::io;
    /// use mio::event::Source;
    /// use mio::net::UdpSocket;
    /// use mio::{Interest, Registry, Token};
    ///
    /// struct Resolver {
    ///     socket: UdpSocket,
    /// }
    ///
    /// impl Source for Resolver {
    ///     fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
    ///         self.socket.register(registry, token, interests)
    ///     }
    /// #   fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
    /// #       self.socket.reregister(registry, token, interests)
    /// #   }
    /// #   fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
    /// #       self.socket.deregister(registry)
    /// #   }
    /// }
    /// # let poll = mio::Poll::new()?;
    /// # let mut resolver = Resolver { socket: UdpSocket::bind("127.0.0.1:0".parse().unwrap())? };
    /// # poll.registry().register(&mut resolver, Token(0), Interest::READABLE)?;
    /// # Ok(())
    /// # }
    /// ```
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()>;

    /// Replaces the token and the interests of a watched source. [`Registry::reregister`] calls this method.
    ///
    /// # Errors
    ///
    /// Return an error if that fails. [`Registry::reregister`] passes it on to its caller, and lists the errors of this
    /// crate's sources.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(not(all(feature = "os-poll", feature = "net")))]
    /// # fn main() {}
    /// # #[cfg(all(feature = "os-poll", feature = "net"))]
    /// # fn main() -> std::io::Result<()> {
    /// use std::io;
    /// use mio::event::Source;
    /// use mio::net::UdpSocket;
    /// use mio::{Interest, Registry, Token};
    ///
    /// struct Resolver {
    ///     socket: UdpSocket,
    /// }
    ///
    /// impl Source for Resolver {
    ///     fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
    ///         self.socket.reregister(registry, token, interests)
    ///     }
    /// #   fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
    /// #       self.socket.register(registry, token, interests)
    /// #   }
    /// #   fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
    /// #       self.socket.deregister(registry)
    /// #   }
    /// }
    /// # let poll = mio::Poll::new()?;
    /// # let mut resolver = Resolver { socket: UdpSocket::bind("127.0.0.1:0".parse().unwrap())? };
    /// # poll.registry().register(&mut resolver, Token(0), Interest::READABLE)?;
    /// # poll.registry().reregister(&mut resolver, Token(0), Interest::READABLE)?;
    /// # Ok(())
    /// # }
    /// ```
    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()>;

    /// Stops watching this source. [`Registry::deregister`] calls this method.
    ///
    /// # Errors
    ///
    /// Return an error if that fails. [`Registry::deregister`] passes it on to its caller, and lists the errors of this
    /// crate's sources.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(not(all(feature = "os-poll", feature = "net")))]
    /// # fn main() {}
    /// # #[cfg(all(feature = "os-poll", feature = "net"))]
    /// # fn main() -> std::io::Result<()> {
    /// use std::io;
    /// use mio::event::Source;
    /// use mio::net::UdpSocket;
    /// use mio::{Interest, Registry, Token};
    ///
    /// struct Resolver {
    ///     socket: UdpSocket,
    /// }
    ///
    /// impl Source for Resolver {
    ///     fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
    ///         self.socket.deregister(registry)
    ///     }
    /// #   fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
    /// #       self.socket.register(registry, token, interests)
    /// #   }
    /// #   fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
    /// #       self.socket.reregister(registry, token, interests)
    /// #   }
    /// }
    /// # let poll = mio::Poll::new()?;
    /// # let mut resolver = Resolver { socket: UdpSocket::bind("127.0.0.1:0".parse().unwrap())? };
    /// # poll.registry().register(&mut resolver, Token(0), Interest::READABLE)?;
    /// # poll.registry().deregister(&mut resolver)?;
    /// # Ok(())
    /// # }
    /// ```
    fn deregister(&mut self, registry: &Registry) -> io::Result<()>;

    /// Does what [`register`](Source::register) does, with a choice of [`Trigger`].
    ///
    /// # Errors
    ///
    /// If a source does not implement this method, it supports only [`Trigger::Edge`], and the method returns
    /// [`Unsupported`](io::ErrorKind::Unsupported) for other triggers.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(not(all(feature = "os-poll", feature = "net")))]
    /// # fn main() {}
    /// # #[cfg(all(feature = "os-poll", feature = "net"))]
    /// # fn main() -> std::io::Result<()> {
    /// use std::io;
    /// use mio::event::Source;
    /// use mio::net::UdpSocket;
    /// use mio::{Interest, Registry, Token, Trigger};
    ///
    /// struct Resolver {
    ///     socket: UdpSocket,
    /// }
    ///
    /// impl Source for Resolver {
    ///     fn register_with(
    ///         &mut self,
    ///         registry: &Registry,
    ///         token: Token,
    ///         interests: Interest,
    ///         trigger: Trigger,
    ///     ) -> io::Result<()> {
    ///         self.socket.register_with(registry, token, interests, trigger)
    ///     }
    /// #   fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
    /// #       self.socket.register(registry, token, interests)
    /// #   }
    /// #   fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
    /// #       self.socket.reregister(registry, token, interests)
    /// #   }
    /// #   fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
    /// #       self.socket.deregister(registry)
    /// #   }
    /// }
    /// # let poll = mio::Poll::new()?;
    /// # let mut resolver = Resolver { socket: UdpSocket::bind("127.0.0.1:0".parse().unwrap())? };
    /// # poll.registry().register_with(&mut resolver, Token(0), Interest::READABLE, Trigger::Level)?;
    /// # Ok(())
    /// # }
    /// ```
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

    /// Does what [`reregister`](Source::reregister) does, with a choice of [`Trigger`].
    ///
    /// # Errors
    ///
    /// Returns the errors that [`register_with`](Source::register_with) lists.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(not(all(feature = "os-poll", feature = "net")))]
    /// # fn main() {}
    /// # #[cfg(all(feature = "os-poll", feature = "net"))]
    /// # fn main() -> std::io::Result<()> {
    /// use std::io;
    /// use mio::event::Source;
    /// use mio::net::UdpSocket;
    /// use mio::{Interest, Registry, Token, Trigger};
    ///
    /// struct Resolver {
    ///     socket: UdpSocket,
    /// }
    ///
    /// impl Source for Resolver {
    ///     fn reregister_with(
    ///         &mut self,
    ///         registry: &Registry,
    ///         token: Token,
    ///         interests: Interest,
    ///         trigger: Trigger,
    ///     ) -> io::Result<()> {
    ///         self.socket.reregister_with(registry, token, interests, trigger)
    ///     }
    /// #   fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
    /// #       self.socket.register(registry, token, interests)
    /// #   }
    /// #   fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
    /// #       self.socket.reregister(registry, token, interests)
    /// #   }
    /// #   fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
    /// #       self.socket.deregister(registry)
    /// #   }
    /// }
    /// # let poll = mio::Poll::new()?;
    /// # let mut resolver = Resolver { socket: UdpSocket::bind("127.0.0.1:0".parse().unwrap())? };
    /// # poll.registry().register(&mut resolver, Token(0), Interest::READABLE)?;
    /// # poll.registry().reregister_with(&mut resolver, Token(0), Interest::READABLE, Trigger::Level)?;
    /// # Ok(())
    /// # }
    /// ```
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
        _ => Err(io::Error::new(io::ErrorKind::Unsupported, "this event source supports only `Trigger::Edge`")),
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

/// The three operations of this crate's own sources. [`impl_source!`] implements [`Source`] with them.
pub(crate) trait Watched {
    /// Starts watching the source.
    fn watch(&mut self, registry: &Registry, watch: Watch) -> io::Result<()>;

    /// Replaces what the queue watches for.
    fn rewatch(&mut self, registry: &Registry, watch: Watch) -> io::Result<()>;

    /// Stops watching the source.
    fn unwatch(&mut self, registry: &Registry) -> io::Result<()>;
}

/// Implements [`Source`] for a type that is [`Watched`], or whose field `$inner` is.
macro_rules! impl_source {
    ($type:ty $(where $parameter:ident: $bound:path)? $(, $inner:ident)?) => {
        const _: () = {
            use std::io;

            use crate::event::{Source, Watched};
            use crate::sys::Watch;
            use crate::{Interest, Registry, Token, Trigger};

            impl$(<$parameter: $bound>)? Source for $type {
                #[inline]
                fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
                    self.register_with(registry, token, interests, Trigger::Edge)
                }

                #[inline]
                fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
                    self.reregister_with(registry, token, interests, Trigger::Edge)
                }

                #[inline]
                fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
                    self$(.$inner)?.unwatch(registry)
                }

                #[inline]
                fn register_with(
                    &mut self,
                    registry: &Registry,
                    token: Token,
                    interest: Interest,
                    trigger: Trigger,
                ) -> io::Result<()> {
                    self$(.$inner)?.watch(registry, Watch { token, interest, trigger })
                }

                #[inline]
                fn reregister_with(
                    &mut self,
                    registry: &Registry,
                    token: Token,
                    interest: Interest,
                    trigger: Trigger,
                ) -> io::Result<()> {
                    self$(.$inner)?.rewatch(registry, Watch { token, interest, trigger })
                }
            }
        };
    };
}

pub(crate) use impl_source;
