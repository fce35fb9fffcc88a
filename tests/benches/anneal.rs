//! Closed-system annealing: values and the gradient of every input.
//!
//!     cargo bench --bench anneal
//!
//! One element is one amplitude in one step.

use burn_quantum::statevector::{Evolution, EvolutionInput, Real};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::f64::consts::FRAC_PI_2;
use std::hint::black_box;

/// Qubits, runs, steps: QHON's tokens, single annealing runs, and a batch of long ones.
const SIZES: [(usize, usize, usize); 5] =
    [(4, 512, 6), (6, 3136, 6), (12, 1, 100), (12, 1, 1000), (16, 32, 1000)];

struct Problem<T> {
    batch: usize,
    fields: Vec<T>,
    couplings: Vec<T>,
    start: Vec<T>,
    schedule: Vec<T>,
    cotangent: Vec<T>,
}

impl<T: Real> Problem<T> {
    /// The time is 10, `A = 1 - s`, `B = s`.
    fn new(n: usize, batch: usize, steps: usize) -> Self {
        let mut rng = StdRng::seed_from_u64(4242 + n as u64);
        let mut normalish = |len: usize, scale: f64| -> Vec<T> {
            (0..len).map(|_| T::of((rng.random_range(-scale..scale) as f32).into())).collect()
        };
        let dt = 10.0 / steps as f64;
        let s = |k: usize| (k as f64 + 0.5) / steps as f64;
        let area = |k: usize| [(1.0 - s(k)) * dt, s(k) * dt].map(|a| T::of((a as f32).into()));
        Self {
            batch,
            fields: normalish(batch * n, 0.5),
            couplings: normalish(n * n, 1.0 / (n as f64).sqrt()),
            start: vec![T::of((FRAC_PI_2 as f32).into()); batch * n],
            schedule: (0..steps).flat_map(area).collect(),
            cotangent: normalish(batch * n, 1.0),
        }
    }

    fn input(&self) -> EvolutionInput<'_, T> {
        EvolutionInput {
            batch: self.batch,
            fields: &self.fields,
            couplings: &self.couplings,
            start: &self.start,
            schedule: &self.schedule,
        }
    }
}

fn verify(evolution: &Evolution, narrow: &Problem<f32>, wide: &Problem<f64>) {
    let narrow = evolution.gradient(&narrow.input(), &narrow.cotangent).expect("valid");
    let wide = evolution.gradient(&wide.input(), &wide.cotangent).expect("valid");
    let close = |a: &[f32], b: &[f64], tolerance: f64| {
        a.iter().zip(b).all(|(a, b)| (a.as_f64() - b).abs() < tolerance * (1.0 + b.abs()))
    };
    assert!(close(&narrow.values, &wide.values, 1e-3));
    assert!(close(&narrow.fields, &wide.fields, 1e-2));
    assert!(close(&narrow.schedule, &wide.schedule, 1e-2));
}

fn bench(criterion: &mut Criterion) {
    for (n, batch, steps) in SIZES {
        let evolution = Evolution::each_z(n).expect("few qubits");
        let problem = Problem::<f32>::new(n, batch, steps);
        verify(&evolution, &problem, &Problem::new(n, batch, steps));

        let id = format!("n{n}_b{batch}_s{steps}_f32");
        let mut group = criterion.benchmark_group("anneal");
        group
            .throughput(Throughput::Elements(((batch * steps) << n) as u64))
            .sample_size(if n > 12 { 10 } else { 20 });
        group.bench_function(BenchmarkId::new("forward", &id), |bencher| {
            bencher.iter(|| evolution.expectation(black_box(&problem.input())).expect("valid"));
        });
        group.bench_function(BenchmarkId::new("gradient", &id), |bencher| {
            let run = || evolution.gradient(black_box(&problem.input()), &problem.cotangent);
            bencher.iter(|| run().expect("valid"));
        });
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
