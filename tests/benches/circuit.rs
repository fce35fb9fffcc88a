//! The workload of `docs/performance.md`: H, RY(x), 4 layers of RY, RZ and a CNOT chain, all `<Z_i>`.
//!
//!     cargo bench --bench circuit
//!
//! One element is one amplitude updated by one gate of the circuit.

use burn_quantum::circuit::{Angle, Circuit, Observable, ansatz};
use burn_quantum::statevector::{Program, Real};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::f64::consts::PI;
use std::hint::black_box;

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

fn bench(criterion: &mut Criterion) {
    for (n, batch) in SIZES {
        let (circuit, mut rng) =
            (circuit(n), StdRng::seed_from_u64(1000 * n as u64 + batch as u64));
        let program = Program::new(&circuit, &Observable::each_z(n)).expect("valid");
        let x = uniform(&mut rng, batch * n, PI);
        let w = uniform(&mut rng, program.n_weights(), PI);
        let c = uniform(&mut rng, batch * n, 1.0);
        verify(&program, batch, &x, &w, &c);

        let updates = (circuit.operations().len() * batch) << n;
        let id = format!("n{n}_b{batch}_l4_f32");
        let mut group = criterion.benchmark_group("circuit");
        group.throughput(Throughput::Elements(updates as u64)).sample_size(20);
        group.bench_function(BenchmarkId::new("forward", &id), |bencher| {
            bencher.iter(|| program.expectation(batch, black_box(&x), &w).expect("valid"));
        });
        group.bench_function(BenchmarkId::new("gradient", &id), |bencher| {
            bencher.iter(|| program.gradient(batch, black_box(&x), &w, &c).expect("valid"));
        });
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
