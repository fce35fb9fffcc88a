//! Sparse problems with small integer coefficients: 64 reads as bytes.
//!
//! A random byte for each read selects one of 256 thresholds, which are drawn again for every
//! sweep: cell `r` stands for the uniform numbers between `r / 256` and `(r + 1) / 256`, with a
//! fresh offset, so that probabilities below 1/256 are right on average over sweeps.

use super::super::control::Stop;
use super::{LAZY, Xoshiro, stream_state};

/// The number of reads of one block.
pub(in super::super) const READS: usize = 64;

/// One spin of each read, or one byte of anything else.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Bytes([i8; READS]);

/// Compressed rows of integer coefficients. A coupling of `3` is stored as its neighbour three
/// times.
#[derive(Debug)]
pub(in super::super) struct Integers {
    fields: Vec<i8>,
    /// Where the positive and the negative neighbours of each spin start, `[2 n_spins + 1]`.
    starts: Vec<u32>,
    neighbours: Vec<u32>,
}

/// Sums in bytes may not exceed this. Larger ones are added in parts and saturate.
const LARGEST: i32 = 126;

impl Integers {
    /// The model in units of `unit`, or nothing if a coefficient is not a multiple of it or the
    /// rows would become much longer than `row(i)`, the neighbours of spin `i` and their couplings.
    pub fn new<'a>(
        fields: &[f64],
        unit: f64,
        row: impl Fn(usize) -> (&'a [u32], &'a [f64]),
    ) -> Option<Self> {
        let whole = |x: f64| {
            let k = x / unit;
            (k.fract() == 0.0 && k.abs() <= LARGEST.into()).then_some(k as i32)
        };
        let mut starts = vec![0];
        let mut neighbours = Vec::new();
        let (mut h, mut n_pairs) = (Vec::new(), 0);
        for (i, &field) in fields.iter().enumerate() {
            let (others, couplings) = row(i);
            n_pairs += others.len();
            h.push(whole(field)? as i8);
            for sign in [1, -1] {
                for (&j, &coupling) in others.iter().zip(couplings) {
                    let times = (sign * whole(coupling)?).max(0);
                    neighbours.extend(std::iter::repeat_n(j, times as usize));
                }
                if neighbours.len() > 3 * n_pairs + 64 {
                    return None;
                }
                starts.push(u32::try_from(neighbours.len()).ok()?);
            }
        }
        Some(Self { fields: h, starts, neighbours })
    }

    pub fn n_spins(&self) -> usize {
        self.fields.len()
    }

    /// The neighbours of spin `i` with positive and those with negative couplings.
    #[inline(always)]
    fn row(&self, i: usize) -> (&[u32], &[u32]) {
        let [start, middle, end] = [0, 1, 2].map(|k| self.starts[2 * i + k] as usize);
        (&self.neighbours[start..middle], &self.neighbours[middle..end])
    }
}

/// [`READS`] reads.
#[derive(Debug)]
pub(in super::super) struct Block<'a> {
    pub model: &'a Integers,
    /// The inverse temperature of each sweep, in inverse units of the model.
    pub betas: &'a [f64],
    pub gibbs: bool,
    /// Permutations of the spins, used in turns. Empty: ascending order.
    pub orders: &'a [u32],
    pub seed: u64,
    pub stream: u64,
    /// The number of the block, of which the streams are made.
    pub block: u64,
    pub stop: &'a Stop<'a>,
    /// The spins of the wanted reads, at most [`READS`], each `[n_spins]`: those to start from, then
    /// the result. All zero: random ones.
    pub spins: &'a mut [i8],
}

/// Four reads share the generator of a 32-bit lane, xoshiro128++ (Blackman and Vigna 2021).
type Rng = [[u32; 16]; 4];

