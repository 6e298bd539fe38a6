//! Windows: the handle of a process is signalled when the process has exited.

use std::io;
use std::os::windows::io::{AsHandle, OwnedHandle};
use std::process::Child;

use crate::windows::Waitable;

/// A handle of its own: the child may be dropped before.
pub(super) type Exit = Waitable<OwnedHandle>;

pub(super) fn open(child: &Child) -> io::Result<Exit> {
    Ok(Waitable::new(child.as_handle().try_clone_to_owned()?))
}
