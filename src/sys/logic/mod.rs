//! What is decided about the queues that Linux does not have, apart from their system calls and on plain data: so its tests, and
//! the fuzzer, run on every Unix-like system.

pub(crate) mod afd;
#[cfg(unix)]
pub(crate) mod event_ports;
#[cfg(unix)]
pub(crate) mod kqueue;
