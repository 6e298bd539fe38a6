//! kqueue: the number of the child, and the queue that watches for it.

use std::fmt;
use std::io;
use std::process::Child;
use std::sync::{Arc, Weak};

use crate::queue::Queue;
use crate::sys::kqueue::exits::has_exited;
use crate::sys::{already_registered, not_registered};
use crate::{Interest, Registry, Token, Trigger};

pub(super) struct Watch {
    child: libc::pid_t,
    /// The kernel deletes nothing of this by itself, as it does where there is a descriptor to be closed.
    queue: Weak<Queue>,
}

pub(super) fn open(child: &Child) -> io::Result<Watch> {
    let child = child.id() as libc::pid_t;
    has_exited(child)?;
    Ok(Watch { child, queue: Weak::new() })
}

impl Watch {
    pub(super) fn register_with(
        &mut self,
        registry: &Registry,
        token: Token,
        _interest: Interest,
        trigger: Trigger,
    ) -> io::Result<()> {
        if self.queue.strong_count() > 0 {
            return Err(already_registered());
        }
        registry.queue().backend.register_exit(self.child, token, trigger)?;
        self.queue = Arc::downgrade(registry.queue());
        Ok(())
    }

    pub(super) fn reregister_with(
        &mut self,
        registry: &Registry,
        token: Token,
        _interest: Interest,
        trigger: Trigger,
    ) -> io::Result<()> {
        if self.is_registered_with(registry) {
            return registry.queue().backend.reregister_exit(self.child, token, trigger);
        }
        Err(if self.queue.strong_count() > 0 { already_registered() } else { not_registered() })
    }

    pub(super) fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        if !self.is_registered_with(registry) {
            return Err(not_registered());
        }
        registry.queue().backend.deregister_exit(self.child)?;
        self.queue = Weak::new();
        Ok(())
    }

    fn is_registered_with(&self, registry: &Registry) -> bool {
        std::ptr::eq(self.queue.as_ptr(), Arc::as_ptr(registry.queue()))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(queue) = self.queue.upgrade() {
            // It is registered, so this does not fail.
            let _ = queue.backend.deregister_exit(self.child);
        }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.child.fmt(f)
    }
}
