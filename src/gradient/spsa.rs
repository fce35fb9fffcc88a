//! Simultaneous perturbation stochastic approximation.
//!
//! All parameters move at once by `+-step`, with independent signs `s`. In the difference
//! `d = (f(x + step s) - f(x - step s)) / (2 step) = sum_j s_j f_j + O(step^2)`, parameter `i`
//! keeps `s_i d`, whose mean over the signs is `f_i`, for `s_i s_j` averages to 0.

use super::dot;
use crate::error::{Error, finite, length};
use crate::random::Stream;
use crate::statevector::{Gradient, Program};

pub(super) struct Spsa {
    pub step: f64,
    pub n_samples: usize,
    pub seed: u64,
}

impl Spsa {
    pub fn gradient(
        &self,
        program: &Program,
        batch: usize,
        inputs: &[f64],
        weights: &[f64],
        cotangent: &[f64],
    ) -> Result<Gradient<f64>, Error> {
        self.check(batch * program.n_observables(), cotangent)?;
        let mut gradient = Gradient {
            values: program.expectation(batch, inputs, weights)?,
            inputs: vec![0.0; inputs.len()],
            weights: vec![0.0; weights.len()],
        };
        for k in 0..self.n_samples {
            let mut stream = Stream::new(self.seed, k as u64);
            let mut signs = |n| (0..n).map(|_| stream.sign()).collect::<Vec<_>>();
            let (by_input, by_weight) = (signs(inputs.len()), signs(weights.len()));
            let run = |step| {
                let (x, w) = (moved(inputs, step, &by_input), moved(weights, step, &by_weight));
                losses(program, batch, &x, &w, cotangent)
            };
            let (plus, minus) = (run(self.step)?, run(-self.step)?);
            for b in 0..batch {
                let slope = (plus[b] - minus[b]) / (2.0 * self.step) / self.n_samples as f64;
                // A sample's loss does not depend on the inputs of the others, so their slopes
                // would only be noise.
                let own = b * program.n_inputs()..(b + 1) * program.n_inputs();
                add(&mut gradient.inputs[own.clone()], slope, &by_input[own]);
                add(&mut gradient.weights, slope, &by_weight);
            }
        }
        Ok(gradient)
    }

    fn check(&self, n_values: usize, cotangent: &[f64]) -> Result<(), Error> {
        super::check_step("the step of the perturbation", self.step)?;
        super::check_samples(self.n_samples)?;
        length("cotangent", n_values, cotangent.len())?;
        for (i, &c) in cotangent.iter().enumerate() {
            finite(|| format!("cotangent[{i}]"), c)?;
        }
        Ok(())
    }
}

/// `sum_k c[b, k] <O_k>_b` for each sample `b`.
fn losses(
    program: &Program,
    batch: usize,
    inputs: &[f64],
    weights: &[f64],
    cotangent: &[f64],
) -> Result<Vec<f64>, Error> {
    let values = program.expectation(batch, inputs, weights)?;
    let row = |b: usize| b * program.n_observables()..(b + 1) * program.n_observables();
    Ok((0..batch).map(|b| dot(&values[row(b)], &cotangent[row(b)])).collect())
}

fn moved(at: &[f64], step: f64, signs: &[f64]) -> Vec<f64> {
    at.iter().zip(signs).map(|(x, s)| x + step * s).collect()
}

fn add(out: &mut [f64], slope: f64, signs: &[f64]) {
    out.iter_mut().zip(signs).for_each(|(g, s)| *g += slope * s);
}
