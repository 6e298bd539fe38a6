//! The state of one registered socket: what it waits for, and its poll of the driver.
//!
//! A poll of AFD is one question: it completes once, as soon as one of the events that it asks for holds. From such
//! answers the triggers are made, by asking again or not:
//!
//! - After an event, an *edge-triggered* registration no longer waits for what was reported, until I/O in that direction
//!   said `WouldBlock` or the user registered anew. Each condition is an edge of its own: it goes on waiting for the peer's
//!   end of writing after data, and for a failure after all else. A reset or failed connection ends both directions; it
//!   lasts, so it is not asked for again when I/O fails with it.
//! - A *one-shot* registration waits for nothing after an event.
//! - A *level-triggered* one goes on waiting for all.
//!
//! A socket has one poll in flight at most, and stands in one of four phases:
//!
//! | phase | what goes on | leaves it |
//! |---|---|---|
//! | idle | nothing: nobody waits | when something is armed: polling |
//! | polling | a poll is in flight | with its completion; when more is armed than it asks for: cancelling |
//! | cancelling | a poll is in flight, and is of no use any more | with its completion: polling, with what is armed by then |
//! | queued | an event was reported, and something is still armed; or a poll has failed | the next `select`, or the same after a pause, asks again: polling |
//!
//! A queued socket is asked for no earlier than with the next `select` for two reasons: a level-triggered one is to be
//! reported as it is then, and the user's I/O in between often arms the other direction, so one poll does for both.
//!
//! When the registration ends, the state is free for another socket at once, in whatever phase it is: a cancelled poll is
//! then followed by one of the new socket. So the answer to a cancelled poll, which may be to the question before, counts
//! for nothing.

#![allow(unsafe_code)]

use std::io;
use std::mem;
use std::os::windows::io::RawSocket;
use std::sync::{Arc, Mutex, MutexGuard};

use super::afd::{self, Afd, Answer};
use super::afd_flags::{ABORT, ACCEPT, CONNECT_FAIL, DISCONNECT, LOCAL_CLOSE, RECEIVE, SEND};
use super::iocp::{InFlight, Operation, Port};
use super::{Batch, lock};
use crate::sys::{Spent, Watch, not_registered};
use crate::{Interest, Trigger};

/// What ends the wait for reading, apart from failures.
const READ: u32 = RECEIVE | ACCEPT | DISCONNECT;
/// What ends the wait for writing, apart from failures.
const WRITE: u32 = SEND;
/// What ends every wait.
const FAILURE: u32 = ABORT | CONNECT_FAIL;

pub(crate) struct SocketState {
    operation: Operation,
    poll: afd::Poll,
    afd: Arc<Afd>,
    port: Arc<Port>,
    inner: Mutex<Inner>,
}

struct Inner {
    /// The driver's own socket.
    socket: RawSocket,
    /// `None` when the registration has ended.
    watch: Option<Watch>,
    /// Of `READ`, `WRITE` and `FAILURE`, what was not told yet and is waited for.
    armed: u32,
    phase: Phase,
    /// The socket was closed while it was registered.
    closed: bool,
}

#[derive(Copy, Clone, PartialEq)]
enum Phase {
    Idle,
    /// The events that the poll asks for.
    Polling(u32),
    Cancelling,
    Queued,
}

impl SocketState {
    pub(crate) fn new(afd: Arc<Afd>, port: Arc<Port>) -> SocketState {
        let inner = Inner { socket: 0, watch: None, armed: 0, phase: Phase::Idle, closed: false };
        SocketState { operation: Operation::new(), poll: afd::Poll::new(), afd, port, inner: Mutex::new(inner) }
    }

    /// Begins a registration in a state without one; when that fails, there still is none.
    pub(crate) fn begin(self: &Arc<Self>, socket: RawSocket, watch: Watch) -> io::Result<()> {
        let mut inner = self.inner();
        inner.socket = socket;
        inner.closed = false;
        let result = self.watch(&mut inner, watch);
        if result.is_err() {
            inner.watch = None;
        }
        result
    }

    /// Replaces what is watched, and arms all of it.
    pub(crate) fn replace(self: &Arc<Self>, watch: Watch) -> io::Result<()> {
        let mut inner = self.inner();
        if inner.closed {
            return Err(not_registered());
        }
        self.watch(&mut inner, watch)
    }

    fn watch(self: &Arc<Self>, inner: &mut Inner, watch: Watch) -> io::Result<()> {
        inner.watch = Some(watch);
        inner.armed = directions(watch.interest);
        self.update(inner)
    }

