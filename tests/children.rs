//! The part of the conformance suite that starts processes. A child has copies of all descriptors until it is another program,
//! a fork for as long as it lives; so a socket that a test beside it closes would stay open.

#![cfg(all(feature = "os-ext", feature = "net"))]

mod queue;
#[allow(dead_code, reason = "most of it is for the other part")]
mod util;

mod children {
    #[cfg(any(
        windows,
        target_os = "linux",
        all(
            not(any(mio_backend = "poll", mio_unsupported_force_poll_poll)),
            any(
                target_os = "dragonfly",
                target_os = "freebsd",
                target_os = "netbsd",
                target_os = "openbsd",
                target_vendor = "apple"
            )
        )
    ))]
    mod child_exit;
    #[cfg(unix)]
    mod fds;
    #[cfg(unix)]
    mod sigpipe;
    #[cfg(unix)]
    mod streams;
}
