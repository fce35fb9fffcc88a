//! Simulated annealing: many small problems, one dense model with real and with integer couplings,
//! sparse models, selections of attentions.
//!
//!     cargo bench --bench samplers
//!
//! One element is one update of one spin. Set `RAYON_NUM_THREADS=1` for the figures of one core.
//! Conversions of the model and the evaluation of energies are included.

use burn::tensor::{Device, Tensor, TensorData};
use burn_quantum::annealing::{
    BlockAnnealing, IsingSampler, RookModel, Schedule, SimulatedAnnealing,
};
use burn_quantum::ising::{BatchedIsing, Ising};
use burn_quantum::ops::{sample_ising, spin_tensor};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::f64::consts::TAU;

const N_SWEEPS: usize = 100;

fn normal(rng: &mut StdRng) -> f64 {
    (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt() * (TAU * rng.random::<f64>()).cos()
}

/// Hot enough at first and cold enough at last for couplings of standard deviation `1 / sqrt(n)`.
fn annealing() -> SimulatedAnnealing {
    let schedule = Schedule::Geometric { from: 0.1, to: 5.0 };
    SimulatedAnnealing::default().with_n_sweeps(N_SWEEPS).with_schedule(schedule)
}

/// Sherrington and Kirkpatrick's model with fields of standard deviation 1/2.
fn glass(n: usize, rng: &mut StdRng) -> (Vec<f64>, Vec<f64>) {
    let fields = (0..n).map(|_| 0.5 * normal(rng)).collect();
    let mut couplings = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..i {
            couplings[j * n + i] = normal(rng) / (n as f64).sqrt();
        }
    }
    (fields, couplings)
}

fn batch(c: &mut Criterion) {
    let mut group = c.benchmark_group("anneal/batch");
    for (n, expected) in [(16, -0.79), (32, -0.815), (64, -0.83)] {
        let n_problems = 1024;
        let mut rng = StdRng::seed_from_u64(n as u64);
        let (mut h, mut j) = (Vec::new(), Vec::new());
        for _ in 0..n_problems {
            let (fields, couplings) = glass(n, &mut rng);
            h.extend(fields.iter().map(|&x| x as f32));
            j.extend(couplings.iter().map(|&x| x as f32));
        }
        let device = Device::flex();
        let fields = Tensor::from_data(TensorData::new(h.clone(), [n_problems, n]), &device);
        let couplings = Tensor::from_data(TensorData::new(j.clone(), [n_problems, n, n]), &device);
        let models = BatchedIsing::new(n_problems, n, h, j).expect("finite");
        let sampler = annealing();
        let set = sampler.sample_batch(&models, 1).expect("valid");
        let per_spin = set.energies().iter().sum::<f64>() / (n_problems * n) as f64;
        assert!((per_spin - expected).abs() < 0.015, "{n} spins: {per_spin} per spin");
        group.throughput(Throughput::Elements((n_problems * n * N_SWEEPS) as u64));
        group.bench_function(BenchmarkId::from_parameter(n), |b| {
            b.iter(|| sampler.sample_batch(&models, 1).expect("valid"));
        });
        // The same from tensors of coefficients to a tensor of spins.
        let from_tensors = || {
            let set = sample_ising(&fields, &couplings, &sampler, 1).expect("valid");
            spin_tensor(&set, &device)
        };
        assert_eq!(
            sample_ising(&fields, &couplings, &sampler, 1).expect("valid").spins(),
            set.spins()
        );
        group.bench_function(BenchmarkId::new("tensors", n), |b| b.iter(from_tensors));
    }
}

/// The selections of a batch of attentions: 128 images of 49 tokens, 8 heads, and the energy of the
/// paper for queries and keys of 64 standard normal numbers.
fn rook(c: &mut Criterion) {
    const SHAPE: [usize; 2] = [8, 49];
    let [n_heads, n] = SHAPE;
    let gamma = 0.8 * (2.0 / std::f64::consts::PI).sqrt() * n as f64 / (n_heads as f64 - 1.0);
    let mut rng = StdRng::seed_from_u64(3);
    let model = |_: usize| {
        let pairs: Vec<f32> =
            (0..n_heads * n * n).map(|_| (2f64.sqrt() * normal(&mut rng)) as f32).collect();
        let fields: Vec<f32> =
            (0..n_heads * n).map(|_| (0.16 * n as f64 * 0.125 * normal(&mut rng)) as f32).collect();
        let model = RookModel::new(SHAPE, &pairs, &fields, None).expect("finite");
        model.with_head_penalty(gamma as f32).expect("finite")
    };
    let models: Vec<RookModel> = (0..128).map(model).collect();
    let mean = |found: &[Vec<u8>]| {
        models.iter().zip(found).map(|(model, bits)| model.energy(bits)).sum::<f64>() / 128.0
    };
    let best = mean(&BlockAnnealing::default().with_n_sweeps(500).minimise(&models));
    let mut group = c.benchmark_group("anneal/rook");
    group.sample_size(10);
    for n_sweeps in [20, 100] {
        let sampler = BlockAnnealing::default().with_n_sweeps(n_sweeps).with_n_runs(1);
        let share = mean(&sampler.minimise(&models)) / best;
        assert!(share > 0.85, "{n_sweeps} sweeps reach {share} of the energy of four long runs");
        group.throughput(Throughput::Elements((128 * n_heads * n * n_sweeps) as u64));
        group.bench_function(BenchmarkId::from_parameter(n_sweeps), |b| {
            b.iter(|| sampler.minimise(&models));
        });
    }
}

