//! Ising models: both storages, batches, and what they refuse.

use crate::common::{rng, uniform};
use burn_quantum::ising::{BatchedIsing, Ising, MaxCut, Qubo};
use rand::RngExt;

/// All configurations of `n` spins.
fn spins(n: usize) -> impl Iterator<Item = Vec<i8>> {
    (0..1usize << n).map(move |k| (0..n).map(|i| if k >> i & 1 == 0 { 1 } else { -1 }).collect())
}

/// The definition, over a matrix of which the entries above the diagonal count.
fn energy(h: &[f64], j: &[f64], offset: f64, s: &[i8]) -> f64 {
    let n = h.len();
    let mut sum = offset;
    for a in 0..n {
        sum += h[a] * f64::from(s[a]);
        for b in a + 1..n {
            sum += j[a * n + b] * f64::from(s[a] * s[b]);
        }
    }
    sum
}

/// Integers, so that every sum is exact, about half of them zero.
fn integers(seed: u64, n: usize) -> Vec<f64> {
    let mut rng = rng(seed);
    (0..n).map(|_| f64::from(rng.random_range(-4..=4) * rng.random_range(0..=1))).collect()
}

fn triangle(n: usize, matrix: &[f64]) -> Vec<f64> {
    let entry = |(k, &value): (usize, &f64)| if k / n < k % n { value } else { 0.0 };
    matrix.iter().enumerate().map(entry).collect()
}

fn entries(n: usize, matrix: &[f64]) -> Vec<(usize, usize, f64)> {
    let pairs = (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j)));
    pairs.map(|(i, j)| (i, j, matrix[i * n + j])).collect()
}

#[test]
fn both_storages_have_the_defined_energy_in_all_states() {
    for n in [0, 1, 2, 5, 9, 11] {
        let (h, j) = (integers(n as u64, n), triangle(n, &integers(50 + n as u64, n * n)));
        let dense = Ising::dense(h.clone(), &j, 3.0).unwrap();
        let mut backwards = entries(n, &j);
        backwards.reverse();
        backwards.iter_mut().for_each(|entry| (entry.0, entry.1) = (entry.1, entry.0));
        let sparse = Ising::sparse(h.clone(), backwards, 3.0).unwrap();
        assert_eq!(dense, sparse);
        assert_eq!((dense.is_dense(), sparse.is_dense()), (true, false));
        assert_eq!(dense.density(), sparse.density());
        for s in spins(n) {
            let expected = energy(&h, &j, 3.0, &s);
            assert_eq!(dense.energy(&s), expected);
            assert_eq!(sparse.energy(&s), expected);
            for i in 0..n {
                let mut flipped = s.clone();
                flipped[i] = -s[i];
                let change = energy(&h, &j, 3.0, &flipped) - expected;
                for model in [&dense, &sparse] {
                    assert_eq!(-2.0 * f64::from(s[i]) * model.local_field(i, &s), change);
                }
            }
        }
    }
}

#[test]
fn rows_and_neighbours_hold_the_symmetric_matrix() {
    let n = 70; // more than two tiles
    let j = triangle(n, &integers(1, n * n));
    let dense = Ising::dense(vec![0.0; n], &j, 0.0).unwrap();
    let sparse = Ising::sparse(vec![0.0; n], entries(n, &j), 0.0).unwrap();
    let mut n_nonzero = 0;
    for a in 0..n {
        let row: Vec<f64> = (0..n).map(|b| j[a.min(b) * n + a.max(b)]).collect();
        assert_eq!(dense.row(a).unwrap(), row);
        assert!(sparse.row(a).is_none());
        let nonzero: Vec<u32> = (0..n as u32).filter(|&b| row[b as usize] != 0.0).collect();
        let values: Vec<f64> = nonzero.iter().map(|&b| row[b as usize]).collect();
        for model in [&dense, &sparse] {
            assert_eq!(model.neighbours(a), (&nonzero[..], &values[..]));
        }
        n_nonzero += nonzero.len();
    }
    assert_eq!([dense.n_couplings(), sparse.n_couplings()], [n_nonzero / 2; 2]);
    assert_eq!((dense.to_sparse(), sparse.to_dense()), (sparse.clone(), dense.clone()));
    assert!(!dense.to_sparse().is_dense() && sparse.to_dense().is_dense());
    assert!(dense.couplings().eq(sparse.couplings()));
    assert_eq!(sparse.max_abs_coefficient(), 4.0);
}

