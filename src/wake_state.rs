//! The state through which wakes and polls communicate. It is one atomic, and it makes a wake cost a system call only when a
//! thread sleeps. This file uses nothing else of the crate and makes no system call itself, so loom can check all of it.

use std::time::Duration;

#[cfg(all(loom, test))]
use loom::sync::atomic::{AtomicUsize, Ordering};
#[cfg(not(all(loom, test)))]
use std::sync::atomic::{AtomicUsize, Ordering};

/// A wake has happened, and no poll has returned its event yet.
const WOKEN: usize = 1;
/// The OS was told about the wake: a notification is pending, and ends a poll.
const TOLD: usize = 1 << 1;
/// The next poll that ends returns the event, even without a notification.
const OWED: usize = 1 << 2;
/// A thread sleeps in the poll, or is about to sleep.
const POLLING: usize = 1 << 3;
/// There has been no waker yet, so a thread that polls does not set `POLLING`.
const UNCLAIMED: usize = 1 << 4;
/// Other code may sleep on the queue's file descriptor. Once set, this stays set.
const EXPORTED: usize = 1 << 5;
/// The other bits count the notifications that polls have answered.
const ANSWERED: usize = 1 << 6;

/// If any of these is set, a wake has to tell the OS.
const ASLEEP: usize = POLLING | UNCLAIMED | EXPORTED;

/// The state of the waker, of the poll, and of what the OS knows:
///
/// | | | `WOKEN` | `WOKEN`, `OWED` | `WOKEN`, `TOLD` |
/// |---|---|---|---|---|
/// | no thread sleeps | **idle** | **queued** | | |
/// | a thread may sleep: `ASLEEP` | **asleep** | **untold** | **owed** | **told** |
///
/// | what happens | idle | queued | asleep | untold | owed | told |
/// |---|---|---|---|---|---|---|
/// | a wake happens | queued | – | untold, *tells* | *tells* | *tells* | – |
/// | the wake has told the OS | | | | told | told | – |
/// | the wake gets an error from the OS | | | | – | – | – |
/// | a poll that may sleep begins | asleep | *event is due* | – | – | *event is due* | – |
/// | the poll ends with the notification, which is an event | rest | rest | rest | rest | rest | rest |
/// | the poll ends without it | – | rest, *event* | rest | – | rest, *event* | – |
/// | the poll ends without it, and an event was due | | rest, *event* | | | rest, *event* | rest, *event* |
/// | the descriptor leaves the crate | asleep | owed, *tells* | – | – | *tells* | – |
/// | the program makes the first waker | | | asleep | | | |
/// | the program makes another waker | – | – | – | owed | – | owed |
///
/// *Rest* means idle, except before the first waker and after the descriptor has left the crate, when it means asleep. That is
/// always safe, even if no thread sleeps: it only costs a system call. A poll then has nothing to write here, either. A poll
/// whose event is due does not wait. A poll that fails does not count as ending.
///
/// Each cell is one atomic step, and one of the two rows below the wake follows *tells*. Four rules make this correct:
///
/// - *A wake that returns `Ok` produces an event.* Either it finds that no thread sleeps, and a poll will return the event; or
///   it finds that the OS was told; or it tells the OS itself, and each notification that a poll finds is an event. It does not
///   depend on the result of another wake's system call: in *untold*, it makes its own.
/// - *`TOLD` is set only while a notification is pending that no poll has answered*: after the OS was told, and only if the
///   count of answers has not changed since the wake found the state untold. (The count would have to wrap around, through
///   millions of answers, between the two steps of one wake.)
/// - *If the OS does not know of a wake, or may not know, its event is owed*: this holds for a wake that is queued when the
///   descriptor leaves the crate, and for a wake whose notification may carry the previous waker's token, so that the poller
///   does not recognize it.
/// - *The end of a poll answers every wake before it.* So the poller reads the event's token after that step: the event may
///   also answer the wake of a waker that was made while the poll was at work.
///
/// A wake always writes, even when it changes nothing, so that the poll's later step synchronizes with it. A wake produces one
/// event, except in the rare case that an owed event is also notified.
#[derive(Debug)]
pub(crate) struct WakeState(AtomicUsize);

