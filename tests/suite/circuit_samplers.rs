//! Samplers of circuits: the contract, estimates, mitigation, derivatives; what is random, within 5
//! sigma.

use crate::common::*;
use burn_quantum::Error;
use burn_quantum::circuit::{
    Angle, Circuit, CircuitSampler, CircuitShots, Gate, MeasuredCircuit, Observable, ReadoutErrors,
    check_circuits,
};
use burn_quantum::gradient::{Derivatives, GradientMethod, SampledJacobian};
use burn_quantum::statevector::{Program, ShotSimulator, check_conformance};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

type Counts = BTreeMap<usize, usize>;

/// The simulator with its answer changed.
#[derive(Debug)]
struct Changed(ShotSimulator, fn(&mut Vec<Counts>));

impl CircuitSampler for Changed {
    fn name(&self) -> &str {
        "the changed device"
    }

    fn max_qubits(&self) -> usize {
        self.0.max_qubits()
    }

    fn run(&self, circuits: &[Circuit], shots: usize) -> Result<Vec<Counts>, Error> {
        let mut counts = self.0.run(circuits, shots)?;
        self.1(&mut counts);
        Ok(counts)
    }
}

/// The simulator with its circuits changed.
#[derive(Debug)]
struct Miswired(ShotSimulator, fn(&Circuit) -> Circuit);

impl CircuitSampler for Miswired {
    fn name(&self) -> &str {
        "the miswired device"
    }

    fn max_qubits(&self) -> usize {
        self.0.max_qubits()
    }

    fn run(&self, circuits: &[Circuit], shots: usize) -> Result<Vec<Counts>, Error> {
        check_circuits(self, circuits, shots)?;
        self.0.run(&circuits.iter().map(self.1).collect::<Vec<_>>(), shots)
    }
}

fn changed(change: fn(&mut Vec<Counts>)) -> Changed {
    Changed(ShotSimulator::new(3), change)
}

#[test]
fn the_simulator_conforms_with_any_number_of_qubits() {
    for n in 1..=4 {
        let exact = ReadoutErrors::new(vec![[0.0, 0.0]; n]).unwrap();
        let simulator = ShotSimulator::new(n as u64).with_readout_errors(exact);
        check_conformance(&simulator, 4000, 0.0).unwrap();
    }
    let noisy = ReadoutErrors::new([[0.02, 0.03]; 4]).unwrap();
    let noisy = ShotSimulator::new(9).with_readout_errors(noisy);
    check_conformance(&noisy, 4000, 0.15).unwrap();
    assert!(check_conformance(&noisy, 4000, 0.0).is_err());
}

#[test]
fn broken_samplers_do_not_conform() {
    let refuse = |sampler: &dyn CircuitSampler, text: &str| {
        let error = check_conformance(sampler, 4000, 0.0).unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    };
    refuse(&changed(|counts| counts.reverse()), "X on qubit 0 of 4: index 0 has frequency");
    refuse(&changed(|counts| counts.truncate(1)), "counts of 1 circuits");
    refuse(&changed(|counts| drop(counts.pop())), "counts of ");
    refuse(
        &changed(|c| c.iter_mut().for_each(|c| assert!(c.insert(16, 1).is_none()))),
        "index 16 was counted",
    );
    refuse(
        &changed(|c| c.iter_mut().for_each(|c| assert!(c.pop_first().is_some()))),
        "0 counts in all",
    );
    let reversed = |counts: &mut Vec<Counts>| {
        for counts in counts {
            *counts = counts.iter().map(|(&b, &n)| (b.reverse_bits() >> 60, n)).collect();
        }
    };
    refuse(&changed(reversed), "X on qubit 0 of 4");
    let inverted = Miswired(ShotSimulator::new(3), |circuit| circuit.inverse().inverse());
    check_conformance(&inverted, 4000, 0.0).unwrap();
    let conjugated = |circuit: &Circuit| {
        let mut conjugate = Circuit::new(circuit.n_qubits());
        for operation in circuit.operations() {
            let is_rz = operation.gate() == Gate::RZ;
            let operation = if is_rz { operation.inverse() } else { operation.clone() };
            conjugate.push(operation).unwrap();
        }
        conjugate
    };
    refuse(&Miswired(ShotSimulator::new(3), conjugated), "has frequency");
}

