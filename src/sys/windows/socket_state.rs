//! The state of one registered socket: what it waits for, and its poll of the driver.
//!
//! A poll of AFD is a single question: it completes once, as soon as one of the conditions that it asks for holds. This file
//! turns such answers into triggers by asking again, or not. A condition that the registration waits for is *armed*. Failures
//! are armed whatever the interests are, and the end of the peer's writing is armed for a reader.
//!
//! - With an *edge-triggered* registration, each condition is an edge of its own: once it is reported, it is no longer armed,
//!   and the others stay armed. I/O that has used up a direction arms that direction again, and registering again arms
//!   everything. I/O must not arm a condition that stays true once it is true, or it would be reported over and over. Such
//!   conditions are a reset, after which there is nothing to wait for; the end of the peer's writing, after which a reader has
//!   nothing to wait for; and a failed attempt to connect, which stays true until the next attempt, even when its error was
//!   taken.
//! - A *one-shot* registration waits for nothing after an event.
//! - A *level-triggered* registration keeps waiting for everything.
//!
//! A socket has at most one poll in flight, and is in one of four phases:
//!
//! | phase | what happens | how it ends |
//! |---|---|---|
//! | idle | nothing, because nothing is armed | when something is armed: queued, or polling if a `select` is running |
//! | polling | a poll is in flight | with its completion; or, when more is armed than it asks for: cancelling |
//! | cancelling | a poll is in flight, but no longer useful | with its completion: polling, for what is armed by then |
//! | queued | something is armed, and the batch knows that | when the next `select` asks: polling |
//!
//! A queued socket waits until the next `select` polls it, for three reasons: a registration that ends before that costs
//! nothing; a level-triggered one has to be reported as it is then; and the program's I/O in between often arms another
//! direction, so that one poll is enough for both.
//!
//! If a poll cannot be submitted, or fails, it is submitted again a little later. If that fails as well, the armed directions
//! are reported as ready, with an error: I/O then finds out whether they are, and no program waits in vain.
//!
//! When the registration ends, the state is free for another socket at once, in any phase, and the new socket's poll follows a
//! cancelled one. So the answer to a cancelled poll, which may concern the previous socket, does not count.

#![allow(unsafe_code)]

use std::io;
use std::mem;
use std::os::windows::io::RawSocket;
use std::sync::{Arc, Mutex, MutexGuard};

use super::afd::{self, Afd, Answer, Question};
use super::iocp::{InFlight, Operation, Port};
use super::{Batch, lock};
use crate::sys::logic::afd::{ABORT, ACCEPT, CONNECT_FAIL, DISCONNECT, LOCAL_CLOSE, RECEIVE, SEND, UNWATCHED};
use crate::sys::{Spent, Watch, not_registered};
use crate::{Interest, Trigger};

/// The conditions in which I/O in one of the directions can make progress, apart from ends and failures.
const READY: u32 = RECEIVE | ACCEPT | SEND;

pub(crate) struct SocketState {
    operation: Operation,
    question: Question,
    afd: Arc<Afd>,
    port: Arc<Port>,
    inner: Mutex<Inner>,
}

struct Inner {
    /// The driver's own socket.
    socket: RawSocket,
    /// What the registration asks for, or `None` after it has ended.
    watch: Option<Watch>,
    /// The conditions that the registration waits for.
    armed: u32,
    phase: Phase,
    /// The last poll has failed.
    failed: bool,
    /// The program has closed the socket while it was registered.
    closed: bool,
}

#[derive(Copy, Clone, PartialEq)]
enum Phase {
    Idle,
    /// Holds the conditions that the poll asks for.
    Polling(u32),
    Cancelling,
    Queued,
}

impl SocketState {
    pub(crate) fn new(afd: Arc<Afd>, port: Arc<Port>) -> SocketState {
        let inner = Inner { socket: 0, watch: None, armed: 0, phase: Phase::Idle, failed: false, closed: false };
        SocketState { operation: Operation::new(), question: Question::new(), afd, port, inner: Mutex::new(inner) }
    }

