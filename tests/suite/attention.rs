//! Hierarchical attention against burn-nn's, and the meaning of its masks.

use crate::common::*;
use crate::devices::*;
use burn::module::Module;
use burn::nn::attention::{
    MhaInput, MultiHeadAttention, MultiHeadAttentionConfig, generate_autoregressive_mask,
};
use burn::tensor::activation::softmax;
use burn::tensor::{Bool, DType, Device, Tensor};
use burn_quantum::nn::attention::*;

const D: usize = 8;

fn tokens(seed: u64, shape: [usize; 3], device: &Device) -> Tensor<3> {
    tensor(&uniform(&mut rng(seed), shape.iter().product(), 2.0), shape, device, DType::F32)
}

fn hierarchical(scales: &[usize], device: &Device) -> HierarchicalAttention {
    let config = HierarchicalAttentionConfig::new(D, 2).with_scales(scales.to_vec());
    drawn(1, config.with_dropout(0.0).init(device))
}

fn difference<const N: usize>(a: Tensor<N>, b: Tensor<N>) -> f64 {
    max_difference(&values(a), &values(b))
}

fn mask<const N: usize>(rows: [[bool; N]; 2], device: &Device) -> Tensor<2, Bool> {
    Tensor::from_data(rows, device)
}

/// The parameters of burn-nn's attention have the same paths, so its record loads.
fn with_weights_of(mha: &MultiHeadAttention, device: &Device) -> HierarchicalAttention {
    let mut ours = hierarchical(&[1], device);
    (ours.query, ours.key) = (mha.query.clone(), mha.key.clone());
    (ours.value, ours.output) = (mha.value.clone(), mha.output.clone());
    ours
}

#[test]
fn one_scale_is_the_multi_head_attention_of_burn_nn() {
    for (name, device) in devices() {
        let mha = MultiHeadAttentionConfig::new(D, 2).with_dropout(0.0);
        let mha = drawn(2, mha.init(&device));
        let ours = with_weights_of(&mha, &device);
        let (q, k, v) = (
            tokens(1, [2, 4, D], &device),
            tokens(2, [2, 5, D], &device),
            tokens(3, [2, 5, D], &device),
        );
        let pad = mask([[false, false, false, true, true], [true; 5]], &device);
        let attn = tokens(4, [2, 4, 5], &device).greater_elem(0.4);
        for (use_pad, use_attn) in [(false, false), (true, false), (false, true), (true, true)] {
            let mut theirs = MhaInput::new(q.clone(), k.clone(), v.clone());
            let mut input = HierarchicalInput::new(q.clone(), k.clone(), v.clone());
            if use_pad {
                (theirs, input) = (theirs.mask_pad(pad.clone()), input.mask_pad(pad.clone()));
            }
            if use_attn {
                (theirs, input) = (theirs.mask_attn(attn.clone()), input.mask_attn(attn.clone()));
            }
            let (theirs, ours) = (mha.forward(theirs), ours.forward(input));
            assert_eq!(values(theirs.weights), values(ours.weights), "{name}");
            assert_eq!(values(theirs.context.clone()), values(ours.context), "{name}");
            assert_eq!(values(theirs.context), values(ours.scales[0].clone()), "{name}");
        }
    }
}

