//! The backend for Windows, on an I/O completion port. Sockets report their readiness to the port through polls of the driver
//! AFD, named pipes through overlapped I/O, and a waker posts a packet to it.
//!
//! - `iocp.rs` has the port, and keeps the memory alive that the kernel may write to.
//! - `afd.rs` makes the driver's polls; the flags of its answers are in `sys/logic/afd.rs`.
//! - `faults.rs` makes the driver fail on demand, in debug builds.
//! - `named_pipe.rs` has one named pipe, and turns its operations into readiness.
//! - `socket_pool.rs` keeps the states of sockets for reuse, and the driver's handles.
//! - `socket_state.rs` has one registered socket, and the state machine that turns polls into edges.
//! - `waitable.rs` has one registered object of another kind, such as a process, that the system's thread pool waits for.

mod afd;
mod faults;
mod iocp;
mod named_pipe;
mod socket_pool;
mod socket_state;
pub(crate) mod waitable;

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::mem;
use std::os::windows::io::RawSocket;
use std::sync::{Arc, Mutex, MutexGuard, TryLockError, Weak};
use std::time::{Duration, Instant};

use self::iocp::Packets;
pub(crate) use self::iocp::Port;
pub(crate) use self::named_pipe::{LARGEST_WRITE, Pipe};
use self::socket_pool::Pool;
use self::socket_state::SocketState;
use self::waitable::Wait;
use super::common::kernel::Buffer;
pub(crate) use super::common::lock::lock;
use super::common::time::TimeLeft;
use super::logic::afd::AfdFlags;
use super::{Backend, Spent, TokenAndFlags, Watch, already_registered, not_registered};
use crate::Token;
use crate::event::Event;

/// The longest single wait in the kernel. Since Windows 8 the kernel does not count the time while the machine is suspended,
/// but a time-out and the clock that measures it do. So after the machine resumes, it takes at most this long to notice that a
/// time-out has passed.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// The longest single wait without a time-out. It makes sure that a sleeping thread notices completions for which the OS took
/// no packet (see [`Port::post`]), even if late.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// How long to wait before trying again after a poll of the driver has failed.
const TRY_AGAIN: Duration = Duration::from_millis(10);

pub(crate) struct Selector {
    shared: Arc<Shared>,
}

struct Shared {
    port: Arc<Port>,
    pool: Mutex<Pool>,
    /// The registrations of bare sources, which remember nothing. The key is the socket's number as the user knows it.
    detached: Mutex<HashMap<RawSocket, Arc<SocketState>>>,
    /// What a wait collects. The polling thread holds the lock during the wait.
    batch: Mutex<Batch>,
}

impl Backend for Selector {
    type Buffer = Packets;
    type Registration = Registration;
    type Event = TokenAndFlags<AfdFlags>;

    fn new() -> io::Result<Selector> {
        let shared = Shared {
            port: Arc::new(Port::new()?),
            pool: Mutex::default(),
            detached: Mutex::default(),
            batch: Mutex::default(),
        };
        Ok(Selector { shared: Arc::new(shared) })
    }

    fn buffer(capacity: usize) -> Packets {
        Buffer(Vec::with_capacity(capacity))
    }

    fn select(&self, buffer: &mut Packets, events: &mut Vec<Event>, timeout: Option<Duration>) -> io::Result<bool> {
        let mut batch = lock(&self.shared.batch);
        mem::swap(&mut batch.events, events);
        let notified = self.shared.wait(&mut batch, buffer, timeout);
        mem::swap(&mut batch.events, events);
        notified
    }

    fn register(&self, socket: RawSocket, registration: &mut Registration, watch: Watch) -> io::Result<()> {
        if registration.queue.strong_count() > 0 {
            return Err(already_registered());
        }
        let base = afd::base_socket(socket)?;
        let shared = &self.shared;
        let (state, states) = lock(&shared.pool).take(&shared.port)?;
        let mut batch = shared.resting_batch();
        if let Some(batch) = &mut batch {
            // Queueing a socket allocates nothing then.
            let further = states.saturating_sub(batch.queued.len());
            batch.queued.reserve(further);
        }
        let begun = state.begin(base, watch, batch.as_deref_mut());
        drop(batch);
        if let Err(error) = begun {
            shared.end(state);
            return Err(error);
        }
        *registration = Registration { queue: Arc::downgrade(shared), state: Some(state) };
        Ok(())
    }

    fn reregister(&self, socket: RawSocket, registration: &mut Registration, watch: Watch) -> io::Result<()> {
        match &registration.state {
            Some(state) if registration.belongs_to(&self.shared) => self.shared.replace(state, watch),
            Some(_) if registration.queue.strong_count() > 0 => Err(already_registered()),
            Some(_) => Err(not_registered()),
            None => {
                let state = lock(&self.shared.detached).get(&socket).cloned().ok_or_else(not_registered)?;
                self.shared.replace(&state, watch)
            }
        }
    }

