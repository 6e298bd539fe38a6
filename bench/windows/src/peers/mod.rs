//! The peers, and what the programs need from them.

#![allow(clippy::duplicate_mod)] // mio.rs is for two crates

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

pub mod ours;
pub mod polling;
pub mod released;

/// An event queue with its sockets. After an event, the programs do I/O until `WouldBlock`, and then say so.
pub trait Queue: Sized {
    type Listener;
    type Stream: Read + Write;
    type Udp;

    fn new() -> io::Result<Self>;
    fn poll(&mut self, timeout: Option<Duration>) -> io::Result<()>;
    fn tokens(&self) -> Vec<usize>;
    fn wake(&self) -> io::Result<()>;

    fn listen(&self, address: SocketAddr, token: usize) -> io::Result<(Self::Listener, SocketAddr)>;
    fn accept(&self, listener: &Self::Listener, token: usize) -> io::Result<Self::Stream>;
    fn connect(&self, address: SocketAddr) -> io::Result<Self::Stream>;
    fn register(&self, stream: &mut Self::Stream, token: usize, write: bool) -> io::Result<()>;
    fn reregister(&self, stream: &mut Self::Stream, token: usize, write: bool) -> io::Result<()>;
    fn close(&self, stream: Self::Stream) -> io::Result<()>;
    fn deregister(&self, stream: &mut Self::Stream) -> io::Result<()>;
    fn reset_on_close(&self, stream: &Self::Stream) -> io::Result<()>;

    fn udp(&self, token: usize) -> io::Result<(Self::Udp, SocketAddr)>;
    fn send_to(&self, socket: &Self::Udp, bytes: &[u8], to: SocketAddr) -> io::Result<usize>;
    fn recv_from(&self, socket: &Self::Udp, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)>;

    /// Registers a stream again, for queues whose registrations end with an event.
    fn rearm_stream(&self, _stream: &Self::Stream, _token: usize) -> io::Result<()> {
        Ok(())
    }
    fn rearm_udp(&self, _socket: &Self::Udp, _token: usize) -> io::Result<()> {
        Ok(())
    }
}

/// Two ends of a pipe on a queue, for the peers that have pipes.
pub trait Pipes: Queue {
    type Pipe: Read + Write;

    fn pipe(&self, name: &str, tokens: [usize; 2]) -> io::Result<[Self::Pipe; 2]>;
}