#[test]
fn duplicates_add_up_and_zeros_vanish() {
    let twice = [(0, 1, 1.5), (2, 1, 4.0), (1, 0, 2.0), (1, 2, -4.0)];
    let model = Ising::sparse(vec![0.0; 3], twice, 0.0).unwrap();
    assert_eq!(model.couplings().collect::<Vec<_>>(), [(0, 1, 3.5)]);
    assert_eq!(model.n_couplings(), 1);
    // 0.1 + 0.2 + 0.3 depends on the order; both halves must sum in the same.
    let order = [(0, 1, 0.1), (1, 0, 0.2), (0, 1, 0.3)];
    let model = Ising::sparse(vec![0.0; 2], order, 0.0).unwrap();
    assert_eq!(model.neighbours(0).1, model.neighbours(1).1);
}

#[test]
fn empty_and_single_models_work() {
    let empty = Ising::sparse(vec![], [], 2.0).unwrap();
    assert_eq!((empty.energy(&[]), empty.density(), empty.max_abs_coefficient()), (2.0, 0.0, 0.0));
    let single = Ising::dense(vec![-3.0], &[0.0], 0.0).unwrap();
    assert_eq!((single.energy(&[-1]), single.n_couplings()), (3.0, 0));
    let huge = Ising::sparse(vec![1e300; 2], [(0, 1, -1e300)], 0.0).unwrap();
    assert_eq!(huge.energy(&[1, 1]), 1e300);
}

#[test]
fn what_is_wrong_is_named_with_its_remedy() {
    let refused = |result: Result<Ising, burn_quantum::Error>, words: &[&str]| {
        let error = result.unwrap_err();
        let message = error.to_string();
        assert!(words.iter().all(|word| message.contains(word)), "{message}");
    };
    let h = || vec![0.0; 3];
    refused(Ising::sparse(h(), [(0, 3, 1.0)], 0.0), &["coupling (0, 3)", "3 spins", "0 to 2"]);
    refused(Ising::sparse(h(), [(1, 1, 2.5)], 0.0), &["coupling (1, 1) = 2.5", "offset"]);
    refused(Ising::sparse(h(), [(0, 1, f64::NAN)], 0.0), &["coupling (0, 1) is NaN", "finite"]);
    refused(Ising::sparse(h(), [(0, 1, 1e308), (1, 0, 1e308)], 0.0), &["sum of coupling (0, 1)"]);
    refused(Ising::sparse(vec![0.0, f64::INFINITY], [], 0.0), &["field 1 is inf"]);
    refused(Ising::sparse(h(), [], f64::NAN), &["the offset is NaN"]);
    refused(Ising::dense(h(), &[0.0; 8], 0.0), &["matrix of couplings", "8", "expected 9"]);
    let with = |entries: &[(usize, f64)]| {
        let mut matrix = [0.0; 9];
        entries.iter().for_each(|&(k, value)| matrix[k] = value);
        Ising::dense(h(), &matrix, 0.0)
    };
    refused(with(&[(4, 1.0)]), &["coupling (1, 1) = 1", "offset"]);
    refused(with(&[(7, f64::NAN)]), &["coupling (2, 1) is NaN"]);
    let words = ["coupling (0, 2) = 1", "(2, 0) = 0", "(1, 0) = 5", "symmetric"];
    refused(with(&[(1, 5.0), (3, 5.0), (2, 1.0)]), &words);
    assert!(with(&[(3, 1.0)]).is_err(), "a lower triangle");
    assert!(with(&[(1, 5.0), (3, 5.0)]).is_ok());
}

#[test]
#[should_panic(expected = "+1 or -1")]
fn energies_of_anything_but_spins_are_a_programming_error() {
    Ising::sparse(vec![0.0; 2], [], 0.0).unwrap().energy(&[3, 1]);
}

