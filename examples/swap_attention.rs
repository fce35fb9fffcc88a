//! Trains a vision transformer with burn-nn's attention on the embedded 8 by 8 digits, puts QAMA with
//! the same linear layers in the attention's place, and trains on:
//!
//!     cargo run --release --example swap_attention

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod common;

use burn::module::{Module, Param};
use burn_quantum::nn::attention::Qama;
use burn_quantum_datasets::{Digits, ImageDataset};
use burn_quantum_models::training::{ClassifierData, Run, Score, TrainingConfig};
use burn_quantum_models::{
    AttentionKind, TokenAttention, VisionTransformer, VisionTransformerConfig,
};
use clap::{Parser, ValueEnum};
use common::Outcome;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Loads a transformer that was trained with burn-nn's attention into one with QAMA, and prints the
/// test accuracy before, right after the swap, and after fine-tuning.
#[derive(Parser)]
struct Cli {
    /// The attention to swap in
    #[arg(long, value_enum, default_value_t = Attention::Qama)]
    attention: Attention,
    /// Epochs of the training with burn-nn's attention
    #[arg(long, default_value_t = 60)]
    epochs: usize,
    /// Epochs of the training after the swap
    #[arg(long, default_value_t = 10)]
    fine_tuning: usize,
    /// The learning rate after the swap, at its start
    #[arg(long, default_value_t = 5e-4)]
    learning_rate: f64,
    /// The bias of all heads right after the swap: the lower, the nearer is QAMA to softmax attention
    /// [default: 1.5]
    #[arg(long, allow_negative_numbers = true)]
    bias: Option<f64>,
    /// Seeds the initial parameters and the order of the images
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Train on the first N images only
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Where the network runs
    #[arg(long, value_enum, default_value_t = common::Backend::Flex)]
    backend: common::Backend,
    /// Where to keep the two runs, in `before` and `after` [default: in the cache folder]
    #[arg(long, value_name = "DIR")]
    run_dir: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Attention {
    /// QAMA by its mean field
    Qama,
    /// QAMA by 16 Gibbs samples
    QamaGibbs,
    /// QAMA that selects exactly one key: the same function, so the swap changes nothing
    QamaOneKey,
}

fn main() -> ExitCode {
    common::exit(run(&Cli::parse()))
}

fn run(cli: &Cli) -> Outcome<()> {
    let (folder, device) = (cli.folder()?, cli.backend.device()?);
    let (train, test) = (Digits::train(), Digits::test());
    let train = cli.limit.map_or(train.clone(), |n| train.filter(|i| i < n));
    let mha = VisionTransformerConfig::new([1, 8, 8], 10).with_patch_size(2);
    let mha = mha.with_attention(AttentionKind::Mha);
    let qama = mha.clone().with_attention(cli.attention.into());
    let training = TrainingConfig::new(cli.epochs).with_seed(cli.seed).with_max_shift(1);
    let fine_tuning = TrainingConfig::new(cli.fine_tuning).with_seed(cli.seed).with_max_shift(1);
    let fine_tuning = fine_tuning.with_learning_rate(cli.learning_rate);
    with_bias(qama.init(&device), cli.bias)?;
    training.check(&train)?;
    fine_tuning.check(&train)?;
    let progress = || common::progress(false, ImageDataset::NOUN);
    let percent = |model: &VisionTransformer| Score::of(model, &test, &device).percent();

    println!("training with burn-nn's attention, run folder {}", folder.display());
    training.train(&mha, &device, &train, &run_in(&folder, "before"), progress())?;
    let file = folder.join("before").join("model.bpk");
    let model = mha.init(&device).try_load_file(&file)?;
    let before = percent(&model);
    let model = model.with_attention(cli.attention.into(), &device);
    let model = with_bias(model, cli.bias)?;
    let swapped = percent(&model);

    println!("fine-tuning with {:?}", AttentionKind::from(cli.attention));
    let run = run_in(&folder, "after");
    let model = fine_tuning.fine_tune(&qama, model, &device, &train, &run, progress())?;
    println!();
    println!("test accuracy with burn-nn's attention: {before:.2} %");
    println!("test accuracy after the swap: {swapped:.2} %");
    println!("test accuracy after fine-tuning: {:.2} %", percent(&model));
    Ok(())
}

/// Sets the bias of all heads, if asked to.
fn with_bias(mut model: VisionTransformer, bias: Option<f64>) -> Outcome<VisionTransformer> {
    let Some(bias) = bias else { return Ok(model) };
    if !(bias as f32).is_finite() {
        return Err(format!("--bias {bias}: use a finite number of single precision").into());
    }
    for block in &mut model.blocks {
        let Some(TokenAttention::Qama(Qama { bias: Some(field), .. })) = &mut block.attention
        else {
            return Err("softmax has no bias of heads: leave out --bias".into());
        };
        *field = Param::from_tensor(field.val().zeros_like() + bias);
    }
    Ok(model)
}

fn run_in(folder: &Path, part: &str) -> Run {
    Run { folder: folder.join(part), resume: false, dashboard: false }
}

impl Cli {
    fn folder(&self) -> Outcome<PathBuf> {
        if let Some(folder) = &self.run_dir {
            return Ok(folder.clone());
        }
        let cache = dirs::cache_dir().ok_or("no cache folder: give --run-dir")?;
        let label = format!("swap-{:?}-seed{}", self.attention, self.seed).to_lowercase();
        Ok(cache.join("burn-quantum").join("runs").join(label))
    }
}

impl From<Attention> for AttentionKind {
    fn from(attention: Attention) -> Self {
        match attention {
            Attention::Qama => Self::Qama,
            Attention::QamaGibbs => Self::QamaGibbs,
            Attention::QamaOneKey => Self::QamaOneKey,
        }
    }
}
