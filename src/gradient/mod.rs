//! Ways to differentiate a circuit or a sampler, as values.
//!
//! [`GradientMethod::Adjoint`] needs a simulator and is the fast one. [`ParameterShift`] asks only
//! for expectation values, so it works on hardware. [`FiniteDifference`] is the check on both.
//! [`Spsa`] asks for two values whatever the number of parameters, and is noisy. The
//! [`metric_tensor`] turns any of these into a [`natural_gradient`].
//!
//! [`SampledJacobian`] is the parameter shift on a device, or on any other
//! [`CircuitSampler`](crate::circuit::CircuitSampler).
//!
//! [`IsingEstimator`] differentiates means over the samples of an Ising model by its coefficients;
//! [`HybridGradient`] mixes an unbiased and a quiet estimator.
//!
//! [`ParameterShift`]: GradientMethod::ParameterShift
//! [`FiniteDifference`]: GradientMethod::FiniteDifference
//! [`Spsa`]: GradientMethod::Spsa

mod boltzmann;
mod metric;
mod natural;
mod parameter_shift;
mod sampled;
mod spsa;

pub(crate) use boltzmann::pairs;
pub use boltzmann::{
    Alpha, HybridGradient, HybridReport, HybridState, IsingEstimator, IsingGradient, SampledModels,
    SpinStatistics, mean_field,
};
pub use metric::metric_tensor;
pub use natural::natural_gradient;
pub use sampled::{Derivatives, SampledJacobian};

use crate::circuit::{Circuit, Observable};
use crate::error::{Error, ErrorKind};
use crate::statevector::{Gradient, Program};
use serde::{Deserialize, Serialize};
use spsa::Spsa;

/// How to differentiate expectation values by inputs and weights.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GradientMethod {
    /// Un-computing: the cost of about three runs, whatever the number of parameters.
    #[default]
    Adjoint,
    /// The exact shift rules: two runs for each gate with a free angle, four for a controlled
    /// rotation ([Schuld et al. 2019](https://arxiv.org/abs/1811.11184),
    /// [Anselmetti et al. 2021](https://arxiv.org/abs/2104.05695)).
    ParameterShift,
    /// Central differences, `(f(x + step) - f(x - step)) / (2 step)`: two runs a parameter.
    FiniteDifference {
        /// The step, in radians: `1e-5` suits double precision.
        step: f64,
    },
    /// Simultaneous perturbation ([Spall 1992](https://doi.org/10.1109/9.119632)): the mean of
    /// `n_samples` random estimates of two runs each. Unbiased up to `O(step^2)`; its error falls
    /// as `1 / sqrt(n_samples)` and grows with the number of parameters.
    Spsa {
        /// The perturbation of each parameter, in radians: `1e-3` suits exact expectation values,
        /// `0.1` values from shots.
        step: f64,
        /// The number of estimates to average.
        n_samples: usize,
        /// The same seed gives the same signs, one stream for each estimate.
        seed: u64,
    },
}

impl GradientMethod {
    /// Values and vector-Jacobian product of a batch, in double precision; slices as in
    /// [`Program::gradient`].
    ///
    /// # Errors
    ///
    /// When a slice has the wrong length or holds NaN or infinity, the circuit is too large, the
    /// step is not positive, or there are no samples.
    ///
    /// ```
    /// use burn_quantum::circuit::{Angle, Circuit, Observable};
    /// use burn_quantum::gradient::GradientMethod;
    ///
    /// let mut circuit = Circuit::new(1);
    /// circuit.rx(Angle::Weight(0), 0);
    /// let shift = GradientMethod::ParameterShift;
    /// let g = shift.gradient(&circuit, &Observable::each_z(1), 1, &[], &[0.3], &[1.0])?;
    /// assert!((g.weights[0] + 0.3f64.sin()).abs() < 1e-15);
    /// # Ok::<(), burn_quantum::Error>(())
    /// ```
    pub fn gradient(
        self,
        circuit: &Circuit,
        observables: &[Observable],
        batch: usize,
        inputs: &[f64],
        weights: &[f64],
        cotangent: &[f64],
    ) -> Result<Gradient<f64>, Error> {
        let program = Program::new(circuit, observables)?;
        match self {
            Self::Adjoint => program.gradient(batch, inputs, weights, cotangent),
            Self::ParameterShift => {
                parameter_shift::gradient(circuit, observables, batch, inputs, weights, cotangent)
            }
            Self::FiniteDifference { step } => {
                finite_difference(&program, step, batch, inputs, weights, cotangent)
            }
            Self::Spsa { step, n_samples, seed } => {
                Spsa { step, n_samples, seed }.gradient(&program, batch, inputs, weights, cotangent)
            }
        }
    }
}

fn finite_difference(
    program: &Program,
    step: f64,
    batch: usize,
    inputs: &[f64],
    weights: &[f64],
    cotangent: &[f64],
) -> Result<Gradient<f64>, Error> {
    check_step("the step of the finite difference", step)?;
    // Shapes and numbers are checked here, once; the gradient itself is thrown away.
    let values = program.gradient(batch, inputs, weights, cotangent)?.values;
    let loss = |inputs: &[f64], weights: &[f64]| -> Result<f64, Error> {
        Ok(dot(&program.expectation(batch, inputs, weights)?, cotangent))
    };
    let by_input = |i| central(step, inputs, i, |x| loss(x, weights));
    let by_weight = |i| central(step, weights, i, |w| loss(inputs, w));
    Ok(Gradient {
        values,
        inputs: (0..inputs.len()).map(by_input).collect::<Result<_, _>>()?,
        weights: (0..weights.len()).map(by_weight).collect::<Result<_, _>>()?,
    })
}

fn check_step(what: &str, step: f64) -> Result<(), Error> {
    if step > 0.0 && step.is_finite() {
        return Ok(());
    }
    let range = "a positive number";
    Err(ErrorKind::OutOfRange { what: what.into(), value: step, range }.into())
}

fn check_samples(n_samples: usize) -> Result<(), Error> {
    if n_samples > 0 {
        return Ok(());
    }
    let what = "the number of samples of the gradient".into();
    Err(ErrorKind::OutOfRange { what, value: 0.0, range: "1 or more" }.into())
}

fn central(
    step: f64,
    at: &[f64],
    i: usize,
    f: impl Fn(&[f64]) -> Result<f64, Error>,
) -> Result<f64, Error> {
    let mut x = at.to_vec();
    x[i] = at[i] + step;
    let plus = f(&x)?;
    x[i] = at[i] - step;
    Ok((plus - f(&x)?) / (2.0 * step))
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
