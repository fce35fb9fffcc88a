//! Models of query and key bits, which only see each other: restricted Boltzmann machines.

use super::rook::{BlockGibbs, each_chain, ln};
use crate::error::{Error, finite, length};
use crate::ising::Qubo;
use crate::random::Places;

/// Bits `s_i` of queries and `x_j` of keys with
/// `E(s, x) = -sum_ij J_ij s_i x_j - sum_i g_i s_i - sum_j f_j x_j`.
///
/// A configuration lists the bits of the queries, then those of the keys.
///
/// ```
/// use burn_quantum::annealing::{BipartiteModel, BlockGibbs};
///
/// let model = BipartiteModel::new([2, 3], &[1.0; 6], [&[0.0; 2], &[-1.0; 3]], [None, None])?;
/// assert_eq!(model.energy(&[1, 0, 0, 1, 1]), -0.0);
/// let reads = BlockGibbs::new(1.0)?.sample_bipartite(&[model], 4).remove(0);
/// assert_eq!(reads.len(), 4 * 5);
/// # Ok::<(), burn_quantum::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct BipartiteModel {
    /// `[n_queries, n_keys]`.
    couplings: Vec<f32>,
    query_fields: Vec<f32>,
    key_fields: Vec<f32>,
}

impl BipartiteModel {
    /// A model of the queries and keys that are kept; the others are left out, as if they had not been
    /// given.
    ///
    /// # Shapes
    ///
    /// - couplings: `[n_queries, n_keys]`
    /// - fields: of queries `[n_queries]`, of keys `[n_keys]`
    /// - kept: of queries `[n_queries]`, of keys `[n_keys]`
    ///
    /// # Errors
    ///
    /// When a slice is of another length, or a coefficient that counts is NaN or infinite.
    pub fn new(
        [n_queries, n_keys]: [usize; 2],
        couplings: &[f32],
        [query_fields, key_fields]: [&[f32]; 2],
        [kept_queries, kept_keys]: [Option<&[bool]>; 2],
    ) -> Result<Self, Error> {
        length("the couplings", n_queries * n_keys, couplings.len())?;
        let queries = kept_places("the fields of queries", n_queries, query_fields, kept_queries)?;
        let keys = kept_places("the fields of keys", n_keys, key_fields, kept_keys)?;
        let mut j = Vec::with_capacity(queries.len() * keys.len());
        for &i in &queries {
            let row = &couplings[i * n_keys..][..n_keys];
            j.extend(keys.iter().map(|&k| row[k]));
        }
        let model = Self {
            couplings: j,
            query_fields: queries.iter().map(|&i| query_fields[i]).collect(),
            key_fields: keys.iter().map(|&k| key_fields[k]).collect(),
        };
        let all = [&model.couplings, &model.query_fields, &model.key_fields];
        for (what, values) in ["coupling", "field of query", "field of key"].iter().zip(all) {
            if let Some(k) = values.iter().position(|value| !value.is_finite()) {
                finite(|| format!("{what} {k}"), values[k].into())?;
            }
        }
        Ok(model)
    }

    /// The numbers of queries and of keys.
    pub fn shape(&self) -> [usize; 2] {
        [self.query_fields.len(), self.key_fields.len()]
    }

    /// `E`, in double precision.
    ///
    /// # Panics
    ///
    /// Panics on another number of bits.
    pub fn energy(&self, bits: &[u8]) -> f64 {
        let [n_queries, n_keys] = self.shape();
        assert_eq!(bits.len(), n_queries + n_keys, "bits of a bipartite model");
        let (s, x) = bits.split_at(n_queries);
        let on = |bits: &[u8], values: &[f32]| -> f64 {
            bits.iter().zip(values).map(|(&bit, &v)| f64::from(bit) * f64::from(v)).sum()
        };
        let rows = self.couplings.chunks_exact(n_keys.max(1));
        let pairs: f64 = s.iter().zip(rows).map(|(&s, row)| f64::from(s) * on(x, row)).sum();
        -pairs - on(s, &self.query_fields) - on(x, &self.key_fields)
    }

