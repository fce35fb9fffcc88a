//! The gate table: one row a gate.
//!
//! A row says everything the crate knows about a gate, twice where that allows a check: `matrix`
//! is its definition, read by the dense oracle; `action` is what the fast kernels run. One test
//! walks the table and compares them, with the inverse and the generator.

use num_complex::Complex64;
use serde::{Deserialize, Serialize};
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_PI_2, FRAC_PI_4, PI};

/// A quantum gate. Controls beyond those of the gate itself are added by
/// [`Operation::with_controls`](super::Operation::with_controls).
#[allow(missing_docs)] // the table below is their documentation
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Gate {
    I,
    X,
    Y,
    Z,
    H,
    S,
    Sdg,
    T,
    Tdg,
    SX,
    SXdg,
    RX,
    RY,
    RZ,
    P,
    U,
    CNOT,
    CY,
    CZ,
    CH,
    CP,
    CRX,
    CRY,
    CRZ,
    CU,
    SWAP,
    CSWAP,
    CCX,
    RXX,
    RYY,
    RZZ,
}

/// What a gate does to its targets, in the terms of the state-vector kernels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Action {
    Identity,
    /// Exchanges the amplitudes of 0 and 1.
    Flip,
    /// Exchanges two qubits.
    Swap,
    /// Multiplies the amplitudes in which all targets are 1 by `exp(i phase)`.
    FixedPhase(f64),
    /// The same, the phase being the gate's angle.
    Phase,
    /// Any matrix on one qubit, row-major.
    Matrix([Complex64; 4]),
    /// `exp(-i angle P / 2)`, P a product of one Pauli matrix per target.
    Rotation(&'static [super::Pauli]),
    /// `U(theta, phi, lambda) = P(phi) RY(theta) P(lambda)`.
    Euler,
}

/// How to invert a gate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Inverse {
    /// The gate is its own inverse.
    Itself,
    /// Another gate of the table.
    Gate(Gate),
    /// The same gate with its angle negated.
    Negated,
    /// `U(theta, phi, lambda)^-1 = U(-theta, -lambda, -phi)`.
    Euler,
}

/// One row of the gate table.
#[derive(Debug, Clone, Copy)]
pub struct GateInfo {
    /// The gate of this row.
    pub gate: Gate,
    /// Its name in drawings and messages.
    pub name: &'static str,
    /// Its name in OpenQASM's `qelib1.inc`, most of which are those of `stdgates.inc`.
    pub qasm: &'static str,
    /// Number of control qubits, which come first in the list of qubits.
    pub n_controls: usize,
    /// Number of target qubits.
    pub n_targets: usize,
    /// Number of angles.
    pub n_angles: usize,
    pub(crate) action: Action,
    pub(crate) inverse: Inverse,
    matrix: fn(&[f64]) -> Vec<Complex64>,
}

impl GateInfo {
    /// The number of qubits, controls included.
    pub fn n_qubits(&self) -> usize {
        self.n_controls + self.n_targets
    }

    /// The matrix on the targets alone, row-major, target 0 the least significant bit. With
    /// controls, it acts where all of them are 1.
    ///
    /// # Panics
    ///
    /// Panics if `angles` does not hold `n_angles` values.
    pub fn target_matrix(&self, angles: &[f64]) -> Vec<Complex64> {
        assert_eq!(angles.len(), self.n_angles, "angles of {}", self.name);
        (self.matrix)(angles)
    }

    /// The Hermitian generator `G` on the targets, such that `dU/dangle = -i G U`, for gates with
    /// one angle: `P / 2` for a rotation about the Pauli string `P`, and `-|1><1|` for a phase.
    pub fn generator(&self) -> Option<Vec<Complex64>> {
        match self.action {
            Action::Rotation(paulis) => Some(halved(super::pauli::dense(paulis))),
            Action::Phase => Some(real(&[0.0, 0.0, 0.0, -1.0])),
            _ => None,
        }
    }
}

impl Gate {
    /// All gates, in the order of the table.
    pub fn all() -> impl Iterator<Item = Gate> {
        TABLE.iter().map(|row| row.gate)
    }

    /// The row of this gate.
    ///
    /// ```
    /// use burn_quantum::circuit::Gate;
    ///
    /// assert_eq!(Gate::CNOT.info().qasm, "cx");
    /// assert_eq!(Gate::U.info().n_angles, 3);
    /// ```
    pub fn info(self) -> &'static GateInfo {
        &TABLE[self as usize]
    }

    /// The gate that does the same to its targets and has this many controls, if the table has
    /// one: `X`, `CNOT` and `CCX` are each other's.
    pub(crate) fn with_n_controls(self, n_controls: usize) -> Option<Gate> {
        let own = self.info();
        let same = |row: &&GateInfo| {
            (row.n_controls, row.n_targets) == (n_controls, own.n_targets)
                && row.action == own.action
        };
        TABLE.iter().find(same).map(|row| row.gate)
    }
}

