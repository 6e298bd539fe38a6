//! What a wake and a poll tell each other, in one atomic, so that a wake costs a system call only when a thread sleeps.
//! The file uses nothing of the crate and makes no system call itself, so loom checks the whole of it.

use std::time::Duration;

#[cfg(all(loom, test))]
use loom::sync::atomic::{AtomicUsize, Ordering};
#[cfg(not(all(loom, test)))]
use std::sync::atomic::{AtomicUsize, Ordering};

/// A wake was asked for, and no poll has given its event yet.
const WOKEN: usize = 1;
/// The OS was told of a wake: its notification is pending, and ends a poll.
const TOLD: usize = 1 << 1;
/// A thread sleeps in the poll, or is about to.
const POLLING: usize = 1 << 2;
/// There has been no waker yet, so a thread that polls does not say so here.
const UNCLAIMED: usize = 1 << 3;
/// Somebody else may sleep on the queue's file descriptor, from now on for good.
const EXPORTED: usize = 1 << 4;
/// The other bits count the notifications that polls have answered.
const ANSWERED: usize = 1 << 5;

/// With any of these set, a wake has to tell the OS.
const ASLEEP: usize = POLLING | UNCLAIMED | EXPORTED;

/// The state of the waker, of the poll, and of what the OS was told:
///
/// | | not woken | `WOKEN` | `WOKEN`, `TOLD` |
/// |---|---|---|---|
/// | nobody sleeps | **idle** | **queued** | |
/// | somebody may: `ASLEEP` | **asleep** | **untold** | **told** |
///
/// | what happens | idle | queued | asleep | untold | told |
/// |---|---|---|---|---|---|
/// | a wake | queued | – | untold, then *tells* | *tells* | – |
/// | it has told the OS | | | | told | – |
/// | it could not | | | | – | – |
/// | a poll that may sleep begins | asleep | – , *does not sleep* | – | – , *does not sleep* | – |
/// | a poll ends, the notification was not seen | – | rest, *event* | rest | rest, *event* | – |
/// | a poll ends, the notification was seen | rest | rest | rest | rest | rest |
/// | the descriptor is handed out | asleep | untold, then *tells* | – | – , *tells* | – |
/// | there is a waker, or another one | asleep | untold | asleep | untold | untold |
///
/// *Rest* is idle, but asleep as long as there was no waker and from the time that the descriptor was handed out: asleep
/// while nobody sleeps is always safe, it costs a system call. There a poll has nothing to write here, either.
///
/// Each cell is one atomic step, so whatever comes between two steps is a cell of its own. Three rules carry it:
///
/// - *A wake that returned `Ok` gives an event*: it found that no one sleeps, or that the OS was told; or it has told the
///   OS itself, and the backend hands out an event for each notification. What another wake's system call came to is no
///   concern of it: *untold*, it makes its own.
/// - *`TOLD` is set only while a notification is pending that no poll has answered.* It is set after the OS was told, and
///   only if the count of answers has not moved since the wake was asked for. (It would have to come round, millions of
///   answers, between the two steps of one wake.) A notification that a poll may have failed to recognize, because the
///   waker's token was being changed, counts as answered.
/// - *A poll that begins or ends in `WOKEN` without `TOLD` hands the event out.* Should the OS still be being told, another
///   event follows.
///
/// A wake always writes, even when it changes nothing, so that the poll's later step synchronizes with it.
#[derive(Debug)]
pub(crate) struct WakeState(AtomicUsize);

impl WakeState {
    pub(crate) fn new() -> WakeState {
        WakeState(AtomicUsize::new(UNCLAIMED))
    }

    /// Asks for a wake. `tell` tells the OS; it is called if somebody may sleep, and its error returned.
    #[inline]
    pub(crate) fn wake<E>(&self, tell: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        let before = self.0.fetch_or(WOKEN, Ordering::AcqRel);
        if before & ASLEEP == 0 || before & TOLD != 0 { Ok(()) } else { self.tell(before | WOKEN, tell) }
    }

