//! What every sampler must do.

use super::{IsingSampler, SampleSet};
use crate::ising::{BatchedIsing, Ising};

/// How a sampler broke the contract of [`IsingSampler`].
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{model}: {reason}")]
#[non_exhaustive]
pub struct NonConformance {
    /// The model on which it did.
    pub model: String,
    /// What was wrong.
    pub reason: String,
}

/// Runs a sampler over a corpus of small models, and checks what [`IsingSampler`] promises: as many
/// reads as asked for or (if the set says that it was interrupted, or the model has fewer
/// configurations) fewer, spins of `+1` and `-1`, energies that are those of the model, problems of
/// a batch in their order, and an error for no reads.
///
/// The corpus has no spins, one spin, no couplings, separate parts, dense and sparse couplings, and
/// coefficients from `1e-30` to `1e305`; no model has more than 12 spins. Nothing is said about how
/// low the energies are.
///
/// ```
/// use burn_quantum::annealing::{SimulatedAnnealing, check_conformance};
///
/// check_conformance(&SimulatedAnnealing::default().with_n_sweeps(10)).expect("it conforms");
/// ```
///
/// # Errors
///
/// The first deviation, or an error of the sampler.
pub fn check_conformance(sampler: &dyn IsingSampler) -> Result<(), NonConformance> {
    for (name, model) in corpus() {
        let fail = |reason: String| NonConformance { model: name.into(), reason };
        for n_reads in [1, 3, 40] {
            let set = sampler.sample(&model, n_reads).map_err(|e| fail(e.to_string()))?;
            check_set(&model, &set, n_reads).map_err(fail)?;
        }
        if sampler.sample(&model, 0).is_ok() {
            return Err(fail("no reads must be refused".into()));
        }
    }
    check_batch(sampler).map_err(|reason| NonConformance { model: "batch".into(), reason })
}

fn check_set(model: &Ising, set: &SampleSet, n_reads: usize) -> Result<(), String> {
    if set.n_spins() != model.n_spins() {
        return Err(format!("{} spins, the model has {}", set.n_spins(), model.n_spins()));
    }
    let configurations = 1usize.checked_shl(model.n_spins() as u32).unwrap_or(usize::MAX);
    let least = if set.is_interrupted() { 1 } else { n_reads.min(configurations) };
    if !(least..=n_reads).contains(&set.n_reads()) {
        return Err(format!("{} reads, asked for {n_reads}", set.n_reads()));
    }
    for (k, sample) in set.iter().enumerate() {
        if sample.count == 0 {
            return Err(format!("sample {k} was never read"));
        }
        if let Some(spin) = sample.spins.iter().find(|s| s.abs() != 1) {
            return Err(format!("a spin of sample {k} is {spin}"));
        }
        let energy = model.energy(sample.spins);
        if (energy - sample.energy).abs() > 1e-9 * energy.abs() {
            return Err(format!("sample {k} has energy {}, the model {energy}", sample.energy));
        }
    }
    Ok(())
}

fn check_batch(sampler: &dyn IsingSampler) -> Result<(), String> {
    // The fields are so strong that problem and fields are told apart by any minimiser, but only
    // the order of problems is checked: energies are those of the problem's own coefficients.
    let (n_problems, n) = (19, 5);
    let h: Vec<f32> = (0..n_problems * n).map(|k| (k % 7) as f32 - 3.0).collect();
    let j: Vec<f32> = (0..n_problems * n * n).map(|k| (k % 11) as f32 - 5.0).collect();
    let models = BatchedIsing::new(n_problems, n, h, j).map_err(|e| e.to_string())?;
    let batch = sampler.sample_batch(&models, 2).map_err(|e| e.to_string())?;
    if (batch.n_problems(), batch.n_spins()) != (n_problems, n) {
        return Err(format!("{} problems of {} spins", batch.n_problems(), batch.n_spins()));
    }
    for p in 0..n_problems {
        check_set(&models.problem(p), &batch.problem(p), 2)?;
    }
    if sampler.sample_batch(&models, 0).is_ok() {
        return Err("no reads must be refused".into());
    }
    Ok(())
}

fn corpus() -> Vec<(&'static str, Ising)> {
    let all_pairs = |n: usize, scale: f64| {
        let pairs = (0..n).flat_map(move |i| (i + 1..n).map(move |j| (i, j)));
        pairs.map(move |(i, j)| (i, j, scale * (((7 * i + 5 * j) % 11) as f64 - 5.0) / 3.0))
    };
    let ring =
        |n: usize| (0..n).map(move |i| (i, (i + 1) % n, if i % 3 == 0 { 1.0 } else { -1.0 }));
    let sparse = |fields: Vec<f64>, pairs: Vec<(usize, usize, f64)>, offset| {
        Ising::sparse(fields, pairs, offset).expect("the corpus is valid")
    };
    vec![
        ("no spins", sparse(vec![], vec![], 2.5)),
        ("one spin", sparse(vec![-0.75], vec![], 0.0)),
        ("one free spin", sparse(vec![0.0], vec![], -1.0)),
        ("no couplings", sparse(vec![1.0, -2.0, 0.0, 0.5], vec![], 0.0)),
        ("nothing at all", sparse(vec![0.0; 5], vec![], 0.0)),
        ("two parts", sparse(vec![0.0; 6], vec![(0, 1, 1.0), (1, 2, -1.0), (4, 5, 2.0)], 1.0)),
        ("ring", sparse(vec![0.0; 12], ring(12).collect(), 0.0)),
        ("ring in a field", sparse(vec![0.3; 9], ring(9).collect(), 0.0)),
        ("all pairs", sparse(vec![0.1; 8], all_pairs(8, 1.0).collect(), 0.0).to_dense()),
        ("huge", sparse(vec![1e30; 7], all_pairs(7, 1e30).collect(), 0.0)),
        ("near the largest number", sparse(vec![0.0; 6], all_pairs(6, 1e305).collect(), 0.0)),
        ("tiny", sparse(vec![1e-30; 7], all_pairs(7, 1e-30).collect(), 0.0).to_dense()),
        (
            "huge and sparse",
            sparse(vec![0.0; 8], ring(8).map(|(i, j, v)| (i, j, v * 1e30)).collect(), 0.0),
        ),
    ]
}