fn halved(matrix: Vec<Complex64>) -> Vec<Complex64> {
    matrix.into_iter().map(|z| z * 0.5).collect()
}

fn real(values: &[f64]) -> Vec<Complex64> {
    values.iter().map(|&x| Complex64::new(x, 0.0)).collect()
}

fn diagonal(values: &[Complex64]) -> Vec<Complex64> {
    let n = values.len();
    let at = |k: usize| if k.is_multiple_of(n + 1) { values[k / (n + 1)] } else { Complex64::ZERO };
    (0..n * n).map(at).collect()
}

fn phase_gate(phase: f64) -> Vec<Complex64> {
    diagonal(&[Complex64::ONE, Complex64::cis(phase)])
}

/// `cos(theta/2) - i sin(theta/2) P`.
fn rotation(theta: f64, paulis: &[super::Pauli]) -> Vec<Complex64> {
    let string = super::pauli::dense(paulis);
    let dim = 1 << paulis.len();
    let (sin, cos) = (theta / 2.0).sin_cos();
    let at = |(k, &p): (usize, &Complex64)| {
        let unit = if k.is_multiple_of(dim + 1) { cos } else { 0.0 };
        Complex64::new(unit, 0.0) - Complex64::I * sin * p
    };
    string.iter().enumerate().map(at).collect()
}

fn euler(theta: f64, phi: f64, lambda: f64) -> Vec<Complex64> {
    let (sin, cos) = (theta / 2.0).sin_cos();
    vec![
        Complex64::new(cos, 0.0),
        -Complex64::cis(lambda) * sin,
        Complex64::cis(phi) * sin,
        Complex64::cis(phi + lambda) * cos,
    ]
}

fn swap() -> Vec<Complex64> {
    let ones = [0, 6, 9, 15];
    real(&std::array::from_fn::<f64, 16, _>(|k| ones.contains(&k) as u8 as f64))
}

const fn c(re: f64, im: f64) -> Complex64 {
    Complex64::new(re, im)
}

const R: f64 = FRAC_1_SQRT_2;
const Y_MATRIX: [Complex64; 4] = [c(0.0, 0.0), c(0.0, -1.0), c(0.0, 1.0), c(0.0, 0.0)];
const H_MATRIX: [Complex64; 4] = [c(R, 0.0), c(R, 0.0), c(R, 0.0), c(-R, 0.0)];
const SX_MATRIX: [Complex64; 4] = [c(0.5, 0.5), c(0.5, -0.5), c(0.5, -0.5), c(0.5, 0.5)];
const SXDG_MATRIX: [Complex64; 4] = [c(0.5, -0.5), c(0.5, 0.5), c(0.5, 0.5), c(0.5, -0.5)];

macro_rules! rows {
    ($($gate:ident $qasm:literal $controls:literal $targets:literal $angles:literal
       $action:expr, $inverse:expr, $matrix:expr;)*) => {
        &[$(GateInfo {
            gate: Gate::$gate,
            name: stringify!($gate),
            qasm: $qasm,
            n_controls: $controls,
            n_targets: $targets,
            n_angles: $angles,
            action: $action,
            inverse: $inverse,
            matrix: $matrix,
        }),*]
    };
}

use super::Pauli::{X as PX, Y as PY, Z as PZ};
use Action::{Euler, FixedPhase, Flip, Identity, Matrix, Phase, Rotation, Swap};
use Inverse::{Itself, Negated};