impl WakeState {
    pub(crate) fn new() -> WakeState {
        WakeState(AtomicUsize::new(UNCLAIMED))
    }

    /// Wakes the poller. If a thread may sleep, this calls `tell`, which tells the OS, and returns its error.
    #[inline]
    pub(crate) fn wake<E>(&self, tell: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        let before = self.0.fetch_or(WOKEN, Ordering::AcqRel);
        if before & ASLEEP == 0 || before & TOLD != 0 { Ok(()) } else { self.tell(before | WOKEN, tell) }
    }

    /// Tells the OS, because it does not know of the wake in the state `untold`.
    fn tell<E>(&self, untold: usize, tell: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        tell()?;
        // If this fails, a poll has already answered the notification, or a later wake will tell the OS once more.
        let told = untold & !OWED | TOLD;
        let _ = self.0.compare_exchange(untold, told, Ordering::AcqRel, Ordering::Relaxed);
        Ok(())
    }

    /// Notes that the poller is about to wait. Returns how long it may wait, and whether it must not wait because an event is
    /// due. Pass the latter to [`after_wait`](WakeState::after_wait).
    #[inline]
    pub(crate) fn before_wait(&self, timeout: Option<Duration>) -> (Option<Duration>, bool) {
        if timeout == Some(Duration::ZERO) {
            return (timeout, false);
        }
        // An outdated value does no harm. Only the poller itself can turn *asleep* into *idle*, and a wake that finds *asleep*
        // tells the OS.
        let mut state = self.0.load(Ordering::Relaxed);
        while state & (ASLEEP | WOKEN) == 0 {
            match self.0.compare_exchange(state, state | POLLING, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return (timeout, false),
                Err(changed) => state = changed,
            }
        }
        if is_owed(state) { (Some(Duration::ZERO), true) } else { (timeout, false) }
    }

    /// Notes that the poller has waited, or has not waited because an event is `due`, and whether it has seen the OS's
    /// notification. Returns whether the poll has to return an event. That must carry the token of the *current* waker, because
    /// it may also answer a wake of a waker that was made in the meantime.
    #[inline]
    pub(crate) fn after_wait(&self, notified: bool, due: bool) -> bool {
        let mut state = self.0.load(Ordering::Relaxed);
        loop {
            let owed = due || is_owed(state);
            // The state is already at rest, or the notification is still on its way.
            if !notified && !owed && state & (WOKEN | POLLING) != POLLING {
                return false;
            }
            let rest = state & !(WOKEN | TOLD | OWED | POLLING);
            let rest = if notified { rest.wrapping_add(ANSWERED) } else { rest };
            match self.0.compare_exchange_weak(state, rest, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return owed || notified,
                Err(changed) => state = changed,
            }
        }
    }

    /// Notes that the queue's file descriptor leaves the crate. If the OS does not know of a wake, this calls `tell`, which
    /// tells the OS. If that fails, the event arrives with the next poll, and only a thread that sleeps outside the crate
    /// misses it.
    #[allow(dead_code, reason = "only some backends have a descriptor")]
    pub(crate) fn export<E>(&self, tell: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        let exported = self.update(|state| state | EXPORTED | if is_owed(state) { OWED } else { 0 });
        if is_owed(exported) { self.tell(exported, tell) } else { Ok(()) }
    }

    /// Notes that the program has made a waker. Before the first waker, a poller may sleep without having set `POLLING`, so
    /// this sets it. While one waker replaces another, the poller may fail to recognize a notification, which counts as
    /// answered.
    #[cold]
    pub(crate) fn claim(&self) {
        self.update(|state| {
            let polling = if state & UNCLAIMED != 0 { POLLING } else { 0 };
            let owed = if state & WOKEN != 0 && state & ASLEEP != 0 { OWED } else { 0 };
            (state & !(UNCLAIMED | TOLD) | polling | owed).wrapping_add(ANSWERED)
        });
    }

