//! In debug builds, the queue that a source is registered with, for the misuse that the OS cannot tell: kqueue takes a second
//! registration for a change of the first, and no OS knows of the other queue of a source. Nothing in release builds.

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

    /// The mutex makes it `Sync` and unwind-safe; nobody ever waits for it.
    #[derive(Default)]
    pub(crate) struct RegisteredWith(Mutex<Weak<Queue>>);

    impl RegisteredWith {
        /// The source is not registered with any queue that still exists.
        pub(crate) fn check_register(&mut self) -> io::Result<()> {
            if self.queue().strong_count() == 0 { Ok(()) } else { Err(already_registered()) }
        }

        /// The source is registered, and with no other queue.
        pub(crate) fn check_reregister(&mut self, registry: &Registry) -> io::Result<()> {
            if self.is(registry) {
                return Ok(());
            }
            // With another one or with none.
            self.check_register()?;
            Err(not_registered())
        }

        /// The source is registered with this queue.
        pub(crate) fn check_deregister(&mut self, registry: &Registry) -> io::Result<()> {
            if self.is(registry) { Ok(()) } else { Err(not_registered()) }
        }

        pub(crate) fn set(&mut self, registry: &Registry) {
            *self.queue() = Arc::downgrade(registry.queue());
        }

        pub(crate) fn clear(&mut self) {
            *self.queue() = Weak::new();
        }

        fn is(&mut self, registry: &Registry) -> bool {
            ptr::eq(self.queue().as_ptr(), Arc::as_ptr(registry.queue()))
        }

        fn queue(&mut self) -> &mut Weak<Queue> {
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