/// Every observable of random circuits, so many bases; the standardised errors have mean 0 and
/// variance 1.
#[test]
fn estimates_are_unbiased_and_know_their_error() {
    let mut scores = Vec::new();
    for seed in 0..12 {
        let (mut rng, n, batch) = (rng(700 + seed), 1 + seed as usize % 4, 3);
        let circuit = random_circuit(&mut rng, n, 15);
        let observables = random_observables(&mut rng, n);
        let (x, w) = (uniform(&mut rng, batch * n, 3.0), uniform(&mut rng, n, 3.0));
        let exact = Program::new(&circuit, &observables).unwrap();
        assert_eq!(
            exact.n_measurement_bases(),
            MeasuredCircuit::new(&circuit, &observables).unwrap().n_measurement_bases()
        );
        let exact = exact.expectation(batch, &x, &w).unwrap();
        let measured = MeasuredCircuit::new(&circuit, &observables).unwrap();
        let (device, shots) = (ShotSimulator::new(seed), CircuitShots::new(2000));
        let estimate = measured.estimate(&device, batch, &x, &w, &shots).unwrap();
        for ((value, error), exact) in
            estimate.values.iter().zip(&estimate.standard_errors).zip(&exact)
        {
            assert!((value - exact).abs() < 5.0 * error + 1e-9, "{value} {exact} {error}");
            if *error > 1e-6 {
                scores.push((value - exact) / error);
            }
        }
    }
    let n = scores.len() as f64;
    let mean = scores.iter().sum::<f64>() / n;
    let square = scores.iter().map(|z| z * z).sum::<f64>() / n;
    assert!(n > 100.0 && mean.abs() < 5.0 / n.sqrt(), "{mean}");
    // Values of one basis share their shots, so the squares are not independent.
    assert!((0.6..1.5).contains(&square), "{square}");
}

fn with_errors(n: usize) -> (ReadoutErrors, ShotSimulator) {
    let errors: Vec<_> = (0..n).map(|q| [0.03 + 0.01 * q as f64, 0.08 - 0.01 * q as f64]).collect();
    let errors = ReadoutErrors::new(errors).unwrap();
    (errors.clone(), ShotSimulator::new(41).with_readout_errors(errors))
}

#[test]
fn mitigation_takes_the_errors_of_the_read_out_away() {
    let (n, n_shots) = (4, 40_000);
    let (truth, device) = with_errors(n);
    let mut rng = rng(800);
    // Of values that are not close to 0, which errors would leave alone.
    let circuit = random_circuit(&mut rng, n, 4);
    let observables = [
        random_observables(&mut rng, n),
        vec!["Z0 Z1 Z2 Z3".parse().unwrap()]
            .into_iter()
            .map(|p: burn_quantum::circuit::PauliString| p.into())
            .collect(),
    ]
    .concat();
    let (x, w) = (uniform(&mut rng, n, 3.0), uniform(&mut rng, n, 3.0));
    let exact = Program::new(&circuit, &observables).unwrap().expectation(1, &x, &w).unwrap();
    let measured = MeasuredCircuit::new(&circuit, &observables).unwrap();
    let worst = |shots: CircuitShots| {
        let estimate = measured.estimate(&device, 1, &x, &w, &shots).unwrap();
        let rows = estimate.values.iter().zip(&estimate.standard_errors).zip(&exact);
        rows.map(|((v, e), exact)| (v - exact).abs() / e).fold(0.0, f64::max)
    };
    let raw = CircuitShots::new(n_shots);
    assert!(worst(raw.clone()) > 10.0, "{}", worst(raw));
    assert!(worst(raw.clone().with_mitigation(truth)) < 5.0);
    // Measured errors are off by 0.15 % themselves, which is within the noise of the shots.
    let calibrated = ReadoutErrors::calibrate(&device, n, 1_000_000).unwrap();
    assert!(worst(raw.with_mitigation(calibrated)) < 6.0);
}

