//! Undoes matrices on single qubits, with what their gradient needs.

use super::super::buffer::View;
use super::super::simd::{Complex, Element, Isa, Lanes, Sweep, lanes};
use super::turn::{
    Group, LaneTurn, Matrix, Stages, block, complex_matrices, offsets, parts, real_matrices,
    set_block, set_parts, turn_complex, turn_real,
};
use super::{add_inner, by_lane_bit, each_block, each_pair, exchange};
use std::ops::Range;

/// Undoes the runs of a pass on `ket` and `bra`; units as in [`Turn`](super::turn::Turn).
///
/// For each run adds to its eight registers of `sums`: if it is real, `Im <bra|Y|ket>` to the
/// first; if not, the real and imaginary parts of `M_ab = sum_rest ket_a conj(bra_b)`, row-major.
/// Both are taken before the run is undone. In the lanes they are still to be added up.
pub struct Undo<'a, T> {
    pub ket: View<T>,
    pub bra: View<T>,
    pub matrices: &'a [T],
    pub stages: &'a Stages,
    pub high: Option<Group>,
    pub units: Range<usize>,
    /// Whether to undo at all: the gradient of the first pass is the last thing that is needed.
    pub undo: bool,
    pub sums: &'a mut [T],
}

impl<T: Element> Sweep for Undo<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Isa, const SINGLE: bool>(mut self, s: S) {
        if let Some(group) = self.high {
            let units = self.units.clone();
            return self.group(s, &group, 0, units);
        }
        let (chunk, stages) = (self.stages.chunk, self.stages);
        for unit in self.units.clone() {
            if SINGLE && !stages.lanes.is_empty() {
                self.lanes(s, unit * chunk);
            }
            for group in &stages.low {
                self.group(s, group, unit * chunk, 0..chunk >> group.n_runs);
            }
        }
    }
}

impl<T: Element> Undo<'_, T> {
    #[inline(always)]
    fn group<S: Isa>(&mut self, s: S, group: &Group, first: usize, places: Range<usize>) {
        match (group.real, group.n_runs) {
            (true, 1) => self.real::<S, 2, 1>(s, group, first, places),
            (true, 2) => self.real::<S, 4, 2>(s, group, first, places),
            (true, _) => self.real::<S, 8, 3>(s, group, first, places),
            (false, 1) => self.complex::<S, 2, 1>(s, group, first, places),
            (false, _) => self.complex::<S, 4, 2>(s, group, first, places),
        }
    }

    #[inline(always)]
    fn real<S: Isa, const D: usize, const Q: usize>(
        &mut self,
        s: S,
        group: &Group,
        first: usize,
        places: Range<usize>,
    ) {
        let (bits, offset) = offsets::<D, Q>(group);
        let mut m = real_matrices::<T, S, Q>(s, self.matrices, group.run);
        m.iter_mut().for_each(|m| m.swap(1, 2));
        let (ket, bra, undo) = (self.ket, self.bra, self.undo);
        let mut sums = [Lanes::zero(s); Q];
        each_block(
            first,
            bits,
            places,
            #[inline(always)]
            |i| {
                // SAFETY: `i` has zeros in the bits of the group, so all places are registers of
                // this unit, which the driver lends to this call alone.
                unsafe {
                    undo_parts(s, ket, bra, i, &offset, 0, &m, undo, &mut sums);
                    undo_parts(s, ket, bra, i, &offset, 1, &m, undo, &mut sums);
                }
            },
        );
        for (q, &sum) in sums.iter().enumerate() {
            self.add(8 * (group.run + q), sum);
        }
    }

    #[inline(always)]
    fn complex<S: Isa, const D: usize, const Q: usize>(
        &mut self,
        s: S,
        group: &Group,
        first: usize,
        places: Range<usize>,
    ) {
        let (bits, offset) = offsets::<D, Q>(group);
        let mut m = complex_matrices::<T, S, Q>(s, self.matrices, group.run);
        m.iter_mut().for_each(|m| *m = dagger(*m));
        let (ket, bra, undo) = (self.ket, self.bra, self.undo);
        let mut sums = [[(Lanes::zero(s), Lanes::zero(s)); 4]; Q];
        each_block(
            first,
            bits,
            places,
            #[inline(always)]
            |i| {
                // SAFETY: as in `real`.
                unsafe {
                    let mut x = block::<T, S, D>(s, ket, i, &offset);
                    let mut y = block::<T, S, D>(s, bra, i, &offset);
                    add_cross::<T, S, D, 1>(&mut sums[0], &x, &y);
                    if Q > 1 {
                        add_cross::<T, S, D, 2>(&mut sums[Q - 1], &x, &y);
                    }
                    if undo {
                        turn_complex(&mut x, &m);
                        turn_complex(&mut y, &m);
                        set_block(ket, i, &offset, &x);
                        set_block(bra, i, &offset, &y);
                    }
                }
            },
        );
        for (q, sum) in sums.iter().enumerate() {
            for (k, &(re, im)) in sum.iter().enumerate() {
                self.add(8 * (group.run + q) + 2 * k, re);
                self.add(8 * (group.run + q) + 2 * k + 1, im);
            }
        }
    }

    /// The qubits that are bits of the lane.
    #[inline(always)]
    fn lanes<S: Isa>(&mut self, s: S, first: usize) {
        let runs = &self.stages.lanes;
        let mut turns = LaneTurn::all(s, self.matrices, runs);
        turns.iter_mut().for_each(|turn| *turn = turn.dagger());
        let (ket, bra, undo) = (self.ket, self.bra, self.undo);
        let zero = (Lanes::zero(s), Lanes::zero(s));
        let (mut same, mut crossed) = ([zero; 4], [zero; 4]);
        for i in first..first + self.stages.chunk {
            // SAFETY: chunks tile the state, and this one is lent to this call alone.
            unsafe {
                let (mut x, mut y) = (ket.get(s, i), bra.get(s, i));
                for (k, turn) in turns.iter().enumerate().take(runs.len()) {
                    let partner = (exchange(x.0, turn.bit), exchange(x.1, turn.bit));
                    if runs[k].real {
                        let sum = y.0.mul_add(partner.0, crossed[k].0);
                        crossed[k].0 = y.1.mul_add(partner.1, sum);
                    } else {
                        same[k] = add_inner(same[k], y, x);
                        crossed[k] = add_inner(crossed[k], y, partner);
                    }
                    if undo {
                        (x, y) = (turn.apply(x), turn.apply(y));
                    }
                }
                ket.set(i, x);
                bra.set(i, y);
            }
        }
        for k in 0..runs.len() {
            self.add_lanes(s, k, same[k], crossed[k]);
        }
    }

    /// Lane `l` of `crossed` holds `ket[l ^ bit] conj(bra[l])`: `M_10` where the bit is 0, `M_01`
    /// where it is 1.
    #[inline(always)]
    fn add_lanes<S: Isa>(&mut self, s: S, k: usize, same: Complex<T, S>, crossed: Complex<T, S>) {
        let run = self.stages.lanes[k];
        let (o, l) = (T::zero(), T::one());
        if run.real {
            return self.add(8 * run.run, crossed.0 * by_lane_bit(s, run.bit, -l, l));
        }
        let (zero, one) = (by_lane_bit(s, run.bit, l, o), by_lane_bit(s, run.bit, o, l));
        let entries = [(same, zero), (crossed, one), (crossed, zero), (same, one)];
        for (e, ((re, im), pick)) in entries.into_iter().enumerate() {
            self.add(8 * run.run + 2 * e, re * pick);
            self.add(8 * run.run + 2 * e + 1, im * pick);
        }
    }

    #[inline(always)]
    fn add<S: Isa>(&mut self, register: usize, value: Lanes<T, S>) {
        let place = &mut self.sums[register * lanes::<T, S>()..];
        (Lanes::load(value.s, place) + value).store(place);
    }
}

