//! mio 1.3 under the version number that programs and libraries for mio 0.8 ask for. It has the same items, so one program can
//! use both. README.md explains in "Switching from mio" how to use it.

pub use mio_1::*;
