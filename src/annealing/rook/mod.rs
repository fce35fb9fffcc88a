//! Models on the rook's graph: one bit for each head and token of an attention.

mod chain;
mod sampler;

pub(super) use chain::ln;
pub(super) use sampler::each_chain;
pub use sampler::{BlockAnnealing, BlockGibbs};

use crate::error::{Error, finite, length};
use crate::ising::Qubo;

/// A strength `kappa` and a number `k`: the energy `kappa / 2 (sum_i w_hi - k)^2` of each head.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cardinality {
    /// `kappa`.
    pub strength: f32,
    /// `k`, how much is to be selected.
    pub target: f32,
}

/// Which tokens each head selects, as a model over bits.
///
/// Head `h` gives token `i` the weight `w_hi = sum_r p_r x_hri` of `n_bits` bits with
/// `p_r = 2^r / (2^n_bits - 1)`: with one bit, 0 or 1. The energy is
///
/// `E(x) = -1/2 sum_h w_h^T J_h w_h - sum_hi f_hi w_hi + gamma sum_{r,i} sum_{h<h'} x_hri x_h'ri
/// + kappa/2 sum_h (sum_i w_hi - k)^2`.
///
/// Bits interact along rows (the tokens of a head) and columns (the heads of a token), like rooks on
/// a board; the matrix of all pairs, `n_heads` times as large as `J`, is never built. Bits are
/// `[n_heads, n_bits, n_tokens]`.
///
/// ```
/// use burn_quantum::annealing::{BlockAnnealing, RookModel};
///
/// // One head, three tokens; the first two attract each other, the third costs 1.
/// let j = [0.0, 2.0, 0.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0];
/// let model = RookModel::new([1, 3], &j, &[-0.5, -0.5, -1.0], None)?;
/// let best = BlockAnnealing::default().minimise(&[model.clone()]).remove(0);
/// assert_eq!((&best[..], model.energy(&best)), (&[1, 1, 0][..], -1.0));
/// # Ok::<(), burn_quantum::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct RookModel {
    n_heads: usize,
    n_tokens: usize,
    /// Symmetric, `[n_heads, n_tokens, n_tokens]`.
    couplings: Vec<f32>,
    fields: Vec<f32>,
    /// `p_r`, `[n_bits]`.
    places: Vec<f32>,
    head_penalty: f32,
    cardinality: Option<Cardinality>,
}

impl RookModel {
    /// A model of one bit for each head and token, without penalty between heads.
    ///
    /// Of `kept`, one value for each token, those that are `false` are left out of the model, as if
    /// they had not been given.
    ///
    /// # Shapes
    ///
    /// - couplings: `[n_heads, n_tokens, n_tokens]`; entries below the diagonal do not count
    /// - fields: `[n_heads, n_tokens]`
    ///
    /// # Errors
    ///
    /// When a slice is of another length, or a coefficient that counts is NaN or infinite.
    pub fn new(
        [n_heads, n_tokens]: [usize; 2],
        couplings: &[f32],
        fields: &[f32],
        kept: Option<&[bool]>,
    ) -> Result<Self, Error> {
        length("the couplings", n_heads * n_tokens * n_tokens, couplings.len())?;
        length("the fields", n_heads * n_tokens, fields.len())?;
        length("the kept tokens", n_tokens, kept.map_or(n_tokens, <[bool]>::len))?;
        let tokens: Vec<usize> = (0..n_tokens).filter(|&i| kept.is_none_or(|k| k[i])).collect();
        let n = tokens.len();
        let (mut j, mut f) = (vec![0.0; n_heads * n * n], Vec::with_capacity(n_heads * n));
        for h in 0..n_heads {
            let matrix = &mut j[h * n * n..][..n * n];
            for (a, &i) in tokens.iter().enumerate() {
                f.push(checked("field", [h, i], fields[h * n_tokens + i])?);
                for (b, &k) in tokens.iter().enumerate().skip(a) {
                    let value = couplings[(h * n_tokens + i) * n_tokens + k];
                    let value = checked("coupling", [i, k], value)?;
                    (matrix[a * n + b], matrix[b * n + a]) = (value, value);
                }
            }
        }
        Ok(Self {
            n_heads,
            n_tokens: n,
            couplings: j,
            fields: f,
            places: vec![1.0],
            head_penalty: 0.0,
            cardinality: None,
        })
    }

    /// `gamma`, the energy of each pair of heads that have the same bit of a token on. Default: 0
    ///
    /// # Errors
    ///
    /// When it is NaN or infinite.
    pub fn with_head_penalty(mut self, gamma: f32) -> Result<Self, Error> {
        self.head_penalty = finite(|| "the head penalty".into(), gamma.into())? as f32;
        Ok(self)
    }

    /// How much each head is to select. Default: anything
    ///
    /// # Errors
    ///
    /// When a number is NaN or infinite.
    pub fn with_cardinality(mut self, cardinality: Cardinality) -> Result<Self, Error> {
        finite(|| "the strength of the cardinality".into(), cardinality.strength.into())?;
        finite(|| "the target of the cardinality".into(), cardinality.target.into())?;
        self.cardinality = Some(cardinality);
        Ok(self)
    }

    /// The number of bits of a weight. Default: 1
    ///
    /// # Panics
    ///
    /// Panics unless it is 1 to 16.
    pub fn with_n_bits(mut self, n_bits: usize) -> Self {
        self.places = places(n_bits);
        self
    }

    /// The number of heads, bits of a weight, and tokens: the shape of the bits.
    pub fn shape(&self) -> [usize; 3] {
        [self.n_heads, self.places.len(), self.n_tokens]
    }

