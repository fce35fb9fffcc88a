//! Chains on the rook's graph, on plain slices.

use super::RookModel;
use crate::random::Places;

/// Sums drift by rounding, so they are made anew after so many sweeps.
const REFRESH: usize = 64;

/// One chain, for the instruction sets of `pulp`.
pub(super) struct Chain<'a> {
    pub model: &'a RookModel,
    /// One for each sweep.
    pub betas: &'a [f64],
    pub random: Places,
    /// Whether to return the best configuration, after a local search, and not the last.
    pub minimise: bool,
}

impl pulp::WithSimd for Chain<'_> {
    type Output = Vec<u8>;

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) -> Vec<u8> {
        let mut state = State::random(self.model, self.random.child(0));
        let mut best = (state.energy, state.bits.clone());
        let mut thresholds = vec![0.0; self.model.n_bits()];
        for (sweep, &beta) in self.betas.iter().enumerate() {
            if sweep.is_multiple_of(REFRESH) {
                state.refresh();
            }
            logits(self.model, self.random.child(1 + sweep as u64), &mut thresholds);
            state.sweep((1.0 / beta) as f32, &thresholds);
            if self.minimise && state.energy < best.0 {
                best = (state.energy, state.bits.clone());
            }
        }
        if self.minimise {
            state.bits = best.1;
            state.descend();
        }
        state.bits
    }
}

/// `ln(u / (1 - u))`, a place of its own for each head, bit and token.
#[inline(always)]
fn logits(model: &RookModel, random: Places, out: &mut [f32]) {
    let [_, q, n] = model.shape();
    for (row, out) in out.chunks_exact_mut(n.max(1)).enumerate() {
        let place = (((row / q) << 8) | (row % q)) as u32;
        for (i, out) in out.iter_mut().enumerate() {
            let u = random.uniform(place, i as u32);
            *out = ln(u) - ln(1.0 - u);
        }
    }
}

/// The natural logarithm of a positive normal number, to 2e-6.
#[inline(always)]
pub(in super::super) fn ln(x: f32) -> f32 {
    let bits = x.to_bits();
    // The mantissa in [sqrt(1/2), sqrt(2)).
    let shifted = bits.wrapping_sub(0x3f35_04f3);
    let exponent = (shifted as i32 >> 23) as f32;
    let m = f32::from_bits((shifted & 0x007f_ffff).wrapping_add(0x3f35_04f3));
    let t = (m - 1.0) / (m + 1.0);
    let s = t * t;
    // 2 atanh(t).
    let series = 2.0 + s * (2.0 / 3.0 + s * (2.0 / 5.0 + s * (2.0 / 7.0)));
    exponent * std::f32::consts::LN_2 + t * series
}

struct State<'a> {
    model: &'a RookModel,
    bits: Vec<u8>,
    /// `w`, `[n_heads, n_tokens]`.
    weights: Vec<f32>,
    /// `f_i + sum_{j != i} J_ij w_j`, of the same shape.
    pull: Vec<f32>,
    /// How many heads have a bit on, `[n_bits, n_tokens]`.
    heads_on: Vec<f32>,
    /// `sum_i w_hi`, `[n_heads]`.
    totals: Vec<f32>,
    /// Up to a constant.
    energy: f64,
}

impl<'a> State<'a> {
    #[inline(always)]
    fn random(model: &'a RookModel, random: Places) -> Self {
        let [n_heads, q, n] = model.shape();
        let mut bits = vec![0; model.n_bits()];
        for (row, bits) in bits.chunks_exact_mut(n.max(1)).enumerate() {
            let place = (((row / q) << 8) | (row % q)) as u32;
            for (i, bit) in bits.iter_mut().enumerate() {
                *bit = (random.words(place, i as u32)[0] >> 31) as u8;
            }
        }
        let (weights, pull) = (Vec::new(), vec![0.0; n_heads * n]);
        let (heads_on, totals) = (vec![0.0; q * n], vec![0.0; n_heads]);
        let mut state = Self { model, bits, weights, pull, heads_on, totals, energy: 0.0 };
        state.refresh();
        state
    }

    /// All sums from the bits.
    #[inline(always)]
    fn refresh(&mut self) {
        let [n_heads, q, n] = self.model.shape();
        self.weights = self.model.weights(&self.bits);
        self.energy = self.model.energy(&self.bits);
        self.heads_on.fill(0.0);
        for bits in self.bits.chunks_exact((q * n).max(1)) {
            self.heads_on.iter_mut().zip(bits).for_each(|(sum, &bit)| *sum += f32::from(bit));
        }
        self.pull.copy_from_slice(&self.model.fields);
        for h in 0..n_heads {
            self.totals[h] = self.weights[h * n..][..n].iter().sum();
            for j in 0..n {
                let w = self.weights[h * n + j];
                if w != 0.0 {
                    self.add_row(h, j, w);
                }
            }
        }
    }

    /// The weight of a token grew by `change`: every other token of the head feels it.
    #[inline(always)]
    fn add_row(&mut self, h: usize, i: usize, change: f32) {
        let n = self.model.n_tokens;
        let row = &self.model.couplings[(h * n + i) * n..][..n];
        let pull = &mut self.pull[h * n..][..n];
        let own = pull[i];
        pull.iter_mut().zip(row).for_each(|(pull, j)| *pull += change * j);
        pull[i] = own;
    }

