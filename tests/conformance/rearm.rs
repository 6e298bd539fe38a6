//! After each kind of I/O that returns `WouldBlock`, what it waits for produces an event: where the queue itself is
//! edge-triggered, and where that is emulated.

use std::fmt::Debug;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};

use mio::event::{Event, Source};
use mio::net::TcpStream;
use mio::{Interest, Poll, Token};
use socket2::SockRef;

use crate::util::{
    assert_no_event, assert_would_block, drain_exactly, fill, next_event, tcp_listener, tcp_pair, udp_pair, wait_for,
    wait_until,
};

const TOKEN: Token = Token(0);
const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// Does three rounds: `read` returns `WouldBlock`, something arrives, an event reports it, and `read` returns it. If
/// `interests` includes writable, the `WouldBlock` of a read must not cause a writable event.
fn reads<S: Source, T: Debug>(
    mut source: S,
    interests: Interest,
    mut read: impl FnMut(&mut S) -> io::Result<T>,
    mut arrive: impl FnMut(),
) {
    let mut poll = Poll::new().unwrap();
    poll.registry().register(&mut source, TOKEN, interests).unwrap();
    if interests.is_writable() {
        assert!(next_event(&mut poll).is_writable());
    }
    for _ in 0..3 {
        assert_would_block(read(&mut source));
        assert_no_event(&mut poll);
        arrive();
        wait_for(&mut poll, TOKEN, Event::is_readable);
        let mut result = read(&mut source);
        // The event of a connection may come before `accept` finds the connection.
        wait_until("the read succeeds", || {
            if result.as_ref().is_err_and(|error| error.kind() == ErrorKind::WouldBlock) {
                result = read(&mut source);
            }
            result.is_ok()
        });
    }
}

