//! What samplers return.

use crate::error::{Error, ErrorKind, length};
use crate::ising::{BatchedIsing, Ising};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::time::Duration;

/// Methods of everything that has the fields `elapsed`, `seed` and `interrupted`.
macro_rules! run_report {
    () => {
        /// Says how long the sampler took.
        pub fn with_elapsed(mut self, elapsed: Duration) -> Self {
            self.elapsed = elapsed;
            self
        }

        /// Says of which seed the samples are.
        pub fn with_seed(mut self, seed: u64) -> Self {
            self.seed = Some(seed);
            self
        }

        /// Says whether the sampler was stopped before it had finished.
        pub fn with_interrupted(mut self, interrupted: bool) -> Self {
            self.interrupted = interrupted;
            self
        }

        /// The time that the sampler took, for all problems if there are many.
        pub fn elapsed(&self) -> Duration {
            self.elapsed
        }

        /// The seed of the sampler, if it has one.
        pub fn seed(&self) -> Option<u64> {
            self.seed
        }

        /// Whether the sampler was stopped, by a limit of time, a target or a cancellation, before
        /// it finished.
        pub fn is_interrupted(&self) -> bool {
            self.interrupted
        }
    };
}

/// One configuration of a [`SampleSet`].
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Sample<'a> {
    /// The spins, `+1` or `-1`.
    pub spins: &'a [i8],
    /// The energy of the model, offset included.
    pub energy: f64,
    /// How often it was read.
    pub count: usize,
}

/// Configurations of one model with their energies.
///
/// The energies are those of [`Ising::energy`]: no sampler reports its own.
///
/// ```
/// use burn_quantum::annealing::SampleSet;
/// use burn_quantum::ising::Ising;
///
/// let model = Ising::sparse(vec![0.0, 0.5], [(0, 1, -1.0)], 0.0)?;
/// let set = SampleSet::new(&model, vec![1, 1, -1, -1, 1, 1])?.aggregated().sorted();
/// let best = set.first().expect("not empty");
/// assert_eq!((best.spins, best.energy, best.count), (&[-1, -1][..], -1.5, 1));
/// assert_eq!((set.len(), set.n_reads()), (2, 3));
/// assert_eq!(set.mean_spins(), [1.0 / 3.0, 1.0 / 3.0]);
/// # Ok::<(), burn_quantum::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct SampleSet {
    n_spins: usize,
    spins: Vec<i8>,
    energies: Vec<f64>,
    counts: Vec<usize>,
    elapsed: Duration,
    seed: Option<u64>,
    interrupted: bool,
}

#[derive(Deserialize)]
struct Unchecked {
    n_spins: usize,
    spins: Vec<i8>,
    energies: Vec<f64>,
    counts: Vec<usize>,
    elapsed: Duration,
    seed: Option<u64>,
    interrupted: bool,
}

impl TryFrom<Unchecked> for SampleSet {
    type Error = Error;

    fn try_from(raw: Unchecked) -> Result<Self, Error> {
        let Unchecked { n_spins, spins, energies, counts, elapsed, seed, interrupted } = raw;
        length("the energies of a sample set", counts.len(), energies.len())?;
        let n_values = counts.len().saturating_mul(n_spins);
        length("the spins of a sample set", n_values, spins.len())?;
        check_spins(&spins)?;
        Ok(Self { n_spins, spins, energies, counts, elapsed, seed, interrupted })
    }
}

impl SampleSet {
    /// The configurations `[n_reads, n_spins]` of a model.
    ///
    /// # Errors
    ///
    /// When the values are not a multiple of the number of spins (none, for a model without spins)
    /// or one is neither `+1` nor `-1`.
    pub fn new(model: &Ising, spins: Vec<i8>) -> Result<Self, Error> {
        let n = model.n_spins();
        let n_reads = spins.len().checked_div(n).unwrap_or(0);
        length("the spins of a sample set", n_reads * n, spins.len())?;
        check_spins(&spins)?;
        Ok(Self::evaluated(model, spins, n_reads))
    }