    /// Returns whether the OS may know of a wake whose event no poll has returned.
    #[cold]
    pub(crate) fn is_woken(&self) -> bool {
        self.0.load(Ordering::Acquire) & WOKEN != 0
    }

    /// Changes the state in one step. Returns the new state.
    fn update(&self, change: impl Fn(usize) -> usize) -> usize {
        let mut state = self.0.load(Ordering::Relaxed);
        loop {
            match self.0.compare_exchange_weak(state, change(state), Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return change(state),
                Err(changed) => state = changed,
            }
        }
    }
}

/// Returns whether the state is *queued* or *owed*.
#[inline]
fn is_owed(state: usize) -> bool {
    state & WOKEN != 0 && (state & ASLEEP == 0 || state & OWED != 0)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_wake_that_is_owed_stays_so_when_the_descriptor_is_taken_again_or_another_waker_is_made() {
        let state = WakeState::new();
        state.claim();
        assert!(!state.after_wait(false, false));
        state.wake(|| panic!("nobody sleeps")).unwrap_or_else(|never: std::convert::Infallible| match never {});
        for _ in 0..2 {
            state.export(|| Err(())).unwrap_err();
        }
        state.claim();
        assert_eq!(state.before_wait(None), (Some(Duration::ZERO), true));
        assert!(state.after_wait(false, true));
        assert_eq!(state.before_wait(None), (None, false));
    }
}

/// The models that `ci/loom` checks. A lost wake makes a poll sleep for ever, which is a deadlock, and loom reports it.
#[cfg(all(loom, test))]
mod models {
    use std::time::Duration;

    use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use loom::sync::{Arc, Condvar, Mutex};
    use loom::thread;

    use super::WakeState;

    /// A queue reduced to its waker: the state under test, the way in which `Queue` uses it, and an OS like epoll. epoll is the
    /// hardest case, because the kernel keeps the token of the notification, and the poller recognizes it by that token.
    struct Queue {
        state: WakeState,
        token: AtomicUsize,
        /// Whether there has been a waker.
        slot: Mutex<bool>,
        notifier: Notifier,
        os: Mutex<Os>,
        tell: Condvar,
    }

    /// The object that makes the OS's queue readable.
    #[derive(Copy, Clone, PartialEq)]
    enum Notifier {
        /// Each notification is an edge.
        Eventfd,
        /// A notification is an edge only if the pipe is empty, so the poller empties the pipe when it has seen an edge.
        Pipe,
    }

    use Notifier::{Eventfd, Pipe};

    #[derive(Default)]
    struct Os {
        /// The notifier is readable, until it is drained.
        readable: bool,
        /// There is an edge that no wait has reported yet.
        edge: bool,
        token: usize,
    }

    impl Queue {
        fn without_waker() -> Arc<Queue> {
            Queue::with(Eventfd)
        }

        fn with(notifier: Notifier) -> Arc<Queue> {
            Arc::new(Queue {
                state: WakeState::new(),
                token: AtomicUsize::new(0),
                slot: Mutex::new(false),
                notifier,
                os: Mutex::default(),
                tell: Condvar::new(),
            })
        }

        fn new() -> Arc<Queue> {
            Queue::waking_by(Eventfd)
        }

        fn waking_by(notifier: Notifier) -> Arc<Queue> {
            let queue = Queue::with(notifier);
            queue.claim(1).unwrap();
            queue
        }

        /// Makes a queue that has been polled once, so that its state is idle.
        fn idle() -> Arc<Queue> {
            let queue = Queue::new();
            queue.poll(Some(Duration::ZERO), false);
            queue
        }

        /// Does what `Queue::claim_waker` does.
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
            let was_woken = self.state.is_woken();
            let set = if *is_set {
                if !was_woken {
                    self.drain();
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
                if !was_woken && self.state.is_woken() {
                    let _ = self.notify();
                }
            }
            set
        }

