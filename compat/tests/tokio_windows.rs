//! Tokio on Windows: named pipes, on both of its runtimes.

#![cfg(windows)]

use std::io::ErrorKind;
use std::time::Duration;

use compat::{assert_bytes, on_both_runtimes, pattern};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::windows::named_pipe::{ClientOptions, NamedPipeClient, NamedPipeServer, PipeMode, ServerOptions};
use tokio::time;

/// Returns the name of a pipe. Each test has its own.
fn name(test: &str) -> String {
    format!(r"\\.\pipe\mio-compat-{test}-{}", std::process::id())
}

#[test]
fn named_pipes_echo_a_megabyte_for_one_client_after_another() {
    const LENGTH: usize = 1 << 20;

    on_both_runtimes(|| async {
        let name = name("echo");
        let mut server = ServerOptions::new().first_pipe_instance(true).create(&name).unwrap();
        for seed in 0..5 {
            let echo = tokio::spawn(echo_until_the_end(server));
            let client = open(&name).await;
            let (mut reader, mut writer) = tokio::io::split(client);
            let sent = pattern(seed, LENGTH);
            let mut arrived = vec![0; LENGTH];
            let (wrote, read) = tokio::join!(writer.write_all(&sent), reader.read_exact(&mut arrived));
            wrote.unwrap();
            read.unwrap();
            assert_bytes(&arrived, &sent);
            drop((reader, writer));
            server = echo.await.unwrap();
            server.disconnect().unwrap();
        }
    });
}

/// Opens the pipe as soon as its server waits for a client.
async fn open(name: &str) -> NamedPipeClient {
    const ERROR_PIPE_BUSY: i32 = 231;

    loop {
        match ClientOptions::new().open(name) {
            Ok(client) => return client,
            Err(error) if error.raw_os_error() == Some(ERROR_PIPE_BUSY) => time::sleep(Duration::from_millis(1)).await,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Waits for a client, and echoes what it sends until it is gone.
async fn echo_until_the_end(mut pipe: NamedPipeServer) -> NamedPipeServer {
    pipe.connect().await.unwrap();
    let mut buffer = vec![0; 10_000];
    loop {
        match pipe.read(&mut buffer).await {
            Ok(0) => return pipe,
            Ok(count) => pipe.write_all(&buffer[..count]).await.unwrap(),
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return pipe,
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn messages_keep_their_bounds() {
    on_both_runtimes(|| async {
        let name = name("messages");
        let mut server = ServerOptions::new().pipe_mode(PipeMode::Message).create(&name).unwrap();
        let mut client = ClientOptions::new().pipe_mode(PipeMode::Message).open(&name).unwrap();
        server.connect().await.unwrap();
        let mut buffer = vec![0; 4096];
        for length in (1..4000).step_by(97) {
            let sent = pattern(length as u64, length);
            server.write_all(&sent).await.unwrap();
            let arrived = client.read(&mut buffer).await.unwrap();
            assert_bytes(&buffer[..arrived], &sent);
        }
    });
}
