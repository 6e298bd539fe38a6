//! The queue that `Poll`, `Registry` and `Waker` share: the platform's backend, and the state of the waker.

use std::io;
use std::sync::Mutex;
use std::time::Duration;

use crate::event::Event;
use crate::sys::common::lock::lock;
use crate::sys::{Backend, EventFlags, Flags, Selector};
use crate::token::AtomicToken;
use crate::wake_state::WakeState;
use crate::{Events, Token};

#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) backend: Selector,
    wake: WakeState,
    /// Means nothing while there was no waker yet.
    waker_token: AtomicToken,
    waker: Mutex<WakerSlot>,
}

/// What there is of a waker. Locked while one is made, so that its token and the backend's are one.
#[derive(Debug, Default)]
struct WakerSlot {
    /// The backend can notify: it can for good, once there was a waker.
    is_set: bool,
    /// There is one that was not dropped yet.
    is_live: bool,
}

impl Queue {
    pub(crate) fn new() -> io::Result<Queue> {
        Ok(Queue {
            backend: Selector::new()?,
            wake: WakeState::new(),
            waker_token: AtomicToken::new(Token(0)),
            waker: Mutex::default(),
        })
    }

    /// Clears `events`, waits, and fills it. The one place where waiting and waking meet.
    #[inline(always)] // see `Poll::poll`
    pub(crate) fn select(&self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        events.clear();
        if events.capacity == 0 {
            return Err(no_room());
        }
        let (timeout, due) = self.wake.before_wait(timeout);
        // After an error the wake state is left alone: a wake that is asked for stays asked for.
        let notified = self.backend.select(&mut events.buffer, &mut events.ready, timeout)?;
        // Read after the wait: the waker may have been made during it.
        let given = self.backend.gave_notification(&events.ready, &self.waker_token);
        if self.wake.after_wait(notified || given.is_some(), due) {
            // If there is another waker meanwhile, one of its wakes may have been answered with this, too.
            let token = self.waker_token.get();
            if given != Some(token) {
                events.ready.push(Event::new(token, EventFlags::WOKEN));
            }
        }
        Ok(())
    }

    /// Sets up the one waker.
    pub(crate) fn claim_waker(&self, token: Token) -> io::Result<()> {
        let mut waker = lock(&self.waker);
        debug_assert!(!waker.is_live, "a `Poll` has one `Waker` at a time: drop the first one before you make another");
        let before = self.waker_token.get();
        // Before the OS may report it.
        self.waker_token.set(token);
        let was_woken = self.wake.is_woken();
        let set =
            if waker.is_set { self.backend.rename_waker(token, was_woken) } else { self.backend.set_waker(token) };
        if set.is_err() {
            self.waker_token.set(before);
        }
        waker.is_set |= set.is_ok();
        waker.is_live |= set.is_ok();
        // A change of tokens that failed may have kept the poller from recognizing a notification, like one that did not.
        if waker.is_set {
            self.wake.claim();
            // Another waker, which there should not be, has woken meanwhile, and its notification may be gone with the old ones.
            if !was_woken && self.wake.is_woken() {
                let _ = self.backend.notify();
            }
        }
        set
    }

    /// The waker was dropped. What it was asked for stays asked for.
    pub(crate) fn release_waker(&self) {
        lock(&self.waker).is_live = false;
    }

    /// Makes a poll, now or next, give the waker's event.
    #[inline]
    pub(crate) fn wake(&self) -> io::Result<()> {
        self.wake.wake(|| self.backend.notify())
    }

    /// Called before the queue's file descriptor leaves this crate: whoever has it may sleep on it, so from now on every
    /// wake makes it readable.
    #[allow(dead_code, reason = "for backends whose queue is a descriptor")]
    pub(crate) fn export(&self) {
        // There is nobody to return an error to.
        let _ = self.wake.export(|| self.backend.notify());
    }
}

#[cold]
fn no_room() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "`events` has a capacity of zero: polling needs at least one")
}
