//! Samplers of circuits: the contract, estimates, mitigation; what is random, within 5 sigma.

use crate::common::*;
use burn_quantum::Error;
use burn_quantum::circuit::{
    Circuit, CircuitSampler, CircuitShots, MeasuredCircuit, Observable, ReadoutErrors,
    check_circuits,
};
use burn_quantum::statevector::{Program, ShotSimulator, check_conformance};
use std::collections::BTreeMap;

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
            let is_rz = operation.gate() == burn_quantum::circuit::Gate::RZ;
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