    fn deregister(&self, socket: RawSocket, registration: &mut Registration) -> io::Result<()> {
        match &registration.state {
            Some(_) if registration.belongs_to(&self.shared) => *registration = Registration::default(),
            Some(_) => return Err(not_registered()),
            None => {
                let state = lock(&self.shared.detached).remove(&socket).ok_or_else(not_registered)?;
                self.shared.end(state);
            }
        }
        Ok(())
    }

    /// If the number is already registered, the new registration replaces the old one, because it may be another socket:
    /// Windows soon reuses the number of a closed socket, and the packet that reports the closing may still be in the queue.
    fn register_bare(&self, socket: RawSocket, watch: Watch) -> io::Result<()> {
        let mut registration = Registration::default();
        self.register(socket, &mut registration, watch)?;
        if let Some((shared, state)) = registration.take() {
            let replaced = lock(&shared.detached).insert(socket, state);
            if let Some(state) = replaced {
                shared.end(state);
            }
        }
        Ok(())
    }

    fn rearm(registration: &Registration, spent: Spent) -> io::Result<()> {
        registration.state.as_ref().map_or(Ok(()), |state| state.rearm(spent))
    }

    fn set_waker(&self, _token: Token) -> io::Result<()> {
        Ok(())
    }

    fn notify(&self) -> io::Result<()> {
        self.shared.port.notify()
    }
}

impl Drop for Selector {
    /// Ends the queue, because nothing else can wait or register any more. The port itself lives on, because sources keep it.
    fn drop(&mut self) {
        self.shared.port.close();
    }
}

impl Selector {
    pub(crate) fn port(&self) -> &Arc<Port> {
        &self.shared.port
    }
}

impl fmt::Debug for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Selector").field("port", &self.shared.port).finish_non_exhaustive()
    }
}

impl Shared {
    /// Returns whether there was a notification.
    fn wait(&self, batch: &mut Batch, buffer: &mut Packets, timeout: Option<Duration>) -> io::Result<bool> {
        let time = TimeLeft::new(timeout);
        let mut left = timeout;
        batch.resume();
        loop {
            batch.try_again(buffer.0.capacity());
            batch.resubmitted = false;
            let room = buffer.0.capacity() - batch.events.len();
            if room == 0 {
                // The next `select` sets the time anew. So even if it comes late, it takes packets first.
                batch.try_again_at = None;
                return Ok(false);
            }
            let dequeued = self.port.dequeue(buffer, room, batch.longest_wait(left), batch);
            // An error must not hide events, which come only once.
            let notified = if batch.events.is_empty() { dequeued? } else { dequeued.unwrap_or(false) };

            left = time.left();
            // A poll that was submitted again may complete at once, and even a wait without time has to see that.
            let over = left.is_some_and(|left| left.is_zero()) && !batch.resubmitted;
            if notified || !batch.events.is_empty() || over {
                return Ok(notified);
            }
        }
    }

    fn replace(&self, state: &Arc<SocketState>, watch: Watch) -> io::Result<()> {
        state.replace(watch, self.resting_batch().as_deref_mut())
    }

    /// Ends a registration.
    fn end(&self, state: Arc<SocketState>) {
        let free = state.end();
        let mut pool = lock(&self.pool);
        if free { pool.give_back(state) } else { pool.lost() }
    }

