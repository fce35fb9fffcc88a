//! Models on the rook's graph against their formula, all states, and other samplers.

use crate::common::*;
use burn_quantum::annealing::*;
use burn_quantum::ising::to_spins;

/// A random model and the numbers it is made of.
struct Case {
    shape: [usize; 3],
    j: Vec<f32>,
    f: Vec<f32>,
    gamma: f32,
    cardinality: Option<Cardinality>,
    model: RookModel,
}

fn case(seed: u64, n_heads: usize, n_bits: usize, n: usize, scale: f64) -> Case {
    let mut rng = rng(seed);
    let (mut j, f) = (
        to_f32(&uniform(&mut rng, n_heads * n * n, scale)),
        to_f32(&uniform(&mut rng, n_heads * n, scale)),
    );
    for k in 0..j.len() {
        let (h, a, b) = (k / (n * n), k / n % n, k % n);
        j[k] = if a <= b { j[k] } else { j[h * n * n + b * n + a] };
    }
    let gamma = uniform(&mut rng, 1, scale)[0] as f32;
    let strength = 0.5 * scale as f32;
    let cardinality = seed.is_multiple_of(2).then_some(Cardinality { strength, target: 1.3 });
    let mut model = RookModel::new([n_heads, n], &j, &f, None).unwrap().with_n_bits(n_bits);
    model = model.with_head_penalty(gamma).unwrap();
    if let Some(cardinality) = cardinality {
        model = model.with_cardinality(cardinality).unwrap();
    }
    Case { shape: [n_heads, n_bits, n], j, f, gamma, cardinality, model }
}

impl Case {
    fn bits(&self, state: usize) -> Vec<u8> {
        (0..self.model.n_bits()).map(|k| (state >> k & 1) as u8).collect()
    }

    /// The formula of [`RookModel`], sum by sum.
    fn energy(&self, bits: &[u8]) -> f64 {
        let [n_heads, q, n] = self.shape;
        let x = |h: usize, r: usize, i: usize| f64::from(bits[(h * q + r) * n + i]);
        let all = ((1 << q) - 1) as f64;
        let w = |h: usize, i: usize| (0..q).map(|r| f64::from(1 << r) / all * x(h, r, i)).sum();
        let mut energy = 0.0;
        for h in 0..n_heads {
            let mut number = 0.0;
            for i in 0..n {
                let w_i: f64 = w(h, i);
                number += w_i;
                energy -= f64::from(self.f[h * n + i]) * w_i;
                for k in 0..n {
                    let w_k: f64 = w(h, k);
                    energy -= 0.5 * f64::from(self.j[(h * n + i) * n + k]) * w_i * w_k;
                }
                for other in h + 1..n_heads {
                    for r in 0..q {
                        energy += f64::from(self.gamma) * x(h, r, i) * x(other, r, i);
                    }
                }
            }
            if let Some(c) = self.cardinality {
                energy += 0.5 * f64::from(c.strength) * (number - f64::from(c.target)).powi(2);
            }
        }
        energy
    }
}

#[test]
fn every_state_has_the_energy_of_the_formula_as_a_qubo_and_as_an_ising_model() {
    for (seed, [n_heads, q, n]) in
        [[2, 1, 4], [3, 1, 3], [1, 2, 4], [2, 3, 2], [4, 1, 1], [1, 1, 1]].into_iter().enumerate()
    {
        let case = case(seed as u64, n_heads, q, n, 1.0);
        let qubo = case.model.to_qubo().unwrap();
        let ising = qubo.to_ising().unwrap();
        for state in 0..1 << (n_heads * q * n) {
            let bits = case.bits(state);
            let expected = case.energy(&bits);
            let close = |energy: f64| (energy - expected).abs() < 1e-5;
            assert!(close(case.model.energy(&bits)), "{seed}: {state}");
            assert!(close(qubo.energy(&bits)), "{seed}: {state}");
            assert!(close(ising.energy(&to_spins(&bits))), "{seed}: {state}");
        }
    }
}

