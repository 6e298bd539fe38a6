//! `ChildExit` produces one event for the exit of a child, whenever that happens.

use std::io::ErrorKind;
use std::process::{Child, Command, Stdio};
use std::thread;

use mio::{ChildExit, Interest, Poll, Token, Trigger};

use crate::util::{assert_no_event, next_event};

const EXIT: Token = Token(3);

/// Returns a child that exits with code 7 when its standard input is closed.
fn child() -> Child {
    let mut command = if cfg!(windows) { Command::new("cmd") } else { Command::new("sh") };
    command.args(if cfg!(windows) { ["/C", "set /P line= & exit 7"] } else { ["-c", "read line; exit 7"] });
    command.stdin(Stdio::piped()).spawn().unwrap()
}

fn end(child: &mut Child) {
    drop(child.stdin.take());
}

/// Returns false on a kqueue without user events, and on Linux before 5.3.
fn is_supported() -> bool {
    let poll = Poll::new().unwrap();
    let mut child = child();
    let watched = ChildExit::new(&child)
        .and_then(|mut exit| poll.registry().register(&mut exit, EXIT, Interest::READABLE))
        .map_err(|error| error.kind());
    end(&mut child);
    child.wait().unwrap();
    assert!(matches!(watched, Ok(()) | Err(ErrorKind::Unsupported)), "{watched:?}");
    watched.is_ok()
}

/// Asserts that `exit` has produced its one event, and that `child` can be waited for.
fn assert_exited(poll: &mut Poll, child: &mut Child) {
    let event = next_event(poll);
    assert_eq!(event.token(), EXIT);
    assert!(event.is_readable() && !event.is_error(), "{event:?}");
    assert_eq!(child.try_wait().unwrap().and_then(|status| status.code()), Some(7));
}

#[test]
fn an_exit_gives_one_event_and_waiting_for_the_child_no_other() {
    if !is_supported() {
        return;
    }
    let mut poll = Poll::new().unwrap();
    let mut child = child();
    let mut exit = ChildExit::new(&child).unwrap();
    poll.registry().register(&mut exit, EXIT, Interest::READABLE).unwrap();
    assert_no_event(&mut poll);
    end(&mut child);
    assert_exited(&mut poll, &mut child);
    assert_no_event(&mut poll);
    poll.registry().deregister(&mut exit).unwrap();
}

#[cfg(all(
    any(target_os = "android", target_os = "linux"),
    not(any(mio_backend = "poll", mio_unsupported_force_poll_poll))
))]
#[test]
fn an_exclusive_watcher_gets_one_event_too() {
    if !is_supported() {
        return;
    }
    let mut poll = Poll::new().unwrap();
    let mut child = child();
    let mut exit = ChildExit::new(&child).unwrap();
    poll.registry().register_with(&mut exit, EXIT, Interest::READABLE, Trigger::Exclusive).unwrap();
    end(&mut child);
    assert_exited(&mut poll, &mut child);
    assert_no_event(&mut poll);
}

#[test]
fn a_child_that_exited_before_registering_gives_its_event() {
    if !is_supported() {
        return;
    }
    let mut poll = Poll::new().unwrap();
    let mut child = child();
    let mut exit = ChildExit::new(&child).unwrap();
    end(&mut child);
    // A second watcher reports the exit without waiting for the child.
    let mut other = Poll::new().unwrap();
    let mut watcher = ChildExit::new(&child).unwrap();
    other.registry().register(&mut watcher, EXIT, Interest::READABLE).unwrap();
    next_event(&mut other);

    poll.registry().register(&mut exit, EXIT, Interest::WRITABLE).unwrap();
    assert_exited(&mut poll, &mut child);
}

#[test]
fn a_watcher_made_after_the_exit_gives_its_event() {
    if !is_supported() {
        return;
    }
    let mut poll = Poll::new().unwrap();
    let mut child = child();
    let mut first = ChildExit::new(&child).unwrap();
    poll.registry().register(&mut first, EXIT, Interest::READABLE).unwrap();
    end(&mut child);
    next_event(&mut poll);
    drop(first);

    let mut late = ChildExit::new(&child).unwrap();
    poll.registry().register(&mut late, EXIT, Interest::READABLE).unwrap();
    assert_exited(&mut poll, &mut child);
}

#[test]
fn a_level_triggered_exit_goes_on_until_it_is_deregistered() {
    if !is_supported() {
        return;
    }
    let mut poll = Poll::new().unwrap();
    let mut child = child();
    let mut exit = ChildExit::new(&child).unwrap();
    poll.registry().register_with(&mut exit, EXIT, Interest::READABLE, Trigger::Level).unwrap();
    end(&mut child);
    for _ in 0..3 {
        assert_eq!(next_event(&mut poll).token(), EXIT);
    }
    poll.registry().deregister(&mut exit).unwrap();
    assert_no_event(&mut poll);
    child.wait().unwrap();
}

