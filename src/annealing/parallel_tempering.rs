//! Parallel tempering.

use super::control::Stop;
use super::kernels::Xoshiro;
use super::reads::{Run, batch_by_streams, independent_reads, run_options};
use super::walker::Walker;
use super::{IsingSampler, SampleSet, Schedule};
use crate::error::{Error, ErrorKind};
use crate::ising::Ising;

/// Chains at many temperatures that exchange their configurations, with isoenergetic cluster moves
/// on sparse models.
///
/// After each sweep, neighbouring temperatures `a` and `b` exchange with probability
/// `min(1, exp((beta_a - beta_b) (E_a - E_b)))`. With cluster moves there are two replicas of every
/// temperature: a connected cluster of spins in which they differ is flipped in both, which leaves
/// the sum of their energies as it is. Clusters percolate on dense graphs, where such moves only
/// exchange the replicas; so by default they are made if spins have at most 6 neighbours on average.
///
/// ```
/// use burn_quantum::annealing::{IsingSampler, ParallelTempering};
/// use burn_quantum::ising::Ising;
///
/// let ring = (0..10).map(|i| (i, (i + 1) % 10, 1.0));
/// let model = Ising::sparse(vec![0.0; 10], ring, 0.0)?;
/// let set = ParallelTempering::default().with_n_sweeps(100).sample(&model, 2)?;
/// assert_eq!(set.energies(), [-10.0, -10.0]);
/// # Ok::<(), burn_quantum::Error>(())
/// ```
///
/// # References
///
/// - [Hukushima and Nemoto (1996)](https://arxiv.org/abs/cond-mat/9512035), exchange Monte Carlo
/// - [Zhu, Ochoa and Katzgraber (2015)](https://arxiv.org/abs/1501.05630), cluster moves
#[derive(Debug, Clone)]
pub struct ParallelTempering {
    n_sweeps: usize,
    n_temperatures: usize,
    range: Option<(f64, f64)>,
    cluster_moves: Option<bool>,
    coldest: bool,
    run: Run,
}

impl Default for ParallelTempering {
    fn default() -> Self {
        let run = Run::default();
        let (range, cluster_moves) = (None, None);
        Self { n_sweeps: 1000, n_temperatures: 24, range, cluster_moves, coldest: false, run }
    }
}

impl ParallelTempering {
    run_options!();

    /// The number of sweeps of each replica. Default: 1000
    pub fn with_n_sweeps(mut self, n_sweeps: usize) -> Self {
        self.n_sweeps = n_sweeps;
        self
    }

    /// The number of temperatures. Default: 24
    pub fn with_n_temperatures(mut self, n_temperatures: usize) -> Self {
        self.n_temperatures = n_temperatures;
        self
    }

    /// The inverse temperatures of the hot and the cold end, with a geometric ladder between them.
    /// Default: [`Schedule::range`] of the model
    pub fn with_range(mut self, hot: f64, cold: f64) -> Self {
        self.range = Some((hot, cold));
        self
    }

    /// Whether to make cluster moves. Default: on sparse models
    pub fn with_cluster_moves(mut self, cluster_moves: bool) -> Self {
        self.cluster_moves = Some(cluster_moves);
        self
    }

    /// Returns the last configuration of the coldest chain, which is a Boltzmann sample, and not
    /// the lowest one that any chain has met.
    pub fn with_boltzmann_samples(mut self) -> Self {
        self.coldest = true;
        self
    }

    fn read(&self, model: &Ising, betas: &[f64], rng: &mut Xoshiro, stop: &Stop) -> Vec<i8> {
        let n = model.n_spins();
        let sparse = 2 * model.n_couplings() <= 6 * n;
        let clusters = self.cluster_moves.unwrap_or(sparse) && n > 0;
        let n_replicas = if clusters { 2 } else { 1 };
        let mut replicas: Vec<Vec<Walker>> = (0..n_replicas)
            .map(|_| betas.iter().map(|_| Walker::random(model, rng)).collect())
            .collect();
        let (mut best, mut best_energy) = (replicas[0][0].spins.clone(), replicas[0][0].energy);
        let mut cluster = Cluster::new(n);
        for sweep in 0..self.n_sweeps {
            if stop.now() || stop.is_target(best_energy + model.offset()) {
                break;
            }
            for ladder in &mut replicas {
                for (walker, &beta) in ladder.iter_mut().zip(betas) {
                    walker.sweep(beta, rng);
                    if walker.energy < best_energy {
                        best_energy = walker.energy;
                        best.copy_from_slice(&walker.spins);
                    }
                }
            }
            if let [first, second] = &mut replicas[..] {
                for (a, b) in first.iter_mut().zip(second) {
                    cluster.exchange(model, a, b, rng);
                }
            }
            for ladder in &mut replicas {
                for cold in (1 + sweep % 2..betas.len()).step_by(2) {
                    let [a, b] = [cold - 1, cold];
                    let exponent = (betas[b] - betas[a]) * (ladder[b].energy - ladder[a].energy);
                    if exponent >= 0.0 || rng.uniform() < exponent.exp() {
                        ladder.swap(a, b);
                    }
                }
            }
            if sweep % 256 == 255 {
                replicas.iter_mut().flatten().for_each(Walker::refresh);
            }
        }
        match self.coldest {
            true => replicas[0].pop().map_or(best, |walker| walker.spins),
            false => best,
        }
    }
}

/// The cluster of Houdayer's move (2001), with the memory to grow it.
struct Cluster {
    inside: Vec<bool>,
    members: Vec<usize>,
}

impl Cluster {
    fn new(n: usize) -> Self {
        Self { inside: vec![false; n], members: Vec::new() }
    }

    fn exchange(&mut self, model: &Ising, a: &mut Walker, b: &mut Walker, rng: &mut Xoshiro) {
        let differ = |i: usize, a: &Walker, b: &Walker| a.spins[i] != b.spins[i];
        let different: Vec<usize> = (0..a.spins.len()).filter(|&i| differ(i, a, b)).collect();
        if different.is_empty() {
            return;
        }
        self.members.clear();
        self.add(different[rng.below(different.len())]);
        let mut next = 0;
        while let Some(&i) = self.members.get(next) {
            for &j in model.neighbours(i).0 {
                if !self.inside[j as usize] && differ(j as usize, a, b) {
                    self.add(j as usize);
                }
            }
            next += 1;
        }
        for &i in &self.members {
            a.flip(i);
            b.flip(i);
            self.inside[i] = false;
        }
    }

    fn add(&mut self, i: usize) {
        self.inside[i] = true;
        self.members.push(i);
    }
}

impl IsingSampler for ParallelTempering {
    /// # Errors
    ///
    /// When no read or no temperature is asked for, or the range is not of positive numbers.
    fn sample(&self, model: &Ising, n_reads: usize) -> Result<SampleSet, Error> {
        if self.n_temperatures == 0 {
            let (what, value) = ("the number of temperatures".into(), 0.0);
            return Err(ErrorKind::OutOfRange { what, value, range: "one or more" }.into());
        }
        let (from, to) = self.range.unwrap_or_else(|| Schedule::range(model));
        let mut betas = Schedule::Geometric { from, to }.fixed(self.n_temperatures)?;
        if let [only] = &mut betas[..] {
            *only = to;
        }
        independent_reads(&self.run, model, n_reads, |rng, stop| {
            self.read(model, &betas, rng, stop)
        })
    }

    batch_by_streams!();
}
