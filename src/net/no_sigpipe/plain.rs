//! For systems where a plain write raises no signal.

use std::io::{self, IoSlice, Write};

use super::is_nothing;

pub(crate) fn write(socket: &mut impl Write, buffer: &[u8]) -> io::Result<usize> {
    socket.write(buffer)
}

pub(crate) fn write_vectored(socket: &mut impl Write, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
    if is_nothing(buffers) { Ok(0) } else { socket.write_vectored(buffers) }
}
