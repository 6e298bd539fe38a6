//! A `Poll` as a descriptor in other event loops, which must see whatever happens, at any moment.

#![cfg(unix)]

use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use calloop::generic::Generic;
use calloop::{EventLoop, Mode, PostAction};
use compat::{PATIENCE, on_both_runtimes};
use mio::net::UnixStream;
use mio::{Events, Interest, Poll, Token, Waker};
use tokio::io::unix::AsyncFd;

const STREAM: Token = Token(0);
const WAKE: Token = Token(1);

const ROUNDS: u32 = 10_000;

/// What another thread did to the inner poll.
#[derive(Copy, Clone, Debug, PartialEq)]
enum Deed {
    Wrote(u8),
    Woke,
}

/// The inner side: a stream and a waker, and a channel for what was seen of them.
struct Inner {
    stream: UnixStream,
    events: Events,
    seen: Sender<Deed>,
}

impl Inner {
    /// Starts a thread that writes and wakes in turn, each time only after the previous deed was seen. So a missed deed causes
    /// a hang, and not a number that is too small.
    ///
    /// The thread returns its end of the stream, so that the end causes no event.
    fn start() -> (Poll, Inner, JoinHandle<StdUnixStream>) {
        let poll = Poll::new().unwrap();
        let (ours, mut theirs) = StdUnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let mut stream = UnixStream::from_std(ours);
        poll.registry().register(&mut stream, STREAM, Interest::READABLE).unwrap();
        let waker = Waker::new(poll.registry(), WAKE).unwrap();
        let (seen, deeds) = mpsc::channel();
        let outside = thread::spawn(move || {
            for round in 0..ROUNDS {
                let deed = if round % 3 == 0 { Deed::Wrote(round as u8) } else { Deed::Woke };
                match deed {
                    Deed::Wrote(byte) => theirs.write_all(&[byte]).unwrap(),
                    Deed::Woke => waker.wake().unwrap(),
                }
                assert_eq!(deeds.recv_timeout(PATIENCE), Ok(deed), "round {round}");
            }
            theirs
        });
        (poll, Inner { stream, events: Events::with_capacity(8), seen }, outside)
    }

    /// Takes the waiting events, without waiting for more. Returns how many there were.
    fn turn(&mut self, poll: &mut Poll) -> u32 {
        poll.poll(&mut self.events, Some(Duration::ZERO)).unwrap();
        let mut deeds = 0;
        for event in &self.events {
            match event.token() {
                STREAM => {
                    let mut byte = [0];
                    match self.stream.read(&mut byte) {
                        Ok(count) => assert_eq!(count, 1),
                        Err(error) => {
                            assert_eq!(error.kind(), ErrorKind::WouldBlock);
                            continue;
                        }
                    }
                    deeds += 1;
                    self.seen.send(Deed::Wrote(byte[0])).unwrap();
                }
                WAKE => {
                    deeds += 1;
                    self.seen.send(Deed::Woke).unwrap();
                }
                token => unreachable!("nothing is registered with {token:?}"),
            }
        }
        deeds
    }
}

#[test]
#[allow(deprecated, reason = "what replaces `with_interest` is unsafe, for types whose descriptor changes")]
fn in_tokio_no_event_and_no_wake_is_missed() {
    on_both_runtimes(|| async {
        let (poll, mut inner, outside) = Inner::start();
        let mut poll = AsyncFd::with_interest(poll, tokio::io::Interest::READABLE).unwrap();
        let mut deeds = 0;
        while deeds < ROUNDS {
            let mut guard = poll.readable_mut().await.unwrap();
            match inner.turn(guard.get_inner_mut()) {
                // Tokio watches the edges, so it must not wait for the next one until a look has found nothing.
                0 => guard.clear_ready(),
                count => deeds += count,
            }
        }
        outside.join().unwrap();
    });
}

#[test]
fn in_calloop_no_event_and_no_wake_is_missed() {
    for mode in [Mode::Level, Mode::Edge] {
        struct State {
            poll: Poll,
            inner: Inner,
            deeds: u32,
        }

        let (poll, inner, outside) = Inner::start();
        let mut outer: EventLoop<State> = EventLoop::try_new().unwrap();
        let queue = poll.as_fd().try_clone_to_owned().unwrap();
        let source = Generic::new(queue, calloop::Interest::READ, mode);
        let watch = |_, _: &mut _, state: &mut State| {
            loop {
                match state.inner.turn(&mut state.poll) {
                    0 => return Ok(PostAction::Continue),
                    count => state.deeds += count,
                }
            }
        };
        outer.handle().insert_source(source, watch).unwrap();
        let mut state = State { poll, inner, deeds: 0 };
        while state.deeds < ROUNDS {
            outer.dispatch(PATIENCE, &mut state).unwrap();
        }
        outside.join().unwrap();
    }
}
