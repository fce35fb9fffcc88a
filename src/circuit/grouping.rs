//! Which Pauli strings one measurement of all qubits gives.

use super::{Circuit, Gate, MAX_QUBITS, Observable, Pauli, PauliString};

/// Strings that one basis measures.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    /// The Pauli matrix in whose eigenbasis each qubit is measured.
    pub basis: PauliString,
    terms: Vec<Term>,
}

/// A string of an observable. In the group's basis it is a parity.
#[derive(Debug, Clone, Copy)]
struct Term {
    coefficient: f64,
    /// The qubits on which the string acts.
    qubits: usize,
    observable: usize,
}

/// Puts each string into the first group whose basis it shares. The identity shares any.
pub(crate) fn groups(observables: &[Observable]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (observable, o) in observables.iter().enumerate() {
        for &(coefficient, p) in o.terms() {
            let term = Term { coefficient, qubits: p.x | p.z, observable };
            let fits = |group: &&mut Group| group.basis.commutes_qubit_wise_with(p);
            match groups.iter_mut().find(fits) {
                Some(group) => group.add(p, term),
                None => groups.push(Group { basis: p, terms: vec![term] }),
            }
        }
    }
    groups
}

impl Group {
    fn add(&mut self, p: PauliString, term: Term) {
        self.basis = PauliString { x: self.basis.x | p.x, z: self.basis.z | p.z };
        self.terms.push(term);
    }

    /// Each measured axis turned onto Z.
    pub fn append_rotations(&self, circuit: &mut Circuit) {
        for q in 0..self.basis.n_qubits() {
            match self.basis.factor(q) {
                Some(Pauli::X) => circuit.h(q),
                Some(Pauli::Y) => circuit.gate(Gate::Sdg, &[q], &[]).h(q),
                _ => continue,
            };
        }
    }

    /// Adds to each observable the mean over shots, and the square of its standard error.
    ///
    /// An outcome comes with its count. `signs[q]` holds what qubit `q` contributes to a parity when
    /// it is found in 0 and in 1: without signs, `1` and `-1`.
    pub fn add_moments(
        &self,
        outcomes: &[(usize, usize)],
        signs: Option<&[[f64; 2]]>,
        total: &mut [(f64, f64)],
    ) {
        let mut observables: Vec<usize> = self.terms.iter().map(|term| term.observable).collect();
        observables.dedup();
        for k in observables {
            let terms = self.terms.iter().filter(|term| term.observable == k);
            let value = |&(bits, count): &(usize, usize)| {
                let parity = |term: &Term| term.coefficient * parity(bits, term.qubits, signs);
                (terms.clone().map(parity).sum(), count as f64)
            };
            let (mean, square) =
                mean_and_square_error(&outcomes.iter().map(value).collect::<Vec<_>>());
            total[k] = (total[k].0 + mean, total[k].1 + square);
        }
    }
}

fn parity(bits: usize, qubits: usize, signs: Option<&[[f64; 2]]>) -> f64 {
    match signs {
        None => f64::from(1 - 2 * ((bits & qubits).count_ones() % 2) as i8),
        Some(signs) => (0..MAX_QUBITS)
            .filter(|q| qubits >> q & 1 == 1)
            .map(|q| signs[q][bits >> q & 1])
            .product(),
    }
}

/// The mean, and the square of its standard error, of values with counts, at least two in all.
pub(crate) fn mean_and_square_error(values: &[(f64, f64)]) -> (f64, f64) {
    let n: f64 = values.iter().map(|(_, count)| count).sum();
    let mean = values.iter().map(|(x, count)| x * count).sum::<f64>() / n;
    let spread: f64 = values.iter().map(|(x, count)| (x - mean).powi(2) * count).sum();
    (mean, spread / (n - 1.0) / n)
}
