//! Trains a small transformer with QAMA, burn-nn's attention, or none, on images or texts:
//!
//!     cargo run --release --example qama -- --dataset digits --attention qama --seed 1

#![allow(clippy::print_stdout, clippy::print_stderr)]

#[path = "../common/mod.rs"]
mod common;
mod data;
mod heatmaps;

use burn_quantum_models::training::{Classifier, ClassifierConfig, Run, TrainingConfig};
use burn_quantum_models::{AttentionKind, TextClassifierConfig, VisionTransformerConfig};
use clap::{Parser, ValueEnum};
use common::Outcome;
use data::{Images, Texts};
use std::path::PathBuf;
use std::process::ExitCode;

/// Trains a transformer (one layer, 64 features, 8 heads) and prints its test accuracy.
#[derive(Parser)]
struct Cli {
    /// The images, or texts
    #[arg(long, value_enum, default_value_t = Dataset::Digits)]
    dataset: Dataset,
    /// The folder of the data set's files; digits are embedded, and CIFAR is downloaded to the cache
    /// folder if none is named
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The address to download CIFAR from
    #[arg(long, value_name = "URL", conflicts_with = "data_dir")]
    mirror: Option<String>,
    /// The attention
    #[arg(long, value_enum, default_value_t = Attention::Qama)]
    attention: Attention,
    /// How often to see all training items [default: 60 of digits, 5 of mnist and text, 20 of cifar10
    /// and cifar100]
    #[arg(long)]
    epochs: Option<usize>,
    /// Seeds the initial parameters and the order of the items
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where the network runs
    #[arg(long, value_enum, default_value_t = common::Backend::Flex)]
    backend: common::Backend,
    /// Train on the first N items only
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Where to keep checkpoints and the trained network [default: in the cache folder]
    #[arg(long, value_name = "DIR")]
    run_dir: Option<PathBuf>,
    /// Go on after the last finished epoch in the run's folder
    #[arg(long)]
    resume: bool,
    /// Draw what each head selects for some test items, and write the statistics of all
    #[arg(long, value_name = "DIR")]
    heatmaps: Option<PathBuf>,
    /// How many test items to draw
    #[arg(long, value_name = "N", default_value_t = 4, requires = "heatmaps")]
    heatmap_items: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Dataset {
    /// UCI's 8x8 digits, embedded; patches of 2
    Digits,
    /// MNIST, the four idx files; patches of 4
    Mnist,
    /// CIFAR-10, the six bin files; patches of 4
    Cifar10,
    /// CIFAR-100, train.bin and test.bin; patches of 4
    Cifar100,
    /// Texts, train.tsv and test.tsv (sentence, tab, label from 0) or train.csv and test.csv (label
    /// from 1, comma, title, comma, description); 64 tokens
    Text,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Attention {
    /// QAMA by its mean field
    Qama,
    /// QAMA whose fields are scores alone, not relative to the query's other keys
    QamaScore,
    /// QAMA without couplings between keys
    QamaUncoupled,
    /// QAMA by 16 Gibbs samples
    QamaGibbs,
    /// QAMA with random spins, a control that must lose
    QamaRandom,
    /// QAMA that selects exactly one key, which is softmax attention
    QamaOneKey,
    /// QAMA with all spins on, the mean of all tokens: another control
    QamaAllOn,
    /// One selection of each head for all queries, by 16 samples
    QamaSelection,
    /// Bits of queries and keys, by 16 samples
    QamaBipartite,
    /// The paper's operator (version 2)
    QamaPaper,
    /// The paper's operator with all spins on, its control
    QamaPaperAllOn,
    /// burn-nn's multi-head attention
    Mha,
    /// No attention, the last control
    None,
}

fn main() -> ExitCode {
    common::exit(run(&Cli::parse()))
}

fn run(cli: &Cli) -> Outcome<()> {
    if cli.heatmaps.is_some() && cli.attention == Attention::None {
        return Err("without attention nothing is selected: leave out --heatmaps".into());
    }
    if cli.dataset == Dataset::Text { texts(cli) } else { images(cli) }
}

fn images(cli: &Cli) -> Outcome<()> {
    let Images { train, test, patch_size, n_epochs } = data::images(cli)?;
    let config = VisionTransformerConfig::new(train.shape(), train.n_classes())
        .with_patch_size(patch_size)
        .with_attention(cli.attention.into());
    let training = cli.training(n_epochs).with_max_shift(1);
    cli.train(
        "vit",
        "a vision transformer",
        &config,
        &training,
        [&train, &test],
        |model, device| heatmaps::of_images(model, &test, patch_size, device),
    )
}

fn texts(cli: &Cli) -> Outcome<()> {
    let Texts { train, test, vocabulary } = data::texts(cli)?;
    let config = TextClassifierConfig::new(vocabulary.len(), train.n_classes())
        .with_max_tokens(data::MAX_TOKENS)
        .with_attention(cli.attention.into());
    let training = cli.training(5).with_learning_rate(1e-3);
    let run = cli.run("text")?;
    data::compare(&vocabulary, &run)?;
    cli.train(
        "text",
        "a text classifier",
        &config,
        &training,
        [&train, &test],
        |model, device| heatmaps::of_texts(model, &test, &vocabulary, device),
    )?;
    // Not before: a run that fails leaves an earlier network with its own words.
    Ok(vocabulary.save(&data::vocabulary_file(&run))?)
}

impl Cli {
    fn training(&self, n_epochs: usize) -> TrainingConfig {
        TrainingConfig::new(self.epochs.unwrap_or(n_epochs)).with_seed(self.seed)
    }

    /// Trains, draws what `maps` gives if asked to, and prints the table.
    fn train<'a, C: ClassifierConfig>(
        &self,
        network: &str,
        title: &str,
        config: &C,
        training: &TrainingConfig,
        [train, test]: [&'a <C::Classifier as Classifier>::Data; 2],
        maps: impl FnOnce(&C::Classifier, &burn::tensor::Device) -> heatmaps::Maps<'a>,
    ) -> Outcome<()> {
        let (name, run) = (self.attention_name()?, self.run(network)?);
        let device = self.backend.device()?;
        println!(
            "training {title} with {name}, {} epochs, run folder {}",
            training.n_epochs,
            run.folder.display()
        );
        if let Some(folder) = &self.heatmaps {
            heatmaps::prepare(folder)?;
        }
        let (model, seconds) = common::timed_training(config, training, &device, &run, train)?;
        if let Some(folder) = &self.heatmaps {
            heatmaps::write(folder, self.heatmap_items, &maps(&model, &device))?;
            println!("heat maps and statistics.csv in {}", folder.display());
        }
        common::report(&name, &model, test, &device, seconds);
        Ok(())
    }

    fn attention_name(&self) -> Outcome<String> {
        let value = self.attention.to_possible_value().ok_or("an attention without a name")?;
        Ok(value.get_name().into())
    }

    fn run(&self, network: &str) -> Outcome<Run> {
        let folder = match &self.run_dir {
            Some(folder) => folder.clone(),
            None => {
                let dataset = format!("{:?}", self.dataset).to_lowercase();
                // The texts of each folder are a data set of their own.
                let folder = self.data_dir.as_ref().and_then(|folder| folder.file_name());
                let dataset = match (self.dataset, folder) {
                    (Dataset::Text, Some(folder)) => folder.to_string_lossy().into_owned(),
                    _ => dataset,
                };
                let limit = self.limit.map(|n| format!("-limit{n}")).unwrap_or_default();
                let (attention, seed) = (self.attention_name()?, self.seed);
                let label = format!("{network}-{dataset}-{attention}-seed{seed}{limit}");
                let cache = dirs::cache_dir().ok_or("no cache folder: give --run-dir")?;
                cache.join("burn-quantum").join("runs").join(label)
            }
        };
        Ok(Run { folder, resume: self.resume, dashboard: false })
    }
}

impl From<Attention> for AttentionKind {
    fn from(attention: Attention) -> Self {
        match attention {
            Attention::Qama => Self::Qama,
            Attention::QamaScore => Self::QamaScore,
            Attention::QamaUncoupled => Self::QamaUncoupled,
            Attention::QamaGibbs => Self::QamaGibbs,
            Attention::QamaRandom => Self::QamaRandom,
            Attention::QamaOneKey => Self::QamaOneKey,
            Attention::QamaAllOn => Self::QamaAllOn,
            Attention::QamaSelection => Self::QamaSelection,
            Attention::QamaBipartite => Self::QamaBipartite,
            Attention::QamaPaper => Self::QamaPaper,
            Attention::QamaPaperAllOn => Self::QamaPaperAllOn,
            Attention::Mha => Self::Mha,
            Attention::None => Self::None,
        }
    }
}
