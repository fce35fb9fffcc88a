//! Matrices on one qubit, row-major.

use num_complex::Complex64;
use std::f64::consts::FRAC_1_SQRT_2;

pub(in crate::hardware) type Matrix = [Complex64; 4];

const fn real(entries: [f64; 4]) -> Matrix {
    let [a, b, c, d] = entries;
    [Complex64::new(a, 0.0), Complex64::new(b, 0.0), Complex64::new(c, 0.0), Complex64::new(d, 0.0)]
}

pub(super) const ONE: Matrix = real([1.0, 0.0, 0.0, 1.0]);
pub(super) const X: Matrix = real([0.0, 1.0, 1.0, 0.0]);
pub(super) const H: Matrix = real([FRAC_1_SQRT_2, FRAC_1_SQRT_2, FRAC_1_SQRT_2, -FRAC_1_SQRT_2]);

/// Entries below this are rounding.
const ROUNDING: f64 = 1e-12;

pub(super) fn rx(theta: f64) -> Matrix {
    let (sin, cos) = (theta / 2.0).sin_cos();
    let (off, on) = (Complex64::new(0.0, -sin), Complex64::new(cos, 0.0));
    [on, off, off, on]
}

pub(super) fn ry(theta: f64) -> Matrix {
    let (sin, cos) = (theta / 2.0).sin_cos();
    real([cos, -sin, sin, cos])
}

pub(super) fn rz(theta: f64) -> Matrix {
    [Complex64::cis(-theta / 2.0), Complex64::ZERO, Complex64::ZERO, Complex64::cis(theta / 2.0)]
}

/// `diag(1, exp(i phase))`.
pub(super) fn phase(phase: f64) -> Matrix {
    [Complex64::ONE, Complex64::ZERO, Complex64::ZERO, Complex64::cis(phase)]
}

/// `a b`: first `b`, then `a`.
pub(super) fn product(a: &Matrix, b: &Matrix) -> Matrix {
    std::array::from_fn(|k| a[k & 2] * b[k & 1] + a[k | 1] * b[k & 1 | 2])
}

pub(super) fn adjoint(a: &Matrix) -> Matrix {
    [a[0].conj(), a[2].conj(), a[1].conj(), a[3].conj()]
}

/// A unitary `V` with `V V = U`: `(U + s) / sqrt(tr U + 2 s)` for either root `s` of `det U`.
pub(super) fn root(u: &Matrix) -> Matrix {
    let s = (u[0] * u[3] - u[1] * u[2]).sqrt();
    let trace = u[0] + u[3];
    // The larger denominator: the other one vanishes for `U = -s`.
    let s = if (trace + 2.0 * s).norm() >= (trace - 2.0 * s).norm() { s } else { -s };
    let scale = (trace + 2.0 * s).sqrt();
    [(u[0] + s) / scale, u[1] / scale, u[2] / scale, (u[3] + s) / scale]
}

/// Whether it is a phase alone.
pub(super) fn is_trivial(u: &Matrix) -> bool {
    u[1].norm() < ROUNDING && u[2].norm() < ROUNDING && (u[0] - u[3]).norm() < ROUNDING
}

pub(super) fn is_same(a: &Matrix, b: &Matrix) -> bool {
    a.iter().zip(b).all(|(a, b)| (a - b).norm() < ROUNDING)
}

/// The angles of `U = exp(i alpha) RZ(phi) RY(theta) RZ(lambda)`, with `0 <= theta <= pi`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::hardware) struct Euler {
    pub theta: f64,
    pub phi: f64,
    pub lambda: f64,
    pub alpha: f64,
}

pub(in crate::hardware) fn euler(u: &Matrix) -> Euler {
    let theta = 2.0 * u[2].norm().atan2(u[0].norm());
    // U = exp(i alpha) [[exp(-i sum / 2) c, -exp(-i diff / 2) s], [exp(i diff / 2) s, exp(i sum / 2) c]]
    let (sum, diff, alpha) = if u[0].norm() < ROUNDING {
        let (low, high) = (u[2].arg(), (-u[1]).arg());
        (0.0, low - high, (low + high) / 2.0)
    } else {
        let sum = u[3].arg() - u[0].arg();
        let alpha = u[0].arg() + sum / 2.0;
        let diff = if u[2].norm() < ROUNDING { 0.0 } else { 2.0 * (u[2].arg() - alpha) };
        (sum, diff, alpha)
    };
    Euler { theta, phi: (sum + diff) / 2.0, lambda: (sum - diff) / 2.0, alpha }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Stream;
    use std::f64::consts::PI;

    fn some() -> Vec<Matrix> {
        let mut rng = Stream::new(3, 0);
        let mut all = vec![ONE, X, H, ONE.map(|z| -z), rz(PI), rx(PI), ry(PI), ry(-PI), rz(-0.3)];
        for _ in 0..200 {
            let mut angle = || 4.0 * PI * (rng.uniform() - 0.5);
            let turned = product(&rz(angle()), &product(&ry(angle()), &rz(angle())));
            let phase = Complex64::cis(angle());
            all.push(turned.map(|z| z * phase));
        }
        all
    }

    #[test]
    fn angles_give_back_the_matrix_with_its_phase() {
        for u in some() {
            let Euler { theta, phi, lambda, alpha } = euler(&u);
            let again = product(&rz(phi), &product(&ry(theta), &rz(lambda)));
            let again = again.map(|z| z * Complex64::cis(alpha));
            assert!(is_same(&again, &u), "{u:?}, {again:?}");
        }
    }

    #[test]
    fn the_square_of_a_root_is_the_matrix() {
        for u in some() {
            let v = root(&u);
            assert!(is_same(&product(&v, &v), &u), "{u:?}");
            assert!(is_same(&product(&v, &adjoint(&v)), &ONE), "{u:?}");
        }
    }
}
