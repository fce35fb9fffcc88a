//! Matrices on single qubits, several qubits to a walk over the state.

use super::super::buffer::View;
use super::super::plan::Run;
use super::super::simd::{Complex, Element, Isa, Lanes, Sweep, lanes};
use super::{add_product, array, by_lane_bit, each_block, each_pair, exchange, product};
use std::ops::Range;

/// A 2 by 2 matrix, row-major.
pub type Matrix<T, S> = [Complex<T, S>; 4];

/// Registers that stay in the first cache while all their qubits are turned.
const CHUNK: usize = 128;

/// Up to three neighbouring runs, turned together in registers.
#[derive(Debug, Clone, Copy)]
pub struct Group {
    /// The first of its runs.
    pub run: usize,
    pub n_runs: usize,
    pub real: bool,
    pub bits: [usize; 3],
}

/// A run on a qubit that is a bit of the lane.
#[derive(Debug, Clone, Copy)]
pub struct LaneRun {
    pub run: usize,
    pub bit: usize,
    pub real: bool,
}

/// The order in which the runs of a pass are worked off.
#[derive(Debug, Clone)]
pub struct Stages {
    pub lanes: Vec<LaneRun>,
    /// Groups within a chunk.
    pub low: Vec<Group>,
    /// Groups that reach over the chunks.
    pub high: Vec<Group>,
    pub chunk: usize,
}

impl Stages {
    /// `runs` come in the order of their qubits.
    pub fn new(runs: &[Run], lane_bits: usize, registers: usize) -> Self {
        let chunk = registers.min(CHUNK);
        let mut stages = Self { lanes: Vec::new(), low: Vec::new(), high: Vec::new(), chunk };
        for (run, data) in runs.iter().enumerate() {
            let (bit, real) = (data.target >> lane_bits, data.is_real());
            if bit == 0 {
                stages.lanes.push(LaneRun { run, bit: data.target, real });
            } else {
                let groups = if bit < chunk { &mut stages.low } else { &mut stages.high };
                match groups.last_mut() {
                    Some(g) if g.real == real && g.n_runs < if real { 3 } else { 2 } => {
                        g.bits[g.n_runs] = bit;
                        g.n_runs += 1;
                    }
                    _ => groups.push(Group { run, n_runs: 1, real, bits: [bit, 0, 0] }),
                }
            }
        }
        even_out(&mut stages.low);
        even_out(&mut stages.high);
        stages
    }
}

/// Three and one become two and two.
fn even_out(groups: &mut [Group]) {
    if let [.., a, b] = groups
        && (a.n_runs, b.n_runs) == (3, 1)
        && a.real == b.real
    {
        (a.n_runs, b.n_runs) = (2, 2);
        (b.run, b.bits) = (b.run - 1, [a.bits[2], b.bits[0], 0]);
    }
}

/// Matrix `k` of a list.
#[inline(always)]
pub fn matrix<T: Element, S: Isa>(s: S, matrices: &[T], k: usize) -> Matrix<T, S> {
    let (n, zero) = (lanes::<T, S>(), Lanes::zero(s));
    let matrix = &matrices[8 * k * n..][..8 * n];
    array(
        (zero, zero),
        #[inline(always)]
        |e| (Lanes::load(s, &matrix[2 * e * n..]), Lanes::load(s, &matrix[(2 * e + 1) * n..])),
    )
}

/// The real parts of matrices `k..k + Q`.
#[inline(always)]
pub fn real_matrices<T: Element, S: Isa, const Q: usize>(
    s: S,
    matrices: &[T],
    k: usize,
) -> [[Lanes<T, S>; 4]; Q] {
    array(
        [Lanes::zero(s); 4],
        #[inline(always)]
        |q| {
            let [a, b, c, d] = matrix(s, matrices, k + q);
            [a.0, b.0, c.0, d.0]
        },
    )
}

/// Matrices `k..k + Q`.
#[inline(always)]
pub fn complex_matrices<T: Element, S: Isa, const Q: usize>(
    s: S,
    matrices: &[T],
    k: usize,
) -> [Matrix<T, S>; Q] {
    array(
        [(Lanes::zero(s), Lanes::zero(s)); 4],
        #[inline(always)]
        |q| matrix(s, matrices, k + q),
    )
}

/// The amplitudes of a block.
///
/// # Safety
///
/// As for [`View::get`], at `i + offset[d]`.
#[inline(always)]
pub unsafe fn block<T: Element, S: Isa, const D: usize>(
    s: S,
    state: View<T>,
    i: usize,
    offset: &[usize; D],
) -> [Complex<T, S>; D] {
    array(
        (Lanes::zero(s), Lanes::zero(s)),
        #[inline(always)]
        // SAFETY: the caller's promise.
        |d| unsafe { state.get(s, i + offset[d]) },
    )
}

