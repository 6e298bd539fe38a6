//! Each example does for a person what its first lines say.

#![cfg(all(feature = "os-ext", feature = "net"))]
#![allow(unsafe_code)] // for `kill(2)`

use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

/// A hang becomes a failure after this long.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running example, ended with the test.
struct Example {
    process: Child,
    stdout: BufReader<ChildStdout>,
}

impl Example {
    fn start(name: &str, arguments: &[&str]) -> Example {
        // Cargo builds examples beside the folder that test programs are in.
        let program = env::current_exe().unwrap().parent().unwrap().join("../examples").join(name);
        let mut process = Command::new(program.with_extension(env::consts::EXE_EXTENSION))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run {}: {error}", program.display()));
        let stdout = BufReader::new(process.stdout.take().unwrap());
        Example { process, stdout }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// The address that a server says it listens on.
    fn address(&mut self) -> SocketAddr {
        self.line().strip_prefix("listening on ").unwrap().parse().unwrap()
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn connect(address: SocketAddr) -> BufReader<TcpStream> {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    BufReader::new(stream)
}

fn read_line(stream: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    stream.read_line(&mut line).unwrap();
    line
}

#[test]
fn quickstart_ends_by_itself() {
    let mut example = Example::start("quickstart", &[]);
    assert!(example.process.wait().unwrap().success());
}

#[test]
fn tcp_server_echoes_more_than_the_buffers_hold() {
    let mut example = Example::start("tcp_server", &["127.0.0.1:0"]);
    let stream = TcpStream::connect(example.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();

    // Nothing is read until all is written: the server has to keep what does not fit on its way back, and stop reading.
    let sent: Vec<u8> = (0..8_000_000_u32).map(|number| (number % 251) as u8).collect();
    let writer = std::thread::spawn({
        let (mut stream, sent) = (stream.try_clone().unwrap(), sent.clone());
        move || {
            stream.write_all(&sent).unwrap();
            stream.shutdown(std::net::Shutdown::Write).unwrap();
        }
    });
    let mut echoed = Vec::new();
    (&stream).read_to_end(&mut echoed).unwrap();
    writer.join().unwrap();
    assert!(echoed == sent, "{} of {} bytes came back, or others", echoed.len(), sent.len());
}

#[test]
fn tcp_server_outlives_a_client_that_resets_its_connection() {
    let mut example = Example::start("tcp_server", &["127.0.0.1:0"]);
    let address = example.address();

    let rude = socket2::Socket::from(TcpStream::connect(address).unwrap());
    rude.set_linger(Some(Duration::ZERO)).unwrap();
    (&rude).write_all(b"and away").unwrap();
    drop(rude);

    let mut polite = connect(address);
    polite.get_mut().write_all(b"hello\n").unwrap();
    assert_eq!(read_line(&mut polite), "hello\n");
}

#[test]
#[cfg(unix)]
fn tcp_server_closes_its_connections_on_an_interrupt() {
    let mut example = Example::start("tcp_server", &["127.0.0.1:0"]);
    let mut client = connect(example.address());
    client.get_mut().write_all(b"hello\n").unwrap();
    assert_eq!(read_line(&mut client), "hello\n");

    let process = libc::pid_t::try_from(example.process.id()).unwrap();
    // SAFETY: takes no pointer; the process is our child, and was not waited for.
    assert_eq!(unsafe { libc::kill(process, libc::SIGINT) }, 0);

    assert_eq!(read_line(&mut client), "", "the connection is closed");
    assert_eq!(example.line(), "closing 1 connections");
    assert!(example.process.wait().unwrap().success());
}

#[test]
fn tcp_clients_get_every_line_back_from_tcp_server() {
    let mut server = Example::start("tcp_server", &["127.0.0.1:0"]);
    let address = server.address().to_string();
    let mut clients = Example::start("tcp_clients", &[&address, "500", "10"]);
    assert!(clients.line().starts_with("500 clients connected, each had 10 lines echoed"));
    drop(clients.process.stdin.take());
    assert!(clients.process.wait().unwrap().success());
}

#[test]
fn udp_server_sends_each_datagram_back() {
    let mut example = Example::start("udp_server", &["127.0.0.1:0"]);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.connect(example.address()).unwrap();
    for text in ["one", "", "three"] {
        socket.send(text.as_bytes()).unwrap();
        let mut buffer = [0; 16];
        let length = socket.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], text.as_bytes());
    }
}

#[test]
#[cfg(unix)]
fn unix_pipe_child_copies_both_outputs_and_the_exit_code() {
    let script = "echo one; echo two >&2; exit 7";
    let mut example = Example::start("unix_pipe_child", &["sh", "-c", script]);
    let mut output = String::new();
    example.stdout.read_to_string(&mut output).unwrap();
    assert!(output.contains("stdout: one\n"), "{output}");
    assert!(output.contains("stderr: two\n"), "{output}");
    assert_eq!(example.process.wait().unwrap().code(), Some(7));
}

#[test]
fn broadcast_chat_sends_each_line_to_all_others() {
    let mut example = Example::start("broadcast_chat", &["127.0.0.1:0"]);
    let address = example.address();
    let mut one = connect(address);
    // The first hears of those who come later: when it does, they are in the room.
    let mut two = connect(address);
    assert!(read_line(&mut one).ends_with(" is here as number 2\n"));
    let mut three = connect(address);
    assert!(read_line(&mut one).ends_with(" is here as number 3\n"));
    assert!(read_line(&mut two).ends_with(" is here as number 3\n"));

    two.get_mut().write_all(b"hello, you all\nhow are you?\n").unwrap();
    for other in [&mut one, &mut three] {
        assert_eq!(read_line(other), "2: hello, you all\n");
        assert_eq!(read_line(other), "2: how are you?\n");
    }
    drop(three);
    assert_eq!(read_line(&mut two), "* number 3 has left\n");
}