/// All means and all means of products of two, against sums over all states.
#[test]
fn block_gibbs_has_the_boltzmann_moments() {
    let (reads, beta) = (40_000, 0.8);
    for (seed, [n_heads, q, n]) in
        [[2, 1, 4], [3, 1, 2], [2, 2, 2], [1, 3, 3]].into_iter().enumerate()
    {
        let case = case(10 + seed as u64, n_heads, q, n, 0.8);
        let size = case.model.n_bits();
        let gibbs = BlockGibbs::new(beta).unwrap().with_n_sweeps(60);
        let samples = gibbs.sample(std::slice::from_ref(&case.model), reads).remove(0);
        let weights: Vec<f64> =
            (0..1 << size).map(|s| (-beta * case.energy(&case.bits(s))).exp()).collect();
        let z: f64 = weights.iter().sum();
        for a in 0..size {
            for b in a..size {
                let both = |s: &usize| s >> a & 1 == 1 && s >> b & 1 == 1;
                let exact = (0..1 << size).filter(both).map(|s| weights[s]).sum::<f64>() / z;
                let seen = samples.chunks(size).filter(|x| x[a] == 1 && x[b] == 1).count();
                let seen = seen as f64 / reads as f64;
                let sigma = (exact * (1.0 - exact) / reads as f64).sqrt();
                assert!((seen - exact).abs() < 5.0 * sigma, "{seed}: {a} {b} {seen} {exact}");
            }
        }
    }
}

#[test]
fn annealing_finds_ground_states() {
    let cases: Vec<Case> = (0..300)
        .map(|k| {
            let [h, q, n] =
                [[2, 1, 7], [4, 1, 4], [1, 1, 14], [2, 2, 3], [7, 1, 2]][k as usize % 5];
            case(100 + k, h, q, n, 1.0)
        })
        .collect();
    let models: Vec<RookModel> = cases.iter().map(|case| case.model.clone()).collect();
    let found = BlockAnnealing::default().minimise(&models);
    let hits = cases.iter().zip(&found).filter(|(case, bits)| {
        let ising = case.model.to_qubo().unwrap().to_ising().unwrap();
        let exact = Exact::default().sample(&ising, 1).unwrap().energies()[0];
        case.energy(bits) < exact + 1e-4
    });
    let hits = hits.count();
    assert!(hits >= 297, "{hits} of 300");
}

/// The tokens of the largest fields, however strong the cardinality: single flips cannot exchange one
/// for another, and nothing but the cardinality is felt at the temperatures that it sets.
#[test]
fn annealing_selects_the_best_of_a_given_number() {
    for (seed, strength) in (0..20).flat_map(|seed| [1.0, 10.0, 100.0].map(|s| (seed, s))) {
        let (n, k) = (64, 8);
        let f = to_f32(&uniform(&mut rng(300 + seed), n, 2.0));
        let model = RookModel::new([1, n], &vec![0.0; n * n], &f, None).unwrap();
        let model = model.with_cardinality(Cardinality { strength, target: k as f32 }).unwrap();
        let bits = BlockAnnealing::default().minimise(std::slice::from_ref(&model)).remove(0);
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by(|&a, &b| f[b].total_cmp(&f[a]));
        // Of each number the best are those of the largest fields.
        let best = (0..=n).map(|m| {
            let mut bits = vec![0; n];
            order[..m].iter().for_each(|&i| bits[i] = 1);
            model.energy(&bits)
        });
        let best = best.fold(f64::INFINITY, f64::min);
        let found = model.energy(&bits);
        assert!(found < best + 1e-3, "{seed}, {strength}: {found} {best}");
    }
    let mut hits = 0;
    for seed in 0..40 {
        let mut case = case(400 + seed, 2, 1, 7, 1.0);
        let cardinality = Cardinality { strength: 20.0, target: 3.0 };
        case.model = case.model.with_cardinality(cardinality).unwrap();
        case.cardinality = Some(cardinality);
        let anneal = BlockAnnealing::default().with_n_runs(16);
        let bits = anneal.minimise(std::slice::from_ref(&case.model)).remove(0);
        let exact = (0..1 << 14).map(|s| case.energy(&case.bits(s)));
        hits += usize::from(case.energy(&bits) < exact.fold(f64::INFINITY, f64::min) + 1e-3);
    }
    assert!(hits >= 39, "{hits} of 40");
}

#[test]
fn no_reads_are_empty_for_each_model() {
    let model = case(5, 2, 1, 3, 1.0).model;
    let gibbs = BlockGibbs::new(1.0).unwrap();
    assert_eq!(gibbs.sample(&[model.clone(), model], 0), [vec![], vec![]] as [Vec<u8>; 2]);
}

