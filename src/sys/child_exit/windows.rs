//! The source for Windows: the handle of a process, which is signalled when the process has exited.

use std::io;
use std::os::windows::io::{AsHandle, OwnedHandle};
use std::process::Child;

use crate::windows::Waitable;

/// It owns a duplicate of the handle, because you may drop the child earlier.
pub(super) type Exit = Waitable<OwnedHandle>;

pub(super) fn open(child: &Child) -> io::Result<Exit> {
    Ok(Waitable::new(child.as_handle().try_clone_to_owned()?))
}
