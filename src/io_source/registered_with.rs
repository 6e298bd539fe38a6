//! Remembers, in debug builds, which queue a source is registered with. This finds the misuse that the OS cannot report: kqueue
//! takes a second registration for a change of the first, and no OS knows the other queue of a source. In release builds it is
//! empty.

use std::io;

use crate::Registry;

pub(crate) use self::build::RegisteredWith;

#[cfg(debug_assertions)]
mod build {
    use std::ptr;
    use std::sync::{Arc, Mutex, PoisonError, Weak};

    use super::*;
    use crate::queue::Queue;
    use crate::sys::{already_registered, not_registered};

    /// It is `None` if only the OS knows. The mutex makes this `Sync` and unwind-safe; no thread ever waits for it.
    pub(crate) struct RegisteredWith(Mutex<Option<Weak<Queue>>>);

    impl Default for RegisteredWith {
        /// Registered with no queue.
        fn default() -> Self {
            RegisteredWith(Mutex::new(Some(Weak::new())))
        }
    }

    impl RegisteredWith {
        /// For a source that comes from elsewhere, and that may be registered.
        pub(crate) fn unknown() -> RegisteredWith {
            RegisteredWith(Mutex::new(None))
        }

        /// Checks that the source is not registered with any queue that still exists.
        pub(crate) fn check_register(&mut self) -> io::Result<()> {
            match self.queue() {
                Some(queue) if queue.strong_count() > 0 => Err(already_registered()),
                _ => Ok(()),
            }
        }

        /// Checks that the source is registered, and not with another queue.
        pub(crate) fn check_reregister(&mut self, registry: &Registry) -> io::Result<()> {
            if self.is(registry) {
                return Ok(());
            }
            // It is registered with another queue, which is one error, or with none, which is another.
            self.check_register()?;
            Err(not_registered())
        }

        /// Checks that the source is registered with this queue.
        pub(crate) fn check_deregister(&mut self, registry: &Registry) -> io::Result<()> {
            if self.is(registry) { Ok(()) } else { Err(not_registered()) }
        }

        pub(crate) fn set(&mut self, registry: &Registry) {
            *self.queue() = Some(Arc::downgrade(registry.queue()));
        }

        pub(crate) fn clear(&mut self) {
            *self.queue() = Some(Weak::new());
        }

        /// Returns whether the source is registered with this queue, as far as is known.
        fn is(&mut self, registry: &Registry) -> bool {
            let queue = self.queue().as_ref();
            queue.is_none_or(|queue| ptr::eq(queue.as_ptr(), Arc::as_ptr(registry.queue())))
        }

        fn queue(&mut self) -> &mut Option<Weak<Queue>> {
            self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
        }
    }
}

#[cfg(not(debug_assertions))]
mod build {
    use super::*;

    #[derive(Default)]
    pub(crate) struct RegisteredWith {}

    impl RegisteredWith {
        #[inline]
        pub(crate) fn unknown() -> RegisteredWith {
            RegisteredWith {}
        }

        #[inline]
        pub(crate) fn check_register(&mut self) -> io::Result<()> {
            Ok(())
        }

        #[inline]
        pub(crate) fn check_reregister(&mut self, _registry: &Registry) -> io::Result<()> {
            Ok(())
        }

        #[inline]
        pub(crate) fn check_deregister(&mut self, _registry: &Registry) -> io::Result<()> {
            Ok(())
        }

        #[inline]
        pub(crate) fn set(&mut self, _registry: &Registry) {}

        #[inline]
        pub(crate) fn clear(&mut self) {}
    }
}
