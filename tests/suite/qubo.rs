//! QUBOs: conversion, constraints, numbers in bits, restriction and precision, over all states of
//! small random models.

use crate::common::rng;
use burn_quantum::Error;
use burn_quantum::ising::{
    BinaryExpansion, ConstrainedQubo, Ising, PenaltyWeight, Qubo, Relation, to_bits, to_spins,
};
use rand::RngExt;
use rand::rngs::StdRng;

fn all_bits(n: usize) -> impl Iterator<Item = Vec<u8>> {
    (0..1usize << n).map(move |k| (0..n).map(|i| (k >> i & 1) as u8).collect())
}

fn integer_entries(rng: &mut StdRng, n: usize, share: f64) -> Vec<(usize, usize, f64)> {
    let pairs = (0..n).flat_map(|i| (i..n).map(move |j| (i, j)));
    let mut kept: Vec<_> = pairs.filter(|_| rng.random_range(0.0..1.0) < share).collect();
    kept.drain(..).map(|(i, j)| (i, j, f64::from(rng.random_range(-9..=9)))).collect()
}

fn matrix(n: usize, entries: &[(usize, usize, f64)]) -> Vec<f64> {
    let mut matrix = vec![0.0; n * n];
    entries.iter().for_each(|&(i, j, value)| matrix[i * n + j] += value);
    matrix
}

fn refused<T: std::fmt::Debug>(result: Result<T, Error>, words: &[&str]) {
    let message = result.unwrap_err().to_string();
    assert!(words.iter().all(|word| message.contains(word)), "{message}");
}

#[test]
fn conversion_keeps_every_energy_exactly() {
    for n in [0, 1, 2, 6, 10] {
        let entries = integer_entries(&mut rng(n as u64), n, 0.6);
        let matrix = matrix(n, &entries);
        let sparse = Qubo::sparse(n, entries, -7.0).unwrap();
        let dense = Qubo::dense(n, &matrix, -7.0).unwrap();
        assert_eq!(sparse, dense);
        for qubo in [sparse, dense] {
            let ising = qubo.to_ising().unwrap();
            assert_eq!(ising.is_dense(), qubo.is_dense());
            assert_eq!(ising.to_qubo().unwrap(), qubo);
            for bits in all_bits(n) {
                let spins = to_spins(&bits);
                assert_eq!(to_bits(&spins), bits);
                let x = |i: usize| f64::from(bits[i]);
                let form = (0..n * n).map(|k| matrix[k] * x(k / n.max(1)) * x(k % n.max(1)));
                let expected = -7.0 + form.sum::<f64>();
                assert_eq!(qubo.energy(&bits), expected);
                assert_eq!(ising.energy(&spins), expected);
                for i in 0..n {
                    let with = |bit| [&bits[..i], &[bit], &bits[i + 1..]].concat();
                    let change = qubo.energy(&with(1)) - qubo.energy(&with(0));
                    assert_eq!(qubo.local_field(i, &bits), change);
                }
            }
        }
    }
}

#[test]
fn a_matrix_is_the_form_x_q_x() {
    let qubo = Qubo::dense(2, &[1.0, 2.0, 3.0, 4.0], 0.0).unwrap();
    assert_eq!(qubo.energy(&[1, 1]), 10.0);
    assert_eq!(qubo.negated().energy(&[1, 0]), -1.0);
    refused(Qubo::dense(2, &[0.0, 0.0, f64::NAN, 0.0], 0.0), &["coefficient (1, 0)", "NaN"]);
    refused(Qubo::dense(1, &[f64::NAN], 0.0), &["linear coefficient 0", "NaN"]);
    refused(Qubo::dense(2, &[0.0, 1e308, 1e308, 0.0], 0.0), &["coefficient (0, 1)", "inf"]);
    refused(Qubo::sparse(2, [(2, 2, 1.0)], 0.0), &["(2, 2)", "2 variables"]);
    refused(Qubo::sparse(2, [(0, 0, 1e308), (0, 0, 1e308)], 0.0), &["coefficient 0 is inf"]);
    refused(
        Qubo::sparse(1, [(0, 0, 1.0)], f64::MAX).unwrap().to_ising().and_then(|ising| {
            Ising::sparse(vec![f64::MAX, f64::MAX], [], ising.offset())?.to_qubo()
        }),
        &["inf"],
    );
}

