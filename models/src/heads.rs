//! How many keys the queries of an attention head select.

use crate::attention::AttentionOutput;
use burn::tensor::{Bool, Tensor, assert_shape};

/// How selective one attention head is, on a set of texts or images. Padding, as query and as key, does
/// not count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HeadStatistics {
    /// The mean probability that a query selects a key.
    pub selected_fraction: f64,
    /// The mean over queries of the entropy of the weights, in nats: `H_i = -sum_j p_ij ln p_ij`, where
    /// `p_i` are the weights of query `i` divided by their sum.
    pub entropy: f64,
    /// The mean over queries of `exp(H_i)`: 1 where one key has all the weight, the number of keys where
    /// all have the same.
    pub effective_keys: f64,
    /// The number of queries, with any key to select, that these are means of.
    pub n_queries: usize,
}

/// Gathers the [`HeadStatistics`] of one layer, batch by batch.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_quantum_models::{HeadMeter, VisionTransformerConfig};
///
/// let device = Device::flex();
/// let model = VisionTransformerConfig::new([1, 8, 8], 10).init(&device);
/// let (_, layers) = model.forward_with_attention(Tensor::zeros([3, 1, 8, 8], &device));
/// let mut meter = HeadMeter::default();
/// meter.add(&layers[0], None);
/// let heads = meter.statistics();
/// assert_eq!((heads.len(), heads[0].n_queries), (8, 3 * 4));
/// ```
#[derive(Debug, Clone, Default)]
pub struct HeadMeter {
    heads: Vec<Sums>,
}

/// Sums of which [`HeadStatistics`] are made.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    selection: f64,
    n_pairs: usize,
    entropy: f64,
    effective: f64,
    n_queries: usize,
}

impl HeadMeter {
    /// Adds a batch. `mask_pad` is that of the batch, `[batch_size, n_tokens]`, true = padding.
    ///
    /// # Panics
    ///
    /// Panics on a mask of another shape, and on another number of heads than before.
    pub fn add(&mut self, output: &AttentionOutput, mask_pad: Option<&Tensor<2, Bool>>) {
        let [_, n_heads, ..] = output.weights.dims();
        if self.heads.is_empty() {
            self.heads = vec![Sums::default(); n_heads];
        }
        let before = self.heads.len();
        assert_eq!(before, n_heads, "a batch of {n_heads} heads after batches of {before}");
        add(&mut self.heads, output, mask_pad);
    }

    /// The statistics of each head; empty before the first batch.
    pub fn statistics(&self) -> Vec<HeadStatistics> {
        self.heads.iter().map(Sums::means).collect()
    }
}

fn add(heads: &mut [Sums], output: &AttentionOutput, mask_pad: Option<&Tensor<2, Bool>>) {
    let [batch, n_heads, n, n_keys] = output.weights.dims();
    assert_shape!(output.selection, [batch, n_heads, n, n_keys]);
    let values = |tensor: &Tensor<4>| tensor.to_data().iter::<f64>().collect::<Vec<_>>();
    let (weights, selection) = (values(&output.weights), values(&output.selection));
    let hidden: Vec<bool> = match mask_pad {
        Some(mask) => {
            assert_shape!(mask, [batch, n_keys]);
            mask.to_data().iter::<bool>().collect()
        }
        None => vec![false; batch * n_keys],
    };
    for (row, (weights, selection)) in
        weights.chunks(n_keys).zip(selection.chunks(n_keys)).enumerate()
    {
        let (b, h, query) = (row / (n_heads * n), row / n % n_heads, row % n);
        let hidden = &hidden[b * n_keys..][..n_keys];
        if !hidden[query] {
            heads[h].add(weights, selection, hidden);
        }
    }
}

impl Sums {
    /// Adds one query.
    fn add(&mut self, weights: &[f64], selection: &[f64], hidden: &[bool]) {
        let visible = || (0..hidden.len()).filter(|&key| !hidden[key]);
        self.selection += visible().map(|key| selection[key]).sum::<f64>();
        self.n_pairs += visible().count();
        let total: f64 = visible().map(|key| weights[key]).sum();
        if total <= 0.0 {
            return; // nothing selected has no entropy
        }
        let terms = visible().map(|key| weights[key] / total).filter(|&p| p > 0.0);
        let entropy: f64 = terms.map(|p| -p * p.ln()).sum();
        self.entropy += entropy;
        self.effective += entropy.exp();
        self.n_queries += 1;
    }

    fn means(&self) -> HeadStatistics {
        let n = self.n_queries.max(1) as f64;
        HeadStatistics {
            selected_fraction: self.selection / self.n_pairs.max(1) as f64,
            entropy: self.entropy / n,
            effective_keys: self.effective / n,
            n_queries: self.n_queries,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};

    fn output(weights: Vec<f32>, selection: Vec<f32>, shape: [usize; 4]) -> AttentionOutput {
        let device = Device::flex();
        let tensor = |values| Tensor::from_data(TensorData::new(values, shape), &device);
        let context = Tensor::zeros([shape[0], shape[2], 1], &device);
        AttentionOutput { context, weights: tensor(weights), selection: tensor(selection) }
    }

    fn of(batches: &[(&AttentionOutput, Option<&Tensor<2, Bool>>)]) -> Vec<HeadStatistics> {
        let mut meter = HeadMeter::default();
        batches.iter().for_each(|(output, mask)| meter.add(output, *mask));
        meter.statistics()
    }

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-6
    }

    /// The first head's queries weigh all three keys alike, the second's select one.
    #[test]
    fn one_key_is_one_and_all_keys_are_all() {
        let one = [1.0, 0.0, 0.0].repeat(3);
        let weights = [[0.2; 9].to_vec(), one.clone()].concat();
        let selection = [[0.5; 9].to_vec(), one].concat();
        let output = output(weights, selection, [1, 2, 3, 3]);
        let [all, one] = of(&[(&output, None)])[..] else { panic!("two heads") };
        assert!(near(all.selected_fraction, 0.5) && near(all.entropy, 3f64.ln()), "{all:?}");
        assert!(near(all.effective_keys, 3.0) && all.n_queries == 3, "{all:?}");
        assert!(near(one.selected_fraction, 1.0 / 3.0) && near(one.entropy, 0.0), "{one:?}");
        assert!(near(one.effective_keys, 1.0), "{one:?}");
    }

    /// Weights 1 and 3 of two keys: `H = ln 4 - 3/4 ln 3`.
    #[test]
    fn padding_and_queries_that_select_nothing_do_not_count() {
        let device = Device::flex();
        let rows = [1.0, 3.0, 9.0, 0.0, 0.0, 9.0, 7.0, 8.0, 9.0];
        let first = output(rows.to_vec(), rows.to_vec(), [1, 1, 3, 3]);
        let mask = Tensor::from_data([[false, false, true]], &device);
        let [head] = of(&[(&first, Some(&mask))])[..] else { panic!("one head") };
        let entropy = 4f64.ln() - 0.75 * 3f64.ln();
        assert!(near(head.entropy, entropy) && near(head.effective_keys, entropy.exp()));
        assert!(near(head.selected_fraction, 1.0) && head.n_queries == 1, "{head:?}");

        let one_key = output(vec![1.0], vec![1.0], [1, 1, 1, 1]);
        let both = of(&[(&first, Some(&mask)), (&one_key, None)]);
        assert!(near(both[0].entropy, entropy / 2.0) && near(both[0].selected_fraction, 1.0));
    }
}
