//! Sources that name what is to be watched and remember nothing of it: `SourceFd` on Unix, `SourceSocket` on Windows.

use std::io;

use crate::event::Source;
use crate::sys::{Backend, Watch};
#[cfg(unix)]
use crate::unix::SourceFd as RawSource;
#[cfg(windows)]
use crate::windows::SourceSocket as RawSource;
use crate::{Interest, Registry, Token, Trigger};

impl<'a> Source for RawSource<'a> {
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
        registry.queue().backend.deregister(*self.0, &mut Default::default())
    }

    #[inline]
    fn register_with(
        &mut self,
        registry: &Registry,
        token: Token,
        interest: Interest,
        trigger: Trigger,
    ) -> io::Result<()> {
        registry.queue().backend.register_raw(*self.0, Watch { token, interest, trigger })
    }

    #[inline]
    fn reregister_with(
        &mut self,
        registry: &Registry,
        token: Token,
        interest: Interest,
        trigger: Trigger,
    ) -> io::Result<()> {
        registry.queue().backend.reregister(*self.0, &mut Default::default(), Watch { token, interest, trigger })
    }
}
