//! A socket or pipe together with its registration: the one place through which its I/O and its registrations go.

use std::fmt;
use std::io;
use std::ops::Deref;

use crate::registered_with::RegisteredWith;
use crate::sys::{AsRawSource, Backend, RawSource, Selector, Spent, Watch, raw_source};
use crate::{Interest, Registry, Token, Trigger, event};

/// Something of the operating system's that does I/O, and what its registration needs to remember.
///
/// Where the kernel keeps all of a registration (epoll, kqueue) this takes no more room than `T` in release builds.
pub(crate) struct IoSource<T> {
    /// Stands before `io`, so that it is dropped before the descriptor is closed and its number used again.
    registration: <Selector as Backend>::Registration,
    registered_with: RegisteredWith,
    io: T,
}

/// The promise above, for whichever platform this is compiled.
#[cfg(not(debug_assertions))]
const _: () = {
    let remembers = size_of::<<Selector as Backend>::Registration>() != 0;
    assert!(remembers || size_of::<IoSource<RawSource>>() == size_of::<RawSource>());
};

impl<T> IoSource<T> {
    /// Something that was made just now.
    pub(crate) fn new(io: T) -> IoSource<T> {
        IoSource { registration: Default::default(), registered_with: RegisteredWith::default(), io }
    }

    /// Something that comes from elsewhere, maybe with a registration.
    pub(crate) fn taken_over(io: T) -> IoSource<T> {
        IoSource { registration: Default::default(), registered_with: RegisteredWith::unknown(), io }
    }

    /// Lets it go. Where the queue is the kernel's, its registration goes with it; elsewhere that ends, for nobody would tell
    /// when the descriptor is closed and its number used again.
    pub(crate) fn into_inner(self) -> T {
        self.io
    }
}

/// Whether I/O has to tell the queue what it has used up. What remembers nothing of a registration has nothing to arm.
const REARMS: bool = size_of::<<Selector as Backend>::Registration>() != 0;

impl<T: AsRawSource> IoSource<T> {
    /// Does I/O that needs the source to be ready in the directions of `needed`. What it has used up is armed again: those
    /// directions if it would block, the source's error if it failed with that.
    #[inline]
    pub(crate) fn try_io<R>(&self, needed: Interest, io: impl FnOnce(&T) -> io::Result<R>) -> io::Result<R> {
        self.spend(io, |result| spent(result, needed))
    }

    /// As `try_io`, for a byte stream: `io` reads or writes `room` bytes at most. If it moved some but fewer than that, it
    /// has used up the direction, too.
    #[inline]
    pub(crate) fn stream_io(
        &self,
        needed: Interest,
        room: impl FnOnce() -> usize,
        io: impl FnOnce(&T) -> io::Result<usize>,
    ) -> io::Result<usize> {
        self.spend(io, |result| match result {
            Ok(0) => None,
            Ok(count) => (*count < room()).then_some(Spent::Readiness(needed)),
            Err(_) => spent(result, needed),
        })
    }

    /// Takes the pending error of a socket.
    #[cfg(feature = "net")]
    #[inline]
    pub(crate) fn take_error(
        &self,
        take: impl FnOnce(&T) -> io::Result<Option<io::Error>>,
    ) -> io::Result<Option<io::Error>> {
        self.spend(take, |result| matches!(result, Ok(Some(_))).then_some(Spent::Error))
    }

    /// The one place through which I/O goes, and what it has used up is armed again.
    #[inline]
    fn spend<R>(
        &self,
        io: impl FnOnce(&T) -> io::Result<R>,
        spent: impl FnOnce(&io::Result<R>) -> Option<Spent>,
    ) -> io::Result<R> {
        let result = io(&self.io);
        let spent = if REARMS { spent(&result) } else { None };
        if let Some(spent) = spent {
            let armed = Selector::rearm(self.raw(), &self.registration, spent);
            // Bytes that were moved, or an error that was taken, must not be lost for want of memory for a notification.
            if result.is_err() {
                armed?;
            }
        }
        result
    }

    #[inline]
    fn raw(&self) -> RawSource {
        raw_source(&self.io)
    }
}

impl<T: AsRawSource> event::Source for IoSource<T> {
    #[inline]
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.register_with(registry, token, interests, Trigger::Edge)
    }

    #[inline]
    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.reregister_with(registry, token, interests, Trigger::Edge)
    }

    #[inline]
    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.registered_with.check_deregister(registry)?;
        let source = self.raw();
        registry.queue().backend.deregister(source, &mut self.registration)?;
        self.registered_with.clear();
        Ok(())
    }

    #[inline]
    fn register_with(
        &mut self,
        registry: &Registry,
        token: Token,
        interest: Interest,
        trigger: Trigger,
    ) -> io::Result<()> {
        self.registered_with.check_register()?;
        let watch = Watch { token, interest, trigger };
        let source = self.raw();
        registry.queue().backend.register(source, &mut self.registration, watch)?;
        self.registered_with.set(registry);
        Ok(())
    }

    #[inline]
    fn reregister_with(
        &mut self,
        registry: &Registry,
        token: Token,
        interest: Interest,
        trigger: Trigger,
    ) -> io::Result<()> {
        self.registered_with.check_reregister(registry)?;
        let watch = Watch { token, interest, trigger };
        let source = self.raw();
        registry.queue().backend.reregister(source, &mut self.registration, watch)?;
        // What comes from elsewhere is known from now on.
        self.registered_with.set(registry);
        Ok(())
    }
}

impl<T> Deref for IoSource<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.io
    }
}

impl<T: fmt::Debug> fmt::Debug for IoSource<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.io.fmt(f)
    }
}

/// What I/O that failed has used up: nothing if it did not come as far as the source, or if the peer is gone for good (a
/// pipe says so as often as it is asked).
fn spent<R>(result: &io::Result<R>, needed: Interest) -> Option<Spent> {
    match result.as_ref().err()?.kind() {
        io::ErrorKind::WouldBlock => Some(Spent::Readiness(needed)),
        io::ErrorKind::BrokenPipe | io::ErrorKind::Interrupted | io::ErrorKind::InvalidInput => None,
        _ => Some(Spent::Error),
    }
}
