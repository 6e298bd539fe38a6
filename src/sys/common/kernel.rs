//! Memory that the kernel writes to.

#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::panic::RefUnwindSafe;

/// What the kernel writes events into. The pointers in those are numbers to this crate, which follows none.
pub(crate) struct Buffer<T>(pub(crate) Vec<T>);

// SAFETY: `T` is one of the OS's structs, of numbers and of pointers that nobody follows.
unsafe impl<T: Copy> Send for Buffer<T> {}
// SAFETY: as above.
unsafe impl<T: Copy> Sync for Buffer<T> {}

/// What belongs to the kernel at times. Only unsafe code gets at what is inside.
pub(crate) struct Lent<T>(UnsafeCell<T>);

// SAFETY: whoever follows the pointer of `get` vouches that nobody else does so meanwhile. `T` is one of the OS's structs.
unsafe impl<T: Copy> Send for Lent<T> {}
// SAFETY: as above.
unsafe impl<T: Copy> Sync for Lent<T> {}
/// Nothing panics half-way through a change of it.
impl<T> RefUnwindSafe for Lent<T> {}

impl<T> Lent<T> {
    pub(crate) fn new(value: T) -> Lent<T> {
        Lent(UnsafeCell::new(value))
    }

    pub(crate) fn get(&self) -> *mut T {
        self.0.get()
    }
}
