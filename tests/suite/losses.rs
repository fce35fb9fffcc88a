//! The multi-scale loss: its formula, its minimum, its gradient.

use crate::common::*;
use crate::devices::*;
use burn::module::{Module, Param};
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::{DType, Tensor};
use burn_quantum::nn::*;

#[test]
fn the_loss_is_its_formula() {
    let (name, device) = devices().remove(0);
    let (dtype, _, _) = precision(name);
    let losses = tensor(&[0.5, 2.0, 1.0], [3], &device, dtype);
    let mut loss = MultiScaleLossConfig::new(3).init(&device);
    loss.log_variances = Some(Param::from_tensor(tensor(&[0.1, -1.0, 2.0], [3], &device, dtype)));
    let expected =
        0.5 * (-0.1f64).exp() + 2.0 * 1f64.exp() + (-2f64).exp() + 0.5 * (0.1 - 1.0 + 2.0);
    assert!((values(loss.forward(losses.clone()))[0] - expected).abs() < rounding());

    let fixed = MultiScaleLossConfig::new(3).with_weights(LossWeights::Fixed(vec![1.0, 0.0, 0.25]));
    let fixed = fixed.init(&device);
    assert_eq!((values(fixed.forward(losses))[0], fixed.num_params()), (0.75, 0));
}

/// At the minimum `exp(-s_i) = 1 / (2 L_i)`: no scale is dropped, however hard.
#[test]
fn learned_weights_settle_at_half_the_inverse_loss() {
    let (_, device) = devices().remove(0);
    let device = device.autodiff();
    let mut loss = MultiScaleLossConfig::new(3).init(&device);
    let losses = Tensor::<1>::from_floats([0.01, 0.5, 3.0], &device);
    let mut adam = AdamConfig::new().init();
    for step in 0..400 {
        let grads = GradientsParams::from_grads(loss.forward(losses.clone()).backward(), &loss);
        loss = adam.step(if step < 300 { 0.05 } else { 0.005 }, loss, grads);
    }
    let weights = values(loss.weights(&losses));
    for (weight, expected) in weights.iter().zip([50.0, 1.0, 1.0 / 6.0]) {
        assert!((weight / expected - 1.0).abs() < 1e-2, "{weights:?}");
    }
}

#[test]
fn gradients_reach_losses_and_uncertainties() {
    for (name, device) in devices() {
        let loss = MultiScaleLossConfig::new(3).init(&device);
        check_gradient(name, &device, &[0.3, 1.0, 2.0, -0.5, 0.2, 1.0], |leaf| {
            let mut loss = loss.clone();
            let s = leaf.clone().narrow(0, 3, 3);
            loss.log_variances = Some(Param::initialized(burn::module::ParamId::new(), s));
            loss.forward(leaf.narrow(0, 0, 3).powi_scalar(2))
        });
    }
}

#[test]
#[should_panic(expected = "the weights are [1.0, -1.0]: use 2 numbers from 0 on, not all 0")]
fn a_negative_weight() {
    let weights = LossWeights::Fixed(vec![1.0, -1.0]);
    MultiScaleLossConfig::new(2).with_weights(weights).init(&devices().remove(0).1);
}

#[test]
#[should_panic(expected = "axis 0 expected 2, got 3")]
fn losses_of_another_number() {
    let device = devices().remove(0).1;
    let loss = MultiScaleLossConfig::new(2).init(&device);
    loss.forward(tensor(&uniform(&mut rng(1), 3, 1.0), [3], &device, DType::F32));
}
