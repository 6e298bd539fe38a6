//! What a wake and a poll tell each other, in one atomic, so that a wake costs a system call only when a thread sleeps.
//! The file uses nothing of the crate and makes no system call itself, so loom checks the whole of it.

use std::time::Duration;

#[cfg(all(loom, test))]
use loom::sync::atomic::{AtomicUsize, Ordering};
#[cfg(not(all(loom, test)))]
use std::sync::atomic::{AtomicUsize, Ordering};

/// A wake was asked for, and no poll has given its event yet.
const WOKEN: usize = 1;
/// The OS was told of it: a notification is pending, and ends a poll.
const TOLD: usize = 1 << 1;
/// The next poll that ends hands its event out, whether or not there is a notification.
const OWED: usize = 1 << 2;
/// A thread sleeps in the poll, or is about to.
const POLLING: usize = 1 << 3;
/// There has been no waker yet, so a thread that polls does not say so here.
const UNCLAIMED: usize = 1 << 4;
/// Somebody else may sleep on the queue's file descriptor, from now on for good.
const EXPORTED: usize = 1 << 5;
/// The other bits count the notifications that polls have answered.
const ANSWERED: usize = 1 << 6;

/// With any of these set, a wake has to tell the OS.
const ASLEEP: usize = POLLING | UNCLAIMED | EXPORTED;

