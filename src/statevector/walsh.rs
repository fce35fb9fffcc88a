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

/// Whether [`transform_singles`] and [`expand_singles`] do for these masks.
pub fn are_singles(mut masks: impl Iterator<Item = usize>) -> bool {
    masks.all(|mask| mask.count_ones() <= 1)
}

/// As [`transform`], but only the entries at 0 and at masks of one bit are right afterwards: the
/// others are not needed for read-outs of single qubits. Two additions for each value.
#[inline(always)]
pub fn transform_singles<T: Real, const L: usize>(values: &mut [Lanes<T, L>]) {
    let mut half = values.len() / 2;
    while half > 0 {
        let (mut difference, (low, high)) = (Lanes::zero(), values.split_at_mut(half));
        for (a, &b) in low.iter_mut().zip(&high[..half]) {
            difference += *a - b;
            *a += b;
        }
        high[0] = difference;
        half /= 2;
    }
}

/// As [`transform`] of values that are 0 but at 0 and at masks of one bit.
#[inline(always)]
pub fn expand_singles<T: Real, const L: usize>(values: &mut [Lanes<T, L>]) {
    let mut half = 1;
    while half < values.len() {
        let (low, high) = values[..2 * half].split_at_mut(half);
        let coefficient = high[0];
        for (a, b) in low.iter_mut().zip(high) {
            (*a, *b) = (*a + coefficient, *a - coefficient);
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

    #[test]
    fn the_short_cuts_for_single_qubits_are_the_transform() {
        let all: Vec<Lanes<f64, 1>> = (0..16).map(|i| Lanes([(i as f64 * 2.3).cos()])).collect();
        let (mut whole, mut singles) = (all.clone(), all.clone());
        transform(&mut whole);
        transform_singles(&mut singles);
        for mask in [0, 1, 2, 4, 8] {
            assert!((whole[mask].0[0] - singles[mask].0[0]).abs() < 1e-13);
        }
        let mut sparse = vec![Lanes([0.0]); 16];
        for mask in [0, 1, 2, 4, 8] {
            sparse[mask] = all[mask];
        }
        let mut expanded = sparse.clone();
        transform(&mut sparse);
        expand_singles(&mut expanded);
        for (a, b) in sparse.iter().zip(&expanded) {
            assert!((a.0[0] - b.0[0]).abs() < 1e-13);
        }
        assert!(are_singles([0, 4, 1].into_iter()) && !are_singles([3].into_iter()));
    }
}
