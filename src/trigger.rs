//! When a registration fires again.

/// When a registration fires again after it fired; [`Edge`](Trigger::Edge) unless asked otherwise.
///
/// Given to [`Registry::register_with`](crate::Registry::register_with) and
/// [`Registry::reregister_with`](crate::Registry::reregister_with). The chapter "Edge, level, one-shot" of the
/// [`guide`](crate::guide) says which to choose.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Trigger {
    /// Fires when readiness *arrives*. After an event, do I/O until it says `WouldBlock`; only then is the next event
    /// certain.
    #[default]
    Edge,

    /// Fires at every poll for as long as the source *is* ready.
    Level,

    /// Fires once, whatever became ready, and then not before the source is registered again with
    /// [`Registry::reregister`](crate::Registry::reregister) or
    /// [`Registry::reregister_with`](crate::Registry::reregister_with).
    OneShot,

    /// As [`Edge`](Trigger::Edge), and of all queues that watch the same source this way, the operating system wakes
    /// one or a few, not all (`EPOLLEXCLUSIVE`).
    ///
    /// For a listener that several threads accept from, each with a [`Poll`](crate::Poll) of its own. Such a
    /// registration asks for readable, writable or both, and cannot be changed: `reregister` of it or to it gives
    /// `EINVAL`, [`InvalidInput`](std::io::ErrorKind::InvalidInput); deregister and register again instead. It is not told of
    /// a half-closed peer (`EPOLLRDHUP`) other than by reading.
    #[cfg(all(
        any(target_os = "android", target_os = "linux"),
        not(any(mio_backend = "poll", mio_unsupported_force_poll_poll))
    ))]
    Exclusive,
}