    /// The configurations `[len, n_spins]` of a model, and how often each was read, `[len]`.
    ///
    /// ```
    /// use burn_quantum::annealing::SampleSet;
    /// use burn_quantum::ising::Ising;
    ///
    /// let model = Ising::sparse(vec![1.0], [], 0.0)?;
    /// let set = SampleSet::counted(&model, vec![-1, 1], vec![9, 1])?;
    /// assert_eq!((set.n_reads(), set.mean_energy()), (10, -0.8));
    /// # Ok::<(), burn_quantum::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// When there are not `len * n_spins` values, or one is neither `+1` nor `-1`.
    pub fn counted(model: &Ising, spins: Vec<i8>, counts: Vec<usize>) -> Result<Self, Error> {
        let n_values = counts.len().saturating_mul(model.n_spins());
        length("the spins of a sample set", n_values, spins.len())?;
        check_spins(&spins)?;
        let set = Self::evaluated(model, spins, counts.len());
        Ok(Self { counts, ..set })
    }

    /// `n_reads` configurations, of which the spins are known to be right.
    pub(super) fn evaluated(model: &Ising, spins: Vec<i8>, n_reads: usize) -> Self {
        let n_spins = model.n_spins();
        let energy = |k: usize| model.energy(&spins[k * n_spins..][..n_spins]);
        let energies = match n_reads * n_spins.max(model.n_couplings()) {
            0..100_000 => (0..n_reads).map(energy).collect(),
            _ => (0..n_reads).into_par_iter().map(energy).collect(),
        };
        let (counts, elapsed) = (vec![1; n_reads], Duration::ZERO);
        Self { n_spins, spins, energies, counts, elapsed, seed: None, interrupted: false }
    }

    run_report!();

    /// The number of configurations.
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// Whether there is no configuration.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// The number of spins of the model.
    pub fn n_spins(&self) -> usize {
        self.n_spins
    }

    /// The number of reads, which is the sum of the counts.
    pub fn n_reads(&self) -> usize {
        self.counts.iter().sum()
    }

    /// One configuration.
    ///
    /// # Panics
    ///
    /// Panics if `k >= len`.
    pub fn sample(&self, k: usize) -> Sample<'_> {
        let spins = &self.spins[k * self.n_spins..][..self.n_spins];
        Sample { spins, energy: self.energies[k], count: self.counts[k] }
    }

    /// All configurations.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Sample<'_>> + Clone {
        (0..self.len()).map(|k| self.sample(k))
    }

    /// A configuration of the lowest energy, the first of them.
    pub fn first(&self) -> Option<Sample<'_>> {
        self.iter().min_by(|a, b| a.energy.total_cmp(&b.energy))
    }

    /// All spins, `[len, n_spins]`.
    pub fn spins(&self) -> &[i8] {
        &self.spins
    }

    /// All energies, `[len]`.
    pub fn energies(&self) -> &[f64] {
        &self.energies
    }

    /// The mean of each spin over all reads, `[n_spins]`; zero without reads.
    pub fn mean_spins(&self) -> Vec<f64> {
        let mut sums = vec![0.0; self.n_spins];
        for sample in self.iter() {
            let count = sample.count as f64;
            sums.iter_mut().zip(sample.spins).for_each(|(sum, &s)| *sum += count * f64::from(s));
        }
        let n_reads = self.n_reads().max(1) as f64;
        sums.iter_mut().for_each(|sum| *sum /= n_reads);
        sums
    }

    /// The mean energy over all reads; NaN without reads.
    pub fn mean_energy(&self) -> f64 {
        let sum: f64 = self.iter().map(|sample| sample.count as f64 * sample.energy).sum();
        sum / self.n_reads() as f64
    }

    /// The configurations by ascending energy; equal ones keep their order.
    pub fn sorted(self) -> Self {
        let mut order: Vec<usize> = (0..self.len()).collect();
        order.sort_by(|&a, &b| self.energies[a].total_cmp(&self.energies[b]));
        self.select(&order)
    }

    /// At most the first `n` configurations.
    pub fn truncated(mut self, n: usize) -> Self {
        let n = n.min(self.len());
        self.counts.truncate(n);
        self.energies.truncate(n);
        self.spins.truncate(n * self.n_spins);
        self
    }

    /// Every configuration once, with the sum of its counts, in the order of first appearance.
    pub fn aggregated(self) -> Self {
        let mut seen: HashMap<&[i8], usize> = HashMap::new();
        let (mut order, mut counts) = (Vec::new(), Vec::<usize>::new());
        for (k, sample) in self.iter().enumerate() {
            let place = *seen.entry(sample.spins).or_insert(order.len());
            if place == order.len() {
                order.push(k);
                counts.push(0);
            }
            counts[place] += sample.count;
        }
        Self { counts, ..self.select(&order) }
    }

    fn select(&self, order: &[usize]) -> Self {
        Self {
            n_spins: self.n_spins,
            spins: order.iter().flat_map(|&k| self.sample(k).spins).copied().collect(),
            energies: order.iter().map(|&k| self.energies[k]).collect(),
            counts: order.iter().map(|&k| self.counts[k]).collect(),
            ..*self
        }
    }
}

