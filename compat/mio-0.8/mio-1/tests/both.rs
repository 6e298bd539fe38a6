//! A dependency tree with a program for mio 1 and a library for mio 0.8 has one implementation of both.

use std::any::TypeId;
use std::io::{Read, Write};
use std::process::Command;
use std::time::Duration;

#[test]
fn a_program_for_mio_1_runs_beside_those_for_mio_0_8() {
    let output = Command::new(env!("CARGO_BIN_EXE_mio-1")).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "hello from mio 1\n");
}

#[test]
fn a_source_of_mio_0_8_can_be_registered_with_a_poll_of_mio_1() {
    assert_eq!(TypeId::of::<mio_0_8::Poll>(), TypeId::of::<mio::Poll>());

    let (mut sender, mut receiver) = mio_0_8::unix::pipe::new().unwrap();
    let mut poll = mio::Poll::new().unwrap();
    poll.registry().register(&mut receiver, mio::Token(8), mio_0_8::Interest::READABLE).unwrap();
    sender.write_all(b"from one version to the other").unwrap();
    let mut events = mio::Events::with_capacity(8);
    poll.poll(&mut events, Some(Duration::from_secs(100))).unwrap();
    assert_eq!(events.iter().map(|event| event.token()).collect::<Vec<_>>(), [mio_0_8::Token(8)]);
    let mut buffer = [0; 64];
    let length = receiver.read(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], b"from one version to the other");
}
