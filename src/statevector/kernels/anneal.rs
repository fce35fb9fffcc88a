//! The two pulses of a step of annealing: phases `exp(-i b E)` and mixing `exp(i a sum_q X_q)`.

use super::super::buffer::View;
use super::super::simd::{Complex, Element, Isa, Lanes, Sweep, lanes};
use super::turn::{block, set_block};
use super::{array, each_block, each_pair, exchange, lane_bits};
use std::ops::Range;

/// Registers that stay in the first cache while all their qubits are mixed.
pub const CHUNK: usize = 256;

/// `exp(-i pulse E)` on a state, which `energies` covers.
pub struct Phases<'a, T> {
    pub state: View<T>,
    pub energies: &'a [T],
    pub pulse: T,
}

impl<T: Element> Sweep for Phases<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Isa, const SINGLE: bool>(self, s: S) {
        let pulse = Lanes::splat(s, self.pulse);
        for (i, e) in self.energies.chunks_exact(lanes::<T, S>()).enumerate() {
            let turn = (Lanes::load(s, e) * pulse).sin_cos();
            // SAFETY: there is a register of energies for each register of the state.
            unsafe { self.state.set(i, backwards(turn, self.state.get(s, i))) };
        }
    }
}

/// `(cos - i sin) v`.
#[inline(always)]
fn backwards<T: Element, S: Isa>(
    (sin, cos): (Lanes<T, S>, Lanes<T, S>),
    v: Complex<T, S>,
) -> Complex<T, S> {
    (sin.mul_add(v.1, cos * v.0), sin.neg_mul_add(v.0, cos * v.1))
}

/// Undoes [`Phases`] on `ket` and `bra`. With `w_j = 2 Im(conj(bra_j) ket_j)` adds `pulse w` to
/// `by_energy` and returns `sum_j E_j w_j`.
pub struct UndoPhases<'a, T> {
    pub ket: View<T>,
    pub bra: View<T>,
    pub energies: &'a [T],
    pub pulse: T,
    pub by_energy: &'a mut [T],
}

impl<T: Element> Sweep for UndoPhases<'_, T> {
    type Output = T;

    #[inline(always)]
    fn run<S: Isa, const SINGLE: bool>(self, s: S) -> T {
        let n = lanes::<T, S>();
        let (pulse, mut sum) = (Lanes::splat(s, self.pulse), Lanes::zero(s));
        let energies = self.energies.chunks_exact(n);
        for (i, (e, g)) in energies.zip(self.by_energy.chunks_exact_mut(n)).enumerate() {
            let e = Lanes::load(s, e);
            // SAFETY: there is a register of energies for each register of the states.
            unsafe {
                let (x, y) = (self.ket.get(s, i), self.bra.get(s, i));
                let w = y.1.neg_mul_add(x.0, y.0 * x.1);
                let w = w + w;
                sum = e.mul_add(w, sum);
                pulse.mul_add(w, Lanes::load(s, g)).store(g);
                let (sin, cos) = (e * pulse).sin_cos();
                self.ket.set(i, backwards((-sin, cos), x));
                self.bra.set(i, backwards((-sin, cos), y));
            }
        }
        add_up(sum)
    }
}

#[inline(always)]
fn add_up<T: Element, S: Isa>(sum: Lanes<T, S>) -> T {
    let mut numbers = [T::zero(); super::super::simd::MAX_LANES];
    sum.store(&mut numbers);
    super::total(&numbers)
}

/// `cos a + i sin a X`, as `(sin a, cos a - 1)`.
///
/// In a long evolution thousands of small rotations follow each other. In single precision a
/// cosine near 1 has lost most digits of `cos - 1`, and the norm drifts by 1e-3 in 4000 steps;
/// adding the change to the amplitude keeps it.
#[derive(Debug, Clone, Copy)]
pub struct Rotation<T> {
    pub sin: T,
    pub cos_minus_one: T,
}

impl<T: Element> Rotation<T> {
    #[inline(always)]
    fn turn<S: Isa>(self, s: S) -> Complex<T, S> {
        (Lanes::splat(s, self.sin), Lanes::splat(s, self.cos_minus_one))
    }
}