/// The real (0) or imaginary (1) parts of a block.
///
/// # Safety
///
/// As for [`View::get`], at `i + offset[d]`.
#[inline(always)]
pub unsafe fn parts<T: Element, S: Isa, const D: usize>(
    s: S,
    state: View<T>,
    i: usize,
    offset: &[usize; D],
    part: usize,
) -> [Lanes<T, S>; D] {
    array(
        Lanes::zero(s),
        #[inline(always)]
        // SAFETY: the caller's promise.
        |d| unsafe { state.part(s, 2 * (i + offset[d]) + part) },
    )
}

/// The inverse of [`parts`].
///
/// # Safety
///
/// As for [`View::set`], at `i + offset[d]`.
#[inline(always)]
pub unsafe fn set_parts<T: Element, S: Isa, const D: usize>(
    state: View<T>,
    i: usize,
    offset: &[usize; D],
    part: usize,
    values: &[Lanes<T, S>; D],
) {
    for d in 0..D {
        // SAFETY: the caller's promise.
        unsafe { state.set_part(2 * (i + offset[d]) + part, values[d]) };
    }
}

/// The inverse of [`block`].
///
/// # Safety
///
/// As for [`View::set`], at `i + offset[d]`.
#[inline(always)]
pub unsafe fn set_block<T: Element, S: Isa, const D: usize>(
    state: View<T>,
    i: usize,
    offset: &[usize; D],
    values: &[Complex<T, S>; D],
) {
    for d in 0..D {
        // SAFETY: the caller's promise.
        unsafe { state.set(i + offset[d], values[d]) };
    }
}

/// Turns qubits: whole chunks, or part of a state for one group that reaches over chunks.
pub struct Turn<'a, T> {
    pub state: View<T>,
    pub matrices: &'a [T],
    pub stages: &'a Stages,
    /// The high group to turn; all low ones if there is none.
    pub high: Option<Group>,
    /// Chunks, or free places of the high group.
    pub units: Range<usize>,
}

impl<T: Element> Sweep for Turn<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Isa, const SINGLE: bool>(self, s: S) {
        if let Some(group) = self.high {
            return self.group(s, &group, 0, self.units.clone());
        }
        let chunk = self.stages.chunk;
        for unit in self.units.clone() {
            if SINGLE && !self.stages.lanes.is_empty() {
                self.lanes(s, unit * chunk);
            }
            for group in &self.stages.low {
                self.group(s, group, unit * chunk, 0..chunk >> group.n_runs);
            }
        }
    }
}

impl<T: Element> Turn<'_, T> {
    #[inline(always)]
    fn group<S: Isa>(&self, s: S, group: &Group, first: usize, places: Range<usize>) {
        match (group.real, group.n_runs) {
            (true, 1) => self.real::<S, 2, 1>(s, group, first, places),
            (true, 2) => self.real::<S, 4, 2>(s, group, first, places),
            (true, _) => self.real::<S, 8, 3>(s, group, first, places),
            (false, 1) => self.complex::<S, 2, 1>(s, group, first, places),
            (false, _) => self.complex::<S, 4, 2>(s, group, first, places),
        }
    }

    /// Real matrices turn real and imaginary parts alike.
    #[inline(always)]
    fn real<S: Isa, const D: usize, const Q: usize>(
        &self,
        s: S,
        group: &Group,
        first: usize,
        places: Range<usize>,
    ) {
        let (bits, offset) = offsets::<D, Q>(group);
        let m = real_matrices::<T, S, Q>(s, self.matrices, group.run);
        each_block(
            first,
            bits,
            places,
            #[inline(always)]
            |i| {
                // SAFETY: `i` has zeros in the bits of the group, so all places are registers of
                // this unit, which the driver lends to this call alone.
                unsafe {
                    let mut v = parts::<T, S, D>(s, self.state, i, &offset, 0);
                    turn_real(&mut v, &m);
                    set_parts(self.state, i, &offset, 0, &v);
                    let mut v = parts::<T, S, D>(s, self.state, i, &offset, 1);
                    turn_real(&mut v, &m);
                    set_parts(self.state, i, &offset, 1, &v);
                }
            },
        );
    }

    #[inline(always)]
    fn complex<S: Isa, const D: usize, const Q: usize>(
        &self,
        s: S,
        group: &Group,
        first: usize,
        places: Range<usize>,
    ) {
        let (bits, offset) = offsets::<D, Q>(group);
        let m = complex_matrices::<T, S, Q>(s, self.matrices, group.run);
        each_block(
            first,
            bits,
            places,
            #[inline(always)]
            |i| {
                // SAFETY: as in `real`.
                unsafe {
                    let mut v = block::<T, S, D>(s, self.state, i, &offset);
                    turn_complex(&mut v, &m);
                    set_block(self.state, i, &offset, &v);
                }
            },
        );
    }

    #[inline(always)]
    fn lanes<S: Isa>(&self, s: S, first: usize) {
        let turns = LaneTurn::all(s, self.matrices, &self.stages.lanes);
        for i in first..first + self.stages.chunk {
            // SAFETY: chunks tile the state, and this one is lent to this call alone.
            unsafe {
                let mut v = self.state.get(s, i);
                for turn in turns.iter().take(self.stages.lanes.len()) {
                    v = turn.apply(v);
                }
                self.state.set(i, v);
            }
        }
    }
}

