//! Circuit templates.

use super::{Angle, Circuit, Gate};

/// The hardware-efficient ansatz: per layer `RY`, `RZ` on every qubit, then a chain of CNOTs.
///
/// Weight `2 (l n_qubits + q) + k` turns qubit `q` in layer `l` about Y (`k = 0`) or Z (`k = 1`).
///
/// # References
///
/// - [Kandala et al. (2017)](https://arxiv.org/abs/1704.05018), whose entangler is cross-resonance.
///
/// ```
/// use burn_quantum::circuit::ansatz;
///
/// assert_eq!(ansatz::hardware_efficient(4, 3).n_weights(), 3 * 4 * 2);
/// ```
pub fn hardware_efficient(n_qubits: usize, n_layers: usize) -> Circuit {
    let mut circuit = Circuit::new(n_qubits);
    for layer in 0..n_layers {
        for qubit in 0..n_qubits {
            let weight = 2 * (layer * n_qubits + qubit);
            circuit.ry(Angle::Weight(weight), qubit);
            circuit.rz(Angle::Weight(weight + 1), qubit);
        }
        circuit.cnot_chain();
    }
    circuit
}

/// The strongly entangling ansatz: per layer `U(theta, phi, lambda)` on every qubit, then CNOTs
/// from each qubit `q` to `q + r`, cyclically, with range `r = 1 + l mod (n_qubits - 1)`.
///
/// Weights `3 (l n_qubits + q) + k` are `theta`, `phi`, `lambda` of qubit `q` in layer `l`.
///
/// # References
///
/// - [Schuld et al. (2018)](https://arxiv.org/abs/1804.00633); PennyLane's `Rot(phi, theta, omega)`
///   is our `U(theta, omega, phi)` up to a global phase.
///
/// ```
/// use burn_quantum::circuit::ansatz;
///
/// assert_eq!(ansatz::strongly_entangling(4, 3).n_weights(), 3 * 4 * 3);
/// ```
pub fn strongly_entangling(n_qubits: usize, n_layers: usize) -> Circuit {
    let mut circuit = Circuit::new(n_qubits);
    for layer in 0..n_layers {
        for qubit in 0..n_qubits {
            let weight = 3 * (layer * n_qubits + qubit);
            let angles = [0, 1, 2].map(|k| Angle::Weight(weight + k));
            circuit.gate(Gate::U, &[qubit], &angles);
        }
        if n_qubits > 1 {
            let range = 1 + layer % (n_qubits - 1);
            (0..n_qubits).for_each(|q| {
                circuit.cnot(q, (q + range) % n_qubits);
            });
        }
    }
    circuit
}

/// QHON's encoding circuit: `RY(x_q)` on every qubit, the product state of the paper; then per
/// layer `H`, `RY(w)` on every qubit and a chain of CNOTs. With `reupload`, the features enter
/// again before each layer but the first.
///
/// Weight `l n_qubits + q` turns qubit `q` in layer `l`.
///
/// ```
/// use burn_quantum::circuit::ansatz;
///
/// let circuit = ansatz::qhon_encoding(4, 2, true);
/// assert_eq!((circuit.n_inputs(), circuit.n_weights()), (4, 8));
/// ```
pub fn qhon_encoding(n_qubits: usize, n_layers: usize, reupload: bool) -> Circuit {
    let mut circuit = Circuit::new(n_qubits);
    for layer in 0..n_layers.max(1) {
        if layer == 0 || reupload {
            (0..n_qubits).for_each(|q| {
                circuit.ry(Angle::Input(q), q);
            });
        }
        if layer < n_layers {
            (0..n_qubits).for_each(|q| {
                circuit.h(q).ry(Angle::Weight(layer * n_qubits + q), q);
            });
            circuit.cnot_chain();
        }
    }
    circuit
}
