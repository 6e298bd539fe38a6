//! What only Windows has: any socket as a source, and named pipes.
//!
//! Available with the crate feature `os-ext` on Windows.

mod named_pipe;
mod source_socket;

pub use self::named_pipe::NamedPipe;
pub use self::source_socket::SourceSocket;
