//! Controlled matrices as turns and CNOTs.

use super::Step;
use super::matrix::{
    self, Euler, Matrix, adjoint, euler, is_same, is_trivial, phase, product, root, ry, rz,
};
use crate::error::Error;
use crate::hardware::service::unsupported;
use std::f64::consts::FRAC_PI_4;

/// Each control more triples the number of steps.
const MAX_CONTROLS: usize = 8;

/// Appends `matrix` on `target`, where all controls are 1, with its phase.
///
/// # References
///
/// - [Barenco et al. (1995)](https://arxiv.org/abs/quant-ph/9503016): lemma 5.1 for one control,
///   lemma 7.5 for more.
pub(super) fn push(
    steps: &mut Vec<Step>,
    matrix: &Matrix,
    controls: &[usize],
    target: usize,
) -> Result<(), Error> {
    if controls.len() > MAX_CONTROLS {
        let what = format!("a gate with {} controls", controls.len());
        let remedy = format!("at most {MAX_CONTROLS} are translated: compute them into ancillas");
        return Err(unsupported(what, remedy));
    }
    many(steps, matrix, controls, target);
    Ok(())
}

fn many(steps: &mut Vec<Step>, matrix: &Matrix, controls: &[usize], target: usize) {
    match *controls {
        [] => steps.push(Step::Turn(*matrix, target)),
        [control] if is_same(matrix, &matrix::X) => steps.push(Step::Pair(control, target)),
        [control] => one(steps, matrix, control, target),
        [first, second] if is_same(matrix, &matrix::X) => toffoli(steps, first, second, target),
        [ref rest @ .., last] => {
            let half = root(matrix);
            one_or_not(steps, &half, last, target);
            many(steps, &matrix::X, rest, last);
            one_or_not(steps, &adjoint(&half), last, target);
            many(steps, &matrix::X, rest, last);
            many(steps, &half, rest, target);
        }
    }
}

fn one_or_not(steps: &mut Vec<Step>, matrix: &Matrix, control: usize, target: usize) {
    if !is_same(matrix, &matrix::ONE) {
        many(steps, matrix, &[control], target);
    }
}

/// `U = exp(i alpha) A X B X C` with `A B C = 1`.
fn one(steps: &mut Vec<Step>, matrix: &Matrix, control: usize, target: usize) {
    let Euler { theta, phi, lambda, alpha } = euler(matrix);
    if !is_trivial(matrix) {
        let a = product(&rz(phi), &ry(theta / 2.0));
        let b = product(&ry(-theta / 2.0), &rz(-(phi + lambda) / 2.0));
        let c = rz((lambda - phi) / 2.0);
        steps.push(Step::Turn(c, target));
        steps.push(Step::Pair(control, target));
        steps.push(Step::Turn(b, target));
        steps.push(Step::Pair(control, target));
        steps.push(Step::Turn(a, target));
    }
    steps.push(Step::Turn(phase(alpha), control));
}

/// Six CNOTs, as in [Shende and Markov (2008)](https://arxiv.org/abs/0803.2316).
fn toffoli(steps: &mut Vec<Step>, a: usize, b: usize, target: usize) {
    let t = |sign: f64| phase(sign * FRAC_PI_4);
    steps.extend([
        Step::Turn(matrix::H, target),
        Step::Pair(b, target),
        Step::Turn(t(-1.0), target),
        Step::Pair(a, target),
        Step::Turn(t(1.0), target),
        Step::Pair(b, target),
        Step::Turn(t(-1.0), target),
        Step::Pair(a, target),
        Step::Turn(t(1.0), b),
        Step::Turn(t(1.0), target),
        Step::Turn(matrix::H, target),
        Step::Pair(a, b),
        Step::Turn(t(1.0), a),
        Step::Turn(t(-1.0), b),
        Step::Pair(a, b),
    ]);
}
