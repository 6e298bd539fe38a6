//! Windows: an I/O completion port. Sockets report their readiness to it through polls of the driver AFD, named pipes
//! through overlapped I/O, a waker by posting a packet.
//!
//! - `iocp.rs`: the port, and what keeps memory alive that the kernel may write to.
//! - `afd.rs`: the driver's polls; what it answers, and what that means, is in `sys/logic/afd.rs`.
//! - `faults.rs`: failures of the driver on demand, in debug builds.
//! - `pipe.rs`: one named pipe; readiness made of its operations.
//! - `pool.rs`: the states of sockets that are free for the next, and the driver's handles.
//! - `socket_state.rs`: one registered socket; the state machine that makes edges of polls.
//! - `wait.rs`: one registered object of another kind, such as a process, that the system's thread pool waits for.

mod afd;
mod faults;
mod iocp;
mod pipe;
mod pool;
mod socket_state;
pub(crate) mod wait;

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::mem;
use std::os::windows::io::RawSocket;
use std::panic::RefUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, TryLockError, Weak};
use std::time::{Duration, Instant};

pub(crate) use self::iocp::Port;
use self::iocp::{Packet, Packets};
pub(crate) use self::pipe::Pipe;
use self::pool::Pool;
use self::socket_state::SocketState;
pub(crate) use super::common::lock::lock;
use super::common::time::TimeLeft;
use super::logic::afd::AfdFlags;
use super::{Backend, Spent, TokenAndFlags, Watch, already_registered, not_registered};
use crate::Token;
use crate::event::Event;

/// How long one wait of the kernel's lasts at most. It does not count the time that the machine sleeps (since Windows 8),
/// while a time-out does, and the clock that it is measured by: after a sleep, a time-out that has passed is noticed no
/// later than this.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// The same without a time-out, so that a sleeping thread hears of what the OS took no packet for (see [`Port::post`]), if
/// late.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// After how long polls of the driver that failed are tried again.
const TRY_AGAIN: Duration = Duration::from_millis(10);

pub(crate) struct Selector {
    shared: Arc<Shared>,
}

