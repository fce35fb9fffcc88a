//! The kernels: loops over the registers of a state.
//!
//! Each is a [`Sweep`](super::simd::Sweep) that a driver launches on a state, or on a part of it
//! that no other thread touches. In all of them `bit` and `mask` count registers, not amplitudes,
//! unless they say otherwise: where registers hold neighbouring amplitudes of one sample, the
//! lowest qubits are bits of the lane and need kernels of their own.

pub(super) mod anneal;
pub(super) mod bind;
pub(super) mod gate;
pub(super) mod polynomial;
pub(super) mod remap;
pub(super) mod scale;
pub(super) mod start;
pub(super) mod turn;
pub(super) mod undo;

use super::simd::{Complex, Element, Isa, Lanes, lanes};

/// The number of qubits that are bits of the lane.
#[inline(always)]
pub(super) const fn lane_bits<T: Element, S: Isa>(single: bool) -> usize {
    if single { lanes::<T, S>().trailing_zeros() as usize } else { 0 }
}

#[inline(always)]
pub(super) fn product<T: Element, S: Isa>(a: Complex<T, S>, b: Complex<T, S>) -> Complex<T, S> {
    (a.1.neg_mul_add(b.1, a.0 * b.0), a.1.mul_add(b.0, a.0 * b.1))
}

/// `sum + conj(a) b`.
#[inline(always)]
pub(super) fn add_inner<T: Element, S: Isa>(
    sum: Complex<T, S>,
    a: Complex<T, S>,
    b: Complex<T, S>,
) -> Complex<T, S> {
    let re = a.1.mul_add(b.1, a.0.mul_add(b.0, sum.0));
    (re, a.1.neg_mul_add(b.0, a.0.mul_add(b.1, sum.1)))
}

/// `sum + a b`.
#[inline(always)]
pub(super) fn add_product<T: Element, S: Isa>(
    sum: Complex<T, S>,
    a: Complex<T, S>,
    b: Complex<T, S>,
) -> Complex<T, S> {
    let re = a.1.neg_mul_add(b.1, a.0.mul_add(b.0, sum.0));
    (re, a.1.mul_add(b.0, a.0.mul_add(b.1, sum.1)))
}

/// `p` where bit `bit` of the lane is 0, `q` where it is 1.
#[inline(always)]
pub(super) fn by_lane_bit<T: Element, S: Isa>(s: S, bit: usize, p: T, q: T) -> Lanes<T, S> {
    Lanes::from_fn(s, |l| if l & bit == 0 { p } else { q })
}

/// Lane `l` receives lane `l ^ bit`; `bit` is one bit.
#[inline(always)]
pub(super) fn exchange<T: Element, S: Isa>(v: Lanes<T, S>, bit: usize) -> Lanes<T, S> {
    match bit {
        1 => v.xor::<1>(),
        2 => v.xor::<2>(),
        4 => v.xor::<4>(),
        _ => v.xor::<8>(),
    }
}

/// `+1` or `-1` as the number of bits is even or odd.
#[inline(always)]
pub(super) fn sign<T: Element>(bits: usize) -> T {
    if bits.count_ones().is_multiple_of(2) { T::one() } else { -T::one() }
}

/// As `std::array::from_fn`, which is not always inlined and would then leave the compilation for
/// this processor; so would its closures without `#[inline(always)]`.
#[inline(always)]
pub(super) fn array<X: Copy, const D: usize>(any: X, mut f: impl FnMut(usize) -> X) -> [X; D] {
    let mut out = [any; D];
    for (d, x) in out.iter_mut().enumerate() {
        *x = f(d);
    }
    out
}

/// Calls `f` with all pairs of indices below `D` that differ in bit `BIT`, the lower first. Plain
/// enough to be unrolled, so that small arrays stay in registers.
#[inline(always)]
pub(super) fn each_pair<const D: usize, const BIT: usize>(mut f: impl FnMut(usize, usize)) {
    for p in 0..D / 2 {
        let d = (p & !(BIT - 1)) * 2 + (p & (BIT - 1));
        f(d, d + BIT);
    }
}

/// The sum of some numbers, always in the same order.
#[inline(always)]
pub(super) fn total<T: Element>(numbers: &[T]) -> T {
    numbers.iter().fold(T::zero(), |sum, &x| sum + x)
}

/// Calls `f` with the registers `first..` of the free places `from..to`: those in which all bits of
/// `fixed` are 0, counted from 0.
#[inline(always)]
pub(super) fn each_block(
    first: usize,
    fixed: usize,
    places: std::ops::Range<usize>,
    mut f: impl FnMut(usize),
) {
    let mut i = deposit(places.start, fixed);
    for _ in places {
        f(first + i);
        i = ((i | fixed) + 1) & !fixed;
    }
}

/// Spreads the bits of `place` over the positions in which `fixed` has a 0.
fn deposit(place: usize, fixed: usize) -> usize {
    let (mut place, mut rest) = (place, fixed);
    while rest != 0 {
        let bit = rest & rest.wrapping_neg();
        let low = bit - 1;
        place = place & low | (place & !low) << 1;
        rest &= rest - 1;
    }
    place
}
