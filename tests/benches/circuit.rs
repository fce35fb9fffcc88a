//! The workload of `docs/performance.md`: H, RY(x), 4 layers of RY, RZ and a CNOT chain, all `<Z_i>`.
//!
//!     cargo bench --bench circuit
//!
//! One element is one amplitude updated by one gate of the circuit. `t1` and `t2` are runs on one
//! and two threads; `tensors` is the gradient through Burn.

use burn::tensor::{Device, Tensor, TensorData};
use burn_quantum::circuit::{Angle, Circuit, Observable, ansatz};
use burn_quantum::ops::circuit_expectation;
use burn_quantum::statevector::{Gradient, Program, Real};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::f64::consts::PI;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

const SIZES: [(usize, usize); 10] = [
    (4, 256),
    (8, 32),
    (8, 256),
    (10, 1),
    (10, 32),
    (10, 256),
    (12, 32),
    (12, 256),
    (16, 1),
    (20, 1),
];

fn circuit(n: usize) -> Circuit {
    let mut circuit = Circuit::new(n);
    for q in 0..n {
        circuit.h(q).ry(Angle::Input(q), q);
    }
    circuit.append(&ansatz::hardware_efficient(n, 4)).expect("the same qubits");
    circuit
}

fn uniform(rng: &mut StdRng, len: usize, scale: f64) -> Vec<f32> {
    (0..len).map(|_| rng.random_range(-scale..scale) as f32).collect()
}

/// Single precision must agree with double precision, which the tests compare with the oracle.
fn verify(program: &Program, batch: usize, x: &[f32], w: &[f32], c: &[f32]) {
    let [wide_x, wide_w, wide_c] =
        [x, w, c].map(|v| v.iter().map(|&v| v.into()).collect::<Vec<f64>>());
    let narrow = program.gradient(batch, x, w, c).expect("valid");
    let wide = program.gradient(batch, &wide_x, &wide_w, &wide_c).expect("valid");
    let close = |a: &[f32], b: &[f64], tolerance: f64| {
        a.iter().zip(b).all(|(a, b)| (a.as_f64() - b).abs() < tolerance * (1.0 + b.abs()))
    };
    assert!(close(&narrow.values, &wide.values, 1e-5));
    assert!(close(&narrow.inputs, &wide.inputs, 1e-4));
    assert!(close(&narrow.weights, &wide.weights, 1e-3));
}

/// One size of the workload, with its answer checked.
struct Workload {
    program: Arc<Program>,
    batch: usize,
    x: Vec<f32>,
    w: Vec<f32>,
    c: Vec<f32>,
    updates: u64,
}

impl Workload {
    fn new(n: usize, batch: usize) -> Self {
        let (circuit, mut rng) =
            (circuit(n), StdRng::seed_from_u64(1000 * n as u64 + batch as u64));
        let program = Program::new(&circuit, &Observable::each_z(n)).expect("valid");
        let x = uniform(&mut rng, batch * n, PI);
        let w = uniform(&mut rng, program.n_weights(), PI);
        let c = uniform(&mut rng, batch * n, 1.0);
        verify(&program, batch, &x, &w, &c);
        let updates = ((circuit.operations().len() * batch) << n) as u64;
        Self { program: Arc::new(program), batch, x, w, c, updates }
    }

    fn forward(&self) -> Vec<f32> {
        self.program.expectation(self.batch, black_box(&self.x), &self.w).expect("valid")
    }

    fn gradient(&self) -> Gradient<f32> {
        self.program.gradient(self.batch, black_box(&self.x), &self.w, &self.c).expect("valid")
    }

    /// Tensors in, gradients out; the cotangent is 1 everywhere.
    fn tensors(&self, x: &Tensor<2>, w: &Tensor<1>) -> [Option<TensorData>; 2] {
        let (x, w) = (x.clone().require_grad(), w.clone().require_grad());
        let gradients = circuit_expectation(x.clone(), w.clone(), &self.program).backward();
        let by_x = x.grad(&gradients).map(|g| g.into_data());
        [by_x, w.grad(&gradients).map(|g| g.into_data())]
    }
}

/// The time of `iterations` runs on the threads of a pool, the wait for the pool left out.
fn timed<R>(pool: &ThreadPool, iterations: u64, run: impl Fn() -> R + Sync) -> Duration {
    pool.install(|| {
        let start = Instant::now();
        (0..iterations).for_each(|_| {
            black_box(run());
        });
        start.elapsed()
    })
}

fn bench(criterion: &mut Criterion) {
    let pools = [1, 2].map(|n_threads| {
        let pool = ThreadPoolBuilder::new().num_threads(n_threads).build().expect("few threads");
        (format!("t{n_threads}"), pool)
    });
    for (n, batch) in SIZES {
        let load = Workload::new(n, batch);
        let id = format!("n{n}_b{batch}_l4_f32");
        for name in ["forward", "gradient"] {
            let mut group = criterion.benchmark_group(format!("circuit/{name}/{id}"));
            group.throughput(Throughput::Elements(load.updates)).sample_size(20);
            for (threads, pool) in &pools {
                group.bench_function(threads, |bencher| match name {
                    "forward" => bencher.iter_custom(|k| timed(pool, k, || load.forward())),
                    _ => bencher.iter_custom(|k| timed(pool, k, || load.gradient())),
                });
            }
        }
        bench_tensors(criterion, load, &id, &pools[0].1);
    }
}

/// The same gradient through Burn.
fn bench_tensors(criterion: &mut Criterion, mut load: Workload, id: &str, pool: &ThreadPool) {
    load.c.fill(1.0);
    let device = Device::flex().autodiff();
    let shape = [load.batch, load.program.n_inputs()];
    let x = Tensor::from_data(TensorData::new(load.x.clone(), shape), &device);
    let w = Tensor::from_floats(&load.w[..], &device);
    let direct = load.gradient();
    let through_burn =
        load.tensors(&x, &w).map(|data| data.expect("tracked").try_into_vec::<f32>());
    assert_eq!(through_burn.map(|values| values.expect("f32")), [direct.inputs, direct.weights]);
    let mut group = criterion.benchmark_group(format!("circuit/tensors/{id}"));
    group.throughput(Throughput::Elements(load.updates)).sample_size(20);
    group.bench_function("t1", |bencher| {
        bencher.iter_custom(|k| timed(pool, k, || load.tensors(&x, &w)));
    });
}

criterion_group!(benches, bench);
criterion_main!(benches);
