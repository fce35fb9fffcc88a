//! Sparse problems with real coefficients: one read in each lane, four registers of reads.

use super::super::control::Stop;
use super::{Aligned, LaneRng, Xoshiro, flips, negate_where, stream_state};
use pulp::Simd;

/// Compressed symmetric rows in single precision.
#[derive(Debug)]
pub(in super::super) struct Rows {
    pub fields: Vec<f32>,
    /// `[n_spins + 1]`
    pub starts: Vec<usize>,
    /// Neighbours and the couplings to them.
    pub pairs: Vec<(u32, f32)>,
}

impl Rows {
    /// `row(i)` are the neighbours of spin `i` and their couplings; all coefficients are
    /// multiplied by `unit`.
    pub fn new<'a>(
        fields: &[f64],
        unit: f64,
        row: impl Fn(usize) -> (&'a [u32], &'a [f64]),
    ) -> Self {
        let (mut starts, mut pairs) = (vec![0], Vec::new());
        for i in 0..fields.len() {
            let (neighbours, couplings) = row(i);
            let scaled = couplings.iter().map(|&j| (j * unit) as f32);
            pairs.extend(neighbours.iter().copied().zip(scaled));
            starts.push(pairs.len());
        }
        Self { fields: fields.iter().map(|&h| (h * unit) as f32).collect(), starts, pairs }
    }

    pub fn n_spins(&self) -> usize {
        self.fields.len()
    }
}

const REGISTERS: usize = 4;

/// The number of reads of one [`Block`] on this processor.
pub(in super::super) fn block_reads() -> usize {
    REGISTERS * super::lanes()
}

/// [`block_reads`] reads.
#[derive(Debug)]
pub(in super::super) struct Block<'a> {
    pub rows: &'a Rows,
    /// [`threshold_factor`](super::threshold_factor) of each sweep.
    pub factors: &'a [f32],
    pub gibbs: bool,
    /// Permutations of the spins, used in turns. Empty: ascending order.
    pub orders: &'a [u32],
    pub seed: u64,
    pub stream: u64,
    pub first_read: u64,
    pub stop: &'a Stop<'a>,
    /// The spins of the wanted reads, at most [`block_reads`], each `[n_spins]`: those to start
    /// from, then the result. All zero: random ones.
    pub spins: &'a mut [i8],
}

impl pulp::WithSimd for Block<'_> {
    /// The number of sweeps done.
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, s: S) -> usize {
        match self.gibbs {
            true => self.run::<S, true>(s),
            false => self.run::<S, false>(s),
        }
    }
}

impl Block<'_> {
    #[inline(always)]
    fn run<S: Simd, const GIBBS: bool>(self, s: S) -> usize {
        let n = self.rows.n_spins();
        let width = REGISTERS * S::F32_LANES;
        let state = |r: usize, l: usize| {
            let read = self.first_read + (r * S::F32_LANES + l) as u64;
            stream_state(self.seed, self.stream, read)
        };
        let mut rng = [
            LaneRng::new(s, |l| state(0, l)),
            LaneRng::new(s, |l| state(1, l)),
            LaneRng::new(s, |l| state(2, l)),
            LaneRng::new(s, |l| state(3, l)),
        ];
        let mut memory = Aligned::zeros(n * width);
        for line in S::as_mut_simd_f32s(&mut memory).0.chunks_exact_mut(REGISTERS) {
            for r in 0..REGISTERS {
                line[r] = rng[r].spin(s);
            }
        }
        for (k, &spin) in self.spins.iter().enumerate().filter(|(_, spin)| **spin != 0) {
            memory[k % n * width + k / n] = spin.into();
        }
        let spins = S::as_mut_simd_f32s(&mut memory).0;
        let start = Xoshiro::new(self.seed, self.stream, !self.first_read).next() as usize;
        let mut done = 0;
        for (sweep, &factor) in self.factors.iter().enumerate() {
            if self.stop.now() {
                break;
            }
            let order = match self.orders.len() / n.max(1) {
                0 => &[],
                turns => &self.orders[(start + sweep) % turns * n..][..n],
            };
            let factor = s.splat_f32s(factor);
            for k in 0..n {
                let i = order.get(k).map_or(k, |&i| i as usize);
                let h = s.splat_f32s(self.rows.fields[i]);
                let mut f = [h; REGISTERS];
                for &(j, coupling) in &self.rows.pairs[self.rows.starts[i]..self.rows.starts[i + 1]]
                {
                    let coupling = s.splat_f32s(coupling);
                    let other = &spins[j as usize * REGISTERS..][..REGISTERS];
                    for r in 0..REGISTERS {
                        f[r] = s.mul_add_e_f32s(coupling, other[r], f[r]);
                    }
                }
                let own = &mut spins[i * REGISTERS..][..REGISTERS];
                for r in 0..REGISTERS {
                    let threshold = s.mul_f32s(rng[r].log2_threshold::<GIBBS>(s), factor);
                    let mask = flips::<S, GIBBS>(s, s.mul_f32s(own[r], f[r]), threshold);
                    own[r] = negate_where(s, mask, own[r]);
                }
            }
            done = sweep + 1;
        }
        for (k, out) in self.spins.iter_mut().enumerate() {
            *out = if memory[k % n * width + k / n] > 0.0 { 1 } else { -1 };
        }
        done
    }
}
