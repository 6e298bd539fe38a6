//! Runs each example, and checks that it does for a person what its first lines say.
//!
//! `cargo test` builds the examples beforehand, but `cargo test --test examples` by itself uses those that are there.

#![cfg(all(feature = "os-ext", feature = "net"))]
#![allow(unsafe_code)] // needed for `kill(2)`

use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// An example that takes longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running example, which ends with the test.
struct Example {
    process: Child,
    /// What it prints on standard output and standard error, line by line.
    output: Receiver<String>,
}

impl Example {
    fn start(name: &str, arguments: &[&str]) -> Example {
        Example::start_as(Command::new(program(name)).args(arguments))
    }

    fn start_as(command: &mut Command) -> Example {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run {command:?}: {error}; try `cargo build --examples` first"));
        let (line, output) = mpsc::channel();
        let (stdout, stderr) = (process.stdout.take().unwrap(), process.stderr.take().unwrap());
        let streams: [Box<dyn Read + Send>; 2] = [Box::new(stdout), Box::new(stderr)];
        for stream in streams {
            let line = line.clone();
            thread::spawn(move || {
                BufReader::new(stream).lines().map_while(Result::ok).try_for_each(|text| line.send(text))
            });
        }
        Example { process, output }
    }

    /// Returns the next line that it prints, or `None` at the end.
    fn line(&mut self) -> Option<String> {
        match self.output.recv_timeout(PATIENCE) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("the example neither prints anything nor ends"),
        }
    }

    /// Returns the address on which the server says that it listens.
    fn address(&mut self) -> SocketAddr {
        self.line().unwrap().strip_prefix("listening on ").unwrap().parse().unwrap()
    }

    /// Waits until it ends by itself. Returns its status and the rest of its output.
    fn end(mut self) -> (ExitStatus, Vec<String>) {
        let mut rest = Vec::new();
        while let Some(line) = self.line() {
            rest.push(line);
        }
        (self.process.wait().unwrap(), rest)
    }

    #[cfg(unix)]
    fn interrupt(&self) {
        let process = libc::pid_t::try_from(self.process.id()).unwrap();
        // SAFETY: the call takes no pointer. The process is our child, and nobody has waited for it.
        assert_eq!(unsafe { libc::kill(process, libc::SIGINT) }, 0);
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Returns the path of an example, which Cargo builds beside the folder of the test programs.
fn program(name: &str) -> PathBuf {
    let examples = env::current_exe().unwrap().parent().unwrap().join("../examples");
    examples.join(name).with_extension(env::consts::EXE_EXTENSION)
}

/// Connects like a person with `nc`.
fn connect(address: SocketAddr) -> BufReader<TcpStream> {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    BufReader::new(stream)
}

fn say(stream: &mut BufReader<TcpStream>, text: &str) {
    stream.get_mut().write_all(text.as_bytes()).unwrap();
}

fn hear(stream: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    stream.read_line(&mut line).unwrap();
    line
}

fn datagrams_come_back(address: SocketAddr, texts: &[&str]) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.connect(address).unwrap();
    for text in texts {
        socket.send(text.as_bytes()).unwrap();
        let mut buffer = [0; 16];
        let length = socket.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], text.as_bytes());
    }
}

#[test]
fn quickstart_greets_and_ends_by_itself() {
    let (status, output) = Example::start("quickstart", &[]).end();
    assert!(status.success() && output.len() == 2, "{output:?}");
    assert!(output[0].starts_with("the server greets 127.0.0.1:"), "{output:?}");
    assert_eq!(output[1], "the client reads \"hello\"");
}

/// Returns the one line that an example prints before it fails.
fn complaint(name: &str, arguments: &[&str]) -> String {
    let (status, output) = Example::start(name, arguments).end();
    assert_eq!(status.code(), Some(1), "{name} {arguments:?}: {output:?}");
    assert_eq!(output.len(), 1, "{name} {arguments:?}: {output:?}");
    output.concat()
}

/// The examples that listen on an address that you give them.
const SERVERS: &[&str] = if cfg!(all(unix, not(any(mio_backend = "poll", mio_unsupported_force_poll_poll)))) {
    &["tcp_server", "broadcast_chat", "udp_server", "embed"]
} else {
    &["tcp_server", "broadcast_chat", "udp_server"]
};