/// The optimum by enumeration: its energy, or none without a feasible assignment.
fn optimum(problem: &ConstrainedQubo) -> Option<f64> {
    let n = problem.objective().n_variables();
    let feasible = all_bits(n).filter(|bits| problem.is_feasible(bits));
    feasible.map(|bits| problem.objective().energy(&bits)).reduce(f64::min)
}

/// Coefficients of the objective are multiples of `unit`.
fn random_problem(rng: &mut StdRng, n: usize, unit: f64) -> Option<ConstrainedQubo> {
    let mut entries = integer_entries(rng, n, 0.5);
    entries.iter_mut().for_each(|entry| entry.2 *= unit);
    let mut problem = ConstrainedQubo::new(Qubo::sparse(n, entries, 2.0).unwrap());
    let n_constraints = rng.random_range(1..=2);
    for _ in 0..n_constraints {
        let scale = rng.random_range(1..=2);
        let terms: Vec<(usize, i64)> =
            (0..n).map(|i| (i, scale * rng.random_range(-1..=3))).collect();
        let bound = rng.random_range(-1..=4);
        // One that cannot hold is refused by itself; the others may still contradict each other.
        match rng.random_range(0..3) {
            0 => problem.equal(terms, bound).ok()?,
            1 => problem.at_most(terms, bound).ok()?,
            _ => problem.at_least(terms, bound).ok()?,
        };
    }
    Some(problem)
}

/// Every minimiser over all variables and slack bits is a feasible optimum, none is missing, and
/// its energy is the objective's.
fn assert_exact(problem: &ConstrainedQubo, weight: PenaltyWeight, best: f64) {
    let n = problem.objective().n_variables();
    let penalised = problem.penalised(weight).unwrap();
    let (mut least, mut minimisers) = (f64::INFINITY, Vec::new());
    for bits in all_bits(penalised.qubo().n_variables()) {
        let energy = penalised.qubo().energy(&bits);
        if energy < least {
            (least, minimisers) = (energy, Vec::new());
        }
        if energy == least {
            minimisers.push(penalised.variables(&bits).to_vec());
        }
    }
    assert_eq!(least, best);
    let is_optimum =
        |bits: &Vec<u8>| problem.is_feasible(bits) && problem.objective().energy(bits) == best;
    assert!(minimisers.iter().all(is_optimum));
    assert!(all_bits(n).filter(is_optimum).all(|bits| minimisers.contains(&bits)));
    for bits in all_bits(n).filter(|bits| problem.is_feasible(bits)) {
        let energy = penalised.qubo().energy(&penalised.with_slack(&bits));
        assert_eq!(energy, problem.objective().energy(&bits));
    }
}

#[test]
fn minimisers_of_exact_penalties_are_the_feasible_optima() {
    let mut rng = rng(7);
    let (mut n_tested, mut n_infeasible) = (0, 0);
    while n_tested < 150 {
        // Powers of two, so that sums stay exact, also where the weight is no integer.
        let unit = [1.0, 0.125][n_tested % 2];
        let Some(problem) = random_problem(&mut rng, 5, unit) else { continue };
        let Some(best) = optimum(&problem) else {
            let penalised = problem.penalised(PenaltyWeight::Exact).unwrap();
            let n = penalised.qubo().n_variables();
            assert!(all_bits(n).all(|bits| !problem.violations(&bits).is_empty()));
            n_infeasible += 1;
            continue;
        };
        n_tested += 1;
        assert_exact(&problem, PenaltyWeight::Exact, best);
        let feasible = all_bits(5).find(|bits| problem.is_feasible(bits)).unwrap();
        assert_exact(&problem, PenaltyWeight::ExactFrom(&feasible), best);
        let exact = problem.penalised(PenaltyWeight::Exact).unwrap().weight();
        let tighter = problem.penalised(PenaltyWeight::ExactFrom(&feasible)).unwrap().weight();
        assert!(tighter <= exact);
    }
    assert!(n_infeasible > 0, "contradictions are among them");
}