    fn tell<E>(&self, untold: usize, tell: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        tell()?;
        // If that fails, the notification was answered already, or some later wake tells the OS once more.
        let _ = self.0.compare_exchange(untold, untold | TOLD, Ordering::AcqRel, Ordering::Relaxed);
        Ok(())
    }

    /// The poller is about to wait. Returns how long it may.
    #[inline]
    pub(crate) fn before_wait(&self, timeout: Option<Duration>) -> Option<Duration> {
        if timeout == Some(Duration::ZERO) {
            return timeout;
        }
        // An old value does no harm: whoever changes *asleep* tells the OS, and the poller itself ended all else.
        let mut state = self.0.load(Ordering::Relaxed);
        if state & (ASLEEP | WOKEN) == 0 {
            match self.0.compare_exchange(state, state | POLLING, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return timeout,
                Err(changed) => state = changed,
            }
        }
        if state & (WOKEN | TOLD) == WOKEN { Some(Duration::ZERO) } else { timeout }
    }

    /// The poller has waited, and did or did not see the OS's notification, for which it has an event. Returns whether to
    /// hand one out without it.
    #[inline]
    pub(crate) fn after_wait(&self, notified: bool) -> bool {
        let mut state = self.0.load(Ordering::Relaxed);
        loop {
            // It rests already, or the notification is still to come.
            if !notified && (state & (WOKEN | POLLING) == 0 || state & TOLD != 0) {
                return false;
            }
            let rest = state & !(WOKEN | TOLD | POLLING);
            let rest = if notified { rest.wrapping_add(ANSWERED) } else { rest };
            match self.0.compare_exchange_weak(state, rest, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return state & WOKEN != 0 && !notified,
                Err(changed) => state = changed,
            }
        }
    }

    /// The queue's file descriptor is being handed out. `tell` tells the OS; it is called if it was not told of a wake.
    /// If that fails, the event comes with the next poll, and only who sleeps outside misses it.
    #[allow(dead_code, reason = "for backends whose queue is a descriptor")]
    pub(crate) fn export<E>(&self, tell: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        let before = self.0.fetch_or(EXPORTED, Ordering::AcqRel);
        if before & (WOKEN | TOLD) == WOKEN { self.tell(before | EXPORTED, tell) } else { Ok(()) }
    }

    /// There is a waker, or another one. The poller may sleep without having said so: it is said here. It may also have
    /// failed to recognize a notification of the last one.
    #[cold]
    pub(crate) fn claim(&self) {
        let claimed = |state: usize| Some((state & !(UNCLAIMED | TOLD) | POLLING).wrapping_add(ANSWERED));
        let _ = self.0.fetch_update(Ordering::AcqRel, Ordering::Relaxed, claimed);
    }

    /// Whether the OS may have been told of a wake that no poll has given the event of.
    #[cold]
    pub(crate) fn is_woken(&self) -> bool {
        self.0.load(Ordering::Acquire) & WOKEN != 0
    }
}

/// Run by `ci/loom`. A lost wake is a poll that sleeps for ever: a deadlock, which loom reports.
#[cfg(all(loom, test))]
mod models {
    use std::time::Duration;

    use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use loom::sync::{Arc, Condvar, Mutex};
    use loom::thread;

    use super::WakeState;

    /// A queue reduced to its waker: the state under test with what `Queue` makes of it, and an OS like epoll with an
    /// eventfd, which has most to go wrong: the notification carries a token of the kernel's, and the poller recognizes it
    /// by that.
    struct Queue {
        state: WakeState,
        token: AtomicUsize,
        /// Whether there was a waker.
        slot: Mutex<bool>,
        os: Mutex<Os>,
        tell: Condvar,
    }

    #[derive(Default)]
    struct Os {
        /// Readable, until it is drained.
        readable: bool,
        /// An edge that was not reported yet.
        edge: bool,
        token: usize,
    }

