//! Non-blocking sockets.
