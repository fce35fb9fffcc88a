//! Sweeps of single-spin updates on plain slices, compiled for the instruction sets of `pulp`.
//!
//! Everything that a kernel calls in its loops is `#[inline(always)]`, so that it becomes part of
//! the compilation for the instruction set.
//!
//! All kernels use one rule. With the local field `f = h_i + sum_j J_ij s_j`, flipping spin `i`
//! changes the energy by `-2 s f`. It flips where `s f > T`, for a random threshold `T < 0`
//! (Metropolis: `T = ln(u) / (2 beta)`) or of either sign (Gibbs: `T = ln(u / (1 - u)) / (2 beta)`)
//! with `u` uniform on the unit interval.

pub(super) mod batch;
pub(super) mod dense;
pub(super) mod integer;
pub(super) mod multispin;
pub(super) mod sparse;

use pulp::Simd;
use std::f64::consts::LN_2;
use std::ops::{Deref, DerefMut};

pub(super) const CACHE_LINE: usize = 16;

#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; CACHE_LINE]);

/// Numbers on cache lines: registers that straddle two lines take twice as long to load.
#[derive(Debug, Clone)]
pub(super) struct Aligned {
    lines: Vec<Line>,
    len: usize,
}

impl Aligned {
    pub fn zeros(len: usize) -> Self {
        Self { lines: vec![Line([0.0; CACHE_LINE]); len.div_ceil(CACHE_LINE)], len }
    }
}

impl Deref for Aligned {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        // SAFETY: a line is an array of numbers without padding, and there are enough for `len`.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }
}

impl DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as in `deref`.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}

/// Bijective mixing of 64 bits (the finaliser of SplitMix64, Steele, Lea and Flood 2014).
pub(super) fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// The state of the generator of one stream.
pub(super) fn stream_state(seed: u64, problem: u64, read: u64) -> [u32; 4] {
    let key = mix(mix(mix(seed) ^ problem) ^ read);
    let (a, b) = (mix(key), mix(key ^ 0x5851_f42d_4c95_7f2d));
    // The generator must not start from zero alone.
    [a as u32 | 1, (a >> 32) as u32, b as u32, (b >> 32) as u32]
}

/// One stream for decisions that lanes share: xoshiro128++ (Blackman and Vigna 2021).
#[derive(Debug, Clone)]
pub(super) struct Xoshiro([u32; 4]);

impl Xoshiro {
    pub fn new(seed: u64, problem: u64, read: u64) -> Self {
        Self(stream_state(seed, problem, read))
    }

    #[inline(always)]
    pub fn next(&mut self) -> u32 {
        let [a, b, c, d] = &mut self.0;
        let result = a.wrapping_add(*d).rotate_left(7).wrapping_add(*a);
        let t = *b << 9;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= t;
        *d = d.rotate_left(11);
        result
    }

    /// Uniform on `0..n`, up to `n / 2^32`.
    #[inline(always)]
    pub fn below(&mut self, n: usize) -> usize {
        ((u64::from(self.next()) * n as u64) >> 32) as usize
    }

    /// Uniform on the open unit interval.
    pub fn uniform(&mut self) -> f64 {
        let bits = u64::from(self.next()) << 20 | u64::from(self.next() >> 12);
        (bits as f64 + 0.5) / (1u64 << 52) as f64
    }

    pub fn spin(&mut self) -> i8 {
        if self.next() >> 31 == 0 { 1 } else { -1 }
    }

    #[inline(always)]
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for k in (1..items.len()).rev() {
            items.swap(k, self.below(k + 1));
        }
    }
}

/// Permutations of `0..n`, for sweeps in random order. They are used in turns: what matters is
/// that neighbours in one sweep are not neighbours in the next.
///
/// From 128 spins on, runs of 2 to 16 spins stay together, since rows that are neighbours in memory
/// are loaded several times as fast.
pub(super) fn permutations(n: usize, count: usize, rng: &mut Xoshiro) -> Vec<u32> {
    let run = (n / 64).clamp(1, 16);
    let mut starts: Vec<u32> = (0..n as u32).step_by(run).collect();
    let mut all = Vec::with_capacity(n * count);
    for _ in 0..count {
        rng.shuffle(&mut starts);
        let end = |start: u32| (start + run as u32).min(n as u32);
        all.extend(starts.iter().flat_map(|&start| start..end(start)));
    }
    all
}

