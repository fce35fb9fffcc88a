//! A circuit with its observables, lowered to kernel calls.

use crate::circuit::{Action, Angle, Circuit, Observable, Operation, PauliString};
use crate::error::{Error, ErrorKind};
use num_complex::Complex64;

use super::plan::{Pass, plan};
use super::pool::Pool;
use super::tables::{Layouts, Tables};

/// The largest number of qubits that the simulator accepts: 2^26 amplitudes, 0.5 GiB in `f32`.
pub const MAX_QUBITS: usize = 26;

/// A circuit and the observables to measure, ready to run on a batch.
///
/// ```
/// use burn_quantum::circuit::{Angle, Circuit, Observable};
/// use burn_quantum::statevector::Program;
///
/// let mut circuit = Circuit::new(1);
/// circuit.rx(Angle::Input(0), 0);
/// let program = Program::new(&circuit, &Observable::each_z(1))?;
///
/// let z = program.expectation(3, &[0.0, 1.0, 2.0], &[])?; // three samples
/// assert!((z[1] - 1f64.cos()).abs() < 1e-15);
/// # Ok::<(), burn_quantum::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Program {
    pub(super) n_qubits: usize,
    pub(super) n_inputs: usize,
    pub(super) n_weights: usize,
    pub(super) plan: Vec<Pass>,
    /// `(coefficient, mask of Z, observable)`.
    pub(super) diagonal: Vec<(f64, usize, usize)>,
    /// `(coefficient, string, observable)`, the strings that are not diagonal.
    pub(super) other: Vec<(f64, PauliString, usize)>,
    pub(super) n_observables: usize,
    pub(super) pools: (Pool<f32>, Pool<f64>),
    layouts: Layouts,
    pub(super) observables: Vec<Observable>,
}

/// One kernel call. Masks have one bit per qubit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Instruction {
    pub kernel: Kernel,
    pub controls: usize,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Kernel {
    Flip { target: usize },
    Swap { a: usize, b: usize },
    Matrix { target: usize, entries: [Complex64; 4] },
    Phase { mask: usize, angle: Angle },
    Rotation { string: PauliString, angle: Angle },
}

impl Instruction {
    /// The angle, and what to multiply it with before its sine and cosine are taken.
    pub fn angle(&self) -> Option<(Angle, f64)> {
        match self.kernel {
            Kernel::Phase { angle, .. } => Some((angle, 1.0)),
            Kernel::Rotation { angle, .. } => Some((angle, 0.5)),
            _ => None,
        }
    }
}

impl Program {
    /// Lowers a circuit.
    ///
    /// # Errors
    ///
    /// When the circuit has more than [`MAX_QUBITS`] qubits, or an observable acts on a qubit that
    /// the circuit does not have.
    pub fn new(circuit: &Circuit, observables: &[Observable]) -> Result<Self, Error> {
        let n_qubits = circuit.n_qubits();
        check_size(n_qubits)?;
        if let Some(o) = observables.iter().find(|o| o.n_qubits() > n_qubits) {
            let qubit = o.n_qubits() - 1;
            return Err(ErrorKind::QubitOutOfRange { qubit, n_qubits }.into());
        }
        let terms = || {
            let with_index = |(k, o): (usize, &Observable)| {
                o.terms().iter().map(move |&(c, p)| (c, p, k)).collect::<Vec<_>>()
            };
            observables.iter().enumerate().flat_map(with_index)
        };
        Ok(Self {
            n_qubits,
            n_inputs: circuit.n_inputs(),
            n_weights: circuit.n_weights(),
            plan: plan(n_qubits, &circuit.operations().iter().flat_map(lower).collect::<Vec<_>>()),
            diagonal: terms()
                .filter(|(_, p, _)| p.is_diagonal())
                .map(|(c, p, k)| (c, p.z, k))
                .collect(),
            other: terms().filter(|(_, p, _)| !p.is_diagonal()).collect(),
            n_observables: observables.len(),
            pools: Default::default(),
            layouts: Layouts::default(),
            observables: observables.to_vec(),
        })
    }

    pub(super) fn tables(&self, lane_bits: usize) -> &Tables {
        let masks = self.diagonal.iter().map(|&(_, mask, _)| mask);
        self.layouts.get(lane_bits, self.n_qubits, &self.plan, masks)
    }

    /// How often a run walks over its amplitudes: the number of passes into which the operations
    /// were collected.
    pub fn n_passes(&self) -> usize {
        self.plan.len()
    }

    /// The number of qubits.
    pub fn n_qubits(&self) -> usize {
        self.n_qubits
    }

    /// The number of features of one sample.
    pub fn n_inputs(&self) -> usize {
        self.n_inputs
    }

    /// The number of trainable parameters.
    pub fn n_weights(&self) -> usize {
        self.n_weights
    }

    /// The number of observables.
    pub fn n_observables(&self) -> usize {
        self.n_observables
    }
}

pub(super) fn check_size(n_qubits: usize) -> Result<(), Error> {
    if n_qubits <= MAX_QUBITS {
        return Ok(());
    }
    Err(ErrorKind::TooManyQubits {
        given: n_qubits,
        limit: MAX_QUBITS,
        method: "state-vector simulation",
        log2_bytes: n_qubits + 4,
        remedy: "each qubit doubles the memory, so use fewer",
    }
    .into())
}

fn mask(qubits: &[usize]) -> usize {
    qubits.iter().map(|q| 1 << q).sum()
}

fn lower(operation: &Operation) -> Vec<Instruction> {
    let (targets, controls) = (operation.targets(), mask(operation.controls()));
    let angles = operation.angles();
    let one = |kernel| vec![Instruction { kernel, controls }];
    // A phase needs no controls: they are bits of its mask.
    let phase = |angle| Instruction {
        kernel: Kernel::Phase { mask: controls | mask(targets), angle },
        controls: 0,
    };
    let rotation =
        |string, angle| Instruction { kernel: Kernel::Rotation { string, angle }, controls };
    match operation.gate().info().action {
        Action::Identity => Vec::new(),
        Action::Flip => one(Kernel::Flip { target: mask(targets) }),
        Action::Swap => one(Kernel::Swap { a: 1 << targets[0], b: 1 << targets[1] }),
        Action::Matrix(entries) => one(Kernel::Matrix { target: mask(targets), entries }),
        Action::FixedPhase(value) => vec![phase(Angle::Constant(value))],
        Action::Phase => vec![phase(angles[0])],
        Action::Rotation(paulis) => {
            let factors = targets.iter().zip(paulis);
            let string = factors
                .map(|(&q, &p)| PauliString::single(q, p))
                .fold(PauliString::IDENTITY, |a, b| a * b);
            vec![rotation(string, angles[0])]
        }
        // U(theta, phi, lambda) = P(phi) RY(theta) P(lambda)
        Action::Euler => vec![
            phase(angles[2]),
            rotation(PauliString::y(targets[0]), angles[0]),
            phase(angles[1]),
        ],
    }
}
