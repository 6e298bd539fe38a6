//! The items that only Windows has: any socket as a source, named pipes, and everything else that Windows can wait for.
//!
//! Available with the crate feature `os-ext` on Windows.

mod named_pipe;
mod source_socket;
mod waitable;

pub use self::named_pipe::NamedPipe;
pub use self::source_socket::SourceSocket;
pub use self::waitable::Waitable;
