//! CNOTs in the gate that a device has on its pairs.

use super::Step;
use super::matrix::{H, X, product, rx, rz};
use std::f64::consts::FRAC_PI_2;

/// The gate that a device has on its pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::hardware) enum Pair {
    Cnot,
    Cz,
    /// The echoed cross-resonance gate, `X_a exp(-i pi/4 Z_a X_b)`.
    Ecr,
}

impl Pair {
    /// Translates the CNOTs of steps. `is_pair` says whether the gate can be done with the first
    /// qubit as its control.
    pub fn translated(self, steps: Vec<Step>, is_pair: impl Fn(usize, usize) -> bool) -> Vec<Step> {
        let mut out = Vec::with_capacity(3 * steps.len());
        for step in steps {
            match step {
                Step::Pair(control, target) if is_pair(control, target) => {
                    self.push(&mut out, control, target);
                }
                Step::Pair(control, target) => {
                    let around = [control, target].map(|qubit| Step::Turn(H, qubit));
                    out.extend(around.clone());
                    self.push(&mut out, target, control);
                    out.extend(around);
                }
                turn => out.push(turn),
            }
        }
        out
    }

    fn push(self, out: &mut Vec<Step>, control: usize, target: usize) {
        let gate = Step::Pair(control, target);
        match self {
            Pair::Cnot => out.push(gate),
            Pair::Cz => {
                let turn = Step::Turn(H, target);
                out.extend([turn.clone(), gate, turn]);
            }
            // CNOT = RZ_a(-pi/2) RX_b(-pi/2) exp(-i pi/4 Z_a X_b) up to a phase.
            Pair::Ecr => out.extend([
                gate,
                Step::Turn(product(&rz(-FRAC_PI_2), &X), control),
                Step::Turn(rx(-FRAC_PI_2), target),
            ]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{lowered, merged, oracle};
    use super::*;
    use num_complex::Complex64;

    fn matrix(pair: Pair) -> [Complex64; 16] {
        let (o, r) = (Complex64::ZERO, Complex64::new(0.5f64.sqrt(), 0.0));
        let i = Complex64::I * r;
        match pair {
            Pair::Cnot => oracle::cnot(),
            Pair::Cz => std::array::from_fn(|k| match k {
                0 | 5 | 10 => Complex64::ONE,
                15 => -Complex64::ONE,
                _ => o,
            }),
            // As its maker defines it, (IX - XY) / sqrt 2 in the order of its strings.
            Pair::Ecr => [o, r, o, i, r, o, -i, o, o, i, o, r, -i, o, r, o],
        }
    }

    #[test]
    fn the_whole_table_is_the_same_in_each_gate_on_pairs() {
        for pair in [Pair::Cnot, Pair::Cz, Pair::Ecr] {
            for circuit in oracle::whole_table() {
                let n = circuit.n_qubits();
                let exact = oracle::of_circuit(&circuit);
                for is_pair in [|_, _| true, |a, b| a < b, |a, b| a > b] {
                    let steps = pair.translated(lowered(&circuit).unwrap(), is_pair);
                    let steps = merged(steps, n);
                    let found = oracle::of_steps(&steps, &matrix(pair), n);
                    assert!(oracle::agree(&found, &exact), "{pair:?} {circuit:?}");
                }
            }
        }
    }
}
