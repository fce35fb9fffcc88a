//! Steps of training and validation, and the score on a test set.

use super::data::ClassifierData;
use crate::{
    EncoderLayer, Qhon, QhonConfig, TextClassifier, TextClassifierConfig, TokenAttention,
    TokenFeatures, VisionTransformer, VisionTransformerConfig,
};
use burn::config::Config;
use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::Dataset;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::tensor::{Device, Int, Tensor};
use burn::train::{ClassificationOutput, InferenceStep, LearnerModel, TrainOutput, TrainStep};
use burn_quantum::gradient::HybridState;
use burn_quantum::nn::AnnealingLayer;
use burn_quantum_datasets::{ImageBatch, ImageDataset, TokenBatch, TokenDataset};
use std::sync::Arc;

/// A network that [`TrainingConfig::train`](super::TrainingConfig::train) trains.
pub trait Classifier:
    LearnerModel
    + TrainStep<Input = <Self::Data as ClassifierData>::Batch, Output = ClassificationOutput>
    + InferenceStep<Input = <Self::Data as ClassifierData>::Batch, Output = ClassificationOutput>
{
    /// What it classifies.
    type Data: ClassifierData;

    /// What the hybrid gradients of its samplers mix, shared by copies of the network: each is a
    /// [`GradientMetric`](super::GradientMetric)'s to read. Empty where there are none.
    fn gradient_states(&self) -> Vec<Arc<HybridState>>;

    /// The logits `[batch_size, n_classes]` of a batch.
    fn logits(&self, batch: &<Self::Data as ClassifierData>::Batch) -> Tensor<2>;
}

/// The configuration of a [`Classifier`].
pub trait ClassifierConfig: Config + std::fmt::Display {
    /// The network.
    type Classifier: Classifier;
    /// The name of the file that keeps it in the folder of a run.
    const FILE: &'static str;

    /// Initialises a new network.
    fn build(&self, device: &Device) -> Self::Classifier;
}

impl Classifier for Qhon {
    type Data = ImageDataset;

    fn gradient_states(&self) -> Vec<Arc<HybridState>> {
        let TokenFeatures::Quantum(features) = &self.features else {
            return Vec::new();
        };
        features.annealing.iter().filter_map(AnnealingLayer::gradient_state).collect()
    }

    fn logits(&self, batch: &ImageBatch) -> Tensor<2> {
        self.forward(batch.images.clone())
    }
}

impl ClassifierConfig for QhonConfig {
    type Classifier = Qhon;
    const FILE: &'static str = "qhon.json";

    fn build(&self, device: &Device) -> Qhon {
        self.init(device)
    }
}

impl Classifier for VisionTransformer {
    type Data = ImageDataset;

    fn gradient_states(&self) -> Vec<Arc<HybridState>> {
        of_layers(&self.blocks)
    }

    fn logits(&self, batch: &ImageBatch) -> Tensor<2> {
        self.forward(batch.images.clone())
    }
}

impl ClassifierConfig for VisionTransformerConfig {
    type Classifier = VisionTransformer;
    const FILE: &'static str = "vit.json";

    fn build(&self, device: &Device) -> VisionTransformer {
        self.init(device)
    }
}

impl Classifier for TextClassifier {
    type Data = TokenDataset;

    fn gradient_states(&self) -> Vec<Arc<HybridState>> {
        of_layers(&self.layers)
    }

    fn logits(&self, batch: &TokenBatch) -> Tensor<2> {
        self.forward(batch.tokens.clone(), batch.mask_pad.clone())
    }
}

impl ClassifierConfig for TextClassifierConfig {
    type Classifier = TextClassifier;
    const FILE: &'static str = "text.json";

    fn build(&self, device: &Device) -> TextClassifier {
        self.init(device)
    }
}

fn of_layers(layers: &[EncoderLayer]) -> Vec<Arc<HybridState>> {
    let attentions = layers.iter().filter_map(|layer| layer.attention.as_ref());
    attentions.flat_map(TokenAttention::gradient_states).collect()
}