/// Even without a sweep the local search must end where no flip, on or off, helps.
#[test]
fn local_search_ends_where_no_single_flip_helps() {
    let mut directions = [0; 2];
    for seed in 0..40 {
        let case = case(seed, 3, 1, 12, 1.0);
        let anneal = BlockAnnealing::default().with_n_sweeps(0).with_n_runs(1).with_seed(seed);
        let bits = anneal.minimise(std::slice::from_ref(&case.model)).remove(0);
        let energy = case.energy(&bits);
        for k in 0..bits.len() {
            let mut other = bits.clone();
            other[k] ^= 1;
            assert!(case.energy(&other) > energy - 1e-3, "{seed}: flip {k}");
        }
        let start = BlockGibbs::new(1.0).unwrap().with_n_sweeps(0).with_seed(seed);
        let start = start.sample(std::slice::from_ref(&case.model), 1).remove(0);
        assert!(energy <= case.energy(&start) + 1e-4, "never worse than where it starts");
        for (from, to) in start.iter().zip(&bits) {
            directions[usize::from(*to)] += usize::from(from != to);
        }
    }
    assert!(directions.iter().all(|&flips| flips > 20), "off and on: {directions:?}");
}

/// The same bits alone, in a batch, and with tokens that are left out.
#[test]
fn neither_the_batch_nor_padding_changes_a_bit() {
    let (n_heads, n) = (3, 5);
    let case = case(1, n_heads, 1, n, 1.0);
    let mut padded_j = vec![f32::NAN; n_heads * 64];
    let mut padded_f = vec![f32::INFINITY; n_heads * 8];
    for h in 0..n_heads {
        for i in 0..n {
            padded_f[h * 8 + i] = case.f[h * n + i];
            let row = &case.j[(h * n + i) * n..][..n];
            padded_j[(h * 8 + i) * 8..][..n].copy_from_slice(row);
        }
    }
    let kept: Vec<bool> = (0..8).map(|i| i < n).collect();
    let padded = RookModel::new([n_heads, 8], &padded_j, &padded_f, Some(&kept)).unwrap();
    assert_eq!(padded.clone().with_head_penalty(case.gamma).unwrap(), case.model);
    let other = super::rook::case(2, 2, 2, 9, 1.0).model;
    let gibbs = BlockGibbs::new(0.7).unwrap().with_seed(5);
    let alone = gibbs.sample(std::slice::from_ref(&case.model), 3);
    let together = gibbs.sample(&[case.model.clone(), other.clone(), other], 3);
    assert_eq!(alone[0], together[0]);
    assert_ne!(together[1], together[2], "each place has random numbers of its own");
}

#[test]
fn nothing_is_defined() {
    let empty = RookModel::new([2, 0], &[], &[], None).unwrap();
    let flat = RookModel::new([1, 1], &[0.0], &[0.0], None).unwrap();
    let models = [empty, flat];
    let best = BlockAnnealing::default().minimise(&models);
    assert_eq!((best[0].len(), best[1].len()), (0, 1));
    assert_eq!(models[0].energy(&[]), 0.0);
    let reads = BlockGibbs::new(1.0).unwrap().sample(&models, 2_000);
    let mean = reads[1].iter().filter(|&&bit| bit == 1).count() as f64 / 2_000.0;
    assert!((mean - 0.5).abs() < 5.0 * 0.5 / 2_000f64.sqrt());
}

#[test]
fn numbers_that_are_none_are_named() {
    let refused = |j: f32, f: f32| {
        RookModel::new([1, 2], &[0.0, j, 0.0, 0.0], &[0.0, f], None).unwrap_err().to_string()
    };
    assert!(refused(f32::NAN, 0.0).contains("coupling [0, 1] is NaN"));
    assert!(refused(0.0, f32::INFINITY).contains("field [0, 1] is inf"));
    let short = RookModel::new([1, 2], &[0.0; 3], &[0.0; 2], None).unwrap_err().to_string();
    assert!(short.contains("the couplings has 3 values, expected 4"), "{short}");
    let cold = BlockGibbs::new(-1.0).unwrap_err().to_string();
    assert!(cold.contains("beta is -1: use a positive number"), "{cold}");
}
