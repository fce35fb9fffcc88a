//! Where selections come from.

use super::coefficients::{Coefficients, Tokens};
use crate::annealing::{
    BlockAnnealing, BlockGibbs, IsingSampler, QuboReads, RookModel, sample_qubos,
};
use crate::error::{Error, ErrorKind};
use crate::nn::SampleTemperature;
use crate::nn::annealing::not_negative;
use burn::config::Config;
use burn::tensor::Tensor;
use std::sync::Arc;

/// How a [`SelectionAttention`](super::SelectionAttention) finds its selections. Any other sampler can
/// be given to [`init_with_sampler`](super::SelectionAttentionConfig::init_with_sampler).
#[derive(Config, Debug, Copy, PartialEq)]
pub enum SelectionSearch {
    /// Boltzmann samples: [`BlockGibbs`](crate::annealing::BlockGibbs).
    Gibbs {
        /// The inverse temperature.
        beta: f64,
        /// The number of sweeps of each sample.
        n_sweeps: usize,
    },
    /// Low energies: [`BlockAnnealing`](crate::annealing::BlockAnnealing).
    Anneal {
        /// The number of sweeps of each run.
        n_sweeps: usize,
    },
}

#[derive(Debug)]
pub(in super::super) enum Finder {
    Search(SelectionSearch),
    Sampler(Arc<dyn IsingSampler>, SampleTemperature),
}

/// Selections of a batch.
pub(in super::super) struct Draw {
    /// `[batch, n_heads, n_samples, n]`.
    pub weights: Tensor<4>,
    /// What penalties add to the energy, `[batch, n_heads, n_samples]`.
    pub penalties: Tensor<3>,
    /// The mean energy, `[batch]`.
    pub energy: Tensor<1>,
    /// The inverse temperature of each element, `[batch, 1, 1, 1]`.
    pub beta: Tensor<4>,
}

/// Samples of one model.
pub(in super::super) struct Reads {
    /// `[n_reads, n_heads, n_bits, n_tokens]`.
    bits: Vec<u8>,
    beta: f64,
}

impl Finder {
    pub fn new(search: SelectionSearch) -> Self {
        Self::Search(search)
    }

    /// Whether samples have a temperature that could be known.
    pub fn has_temperature(&self) -> bool {
        !matches!(self, Self::Search(SelectionSearch::Anneal { .. }))
    }

    pub fn check(&self) {
        let beta = match self {
            Self::Search(SelectionSearch::Gibbs { beta, n_sweeps }) => {
                assert!(*n_sweeps > 0, "n_sweeps is 0: use 1 or more");
                *beta
            }
            Self::Sampler(_, SampleTemperature::Known(beta)) => *beta,
            _ => return,
        };
        assert!(beta > 0.0 && beta.is_finite(), "beta is {beta}: use a positive number");
    }

    /// `n_reads` samples of each model.
    pub fn samples(
        &self,
        models: &[RookModel],
        n_reads: usize,
        seed: u64,
        tracked: bool,
    ) -> Result<Vec<Reads>, Error> {
        let reads = self.reads(models, n_reads, seed, tracked)?;
        for (p, (read, model)) in reads.iter().zip(models).enumerate() {
            let found = read.bits.len().checked_div(model.n_bits()).unwrap_or(n_reads);
            if found != n_reads {
                let what = format!("the number of reads of problem {p}");
                let range = "a sampler that returns all reads that are asked for";
                return Err(ErrorKind::OutOfRange { what, value: found as f64, range }.into());
            }
        }
        Ok(reads)
    }

    /// The lowest of `n_reads` samples of each model.
    pub fn lowest(
        &self,
        models: &[RookModel],
        n_reads: usize,
        seed: u64,
    ) -> Result<Vec<Reads>, Error> {
        let reads = self.reads(models, n_reads, seed, false)?;
        Ok(reads.into_iter().zip(models).map(|(read, model)| read.lowest(model)).collect())
    }

