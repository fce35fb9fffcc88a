//! `CircuitLayer` inside burn-train: a user's own network, with checkpoints.

use burn::data::dataloader::{DataLoaderBuilder, batcher::Batcher};
use burn::data::dataset::Dataset;
use burn::lr_scheduler::constant::ConstantLr;
use burn::module::Module;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::{Linear, LinearConfig};
use burn::optim::AdamConfig;
use burn::tensor::Device;
use burn::train::metric::LossMetric;
use burn::train::{
    ClassificationOutput, InferenceStep, Learner, SupervisedTraining, TrainOutput, TrainStep,
};
use burn_quantum::circuit::{Angle, Circuit, Observable, ansatz};
use burn_quantum::nn::{CircuitLayer, CircuitLayerConfig};
use burn_quantum_datasets::{Digits, ImageBatch};
use burn_quantum_models::training::event_renderer;
use std::path::Path;

const N_QUBITS: usize = 4;

#[derive(Module, Debug)]
struct Classifier {
    reduce: Linear,
    circuit: CircuitLayer,
    head: Linear,
}

impl Classifier {
    fn new(device: &Device) -> Self {
        let mut circuit = Circuit::new(N_QUBITS);
        (0..N_QUBITS).for_each(|q| {
            circuit.ry(Angle::Input(q), q);
        });
        circuit.append(&ansatz::strongly_entangling(N_QUBITS, 2)).unwrap();
        let circuit = CircuitLayerConfig::new(circuit, Observable::each_z(N_QUBITS));
        Self {
            reduce: LinearConfig::new(64, N_QUBITS).init(device),
            circuit: circuit.with_small_angles(0.5).init(device),
            head: LinearConfig::new(N_QUBITS, 10).init(device),
        }
    }

    fn classify(&self, batch: ImageBatch) -> ClassificationOutput {
        let features = self.reduce.forward(batch.images.flatten(1, 3)).tanh();
        let logits = self.head.forward(self.circuit.forward(features) * 3.0);
        let loss = CrossEntropyLossConfig::new().init(&logits.device());
        let loss = loss.forward(logits.clone(), batch.labels.clone());
        ClassificationOutput::new(loss, logits, batch.labels)
    }

    fn train(self, folder: &Path, device: &Device) -> Self {
        let loader = |from: usize, to: usize| {
            let images = Digits::train().filter(|i| (from..to).contains(&i));
            let builder = DataLoaderBuilder::new(images.batcher()).batch_size(20).num_workers(1);
            builder.set_device(device.clone()).build(images)
        };
        let training = SupervisedTraining::new(folder, loader(0, 200), loader(200, 240))
            .metric_train_numeric(LossMetric::new())
            .with_default_checkpointers()
            .with_application_logger(None)
            .renderer(event_renderer(|_| {}))
            .num_epochs(3);
        let optimizer = AdamConfig::new().init();
        training.launch(Learner::new(self, optimizer, ConstantLr::new(0.02))).model
    }

    fn loss(&self) -> f32 {
        let images = Digits::train().filter(|i| i < 200);
        let items = (0..200).map(|i| images.get(i).unwrap()).collect();
        let batch = images.batcher().batch(items, &Device::flex());
        self.classify(batch).loss.into_scalar()
    }
}

/// Training lowers the loss, gradient checkpointing changes nothing, and the checkpoint of the last
/// epoch holds the angles of the circuit.
#[test]
fn a_circuit_layer_trains_inside_burn_train_with_checkpoints() {
    let _guard = super::ONE_AT_A_TIME.lock().unwrap_or_else(|e| e.into_inner());
    let plain = Device::flex();
    let trained = [plain.clone().autodiff(), plain.clone().autodiff().gradient_checkpointing()]
        .map(|device| {
            let folder = tempfile::tempdir().unwrap();
            plain.seed(7);
            let model = Classifier::new(&device);
            let before = model.loss();
            let model = model.train(folder.path(), &plain);
            let after = model.loss();
            assert!(after < 0.8 * before, "{before} {after}");
            let file = folder.path().join("checkpoint/model-3.bpk");
            let loaded = Classifier::new(&plain).load_file(&file);
            assert_eq!(angles(&loaded), angles(&model));
            angles(&model)
        });
    assert_eq!(trained[0], trained[1]);
}

fn angles(model: &Classifier) -> Vec<f32> {
    super::values(model.circuit.weights.val())
}

impl TrainStep for Classifier {
    type Input = ImageBatch;
    type Output = ClassificationOutput;

    fn step(&self, batch: ImageBatch) -> TrainOutput<ClassificationOutput> {
        let output = self.classify(batch);
        TrainOutput::new(self, output.loss.backward(), output)
    }
}

impl InferenceStep for Classifier {
    type Input = ImageBatch;
    type Output = ClassificationOutput;

    fn step(&self, batch: ImageBatch) -> ClassificationOutput {
        self.classify(batch)
    }
}
