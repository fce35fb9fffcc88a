//! Angles to matrices, and the gradient by matrices to that by angles.

use super::super::plan::{Run, RunGate, Term};
use super::super::simd::{Element, Isa, Lanes, Sweep, lanes};
use super::turn::Matrix;
use super::undo::dagger;
use super::{add_product, array, product, total};
use crate::circuit::{Angle, Pauli};
use crate::statevector::Real;

/// Where angles come from.
#[derive(Clone, Copy)]
pub struct Angles<'a, T> {
    /// A register for each input: the features of the samples of a tile, or of one sample.
    pub inputs: &'a [T],
    pub weights: &'a [T],
}

impl<T: Real> Angles<'_, T> {
    #[inline(always)]
    pub fn get<S: Isa>(self, s: S, angle: Angle) -> Lanes<T, S> {
        match angle {
            Angle::Constant(value) => Lanes::splat(s, T::of(value)),
            Angle::Weight(i) => Lanes::splat(s, self.weights[i]),
            Angle::Input(i) => Lanes::load(s, &self.inputs[i * lanes::<T, S>()..]),
        }
    }
}

/// The matrices of runs: `n` registers each.
pub struct Bind<'a, T> {
    pub runs: &'a [Run],
    pub angles: Angles<'a, T>,
    /// Whether to bind the runs that all samples share, or the others.
    pub shared: bool,
    pub matrices: &'a mut [T],
}

impl<T: Real> Sweep for Bind<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Isa, const SINGLE: bool>(self, s: S) {
        let n = lanes::<T, S>();
        for (run, out) in self.runs.iter().zip(self.matrices.chunks_exact_mut(8 * n)) {
            if run.is_shared() != self.shared {
                continue;
            }
            let mut m = gate_matrix(s, &run.gates[0], self.angles);
            for (k, gate) in run.gates.iter().enumerate().skip(1) {
                m = times(&gate_matrix(s, gate, self.angles), &m);
                if k % NORMALISE == 0 {
                    m = normalised(s, m);
                }
            }
            for ((re, im), out) in m.into_iter().zip(out.chunks_exact_mut(2 * n)) {
                re.store(out);
                im.store(&mut out[n..]);
            }
        }
    }
}

/// The product of a long run is brought back to norm 1 after so many gates.
const NORMALISE: usize = 8;

/// A matrix that is nearly unitary, scaled to be so but for rounding: one step of Newton's method
/// for the inverse square root of the norm of its first column.
#[inline(always)]
fn normalised<T: Real, S: Isa>(s: S, m: Matrix<T, S>) -> Matrix<T, S> {
    let [a, _, c, _] = m;
    let norm = c.1.mul_add(c.1, c.0.mul_add(c.0, a.1.mul_add(a.1, a.0 * a.0)));
    let (half, three_halves) = (Lanes::splat(s, T::of(0.5)), Lanes::splat(s, T::of(1.5)));
    let f = half.neg_mul_add(norm, three_halves);
    array(
        (f, f),
        #[inline(always)]
        |k| (m[k].0 * f, m[k].1 * f),
    )
}

#[inline(always)]
fn gate_matrix<T: Real, S: Isa>(s: S, gate: &RunGate, from: Angles<T>) -> Matrix<T, S> {
    let (o, l) = (Lanes::zero(s), Lanes::splat(s, T::one()));
    match *gate {
        RunGate::Fixed(entries) => array(
            (o, o),
            #[inline(always)]
            |k| (Lanes::splat(s, T::of(entries[k].re)), Lanes::splat(s, T::of(entries[k].im))),
        ),
        RunGate::Phase(free) => {
            let (sin, cos) = from.get(s, free).sin_cos();
            [(l, o), (o, o), (o, o), (cos, sin)]
        }
        RunGate::Rotation(pauli, free) => {
            let (s, c) = (from.get(s, free) * Lanes::splat(s, T::of(0.5))).sin_cos();
            match pauli {
                Pauli::X => [(c, o), (o, -s), (o, -s), (c, o)],
                Pauli::Y => [(c, o), (-s, o), (s, o), (c, o)],
                Pauli::Z => [(c, -s), (o, o), (o, o), (c, s)],
            }
        }
    }
}

#[inline(always)]
fn times<T: Element, S: Isa>(a: &Matrix<T, S>, b: &Matrix<T, S>) -> Matrix<T, S> {
    let entry =
        [product(a[0], b[0]), product(a[0], b[1]), product(a[2], b[0]), product(a[2], b[1])];
    [
        add_product(entry[0], a[1], b[2]),
        add_product(entry[1], a[1], b[3]),
        add_product(entry[2], a[3], b[2]),
        add_product(entry[3], a[3], b[3]),
    ]
}

/// `(sin, cos)` of `scale angle`, two registers.
pub struct Turns<'a, T> {
    pub angle: Angle,
    pub scale: f64,
    pub angles: Angles<'a, T>,
    pub out: &'a mut [T],
}

impl<T: Real> Sweep for Turns<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Isa, const SINGLE: bool>(self, s: S) {
        let angle = self.angles.get(s, self.angle) * Lanes::splat(s, T::of(self.scale));
        let (sin, cos) = angle.sin_cos();
        sin.store(self.out);
        cos.store(&mut self.out[lanes::<T, S>()..]);
    }
}

