//! One dense problem with small integer coefficients, one read at a time: [`super::dense`] with
//! couplings in bytes and fields in 16 bits, 32 neighbouring spins at once. Sums are exact.

use super::super::control::Stop;
use super::{Aligned, LaneRng, Xoshiro, fetch, stream_state};
use pulp::Simd;

/// The number of spins of one block.
const WIDTH: usize = 32;

/// A spin or field of each spin of a block.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Words([i16; WIDTH]);

/// The couplings of one spin to a block.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(32))]
struct Bytes([i8; WIDTH]);

/// Fields may not exceed this, so that their sums and thresholds have room in 16 bits.
const LARGEST: i32 = 15_000;

/// Couplings in bytes, rows padded to blocks.
#[derive(Debug)]
pub(in super::super) struct Matrix {
    n_spins: usize,
    /// `[n_spins, n_blocks]`
    couplings: Vec<Bytes>,
    /// `[n_blocks]`
    fields: Vec<Words>,
}

impl Matrix {
    /// `row(i)` is row `i` of the symmetric matrix. Nothing, if a coefficient is not a multiple of
    /// `unit`, a coupling exceeds a byte, or a local field could become too large.
    pub fn new<'a>(fields: &[f64], unit: f64, row: impl Fn(usize) -> &'a [f64]) -> Option<Self> {
        let n = fields.len();
        let n_blocks = n.div_ceil(WIDTH);
        let mut couplings = vec![Bytes([0; WIDTH]); n * n_blocks];
        let mut h = vec![Words([0; WIDTH]); n_blocks];
        for (i, &field) in fields.iter().enumerate() {
            let k = field / unit;
            let field = k as i32;
            if f64::from(field) != k || field.unsigned_abs() > LARGEST as u32 {
                return None;
            }
            h[i / WIDTH].0[i % WIDTH] = field as i16;
            let sum = whole(row(i), unit, &mut couplings[i * n_blocks..][..n_blocks])?;
            if sum + i64::from(field.abs()) > i64::from(LARGEST) {
                return None;
            }
        }
        Some(Self { n_spins: n, couplings, fields: h })
    }

    #[inline(always)]
    fn row(&self, i: usize) -> &[Bytes] {
        let n_blocks = self.fields.len();
        &self.couplings[i * n_blocks..][..n_blocks]
    }
}

/// Writes a row in units, and returns the sum of its sizes; nothing if an entry is no byte. Without a way
/// out of the loops they run in lanes.
fn whole(row: &[f64], unit: f64, out: &mut [Bytes]) -> Option<i64> {
    let (mut exact, mut sum) = (true, 0);
    for (block, row) in out.iter_mut().zip(row.chunks(WIDTH)) {
        let mut size = 0;
        for (byte, &x) in block.0.iter_mut().zip(row) {
            let k = x / unit;
            *byte = k as i8;
            exact &= f64::from(*byte) == k;
            size += i32::from(*byte).abs();
        }
        sum += i64::from(size);
    }
    exact.then_some(sum)
}