/// `v + (cos - 1) v + i sin w`.
#[inline(always)]
fn rotate<T: Element, S: Isa>(
    (sin, c): (Lanes<T, S>, Lanes<T, S>),
    v: Complex<T, S>,
    w: Complex<T, S>,
) -> Complex<T, S> {
    (v.0 + sin.neg_mul_add(w.1, c * v.0), v.1 + sin.mul_add(w.0, c * v.1))
}

/// Which qubits of a state to mix: all within chunks, or up to three neighbours above them.
#[derive(Debug, Clone)]
pub struct Part {
    /// The lowest bit and the number of bits above chunks; `None` for all within.
    pub high: Option<(usize, usize)>,
    /// Chunks, or free places.
    pub units: Range<usize>,
    /// Registers of a chunk.
    pub chunk: usize,
}

impl Part {
    /// Calls `f` with the first register, the lowest bit and the number of bits of each group, and
    /// its free places, `step` bits at a time.
    #[inline(always)]
    fn groups(
        &self,
        step: usize,
        first_of_chunk: impl Fn(usize),
        mut f: impl FnMut(usize, usize, usize, Range<usize>),
    ) {
        if let Some((bit, n)) = self.high {
            return f(0, bit, n, self.units.clone());
        }
        let bits = self.chunk.trailing_zeros() as usize;
        for unit in self.units.clone() {
            first_of_chunk(unit * self.chunk);
            let mut k = 0;
            while k < bits {
                let n = step.min(bits - k);
                f(unit * self.chunk, 1 << k, n, 0..self.chunk >> n);
                k += n;
            }
        }
    }
}

/// `exp(i a X)` on qubits of one state.
pub struct Mix<T> {
    pub state: View<T>,
    pub rotation: Rotation<T>,
    pub part: Part,
    /// The number of qubits, which tells how many are bits of the lane.
    pub n_qubits: usize,
}

impl<T: Element> Sweep for Mix<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Isa, const SINGLE: bool>(self, s: S) {
        let turn = self.rotation.turn(s);
        let bits = lane_bits::<T, S>(SINGLE).min(self.n_qubits);
        self.part.groups(
            3,
            #[inline(always)]
            |first| {
                for i in first..first + if bits > 0 { self.part.chunk } else { 0 } {
                    // SAFETY: this chunk is lent to this call alone.
                    unsafe {
                        let mut v = self.state.get(s, i);
                        for q in 0..bits {
                            v = rotate(turn, v, (exchange(v.0, 1 << q), exchange(v.1, 1 << q)));
                        }
                        self.state.set(i, v);
                    }
                }
            },
            #[inline(always)]
            |first, bit, n, places| match n {
                1 => self.block::<S, 2, 1>(turn, first, bit, places),
                2 => self.block::<S, 4, 2>(turn, first, bit, places),
                _ => self.block::<S, 8, 3>(turn, first, bit, places),
            },
        );
    }
}

impl<T: Element> Mix<T> {
    #[inline(always)]
    fn block<S: Isa, const D: usize, const Q: usize>(
        &self,
        turn: Complex<T, S>,
        first: usize,
        bit: usize,
        places: Range<usize>,
    ) {
        let offset: [usize; D] = array(0, |d| d * bit);
        each_block(
            first,
            bit * (D - 1),
            places,
            #[inline(always)]
            |i| {
                // SAFETY: `i` has zeros in the bits of the group, so all places are registers of
                // this unit, which is lent to this call alone.
                unsafe {
                    let mut v = block::<T, S, D>(turn.0.s, self.state, i, &offset);
                    rotate_all::<T, S, D, Q>(&mut v, turn);
                    set_block(self.state, i, &offset, &v);
                }
            },
        );
    }
}

#[inline(always)]
fn rotate_all<T: Element, S: Isa, const D: usize, const Q: usize>(
    v: &mut [Complex<T, S>; D],
    turn: Complex<T, S>,
) {
    rotate_bit::<T, S, D, 1>(v, turn);
    if Q > 1 {
        rotate_bit::<T, S, D, 2>(v, turn);
    }
    if Q > 2 {
        rotate_bit::<T, S, D, 4>(v, turn);
    }
}

