//! A signal that kills the process that receives it.

#![allow(unsafe_code)]

use std::io::{self, IoSlice, Write};

use mio::net::{TcpStream, UnixStream};

use crate::util::{tcp_listener, tcp_pair, wait_until};

/// Rust programs start with `SIGPIPE` ignored, but other programs can use a library too, and there the signal is deadly.
#[test]
fn writing_to_a_socket_whose_peer_is_gone_raises_no_sigpipe() {
    fn write_after_close(mut ours: impl Write, theirs: impl Sized) {
        drop(theirs);
        // The first write may still go out, and then a reset answers it. As long as a fork of another test holds a copy of the
        // other end, the only error says that the socket is full.
        let fails = |result: io::Result<usize>| result.is_err_and(|error| error.kind() != io::ErrorKind::WouldBlock);
        wait_until("an error of a write", || fails(ours.write(b"data")));
        wait_until("an error of a vectored write", || {
            fails(ours.write_vectored(&[IoSlice::new(b"da"), IoSlice::new(b"ta")]))
        });
    }

    let (tcp, unix) = (tcp_pair(), UnixStream::pair().unwrap());
    let (listener, address) = tcp_listener();
    let connected = TcpStream::connect(address).unwrap();
    let mut accepted = None;
    wait_until("accepted", || {
        accepted = listener.accept().ok();
        accepted.is_some()
    });
    // SAFETY: the child only writes, and exits.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: the default action always exists.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
        write_after_close(tcp.0, tcp.1);
        write_after_close(unix.0, unix.1);
        write_after_close(connected, accepted);
        // SAFETY: the call ends the process.
        unsafe { libc::_exit(0) };
    }
    // The child's copies of the other ends must be the last ones.
    drop((tcp, unix, connected, accepted));
    let mut status = 0;
    // SAFETY: the kernel writes the status.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    assert_eq!(status, 0, "the child was killed by signal {}", libc::WTERMSIG(status));
}
