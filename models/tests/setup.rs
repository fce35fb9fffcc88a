//! Set-ups from files: the paper's, every value of ours, and what is refused.

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use burn_quantum_models::{LearningRateSchedule, QhonConfig, QhonSetup, ReadoutNoise};
use std::sync::Mutex;

/// Burn's CPU generator is one per process, so tests that seed it take turns.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

const PAPER: &str = include_str!("../../configs/qhon_paper.yaml");
const SMALL: &str = include_str!("../../configs/qhon_small.yaml");

/// Every optional key.
const FULL: &str = "
model:
  quantum_qubits: 3
  classical_layers: 1
  attention_heads: 2
  scales: [1, 2]
  patch_size: 4
  d_model: 16
  encoding_layers: 1
  annealing_time: 1.5
  quantum_memory: 3
  classical_memory: 5
training:
  learning_rate: 1e-2
  batch_size: 8
  epochs: 2
  quantum_annealing_steps: 3
  schedule: { robbins_monro: { tau: 100, power: 0.75 } }
  max_shift: 1
regularization: { dropout: 0.5, weight_decay: 1e-3, quantum_noise: 0.25 }
";

fn refuse(yaml: &str) -> String {
    QhonSetup::from_yaml(yaml).unwrap_err().to_string()
}

/// `FULL` with one line or value replaced.
fn with(from: &str, to: &str) -> String {
    assert_eq!(FULL.matches(from).count(), 1, "{from}");
    FULL.replace(from, to)
}

#[test]
fn the_papers_configuration_loads_unchanged() {
    let setup = QhonSetup::from_yaml(PAPER).unwrap();
    let network = setup.network([1, 28, 28], 10);
    assert_eq!((network.n_qubits, network.n_blocks, network.n_heads), (16, 4, 8));
    assert_eq!((network.scales, network.n_annealing_steps), (vec![1, 2, 4, 8], 1000));
    assert_eq!((network.dropout, network.quantum_noise), (0.1, ReadoutNoise::new(0.01)));
}

#[test]
fn set_ups_survive_yaml_and_json() {
    for text in [PAPER, SMALL, FULL] {
        let setup = QhonSetup::from_yaml(text).unwrap();
        assert_eq!(QhonSetup::from_yaml(&setup.to_yaml()).unwrap(), setup);
        assert_eq!(QhonSetup::from_json(&setup.to_json()).unwrap(), setup);
    }
    for schedule in [LearningRateSchedule::Constant, LearningRateSchedule::Cosine] {
        let mut setup = QhonSetup::from_yaml(FULL).unwrap();
        setup.training.schedule = Some(schedule);
        assert_eq!(QhonSetup::from_yaml(&setup.to_yaml()).unwrap(), setup);
    }
}

#[test]
fn files_are_read_by_their_extension() {
    let folder = tempfile::tempdir().unwrap();
    let setup = QhonSetup::from_yaml(FULL).unwrap();
    for (name, text) in [("a.yaml", setup.to_yaml()), ("a.json", setup.to_json())] {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        assert_eq!(QhonSetup::load(&file).unwrap(), setup);
    }
    let file = folder.path().join("bad.yml");
    std::fs::write(&file, with("batch_size: 8", "batch_size: 0")).unwrap();
    let error = QhonSetup::load(&file).unwrap_err().to_string();
    assert!(error.ends_with("bad.yml`, `training.batch_size` is 0: use at least 1"), "{error}");
    let error = QhonSetup::load(folder.path().join("absent.yaml")).unwrap_err().to_string();
    assert!(error.contains("absent.yaml`: "), "{error}");
}

#[test]
fn unknown_missing_and_mistyped_keys_are_named() {
    for (from, to, path, message) in [
        ("patch_size: 4", "patch_sise: 4", "model.patch_sise", "unknown field"),
        ("max_shift: 1", "quantum_noise: 1", "training.quantum_noise", "unknown field"),
        (
            "tau: 100,",
            "tau: 100, rate: 1,",
            "training.schedule.robbins_monro.rate",
            "unknown field",
        ),
        ("epochs: 2", "epochs: many", "training.epochs", "invalid"),
        ("epochs: 2", "epochs: -2", "training.epochs", "invalid"),
        ("[1, 2]", "[1, x]", "model.scales[1]", "invalid"),
        ("  batch_size: 8\n", "", "training", "missing field `batch_size`"),
        ("batch_size: 8", "batch_size: 8\n  batch_size: 9", "training", "duplicate"),
        ("regularization:", "regularisation:", "regularisation", "unknown field"),
    ] {
        let error = refuse(&with(from, to));
        assert!(error.starts_with(&format!("`{path}`: ")), "{to}: {error}");
        assert!(error.contains(message), "{to}: {error}");
    }
    assert!(refuse("model: [").starts_with('`'));
    let json = QhonSetup::from_yaml(FULL).unwrap().to_json();
    let error = QhonSetup::from_json(&json.replace("patch_size", "patch")).unwrap_err();
    assert!(error.to_string().starts_with("`model.patch`: unknown field"), "{error}");
    assert!(QhonSetup::from_json(&format!("{json} {{}}")).is_err(), "text after the end");
}

