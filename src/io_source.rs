//! A socket or pipe together with its registration: the one place through which its I/O and its registrations go.

use std::fmt;
use std::io;
use std::ops::Deref;
#[cfg(debug_assertions)]
use std::{
    ptr,
    sync::{Arc, Mutex, PoisonError, Weak},
};

#[cfg(debug_assertions)]
use crate::queue::Queue;
use crate::sys::{AsRawSource, Backend, RawSource, Selector, Spent, Watch, raw_source};
#[cfg(debug_assertions)]
use crate::sys::{already_registered, not_registered};
use crate::{Interest, Registry, Token, Trigger, event};

/// Something of the operating system's that does I/O, and what its registration needs to remember.
///
/// Where the kernel keeps all of a registration (epoll, kqueue) this takes no more room than `T` in release builds.
pub(crate) struct IoSource<T> {
    /// Stands before `io`, so that it is dropped before the descriptor is closed and its number used again.
    registration: <Selector as Backend>::Registration,
    owner: Owner,
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
        IoSource { registration: Default::default(), owner: Owner::default(), io }
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
        self.owner.expect(registry)?;
        let source = self.raw();
        registry.queue().backend.deregister(source, &mut self.registration)?;
        self.owner.clear();
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
        self.owner.expect_none()?;
        let watch = Watch { token, interest, trigger };
        let source = self.raw();
        registry.queue().backend.register(source, &mut self.registration, watch)?;
        self.owner.set(registry);
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
        self.owner.expect(registry)?;
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

/// In debug builds, the queue that a source is registered with, for the misuse that the OS cannot tell: kqueue takes a
/// second registration for a change of the first, and no OS knows of the other queue of a source. Nothing in release
/// builds.
#[cfg(debug_assertions)]
#[derive(Default)]
struct Owner(Mutex<Weak<Queue>>);

#[cfg(debug_assertions)]
impl Owner {
    /// The source is not registered with any queue that still exists.
    fn expect_none(&mut self) -> io::Result<()> {
        match self.queue().strong_count() {
            0 => Ok(()),
            _ => Err(already_registered()),
        }
    }

    /// The source is registered with this queue, or was taken over with its registration from another owner.
    fn expect(&mut self, registry: &Registry) -> io::Result<()> {
        let queue = self.queue();
        if ptr::eq(queue.as_ptr(), Arc::as_ptr(registry.queue())) { Ok(()) } else { Err(not_registered()) }
    }

    fn set(&mut self, registry: &Registry) {
        *self.queue() = Arc::downgrade(registry.queue());
    }

    fn clear(&mut self) {
        *self.queue() = Weak::new();
    }

    fn queue(&mut self) -> &mut Weak<Queue> {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(not(debug_assertions))]
#[derive(Default)]
struct Owner {}

#[cfg(not(debug_assertions))]
impl Owner {
    #[inline]
    fn expect_none(&mut self) -> io::Result<()> {
        Ok(())
    }

    #[inline]
    fn expect(&mut self, _registry: &Registry) -> io::Result<()> {
        Ok(())
    }

    #[inline]
    fn set(&mut self, _registry: &Registry) {}

    #[inline]
    fn clear(&mut self) {}
}
