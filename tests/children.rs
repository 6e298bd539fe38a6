//! The part of the conformance suite that starts processes. A child holds copies of all descriptors until it runs another
//! program, and a fork holds them as long as it lives. So a socket that another test closes at the same time would stay open.

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