    /// Returns the batch, unless a `select` is running.
    fn resting_batch(&self) -> Option<MutexGuard<'_, Batch>> {
        match self.batch.try_lock() {
            Ok(batch) => Some(batch),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

/// What the completions of one `select` produce.
#[derive(Default)]
pub(crate) struct Batch {
    /// The number of the batch. A later one has a larger number.
    number: u64,
    events: Vec<Event>,
    /// The sockets that the next `select` has to poll.
    queued: Vec<Arc<SocketState>>,
    /// The sockets whose poll has failed.
    failed: Vec<Arc<SocketState>>,
    /// The level-triggered objects that the next `select` has to look at again.
    again: Vec<Arc<Wait>>,
    /// The time at which to try again what has failed, of either kind.
    try_again_at: Option<Instant>,
    /// A new poll has replaced one that was no longer useful.
    resubmitted: bool,
}

impl Batch {
    /// Adds an event, unless `flags` is empty.
    pub(crate) fn report(&mut self, token: Token, flags: u32) {
        if flags != 0 {
            self.events.push(Event::new(token, AfdFlags(flags)));
        }
    }

    /// Does what `report` does, for a source with several operations. Those that complete in one batch share one event.
    pub(crate) fn report_once(&mut self, slot: &mut Slot, token: Token, flags: u32) {
        match self.events.get_mut(slot.index) {
            Some(event) if slot.batch == self.number && event.token() == token => {
                *event = Event::new(token, AfdFlags(event.flags().0 | flags));
            }
            _ if flags != 0 => {
                *slot = Slot { batch: self.number, index: self.events.len() };
                self.report(token, flags);
            }
            _ => {}
        }
    }

    fn resume(&mut self) {
        self.number += 1;
        // Nothing else is queued in the meantime. This way the vector keeps its memory.
        let mut queued = mem::take(&mut self.queued);
        queued.drain(..).for_each(|state| state.resume(self));
        self.queued = queued;
        self.look_again();
        if !self.failed.is_empty() {
            self.schedule();
        }
    }

    /// Looks at the objects again. Those with which that fails stay in the list.
    fn look_again(&mut self) {
        self.again.retain(|wait| wait.look_again().is_err());
        if !self.again.is_empty() {
            self.schedule();
        }
    }

    fn schedule(&mut self) {
        self.try_again_at.get_or_insert_with(|| Instant::now() + TRY_AGAIN);
    }

    fn try_again_later(&mut self, state: Arc<SocketState>) {
        self.failed.push(state);
        self.schedule();
    }

    /// Tries again what has failed, if it is time: once each, as long as there are fewer than `room` events.
    fn try_again(&mut self, room: usize) {
        if self.try_again_at.is_none_or(|time| time > Instant::now()) {
            return;
        }
        self.try_again_at = None;
        self.look_again();
        let mut untried = mem::take(&mut self.failed).into_iter();
        while self.events.len() < room {
            let Some(state) = untried.next() else { break };
            state.resume(self);
        }
        // Those for which there was no room come first the next time.
        self.failed.splice(0..0, untried);
    }

    /// Returns how long a single wait may last.
    fn longest_wait(&self, left: Option<Duration>) -> Duration {
        if !self.events.is_empty() {
            return Duration::ZERO;
        }
        let until_again = self.try_again_at.map(|time| time.saturating_duration_since(Instant::now()));
        let stretch = left.map_or(LONGEST_SLEEP, |left| left.min(LONGEST_WAIT));
        until_again.map_or(stretch, |until_again| until_again.min(stretch))
    }
}

/// The place of a source's event in a batch.
#[derive(Copy, Clone, Default)]
pub(crate) struct Slot {
    batch: u64,
    index: usize,
}

/// The source's part of a registration. It arms the registration again after I/O, and ends it when the source is dropped.
#[derive(Default)]
pub(crate) struct Registration {
    queue: Weak<Shared>,
    state: Option<Arc<SocketState>>,
}

impl Registration {
    fn belongs_to(&self, queue: &Arc<Shared>) -> bool {
        Weak::as_ptr(&self.queue) == Arc::as_ptr(queue)
    }

    /// Takes out the queue, if it still exists, and the state, so that dropping the registration does nothing.
    fn take(&mut self) -> Option<(Arc<Shared>, Arc<SocketState>)> {
        self.queue.upgrade().zip(self.state.take())
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        if let Some((shared, state)) = self.take() {
            shared.end(state);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_out_is_waited_for_in_stretches_that_a_sleep_of_the_machine_cannot_extend() {
        let batch = Batch::default();
        let rows = [
            (None, LONGEST_SLEEP),
            (Some(Duration::ZERO), Duration::ZERO),
            (Some(Duration::from_millis(10)), Duration::from_millis(10)),
            (Some(Duration::from_secs(3600)), LONGEST_WAIT),
            (Some(Duration::MAX), LONGEST_WAIT),
        ];
        for (left, expected) in rows {
            assert_eq!(batch.longest_wait(left), expected, "{left:?}");
        }
    }

    #[test]
    fn what_is_to_be_tried_again_ends_a_stretch() {
        let batch = Batch { try_again_at: Some(Instant::now() + TRY_AGAIN), ..Batch::default() };
        for left in [None, Some(Duration::MAX)] {
            assert!(batch.longest_wait(left) <= TRY_AGAIN);
        }
    }

    #[test]
    fn what_has_failed_gets_one_attempt_each_and_what_finds_no_room_waits_for_the_next_select() {
        let port = Arc::new(Port::new().unwrap());
        let mut pool = Pool::default();
        let states: Vec<_> = (0..3).map(|_| pool.take(&port).unwrap().0).collect();
        for reports in [0, 1] {
            let mut batch = Batch { try_again_at: Some(Instant::now()), ..Batch::default() };
            batch.failed.extend(states.iter().cloned());
            (0..reports).for_each(|_| batch.report(Token(0), 1));
            let before = Instant::now();
            batch.try_again(1);
            // These states have nothing to ask, so their attempts succeed.
            assert_eq!(batch.failed.len(), if reports == 0 { 0 } else { 3 });
            batch.resume();
            assert_eq!(batch.try_again_at.is_some_and(|time| time >= before + TRY_AGAIN), reports > 0);
        }
    }
}
