//! How this crate locks.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Nothing that happens under these locks can panic half-way, so a poisoned one is as good as any.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