/// The coefficients of the phase of a diagonal, each a register.
pub struct Coefficients<'a, T> {
    pub terms: &'a [Term],
    pub angles: Angles<'a, T>,
    pub out: &'a mut [T],
}

impl<T: Real> Sweep for Coefficients<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Isa, const SINGLE: bool>(self, s: S) {
        let n = lanes::<T, S>();
        for (term, out) in self.terms.iter().zip(self.out.chunks_exact_mut(n)) {
            let value = self.angles.get(s, term.angle) * Lanes::splat(s, T::of(term.scale));
            let signs = match SINGLE {
                true => Lanes::from_fn(s, |l| super::sign(l & term.mask & (n - 1))),
                false => Lanes::splat(s, T::one()),
            };
            (signs * value).store(out);
        }
    }
}

/// The gradient so far: a register for each input and each weight. Of single states only the first
/// lane counts.
#[derive(Debug, Clone)]
pub struct Sums<T> {
    pub inputs: Vec<T>,
    pub weights: Vec<T>,
}

impl<T: Element> Sums<T> {
    /// Adds to the gradient by an angle.
    #[inline(always)]
    pub fn emit<S: Isa>(&mut self, angle: Angle, g: Lanes<T, S>) {
        let n = lanes::<T, S>();
        let place = match angle {
            Angle::Constant(_) => return,
            Angle::Input(i) => &mut self.inputs[i * n..],
            Angle::Weight(i) => &mut self.weights[i * n..],
        };
        (Lanes::load(g.s, place) + g).store(place);
    }

    /// Adds to the gradient by an angle, lane by lane.
    pub fn add(&mut self, angle: Angle, scale: T, g: &[T]) {
        let n = g.len();
        let place = match angle {
            Angle::Constant(_) => return,
            Angle::Input(i) => &mut self.inputs[i * n..][..n],
            Angle::Weight(i) => &mut self.weights[i * n..][..n],
        };
        place.iter_mut().zip(g).for_each(|(sum, &g)| *sum = *sum + scale * g);
    }
}

/// From the sums of [`Undo`](super::undo::Undo) to the gradient by the angles of its runs.
pub struct EmitRuns<'a, T> {
    pub runs: &'a [Run],
    pub angles: Angles<'a, T>,
    pub sums: &'a [T],
    pub gradient: &'a mut Sums<T>,
}

impl<T: Real> Sweep for EmitRuns<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Isa, const SINGLE: bool>(self, s: S) {
        let n = lanes::<T, S>();
        for (run, sums) in self.runs.iter().zip(self.sums.chunks_exact(8 * n)) {
            if !run.is_free() {
                continue;
            }
            let at = |k: usize| match SINGLE {
                true => Lanes::splat(s, total(&sums[k * n..][..n])),
                false => Lanes::load(s, &sums[k * n..]),
            };
            if run.is_real() {
                emit_real(run, at(0), self.gradient);
            } else {
                let cross = [(at(0), at(1)), (at(2), at(3)), (at(4), at(5)), (at(6), at(7))];
                emit_complex(run, cross, self.angles, self.gradient);
            }
        }
    }
}

/// From `g = Im <bra|Y|ket>` after the run: gate by gate backwards, a real orthogonal `V` turns `Y`
/// into `det(V) Y`.
#[inline(always)]
fn emit_real<T: Element, S: Isa>(run: &Run, mut g: Lanes<T, S>, gradient: &mut Sums<T>) {
    for gate in run.gates.iter().rev() {
        match *gate {
            RunGate::Rotation(_, angle) => gradient.emit(angle, g),
            RunGate::Fixed([a, b, c, d]) if (a * d - b * c).re < 0.0 => g = -g,
            RunGate::Fixed(_) | RunGate::Phase(_) => {}
        }
    }
}

/// From the cross matrix `M_ab = sum_rest ket_a conj(bra_b)` after the run: gate by gate backwards
/// `M` becomes `V^dagger M V`, and `<bra|P|ket> = tr(P M)`.
#[inline(always)]
fn emit_complex<T: Real, S: Isa>(
    run: &Run,
    mut cross: Matrix<T, S>,
    from: Angles<T>,
    gradient: &mut Sums<T>,
) {
    let s = cross[0].0.s;
    for gate in run.gates.iter().rev() {
        let [m00, m01, m10, m11] = cross;
        match *gate {
            RunGate::Rotation(Pauli::X, angle) => gradient.emit(angle, m01.1 + m10.1),
            RunGate::Rotation(Pauli::Y, angle) => gradient.emit(angle, m01.0 - m10.0),
            RunGate::Rotation(Pauli::Z, angle) => gradient.emit(angle, m00.1 - m11.1),
            RunGate::Phase(angle) => gradient.emit(angle, -(m11.1 + m11.1)),
            RunGate::Fixed(_) => {}
        }
        let matrix = gate_matrix(s, gate, from);
        cross = times(&dagger(matrix), &times(&cross, &matrix));
    }
}
