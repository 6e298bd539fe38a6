//! An echo server on actix-server, which accepts in a `Poll` of its own and serves on Tokio.

#![cfg(unix)]

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;

use actix_server::Server;
use actix_service::fn_service;
use compat::{PATIENCE, assert_bytes, pattern};

#[test]
fn every_client_gets_back_what_it_sent() {
    const CLIENTS: u64 = 200;
    const LENGTH: usize = 100_000;

    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let (started, handle) = mpsc::channel();
    let server = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let echo = |mut stream: tokio::net::TcpStream| async move {
                let (mut reader, mut writer) = stream.split();
                tokio::io::copy(&mut reader, &mut writer).await
            };
            let server =
                Server::build().workers(2).disable_signals().listen("echo", listener, move || fn_service(echo));
            let server = server.unwrap().run();
            started.send(server.handle()).unwrap();
            server.await.unwrap();
        });
    });
    let handle = handle.recv_timeout(PATIENCE).unwrap();

    thread::scope(|scope| {
        for seed in 0..CLIENTS {
            scope.spawn(move || {
                let stream = TcpStream::connect(address).unwrap();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                let sent = pattern(seed, LENGTH);
                let arrived = thread::scope(|scope| {
                    scope.spawn(|| {
                        (&stream).write_all(&sent).unwrap();
                        stream.shutdown(Shutdown::Write).unwrap();
                    });
                    let mut arrived = Vec::new();
                    (&stream).read_to_end(&mut arrived).map(|_| arrived)
                });
                assert_bytes(&arrived.unwrap(), &sent);
            });
        }
    });

    // The server wakes its accepting thread to tell it.
    drop(handle.stop(true));
    server.join().unwrap();
    assert_eq!(TcpStream::connect(address).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
}
