//! Waking a poll from another thread: the public [`Waker`], and the state machine that spares system calls.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::queue::Queue;
use crate::{Registry, Token};

#[cfg(all(loom, test))]
use loom::sync::atomic::{AtomicU8, Ordering};
#[cfg(not(all(loom, test)))]
use std::sync::atomic::{AtomicU8, Ordering};

/// Wakes a [`Poll`](crate::Poll) from any thread.
///
/// After [`wake`](Waker::wake), the poll that is running or the next one gives a readable event with the waker's token.
/// A wake is never lost; several wakes between two polls may give one event. Everything that happened before `wake` is
/// visible to the polling thread after that poll.
///
/// One waker serves any number of threads: share it by reference or in an [`Arc`]. A `Poll` has one waker at a time. A
/// waker does nothing for a poll once it was dropped, and a dropped `Poll` makes `wake` pointless, not wrong.
///
/// # Cost
///
/// `wake` makes a system call only when a thread sleeps in the poll (or its file descriptor was taken out with
/// `as_raw_fd` or `as_fd`, and may be slept on elsewhere): `write(2)` to an `eventfd(2)` or pipe, `kevent(2)` with
/// `EVFILT_USER`, `port_send(3C)`, or `PostQueuedCompletionStatus`. Otherwise it is one atomic operation.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::sync::Arc;
/// use std::thread;
/// use mio::{Events, Poll, Token, Waker};
///
/// const WAKE: Token = Token(10);
///
/// let mut poll = Poll::new()?;
/// let mut events = Events::with_capacity(2);
///
/// let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
/// let thread = thread::spawn({
///     let waker = Arc::clone(&waker);
///     move || waker.wake()
/// });
///
/// poll.poll(&mut events, None)?;
/// let event = events.iter().next().expect("a wake gives an event");
/// assert_eq!(event.token(), WAKE);
/// assert!(event.is_readable());
/// # thread.join().unwrap()
/// # }
/// ```
#[derive(Debug)]
pub struct Waker {
    queue: Arc<Queue>,
}

impl Waker {
    /// Makes the waker of the `Poll` that `registry` belongs to; its events bear `token`.
    ///
    /// # Errors
    ///
    /// Those of making an `eventfd(2)` or pipe and adding it to the queue, where that is how the platform wakes.
    ///
    /// # Panics
    ///
    /// In debug builds, when the `Poll` has a live waker already. (In release builds the new waker's token replaces the
    /// older one's.)
    ///
    /// # Examples
    ///
    /// ```
    /// use mio::{Poll, Token, Waker};
    ///
    /// let poll = Poll::new()?;
    /// let waker = Waker::new(poll.registry(), Token(0))?;
    /// drop(waker);
    /// let waker = Waker::new(poll.registry(), Token(1))?; // the first one is gone
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn new(registry: &Registry, token: Token) -> io::Result<Waker> {
        let queue = Arc::clone(registry.queue());
        queue.claim_waker(token)?;
        Ok(Waker { queue })
    }

    /// Makes the poll that is running, or else the next one, return with this waker's event.
    ///
    /// Never blocks.
    ///
    /// # Errors
    ///
    /// Those of the system call, if one is made; any number of pending wakes is none.
    ///
    /// # Examples
    ///
    /// ```
    /// use mio::{Events, Poll, Token, Waker};
    ///
    /// let mut poll = Poll::new()?;
    /// let mut events = Events::with_capacity(8);
    /// let waker = Waker::new(poll.registry(), Token(0))?;
    ///
    /// waker.wake()?;
    /// waker.wake()?;
    /// poll.poll(&mut events, None)?;
    /// assert_eq!(events.iter().count(), 1); // one event may stand for several wakes
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[inline]
    pub fn wake(&self) -> io::Result<()> {
        self.queue.wake()
    }
}

impl Drop for Waker {
    fn drop(&mut self) {
        self.queue.release_waker();
    }
}

/// A wake was asked for, and its event was not handed out yet.
const WOKEN: u8 = 1;
/// A thread sleeps in the poll, or is about to.
const POLLING: u8 = 1 << 1;
/// There was no waker yet, so a thread that polls did not say so here.
const UNCLAIMED: u8 = 1 << 2;
/// Somebody else may sleep on the queue's file descriptor, from now on for good.
const EXPORTED: u8 = 1 << 3;

/// With any of these set, a wake has to tell the OS.
const ASLEEP: u8 = POLLING | UNCLAIMED | EXPORTED;