/// The examples that run programs.
const RUNNERS: &[&str] = if cfg!(target_os = "linux") {
    &["unix_pipe_child", "supervisor"]
} else if cfg!(windows) {
    &["supervisor"]
} else {
    &["unix_pipe_child"]
};

#[test]
fn each_with_arguments_shows_how_to_use_it() {
    let others = ["tcp_clients", "soak"];
    for name in SERVERS.iter().chain(&others).chain(RUNNERS) {
        let (status, output) = Example::start(name, &["--help"]).end();
        assert!(status.success(), "{name}: {output:?}");
        assert!(output[0].starts_with(&format!("usage: {name}")), "{name}: {output:?}");
    }
}

#[test]
fn each_says_which_argument_it_cannot_use() {
    for name in SERVERS {
        assert_eq!(complaint(name, &["nowhere"]), "error: `nowhere` is not an address such as 127.0.0.1:13265");
        assert!(complaint(name, &["127.0.0.1:0", "more"]).contains("unexpected argument `more`"));
        assert!(complaint(name, &["--fast"]).contains("unexpected argument `--fast`"));
    }
    assert!(complaint("tcp_clients", &["nowhere"]).contains("`nowhere` is not an address"));
    assert!(complaint("tcp_clients", &["127.0.0.1:1", "many"]).contains("`many` is not a number of clients"));
    assert!(complaint("soak", &["--minutes", "1"]).contains("unexpected argument `--minutes`"));
    assert!(complaint("soak", &["--seconds", "long"]).contains("`--seconds` needs a number"));
    assert!(complaint("soak", &["--connections"]).contains("`--connections` needs a number"));
}

#[test]
fn each_server_says_which_address_is_in_use() {
    let stream = TcpListener::bind("127.0.0.1:0").unwrap();
    let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
    for name in SERVERS {
        let taken = if matches!(*name, "udp_server" | "embed") { datagrams.local_addr() } else { stream.local_addr() };
        let taken = taken.unwrap().to_string();
        let complaint = complaint(name, &[&taken]);
        assert!(complaint.starts_with(&format!("error: cannot listen on {taken}: ")), "{complaint}");
        assert!(!complaint.contains('{'), "not for people: {complaint}");
    }
}

#[test]
fn tcp_clients_say_which_server_is_not_there() {
    // The socket is bound but does not listen, so nobody else gets the port.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap().to_string();
    let complaint = complaint("tcp_clients", &[&address]);
    assert!(complaint.starts_with(&format!("error: cannot connect to {address}: ")), "{complaint}");
}

#[test]
fn tcp_server_echoes_more_than_the_buffers_hold() {
    let mut example = Example::start("tcp_server", &["127.0.0.1:0"]);
    let mut client = connect(example.address());

    // The server has to keep what does not fit on its way back, and must stop reading meanwhile.
    let sent: Vec<u8> = (0..8_000_000_u32).map(|number| (number % 251) as u8).collect();
    let writer = thread::spawn({
        let (mut stream, sent) = (client.get_ref().try_clone().unwrap(), sent.clone());
        move || {
            stream.write_all(&sent).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
        }
    });
    let mut echoed = Vec::new();
    client.read_to_end(&mut echoed).unwrap();
    writer.join().unwrap();
    assert!(echoed == sent, "{} of {} bytes came back, or wrong ones", echoed.len(), sent.len());
}

#[test]
fn tcp_server_keeps_nobody_waiting_for_a_client_that_never_stops() {
    let mut example = Example::start("tcp_server", &["127.0.0.1:0"]);
    let address = example.address();

    let mut tireless = connect(address);
    let writer = thread::spawn({
        let mut stream = tireless.get_ref().try_clone().unwrap();
        move || while stream.write_all(&[b'x'; 65536]).is_ok() {}
    });
    let reader = thread::spawn(move || {
        let mut buffer = vec![0; 65536];
        while matches!(tireless.read(&mut buffer), Ok(1..)) {}
    });

    let mut other = connect(address);
    for _ in 0..10 {
        say(&mut other, "hello\n");
        assert_eq!(hear(&mut other), "hello\n");
    }
    drop(example);
    writer.join().unwrap();
    reader.join().unwrap();
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
    say(&mut polite, "hello\n");
    assert_eq!(hear(&mut polite), "hello\n");
}