/// The samples of a [`BatchedIsing`], problem after problem.
///
/// Problems that an interrupted run had not begun may hold the states from which it would have
/// started.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BatchSampleSet {
    n_spins: usize,
    /// Where the reads of each problem start, `[n_problems + 1]`.
    starts: Vec<usize>,
    spins: Vec<i8>,
    energies: Vec<f64>,
    elapsed: Duration,
    seed: Option<u64>,
    interrupted: bool,
}

impl BatchSampleSet {
    /// The configurations `[n_problems, n_reads, n_spins]` of the models of a batch.
    ///
    /// # Errors
    ///
    /// When the number of values is another, or one is neither `+1` nor `-1`.
    pub fn new(models: &BatchedIsing<'_>, n_reads: usize, spins: Vec<i8>) -> Result<Self, Error> {
        let (n_problems, n) = (models.n_problems(), models.n_spins());
        let n_values = n_problems.saturating_mul(n_reads).saturating_mul(n);
        length("the spins of a sample set", n_values, spins.len())?;
        check_spins(&spins)?;
        let energies = energies(models, n_reads, &spins);
        Ok(Self {
            n_spins: n,
            starts: (0..=n_problems).map(|p| p * n_reads).collect(),
            spins,
            energies,
            elapsed: Duration::ZERO,
            seed: None,
            interrupted: false,
        })
    }

    /// The sets of all problems, one after the other. Counts become repeated rows.
    pub(super) fn joined(n_spins: usize, sets: Vec<SampleSet>) -> Self {
        let mut all = Self {
            n_spins,
            starts: vec![0],
            spins: Vec::new(),
            energies: Vec::new(),
            elapsed: Duration::ZERO,
            seed: None,
            interrupted: false,
        };
        for set in sets {
            for sample in set.iter() {
                for _ in 0..sample.count {
                    all.spins.extend(sample.spins);
                    all.energies.push(sample.energy);
                }
            }
            all.starts.push(all.energies.len());
            all.elapsed += set.elapsed;
            all.seed = set.seed;
            all.interrupted |= set.interrupted;
        }
        all
    }

    run_report!();

    /// The number of problems.
    pub fn n_problems(&self) -> usize {
        self.starts.len() - 1
    }

    /// The number of spins of each problem.
    pub fn n_spins(&self) -> usize {
        self.n_spins
    }

    /// The number of reads of one problem. An interrupted run may have fewer than asked for.
    ///
    /// # Panics
    ///
    /// Panics if `problem >= n_problems`, as do the other methods that take a problem.
    pub fn n_reads(&self, problem: usize) -> usize {
        self.starts[problem + 1] - self.starts[problem]
    }

