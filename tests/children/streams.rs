//! The standard streams of a child.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use mio::event::Event;
use mio::unix::pipe::{Receiver, Sender};
use mio::{Interest, Poll, Token};

use crate::util::{assert_would_block, wait_for};

#[test]
fn the_standard_streams_of_a_child_are_pipes() {
    let mut poll = Poll::new().unwrap();
    let mut child = Command::new("sh")
        .args(["-c", "cat; echo done >&2"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = Sender::from(child.stdin.take().unwrap());
    let mut stdout = Receiver::from(child.stdout.take().unwrap());
    let mut stderr = Receiver::from(child.stderr.take().unwrap());
    // The standard library makes these pipes, and they block.
    stdin.set_nonblocking(true).unwrap();
    stdout.set_nonblocking(true).unwrap();
    stderr.set_nonblocking(true).unwrap();
    poll.registry().register(&mut stdout, Token(1), Interest::READABLE).unwrap();
    poll.registry().register(&mut stderr, Token(2), Interest::READABLE).unwrap();
    poll.registry().register(&mut stdin, Token(0), Interest::WRITABLE).unwrap();
    wait_for(&mut poll, Token(0), Event::is_writable);
    stdin.write_all(b"hello").unwrap();
    wait_for(&mut poll, Token(1), Event::is_readable);
    let mut buffer = [0; 16];
    assert_eq!(stdout.read(&mut buffer).unwrap(), 5);
    assert_would_block(stdout.read(&mut buffer));
    // `cat` ends when its input ends.
    drop(stdin);
    let (mut output, mut open) = (String::new(), 2);
    while open > 0 {
        for event in crate::util::next_events(&mut poll) {
            let (pipe, text) =
                if event.token() == Token(1) { (&mut stdout, &mut String::new()) } else { (&mut stderr, &mut output) };
            if pipe.read_to_string(text).is_ok() {
                poll.registry().deregister(pipe).unwrap();
                open -= 1;
            }
        }
    }
    assert_eq!(output, "done\n");
    assert!(child.wait().unwrap().success());
}