/// The definition, written out with loops, for scales that do not divide the length.
#[test]
fn coarse_scales_are_the_formula_of_the_documentation() {
    let (_, device) = devices().remove(0);
    let attention = hierarchical(&[1, 2, 3], &device);
    let (b, l) = (2, 7);
    let x = tokens(5, [b, l, D], &device);
    let out = attention.forward(HierarchicalInput::self_attn(x.clone()));
    let (q, k) = (values(attention.query.forward(x.clone())), values(attention.key.forward(x)));
    let at = |v: &[f64], b: usize, t: usize, c: usize| v[(b * l + t) * D + c];
    let weights = values(out.weights);
    let shares = values(softmax(attention.scale_logits.val(), 0));
    assert!(max_difference(&shares, &[1.0 / 3.0; 3]) > 0.05, "scales that differ");
    for (b, h, t) in [(0, 0, 0), (1, 1, 6), (0, 1, 3), (1, 0, 5)] {
        let mut row = vec![0.0; l];
        for (s, share) in [1, 2, 3].into_iter().zip(&shares) {
            let blocks: Vec<Vec<usize>> =
                (0..l).collect::<Vec<_>>().chunks(s).map(<[_]>::to_vec).collect();
            let score = |block: &Vec<usize>| -> f64 {
                let pooled = |c: usize| {
                    block.iter().map(|&u| at(&k, b, u, c)).sum::<f64>() / block.len() as f64
                };
                (4 * h..4 * h + 4).map(|c| at(&q, b, t, c) * pooled(c)).sum::<f64>() / 2.0
            };
            let exps: Vec<f64> = blocks.iter().map(|block| score(block).exp()).collect();
            let total: f64 = exps.iter().sum();
            for (block, e) in blocks.iter().zip(&exps) {
                block.iter().for_each(|&u| row[u] += share * e / total / block.len() as f64);
            }
        }
        let first = ((b * 2 + h) * l + t) * l;
        assert!(max_difference(&weights[first..first + l], &row) < 1e-6);
    }
}

/// Coarse scales average values, which is the same as spreading their weights over the tokens.
#[test]
fn the_context_is_that_of_the_weights() {
    for (name, device) in devices() {
        let attention = hierarchical(&[1, 2, 3], &device);
        let x = tokens(5, [2, 7, D], &device);
        let pad = mask([[false; 7], [false, true, false, false, false, true, true]], &device);
        let input = HierarchicalInput::self_attn(x.clone()).mask_pad(pad);
        let causal = generate_autoregressive_mask(2, 7, &device);
        for input in [input.clone(), input.mask_attn(causal)] {
            let out = attention.forward(input.clone());
            let value = attention.value.forward(x.clone()).reshape([2, 7, 2, D / 2]);
            let context = out.weights.matmul(value.swap_dims(1, 2)).swap_dims(1, 2);
            let context = attention.output.forward(context.reshape([2, 7, D]));
            assert!(difference(out.context, context) < 1e-6, "{name}");
            for (a, b) in out.scales.into_iter().zip(attention.forward_scales(input)) {
                assert_eq!(values(a), values(b), "{name}");
            }
        }
    }
}

fn assert_rows_sum_to_one(weights: Tensor<4>, name: &str) {
    let sums = values(weights.sum_dim(3));
    assert!(sums.iter().all(|s| (s - 1.0).abs() < 1e-5), "{name}: {sums:?}");
}

#[test]
fn no_mask_makes_a_nan_and_rows_sum_to_one() {
    for (name, device) in devices() {
        let attention = hierarchical(&[1, 2, 4, 8], &device);
        let x = tokens(5, [2, 6, D], &device);
        let pad = mask([[true; 6], [false, false, true, false, true, true]], &device);
        let nothing_visible = Tensor::<3, Bool>::from_data([[[true; 6]; 6]; 2], &device);
        let causal = generate_autoregressive_mask(2, 6, &device);
        for attn in [nothing_visible, causal] {
            let masked = HierarchicalInput::self_attn(x.clone()).mask_pad(pad.clone());
            for input in [masked.clone(), masked.mask_attn(attn)] {
                let out = attention.forward(input);
                assert!(values(out.context).iter().all(|v| v.is_finite()), "{name}");
                assert_rows_sum_to_one(out.weights, name);
            }
        }
    }
}

