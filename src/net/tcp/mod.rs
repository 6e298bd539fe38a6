//! The TCP types: a listener, and the streams that it accepts.

mod listener;
mod stream;

pub use self::listener::TcpListener;
pub use self::stream::TcpStream;
