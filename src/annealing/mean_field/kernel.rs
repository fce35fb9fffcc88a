//! A panel of rows through all iterations, in registers and in the nearest cache.

use crate::statevector::buffer::Buffer;
use crate::statevector::simd::{Element, Isa, Lanes, MAX_LANES, Sweep, lanes};

/// Rows of a product that are computed together.
const ROWS: usize = 4;

/// Rows that go through all iterations together: with a matrix of 64 columns they and it fit into
/// the first cache, and a larger matrix is read from farther away once for all of them.
const PANEL: usize = 16;

/// What a thread works in. Rows are padded to `stride`, and what the padding holds counts nowhere.
#[derive(Debug)]
pub(super) struct Scratch<T> {
    n: usize,
    stride: usize,
    /// `[n, stride]`
    matrix: Buffer<T>,
    /// `[n up to whole blocks of ROWS, stride]`; none for the forward direction.
    gradient: Buffer<T>,
    /// `[PANEL, stride]` each.
    panels: [Buffer<T>; 5],
}

impl<T: Element> Scratch<T> {
    pub fn new(n: usize, with_gradient: bool) -> Self {
        let stride = n.next_multiple_of(MAX_LANES);
        let n_gradient = if with_gradient { n.next_multiple_of(ROWS) } else { 0 };
        Self {
            n,
            stride,
            matrix: Buffer::zeros(n * stride),
            gradient: Buffer::zeros(n_gradient * stride),
            panels: std::array::from_fn(|_| Buffer::zeros(PANEL * stride)),
        }
    }

    fn load_matrix(&mut self, w: &[T]) {
        fill(&mut self.matrix, w, [self.stride, self.n]);
    }

    fn load_transposed(&mut self, w: &[T]) {
        for (i, row) in w.chunks_exact(self.n).enumerate() {
            let column = self.matrix[i..].iter_mut().step_by(self.stride);
            column.zip(row).for_each(|(to, &from)| *to = from);
        }
    }
}

/// Rows to their places, `[rows, stride]` from `[rows, n]`.
fn fill<T: Copy>(to: &mut [T], from: &[T], [stride, n]: [usize; 2]) {
    for (to, from) in to.chunks_exact_mut(stride).zip(from.chunks_exact(n)) {
        to[..n].copy_from_slice(from);
    }
}

/// The way back.
fn empty<T: Copy>(from: &[T], to: &mut [T], [stride, n]: [usize; 2]) {
    for (from, to) in from.chunks_exact(stride).zip(to.chunks_exact_mut(n)) {
        to.copy_from_slice(&from[..n]);
    }
}

/// `m` of some `theta`, `[rows, n]` both, under one matrix.
pub(super) struct Solve<'a, 'b, T> {
    pub scratch: &'a mut Scratch<T>,
    pub matrix: &'a [T],
    pub n_iterations: usize,
    pub parts: Vec<(&'b [T], &'b mut [T])>,
}

impl<T: Element> Sweep for Solve<'_, '_, T> {
    type Output = ();

    // A register holds neighbours of one row, whatever `SINGLE` says.
    #[inline(always)]
    fn run<S: Isa, const SINGLE: bool>(self, s: S) {
        let (n, scratch) = (self.scratch.n, self.scratch);
        scratch.load_matrix(self.matrix);
        for (theta, m) in self.parts {
            for (theta, m) in theta.chunks(PANEL * n).zip(m.chunks_mut(PANEL * n)) {
                solve(s, scratch, theta, m, self.n_iterations);
            }
        }
    }
}

#[inline(always)]
fn solve<T: Element, S: Isa>(
    s: S,
    scratch: &mut Scratch<T>,
    theta: &[T],
    out: &mut [T],
    n_iterations: usize,
) {
    let Scratch { n, stride, ref matrix, .. } = *scratch;
    let [fields, m, next, ..] = &mut scratch.panels;
    let (mut m, mut next) = (m, next);
    fill(fields, theta, [stride, n]);
    for (m, theta) in registers_mut::<T, S>(m).zip(registers::<T, S>(fields)) {
        Lanes::load(s, theta).sigmoid().store(m);
    }
    let n_rows = theta.len() / n;
    for _ in 0..=n_iterations {
        let product = Product { a: m, steps: [stride, 1], b: matrix, stride, depth: n };
        product.write(s, [n_rows, n], &Step { theta: fields }, next);
        std::mem::swap(&mut m, &mut next);
    }
    empty(m, out, [stride, n]);
}

