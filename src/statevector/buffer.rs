//! Memory of states: aligned numbers, and views of them that kernels share.

use super::simd::{Complex, Element, Isa, Lanes, MAX_LANES, lanes};
use std::ops::{Deref, DerefMut};

/// As many numbers as the widest register of single precision holds, on a cache line of their own.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Line<T>([T; MAX_LANES]);

/// Numbers on cache lines.
#[derive(Debug, Clone)]
pub struct Buffer<T> {
    lines: Vec<Line<T>>,
    len: usize,
}

impl<T: Element> Buffer<T> {
    pub fn zeros(len: usize) -> Self {
        Self { lines: vec![Line([T::zero(); MAX_LANES]); len.div_ceil(MAX_LANES)], len }
    }

    /// The numbers as complex registers.
    pub fn view(&mut self) -> View<T> {
        View { start: self.as_mut_ptr(), len: self.len }
    }

    /// The same numbers, only to be read.
    pub fn look(&self) -> View<T> {
        View { start: self.as_ptr().cast_mut(), len: self.len }
    }
}

impl<T> Deref for Buffer<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: lines are arrays of numbers without padding (16 numbers fill whole lines), and
        // there are enough of them for `len`.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }
}

impl<T> DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}

/// A state as kernels see it: complex registers, real parts before imaginary ones.
///
/// A plain pointer, since several threads work on different places of one state. It must not
/// outlive its buffer; drivers make views for one launch at a time.
#[derive(Debug, Clone, Copy)]
pub struct View<T> {
    start: *mut T,
    len: usize,
}

// SAFETY: a view is a pointer to plain numbers; kernels that share one write to different places.
unsafe impl<T: Send> Send for View<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for View<T> {}

impl<T: Element> View<T> {
    /// The number of complex registers.
    #[inline(always)]
    pub fn registers<S: Isa>(self) -> usize {
        self.len / (2 * lanes::<T, S>())
    }

    /// Complex register `i`.
    ///
    /// # Safety
    ///
    /// `i < registers()`, and nobody writes there meanwhile.
    #[inline(always)]
    pub unsafe fn get<S: Isa>(self, s: S, i: usize) -> Complex<T, S> {
        // SAFETY: the caller's promise.
        unsafe { (self.part(s, 2 * i), self.part(s, 2 * i + 1)) }
    }

    /// # Safety
    ///
    /// `i < registers()`, and nobody else uses this place meanwhile.
    #[inline(always)]
    pub unsafe fn set<S: Isa>(self, i: usize, (re, im): Complex<T, S>) {
        // SAFETY: the caller's promise.
        unsafe {
            self.set_part(2 * i, re);
            self.set_part(2 * i + 1, im);
        }
    }

    /// Real register `k`: `2 i` holds the real parts of complex register `i`, `2 i + 1` the
    /// imaginary ones.
    ///
    /// # Safety
    ///
    /// `k < 2 registers()`, and nobody writes there meanwhile.
    #[inline(always)]
    pub unsafe fn part<S: Isa>(self, s: S, k: usize) -> Lanes<T, S> {
        debug_assert!((k + 1) * lanes::<T, S>() <= self.len);
        // SAFETY: the caller's promise.
        unsafe { Lanes::read(s, self.start.add(k * lanes::<T, S>())) }
    }

    /// # Safety
    ///
    /// `k < 2 registers()`, and nobody else uses this place meanwhile.
    #[inline(always)]
    pub unsafe fn set_part<S: Isa>(self, k: usize, value: Lanes<T, S>) {
        debug_assert!((k + 1) * lanes::<T, S>() <= self.len);
        // SAFETY: the caller's promise.
        unsafe { value.write(self.start.add(k * lanes::<T, S>())) }
    }

    /// Number `k`.
    ///
    /// # Safety
    ///
    /// `k` is below the length of the buffer, and nobody writes there meanwhile.
    #[inline(always)]
    pub unsafe fn number(self, k: usize) -> T {
        debug_assert!(k < self.len);
        // SAFETY: the caller's promise.
        unsafe { *self.start.add(k) }
    }
}