    /// I/O has used up what is `spent`: an edge-triggered registration waits for it again.
    pub(crate) fn rearm(self: &Arc<Self>, spent: Spent) -> io::Result<()> {
        let Spent::Readiness(blocked) = spent else { return Ok(()) };
        let mut inner = self.inner();
        match inner.watch {
            Some(Watch { interest, trigger: Trigger::Edge, .. }) if !inner.closed => {
                inner.armed |= directions(blocked) & directions(interest);
                self.update(&mut inner)
            }
            _ => Ok(()),
        }
    }

    /// Ends the registration.
    pub(crate) fn end(&self) {
        let mut inner = self.inner();
        inner.watch = None;
        inner.armed = 0;
        if let Phase::Polling(_) = inner.phase {
            self.cancel_poll(&mut inner);
        }
    }

    /// Asks again for a state that was queued, and says whether it has to stay so.
    pub(crate) fn resume(self: &Arc<Self>) -> bool {
        let mut inner = self.inner();
        inner.phase = Phase::Idle;
        self.submit_or_queue(&mut inner);
        inner.phase == Phase::Queued
    }

    /// Sees to it that a poll asks for all that is armed, now or soon.
    fn update(self: &Arc<Self>, inner: &mut Inner) -> io::Result<()> {
        match inner.phase {
            Phase::Idle => self.submit(inner),
            Phase::Polling(asked) if inner.armed & !asked != 0 => {
                self.cancel_poll(inner);
                Ok(())
            }
            Phase::Polling(_) | Phase::Cancelling | Phase::Queued => Ok(()),
        }
    }

    /// Submits a poll for all that is armed.
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
                // SAFETY: both are part of this state, which the port keeps until the completion was dequeued. Only
                // `completed` accesses them before that.
                unsafe { self.afd.poll(overlapped, &self.poll, inner.socket, events) }
            },
        );
        if submitted.is_err() {
            inner.phase = Phase::Idle;
        }
        match submitted {
            // The queue is gone: there is nobody to tell of an event.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            submitted => submitted,
        }
    }

    /// Submits where there is nobody to give an error to. A socket that is gone is never ready again; with any other error,
    /// such as a lack of memory, it is tried again: the caller sees to that.
    fn submit_or_queue(self: &Arc<Self>, inner: &mut Inner) {
        match self.submit(inner) {
            Ok(()) => {}
            Err(error) if afd::is_gone(&error) => inner.close(),
            Err(_) => inner.phase = Phase::Queued,
        }
    }

    fn cancel_poll(&self, inner: &mut Inner) {
        inner.phase = Phase::Cancelling;
        self.afd.cancel(&self.operation);
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
        // SAFETY: the poll is over, and the next one starts under the lock that is held here.
        let answer = unsafe { self.poll.answer(self.operation.status()) };
        let events = match answer {
            _ if cancelled => 0,
            // The socket was closed without having been deregistered: its registration is mute from now on.
            Answer::Events(events) if events & LOCAL_CLOSE != 0 => return inner.close(),
            Answer::Gone => return inner.close(),
            Answer::Failed => {
                inner.phase = Phase::Queued;
                drop(inner);
                return batch.queued.push(self);
            }
            Answer::Events(events) => events & inner.armed,
            Answer::Cancelled => 0,
        };
        if events == 0 {
            // Cancelled, in order to ask something else; or what was asked for is not wanted any more.
            self.submit_or_queue(&mut inner);
            if inner.phase == Phase::Queued {
                drop(inner);
                return batch.queued.push(self);
            }
            batch.resubmitted = true;
            return;
        }
        batch.report(watch.token, events);
        match watch.trigger {
            Trigger::Edge if events & FAILURE != 0 => inner.armed = 0,
            // To read, there is no more to come after the end.
            Trigger::Edge if events & DISCONNECT != 0 => inner.armed &= !(events | READ),
            Trigger::Edge => inner.armed &= !events,
            Trigger::OneShot => inner.armed = 0,
            Trigger::Level => {}
        }
        if inner.armed != 0 {
            inner.phase = Phase::Queued;
            drop(inner);
            batch.queued.push(self);
        }
    }

    fn cancel(&self) {
        self.afd.cancel(&self.operation);
    }
}

impl Inner {
    fn close(&mut self) {
        self.closed = true;
        self.armed = 0;
    }
}

/// An interest in the driver's words: failures belong to each.
fn directions(interest: Interest) -> u32 {
    let mut events = FAILURE;
    if interest.is_readable() {
        events |= READ;
    }
    if interest.is_writable() {
        events |= WRITE;
    }
    events
}
