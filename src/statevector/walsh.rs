//! The Walsh-Hadamard transform: every expectation of a product of Z at once.
//!
//! `F[m] = sum_i (-1)^parity(i & m) f[i]`. Applied to probabilities it gives `<prod_{q in m} Z_q>`
//! for every mask `m`; applied to coefficients indexed by mask it gives the energy of every basis
//! state. It is its own transpose, so gradients use it too. Cost `n_qubits 2^n_qubits` additions.

use super::{Lanes, Real};

/// Transforms in place. The length must be a power of two.
#[inline(always)]
pub fn transform<T: Real, const L: usize>(values: &mut [Lanes<T, L>]) {
    let mut half = 1;
    while half < values.len() {
        for block in values.chunks_exact_mut(2 * half) {
            let (low, high) = block.split_at_mut(half);
            for (a, b) in low.iter_mut().zip(high) {
                (*a, *b) = (*a + *b, *a - *b);
            }
        }
        half *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transform_is_the_signed_sum_of_its_definition() {
        let f: Vec<f64> = (0..32).map(|i| (i as f64 * 1.7).sin()).collect();
        let mut fast: Vec<Lanes<f64, 1>> = f.iter().map(|&x| Lanes([x])).collect();
        transform(&mut fast);
        for (m, value) in fast.iter().enumerate() {
            let sign = |i: usize| if (i & m).count_ones().is_multiple_of(2) { 1.0 } else { -1.0 };
            let slow: f64 = f.iter().enumerate().map(|(i, x)| sign(i) * x).sum();
            assert!((value.0[0] - slow).abs() < 1e-13);
        }
    }
}