#[test]
fn estimates_are_refused_where_they_would_mean_nothing() {
    let circuit = Circuit::new(3);
    let measured = MeasuredCircuit::new(&circuit, &Observable::each_z(3)).unwrap();
    let message = |device: &dyn CircuitSampler, shots: CircuitShots| {
        measured.estimate(device, 1, &[], &[], &shots).unwrap_err().to_string()
    };
    let ideal = ShotSimulator::new(0);
    assert_eq!(message(&ideal, CircuitShots::new(1)), "the number of shots is 1: use 2 or more");
    let errors = |n: usize, p| ReadoutErrors::new(vec![[p, p]; n]).unwrap();
    let few = message(&ideal, CircuitShots::new(9).with_mitigation(errors(2, 0.0)));
    assert_eq!(few, "the list of read-out errors, one for each qubit, has 2 values, expected 3");
    let singular = message(&ideal, CircuitShots::new(9).with_mitigation(errors(3, 0.5)));
    assert!(singular.contains("P(1|0) + P(0|1) of qubit 0 is 1"), "{singular}");
    let small = message(&with_errors(2).1, CircuitShots::new(9));
    assert_eq!(
        small,
        "3 qubits do not fit the shot simulator, which takes 2: use a circuit of fewer qubits, or a \
         larger device"
    );
    let lossy = message(&changed(|c| c[0] = [(0, 4)].into()), CircuitShots::new(9));
    assert_eq!(lossy, "the changed device: circuit 0: 4 counts in all, of 9 shots");
    assert!(MeasuredCircuit::new(&circuit, &Observable::each_z(4)).is_err());
    assert!(measured.estimate(&ideal, 1, &[0.0], &[], &CircuitShots::new(9)).is_err());
    let large = Circuit::new(65);
    let large = MeasuredCircuit::new(&large, &[]).unwrap_err().to_string();
    assert!(large.contains("qubit 64 is out of range for 64 qubits"), "{large}");
}

#[test]
fn nothing_to_measure_is_no_run() {
    let circuit = Circuit::new(1);
    let device = changed(|_| panic!("it ran"));
    let shots = CircuitShots::new(2);
    let none = MeasuredCircuit::new(&circuit, &[]).unwrap();
    assert!(none.estimate(&device, 3, &[], &[], &shots).unwrap().values.is_empty());
    let no_batch = MeasuredCircuit::new(&circuit, &Observable::each_z(1)).unwrap();
    assert!(no_batch.estimate(&device, 0, &[], &[], &shots).unwrap().values.is_empty());
    // 64 qubits fill a basis index; the simulator takes 26, so it refuses.
    let large = MeasuredCircuit::new(&Circuit::new(64), &Observable::each_z(64)).unwrap();
    assert!(large.estimate(&device, 1, &[], &[], &shots).unwrap_err().is_size_limit());
}

/// The simulator, which notes the number of circuits of each call and fails from one call on.
#[derive(Debug)]
pub struct Metered {
    simulator: ShotSimulator,
    calls: Mutex<Vec<usize>>,
    good_calls: usize,
}

impl Metered {
    pub fn new(simulator: ShotSimulator, good_calls: usize) -> Arc<Self> {
        Arc::new(Self { simulator, calls: Mutex::default(), good_calls })
    }

    pub fn calls(&self) -> Vec<usize> {
        std::mem::take(&mut *self.calls.lock().unwrap())
    }
}

impl CircuitSampler for Metered {
    fn name(&self) -> &str {
        "the metered device"
    }

    fn max_qubits(&self) -> usize {
        self.simulator.max_qubits()
    }

    fn run(&self, circuits: &[Circuit], shots: usize) -> Result<Vec<Counts>, Error> {
        let mut calls = self.calls.lock().unwrap();
        calls.push(circuits.len());
        // An error of the library itself, as its kinds are not public.
        let shots = if calls.len() > self.good_calls { 0 } else { shots };
        self.simulator.run(circuits, shots)
    }
}

