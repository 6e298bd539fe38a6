//! The decisions about the queues that Linux does not have. They work on plain data and make no system calls, so their tests
//! and the fuzzer run on every Unix-like system.

pub(crate) mod afd;
#[cfg(unix)]
pub(crate) mod event_ports;
#[cfg(unix)]
pub(crate) mod kqueue;
