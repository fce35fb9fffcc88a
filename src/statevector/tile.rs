//! The states of one tile of samples, and the gate kernels on them.
//!
//! Amplitude `i` of all samples of the tile lies together, split into real and imaginary planes,
//! so that every kernel is the same arithmetic in all lanes.

use super::{Lanes, Real};
use crate::circuit::PauliString;

/// `L` state vectors of `dim` amplitudes each.
#[derive(Debug, Clone)]
pub struct Tile<T, const L: usize> {
    pub re: Vec<Lanes<T, L>>,
    pub im: Vec<Lanes<T, L>>,
}

/// A complex number in every lane.
pub type Complex<T, const L: usize> = (Lanes<T, L>, Lanes<T, L>);

impl<T: Real, const L: usize> Tile<T, L> {
    pub fn new(dim: usize) -> Self {
        Self { re: vec![Lanes::zero(); dim], im: vec![Lanes::zero(); dim] }
    }

    /// `|0...0>` in every lane.
    #[inline(always)]
    pub fn reset(&mut self) {
        self.re.fill(Lanes::zero());
        self.im.fill(Lanes::zero());
        self.re[0] = Lanes::splat(T::one());
    }

    /// The product state `prod_q RY(angle_q)|0>`, from `(sin, cos)` of the half angles.
    #[inline(always)]
    pub fn fill_product(&mut self, half_angles: &[Complex<T, L>]) {
        self.reset();
        for (q, &(sin, cos)) in half_angles.iter().enumerate() {
            let (low, high) = self.re[..2 << q].split_at_mut(1 << q);
            for (a, b) in low.iter_mut().zip(high) {
                (*a, *b) = (*a * cos, *a * sin);
            }
        }
    }

    /// `|amplitude|^2` of every basis state.
    #[inline(always)]
    pub fn probabilities(&self, out: &mut [Lanes<T, L>]) {
        for ((p, &re), &im) in out.iter_mut().zip(&self.re).zip(&self.im) {
            *p = re * re + im * im;
        }
    }

    /// Multiplies every amplitude by a real factor of its own.
    #[inline(always)]
    pub fn scale_by(&mut self, factors: &[Lanes<T, L>]) {
        for ((re, im), &f) in self.re.iter_mut().zip(&mut self.im).zip(factors) {
            (*re, *im) = (*re * f, *im * f);
        }
    }

    #[inline(always)]
    fn dim(&self) -> usize {
        self.re.len()
    }

    #[inline(always)]
    fn multiply(&mut self, i: usize, (c, s): Complex<T, L>) {
        let (re, im) = (self.re[i], self.im[i]);
        self.re[i] = re * c - im * s;
        self.im[i] = re * s + im * c;
    }

    /// X on `target` where all `controls` are 1.
    #[inline(always)]
    pub fn flip(&mut self, target: usize, controls: usize) {
        for_each_index(self.dim(), target | controls, |i| {
            let (i, j) = (i | controls, i | controls | target);
            self.re.swap(i, j);
            self.im.swap(i, j);
        });
    }

    /// Exchanges the qubits of bits `a` and `b` where all `controls` are 1.
    #[inline(always)]
    pub fn swap(&mut self, a: usize, b: usize, controls: usize) {
        for_each_index(self.dim(), a | b | controls, |i| {
            let (i, j) = (i | controls | a, i | controls | b);
            self.re.swap(i, j);
            self.im.swap(i, j);
        });
    }

    /// A 2 by 2 matrix, row-major, on `target` where all `controls` are 1.
    #[inline(always)]
    pub fn matrix(&mut self, target: usize, controls: usize, m: &[Complex<T, L>; 4]) {
        for_each_index(self.dim(), target | controls, |i| {
            let (i, j) = (i | controls, i | controls | target);
            let (a, b) = ((self.re[i], self.im[i]), (self.re[j], self.im[j]));
            (self.re[i], self.im[i]) = sum(times(m[0], a), times(m[1], b));
            (self.re[j], self.im[j]) = sum(times(m[2], a), times(m[3], b));
        });
    }

    /// `c + i s` on the amplitudes in which all bits of `mask` are 1.
    #[inline(always)]
    pub fn phase(&mut self, mask: usize, factor: Complex<T, L>) {
        for_each_index(
            self.dim(),
            mask,
            #[inline(always)]
            |i| self.multiply(i | mask, factor),
        );
    }

