//! QUBOs of different sizes, sampled as Ising models.

use super::temperature::effective_beta_of_batches;
use super::{BatchSampleSet, IsingSampler};
use crate::error::{Error, ErrorKind};
use crate::ising::{BatchedIsing, Ising, Qubo, to_bits};
use crate::random::Places;
use std::sync::Arc;

/// What a sampler drew of one QUBO.
#[derive(Debug, Clone, Default)]
pub(crate) struct QuboReads {
    /// `[n_reads, n_variables]`.
    pub bits: Vec<u8>,
    /// The inverse temperature, if it was to be estimated.
    pub beta: Option<f64>,
}

/// At least one read of each QUBO, and `n_reads` unless the sampler stops early. Those of one size go
/// to the sampler as one batch of dense models, with a seed of its own; the temperature is that of all
/// samples together.
pub(crate) fn sample_qubos(
    sampler: &Arc<dyn IsingSampler>,
    seed: u64,
    qubos: &[Qubo],
    n_reads: usize,
    estimate: bool,
) -> Result<Vec<QuboReads>, Error> {
    let mut sizes: Vec<usize> = qubos.iter().map(Qubo::n_variables).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let mut reads = vec![QuboReads::default(); qubos.len()];
    let mut groups = Vec::new();
    for n in sizes.into_iter().filter(|&n| n > 0) {
        let places: Vec<usize> =
            (0..qubos.len()).filter(|&p| qubos[p].n_variables() == n).collect();
        let models = places.iter().map(|&p| qubos[p].to_ising()).collect::<Result<Vec<_>, _>>()?;
        let models = batch(n, &models)?;
        let [low, high] = Places::new(seed).child(n as u64).words(0, 0);
        let reseeded = sampler.reseeded(u64::from(high) << 32 | u64::from(low));
        let sampler = reseeded.as_ref().unwrap_or(sampler);
        let samples = sampler.sample_batch(&models, n_reads)?;
        for (k, p) in places.into_iter().enumerate() {
            reads[p].bits = bits(&samples, k)?;
        }
        groups.push((models, samples));
    }
    if estimate && !groups.is_empty() {
        let beta = effective_beta_of_batches(&groups)?.beta;
        reads.iter_mut().for_each(|read| read.beta = Some(beta));
    }
    Ok(reads)
}

fn bits(samples: &BatchSampleSet, problem: usize) -> Result<Vec<u8>, Error> {
    if samples.n_reads(problem) > 0 {
        return Ok(to_bits(samples.spins_of(problem)));
    }
    let what = format!("the number of reads of problem {problem}");
    Err(ErrorKind::OutOfRange { what, value: 0.0, range: "a sampler that returns one or more" }
        .into())
}

fn batch(n: usize, models: &[Ising]) -> Result<BatchedIsing<'static>, Error> {
    let fields = models.iter().flat_map(|m| m.fields().iter().map(|&h| h as f32));
    let mut couplings = vec![0.0; models.len() * n * n];
    for (matrix, model) in couplings.chunks_exact_mut(n * n).zip(models) {
        model.couplings().for_each(|(i, j, value)| matrix[i * n + j] = value as f32);
    }
    BatchedIsing::new(models.len(), n, fields.collect::<Vec<_>>(), couplings)
}
