//! mio 1.3 by the version number that programs and libraries written for mio 0.8 ask for: the same items, so that one tree
//! may have both. README.md, "Switching from mio", says how to use it.

pub use mio_1::*;
