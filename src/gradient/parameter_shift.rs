//! The parameter-shift rules.
//!
//! A gate whose generator has two eigenvalues at distance 1 makes the loss a sine of period
//! `2 pi` in its angle, so `f' = (f(+pi/2) - f(-pi/2)) / 2`. A controlled rotation has the
//! eigenvalues 0 and +-1/2, hence a second frequency, and needs four terms.
//!
//! An angle that several gates share is shifted in one gate at a time; the terms add up.

use super::dot;
use crate::circuit::{Action, Angle, Circuit, Observable, Operation};
use crate::error::Error;
use crate::statevector::{Gradient, Program};
use std::f64::consts::{FRAC_PI_2, SQRT_2};

const TWO_TERMS: &[(f64, f64)] = &[(0.5, FRAC_PI_2), (-0.5, -FRAC_PI_2)];

// f' = c+ (f(pi/2) - f(-pi/2)) - c- (f(3pi/2) - f(-3pi/2)), c+- = (sqrt 2 +- 1) / (4 sqrt 2)
const PLUS: f64 = (SQRT_2 + 1.0) / (4.0 * SQRT_2);
const MINUS: f64 = (SQRT_2 - 1.0) / (4.0 * SQRT_2);
const FOUR_TERMS: &[(f64, f64)] =
    &[(PLUS, FRAC_PI_2), (-PLUS, -FRAC_PI_2), (-MINUS, 3.0 * FRAC_PI_2), (MINUS, -3.0 * FRAC_PI_2)];

/// Whether angle `index` of an operation is a phase, not an angle of which the gate takes half.
pub(super) fn is_phase(operation: &Operation, index: usize) -> bool {
    match operation.gate().info().action {
        Action::Phase => true,
        Action::Euler => index != 0, // P(phi) RY(theta) P(lambda)
        _ => false,
    }
}

/// The rule for angle `index` of an operation.
fn rule(operation: &Operation, index: usize) -> &'static [(f64, f64)] {
    let two = operation.controls().is_empty() || is_phase(operation, index);
    if two { TWO_TERMS } else { FOUR_TERMS }
}

/// One term of a derivative: `factor` times the value with one angle of one operation moved.
pub(super) struct Shift {
    operation: usize,
    index: usize,
    delta: f64,
    /// The parameter by which this derives: an input or a weight.
    pub by: Angle,
    pub factor: f64,
}

impl Shift {
    /// The bound circuit, moved.
    pub fn apply(&self, bound: &Circuit) -> Circuit {
        bound.shifted(self.operation, self.index, self.delta)
    }
}

/// The terms of all derivatives of a circuit.
pub(super) fn shifts(circuit: &Circuit) -> Vec<Shift> {
    let mut shifts = Vec::new();
    for (operation, op) in circuit.operations().iter().enumerate() {
        for (index, &by) in op.angles().iter().enumerate() {
            if !matches!(by, Angle::Constant(_)) {
                let term = |&(factor, delta)| Shift { operation, index, delta, by, factor };
                shifts.extend(rule(op, index).iter().map(term));
            }
        }
    }
    shifts
}

pub(super) fn gradient(
    circuit: &Circuit,
    observables: &[Observable],
    batch: usize,
    inputs: &[f64],
    weights: &[f64],
    cotangent: &[f64],
) -> Result<Gradient<f64>, Error> {
    let program = Program::new(circuit, observables)?;
    let mut gradient = program.gradient(batch, inputs, weights, cotangent)?; // checks everything
    gradient.inputs.fill(0.0);
    gradient.weights.fill(0.0);
    let (n_inputs, width) = (program.n_inputs(), observables.len());
    let shifts = shifts(circuit);
    for b in 0..batch {
        let bound = circuit.bind(&inputs[b * n_inputs..][..n_inputs], weights)?;
        let cotangent = &cotangent[b * width..][..width];
        for shift in &shifts {
            let slot = match shift.by {
                Angle::Constant(_) => continue,
                Angle::Input(i) => &mut gradient.inputs[b * n_inputs + i],
                Angle::Weight(i) => &mut gradient.weights[i],
            };
            let shifted = Program::new(&shift.apply(&bound), observables)?;
            *slot += shift.factor * dot(&shifted.expectation(1, &[], &[])?, cotangent);
        }
    }
    Ok(gradient)
}
