//! The queue that `Poll`, `Registry` and `Waker` share. It consists of the platform's backend and the state of the waker. (In
//! `sys`, a queue is that of the OS.)

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
    /// It means nothing until there is a first waker.
    waker_token: AtomicToken,
    waker: Mutex<WakerSlot>,
}

/// What is known of the waker. A thread that makes one holds the lock, so that its token and the backend's agree.
#[derive(Debug, Default)]
struct WakerSlot {
    /// The backend can notify. Once there has been a waker, it always can.
    is_set: bool,
    /// There is a waker that has not been dropped.
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

    /// Clears `events`, waits, and fills it. This is the one place where waiting and waking meet.
    #[inline(always)] // see `Poll::poll`
    pub(crate) fn select(&self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        events.clear();
        if events.capacity == 0 {
            return Err(no_room());
        }
        let (timeout, due) = self.wake.before_wait(timeout);
        // After an error the wake state stays as it is, so that no wake is lost.
        let notified = self.backend.select(&mut events.buffer, &mut events.ready, timeout)?;
        // This reads the token after the wait, because another thread may make the waker meanwhile.
        let given = self.backend.gave_notification(&events.ready, &self.waker_token);
        if self.wake.after_wait(notified || given.is_some(), due) {
            // If there is a newer waker by now, this notification may stand for one of its wakes, too.
            let token = self.waker_token.get();
            if given != Some(token) {
                events.ready.push(Event::new(token, EventFlags::WOKEN));
            }
        }
        Ok(())
    }

    /// Sets up the queue's waker.
    pub(crate) fn claim_waker(&self, token: Token) -> io::Result<()> {
        let mut waker = lock(&self.waker);
        debug_assert!(!waker.is_live, "a `Poll` has one `Waker` at a time: drop the first one before you make another");
        let before = self.waker_token.get();
        // This comes first, because the OS may report the token as soon as the backend knows it.
        self.waker_token.set(token);
        let was_woken = self.wake.is_woken();
        let set =
            if waker.is_set { self.backend.rename_waker(token, was_woken) } else { self.backend.set_waker(token) };
        if set.is_err() {
            self.waker_token.set(before);
        }
        waker.is_set |= set.is_ok();
        waker.is_live |= set.is_ok();
        // The change of tokens, even one that failed, may have kept the poller from recognizing a notification.
        if waker.is_set {
            self.wake.claim();
            // A second waker, which is misuse, has woken in the meantime. Its notification may be gone with the old ones.
            if !was_woken && self.wake.is_woken() {
                let _ = self.backend.notify();
            }
        }
        set
    }

    /// Notes that the waker is gone. A wake that it has asked for still produces its event.
    pub(crate) fn release_waker(&self) {
        lock(&self.waker).is_live = false;
    }

    /// Makes the running poll, or else the next one, report the waker's event.
    #[inline]
    pub(crate) fn wake(&self) -> io::Result<()> {
        self.wake.wake(|| self.backend.notify())
    }

    /// Makes every wake from now on turn the queue's file descriptor readable. Called before the descriptor leaves this crate,
    /// because other code may then sleep on it.
    #[allow(dead_code, reason = "only some backends have a descriptor")]
    pub(crate) fn export(&self) {
        // The callers return a descriptor, and cannot return an error.
        let _ = self.wake.export(|| self.backend.notify());
        self.backend.export();
    }
}

#[cold]
fn no_room() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "`events` has a capacity of zero: a poll needs room for one event")
}