/// What one element needs and makes in the backward direction, `[rows, n]` each.
pub(super) struct Part<'b, T> {
    pub m: &'b [T],
    pub cotangent: &'b [T],
    pub theta: &'b mut [T],
}

/// The gradients of `theta` and of the matrix.
pub(super) struct Pull<'a, 'b, T> {
    pub scratch: &'a mut Scratch<T>,
    pub matrix: &'a [T],
    pub n_iterations: usize,
    pub parts: Vec<Part<'b, T>>,
    /// `[n, n]`
    pub gradient: &'b mut [T],
}

impl<T: Element> Sweep for Pull<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Isa, const SINGLE: bool>(self, s: S) {
        let (n, scratch) = (self.scratch.n, self.scratch);
        scratch.load_transposed(self.matrix);
        scratch.gradient.fill(T::zero());
        for part in self.parts {
            let (m, cotangent) = (part.m.chunks(PANEL * n), part.cotangent.chunks(PANEL * n));
            for ((m, v), out) in m.zip(cotangent).zip(part.theta.chunks_mut(PANEL * n)) {
                pull(s, scratch, [m, v], out, self.n_iterations);
            }
        }
        empty(&scratch.gradient, self.gradient, [scratch.stride, n]);
    }
}

#[inline(always)]
fn pull<T: Element, S: Isa>(
    s: S,
    scratch: &mut Scratch<T>,
    [m, cotangent]: [&[T]; 2],
    out: &mut [T],
    n_iterations: usize,
) {
    let Scratch { n, stride, ref matrix, .. } = *scratch;
    let n_rows = m.len() / n;
    let [values, v, slope, g, next] = &mut scratch.panels;
    let (mut g, mut next) = (g, next);
    fill(values, m, [stride, n]);
    fill(v, cotangent, [stride, n]);
    let one = Lanes::splat(s, T::one());
    let given = registers::<T, S>(values).zip(registers::<T, S>(v));
    let wanted = registers_mut::<T, S>(slope).zip(registers_mut::<T, S>(g));
    for ((m, v), (slope, g)) in given.zip(wanted) {
        let m = Lanes::load(s, m);
        let both = m * (one - m);
        both.store(slope);
        (both * Lanes::load(s, v)).store(g);
    }
    for _ in 0..n_iterations {
        let product = Product { a: g, steps: [stride, 1], b: matrix, stride, depth: n };
        product.write(s, [n_rows, n], &StepBack { cotangent: v, slope }, next);
        std::mem::swap(&mut g, &mut next);
    }
    empty(g, out, [stride, n]);
    let product = Product { a: values, steps: [1, stride], b: g, stride, depth: n_rows };
    product.write(s, [n, n], &Sum, &mut scratch.gradient);
}

fn registers<T: Element, S: Isa>(x: &[T]) -> impl Iterator<Item = &[T]> {
    x.chunks_exact(lanes::<T, S>())
}

fn registers_mut<T: Element, S: Isa>(x: &mut [T]) -> impl Iterator<Item = &mut [T]> {
    x.chunks_exact_mut(lanes::<T, S>())
}

/// What surrounds a product, register by register; `at` is the place in `[rows, stride]`.
trait Fused<T: Element> {
    /// What the products are added to.
    fn start<S: Isa>(&self, s: S, out: &[T], at: usize) -> Lanes<T, S>;

    fn finish<S: Isa>(&self, sum: Lanes<T, S>, at: usize) -> Lanes<T, S>;
}

/// `sigmoid(theta + a b)`
struct Step<'a, T> {
    theta: &'a [T],
}

impl<T: Element> Fused<T> for Step<'_, T> {
    #[inline(always)]
    fn start<S: Isa>(&self, s: S, _: &[T], at: usize) -> Lanes<T, S> {
        Lanes::load(s, &self.theta[at..])
    }

    #[inline(always)]
    fn finish<S: Isa>(&self, sum: Lanes<T, S>, _: usize) -> Lanes<T, S> {
        sum.sigmoid()
    }
}

/// `(cotangent + a b) slope`
struct StepBack<'a, T> {
    cotangent: &'a [T],
    slope: &'a [T],
}

