//! Memory that the kernel writes to.

#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::panic::RefUnwindSafe;

/// Memory that the kernel writes events into. This crate treats the pointers in them as numbers, and follows none.
pub(crate) struct Buffer<T>(pub(crate) Vec<T>);

// SAFETY: `T` is one of the OS's structs, which contain numbers, and pointers that no code follows.
unsafe impl<T: Copy> Send for Buffer<T> {}
// SAFETY: the same holds for sharing it.
unsafe impl<T: Copy> Sync for Buffer<T> {}

/// Memory that belongs to the kernel at times. Only unsafe code can access its contents.
pub(crate) struct Lent<T>(UnsafeCell<T>);

// SAFETY: code that follows the pointer of `get` has to make sure that no other code does so at the same time. `T` is one of
// the OS's structs.
unsafe impl<T: Copy> Send for Lent<T> {}
// SAFETY: the same holds for sharing it.
unsafe impl<T: Copy> Sync for Lent<T> {}
/// No code panics half-way through a change of it.
impl<T> RefUnwindSafe for Lent<T> {}

impl<T> Lent<T> {
    pub(crate) fn new(value: T) -> Lent<T> {
        Lent(UnsafeCell::new(value))
    }

    pub(crate) fn get(&self) -> *mut T {
        self.0.get()
    }
}