/// The bound is needed: with half of it, this problem's minimiser is not feasible.
#[test]
fn a_smaller_weight_can_fail() {
    let objective = Qubo::sparse(1, [(0, 0, -4.0)], 0.0).unwrap();
    let mut problem = ConstrainedQubo::new(objective);
    problem.equal([(0, 1)], 0).unwrap();
    let exact = problem.penalised(PenaltyWeight::Exact).unwrap();
    assert_eq!(exact.weight(), 5.0);
    let weak = problem.penalised(PenaltyWeight::Given(2.0)).unwrap();
    assert!(weak.qubo().energy(&[1]) < weak.qubo().energy(&[0]));
    assert_eq!(problem.violations(&[1]), [(0, 1)]);
}

#[test]
fn pairs_of_neighbouring_values_need_no_slack() {
    let free = || ConstrainedQubo::new(Qubo::sparse(4, [], 0.0).unwrap());
    let n_slack =
        |problem: &ConstrainedQubo| problem.penalised(PenaltyWeight::Given(1.0)).unwrap().n_slack();
    let all = || (0..4).map(|i| (i, 1));
    assert_eq!(n_slack(free().at_most(all(), 1).unwrap()), 0);
    assert_eq!(n_slack(free().at_least([(0, 1), (1, 1)], 1).unwrap()), 0);
    assert_eq!(n_slack(free().at_most(all(), 4).unwrap()), 0);
    assert_eq!(n_slack(free().at_most([(0, 3), (1, 3)], 5).unwrap()), 0); // gcd: at most one
    assert_eq!(n_slack(free().at_most(all(), 2).unwrap()), 2);
    assert_eq!(n_slack(free().at_most(all(), 3).unwrap()), 2);
    assert_eq!(n_slack(free().equal(all(), 3).unwrap()), 0);
}

#[test]
fn constraints_report_and_refuse() {
    let mut problem = ConstrainedQubo::new(Qubo::sparse(3, [], 0.0).unwrap());
    problem.equal([(0, 2), (0, 1), (1, 1)], 3).unwrap().at_least([(2, 5)], 2).unwrap();
    assert_eq!(problem.constraints()[0].terms(), [(0, 3), (1, 1)]);
    assert_eq!(problem.constraints()[1].relation(), Relation::AtLeast);
    assert_eq!(problem.violations(&[1, 1, 0]), [(0, 1), (1, 2)]);
    assert!(problem.is_feasible(&[1, 0, 1]));
    refused(problem.equal([(3, 1)], 0), &["number 3", "3 variables"]);
    refused(problem.equal([(0, 2), (1, 4)], 3), &["constraint 2", "multiples of 2", "3"]);
    refused(problem.at_least([(0, 2), (1, -1)], 3), &["between -1 and 2", "3"]);
    refused(problem.at_most([(0, i64::MAX), (0, i64::MAX)], 0), &["2^26", "rounding"]);
    refused(problem.at_most([(0, 1)], i64::MIN), &["2^26"]);
    refused(problem.penalised(PenaltyWeight::Given(0.0)), &["weight is 0", "positive"]);
    refused(problem.penalised(PenaltyWeight::ExactFrom(&[0, 0, 0])), &["constraint 0", "by 3"]);
    refused(problem.penalised(PenaltyWeight::ExactFrom(&[0])), &["expected 3"]);
    refused(problem.unbalanced(-1.0, 1.0), &["linear weight is -1"]);
    assert_eq!(problem.constraints().len(), 2, "what was refused is not added");
}

