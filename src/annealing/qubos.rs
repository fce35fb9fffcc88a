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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::annealing::{GibbsSampler, Random};

    fn chain(n: usize) -> Qubo {
        let pairs = (1..n).map(|i| (i - 1, i, 0.7));
        Qubo::sparse(n, (0..n).map(|i| (i, i, -0.4)).chain(pairs), 0.0).unwrap()
    }

    #[test]
    fn sizes_share_a_temperature() {
        let sampler: Arc<dyn IsingSampler> = Arc::new(GibbsSampler::new(0.8).with_n_sweeps(20));
        // One that tells nothing of a temperature, which alone would be an error.
        let flat = Qubo::sparse(1, [], 0.0).unwrap();
        let qubos = [flat, chain(6), chain(6), chain(2)];
        let reads = sample_qubos(&sampler, 3, &qubos, 20_000, true).unwrap();
        let beta = reads[0].beta.unwrap();
        assert!(reads.iter().all(|read| read.beta == Some(beta)) && (beta - 0.8).abs() < 0.05);
        let reads = sample_qubos(&sampler, 3, &qubos, 2, false).unwrap();
        assert!(reads.iter().all(|read| read.beta.is_none()));
    }

    #[test]
    fn sizes_have_random_numbers_of_their_own() {
        let sampler: Arc<dyn IsingSampler> = Arc::new(Random::default());
        let of = |seed| {
            let reads = sample_qubos(&sampler, seed, &[1, 2].map(chain), 64, false).unwrap();
            let second: Vec<u8> = reads[1].bits.iter().step_by(2).copied().collect();
            (reads[0].bits.clone(), second)
        };
        assert!(of(1).0 != of(1).1 && of(1).0 != of(2).0 && of(1) == of(1));
    }
}