pub(super) const N_PERMUTATIONS: usize = 64;

/// `ln(2) / (2 beta)`, the factor of the binary logarithm in a threshold, finite even for `beta = 0`.
pub(super) fn threshold_factor(beta: f64) -> f32 {
    (LN_2 / (2.0 * beta)).min(f64::from(f32::MAX) / 1024.0) as f32
}

/// One generator for each lane: xoshiro128+ (Blackman and Vigna 2021), of which the upper bits are
/// used.
#[derive(Clone, Copy)]
pub(super) struct LaneRng<S: Simd>([S::u32s; 4]);

impl<S: Simd> LaneRng<S> {
    /// `state(l)` is the state of lane `l`.
    #[inline(always)]
    pub fn new(s: S, mut state: impl FnMut(usize) -> [u32; 4]) -> Self {
        let mut words = [[0u32; 16]; 4];
        for l in 0..S::U32_LANES {
            let state = state(l);
            words.iter_mut().zip(state).for_each(|(word, value)| word[l] = value);
        }
        let load = |w: &[u32; 16]| s.partial_load_u32s(&w[..S::U32_LANES]);
        Self([load(&words[0]), load(&words[1]), load(&words[2]), load(&words[3])])
    }

    #[inline(always)]
    pub fn next(&mut self, s: S) -> S::u32s {
        let [a, b, c, d] = self.0;
        let result = s.add_u32s(a, d);
        let t = s.wrapping_dyn_shl_u32s(b, s.splat_u32s(9));
        let c = s.xor_u32s(c, a);
        let d = s.xor_u32s(d, b);
        let b = s.xor_u32s(b, c);
        let a = s.xor_u32s(a, d);
        let c = s.xor_u32s(c, t);
        let left = s.wrapping_dyn_shl_u32s(d, s.splat_u32s(11));
        let right = s.wrapping_dyn_shr_u32s(d, s.splat_u32s(21));
        self.0 = [a, b, c, s.or_u32s(left, right)];
        result
    }

    /// Uniform on `(0, 1)`, an odd multiple of `2^-24`.
    #[inline(always)]
    pub fn uniform(&mut self, s: S) -> S::f32s {
        let bits = s.wrapping_dyn_shr_u32s(self.next(s), s.splat_u32s(9));
        let one_to_two = s.transmute_f32s_u32s(s.or_u32s(bits, s.splat_u32s(0x3f80_0000)));
        s.sub_f32s(one_to_two, s.splat_f32s(1.0 - 1.0 / 16_777_216.0))
    }

    /// `1` or `-1`.
    #[inline(always)]
    pub fn spin(&mut self, s: S) -> S::f32s {
        let sign = s.and_u32s(self.next(s), s.splat_u32s(1 << 31));
        s.transmute_f32s_u32s(s.or_u32s(sign, s.splat_u32s(1f32.to_bits())))
    }

    /// The thresholds of the module's rule, times `2 beta / ln(2)`.
    #[inline(always)]
    pub fn log2_threshold<const GIBBS: bool>(&mut self, s: S) -> S::f32s {
        let u = self.uniform(s);
        if GIBBS {
            return log2(s, s.div_f32s(u, s.sub_f32s(s.splat_f32s(1.0), u)));
        }
        // Proposals with u > 31/32 are skipped. A chain that may stay where it is has no period;
        // without this, sweeps over a flat landscape would flip every spin every time.
        s.sub_f32s(log2(s, u), s.splat_f32s(LOG2_LAZY))
    }
}

const LAZY: f64 = 31.0 / 32.0;
const LOG2_LAZY: f32 = -0.045_803_69;

/// Where spins flip: `sf > threshold`, but nowhere under a threshold of zero or more (Metropolis).
#[inline(always)]
pub(super) fn flips<S: Simd, const GIBBS: bool>(s: S, sf: S::f32s, threshold: S::f32s) -> S::m32s {
    let below = s.greater_than_f32s(sf, threshold);
    if GIBBS {
        return below;
    }
    s.and_m32s(below, s.less_than_f32s(threshold, s.splat_f32s(0.0)))
}