#[test]
fn reregistering_after_the_exit_gives_the_event_again() {
    if !is_supported() {
        return;
    }
    let mut poll = Poll::new().unwrap();
    let mut child = child();
    let mut exit = ChildExit::new(&child).unwrap();
    poll.registry().register(&mut exit, Token(99), Interest::READABLE).unwrap();
    end(&mut child);
    assert_eq!(next_event(&mut poll).token(), Token(99));
    poll.registry().reregister(&mut exit, EXIT, Interest::READABLE).unwrap();
    assert_exited(&mut poll, &mut child);
    // The child has been waited for as well.
    poll.registry().reregister_with(&mut exit, Token(98), Interest::READABLE, Trigger::Level).unwrap();
    for _ in 0..2 {
        assert_eq!(next_event(&mut poll).token(), Token(98));
    }
}

#[test]
fn registering_after_the_exit_wakes_a_poll_that_runs() {
    if !is_supported() {
        return;
    }
    let mut poll = Poll::new().unwrap();
    let registry = poll.registry().try_clone().unwrap();
    let mut child = child();
    let mut exit = ChildExit::new(&child).unwrap();
    end(&mut child);
    let registering = thread::spawn(move || {
        registry.register(&mut exit, EXIT, Interest::READABLE).unwrap();
        exit
    });
    assert_exited(&mut poll, &mut child);
    drop(registering.join().unwrap());
}

#[test]
fn misuse_of_a_registration_is_an_error() {
    if !is_supported() {
        return;
    }
    let poll = Poll::new().unwrap();
    let mut child = child();
    let mut exit = ChildExit::new(&child).unwrap();
    let kind = |result: std::io::Result<()>| result.unwrap_err().kind();
    assert_eq!(kind(poll.registry().deregister(&mut exit)), ErrorKind::NotFound);
    assert_eq!(kind(poll.registry().reregister(&mut exit, EXIT, Interest::READABLE)), ErrorKind::NotFound);
    poll.registry().register(&mut exit, EXIT, Interest::READABLE).unwrap();
    assert_eq!(kind(poll.registry().register(&mut exit, EXIT, Interest::READABLE)), ErrorKind::AlreadyExists);
    let other = Poll::new().unwrap();
    assert_eq!(kind(other.registry().deregister(&mut exit)), ErrorKind::NotFound);
    poll.registry().deregister(&mut exit).unwrap();
    poll.registry().register(&mut exit, EXIT, Interest::READABLE).unwrap();
    end(&mut child);
    child.wait().unwrap();
}

#[test]
fn deregistering_or_dropping_before_the_exit_is_silence() {
    if !is_supported() {
        return;
    }
    let mut poll = Poll::new().unwrap();
    let (mut one, mut other) = (child(), child());
    let mut deregistered = ChildExit::new(&one).unwrap();
    let mut dropped = ChildExit::new(&other).unwrap();
    poll.registry().register(&mut deregistered, EXIT, Interest::READABLE).unwrap();
    poll.registry().register(&mut dropped, EXIT, Interest::READABLE).unwrap();
    poll.registry().deregister(&mut deregistered).unwrap();
    drop(dropped);
    end(&mut one);
    end(&mut other);
    one.wait().unwrap();
    other.wait().unwrap();
    assert_no_event(&mut poll);
    // Registering it once more must do no harm.
    let _ = poll.registry().register(&mut deregistered, EXIT, Interest::READABLE);
}

#[test]
fn each_of_many_children_gives_its_own_event() {
    if !is_supported() {
        return;
    }
    let mut poll = Poll::new().unwrap();
    let mut children: Vec<_> = (0..8).map(|_| child()).collect();
    let mut exits: Vec<_> = children.iter().map(|child| ChildExit::new(child).unwrap()).collect();
    for (number, exit) in exits.iter_mut().enumerate() {
        poll.registry().register(exit, Token(number), Interest::READABLE).unwrap();
    }
    for number in [5, 0, 7] {
        end(&mut children[number]);
        assert_eq!(next_event(&mut poll).token(), Token(number));
        assert_eq!(children[number].wait().unwrap().code(), Some(7));
    }
    assert_no_event(&mut poll);
    for child in &mut children {
        end(child);
        child.wait().unwrap();
    }
}

/// This holds where the OS can tell: the child's number belongs to nobody, or to another process.
#[cfg(unix)]
#[test]
fn a_child_that_was_waited_for_is_an_error() {
    let mut child = child();
    end(&mut child);
    child.wait().unwrap();
    let mut code = None;
    crate::util::wait_until("nobody has its number", || {
        code = ChildExit::new(&child).err().and_then(|error| error.raw_os_error());
        code.is_some()
    });
    assert!(matches!(code, Some(libc::ESRCH | libc::ECHILD)), "{code:?}");
}
