//! `poll` reports signals, and `poll_deadline` resumes after them.

#![allow(unsafe_code)]

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token, Waker};

use crate::util::{HANG, next_event};

/// Interrupts the thread that made it a thousand times a second, until you drop it.
struct Interruptions {
    stop: Arc<AtomicBool>,
    sender: Option<JoinHandle<()>>,
}

impl Interruptions {
    fn start() -> Interruptions {
        extern "C" fn do_nothing(_signal: libc::c_int) {}

        let handler: extern "C" fn(libc::c_int) = do_nothing;
        // SAFETY: all zeros is a valid `sigaction`, without flags. The handler does nothing, so it does nothing unsafe.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handler as usize;
            assert_eq!(libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut()), 0);
        }
        // This is a number on some systems, and on others a pointer, which is not `Send`.
        // SAFETY: the call has no preconditions.
        let target = unsafe { libc::pthread_self() } as usize;
        let stop = Arc::new(AtomicBool::new(false));
        let sender = thread::spawn({
            let stop = Arc::clone(&stop);
            move || {
                while !stop.load(Ordering::Relaxed) {
                    // SAFETY: the target thread is alive, because it joins this one before it ends.
                    unsafe { libc::pthread_kill(target as libc::pthread_t, libc::SIGUSR1) };
                    thread::sleep(Duration::from_millis(1));
                }
            }
        });
        Interruptions { stop, sender: Some(sender) }
    }
}

impl Drop for Interruptions {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.sender.take().unwrap().join().unwrap();
    }
}

#[test]
fn a_signal_interrupts_poll_and_nothing_else() {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(8);
    let waker = Waker::new(poll.registry(), Token(0)).unwrap();

    let interruptions = Interruptions::start();
    let error = poll.poll(&mut events, Some(HANG)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    assert!(events.is_empty());
    drop(interruptions);

    waker.wake().unwrap();
    assert_eq!(next_event(&mut poll).token(), Token(0));
}

#[test]
fn poll_deadline_is_neither_early_nor_put_off_by_signals() {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(8);

    // The signals go on as long as necessary. So a wait that starts again at each signal never ends.
    let _interruptions = Interruptions::start();
    let deadline = Instant::now() + Duration::from_millis(100);
    poll.poll_deadline(&mut events, Some(deadline)).unwrap();
    assert!(Instant::now() >= deadline);
    assert!(events.is_empty());
}

#[test]
fn signals_lose_no_wake() {
    let mut poll = Poll::new().unwrap();
    let waker = Arc::new(Waker::new(poll.registry(), Token(0)).unwrap());
    let seen = Arc::new(AtomicBool::new(false));

    let wakes = thread::spawn({
        let (waker, seen) = (Arc::clone(&waker), Arc::clone(&seen));
        move || {
            for _ in 0..1_000 {
                waker.wake().unwrap();
                while !seen.swap(false, Ordering::AcqRel) {
                    thread::yield_now();
                }
            }
        }
    });
    let _interruptions = Interruptions::start();
    for _ in 0..1_000 {
        assert_eq!(next_event(&mut poll).token(), Token(0));
        seen.store(true, Ordering::Release);
    }
    wakes.join().unwrap();
}
