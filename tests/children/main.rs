//! The part of the conformance suite that starts processes. A child holds copies of all descriptors until it becomes another
//! program, and a fork holds them for as long as it lives. So a socket that another test closes meanwhile would stay open.

#![cfg(all(feature = "os-ext", feature = "net"))]

#[path = "../conformance/util.rs"]
#[allow(dead_code, reason = "the other part uses most of it")]
mod util;

#[path = "../queue/mod.rs"]
mod queue;

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
