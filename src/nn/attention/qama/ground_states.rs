//! Selections of the lowest energy, for annealers whose samples have no temperature.

use super::input::Masks;
use super::selection::{model_couplings, model_fields};
use crate::annealing::{BatchSampleSet, IsingSampler};
use crate::error::{Error, ErrorKind};
use crate::nn::annealing::Seeds;
use crate::ops::sample_ising;
use crate::random::Places;
use burn::config::Config;
use burn::tensor::{DType, Device, Tensor, TensorData, s};
use std::sync::Arc;

/// How the selection of a [`Qama`](super::Qama) is made of ground states, and differentiated.
#[derive(Config, Debug, Copy, PartialEq)]
pub enum QamaGroundStates {
    /// The mean of `n_samples` ground states, of models whose fields and couplings have Gaussian noise:
    /// `m = E[z*(theta + epsilon Z, W + epsilon Z' / sqrt(n))]`, with `n` keys that are not padding. Its gradient, `E[z* Z] / epsilon`,
    /// needs no temperature ([Berthet et al. 2020](https://arxiv.org/abs/2002.08676)).
    ///
    /// Noise comes in pairs of opposite sign, and that of couplings is shared by all queries, as they are.
    Perturbed {
        /// The standard deviation of the noise of a field.
        epsilon: f64,
        /// An even number.
        n_samples: usize,
    },
    /// The ground state itself, as a constant: only values and what follows are trained.
    Frozen,
}

impl QamaGroundStates {
    /// # Panics
    ///
    /// On numbers out of their range.
    fn check(self) {
        if let Self::Perturbed { epsilon, n_samples } = self {
            let positive = epsilon > 0.0 && epsilon.is_finite();
            assert!(positive, "epsilon is {epsilon}: use a positive number");
            let pairs = n_samples > 0 && n_samples.is_multiple_of(2);
            assert!(pairs, "n_samples is {n_samples}: use an even number of 2 or more");
        }
    }

    pub(super) fn n_samples(self) -> usize {
        match self {
            Self::Perturbed { n_samples, .. } => n_samples,
            Self::Frozen => 1,
        }
    }
}

/// An annealer, whose lowest read of `n_reads` counts as the ground state.
#[derive(Debug)]
pub(super) struct Annealer {
    sampler: Arc<dyn IsingSampler>,
    n_reads: usize,
    seeds: Seeds,
    pub ground_states: QamaGroundStates,
}

impl Annealer {
    /// # Panics
    ///
    /// On numbers out of their range.
    pub fn new(
        sampler: Arc<dyn IsingSampler>,
        n_reads: usize,
        seed: u64,
        ground_states: QamaGroundStates,
    ) -> Self {
        assert!(n_reads > 0, "n_reads is 0: use 1 or more");
        ground_states.check();
        Self { sampler, n_reads, seeds: Seeds::new(seed), ground_states }
    }

    /// As [`Selector::select`](super::selection::Selector::select).
    pub fn select(
        &self,
        theta: Tensor<4>,
        couplings: Option<Tensor<4>>,
        masks: &Masks,
    ) -> Result<Tensor<4>, Error> {
        let tracked = theta.is_tracked() || couplings.as_ref().is_some_and(Tensor::is_tracked);
        let seed = self.seeds.next(tracked);
        let of_head = |h: usize| {
            let theta = theta.clone().slice(s![.., h..h + 1, .., ..]);
            let w = couplings.clone().map(|w| w.slice(s![.., h..h + 1, .., ..]));
            self.of_head(seed.wrapping_add(h as u64), theta, w, masks)
        };
        let heads = (0..theta.dims()[1]).map(of_head);
        Ok(Tensor::cat(heads.collect::<Result<Vec<_>, _>>()?, 1))
    }

    /// `theta [batch, 1, n_queries, n_keys]` and `w [batch or 1, 1, n_keys, n_keys]`, to a selection of the
    /// shape of `theta`.
    fn of_head(
        &self,
        seed: u64,
        theta: Tensor<4>,
        w: Option<Tensor<4>>,
        masks: &Masks,
    ) -> Result<Tensor<4>, Error> {
        let QamaGroundStates::Perturbed { epsilon, n_samples } = self.ground_states else {
            let (theta, w) = (theta.without_autodiff(), w.map(Tensor::without_autodiff));
            return self.lowest(seed, theta, w, masks);
        };
        let noise = Noise::new(Places::new(seed), &theta, w.is_some(), n_samples, masks);
        let by_n = masks.n_keys(theta.dims()[3]).sqrt().recip() * epsilon;
        let noisy = theta.clone().without_autodiff() + noise.fields.clone() * epsilon;
        let noisy_w = w.clone().zip(noise.couplings.clone());
        let noisy_w = noisy_w.map(|(w, noise)| w.without_autodiff() + noise * by_n.clone());
        let z = self.lowest(seed, noisy, noisy_w, masks)?;
        let mean = z.clone().mean_dim(1);
        let mut score = (theta * noise.fields).sum_dim(3) / epsilon;
        if let Some((w, noise)) = w.zip(noise.couplings) {
            // Each pair is in the matrix twice.
            score = score + masks.sum_of_pairs(w * noise) * 0.5 / by_n;
        }
        // Zero, with the gradient of the score.
        let zero = score.clone() - score.without_autodiff();
        Ok(mean.clone() + (zero * (z - mean)).mean_dim(1))
    }

