//! [`Trigger`]: when a registration fires again.

/// Says when a registration that has fired fires again. The default is [`Edge`](Trigger::Edge).
///
/// You pass it to [`Registry::register_with`](crate::Registry::register_with) and
/// [`Registry::reregister_with`](crate::Registry::reregister_with). The chapter "Edge, level, one-shot" of the
/// [`guide`](crate::guide) says which to choose.
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
/// for _ in 0..3 {
///     poll.poll(&mut events, Some(Duration::ZERO))?;
///     assert!(!events.is_empty()); // there is an event at every poll, because the socket is still writable
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Trigger {
    /// Fires when readiness *arrives*. After an event, do I/O until that returns `WouldBlock`; only then is the next
    /// event certain.
    #[default]
    Edge,

    /// Fires at every poll for as long as the source *is* ready.
    Level,

    /// Fires once, whatever became ready, and is then silent until you register the source again with
    /// [`Registry::reregister`](crate::Registry::reregister) or
    /// [`Registry::reregister_with`](crate::Registry::reregister_with).
    OneShot,

    /// Fires like [`Edge`](Trigger::Edge), but if several queues watch the same source in this way, the operating system
    /// wakes one or a few of them, not all (`EPOLLEXCLUSIVE`).
    ///
    /// Available on Android and Linux, except with the `poll(2)` backend.
    ///
    /// Use it for a listener that several threads accept from, each with a [`Poll`](crate::Poll) of its own. Such a
    /// registration can ask for readable, writable or both, and you cannot change it: `reregister` from or to this trigger
    /// fails with `EINVAL`, [`InvalidInput`](std::io::ErrorKind::InvalidInput). Deregister it and register again instead. It
    /// does not report a half-closed peer (`EPOLLRDHUP`), which you find only by reading.
    #[cfg_attr(docsrs, doc(cfg(any(target_os = "android", target_os = "linux"))))]
    #[cfg(all(
        any(target_os = "android", target_os = "linux"),
        not(any(mio_backend = "poll", mio_unsupported_force_poll_poll))
    ))]
    Exclusive,
}
