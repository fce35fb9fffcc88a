//! What runs circuits and counts: the one trait that devices and simulators share.

use super::{Angle, Circuit, MAX_QUBITS};
use crate::error::{Error, ErrorKind};
use std::collections::BTreeMap;

/// A device, or a simulator, that runs circuits and counts what it measures.
///
/// Simulators and clients of real devices implement the same trait, so a caller never learns which
/// one it holds. Every implementation must pass
/// [`check_conformance`](crate::statevector::check_conformance). An implementation never substitutes
/// another sampler for itself.
///
/// ```
/// use burn_quantum::circuit::{Circuit, CircuitSampler};
/// use burn_quantum::statevector::ShotSimulator;
///
/// let (mut flipped, mut bell) = (Circuit::new(2), Circuit::new(2));
/// flipped.x(1);
/// bell.h(0).cnot(0, 1);
/// let counts = ShotSimulator::new(2026).run(&[flipped, bell], 100)?;
/// assert_eq!(counts[0], [(0b10, 100)].into());
/// assert!(counts[1].keys().all(|&bits| bits == 0b00 || bits == 0b11));
/// # Ok::<(), burn_quantum::Error>(())
/// ```
pub trait CircuitSampler: std::fmt::Debug + Send + Sync {
    /// The device's name, for messages.
    fn name(&self) -> &str;

    /// The most qubits that a circuit may have.
    fn max_qubits(&self) -> usize;

    /// Runs each circuit `shots` times and measures all its qubits: for each circuit, in order, how
    /// often each basis index was found (qubit 0 is the least significant bit). Circuits have
    /// neither inputs nor weights left: see [`Circuit::bind`].
    ///
    /// Indices that were not found are left out, so the counts of a circuit add up to `shots` and
    /// none is 0. Callers give all circuits that they have at once: a device that takes fewer in a
    /// job splits them itself. Each call measures anew.
    ///
    /// # Errors
    ///
    /// What [`check_circuits`] refuses, and when the device does not answer.
    fn run(&self, circuits: &[Circuit], shots: usize)
    -> Result<Vec<BTreeMap<usize, usize>>, Error>;
}

/// What every [`CircuitSampler::run`] refuses, before anything is sent.
///
/// # Errors
///
/// When there are no shots, when a circuit has more qubits than the sampler takes, or more than a
/// basis index has bits, and when an angle is still an input or a weight.
///
/// ```
/// use burn_quantum::circuit::{Angle, Circuit, check_circuits};
/// use burn_quantum::statevector::ShotSimulator;
///
/// let mut circuit = Circuit::new(1);
/// circuit.rx(Angle::Weight(0), 0);
/// let error = check_circuits(&ShotSimulator::new(0), &[circuit], 100).unwrap_err();
/// assert!(error.to_string().contains("the free angle Weight(0): `bind` the circuit first"));
/// ```
pub fn check_circuits(
    sampler: &dyn CircuitSampler,
    circuits: &[Circuit],
    shots: usize,
) -> Result<(), Error> {
    if shots == 0 {
        let what = format!("the number of shots for {}", sampler.name());
        return Err(ErrorKind::OutOfRange { what, value: 0.0, range: "1 or more" }.into());
    }
    circuits.iter().try_for_each(|circuit| {
        check_qubits(sampler, circuit.n_qubits())?;
        match circuit.free_angle() {
            None => Ok(()),
            Some(free) => Err(not_expressible(sampler.name(), free)),
        }
    })
}

/// Refuses circuits that are too large for the sampler.
pub(crate) fn check_qubits(sampler: &dyn CircuitSampler, n_qubits: usize) -> Result<(), Error> {
    let limit = sampler.max_qubits().min(MAX_QUBITS);
    if n_qubits <= limit {
        return Ok(());
    }
    let (what, device) = ("qubits", sampler.name().into());
    let remedy = "use a circuit of fewer qubits, or a larger device";
    Err(ErrorKind::TooLargeForDevice { given: n_qubits, what, device, limit, remedy }.into())
}

/// The error for an angle that is not a number yet.
pub(super) fn not_expressible(language: &str, free: Angle) -> Error {
    let (language, what) = (language.into(), format!("the free angle {free:?}"));
    ErrorKind::NotExpressible { language, what, remedy: "`bind` the circuit first" }.into()
}

/// Runs the circuits, and checks that the answer is what [`CircuitSampler::run`] promises.
pub(super) fn counts(
    sampler: &dyn CircuitSampler,
    circuits: &[Circuit],
    shots: usize,
) -> Result<Vec<BTreeMap<usize, usize>>, Error> {
    let counts = sampler.run(circuits, shots)?;
    let refuse = |reason| ErrorKind::BadCounts { sampler: sampler.name().into(), reason }.into();
    if counts.len() != circuits.len() {
        let (n, m) = (counts.len(), circuits.len());
        return Err(refuse(format!("counts of {n} circuits came back, {m} were given")));
    }
    for (k, (counts, circuit)) in counts.iter().zip(circuits).enumerate() {
        check_counts(counts, circuit.n_qubits(), shots)
            .map_err(|reason| refuse(format!("circuit {k}: {reason}")))?;
    }
    Ok(counts)
}

/// What is wrong with the counts of one circuit.
pub(crate) fn check_counts(
    counts: &BTreeMap<usize, usize>,
    n_qubits: usize,
    shots: usize,
) -> Result<(), String> {
    let outside = |bits: &usize| n_qubits < MAX_QUBITS && bits >> n_qubits != 0;
    if let Some(bits) = counts.keys().find(|bits| outside(bits)) {
        return Err(format!("index {bits} was counted, of {n_qubits} qubits"));
    }
    if let Some((bits, _)) = counts.iter().find(|(_, count)| **count == 0) {
        return Err(format!("index {bits} is listed with 0 counts"));
    }
    match counts.values().sum::<usize>() {
        total if total == shots => Ok(()),
        total => Err(format!("{total} counts in all, of {shots} shots")),
    }
}