        fn notify(&self) -> Result<(), ()> {
            let mut os = self.os.lock().unwrap();
            os.edge |= self.notifier == Eventfd || !os.readable;
            os.readable = true;
            self.tell.notify_all();
            Ok(())
        }

        fn drain(&self) {
            self.os.lock().unwrap().readable = false;
        }

        fn wake(&self) {
            self.state.wake(|| self.notify()).unwrap();
        }

        /// Wakes, with a system call that fails if the wake makes one.
        fn wake_in_vain(&self) {
            let _ = self.state.wake(|| Err(()));
        }

        fn export(&self) {
            self.state.export(|| self.notify()).unwrap();
        }

        /// Does what `Queue::select` does. Returns whether there was a waker's event. If it is `spurious`, the wait ends by
        /// itself, as it does for a source's event.
        fn poll(&self, timeout: Option<Duration>, spurious: bool) -> bool {
            self.poll_for_token(timeout, spurious).is_some()
        }

        /// Does the same, and returns the token of the waker's event, if there was one.
        fn poll_for_token(&self, timeout: Option<Duration>, spurious: bool) -> Option<usize> {
            let endless = timeout.is_none() && !spurious;
            let (timeout, due) = self.state.before_wait(timeout);
            let mut os = self.os.lock().unwrap();
            loop {
                // The notifier may have been drained in the meantime.
                os.edge &= os.readable;
                if os.edge || spurious || timeout.is_some() {
                    break;
                }
                os = self.tell.wait(os).unwrap();
            }
            let reported = std::mem::take(&mut os.edge).then_some(os.token);
            drop(os);
            let notified = reported == Some(self.token.load(Ordering::Acquire));
            if notified && self.notifier == Pipe {
                self.drain();
            }
            let event = self.state.after_wait(notified, due).then(|| self.token.load(Ordering::Acquire));
            assert!(event.is_some() || reported.is_some() || !endless, "a poll ended before its time");
            event
        }

        /// Sleeps on the OS's queue from outside, as an outer queue does, and leaves what it finds there.
        fn sleep_outside(&self) {
            let mut os = self.os.lock().unwrap();
            while !os.edge {
                os = self.tell.wait(os).unwrap();
            }
        }
    }

    /// Checks the interleavings with up to three preemptions, because checking all of them takes too long for a test.
    fn model(check: impl Fn() + Send + Sync + 'static) {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = model.preemption_bound.or(Some(3));
        model.check(check);
    }

    /// Starts a thread that shares the queue.
    fn spawn(queue: &Arc<Queue>, work: impl FnOnce(&Queue) + 'static) -> thread::JoinHandle<()> {
        let queue = Arc::clone(queue);
        thread::spawn(move || work(&queue))
    }

    /// The data that threads write before they wake. The poller polls until it sees all of it: whatever happened before a wake
    /// is visible after its event, or another event follows.
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

    /// Between telling the OS and noting that, the poller may answer and go to sleep again.
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

    /// An event follows every wake, even when polls return for other reasons while the wake tells the OS.
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

    /// Data written before a wake is visible after the event that the wake shares, even if the wake makes no system call.
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

    /// Two wakers at once are misuse, and one may undo what the other has just told the OS. But later wakes still work.
    #[test]
    fn two_threads_that_make_the_first_waker_at_once_stop_no_later_wake() {
        model(|| {
            let queue = Queue::without_waker();
            let makers = [1, 2].map(|token| {
                spawn(&queue, move |queue| {
                    queue.claim(token).unwrap();
                    queue.wake();
                })
            });
            queue.poll(None, true);
            for maker in makers {
                maker.join().unwrap();
            }
            queue.wake();
            while !queue.poll(None, false) {}
        });
    }

    /// The wake of a waker that was dropped produces its event, and so does the wake of the next one.
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

