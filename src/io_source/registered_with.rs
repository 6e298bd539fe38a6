//! Remembers, in debug builds, which queue a source is registered with. This finds the misuse that the OS cannot report: kqueue
//! takes a second registration for a change of the first, and no OS knows the other queue of a source. In release builds it is
//! empty.

use std::io;

use crate::Registry;

pub(crate) use self::build::RegisteredWith;

#[cfg(debug_assertions)]
mod build {
    use std::ptr;
    use std::sync::{Arc, Weak};

    use super::*;
    use crate::queue::Queue;
    use crate::sys::{already_registered, not_registered};

    /// It is `None` if only the OS knows.
    pub(crate) struct RegisteredWith(Option<Weak<Queue>>);

    impl Default for RegisteredWith {
        /// Registered with no queue.
        fn default() -> Self {
            RegisteredWith(Some(Weak::new()))
        }
    }

    impl RegisteredWith {
        /// For a source that comes from elsewhere, and that may be registered.
        pub(crate) fn unknown() -> RegisteredWith {
            RegisteredWith(None)
        }

        /// Checks that the source is not registered with any queue that still exists.
        pub(crate) fn check_register(&self) -> io::Result<()> {
            match &self.0 {
                Some(queue) if queue.strong_count() > 0 => Err(already_registered()),
                _ => Ok(()),
            }
        }

        /// Checks that the source is registered, and not with another queue.
        pub(crate) fn check_reregister(&self, registry: &Registry) -> io::Result<()> {
            // It is registered with another queue, which is one error, or with none, which is another.
            self.check_deregister(registry).or_else(|error| self.check_register().and(Err(error)))
        }

        /// Checks that the source is registered with this queue.
        pub(crate) fn check_deregister(&self, registry: &Registry) -> io::Result<()> {
            match &self.0 {
                Some(queue) if !ptr::eq(queue.as_ptr(), Arc::as_ptr(registry.queue())) => Err(not_registered()),
                _ => Ok(()),
            }
        }

        pub(crate) fn set(&mut self, registry: &Registry) {
            self.0 = Some(Arc::downgrade(registry.queue()));
        }

        pub(crate) fn clear(&mut self) {
            *self = RegisteredWith::default();
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
        pub(crate) fn check_register(&self) -> io::Result<()> {
            Ok(())
        }

        #[inline]
        pub(crate) fn check_reregister(&self, _registry: &Registry) -> io::Result<()> {
            Ok(())
        }

        #[inline]
        pub(crate) fn check_deregister(&self, _registry: &Registry) -> io::Result<()> {
            Ok(())
        }

        #[inline]
        pub(crate) fn set(&mut self, _registry: &Registry) {}

        #[inline]
        pub(crate) fn clear(&mut self) {}
    }
}
