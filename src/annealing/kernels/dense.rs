//! One dense problem, one read at a time: as many neighbouring spins as there are lanes are tested
//! at once, and the row of couplings is added only where one flips.

use super::super::control::Stop;
use super::{Aligned, CACHE_LINE, LaneRng, Xoshiro, bits, fetch, flips, stream_state};
use pulp::Simd;

/// See [`super::batch`].
const REFRESH: usize = 512;

/// Couplings in single precision, rows padded to cache lines.
#[derive(Debug)]
pub(in super::super) struct Matrix {
    pub n_spins: usize,
    stride: usize,
    /// `[n_spins, stride]`
    couplings: Aligned,
    /// `[stride]`
    fields: Aligned,
}

impl Matrix {
    /// `row(i)` is row `i` of the symmetric matrix; all coefficients are multiplied by `unit`.
    pub fn new<'a>(fields: &[f64], unit: f64, row: impl Fn(usize) -> &'a [f64]) -> Self {
        let n = fields.len();
        let stride = n.next_multiple_of(CACHE_LINE);
        let (mut couplings, mut h) = (Aligned::zeros(n * stride), Aligned::zeros(stride));
        let scaled = |(to, &from): (&mut f32, &f64)| *to = (from * unit) as f32;
        h.iter_mut().zip(fields).for_each(scaled);
        for (i, to) in couplings.chunks_mut(stride.max(1)).enumerate() {
            to.iter_mut().zip(row(i)).for_each(scaled);
        }
        Self { n_spins: n, stride, couplings, fields: h }
    }
}

/// One read.
#[derive(Debug)]
pub(in super::super) struct Read<'a> {
    pub matrix: &'a Matrix,
    /// [`threshold_factor`](super::threshold_factor) of each sweep.
    pub factors: &'a [f32],
    pub gibbs: bool,
    pub random_order: bool,
    pub seed: u64,
    pub stream: u64,
    pub read: u64,
    pub stop: &'a Stop<'a>,
    /// The spins, `[n_spins]`: those to start from, then the result. All zero: random ones.
    pub spins: &'a mut [i8],
}

impl pulp::WithSimd for Read<'_> {
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

impl Read<'_> {
    #[inline(always)]
    fn run<S: Simd, const GIBBS: bool>(self, s: S) -> usize {
        let Matrix { n_spins: n, stride, .. } = *self.matrix;
        let lanes = S::F32_LANES;
        // The generators of the lanes, and one for the order.
        let word = |l: u64| stream_state(self.seed, self.stream, self.read << 8 | l);
        let mut rng = LaneRng::new(s, |l| word(l as u64));
        let mut common = Xoshiro::new(self.seed, self.stream, self.read << 8 | 255);
        let (mut f, mut spins) = (Aligned::zeros(stride), Aligned::zeros(stride));
        for (i, x) in spins.iter_mut().enumerate().take(n) {
            *x = match self.spins[i] {
                0 => common.spin().into(),
                spin => spin.into(),
            };
        }
        let n_blocks = n.div_ceil(lanes);
        let mut order: Vec<u32> = (0..n_blocks as u32).collect();
        let mut done = 0;
        for (sweep, &factor) in self.factors.iter().enumerate() {
            if sweep.is_multiple_of(REFRESH) {
                self.fields(s, &spins, &mut f);
            }
            if self.stop.now() {
                break;
            }
            if self.random_order {
                common.shuffle(&mut order);
            }
            let factor = s.splat_f32s(factor);
            for &block in &order {
                let block = block as usize;
                let threshold = s.mul_f32s(rng.log2_threshold::<GIBBS>(s), factor);
                // Lanes that have not been updated yet.
                let mut live = u32::MAX >> (32 - (n - block * lanes).min(lanes));
                loop {
                    let spin = S::as_simd_f32s(&spins).0[block];
                    let field = S::as_simd_f32s(&f).0[block];
                    let mask = flips::<S, GIBBS>(s, s.mul_f32s(spin, field), threshold);
                    let wanted = bits::<S>(mask) & live;
                    if wanted == 0 {
                        break;
                    }
                    let q = wanted.trailing_zeros();
                    let i = block * lanes + q as usize;
                    let change = -2.0 * spins[i];
                    spins[i] = -spins[i];
                    let later = wanted & (u32::MAX << 1) << q;
                    let next = if later == 0 {
                        i
                    } else {
                        block * lanes + later.trailing_zeros() as usize
                    };
                    self.add_row(s, i, change, next, &mut f);
                    live = (u32::MAX << 1) << q;
                    live &= u32::MAX >> (32 - (n - block * lanes).min(lanes));
                }
            }
            done = sweep + 1;
        }
        for (out, spin) in self.spins.iter_mut().zip(&*spins) {
            *out = if *spin > 0.0 { 1 } else { -1 };
        }
        done
    }

    #[inline(always)]
    fn fields<S: Simd>(&self, s: S, spins: &[f32], f: &mut [f32]) {
        f.copy_from_slice(&self.matrix.fields);
        for (i, &spin) in spins.iter().enumerate().take(self.matrix.n_spins) {
            self.add_row(s, i, spin, i, f);
        }
    }

    /// Adds row `i` times `spin`, and fetches row `next` meanwhile: it is likely to be the next, and
    /// too far away for the processor to guess.
    #[inline(always)]
    fn add_row<S: Simd>(&self, s: S, i: usize, spin: f32, next: usize, f: &mut [f32]) {
        let stride = self.matrix.stride;
        let spin = s.splat_f32s(spin);
        let row = S::as_simd_f32s(&self.matrix.couplings[i * stride..][..stride]).0;
        let next = S::as_simd_f32s(&self.matrix.couplings[next * stride..][..stride]).0;
        let f = S::as_mut_simd_f32s(f).0;
        for ((f, &j), next) in f.iter_mut().zip(row).zip(next) {
            fetch(next);
            *f = s.mul_add_e_f32s(spin, j, *f);
        }
    }
}