/// The binary logarithm of positive normal numbers, to 1.4e-5.
#[inline(always)]
fn log2<S: Simd>(s: S, x: S::f32s) -> S::f32s {
    let bits = s.transmute_u32s_f32s(x);
    // The exponent as the low bits of 2^23 + exponent.
    let exponent = s.wrapping_dyn_shr_u32s(bits, s.splat_u32s(23));
    let exponent = s.transmute_f32s_u32s(s.or_u32s(exponent, s.splat_u32s(0x4b00_0000)));
    let exponent = s.sub_f32s(exponent, s.splat_f32s(8_388_608.0 + 127.0));
    let mantissa = s.and_u32s(bits, s.splat_u32s(0x007f_ffff));
    let mantissa = s.or_u32s(mantissa, s.splat_u32s(0x3f80_0000));
    let t = s.sub_f32s(s.transmute_f32s_u32s(mantissa), s.splat_f32s(1.0));
    // log2(1 + t) / t on [0, 1], minimax.
    let mut sum = s.splat_f32s(0.046_385_184);
    for c in [-0.196_269_21, 0.417_595_42, -0.709_662_7, 1.441_965_6] {
        sum = s.mul_add_e_f32s(sum, t, s.splat_f32s(c));
    }
    s.mul_add_e_f32s(sum, t, exponent)
}

/// `-x` in the lanes of a mask.
#[inline(always)]
pub(super) fn negate_where<S: Simd>(s: S, mask: S::m32s, x: S::f32s) -> S::f32s {
    s.select_f32s(mask, s.neg_f32s(x), x)
}

/// Bit `l` says whether lane `l` of the mask is set.
///
/// (`first_true_m32s` of pulp 0.22.3 counts from the wrong end on AVX-512.)
#[inline(always)]
pub(super) fn bits<S: Simd>(mask: S::m32s) -> u32 {
    if const { size_of::<S::m32s>() == 1 } {
        return pulp::bytemuck::cast::<S::m32s, u8>(mask).into();
    }
    if const { size_of::<S::m32s>() == 2 } {
        return pulp::bytemuck::cast::<S::m32s, u16>(mask).into();
    }
    let lanes: &[u32] = pulp::bytemuck::cast_slice(std::slice::from_ref(&mask));
    let mut bits = 0;
    for (l, lane) in lanes.iter().enumerate() {
        bits |= (lane >> 31) << l;
    }
    bits
}

/// Asks for a cache line that is needed soon.
#[inline(always)]
pub(super) fn fetch<T>(line: &T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch has no effect on memory, and SSE is part of x86-64.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(line).cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = line;
}