impl Block<'_> {
    /// The number of sweeps done.
    pub fn run(self) -> usize {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vbmi")
        {
            // SAFETY: the processor has the features.
            return unsafe { self.run_avx512() };
        }
        pulp::Arch::new().dispatch(self)
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi,avx512vl,avx512dq,avx2,fma,bmi1,bmi2")]
    fn run_avx512(self) -> usize {
        self.run_with(|model, order, table, spins, rng| {
            avx512::sweep(model, order, table, spins, rng);
        })
    }

    #[inline(always)]
    fn run_with(
        self,
        sweep_with: impl Fn(&Integers, &[u32], &[i8; 256], &mut [Bytes], &mut Rng),
    ) -> usize {
        let n = self.model.n_spins();
        let mut common = Xoshiro::new(self.seed, self.stream, self.block << 8 | 255);
        let mut rng: Rng = [[0; 16]; 4];
        for l in 0..16 {
            let state = stream_state(self.seed, self.stream, self.block << 8 | l as u64);
            rng.iter_mut().zip(state).for_each(|(word, value)| word[l] = value);
        }
        let mut spins = vec![Bytes([0; READS]); n];
        for line in &mut spins {
            let bits = u64::from(common.next()) << 32 | u64::from(common.next());
            let spin = |(l, spin): (usize, &mut i8)| *spin = 1 - 2 * (bits >> l & 1) as i8;
            line.0.iter_mut().enumerate().for_each(spin);
        }
        for (k, &spin) in self.spins.iter().enumerate().filter(|(_, spin)| **spin != 0) {
            spins[k % n].0[k / n] = spin;
        }
        let start = common.next() as usize;
        let mut done = 0;
        for (sweep, &beta) in self.betas.iter().enumerate() {
            if self.stop.now() {
                break;
            }
            let order = match self.orders.len() / n.max(1) {
                0 => &[],
                turns => &self.orders[(start + sweep) % turns * n..][..n],
            };
            let table = table(beta, self.gibbs, &mut common);
            sweep_with(self.model, order, &table, &mut spins, &mut rng);
            done = sweep + 1;
        }
        for (k, out) in self.spins.iter_mut().enumerate() {
            *out = spins[k % n].0[k / n];
        }
        done
    }
}

impl pulp::WithSimd for Block<'_> {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) -> usize {
        self.run_with(sweep)
    }
}

/// For each random byte the least `s f` with which a spin flips; 127 is out of reach.
fn table(beta: f64, gibbs: bool, rng: &mut Xoshiro) -> [i8; 256] {
    let mut table = [127; 256];
    for (cell, least) in table.iter_mut().enumerate() {
        let u = (cell as f64 + rng.uniform()) / 256.0;
        let threshold = match gibbs {
            true => (u / (1.0 - u)).ln() / (2.0 * beta),
            false if u > LAZY => continue,
            false => (u / LAZY).ln() / (2.0 * beta),
        };
        // A field of exactly the threshold has probability zero.
        *least = threshold.ceil().clamp(-127.0, 127.0) as i8;
    }
    table
}

#[inline(always)]
fn sweep(model: &Integers, order: &[u32], table: &[i8; 256], spins: &mut [Bytes], rng: &mut Rng) {
    let n = model.n_spins();
    let mut r = *rng;
    for k in 0..n {
        let i = order.get(k).map_or(k, |&i| i as usize);
        let (plus, minus) = model.row(i);
        let mut f = [0; READS];
        if plus.len() + minus.len() + usize::from(model.fields[i].unsigned_abs())
            <= LARGEST as usize
        {
            f = [model.fields[i]; READS];
            for &j in plus {
                (0..READS).for_each(|l| f[l] = f[l].wrapping_add(spins[j as usize].0[l]));
            }
            for &j in minus {
                (0..READS).for_each(|l| f[l] = f[l].wrapping_sub(spins[j as usize].0[l]));
            }
        } else {
            let mut wide = [i32::from(model.fields[i]); READS];
            for &j in plus {
                (0..READS).for_each(|l| wide[l] += i32::from(spins[j as usize].0[l]));
            }
            for &j in minus {
                (0..READS).for_each(|l| wide[l] -= i32::from(spins[j as usize].0[l]));
            }
            (0..READS).for_each(|l| f[l] = wide[l].clamp(-LARGEST, LARGEST) as i8);
        }
        let bytes = next(&mut r);
        let own = &mut spins[i].0;
        for l in 0..READS {
            let sf = if own[l] > 0 { f[l] } else { -f[l] };
            let least = table[usize::from(bytes[l])];
            own[l] = if sf >= least { -own[l] } else { own[l] };
        }
    }
    *rng = r;
}

