//! What a classifier is trained on.

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::Dataset;
use burn::tensor::{Int, Tensor};
use burn_quantum_datasets::{
    ImageBatch, ImageBatcher, ImageDataset, ImageItem, TokenBatch, TokenBatcher, TokenDataset,
    TokenItem,
};
use std::fmt::Debug;

/// Labelled items in memory, and how to make batches of them.
pub trait ClassifierData: Dataset<Self::Item> + Clone + 'static {
    /// An item and its class.
    type Item: Clone + Debug + Send + Sync + 'static;
    /// Some of them.
    type Batch: Clone + Debug + Send + Sync + 'static;
    /// What makes batches.
    type Batcher: Batcher<Self::Item, Self::Batch> + 'static;
    /// What items are called, in the plural.
    const NOUN: &'static str;

    /// The items for which `keep(index)` holds.
    fn filter(&self, keep: impl Fn(usize) -> bool) -> Self;

    /// A batcher that leaves items as they are.
    fn batcher(&self) -> Self::Batcher;

    /// A batcher that moves images by up to `max_shift` pixels, or nothing where there is no way to
    /// move an item.
    fn shifting_batcher(&self, max_shift: usize, seed: u64) -> Option<Self::Batcher>;

    /// The classes of a batch, `[batch_size]`.
    fn labels(batch: &Self::Batch) -> Tensor<1, Int>;

    /// The number of items of each class.
    fn class_sizes(&self) -> Vec<usize>;
}

fn sizes(n_classes: usize, labels: impl Iterator<Item = u8>) -> Vec<usize> {
    let mut sizes = vec![0; n_classes];
    labels.for_each(|label| sizes[label as usize] += 1);
    sizes
}

impl ClassifierData for ImageDataset {
    type Item = ImageItem;
    type Batch = ImageBatch;
    type Batcher = ImageBatcher;
    const NOUN: &'static str = "images";

    fn filter(&self, keep: impl Fn(usize) -> bool) -> Self {
        ImageDataset::filter(self, keep)
    }

    fn batcher(&self) -> ImageBatcher {
        ImageDataset::batcher(self)
    }

    fn shifting_batcher(&self, max_shift: usize, seed: u64) -> Option<ImageBatcher> {
        Some(ImageDataset::batcher(self).with_random_shift(max_shift, seed))
    }

    fn labels(batch: &ImageBatch) -> Tensor<1, Int> {
        batch.labels.clone()
    }

    fn class_sizes(&self) -> Vec<usize> {
        sizes(self.n_classes(), ImageDataset::labels(self).iter().copied())
    }
}

impl ClassifierData for TokenDataset {
    type Item = TokenItem;
    type Batch = TokenBatch;
    type Batcher = TokenBatcher;
    const NOUN: &'static str = "texts";

    fn filter(&self, keep: impl Fn(usize) -> bool) -> Self {
        TokenDataset::filter(self, keep)
    }

    fn batcher(&self) -> TokenBatcher {
        TokenBatcher
    }

    fn shifting_batcher(&self, _: usize, _: u64) -> Option<TokenBatcher> {
        None
    }

    fn labels(batch: &TokenBatch) -> Tensor<1, Int> {
        batch.labels.clone()
    }

    fn class_sizes(&self) -> Vec<usize> {
        let items = (0..self.len()).filter_map(|i| self.get(i).ok());
        sizes(self.n_classes(), items.map(|item| item.label))
    }
}
