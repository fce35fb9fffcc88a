//! The images and texts to train on.

use crate::common::{self, Outcome};
use crate::{Cli, Dataset};
use burn::data::dataset::Dataset as _;
use burn_quantum_datasets::{
    Cifar10, Cifar100, Digits, Error, Fetcher, ImageDataset, Mnist, Progress, TextDataset,
    TokenDataset, Vocabulary,
};
use burn_quantum_models::training::Run;
use std::path::{Path, PathBuf};

/// Longer texts are cut.
pub const MAX_TOKENS: usize = 64;
/// More words are unknown, as are those that the training texts hold only once.
const MAX_WORDS: usize = 20_000;

pub struct Images {
    pub train: ImageDataset,
    pub test: ImageDataset,
    pub patch_size: usize,
    pub n_epochs: usize,
}

pub struct Texts {
    pub train: TokenDataset,
    pub test: TokenDataset,
    pub vocabulary: Vocabulary,
}

pub fn images(cli: &Cli) -> Outcome<Images> {
    let is_cifar = matches!(cli.dataset, Dataset::Cifar10 | Dataset::Cifar100);
    if cli.mirror.is_some() && !is_cifar {
        return Err("only CIFAR is downloaded: leave out --mirror".into());
    }
    let (train, test, patch_size, n_epochs) = match (cli.dataset, &cli.data_dir) {
        (Dataset::Digits, None) => (Digits::train(), Digits::test(), 2, 60),
        (Dataset::Digits, Some(_)) => {
            return Err("the digits are embedded: leave out --data-dir".into());
        }
        (Dataset::Mnist, Some(folder)) => (Mnist::train(folder)?, Mnist::test(folder)?, 4, 5),
        (Dataset::Mnist, None) => {
            return Err("MNIST needs --data-dir with its four idx files".into());
        }
        (Dataset::Cifar10, _) => {
            let folder =
                cifar(cli, Cifar10::cache_folder, |f, to, show| Cifar10::fetch(f, to, show))?;
            (Cifar10::train(&folder)?, Cifar10::test(&folder)?, 4, 20)
        }
        (Dataset::Cifar100, _) => {
            let folder =
                cifar(cli, Cifar100::cache_folder, |f, to, show| Cifar100::fetch(f, to, show))?;
            (Cifar100::train(&folder)?, Cifar100::test(&folder)?, 4, 20)
        }
        (Dataset::Text, _) => return Err("texts are no images".into()),
    };
    if is_cifar {
        println!("{} training images, {} test images", train.len(), test.len());
    }
    let train = cli.limit.map_or(train.clone(), |n| train.filter(|i| i < n));
    Ok(Images { train, test, patch_size, n_epochs })
}

/// The folder that --data-dir names, or the cache folder, filled by a download.
fn cifar(
    cli: &Cli,
    cache: impl FnOnce() -> Result<PathBuf, Error>,
    fetch: impl FnOnce(&Fetcher, &Path, &mut dyn FnMut(Progress)) -> Result<(), Error>,
) -> Outcome<PathBuf> {
    if let Some(folder) = &cli.data_dir {
        return Ok(folder.clone());
    }
    let folder = cache()?;
    common::download(cli.mirror.as_ref(), Fetcher::cifar(), |fetcher, show| {
        fetch(fetcher, &folder, show)
    })?;
    Ok(folder)
}

pub fn texts(cli: &Cli) -> Outcome<Texts> {
    let needed = "texts need --data-dir with train.tsv and test.tsv, or train.csv and test.csv";
    let [train, test] = TextDataset::load(cli.data_dir.as_ref().ok_or(needed)?)?;
    let train = cli.limit.map_or(train.clone(), |n| train.filter(|i| i < n));
    let vocabulary = Vocabulary::build(train.texts().iter().map(String::as_str), MAX_WORDS, 2);
    println!("{} words that the training texts hold at least twice", vocabulary.len() - 2);
    let [train, test] = [("training", train), ("test", test)].map(|(name, texts)| {
        let tokens = TokenDataset::new(&texts, &vocabulary, MAX_TOKENS);
        let (n, cut) = (tokens.len(), tokens.n_truncated());
        let unknown = 100.0 * tokens.unknown_share();
        println!(
            "{n} {name} texts, {cut} cut after {MAX_TOKENS} words, {unknown:.1} % unknown words"
        );
        tokens
    });
    Ok(Texts { train, test, vocabulary })
}

/// The vocabulary lies beside the trained network.
pub fn vocabulary_file(run: &Run) -> PathBuf {
    run.folder.join("vocabulary.json")
}

/// Compares the vocabulary with that of a run that is resumed.
pub fn compare(vocabulary: &Vocabulary, run: &Run) -> Outcome<()> {
    let file = vocabulary_file(run);
    if run.resume && file.is_file() && Vocabulary::load(&file)? != *vocabulary {
        let file = file.display();
        return Err(format!("`{file}` differs from the words of these texts: resume with the same, or name another folder").into());
    }
    Ok(())
}