#[inline(always)]
fn rotate_bit<T: Element, S: Isa, const D: usize, const BIT: usize>(
    v: &mut [Complex<T, S>; D],
    turn: Complex<T, S>,
) {
    each_pair::<D, BIT>(
        #[inline(always)]
        |d, e| {
            let (a, b) = (v[d], v[e]);
            v[d] = rotate(turn, a, b);
            v[e] = rotate(turn, b, a);
        },
    );
}

/// Adds `Im(conj(y) X x)` over the pairs of one bit.
#[inline(always)]
fn add_bit<T: Element, S: Isa, const D: usize, const BIT: usize>(
    mut sum: Lanes<T, S>,
    x: &[Complex<T, S>; D],
    y: &[Complex<T, S>; D],
) -> Lanes<T, S> {
    each_pair::<D, BIT>(
        #[inline(always)]
        |d, e| {
            sum = y[d].0.mul_add(x[e].1, y[d].1.neg_mul_add(x[e].0, sum));
            sum = y[e].0.mul_add(x[d].1, y[e].1.neg_mul_add(x[d].0, sum));
        },
    );
    sum
}

/// Applies `rotation` to `ket` and `bra`; returns `sum_q Im <bra|X_q|ket>` over these qubits.
pub struct UndoMix<T> {
    pub ket: View<T>,
    pub bra: View<T>,
    pub rotation: Rotation<T>,
    pub part: Part,
    pub n_qubits: usize,
}

impl<T: Element> Sweep for UndoMix<T> {
    type Output = T;

    #[inline(always)]
    fn run<S: Isa, const SINGLE: bool>(self, s: S) -> T {
        let turn = self.rotation.turn(s);
        let bits = lane_bits::<T, S>(SINGLE).min(self.n_qubits);
        let sum = std::cell::Cell::new(Lanes::zero(s));
        self.part.groups(
            2,
            #[inline(always)]
            |first| {
                for i in first..first + if bits > 0 { self.part.chunk } else { 0 } {
                    // SAFETY: this chunk is lent to this call alone.
                    unsafe {
                        let (mut x, mut y) = (self.ket.get(s, i), self.bra.get(s, i));
                        for q in 0..bits {
                            let p = (exchange(x.0, 1 << q), exchange(x.1, 1 << q));
                            let r = (exchange(y.0, 1 << q), exchange(y.1, 1 << q));
                            sum.set(y.0.mul_add(p.1, y.1.neg_mul_add(p.0, sum.get())));
                            (x, y) = (rotate(turn, x, p), rotate(turn, y, r));
                        }
                        self.ket.set(i, x);
                        self.bra.set(i, y);
                    }
                }
            },
            #[inline(always)]
            |first, bit, n, places| {
                sum.set(match n {
                    1 => self.block::<S, 2, 1>(turn, first, bit, places, sum.get()),
                    _ => self.block::<S, 4, 2>(turn, first, bit, places, sum.get()),
                })
            },
        );
        add_up(sum.get())
    }
}

impl<T: Element> UndoMix<T> {
    #[inline(always)]
    fn block<S: Isa, const D: usize, const Q: usize>(
        &self,
        turn: Complex<T, S>,
        first: usize,
        bit: usize,
        places: Range<usize>,
        mut sum: Lanes<T, S>,
    ) -> Lanes<T, S> {
        let s = turn.0.s;
        let offset: [usize; D] = array(0, |d| d * bit);
        each_block(
            first,
            bit * (D - 1),
            places,
            #[inline(always)]
            |i| {
                // SAFETY: as in `Mix::block`.
                unsafe {
                    let mut x = block::<T, S, D>(s, self.ket, i, &offset);
                    let mut y = block::<T, S, D>(s, self.bra, i, &offset);
                    sum = add_bit::<T, S, D, 1>(sum, &x, &y);
                    if Q > 1 {
                        sum = add_bit::<T, S, D, 2>(sum, &x, &y);
                    }
                    rotate_all::<T, S, D, Q>(&mut x, turn);
                    rotate_all::<T, S, D, Q>(&mut y, turn);
                    set_block(self.ket, i, &offset, &x);
                    set_block(self.bra, i, &offset, &y);
                }
            },
        );
        sum
    }
}
