//! An HTTP server on axum, and so on hyper and Tokio, under the load generator `wrk`.

#![cfg(unix)]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use axum::Router;
use axum::body::Bytes;
use axum::routing::{get, post};
use compat::{PATIENCE, assert_bytes, pattern};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

const PAGE: &str = "the quick brown fox jumps over the lazy dog\n";

/// Serves the page at `/` and an echo at `/echo` while `client` runs. Returns how often it served the page.
fn serve_during(client: impl FnOnce(SocketAddr)) -> u64 {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let given = Arc::new(AtomicU64::new(0));
    let count = given.clone();
    let page = move || {
        count.fetch_add(1, Ordering::Relaxed);
        async { PAGE }
    };
    let routes = Router::new().route("/", get(page)).route("/echo", post(|body: Bytes| async { body }));
    let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = axum::serve(listener, routes).with_graceful_shutdown(async { drop(stopped.await) });
    let server = thread::spawn(move || runtime.block_on(server.into_future()).unwrap());
    client(address);
    drop(stop);
    server.join().unwrap();
    given.load(Ordering::Relaxed)
}

#[test]
fn a_request_and_its_answer_are_whole() {
    serve_during(|address| {
        // The server refuses more than the limit of two megabytes.
        let body = pattern(5, 1 << 20);
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = format!(
            "POST /echo HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&body).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end_of_head = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap() + 4;
        let head = str::from_utf8(&answer[..end_of_head]).unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{head}");
        assert_bytes(&answer[end_of_head..], &body);
    });
}

#[test]
fn under_load_every_answer_is_right() {
    let mut answers = 0;
    let given = serve_during(|address| {
        // The script compares the body of every answer.
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wrk.lua");
        let wrk = Command::new("wrk")
            .args(["--threads", "2", "--connections", "128", "--duration", "5s", "--script"])
            .args([script.as_os_str(), format!("http://{address}/").as_ref(), "--".as_ref(), PAGE.as_ref()])
            .output()
            .expect("wrk is not installed");
        let report = String::from_utf8(wrk.stdout).unwrap();
        eprintln!("{report}");
        assert!(wrk.status.success());
        let verdict = report.lines().last().unwrap();
        let (count, errors) = verdict.split_once(" answers, ").unwrap();
        assert_eq!(errors, "0 wrong, 0 refused, 0 connect, 0 read, 0 write, 0 timeout");
        answers = count.parse().unwrap();
    });
    assert!(answers > 0);
    // When the time is up, wrk hangs up on answers that are on their way.
    assert!(given >= answers, "{answers} answers to {given} requests");
}