/// A matrix on a qubit that is a bit of the lane: what each lane takes of itself and its partner.
#[derive(Clone, Copy)]
pub struct LaneTurn<T: Element, S: Isa> {
    pub bit: usize,
    real: bool,
    own: Complex<T, S>,
    other: Complex<T, S>,
}

impl<T: Element, S: Isa> LaneTurn<T, S> {
    /// One for each run; the rest of the four is padding.
    #[inline(always)]
    pub fn all(s: S, matrices: &[T], runs: &[LaneRun]) -> [Self; 4] {
        let zero = (Lanes::zero(s), Lanes::zero(s));
        let mut turns = [Self { bit: 1, real: true, own: zero, other: zero }; 4];
        for (turn, run) in turns.iter_mut().zip(runs) {
            *turn = Self::new(s, &matrices[8 * run.run * lanes::<T, S>()..], run);
        }
        turns
    }

    #[inline(always)]
    fn new(s: S, matrix: &[T], run: &LaneRun) -> Self {
        let n = lanes::<T, S>();
        let of = |a: usize, b: usize| by_lane_bit(s, run.bit, matrix[a * n], matrix[b * n]);
        Self {
            bit: run.bit,
            real: run.real,
            own: (of(0, 6), of(1, 7)),
            other: (of(2, 4), of(3, 5)),
        }
    }

    /// The inverse, if the matrix is unitary.
    #[inline(always)]
    pub fn dagger(mut self) -> Self {
        self.own.1 = -self.own.1;
        self.other = (exchange(self.other.0, self.bit), -exchange(self.other.1, self.bit));
        self
    }

    #[inline(always)]
    pub fn apply(&self, v: Complex<T, S>) -> Complex<T, S> {
        let partner = (exchange(v.0, self.bit), exchange(v.1, self.bit));
        match self.real {
            true => (
                self.other.0.mul_add(partner.0, self.own.0 * v.0),
                self.other.0.mul_add(partner.1, self.own.0 * v.1),
            ),
            false => add_product(product(self.own, v), self.other, partner),
        }
    }
}

/// The bits of a group, and its places relative to the first.
#[inline(always)]
pub fn offsets<const D: usize, const Q: usize>(group: &Group) -> (usize, [usize; D]) {
    let bits = &group.bits[..Q];
    let offset = |d: usize| (0..Q).map(|q| if d >> q & 1 == 1 { bits[q] } else { 0 }).sum();
    (bits.iter().sum(), std::array::from_fn(offset))
}

/// Applies matrix `q` to bit `q` of the index into `v`.
#[inline(always)]
pub fn turn_real<T: Element, S: Isa, const D: usize, const Q: usize>(
    v: &mut [Lanes<T, S>; D],
    m: &[[Lanes<T, S>; 4]; Q],
) {
    turn_real_bit::<T, S, D, 1>(v, &m[0]);
    if Q > 1 {
        turn_real_bit::<T, S, D, 2>(v, &m[1]);
    }
    if Q > 2 {
        turn_real_bit::<T, S, D, 4>(v, &m[2]);
    }
}

#[inline(always)]
fn turn_real_bit<T: Element, S: Isa, const D: usize, const BIT: usize>(
    v: &mut [Lanes<T, S>; D],
    m: &[Lanes<T, S>; 4],
) {
    each_pair::<D, BIT>(
        #[inline(always)]
        |d, e| {
            let (a, b) = (v[d], v[e]);
            v[d] = m[1].mul_add(b, m[0] * a);
            v[e] = m[3].mul_add(b, m[2] * a);
        },
    );
}

/// Applies matrix `q` to bit `q` of the index into `v`.
#[inline(always)]
pub fn turn_complex<T: Element, S: Isa, const D: usize, const Q: usize>(
    v: &mut [Complex<T, S>; D],
    m: &[Matrix<T, S>; Q],
) {
    turn_complex_bit::<T, S, D, 1>(v, &m[0]);
    if Q > 1 {
        turn_complex_bit::<T, S, D, 2>(v, &m[1]);
    }
}

#[inline(always)]
fn turn_complex_bit<T: Element, S: Isa, const D: usize, const BIT: usize>(
    v: &mut [Complex<T, S>; D],
    m: &Matrix<T, S>,
) {
    each_pair::<D, BIT>(
        #[inline(always)]
        |d, e| {
            let (a, b) = (v[d], v[e]);
            v[d] = add_product(product(m[0], a), m[1], b);
            v[e] = add_product(product(m[2], a), m[3], b);
        },
    );
}