    /// Starts a registration in a state that has none. If that fails, it still has none. `batch` is the queue's, or `None` if a
    /// `select` is running.
    pub(crate) fn begin(
        self: &Arc<Self>,
        socket: RawSocket,
        watch: Watch,
        batch: Option<&mut Batch>,
    ) -> io::Result<()> {
        let mut inner = self.inner();
        inner.socket = socket;
        inner.closed = false;
        self.watch(&mut inner, watch, batch)
    }

    /// Replaces what the registration asks for, and arms all of it. After an error, the registration is as it was before.
    pub(crate) fn replace(self: &Arc<Self>, watch: Watch, batch: Option<&mut Batch>) -> io::Result<()> {
        let mut inner = self.inner();
        if inner.closed {
            return Err(not_registered());
        }
        self.watch(&mut inner, watch, batch)
    }

    fn watch(self: &Arc<Self>, inner: &mut Inner, watch: Watch, batch: Option<&mut Batch>) -> io::Result<()> {
        let before = (inner.watch, inner.armed);
        (inner.watch, inner.armed) = (Some(watch), conditions(watch.interest));
        inner.failed = false;
        self.update(inner, batch).inspect_err(|_| (inner.watch, inner.armed) = before)
    }

    /// Arms again what I/O has used up, if the registration is edge-triggered.
    pub(crate) fn rearm(self: &Arc<Self>, spent: Spent) -> io::Result<()> {
        let mut inner = self.inner();
        match inner.watch {
            Some(Watch { interest, trigger: Trigger::Edge, .. }) if !inner.closed => {
                inner.armed |= after_io(inner.armed, interest, spent);
                self.update(&mut inner, None)
            }
            _ => Ok(()),
        }
    }

    /// Ends the registration. Returns whether the state is free for another socket.
    pub(crate) fn end(&self) -> bool {
        let mut inner = self.inner();
        inner.watch = None;
        inner.armed = 0;
        match inner.phase {
            Phase::Polling(_) => self.cancel_poll(&mut inner).is_ok(),
            Phase::Idle | Phase::Cancelling | Phase::Queued => true,
        }
    }

    /// Polls the socket, because a `select` has started and this state was queued for it.
    pub(crate) fn resume(self: &Arc<Self>, batch: &mut Batch) {
        let mut inner = self.inner();
        inner.phase = Phase::Idle;
        self.submit_or_fail(&mut inner, batch);
    }

    /// Makes sure that a poll asks for everything that is armed, now or soon.
    fn update(self: &Arc<Self>, inner: &mut Inner, batch: Option<&mut Batch>) -> io::Result<()> {
        match (inner.phase, batch) {
            (Phase::Idle, Some(batch)) => {
                inner.phase = Phase::Queued;
                batch.queued.push(Arc::clone(self));
                Ok(())
            }
            (Phase::Idle, None) => self.submit(inner),
            (Phase::Polling(asked), _) if inner.armed & !asked != 0 => self.cancel_poll(inner),
            (Phase::Polling(_) | Phase::Cancelling | Phase::Queued, _) => Ok(()),
        }
    }

    /// Submits a poll for everything that is armed.
    fn submit(self: &Arc<Self>, inner: &mut Inner) -> io::Result<()> {
        if inner.armed == 0 {
            return Ok(());
        }
        let events = inner.armed | LOCAL_CLOSE;
        inner.phase = Phase::Polling(inner.armed);
        let submitted = self.port.start(
            self,
            |state| &state.operation,
            |overlapped| {
                // SAFETY: both are part of this state, which the port keeps alive until the completion was dequeued. After
                // that, `completed` is the first to access them.
                unsafe { self.afd.poll(overlapped, &self.question, inner.socket, events) }
            },
        );
        if submitted.is_err() {
            inner.phase = Phase::Idle;
        }
        match submitted {
            // The queue is gone, so no poll can report an event.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            submitted => submitted,
        }
    }

    /// Submits a poll where no caller can take an error.
    fn submit_or_fail(self: &Arc<Self>, inner: &mut Inner, batch: &mut Batch) {
        if let Err(error) = self.submit(inner) {
            self.failed(inner, &error, batch);
        }
    }