#[test]
#[cfg(unix)]
fn tcp_server_accepts_those_who_had_to_wait_for_a_descriptor() {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 24 && exec \"$0\" 127.0.0.1:0"]).arg(program("tcp_server"));
    let mut example = Example::start_as(&mut command);
    let address = example.address();

    // There are more clients than descriptors. The kernel has connected them all, and the server has accepted some.
    let mut clients: Vec<_> = (0..40).map(|_| connect(address)).collect();
    assert!(example.line().unwrap().contains(" clients, no more for now: "));
    // The server serves each one after those before it have left.
    for client in clients.drain(..) {
        let mut client = client;
        say(&mut client, "hello\n");
        assert_eq!(hear(&mut client), "hello\n");
    }
}

#[test]
#[cfg(unix)]
fn tcp_server_closes_its_connections_on_an_interrupt() {
    let mut example = Example::start("tcp_server", &["127.0.0.1:0"]);
    let mut client = connect(example.address());
    say(&mut client, "hello\n");
    assert_eq!(hear(&mut client), "hello\n");

    example.interrupt();
    assert_eq!(hear(&mut client), "", "the connection is closed");
    let (status, output) = example.end();
    assert!(status.success());
    assert_eq!(output, ["closing 1 connections"]);
}

#[test]
fn tcp_clients_get_every_line_back_from_tcp_server() {
    let mut server = Example::start("tcp_server", &["127.0.0.1:0"]);
    let (address, process) = (server.address().to_string(), server.process.id().to_string());
    // Under Wine, each system call takes a hundred times as long.
    let count = if cfg!(windows) { "100" } else { "1000" };
    let mut arguments = vec![&*address, count, "10"];
    if cfg!(target_os = "linux") {
        arguments.push(&process);
    }
    let mut clients = Example::start("tcp_clients", &arguments);
    let line = clients.line().unwrap();
    assert!(line.starts_with(&format!("{count} clients connected, each had 10 lines echoed")), "{line}");
    drop(clients.process.stdin.take());
    let (status, output) = clients.end();
    assert!(status.success(), "{output:?}");
}

#[test]
fn udp_server_sends_each_datagram_back() {
    let mut example = Example::start("udp_server", &["127.0.0.1:0"]);
    datagrams_come_back(example.address(), &["one", "", "three"]);
}

#[test]
#[cfg(unix)]
fn unix_pipe_child_says_which_program_is_not_there() {
    assert!(complaint("unix_pipe_child", &["no such program"]).starts_with("error: cannot run `no such program`: "));
}

#[test]
#[cfg(unix)]
fn unix_pipe_child_prints_both_outputs_and_passes_the_exit_code_on() {
    let script = "printf 'one\\ntwo\\nand a half'; echo three >&2; exit 7";
    let (status, output) = Example::start("unix_pipe_child", &["sh", "-c", script]).end();
    for line in ["stdout: one", "stdout: two", "stdout: and a half", "stderr: three"] {
        assert!(output.iter().any(|printed| printed == line), "{output:?}");
    }
    assert_eq!(status.code(), Some(7));
}

/// NetBSD before 10 and OpenBSD before 7.8 cannot run the supervisor, and it says so.
#[cfg(any(target_os = "linux", windows))]
fn watches_no_children(output: &[String]) -> bool {
    cfg!(mio_backend = "kqueue") && output.iter().any(|line| line.contains("error: this kernel has no `EVFILT_USER`"))
}

#[test]
#[cfg(any(target_os = "linux", windows))]
fn supervisor_starts_what_fails_again_and_prints_all_that_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("failed");
    let file = file.display();
    // The script fails once, and then succeeds.
    let (script, lines, code) = if cfg!(windows) {
        (
            format!("if exist {file} (type {file}) else (echo again>{file}& exit 3)"),
            "echo one& echo two and a half",
            "code",
        )
    } else {
        (format!("cat {file} || {{ echo again > {file}; exit 3; }}"), "printf 'one\ntwo and a half'", "status")
    };
    let (status, output) = Example::start("supervisor", &[&script, lines]).end();
    if watches_no_children(&output) {
        return;
    }
    let ends = [format!("0: exit {code}: 3"), format!("0: exit {code}: 0"), format!("1: exit {code}: 0")];
    for line in ends.iter().map(String::as_str).chain(["0: again", "1: one", "1: two and a half"]) {
        assert_eq!(output.iter().filter(|printed| *printed == line).count(), 1, "{line}: {output:?}");
    }
    assert!(status.success());
}

