//! Closed-system quantum annealing.

use super::kernels::Xoshiro;
use super::reads::{Run, batch_by_streams, check_reads, run_options};
use super::schedule::{sigma, unit};
use super::{IsingSampler, SampleSet};
use crate::error::{Error, ErrorKind};
use crate::ising::Ising;
use crate::statevector::{Distribution, Evolution, EvolutionInput, MAX_QUBITS};
use std::f64::consts::FRAC_PI_2;

/// Measures the state that the Schroedinger equation of a transverse-field annealer ends in.
///
/// `H(t) = -(1 - t/T) sum_i X_i + (t/T) E(Z) / sigma`, `hbar = 1`, from the ground state of
/// `-sum_i X_i` at `t = 0` to the time `T`, where `sigma` is the root mean square of the local fields
/// of the model among random spins: so `T` is a number without a unit, and the samples do not depend
/// on the scale of the model. Every read measures the same state, `p(s) = |<s|psi(T)>|^2`: a slow
/// anneal ends in the ground states, a fast one (`T -> 0`) in uniform spins. This is no Boltzmann
/// distribution.
///
/// The state takes `2^n_spins` complex numbers, and a step `n_spins 2^n_spins` operations, whatever
/// the number of reads. The propagation is [`Evolution`]'s, with an error of `(T / n_steps)^2`. A
/// run that is stopped measures the state that it has reached.
///
/// ```
/// use burn_quantum::annealing::{IsingSampler, SchroedingerSampler};
/// use burn_quantum::ising::Ising;
///
/// let ring = (0..6).map(|i| (i, (i + 1) % 6, 1.0));
/// let model = Ising::sparse(vec![0.0; 6], ring, 0.0)?;
/// let set = SchroedingerSampler::default().with_time(40.0).with_seed(1).sample(&model, 100)?;
/// let ground = set.energies().iter().filter(|&&energy| energy == -6.0).count();
/// assert!(ground > 90, "{ground} of 100");
/// # Ok::<(), burn_quantum::Error>(())
/// ```
///
/// # References
///
/// - [Kadowaki and Nishimori (1998)](https://arxiv.org/abs/cond-mat/9804280), whose couplings enter
///   with the other sign
#[derive(Debug, Clone)]
pub struct SchroedingerSampler {
    time: f64,
    n_steps: Option<usize>,
    run: Run,
}

impl Default for SchroedingerSampler {
    fn default() -> Self {
        Self { time: 20.0, n_steps: None, run: Run::default() }
    }
}

impl SchroedingerSampler {
    /// The largest number of spins.
    pub const MAX_SPINS: usize = MAX_QUBITS;

    run_options!();

    /// The time `T` of the anneal. Default: 20
    pub fn with_time(mut self, time: f64) -> Self {
        self.time = time;
        self
    }

    /// The number of steps. Default: 10 for each unit of time
    pub fn with_n_steps(mut self, n_steps: usize) -> Self {
        self.n_steps = Some(n_steps);
        self
    }

    /// Pulse areas of the middles of the steps.
    fn schedule(&self) -> Result<Vec<f64>, Error> {
        let (what, value, range) = ("the time of an anneal".into(), self.time, "0 to 1e6");
        if !(0.0..=1e6).contains(&value) {
            return Err(ErrorKind::OutOfRange { what, value, range }.into());
        }
        let n_steps = self.n_steps.unwrap_or((10.0 * self.time).ceil() as usize);
        let (dt, n) = (self.time / n_steps.max(1) as f64, n_steps as f64);
        let middle = |k: usize| (k as f64 + 0.5) / n;
        Ok((0..n_steps).flat_map(|k| [(1.0 - middle(k)) * dt, middle(k) * dt]).collect())
    }
}

fn check_size(n_spins: usize) -> Result<(), Error> {
    if n_spins <= SchroedingerSampler::MAX_SPINS {
        return Ok(());
    }
    Err(ErrorKind::TooManyQubits {
        given: n_spins,
        limit: SchroedingerSampler::MAX_SPINS,
        method: "the Schroedinger equation",
        log2_bytes: n_spins + 4,
        remedy: "use path-integral or simulated annealing",
    }
    .into())
}

/// The coefficients divided by `sigma`: `h`, `[n_spins]`, and `J`, `[n_spins, n_spins]`.
fn scaled(model: &Ising) -> (Vec<f64>, Vec<f64>) {
    let (n, unit) = (model.n_spins(), unit(model.max_abs_coefficient()));
    let sigma = sigma(model, unit);
    let scaled = |x: f64| if sigma > 0.0 { x * unit / sigma } else { 0.0 };
    let mut couplings = vec![0.0; n * n];
    model.couplings().for_each(|(i, j, value)| couplings[i * n + j] = scaled(value));
    (model.fields().iter().map(|&h| scaled(h)).collect(), couplings)
}

impl IsingSampler for SchroedingerSampler {
    /// # Errors
    ///
    /// When there are more than [`MAX_SPINS`](Self::MAX_SPINS) spins (the message says how much
    /// memory they would take), no read is asked for, or the time is negative, NaN or more than
    /// `1e6`.
    fn sample(&self, model: &Ising, n_reads: usize) -> Result<SampleSet, Error> {
        check_reads(n_reads)?;
        let n = model.n_spins();
        check_size(n)?;
        let schedule = self.schedule()?;
        let stop = self.run.limits.start(n_reads);
        let (fields, couplings) = scaled(model);
        let start = vec![FRAC_PI_2; n];
        let (fields, couplings, start) = (&fields[..], &couplings[..], &start[..]);
        let input = EvolutionInput { batch: 1, fields, couplings, start, schedule: &schedule };
        let probabilities = Evolution::each_z(n)?.probabilities_until(&input, &|| stop.now())?;
        let distribution = Distribution::new(probabilities.into_iter());
        let read = |r: usize| {
            let mut rng = Xoshiro::new(self.run.seed, self.run.stream, r as u64);
            let index = distribution.at(rng.uniform());
            (0..n).map(move |i| 1 - 2 * (index >> i & 1) as i8)
        };
        let spins: Vec<i8> = (0..n_reads).flat_map(read).collect();
        stop.finished(model, n_reads, &spins);
        let set = SampleSet::evaluated(model, spins, n_reads).with_seed(self.run.seed);
        Ok(set.with_interrupted(stop.was_stopped()).with_elapsed(stop.elapsed()))
    }

    batch_by_streams!();
}
