//! Matrices for coherent Ising machines.

use burn_quantum::hardware::Int8Ising;
use burn_quantum::ising::Ising;
use rand::{RngExt, SeedableRng, rngs::StdRng};

fn random(n: usize, rng: &mut StdRng, mut draw: impl FnMut(&mut StdRng) -> f64) -> Ising {
    let fields = (0..n).map(|_| draw(rng)).collect();
    let pairs = (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j)));
    let couplings: Vec<_> = pairs.map(|(i, j)| (i, j, draw(rng))).collect();
    let offset = draw(rng);
    Ising::sparse(fields, couplings, offset).unwrap()
}

/// All configurations of `n` spins.
fn configurations(n: usize) -> impl Iterator<Item = Vec<i8>> {
    (0..1usize << n).map(move |bits| (0..n).map(|i| 1 - 2 * (bits >> i & 1) as i8).collect())
}

/// `-s^T M s` by its definition.
fn energy(machine: &Int8Ising, s: &[i8]) -> i64 {
    let n = machine.size();
    let entry = |i: usize, j: usize| i64::from(machine.matrix()[i * n + j]);
    let terms = (0..n).flat_map(|i| (0..n).map(move |j| (i, j)));
    -terms.map(|(i, j)| entry(i, j) * i64::from(s[i]) * i64::from(s[j])).sum::<i64>()
}

/// The largest difference between a model and what the machine sees.
fn deviation(model: &Ising, machine: &Int8Ising) -> f64 {
    let differences = configurations(machine.size()).map(|s| {
        let e = energy(machine, &s);
        assert_eq!(machine.energy(&s), e);
        let seen = model.offset() + machine.step() / 2.0 * e as f64;
        (model.energy(&machine.spins_of_model(&s)) - seen).abs()
    });
    differences.fold(0.0, f64::max)
}

fn check_matrix(machine: &Int8Ising) {
    let n = machine.size();
    let entry = |i: usize, j: usize| machine.matrix()[i * n + j];
    for (i, j) in (0..n).flat_map(|i| (0..n).map(move |j| (i, j))) {
        assert_eq!(entry(i, j), entry(j, i));
        assert!(entry(i, j) > i8::MIN && (i != j || entry(i, j) == 0));
    }
}

#[test]
fn integers_are_exact_in_any_unit() {
    let mut rng = StdRng::seed_from_u64(1);
    for case in 0..60 {
        let unit = [1.0, 0.375, 3.0 * 2f64.powi(-300), 2f64.powi(600)][case % 4];
        let n = case % 6 + 1;
        let model = random(n, &mut rng, |rng| unit * f64::from(rng.random_range(-127i8..=127)));
        let machine = Int8Ising::new(&model).unwrap();
        check_matrix(&machine);
        assert_eq!((machine.n_spins(), machine.error_bound()), (n, 0.0));
        let error = deviation(&model, &machine);
        assert!(error <= 1e-13 * unit * 127.0 * (n * n) as f64, "{error}, {model:?}");
    }
}

#[test]
fn other_numbers_are_rounded_within_the_reported_bound() {
    let mut rng = StdRng::seed_from_u64(2);
    for case in 0..40 {
        let model = random(case % 5 + 2, &mut rng, |rng| rng.random_range(-3.0..3.0));
        let machine = Int8Ising::new(&model).unwrap();
        check_matrix(&machine);
        let rounded = model.rounded(8).unwrap();
        assert_eq!(machine.error_bound(), rounded.error_bound());
        assert_eq!(machine.matrix().iter().map(|m| m.unsigned_abs()).max(), Some(127));
        let error = deviation(&model, &machine);
        assert!(error > 0.0 && error <= 1.0000001 * machine.error_bound(), "{error}, {model:?}");
        for s in configurations(machine.n_spins()) {
            let mut all = s.clone();
            all.push(1);
            let seen = model.offset() + machine.step() / 2.0 * energy(&machine, &all) as f64;
            assert!((seen - rounded.model().energy(&s)).abs() < 1e-12);
        }
    }
}

#[test]
fn a_model_without_fields_needs_no_further_spin() {
    let model = Ising::sparse(vec![0.0; 3], [(0, 1, 2.0), (1, 2, -1.0)], 5.0).unwrap();
    let machine = Int8Ising::new(&model).unwrap();
    assert_eq!(machine.matrix(), [0, -2, 0, -2, 0, 1, 0, 1, 0]);
    assert_eq!(machine.spins_of_model(&[1, -1, -1]), [1, -1, -1]);
    assert_eq!(deviation(&model, &machine), 0.0);
    for n in [0, 4] {
        let machine = Int8Ising::new(&Ising::sparse(vec![0.0; n], [], 1.0).unwrap()).unwrap();
        assert_eq!((machine.size(), machine.energy(&vec![1; n])), (n, 0));
    }
}

#[test]
fn a_negative_tail_turns_the_solution_round() {
    let model = Ising::sparse(vec![1.0, -2.0], [], 0.0).unwrap();
    let machine = Int8Ising::new(&model).unwrap();
    assert_eq!(machine.matrix(), [0, 0, -1, 0, 0, 2, -1, 2, 0]);
    for turned in [[-1, 1, 1], [1, -1, -1]] {
        assert_eq!(machine.energy(&turned), -6);
        assert_eq!(machine.spins_of_model(&turned), [-1, 1]);
    }
}

#[test]
fn a_step_that_underflows_is_refused() {
    let model = Ising::sparse(vec![f64::from_bits(3), f64::from_bits(1000)], [], 0.0).unwrap();
    let error = Int8Ising::new(&model).unwrap_err().to_string();
    assert!(error.contains("the step of the rounding"), "{error}");
}
