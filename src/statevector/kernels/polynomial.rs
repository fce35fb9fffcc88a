//! Polynomials in `Z`: every diagonal of this crate.
//!
//! `p(j) = sum_t c_t (-1)^parity(j & mask_t)` over basis states `j`. Its values (energies, phases,
//! eigenvalues of an observable) come from a Walsh-Hadamard transform of the coefficients, and the
//! sums `sum_j w(j) (-1)^parity(j & mask_t)` (expectations, gradients) from one of `w`. Both are
//! done in blocks of registers that stay in the first cache: within a block the transform, over the
//! blocks one signed addition for each term. Bits of the lane are a pattern of signs in the
//! coefficients, or are left to whoever adds up the lanes.

use super::super::buffer::View;
use super::super::simd::{Complex, Element, Isa, Lanes, Machine, Sweep, lanes};
use super::{lane_bits, product, sign};
use std::mem::MaybeUninit;
use std::ops::Range;

/// Registers of a block.
pub const BLOCK: usize = 64;

/// The masks of a polynomial, one bit for each qubit.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Masks {
    masks: Vec<usize>,
    /// Whether every mask has at most one bit: the transforms then cost two additions for each
    /// value instead of one for each value and qubit.
    singles: bool,
}

impl Masks {
    pub fn new(masks: Vec<usize>) -> Self {
        let singles = masks.iter().all(|mask| mask.count_ones() <= 1);
        Self { masks, singles }
    }

    pub fn len(&self) -> usize {
        self.masks.len()
    }

    pub fn are_singles(&self) -> bool {
        self.singles
    }

    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.masks.iter().copied()
    }

    /// Writes the coefficient of term `t`, the same in all lanes but for the signs of lane bits.
    pub fn set_coefficient<T: Element>(&self, m: Machine, c: &mut [T], t: usize, value: T) {
        let n = m.lanes::<T>();
        let in_lanes = if m.single { self.masks[t] & (n - 1) } else { 0 };
        let lanes = &mut c[t * n..][..n];
        lanes.iter_mut().enumerate().for_each(|(l, x)| *x = sign::<T>(l & in_lanes) * value);
    }

    /// Adds up the lanes of each sum, with the signs of lane bits, and leaves the total in all of
    /// them.
    pub fn add_up_lanes<T: Element>(&self, m: Machine, sums: &mut [T]) {
        let n = m.lanes::<T>();
        for (&mask, lanes) in self.masks.iter().zip(sums.chunks_exact_mut(n)) {
            let signed = |(l, &x): (usize, &T)| sign::<T>(l & mask & (n - 1)) * x;
            let total = lanes.iter().enumerate().map(signed).fold(T::zero(), |a, b| a + b);
            lanes.fill(total);
        }
    }

    /// The values of the polynomial on a block of zeros, which starts at register `first`.
    #[inline(always)]
    fn expand<T: Element, S: Isa, const SINGLE: bool>(
        &self,
        coefficients: &[T],
        first: usize,
        block: &mut [Lanes<T, S>],
    ) {
        let (s, bits) = (block[0].s, lane_bits::<T, S>(SINGLE));
        for (t, mask) in self.masks.iter().enumerate() {
            let (mask, c) = (mask >> bits, Lanes::load(s, &coefficients[t * lanes::<T, S>()..]));
            let odd = !(first & mask).count_ones().is_multiple_of(2);
            block[mask & (block.len() - 1)] += if odd { -c } else { c };
        }
        match self.singles {
            true => expand_singles(block),
            false => transform(block),
        }
    }

    /// Adds a block's share to the sum of each term; destroys the block.
    #[inline(always)]
    fn contract<T: Element, S: Isa, const SINGLE: bool>(
        &self,
        block: &mut [Lanes<T, S>],
        first: usize,
        sums: &mut [T],
    ) {
        let (s, bits) = (block[0].s, lane_bits::<T, S>(SINGLE));
        match self.singles {
            true => contract_singles(block),
            false => transform(block),
        }
        for (mask, sum) in self.masks.iter().zip(sums.chunks_exact_mut(lanes::<T, S>())) {
            let mask = mask >> bits;
            let share = block[mask & (block.len() - 1)];
            let odd = !(first & mask).count_ones().is_multiple_of(2);
            (Lanes::load(s, sum) + if odd { -share } else { share }).store(sum);
        }
    }
}