    impl Queue {
        fn without_waker() -> Arc<Queue> {
            Arc::new(Queue {
                state: WakeState::new(),
                token: AtomicUsize::new(0),
                slot: Mutex::new(false),
                os: Mutex::default(),
                tell: Condvar::new(),
            })
        }

        fn new() -> Arc<Queue> {
            let queue = Queue::without_waker();
            queue.claim(1).unwrap();
            queue
        }

        /// One that a poller has been round once: the state is idle.
        fn idle() -> Arc<Queue> {
            let queue = Queue::new();
            queue.poll(Some(Duration::ZERO), false);
            queue
        }

        /// What `Queue::claim_waker` does.
        fn claim(&self, token: usize) -> Result<(), ()> {
            self.claim_with(token, |queue| {
                let mut os = queue.os.lock().unwrap();
                os.token = token;
                os.edge |= os.readable;
                queue.tell.notify_all();
                Ok(())
            })
        }

        fn claim_with(&self, token: usize, rename: impl FnOnce(&Queue) -> Result<(), ()>) -> Result<(), ()> {
            let mut is_set = self.slot.lock().unwrap();
            let before = self.token.load(Ordering::Acquire);
            self.token.store(token, Ordering::Release);
            let set = if *is_set {
                if !self.state.is_woken() {
                    self.os.lock().unwrap().readable = false;
                }
                rename(self)
            } else {
                self.os.lock().unwrap().token = token;
                Ok(())
            };
            if set.is_err() {
                self.token.store(before, Ordering::Release);
            }
            *is_set |= set.is_ok();
            if *is_set {
                self.state.claim();
            }
            set
        }

        fn notify(&self) -> Result<(), ()> {
            let mut os = self.os.lock().unwrap();
            (os.readable, os.edge) = (true, true);
            self.tell.notify_all();
            Ok(())
        }

        fn wake(&self) {
            self.state.wake(|| self.notify()).unwrap();
        }

        /// A wake whose system call fails, if one is made.
        fn wake_in_vain(&self) {
            let _ = self.state.wake(|| Err(()));
        }

        fn export(&self) {
            self.state.export(|| self.notify()).unwrap();
        }

        /// What `Queue::select` does. Returns whether there was a waker's event. `spurious`: the wait ends by itself, as
        /// for a source's event.
        fn poll(&self, timeout: Option<Duration>, spurious: bool) -> bool {
            let timeout = self.state.before_wait(timeout);
            let mut os = self.os.lock().unwrap();
            loop {
                // Drained meanwhile.
                os.edge &= os.readable;
                if os.edge || spurious || timeout.is_some() {
                    break;
                }
                os = self.tell.wait(os).unwrap();
            }
            let token = std::mem::take(&mut os.edge).then_some(os.token);
            drop(os);
            let notified = token == Some(self.token.load(Ordering::Acquire));
            self.state.after_wait(notified) || notified
        }

        /// Sleeps on the OS's queue from outside, as an outer queue does, and leaves what it finds there.
        fn sleep_outside(&self) {
            let mut os = self.os.lock().unwrap();
            while !os.edge {
                os = self.tell.wait(os).unwrap();
            }
        }
    }

    /// Interleavings of up to three preemptions: all of them take longer than a test should.
    fn model(check: impl Fn() + Send + Sync + 'static) {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(3);
        model.check(check);
    }

    /// A thread with a queue to share.
    fn spawn(queue: &Arc<Queue>, work: impl FnOnce(&Queue) + 'static) -> thread::JoinHandle<()> {
        let queue = Arc::clone(queue);
        thread::spawn(move || work(&queue))
    }

    /// What threads write before they wake. The poller polls on until it sees all of it: what happened before a wake is
    /// visible after its event, or another event is to come.
    #[derive(Clone)]
    struct Written(Arc<[AtomicBool; 2]>);

    impl Written {
        fn nothing() -> Written {
            Written(Arc::new([AtomicBool::new(false), AtomicBool::new(false)]))
        }

