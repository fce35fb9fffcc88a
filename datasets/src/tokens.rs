//! Labelled texts as tokens, and the batches made of them.

use crate::{TextDataset, Vocabulary};
use burn::data::{
    dataloader::batcher::Batcher,
    dataset::{Dataset, DatasetError},
};
use burn::tensor::{Bool, Device, Int, Tensor, TensorData};

/// The tokens of a text and its class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenItem {
    /// At least one token, none of them padding.
    pub tokens: Vec<u32>,
    /// The class.
    pub label: u8,
    /// Whether the text had more tokens.
    pub is_cut: bool,
}

/// A [`TextDataset`] by the words of a [`Vocabulary`].
///
/// ```
/// use burn_quantum_datasets::{TextDataset, TextFormat, TokenDataset, Vocabulary};
///
/// let file = "a fine film\t1\nof no interest at all\t0\n";
/// let texts = TextDataset::parse("reviews.tsv".as_ref(), file.as_bytes(), TextFormat::SST2)?;
/// let vocabulary = Vocabulary::build(texts.texts().iter().map(String::as_str), 1000, 1);
/// let tokens = TokenDataset::new(&texts, &vocabulary, 4);
/// assert_eq!((tokens.n_truncated(), tokens.unknown_share()), (1, 0.0));
/// # Ok::<(), burn_quantum_datasets::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct TokenDataset {
    items: Vec<TokenItem>,
    n_classes: usize,
}

impl TokenDataset {
    /// Cuts each text after `max_tokens` tokens.
    ///
    /// # Panics
    ///
    /// Panics if `max_tokens` is 0.
    pub fn new(texts: &TextDataset, vocabulary: &Vocabulary, max_tokens: usize) -> Self {
        assert!(max_tokens > 0, "max_tokens is 0: use at least 1");
        let item = |(text, &label): (&String, &u8)| {
            let mut tokens = vocabulary.encode(text);
            let is_cut = tokens.len() > max_tokens;
            tokens.truncate(max_tokens);
            TokenItem { tokens, label, is_cut }
        };
        let items = texts.texts().iter().zip(texts.labels()).map(item).collect();
        Self { items, n_classes: texts.n_classes() }
    }

    /// The number of classes.
    pub fn n_classes(&self) -> usize {
        self.n_classes
    }

    /// How many texts were cut.
    pub fn n_truncated(&self) -> usize {
        self.items.iter().filter(|item| item.is_cut).count()
    }

    /// The share of tokens that are words which the vocabulary does not hold; 0 of no texts.
    pub fn unknown_share(&self) -> f64 {
        let tokens = || self.items.iter().flat_map(|item| &item.tokens);
        let unknown = tokens().filter(|&&token| token == Vocabulary::UNKNOWN).count();
        unknown as f64 / tokens().count().max(1) as f64
    }

    /// The texts for which `keep(index)` holds.
    pub fn filter(&self, keep: impl Fn(usize) -> bool) -> Self {
        let kept = self.items.iter().enumerate().filter(|&(i, _)| keep(i));
        Self { items: kept.map(|(_, item)| item.clone()).collect(), ..*self }
    }
}

impl Dataset<TokenItem> for TokenDataset {
    fn get(&self, index: usize) -> Result<TokenItem, DatasetError> {
        Ok(self.items[index].clone())
    }

    fn len(&self) -> usize {
        self.items.len()
    }
}

/// A batch of texts and their classes.
#[derive(Debug, Clone)]
pub struct TokenBatch {
    /// `[batch_size, length]`, as long as the longest text of the batch.
    pub tokens: Tensor<2, Int>,
    /// `[batch_size, length]`, true = padding.
    pub mask_pad: Tensor<2, Bool>,
    /// `[batch_size]`.
    pub labels: Tensor<1, Int>,
}

/// Makes batches from the items of a [`TokenDataset`].
#[derive(Debug, Clone, Copy, Default)]
pub struct TokenBatcher;

impl Batcher<TokenItem, TokenBatch> for TokenBatcher {
    fn batch(&self, items: Vec<TokenItem>, device: &Device) -> TokenBatch {
        let length = items.iter().map(|item| item.tokens.len()).max().unwrap_or(0);
        let shape = [items.len(), length];
        let at = |item: &TokenItem, i: usize| item.tokens.get(i).copied();
        let padded = items.iter().flat_map(|item| (0..length).map(move |i| at(item, i)));
        let (mut tokens, mut mask) = (Vec::new(), Vec::new());
        for token in padded {
            tokens.push(token.unwrap_or(Vocabulary::PADDING) as i32);
            mask.push(token.is_none());
        }
        let labels: Vec<i32> = items.iter().map(|item| item.label.into()).collect();
        TokenBatch {
            tokens: Tensor::from_data(TensorData::new(tokens, shape), device),
            mask_pad: Tensor::from_data(TensorData::new(mask, shape), device),
            labels: Tensor::from_data(TensorData::from(labels.as_slice()), device),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TextFormat;

    fn dataset(max_tokens: usize) -> TokenDataset {
        let file = "a b c d\t2\nb\t0\nx a\t1\n";
        let format = TextFormat::SST2;
        let texts = TextDataset::parse("f".as_ref(), file.as_bytes(), format).unwrap();
        let vocabulary = Vocabulary::build(["a a a a b b b c c d"], 100, 1);
        TokenDataset::new(&texts, &vocabulary, max_tokens)
    }

    #[test]
    fn batches_are_padded_to_their_longest_text() {
        let items = (0..3).map(|i| dataset(9).get(i).unwrap()).collect();
        let batch = TokenBatcher.batch(items, &Device::flex());
        let tokens: Vec<i64> = batch.tokens.into_data().iter::<i64>().collect();
        assert_eq!(tokens, [2, 3, 4, 5, 3, 0, 0, 0, 1, 2, 0, 0]);
        let mask: Vec<bool> = batch.mask_pad.into_data().iter::<bool>().collect();
        let padding: Vec<bool> = tokens.iter().map(|&token| token == 0).collect();
        assert_eq!(mask, padding);
        let labels: Vec<i64> = batch.labels.into_data().iter::<i64>().collect();
        assert_eq!(labels, [2, 0, 1]);

        let short = TokenBatcher.batch(vec![dataset(9).get(1).unwrap()], &Device::flex());
        assert_eq!(short.tokens.dims(), [1, 1]);
    }

    #[test]
    fn what_is_cut_and_what_is_unknown_is_counted() {
        let (whole, cut) = (dataset(4), dataset(1));
        assert_eq!((whole.n_truncated(), whole.unknown_share()), (0, 1.0 / 7.0));
        assert_eq!((cut.n_truncated(), cut.unknown_share()), (2, 1.0 / 3.0));
        assert_eq!(cut.get(0).unwrap().tokens, [2]);
        assert_eq!(cut.filter(|i| i < 2).n_truncated(), 1);
        let last = whole.filter(|i| i == 2);
        assert_eq!((last.len(), last.get(0).unwrap().label, last.n_classes()), (1, 1, 3));
    }

    #[test]
    #[should_panic(expected = "max_tokens is 0")]
    fn no_tokens_at_all() {
        dataset(0);
    }
}