/// Room for a block, uninitialised: writing 64 registers that a small state does not use would cost
/// more than the work on it.
struct Block<T: Element, S: Isa>([MaybeUninit<Lanes<T, S>>; BLOCK]);

impl<T: Element, S: Isa> Block<T, S> {
    #[inline(always)]
    fn new() -> Self {
        Self([MaybeUninit::uninit(); BLOCK])
    }

    /// The first `len` registers, filled.
    #[inline(always)]
    fn fill(&mut self, len: usize, mut f: impl FnMut(usize) -> Lanes<T, S>) -> &mut [Lanes<T, S>] {
        let block = &mut self.0[..len];
        for (k, place) in block.iter_mut().enumerate() {
            place.write(f(k));
        }
        // SAFETY: all of them were written, and `MaybeUninit` has the layout of what it holds.
        unsafe { &mut *(std::ptr::from_mut(block) as *mut [Lanes<T, S>]) }
    }
}

/// The Walsh-Hadamard transform, in place.
#[inline(always)]
fn transform<T: Element, S: Isa>(values: &mut [Lanes<T, S>]) {
    let mut half = 1;
    while half < values.len() {
        for pair in values.chunks_exact_mut(2 * half) {
            let (low, high) = pair.split_at_mut(half);
            for (a, b) in low.iter_mut().zip(high) {
                (*a, *b) = (*a + *b, *a - *b);
            }
        }
        half *= 2;
    }
}

/// As [`transform`], but only the values at 0 and at single bits are right afterwards.
#[inline(always)]
fn contract_singles<T: Element, S: Isa>(values: &mut [Lanes<T, S>]) {
    let mut half = values.len() / 2;
    while half > 0 {
        let (low, high) = values.split_at_mut(half);
        let mut difference = Lanes::zero(low[0].s);
        for (a, &b) in low.iter_mut().zip(&high[..half]) {
            difference += *a - b;
            *a += b;
        }
        high[0] = difference;
        half /= 2;
    }
}

/// As [`transform`] of values that are 0 but at 0 and at single bits.
#[inline(always)]
fn expand_singles<T: Element, S: Isa>(values: &mut [Lanes<T, S>]) {
    let mut half = 1;
    while half < values.len() {
        let (low, high) = values[..2 * half].split_at_mut(half);
        let coefficient = high[0];
        for (a, b) in low.iter_mut().zip(high) {
            (*a, *b) = (*a + coefficient, *a - coefficient);
        }
        half *= 2;
    }
}

/// `sums[t] += sum_j w(j) (-1)^parity(j & mask_t)`, with `w = |ket|^2`, or `Im(conj(bra) ket)` if
/// there is a `bra`.
pub struct Contract<'a, T> {
    pub masks: &'a Masks,
    pub ket: View<T>,
    pub bra: Option<View<T>>,
    /// Whole blocks, unless it is all.
    pub registers: Range<usize>,
    pub sums: &'a mut [T],
}

impl<T: Element> Sweep for Contract<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Isa, const SINGLE: bool>(self, s: S) {
        let (len, mut block) = (self.registers.len().min(BLOCK), Block::new());
        for first in self.registers.step_by(len) {
            let block = block.fill(
                len,
                #[inline(always)]
                |k| {
                    // SAFETY: `registers` lie in both states, which nobody writes to.
                    let x = unsafe { self.ket.get(s, first + k) };
                    match self.bra {
                        None => x.1.mul_add(x.1, x.0 * x.0),
                        Some(bra) => {
                            // SAFETY: as above.
                            let y = unsafe { bra.get(s, first + k) };
                            y.1.neg_mul_add(x.0, y.0 * x.1)
                        }
                    }
                },
            );
            self.masks.contract::<T, S, SINGLE>(block, first, self.sums);
        }
    }
}