impl<T: Element> Fused<T> for StepBack<'_, T> {
    #[inline(always)]
    fn start<S: Isa>(&self, s: S, _: &[T], at: usize) -> Lanes<T, S> {
        Lanes::load(s, &self.cotangent[at..])
    }

    #[inline(always)]
    fn finish<S: Isa>(&self, sum: Lanes<T, S>, at: usize) -> Lanes<T, S> {
        sum * Lanes::load(sum.s, &self.slope[at..])
    }
}

/// `out + a b`
struct Sum;

impl<T: Element> Fused<T> for Sum {
    #[inline(always)]
    fn start<S: Isa>(&self, s: S, out: &[T], at: usize) -> Lanes<T, S> {
        Lanes::load(s, &out[at..])
    }

    #[inline(always)]
    fn finish<S: Isa>(&self, sum: Lanes<T, S>, _: usize) -> Lanes<T, S> {
        sum
    }
}

/// The product of `a [rows, depth]`, whose rows and columns lie `steps` apart, with
/// `b [depth, stride]`.
struct Product<'a, T> {
    a: &'a [T],
    steps: [usize; 2],
    b: &'a [T],
    stride: usize,
    depth: usize,
}

impl<T: Element> Product<'_, T> {
    /// Writes `[rows up to whole blocks of ROWS, stride]`, of which `columns` are computed.
    #[inline(always)]
    fn write<S: Isa, F: Fused<T>>(
        &self,
        s: S,
        [rows, columns]: [usize; 2],
        fused: &F,
        out: &mut [T],
    ) {
        // As many sums as there are registers for, beside those of `b`.
        let wide = size_of::<T::Register<S>>() == 64 || cfg!(target_arch = "aarch64");
        let n_registers = columns.div_ceil(lanes::<T, S>());
        let mut first = 0;
        while first < n_registers {
            let column = first * lanes::<T, S>();
            first += match n_registers - first {
                4.. if wide => self.columns::<S, F, 4>(s, rows, column, fused, out),
                2.. => self.columns::<S, F, 2>(s, rows, column, fused, out),
                _ => self.columns::<S, F, 1>(s, rows, column, fused, out),
            };
        }
    }

    /// `WIDTH` registers of all rows.
    #[inline(always)]
    fn columns<S: Isa, F: Fused<T>, const WIDTH: usize>(
        &self,
        s: S,
        rows: usize,
        column: usize,
        fused: &F,
        out: &mut [T],
    ) -> usize {
        for row in (0..rows).step_by(ROWS) {
            self.block::<S, F, WIDTH>(s, [row, column], fused, out);
        }
        WIDTH
    }

    #[inline(always)]
    fn block<S: Isa, F: Fused<T>, const WIDTH: usize>(
        &self,
        s: S,
        [row, column]: [usize; 2],
        fused: &F,
        out: &mut [T],
    ) {
        let (n_lanes, [down, right]) = (lanes::<T, S>(), self.steps);
        let at = |r: usize, c: usize| (row + r) * self.stride + column + c * n_lanes;
        let mut sums = [[Lanes::zero(s); WIDTH]; ROWS];
        for (r, sums) in sums.iter_mut().enumerate() {
            for (c, sum) in sums.iter_mut().enumerate() {
                *sum = fused.start(s, out, at(r, c));
            }
        }
        let last = self.depth - 1;
        assert!((row + ROWS - 1) * down + last * right < self.a.len());
        assert!(last * self.stride + column + WIDTH * n_lanes <= self.b.len());
        for k in 0..self.depth {
            let mut b = [Lanes::zero(s); WIDTH];
            for (c, b) in b.iter_mut().enumerate() {
                let place = k * self.stride + column + c * n_lanes;
                // SAFETY: the last place of all is inside, as asserted.
                *b = unsafe { Lanes::read(s, self.b.as_ptr().add(place)) };
            }
            for (r, sums) in sums.iter_mut().enumerate() {
                // SAFETY: likewise.
                let a = unsafe { *self.a.get_unchecked((row + r) * down + k * right) };
                let a = Lanes::splat(s, a);
                for (sum, b) in sums.iter_mut().zip(b) {
                    *sum = a.mul_add(b, *sum);
                }
            }
        }
        for (r, sums) in sums.into_iter().enumerate() {
            for (c, sum) in sums.into_iter().enumerate() {
                fused.finish(sum, at(r, c)).store(&mut out[at(r, c)..]);
            }
        }
    }
}