#[test]
fn later_tokens_do_not_reach_a_causal_output() {
    for (name, device) in devices() {
        for scales in [&[1, 2, 4][..], &[2, 4]] {
            let attention = hierarchical(scales, &device);
            let x = tokens(5, [1, 7, D], &device);
            let changed = x.clone().slice_assign([0..1, 4..7, 0..D], tokens(6, [1, 3, D], &device));
            let run = |x: Tensor<3>| {
                let causal = generate_autoregressive_mask(1, 7, &device);
                attention.forward(HierarchicalInput::self_attn(x).mask_attn(causal))
            };
            // Without scale 1, the first queries have no whole block in their past: they attend
            // uniformly, as a fully masked row does in burn-nn, so only the others are causal.
            let first = if scales[0] == 1 { 0 } else { 1 };
            let (a, b) = (run(x), run(changed));
            let past = |t: Tensor<3>| t.narrow(1, first, 4 - first);
            assert!(difference(past(a.context.clone()), past(b.context.clone())) == 0.0, "{name}");
            assert!(difference(a.context, b.context) > 1e-3, "{name}: the change is seen later");
        }
    }
}

#[test]
fn padding_changes_nothing_that_is_kept() {
    for (name, device) in devices() {
        let attention = hierarchical(&[1, 2, 4], &device);
        let x = tokens(5, [1, 5, D], &device);
        let padded = Tensor::cat(vec![x.clone(), tokens(6, [1, 4, D], &device)], 1);
        let pad = [[false, false, false, false, false, true, true, true, true]];
        let pad = Tensor::<2, Bool>::from_data(pad, &device);
        let short = attention.forward(HierarchicalInput::self_attn(x));
        let long = attention.forward(HierarchicalInput::self_attn(padded).mask_pad(pad));
        assert!(difference(short.context, long.context.narrow(1, 0, 5)) < 1e-6, "{name}");
    }
}

#[test]
fn samples_of_a_batch_are_independent() {
    let (_, device) = devices().remove(0);
    let attention = hierarchical(&[1, 2, 4], &device);
    let x = tokens(5, [3, 6, D], &device);
    let whole = attention.forward(HierarchicalInput::self_attn(x.clone())).context;
    let alone = attention.forward(HierarchicalInput::self_attn(x.narrow(0, 1, 1))).context;
    assert!(difference(whole.narrow(0, 1, 1), alone) < 1e-6);
}

#[test]
fn gradients_reach_every_parameter_under_masks() {
    let (name, device) = devices().remove(0);
    let attention = hierarchical(&[1, 2], &device.clone().autodiff());
    let x = tokens(5, [2, 4, D], &device);
    let causal = generate_autoregressive_mask(2, 4, &device);
    let out = attention.forward(HierarchicalInput::self_attn(x).mask_attn(causal));
    let grads = out.context.powi_scalar(2).sum().backward();
    let g = values(attention.scale_logits.val().grad(&grads).unwrap());
    assert!(g.iter().all(|g| g.is_finite() && *g != 0.0), "{name}: {g:?}");
    for linear in [&attention.query, &attention.key, &attention.value, &attention.output] {
        let g = values(linear.weight.val().grad(&grads).unwrap());
        assert!(g.iter().all(|g| g.is_finite()) && g.iter().any(|g| *g != 0.0), "{name}");
    }
    assert_eq!(attention.num_params(), 4 * (D * D + D) + 2);
    assert_eq!(attention.query.weight.val().dtype(), DType::F32);
}

#[test]
#[should_panic(expected = "3 heads do not divide d_model = 8")]
fn heads_that_do_not_divide() {
    HierarchicalAttentionConfig::new(8, 3).init(&devices().remove(0).1);
}

#[test]
#[should_panic(
    expected = "assert_shape!(mask, [batch_size, seq_length_2]): axis 1 expected 4, got 5"
)]
fn a_mask_of_another_length() {
    let device = devices().remove(0).1;
    let input = HierarchicalInput::self_attn(tokens(5, [2, 4, D], &device));
    hierarchical(&[1], &device).forward(input.mask_pad(mask([[false; 5]; 2], &device)));
}
