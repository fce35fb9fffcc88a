//! Simulated quantum annealing.

use super::control::Stop;
use super::kernels::Xoshiro;
use super::reads::{Run, batch_by_streams, independent_reads, run_options};
use super::walker::Walker;
use super::{IsingSampler, SampleSet, Schedule};
use crate::error::{Error, ErrorKind};
use crate::ising::Ising;

/// Path-integral Monte Carlo of an Ising model in a transverse field that is switched off.
///
/// The quantum model `E(Z) - Gamma sum_i X_i` at inverse temperature `beta` becomes `P` classical
/// copies (slices) with the weight
/// `exp(-(beta / P) sum_k E(s^k) + K sum_{i,k} s_i^k s_i^{k+1})`, `K = -ln(tanh(beta Gamma / P)) / 2`,
/// in a ring. `Gamma` falls linearly to nearly zero. A sweep updates every spin of every slice, and
/// then proposes to flip each spin in all slices at once. A read is the lowest slice at the end.
///
/// ```
/// use burn_quantum::annealing::{IsingSampler, PathIntegral};
/// use burn_quantum::ising::Ising;
///
/// let ring = (0..8).map(|i| (i, (i + 1) % 8, 1.0));
/// let model = Ising::sparse(vec![0.0; 8], ring, 0.0)?;
/// let set = PathIntegral::default().with_n_sweeps(200).sample(&model, 4)?;
/// assert_eq!(set.first().expect("4 reads").energy, -8.0);
/// # Ok::<(), burn_quantum::Error>(())
/// ```
///
/// # References
///
/// - [Martonak, Santoro and Tosatti (2002)](https://arxiv.org/abs/cond-mat/0203460)
#[derive(Debug, Clone)]
pub struct PathIntegral {
    n_sweeps: usize,
    n_slices: usize,
    beta: Option<f64>,
    gamma: Option<f64>,
    run: Run,
}

impl Default for PathIntegral {
    fn default() -> Self {
        Self { n_sweeps: 1000, n_slices: 16, beta: None, gamma: None, run: Run::default() }
    }
}

impl PathIntegral {
    run_options!();

    /// The number of sweeps of each read. Default: 1000
    pub fn with_n_sweeps(mut self, n_sweeps: usize) -> Self {
        self.n_sweeps = n_sweeps;
        self
    }

    /// The number of slices `P`. Default: 16
    pub fn with_n_slices(mut self, n_slices: usize) -> Self {
        self.n_slices = n_slices;
        self
    }

    /// The inverse temperature. Default: the cold end of [`Schedule::range`]
    pub fn with_beta(mut self, beta: f64) -> Self {
        self.beta = Some(beta);
        self
    }

    /// The transverse field at the start. Default: `0.75 P / beta`, so that `K` starts near 0.23
    pub fn with_gamma(mut self, gamma: f64) -> Self {
        self.gamma = Some(gamma);
        self
    }

    fn read(
        &self,
        model: &Ising,
        beta: f64,
        gamma: f64,
        rng: &mut Xoshiro,
        stop: &Stop,
    ) -> Vec<i8> {
        let (n, slices) = (model.n_spins(), self.n_slices);
        let mut path: Vec<Walker> = (0..slices).map(|_| Walker::random(model, rng)).collect();
        let per_slice = beta / slices as f64;
        for sweep in 0..self.n_sweeps {
            if stop.now() {
                break;
            }
            let field = gamma * (1.0 - sweep as f64 / self.n_sweeps as f64);
            let k = -0.5 * (per_slice * field).tanh().ln();
            for slice in 0..slices {
                let (before, after) = ((slice + slices - 1) % slices, (slice + 1) % slices);
                for i in 0..n {
                    let ring = match slices {
                        1 => 0.0,
                        _ => f64::from(path[before].spins[i] + path[after].spins[i]),
                    };
                    let own = f64::from(path[slice].spins[i]);
                    let up = -2.0 * per_slice * path[slice].alignment(i) + 2.0 * k * own * ring;
                    if accept(up, rng) {
                        path[slice].flip(i);
                    }
                }
            }
            for i in 0..n {
                let sum: f64 = path.iter().map(|walker| walker.alignment(i)).sum();
                if accept(-2.0 * per_slice * sum, rng) {
                    path.iter_mut().for_each(|walker| walker.flip(i));
                }
            }
            if sweep % 256 == 255 {
                path.iter_mut().for_each(Walker::refresh);
            }
        }
        let lowest = path.into_iter().min_by(|a, b| a.energy.total_cmp(&b.energy));
        lowest.map_or_else(Vec::new, |walker| walker.spins)
    }
}

/// Metropolis, with the chance of 1/32 to stay; see [`Update::Metropolis`](super::Update).
fn accept(up: f64, rng: &mut Xoshiro) -> bool {
    rng.next() >> 27 != 0 && (up <= 0.0 || rng.uniform() < (-up).exp())
}

impl IsingSampler for PathIntegral {
    /// # Errors
    ///
    /// When no read or no slice is asked for, or `beta` or `gamma` is not above zero and finite.
    fn sample(&self, model: &Ising, n_reads: usize) -> Result<SampleSet, Error> {
        let beta = self.beta.unwrap_or_else(|| Schedule::range(model).1);
        let gamma = self.gamma.unwrap_or(0.75 * self.n_slices as f64 / beta);
        let slices = self.n_slices as f64;
        for (what, value) in [("beta", beta), ("gamma", gamma), ("the number of slices", slices)] {
            if !(value > 0.0 && value.is_finite()) {
                let range = "a finite number above zero";
                return Err(ErrorKind::OutOfRange { what: what.into(), value, range }.into());
            }
        }
        let read = |rng: &mut Xoshiro, stop: &Stop| self.read(model, beta, gamma, rng, stop);
        independent_reads(&self.run, model, n_reads, read)
    }

    batch_by_streams!();
}
