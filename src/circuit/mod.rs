//! Quantum circuits as data: gates, angles, observables and templates.
//!
//! A [`Circuit`] is a list of [`Operation`]s. It can be simulated ([`statevector`]), differentiated
//! ([`gradient`]) or put into a layer ([`nn`]) without knowing which.
//!
//! [`statevector`]: crate::statevector
//! [`gradient`]: crate::gradient
//! [`nn`]: crate::nn

mod algebra;
mod angle;
pub mod ansatz;
mod channel;
mod decompose;
mod draw;
mod gate;
mod grouping;
mod measured;
mod noisy;
mod operation;
mod pauli;
mod qasm;
mod qir;
mod readout;
mod sampler;

pub use algebra::MAX_HERMITIAN_QUBITS;
pub use angle::Angle;
pub use channel::Channel;
pub use decompose::GateSet;
pub use draw::Drawing;
pub(crate) use gate::Action;
pub use gate::{Gate, GateInfo};
pub(crate) use grouping::{Group, groups, mean_and_square_error};
pub(crate) use measured::check_shots;
pub use measured::{CircuitShots, Estimate, MeasuredCircuit};
pub(crate) use noisy::Step;
pub use noisy::{Noise, NoisyCircuit};
pub use operation::Operation;
pub use pauli::{MAX_QUBITS, Observable, Pauli, PauliString};
#[cfg(feature = "hardware")]
pub(crate) use qasm::braket_name;
pub use readout::ReadoutErrors;
pub(crate) use sampler::check_counts;
pub use sampler::{CircuitSampler, check_circuits};

use crate::error::{Error, ErrorKind, finite, length};
use serde::{Deserialize, Serialize};

/// A circuit on `n_qubits` qubits that start in `|0...0>`.
///
/// ```
/// use burn_quantum::circuit::{Angle, Circuit};
///
/// let mut circuit = Circuit::new(2);
/// circuit.h(0).cnot(0, 1).ry(Angle::Input(0), 1).rz(Angle::Weight(0), 1);
/// assert_eq!((circuit.n_inputs(), circuit.n_weights()), (1, 1));
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "CircuitData", into = "CircuitData")]
pub struct Circuit {
    n_qubits: usize,
    operations: Vec<Operation>,
}

#[derive(Serialize, Deserialize)]
struct CircuitData {
    n_qubits: usize,
    operations: Vec<Operation>,
}

impl Circuit {
    /// The empty circuit.
    pub fn new(n_qubits: usize) -> Self {
        Self { n_qubits, operations: Vec::new() }
    }

    /// The number of qubits.
    pub fn n_qubits(&self) -> usize {
        self.n_qubits
    }

    /// The operations, first to last.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// The number of features that one sample must have: the highest input index plus one.
    pub fn n_inputs(&self) -> usize {
        self.highest(|angle| if let Angle::Input(i) = angle { i + 1 } else { 0 })
    }

    /// The number of trainable parameters: the highest weight index plus one.
    pub fn n_weights(&self) -> usize {
        self.highest(|angle| if let Angle::Weight(i) = angle { i + 1 } else { 0 })
    }

    fn highest(&self, count: impl Fn(Angle) -> usize) -> usize {
        let angles = self.operations.iter().flat_map(|op| op.angles());
        angles.map(|&angle| count(angle)).max().unwrap_or(0)
    }

    /// The first angle that is an input or a weight.
    pub(crate) fn free_angle(&self) -> Option<Angle> {
        let mut angles = self.operations.iter().flat_map(Operation::angles);
        angles.find(|angle| !matches!(angle, Angle::Constant(_))).copied()
    }

    /// Appends an operation.
    ///
    /// # Errors
    ///
    /// When it acts on a qubit that the circuit does not have.
    pub fn push(&mut self, operation: Operation) -> Result<&mut Self, Error> {
        if let Some(qubit) = operation.qubits().find(|&qubit| qubit >= self.n_qubits) {
            let n_qubits = self.n_qubits;
            return Err(ErrorKind::QubitOutOfRange { qubit, n_qubits }.into());
        }
        self.operations.push(operation);
        Ok(self)
    }

