//! A device that is none: exact states, random outcomes, wrong read-outs.

use super::measurement::Distribution;
use super::{MAX_QUBITS, Program};
use crate::circuit::{Circuit, CircuitSampler, ReadoutErrors, check_circuits};
use crate::error::Error;
use crate::random::Stream;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// The local stand-in for a device: simulates each circuit, and draws its outcomes.
///
/// Each call of `run` draws others, as a device does; a simulator of the same seed repeats the same
/// sequence of calls, on any number of threads, as long as no two calls overlap.
///
/// ```
/// use burn_quantum::circuit::{Circuit, CircuitSampler};
/// use burn_quantum::statevector::ShotSimulator;
///
/// let mut coin = Circuit::new(1);
/// coin.h(0);
/// let flip = |device: &ShotSimulator| device.run(&[coin.clone()], 1000);
/// let (device, twin) = (ShotSimulator::new(7), ShotSimulator::new(7));
/// let (first, second) = (flip(&device)?, flip(&device)?);
/// assert_ne!(first, second);
/// assert_eq!((first, second), (flip(&twin)?, flip(&twin)?));
/// # Ok::<(), burn_quantum::Error>(())
/// ```
#[derive(Debug)]
pub struct ShotSimulator {
    seed: u64,
    calls: AtomicU64,
    errors: Option<ReadoutErrors>,
}

impl ShotSimulator {
    /// A simulator that reads out without errors.
    pub fn new(seed: u64) -> Self {
        Self { seed, calls: AtomicU64::new(0), errors: None }
    }

    /// The same with errors of the read-out; it then has as many qubits as the errors name.
    pub fn with_readout_errors(self, errors: ReadoutErrors) -> Self {
        Self { errors: Some(errors), ..self }
    }

    fn sample(
        &self,
        circuit: &Circuit,
        shots: usize,
        mut streams: [Stream; 2],
    ) -> Result<BTreeMap<usize, usize>, Error> {
        let probabilities = Program::new(circuit, &[])?.probabilities::<f64>(1, &[], &[])?;
        let [outcomes, flips] = &mut streams;
        let mut counts = BTreeMap::new();
        for bits in Distribution::new(probabilities.into_iter()).draw(shots, outcomes) {
            *counts.entry(self.read_out(bits, circuit.n_qubits(), flips)).or_insert(0) += 1;
        }
        Ok(counts)
    }

    /// The bits, each wrong with its probability.
    fn read_out(&self, bits: usize, n_qubits: usize, stream: &mut Stream) -> usize {
        let Some(errors) = &self.errors else { return bits };
        let qubits = errors.flips()[..n_qubits].iter().enumerate();
        qubits.fold(bits, |read, (q, flip)| {
            read ^ usize::from(stream.uniform() < flip[bits >> q & 1]) << q
        })
    }
}

impl CircuitSampler for ShotSimulator {
    fn name(&self) -> &str {
        "the shot simulator"
    }

    fn max_qubits(&self) -> usize {
        self.errors.as_ref().map_or(MAX_QUBITS, |errors| errors.flips().len().min(MAX_QUBITS))
    }

    fn run(
        &self,
        circuits: &[Circuit],
        shots: usize,
    ) -> Result<Vec<BTreeMap<usize, usize>>, Error> {
        check_circuits(self, circuits, shots)?;
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        let seed = self.seed ^ call.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let streams = |k: u64| [2 * k, 2 * k + 1].map(|stream| Stream::new(seed, stream));
        let one = |(k, circuit)| self.sample(circuit, shots, streams(k as u64));
        circuits.par_iter().enumerate().map(one).collect()
    }
}
