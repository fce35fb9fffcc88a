//! Whole training runs, small.

mod circuit_layer;
mod text;

use burn::config::Config;
use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::Dataset;
use burn::module::{Module, Param};
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::{Device, Tensor};
use burn_quantum::gradient::{Alpha, HybridGradient, IsingEstimator};
use burn_quantum::nn::AnnealingSampler;
use burn_quantum_datasets::{Digits, ImageDataset};
use burn_quantum_models::training::{Event, Run, Score, TrainingConfig};
use burn_quantum_models::{Qhon, QhonConfig, QuantumPart, TokenFeatures};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// Burn's CPU generator is one per process, so every test that seeds it or draws takes turns.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn config() -> QhonConfig {
    let config = QhonConfig::new([1, 8, 8], 10).with_patch_size(4).with_n_qubits(3);
    config.with_d_model(16).with_n_heads(2).with_n_blocks(1).with_scales(vec![1, 2])
}

fn images() -> ImageDataset {
    Digits::train().filter(|i| i < 240)
}

fn folder(path: &Path, resume: bool) -> Run {
    Run { folder: path.into(), resume, dashboard: false }
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

fn logits(model: &Qhon) -> Vec<f32> {
    let items = (0..20).map(|i| Digits::test().get(i).unwrap()).collect();
    values(model.forward(Digits::test().batcher().batch(items, &Device::flex()).images))
}

fn train(training: &TrainingConfig, run: &Run) -> (Qhon, Vec<Event>) {
    train_of(&config(), training, run)
}

fn train_of(config: &QhonConfig, training: &TrainingConfig, run: &Run) -> (Qhon, Vec<Event>) {
    let events = Arc::new(Mutex::new(Vec::new()));
    let log = events.clone();
    let on_event = move |event| log.lock().unwrap().push(event);
    let model = training.train(config, &Device::flex(), &images(), run, on_event).unwrap();
    let events = events.lock().unwrap().clone();
    (model, events)
}

#[test]
fn a_run_learns_reports_and_its_saved_model_reloads_bit_by_bit() {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(|e| e.into_inner());
    let path = tempfile::tempdir().unwrap();
    let training = TrainingConfig::new(8).with_batch_size(16).with_learning_rate(1e-2);
    let (model, events) = train(&training, &folder(path.path(), false));

    let reports: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Epoch(report) => Some(report.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(reports.iter().map(|r| r.epoch).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 7, 8]);
    assert!(reports.iter().all(|r| r.n_epochs == 8 && r.images_per_second > 0.0));
    let (first, last) = (&reports[0], &reports[7]);
    assert!(last.train_loss < 0.8 * first.train_loss, "{first:?} {last:?}");
    assert!(last.valid_accuracy > 20.0 && last.valid_loss.is_finite());
    assert_eq!(events.iter().filter(|e| matches!(e, Event::Batch { .. })).count(), 8 * 14);
    let score = Score::of(&model, &Digits::test(), &Device::flex());
    assert!(score.total == 359 && score.percent() > 25.0, "{score:?}");

    let loaded = QhonConfig::load(path.path().join("qhon.json")).unwrap().init(&Device::flex());
    let loaded = loaded.load_file(path.path().join("model.bpk"));
    assert_eq!(logits(&loaded), logits(&model));
}

/// Share, squared bias and variance reach the events and burn-train's files, where there are any.
#[test]
fn the_mixture_of_a_hybrid_gradient_is_reported() {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(|e| e.into_inner());
    let path = tempfile::tempdir().unwrap();
    let training = TrainingConfig::new(2).with_batch_size(16);
    let report = |config: &QhonConfig| {
        let (_, events) = train_of(config, &training, &folder(path.path(), false));
        let last = events.into_iter().rev().find_map(|event| match event {
            Event::Epoch(report) => Some(report.gradient),
            Event::Batch { .. } => None,
        });
        last.unwrap()
    };
    let file = path.path().join("train/epoch-2/Gradient_Share.log");
    assert_eq!(report(&config()), [None; 3]);
    assert!(!file.exists());

    let gibbs = config().with_sampler(AnnealingSampler::Gibbs { beta: 1.0 });
    let hybrid = |alpha| HybridGradient { alpha, classical: IsingEstimator::MeanField };
    let fixed = gibbs.clone().with_gradient(hybrid(Alpha::Fixed(0.25)));
    assert_eq!(report(&fixed), [Some(0.25), None, None]);
    assert!(file.exists());
    let adaptive = gibbs.with_gradient(hybrid(Alpha::Adaptive { memory: 0.9 }));
    let [Some(share), Some(squared_bias), Some(variance)] = report(&adaptive) else {
        panic!("an adaptive mixture estimates everything")
    };
    assert!((0.0..=1.0).contains(&share) && squared_bias >= 0.0 && variance > 0.0);
}

#[test]
fn one_seed_gives_one_training_and_another_seed_another() {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(|e| e.into_inner());
    let path = tempfile::tempdir().unwrap();
    let run = |seed| {
        let training = TrainingConfig::new(1).with_seed(seed).with_max_shift(1);
        logits(&train(&training, &folder(path.path(), false)).0)
    };
    let first = run(5);
    assert_eq!(run(5), first);
    assert_ne!(run(6), first);
}

/// A run that was cut off after its second epoch goes on with the third.
#[test]
fn training_resumes_from_a_checkpoint() {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(|e| e.into_inner());
    let path = tempfile::tempdir().unwrap();
    let training = TrainingConfig::new(3).with_batch_size(16);
    train(&training, &folder(path.path(), false));
    let kept = |epoch| path.path().join(format!("checkpoint/model-{epoch}.bpk"));
    assert!(!kept(1).exists() && kept(2).exists() && kept(3).exists(), "the last two are kept");
    std::fs::remove_file(kept(3)).unwrap();

    let (_, events) = train(&training, &folder(path.path(), true));
    let epochs: Vec<usize> = events
        .iter()
        .filter_map(|e| if let Event::Epoch(report) = e { Some(report.epoch) } else { None })
        .collect();
    assert_eq!(epochs, [3]);

    // A file that was cut off is no checkpoint: the epoch before it is.
    let cut = std::fs::read(kept(3)).unwrap();
    std::fs::write(kept(3), &cut[..cut.len() / 2]).unwrap();
    let (_, events) = train(&training, &folder(path.path(), true));
    assert_eq!(events.iter().filter(|e| matches!(e, Event::Epoch(_))).count(), 1);
    let optimizer = path.path().join("checkpoint/optim-2.bpk");
    for file in [&kept(3), &optimizer] {
        let cut = std::fs::read(file).unwrap();
        std::fs::write(file, &cut[..cut.len() / 2]).unwrap();
    }
    let run = folder(path.path(), true);
    let refuse = |training: &TrainingConfig, images: &ImageDataset| {
        let result = training.train(&config(), &Device::flex(), images, &run, |_| {});
        result.unwrap_err().to_string()
    };
    let error = refuse(&training, &images());
    assert!(error.contains("holds no checkpoint of a finished epoch"), "{error}");

    let error = refuse(&training.clone().with_batch_size(8), &images());
    assert!(error.contains("training.json` differs"), "{error}");
    let error = refuse(&training, &images().filter(|i| i != 5));
    assert!(error.contains("data.json` differs"), "{error}");
    std::fs::remove_file(path.path().join("training.json")).unwrap();
    assert!(refuse(&training, &images()).contains("holds no checkpoint"));
}

/// A new run takes the place of an earlier one, and of nothing else.
#[test]
fn a_new_run_removes_the_results_of_an_earlier_one_only() {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(|e| e.into_inner());
    let path = tempfile::tempdir().unwrap();
    let training = TrainingConfig::new(1);
    let run = folder(path.path(), false);
    let begin = |training: &TrainingConfig| {
        training.train(&config(), &Device::flex(), &images(), &run, |_| {}).map(|_| ())
    };
    let own = path.path().join("train").join("keep.txt");
    std::fs::create_dir(path.path().join("train")).unwrap();
    std::fs::write(&own, "mine").unwrap();
    let error = begin(&training).unwrap_err().to_string();
    assert!(error.contains("train`, but its folder holds no `training.json`"), "{error}");
    assert!(own.is_file() && !path.path().join("training.json").exists());

    std::fs::remove_dir_all(path.path().join("train")).unwrap();
    begin(&training).unwrap();
    let model = path.path().join("model.bpk");
    assert!(begin(&TrainingConfig::new(0)).is_err() && model.is_file(), "refused before");
    // What stops after its start leaves no network of another configuration.
    std::fs::remove_file(path.path().join("data.json")).unwrap();
    std::fs::create_dir(path.path().join("data.json")).unwrap();
    assert!(begin(&training.with_batch_size(8)).is_err() && !model.exists());
}

#[test]
fn what_cannot_be_trained_is_refused_by_name() {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(|e| e.into_inner());
    let path = tempfile::tempdir().unwrap();
    let refuse = |training: TrainingConfig, run: &Run| {
        let result = training.train(&config(), &Device::flex(), &images(), run, |_| {});
        result.unwrap_err().to_string()
    };
    let fresh = folder(path.path(), false);
    assert_eq!(refuse(TrainingConfig::new(0), &fresh), "n_epochs is 0: use at least 1");
    let few = TrainingConfig::new(1).with_hold_out(1_000_000);
    assert!(
        refuse(few, &fresh).ends_with("one in 1000000 of which is held out: use 1000000 or more")
    );
    let rate = TrainingConfig::new(1).with_learning_rate(f64::NAN);
    assert_eq!(refuse(rate, &fresh), "learning_rate is NaN: use a number in (0, 1]");
    let empty = folder(&path.path().join("empty"), true);
    assert!(refuse(TrainingConfig::new(1), &empty).contains("holds no checkpoint"));
    std::fs::write(path.path().join("file"), "").unwrap();
    let blocked = folder(&path.path().join("file"), false);
    assert!(refuse(TrainingConfig::new(1), &blocked).contains("file`: "));
}

fn quantum_weights(model: &Qhon) -> Vec<f32> {
    let TokenFeatures::Quantum(features) = &model.features else { panic!("no quantum part") };
    let annealing = features.annealing.as_ref().unwrap();
    let memory = features.memory.as_ref().unwrap();
    let weights: [Vec<f32>; 7] = [
        values(features.encoding.circuit.weights.val()),
        values(annealing.fields.val()),
        values(annealing.couplings.val()),
        values(annealing.field_weights.as_ref().unwrap().val()),
        values(memory.angles.val()),
        values(memory.bias_fields.val()),
        values(memory.log_inverse_temperature.val()),
    ];
    weights.concat()
}

/// One step of Adam moves every quantum parameter, unless the part is frozen.
#[test]
fn a_step_moves_the_quantum_parameters_unless_they_are_frozen() {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(|e| e.into_inner());
    let device = Device::flex().autodiff();
    for (part, moves) in [(QuantumPart::Trained, true), (QuantumPart::Frozen, false)] {
        let model = config().with_quantum_part(part).init(&device);
        let (quantum, head) = (quantum_weights(&model), values(model.head.weight.val()));
        let items = (0..8).map(|i| images().get(i).unwrap()).collect();
        let batch = images().batcher().batch(items, &device);
        let loss = model.forward(batch.images).powi_scalar(2).sum();
        let grads = GradientsParams::from_grads(loss.backward(), &model);
        let model = AdamConfig::new().init().step(1e-2, model, grads);
        assert_ne!(values(model.head.weight.val()), head);
        for (before, after) in quantum.iter().zip(quantum_weights(&model)) {
            assert_eq!(*before != after, moves, "{part:?}");
        }
    }
}

/// The same weights with other quantum parameters give other logits: the part is not bypassed.
#[test]
fn all_that_the_network_sees_passes_the_quantum_part() {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(|e| e.into_inner());
    let device = Device::flex();
    let mut model = config().with_dropout(0.0).init(&device);
    let before = logits(&model);
    let TokenFeatures::Quantum(features) = &mut model.features else { panic!("no quantum part") };
    let annealing = features.annealing.as_mut().unwrap();
    annealing.fields = Param::from_tensor(annealing.fields.val() + 0.5);
    assert_ne!(logits(&model), before);

    let mut blind = model.clone();
    blind.lift.weight = Param::from_tensor(model.lift.weight.val().zeros_like());
    let logits = logits(&blind);
    assert!(logits.chunks(10).all(|row| row == &logits[..10]), "nothing else carries the image");
}