/// Does three rounds: `write` goes on until `WouldBlock`, the peer makes room, and an event reports that.
fn writes<S: Source>(
    mut source: S,
    mut write: impl FnMut(&mut S) -> io::Result<usize>,
    mut make_room: impl FnMut(usize),
) {
    let mut poll = Poll::new().unwrap();
    poll.registry().register(&mut source, TOKEN, BOTH).unwrap();
    for _ in 0..3 {
        let mut written = 0;
        let error = loop {
            match write(&mut source) {
                Ok(count) => written += count,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        make_room(written);
        wait_for(&mut poll, TOKEN, Event::is_writable);
        written = write(&mut source).unwrap();
        make_room(written);
    }
}

mod tcp {
    use super::*;

    #[test]
    fn accept() {
        let (listener, address) = tcp_listener();
        let mut clients = Vec::new();
        reads(
            listener,
            Interest::READABLE,
            |listener| listener.accept(),
            || clients.push(std::net::TcpStream::connect(address).unwrap()),
        );
    }

    fn stream_reads(read: impl FnMut(&mut TcpStream) -> io::Result<usize>) {
        let (ours, mut theirs) = tcp_pair();
        reads(ours, BOTH, read, || theirs.write_all(b"x").unwrap());
    }

    #[test]
    fn read() {
        stream_reads(|stream| stream.read(&mut [0; 8]));
    }

    #[test]
    fn read_by_reference() {
        stream_reads(|stream| (&*stream).read(&mut [0; 8]));
    }

    #[test]
    fn read_vectored() {
        stream_reads(|stream| stream.read_vectored(&mut [IoSliceMut::new(&mut [0; 8])]));
    }

    #[test]
    fn peek() {
        stream_reads(|stream| {
            let peeked = stream.peek(&mut [0; 8])?;
            // Data that is only peeked at would still be there in the next round.
            assert_eq!(SockRef::from(&*stream).recv(&mut [std::mem::MaybeUninit::uninit(); 8]).unwrap(), peeked);
            Ok(peeked)
        });
    }

    #[test]
    fn try_io_for_reading() {
        stream_reads(|stream| {
            stream.try_io_for(Interest::READABLE, || {
                SockRef::from(&*stream).recv(&mut [std::mem::MaybeUninit::uninit(); 8])
            })
        });
    }

    #[test]
    fn try_io() {
        let mut poll = Poll::new().unwrap();
        let (mut ours, mut theirs) = tcp_pair();
        poll.registry().register(&mut ours, TOKEN, Interest::READABLE).unwrap();
        let receive = |stream: &TcpStream| {
            stream.try_io(|| SockRef::from(stream).recv(&mut [std::mem::MaybeUninit::uninit(); 8]))
        };
        for _ in 0..3 {
            assert_would_block(receive(&ours));
            theirs.write_all(b"x").unwrap();
            wait_for(&mut poll, TOKEN, Event::is_readable);
            assert_eq!(receive(&ours).unwrap(), 1);
        }
        // Any other error, and any value, passes through.
        let error = ours.try_io(|| Err::<(), _>(io::Error::other("mine"))).unwrap_err();
        assert_eq!(error.to_string(), "mine");
        assert_eq!(ours.try_io(|| Ok("value")).unwrap(), "value");
    }

    fn stream_writes(write: impl FnMut(&mut TcpStream) -> io::Result<usize>) {
        let (ours, mut theirs) = tcp_pair();
        writes(ours, write, |count| drain_exactly(&mut theirs, count));
    }

    #[test]
    fn write() {
        stream_writes(|stream| stream.write(&[1; 64 * 1024]));
    }

    #[test]
    fn write_vectored() {
        stream_writes(|stream| stream.write_vectored(&[IoSlice::new(&[1; 64 * 1024])]));
    }

    #[test]
    fn try_io_for_writing() {
        stream_writes(|stream| stream.try_io_for(Interest::WRITABLE, || SockRef::from(&*stream).send(&[1; 64 * 1024])));
    }

    /// Conversely, a write that blocks says nothing about reading.
    #[test]
    fn a_blocked_write_brings_no_readable_event() {
        let mut poll = Poll::new().unwrap();
        let (mut ours, mut theirs) = tcp_pair();
        theirs.write_all(b"unread").unwrap();
        wait_until("it arrives", || ours.peek(&mut [0; 8]).is_ok());
        poll.registry().register(&mut ours, TOKEN, BOTH).unwrap();
        wait_for(&mut poll, TOKEN, Event::is_readable);
        let written = fill(&mut ours);
        assert_no_event(&mut poll);
        drain_exactly(&mut theirs, written);
        assert!(next_event(&mut poll).is_writable());
    }
}

mod udp {
    use mio::net::UdpSocket;

    use super::*;

    fn socket_reads(read: impl FnMut(&mut UdpSocket) -> io::Result<usize>) {
        let (ours, theirs) = udp_pair();
        reads(ours, BOTH, read, || {
            theirs.send(b"x").unwrap();
        });
    }

    #[test]
    fn recv() {
        socket_reads(|socket| socket.recv(&mut [0; 8]));
    }

    #[test]
    fn recv_from() {
        socket_reads(|socket| Ok(socket.recv_from(&mut [0; 8])?.0));
    }

    #[test]
    fn peek() {
        socket_reads(|socket| {
            socket.peek(&mut [0; 8])?;
            SockRef::from(&*socket).recv(&mut [std::mem::MaybeUninit::uninit(); 8])
        });
    }

    #[test]
    fn peek_from() {
        socket_reads(|socket| {
            socket.peek_from(&mut [0; 8])?;
            SockRef::from(&*socket).recv(&mut [std::mem::MaybeUninit::uninit(); 8])
        });
    }

    #[test]
    fn try_io_for_reading() {
        socket_reads(|socket| {
            socket.try_io_for(Interest::READABLE, || {
                SockRef::from(&*socket).recv(&mut [std::mem::MaybeUninit::uninit(); 8])
            })
        });
    }

    #[test]
    fn try_io() {
        let mut poll = Poll::new().unwrap();
        let (mut ours, theirs) = udp_pair();
        poll.registry().register(&mut ours, TOKEN, Interest::READABLE).unwrap();
        for _ in 0..3 {
            let receive = || ours.try_io(|| SockRef::from(&ours).recv(&mut [std::mem::MaybeUninit::uninit(); 8]));
            assert_would_block(receive());
            theirs.send(b"x").unwrap();
            wait_for(&mut poll, TOKEN, Event::is_readable);
            assert_eq!(receive().unwrap(), 1);
        }
    }
}

#[cfg(unix)]
mod unix {
    use mio::net::{UnixDatagram, UnixListener, UnixStream};
    use mio::unix::pipe;

    use super::*;

    #[test]
    fn accept() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let mut clients = Vec::new();
        reads(
            listener,
            Interest::READABLE,
            |listener| listener.accept(),
            || clients.push(std::os::unix::net::UnixStream::connect(&path).unwrap()),
        );
    }

    fn stream_reads(read: impl FnMut(&mut UnixStream) -> io::Result<usize>) {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        reads(ours, BOTH, read, || theirs.write_all(b"x").unwrap());
    }

    #[test]
    fn stream_read() {
        stream_reads(|stream| stream.read(&mut [0; 8]));
    }

    #[test]
    fn stream_read_by_reference() {
        stream_reads(|stream| (&*stream).read(&mut [0; 8]));
    }

    #[test]
    fn stream_read_vectored() {
        stream_reads(|stream| stream.read_vectored(&mut [IoSliceMut::new(&mut [0; 8])]));
    }

    #[test]
    fn stream_try_io() {
        stream_reads(|stream| {
            stream.try_io_for(Interest::READABLE, || {
                SockRef::from(&*stream).recv(&mut [std::mem::MaybeUninit::uninit(); 8])
            })
        });
    }

    #[test]
    fn stream_write() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        writes(ours, |stream| stream.write(&[1; 8 * 1024]), |count| drain_exactly(&mut theirs, count));
    }

    #[test]
    fn stream_write_vectored() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let write = |stream: &mut UnixStream| stream.write_vectored(&[IoSlice::new(&[1; 8 * 1024])]);
        writes(ours, write, |count| drain_exactly(&mut theirs, count));
    }

    fn datagram_reads(read: impl FnMut(&mut UnixDatagram) -> io::Result<usize>) {
        let (ours, theirs) = UnixDatagram::pair().unwrap();
        reads(ours, BOTH, read, || {
            theirs.send(b"x").unwrap();
        });
    }

    #[test]
    fn datagram_recv() {
        datagram_reads(|socket| socket.recv(&mut [0; 8]));
    }

    #[test]
    fn datagram_recv_from() {
        datagram_reads(|socket| Ok(socket.recv_from(&mut [0; 8])?.0));
    }

    #[test]
    fn datagram_try_io() {
        datagram_reads(|socket| {
            socket.try_io_for(Interest::READABLE, || {
                SockRef::from(&*socket).recv(&mut [std::mem::MaybeUninit::uninit(); 8])
            })
        });
    }

    #[test]
    fn datagram_send() {
        let (ours, theirs) = UnixDatagram::pair().unwrap();
        writes(ours, |socket| socket.send(b"x"), |_| while theirs.recv(&mut [0; 8]).is_ok() {});
    }

    #[test]
    fn pipe_read() {
        let (mut sender, receiver) = pipe::new().unwrap();
        reads(receiver, Interest::READABLE, |pipe| pipe.read(&mut [0; 8]), || sender.write_all(b"x").unwrap());
    }

    #[test]
    fn pipe_read_vectored() {
        let (mut sender, receiver) = pipe::new().unwrap();
        let read = |pipe: &mut pipe::Receiver| pipe.read_vectored(&mut [IoSliceMut::new(&mut [0; 8])]);
        reads(receiver, Interest::READABLE, read, || sender.write_all(b"x").unwrap());
    }

    #[test]
    fn pipe_try_io() {
        let (mut sender, receiver) = pipe::new().unwrap();
        let file = std::fs::File::from(std::os::fd::AsFd::as_fd(&receiver).try_clone_to_owned().unwrap());
        let read = |pipe: &mut pipe::Receiver| pipe.try_io(|| (&file).read(&mut [0; 8]));
        reads(receiver, Interest::READABLE, read, || sender.write_all(b"x").unwrap());
    }

    #[test]
    fn pipe_write() {
        let mut poll = Poll::new().unwrap();
        let (mut sender, mut receiver) = pipe::new().unwrap();
        poll.registry().register(&mut sender, TOKEN, Interest::WRITABLE).unwrap();
        assert!(next_event(&mut poll).is_writable());
        for _ in 0..3 {
            let written = fill(&mut sender);
            assert_no_event(&mut poll);
            drain_exactly(&mut receiver, written);
            wait_for(&mut poll, TOKEN, Event::is_writable);
        }
    }
}
