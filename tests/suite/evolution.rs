//! Closed-system annealing: order of convergence, adiabatic limit, gradients.

use crate::common::*;
use crate::reference_file::{fitted_order, linear_schedule as linear};
use burn_quantum::circuit::PauliString;
use burn_quantum::statevector::{Evolution, EvolutionInput, dense};
use num_complex::Complex64;
use std::f64::consts::FRAC_PI_2;

struct Problem {
    n: usize,
    batch: usize,
    fields: Vec<f64>,
    couplings: Vec<f64>,
    start: Vec<f64>,
}

impl Problem {
    fn random(seed: u64, n: usize, batch: usize, shared: bool) -> Self {
        let mut rng = rng(seed);
        Self {
            n,
            batch,
            fields: uniform(&mut rng, batch * n, 1.0),
            couplings: uniform(&mut rng, if shared { 1 } else { batch } * n * n, 1.0),
            start: uniform(&mut rng, batch * n, 3.0),
        }
    }

    fn input<'a>(&'a self, schedule: &'a [f64]) -> EvolutionInput<'a, f64> {
        EvolutionInput {
            batch: self.batch,
            fields: &self.fields,
            couplings: &self.couplings,
            start: &self.start,
            schedule,
        }
    }

    /// Each `Z` and each product of two.
    fn evolution(&self) -> Evolution {
        let z = PauliString::z;
        let mut strings: Vec<_> = (0..self.n).map(z).collect();
        strings.extend((0..self.n).flat_map(|j| (0..j).map(move |i| z(i) * z(j))));
        Evolution::new(self.n, &strings).unwrap()
    }

    fn energy(&self, b: usize, i: usize) -> f64 {
        let n = self.n;
        let spin = |q: usize| 1.0 - 2.0 * (i >> q & 1) as f64;
        let couplings = match self.couplings.len() == n * n {
            true => &self.couplings[..],
            false => &self.couplings[b * n * n..][..n * n],
        };
        let pairs = (0..n).flat_map(|j| (0..j).map(move |i| (i, j)));
        (0..n).map(|q| self.fields[b * n + q] * spin(q)).sum::<f64>()
            + pairs.map(|(i, j)| couplings[i * n + j] * spin(i) * spin(j)).sum::<f64>()
    }

    fn hamiltonian(&self, b: usize, a: f64, scale: f64) -> Vec<Vec<Complex64>> {
        let dim = 1usize << self.n;
        let entry = |i: usize, j: usize| match (i ^ j).count_ones() {
            0 => Complex64::new(scale * self.energy(b, i), 0.0),
            1 => Complex64::new(-a, 0.0),
            _ => Complex64::ZERO,
        };
        (0..dim).map(|i| (0..dim).map(|j| entry(i, j)).collect()).collect()
    }

    /// The read-outs by dense exponentials of the interpolated Hamiltonian.
    fn oracle(&self, b: usize, steps: usize, time: f64) -> Vec<f64> {
        let mut state = vec![Complex64::ONE];
        for q in 0..self.n {
            let (s, c) = (self.start[b * self.n + q] / 2.0).sin_cos();
            state = state.iter().map(|z| z * c).chain(state.iter().map(|z| z * s)).collect();
        }
        let dt = time / steps as f64;
        for k in 0..steps {
            let s = (k as f64 + 0.5) / steps as f64;
            state = dense::expm_apply(&self.hamiltonian(b, 1.0 - s, s), dt, &state);
        }
        let norm: f64 = state.iter().map(|z| z.norm_sqr()).sum();
        assert!((norm - 1.0).abs() < 1e-12);
        let mean = |mask: usize| -> f64 {
            let sign =
                |i: usize| if (i & mask).count_ones().is_multiple_of(2) { 1.0 } else { -1.0 };
            state.iter().enumerate().map(|(i, z)| sign(i) * z.norm_sqr()).sum()
        };
        let singles = (0..self.n).map(|q| mean(1 << q));
        let pairs = (0..self.n).flat_map(|j| (0..j).map(move |i| 1 << i | 1 << j));
        singles.chain(pairs.map(mean)).collect()
    }
}

#[test]
fn the_splitting_converges_to_the_dense_exponential_with_order_two() {
    for (seed, n) in [1, 2, 4].into_iter().enumerate() {
        let problem = Problem::random(seed as u64, n, 3, seed % 2 == 0);
        let time = 3.0;
        let exact: Vec<f64> = (0..3).flat_map(|b| problem.oracle(b, 2000, time)).collect();
        let error = |steps: usize| {
            let schedule = linear(steps, time);
            let out = problem.evolution().expectation(&problem.input(&schedule)).unwrap();
            (time / steps as f64, max_difference(&out, &exact))
        };
        let errors: Vec<_> = [20, 40, 80, 160].map(error).into();
        let order = fitted_order(&errors);
        assert!((order - 2.0).abs() < 0.1, "n {n}: order {order}, {errors:?}");
    }
}

#[test]
fn slow_annealing_ends_in_the_ground_state() {
    let n = 5;
    let mut problem = Problem::random(79, n, 1, true);
    problem.start = vec![FRAC_PI_2; n];
    let ground =
        (0..1 << n).min_by(|&a, &b| problem.energy(0, a).total_cmp(&problem.energy(0, b))).unwrap();
    let spins: Vec<f64> = (0..n).map(|q| 1.0 - 2.0 * (ground >> q & 1) as f64).collect();
    let error = |time: f64| {
        let schedule = linear(20 * time as usize, time);
        let out = Evolution::each_z(n).unwrap().expectation(&problem.input(&schedule)).unwrap();
        max_difference(&out, &spins)
    };
    assert!(error(400.0) < 0.02, "{}", error(400.0));
    assert!(error(400.0) < error(4.0), "slower must be better");
}