fn dense(c: &mut Criterion) {
    let mut group = c.benchmark_group("anneal/dense");
    group.sample_size(10);
    for (n, n_reads) in [(64, 256), (256, 64), (1024, 16), (2000, 8)] {
        let (fields, couplings) = glass(n, &mut StdRng::seed_from_u64(n as u64));
        let model = Ising::dense(fields, &couplings, 0.0).expect("finite");
        let sampler = annealing();
        let set = sampler.sample(&model, n_reads).expect("valid");
        let per_spin = set.mean_energy() / n as f64;
        assert!((per_spin + 0.85).abs() < 0.05, "{n} spins: {per_spin} per spin");
        group.throughput(Throughput::Elements((n_reads * n * N_SWEEPS) as u64));
        group.bench_function(BenchmarkId::from_parameter(n), |b| {
            b.iter(|| sampler.sample(&model, n_reads).expect("valid"));
        });
    }
}

/// Couplings of `+1` and `-1`, which lie in bytes.
fn dense_signs(c: &mut Criterion) {
    let mut group = c.benchmark_group("anneal/dense_signs");
    group.sample_size(10);
    for (n, n_reads) in [(256, 64), (1024, 16), (2000, 8)] {
        let mut rng = StdRng::seed_from_u64(n as u64);
        let mut couplings = vec![0.0; n * n];
        for i in 0..n {
            for j in i + 1..n {
                couplings[i * n + j] = if rng.random() { 1.0 } else { -1.0 };
            }
        }
        let model = Ising::dense(vec![0.0; n], &couplings, 0.0).expect("finite");
        let root = (n as f64).sqrt();
        let schedule = Schedule::Geometric { from: 0.1 / root, to: 5.0 / root };
        let sampler = SimulatedAnnealing::default().with_n_sweeps(N_SWEEPS).with_schedule(schedule);
        let set = sampler.sample(&model, n_reads).expect("valid");
        let per_spin = set.mean_energy() / (n as f64 * root);
        assert!((per_spin + 0.73).abs() < 0.03, "{n} spins: {per_spin} per spin");
        group.throughput(Throughput::Elements((n_reads * n * N_SWEEPS) as u64));
        group.bench_function(BenchmarkId::from_parameter(n), |b| {
            b.iter(|| sampler.sample(&model, n_reads).expect("valid"));
        });
    }
}

fn sparse(c: &mut Criterion) {
    let mut group = c.benchmark_group("anneal/sparse");
    group.sample_size(10);
    for (name, n, degree, real) in [
        ("signs", 2000, 20, false),
        ("signs", 5000, 4, false),
        ("signs", 800, 48, false),
        ("reals", 2000, 20, true),
    ] {
        // A planted configuration, all spins up, with one coupling in eight against it.
        let mut rng = StdRng::seed_from_u64(degree as u64);
        let pairs: Vec<_> = (0..n * degree / 2)
            .map(|k| {
                let i = k % n;
                let j = (i + 1 + rng.random_range(0..n - 1)) % n;
                let size = if real { rng.random_range(0.5..1.5) } else { 1.0 };
                (i, j, if rng.random_range(0..8) == 0 { size } else { -size })
            })
            .collect();
        let model = Ising::sparse(vec![0.0; n], pairs, 0.0).expect("finite");
        let (sampler, n_reads) = (SimulatedAnnealing::default().with_n_sweeps(N_SWEEPS), 128);
        let set = sampler.sample(&model, n_reads).expect("valid");
        let best = set.first().expect("reads").energy;
        let planted = model.energy(&vec![1; n]);
        assert!(best <= 0.97 * planted, "{n} spins: {best}, planted {planted}");
        group.throughput(Throughput::Elements((n_reads * n * N_SWEEPS) as u64));
        group.bench_function(BenchmarkId::new(name, format!("{n}x{degree}")), |b| {
            b.iter(|| sampler.sample(&model, n_reads).expect("valid"));
        });
    }
}

criterion_group!(benches, batch, rook, dense, dense_signs, sparse);
criterion_main!(benches);
