//! Trains a small vision transformer with QAMA, burn-nn's attention, or none:
//!
//!     cargo run --release --example qama -- --dataset digits --attention qama --seed 1

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod common;

use burn_quantum_datasets::{Digits, ImageDataset, Mnist};
use burn_quantum_models::training::{Run, TrainingConfig};
use burn_quantum_models::{VisionTransformerConfig, VitAttention};
use clap::{Parser, ValueEnum};
use std::path::PathBuf;
use std::process::ExitCode;

/// Trains a vision transformer (one block, 64 features, 8 heads) and prints its test accuracy.
#[derive(Parser)]
struct Cli {
    /// The images
    #[arg(long, value_enum, default_value_t = Dataset::Digits)]
    dataset: Dataset,
    /// The folder of MNIST's four idx files, plain or gz; digits are embedded
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The attention
    #[arg(long, value_enum, default_value_t = Attention::Qama)]
    attention: Attention,
    /// How often to see all training images [default: 60 of digits, 5 of mnist]
    #[arg(long)]
    epochs: Option<usize>,
    /// Seeds the initial parameters and the order of the images
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where the network runs
    #[arg(long, value_enum, default_value_t = common::Backend::Flex)]
    backend: common::Backend,
    /// Train on the first N images only
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Where to keep checkpoints and the trained network [default: in the cache folder]
    #[arg(long, value_name = "DIR")]
    run_dir: Option<PathBuf>,
    /// Go on after the last finished epoch in the run's folder
    #[arg(long)]
    resume: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Dataset {
    /// UCI's 8x8 digits, embedded; patches of 2
    Digits,
    /// MNIST, from --data-dir; patches of 4
    Mnist,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Attention {
    /// QAMA by its mean field
    Qama,
    /// QAMA by 16 Gibbs samples
    QamaGibbs,
    /// QAMA with random spins, a control that must lose
    QamaRandom,
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

fn run(cli: &Cli) -> common::Outcome<()> {
    let ([train, test], image, patch, n_epochs) = cli.load()?;
    let train = cli.limit.map_or(train.clone(), |n| train.filter(|i| i < n));
    let config = VisionTransformerConfig::new(image, 10)
        .with_patch_size(patch)
        .with_attention(cli.attention.into());
    let training =
        TrainingConfig::new(cli.epochs.unwrap_or(n_epochs)).with_seed(cli.seed).with_max_shift(1);
    let attention = cli.attention.to_possible_value().ok_or("an attention without a name")?;
    let (name, run) = (attention.get_name(), cli.folder(attention.get_name())?);
    let device = cli.backend.device()?;
    println!(
        "training a vision transformer with {name}, {} epochs, run folder {}",
        training.n_epochs,
        run.folder.display()
    );
    common::train_and_test(name, &config, &training, &device, &run, [train, test])
}

type Images = ([ImageDataset; 2], [usize; 3], usize, usize);

impl Cli {
    /// Images, their shape, the side of the patches, epochs.
    fn load(&self) -> common::Outcome<Images> {
        Ok(match (self.dataset, &self.data_dir) {
            (Dataset::Digits, None) => ([Digits::train(), Digits::test()], [1, 8, 8], 2, 60),
            (Dataset::Digits, Some(_)) => {
                return Err("the digits are embedded: leave out --data-dir".into());
            }
            (Dataset::Mnist, Some(folder)) => {
                ([Mnist::train(folder)?, Mnist::test(folder)?], [1, 28, 28], 4, 5)
            }
            (Dataset::Mnist, None) => {
                return Err("MNIST needs --data-dir with its four idx files".into());
            }
        })
    }

    fn folder(&self, attention: &str) -> common::Outcome<Run> {
        let folder = match &self.run_dir {
            Some(folder) => folder.clone(),
            None => {
                let dataset = format!("{:?}", self.dataset).to_lowercase();
                let label = format!("vit-{dataset}-{attention}-seed{}", self.seed);
                let cache = dirs::cache_dir().ok_or("no cache folder: give --run-dir")?;
                cache.join("burn-quantum").join("runs").join(label)
            }
        };
        Ok(Run { folder, resume: self.resume, dashboard: false })
    }
}

impl From<Attention> for VitAttention {
    fn from(attention: Attention) -> Self {
        match attention {
            Attention::Qama => Self::Qama,
            Attention::QamaGibbs => Self::QamaGibbs,
            Attention::QamaRandom => Self::QamaRandom,
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
