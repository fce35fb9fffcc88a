//! Diagonals and maps of basis states: one walk from one state to another.

use super::super::affine::BitMap;
use super::super::buffer::{Buffer, View};
use super::super::simd::{Complex, Element, Index, Isa, Lanes, MAX_LANES, Sweep, lanes};
use super::polynomial::BLOCK;
use super::{lane_bits, product};
use std::ops::Range;

/// The factors of a diagonal, `exp(-i p(j))`.
#[derive(Debug, Clone)]
pub enum Factors<T> {
    /// The same for all samples, one for each amplitude, in the layout of a single state.
    Shared(Buffer<T>),
    /// One for each amplitude and sample.
    Each(Buffer<T>),
    /// `low[i % n] high[i / n]` for register `i`, `n` the number of registers of `low`.
    Product { low: Buffer<T>, high: Vec<(T, T)> },
}

/// A map of basis states in terms of registers.
#[derive(Debug, Clone)]
pub struct Gather {
    /// The image of register `v` is `low[v % LOW] ^ high[v / LOW]`, an index of amplitudes.
    low: Vec<usize>,
    high: Vec<usize>,
    index: Index,
    lanes: Lane,
    /// What each lane adds to the image of its register.
    shift: [usize; MAX_LANES],
    lane_bits: usize,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Lane {
    /// Registers move as a whole.
    Whole,
    /// The lanes of a register come from one register.
    One,
    /// They come from two registers, whose numbers differ by this mask.
    Two(usize),
    /// From more.
    Many,
}

/// Registers to a step of `high`; kernels are given whole steps, unless it is all.
pub const LOW: usize = BLOCK;

impl Gather {
    /// `map` gives the source of each amplitude.
    pub fn new(map: &BitMap, lane_bits: usize, registers: usize) -> Self {
        let bits = registers.trailing_zeros() as usize;
        let low_bits = bits.min(LOW.trailing_zeros() as usize);
        let low = map.table(lane_bits, low_bits);
        let mut high = map.table(lane_bits + low_bits, bits - low_bits);
        high.iter_mut().for_each(|image| *image ^= map.offset());
        let mut shift = [0; MAX_LANES];
        let n = 1 << lane_bits;
        shift[..n].copy_from_slice(&map.table(0, lane_bits));
        let mut index = [0; MAX_LANES];
        for (index, shift) in index[..n].iter_mut().zip(shift) {
            *index = (shift & (n - 1) | if shift < n { 0 } else { n }) as u32;
        }
        let mut gather = Self { low, high, index, lanes: Lane::Whole, shift, lane_bits };
        gather.lanes = gather.kind();
        gather
    }

    fn kind(&self) -> Lane {
        let n = 1 << self.lane_bits;
        let others = || self.shift[..n].iter().map(|shift| shift >> self.lane_bits);
        let other = others().find(|&other| other != 0);
        let in_place = || self.shift[..n].iter().enumerate().all(|(l, &shift)| l == shift);
        let mut images = self.low.iter().chain(&self.high);
        match other {
            Some(other) if others().all(|o| o == 0 || o == other) => Lane::Two(other),
            Some(_) => Lane::Many,
            None if in_place() && images.all(|image| image & (n - 1) == 0) => Lane::Whole,
            None => Lane::One,
        }
    }
}

/// `to[k] = f(source(k)) from[source(k)]`, or `to[k] = conj(f(k)) from[source(k)]` if `inverse`.
/// Without a map it works in place, `from` being `to`.
pub struct Remap<'a, T> {
    pub from: View<T>,
    pub to: View<T>,
    pub gather: Option<&'a Gather>,
    pub factors: Option<&'a Factors<T>>,
    pub inverse: bool,
    /// The registers of `to` to fill: whole blocks, unless it is all.
    pub registers: Range<usize>,
}

impl<T: Element> Sweep for Remap<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Isa, const SINGLE: bool>(self, s: S) {
        match self.factors {
            None => self.walk::<S, _, SINGLE>(s, One),
            Some(Factors::Shared(table)) if !SINGLE => {
                self.walk::<S, _, SINGLE>(s, Broadcast(table.look()))
            }
            Some(Factors::Shared(table) | Factors::Each(table)) => {
                self.walk::<S, _, SINGLE>(s, Table(table.look()))
            }
            Some(Factors::Product { low, high }) => {
                let low = low.look();
                self.walk::<S, _, SINGLE>(s, Split { low, len: low.registers::<S>(), high })
            }
        }
    }
}

/// The register and the lane of an amplitude.
#[inline(always)]
fn split<T: Element, S: Isa>(image: usize) -> (usize, u32) {
    let n = lanes::<T, S>();
    (image / n, (image % n) as u32)
}

/// Where factors come from.
trait Source<T: Element>: Copy {
    const ONE: bool;

    /// # Safety
    ///
    /// `i` is a register of a state for which this source was made.
    unsafe fn at<S: Isa>(self, s: S, i: usize) -> Complex<T, S>;
}

#[derive(Clone, Copy)]
struct One;

impl<T: Element> Source<T> for One {
    const ONE: bool = true;

    #[inline(always)]
    unsafe fn at<S: Isa>(self, s: S, _: usize) -> Complex<T, S> {
        (Lanes::splat(s, T::one()), Lanes::zero(s))
    }
}

/// A table in the layout of single states, each entry for all lanes.
#[derive(Clone, Copy)]
struct Broadcast<T>(View<T>);

