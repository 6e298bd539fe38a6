//! A program that was written for mio 0.8 runs unchanged: see `src/bin/mio_0_8.rs`.

#![cfg(unix)]

use std::process::Command;

#[test]
fn a_program_for_mio_0_8_says_what_it_said() {
    let output = Command::new(env!("CARGO_BIN_EXE_mio_0_8")).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let expected = "\
tcp: hello
udp: datagram
unix: unnamed
unix: stream
unix: datagram
pipe: through a pipe
waker: woken
descriptor: bare
left: 0
";
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
}
