//! The queue that `Poll`, `Registry` and `Waker` share: the platform's backend, and the state of the waker.

#[cfg(feature = "os-poll")]
use std::io;
#[cfg(feature = "os-poll")]
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
#[cfg(feature = "os-poll")]
use std::time::Duration;

use crate::sys::Selector;
#[cfg(feature = "os-poll")]
use crate::{
    Events, Token,
    event::Event,
    sys::{Backend, EventFlags, Flags},
    waker::WakeState,
};

#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) backend: Selector,
    #[cfg(feature = "os-poll")]
    wake: WakeState,
    /// Means nothing while there was no waker yet.
    #[cfg(feature = "os-poll")]
    waker_token: AtomicToken,
    #[cfg(feature = "os-poll")]
    has_waker: AtomicBool,
}

#[cfg(feature = "os-poll")]
impl Queue {
    pub(crate) fn new() -> io::Result<Queue> {
        Ok(Queue {
            backend: Selector::new()?,
            wake: WakeState::new(),
            waker_token: AtomicToken(AtomicUsize::new(0)),
            has_waker: AtomicBool::new(false),
        })
    }

    /// Clears `events`, waits, and fills it. The one place where waiting and waking meet.
    #[inline(always)] // see `Poll::poll`
    pub(crate) fn select(&self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        events.clear();
        if events.capacity == 0 {
            return Err(no_room());
        }
        let timeout = self.wake.before_wait(timeout);
        // After an error the wake state is left alone: a wake that is asked for stays asked for.
        let notified = self.backend.select(&mut events.buffer, &mut events.ready, timeout, &self.waker_token)?;
        if self.wake.after_wait(notified) {
            events.ready.push(Event::new(self.waker_token.get(), EventFlags::WOKEN));
        }
        Ok(())
    }

    /// Sets up the one waker.
    pub(crate) fn claim_waker(&self, token: Token) -> io::Result<()> {
        let taken = self.has_waker.swap(true, Ordering::AcqRel);
        debug_assert!(!taken, "a `Poll` has one `Waker` at a time: drop the first one before you make another");
        // Before the OS may report it.
        self.waker_token.set(token);
        self.backend.set_waker(token).inspect_err(|_| self.release_waker())?;
        self.wake.claim();
        Ok(())
    }

    pub(crate) fn release_waker(&self) {
        self.has_waker.store(false, Ordering::Release);
    }

    /// Makes a poll, now or next, give the waker's event.
    #[inline]
    pub(crate) fn wake(&self) -> io::Result<()> {
        if !self.wake.wake() {
            return Ok(());
        }
        self.backend.notify().inspect_err(|_| self.wake.retract())
    }

    /// Called before the queue's file descriptor leaves this crate: whoever has it may sleep on it, so from now on every
    /// wake makes it readable.
    #[allow(dead_code, reason = "for backends whose queue is a descriptor")]
    pub(crate) fn export(&self) {
        if self.wake.export() {
            // A wake that was asked for without telling the OS. If telling it fails, the event still comes with the
            // next poll; only a sleeper on the descriptor misses it, and there is nobody to return the error to.
            let _ = self.backend.notify();
        }
    }
}

#[cfg(feature = "os-poll")]
#[cold]
fn no_room() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "`events` has a capacity of zero: polling needs at least one")
}

/// A token that one thread may change while another looks.
#[cfg(feature = "os-poll")]
#[derive(Debug)]
pub(crate) struct AtomicToken(AtomicUsize);

#[cfg(feature = "os-poll")]
impl AtomicToken {
    #[inline]
    pub(crate) fn get(&self) -> Token {
        Token(self.0.load(Ordering::Acquire))
    }

    fn set(&self, token: Token) {
        self.0.store(token.0, Ordering::Release);
    }
}