fn cross_entropy(logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    CrossEntropyLossConfig::new().init(&logits.device()).forward(logits, labels)
}

impl Qhon {
    /// The loss to descend on, and the output to report, whose loss is that of the network alone.
    fn train_loss(&self, batch: ImageBatch) -> (Tensor<1>, ClassificationOutput) {
        let output = self.forward_scales(batch.images);
        let loss = cross_entropy(output.logits.clone(), batch.labels.clone());
        let total = match &self.scale_heads {
            Some(heads) => {
                let scale = |logits| cross_entropy(logits, batch.labels.clone());
                let losses = output.scales.into_iter().map(scale);
                let losses = std::iter::once(loss.clone()).chain(losses);
                heads.loss.forward(Tensor::cat(losses.collect(), 0))
            }
            None => loss.clone(),
        };
        (total, ClassificationOutput::new(loss, output.logits, batch.labels))
    }
}

impl TrainStep for Qhon {
    type Input = ImageBatch;
    type Output = ClassificationOutput;

    fn step(&self, batch: ImageBatch) -> TrainOutput<ClassificationOutput> {
        let (total, output) = self.train_loss(batch);
        TrainOutput::new(self, total.backward(), output)
    }
}

impl InferenceStep for Qhon {
    type Input = ImageBatch;
    type Output = ClassificationOutput;

    fn step(&self, batch: ImageBatch) -> ClassificationOutput {
        classified(self, batch)
    }
}

impl TrainStep for VisionTransformer {
    type Input = ImageBatch;
    type Output = ClassificationOutput;

    fn step(&self, batch: ImageBatch) -> TrainOutput<ClassificationOutput> {
        let output = classified(self, batch);
        TrainOutput::new(self, output.loss.backward(), output)
    }
}

impl InferenceStep for VisionTransformer {
    type Input = ImageBatch;
    type Output = ClassificationOutput;

    fn step(&self, batch: ImageBatch) -> ClassificationOutput {
        classified(self, batch)
    }
}

impl TrainStep for TextClassifier {
    type Input = TokenBatch;
    type Output = ClassificationOutput;

    fn step(&self, batch: TokenBatch) -> TrainOutput<ClassificationOutput> {
        let output = classified(self, batch);
        TrainOutput::new(self, output.loss.backward(), output)
    }
}

impl InferenceStep for TextClassifier {
    type Input = TokenBatch;
    type Output = ClassificationOutput;

    fn step(&self, batch: TokenBatch) -> ClassificationOutput {
        classified(self, batch)
    }
}

fn classified<M: Classifier>(
    model: &M,
    batch: <M::Data as ClassifierData>::Batch,
) -> ClassificationOutput {
    let (logits, labels) = (model.logits(&batch), M::Data::labels(&batch));
    let loss = cross_entropy(logits.clone(), labels.clone());
    ClassificationOutput::new(loss, logits, labels)
}

/// How many items of a set a model classifies correctly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Score {
    /// Correctly classified items.
    pub correct: usize,
    /// All items.
    pub total: usize,
}

impl Score {
    /// Runs `model`, which should be in its state for inference, on all items.
    pub fn of<M: Classifier>(model: &M, data: &M::Data, device: &Device) -> Self {
        let batcher = data.batcher();
        let mut correct = 0;
        for first in (0..data.len()).step_by(256) {
            let indices = first..(first + 256).min(data.len());
            let items = indices.map(|i| data.get(i).expect("in memory")).collect();
            let batch = batcher.batch(items, device);
            let classes = model.logits(&batch).argmax(1).squeeze_dim::<1>(1);
            let hits = classes.equal(M::Data::labels(&batch)).int().sum().into_data();
            correct += hits.iter::<i64>().sum::<i64>() as usize;
        }
        Self { correct, total: data.len() }
    }

    /// The share of correctly classified items, in per cent; 0 of an empty set.
    pub fn percent(&self) -> f64 {
        100.0 * self.correct as f64 / self.total.max(1) as f64
    }
}
