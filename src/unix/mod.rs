//! The items that only Unix-like systems have: any file descriptor as a source, and pipes.
//!
//! Available with the crate feature `os-ext` on Unix.

pub mod pipe;
mod source_fd;

pub use self::source_fd::SourceFd;
