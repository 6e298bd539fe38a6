//! Each call of `kevent(2)` fails once, and so does each change that takes memory. The caller gets that error, the source is
//! either registered or not, and the queue keeps working. This needs the double of kqueue, which fails on demand (`ci/kqueue`).

#![cfg(all(target_os = "linux", mio_backend = "kqueue", feature = "os-ext", feature = "net"))]
#![allow(unsafe_code)]

use std::ffi::c_int;
use std::io::{self, ErrorKind};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mio::event::Source;
use mio::net::{UdpSocket, UnixStream};
use mio::unix::pipe;
use mio::{ChildExit, Events, Interest, Poll, Token, Trigger, Waker};

unsafe extern "C" {
    safe fn fail_kevent(calls: c_int, changes: c_int, error: c_int);
    safe fn kevent_has_failed() -> bool;
}

const TOKEN: Token = Token(7);
const OTHER: Token = Token(8);
const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);
const TRIGGERS: [Trigger; 3] = [Trigger::Edge, Trigger::Level, Trigger::OneShot];

/// The failures affect the whole process, so this lets one test run at a time.
fn my_turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes a scene with `new`, and lets `act` fail in it once. Then `check` gets both. This repeats with each failure that `act`
/// meets.
fn with_each_failure<S, T>(
    new: impl Fn() -> S,
    act: impl Fn(&mut S) -> io::Result<T>,
    check: impl Fn(S, io::Result<T>),
) {
    for (is_call, error) in [(true, libc::ENOMEM), (true, libc::EINTR), (false, libc::ENOMEM)] {
        let mut failures = 0;
        loop {
            let mut scene = new();
            let (calls, changes) = if is_call { (failures, -1) } else { (-1, failures) };
            fail_kevent(calls, changes, error);
            let result = act(&mut scene);
            if !kevent_has_failed() {
                result.unwrap();
                break;
            }
            if let Err(told) = &result {
                assert_eq!(told.raw_os_error(), Some(error));
            }
            check(scene, result);
            failures += 1;
        }
        assert!(failures > 0 || !is_call, "`act` makes no call");
    }
}

/// Returns the tokens of the events that come within a moment.
fn tokens(poll: &mut Poll) -> Vec<Token> {
    let mut events = Events::with_capacity(16);
    poll.poll(&mut events, Some(Duration::from_millis(5))).unwrap();
    let mut tokens: Vec<Token> = events.iter().map(mio::event::Event::token).collect();
    tokens.dedup();
    tokens
}