    /// The same energy as a QUBO, for any sampler or device.
    ///
    /// # Errors
    ///
    /// When a coefficient overflows.
    pub fn to_qubo(&self) -> Result<Qubo, Error> {
        let [n_queries, n_keys] = self.shape();
        let fields = self.query_fields.iter().chain(&self.key_fields).enumerate();
        let linear = fields.map(|(k, &f)| (k, k, -f64::from(f)));
        let pair = |(k, &j): (usize, &f32)| (k / n_keys, n_queries + k % n_keys, -f64::from(j));
        let pairs = self.couplings.iter().enumerate().map(pair);
        Qubo::sparse(n_queries + n_keys, linear.chain(pairs), 0.0)
    }
}

fn kept_places(
    what: &'static str,
    n: usize,
    fields: &[f32],
    kept: Option<&[bool]>,
) -> Result<Vec<usize>, Error> {
    length(what, n, fields.len())?;
    length("the kept places", n, kept.map_or(n, <[bool]>::len))?;
    Ok((0..n).filter(|&i| kept.is_none_or(|kept| kept[i])).collect())
}

impl BlockGibbs {
    /// The bits of `n_reads` samples of each model, `[n_reads, n_queries + n_keys]`: each sweep draws
    /// all queries given the keys, then all keys given the queries.
    pub fn sample_bipartite(&self, models: &[BipartiteModel], n_reads: usize) -> Vec<Vec<u8>> {
        let (beta, n_sweeps) = (self.beta, self.n_sweeps);
        let chains = each_chain(self.seed, models.len(), n_reads, |p, random| {
            pulp::Arch::new().dispatch(Chain { model: &models[p], beta, n_sweeps, random })
        });
        (0..models.len()).map(|p| chains[p * n_reads..][..n_reads].concat()).collect()
    }
}

struct Chain<'a> {
    model: &'a BipartiteModel,
    beta: f64,
    n_sweeps: usize,
    random: Places,
}

impl pulp::WithSimd for Chain<'_> {
    type Output = Vec<u8>;

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) -> Vec<u8> {
        let (model, temperature) = (self.model, (1.0 / self.beta) as f32);
        let [n_queries, n_keys] = model.shape();
        let (mut queries, mut keys) = (vec![0.0; n_queries], vec![0.0; n_keys]);
        let mut fields = Vec::with_capacity(n_queries.max(n_keys));
        // Without fields, bits are on with probability 1/2.
        fields.resize(n_keys, 0.0);
        draw(&mut keys, &fields, 1.0, self.random.child(0), 1);
        let rows = || model.couplings.chunks_exact(n_keys.max(1));
        for sweep in 0..self.n_sweeps {
            let random = self.random.child(1 + sweep as u64);
            fields.clear();
            fields.extend_from_slice(&model.query_fields);
            for (field, row) in fields.iter_mut().zip(rows()) {
                *field += dot(row, &keys);
            }
            draw(&mut queries, &fields, temperature, random, 0);
            fields.clear();
            fields.extend_from_slice(&model.key_fields);
            for (&on, row) in queries.iter().zip(rows()) {
                if on != 0.0 {
                    fields.iter_mut().zip(row).for_each(|(field, j)| *field += j);
                }
            }
            draw(&mut keys, &fields, temperature, random, 1);
        }
        queries.iter().chain(&keys).map(|&bit| bit as u8).collect()
    }
}

/// Heat-bath draws, 1 or 0, in these fields.
#[inline(always)]
fn draw(bits: &mut [f32], fields: &[f32], temperature: f32, random: Places, side: u32) {
    for (i, (bit, field)) in bits.iter_mut().zip(fields).enumerate() {
        let u = random.uniform(side, i as u32);
        let threshold = ln(u) - ln(1.0 - u);
        *bit = if *field > temperature * threshold { 1.0 } else { 0.0 };
    }
}

/// In eight sums, which fill a register.
#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let ((a, a_tail), (b, b_tail)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut sums = [0.0; 8];
    for (a, b) in a.iter().zip(b) {
        (0..8).for_each(|l| sums[l] += a[l] * b[l]);
    }
    let tail: f32 = a_tail.iter().zip(b_tail).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + tail
}
