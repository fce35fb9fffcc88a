//! Block Gibbs sampling and annealing of many models on the rook's graph.

use super::RookModel;
use super::chain::Chain;
use crate::error::{Error, ErrorKind};
use crate::random::Places;
use rayon::prelude::*;

/// Heat-bath updates of [`RookModel`]s at one inverse temperature, `p(x) ~ exp(-beta E(x))` after
/// enough sweeps.
///
/// A sweep visits the colours of a Latin square, whose bits do not see each other; sums are kept up
/// to date, so a visit costs `n_tokens` additions where a bit flips, and a few where it does not.
/// Every read is a chain of its own. Random numbers depend on the seed, the place of the model in the
/// batch, the read, the sweep, head, bit and token alone: not on the sizes of batch and model.
///
/// ```
/// use burn_quantum::annealing::{BlockGibbs, RookModel};
///
/// // One bit: p(x = 1) = 1 / (1 + exp(-beta f)).
/// let model = RookModel::new([1, 1], &[0.0], &[0.5], None)?;
/// let bits = BlockGibbs::new(2.0)?.with_n_sweeps(3).sample(&[model], 10_000).remove(0);
/// let mean = bits.iter().filter(|&&bit| bit == 1).count() as f64 / 1e4;
/// assert!((mean - 1.0 / (1.0 + (-1f64).exp())).abs() < 0.03);
/// # Ok::<(), burn_quantum::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct BlockGibbs {
    pub(crate) beta: f64,
    pub(crate) n_sweeps: usize,
    pub(crate) seed: u64,
}

impl BlockGibbs {
    /// A sampler at this inverse temperature.
    ///
    /// # Errors
    ///
    /// When it is not a positive number.
    pub fn new(beta: f64) -> Result<Self, Error> {
        if beta > 0.0 && beta.is_finite() {
            return Ok(Self { beta, n_sweeps: 16, seed: 0 });
        }
        let range = "a positive number";
        Err(ErrorKind::OutOfRange { what: "beta".into(), value: beta, range }.into())
    }

    /// The number of sweeps of each read. Default: 16
    pub fn with_n_sweeps(mut self, n_sweeps: usize) -> Self {
        self.n_sweeps = n_sweeps;
        self
    }

    /// The seed. Default: 0
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The bits of `n_reads` samples of each model, `[n_reads, n_heads, n_bits, n_tokens]`.
    pub fn sample(&self, models: &[RookModel], n_reads: usize) -> Vec<Vec<u8>> {
        let betas = vec![self.beta; self.n_sweeps];
        let chain =
            |p: usize, random| Chain { model: &models[p], betas: &betas, random, minimise: false };
        let chains = each_chain(self.seed, models.len(), n_reads, |p, random| {
            pulp::Arch::new().dispatch(chain(p, random))
        });
        (0..models.len()).map(|p| chains[p * n_reads..][..n_reads].concat()).collect()
    }
}

/// Simulated annealing of [`RookModel`]s: the temperature of each falls geometrically from 2 of its
/// [`rms_field`](RookModel::rms_field) to 0.05 of what that is without the cardinality, by the updates of
/// [`BlockGibbs`].
///
/// Each model, whatever the others, gets all its sweeps. A run remembers the best configuration after
/// a sweep and improves it by single flips in both directions until none helps, and where there is a
/// cardinality by exchanges of two bits of a head; the best run counts.
#[derive(Debug, Clone)]
pub struct BlockAnnealing {
    n_sweeps: usize,
    n_runs: usize,
    seed: u64,
}

impl Default for BlockAnnealing {
    fn default() -> Self {
        Self { n_sweeps: 20, n_runs: 4, seed: 0 }
    }
}

impl BlockAnnealing {
    /// The number of sweeps of each run. Default: 20
    pub fn with_n_sweeps(mut self, n_sweeps: usize) -> Self {
        self.n_sweeps = n_sweeps;
        self
    }

    /// The number of runs of each model. Default: 4
    ///
    /// # Panics
    ///
    /// Panics if it is 0.
    pub fn with_n_runs(mut self, n_runs: usize) -> Self {
        assert!(n_runs > 0, "n_runs is 0: use 1 or more");
        self.n_runs = n_runs;
        self
    }

    /// The seed. Default: 0
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The best configuration found of each model, `[n_heads, n_bits, n_tokens]`.
    pub fn minimise(&self, models: &[RookModel]) -> Vec<Vec<u8>> {
        let schedules: Vec<Vec<f64>> = models.iter().map(|m| self.betas(m)).collect();
        let runs = each_chain(self.seed, models.len(), self.n_runs, |p, random| {
            let (model, betas) = (&models[p], &schedules[p]);
            let bits = pulp::Arch::new().dispatch(Chain { model, betas, random, minimise: true });
            (model.energy(&bits), bits)
        });
        runs.chunks(self.n_runs).map(lowest).collect()
    }

    fn betas(&self, model: &RookModel) -> Vec<f64> {
        let (rms, steps) = (model.rms_field(), self.n_sweeps.max(2) - 1);
        // Where nothing pulls at any bit, every temperature is the same.
        let unit = if rms > 0.0 { rms } else { 1.0 };
        // A cardinality says how many, not which, and what says which may be far weaker.
        let rest = model.rms_field_without_cardinality();
        let cold = if rest > 0.0 { 0.05 * (rest / unit).min(1.0) } else { 0.05 };
        let at = |sweep: usize| 2.0 * (cold / 2.0).powf(sweep as f64 / steps as f64);
        (0..self.n_sweeps).map(|sweep| 1.0 / (unit * at(sweep))).collect()
    }
}

fn lowest(runs: &[(f64, Vec<u8>)]) -> Vec<u8> {
    let best = runs.iter().min_by(|a, b| a.0.total_cmp(&b.0));
    best.map(|(_, bits)| bits.clone()).unwrap_or_default()
}

/// Chains of all models on all threads, model after model.
pub(crate) fn each_chain<R: Send>(
    seed: u64,
    n_models: usize,
    n_reads: usize,
    chain: impl Fn(usize, Places) -> R + Sync,
) -> Vec<R> {
    let root = Places::new(seed);
    let one = |k: usize| {
        let (p, read) = (k / n_reads, k % n_reads);
        chain(p, root.child(p as u64).child(read as u64))
    };
    (0..n_models * n_reads).into_par_iter().map(one).collect()
}