impl<T: Element> Source<T> for Broadcast<T> {
    const ONE: bool = false;

    #[inline(always)]
    unsafe fn at<S: Isa>(self, s: S, i: usize) -> Complex<T, S> {
        let n = lanes::<T, S>();
        let at = i / n * 2 * n + i % n;
        // SAFETY: the caller's promise.
        let (re, im) = unsafe { (self.0.number(at), self.0.number(at + n)) };
        (Lanes::splat(s, re), Lanes::splat(s, im))
    }
}

#[derive(Clone, Copy)]
struct Table<T>(View<T>);

impl<T: Element> Source<T> for Table<T> {
    const ONE: bool = false;

    #[inline(always)]
    unsafe fn at<S: Isa>(self, s: S, i: usize) -> Complex<T, S> {
        // SAFETY: the caller's promise.
        unsafe { self.0.get(s, i) }
    }
}

#[derive(Clone, Copy)]
struct Split<'a, T> {
    low: View<T>,
    len: usize,
    high: &'a [(T, T)],
}

impl<T: Element> Source<T> for Split<'_, T> {
    const ONE: bool = false;

    #[inline(always)]
    unsafe fn at<S: Isa>(self, s: S, i: usize) -> Complex<T, S> {
        let (re, im) = self.high[i / self.len];
        // SAFETY: the remainder is a register of `low`.
        let low = unsafe { self.low.get(s, i & (self.len - 1)) };
        product((Lanes::splat(s, re), Lanes::splat(s, im)), low)
    }
}

impl<T: Element> Remap<'_, T> {
    #[inline(always)]
    fn walk<S: Isa, F: Source<T>, const SINGLE: bool>(&self, s: S, factors: F) {
        let Some(g) = self.gather else {
            for i in self.registers.clone() {
                self.put(i, factors, self.take(s, i, factors));
            }
            return;
        };
        match g.lanes {
            Lane::One if SINGLE => self.each(
                g,
                #[inline(always)]
                |i, image| {
                    let (j, flip) = split::<T, S>(image);
                    let v = self.take(s, j, factors);
                    let v = (v.0.permute(v.0, &g.index, flip), v.1.permute(v.1, &g.index, flip));
                    self.put(i, factors, v);
                },
            ),
            Lane::Two(other) if SINGLE => self.each(
                g,
                #[inline(always)]
                |i, image| {
                    let (j, flip) = split::<T, S>(image);
                    let (a, b) = (self.take(s, j, factors), self.take(s, j ^ other, factors));
                    let v = (a.0.permute(b.0, &g.index, flip), a.1.permute(b.1, &g.index, flip));
                    self.put(i, factors, v);
                },
            ),
            Lane::Many if SINGLE => self.each(
                g,
                #[inline(always)]
                |i, image| self.put(i, factors, self.one_by_one(s, g, image, factors)),
            ),
            _ => self.each(
                g,
                #[inline(always)]
                |i, image| {
                    self.put(i, factors, self.take(s, image >> lane_bits::<T, S>(SINGLE), factors));
                },
            ),
        }
    }

    /// Calls `f` with each register to fill and the image of its first lane.
    #[inline(always)]
    fn each(&self, g: &Gather, mut f: impl FnMut(usize, usize)) {
        for first in self.registers.clone().step_by(LOW) {
            let high = g.high[first / LOW];
            for (k, low) in g.low.iter().enumerate() {
                f(first + k, low ^ high);
            }
        }
    }

    #[inline(always)]
    fn take<S: Isa, F: Source<T>>(&self, s: S, j: usize, factors: F) -> Complex<T, S> {
        // SAFETY: maps are permutations of the amplitudes, so `j` is a register of `from`, and
        // nobody writes there unless `from` is `to`, when there is no map.
        unsafe {
            let v = self.from.get(s, j);
            if F::ONE || self.inverse { v } else { product(factors.at(s, j), v) }
        }
    }

    #[inline(always)]
    fn put<S: Isa, F: Source<T>>(&self, i: usize, factors: F, v: Complex<T, S>) {
        // SAFETY: these registers of `to` are lent to this call alone.
        unsafe {
            if F::ONE || !self.inverse {
                return self.to.set(i, v);
            }
            let (re, im) = factors.at(v.0.s, i);
            self.to.set(i, product((re, -im), v));
        }
    }

    /// Lanes from anywhere: each register that holds one of them is loaded once.
    #[inline(always)]
    fn one_by_one<S: Isa, F: Source<T>>(
        &self,
        s: S,
        g: &Gather,
        image: usize,
        factors: F,
    ) -> Complex<T, S> {
        let n = lanes::<T, S>();
        let (mut re, mut im) = ([T::zero(); MAX_LANES], [T::zero(); MAX_LANES]);
        let (mut kept, mut done) = ([T::zero(); 2 * MAX_LANES], 0usize);
        for l in 0..n {
            if done >> l & 1 == 1 {
                continue;
            }
            let register = (image ^ g.shift[l]) / n;
            let v = self.take(s, register, factors);
            v.0.store(&mut kept);
            v.1.store(&mut kept[n..]);
            for k in l..n {
                let place = image ^ g.shift[k];
                if place / n == register {
                    (re[k], im[k]) = (kept[place % n], kept[n + place % n]);
                    done |= 1 << k;
                }
            }
        }
        (Lanes::load(s, &re), Lanes::load(s, &im))
    }
}