    fn reads(
        &self,
        models: &[RookModel],
        n_reads: usize,
        seed: u64,
        tracked: bool,
    ) -> Result<Vec<Reads>, Error> {
        let with = |beta: f64| move |bits: Vec<u8>| Reads { bits, beta };
        Ok(match self {
            Self::Search(SelectionSearch::Gibbs { beta, n_sweeps }) => {
                let gibbs = BlockGibbs::new(*beta)?.with_n_sweeps(*n_sweeps).with_seed(seed);
                gibbs.sample(models, n_reads).into_iter().map(with(*beta)).collect()
            }
            Self::Search(SelectionSearch::Anneal { n_sweeps }) => {
                let anneal = BlockAnnealing::default().with_n_sweeps(*n_sweeps);
                let anneal = anneal.with_n_runs(n_reads).with_seed(seed);
                anneal.minimise(models).into_iter().map(with(1.0)).collect()
            }
            Self::Sampler(sampler, temperature) => {
                let qubos = models.iter().map(RookModel::to_qubo).collect::<Result<Vec<_>, _>>()?;
                let estimate = tracked && *temperature == SampleTemperature::Estimated;
                let reads = sample_qubos(sampler, seed, &qubos, n_reads, estimate)?;
                let of = |read| of_sampler(read, *temperature);
                reads.into_iter().map(of).collect::<Result<_, _>>()?
            }
        })
    }
}

fn of_sampler(read: QuboReads, temperature: SampleTemperature) -> Result<Reads, Error> {
    let beta = match (temperature, read.beta) {
        (SampleTemperature::Known(beta), _) => beta,
        (SampleTemperature::Estimated, Some(beta)) => not_negative(beta)?,
        // Nothing will be differentiated by a temperature.
        (SampleTemperature::Estimated, None) => 1.0,
    };
    Ok(Reads { bits: read.bits, beta })
}

impl Reads {
    fn lowest(self, model: &RookModel) -> Self {
        let reads = self.bits.chunks_exact(model.n_bits().max(1));
        let best = reads.min_by(|a, b| model.energy(a).total_cmp(&model.energy(b)));
        Self { bits: best.unwrap_or_default().to_vec(), beta: self.beta }
    }
}

impl Draw {
    /// Of `s` samples of each element: reads of one model, or one read of each of so many models.
    /// Energies and penalties are those of `models`, one for each element.
    pub fn new(
        reads: &[Reads],
        s: usize,
        models: &[RookModel],
        tokens: &Tokens,
        c: &Coefficients,
    ) -> Self {
        let [batch, heads, n, _] = c.couplings.dims();
        let per_element = reads.len() / batch.max(1);
        let samples = |b: usize| {
            let size = models[b].n_bits();
            let reads = &reads[b * per_element..][..per_element];
            reads.iter().flat_map(move |read| read.bits.chunks_exact(size.max(1)))
        };
        let mut weights = vec![0.0; batch * heads * s * n];
        let (mut penalties, mut energy) = (vec![0.0; batch * heads * s], vec![0.0; batch]);
        for (b, model) in models.iter().enumerate() {
            let places: Vec<usize> = match tokens.kept_of(b) {
                Some(kept) => (0..n).filter(|&i| kept[i]).collect(),
                None => (0..n).collect(),
            };
            for (k, bits) in samples(b).enumerate() {
                energy[b] += (model.energy(bits) / s as f64) as f32;
                let (w, p) = (model.weights(bits), model.penalties(bits));
                for h in 0..heads {
                    let row = (b * heads + h) * s + k;
                    penalties[row] = p[h] as f32;
                    let w = &w[h * places.len()..];
                    places.iter().zip(w).for_each(|(&i, w)| weights[row * n + i] = *w);
                }
            }
        }
        let betas: Vec<f64> =
            reads.iter().step_by(per_element.max(1)).map(|read| read.beta).collect();
        Self {
            weights: tokens.tensor(weights, [batch, heads, s, n]),
            penalties: tokens.tensor(penalties, [batch, heads, s]),
            energy: tokens.tensor(energy, [batch]),
            beta: tokens.tensor(betas, [batch, 1, 1, 1]),
        }
    }
}