        fn write(&self, index: usize) {
            self.0[index].store(true, Ordering::Relaxed);
        }

        fn poll_until_all_is_seen(&self, queue: &Queue) {
            while !self.0.iter().all(|written| written.load(Ordering::Relaxed)) {
                queue.poll(None, false);
            }
        }
    }

    #[test]
    fn two_wakers_and_a_poller_lose_no_wake() {
        model(|| {
            let (queue, written) = (Queue::new(), Written::nothing());
            let wakers = [0, 1].map(|index| {
                let written = written.clone();
                spawn(&queue, move |queue| {
                    written.write(index);
                    queue.wake();
                })
            });
            written.poll_until_all_is_seen(&queue);
            for waker in wakers {
                waker.join().unwrap();
            }
        });
    }

    /// The window between telling the OS and noting so: the poller may have answered, and be asleep again.
    #[test]
    fn a_wake_after_one_that_was_answered_while_it_returned_is_not_lost() {
        model(|| {
            let (queue, written) = (Queue::new(), Written::nothing());
            let slow = spawn(&queue, |queue| queue.wake());
            let waker = spawn(&queue, {
                let written = written.clone();
                move |queue| {
                    for index in 0..2 {
                        written.write(index);
                        queue.wake();
                    }
                }
            });
            written.poll_until_all_is_seen(&queue);
            slow.join().unwrap();
            waker.join().unwrap();
        });
    }

    /// Every wake is followed by an event, also when polls return for other reasons while the OS is being told.
    #[test]
    fn a_wake_during_a_busy_poll_gives_an_event() {
        loom::model(|| {
            let queue = Queue::new();
            let waker = spawn(&queue, |queue| queue.wake());
            let mut seen = queue.poll(None, true);
            seen |= queue.poll(Some(Duration::ZERO), false);
            waker.join().unwrap();
            while !seen {
                seen = queue.poll(None, false);
            }
        });
    }

    /// What was written before a wake is visible after the event that the wake joined, also when it made no system call.
    #[test]
    fn coalesced_wakes_publish_what_came_before_them() {
        model(|| {
            let (queue, written) = (Queue::new(), Written::nothing());
            let waker = spawn(&queue, {
                let written = written.clone();
                move |queue| {
                    for index in 0..2 {
                        written.write(index);
                        queue.wake();
                    }
                }
            });
            written.poll_until_all_is_seen(&queue);
            waker.join().unwrap();
        });
    }

    #[test]
    fn a_waker_that_is_made_beside_polls_wakes_them() {
        loom::model(|| {
            let queue = Queue::without_waker();
            let maker = spawn(&queue, |queue| {
                queue.claim(1).unwrap();
                queue.wake();
            });
            let mut seen = queue.poll(None, true);
            while !seen {
                seen = queue.poll(None, false);
            }
            maker.join().unwrap();
        });
    }

    /// Two at once is misuse: one may void what the other has just told the OS. But wakes do not stop.
    #[test]
    fn two_threads_that_make_the_first_waker_at_once_stop_no_later_wake() {
        model(|| {
            let (queue, written) = (Queue::without_waker(), Written::nothing());
            let makers = [0, 1].map(|index| {
                let written = written.clone();
                spawn(&queue, move |queue| {
                    queue.claim(index + 1).unwrap();
                    written.write(index);
                    queue.wake();
                })
            });
            queue.poll(None, true);
            for maker in makers {
                maker.join().unwrap();
            }
            queue.wake();
            written.poll_until_all_is_seen(&queue);
        });
    }

    /// The wake of a waker that was dropped gives its event, and so does that of the next one.
    #[test]
    fn a_new_waker_beside_a_poll_loses_no_wake() {
        model(|| {
            let (queue, written) = (Queue::new(), Written::nothing());
            let waker = spawn(&queue, {
                let written = written.clone();
                move |queue| {
                    written.write(0);
                    queue.wake();
                    queue.claim(2).unwrap();
                    written.write(1);
                    queue.wake();
                }
            });
            written.poll_until_all_is_seen(&queue);
            waker.join().unwrap();
        });
    }

