//! Tokio on every platform: sockets, timers, and wakes from outside, on both of its runtimes.

use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use compat::{assert_bytes, on_both_runtimes, pattern, raise_the_limit_of_open_files};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};
use tokio::sync::{Barrier, mpsc};
use tokio::time;

/// With port 0, the system finds a free one.
const LOCALHOST: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

#[test]
fn tcp_carries_bytes_both_ways_at_once() {
    on_both_runtimes(|| async {
        let listener = TcpListener::bind(LOCALHOST).await.unwrap();
        let address = listener.local_addr().unwrap();
        let theirs = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            exchange(stream, 1, 2).await;
        });
        exchange(TcpStream::connect(address).await.unwrap(), 2, 1).await;
        theirs.await.unwrap();
    });
}

/// Sends one pattern while another arrives, up to the end of both directions.
async fn exchange(mut stream: TcpStream, ours: u64, theirs: u64) {
    const LENGTH: usize = 8 << 20;
    let (mut reader, mut writer) = stream.split();
    let send = async {
        writer.write_all(&pattern(ours, LENGTH)).await.unwrap();
        writer.shutdown().await.unwrap();
    };
    let mut arrived = Vec::new();
    let (_, read) = tokio::join!(send, reader.read_to_end(&mut arrived));
    read.unwrap();
    assert_bytes(&arrived, &pattern(theirs, LENGTH));
}

#[test]
fn tcp_half_closed_by_the_peer_can_still_be_written() {
    on_both_runtimes(|| async {
        let listener = TcpListener::bind(LOCALHOST).await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        client.write_all(b"question").await.unwrap();
        client.shutdown().await.unwrap();
        let mut question = Vec::new();
        server.read_to_end(&mut question).await.unwrap();
        assert_eq!(question, b"question");
        server.write_all(b"answer").await.unwrap();
        drop(server);
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer, b"answer");
    });
}

#[test]
fn tcp_to_a_port_where_nobody_listens_is_refused() {
    on_both_runtimes(|| async {
        // The socket is bound, so no other test gets the port.
        let nobody = TcpSocket::new_v4().unwrap();
        nobody.bind(LOCALHOST.into()).unwrap();
        let address = nobody.local_addr().unwrap();
        assert_eq!(TcpStream::connect(address).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn many_tcp_connections_at_once_echo_every_byte() {
    // Under Wine 8, 400 connections take minutes, with mio 1.2.5 as well.
    const CONNECTIONS: usize = if cfg!(windows) { 100 } else { 1000 };
    const EACH: usize = (100usize << 20).div_ceil(1000);

    raise_the_limit_of_open_files();
    on_both_runtimes(|| async {
        // All of them may wait at once: some systems reset those for which there is no room.
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(LOCALHOST.into()).unwrap();
        let listener = socket.listen(CONNECTIONS as u32).unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let mut echoes = Vec::new();
            for _ in 0..CONNECTIONS {
                let (mut stream, _) = listener.accept().await.unwrap();
                echoes.push(tokio::spawn(async move {
                    let (mut reader, mut writer) = stream.split();
                    tokio::io::copy(&mut reader, &mut writer).await.unwrap()
                }));
            }
            let mut echoed = 0;
            for echo in echoes {
                echoed += echo.await.unwrap();
            }
            echoed
        });

        let all_are_connected = Arc::new(Barrier::new(CONNECTIONS));
        let mut clients = Vec::new();
        for seed in 0..CONNECTIONS as u64 {
            let all_are_connected = all_are_connected.clone();
            clients.push(tokio::spawn(async move {
                let mut stream = TcpStream::connect(address).await.unwrap();
                let sent = pattern(seed, EACH);
                // The echo of the first byte shows that the server has accepted the connection.
                stream.write_all(&sent[..1]).await.unwrap();
                assert_eq!(stream.read_u8().await.unwrap(), sent[0]);
                all_are_connected.wait().await;

                let (mut reader, mut writer) = stream.split();
                let send = async {
                    writer.write_all(&sent[1..]).await.unwrap();
                    writer.shutdown().await.unwrap();
                };
                let mut arrived = Vec::with_capacity(EACH);
                let (_, read) = tokio::join!(send, reader.read_to_end(&mut arrived));
                read.unwrap();
                assert_bytes(&arrived, &sent[1..]);
            }));
        }
        for client in clients {
            client.await.unwrap();
        }
        let echoed = server.await.unwrap();
        assert_eq!(echoed, (CONNECTIONS * EACH) as u64);
        eprintln!("{CONNECTIONS} connections, {echoed} bytes");
    });
}

#[test]
fn udp_carries_datagrams_of_every_length_there_and_back() {
    on_both_runtimes(|| async {
        let server = UdpSocket::bind(LOCALHOST).await.unwrap();
        let address = server.local_addr().unwrap();
        let echo = tokio::spawn(async move {
            let mut buffer = vec![0; 16 << 10];
            loop {
                let (length, from) = server.recv_from(&mut buffer).await.unwrap();
                assert_eq!(server.send_to(&buffer[..length], from).await.unwrap(), length);
            }
        });
        let client = UdpSocket::bind(LOCALHOST).await.unwrap();
        client.connect(address).await.unwrap();
        let mut buffer = vec![0; 16 << 10];
        for length in (0..8000).step_by(11) {
            let sent = pattern(length as u64, length);
            assert_eq!(client.send(&sent).await.unwrap(), length);
            let arrived = client.recv(&mut buffer).await.unwrap();
            assert_bytes(&buffer[..arrived], &sent);
        }
        echo.abort();
    });
}

#[test]
fn timers_fire_and_are_never_early() {
    on_both_runtimes(|| async {
        let start = Instant::now();
        let (fired, mut order) = mpsc::unbounded_channel();
        for milliseconds in [40, 5, 20, 1] {
            let fired = fired.clone();
            tokio::spawn(async move {
                time::sleep(Duration::from_millis(milliseconds)).await;
                assert!(start.elapsed() >= Duration::from_millis(milliseconds));
                fired.send(milliseconds).unwrap();
            });
        }
        drop(fired);
        let mut seen = Vec::new();
        while let Some(milliseconds) = order.recv().await {
            seen.push(milliseconds);
        }
        seen.sort_unstable();
        assert_eq!(seen, [1, 5, 20, 40]);
    });
}

#[test]
fn a_time_out_of_a_read_leaves_the_stream_usable() {
    on_both_runtimes(|| async {
        let listener = TcpListener::bind(LOCALHOST).await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        let mut buffer = [0; 8];
        for round in 0..10_u8 {
            time::timeout(Duration::from_millis(3), client.read(&mut buffer)).await.unwrap_err();
            server.write_all(&[round; 4]).await.unwrap();
            client.read_exact(&mut buffer[..4]).await.unwrap();
            assert_eq!(buffer[..4], [round; 4]);
        }
    });
}

#[test]
fn a_thread_outside_wakes_the_runtime_every_time() {
    const ROUNDS: u32 = if cfg!(windows) { 2_000 } else { 20_000 };

    on_both_runtimes(|| async {
        let (question, mut questions) = mpsc::unbounded_channel();
        let (answer, answers) = std::sync::mpsc::channel();
        let outside = thread::spawn(move || {
            for round in 0..ROUNDS {
                question.send(round).unwrap();
                // The next question comes only after the answer. So each has to end a sleep, or comes just before one.
                assert_eq!(answers.recv().unwrap(), round);
            }
        });
        for round in 0..ROUNDS {
            assert_eq!(questions.recv().await, Some(round));
            answer.send(round).unwrap();
        }
        outside.join().unwrap();
    });
}