    /// Appends all operations of another circuit.
    ///
    /// # Errors
    ///
    /// When the other circuit acts on a qubit that this one does not have.
    pub fn append(&mut self, other: &Circuit) -> Result<&mut Self, Error> {
        for operation in &other.operations {
            self.push(operation.clone())?;
        }
        Ok(self)
    }

    /// Appends another circuit, whose weight `i` becomes weight `n_weights() + i`: layers of the
    /// same form with parameters of their own.
    ///
    /// # Errors
    ///
    /// As [`append`](Self::append).
    ///
    /// ```
    /// use burn_quantum::circuit::ansatz;
    ///
    /// let mut circuit = ansatz::hardware_efficient(2, 1);
    /// circuit.append_with_fresh_weights(&ansatz::strongly_entangling(2, 1))?;
    /// assert_eq!(circuit.n_weights(), 2 * 2 + 3 * 2);
    /// # Ok::<(), burn_quantum::Error>(())
    /// ```
    pub fn append_with_fresh_weights(&mut self, other: &Circuit) -> Result<&mut Self, Error> {
        let first = self.n_weights();
        let fresh = |angle: &Angle| match *angle {
            Angle::Weight(i) => Angle::Weight(first + i),
            bound => bound,
        };
        self.append(&other.map_angles(fresh))
    }

    /// Appends `gate`, for use in chains; [`push`](Self::push) returns an error instead.
    ///
    /// # Panics
    ///
    /// Panics where [`Operation::new`] or [`push`](Self::push) would fail, with their message. So
    /// do the methods named after gates.
    pub fn gate(&mut self, gate: Gate, qubits: &[usize], angles: &[Angle]) -> &mut Self {
        let pushed = Operation::new(gate, qubits, angles).and_then(|op| self.push(op).map(|_| ()));
        if let Err(error) = pushed {
            panic!("{error}");
        }
        self
    }

    /// Hadamard gate.
    pub fn h(&mut self, qubit: usize) -> &mut Self {
        self.gate(Gate::H, &[qubit], &[])
    }

    /// Pauli X, the NOT gate.
    pub fn x(&mut self, qubit: usize) -> &mut Self {
        self.gate(Gate::X, &[qubit], &[])
    }

    /// `exp(-i angle X / 2)`.
    pub fn rx(&mut self, angle: impl Into<Angle>, qubit: usize) -> &mut Self {
        self.gate(Gate::RX, &[qubit], &[angle.into()])
    }

    /// `exp(-i angle Y / 2)`.
    pub fn ry(&mut self, angle: impl Into<Angle>, qubit: usize) -> &mut Self {
        self.gate(Gate::RY, &[qubit], &[angle.into()])
    }

    /// `exp(-i angle Z / 2)`.
    pub fn rz(&mut self, angle: impl Into<Angle>, qubit: usize) -> &mut Self {
        self.gate(Gate::RZ, &[qubit], &[angle.into()])
    }

    /// Controlled NOT.
    pub fn cnot(&mut self, control: usize, target: usize) -> &mut Self {
        self.gate(Gate::CNOT, &[control, target], &[])
    }

    /// Controlled Z.
    pub fn cz(&mut self, control: usize, target: usize) -> &mut Self {
        self.gate(Gate::CZ, &[control, target], &[])
    }

    /// `CNOT(0, 1), CNOT(1, 2), ...`, in that order.
    pub fn cnot_chain(&mut self) -> &mut Self {
        for target in 1..self.n_qubits {
            self.cnot(target - 1, target);
        }
        self
    }