// gate, OpenQASM name, controls, targets, angles, action, inverse, matrix on the targets
#[rustfmt::skip]
const TABLE: &[GateInfo] = rows! {
    I     "id"    0 1 0  Identity,                Itself,                     |_| real(&[1.0, 0.0, 0.0, 1.0]);
    X     "x"     0 1 0  Flip,                    Itself,                     |_| real(&[0.0, 1.0, 1.0, 0.0]);
    Y     "y"     0 1 0  Matrix(Y_MATRIX),        Itself,                     |_| Y_MATRIX.to_vec();
    Z     "z"     0 1 0  FixedPhase(PI),          Itself,                     |_| real(&[1.0, 0.0, 0.0, -1.0]);
    H     "h"     0 1 0  Matrix(H_MATRIX),        Itself,                     |_| H_MATRIX.to_vec();
    S     "s"     0 1 0  FixedPhase(FRAC_PI_2),   Inverse::Gate(Gate::Sdg),   |_| diagonal(&[c(1.0, 0.0), c(0.0, 1.0)]);
    Sdg   "sdg"   0 1 0  FixedPhase(-FRAC_PI_2),  Inverse::Gate(Gate::S),     |_| diagonal(&[c(1.0, 0.0), c(0.0, -1.0)]);
    T     "t"     0 1 0  FixedPhase(FRAC_PI_4),   Inverse::Gate(Gate::Tdg),   |_| diagonal(&[c(1.0, 0.0), c(R, R)]);
    Tdg   "tdg"   0 1 0  FixedPhase(-FRAC_PI_4),  Inverse::Gate(Gate::T),     |_| diagonal(&[c(1.0, 0.0), c(R, -R)]);
    SX    "sx"    0 1 0  Matrix(SX_MATRIX),       Inverse::Gate(Gate::SXdg),  |_| SX_MATRIX.to_vec();
    SXdg  "sxdg"  0 1 0  Matrix(SXDG_MATRIX),     Inverse::Gate(Gate::SX),    |_| SXDG_MATRIX.to_vec();
    RX    "rx"    0 1 1  Rotation(&[PX]),         Negated,                    |a| rotation(a[0], &[PX]);
    RY    "ry"    0 1 1  Rotation(&[PY]),         Negated,                    |a| rotation(a[0], &[PY]);
    RZ    "rz"    0 1 1  Rotation(&[PZ]),         Negated,                    |a| rotation(a[0], &[PZ]);
    P     "p"     0 1 1  Phase,                   Negated,                    |a| phase_gate(a[0]);
    U     "U"     0 1 3  Euler,                   Inverse::Euler,             |a| euler(a[0], a[1], a[2]);
    CNOT  "cx"    1 1 0  Flip,                    Itself,                     |_| real(&[0.0, 1.0, 1.0, 0.0]);
    CY    "cy"    1 1 0  Matrix(Y_MATRIX),        Itself,                     |_| Y_MATRIX.to_vec();
    CZ    "cz"    1 1 0  FixedPhase(PI),          Itself,                     |_| real(&[1.0, 0.0, 0.0, -1.0]);
    CH    "ch"    1 1 0  Matrix(H_MATRIX),        Itself,                     |_| H_MATRIX.to_vec();
    CP    "cp"    1 1 1  Phase,                   Negated,                    |a| phase_gate(a[0]);
    CRX   "crx"   1 1 1  Rotation(&[PX]),         Negated,                    |a| rotation(a[0], &[PX]);
    CRY   "cry"   1 1 1  Rotation(&[PY]),         Negated,                    |a| rotation(a[0], &[PY]);
    CRZ   "crz"   1 1 1  Rotation(&[PZ]),         Negated,                    |a| rotation(a[0], &[PZ]);
    CU    "cu3"   1 1 3  Euler,                   Inverse::Euler,             |a| euler(a[0], a[1], a[2]);
    SWAP  "swap"  0 2 0  Swap,                    Itself,                     |_| swap();
    CSWAP "cswap" 1 2 0  Swap,                    Itself,                     |_| swap();
    CCX   "ccx"   2 1 0  Flip,                    Itself,                     |_| real(&[0.0, 1.0, 1.0, 0.0]);
    RXX   "rxx"   0 2 1  Rotation(&[PX, PX]),     Negated,                    |a| rotation(a[0], &[PX, PX]);
    RYY   "ryy"   0 2 1  Rotation(&[PY, PY]),     Negated,                    |a| rotation(a[0], &[PY, PY]);
    RZZ   "rzz"   0 2 1  Rotation(&[PZ, PZ]),     Negated,                    |a| rotation(a[0], &[PZ, PZ]);
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_in_the_order_of_the_enum_and_have_names_of_their_own() {
        for (k, row) in TABLE.iter().enumerate() {
            assert_eq!(row.gate as usize, k, "{}", row.name);
        }
        let mut names: Vec<_> = TABLE.iter().map(|row| row.qasm).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), TABLE.len());
    }

    #[test]
    fn target_matrices_are_unitary() {
        for row in TABLE {
            let m = row.target_matrix(&[0.7, -1.3, 2.1][..row.n_angles]);
            let dim = 1 << row.n_targets;
            for (i, j) in (0..dim * dim).map(|k| (k / dim, k % dim)) {
                let dot: Complex64 = (0..dim).map(|k| m[i * dim + k] * m[j * dim + k].conj()).sum();
                let unit = Complex64::new((i == j) as u8 as f64, 0.0);
                assert!((dot - unit).norm() < 1e-14, "{}", row.name);
            }
        }
    }

    #[test]
    fn generators_are_the_logarithmic_derivatives() {
        let with_one_angle = TABLE.iter().filter(|row| row.n_angles == 1);
        for row in with_one_angle {
            let (theta, step) = (0.7, 1e-6);
            let dim = 1 << row.n_targets;
            let (u, plus, minus) = (
                row.target_matrix(&[theta]),
                row.target_matrix(&[theta + step]),
                row.target_matrix(&[theta - step]),
            );
            let g = row.generator().expect("one angle, one generator");
            for (i, j) in (0..dim * dim).map(|k| (k / dim, k % dim)) {
                let product: Complex64 = (0..dim).map(|k| g[i * dim + k] * u[k * dim + j]).sum();
                let slope = (plus[i * dim + j] - minus[i * dim + j]) / (2.0 * step);
                assert!((slope + Complex64::I * product).norm() < 1e-9, "{}", row.name);
            }
        }
    }
}