    /// Deals with a poll that could not be submitted, or has failed. If the socket is closed, that is the end; otherwise the
    /// poll is tried again.
    fn failed(self: &Arc<Self>, inner: &mut Inner, error: &io::Error, batch: &mut Batch) {
        let Some(watch) = inner.watch else { return };
        if afd::is_gone(error) {
            return inner.close();
        }
        if mem::replace(&mut inner.failed, true) && inner.armed & READY != 0 {
            inner.report(watch, inner.armed & READY | UNWATCHED, batch);
        }
        if inner.armed != 0 {
            inner.phase = Phase::Queued;
            batch.try_again_later(Arc::clone(self));
        }
    }

    fn cancel_poll(&self, inner: &mut Inner) -> io::Result<()> {
        self.afd.cancel(&self.operation)?;
        inner.phase = Phase::Cancelling;
        Ok(())
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }
}

impl InFlight for SocketState {
    fn completed(self: Arc<Self>, _operation: usize, _bytes: usize, batch: &mut Batch) {
        let mut inner = self.inner();
        let cancelled = mem::replace(&mut inner.phase, Phase::Idle) == Phase::Cancelling;
        let Some(watch) = inner.watch else { return };
        // SAFETY: the poll has ended, and the next one starts only under the lock that is held here.
        let answer = unsafe { self.question.answer(self.operation.status()) };
        let events = match answer {
            _ if cancelled => 0,
            // The program has closed the socket without deregistering it, so its registration is silent from now on.
            Answer::Events(events) if events & LOCAL_CLOSE != 0 => return inner.close(),
            Answer::Failed(error) => return self.failed(&mut inner, &error, batch),
            Answer::Events(events) => events & inner.armed,
            Answer::Cancelled => 0,
        };
        if events == 0 {
            // The poll was cancelled in order to ask for something else, or the registration no longer wants what it has
            // reported.
            self.submit_or_fail(&mut inner, batch);
            batch.resubmitted = true;
            return;
        }
        inner.failed = false;
        inner.report(watch, events, batch);
        if inner.armed != 0 {
            inner.phase = Phase::Queued;
            batch.queued.push(Arc::clone(&self));
        }
    }

    fn cancel(&self) {
        let _submitted = self.inner();
        // If this fails, the port waits for the poll to complete by itself.
        let _ = self.afd.cancel(&self.operation);
    }
}

impl Inner {
    fn report(&mut self, watch: Watch, events: u32, batch: &mut Batch) {
        batch.report(watch.token, events);
        self.armed = after_event(watch.trigger, self.armed, events);
    }

    fn close(&mut self) {
        self.closed = true;
        self.armed = 0;
    }
}

/// Returns what a registration waits for at the start.
fn conditions(interest: Interest) -> u32 {
    let mut conditions = ABORT | CONNECT_FAIL;
    if interest.is_readable() {
        conditions |= RECEIVE | ACCEPT | DISCONNECT;
    }
    if interest.is_writable() {
        conditions |= SEND;
    }
    conditions
}

/// Returns what a registration waits for after an event.
fn after_event(trigger: Trigger, armed: u32, told: u32) -> u32 {
    match trigger {
        Trigger::Level => armed,
        Trigger::OneShot => 0,
        // After a reset, nothing more happens.
        Trigger::Edge if told & ABORT != 0 => 0,
        // The event says that both directions are ready. The socket is not connected, so its ends may still come.
        Trigger::Edge if told & CONNECT_FAIL != 0 => armed & !(told | READY) | armed & DISCONNECT,
        Trigger::Edge => armed & !told,
    }
}

