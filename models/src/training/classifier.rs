//! Steps of training and validation, and the score on a test set.

use crate::{Qhon, QhonConfig, VisionTransformer, VisionTransformerConfig};
use burn::config::Config;
use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::Dataset;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::tensor::{Device, Int, Tensor};
use burn::train::{ClassificationOutput, InferenceStep, LearnerModel, TrainOutput, TrainStep};
use burn_quantum_datasets::{ImageBatch, ImageDataset};

/// A network that [`TrainingConfig::train`](super::TrainingConfig::train) trains.
pub trait ImageClassifier:
    LearnerModel
    + TrainStep<Input = ImageBatch, Output = ClassificationOutput>
    + InferenceStep<Input = ImageBatch, Output = ClassificationOutput>
{
    /// Images `[batch_size, channels, height, width]` to logits `[batch_size, n_classes]`.
    fn logits(&self, images: Tensor<4>) -> Tensor<2>;
}

/// The configuration of an [`ImageClassifier`].
pub trait ImageClassifierConfig: Config + std::fmt::Display {
    /// The network.
    type Classifier: ImageClassifier;
    /// The name of the file that keeps it in the folder of a run.
    const FILE: &'static str;

    /// Initialises a new network.
    fn build(&self, device: &Device) -> Self::Classifier;
}

impl ImageClassifier for Qhon {
    fn logits(&self, images: Tensor<4>) -> Tensor<2> {
        self.forward(images)
    }
}

impl ImageClassifierConfig for QhonConfig {
    type Classifier = Qhon;
    const FILE: &'static str = "qhon.json";

    fn build(&self, device: &Device) -> Qhon {
        self.init(device)
    }
}

impl ImageClassifier for VisionTransformer {
    fn logits(&self, images: Tensor<4>) -> Tensor<2> {
        self.forward(images)
    }
}

impl ImageClassifierConfig for VisionTransformerConfig {
    type Classifier = VisionTransformer;
    const FILE: &'static str = "vit.json";

    fn build(&self, device: &Device) -> VisionTransformer {
        self.init(device)
    }
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

fn classified(model: &impl ImageClassifier, batch: ImageBatch) -> ClassificationOutput {
    let logits = model.logits(batch.images);
    let loss = cross_entropy(logits.clone(), batch.labels.clone());
    ClassificationOutput::new(loss, logits, batch.labels)
}

/// How many images of a set a model classifies correctly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Score {
    /// Correctly classified images.
    pub correct: usize,
    /// All images.
    pub total: usize,
}

impl Score {
    /// Runs `model`, which should be in its state for inference, on all images.
    pub fn of(model: &impl ImageClassifier, images: &ImageDataset, device: &Device) -> Self {
        let batcher = images.batcher();
        let mut correct = 0;
        for first in (0..images.len()).step_by(256) {
            let indices = first..(first + 256).min(images.len());
            let items = indices.map(|i| images.get(i).expect("in memory")).collect();
            let batch = batcher.batch(items, device);
            let classes = model.logits(batch.images).argmax(1).squeeze_dim::<1>(1);
            let hits = classes.equal(batch.labels).int().sum().into_data();
            correct += hits.iter::<i64>().sum::<i64>() as usize;
        }
        Self { correct, total: images.len() }
    }

    /// The share of correctly classified images, in per cent; 0 of an empty set.
    pub fn percent(&self) -> f64 {
        100.0 * self.correct as f64 / self.total.max(1) as f64
    }
}