    /// `cos - i sin P` where all `controls` are 1.
    #[inline(always)]
    pub fn rotate(&mut self, string: PauliString, controls: usize, (sin, cos): Complex<T, L>) {
        if string.is_diagonal() {
            for_each_index(
                self.dim(),
                controls,
                #[inline(always)]
                |i| {
                    let i = i | controls;
                    let sign = parity_sign::<T>(i & string.z);
                    self.multiply(i, (cos, -(sin * Lanes::splat(sign))));
                },
            );
        } else if string.is_real() {
            for_each_pair(
                self.dim(),
                string,
                controls,
                #[inline(always)]
                |i, j, sign| self.rotate_mixing(i, j, (sin * Lanes::splat(sign), cos)),
            );
        } else {
            for_each_pair(
                self.dim(),
                string,
                controls,
                #[inline(always)]
                |i, j, sign| self.rotate_real(i, j, (sin * Lanes::splat(sign), cos)),
            );
        }
    }

    // P has real entries: the rotation mixes real and imaginary parts.
    #[inline(always)]
    fn rotate_mixing(&mut self, i: usize, j: usize, (s, c): Complex<T, L>) {
        let (a, b) = ((self.re[i], self.im[i]), (self.re[j], self.im[j]));
        (self.re[i], self.im[i]) = (c * a.0 + s * b.1, c * a.1 - s * b.0);
        (self.re[j], self.im[j]) = (c * b.0 + s * a.1, c * b.1 - s * a.0);
    }

    /// `cos - i sin X`, given `(sin, cos - 1)`, without controls.
    ///
    /// In a long evolution thousands of small rotations follow each other. In single precision a
    /// cosine near 1 has lost most digits of `cos - 1`, and the norm drifts by 1e-3 in 4000 steps;
    /// adding the change to the amplitude keeps it.
    #[inline(always)]
    pub fn rotate_x_slightly(&mut self, target: usize, (s, c): Complex<T, L>) {
        for base in (0..self.dim()).step_by(2 * target) {
            for i in base..base + target {
                let j = i + target;
                let (a, b) = ((self.re[i], self.im[i]), (self.re[j], self.im[j]));
                self.re[i] = a.0 + (c * a.0 + s * b.1);
                self.im[i] = a.1 + (c * a.1 - s * b.0);
                self.re[j] = b.0 + (c * b.0 + s * a.1);
                self.im[j] = b.1 + (c * b.1 - s * a.0);
            }
        }
    }

    // P has imaginary entries: the rotation is real.
    #[inline(always)]
    fn rotate_real(&mut self, i: usize, j: usize, (s, c): Complex<T, L>) {
        let (a, b) = ((self.re[i], self.im[i]), (self.re[j], self.im[j]));
        (self.re[i], self.im[i]) = (c * a.0 - s * b.0, c * a.1 - s * b.1);
        (self.re[j], self.im[j]) = (c * b.0 + s * a.0, c * b.1 + s * a.1);
    }

    /// Adds `coefficient P|other>` to this state.
    #[inline(always)]
    pub fn add_pauli(&mut self, string: PauliString, coefficient: Lanes<T, L>, other: &Self) {
        for i in 0..self.dim() {
            let c = coefficient * Lanes::splat(parity_sign(i & string.z));
            let (re, im) = (c * other.re[i], c * other.im[i]);
            let j = i ^ string.x;
            match string.quarter_turns() {
                0 => (self.re[j] += re, self.im[j] += im),
                1 => (self.re[j] -= im, self.im[j] += re),
                2 => (self.re[j] -= re, self.im[j] -= im),
                _ => (self.re[j] += im, self.im[j] -= re),
            };
        }
    }