    /// What a bit feels: by so much the energy is lower with the bit on than with it off.
    #[inline(always)]
    fn field(&self, h: usize, r: usize, i: usize) -> f32 {
        let (model, n) = (self.model, self.model.n_tokens);
        let (k, p) = (h * n + i, model.places[r]);
        let on = f32::from(self.bits[(h * model.places.len() + r) * n + i]);
        // With the middle of the two weights that the token may have, the square is a product.
        let half = p * (0.5 - on);
        let diagonal = model.couplings[k * n + i] * (self.weights[k] + half);
        let rivals = model.head_penalty * (self.heads_on[r * n + i] - on);
        let crowd = model.cardinality.map_or(0.0, |c| {
            let excess = self.totals[h] + half - c.target;
            c.strength * excess
        });
        p * (self.pull[k] + diagonal - crowd) - rivals
    }

    #[inline(always)]
    fn flip(&mut self, h: usize, r: usize, i: usize, field: f32) {
        let [_, q, n] = self.model.shape();
        let bit = &mut self.bits[(h * q + r) * n + i];
        *bit ^= 1;
        let sign = if *bit == 1 { 1.0 } else { -1.0 };
        let change = sign * self.model.places[r];
        self.energy -= f64::from(sign * field);
        self.weights[h * n + i] += change;
        self.totals[h] += change;
        self.heads_on[r * n + i] += sign;
        self.add_row(h, i, change);
    }

    /// Heat-bath updates, colour by colour of the Latin square `(h + i) mod max(n_heads, n_tokens)`:
    /// the tokens of one colour lie in different rows and columns, so they do not see each other.
    #[inline(always)]
    fn sweep(&mut self, temperature: f32, thresholds: &[f32]) {
        let [n_heads, q, n] = self.model.shape();
        let n_colours = n_heads.max(n);
        for colour in 0..n_colours {
            for h in 0..n_heads {
                let i = if colour >= h { colour - h } else { colour + n_colours - h };
                if i >= n {
                    continue;
                }
                for r in 0..q {
                    let k = (h * q + r) * n + i;
                    let field = self.field(h, r, i);
                    let on = field > temperature * thresholds[k];
                    if u8::from(on) != self.bits[k] {
                        self.flip(h, r, i, field);
                    }
                }
            }
        }
    }

    /// Flips, and exchanges where single flips would change how many are on, until none helps.
    #[inline(always)]
    fn descend(&mut self) {
        self.refresh();
        // Less than this may be rounding.
        let least = 1e-5 * self.model.rms_field() as f32;
        self.flip_down(least);
        for _ in 0..16 * self.model.n_bits() {
            if self.model.cardinality.is_none() || !self.exchange(least) {
                break;
            }
            self.flip_down(least);
        }
    }

    /// Turns one bit off and another of its head and number on, where that lowers the energy most.
    #[inline(always)]
    fn exchange(&mut self, least: f32) -> bool {
        let [n_heads, q, n] = self.model.shape();
        let kappa = self.model.cardinality.map_or(0.0, |c| c.strength);
        let mut best = (least, None);
        for (h, r) in (0..n_heads).flat_map(|h| (0..q).map(move |r| (h, r))) {
            let square = self.model.places[r] * self.model.places[r];
            let is_on = |i: usize| self.bits[(h * q + r) * n + i] == 1;
            let fields: Vec<f32> = (0..n).map(|i| self.field(h, r, i)).collect();
            for i in (0..n).filter(|&i| is_on(i)) {
                let row = &self.model.couplings[(h * n + i) * n..][..n];
                for j in (0..n).filter(|&j| !is_on(j)) {
                    // With `i` off there is more room for `j`, which its coupling no longer pulls.
                    let gain = fields[j] - fields[i] + square * (kappa - row[j]);
                    if gain > best.0 {
                        best = (gain, Some((h, r, i, j)));
                    }
                }
            }
        }
        let Some((h, r, i, j)) = best.1 else { return false };
        self.flip(h, r, i, self.field(h, r, i));
        self.flip(h, r, j, self.field(h, r, j));
        true
    }

    /// The flip that lowers the energy most, whichever its direction, until there is none.
    #[inline(always)]
    fn flip_down(&mut self, least: f32) {
        let [n_heads, q, n] = self.model.shape();
        for _ in 0..16 * self.model.n_bits() {
            let mut best = (least, None);
            for place in 0..n_heads * q * n {
                let (h, r, i) = (place / (q * n), place / n % q, place % n);
                let field = self.field(h, r, i);
                let gain = if self.bits[place] == 1 { -field } else { field };
                if gain > best.0 {
                    best = (gain, Some((h, r, i, field)));
                }
            }
            let Some((h, r, i, field)) = best.1 else { break };
            self.flip(h, r, i, field);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logarithm_is_as_accurate_as_documented() {
        for k in 1..200_000 {
            let x = k as f32 / 100_000.0;
            let error = f64::from(ln(x)) - f64::from(x).ln();
            assert!(error.abs() < 2e-6 * f64::from(x).ln().abs().max(1.0), "{x}: {error}");
        }
    }
}
