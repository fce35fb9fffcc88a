//! Simulated bifurcation.

use super::control::Stop;
use super::kernels::Xoshiro;
use super::reads::{Run, batch_by_streams, independent_reads, run_options};
use super::schedule::{sigma, unit};
use super::{IsingSampler, SampleSet};
use crate::error::{Error, ErrorKind};
use crate::ising::Ising;
use serde::{Deserialize, Serialize};

/// Which positions exert forces.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Bifurcation {
    /// The positions themselves (bSB).
    Ballistic,
    /// Their signs (dSB), which has no error from positions between the walls.
    #[default]
    Discrete,
}

/// Classical particles, one for each spin, in a potential that splits into two wells.
///
/// Positions `x` and momenta `y` follow, with `a` rising from 0 to 1,
///
/// `dy_i/dt = -(1 - a) x_i - c (h_i + sum_j J_ij z_j)`, `dx_i/dt = y_i`,
///
/// with `z = x` ([ballistic](Bifurcation::Ballistic)) or `z = sign(x)`
/// ([discrete](Bifurcation::Discrete)), `c = 1 / (2 sigma)` and `sigma` the root mean square of the
/// local fields of random spins. A particle that reaches `|x| = 1` stops there. The signs at the end
/// are the spins. It is an optimiser: its samples have no temperature.
///
/// ```
/// use burn_quantum::annealing::{IsingSampler, SimulatedBifurcation};
/// use burn_quantum::ising::Ising;
///
/// let model = Ising::sparse(vec![0.2; 4], [(0, 1, 1.0), (1, 2, 1.0), (2, 3, 1.0)], 0.0)?;
/// let set = SimulatedBifurcation::default().sample(&model, 8)?;
/// assert_eq!(set.first().expect("8 reads").energy, -3.0);
/// # Ok::<(), burn_quantum::Error>(())
/// ```
///
/// # References
///
/// - [Goto et al. (2021)](https://doi.org/10.1126/sciadv.abe7953), who maximise and write `xi_0` for
///   our `c`
#[derive(Debug, Clone)]
pub struct SimulatedBifurcation {
    n_steps: usize,
    time_step: f64,
    kind: Bifurcation,
    run: Run,
}

impl Default for SimulatedBifurcation {
    fn default() -> Self {
        let (kind, run) = (Bifurcation::Discrete, Run::default());
        Self { n_steps: 1000, time_step: 0.5, kind, run }
    }
}

impl SimulatedBifurcation {
    run_options!();

    /// The number of time steps. Default: 1000
    pub fn with_n_steps(mut self, n_steps: usize) -> Self {
        self.n_steps = n_steps;
        self
    }

    /// The time step. Default: 0.5
    pub fn with_time_step(mut self, time_step: f64) -> Self {
        self.time_step = time_step;
        self
    }

    /// Which positions exert forces. Default: [`Bifurcation::Discrete`]
    pub fn with_kind(mut self, kind: Bifurcation) -> Self {
        self.kind = kind;
        self
    }

    fn read(&self, model: &Ising, scale: f64, rng: &mut Xoshiro, stop: &Stop) -> Vec<i8> {
        let n = model.n_spins();
        let mut small = || 0.2 * rng.uniform() - 0.1;
        let mut x: Vec<f64> = (0..n).map(|_| small()).collect();
        let mut y: Vec<f64> = (0..n).map(|_| small()).collect();
        let mut z = vec![0.0; n];
        for step in 0..self.n_steps {
            if stop.now() {
                break;
            }
            let a = step as f64 / self.n_steps as f64;
            for (z, &x) in z.iter_mut().zip(&x) {
                *z = match self.kind {
                    Bifurcation::Ballistic => x,
                    Bifurcation::Discrete => 1f64.copysign(x),
                };
            }
            for i in 0..n {
                let force = model.fields()[i] * scale
                    + match model.row(i) {
                        Some(row) => scaled_dot(row.iter().zip(&z), scale),
                        None => {
                            let (others, couplings) = model.neighbours(i);
                            let z = others.iter().map(|&j| &z[j as usize]);
                            scaled_dot(couplings.iter().zip(z), scale)
                        }
                    };
                y[i] -= self.time_step * ((1.0 - a) * x[i] + force);
            }
            for (x, y) in x.iter_mut().zip(&mut y) {
                *x += self.time_step * *y;
                if x.abs() > 1.0 {
                    *x = 1f64.copysign(*x);
                    *y = 0.0;
                }
            }
        }
        x.into_iter().map(|x| if x < 0.0 { -1 } else { 1 }).collect()
    }
}

fn scaled_dot<'a>(pairs: impl Iterator<Item = (&'a f64, &'a f64)>, scale: f64) -> f64 {
    pairs.map(|(j, z)| j * scale * z).sum()
}

impl IsingSampler for SimulatedBifurcation {
    /// # Errors
    ///
    /// When no read is asked for or the time step is not above zero and finite.
    fn sample(&self, model: &Ising, n_reads: usize) -> Result<SampleSet, Error> {
        let value = self.time_step;
        if !(value > 0.0 && value.is_finite()) {
            let (what, range) = ("the time step".into(), "a finite number above zero");
            return Err(ErrorKind::OutOfRange { what, value, range }.into());
        }
        let unit = unit(model.max_abs_coefficient());
        let sigma = sigma(model, unit);
        let scale = if sigma > 0.0 { 0.5 / sigma * unit } else { 1.0 };
        independent_reads(&self.run, model, n_reads, |rng, stop| self.read(model, scale, rng, stop))
    }

    batch_by_streams!();
}