/// One read.
#[derive(Debug)]
pub(in super::super) struct Read<'a> {
    pub matrix: &'a Matrix,
    /// [`threshold_factor`](super::threshold_factor) of each sweep, for inverse temperatures in
    /// inverse units of the matrix.
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
        let n = self.matrix.n_spins;
        // The generators of the lanes, and one for the order.
        let word = |l: u64| stream_state(self.seed, self.stream, self.read << 8 | l);
        let mut rng = LaneRng::new(s, |l| word(l as u64));
        let mut common = Xoshiro::new(self.seed, self.stream, self.read << 8 | 255);
        let mut spins = vec![Words([0; WIDTH]); self.matrix.fields.len()];
        for (i, &spin) in self.spins.iter().enumerate() {
            let spin = if spin == 0 { common.spin() } else { spin };
            spins[i / WIDTH].0[i % WIDTH] = spin.into();
        }
        let mut f = self.matrix.fields.clone();
        for i in 0..n {
            add_row::<S>(
                &mut f,
                self.matrix.row(i),
                self.matrix.row(i),
                spins[i / WIDTH].0[i % WIDTH],
            );
        }
        let mut order: Vec<u32> = (0..spins.len() as u32).collect();
        let mut thresholds = Aligned::zeros(WIDTH);
        let mut done = 0;
        for (sweep, &factor) in self.factors.iter().enumerate() {
            if self.stop.now() {
                break;
            }
            if self.random_order {
                common.shuffle(&mut order);
            }
            let factor = s.splat_f32s(factor);
            for &block in &order {
                for register in S::as_mut_simd_f32s(&mut thresholds).0 {
                    *register = s.mul_f32s(rng.log2_threshold::<GIBBS>(s), factor);
                }
                let block = block as usize;
                let floors = floors::<GIBBS>(&thresholds);
                self.update::<S>(block, &floors, &mut spins, &mut f);
            }
            done = sweep + 1;
        }
        for (i, out) in self.spins.iter_mut().enumerate() {
            *out = spins[i / WIDTH].0[i % WIDTH] as i8;
        }
        done
    }

    /// Updates the spins of a block one after the other.
    #[inline(always)]
    fn update<S: Simd>(&self, block: usize, floors: &Words, spins: &mut [Words], f: &mut [Words]) {
        let first = block * WIDTH;
        let all = u32::MAX >> (WIDTH - (self.matrix.n_spins - first).min(WIDTH));
        // Spins that have not been updated yet.
        let mut live = all;
        loop {
            let wanted = above::<S>(&spins[block], &f[block], floors) & live;
            if wanted == 0 {
                return;
            }
            let q = wanted.trailing_zeros();
            live = all & (u32::MAX << 1) << q;
            let spin = &mut spins[block].0[q as usize];
            let change = -2 * *spin;
            *spin = -*spin;
            let later = (wanted & live).trailing_zeros().min(WIDTH as u32 - 1) as usize;
            let next = (first + later).min(self.matrix.n_spins - 1);
            add_row::<S>(f, self.matrix.row(first + q as usize), self.matrix.row(next), change);
        }
    }
}

/// Adds a row times `change`, and fetches the next one meanwhile.
#[inline(always)]
fn add_row<S: Simd>(f: &mut [Words], row: &[Bytes], next: &[Bytes], change: i16) {
    for ((f, row), next) in f.iter_mut().zip(row).zip(next) {
        fetch(next);
        add::<S>(f, row, change);
    }
}

/// `f + change row`, in a block.
#[inline(always)]
fn add<S: Simd>(f: &mut Words, row: &Bytes, change: i16) {
    #[cfg(target_arch = "x86_64")]
    {
        if const { S::F32_LANES == 16 } {
            // SAFETY: on x86-64 only AVX-512 has 16 lanes, and pulp takes it where the processor
            // also has AVX-512BW.
            return unsafe { x86::add_avx512(f, row, change) };
        }
        if const { S::F32_LANES == 8 } {
            // SAFETY: on x86-64 only AVX2 has 8 lanes.
            return unsafe { x86::add_avx2(f, row, change) };
        }
    }
    for l in 0..WIDTH {
        f.0[l] = f.0[l].wrapping_add(change.wrapping_mul(row.0[l].into()));
    }
}

/// The integers below the thresholds: `s f > T` just where `s f > floor(T)`. Metropolis flips
/// nothing under a threshold of zero or more, see [`super::flips`].
#[inline(always)]
fn floors<const GIBBS: bool>(thresholds: &[f32]) -> Words {
    // Adding this rounds to an integer, which is in the low bits then.
    const MAGIC: f32 = 12_582_912.0;
    let mut floors = Words([0; WIDTH]);
    for (to, &t) in floors.0.iter_mut().zip(thresholds) {
        let floor = (t.clamp(-30_000.0, 30_000.0) - 0.5 + MAGIC).to_bits() as i16;
        *to = if GIBBS || t < 0.0 { floor } else { i16::MAX };
    }
    floors
}