const IDLE: u8 = 0;
const QUEUED: u8 = WOKEN;

/// What a wake and a poll tell each other, in one atomic, so that a wake costs a system call only when a thread sleeps:
///
/// | | not woken | woken |
/// |---|---|---|
/// | nobody sleeps | **idle** | **queued**: the next poll hands the event out, without the OS |
/// | somebody may | **asleep** | **sent**: the OS was told (or is being told), and will say so to a poll |
///
/// - A wake sets `WOKEN`; the one that finds *asleep* tells the OS; those that find *queued* or *sent* change nothing.
///   It is always a read-modify-write, so that the poller's later one synchronises with it.
/// - A poll that may sleep sets `POLLING` first, if *idle*; if it finds *queued*, it does not sleep.
/// - After the wait it clears `POLLING`. *Queued* ends by handing the event out; *sent* stays as it is until the OS's own
///   notification was seen, which may be one poll later.
/// - *Asleep* while nobody sleeps is always safe: it costs a system call. So it is the resting state while there is no
///   waker, and for good once the queue's descriptor was handed out; then a poll has nothing to write here.
#[derive(Debug)]
pub(crate) struct WakeState(AtomicU8);

impl WakeState {
    pub(crate) fn new() -> WakeState {
        WakeState(AtomicU8::new(UNCLAIMED))
    }

    /// There is a new waker. The poller may sleep without having said so: it is said here. What an earlier waker left
    /// asked for is void.
    pub(crate) fn claim(&self) {
        self.0.fetch_or(POLLING, Ordering::AcqRel);
        self.0.fetch_and(!(WOKEN | UNCLAIMED), Ordering::AcqRel);
    }

    /// Asks for a wake. Returns whether the caller has to tell the OS.
    #[inline]
    pub(crate) fn wake(&self) -> bool {
        let before = self.0.fetch_or(WOKEN, Ordering::AcqRel);
        before & WOKEN == 0 && before & ASLEEP != 0
    }

    /// The OS could not be told of a wake: as if it had not been asked for, so that the next one tries again.
    #[cold]
    pub(crate) fn retract(&self) {
        self.0.fetch_and(!WOKEN, Ordering::AcqRel);
    }

    /// The poller is about to wait. Returns how long it may.
    #[inline]
    pub(crate) fn before_wait(&self, timeout: Option<Duration>) -> Option<Duration> {
        if timeout == Some(Duration::ZERO) || self.0.load(Ordering::Relaxed) & ASLEEP != 0 {
            return timeout;
        }
        match self.0.compare_exchange(IDLE, POLLING, Ordering::AcqRel, Ordering::Relaxed) {
            Err(QUEUED) => Some(Duration::ZERO),
            // Announced; or an export did so in between. From here on a wake tells the OS.
            Ok(_) | Err(_) => timeout,
        }
    }

    /// The poller has waited, and did or did not see the OS's notification. Returns whether to hand out an event for a
    /// wake that the OS was not told of.
    #[inline]
    pub(crate) fn after_wait(&self, notified: bool) -> bool {
        let mut state = self.0.load(Ordering::Relaxed);
        loop {
            let queued = state == QUEUED;
            // It rests already, or the notification of a wake is still to come.
            if state & (WOKEN | POLLING) == 0 || state & WOKEN != 0 && !queued && !notified {
                return false;
            }
            let rest = state & (UNCLAIMED | EXPORTED);
            match self.0.compare_exchange_weak(state, rest, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return queued && !notified,
                Err(changed) => state = changed,
            }
        }
    }

    /// The queue's file descriptor is handed out. Returns whether the caller has to tell the OS of a queued wake.
    #[allow(dead_code, reason = "for backends whose queue is a descriptor")]
    pub(crate) fn export(&self) -> bool {
        self.0.fetch_or(EXPORTED, Ordering::AcqRel) == QUEUED
    }
}

/// Run with `RUSTFLAGS="--cfg loom" cargo test --release --lib --features os-poll waker`.
#[cfg(all(loom, test))]
mod models {
    use std::time::Duration;

    use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use loom::sync::{Arc, Condvar, Mutex};
    use loom::thread;

    use super::WakeState;

    /// A queue reduced to its waker: the state under test, and an OS that can be told something and slept on.
    struct Queue {
        state: WakeState,
        told: Mutex<bool>,
        tell: Condvar,
    }

