//! Finitely many shots after the Schroedinger equation.

use super::Shots;
use super::sampled::Seeds;
use crate::error::Error;
use crate::gradient::SpinStatistics;
use crate::ops::{anneal_expectation, anneal_shots};
use crate::statevector::Evolution;
use burn::tensor::Tensor;
use std::sync::Arc;

/// Measurements of the state, with the gradient of its expectation values.
#[derive(Debug)]
pub(super) struct Measuring {
    shots: Shots,
    statistics: SpinStatistics,
    seeds: Seeds,
}

impl Measuring {
    pub fn new(shots: Shots, statistics: SpinStatistics, seed: u64) -> Self {
        Self { shots, statistics, seeds: Seeds::new(seed) }
    }

    /// Fields, start angles and pulses as in [`anneal_expectation`].
    pub fn forward(
        &self,
        [fields, start, pulses]: [Tensor<2>; 3],
        couplings: Tensor<3>,
        evolution: &Arc<Evolution>,
    ) -> Result<Tensor<2>, Error> {
        let inputs = [&fields, &start].map(|x| x.clone().without_autodiff());
        let (j, p) = (couplings.clone().without_autodiff(), pulses.clone().without_autodiff());
        let exact = anneal_expectation(fields, couplings, start, pulses, evolution);
        let tracked = exact.is_tracked();
        if !tracked && !self.shots.in_evaluation {
            return Ok(exact);
        }
        let seed = self.seeds.next(tracked);
        let measured = anneal_shots(inputs, j, p, &self.statistics, self.shots.n_shots, seed)?;
        let value = exact.clone().without_autodiff();
        Ok(exact + (measured - value))
    }
}
