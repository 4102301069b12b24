//! A value that signal handlers use while others may want to take it away. It never blocks those
//! who use it.

use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::thread;

/// A place for a value that is there or not.
pub(super) struct Guarded<T> {
    users: AtomicUsize,
    value: AtomicPtr<T>,
}

impl<T: Sync> Guarded<T> {
    pub(super) const fn new() -> Guarded<T> {
        Guarded { users: AtomicUsize::new(0), value: AtomicPtr::new(ptr::null_mut()) }
    }

    /// Calls `with` if there is a value. Neither allocates nor waits by itself.
    pub(super) fn enter<R>(&self, with: impl FnOnce(&T) -> R) -> Option<R> {
        // Counted before the pointer is read: whoever takes the value away first hides the pointer
        // and then waits for the count. Sequential consistency makes one of the two see the other.
        self.users.fetch_add(1, Ordering::SeqCst);
        let value = self.value.load(Ordering::SeqCst);
        // SAFETY: it is null or came from a box that `take` does not free before the count is 0.
        let result = unsafe { value.as_ref() }.map(with);
        self.users.fetch_sub(1, Ordering::SeqCst);
        result
    }

    /// Puts a value in its place, and waits until nobody uses the one before.
    pub(super) fn put(&self, value: T) {
        self.replace(Box::into_raw(Box::new(value)));
    }

    /// Takes the value away.
    pub(super) fn take(&self) -> Option<Box<T>> {
        self.replace(ptr::null_mut())
    }

    fn replace(&self, new: *mut T) -> Option<Box<T>> {
        let old = self.value.swap(new, Ordering::SeqCst);
        if old.is_null() {
            return None;
        }
        while self.users.load(Ordering::SeqCst) != 0 {
            thread::yield_now();
        }
        // SAFETY: it came from a box, nobody uses it and nobody finds it any more.
        Some(unsafe { Box::from_raw(old) })
    }
}

#[cfg(test)]
mod tests {
    use super::Guarded;

    #[test]
    fn a_value_is_there_until_it_is_taken() {
        let guarded = Guarded::new();
        assert_eq!(guarded.enter(|value: &u32| *value), None);
        guarded.put(1);
        guarded.put(2);
        assert_eq!(guarded.enter(|value| *value), Some(2));
        assert_eq!(guarded.take(), Some(Box::new(2)));
        assert_eq!(guarded.take(), None);
    }
}