/// Adds `y_1 x_0 - y_0 x_1` of every qubit of a block of real or imaginary parts; then turns both.
///
/// # Safety
///
/// As for [`View::set`], at `i + offset[d]` of both states.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
unsafe fn undo_parts<T: Element, S: Isa, const D: usize, const Q: usize>(
    s: S,
    ket: View<T>,
    bra: View<T>,
    i: usize,
    offset: &[usize; D],
    part: usize,
    m: &[[Lanes<T, S>; 4]; Q],
    undo: bool,
    sums: &mut [Lanes<T, S>; Q],
) {
    // SAFETY: the caller's promise.
    let (mut x, mut y) =
        unsafe { (parts(s, ket, i, offset, part), parts(s, bra, i, offset, part)) };
    sums[0] = add_real::<T, S, D, 1>(sums[0], &x, &y);
    if Q > 1 {
        sums[1] = add_real::<T, S, D, 2>(sums[1], &x, &y);
    }
    if Q > 2 {
        sums[2] = add_real::<T, S, D, 4>(sums[2], &x, &y);
    }
    if undo {
        turn_real(&mut x, m);
        turn_real(&mut y, m);
        // SAFETY: the caller's promise.
        unsafe {
            set_parts(ket, i, offset, part, &x);
            set_parts(bra, i, offset, part, &y);
        }
    }
}

#[inline(always)]
fn add_real<T: Element, S: Isa, const D: usize, const BIT: usize>(
    mut sum: Lanes<T, S>,
    x: &[Lanes<T, S>; D],
    y: &[Lanes<T, S>; D],
) -> Lanes<T, S> {
    each_pair::<D, BIT>(
        #[inline(always)]
        |d, e| sum = y[e].mul_add(x[d], y[d].neg_mul_add(x[e], sum)),
    );
    sum
}

#[inline(always)]
fn add_cross<T: Element, S: Isa, const D: usize, const BIT: usize>(
    sum: &mut Matrix<T, S>,
    x: &[Complex<T, S>; D],
    y: &[Complex<T, S>; D],
) {
    each_pair::<D, BIT>(
        #[inline(always)]
        |d, e| {
            sum[0] = add_inner(sum[0], y[d], x[d]);
            sum[1] = add_inner(sum[1], y[e], x[d]);
            sum[2] = add_inner(sum[2], y[d], x[e]);
            sum[3] = add_inner(sum[3], y[e], x[e]);
        },
    );
}

#[inline(always)]
pub fn dagger<T: Element, S: Isa>([a, b, c, d]: Matrix<T, S>) -> Matrix<T, S> {
    [(a.0, -a.1), (c.0, -c.1), (b.0, -b.1), (d.0, -d.1)]
}
