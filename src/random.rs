//! Random numbers: one counter-based stream for each sample, so that results depend on the seed
//! alone and not on which thread draws them.

use rand::rngs::ChaCha8Rng;
use rand::{Rng, SeedableRng};

/// Stream `stream` of a seed: ChaCha with 8 rounds (Bernstein 2008), the same on every machine.
pub(crate) struct Stream(ChaCha8Rng);

impl Stream {
    pub fn new(seed: u64, stream: u64) -> Self {
        // The seed is the key itself, so no version of `rand` can spread it differently.
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        let mut rng = ChaCha8Rng::from_seed(key);
        rng.set_stream(stream);
        Self(rng)
    }

    /// Uniform on `[0, 1)`, a multiple of `2^-53`.
    pub fn uniform(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// `-1` or `1` with equal probability.
    pub fn sign(&mut self) -> f64 {
        if self.0.next_u64() >> 63 == 0 { 1.0 } else { -1.0 }
    }
}

/// Random numbers by place instead of by turn: number `(a, b)` of a node of a tree of keys is
/// Threefry-2x32 with 20 rounds ([Salmon et al. 2011](https://doi.org/10.1145/2063384.2063405)), so
/// it does not depend on how many others are drawn, and plain loops over places become registers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Places([u32; 2]);

impl Places {
    /// The root of a seed.
    pub fn new(seed: u64) -> Self {
        Self(halves(seed))
    }

    /// Child `index`. A node has children or numbers, not both.
    #[inline(always)]
    pub fn child(self, index: u64) -> Self {
        let [a, b] = halves(index);
        Self(self.words(a, b))
    }

    /// 64 random bits.
    #[inline(always)]
    pub fn words(self, a: u32, b: u32) -> [u32; 2] {
        let [k0, k1] = self.0;
        let keys = [k0, k1, k0 ^ k1 ^ 0x1bd1_1bda];
        let (mut x, mut y) = (a.wrapping_add(k0), b.wrapping_add(k1));
        for group in 0..5 {
            let rotations = if group % 2 == 0 { [13, 15, 26, 6] } else { [17, 29, 16, 24] };
            for r in rotations {
                x = x.wrapping_add(y);
                y = y.rotate_left(r) ^ x;
            }
            x = x.wrapping_add(keys[(group + 1) % 3]);
            y = y.wrapping_add(keys[(group + 2) % 3]).wrapping_add(group as u32 + 1);
        }
        [x, y]
    }

    /// Uniform on `(0, 1)`, an odd multiple of `2^-24`.
    #[inline(always)]
    pub fn uniform(self, a: u32, b: u32) -> f32 {
        unit(self.words(a, b)[0])
    }

    /// Standard normal, of at most 5.8 standard deviations (Box and Muller 1958).
    pub fn normal(self, a: u32, b: u32) -> f64 {
        let [u, v] = self.words(a, b).map(|word| f64::from(unit(word)));
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    }
}

#[inline(always)]
fn unit(word: u32) -> f32 {
    ((word >> 9) as f32 + 0.5) / (1 << 23) as f32
}

#[inline(always)]
fn halves(x: u64) -> [u32; 2] {
    [x as u32, (x >> 32) as u32]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The known answers of Random123.
    #[test]
    fn places_are_threefry() {
        assert_eq!(Places([0; 2]).words(0, 0), [0x6b20_0159, 0x99ba_4efe]);
        assert_eq!(Places([!0; 2]).words(!0, !0), [0x1cb9_96fc, 0xbb00_2be7]);
        let pi = Places([0x1319_8a2e, 0x0370_7344]).words(0x243f_6a88, 0x85a3_08d3);
        assert_eq!(pi, [0xc492_3a9c, 0x483d_f7a0]);
    }

    #[test]
    fn normal_numbers_have_the_moments_of_their_distribution() {
        let (n, places) = (100_000, Places::new(3).child(1));
        let moment = |k| (0..n).map(|b| places.normal(7, b).powi(k)).sum::<f64>() / f64::from(n);
        let error = |variance: f64| 5.0 * (variance / f64::from(n)).sqrt();
        assert!(moment(1).abs() < error(1.0));
        assert!((moment(2) - 1.0).abs() < error(2.0));
        assert!((moment(4) - 3.0).abs() < error(96.0));
    }

    /// ChaCha8 with the key 0 and stream 0 begins 3e00ef2f 895f40d6 (eSTREAM's test vectors, with
    /// the counter in words 12 and 13).
    #[test]
    fn the_generator_is_the_published_one() {
        let first = (0x3e00ef2f_u32.swap_bytes(), 0x895f40d6_u32.swap_bytes());
        let word = u64::from(first.0) | u64::from(first.1) << 32;
        assert_eq!(Stream::new(0, 0).0.next_u64(), word);
    }

    #[test]
    fn streams_and_seeds_differ_and_repeat() {
        let draw = |seed, stream| Stream::new(seed, stream).uniform();
        assert_eq!(draw(1, 2), draw(1, 2));
        assert!(draw(1, 2) != draw(1, 3) && draw(1, 2) != draw(2, 2));
    }
}