#[test]
fn gradients_of_every_input_agree_with_central_differences() {
    for (seed, (n, batch, shared)) in
        [(1, 1, true), (3, 2, false), (4, 20, true), (3, 9, false)].into_iter().enumerate()
    {
        let problem = Problem::random(50 + seed as u64, n, batch, shared);
        let mut rng = rng(seed as u64);
        let schedule: Vec<f64> = uniform(&mut rng, 2 * 6, 0.6);
        let evolution = problem.evolution();
        let c = uniform(&mut rng, batch * evolution.n_readouts(), 1.0);
        let g = evolution.gradient(&problem.input(&schedule), &c).unwrap();

        let loss = |input: &EvolutionInput<f64>| -> f64 {
            let out = evolution.expectation(input).unwrap();
            out.iter().zip(&c).map(|(a, b)| a * b).sum()
        };
        let check = |name: &str, at: &[f64], analytic: &[f64], loss: &dyn Fn(&[f64]) -> f64| {
            for i in 0..at.len() {
                let (mut plus, mut minus) = (at.to_vec(), at.to_vec());
                (plus[i], minus[i]) = (at[i] + 1e-5, at[i] - 1e-5);
                let numeric = (loss(&plus) - loss(&minus)) / 2e-5;
                assert!(
                    (numeric - analytic[i]).abs() < 1e-7,
                    "{name}[{i}]: {numeric} {}",
                    analytic[i]
                );
            }
        };
        let at = problem.input(&schedule);
        check("fields", at.fields, &g.fields, &|v| loss(&EvolutionInput { fields: v, ..at }));
        check("couplings", at.couplings, &g.couplings, &|v| {
            loss(&EvolutionInput { couplings: v, ..at })
        });
        check("start", at.start, &g.start, &|v| loss(&EvolutionInput { start: v, ..at }));
        check("schedule", at.schedule, &g.schedule, &|v| {
            loss(&EvolutionInput { schedule: v, ..at })
        });
        assert_eq!(g.values, evolution.expectation(&at).unwrap());
    }
}

/// Un-computing thousands of steps in single precision must come back: the gradient by the start
/// angles is taken there. The error must not grow with the number of steps.
#[test]
fn thousands_of_steps_can_be_uncomputed_in_single_precision() {
    let problem = Problem::random(3, 6, 1, true);
    for steps in [500, 5000] {
        let schedule = linear(steps, 10.0);
        let evolution = problem.evolution();
        let c = vec![1.0; evolution.n_readouts()];
        let double = evolution.gradient(&problem.input(&schedule), &c).unwrap();
        let [f, j, s, t, c] =
            [&problem.fields, &problem.couplings, &problem.start, &schedule, &c].map(|v| to_f32(v));
        let input = EvolutionInput { batch: 1, fields: &f, couplings: &j, start: &s, schedule: &t };
        let single = evolution.gradient(&input, &c).unwrap();
        let error = |a: &[f32], b: &[f64]| max_difference(&to_f64(a), b);
        let values = error(&single.values, &double.values);
        let start = error(&single.start, &double.start);
        let fields = error(&single.fields, &double.fields);
        assert!(
            values < 5e-5 && start < 2e-4 && fields < 2e-4,
            "{steps}: {values} {start} {fields}"
        );
    }
}

#[test]
fn bad_input_is_named() {
    let problem = Problem::random(1, 2, 3, true);
    let error = |input: EvolutionInput<f64>| {
        problem.evolution().expectation(&input).unwrap_err().to_string()
    };
    let schedule = linear(2, 1.0);
    let at = problem.input(&schedule);
    assert_eq!(
        error(EvolutionInput { fields: &at.fields[1..], ..at }),
        "fields has 5 values, expected 6"
    );
    assert_eq!(
        error(EvolutionInput { couplings: &[0.0; 5], ..at }),
        "couplings has 5 values, expected 12"
    );
    assert_eq!(
        error(EvolutionInput { schedule: &[0.0; 3], ..at }),
        "schedule has 3 values, expected 2"
    );
    let nan = [0.0, f64::NEG_INFINITY, 0.0, 0.0];
    assert_eq!(
        error(EvolutionInput { couplings: &nan, ..at }),
        "couplings[0, 1] is -inf: it must be finite"
    );
    let x = Evolution::new(2, &[PauliString::x(0)]).unwrap_err().to_string();
    assert!(x.contains("X0"), "{x}");
}

/// Probabilities have the moments that are read out, in lanes, singly and beyond a tile.
#[test]
fn probabilities_agree_with_expectations() {
    for (n, batch) in [(1, 1), (3, 21), (6, 1), (13, 2)] {
        let problem = Problem::random(n as u64, n, batch, false);
        let schedule = linear(20, 1.5);
        let evolution = problem.evolution();
        let input = problem.input(&schedule);
        let p = evolution.probabilities(&input).unwrap();
        assert_eq!(p.len(), batch << n);
        let mut strings: Vec<usize> = (0..n).map(|q| 1 << q).collect();
        strings.extend((0..n).flat_map(|j| (0..j).map(move |i| 1 << i | 1 << j)));
        let values = evolution.expectation(&input).unwrap();
        for (p, values) in p.chunks(1 << n).zip(values.chunks(strings.len())) {
            assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            for (mask, value) in strings.iter().zip(values) {
                let sign = |i: usize| match (i & mask).count_ones().is_multiple_of(2) {
                    true => 1.0,
                    false => -1.0,
                };
                let mean: f64 = p.iter().enumerate().map(|(i, p)| sign(i) * p).sum();
                assert!((mean - value).abs() < 1e-12, "{n} qubits: {mean}, not {value}");
            }
        }
    }
}
