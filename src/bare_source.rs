//! The sources that name what is to be watched and remember nothing of it: `SourceFd` on Unix, `SourceSocket` on Windows.

use std::io;

use crate::Registry;
use crate::event::{Watched, impl_source};
use crate::sys::{Backend, Watch};
#[cfg(unix)]
use crate::unix::SourceFd as BareSource;
#[cfg(windows)]
use crate::windows::SourceSocket as BareSource;

impl Watched for BareSource<'_> {
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

impl_source!(BareSource<'_>);
