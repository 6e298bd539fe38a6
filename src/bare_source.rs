//! The sources that only name what to watch, and remember nothing about it: `SourceFd` on Unix, `SourceSocket` on Windows.

use std::io;

use crate::Registry;
use crate::event::{Watched, impl_source};
use crate::sys::{Backend, Watch};

/// Implements [`Source`](crate::event::Source) for a type whose only field refers to the descriptor. (Each type has its own
/// name, and no alias, because its documentation shows the name.)
macro_rules! bare_source {
    ($type:ty) => {
        impl Watched for $type {
            #[inline]
            fn watch(&mut self, registry: &Registry, watch: Watch) -> io::Result<()> {
                registry.queue().backend.register_bare(*self.0, watch)
            }

            #[inline]
            fn rewatch(&mut self, registry: &Registry, watch: Watch) -> io::Result<()> {
                registry.queue().backend.reregister(*self.0, &mut Default::default(), watch)
            }

            #[inline]
            fn unwatch(&mut self, registry: &Registry) -> io::Result<()> {
                registry.queue().backend.deregister(*self.0, &mut Default::default())
            }
        }

        impl_source!($type);
    };
}

#[cfg(unix)]
bare_source!(crate::unix::SourceFd<'_>);
#[cfg(windows)]
bare_source!(crate::windows::SourceSocket<'_>);