pub const N: usize = 3;

/// Rotations, a shared weight, and controlled rotations, whose rule has four terms.
pub fn circuit() -> Circuit {
    let mut circuit = Circuit::new(N);
    for q in 0..N {
        circuit.ry(Angle::Input(q), q).rx(Angle::Weight(q), q);
    }
    circuit.gate(Gate::CRY, &[0, 1], &[Angle::Weight(3)]);
    circuit.cnot(1, 2).rz(Angle::Weight(0), 2);
    circuit.gate(Gate::U, &[0], &[Angle::Input(1), Angle::Weight(4), Angle::Constant(0.3)]);
    circuit.gate(Gate::CRX, &[2, 0], &[Angle::Input(0)]);
    circuit
}

/// Two bases: `Z Z Z` and `X X`.
pub fn observables() -> Vec<Observable> {
    let mixed = [(0.5, "X0 X1".parse().unwrap()), (-0.7, "Z1 Z2".parse().unwrap())];
    [Observable::each_z(N), vec![Observable::new(mixed).unwrap()]].concat()
}

pub fn point() -> ([f64; 2 * N], [f64; 5]) {
    ([0.4, -1.1, 0.9, 2.0, 0.3, -0.6], [0.7, -0.2, 1.3, 0.8, -1.5])
}

/// Every entry of the Jacobian against the adjoint method, and standardised errors of variance 1.
#[test]
fn jacobians_are_unbiased_and_know_their_error() {
    let (circuit, observables, (x, w)) = (circuit(), observables(), point());
    let measured = MeasuredCircuit::new(&circuit, &observables).unwrap();
    let device = Metered::new(ShotSimulator::new(5), 1);
    let by = Derivatives { inputs: true, weights: true };
    let shots = CircuitShots::new(20_000);
    let jacobian = SampledJacobian::measure(&measured, &*device, 2, &x, &w, by, &shots).unwrap();
    let (width, mut scores) = (observables.len(), Vec::new());
    let mut compare = |found: f64, error: f64, exact: f64| {
        assert!((found - exact).abs() < 5.0 * error + 1e-9, "{found} {exact} {error}");
        if error > 1e-6 {
            scores.push((found - exact) / error);
        }
    };
    let (inputs, weights) = (jacobian.inputs.as_ref().unwrap(), jacobian.weights.as_ref().unwrap());
    for row in 0..2 * width {
        let mut one = vec![0.0; 2 * width];
        one[row] = 1.0;
        let exact = GradientMethod::Adjoint;
        let exact = exact.gradient(&circuit, &observables, 2, &x, &w, &one).unwrap();
        compare(
            jacobian.values.values[row],
            jacobian.values.standard_errors[row],
            exact.values[row],
        );
        for i in 0..N {
            let k = row * N + i;
            let exact = exact.inputs[row / width * N + i];
            compare(inputs.values[k], inputs.standard_errors[k], exact);
        }
        for i in 0..w.len() {
            let k = row * w.len() + i;
            compare(weights.values[k], weights.standard_errors[k], exact.weights[i]);
        }
        // The vector-Jacobian product is the row.
        let product = jacobian.gradient(2, &one).unwrap();
        assert_eq!(product.weights, weights.values[row * w.len()..][..w.len()]);
        assert_eq!(product.inputs[row / width * N..][..N], inputs.values[row * N..][..N]);
    }
    let square = scores.iter().map(|z| z * z).sum::<f64>() / scores.len() as f64;
    assert!(scores.len() > 50 && (0.5..1.6).contains(&square), "{square}");
    let n_circuits = SampledJacobian::n_circuits(&measured, 2, by);
    assert_eq!(device.calls(), [n_circuits]);
    // Values, then by inputs: 3 RY and U of 2 terms, CRX of 4; by weights: 5 of 2 and CRY of 4.
    assert_eq!(n_circuits, 2 * 2 * (1 + 4 * 2 + 4 + 5 * 2 + 4));
}