/// Returns what an edge-triggered registration waits for in addition after I/O.
fn after_io(armed: u32, interest: Interest, spent: Spent) -> u32 {
    let (Spent::Blocked(spent) | Spent::Short(spent)) = spent else { return 0 };
    let (reset, read_closed) = (armed & ABORT == 0, armed & DISCONNECT == 0);
    let mut conditions = 0;
    if spent.is_readable() && interest.is_readable() && !reset && !read_closed {
        conditions |= RECEIVE | ACCEPT;
    }
    if spent.is_writable() && interest.is_writable() && !reset {
        // The program may have made another attempt to connect.
        conditions |= SEND | CONNECT_FAIL;
    }
    conditions
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

    fn after_edges(interest: Interest, told: &[u32]) -> u32 {
        told.iter().fold(conditions(interest), |armed, &told| after_event(Trigger::Edge, armed, told & armed))
    }

    #[cfg(feature = "os-ext")]
    #[test]
    fn a_queue_that_ends_while_a_poll_is_submitted_does_not_wait_for_that_in_vain() {
        use std::net::UdpSocket;
        use std::os::windows::io::AsRawSocket;
        use std::thread;
        use std::time::{Duration, Instant};

        let port = Arc::new(Port::new().unwrap());
        let afd = Arc::new(Afd::open(&port).unwrap());
        let state = Arc::new(SocketState::new(afd, Arc::clone(&port)));
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let base = afd::base_socket(socket.as_raw_socket()).unwrap();
        let start = Instant::now();
        thread::scope(|scope| {
            let _inner = state.inner();
            let submit = |overlapped| {
                scope.spawn(|| port.close());
                while !port.is_closed() {
                    thread::yield_now();
                }
                // If `close` did not wait for the lock, it would have cancelled all polls by now, which is too early for this
                // one.
                thread::sleep(Duration::from_millis(100));
                // SAFETY: this is the same as in `submit`.
                unsafe { state.afd.poll(overlapped, &state.question, base, RECEIVE) }
            };
            port.start(&state, |state| &state.operation, submit).unwrap();
        });
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    }

    #[test]
    fn each_condition_is_an_edge_of_its_own() {
        assert_eq!(after_edges(Interest::WRITABLE, &[SEND]), ABORT | CONNECT_FAIL);
        assert_eq!(after_edges(Interest::READABLE, &[RECEIVE, ACCEPT]), DISCONNECT | ABORT | CONNECT_FAIL);
        assert_eq!(after_edges(BOTH, &[RECEIVE | SEND, ACCEPT, DISCONNECT]), ABORT | CONNECT_FAIL);
        assert_eq!(after_edges(BOTH, &[ABORT]), 0);
        assert_eq!(after_edges(BOTH, &[CONNECT_FAIL]), DISCONNECT | ABORT);
        assert_eq!(after_edges(BOTH, &[CONNECT_FAIL | DISCONNECT]), DISCONNECT | ABORT);
        assert_eq!(after_event(Trigger::Level, conditions(BOTH), ABORT), conditions(BOTH));
        assert_eq!(after_event(Trigger::OneShot, conditions(BOTH), RECEIVE), 0);
    }

    #[test]
    fn io_arms_what_it_has_used_up_and_nothing_that_stays_true() {
        let told = after_edges(BOTH, &[RECEIVE | SEND]);
        let read = Spent::Blocked(Interest::READABLE);
        let write = Spent::Blocked(Interest::WRITABLE);
        assert_eq!(after_io(told, BOTH, read), RECEIVE | ACCEPT);
        assert_eq!(after_io(told, BOTH, write), SEND | CONNECT_FAIL);
        assert_eq!(after_io(told, Interest::READABLE, write), 0);
        assert_eq!(after_io(after_edges(BOTH, &[RECEIVE | SEND, DISCONNECT]), BOTH, read), 0);
        assert_eq!(after_io(after_edges(BOTH, &[CONNECT_FAIL]), BOTH, Spent::Error), 0);
        assert_eq!(after_io(after_edges(BOTH, &[CONNECT_FAIL]), BOTH, write), SEND | CONNECT_FAIL);
        assert_eq!(after_io(after_edges(BOTH, &[CONNECT_FAIL]), BOTH, read), RECEIVE | ACCEPT);
        for spent in [read, write, Spent::Error] {
            assert_eq!(after_io(after_edges(BOTH, &[ABORT]), BOTH, spent), 0);
        }
    }
}
