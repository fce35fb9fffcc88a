//! Many small dense problems: one problem in each lane.

use super::{Aligned, LaneRng, bits, fetch, flips, negate_where, stream_state};
use pulp::Simd;

/// Fields drift by rounding, so they are summed again after so many sweeps.
const REFRESH: usize = 512;

/// As many problems as there are lanes, or fewer.
#[derive(Debug)]
pub(in super::super) struct Tile<'a> {
    pub n_spins: usize,
    pub n_reads: usize,
    /// Fields of the tile's problems, `[problems, n_spins]`.
    pub fields: &'a [f32],
    /// `[n_spins, n_spins]` of each problem; the part above the diagonal counts.
    pub couplings: &'a [&'a [f32]],
    /// [`threshold_factor`](super::threshold_factor) of each sweep, for coefficients of unit scale.
    pub factors: &'a [f32],
    /// By how much each problem's thresholds are larger, `[problems]`.
    pub scales: &'a [f32],
    /// By how much each problem's coefficients are multiplied, `[problems]`: a power of two that
    /// keeps sums in range.
    pub units: &'a [f32],
    /// Permutations of the spins, used in turns. Empty: ascending order.
    pub orders: &'a [u32],
    pub gibbs: bool,
    pub seed: u64,
    /// The stream of the first problem.
    pub first_stream: u64,
    /// Spins to start from, `[problems, n_spins]`. Empty: random.
    pub initial: &'a [i8],
    /// The result, `[problems, n_reads, n_spins]`.
    pub spins: &'a mut [i8],
}

impl pulp::WithSimd for Tile<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, s: S) {
        match self.gibbs {
            true => self.run::<S, true>(s),
            false => self.run::<S, false>(s),
        }
    }
}

impl Tile<'_> {
    #[inline(always)]
    fn run<S: Simd, const GIBBS: bool>(mut self, s: S) {
        let (n, lanes) = (self.n_spins, S::F32_LANES);
        let mut couplings = Aligned::zeros(n * n * lanes);
        let mut h = Aligned::zeros(n * lanes);
        self.pack(lanes, &mut couplings, &mut h);
        let couplings = S::as_simd_f32s(&couplings).0;
        let h = S::as_simd_f32s(&h).0;
        let mut scales = [0.0; 16];
        scales[..self.scales.len()].copy_from_slice(self.scales);
        let scales = s.partial_load_f32s(&scales[..lanes]);

        let (mut f, mut spins) = (Aligned::zeros(n * lanes), Aligned::zeros(n * lanes));
        for read in 0..self.n_reads {
            let state = |l: usize| {
                stream_state(self.seed, self.first_stream.wrapping_add(l as u64), read as u64)
            };
            let mut rng = LaneRng::new(s, state);
            {
                let spins = S::as_mut_simd_f32s(&mut spins).0;
                spins.iter_mut().for_each(|x| *x = rng.spin(s));
            }
            self.start(lanes, &mut spins);
            {
                let f = S::as_mut_simd_f32s(&mut f).0;
                let spins = S::as_mut_simd_f32s(&mut spins).0;
                self.anneal::<S, GIBBS>(s, couplings, h, scales, f, spins, &mut rng);
            }
            self.finish(lanes, read, &spins);
        }
    }

    #[inline(always)]
    #[allow(clippy::too_many_arguments)]
    fn anneal<S: Simd, const GIBBS: bool>(
        &self,
        s: S,
        couplings: &[S::f32s],
        h: &[S::f32s],
        scales: S::f32s,
        f: &mut [S::f32s],
        spins: &mut [S::f32s],
        rng: &mut LaneRng<S>,
    ) {
        let n = self.n_spins;
        let mut r = *rng;
        for (sweep, &factor) in self.factors.iter().enumerate() {
            if sweep.is_multiple_of(REFRESH) {
                f.copy_from_slice(h);
                for (row, &spin) in couplings.chunks_exact(n.max(1)).zip(&*spins) {
                    add_row(s, f, row, row, spin);
                }
            }
            let factor = s.mul_f32s(s.splat_f32s(factor), scales);
            let order = match self.orders.len() / n.max(1) {
                0 => &[],
                turns => &self.orders[sweep % turns * n..][..n],
            };
            for k in 0..n {
                let i = order.get(k).map_or(k, |&i| i as usize);
                let threshold = s.mul_f32s(r.log2_threshold::<GIBBS>(s), factor);
                let spin = spins[i];
                let mask = flips::<S, GIBBS>(s, s.mul_f32s(spin, f[i]), threshold);
                if bits::<S>(mask) != 0 {
                    let zero = s.splat_f32s(0.0);
                    let change = s.mul_f32s(spin, s.splat_f32s(-2.0));
                    let change = s.select_f32s(mask, change, zero);
                    spins[i] = negate_where(s, mask, spin);
                    let next = order.get(k + 1).map_or(i, |&i| i as usize);
                    let (row, next) = (&couplings[i * n..][..n], &couplings[next * n..][..n]);
                    add_row(s, f, row, next, change);
                }
            }
        }
        *rng = r;
    }

    /// Couplings to `[i, j, lane]`, symmetric with a zero diagonal, and fields to `[i, lane]`.
    #[inline(always)]
    fn pack(&self, lanes: usize, couplings: &mut [f32], h: &mut [f32]) {
        let n = self.n_spins;
        debug_assert_eq!(self.couplings.len(), self.units.len());
        for (l, &unit) in self.units.iter().enumerate() {
            for i in 0..n {
                h[i * lanes + l] = unit * self.fields[l * n + i];
            }
        }
        for i in 0..n {
            for j in i + 1..n {
                let mut line = [0.0; 16];
                for ((value, &unit), matrix) in line.iter_mut().zip(self.units).zip(self.couplings)
                {
                    *value = unit * matrix[i * n + j];
                }
                couplings[(i * n + j) * lanes..][..lanes].copy_from_slice(&line[..lanes]);
                couplings[(j * n + i) * lanes..][..lanes].copy_from_slice(&line[..lanes]);
            }
        }
    }

    #[inline(always)]
    fn start(&self, lanes: usize, spins: &mut [f32]) {
        let n = self.n_spins;
        for (k, &spin) in self.initial.iter().enumerate() {
            spins[k % n * lanes + k / n] = spin.into();
        }
    }

    #[inline(always)]
    fn finish(&mut self, lanes: usize, read: usize, spins: &[f32]) {
        let n = self.n_spins;
        for l in 0..self.units.len() {
            let out = &mut self.spins[(l * self.n_reads + read) * n..][..n];
            for (i, out) in out.iter_mut().enumerate() {
                *out = if spins[i * lanes + l] > 0.0 { 1 } else { -1 };
            }
        }
    }
}

/// Adds a row times `spin`, and fetches the next one meanwhile.
#[inline(always)]
fn add_row<S: Simd>(s: S, f: &mut [S::f32s], row: &[S::f32s], next: &[S::f32s], spin: S::f32s) {
    for ((f, &j), next) in f.iter_mut().zip(row).zip(next) {
        fetch(next);
        *f = s.mul_add_e_f32s(spin, j, *f);
    }
}
