//! Basis encoding.

use crate::circuit::Circuit;

/// The basis state `|b_{n-1} ... b_1 b_0>`: an X on every qubit whose bit is set.
///
/// The bits are part of the circuit. For bits that differ within a batch use
/// [`angle`](super::angle) about X with features `pi b`, which gives `(-i)^k |b>` with `k` bits
/// set: the same state up to a global phase.
///
/// ```
/// use burn_quantum::{encoding, statevector::dense};
///
/// let state = dense::state(&encoding::basis(&[true, false, true]), &[], &[])?;
/// assert_eq!(state[0b101].re, 1.0);
/// # Ok::<(), burn_quantum::Error>(())
/// ```
pub fn basis(bits: &[bool]) -> Circuit {
    let mut circuit = Circuit::new(bits.len());
    for (qubit, _) in bits.iter().enumerate().filter(|(_, bit)| **bit) {
        circuit.x(qubit);
    }
    circuit
}
