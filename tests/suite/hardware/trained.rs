//! A trained network does not notice who samples for it.

use super::{device, server};
use crate::devices;
use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::Dataset;
use burn::module::Module;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{AdamConfig, GradientsParams};
use burn::store::ModuleRecord;
use burn::tensor::Tensor;
use burn_quantum::annealing::{GibbsSampler, IsingSampler};
use burn_quantum::hardware::{DWave, Embedding, Scale, Topology, WorkingGraph};
use burn_quantum::nn::SampleTemperature;
use burn_quantum_datasets::{Digits, ImageDataset};
use burn_quantum_models::{VisionTransformer, VisionTransformerConfig};
use std::sync::Arc;

const N_SEEDS: u64 = 24;
/// The factor by which the device shrinks all models: their fields exceed its range.
const SCALE: f64 = 0.0625;

/// At the inverse temperature `beta`, and nearly in equilibrium: the couplings are weak.
fn gibbs(beta: f64, seed: u64) -> GibbsSampler {
    GibbsSampler::new(beta).with_n_sweeps(30).with_seed(seed)
}

fn network(sampler: Arc<dyn IsingSampler>) -> VisionTransformer {
    let config = VisionTransformerConfig::new([1, 8, 8], 10).with_patch_size(4);
    let config = config.with_d_model(32).with_n_heads(1).with_d_hidden(32);
    let beta = SampleTemperature::Known(1.0);
    config.init_with_sampler(&devices::device().autodiff(), sampler, beta, 16)
}

fn loss(model: &VisionTransformer, images: &ImageDataset, indices: &[usize]) -> Tensor<1> {
    let items = indices.iter().map(|&i| images.get(i).unwrap()).collect();
    let batch = images.batcher().batch(items, &devices::device().autodiff());
    let logits = model.try_forward(batch.images).unwrap();
    CrossEntropyLossConfig::new().init(&logits.device()).forward(logits, batch.labels)
}

/// The loss on images never trained on. Each call of a seeded sampler draws other samples.
fn test_loss(model: &VisionTransformer) -> f64 {
    let images = Digits::test();
    loss(model, &images, &(0..images.len()).collect::<Vec<_>>()).into_scalar::<f64>()
}

fn trained() -> VisionTransformer {
    devices::device().seed(1);
    let mut model = network(Arc::new(gibbs(1.0, 0)));
    let (images, mut adam) = (Digits::train(), AdamConfig::new().init());
    for step in 0..200 {
        let indices: Vec<usize> = (0..40).map(|k| (40 * step + k) % images.len()).collect();
        let gradients = loss(&model, &images, &indices).backward();
        let gradients = GradientsParams::from_grads(gradients, &model);
        model = adam.step(0.01, model, gradients);
    }
    model
}

/// The same network with another sampler.
fn copied(model: &VisionTransformer, sampler: Arc<dyn IsingSampler>) -> VisionTransformer {
    let bytes = model.clone().into_record().into_bytes().unwrap();
    network(sampler).load_record(ModuleRecord::from_bytes(bytes).unwrap())
}

/// D-Wave's client and its service, with the four spins of a model on four qubits that are all
/// coupled: chains that break would change the distribution.
fn chip(sampler: impl IsingSampler + 'static) -> Arc<DWave> {
    let device = device(server(Topology::pegasus(3).unwrap(), sampler));
    let four = Embedding::of_qubits(clique(&device.solver().graph, Vec::new()).unwrap());
    Arc::new(device.with_embedding(four).with_scale(Scale::Fixed(SCALE)))
}

/// Four qubits that are all coupled, some of which are known.
fn clique(graph: &WorkingGraph, known: Vec<u32>) -> Option<Vec<u32>> {
    if known.len() == 4 {
        return Some(known);
    }
    let fits = |&&q: &&u32| known.iter().all(|&p| p < q && graph.coupler(p, q).is_some());
    graph.qubits().iter().filter(fits).find_map(|&q| clique(graph, [&known[..], &[q]].concat()))
}

/// The mean of differences, and half the width of its interval of 99.9 % by Student's
/// distribution.
fn interval(differences: &[f64]) -> (f64, f64) {
    const QUANTILE: f64 = 3.768; // of 23 degrees of freedom
    assert_eq!(differences.len() as u64, N_SEEDS);
    let n = differences.len() as f64;
    let mean = differences.iter().sum::<f64>() / n;
    let variance = differences.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean, QUANTILE * (variance / n).sqrt())
}

/// The chip shrinks models by a factor, and its sampler is colder by the same: so its samples have
/// the distribution of the local sampler's, and the loss the same mean. One that is not as
/// cold does not pass the same test.
#[test]
fn the_loss_of_a_trained_network_is_that_of_the_local_sampler() {
    let model = trained();
    let local: Vec<f64> = (0..N_SEEDS).map(|_| test_loss(&model)).collect();
    assert!(local.iter().all(|&loss| loss < 1.5), "not trained: {local:?}");
    let compared = |sampler: &dyn Fn(u64) -> Arc<dyn IsingSampler>| {
        let loss = |seed| test_loss(&copied(&model, sampler(100 + seed)));
        let differences: Vec<f64> = (0..N_SEEDS).map(|k| loss(k) - local[k as usize]).collect();
        interval(&differences)
    };

    let (mean, half) = compared(&|seed| chip(gibbs(1.0 / SCALE, seed)));
    assert!(mean.abs() <= half, "the losses differ by {mean}, more than {half}");
    assert!(half < 0.03, "an interval of {half} tells nothing");
    let (mean, half) = compared(&|seed| chip(gibbs(1.0, seed)));
    assert!(mean.abs() > half, "a wrong sampler makes no difference: {mean}, {half}");
}
