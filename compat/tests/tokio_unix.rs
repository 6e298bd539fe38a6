//! Tokio on Unix: Unix sockets, pipes, signals, child processes and bare descriptors, on both of its runtimes.

#![cfg(unix)]

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::process::Stdio;

use compat::{assert_bytes, on_both_runtimes, pattern};
use rustix::fs::{CWD, FileType, Mode};
use rustix::process::{Signal, getpid, kill_process};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::unix::pipe;
use tokio::net::{UnixDatagram, UnixListener, UnixStream};
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

/// This is more than the buffers between two ends hold.
const LENGTH: usize = 4 << 20;

/// Sends a pattern into `writer`, closes it, and reads all of it from `reader`.
async fn transfer(mut writer: impl AsyncWrite + Unpin, mut reader: impl AsyncRead + Unpin) {
    let sent = pattern(7, LENGTH);
    let send = async {
        writer.write_all(&sent).await.unwrap();
        writer.shutdown().await.unwrap();
        drop(writer);
    };
    let mut arrived = Vec::new();
    let (_, read) = tokio::join!(send, reader.read_to_end(&mut arrived));
    read.unwrap();
    assert_bytes(&arrived, &sent);
}

#[test]
fn unix_streams_carry_bytes() {
    on_both_runtimes(|| async {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let (connected, accepted) = tokio::join!(UnixStream::connect(&path), listener.accept());
        let (client, (server, _)) = (connected.unwrap(), accepted.unwrap());
        assert_eq!(client.peer_addr().unwrap().as_pathname(), Some(path.as_path()));
        let ((their_reader, their_writer), (our_reader, our_writer)) = (server.into_split(), client.into_split());
        tokio::join!(transfer(our_writer, their_reader), transfer(their_writer, our_reader));
    });
}

#[test]
fn unix_datagrams_arrive_whole() {
    on_both_runtimes(|| async {
        let (ours, theirs) = UnixDatagram::pair().unwrap();
        // These are more than fit into the queue, so the sender has to wait again and again.
        let send = async {
            for length in 1..2000 {
                assert_eq!(ours.send(&pattern(length as u64, length)).await.unwrap(), length);
            }
        };
        let receive = async {
            let mut buffer = vec![0; 4096];
            for length in 1..2000 {
                let arrived = theirs.recv(&mut buffer).await.unwrap();
                assert_bytes(&buffer[..arrived], &pattern(length as u64, length));
            }
        };
        tokio::join!(send, receive);
    });
}

#[test]
fn pipes_carry_bytes_and_tell_that_the_reader_is_gone() {
    on_both_runtimes(|| async {
        let (writer, reader) = pipe::pipe().unwrap();
        transfer(writer, reader).await;

        let (mut writer, reader) = pipe::pipe().unwrap();
        let write = tokio::spawn(async move { writer.write_all(&vec![0; LENGTH]).await });
        drop(reader);
        assert_eq!(write.await.unwrap().unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn named_pipes_carry_bytes() {
    on_both_runtimes(|| async {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        rustix::fs::mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let reader = pipe::OpenOptions::new().open_receiver(&path).unwrap();
        let writer = pipe::OpenOptions::new().open_sender(&path).unwrap();
        transfer(writer, reader).await;
    });
}

#[test]
fn every_signal_arrives() {
    on_both_runtimes(|| async {
        let mut signals = signal(SignalKind::user_defined1()).unwrap();
        for _ in 0..200 {
            kill_process(getpid(), Signal::USR1).unwrap();
            signals.recv().await.unwrap();
        }
    });
}

#[test]
fn a_child_process_reads_and_writes_and_its_end_is_seen() {
    on_both_runtimes(|| async {
        let mut cat = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        transfer(cat.stdin.take().unwrap(), cat.stdout.take().unwrap()).await;
        assert!(cat.wait().await.unwrap().success());

        for code in 0..20 {
            let status = Command::new("sh").arg("-c").arg(format!("exit {code}")).status().await.unwrap();
            assert_eq!(status.code(), Some(code));
        }

        let mut sleeper = Command::new("sleep").arg("1000").spawn().unwrap();
        sleeper.kill().await.unwrap();
        assert_eq!(sleeper.wait().await.unwrap().code(), None);
    });
}

#[test]
#[allow(deprecated, reason = "what replaces `new` is unsafe, for types whose descriptor changes")]
fn a_bare_descriptor_is_watched() {
    on_both_runtimes(|| async {
        let (ours, theirs) = StdUnixStream::pair().unwrap();
        for stream in [&ours, &theirs] {
            stream.set_nonblocking(true).unwrap();
        }
        let (ours, theirs) = (AsyncFd::new(ours).unwrap(), AsyncFd::new(theirs).unwrap());
        let sent = pattern(3, LENGTH);
        let send = async {
            let mut left = &sent[..];
            while !left.is_empty() {
                let mut guard = ours.writable().await.unwrap();
                if let Ok(count) = guard.try_io(|fd| fd.get_ref().write(left)) {
                    left = &left[count.unwrap()..];
                }
            }
        };
        let receive = async {
            let mut arrived = Vec::new();
            let mut buffer = vec![0; 10_000];
            while arrived.len() < LENGTH {
                let mut guard = theirs.readable().await.unwrap();
                if let Ok(count) = guard.try_io(|fd| fd.get_ref().read(&mut buffer)) {
                    arrived.extend_from_slice(&buffer[..count.unwrap()]);
                }
            }
            arrived
        };
        let ((), arrived) = tokio::join!(send, receive);
        assert_bytes(&arrived, &sent);
    });
}
