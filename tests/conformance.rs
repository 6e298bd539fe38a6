//! The conformance suite, with one module for each subject. It runs on every backend; see `conformance/README.md`.

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

    /// This runs with the queues that are a file descriptor.
    #[cfg(all(target_os = "linux", not(any(mio_backend = "poll", mio_unsupported_force_poll_poll))))]
    mod embed;

    /// This runs on Linux alone, because POSIX says that a refused socket is of no further use, and systems with kqueue act on
    /// that.
    #[cfg(all(target_os = "linux", not(mio_backend = "kqueue")))]
    mod hang_ups;

    /// This reads the source files, which are only where the suite was built.
    #[cfg(target_os = "linux")]
    mod table;
}