/// The state of the waker, of the poll, and of what the OS was told:
///
/// | | | `WOKEN` | `WOKEN`, `OWED` | `WOKEN`, `TOLD` |
/// |---|---|---|---|---|
/// | nobody sleeps | **idle** | **queued** | | |
/// | somebody may: `ASLEEP` | **asleep** | **untold** | **owed** | **told** |
///
/// | what happens | idle | queued | asleep | untold | owed | told |
/// |---|---|---|---|---|---|---|
/// | a wake | queued | – | untold, *tells* | *tells* | *tells* | – |
/// | it has told the OS | | | | told | told | – |
/// | it could not: an error | | | | – | – | – |
/// | a poll that may sleep begins | asleep | *event is due* | – | – | *event is due* | – |
/// | it ends, with the notification, which is an event | rest | rest | rest | rest | rest | rest |
/// | it ends without | – | rest, *event* | rest | – | rest, *event* | – |
/// | it ends without, and an event was due | | rest, *event* | | | rest, *event* | rest, *event* |
/// | the descriptor is handed out | asleep | owed, *tells* | – | – | *tells* | – |
/// | the first waker | | | asleep | | | |
/// | another waker | – | – | – | owed | – | owed |
///
/// *Rest* is idle, but asleep as long as there was no waker and from the time that the descriptor was handed out: asleep
/// while nobody sleeps is always safe, it costs a system call. There a poll has nothing to write here, either. A poll whose
/// event is due does not wait; one that fails does not end.
///
/// Each cell is one atomic step, and *tells* is followed by one of the two rows below the wake. Four rules carry it:
///
/// - *A wake that returned `Ok` gives an event.* It found that nobody sleeps, so a poll hands it out; or that the OS was
///   told; or it has told the OS itself, and each notification that a poll finds is an event. What another wake's
///   system call comes to is no concern of it: in *untold*, it makes its own.
/// - *`TOLD` is set only while a notification is pending that no poll has answered*: after the OS was told, and only if the
///   count of answers has not moved since the state was found untold. (It would have to come round, through millions of
///   answers, between the two steps of one wake.)
/// - *What the OS does not know, or may not know, is owed*: a wake that was queued when the descriptor is handed out, and one
///   whose notification may bear the token of the waker before, so that the poller does not recognize it.
/// - *The end of a poll answers every wake before it*, so the event's token is read after that step: of a waker that was made
///   while the poll was at work, and whose wake joined the last one's, it is the event.
///
/// A wake always writes, even when it changes nothing, so that the poll's later step synchronizes with it. And it gives one
/// event, but for the rare case that what was owed is also notified.
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

    /// Tells the OS, since it was not told yet in this state.
    fn tell<E>(&self, untold: usize, tell: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        tell()?;
        // If that fails, the notification was answered already, or some later wake tells the OS once more.
        let told = untold & !OWED | TOLD;
        let _ = self.0.compare_exchange(untold, told, Ordering::AcqRel, Ordering::Relaxed);
        Ok(())
    }

    /// The poller is about to wait. Returns how long it may, and whether that is no time because an event is due:
    /// [`after_wait`](WakeState::after_wait) is to know.
    #[inline]
    pub(crate) fn before_wait(&self, timeout: Option<Duration>) -> (Option<Duration>, bool) {
        if timeout == Some(Duration::ZERO) {
            return (timeout, false);
        }
        // An old value does no harm. That nobody sleeps, only the poller itself says; and who changes *asleep* tells the OS.
        let mut state = self.0.load(Ordering::Relaxed);
        while state & (ASLEEP | WOKEN) == 0 {
            match self.0.compare_exchange(state, state | POLLING, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return (timeout, false),
                Err(changed) => state = changed,
            }
        }
        if is_owed(state) { (Some(Duration::ZERO), true) } else { (timeout, false) }
    }

    /// The poller has waited, or has not because an event is `due`, and did or did not see the OS's notification. Returns
    /// whether to hand out an event, with the token of the waker there is *now*: a wake of another one that was made
    /// meanwhile may have been answered here as well.
    #[inline]
    pub(crate) fn after_wait(&self, notified: bool, due: bool) -> bool {
        let mut state = self.0.load(Ordering::Relaxed);
        loop {
            let owed = due || is_owed(state);
            // It rests already, or the notification is still to come.
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

    /// The queue's file descriptor is being handed out. `tell` tells the OS; it is called if it does not know of a wake. If
    /// that fails, the event comes with the next poll, and only who sleeps outside misses it.
    #[allow(dead_code, reason = "for backends whose queue is a descriptor")]
    pub(crate) fn export<E>(&self, tell: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        let exported = self.update(|state| state | EXPORTED | if is_owed(state) { OWED } else { 0 });
        if is_owed(exported) { self.tell(exported, tell) } else { Ok(()) }
    }

    /// There is a waker, or another one. Before the first one, the poller may sleep without having said so: it is said here.
    /// Between one and another, it may have failed to recognize a notification: that counts as answered.
    #[cold]
    pub(crate) fn claim(&self) {
        self.update(|state| {
            let polling = if state & UNCLAIMED != 0 { POLLING } else { 0 };
            let owed = if state & WOKEN != 0 && state & ASLEEP != 0 { OWED } else { 0 };
            (state & !(UNCLAIMED | TOLD) | polling | owed).wrapping_add(ANSWERED)
        });
    }

    /// Whether the OS may have been told of a wake that no poll has given the event of.
    #[cold]
    pub(crate) fn is_woken(&self) -> bool {
        self.0.load(Ordering::Acquire) & WOKEN != 0
    }

    /// Changes the state in one step. Returns the new one.
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

/// Whether the state is *queued* or *owed*.
#[inline]
fn is_owed(state: usize) -> bool {
    state & WOKEN != 0 && (state & ASLEEP == 0 || state & OWED != 0)
}

/// Run by `ci/loom`. A lost wake is a poll that sleeps for ever: a deadlock, which loom reports.
#[cfg(all(loom, test))]
mod models {
    use std::time::Duration;

    use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use loom::sync::{Arc, Condvar, Mutex};
    use loom::thread;

    use super::WakeState;

    /// A queue reduced to its waker: the state under test with what `Queue` makes of it, and an OS like epoll, which has most
    /// to go wrong: the notification carries a token of the kernel's, and the poller recognizes it by that.
    struct Queue {
        state: WakeState,
        token: AtomicUsize,
        /// Whether there was a waker.
        slot: Mutex<bool>,
        notifier: Notifier,
        os: Mutex<Os>,
        tell: Condvar,
    }

    /// What makes the OS's queue readable.
    #[derive(Copy, Clone, PartialEq)]
    enum Notifier {
        /// Each notification is an edge.
        Eventfd,
        /// One is an edge if there is none in it yet, so the poller takes out all that there are when it has seen an edge.
        Pipe,
    }

    use Notifier::{Eventfd, Pipe};

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
            self.poll_for_token(timeout, spurious).is_some()
        }

        /// The token of the waker's event, if there was one.
        fn poll_for_token(&self, timeout: Option<Duration>, spurious: bool) -> Option<usize> {
            let endless = timeout.is_none() && !spurious;
            let (timeout, due) = self.state.before_wait(timeout);
            let mut os = self.os.lock().unwrap();
            loop {
                // Drained meanwhile.
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

    /// As before the last, and between the two one that could not be made.
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

    /// Two at once is misuse. But the poller may have failed to recognize the notification of the first one meanwhile, and the
    /// first one's later wakes tell the OS all the same. (Into a pipe that may make no edge.)
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

    /// The poller may be at work on the event of the last waker when the next one is made, and wakes.
    #[test]
    fn the_event_of_a_new_waker_bears_its_token() {
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

    /// A source has the waker's token, so its event is taken for the waker's; or what was owed has also been notified.
    #[test]
    fn the_event_of_a_new_waker_bears_its_token_beside_one_that_is_taken_for_the_last_ones() {
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

    /// Between telling the OS of a wake and noting so, its event is given without, and a new waker takes the notification out.
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
                // The same state as before, but for the count.
                queue.claim(3)
            });
            assert_eq!(exported, Ok(()));
            assert_eq!(queue.state.wake(|| Err("told")), Err("told"));
            assert!(queue.poll(None, false));
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

    /// Two wakers at once are misuse, which release builds do not notice.
    #[test]
    fn a_second_waker_takes_no_wake_from_the_first() {
        for notifier in [Eventfd, Pipe] {
            model(move || {
                let queue = Queue::waking_by(notifier);
                queue.poll(Some(Duration::ZERO), false);
                let waker = spawn(&queue, |queue| queue.wake());
                let maker = spawn(&queue, |queue| queue.claim(2).unwrap());
                // An event of the token before is not recognized, and ends a poll all the same.
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

    /// The same window as above, one step after the other, with a wake that fails in it.
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

    /// Whenever polls begin, end, or fail.
    #[test]
    fn a_wake_gives_one_event() {
        model(|| {
            let queue = Queue::new();
            let waker = spawn(&queue, |queue| queue.wake());
            // Interrupted by a signal.
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
