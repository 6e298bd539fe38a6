//! The source for kqueue: the number of the child, and the queue that watches for its exit.

use std::fmt;
use std::io;
use std::process::Child;
use std::sync::{Arc, Weak};

use crate::Registry;
use crate::event::Watched;
use crate::queue::Queue;
use crate::sys::kqueue::exits::has_exited;
use crate::sys::{Watch, already_registered, not_registered};

pub(super) struct Exit {
    child: libc::pid_t,
    /// There is no descriptor whose closing would end the registration, so this has to know the queue and end it.
    queue: Weak<Queue>,
}

pub(super) fn open(child: &Child) -> io::Result<Exit> {
    let child = child.id() as libc::pid_t;
    has_exited(child)?;
    Ok(Exit { child, queue: Weak::new() })
}

impl Watched for Exit {
    fn watch(&mut self, registry: &Registry, watch: Watch) -> io::Result<()> {
        if self.queue.strong_count() > 0 {
            return Err(already_registered());
        }
        registry.queue().backend.register_exit(self.child, watch.token, watch.trigger)?;
        self.queue = Arc::downgrade(registry.queue());
        Ok(())
    }

    fn rewatch(&mut self, registry: &Registry, watch: Watch) -> io::Result<()> {
        if self.is_registered_with(registry) {
            return registry.queue().backend.reregister_exit(self.child, watch.token, watch.trigger);
        }
        Err(if self.queue.strong_count() > 0 { already_registered() } else { not_registered() })
    }

    fn unwatch(&mut self, registry: &Registry) -> io::Result<()> {
        if !self.is_registered_with(registry) {
            return Err(not_registered());
        }
        registry.queue().backend.deregister_exit(self.child)?;
        self.queue = Weak::new();
        Ok(())
    }
}

impl Exit {
    fn is_registered_with(&self, registry: &Registry) -> bool {
        std::ptr::eq(self.queue.as_ptr(), Arc::as_ptr(registry.queue()))
    }
}

impl Drop for Exit {
    fn drop(&mut self) {
        if let Some(queue) = self.queue.upgrade() {
            // This does not fail, because the exit is registered.
            let _ = queue.backend.deregister_exit(self.child);
        }
    }
}

impl fmt::Debug for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.child.fmt(f)
    }
}