/// Bit `l` says whether `s f` is above the floor in lane `l`.
#[inline(always)]
fn above<S: Simd>(spins: &Words, f: &Words, floors: &Words) -> u32 {
    #[cfg(target_arch = "x86_64")]
    {
        if const { S::F32_LANES == 16 } {
            // SAFETY: as in `add`.
            return unsafe { x86::above_avx512(spins, f, floors) };
        }
        if const { S::F32_LANES == 8 } {
            // SAFETY: as in `add`.
            return unsafe { x86::above_avx2(spins, f, floors) };
        }
    }
    let bit = |l: usize| u32::from(spins.0[l].wrapping_mul(f.0[l]) > floors.0[l]) << l;
    (0..WIDTH).fold(0, |bits, l| bits | bit(l))
}

/// The same on registers of 32 and of 16 words.
#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Bytes, Words};
    use std::arch::x86_64::*;

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn load(words: &Words) -> __m512i {
        // SAFETY: 32 words fill a register, and are aligned as one.
        unsafe { _mm512_load_si512(words.0.as_ptr().cast()) }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    pub fn add_avx512(f: &mut Words, row: &Bytes, change: i16) {
        // SAFETY: 32 bytes fill half a register, and are aligned as that.
        let row = unsafe { _mm256_load_si256(row.0.as_ptr().cast()) };
        let row = _mm512_mullo_epi16(_mm512_cvtepi8_epi16(row), _mm512_set1_epi16(change));
        let sum = _mm512_add_epi16(load(f), row);
        // SAFETY: as in `load`.
        unsafe { _mm512_store_si512(f.0.as_mut_ptr().cast(), sum) };
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    pub fn above_avx512(spins: &Words, f: &Words, floors: &Words) -> u32 {
        _mm512_cmpgt_epi16_mask(_mm512_mullo_epi16(load(spins), load(f)), load(floors))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn half(words: &Words, half: usize) -> __m256i {
        // SAFETY: each half of 32 words fills a register, and is aligned as one.
        unsafe { _mm256_load_si256(words.0.as_chunks::<16>().0[half].as_ptr().cast()) }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub fn add_avx2(f: &mut Words, row: &Bytes, change: i16) {
        let change = _mm256_set1_epi16(change);
        for h in 0..2 {
            // SAFETY: each half of 32 bytes fills half a register, and is aligned as that.
            let row = unsafe { _mm_load_si128(row.0.as_chunks::<16>().0[h].as_ptr().cast()) };
            let row = _mm256_mullo_epi16(_mm256_cvtepi8_epi16(row), change);
            let sum = _mm256_add_epi16(half(f, h), row);
            let to = &mut f.0.as_chunks_mut::<16>().0[h];
            // SAFETY: as in `half`.
            unsafe { _mm256_store_si256(to.as_mut_ptr().cast(), sum) };
        }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub fn above_avx2(spins: &Words, f: &Words, floors: &Words) -> u32 {
        let compare =
            |h| _mm256_cmpgt_epi16(_mm256_mullo_epi16(half(spins, h), half(f, h)), half(floors, h));
        // Packing interleaves the halves of registers; the permutation puts them in order.
        let bytes = _mm256_packs_epi16(compare(0), compare(1));
        _mm256_movemask_epi8(_mm256_permute4x64_epi64::<0b11_01_10_00>(bytes)).cast_unsigned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_round_down() {
        let mut thresholds = [0.0; WIDTH];
        let given = [-0.25, -1.75, -7.999, 3.5, 0.0001, 1e30, -1e30, -29_999.3];
        thresholds[..8].copy_from_slice(&given);
        let gibbs = floors::<true>(&thresholds).0;
        assert_eq!(gibbs[..8], [-1, -2, -8, 3, 0, 30_000, -30_000, -30_000]);
        let metropolis = floors::<false>(&thresholds).0;
        assert_eq!(metropolis[..6], [-1, -2, -8, i16::MAX, i16::MAX, i16::MAX]);
    }

    /// Every instruction set that this processor has.
    fn every_arch() -> Vec<pulp::Arch> {
        let mut all = vec![pulp::Arch::Scalar, pulp::Arch::new()];
        #[cfg(target_arch = "x86_64")]
        all.extend(pulp::x86::V3::try_new().map(pulp::Arch::V3));
        all
    }

    /// At zero temperature nothing depends on random numbers, of which lanes have their own.
    #[test]
    fn rows_are_added_alike_on_every_instruction_set() {
        let n = 75;
        let coupling = |i: usize, j: usize| ((7 * (i + j) + i * j) % 9) as f64 - 4.0;
        let rows: Vec<Vec<f64>> = (0..n)
            .map(|i| (0..n).map(|j| if i == j { 0.0 } else { coupling(i, j) }).collect())
            .collect();
        let fields: Vec<f64> = (0..n).map(|i| (i % 5) as f64 - 1.5).collect();
        let matrix = Matrix::new(&fields, 0.5, |i| &rows[i]).expect("half integers");
        let stop = Stop::never();
        let run = |arch: pulp::Arch| {
            let mut spins: Vec<i8> = (0..n).map(|i| if i % 3 == 0 { 1 } else { -1 }).collect();
            let factors = [super::super::threshold_factor(1e9); 5];
            let (matrix, factors, stop) = (&matrix, &factors, &stop);
            let (seed, stream, read, spins_mut) = (1, 2, 3, &mut spins[..]);
            arch.dispatch(Read {
                matrix,
                factors,
                gibbs: true,
                random_order: false,
                seed,
                stream,
                read,
                stop,
                spins: spins_mut,
            });
            spins
        };
        let all: Vec<_> = every_arch().into_iter().map(run).collect();
        assert!(all.iter().all(|spins| *spins == all[0]));
    }

    struct Above<'a>(&'a [Words; 3]);

    impl pulp::WithSimd for Above<'_> {
        type Output = u32;

        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) -> u32 {
            above::<S>(&self.0[0], &self.0[1], &self.0[2])
        }
    }

    /// On every instruction set, each bit is that of its lane.
    #[test]
    fn comparisons_agree_with_their_definition() {
        let mut rng = Xoshiro::new(1, 2, 3);
        for _ in 0..200 {
            let mut word = |n: usize| rng.below(2 * n + 1) as i16 - n as i16;
            let random =
                |word: &mut dyn FnMut(usize) -> i16, n| Words(std::array::from_fn(|_| word(n)));
            let spins = Words(std::array::from_fn(|_| if word(5) > 0 { 1 } else { -1 }));
            let words = [spins, random(&mut word, 4), random(&mut word, 4)];
            let mut expected = 0;
            for l in 0..WIDTH {
                expected |= u32::from(words[0].0[l] * words[1].0[l] > words[2].0[l]) << l;
            }
            for arch in every_arch() {
                assert_eq!(arch.dispatch(Above(&words)), expected, "{arch:?}");
            }
        }
    }

    #[test]
    fn other_coefficients_are_left_to_the_other_kernel() {
        let matrix = |row: &[f64], h: f64, unit| Matrix::new(&[h, 0.0], unit, |_| row).is_some();
        assert!(matrix(&[0.0, -3.0], 40.0, 1.0) && matrix(&[0.0, 0.5], 0.0, 0.5));
        assert!(!matrix(&[0.0, 0.5], 0.0, 1.0));
        assert!(!matrix(&[0.0, 200.0], 0.0, 1.0) && !matrix(&[0.0, 1.0], 15_000.0, 1.0));
        assert!(!matrix(&[0.0, 1.0], f64::NAN, 1.0) && !matrix(&[0.0, 1.0], 0.0, 0.0));
    }
}