struct Shared {
    port: Arc<Port>,
    pool: Mutex<Pool>,
    /// The registrations whose sources remember nothing, by the socket as the user knows it.
    detached: Mutex<HashMap<RawSocket, Arc<SocketState>>>,
    /// What a wait brings in. Locked for as long as that takes, by the one thread that polls.
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
        Packets::with_capacity(capacity)
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
            batch.make_room(states);
        }
        let begun = state.begin(base, watch, batch.as_deref_mut());
        drop(batch);
        if let Err(error) = begun {
            shared.end(state);
            return Err(error);
        }
        *registration = Registration { queue: Arc::downgrade(shared), socket, state: Some(state) };
        Ok(())
    }

    fn reregister(&self, socket: RawSocket, registration: &mut Registration, watch: Watch) -> io::Result<()> {
        match &registration.state {
            Some(state) if registration.belongs_to(&self.shared) => self.shared.replace(state, watch),
            Some(_) if registration.queue.strong_count() > 0 => Err(already_registered()),
            Some(_) => Err(not_registered()),
            None => self.shared.replace(&self.shared.detached(socket)?, watch),
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

    /// A socket that is registered a second time in this way takes the place of the first: it need not be the same one.
    /// Windows soon uses the number of a closed socket again, and the news of its closing may still be in the queue.
    fn register_bare(&self, socket: RawSocket, watch: Watch) -> io::Result<()> {
        let mut registration = Registration::default();
        self.register(socket, &mut registration, watch)?;
        if let Some((shared, state)) = registration.take() {
            let replaced = lock(&shared.detached).insert(registration.socket, state);
            if let Some(state) = replaced {
                shared.end(state);
            }
        }
        Ok(())
    }

    fn rearm(_socket: RawSocket, registration: &Registration, spent: Spent) -> io::Result<()> {
        match &registration.state {
            Some(state) => state.rearm(spent),
            None => Ok(()),
        }
    }

    fn set_waker(&self, _token: Token) -> io::Result<()> {
        Ok(())
    }

    fn notify(&self) -> io::Result<()> {
        self.shared.port.notify()
    }
}

impl Drop for Selector {
    /// The end of the queue: nobody else can wait or register any more. It is not that of the port, which sources keep.
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
            batch.try_again(buffer.room());
            batch.resubmitted = false;
            let mut notified = false;
            let room = buffer.room() - batch.events.len();
            if room == 0 {
                return Ok(false);
            }
            for packet in self.port.dequeue(buffer, room, batch.longest_wait(left))? {
                match packet {
                    Packet::Notification => notified = true,
                    Packet::Completion { operation, bytes } => {
                        if let Some(owner) = self.port.take(operation) {
                            owner.completed(operation, bytes, batch);
                        }
                    }
                }
            }

            left = time.left();
            // What was asked for anew may be ready at once, and even a wait of no time sees that.
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

    /// The batch, unless a `select` is running.
    fn resting_batch(&self) -> Option<MutexGuard<'_, Batch>> {
        match self.batch.try_lock() {
            Ok(batch) => Some(batch),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    fn detached(&self, socket: RawSocket) -> io::Result<Arc<SocketState>> {
        lock(&self.detached).get(&socket).cloned().ok_or_else(not_registered)
    }
}

/// What completions bring in.
#[derive(Default)]
pub(crate) struct Batch {
    /// Which one it is. A later one has a larger number.
    number: u64,
    events: Vec<Event>,
    /// To be asked for by the next `select`.
    queued: Vec<Arc<SocketState>>,
    /// Those whose poll has failed.
    failed: Vec<Arc<SocketState>>,
    /// Others that the next `select` shall ask.
    again: Vec<Arc<dyn Again>>,
    /// When to try again what has failed, of either kind.
    try_again_at: Option<Instant>,
    /// A poll was submitted in place of one that was of no use.
    resubmitted: bool,
}

/// What is level-triggered without being a socket: it looks whether it is ready still.
trait Again: Send + Sync + RefUnwindSafe {
    /// The next `select` has begun. False: it could not look, and is to be asked a little later.
    fn again(self: Arc<Self>) -> bool;
}

impl Batch {
    /// Adds an event, if there is something in it.
    pub(crate) fn report(&mut self, token: Token, flags: u32) {
        if flags != 0 {
            self.events.push(Event::new(token, AfdFlags(flags)));
        }
    }

    /// As `report`, for a source with several operations: what those that complete in one batch tell is one event.
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

    /// For so many that are queued at a time, so that queueing allocates nothing.
    fn make_room(&mut self, states: usize) {
        self.queued.reserve(states.saturating_sub(self.queued.len()));
    }

    fn resume(&mut self) {
        self.number += 1;
        // Nothing is queued meanwhile, and the memory stays.
        let mut queued = mem::take(&mut self.queued);
        queued.drain(..).for_each(|state| state.resume(self));
        self.queued = queued;
        self.ask_again();
    }

    /// Those for which it fails stay.
    fn ask_again(&mut self) {
        self.again.retain(|source| !Arc::clone(source).again());
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

    /// Tries again what has failed, if it is time. Each socket may report an event.
    fn try_again(&mut self, room: usize) {
        let Some(time) = self.try_again_at.filter(|&time| time <= Instant::now()) else { return };
        let count = self.failed.len().min(room);
        let states: Vec<_> = self.failed.drain(..count).collect();
        self.try_again_at = if self.failed.is_empty() { None } else { Some(time) };
        self.ask_again();
        states.iter().for_each(|state| state.resume(self));
    }

    /// How long to wait at a stretch.
    fn longest_wait(&self, left: Option<Duration>) -> Duration {
        if !self.events.is_empty() {
            return Duration::ZERO;
        }
        let until_again = self.try_again_at.map(|time| time.saturating_duration_since(Instant::now()));
        let stretch = left.map_or(LONGEST_SLEEP, |left| left.min(LONGEST_WAIT));
        until_again.map_or(stretch, |until_again| until_again.min(stretch))
    }
}

/// Where in a batch a source's event stands.
#[derive(Copy, Clone, Default)]
pub(crate) struct Slot {
    batch: u64,
    index: usize,
}

/// A source's part of a registration: what re-arms it, and what ends it when the source is dropped.
#[derive(Default)]
pub(crate) struct Registration {
    queue: Weak<Shared>,
    socket: RawSocket,
    state: Option<Arc<SocketState>>,
}

impl Registration {
    fn belongs_to(&self, queue: &Arc<Shared>) -> bool {
        Weak::as_ptr(&self.queue) == Arc::as_ptr(queue)
    }

    /// Takes everything out, if the queue still exists, so that dropping it does nothing.
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

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration").field("socket", &self.socket).finish_non_exhaustive()
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
}
