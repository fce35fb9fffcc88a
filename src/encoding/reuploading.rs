//! Data re-uploading.

use crate::circuit::Circuit;
use crate::error::Error;

/// `n_layers` times the encoding, then the ansatz: the same features, fresh weights in each layer.
///
/// With `m` weights in the encoding (trained scales, say) and `k` in the ansatz, layer `l` reads
/// weights `l (m + k)` to `(l + 1) (m + k) - 1`, the encoding's first. Encoding a feature `L`
/// times makes the read-out a Fourier series of degree `L` in it
/// ([Schuld et al. 2021](https://arxiv.org/abs/2008.08605)).
///
/// # Errors
///
/// When the ansatz acts on a qubit that the encoding does not have.
///
/// # References
///
/// - [Perez-Salinas et al. (2020)](https://arxiv.org/abs/1907.02085). Their layer on one qubit,
///   `U(theta) U(x)`, is ours with a `U` gate each.
///
/// ```
/// use burn_quantum::circuit::{Pauli, ansatz};
/// use burn_quantum::encoding;
///
/// let features = encoding::angle(3, Pauli::X);
/// let circuit = encoding::reuploading(&features, &ansatz::strongly_entangling(3, 1), 4)?;
/// assert_eq!((circuit.n_inputs(), circuit.n_weights()), (3, 4 * 9));
/// # Ok::<(), burn_quantum::Error>(())
/// ```
pub fn reuploading(
    encoding: &Circuit,
    ansatz: &Circuit,
    n_layers: usize,
) -> Result<Circuit, Error> {
    let mut layer = encoding.clone();
    layer.append_with_fresh_weights(ansatz)?;
    let mut circuit = Circuit::new(encoding.n_qubits());
    for _ in 0..n_layers {
        circuit.append_with_fresh_weights(&layer)?;
    }
    Ok(circuit)
}
