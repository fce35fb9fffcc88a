//! One configuration with its local fields, in double precision.

use super::kernels::Xoshiro;
use crate::ising::Ising;

#[derive(Debug, Clone)]
pub(super) struct Walker<'a> {
    model: &'a Ising,
    pub spins: Vec<i8>,
    fields: Vec<f64>,
    /// Without the offset, up to rounding.
    pub energy: f64,
}

impl<'a> Walker<'a> {
    pub fn new(model: &'a Ising, spins: Vec<i8>) -> Self {
        let n = model.n_spins();
        let fields = (0..n).map(|i| model.local_field(i, &spins)).collect();
        let energy = model.energy(&spins) - model.offset();
        Self { model, spins, fields, energy }
    }

    pub fn random(model: &'a Ising, rng: &mut Xoshiro) -> Self {
        Self::new(model, random_spins(model.n_spins(), rng))
    }

    /// Takes out the rounding of many flips.
    pub fn refresh(&mut self) {
        *self = Self::new(self.model, std::mem::take(&mut self.spins));
    }

    /// `s_i f_i`: half of what a flip takes from the energy.
    #[inline]
    pub fn alignment(&self, i: usize) -> f64 {
        f64::from(self.spins[i]) * self.fields[i]
    }

    pub fn flip(&mut self, i: usize) {
        self.energy -= 2.0 * self.alignment(i);
        self.spins[i] = -self.spins[i];
        let change = 2.0 * f64::from(self.spins[i]);
        if let Some(row) = self.model.row(i) {
            self.fields.iter_mut().zip(row).for_each(|(f, j)| *f += change * j);
            return;
        }
        let (neighbours, couplings) = self.model.neighbours(i);
        for (&k, j) in neighbours.iter().zip(couplings) {
            self.fields[k as usize] += change * j;
        }
    }

    /// One sweep of Metropolis updates. Every proposal is skipped with probability 1/32; see
    /// [`Update::Metropolis`](super::Update::Metropolis).
    pub fn sweep(&mut self, beta: f64, rng: &mut Xoshiro) {
        for i in 0..self.spins.len() {
            let up = -2.0 * beta * self.alignment(i);
            if rng.next() >> 27 != 0 && (up <= 0.0 || rng.uniform() < (-up).exp()) {
                self.flip(i);
            }
        }
    }
}

pub(super) fn random_spins(n: usize, rng: &mut Xoshiro) -> Vec<i8> {
    (0..n).map(|_| rng.spin()).collect()
}