    /// `Im <self|P|ket>`, restricted to where all `controls` are 1: the derivative of
    /// `<ket|O|ket>` by the angle of a rotation about `P`, if `self` is `O|ket>`.
    #[inline(always)]
    pub fn im_pauli(&self, string: PauliString, controls: usize, ket: &Self) -> Lanes<T, L> {
        let mut sum = Lanes::zero();
        if string.is_diagonal() {
            for_each_index(
                self.dim(),
                controls,
                #[inline(always)]
                |i| {
                    let i = i | controls;
                    sum += Lanes::splat(parity_sign(i & string.z)) * self.im_product(i, i, ket);
                },
            );
        } else if string.is_real() {
            for_each_pair(
                self.dim(),
                string,
                controls,
                #[inline(always)]
                |i, j, sign| {
                    let both = self.im_product(j, i, ket) + self.im_product(i, j, ket);
                    sum += Lanes::splat(sign) * both;
                },
            );
        } else {
            for_each_pair(
                self.dim(),
                string,
                controls,
                #[inline(always)]
                |i, j, sign| {
                    let both = self.re_product(j, i, ket) - self.re_product(i, j, ket);
                    sum += Lanes::splat(sign) * both;
                },
            );
        }
        sum
    }

    /// `Im <self|Pi|ket>`, `Pi` the projector on all bits of `mask` being 1.
    #[inline(always)]
    pub fn im_projector(&self, mask: usize, ket: &Self) -> Lanes<T, L> {
        let mut sum = Lanes::zero();
        for_each_index(
            self.dim(),
            mask,
            #[inline(always)]
            |i| {
                sum += self.im_product(i | mask, i | mask, ket);
            },
        );
        sum
    }

    /// `Re <self|P|self>`.
    #[inline(always)]
    pub fn expectation(&self, string: PauliString) -> Lanes<T, L> {
        let mut sum = Lanes::zero();
        for i in 0..self.dim() {
            let sign = Lanes::splat(parity_sign(i & string.z));
            let j = i ^ string.x;
            // Re(i^turns conj(a_j) a_i)
            sum += sign
                * match string.quarter_turns() {
                    0 => self.re_product(j, i, self),
                    1 => -self.im_product(j, i, self),
                    2 => -self.re_product(j, i, self),
                    _ => self.im_product(j, i, self),
                };
        }
        sum
    }

    /// `Re(conj(self_i) ket_j)`.
    #[inline(always)]
    fn re_product(&self, i: usize, j: usize, ket: &Self) -> Lanes<T, L> {
        self.re[i] * ket.re[j] + self.im[i] * ket.im[j]
    }

    /// `Im(conj(self_i) ket_j)`.
    #[inline(always)]
    pub fn im_product(&self, i: usize, j: usize, ket: &Self) -> Lanes<T, L> {
        self.re[i] * ket.im[j] - self.im[i] * ket.re[j]
    }
}

#[inline(always)]
fn times<T: Real, const L: usize>(a: Complex<T, L>, b: Complex<T, L>) -> Complex<T, L> {
    (a.0 * b.0 - a.1 * b.1, a.0 * b.1 + a.1 * b.0)
}

#[inline(always)]
fn sum<T: Real, const L: usize>(a: Complex<T, L>, b: Complex<T, L>) -> Complex<T, L> {
    (a.0 + b.0, a.1 + b.1)
}

#[inline(always)]
pub fn parity_sign<T: Real>(bits: usize) -> T {
    if bits.count_ones().is_multiple_of(2) { T::one() } else { -T::one() }
}

/// Calls `f` with every index below `dim` in which all bits of `fixed` are 0.
#[inline(always)]
fn for_each_index(dim: usize, fixed: usize, mut f: impl FnMut(usize)) {
    let mut i = 0;
    while i < dim {
        f(i);
        i = ((i | fixed) + 1) & !fixed;
    }
}

/// Calls `f(i, j, sign)` with every pair `j = i ^ x` in which all `controls` are 1; `sign` times
/// 1 or i is the phase of `P|i>`.
#[inline(always)]
fn for_each_pair<T: Real>(
    dim: usize,
    string: PauliString,
    controls: usize,
    mut f: impl FnMut(usize, usize, T),
) {
    let pivot = string.x & string.x.wrapping_neg();
    let overall = if string.quarter_turns() >= 2 { -T::one() } else { T::one() };
    if string.x == pivot && controls == 0 && string.z & !pivot == 0 {
        for base in (0..dim).step_by(2 * pivot) {
            for i in base..base + pivot {
                f(i, i + pivot, overall);
            }
        }
        return;
    }
    for_each_index(dim, pivot | controls, |i| {
        let i = i | controls;
        f(i, i ^ string.x, overall * parity_sign::<T>(i & string.z));
    });
}
