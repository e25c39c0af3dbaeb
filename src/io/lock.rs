//! Locks.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The value behind a lock; that another thread panicked while it held it changes nothing here.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
