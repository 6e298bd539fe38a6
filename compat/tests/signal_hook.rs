//! The crate signal-hook-mio makes signals a source of a `Poll`.

#![cfg(unix)]

use std::time::Instant;

use compat::PATIENCE;
use mio::{Events, Interest, Poll, Token};
use rustix::process::{Signal, getpid, kill_process};
use signal_hook::consts::{SIGUSR1, SIGUSR2};
use signal_hook_mio::v1_0::Signals;

#[test]
fn every_signal_is_an_event() {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(8);
    let mut signals = Signals::new([SIGUSR1, SIGUSR2]).unwrap();
    poll.registry().register(&mut signals, Token(3), Interest::READABLE).unwrap();
    for round in 0..500 {
        let (sent, number) = if round % 3 == 0 { (Signal::USR1, SIGUSR1) } else { (Signal::USR2, SIGUSR2) };
        kill_process(getpid(), sent).unwrap();
        let mut arrived = Vec::new();
        while arrived.is_empty() {
            poll.poll_deadline(&mut events, Some(Instant::now() + PATIENCE)).unwrap();
            assert!(events.iter().map(|event| event.token()).eq([Token(3)]), "{events:?}");
            arrived.extend(signals.pending());
        }
        assert_eq!(arrived, [number]);
    }
    poll.registry().deregister(&mut signals).unwrap();
}
