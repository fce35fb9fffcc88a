//! The product state of one-qubit runs on `|0...0>`: the start of every circuit.

use super::super::buffer::View;
use super::super::plan::Run;
use super::super::simd::{Element, Isa, Lanes, Sweep, lanes};
use super::turn::matrix;
use super::{lane_bits, product};
use num_complex::Complex as Number;

/// Fills a state, doubling it qubit by qubit from the lowest.
pub struct Start<'a, T> {
    pub state: View<T>,
    /// In the order of their qubits, with a matrix for each; none for `|0...0>`.
    pub runs: &'a [Run],
    pub matrices: &'a [T],
}

impl<T: Element> Sweep for Start<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Isa, const SINGLE: bool>(self, s: S) {
        let (state, bits) = (self.state, lane_bits::<T, S>(SINGLE));
        let n = state.registers::<S>();
        let in_lanes = self.runs.iter().take_while(|run| run.target >> bits == 0).count();
        let real = self.runs.iter().all(Run::is_real);
        let zero = Lanes::zero(s);
        // SAFETY: targets are bits of the index of a register, so all places are below `n`, and the
        // driver lends the whole state.
        unsafe {
            if 1 << (self.runs.len() - in_lanes) < n {
                (0..n).for_each(|i| state.set(i, (zero, zero)));
            }
            state.set(0, self.lowest::<S, SINGLE>(s, in_lanes));
            for (k, run) in self.runs.iter().enumerate().skip(in_lanes) {
                let (m, bit) = (matrix(s, self.matrices, k), run.target >> bits);
                for i in 0..bit {
                    let a = state.get(s, i);
                    let (low, high) = match real {
                        true => ((a.0 * m[0].0, zero), (a.0 * m[2].0, zero)),
                        false => (product(a, m[0]), product(a, m[2])),
                    };
                    state.set(i, low);
                    state.set(i + bit, high);
                }
            }
        }
    }
}

impl<T: Element> Start<'_, T> {
    /// The first register: the product over the qubits that are bits of the lane.
    #[inline(always)]
    fn lowest<S: Isa, const SINGLE: bool>(&self, s: S, in_lanes: usize) -> super::Complex<T, S> {
        let n = lanes::<T, S>();
        let entry = |k: usize, e: usize| {
            let at = (8 * k + 2 * e) * n;
            Number::new(self.matrices[at], self.matrices[at + n])
        };
        let number = |l: usize| {
            let with_run: usize = self.runs[..in_lanes].iter().map(|run| run.target).sum();
            if SINGLE && l & !with_run != 0 {
                return Number::new(T::zero(), T::zero());
            }
            let runs = self.runs[..in_lanes].iter().enumerate();
            let factors = runs.map(|(k, run)| entry(k, if l & run.target == 0 { 0 } else { 2 }));
            factors.fold(Number::new(T::one(), T::zero()), |a, b| a * b)
        };
        (Lanes::from_fn(s, |l| number(l).re), Lanes::from_fn(s, |l| number(l).im))
    }
}
