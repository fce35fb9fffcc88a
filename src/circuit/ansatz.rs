//! Circuit templates.

use super::{Angle, Circuit, Gate};
use serde::{Deserialize, Serialize};

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

/// Which qubits of a layer are entangled, in the order of the gates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entanglement {
    /// `(0, 1), (1, 2), ..., (n-2, n-1)`.
    Linear,
    /// Linear, then `(n-1, 0)` to close the ring, if there are more than two qubits.
    Circular,
    /// Every pair `(i, j)` with `i < j`.
    Full,
}

impl Entanglement {
    /// The pairs `(control, target)`.
    ///
    /// ```
    /// use burn_quantum::circuit::ansatz::Entanglement;
    ///
    /// assert_eq!(Entanglement::Circular.pairs(3), [(0, 1), (1, 2), (2, 0)]);
    /// assert_eq!(Entanglement::Full.pairs(3), [(0, 1), (0, 2), (1, 2)]);
    /// ```
    pub fn pairs(self, n_qubits: usize) -> Vec<(usize, usize)> {
        let mut pairs: Vec<_> = (1..n_qubits).map(|j| (j - 1, j)).collect();
        match self {
            Self::Linear => {}
            Self::Circular if n_qubits < 3 => {}
            Self::Circular => pairs.push((n_qubits - 1, 0)),
            Self::Full => {
                pairs = (0..n_qubits).flat_map(|i| (i + 1..n_qubits).map(move |j| (i, j))).collect()
            }
        }
        pairs
    }
}

/// Per layer one rotation on every qubit and `entangler` on the pairs; after the last layer the
/// rotations once more. This is Qiskit's `TwoLocal`.
///
/// Every angle is a weight of its own, numbered in the order of the gates. With
/// `rotations = [RY, RZ]`, all `RY` of a layer come before its `RZ`.
///
/// # Panics
///
/// Panics if a rotation does not act on one qubit, or the entangler not on two.
///
/// ```
/// use burn_quantum::circuit::{Gate, ansatz};
///
/// let pairs = ansatz::Entanglement::Linear;
/// let circuit = ansatz::two_local(3, &[Gate::RY, Gate::RZ], Gate::CRX, pairs, 2);
/// assert_eq!(circuit.n_weights(), 2 * (6 + 2) + 6);
/// ```
pub fn two_local(
    n_qubits: usize,
    rotations: &[Gate],
    entangler: Gate,
    entanglement: Entanglement,
    n_layers: usize,
) -> Circuit {
    let mut circuit = Circuit::new(n_qubits);
    for layer in 0..=n_layers {
        for &rotation in rotations {
            (0..n_qubits).for_each(|q| trained(&mut circuit, rotation, &[q]));
        }
        if layer < n_layers {
            for (control, target) in entanglement.pairs(n_qubits) {
                trained(&mut circuit, entangler, &[control, target]);
            }
        }
    }
    circuit
}

/// Appends a gate whose angles are the next weights.
fn trained(circuit: &mut Circuit, gate: Gate, qubits: &[usize]) {
    let first = circuit.n_weights();
    let angles: Vec<_> = (0..gate.info().n_angles).map(|k| Angle::Weight(first + k)).collect();
    circuit.gate(gate, qubits, &angles);
}

/// Real amplitudes: [`two_local`] with `RY` and CNOT, so that no amplitude is ever complex.
///
/// Weight `l n_qubits + q` turns qubit `q` in layer `l`, the last rotations being layer
/// `n_layers`.
///
/// ```
/// use burn_quantum::circuit::ansatz;
///
/// assert_eq!(ansatz::real_amplitudes(4, ansatz::Entanglement::Full, 3).n_weights(), 4 * 4);
/// ```
pub fn real_amplitudes(n_qubits: usize, entanglement: Entanglement, n_layers: usize) -> Circuit {
    two_local(n_qubits, &[Gate::RY], Gate::CNOT, entanglement, n_layers)
}

/// Basic entangler layers: per layer `rotation` on every qubit, then a ring of CNOTs (one CNOT on
/// two qubits), as PennyLane's `BasicEntanglerLayers`.
///
/// # Panics
///
/// Panics if `rotation` does not act on one qubit with one angle.
///
/// ```
/// use burn_quantum::circuit::{Gate, ansatz};
///
/// assert_eq!(ansatz::basic_entangler(4, Gate::RX, 3).n_weights(), 3 * 4);
/// ```
pub fn basic_entangler(n_qubits: usize, rotation: Gate, n_layers: usize) -> Circuit {
    assert_eq!(rotation.info().n_angles, 1, "angles of {}", rotation.info().name);
    let mut circuit = Circuit::new(n_qubits);
    for _ in 0..n_layers {
        (0..n_qubits).for_each(|q| trained(&mut circuit, rotation, &[q]));
        for (control, target) in Entanglement::Circular.pairs(n_qubits) {
            circuit.cnot(control, target);
        }
    }
    circuit
}

/// QAOA for the largest cut of a graph: Hadamards, then per layer `exp(-i gamma_l Z_i Z_j / 2)` on
/// every edge and `exp(-i beta_l X_q / 2)` on every qubit. All edges have weight 1.
///
/// Weights `2 l` and `2 l + 1` are `gamma_l` and `beta_l`.
///
/// # References
///
/// - [Farhi et al. (2014)](https://arxiv.org/abs/1411.4028). With their
///   `C = sum_{ij} (1 - Z_i Z_j) / 2`, their `gamma` is our `-gamma` and their `beta` our
///   `beta / 2`, up to a global phase.
///
/// # Panics
///
/// Panics if an edge is a loop or names a qubit outside of the circuit.
///
/// ```
/// use burn_quantum::circuit::ansatz;
///
/// let triangle = [(0, 1), (1, 2), (2, 0)];
/// assert_eq!(ansatz::qaoa_max_cut(3, &triangle, 5).n_weights(), 2 * 5);
/// ```
pub fn qaoa_max_cut(n_qubits: usize, edges: &[(usize, usize)], n_layers: usize) -> Circuit {
    let mut circuit = Circuit::new(n_qubits);
    (0..n_qubits).for_each(|q| {
        circuit.h(q);
    });
    for layer in 0..n_layers {
        for &(i, j) in edges {
            circuit.gate(Gate::RZZ, &[i, j], &[Angle::Weight(2 * layer)]);
        }
        (0..n_qubits).for_each(|q| {
            circuit.rx(Angle::Weight(2 * layer + 1), q);
        });
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
