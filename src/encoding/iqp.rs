//! The encoding by instantaneous quantum polynomials.

use crate::circuit::{Angle, Circuit, Gate};

/// `n_repeats` times a Hadamard on every qubit, then
/// `exp(-i (sum_i x_i Z_i + sum_{i<j} x_i x_j Z_i Z_j) / 2)`.
///
/// An angle is one feature, not a product of two, so the circuit reads the
/// `n + n (n - 1) / 2` numbers of [`iqp_features`]. Its gradient is by those numbers.
///
/// # References
///
/// - [Havlicek et al. (2019)](https://arxiv.org/abs/1804.11326), who repeat twice. Their
///   `exp(i phi_S Z_S)` with `phi_{ij} = (pi - x_i)(pi - x_j)` is left to the caller: pass other
///   features.
///
/// ```
/// use burn_quantum::{encoding, statevector::dense};
///
/// let state = dense::state(&encoding::iqp(2, 2), &encoding::iqp_features(&[0.3, 0.5]), &[])?;
/// assert_eq!(state.len(), 4);
/// # Ok::<(), burn_quantum::Error>(())
/// ```
pub fn iqp(n_qubits: usize, n_repeats: usize) -> Circuit {
    let mut circuit = Circuit::new(n_qubits);
    for _ in 0..n_repeats {
        (0..n_qubits).for_each(|q| {
            circuit.h(q).rz(Angle::Input(q), q);
        });
        for (k, (i, j)) in pairs(n_qubits).enumerate() {
            circuit.gate(Gate::RZZ, &[i, j], &[Angle::Input(n_qubits + k)]);
        }
    }
    circuit
}

/// The features that [`iqp`] reads: `x_0, ..., x_{n-1}`, then `x_i x_j` for the pairs `(0, 1)`,
/// `(0, 2)`, ..., `(n - 2, n - 1)`.
///
/// ```
/// use burn_quantum::encoding::iqp_features;
///
/// assert_eq!(iqp_features(&[2.0, 3.0, 5.0]), [2.0, 3.0, 5.0, 6.0, 10.0, 15.0]);
/// ```
pub fn iqp_features(x: &[f64]) -> Vec<f64> {
    let products = pairs(x.len()).map(|(i, j)| x[i] * x[j]);
    x.iter().copied().chain(products).collect()
}

fn pairs(n: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..n).flat_map(move |i| (i + 1..n).map(move |j| (i, j)))
}
