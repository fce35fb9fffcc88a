//! Circuits with noise.

use super::{Channel, Circuit, Operation};
use crate::error::{Error, ErrorKind};

/// A circuit with noise channels between its operations.
///
/// ```
/// use burn_quantum::circuit::{Channel, Circuit, NoisyCircuit};
///
/// let mut bell = Circuit::new(2);
/// bell.h(0).cnot(0, 1);
/// let mut noisy = NoisyCircuit::after_every_gate(bell, &Channel::depolarizing(0.01)?);
/// noisy.add_noise(0, &Channel::bit_flip(0.02)?, &[1])?; // a faulty start
/// assert_eq!(noisy.noise().len(), 1 + 1 + 2);
/// # Ok::<(), burn_quantum::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct NoisyCircuit {
    circuit: Circuit,
    /// In the order of `after`; within one place, in the order in which they were added.
    noise: Vec<Noise>,
}

/// A channel in its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Noise {
    /// The number of operations before it.
    pub after: usize,
    /// The channel.
    pub channel: Channel,
    /// The qubits it acts on.
    pub qubits: Vec<usize>,
}

/// What happens next in a noisy circuit.
pub(crate) enum Step<'a> {
    Operation(&'a Operation),
    Noise(&'a Noise),
}

impl NoisyCircuit {
    /// The circuit without noise yet.
    pub fn new(circuit: Circuit) -> Self {
        Self { circuit, noise: Vec::new() }
    }

    /// The channel after every operation: one for one qubit on each qubit that the operation
    /// touches, controls included; one for two qubits on the pair, where the operation touches
    /// exactly two.
    pub fn after_every_gate(circuit: Circuit, channel: &Channel) -> Self {
        let touched = |op: &Operation| op.qubits().collect::<Vec<_>>();
        let qubits: Vec<_> = circuit.operations().iter().map(touched).collect();
        let mut noisy = Self::new(circuit);
        for (k, qubits) in qubits.iter().enumerate() {
            let fits = |group: &[usize]| group.len() == channel.n_qubits();
            let width = if channel.n_qubits() == 1 { 1 } else { qubits.len().max(1) };
            for group in qubits.chunks(width).filter(|group| fits(group)) {
                let added = noisy.add_noise(k + 1, channel, group);
                added.expect("the qubits of an operation exist and differ");
            }
        }
        noisy
    }

    /// Adds a channel behind the first `n_operations` operations and the channels already there:
    /// 0 is the start of the circuit.
    ///
    /// # Errors
    ///
    /// When the circuit has fewer operations or lacks a qubit, a qubit comes twice, or their
    /// number is not that of the channel.
    pub fn add_noise(
        &mut self,
        n_operations: usize,
        channel: &Channel,
        qubits: &[usize],
    ) -> Result<&mut Self, Error> {
        if n_operations > self.circuit.operations().len() {
            let (what, value) = ("the place of the noise".into(), n_operations as f64);
            let range = "at most the number of operations";
            return Err(ErrorKind::OutOfRange { what, value, range }.into());
        }
        self.check_qubits(channel, qubits)?;
        let noise =
            Noise { after: n_operations, channel: channel.clone(), qubits: qubits.to_vec() };
        let place = self.noise.partition_point(|other| other.after <= n_operations);
        self.noise.insert(place, noise);
        Ok(self)
    }

    fn check_qubits(&self, channel: &Channel, qubits: &[usize]) -> Result<(), Error> {
        let (gate, n_qubits) = ("the channel", self.circuit.n_qubits());
        if qubits.len() != channel.n_qubits() {
            let (expected, actual) = (channel.n_qubits(), qubits.len());
            return Err(ErrorKind::WrongArity { gate, what: "qubits", expected, actual }.into());
        }
        if let Some(&qubit) = qubits.iter().find(|&&qubit| qubit >= n_qubits) {
            return Err(ErrorKind::QubitOutOfRange { qubit, n_qubits }.into());
        }
        if qubits.len() == 2 && qubits[0] == qubits[1] {
            return Err(ErrorKind::RepeatedQubit { gate, qubit: qubits[0] }.into());
        }
        Ok(())
    }

    /// The circuit without its noise.
    pub fn circuit(&self) -> &Circuit {
        &self.circuit
    }

    /// The channels, first to last.
    pub fn noise(&self) -> &[Noise] {
        &self.noise
    }

    /// The same noise in the circuit with every angle a constant.
    ///
    /// # Errors
    ///
    /// As [`Circuit::bind`].
    pub fn bind(&self, inputs: &[f64], weights: &[f64]) -> Result<NoisyCircuit, Error> {
        let circuit = self.circuit.bind(inputs, weights)?;
        Ok(Self { circuit, noise: self.noise.clone() })
    }

    /// Operations and channels in the order of time.
    pub(crate) fn steps(&self) -> Vec<Step<'_>> {
        let mut noise = self.noise.iter().peekable();
        let mut steps = Vec::new();
        for (k, operation) in self.circuit.operations().iter().enumerate() {
            steps.extend(std::iter::from_fn(|| noise.next_if(|n| n.after <= k)).map(Step::Noise));
            steps.push(Step::Operation(operation));
        }
        steps.extend(noise.map(Step::Noise));
        steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bell() -> Circuit {
        let mut circuit = Circuit::new(2);
        circuit.h(0).cnot(0, 1);
        circuit
    }

    #[test]
    fn noise_stands_where_it_was_put() {
        let (flip, damp) = (Channel::bit_flip(0.1).unwrap(), Channel::phase_damping(0.1).unwrap());
        let mut noisy = NoisyCircuit::new(bell());
        noisy.add_noise(2, &flip, &[0]).unwrap().add_noise(0, &flip, &[1]).unwrap();
        noisy.add_noise(2, &damp, &[1]).unwrap().add_noise(1, &damp, &[0]).unwrap();
        let text = |step: &Step| match step {
            Step::Operation(operation) => operation.gate().info().name.to_owned(),
            Step::Noise(noise) => format!("{:?}", noise.qubits),
        };
        let steps: Vec<String> = noisy.steps().iter().map(text).collect();
        assert_eq!(steps, ["[1]", "H", "[0]", "CNOT", "[0]", "[1]"]);
    }

    #[test]
    fn channels_on_pairs_follow_gates_on_pairs() {
        let channel = Channel::two_qubit_depolarizing(0.1).unwrap();
        let noisy = NoisyCircuit::after_every_gate(bell(), &channel);
        assert_eq!(noisy.noise(), [Noise { after: 2, channel, qubits: vec![0, 1] }]);
    }

    #[test]
    fn misplaced_noise_is_refused() {
        let (one, two) =
            (Channel::bit_flip(0.1).unwrap(), Channel::two_qubit_depolarizing(0.1).unwrap());
        let message = |k, channel: &Channel, qubits: &[usize]| {
            NoisyCircuit::new(bell()).add_noise(k, channel, qubits).unwrap_err().to_string()
        };
        let place = "the place of the noise is 3: use at most the number of operations";
        assert_eq!(message(3, &one, &[0]), place);
        assert_eq!(message(0, &one, &[2]), "qubit 2 is out of range for 2 qubits: use 0 to 1");
        assert_eq!(message(0, &two, &[1]), "the channel takes 2 qubits, got 1");
        assert!(message(0, &two, &[1, 1]).contains("acts on qubit 1 twice"));
    }
}