#[test]
fn unbalanced_penalties_are_the_published_parabola() {
    let mut problem = ConstrainedQubo::new(Qubo::sparse(3, [(0, 1, 1.5)], 0.0).unwrap());
    problem.at_most([(0, 1), (1, 2), (2, 1)], 2).unwrap().equal([(0, 1), (2, 1)], 1).unwrap();
    let qubo = problem.unbalanced(0.25, 0.5).unwrap();
    for bits in all_bits(3) {
        let [x, y, z] = [0, 1, 2].map(|i| f64::from(bits[i]));
        let (u, v) = (2.0 - x - 2.0 * y - z, 1.0 - x - z);
        let expected = 1.5 * x * y - 0.25 * u + 0.5 * u * u + 0.5 * v * v;
        assert_eq!(qubo.energy(&bits), expected);
    }
}

#[test]
fn expansions_write_exactly_their_range() {
    for (lower, upper) in [(0, 0), (0, 1), (-3, 5), (2, 9), (-7, -1), (0, 31), (0, 32), (-1, 99)] {
        let number = BinaryExpansion::integer(lower, upper).unwrap();
        let mut written: Vec<i64> =
            all_bits(number.n_bits()).map(|bits| number.decode(&bits) as i64).collect();
        written.sort();
        written.dedup();
        assert_eq!(written, (lower..=upper).collect::<Vec<_>>());
        for value in lower..=upper {
            let bits = number.encode(value as f64).unwrap();
            assert_eq!(number.decode(&bits), value as f64);
        }
        let steps = (upper - lower) as u64;
        assert_eq!(number.n_bits() as u32, u64::BITS - steps.leading_zeros());
        refused(number.encode(upper as f64 + 1.0), &["to encode", "range"]);
    }
    let fixed = BinaryExpansion::fixed_point(-0.75, 0.75, 7).unwrap();
    assert_eq!((fixed.step(), fixed.upper(), fixed.n_bits()), (0.25, 0.75, 3));
    assert_eq!(fixed.decode(&fixed.encode(0.3).unwrap()), 0.25);
    refused(BinaryExpansion::integer(3, 2), &["lower bound 3", "2"]);
    refused(BinaryExpansion::integer(i64::MIN, 0), &["2^53"]);
    refused(BinaryExpansion::fixed_point(1.0, 1.0, 3), &["lower bound 1"]);
    refused(BinaryExpansion::fixed_point(0.0, f64::NAN, 3), &["NaN"]);
    refused(BinaryExpansion::fixed_point(0.0, 1.0, 1), &["levels", "2 to 2^53"]);
    refused(BinaryExpansion::fixed_point(-f64::MAX, f64::MAX, 3), &["range is inf"]);
    refused(fixed.encode(f64::NAN), &["NaN"]);
}

#[test]
fn quadratic_functions_of_numbers_become_qubos() {
    let numbers = [(-2, 3), (0, 4), (1, 1)].map(|(l, u)| BinaryExpansion::integer(l, u).unwrap());
    let linear = [1.0, -2.0, 3.0];
    let products = [(0, 0, 2.0), (0, 1, -1.0), (1, 2, 4.0), (2, 2, 1.0), (1, 0, 3.0)];
    let qubo = Qubo::of_expansions(&numbers, &linear, products, -1.0).unwrap();
    let sizes = numbers.each_ref().map(BinaryExpansion::n_bits);
    assert_eq!(qubo.n_variables(), sizes.iter().sum::<usize>());
    for bits in all_bits(qubo.n_variables()) {
        let (a, rest) = bits.split_at(sizes[0]);
        let (b, c) = rest.split_at(sizes[1]);
        let v = [numbers[0].decode(a), numbers[1].decode(b), numbers[2].decode(c)];
        let square: f64 = products.iter().map(|&(i, j, c)| c * v[i] * v[j]).sum();
        let expected = -1.0 + v[0] - 2.0 * v[1] + 3.0 * v[2] + square;
        assert_eq!(qubo.energy(&bits), expected);
    }
    refused(Qubo::of_expansions(&numbers, &linear, [(0, 3, 1.0)], 0.0), &["(0, 3)", "3 numbers"]);
    refused(Qubo::of_expansions(&numbers, &[1.0], [], 0.0), &["expected 3"]);
}

