//! Angle encoding.

use crate::circuit::{Angle, Circuit, Gate, Pauli};

/// Feature `q` turns qubit `q` about `axis`: the state `prod_q exp(-i x_q P_q / 2) |0...0>`.
///
/// Features are radians; scale them to about `[0, pi]`, for the encoding is periodic. A rotation
/// about Z only changes the phase of `|0>`: it encodes something only behind other gates.
///
/// # References
///
/// - [Stoudenmire and Schwab (2016)](https://arxiv.org/abs/1605.05775), whose local map
///   `(cos(pi x / 2), sin(pi x / 2))` is ours about Y with `x_q = pi x`.
///
/// ```
/// use burn_quantum::circuit::Pauli;
/// use burn_quantum::{encoding, statevector::dense};
///
/// let state = dense::state(&encoding::angle(1, Pauli::Y), &[0.4], &[])?;
/// assert!((state[1].re - 0.2f64.sin()).abs() < 1e-15);
/// # Ok::<(), burn_quantum::Error>(())
/// ```
pub fn angle(n_qubits: usize, axis: Pauli) -> Circuit {
    let gate = match axis {
        Pauli::X => Gate::RX,
        Pauli::Y => Gate::RY,
        Pauli::Z => Gate::RZ,
    };
    let mut circuit = Circuit::new(n_qubits);
    for qubit in 0..n_qubits {
        circuit.gate(gate, &[qubit], &[Angle::Input(qubit)]);
    }
    circuit
}