#[test]
fn values_out_of_range_are_named() {
    for (from, to, expected) in [
        ("quantum_qubits: 3", "quantum_qubits: 0", "`model.quantum_qubits` is 0: use 1 to 26"),
        ("quantum_qubits: 3", "quantum_qubits: 27", "`model.quantum_qubits` is 27: use 1 to 26"),
        (
            "classical_layers: 1",
            "classical_layers: 0",
            "`model.classical_layers` is 0: use at least 1",
        ),
        ("heads: 2", "heads: 3", "`model.attention_heads` is 3: use a divisor of d_model, 16"),
        (
            "[1, 2]",
            "[]",
            "`model.scales` is []: use numbers from 1 on, at least one and none twice",
        ),
        (
            "[1, 2]",
            "[2, 2]",
            "`model.scales` is [2, 2]: use numbers from 1 on, at least one and none twice",
        ),
        ("patch_size: 4", "patch_size: 0", "`model.patch_size` is 0: use at least 1"),
        ("d_model: 16", "d_model: 0", "`model.d_model` is 0: use at least 1"),
        (
            "encoding_layers: 1",
            "encoding_layers: 0",
            "`model.encoding_layers` is 0: use at least 1",
        ),
        ("time: 1.5", "time: -1", "`model.annealing_time` is -1: use a positive number"),
        ("rate: 1e-2", "rate: 2", "`training.learning_rate` is 2: use a number in (0, 1]"),
        ("rate: 1e-2", "rate: .nan", "`training.learning_rate` is NaN: use a number in (0, 1]"),
        ("epochs: 2", "epochs: 0", "`training.epochs` is 0: use at least 1"),
        ("steps: 3", "steps: 0", "`training.quantum_annealing_steps` is 0: use at least 1"),
        ("tau: 100", "tau: 0", "`training.schedule.robbins_monro.tau` is 0: use a positive number"),
        ("0.75", "0.5", "`training.schedule.robbins_monro.power` is 0.5: use a number in (1/2, 1]"),
        ("dropout: 0.5", "dropout: 1", "`regularization.dropout` is 1: use a number in [0, 1)"),
        ("decay: 1e-3", "decay: -1", "`regularization.weight_decay` is -1: use a number from 0 on"),
        (
            "noise: 0.25",
            "noise: 1.5",
            "`regularization.quantum_noise` is 1.5: use a number in [0, 1]",
        ),
    ] {
        assert_eq!(refuse(&with(from, to)), expected);
    }
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

/// Parameters and logits of a network on a training device, from one seed, so that what differs
/// follows from the configuration.
fn fingerprint(config: &QhonConfig) -> (usize, Vec<f32>) {
    let device = Device::flex().autodiff();
    device.seed(7);
    let model = config.init(&device);
    let n_params = model.num_params();
    let images = Tensor::<1, Int>::arange(0..64, &device).float() / 64.0;
    (n_params, values(model.forward(images.reshape([1, 1, 8, 8]))))
}

/// Each line that says something of the network changes what it computes.
#[test]
fn every_value_of_the_network_has_an_effect() {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(|e| e.into_inner());
    let network = |yaml: &str| QhonSetup::from_yaml(yaml).unwrap().network([1, 8, 8], 10);
    let base = fingerprint(&network(FULL));
    assert_eq!(fingerprint(&network(FULL)), base, "the same set-up is the same network");
    for (from, to) in [
        ("quantum_qubits: 3", "quantum_qubits: 4"),
        ("classical_layers: 1", "classical_layers: 2"),
        ("heads: 2", "heads: 4"),
        ("[1, 2]", "[1, 4]"),
        ("patch_size: 4", "patch_size: 2"),
        ("d_model: 16", "d_model: 32"),
        ("encoding_layers: 1", "encoding_layers: 2"),
        ("time: 1.5", "time: 1.75"),
        ("quantum_memory: 3", "quantum_memory: 4"),
        ("classical_memory: 5", "classical_memory: 0"),
        ("steps: 3", "steps: 4"),
        ("dropout: 0.5", "dropout: 0.25"),
        ("noise: 0.25", "noise: 0.5"),
    ] {
        assert_ne!(fingerprint(&network(&with(from, to))).1, base.1, "{to}");
    }
}

#[cfg(feature = "train")]
mod training {
    use super::*;
    use burn_quantum_datasets::{Digits, ImageDataset};
    use burn_quantum_models::training::{Event, Run};
    use std::sync::Arc;

    fn run(setup: &QhonSetup) -> (usize, Vec<f32>) {
        let images: ImageDataset = Digits::train().filter(|i| i < 48);
        let folder = tempfile::tempdir().unwrap();
        let run = Run { folder: folder.path().into(), resume: false, dashboard: false };
        let n_batches = Arc::new(Mutex::new(0));
        let count = n_batches.clone();
        let on_event = move |event| {
            if matches!(event, Event::Batch { .. }) {
                *count.lock().unwrap() += 1;
            }
        };
        let (device, network) = (Device::flex(), setup.network([1, 8, 8], 10));
        let model = setup.training().train(&network, &device, &images, &run, on_event).unwrap();
        let n_batches = *n_batches.lock().unwrap();
        (n_batches, values(model.head.weight.val()))
    }

    /// Each line that says something of the training changes the trained network.
    #[test]
    fn every_value_of_the_training_has_an_effect() {
        let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(|e| e.into_inner());
        let setup = |yaml: &str| QhonSetup::from_yaml(yaml).unwrap();
        let (n_batches, base) = run(&setup(FULL));
        assert_eq!(n_batches, 12, "44 images in 6 batches, twice");
        for (from, to) in [
            ("rate: 1e-2", "rate: 2e-2"),
            ("batch_size: 8", "batch_size: 16"),
            ("epochs: 2", "epochs: 1"),
            ("schedule: { robbins_monro: { tau: 100, power: 0.75 } }", "schedule: constant"),
            ("tau: 100", "tau: 10"),
            ("0.75", "1.0"),
            ("max_shift: 1", "max_shift: 0"),
            ("decay: 1e-3", "decay: 0.5"),
        ] {
            assert_ne!(run(&setup(&with(from, to))).1, base, "{to}");
        }
        assert_eq!(run(&setup(FULL)).1, base, "nothing else differs between runs");
    }
}