#[test]
fn examples_that_run_a_program_ask_for_one() {
    for name in RUNNERS {
        assert!(complaint(name, &[]).starts_with("error: no "), "{name}");
    }
}

#[test]
#[cfg(any(target_os = "linux", windows))]
fn supervisor_gives_up_in_the_end_and_says_so() {
    let script = if cfg!(windows) { "echo no& exit 1" } else { "echo no; exit 1" };
    let (status, output) = Example::start("supervisor", &[script]).end();
    if watches_no_children(&output) {
        return;
    }
    assert_eq!(output.iter().filter(|line| *line == "0: no").count(), 4, "{output:?}");
    assert!(output.iter().any(|line| line == "error: 1 of 1 programs failed for good"), "{output:?}");
    assert_eq!(status.code(), Some(1));
}

#[test]
#[cfg(target_os = "linux")]
fn seqpacket_brings_each_message_back_whole() {
    let long = "blah ".repeat(25_000);
    let (status, output) = Example::start("seqpacket", &["one", "", "two words", &long]).end();
    assert!(status.success(), "{output:?}");
    assert_eq!(output, ["ONE", "", "TWO WORDS", &long.to_uppercase()]);
}

/// Returns a chat room with two people who know of each other.
fn chat() -> (Example, BufReader<TcpStream>, BufReader<TcpStream>) {
    let mut example = Example::start("broadcast_chat", &["127.0.0.1:0"]);
    let address = example.address();
    // A person who hears of another is in the room, and so is that other one.
    let mut one = connect(address);
    let two = connect(address);
    assert!(hear(&mut one).ends_with(" is here as number 2\n"));
    (example, one, two)
}

#[test]
fn broadcast_chat_sends_each_line_to_all_others() {
    let (_example, mut one, mut two) = chat();
    let mut three = connect(one.get_ref().peer_addr().unwrap());
    for other in [&mut one, &mut two] {
        assert!(hear(other).ends_with(" is here as number 3\n"));
    }
    say(&mut two, "hello, you all\nhow are you?\n");
    for other in [&mut one, &mut three] {
        assert_eq!(hear(other), "2: hello, you all\n");
        assert_eq!(hear(other), "2: how are you?\n");
    }
    drop(three);
    assert_eq!(hear(&mut two), "* number 3 has left\n");
}

#[test]
fn broadcast_chat_keeps_what_a_client_does_not_read_until_it_is_too_much() {
    let (_example, mut quiet, mut loud) = chat();
    let line = format!("{}\n", "blah ".repeat(800));
    // Nobody reads this, as far as the buffers reach. Then the room throws out the person who does not read.
    let mut count = 0;
    let mut left = String::new();
    while left.is_empty() {
        for _ in 0..100 {
            say(&mut loud, &line);
        }
        count += 100;
        loud.get_ref().set_nonblocking(true).unwrap();
        let _ = loud.read_line(&mut left);
        loud.get_ref().set_nonblocking(false).unwrap();
    }
    assert_eq!(left, "* number 1 has left\n");
    // Every line that was sent before that is whole.
    let mut heard = 0;
    loop {
        let text = hear(&mut quiet);
        if !text.ends_with('\n') {
            break;
        }
        assert_eq!(text, format!("2: {line}"));
        heard += 1;
    }
    assert!(heard > 0 && heard < count, "{heard} of {count} lines");
}

#[test]
#[cfg(all(unix, not(any(mio_backend = "poll", mio_unsupported_force_poll_poll))))]
fn embed_echoes_and_stops_in_the_loop_of_another_library() {
    let mut example = Example::start("embed", &["127.0.0.1:0"]);
    datagrams_come_back(example.address(), &["one", "two"]);
    while example.line().unwrap() != "echoed 2 datagrams" {}
    example.interrupt();
    let (status, output) = example.end();
    assert!(status.success(), "{output:?}");
}

#[test]
fn soak_finds_every_byte_right_and_nothing_leaked() {
    let (status, output) = Example::start("soak", &["--connections", "48", "--seconds", "1"]).end();
    assert!(status.success(), "{output:?}");
}
