//! One gate of a circuit: which, on which qubits, with which angles.

use super::{Angle, Gate};
use crate::error::{Error, ErrorKind, finite};
use serde::{Deserialize, Serialize};

/// A gate applied to qubits.
///
/// ```
/// use burn_quantum::circuit::{Angle, Gate, Operation};
///
/// let rotation = Operation::new(Gate::RY, &[2], &[Angle::Weight(0)])?;
/// let doubly_controlled = rotation.with_controls(&[0, 1])?;
/// assert_eq!(doubly_controlled.controls(), [0, 1]);
/// # Ok::<(), burn_quantum::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "OperationData", into = "OperationData")]
pub struct Operation {
    gate: Gate,
    controls: Vec<usize>,
    targets: Vec<usize>,
    angles: Vec<Angle>,
}

/// What is written to files: any combination, checked on the way in.
#[derive(Serialize, Deserialize)]
struct OperationData {
    gate: Gate,
    qubits: Vec<usize>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    controls: Vec<usize>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    angles: Vec<Angle>,
}

impl Operation {
    /// `gate` on `qubits`, its own controls first (so `CNOT` takes `[control, target]`).
    ///
    /// # Errors
    ///
    /// When the number of qubits or angles is not that of the gate, a qubit comes twice, or a
    /// constant angle is not finite.
    pub fn new(gate: Gate, qubits: &[usize], angles: &[Angle]) -> Result<Self, Error> {
        let info = gate.info();
        arity(info.name, "qubits", info.n_qubits(), qubits.len())?;
        arity(info.name, "angles", info.n_angles, angles.len())?;
        for angle in angles {
            if let Angle::Constant(value) = *angle {
                finite(|| format!("the angle of {}", info.name), value)?;
            }
        }
        let (controls, targets) = qubits.split_at(info.n_controls);
        let operation = Self {
            gate,
            controls: controls.to_vec(),
            targets: targets.to_vec(),
            angles: angles.to_vec(),
        };
        operation.distinct()
    }

    /// The same gate, acting only where the added controls are 1 too.
    ///
    /// # Errors
    ///
    /// When a control is a qubit that the gate already acts on.
    pub fn with_controls(mut self, controls: &[usize]) -> Result<Self, Error> {
        self.controls.extend_from_slice(controls);
        self.distinct()
    }

    fn distinct(self) -> Result<Self, Error> {
        let qubits: Vec<usize> = self.qubits().collect();
        for (k, qubit) in qubits.iter().enumerate() {
            if qubits[..k].contains(qubit) {
                let (gate, qubit) = (self.gate.info().name, *qubit);
                return Err(ErrorKind::RepeatedQubit { gate, qubit }.into());
            }
        }
        Ok(self)
    }

    /// The gate.
    pub fn gate(&self) -> Gate {
        self.gate
    }

    /// The control qubits, the gate's own first.
    pub fn controls(&self) -> &[usize] {
        &self.controls
    }

    /// The target qubits.
    pub fn targets(&self) -> &[usize] {
        &self.targets
    }

    /// The angles, in the order of the gate's definition.
    pub fn angles(&self) -> &[Angle] {
        &self.angles
    }

    /// All qubits: controls, then targets.
    pub fn qubits(&self) -> impl Iterator<Item = usize> + '_ {
        self.controls.iter().chain(&self.targets).copied()
    }

    /// The inverse operation. Angles that are inputs or weights cannot be negated in place, so
    /// they must be bound first.
    ///
    /// # Panics
    ///
    /// Panics if an angle is not constant.
    pub fn inverse(&self) -> Self {
        use super::gate::Inverse;
        let negative = |angle: &Angle| match *angle {
            Angle::Constant(value) => Angle::Constant(-value),
            free => panic!("cannot invert the free angle {free:?}: bind the circuit first"),
        };
        let mut inverse = self.clone();
        inverse.angles = self.angles.iter().map(negative).collect();
        match self.gate.info().inverse {
            Inverse::Itself | Inverse::Negated => {}
            Inverse::Gate(gate) => inverse.gate = gate,
            Inverse::Euler => inverse.angles.swap(1, 2),
        }
        inverse
    }

    /// The same operation with each angle replaced.
    pub(crate) fn map_angles(&self, f: impl FnMut(&Angle) -> Angle) -> Self {
        let angles = self.angles.iter().map(f).collect();
        Self { angles, ..self.clone() }
    }
}

fn arity(
    gate: &'static str,
    what: &'static str,
    expected: usize,
    actual: usize,
) -> Result<(), Error> {
    if expected == actual {
        return Ok(());
    }
    Err(ErrorKind::WrongArity { gate, what, expected, actual }.into())
}

impl TryFrom<OperationData> for Operation {
    type Error = Error;

    fn try_from(data: OperationData) -> Result<Self, Error> {
        Self::new(data.gate, &data.qubits, &data.angles)?.with_controls(&data.controls)
    }
}

impl From<Operation> for OperationData {
    fn from(operation: Operation) -> Self {
        let own = operation.gate.info().n_controls;
        let (own, added) = operation.controls.split_at(own);
        Self {
            gate: operation.gate,
            qubits: [own, &operation.targets].concat(),
            controls: added.to_vec(),
            angles: operation.angles,
        }
    }
}