/// The number of lanes of a register of `f32` on this processor.
pub(super) fn lanes() -> usize {
    struct Lanes;

    impl pulp::WithSimd for Lanes {
        type Output = usize;

        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) -> usize {
            S::F32_LANES
        }
    }

    pulp::Arch::new().dispatch(Lanes)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Log2(Vec<f32>);

    impl pulp::WithSimd for Log2 {
        type Output = Vec<f32>;

        #[inline(always)]
        fn with_simd<S: Simd>(mut self, s: S) -> Vec<f32> {
            let (body, tail) = S::as_mut_simd_f32s(&mut self.0);
            assert!(tail.is_empty());
            body.iter_mut().for_each(|x| *x = log2(s, *x));
            self.0
        }
    }

    #[test]
    fn the_logarithm_is_as_accurate_as_documented() {
        let x: Vec<f32> = (1..160_001).map(|k| k as f32 * 0.000_017).collect();
        let log = pulp::Arch::new().dispatch(Log2(x.clone()));
        for (x, log) in x.iter().zip(log) {
            assert!((f64::from(*x).log2() - f64::from(log)).abs() < 1.6e-5, "{x}: {log}");
        }
    }

    struct Bits<'a>(&'a [f32]);

    impl pulp::WithSimd for Bits<'_> {
        type Output = u32;

        #[inline(always)]
        fn with_simd<S: Simd>(self, s: S) -> u32 {
            let x = s.partial_load_f32s(&self.0[..S::F32_LANES]);
            bits::<S>(s.greater_than_f32s(x, s.splat_f32s(0.0)))
        }
    }

    #[test]
    fn bits_are_those_of_the_lanes() {
        for l in 0..lanes() {
            let mut x = [-1.0; 16];
            x[l] = 1.0;
            assert_eq!(pulp::Arch::new().dispatch(Bits(&x)), 1 << l);
        }
    }

    /// The streams belong to problems and reads, not to lanes, so the width of a register does not
    /// matter. (Processors without fused multiplication round differently.)
    #[cfg(target_arch = "x86_64")]
    #[test]
    fn registers_of_half_the_width_give_the_same_samples() {
        use crate::annealing::control::Stop;
        use pulp::WithSimd;

        let Some(narrow) = pulp::x86::V3::try_new() else { return };
        let n = 9;
        let mut rng = Xoshiro::new(1, 2, 3);
        let mut random =
            |len: usize| -> Vec<f32> { (0..len).map(|_| (rng.uniform() - 0.5) as f32).collect() };
        let (fields, couplings) = (random(4 * n), random(4 * n * n));
        let matrices: Vec<&[f32]> = couplings.chunks(n * n).collect();
        let factors: Vec<f32> = (1..30).map(|k| threshold_factor(0.1 * f64::from(k))).collect();
        let orders = permutations(n, 4, &mut Xoshiro::new(4, 5, 6));
        let tile = |gibbs: bool, narrow: Option<pulp::x86::V3>| {
            let mut spins = vec![0; 4 * 2 * n];
            let tile = batch::Tile {
                n_spins: n,
                n_reads: 2,
                fields: &fields,
                couplings: &matrices,
                factors: &factors,
                scales: &[1.0; 4],
                units: &[1.0; 4],
                orders: &orders,
                gibbs,
                seed: 3,
                first_stream: 8,
                initial: &[],
                spins: &mut spins,
            };
            match narrow {
                Some(s) => tile.with_simd(s),
                None => pulp::Arch::new().dispatch(tile),
            }
            spins
        };
        let ring: Vec<[u32; 2]> =
            (0..n as u32).map(|i| [(i + 1) % n as u32, (i + n as u32 - 1) % n as u32]).collect();
        let h: Vec<f64> = fields[..n].iter().map(|&x| x.into()).collect();
        let rows = sparse::Rows::new(&h, 1.0, |i| (&ring[i], &[0.7, 0.7]));
        let stop = Stop::never();
        let block = |gibbs: bool, narrow: Option<pulp::x86::V3>| {
            let mut spins = vec![0; 8 * n];
            let block = sparse::Block {
                rows: &rows,
                factors: &factors,
                gibbs,
                orders: &[],
                seed: 3,
                stream: 1,
                first_read: 40,
                stop: &stop,
                spins: &mut spins,
            };
            let sweeps = match narrow {
                Some(s) => block.with_simd(s),
                None => pulp::Arch::new().dispatch(block),
            };
            assert_eq!(sweeps, factors.len());
            spins
        };
        for gibbs in [false, true] {
            assert_eq!(tile(gibbs, Some(narrow)), tile(gibbs, None));
            assert_eq!(block(gibbs, Some(narrow)), block(gibbs, None));
        }
    }

    #[test]
    fn the_lazy_share_is_the_one_of_the_table() {
        assert!((LAZY.log2() - f64::from(LOG2_LAZY)).abs() < 1e-8);
    }

    #[test]
    fn permutations_hold_every_index() {
        for n in [1, 7, 127, 128, 1000, 5001] {
            let all = permutations(n, 3, &mut Xoshiro::new(1, 2, 3));
            assert_eq!(all.len(), 3 * n);
            for one in all.chunks(n) {
                let mut sorted = one.to_vec();
                sorted.sort_unstable();
                assert!(sorted.iter().enumerate().all(|(k, &i)| k == i as usize));
            }
        }
        assert!(permutations(0, 3, &mut Xoshiro::new(1, 2, 3)).is_empty());
    }
}
