//! The conformance suite: one module a promise of the crate. It runs on every backend; see `conformance/README.md`.

#![cfg(all(feature = "os-ext", feature = "net"))]

mod queue;
mod util;

mod conformance {
    mod conditions;
    mod debug;
    mod drop;
    mod edge;
    mod events;
    mod io_source;
    mod misuse;
    mod poll;
    mod rearm;
    mod sizes;
    mod tcp;
    mod threads;
    mod trigger;
    mod udp;
    mod waker;

    #[cfg(unix)]
    mod addresses;
    #[cfg(unix)]
    mod pipe;
    #[cfg(unix)]
    mod signals;
    #[cfg(unix)]
    mod source_fd;
    #[cfg(unix)]
    mod unix_sockets;

    /// With the queues that are a file descriptor.
    #[cfg(all(target_os = "linux", not(any(mio_backend = "poll", mio_unsupported_force_poll_poll))))]
    mod embed;

    /// POSIX says that a socket that was refused is of no more use, and systems with kqueue keep to that.
    #[cfg(all(target_os = "linux", not(mio_backend = "kqueue")))]
    mod hang_ups;

    /// Looks at the sources, which are here only where the suite was built.
    #[cfg(target_os = "linux")]
    mod table;
}