    /// All spins, problem after problem and read after read.
    pub fn spins(&self) -> &[i8] {
        &self.spins
    }

    /// All energies, in the same order.
    pub fn energies(&self) -> &[f64] {
        &self.energies
    }

    /// The spins of one problem, `[n_reads, n_spins]`.
    pub fn spins_of(&self, problem: usize) -> &[i8] {
        let (start, end) = (self.starts[problem], self.starts[problem + 1]);
        &self.spins[start * self.n_spins..end * self.n_spins]
    }

    /// The energies of one problem, `[n_reads]`.
    pub fn energies_of(&self, problem: usize) -> &[f64] {
        &self.energies[self.starts[problem]..self.starts[problem + 1]]
    }

    /// The samples of one problem.
    pub fn problem(&self, problem: usize) -> SampleSet {
        SampleSet {
            n_spins: self.n_spins,
            spins: self.spins_of(problem).to_vec(),
            energies: self.energies_of(problem).to_vec(),
            counts: vec![1; self.n_reads(problem)],
            elapsed: self.elapsed,
            seed: self.seed,
            interrupted: self.interrupted,
        }
    }
}

/// See [`Energies`].
fn energies(models: &BatchedIsing<'_>, n_reads: usize, spins: &[i8]) -> Vec<f64> {
    let n = models.n_spins();
    let mut energies = vec![0.0; models.n_problems() * n_reads];
    let work = |(problem, energies): (usize, &mut [f64])| {
        let spins = &spins[problem * n_reads * n..][..n_reads * n];
        pulp::Arch::new().dispatch(Energies { models, problem, spins, energies });
    };
    match energies.len() * n * n {
        0..200_000 => energies.chunks_mut(n_reads.max(1)).enumerate().for_each(work),
        _ => energies.par_chunks_mut(n_reads.max(1)).enumerate().with_min_len(16).for_each(work),
    }
    energies
}

/// The same as [`BatchedIsing::energy`] up to the order of summation, in registers.
struct Energies<'a> {
    models: &'a BatchedIsing<'a>,
    problem: usize,
    spins: &'a [i8],
    energies: &'a mut [f64],
}

impl pulp::WithSimd for Energies<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        const LANES: usize = 8;
        let n = self.models.n_spins();
        let (h, j) = (self.models.fields_of(self.problem), self.models.couplings_of(self.problem));
        let mut wide = vec![0.0; n];
        for (energy, spins) in self.energies.iter_mut().zip(self.spins.chunks(n.max(1))) {
            wide.iter_mut().zip(spins).for_each(|(to, &s)| *to = f64::from(s));
            *energy = 0.0;
            for i in 0..n {
                let (row, rest) = (&j[i * n + i + 1..(i + 1) * n], &wide[i + 1..]);
                let mut sums = [0.0; LANES];
                let (rows, row_tail) = row.as_chunks::<LANES>();
                let (rests, rest_tail) = rest.as_chunks::<LANES>();
                for (row, rest) in rows.iter().zip(rests) {
                    for l in 0..LANES {
                        sums[l] += f64::from(row[l]) * rest[l];
                    }
                }
                let tail: f64 =
                    row_tail.iter().zip(rest_tail).map(|(&j, s)| f64::from(j) * s).sum();
                *energy += wide[i] * (f64::from(h[i]) + sums.iter().sum::<f64>() + tail);
            }
        }
    }
}

/// Refuses values that are not spins.
pub(super) fn check_spins(spins: &[i8]) -> Result<(), Error> {
    let odd = spins.iter().fold(false, |odd, &s| odd | ((s != 1) & (s != -1)));
    match spins.iter().position(|&s| odd && s != 1 && s != -1) {
        None => Ok(()),
        Some(k) => {
            let (what, value) = (format!("spin value {k}"), spins[k].into());
            Err(ErrorKind::OutOfRange { what, value, range: "+1 or -1" }.into())
        }
    }
}
