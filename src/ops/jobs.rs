//! What each operation computes, on slices.

use super::host::{HostJob, HostSlice};
use super::{CircuitRun, SpinSamples};
use crate::error::Error;
use crate::statevector::{Evolution, EvolutionInput, Real};

/// `circuit_expectation(inputs, weights)`.
pub(super) struct Circuit<'a>(pub &'a CircuitRun);

impl HostJob<2, 1> for Circuit<'_> {
    const NAME: &'static str = "circuit_expectation";

    fn run<T: Real>(&self, [inputs, weights]: [HostSlice<T>; 2]) -> Result<[Vec<T>; 1], Error> {
        let (batch, x, w) = (inputs.rows(), &inputs.values, &weights.values);
        if !self.0.keeps() {
            return Ok([self.0.program.expectation(batch, x, w)?]);
        }
        let (values, states) = self.0.program.forward(batch, x, w)?;
        self.0.put(states);
        Ok([values])
    }

    fn shapes(&self, [inputs, _]: [&[usize]; 2]) -> [Vec<usize>; 1] {
        [vec![inputs[0], self.0.program.n_observables()]]
    }
}

/// The gradient of [`Circuit`] by `(inputs, weights)`, given `(inputs, weights, cotangent)`.
pub(super) struct CircuitGradient<'a>(pub &'a CircuitRun);

impl HostJob<3, 2> for CircuitGradient<'_> {
    const NAME: &'static str = "the gradient of circuit_expectation";

    fn run<T: Real>(&self, [inputs, weights, c]: [HostSlice<T>; 3]) -> Result<[Vec<T>; 2], Error> {
        let (batch, x, w) = (inputs.rows(), &inputs.values, &weights.values);
        let g = match self.0.take() {
            Some(states) => self.0.program.gradient_from(states, x, w, &c.values)?,
            None => self.0.program.gradient(batch, x, w, &c.values)?,
        };
        Ok([g.inputs, g.weights])
    }

    fn shapes(&self, [inputs, weights, _]: [&[usize]; 3]) -> [Vec<usize>; 2] {
        [inputs.to_vec(), weights.to_vec()]
    }
}

/// `anneal_expectation(fields, couplings, start, schedule)`.
pub(super) struct Anneal<'a>(pub &'a Evolution);

impl HostJob<4, 1> for Anneal<'_> {
    const NAME: &'static str = "anneal_expectation";

    fn run<T: Real>(&self, tensors: [HostSlice<T>; 4]) -> Result<[Vec<T>; 1], Error> {
        Ok([self.0.expectation(&evolution_input(&tensors))?])
    }

    fn shapes(&self, [fields, ..]: [&[usize]; 4]) -> [Vec<usize>; 1] {
        [vec![fields[0], self.0.n_readouts()]]
    }
}

/// The gradient of [`Anneal`] by its tensors, given these and the cotangent.
pub(super) struct AnnealGradient<'a>(pub &'a Evolution);

impl HostJob<5, 4> for AnnealGradient<'_> {
    const NAME: &'static str = "the gradient of anneal_expectation";

    fn run<T: Real>(&self, tensors: [HostSlice<T>; 5]) -> Result<[Vec<T>; 4], Error> {
        let [fields, couplings, start, schedule, c] = tensors;
        let tensors = [fields, couplings, start, schedule];
        let g = self.0.gradient(&evolution_input(&tensors), &c.values)?;
        Ok([g.fields, g.couplings, g.start, g.schedule])
    }

    fn shapes(&self, [fields, couplings, start, schedule, _]: [&[usize]; 5]) -> [Vec<usize>; 4] {
        [fields, couplings, start, schedule].map(<[usize]>::to_vec)
    }
}

/// `spin_statistics(fields, couplings)`.
pub(super) struct Spins<'a>(pub &'a SpinSamples);

impl HostJob<2, 1> for Spins<'_> {
    const NAME: &'static str = "spin_statistics";

    fn run<T: Real>(&self, _: [HostSlice<T>; 2]) -> Result<[Vec<T>; 1], Error> {
        let means = self.0.statistics.means(&self.0.samples);
        Ok([means.into_iter().map(T::of).collect()])
    }

    fn shapes(&self, [fields, _]: [&[usize]; 2]) -> [Vec<usize>; 1] {
        [vec![fields[0], self.0.statistics.len()]]
    }
}

/// The gradient of [`Spins`] by `(fields, couplings)`, given `(fields, couplings, cotangent)`.
pub(super) struct SpinsGradient<'a>(pub &'a SpinSamples);

impl HostJob<3, 2> for SpinsGradient<'_> {
    const NAME: &'static str = "the gradient of spin_statistics";

    fn run<T: Real>(&self, tensors: [HostSlice<T>; 3]) -> Result<[Vec<T>; 2], Error> {
        let [fields, couplings, cotangent] = tensors;
        let single = |slice: &HostSlice<T>| -> Vec<f32> {
            slice.values.iter().map(|x| x.as_f64() as f32).collect()
        };
        let models = [&single(&fields)[..], &single(&couplings)];
        let cotangent: Vec<f64> = cotangent.values.iter().map(|x| x.as_f64()).collect();
        let gradients = self.0.gradient_of(fields.rows(), models, &cotangent)?;
        Ok(gradients.map(|g| g.into_iter().map(T::of).collect()))
    }

    fn shapes(&self, [fields, couplings, _]: [&[usize]; 3]) -> [Vec<usize>; 2] {
        [fields.to_vec(), couplings.to_vec()]
    }
}

fn evolution_input<'a, T: Real>(tensors: &'a [HostSlice<'a, T>; 4]) -> EvolutionInput<'a, T> {
    let [fields, couplings, start, schedule] = tensors;
    EvolutionInput {
        batch: fields.rows(),
        fields: &fields.values,
        couplings: &couplings.values,
        start: &start.values,
        schedule: &schedule.values,
    }
}
