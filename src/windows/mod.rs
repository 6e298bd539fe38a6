//! What only Windows has: any socket as a source, and named pipes.

mod source_socket;

pub use self::source_socket::SourceSocket;
