//! Windows: an I/O completion port. Sockets report their readiness to it through polls of the driver AFD, named pipes
//! through overlapped I/O, a waker by posting a packet.
//!
//! - `iocp.rs`: the port, and what keeps memory alive that the kernel may write to.
//! - `afd.rs`: the driver's polls.
//! - `afd_flags.rs`: what it says, and what that means.
//! - `socket_state.rs`: one registered socket; the state machine that makes edges of polls.

mod afd;
pub(crate) mod afd_flags;
mod iocp;
mod socket_state;

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io;
use std::mem;
use std::os::windows::io::RawSocket;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use self::afd::Afd;
#[cfg(feature = "os-ext")]
pub(crate) use self::afd::check;
use self::afd_flags::{AfdFlags, RECEIVE};
use self::iocp::Packets;
pub(crate) use self::iocp::Port;
#[cfg(feature = "os-ext")]
pub(crate) use self::iocp::{Operation, Owner};
use self::socket_state::SocketState;
use super::{Backend, Plain, Spent, Watch, already_registered, not_registered};
use crate::Token;
use crate::event::Event;
use crate::token::AtomicToken;

/// How many sockets share a handle of the driver. The driver goes through a handle's polls one by one when it looks for
/// one to cancel, and a handle for each socket would be a waste of handles.
const SOCKETS_PER_HANDLE: usize = 32;

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
    type Event = Plain<AfdFlags>;

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

    fn select(
        &self,
        buffer: &mut Packets,
        events: &mut Vec<Event>,
        timeout: Option<Duration>,
        waker: &AtomicToken,
    ) -> io::Result<bool> {
        let mut batch = lock(&self.shared.batch);
        mem::swap(&mut batch.events, events);
        let notified = self.shared.wait(&mut batch, buffer, timeout, waker);
        mem::swap(&mut batch.events, events);
        notified
    }

    fn register(&self, socket: RawSocket, registration: &mut Registration, watch: Watch) -> io::Result<()> {
        if registration.queue.strong_count() > 0 {
            return Err(already_registered());
        }
        let base = afd::base_socket(socket)?;
        let shared = &self.shared;
        let state = shared.free_state()?;
        if let Err(error) = state.begin(base, watch) {
            lock(&shared.pool).free.push_back(state);
            return Err(error);
        }
        *registration = Registration { queue: Arc::downgrade(shared), socket, state: Some(state) };
        Ok(())
    }

    fn reregister(&self, socket: RawSocket, registration: &mut Registration, watch: Watch) -> io::Result<()> {
        match &registration.state {
            Some(state) if registration.belongs_to(&self.shared) => state.replace(watch),
            Some(_) if registration.queue.strong_count() > 0 => Err(already_registered()),
            Some(_) => Err(not_registered()),
            None => self.shared.detached(socket)?.replace(watch),
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
    fn detach(mut registration: Registration) {
        if let Some((shared, state)) = registration.take() {
            let replaced = lock(&shared.detached).insert(registration.socket, state);
            if let Some(state) = replaced {
                shared.end(state);
            }
        }
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

#[cfg(feature = "os-ext")]
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
    fn wait(
        &self,
        batch: &mut Batch,
        buffer: &mut Packets,
        timeout: Option<Duration>,
        waker: &AtomicToken,
    ) -> io::Result<bool> {
        batch.resume();
        let start = timeout.filter(|timeout| !timeout.is_zero()).map(|_| Instant::now());
        let mut left = timeout;
        loop {
            batch.resubmitted = false;
            let mut notified = false;
            for packet in self.port.dequeue(buffer, left)? {
                match self.port.take(packet.operation) {
                    Some(owner) => owner.completed(packet.operation, packet.bytes, batch),
                    None => notified |= packet.operation == 0,
                }
            }
            if notified {
                batch.report(waker.get(), RECEIVE);
            }

            left = timeout.map(|timeout| timeout.saturating_sub(start.map_or(timeout, |start| start.elapsed())));
            // What was asked for anew may be ready at once, and even a wait of no time sees that.
            let over = left.is_some_and(|left| left.is_zero()) && !batch.resubmitted;
            if !batch.events.is_empty() || over {
                return Ok(notified);
            }
        }
    }

    fn free_state(&self) -> io::Result<Arc<SocketState>> {
        let mut pool = lock(&self.pool);
        if let Some(state) = pool.free.pop_front() {
            return Ok(state);
        }
        let afd = match &pool.newest {
            Some(afd) if pool.made % SOCKETS_PER_HANDLE != 0 => Arc::clone(afd),
            _ => Arc::clone(pool.newest.insert(Arc::new(Afd::open(&self.port)?))),
        };
        pool.made += 1;
        // Room for all of them, so that giving one back allocates nothing.
        let made = pool.made;
        pool.free.reserve(made);
        Ok(Arc::new(SocketState::new(afd, Arc::downgrade(&self.port))))
    }

    /// Ends a registration.
    fn end(&self, state: Arc<SocketState>) {
        state.end();
        lock(&self.pool).free.push_back(state);
    }

    fn detached(&self, socket: RawSocket) -> io::Result<Arc<SocketState>> {
        lock(&self.detached).get(&socket).cloned().ok_or_else(not_registered)
    }
}

/// States that no socket uses. Each stays with its handle of the driver.
#[derive(Default)]
struct Pool {
    /// Used in turn, so that the polls of most have come to their end.
    free: VecDeque<Arc<SocketState>>,
    /// The number of states that were made.
    made: usize,
    /// The handle opened last.
    newest: Option<Arc<Afd>>,
}

/// What completions bring in.
#[derive(Default)]
pub(crate) struct Batch {
    events: Vec<Event>,
    /// To be asked for again by the next `select`.
    queued: Vec<Arc<SocketState>>,
    /// A poll was submitted in place of one that was of no use.
    resubmitted: bool,
}

impl Batch {
    /// Adds an event, if there is something in it.
    pub(crate) fn report(&mut self, token: Token, flags: u32) {
        if flags != 0 {
            self.events.push(Event::new(token, AfdFlags(flags)));
        }
    }

    fn resume(&mut self) {
        for state in self.queued.drain(..) {
            state.resume();
        }
    }
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

/// Nothing that happens under these locks can panic half-way, so a poisoned one is as good as any.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
