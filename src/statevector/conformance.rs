//! What every sampler of circuits must do.

use super::dense;
use crate::circuit::{Angle, Circuit, CircuitSampler, Gate, Operation, check_counts};
use crate::error::Error;
use std::collections::BTreeMap;

/// How a sampler broke the contract of [`CircuitSampler`].
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{circuit}: {reason}")]
#[non_exhaustive]
pub struct NonConformance {
    /// The circuit on which it did.
    pub circuit: String,
    /// What was wrong.
    pub reason: String,
}

/// Runs a sampler over a corpus of small circuits, and checks what [`CircuitSampler`] promises:
/// circuits in their order, qubit 0 as the least significant bit, as many counts as shots, the
/// distribution of every gate of the table with and without a further control, and an error for no
/// shots, too many qubits and free angles.
///
/// A frequency may be off by `tolerance`, in addition to what happens by chance once in a million
/// times: use 0 for a simulator, and the error of gates and read-out for a device. Circuits have at
/// most 4 qubits, or as many as the sampler takes. All go into one call, of about 60 circuits.
///
/// ```
/// use burn_quantum::statevector::{ShotSimulator, check_conformance};
///
/// check_conformance(&ShotSimulator::new(2026), 1000, 0.0).expect("it conforms");
/// ```
///
/// # Errors
///
/// The first deviation, or an error of the sampler.
pub fn check_conformance(
    sampler: &dyn CircuitSampler,
    shots: usize,
    tolerance: f64,
) -> Result<(), NonConformance> {
    check_refusals(sampler)?;
    let fail = |circuit: &str, reason| Err(NonConformance { circuit: circuit.into(), reason });
    let (names, circuits): (Vec<_>, Vec<_>) =
        corpus(sampler.max_qubits().min(4)).into_iter().unzip();
    let counts = match sampler.run(&circuits, shots) {
        Ok(counts) => counts,
        Err(error) => return fail("the corpus", error.to_string()),
    };
    if counts.len() != circuits.len() {
        let reason = format!("counts of {} circuits, {} were given", counts.len(), circuits.len());
        return fail("the corpus", reason);
    }
    for ((name, circuit), counts) in names.iter().zip(&circuits).zip(&counts) {
        let checked = check_counts(counts, circuit.n_qubits(), shots)
            .and_then(|()| check_distribution(circuit, counts, shots, tolerance));
        checked.or_else(|reason| fail(name, reason))?;
    }
    Ok(())
}

fn check_refusals(sampler: &dyn CircuitSampler) -> Result<(), NonConformance> {
    let refused = |circuit: &str, result: Result<_, Error>| match result {
        Err(_) => Ok(()),
        Ok::<Vec<BTreeMap<usize, usize>>, _>(_) => {
            Err(NonConformance { circuit: circuit.into(), reason: "it must be refused".into() })
        }
    };
    let one = Circuit::new(1);
    let mut free = one.clone();
    free.rx(Angle::Weight(0), 0);
    refused("no shots", sampler.run(std::slice::from_ref(&one), 0))?;
    refused("a free angle", sampler.run(&[free], 1))?;
    if let Some(n_qubits) = sampler.max_qubits().checked_add(1) {
        refused("too many qubits", sampler.run(&[Circuit::new(n_qubits)], 1))?;
    }
    match sampler.run(&[], 1) {
        Ok(counts) if counts.is_empty() => Ok(()),
        other => {
            let reason = format!("no counts were expected, {other:?} came");
            Err(NonConformance { circuit: "no circuits".into(), reason })
        }
    }
}

/// By Bernstein's inequality, `|k / n - p|` exceeds `sqrt(2 p (1 - p) t / n) + 2 t / (3 n)` with a
/// probability of at most `2 exp(-t)`.
fn check_distribution(
    circuit: &Circuit,
    counts: &BTreeMap<usize, usize>,
    shots: usize,
    tolerance: f64,
) -> Result<(), String> {
    const T: f64 = 17.0; // some thousand probabilities, so once in 40,000 corpora
    let state = dense::state(circuit, &[], &[]).map_err(|error| error.to_string())?;
    let n = shots as f64;
    for (bits, p) in state.iter().map(|z| z.norm_sqr()).enumerate() {
        let found = counts.get(&bits).copied().unwrap_or(0) as f64 / n;
        let by_chance = (2.0 * p * (1.0 - p).max(0.0) * T / n).sqrt() + 2.0 * T / (3.0 * n);
        // What cannot happen does not happen by chance either.
        let by_chance = if p.min(1.0 - p) < 1e-12 { 0.0 } else { by_chance };
        if (found - p).abs() > by_chance + tolerance + 1e-9 {
            return Err(format!("index {bits} has frequency {found}, its probability is {p}"));
        }
    }
    Ok(())
}

/// Circuits on up to `n` qubits, with names.
fn corpus(n: usize) -> Vec<(String, Circuit)> {
    let mut corpus = Vec::new();
    for q in 0..n {
        let mut circuit = Circuit::new(n);
        circuit.x(q);
        corpus.push((format!("X on qubit {q} of {n}"), circuit));
    }
    for gate in Gate::all() {
        for controls in 0..=1 {
            corpus.extend(of_gate(gate, controls, n));
        }
    }
    corpus
}

/// The gate, with this many further controls, between rotations that show its phases.
fn of_gate(gate: Gate, n_controls: usize, n: usize) -> Option<(String, Circuit)> {
    let info = gate.info();
    let n_qubits = info.n_qubits() + n_controls;
    if n_qubits > n {
        return None;
    }
    let (mut circuit, last_first) = (Circuit::new(n), (0..n).rev().collect::<Vec<_>>());
    for q in 0..n {
        circuit.ry(0.8 + 0.3 * q as f64, q).rz(1.1 * q as f64 - 0.4, q);
    }
    let angles = &[0.7, -1.3, 2.1].map(Angle::Constant)[..info.n_angles];
    let (own, rest) = last_first.split_at(info.n_qubits());
    let operation =
        Operation::new(gate, own, angles).ok()?.with_controls(&rest[..n_controls]).ok()?;
    circuit.push(operation).ok()?;
    for q in 0..n {
        circuit.rx(0.9 - 0.2 * q as f64, q);
    }
    let name = format!("{} with {n_controls} further controls on {n} qubits", info.name);
    Some((name, circuit))
}