    /// Bits of the lowest energy, of models `[batch, n_samples]` of all queries.
    fn lowest(
        &self,
        seed: u64,
        theta: Tensor<4>,
        w: Option<Tensor<4>>,
        masks: &Masks,
    ) -> Result<Tensor<4>, Error> {
        let dims @ [batch, n_samples, n_queries, n] = theta.dims();
        let to = (theta.device(), theta.dtype());
        let fields = model_fields(theta, w.clone(), masks);
        let rows = fields.reshape([batch * n_samples * n_queries, n]);
        let j = match w {
            Some(w) => model_couplings(w.expand([batch, n_samples, n, n]), &masks.meet()),
            None => Tensor::zeros([1, n, n], (&to.0, to.1)),
        };
        let sampler = self.sampler.reseeded(seed);
        let sampler = sampler.as_ref().unwrap_or(&self.sampler);
        let set = sample_ising(&rows, &j, &**sampler, self.n_reads)?;
        if (0..set.n_problems()).any(|p| set.n_reads(p) == 0) {
            let what = "the number of reads that the annealer returned".into();
            return Err(ErrorKind::OutOfRange { what, value: 0.0, range: "1 or more" }.into());
        }
        let bits: Vec<f32> = (0..set.n_problems()).flat_map(|p| lowest_bits(&set, p)).collect();
        Ok(masks.apply(Tensor::from_data(TensorData::new(bits, dims), (&to.0, to.1))))
    }
}

/// `z = (1 + s) / 2` of the lowest read.
fn lowest_bits(set: &BatchSampleSet, problem: usize) -> Vec<f32> {
    let n = set.n_spins();
    let reads = set.spins_of(problem).chunks_exact(n.max(1)).zip(set.energies_of(problem));
    let best = reads.min_by(|a, b| a.1.total_cmp(b.1)).map(|(spins, _)| spins);
    let bits = best.unwrap_or_default().iter().map(|&s| f32::from(u8::from(s > 0)));
    bits.collect()
}

/// Normal numbers for what a query may select, and 0 for the rest.
struct Noise {
    /// `[batch, n_samples, n_queries, n_keys]`.
    fields: Tensor<4>,
    /// Symmetric, without diagonal, `[batch, n_samples, n_keys, n_keys]`.
    couplings: Option<Tensor<4>>,
}

impl Noise {
    fn new(
        places: Places,
        theta: &Tensor<4>,
        has_couplings: bool,
        n_samples: usize,
        masks: &Masks,
    ) -> Self {
        let [batch, _, n_queries, n] = theta.dims();
        let to = (theta.device().without_autodiff(), theta.dtype());
        let matrices = |rows: usize, of: &dyn Fn(Places, usize, usize) -> f64| {
            matrices(places, [batch, n_samples, rows, n], &to, of)
        };
        let field = |places: Places, i: usize, j: usize| places.normal(i as u32, j as u32);
        let pair = |places: Places, i: usize, j: usize| match i == j {
            true => 0.0,
            false => places.child(0).normal(i.min(j) as u32, i.max(j) as u32),
        };
        Self {
            fields: masks.apply(matrices(n_queries, &field)),
            couplings: has_couplings.then(|| matrices(n, &pair)),
        }
    }
}

/// Of each two samples, the second has the opposite sign.
fn matrices(
    places: Places,
    dims: [usize; 4],
    to: &(Device, DType),
    of: &dyn Fn(Places, usize, usize) -> f64,
) -> Tensor<4> {
    let [batch, n_samples, rows, columns] = dims;
    let mut values = Vec::with_capacity(dims.iter().product());
    for k in 0..batch * n_samples {
        let (b, s) = (k / n_samples, k % n_samples);
        let sign = if s % 2 == 0 { 1.0 } else { -1.0 };
        let places = places.child(b as u64).child((s / 2) as u64);
        let row = |i: usize| (0..columns).map(move |j| (sign * of(places, i, j)) as f32);
        values.extend((0..rows).flat_map(row));
    }
    Tensor::from_data(TensorData::new(values, dims), (&to.0, to.1))
}