    /// The circuit with every angle a constant.
    ///
    /// # Errors
    ///
    /// When a slice does not have the length that the circuit asks for, or holds a value that is
    /// not finite.
    pub fn bind(&self, inputs: &[f64], weights: &[f64]) -> Result<Circuit, Error> {
        length("inputs", self.n_inputs(), inputs.len())?;
        length("weights", self.n_weights(), weights.len())?;
        for (name, values) in [("inputs", inputs), ("weights", weights)] {
            for (i, &value) in values.iter().enumerate() {
                finite(|| format!("{name}[{i}]"), value)?;
            }
        }
        let bound = |a: &Angle| Angle::Constant(a.resolve(inputs, weights));
        Ok(self.map_angles(bound))
    }

    fn map_angles(&self, mut f: impl FnMut(&Angle) -> Angle) -> Circuit {
        let operations = self.operations.iter().map(|op| op.map_angles(&mut f));
        Circuit { n_qubits: self.n_qubits, operations: operations.collect() }
    }

    /// The circuit with angle `index` of operation `operation` changed by `delta`.
    ///
    /// # Panics
    ///
    /// Panics if that angle is not constant: see [`bind`](Self::bind).
    pub(crate) fn shifted(&self, operation: usize, index: usize, delta: f64) -> Circuit {
        let mut circuit = self.clone();
        let mut k = 0;
        let shift = |angle: &Angle| {
            let value = angle.resolve(&[], &[]);
            k += 1;
            Angle::Constant(if k - 1 == index { value + delta } else { value })
        };
        circuit.operations[operation] = self.operations[operation].map_angles(shift);
        circuit
    }

    /// The inverse circuit.
    ///
    /// # Panics
    ///
    /// Panics if an angle is not constant: see [`bind`](Self::bind).
    pub fn inverse(&self) -> Circuit {
        let operations = self.operations.iter().rev().map(Operation::inverse);
        Circuit { n_qubits: self.n_qubits, operations: operations.collect() }
    }
}

impl TryFrom<CircuitData> for Circuit {
    type Error = Error;

    fn try_from(data: CircuitData) -> Result<Self, Error> {
        let mut circuit = Circuit::new(data.n_qubits);
        for operation in data.operations {
            circuit.push(operation)?;
        }
        Ok(circuit)
    }
}

impl From<Circuit> for CircuitData {
    fn from(circuit: Circuit) -> Self {
        Self { n_qubits: circuit.n_qubits, operations: circuit.operations }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misuse_is_refused_by_name() {
        let message = |result: Result<Operation, Error>| result.unwrap_err().to_string();
        assert_eq!(
            message(Operation::new(Gate::CNOT, &[1, 1], &[])),
            "CNOT acts on qubit 1 twice: targets and controls must differ"
        );
        assert_eq!(message(Operation::new(Gate::RX, &[0], &[])), "RX takes 1 angles, got 0");
        assert_eq!(message(Operation::new(Gate::H, &[], &[])), "H takes 1 qubits, got 0");
        let nan = Operation::new(Gate::RX, &[0], &[f64::NAN.into()]);
        assert_eq!(message(nan), "the angle of RX is NaN: it must be finite");
        let outside = Operation::new(Gate::H, &[2], &[]).unwrap();
        assert_eq!(
            Circuit::new(2).push(outside).unwrap_err().to_string(),
            "qubit 2 is out of range for 2 qubits: use 0 to 1"
        );
    }

    #[test]
    fn a_circuit_survives_json() {
        let mut circuit = ansatz::strongly_entangling(3, 2);
        let toffoli = Operation::new(Gate::CNOT, &[0, 1], &[]).unwrap();
        circuit.push(toffoli.with_controls(&[2]).unwrap()).unwrap();
        circuit.rx(0.25, 0).ry(Angle::Input(0), 1);
        let text = serde_json::to_string(&circuit).unwrap();
        assert_eq!(serde_json::from_str::<Circuit>(&text).unwrap(), circuit);
    }

    #[test]
    fn a_file_cannot_smuggle_in_a_bad_circuit() {
        let text = r#"{"n_qubits":1,"operations":[{"gate":"CNOT","qubits":[0,1]}]}"#;
        let error = serde_json::from_str::<Circuit>(text).unwrap_err().to_string();
        assert!(error.contains("qubit 1 is out of range"), "{error}");
    }
}