/// `sums[t] += sum_j w(j) (-1)^parity(j & mask_t)` of real numbers `w`.
pub struct ContractNumbers<'a, T> {
    pub masks: &'a Masks,
    pub numbers: &'a [T],
    pub sums: &'a mut [T],
}

impl<T: Element> Sweep for ContractNumbers<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Isa, const SINGLE: bool>(self, s: S) {
        let n = lanes::<T, S>();
        let registers = self.numbers.len() / n;
        let (len, mut block) = (registers.min(BLOCK), Block::new());
        for first in (0..registers).step_by(len) {
            let numbers = &self.numbers[first * n..];
            let block = block.fill(
                len,
                #[inline(always)]
                |k| Lanes::load(s, &numbers[k * n..]),
            );
            self.masks.contract::<T, S, SINGLE>(block, first, self.sums);
        }
    }
}

/// What becomes of the values of a polynomial.
pub enum Expansion<T> {
    /// `to = p from`.
    Scale { from: View<T>, to: View<T> },
    /// `to = exp(-i p)`.
    Phases { to: View<T> },
    /// `to = exp(-i p) to`, or `exp(i p) to`.
    Turn { to: View<T>, inverse: bool },
}

/// Evaluates a polynomial on every basis state.
pub struct Expand<'a, T> {
    pub masks: &'a Masks,
    pub coefficients: &'a [T],
    pub expansion: Expansion<T>,
    /// Whole blocks, unless it is all.
    pub registers: Range<usize>,
}

impl<T: Element> Sweep for Expand<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Isa, const SINGLE: bool>(self, s: S) {
        let (len, mut block) = (self.registers.len().min(BLOCK), Block::new());
        for first in self.registers.clone().step_by(len) {
            let block = block.fill(
                len,
                #[inline(always)]
                |_| Lanes::zero(s),
            );
            self.masks.expand::<T, S, SINGLE>(self.coefficients, first, block);
            for (k, &p) in block.iter().enumerate() {
                // SAFETY: `registers` lie in the states, and this part is lent to this call alone.
                unsafe { self.use_value(s, first + k, p) };
            }
        }
    }
}

impl<T: Element> Expand<'_, T> {
    /// # Safety
    ///
    /// Register `i` lies in the states, and nobody else uses it meanwhile.
    #[inline(always)]
    unsafe fn use_value<S: Isa>(&self, s: S, i: usize, p: Lanes<T, S>) {
        // SAFETY: the caller's promise.
        unsafe {
            match self.expansion {
                Expansion::Scale { from, to } => {
                    let (re, im) = from.get(s, i);
                    to.set(i, (p * re, p * im));
                }
                Expansion::Phases { to } => to.set(i, phase(p)),
                Expansion::Turn { to, inverse } => {
                    let (re, im) = phase(p);
                    let factor = (re, if inverse { -im } else { im });
                    to.set(i, product(factor, to.get(s, i)));
                }
            }
        }
    }
}

/// `exp(-i p)`.
#[inline(always)]
fn phase<T: Element, S: Isa>(p: Lanes<T, S>) -> Complex<T, S> {
    let (sin, cos) = p.sin_cos();
    (cos, -sin)
}

/// The values of a polynomial, as real numbers.
pub struct ExpandNumbers<'a, T> {
    pub masks: &'a Masks,
    pub coefficients: &'a [T],
    pub numbers: &'a mut [T],
}

impl<T: Element> Sweep for ExpandNumbers<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Isa, const SINGLE: bool>(self, s: S) {
        let n = lanes::<T, S>();
        let registers = self.numbers.len() / n;
        let (len, mut block) = (registers.min(BLOCK), Block::new());
        for first in (0..registers).step_by(len) {
            let block = block.fill(
                len,
                #[inline(always)]
                |_| Lanes::zero(s),
            );
            self.masks.expand::<T, S, SINGLE>(self.coefficients, first, block);
            for (k, p) in block.iter().enumerate() {
                p.store(&mut self.numbers[(first + k) * n..]);
            }
        }
    }
}