    /// As above, and between the two one that could not be made.
    #[test]
    fn a_waker_that_cannot_be_made_loses_no_wake_of_the_last_one() {
        model(|| {
            let (queue, written) = (Queue::new(), Written::nothing());
            let waker = spawn(&queue, {
                let written = written.clone();
                move |queue| {
                    written.write(0);
                    queue.wake();
                    queue.claim_with(2, |_| Err(())).unwrap_err();
                    queue.claim(3).unwrap();
                    written.write(1);
                    queue.wake();
                }
            });
            written.poll_until_all_is_seen(&queue);
            waker.join().unwrap();
        });
    }

    /// Once the queue's descriptor was handed out, a wake reaches whoever sleeps on it outside, even one that was queued
    /// just before; and the poll that follows gives its event.
    #[test]
    fn an_exported_queue_wakes_its_outer_sleeper() {
        loom::model(|| {
            let queue = Queue::idle();
            let waker = spawn(&queue, |queue| queue.wake());
            queue.export();
            queue.sleep_outside();
            assert!(queue.poll(Some(Duration::ZERO), false));
            waker.join().unwrap();
        });
    }

    /// As above, with the poll under way when the descriptor is handed out by another thread.
    #[test]
    fn an_export_during_a_poll_loses_no_wake() {
        model(|| {
            let queue = Queue::new();
            let exporter = spawn(&queue, |queue| queue.export());
            let waker = spawn(&queue, |queue| queue.wake());
            while !queue.poll(None, false) {}
            waker.join().unwrap();
            exporter.join().unwrap();
            // From now on, always through the OS.
            queue.poll(Some(Duration::ZERO), false);
            assert_eq!(queue.state.wake(|| Err("told")), Err("told"));
        });
    }

    #[test]
    fn an_export_beside_a_new_waker_and_a_poll_loses_no_wake() {
        model(|| {
            let queue = Queue::without_waker();
            let exporter = spawn(&queue, |queue| queue.export());
            let maker = spawn(&queue, |queue| {
                queue.claim(1).unwrap();
                queue.wake();
            });
            while !queue.poll(None, false) {}
            maker.join().unwrap();
            exporter.join().unwrap();
        });
    }

    /// A wake that was queued without the OS gives its event, though the OS could not be told of it when the descriptor was
    /// handed out; and later ones tell the OS.
    #[test]
    fn an_export_that_cannot_tell_the_os_hands_the_wake_to_the_next_poll() {
        loom::model(|| {
            let queue = Queue::idle();
            let waker = spawn(&queue, |queue| queue.wake());
            let _ = queue.state.export(|| Err(()));
            while !queue.poll(None, false) {}
            waker.join().unwrap();
            queue.poll(Some(Duration::ZERO), false);
            assert_eq!(queue.state.wake(|| Err("told")), Err("told"));
        });
    }

    /// A wake that returned `Ok` gives an event, though another one joined it whose system call failed.
    #[test]
    fn a_wake_that_fails_voids_no_other() {
        model(|| {
            let (queue, written) = (Queue::new(), Written::nothing());
            written.write(1);
            let failing = spawn(&queue, |queue| queue.wake_in_vain());
            let waker = spawn(&queue, {
                let written = written.clone();
                move |queue| {
                    written.write(0);
                    queue.wake();
                }
            });
            written.poll_until_all_is_seen(&queue);
            failing.join().unwrap();
            waker.join().unwrap();
        });
    }

    #[test]
    fn the_wake_after_one_that_failed_tells_the_os() {
        loom::model(|| {
            let queue = Queue::new();
            let waker = spawn(&queue, |queue| {
                queue.wake_in_vain();
                queue.wake();
            });
            while !queue.poll(None, false) {}
            waker.join().unwrap();
        });
    }
}