#[inline(always)]
fn next([a, b, c, d]: &mut Rng) -> [u8; READS] {
    let mut bytes = [0; READS];
    for l in 0..16 {
        let result = a[l].wrapping_add(d[l]).rotate_left(7).wrapping_add(a[l]);
        let t = b[l] << 9;
        c[l] ^= a[l];
        d[l] ^= b[l];
        b[l] ^= c[l];
        a[l] ^= d[l];
        c[l] ^= t;
        d[l] = d[l].rotate_left(11);
        bytes[4 * l..4 * l + 4].copy_from_slice(&result.to_le_bytes());
    }
    bytes
}

/// The same sweep, with the table in registers.
#[cfg(target_arch = "x86_64")]
mod avx512 {
    use super::{Bytes, Integers, LARGEST, Rng};
    use std::arch::x86_64::*;

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    fn load(bytes: &[i8; 64]) -> __m512i {
        // SAFETY: an array of 64 bytes is as large as the register; the load needs no alignment.
        unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    fn words(words: &[u32; 16]) -> __m512i {
        // SAFETY: as in `load`.
        unsafe { _mm512_loadu_si512(words.as_ptr().cast()) }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    pub fn sweep(
        model: &Integers,
        order: &[u32],
        table: &[i8; 256],
        spins: &mut [Bytes],
        rng: &mut Rng,
    ) {
        let n = model.n_spins();
        assert_eq!(spins.len(), n);
        let quarter = |k: usize| table[64 * k..64 * k + 64].try_into().expect("64 of 256 bytes");
        let [t0, t1, t2, t3] = [0, 1, 2, 3].map(quarter);
        let (t0, t1, t2, t3) = (load(t0), load(t1), load(t2), load(t3));
        let [a, b, c, d] = &*rng;
        let (mut a, mut b, mut c, mut d) = (words(a), words(b), words(c), words(d));
        let zero = _mm512_setzero_si512();
        for k in 0..n {
            let i = match order {
                [] => k,
                order => order[k] as usize,
            };
            let (plus, minus) = model.row(i);
            let h = model.fields[i];
            let small = plus.len() + minus.len() + usize::from(h.unsigned_abs());
            let f = if small <= LARGEST as usize {
                let mut f = _mm512_set1_epi8(h);
                for &j in plus {
                    f = _mm512_add_epi8(f, load(&spins[j as usize].0));
                }
                for &j in minus {
                    f = _mm512_sub_epi8(f, load(&spins[j as usize].0));
                }
                f
            } else {
                wide(h, plus, minus, spins)
            };
            // xoshiro128++
            let sum = _mm512_rol_epi32::<7>(_mm512_add_epi32(a, d));
            let random = _mm512_add_epi32(sum, a);
            let t = _mm512_slli_epi32::<9>(b);
            c = _mm512_xor_si512(c, a);
            d = _mm512_xor_si512(d, b);
            b = _mm512_xor_si512(b, c);
            a = _mm512_xor_si512(a, d);
            c = _mm512_xor_si512(c, t);
            d = _mm512_rol_epi32::<11>(d);

            let low = _mm512_permutex2var_epi8(t0, random, t1);
            let high = _mm512_permutex2var_epi8(t2, random, t3);
            let least = _mm512_mask_blend_epi8(_mm512_movepi8_mask(random), low, high);
            let own = load(&spins[i].0);
            let sf = _mm512_mask_sub_epi8(f, _mm512_movepi8_mask(own), zero, f);
            let flip = _mm512_cmpge_epi8_mask(sf, least);
            let own = _mm512_mask_sub_epi8(own, flip, zero, own);
            // SAFETY: as in `load`.
            unsafe { _mm512_storeu_si512(spins[i].0.as_mut_ptr().cast(), own) };
        }
        for (word, register) in rng.iter_mut().zip([a, b, c, d]) {
            // SAFETY: as in `load`.
            unsafe { _mm512_storeu_si512(word.as_mut_ptr().cast(), register) };
        }
    }

    /// The field of a spin with so many neighbours that a byte could overflow: parts of 126 are
    /// summed in 16 bits.
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    fn wide(h: i8, plus: &[u32], minus: &[u32], spins: &[Bytes]) -> __m512i {
        let mut low = _mm512_set1_epi16(h.into());
        let mut high = low;
        for (sign, neighbours) in [(1, plus), (-1, minus)] {
            let sign = _mm512_set1_epi16(sign);
            for part in neighbours.chunks(LARGEST as usize) {
                let mut sum = _mm512_setzero_si512();
                for &j in part {
                    sum = _mm512_add_epi8(sum, load(&spins[j as usize].0));
                }
                let first = _mm512_cvtepi8_epi16(_mm512_castsi512_si256(sum));
                let second = _mm512_cvtepi8_epi16(_mm512_extracti64x4_epi64::<1>(sum));
                low = _mm512_adds_epi16(low, _mm512_mullo_epi16(first, sign));
                high = _mm512_adds_epi16(high, _mm512_mullo_epi16(second, sign));
            }
        }
        let (low, high) = (_mm512_cvtsepi16_epi8(low), _mm512_cvtsepi16_epi8(high));
        let both = _mm512_inserti64x4::<1>(_mm512_castsi256_si512(low), high);
        let limit = _mm512_set1_epi8(LARGEST as i8);
        let lower = _mm512_sub_epi8(_mm512_setzero_si512(), limit);
        _mm512_max_epi8(_mm512_min_epi8(both, limit), lower)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ring with chords, a field and a hub that overflows bytes.
    fn model() -> Integers {
        let n = 300;
        let rows: Vec<(Vec<u32>, Vec<f64>)> = (0..n)
            .map(|i: usize| match i {
                0 => ((1..n as u32).collect(), vec![1.0; n - 1]),
                i => {
                    let next = if i + 1 < n { i + 1 } else { 1 };
                    let previous = if i > 1 { i - 1 } else { n - 1 };
                    (vec![0, previous as u32, next as u32], vec![1.0, -2.0, -2.0])
                }
            })
            .collect();
        let fields: Vec<f64> = (0..n).map(|i| (i % 3) as f64 - 1.0).collect();
        Integers::new(&fields, 1.0, |i| (&rows[i].0, &rows[i].1)).expect("small integers")
    }

    /// The compilation for the processor and the portable one give the same spins.
    #[test]
    fn both_compilations_agree() {
        let model = model();
        let stop = Stop::never();
        let orders = super::super::permutations(300, 3, &mut Xoshiro::new(1, 1, 1));
        let run = |portable: bool, orders: &[u32], gibbs| {
            let mut spins = vec![0; 300 * READS];
            let betas: Vec<f64> = (0..40).map(|k| 0.02 * f64::from(k)).collect();
            let block = Block {
                model: &model,
                betas: &betas,
                gibbs,
                orders,
                seed: 7,
                stream: 0,
                block: 3,
                stop: &stop,
                spins: &mut spins,
            };
            let done = if portable { block.run_with(sweep) } else { block.run() };
            assert_eq!(done, 40);
            spins
        };
        for gibbs in [false, true] {
            assert_eq!(run(true, &orders, gibbs), run(false, &orders, gibbs));
            assert_eq!(run(true, &[], gibbs), run(false, &[], gibbs));
        }
    }

    #[test]
    fn other_coefficients_are_left_to_the_other_kernel() {
        let row = |_| (&[1][..], &[0.5][..]);
        assert!(Integers::new(&[0.0], 1.0, row).is_none());
        assert!(Integers::new(&[0.0], 0.5, row).is_some());
        assert!(Integers::new(&[200.0], 1.0, |_| (&[][..], &[][..])).is_none());
        assert!(Integers::new(&[f64::NAN], 1.0, |_| (&[][..], &[][..])).is_none());
    }
}