    #[test]
    fn a_wake_from_before_a_new_waker_ends_the_poll() {
        model(|| {
            let queue = Queue::new();
            let waker = spawn(&queue, |queue| {
                queue.wake();
                queue.claim(2).unwrap();
            });
            while !queue.poll(None, false) {}
            waker.join().unwrap();
        });
    }

    /// This repeats the test before the last, with an attempt to make a waker that fails between the two.
    #[test]
    fn a_waker_that_cannot_be_made_loses_no_wake_of_the_last_one() {
        for notifier in [Eventfd, Pipe] {
            model(move || {
                let (queue, written) = (Queue::waking_by(notifier), Written::nothing());
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
    }

    /// Two wakers at once are misuse. Meanwhile the poller may fail to recognize a notification of the first one, but its later
    /// wakes still tell the OS. (With a pipe, that may not cause an edge.)
    #[test]
    fn a_second_waker_that_cannot_be_made_stops_no_later_wake_of_the_first() {
        model(|| {
            let (queue, written) = (Queue::new(), Written::nothing());
            let waker = spawn(&queue, {
                let written = written.clone();
                move |queue| {
                    written.write(0);
                    queue.wake();
                    queue.claim_with(2, |_| Err(())).unwrap_err();
                    written.write(1);
                    queue.wake();
                }
            });
            written.poll_until_all_is_seen(&queue);
            waker.join().unwrap();
        });
    }

    /// The poller may be handling the event of the last waker when the program makes the next one, and that one wakes.
    #[test]
    fn the_event_of_a_new_waker_carries_its_token() {
        for notifier in [Eventfd, Pipe] {
            model(move || {
                let queue = Queue::waking_by(notifier);
                let waker = spawn(&queue, |queue| {
                    queue.wake();
                    queue.claim(2).unwrap();
                    queue.wake();
                });
                while queue.poll_for_token(None, false) != Some(2) {}
                waker.join().unwrap();
            });
        }
    }

    /// A source has the waker's token, so the poller takes its event for the waker's, or an owed event is also notified.
    #[test]
    fn the_event_of_a_new_waker_carries_its_token_beside_one_of_the_previous_waker() {
        for notifier in [Eventfd, Pipe] {
            model(move || {
                let queue = Queue::waking_by(notifier);
                queue.poll(Some(Duration::ZERO), false);
                queue.notify().unwrap();
                let waker = spawn(&queue, |queue| {
                    queue.wake();
                    queue.claim(2).unwrap();
                    queue.wake();
                });
                while queue.poll_for_token(None, false) != Some(2) {}
                waker.join().unwrap();
            });
        }
    }

    /// Between telling the OS of a wake and noting that, a poll returns its event without the notification, and a new waker
    /// drains the notification.
    #[test]
    fn a_notification_that_a_new_waker_has_taken_out_counts_no_more() {
        loom::model(|| {
            let queue = Queue::idle();
            queue.wake();
            let exported = queue.state.export(|| {
                assert!(queue.poll(None, false));
                queue.notify().unwrap();
                queue.claim(2).unwrap();
                queue.wake_in_vain();
                // The state is the same as before, except for the count.
                queue.claim(3)
            });
            assert_eq!(exported, Ok(()));
            assert_eq!(queue.state.wake(|| Err("told")), Err("told"));
            assert!(queue.poll(None, false));
        });
    }

    /// Once the queue's descriptor has left the crate, a wake reaches a thread that sleeps on it outside, even if the wake was
    /// queued just before, and the poll that follows returns its event.
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

    /// This repeats the test above, with a poll under way when another thread takes out the descriptor.
    #[test]
    fn an_export_during_a_poll_loses_no_wake() {
        model(|| {
            let queue = Queue::new();
            let exporter = spawn(&queue, |queue| queue.export());
            let waker = spawn(&queue, |queue| queue.wake());
            while !queue.poll(None, false) {}
            waker.join().unwrap();
            exporter.join().unwrap();
            // From now on, every wake goes through the OS.
            queue.poll(Some(Duration::ZERO), false);
            assert_eq!(queue.state.wake(|| Err("told")), Err("told"));
        });
    }

    /// Two wakers at once are misuse, which release builds do not notice.
    #[test]
    fn a_second_waker_takes_no_wake_from_the_first() {
        for notifier in [Eventfd, Pipe] {
            model(move || {
                let queue = Queue::waking_by(notifier);
                queue.poll(Some(Duration::ZERO), false);
                let waker = spawn(&queue, |queue| queue.wake());
                let maker = spawn(&queue, |queue| queue.claim(2).unwrap());
                // An event with the previous token is not recognized, but it still ends a poll.
                while !queue.poll(None, false) {}
                waker.join().unwrap();
                maker.join().unwrap();
            });
        }
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

    #[test]
    fn an_export_during_a_poll_that_does_not_wait_takes_no_event_from_it() {
        model(|| {
            let queue = Queue::idle();
            queue.wake();
            let exporter = spawn(&queue, |queue| queue.export());
            assert!(queue.poll(None, false));
            exporter.join().unwrap();
        });
    }

    /// A wake that was queued without the OS produces its event, even if the OS did not hear of it when the descriptor
    /// left the crate, and later wakes tell the OS.
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

    /// A wake that returns `Ok` produces an event, even if another wake joins it and its system call fails.
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

    /// This takes the steps of the window above one after the other, with a wake that fails in between.
    #[test]
    fn a_notification_that_was_answered_while_its_wake_returned_counts_no_more() {
        loom::model(|| {
            let queue = Queue::idle();
            queue.state.before_wait(None);
            let slow = queue.state.wake(|| {
                assert!(queue.state.after_wait(true, false));
                queue.state.before_wait(None);
                queue.wake_in_vain();
                Ok::<(), ()>(())
            });
            assert_eq!(slow, Ok(()));
            assert_eq!(queue.state.wake(|| Err("told")), Err("told"));
        });
    }

    #[test]
    fn a_wake_whose_notification_is_still_to_come_gives_one_event() {
        loom::model(|| {
            let queue = Queue::idle();
            queue.state.before_wait(None);
            queue.wake();
            assert!(!queue.state.after_wait(false, false), "its notification follows");
            assert!(queue.poll(None, false));
            assert!(!queue.poll(Some(Duration::ZERO), false));
        });
    }

    #[test]
    fn a_wake_while_nobody_sleeps_or_after_one_that_was_told_makes_no_call() {
        loom::model(|| {
            let no_call = || -> Result<(), ()> { panic!("a call") };
            let queue = Queue::idle();
            queue.claim(2).unwrap();
            assert_eq!(queue.state.wake(no_call), Ok(()));
            assert!(queue.poll(None, false));
            queue.state.before_wait(None);
            queue.wake();
            assert_eq!(queue.state.wake(no_call), Ok(()));
            assert!(queue.poll(None, false));
        });
    }

    #[test]
    fn what_is_owed_gives_one_event() {
        loom::model(|| {
            let queue = Queue::idle();
            queue.state.before_wait(None);
            queue.wake();
            queue.claim(2).unwrap();
            queue.wake();
            assert!(!queue.state.after_wait(false, false), "the OS was told, and its notification follows");
            queue.claim(3).unwrap();
            assert!(queue.poll(None, false));
            queue.state.before_wait(None);
            queue.wake_in_vain();
            assert!(!queue.state.after_wait(false, false), "nothing is owed any more");
        });
    }

    /// This holds whenever polls begin, end, or fail.
    #[test]
    fn a_wake_gives_one_event() {
        model(|| {
            let queue = Queue::new();
            let waker = spawn(&queue, |queue| queue.wake());
            // A signal interrupts this poll.
            queue.state.before_wait(None);
            let mut events = usize::from(queue.poll(None, true));
            while events == 0 {
                events += usize::from(queue.poll(None, false));
            }
            waker.join().unwrap();
            events += usize::from(queue.poll(Some(Duration::ZERO), false));
            assert_eq!(events, 1);
        });
    }
}