/// A source that is ready, with the peer that has to live for that.
struct Ready(Box<dyn Source>, #[allow(dead_code)] Option<Box<dyn Source>>);

fn ready() -> [Ready; 4] {
    let socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let (stream, peer) = UnixStream::pair().unwrap();
    let (room, reader) = pipe::new().unwrap();
    let (ended, _) = pipe::new().unwrap();
    [
        Ready(Box::new(socket), None),
        Ready(Box::new(stream), Some(Box::new(peer))),
        Ready(Box::new(room), Some(Box::new(reader))),
        Ready(Box::new(ended), None),
    ]
}

/// Runs `test` for each of the sources, with each trigger, for writing and for both directions.
fn with_each_source(test: impl Fn(usize, Trigger, Interest)) {
    let _turn = my_turn();
    for source in 0..ready().len() {
        for trigger in TRIGGERS {
            for interest in [Interest::WRITABLE, BOTH] {
                test(source, trigger, interest);
            }
        }
    }
}

fn new(source: usize) -> (Poll, Ready) {
    (Poll::new().unwrap(), ready().into_iter().nth(source).unwrap())
}

#[test]
fn a_registration_that_fails_is_none_and_can_be_made_again() {
    with_each_source(|source, trigger, interest| {
        let what = format!("{source}, {trigger:?}, {interest:?}");
        let register =
            |(poll, ready): &mut (Poll, Ready)| poll.registry().register_with(&mut *ready.0, TOKEN, interest, trigger);
        with_each_failure(
            || new(source),
            register,
            |(mut poll, mut ready), result| {
                if result.is_err() {
                    assert_eq!(tokens(&mut poll), [], "{what}");
                    poll.registry().register_with(&mut *ready.0, OTHER, interest, trigger).unwrap();
                }
                let expected = if result.is_ok() { TOKEN } else { OTHER };
                assert_eq!(tokens(&mut poll), [expected], "{what}");
                poll.registry().deregister(&mut *ready.0).unwrap();
                assert_eq!(tokens(&mut poll), [], "{what}");
            },
        );
    });
}

#[test]
fn a_change_that_fails_leaves_something_that_can_be_changed_and_ended() {
    with_each_source(|source, trigger, interest| {
        for from in TRIGGERS {
            let what = format!("{source}, {from:?} to {trigger:?}, {interest:?}");
            let registered = || {
                let (poll, mut ready) = new(source);
                poll.registry().register_with(&mut *ready.0, TOKEN, BOTH, from).unwrap();
                (poll, ready)
            };
            let reregister = |(poll, ready): &mut (Poll, Ready)| {
                poll.registry().reregister_with(&mut *ready.0, OTHER, interest, trigger)
            };
            with_each_failure(registered, reregister, |(mut poll, mut ready), result| {
                if result.is_err() {
                    poll.registry().reregister_with(&mut *ready.0, OTHER, interest, trigger).unwrap();
                }
                assert_eq!(tokens(&mut poll), [OTHER], "{what}");
                poll.registry().deregister(&mut *ready.0).unwrap();
                assert_eq!(tokens(&mut poll), [], "{what}");
            });
        }
    });
}

#[test]
fn an_end_that_fails_can_be_tried_again() {
    with_each_source(|source, trigger, interest| {
        let registered = || {
            let (poll, mut ready) = new(source);
            poll.registry().register_with(&mut *ready.0, TOKEN, interest, trigger).unwrap();
            (poll, ready)
        };
        let deregister = |(poll, ready): &mut (Poll, Ready)| poll.registry().deregister(&mut *ready.0);
        with_each_failure(registered, deregister, |(mut poll, mut ready), result| {
            if result.is_err() {
                poll.registry().deregister(&mut *ready.0).unwrap();
            }
            assert_eq!(tokens(&mut poll), [], "{source}, {trigger:?}, {interest:?}");
        });
    });
}

#[test]
fn a_poll_that_fails_or_is_interrupted_loses_nothing() {
    with_each_source(|source, trigger, interest| {
        let registered = || {
            let (poll, mut ready) = new(source);
            poll.registry().register_with(&mut *ready.0, TOKEN, interest, trigger).unwrap();
            (poll, ready, Events::with_capacity(16))
        };
        let poll = |(poll, _, events): &mut (Poll, Ready, Events)| poll.poll(events, Some(Duration::ZERO));
        with_each_failure(registered, poll, |(mut poll, ready, events), result| {
            // The call that fails may be one that follows an event.
            if result.is_err() {
                assert!(events.is_empty());
                assert_eq!(tokens(&mut poll), [TOKEN], "{source}, {trigger:?}, {interest:?}");
            } else {
                assert!(events.iter().all(|event| event.token() == TOKEN) && !events.is_empty());
            }
            drop(ready);
        });
    });
}

#[test]
fn a_wait_that_is_interrupted_says_so() {
    let _turn = my_turn();
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(1);
    fail_kevent(0, -1, libc::EINTR);
    let error = poll.poll(&mut events, Some(Duration::ZERO)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    assert!(kevent_has_failed());
}

/// A child that exits when its standard input is closed.
fn child() -> (Poll, Child, ChildExit) {
    let child = Command::new("sh").args(["-c", "read line; exit 7"]).stdin(Stdio::piped()).spawn().unwrap();
    let exit = ChildExit::new(&child).unwrap();
    (Poll::new().unwrap(), child, exit)
}

fn register(poll: &Poll, exit: &mut ChildExit, token: Token) -> io::Result<()> {
    poll.registry().register(exit, token, Interest::READABLE)
}

/// Returns false on a kqueue without user events.
fn can_watch_children() -> bool {
    let (poll, mut child, mut exit) = child();
    let result = register(&poll, &mut exit, TOKEN);
    drop(child.stdin.take());
    child.wait().unwrap();
    let kind = result.as_ref().map_err(io::Error::kind);
    assert!(matches!(kind, Ok(()) | Err(ErrorKind::Unsupported)), "{result:?}");
    result.is_ok()
}

/// Returns the token of the next event, after which the child can be waited for.
fn exited(poll: &mut Poll, child: &mut Child) -> Token {
    let mut events = Events::with_capacity(4);
    poll.poll(&mut events, Some(Duration::from_secs(20))).unwrap();
    assert_eq!(child.try_wait().unwrap().and_then(|status| status.code()), Some(7));
    events[0].token()
}

#[test]
fn watching_a_child_can_be_tried_again() {
    let _turn = my_turn();
    if !can_watch_children() {
        return;
    }
    let start = |(poll, _, exit): &mut (Poll, Child, ChildExit)| register(poll, exit, TOKEN);
    with_each_failure(child, start, |(mut poll, mut child, mut exit), result| {
        let expected = if result.is_ok() { TOKEN } else { OTHER };
        if result.is_err() {
            register(&poll, &mut exit, OTHER).unwrap();
        }
        drop(child.stdin.take());
        assert_eq!(exited(&mut poll, &mut child), expected);
    });
}

#[test]
fn a_change_of_a_watched_child_can_be_tried_again_even_if_it_exits_meanwhile() {
    let _turn = my_turn();
    if !can_watch_children() {
        return;
    }
    let registered = || {
        let (poll, child, mut exit) = child();
        register(&poll, &mut exit, TOKEN).unwrap();
        (poll, child, exit)
    };
    let change =
        |(poll, _, exit): &mut (Poll, Child, ChildExit)| poll.registry().reregister(exit, OTHER, Interest::READABLE);
    with_each_failure(registered, change, |(mut poll, mut child, mut exit), result| {
        drop(child.stdin.take());
        if result.is_err() {
            tokens(&mut poll);
            poll.registry().reregister(&mut exit, OTHER, Interest::READABLE).unwrap();
        }
        assert_eq!(exited(&mut poll, &mut child), OTHER);
    });
}

/// If the kernel has no room for a timer, the event must not come before the child can be waited for.
#[test]
fn the_event_of_an_exit_comes_in_time_without_a_timer() {
    let _turn = my_turn();
    if !can_watch_children() {
        return;
    }
    loop {
        let (mut poll, mut child, mut exit) = child();
        register(&poll, &mut exit, TOKEN).unwrap();
        fail_kevent(-1, 0, libc::ENOMEM);
        drop(child.stdin.take());
        assert_eq!(exited(&mut poll, &mut child), TOKEN);
        // No timer is needed if this thread takes longer than the exit.
        if kevent_has_failed() {
            break;
        }
    }
}

#[test]
fn a_waker_that_could_not_be_made_can_be_made_later() {
    let _turn = my_turn();
    let new_waker = |poll: &mut Poll| Waker::new(poll.registry(), TOKEN);
    with_each_failure(
        || Poll::new().unwrap(),
        new_waker,
        |mut poll, result| {
            let waker = result.unwrap_or_else(|_| Waker::new(poll.registry(), TOKEN).unwrap());
            waker.wake().unwrap();
            assert_eq!(tokens(&mut poll), [TOKEN]);
        },
    );
}