    impl Queue {
        fn new() -> Arc<Queue> {
            let queue = Queue { state: WakeState::new(), told: Mutex::new(false), tell: Condvar::new() };
            queue.state.claim();
            Arc::new(queue)
        }

        fn notify(&self) {
            *self.told.lock().unwrap() = true;
            self.tell.notify_all();
        }

        fn wake(&self) {
            if self.state.wake() {
                self.notify();
            }
        }

        /// What `Queue::select` does. Returns whether there was a waker's event. `spurious`: the wait ends by itself, as
        /// for a source's event.
        fn poll(&self, timeout: Option<Duration>, spurious: bool) -> bool {
            let timeout = self.state.before_wait(timeout);
            let mut told = self.told.lock().unwrap();
            while timeout.is_none() && !spurious && !*told {
                told = self.tell.wait(told).unwrap();
            }
            let notified = std::mem::take(&mut *told);
            drop(told);
            self.state.after_wait(notified) || notified
        }

        /// Sleeps on the OS's queue from outside, as an outer queue does, and leaves what it finds there.
        fn sleep_outside(&self) {
            let mut told = self.told.lock().unwrap();
            while !*told {
                told = self.tell.wait(told).unwrap();
            }
        }
    }

    /// No wake is lost, whichever way two threads that wake interleave with one that polls: the poller ends only when it
    /// has seen, after an event, what each of them wrote before waking. A lost wake is a deadlock, which loom reports.
    ///
    /// Interleavings of up to three preemptions: all of them take longer than a test should.
    #[test]
    fn two_wakers_and_a_poller_lose_no_wake() {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(3);
        model.check(|| {
            let queue = Queue::new();
            let written = Arc::new([AtomicBool::new(false), AtomicBool::new(false)]);
            let wakers: Vec<_> = (0..2)
                .map(|index| {
                    let (queue, written) = (queue.clone(), written.clone());
                    thread::spawn(move || {
                        written[index].store(true, Ordering::Relaxed);
                        queue.wake();
                    })
                })
                .collect();
            while !written.iter().all(|written| written.load(Ordering::Relaxed)) {
                // All that happened before a wake is visible after its event, or another event is to come.
                queue.poll(None, false);
            }
            for waker in wakers {
                waker.join().unwrap();
            }
        });
    }

    /// Every wake is followed by an event, also when polls return for other reasons while the OS is being told: after
    /// the wake, at most two polls hand it out (one may have been under way).
    #[test]
    fn a_wake_during_a_busy_poll_gives_an_event() {
        loom::model(|| {
            let queue = Queue::new();
            let waker = thread::spawn({
                let queue = queue.clone();
                move || queue.wake()
            });
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
        loom::model(|| {
            let queue = Queue::new();
            let count = Arc::new(AtomicUsize::new(0));
            let waker = thread::spawn({
                let (queue, count) = (queue.clone(), count.clone());
                move || {
                    for number in 1..=2 {
                        count.store(number, Ordering::Relaxed);
                        queue.wake();
                    }
                }
            });
            while count.load(Ordering::Relaxed) < 2 {
                queue.poll(None, false);
            }
            waker.join().unwrap();
        });
    }

    /// Once the queue's descriptor was handed out, a wake reaches whoever sleeps on it outside, even one that was queued
    /// just before; and the poll that follows gives its event.
    #[test]
    fn an_exported_queue_wakes_its_outer_sleeper() {
        loom::model(|| {
            let queue = Queue::new();
            // The poller has been round once: the state is idle.
            queue.poll(Some(Duration::ZERO), false);
            let waker = thread::spawn({
                let queue = queue.clone();
                move || queue.wake()
            });
            if queue.state.export() {
                queue.notify();
            }
            queue.sleep_outside();
            assert!(queue.poll(Some(Duration::ZERO), false));
            waker.join().unwrap();
        });
    }

    /// As above, with the poll under way when the descriptor is handed out by another thread.
    #[test]
    fn an_export_during_a_poll_loses_no_wake() {
        loom::model(|| {
            let queue = Queue::new();
            let exporter = thread::spawn({
                let queue = queue.clone();
                move || {
                    if queue.state.export() {
                        queue.notify();
                    }
                }
            });
            let waker = thread::spawn({
                let queue = queue.clone();
                move || queue.wake()
            });
            while !queue.poll(None, false) {}
            waker.join().unwrap();
            exporter.join().unwrap();
            // From now on, always through the OS.
            assert!(queue.state.wake());
        });
    }
}
