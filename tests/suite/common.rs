//! Random circuits and numbers, from fixed seeds.

use burn_quantum::circuit::{Angle, Circuit, Gate, Observable, Operation, Pauli, PauliString};
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};

pub fn rng(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed)
}

pub fn uniform(rng: &mut StdRng, n: usize, scale: f64) -> Vec<f64> {
    (0..n).map(|_| rng.random_range(-scale..scale)).collect()
}

/// `n_operations` random gates with random further controls; angles are inputs `0..n_qubits`,
/// weights `0..n_qubits` (so most are shared by several gates) or constants.
pub fn random_circuit(rng: &mut StdRng, n_qubits: usize, n_operations: usize) -> Circuit {
    let gates: Vec<Gate> = Gate::all().filter(|g| g.info().n_qubits() <= n_qubits).collect();
    circuit_of(rng, &gates, 2, n_qubits, n_operations)
}

/// Mostly gates on one qubit, without further controls: long runs, phases between them, and a few
/// entangling gates that a plan takes into its diagonals and maps.
pub fn random_runs(rng: &mut StdRng, n_qubits: usize, n_operations: usize) -> Circuit {
    let singles = Gate::all().filter(|g| g.info().n_qubits() == 1);
    let entangling = [Gate::CNOT, Gate::RZZ, Gate::CP, Gate::CRZ, Gate::SWAP];
    let fitting = entangling.into_iter().filter(|_| n_qubits > 1);
    let gates: Vec<Gate> = singles.chain(fitting).collect();
    circuit_of(rng, &gates, 0, n_qubits, n_operations)
}

fn circuit_of(
    rng: &mut StdRng,
    gates: &[Gate],
    max_controls: usize,
    n_qubits: usize,
    n_operations: usize,
) -> Circuit {
    let mut circuit = Circuit::new(n_qubits);
    for q in 0..n_qubits {
        circuit.ry(Angle::Input(q), q).rx(Angle::Weight(q), q);
    }
    for _ in 0..n_operations {
        let gate = *gates.choose(rng).unwrap();
        let mut qubits: Vec<usize> = (0..n_qubits).collect();
        qubits.shuffle(rng);
        let (own, rest) = qubits.split_at(gate.info().n_qubits());
        let added = rng.random_range(0..=rest.len().min(max_controls));
        let angles: Vec<Angle> = (0..gate.info().n_angles)
            .map(|_| match rng.random_range(0..3) {
                0 => Angle::Input(rng.random_range(0..n_qubits)),
                1 => Angle::Weight(rng.random_range(0..n_qubits)),
                _ => Angle::Constant(rng.random_range(-3.0..3.0)),
            })
            .collect();
        let operation = Operation::new(gate, own, &angles).unwrap();
        circuit.push(operation.with_controls(&rest[..added]).unwrap()).unwrap();
    }
    circuit
}

/// Each `Z`, and two combinations of random Pauli strings.
pub fn random_observables(rng: &mut StdRng, n_qubits: usize) -> Vec<Observable> {
    let mut observables = Observable::each_z(n_qubits);
    for _ in 0..2 {
        let terms: Vec<_> =
            (0..3).map(|_| (rng.random_range(-1.0..1.0), string(rng, n_qubits))).collect();
        observables.push(Observable::new(terms).unwrap());
    }
    observables
}

fn string(rng: &mut StdRng, n_qubits: usize) -> PauliString {
    (0..n_qubits).fold(PauliString::IDENTITY, |s, q| {
        match [None, Some(Pauli::X), Some(Pauli::Y), Some(Pauli::Z)].choose(rng).unwrap() {
            Some(p) => s * PauliString::single(q, *p),
            None => s,
        }
    })
}

pub fn max_difference(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    // A NaN stays, and is not below any bound.
    let larger = |max: f64, d: f64| if d > max || d.is_nan() { d } else { max };
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, larger)
}

pub fn to_f32(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&x| x as f32).collect()
}

pub fn to_f64(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&x| x as f64).collect()
}