    /// The number of bits of all.
    pub fn n_bits(&self) -> usize {
        self.shape().iter().product()
    }

    /// The weights `w` of a configuration, `[n_heads, n_tokens]`.
    ///
    /// # Panics
    ///
    /// Panics on another number of bits, as do the methods below.
    pub fn weights(&self, bits: &[u8]) -> Vec<f32> {
        assert_eq!(bits.len(), self.n_bits(), "bits of a rook model");
        let (n, q) = (self.n_tokens, self.places.len());
        let weight = |k: usize| {
            let bit = |r: usize| f32::from(bits[(k / n * q + r) * n + k % n]);
            self.places.iter().enumerate().map(|(r, p)| p * bit(r)).sum()
        };
        (0..self.n_heads * n).map(weight).collect()
    }

    /// `E`, in double precision.
    pub fn energy(&self, bits: &[u8]) -> f64 {
        let (n, w) = (self.n_tokens, self.weights(bits));
        let mut energy = self.penalties(bits).iter().sum::<f64>();
        for (k, &w_i) in w.iter().enumerate() {
            let (row, others) = (&self.couplings[k * n..][..n], &w[k / n * n..][..n]);
            let pull: f64 = row.iter().zip(others).map(|(j, w)| f64::from(j * w)).sum();
            energy -= f64::from(w_i) * (0.5 * pull + f64::from(self.fields[k]));
        }
        energy
    }

    /// What head penalty and cardinality add to the energy, `[n_heads]`: a pair of heads shares its
    /// penalty.
    pub fn penalties(&self, bits: &[u8]) -> Vec<f64> {
        let (n, one) = (self.n_tokens, self.places.len() * self.n_tokens);
        let w = self.weights(bits);
        let on = |k: usize| (0..self.n_heads).filter(|h| bits[h * one + k] == 1).count();
        let shared = |h: usize| {
            let others = (0..one).filter(|k| bits[h * one + k] == 1).map(|k| on(k) - 1);
            0.5 * f64::from(self.head_penalty) * others.sum::<usize>() as f64
        };
        let of_number = |h: usize| {
            self.cardinality.map_or(0.0, |c| {
                let sum: f64 = w[h * n..][..n].iter().map(|&w| f64::from(w)).sum();
                0.5 * f64::from(c.strength) * (sum - f64::from(c.target)).powi(2)
            })
        };
        (0..self.n_heads).map(|h| shared(h) + of_number(h)).collect()
    }

    /// The same energy as a QUBO of `n_bits()` variables, for any sampler or device.
    ///
    /// # Errors
    ///
    /// When a coefficient overflows.
    pub fn to_qubo(&self) -> Result<Qubo, Error> {
        let [n_heads, q, n] = self.shape();
        let (kappa, k) = self.cardinality.map_or((0.0, 0.0), |c| (c.strength, c.target));
        let mut entries = Vec::new();
        for h in 0..n_heads {
            let bits = || (0..q * n).map(|b| (h * q * n + b, self.places[b / n], b % n));
            for (u, p, i) in bits() {
                entries.push((u, u, -f64::from(p * (self.fields[h * n + i] + kappa * k))));
                for (v, p_v, j) in bits() {
                    let pair = kappa - self.couplings[(h * n + i) * n + j];
                    entries.push((u, v, 0.5 * f64::from(p * p_v) * f64::from(pair)));
                }
                let others = (h + 1..n_heads).map(|other| u + (other - h) * q * n);
                entries.extend(others.map(|v| (u, v, f64::from(self.head_penalty))));
            }
        }
        let offset = 0.5 * f64::from(kappa) * f64::from(k).powi(2) * n_heads as f64;
        Qubo::sparse(self.n_bits(), entries, offset)
    }

    /// The root mean square of what a bit feels, over all bits, when the others are on or off with
    /// equal probability: the scale of temperatures.
    pub fn rms_field(&self) -> f64 {
        self.rms_field_with(self.cardinality)
    }

    pub(super) fn rms_field_without_cardinality(&self) -> f64 {
        self.rms_field_with(None)
    }

    fn rms_field_with(&self, cardinality: Option<Cardinality>) -> f64 {
        let [n_heads, q, n] = self.shape();
        let (kappa, k) = cardinality.map_or((0.0, 0.0), |c| (c.strength, c.target));
        let spread = self.places.iter().map(|p| p * p / 4.0).sum::<f32>();
        let rivals = (n_heads.max(1) - 1) as f32;
        let mut squares = 0.0;
        for (row, f) in self.couplings.chunks_exact(n.max(1)).zip(&self.fields) {
            let mean = 0.5 * row.iter().map(|j| j - kappa).sum::<f32>() + f + kappa * k;
            let variance = spread * row.iter().map(|j| (j - kappa) * (j - kappa)).sum::<f32>();
            for p in &self.places {
                let bit = p * mean - 0.5 * self.head_penalty * rivals;
                let noise = p * p * variance + 0.25 * rivals * self.head_penalty.powi(2);
                squares += f64::from(bit).powi(2) + f64::from(noise);
            }
        }
        (squares / (n_heads * q * n).max(1) as f64).sqrt()
    }
}

/// `2^r / (2^n_bits - 1)`.
pub(crate) fn places(n_bits: usize) -> Vec<f32> {
    assert!((1..=16).contains(&n_bits), "n_bits is {n_bits}: use 1 to 16");
    let all = ((1u32 << n_bits) - 1) as f32;
    (0..n_bits).map(|r| (1u32 << r) as f32 / all).collect()
}

fn checked(what: &str, at: [usize; 2], value: f32) -> Result<f32, Error> {
    finite(|| format!("{what} {at:?}"), value.into()).map(|_| value)
}
