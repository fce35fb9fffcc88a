//! Memory of states that the runs of a program leave to the next: fresh memory costs as much time
//! as a few passes over it.

use super::buffer::Buffer;
use super::simd::Element;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Kept bytes, at most.
const LIMIT: usize = 64 << 20;

/// Free buffers of a program. A clone of the program starts with none.
pub struct Pool<T>(Mutex<Vec<Buffer<T>>>);

impl<T: Element> Pool<T> {
    /// A buffer of this length, with whatever it held before.
    pub fn take(&self, len: usize) -> Buffer<T> {
        let mut free = self.free();
        match free.iter().rposition(|buffer| buffer.len() == len) {
            Some(k) => free.swap_remove(k),
            None => {
                drop(free);
                Buffer::zeros(len)
            }
        }
    }

    /// Keeps a buffer for later, if there is room.
    pub fn give(&self, buffer: Buffer<T>) {
        let mut free = self.free();
        let kept: usize = free.iter().map(|buffer| buffer.len()).sum();
        if !buffer.is_empty() && (kept + buffer.len()) * size_of::<T>() <= LIMIT {
            free.push(buffer);
        }
    }

    fn free(&self) -> MutexGuard<'_, Vec<Buffer<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self(Mutex::new(Vec::new()))
    }
}

impl<T> Clone for Pool<T> {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl<T> fmt::Debug for Pool<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pool")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_come_back_by_length_and_only_so_many_are_kept() {
        let pool = Pool::<f32>::default();
        let mut buffer = pool.take(32);
        buffer[7] = 1.0;
        pool.give(buffer);
        assert_eq!(pool.take(64).len(), 64);
        assert_eq!(pool.take(32)[7], 1.0);
        assert_eq!(pool.take(32)[7], 0.0);
        pool.give(Buffer::zeros(LIMIT / 4 - 16));
        pool.give(Buffer::zeros(32));
        assert_eq!(pool.free().len(), 1);
        assert!(pool.clone().free().is_empty());
    }
}
