//! From tokens to vectors.

use burn::module::Module;
use burn::nn::{Embedding, EmbeddingConfig, Initializer};
use burn::tensor::{Device, Int, Tensor};

/// The sum of a vector for each word and one for each place.
#[derive(Module, Debug)]
pub struct TokenEmbedding {
    /// One vector per token of the vocabulary.
    pub token: Embedding,
    /// One vector per place.
    pub position: Embedding,
}

impl TokenEmbedding {
    pub(crate) fn new(
        vocabulary_size: usize,
        max_tokens: usize,
        d_model: usize,
        device: &Device,
    ) -> Self {
        let init = |n| {
            let normal = Initializer::Normal { mean: 0.0, std: 0.1 };
            EmbeddingConfig::new(n, d_model).with_initializer(normal).init(device)
        };
        Self { token: init(vocabulary_size), position: init(max_tokens) }
    }

    /// The largest number of tokens of a text.
    pub fn max_tokens(&self) -> usize {
        self.position.weight.shape()[0]
    }

    /// Tokens `[batch_size, n_tokens]` to vectors `[batch_size, n_tokens, d_model]`.
    ///
    /// # Panics
    ///
    /// Panics on more tokens than there are places.
    pub fn forward(&self, tokens: Tensor<2, Int>) -> Tensor<3> {
        let ([_, n_tokens], max_tokens) = (tokens.dims(), self.max_tokens());
        assert!(
            n_tokens <= max_tokens,
            "texts of {n_tokens} tokens, but places for {max_tokens}: cut them, or raise max_tokens"
        );
        let places = Tensor::arange(0..n_tokens as i64, &tokens.device()).unsqueeze_dim(0);
        self.token.forward(tokens) + self.position.forward(places)
    }
}