#[test]
fn a_batch_holds_its_problems() {
    let (p, n) = (6, 7);
    let f32s = |seed, len| -> Vec<f32> {
        uniform(&mut rng(seed), len, 2.0).into_iter().map(|v| v as f32).collect()
    };
    let (h, each) = (f32s(1, p * n), f32s(2, p * n * n));
    for n_groups in [p, 3, 1] {
        let groups = &each[..n_groups * n * n];
        let batch = BatchedIsing::new(p, n, &h[..], groups).unwrap();
        assert_eq!((batch.n_groups(), batch.is_shared()), (n_groups, n_groups == 1));
        for k in 0..p {
            let model = batch.problem(k);
            let (h, j) = (batch.fields_of(k), batch.couplings_of(k));
            assert_eq!(j, &groups[k * n_groups / p * n * n..][..n * n]);
            for s in spins(n) {
                let h: Vec<f64> = h.iter().map(|&h| h.into()).collect();
                let j: Vec<f64> = j.iter().map(|&j| j.into()).collect();
                let expected = energy(&h, &j, 0.0, &s);
                assert!((batch.energy(k, &s) - expected).abs() < 1e-12);
                assert!((model.energy(&s) - expected).abs() < 1e-12);
            }
        }
    }
}

#[test]
fn a_batch_reads_only_above_the_diagonal() {
    let nan = f32::NAN;
    let batch = BatchedIsing::new(1, 2, vec![0.0; 2], vec![nan, 2.0, nan, nan]).unwrap();
    assert_eq!(batch.energy(0, &[1, -1]), -2.0);
    let message = |h: Vec<f32>, j: Vec<f32>| BatchedIsing::new(2, 2, h, j).unwrap_err().to_string();
    assert!(message(vec![0.0; 3], vec![0.0; 4]).contains("expected 4"));
    assert!(message(vec![0.0; 4], vec![0.0; 5]).contains("expected 8"));
    // Two models are not shared out among three groups.
    assert!(message(vec![0.0; 4], vec![0.0; 12]).contains("expected 8"));
    assert!(message(vec![0.0, 0.0, nan, 0.0], vec![0.0; 4]).contains("field [1, 0] is NaN"));
    let mut j = vec![0.0; 8];
    j[5] = f32::NEG_INFINITY;
    assert!(message(vec![0.0; 4], j).contains("coupling [1, 0, 1] is -inf"));
    assert!(BatchedIsing::new(0, 4, vec![], vec![]).is_ok());
    assert!(BatchedIsing::new(3, 0, vec![], vec![]).is_ok());
}

/// Each coefficient of each constructor, with each number that is not finite.
#[test]
fn numbers_that_are_not_finite_are_refused_everywhere() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut refusals = vec![
            Ising::sparse(vec![0.0, bad], [], 0.0).err(),
            Ising::sparse(vec![0.0; 2], [(0, 1, bad)], 0.0).err(),
            Ising::sparse(vec![0.0; 2], [(0, 1, 1.0), (1, 0, bad)], 0.0).err(),
            Ising::sparse(vec![0.0; 2], [], bad).err(),
            Ising::dense(vec![bad, 0.0], &[0.0; 4], 0.0).err(),
            Ising::dense(vec![0.0; 2], &[0.0; 4], bad).err(),
            Qubo::sparse(2, [], bad).err(),
            Qubo::sparse(2, [(0, 0, bad)], 0.0).err(),
            Qubo::sparse(2, [(0, 1, bad)], 0.0).err(),
            Qubo::dense(2, &[0.0; 4], bad).err(),
            MaxCut::new(2, [(0, 1, bad)]).err(),
        ];
        for k in 0..4 {
            let mut matrix = [0.0; 4];
            matrix[k] = bad;
            refusals.push(Ising::dense(vec![0.0; 2], &matrix, 0.0).err());
            refusals.push(Qubo::dense(2, &matrix, 0.0).err());
        }
        for k in [0, 3] {
            let mut fields = vec![0.0; 4];
            fields[k] = bad as f32;
            refusals.push(BatchedIsing::new(2, 2, fields, vec![0.0; 4]).err());
        }
        for k in [1, 5] {
            let mut couplings = vec![0.0; 8];
            couplings[k] = bad as f32;
            refusals.push(BatchedIsing::new(2, 2, vec![0.0; 4], couplings).err());
        }
        for (k, refusal) in refusals.into_iter().enumerate() {
            let error = refusal.unwrap_or_else(|| panic!("number {k} took {bad}"));
            assert!(error.is_invalid_value(), "{k}: {error}");
        }
    }
}