#[test]
fn restrictions_keep_every_energy() {
    let n = 7;
    let entries = integer_entries(&mut rng(3), n, 0.7);
    let sparse = Qubo::sparse(n, entries.clone(), 5.0).unwrap();
    let dense = Qubo::dense(n, &matrix(n, &entries), 5.0).unwrap();
    for qubo in [sparse, dense] {
        let ising = qubo.to_ising().unwrap();
        for free in [vec![], vec![4], vec![6, 0, 3], (0..n).collect::<Vec<_>>()] {
            for background in all_bits(n).step_by(5) {
                let sub = qubo.sub_problem(&free, &background).unwrap();
                let spins = ising.sub_problem(&free, &to_spins(&background)).unwrap();
                assert_eq!(sub.model().is_dense(), qubo.is_dense());
                assert_eq!((sub.indices(), spins.indices()), (&free[..], &free[..]));
                for bits in all_bits(free.len()) {
                    let whole = sub.complete(&bits);
                    assert!((0..n).all(|i| free.contains(&i) || whole[i] == background[i]));
                    assert_eq!(sub.model().energy(&bits), qubo.energy(&whole));
                    assert_eq!(spins.model().energy(&to_spins(&bits)), qubo.energy(&whole));
                    assert_eq!(spins.complete(&to_spins(&bits)), to_spins(&whole));
                }
            }
        }
        let fixed = qubo.fix(&[(5, 1), (2, 0), (5, 1)]).unwrap();
        assert_eq!(fixed.indices(), [0, 1, 3, 4, 6]);
        assert_eq!(fixed.complete(&[0; 5]), [0, 0, 0, 0, 0, 1, 0]);
        assert_eq!(fixed.model().energy(&[0; 5]), qubo.energy(&[0, 0, 0, 0, 0, 1, 0]));
        let all = ising.fix(&(0..n).map(|i| (i, -1)).collect::<Vec<_>>()).unwrap();
        assert_eq!((all.model().n_spins(), all.model().energy(&[])), (0, ising.energy(&[-1; 7])));
        refused(qubo.fix(&[(0, 2)]), &["number 0 of the variables", "2", "0 or 1"]);
        refused(ising.fix(&[(0, 0)]), &["number 0 of the spins", "0", "+1 or -1"]);
        refused(ising.fix(&[(1, 1), (1, -1)]), &["number 1 of the spins", "twice"]);
        refused(ising.fix(&[(7, 1)]), &["number 7", "7 spins", "0 to 6"]);
        refused(ising.sub_problem(&[2, 2], &[1; 7]), &["number 2", "twice"]);
        refused(ising.sub_problem(&[2], &[1; 6]), &["expected 7"]);
    }
}

#[test]
fn precision_is_reported_exactly() {
    let of = |h: Vec<f64>, j: f64| Ising::sparse(h, [(0, 1, j)], 0.3).unwrap().precision();
    let integers = of(vec![6.0, -9.0], 15.0);
    assert_eq!((integers.step(), integers.n_bits()), (Some(3.0), Some(4))); // 2, 3, 5
    assert_eq!(integers.fields(), Some((6.0, 9.0)));
    assert_eq!((integers.couplings(), integers.dynamic_range()), (Some((15.0, 15.0)), 2.5));
    assert_eq!(of(vec![1.0, 1.0], -1.0).n_bits(), Some(2));
    assert_eq!(of(vec![0.0, 0.0], 0.0).n_bits(), None);
    assert_eq!(of(vec![0.0, 0.0], 0.0).dynamic_range(), 1.0);
    assert_eq!(of(vec![1e-300, 1.0], 1.0).n_bits(), None);
    let tiny = f64::from_bits(3);
    assert_eq!(of(vec![tiny, 2.0 * tiny], 0.0).step(), Some(tiny));
    assert_eq!(of(vec![0.1, 0.0], 0.0).step(), Some(0.1));
    assert_eq!(of(vec![f64::MAX, 0.0], f64::MAX).step(), Some(f64::MAX));
}

