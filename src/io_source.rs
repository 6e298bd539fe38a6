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
    pub(crate) fn new(io: T) -> IoSource<T> {
        IoSource { registration: Default::default(), registered_with: RegisteredWith::default(), io }
    }

    pub(crate) fn into_inner(self) -> T {
        self.io
    }
}

impl<T: AsRawSource> IoSource<T> {
    /// Does I/O that needs the source to be ready in the directions of `needed`. What it has used up is armed again: those
    /// directions if it would block, the source's error if it failed with that.
    #[inline]
    pub(crate) fn try_io<R>(&self, needed: Interest, io: impl FnOnce(&T) -> io::Result<R>) -> io::Result<R> {
        let result = io(&self.io);
        if let Err(error) = &result {
            let spent = match error.kind() {
                io::ErrorKind::WouldBlock => Spent::Readiness(needed),
                _ => Spent::Error,
            };
            Selector::rearm(self.raw(), &self.registration, spent)?;
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
        registry.queue().backend.reregister(source, &mut self.registration, watch)
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
