//! Training of a text classifier, and fine-tuning.

use super::{ONE_AT_A_TIME, folder, images, values};
use burn::config::Config;
use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::Dataset;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use burn_quantum_datasets::{TextDataset, TextFormat, TokenBatcher, TokenDataset, Vocabulary};
use burn_quantum_models::training::{Classifier, Score, TrainingConfig};
use burn_quantum_models::{
    AttentionKind, TextClassifier, TextClassifierConfig, TokenAttention, VisionTransformer,
    VisionTransformerConfig,
};

/// Texts of three to nine words, of which one tells the class.
fn texts() -> TextDataset {
    let line = |i: usize| {
        let filler = (0..2 + i % 7).map(|k| ["the", "a", "film", "and", "of"][(i / 3 + 2 * k) % 5]);
        let mut words: Vec<&str> = filler.collect();
        let telling = [["good", "fine", "lovely"], ["bad", "dull", "awful"]][i % 2][i / 3 % 3];
        words.insert(i % words.len(), telling);
        format!("{}\t{}\n", words.join(" "), i % 2)
    };
    let file: String = (0..180).map(line).collect();
    TextDataset::parse("texts".as_ref(), file.as_bytes(), TextFormat::SST2).unwrap()
}

fn tokens() -> (TokenDataset, Vocabulary) {
    let texts = texts();
    let vocabulary = Vocabulary::build(texts.texts().iter().map(String::as_str), 100, 1);
    (TokenDataset::new(&texts, &vocabulary, 12), vocabulary)
}

fn config(vocabulary: &Vocabulary) -> TextClassifierConfig {
    let config = TextClassifierConfig::new(vocabulary.len(), 2).with_max_tokens(12);
    config.with_d_model(16).with_n_heads(2).with_d_hidden(32)
}

fn logits(model: &TextClassifier, tokens: &TokenDataset) -> Vec<f32> {
    let items = (0..20).map(|i| tokens.get(i).unwrap()).collect();
    values(model.logits(&TokenBatcher.batch(items, &Device::flex())))
}

#[test]
fn a_text_classifier_learns_and_reloads_with_its_vocabulary() {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(|e| e.into_inner());
    let path = tempfile::tempdir().unwrap();
    let (tokens, vocabulary) = tokens();
    let (train, test) = (tokens.filter(|i| i % 3 != 0), tokens.filter(|i| i % 3 == 0));
    let training = TrainingConfig::new(10).with_batch_size(16).with_learning_rate(1e-2);
    let device = Device::flex();
    let run = folder(path.path(), false);
    let model = training.train(&config(&vocabulary), &device, &train, &run, |_| {}).unwrap();
    let score = Score::of(&model, &test, &device);
    assert!(score.total == 60 && score.percent() > 95.0, "{score:?}");

    vocabulary.save(&path.path().join("vocabulary.json")).unwrap();
    let vocabulary = Vocabulary::load(&path.path().join("vocabulary.json")).unwrap();
    let loaded = TextClassifierConfig::load(path.path().join("text.json")).unwrap().init(&device);
    let loaded = loaded.load_file(path.path().join("model.bpk"));
    let again = TokenDataset::new(&texts(), &vocabulary, 12);
    assert_eq!(logits(&loaded, &again), logits(&model, &tokens));
}

#[test]
fn texts_cannot_be_shifted() {
    let path = tempfile::tempdir().unwrap();
    let (tokens, vocabulary) = tokens();
    let training = TrainingConfig::new(1).with_max_shift(2);
    let run = folder(path.path(), false);
    let result = training.train(&config(&vocabulary), &Device::flex(), &tokens, &run, |_| {});
    let message = result.unwrap_err().to_string();
    assert_eq!(message, "max_shift is 2: only images can be moved: use 0");
}

fn query_weights(model: &VisionTransformer) -> Vec<f32> {
    let query = match model.blocks[0].attention.as_ref().unwrap() {
        TokenAttention::Qama(qama) => &qama.query,
        TokenAttention::Mha(mha) => &mha.query,
        other => panic!("{other} has other parameters"),
    };
    values(query.weight.val())
}

/// From burn-nn's attention to QAMA: the first steps, small ones, start at the weights of the former.
#[test]
fn fine_tuning_goes_on_with_the_weights_it_is_given() {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(|e| e.into_inner());
    let path = tempfile::tempdir().unwrap();
    let device = Device::flex();
    let config = VisionTransformerConfig::new([1, 8, 8], 10).with_d_model(16).with_n_heads(2);
    let (mha, qama) = (
        config.clone().with_attention(AttentionKind::Mha),
        config.with_attention(AttentionKind::Qama),
    );
    let training = TrainingConfig::new(1).with_batch_size(16);
    let run = folder(path.path(), false);
    let trained = training.train(&mha, &device, &images(), &run, |_| {}).unwrap();
    let swapped = trained.clone().with_attention(AttentionKind::Qama, &device);
    assert_eq!(query_weights(&swapped), query_weights(&trained));

    let small = training.with_learning_rate(1e-6);
    let tuned = small.fine_tune(&qama, swapped, &device, &images(), &run, |_| {}).unwrap();
    let (before, after) = (query_weights(&trained), query_weights(&tuned));
    let moved = before.iter().zip(&after).map(|(a, b)| (a - b).abs());
    let largest = moved.fold(0.0, f32::max);
    // Adam's steps are as long as the learning rate, and there are 14 of them.
    assert!(largest > 1e-6 && largest < 2e-5, "{largest}");
    let loaded = VisionTransformerConfig::load(path.path().join("vit.json")).unwrap();
    let loaded = loaded.init(&device).load_file(path.path().join("model.bpk"));
    let image = Tensor::ones([1, 1, 8, 8], &device);
    assert_eq!(values(loaded.forward(image.clone())), values(tuned.forward(image)));
}