#[test]
fn scaling_fills_the_ranges() {
    let model = Ising::sparse(vec![0.3, -0.7, 0.0], [(0, 1, -0.9), (1, 2, 0.1)], 2.0).unwrap();
    let (scaled, factor) = model.scaled_into([-4.0, 4.0], [-2.0, 1.0]).unwrap();
    assert!((factor - 2.0 / 0.9).abs() < 1e-15);
    assert!(scaled.couplings().all(|(_, _, value)| (-2.0..=1.0).contains(&value)));
    for bits in all_bits(3) {
        let spins = to_spins(&bits);
        assert!((scaled.energy(&spins) - factor * model.energy(&spins)).abs() < 1e-14);
    }
    refused(model.scaled_into([0.0, 4.0], [-1.0, 1.0]), &["field 1", "-0.7", "[0, 4]", "room"]);
    refused(model.scaled_into([-4.0, 4.0], [-1.0, 0.0]), &["coupling (1, 2)", "room"]);
    refused(model.scaled_into([-4.0, f64::NAN], [-1.0, 1.0]), &["h_range is NaN"]);
    refused(model.scaled(0.0), &["factor is 0", "positive"]);
    let empty = Ising::sparse(vec![0.0], [], 1.0).unwrap();
    assert_eq!(empty.scaled_into([-1.0, 1.0], [-1.0, 1.0]).unwrap(), (empty, 1.0));
}

#[test]
fn rounding_keeps_energies_within_its_bound() {
    let n = 6;
    let mut rng = rng(11);
    for n_bits in [2, 3, 8, 53] {
        let h = (0..n).map(|_| rng.random_range(-1.0..1.0)).collect();
        let pairs = (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j)));
        let j: Vec<_> = pairs.map(|(i, j)| (i, j, rng.random_range(-2.0..2.0))).collect();
        let model = Ising::sparse(h, j, 0.25).unwrap();
        let rounded = model.rounded(n_bits).unwrap();
        let (levels, step) = (rounded.levels(), rounded.step());
        let most = (1u64 << (n_bits - 1)) as f64 - 1.0;
        assert_eq!(levels.max_abs_coefficient(), most);
        assert!(levels.precision().n_bits().unwrap() <= n_bits);
        let mut worst = 0.0f64;
        for bits in all_bits(n) {
            let spins = to_spins(&bits);
            worst = worst.max((model.energy(&spins) - rounded.model().energy(&spins)).abs());
            let in_units = step * levels.energy(&spins) + 0.25;
            assert!((rounded.model().energy(&spins) - in_units).abs() < 1e-13);
        }
        assert!(worst <= rounded.error_bound() + 1e-14, "{worst} {}", rounded.error_bound());
        assert!(rounded.error_bound() <= 21.0 * step / 2.0);
    }
    let spins = Ising::sparse(vec![1.0, -1.0], [(0, 1, 1.0)], 0.0).unwrap();
    let rounded = spins.rounded(2).unwrap();
    assert_eq!((rounded.model(), rounded.error_bound()), (&spins, 0.0));
    refused(spins.rounded(1), &["number of bits is 1", "2 to 53"]);
    assert_eq!(Ising::sparse(vec![0.0], [], 1.0).unwrap().rounded(8).unwrap().step(), 1.0);
}
