//! A small vision transformer whose attention is a parameter.

use crate::attention::{AttentionKind, AttentionOutput, TokenAttention, TokenMasks};
use crate::encoder::{EncoderLayer, EncoderLayerConfig, layer_seed, try_forward_all};
use crate::qhon::patches;
use burn::config::Config;
use burn::module::{Module, Param};
use burn::nn::{Initializer, LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::{Device, Tensor, assert_shape};
use burn_quantum::Error;
use burn_quantum::annealing::IsingSampler;
use burn_quantum::nn::SampleTemperature;
use burn_quantum::nn::attention::{QamaConfig, QamaCoupling};
use std::sync::Arc;

/// Configuration to create a [`VisionTransformer`] using the
/// [init function](VisionTransformerConfig::init).
#[derive(Config, Debug)]
pub struct VisionTransformerConfig {
    /// Channels, height and width of an image.
    pub image: [usize; 3],
    /// The number of classes.
    pub n_classes: usize,
    /// The attention. Default: QAMA by its mean field
    #[config(default = "AttentionKind::Qama")]
    pub attention: AttentionKind,
    /// The side of the square patches. It must divide height and width. Default: 4
    #[config(default = 4)]
    pub patch_size: usize,
    /// The number of features of a token. Default: 64
    #[config(default = 64)]
    pub d_model: usize,
    /// The number of attention heads. Default: 8
    #[config(default = 8)]
    pub n_heads: usize,
    /// The number of blocks. Default: 1
    #[config(default = 1)]
    pub depth: usize,
    /// The width of the inner layer of each block. Default: 128
    #[config(default = 128)]
    pub d_hidden: usize,
}

/// An image classifier: patches, blocks of attention and perceptron, the mean of the tokens, a head.
///
/// Each block is an [`EncoderLayer`]. It has no class token and no dropout
/// ([Beyer, Zhai and Kolesnikov 2022](https://arxiv.org/abs/2205.01580)), but a trained position
/// embedding.
///
/// Should be created with [`VisionTransformerConfig`].
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_quantum_models::VisionTransformerConfig;
///
/// let device = Device::flex();
/// let model = VisionTransformerConfig::new([1, 8, 8], 10).init(&device);
/// let logits = model.forward(Tensor::zeros([3, 1, 8, 8], &device));
/// assert_eq!(logits.dims(), [3, 10]);
/// ```
#[derive(Module, Debug)]
pub struct VisionTransformer {
    /// From the pixels of a patch to a token.
    pub embedding: Linear,
    /// One vector per place in the image, `[n_tokens, d_model]`.
    pub position: Param<Tensor<2>>,
    /// The blocks, first to last.
    pub blocks: Vec<EncoderLayer>,
    /// Normalises the mean of the tokens.
    pub norm: LayerNorm,
    /// From `d_model` to the logits.
    pub head: Linear,
    patch_size: usize,
    image: [usize; 3],
}

impl VisionTransformerConfig {
    /// Initialises a new network.
    ///
    /// # Panics
    ///
    /// Panics if the patches do not tile the image, or the heads do not divide `d_model`.
    pub fn init(&self, device: &Device) -> VisionTransformer {
        let (d_model, n_heads) = (self.d_model, self.n_heads);
        self.init_with(device, &|seed| self.attention.init(d_model, n_heads, 0.0, seed, device))
    }

    /// Initialises a new network whose attention is QAMA with selections of `sampler`, a simulator
    /// of burn-quantum or a device, `n_reads` samples of each; `temperature` is that of the samples.
    ///
    /// The couplings between keys are trained for each pair of places, and not those of similar keys as in
    /// [`init`](Self::init): so they are the same for all images, and each head asks the sampler for one
    /// batch of `batch_size * n_tokens` models of `n_tokens` spins, which a device may take as one job.
    ///
    /// ```
    /// use burn::tensor::{Device, Tensor};
    /// use burn_quantum::annealing::SimulatedAnnealing;
    /// use burn_quantum::nn::SampleTemperature;
    /// use burn_quantum_models::VisionTransformerConfig;
    /// use std::sync::Arc;
    ///
    /// let (device, config) = (Device::flex(), VisionTransformerConfig::new([1, 8, 8], 10));
    /// let sampler = Arc::new(SimulatedAnnealing::default().with_n_sweeps(10));
    /// let model = config.init_with_sampler(&device, sampler, SampleTemperature::Estimated, 16);
    /// let logits = model.try_forward(Tensor::zeros([3, 1, 8, 8], &device))?;
    /// assert_eq!(logits.dims(), [3, 10]);
    /// # Ok::<(), burn_quantum::Error>(())
    /// ```
    ///
    /// # Panics
    ///
    /// As [`init`](Self::init), on less than two reads, on a temperature that is not positive, and if
    /// `attention` is set to another than [`AttentionKind::Qama`], which would be ignored.
    pub fn init_with_sampler(
        &self,
        device: &Device,
        sampler: Arc<dyn IsingSampler>,
        temperature: SampleTemperature,
        n_reads: usize,
    ) -> VisionTransformer {
        assert!(
            self.attention == AttentionKind::Qama,
            "a sampler is given, so the attention {:?} would be ignored: leave it out",
            self.attention
        );
        let coupling = QamaCoupling::Learned { max_keys: self.n_tokens() };
        let qama = QamaConfig::new(self.d_model, self.n_heads).with_dropout(0.0);
        let qama = qama.with_coupling(coupling).with_n_reads(n_reads);
        self.init_with(device, &|seed| {
            let qama = qama.clone().with_seed(seed);
            let qama = qama.init_with_sampler(device, sampler.clone(), temperature);
            Some(TokenAttention::Qama(qama))
        })
    }

    fn init_with(
        &self,
        device: &Device,
        attention: &dyn Fn(u64) -> Option<TokenAttention>,
    ) -> VisionTransformer {
        let ([channels, height, width], p) = (self.image, self.patch_size);
        assert!(
            p > 0 && height.is_multiple_of(p) && width.is_multiple_of(p),
            "patches of side {p} do not tile an image of {height} x {width}: use a common divisor"
        );
        let position = Initializer::Normal { mean: 0.0, std: 0.1 };
        let layer = EncoderLayerConfig::new(self.d_model, self.n_heads, self.d_hidden);
        let layer = layer.with_dropout(0.0);
        let block = |k| layer.of_layer(k).init_with(attention(layer_seed(k)), device);
        VisionTransformer {
            embedding: LinearConfig::new(channels * p * p, self.d_model).init(device),
            position: position.init([self.n_tokens(), self.d_model], device),
            blocks: (0..self.depth).map(block).collect(),
            norm: LayerNormConfig::new(self.d_model).init(device),
            head: LinearConfig::new(self.d_model, self.n_classes).init(device),
            patch_size: p,
            image: self.image,
        }
    }

    /// The number of patches of an image.
    ///
    /// # Panics
    ///
    /// Panics on patches of side zero.
    pub fn n_tokens(&self) -> usize {
        let [_, height, width] = self.image;
        (height / self.patch_size) * (width / self.patch_size)
    }
}

impl VisionTransformer {
    /// Applies the forward pass on a batch of images.
    ///
    /// # Shapes
    ///
    /// - images: `[batch_size, channels, height, width]`, values of order one
    /// - output: logits `[batch_size, n_classes]`
    ///
    /// # Panics
    ///
    /// Panics if the images have another shape than the config says, and with the sampler's own
    /// message if that fails: see [`try_forward`](Self::try_forward).
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.forward_with_attention(images).0
    }

    /// As [`forward`](Self::forward), with what the attention of each block gave; nothing where there
    /// is none. Tokens are the patches row by row.
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward).
    pub fn forward_with_attention(&self, images: Tensor<4>) -> (Tensor<2>, Vec<AttentionOutput>) {
        let result = self.run(images);
        result.unwrap_or_else(|error| panic!("VisionTransformer: {error}"))
    }

    /// As [`forward`](Self::forward), but what a sampler or a device reports is returned.
    ///
    /// # Errors
    ///
    /// Where the sampler fails, and when its samples are too cold to tell their temperature.
    ///
    /// # Panics
    ///
    /// On images of another shape.
    pub fn try_forward(&self, images: Tensor<4>) -> Result<Tensor<2>, Error> {
        Ok(self.run(images)?.0)
    }

    fn run(&self, images: Tensor<4>) -> Result<(Tensor<2>, Vec<AttentionOutput>), Error> {
        let [channels, height, width] = self.image;
        assert_shape!(images, [_, channels, height, width]);
        let tokens = self.embedding.forward(patches(images, self.patch_size));
        let tokens = tokens + self.position.val().unsqueeze_dim(0);
        let (tokens, attention) = try_forward_all(&self.blocks, tokens, &TokenMasks::default())?;
        let logits = self.head.forward(self.norm.forward(tokens.mean_dim(1).squeeze_dim(1)));
        Ok((logits, attention))
    }

    /// This network with an attention of another kind in each block, which takes over the parameters
    /// that the two have in common; see
    /// [`TokenAttention::transfer_to`](crate::TokenAttention::transfer_to).
    pub fn with_attention(mut self, kind: AttentionKind, device: &Device) -> Self {
        let blocks = self.blocks.into_iter();
        self.blocks = blocks.map(|block| block.with_attention(kind, device)).collect();
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn_quantum::annealing::{BatchSampleSet, Random, SampleSet};
    use burn_quantum::ising::{BatchedIsing, Ising};

    #[test]
    fn gradients_reach_the_first_layer_with_every_attention() {
        let device = Device::flex().autodiff();
        use AttentionKind::*;
        for attention in [
            Qama,
            QamaScore,
            QamaUncoupled,
            QamaGibbs,
            QamaRandom,
            QamaOneKey,
            QamaAllOn,
            QamaSelection,
            QamaBipartite,
            QamaPaper,
            QamaPaperAllOn,
            Mha,
            None,
        ] {
            let config = VisionTransformerConfig::new([1, 8, 8], 3).with_attention(attention);
            let model = config.with_depth(2).init(&device);
            let image =
                Tensor::random([2, 1, 8, 8], burn::tensor::Distribution::Normal(0.0, 1.0), &device);
            let grads = model.forward(image).powi_scalar(2).sum().backward();
            let gradient = model.embedding.weight.val().grad(&grads).unwrap();
            let gradient = gradient.abs().sum().into_scalar::<f32>();
            assert!(gradient.is_finite() && gradient > 0.0, "{attention:?}: {gradient}");
        }
    }

    /// Remembers the sizes of the batches that it was asked for, until it fails.
    #[derive(Debug, Default)]
    struct Spy(std::sync::Mutex<Vec<(usize, usize, usize)>>);

    impl IsingSampler for Spy {
        fn sample(&self, _: &Ising, _: usize) -> Result<SampleSet, Error> {
            unreachable!("batches only")
        }

        fn sample_batch(
            &self,
            models: &BatchedIsing<'_>,
            n_reads: usize,
        ) -> Result<BatchSampleSet, Error> {
            let mut seen = self.0.lock().unwrap();
            if seen.len() == 4 {
                return Random::default().sample_batch(models, 0); // refused
            }
            seen.push((models.n_problems(), models.n_spins(), n_reads));
            Random::default().sample_batch(models, n_reads)
        }
    }

    #[test]
    fn a_sampler_gets_one_batch_of_each_head_and_its_error_comes_back() {
        let (device, spy) = (Device::flex(), Arc::new(Spy::default()));
        let config = VisionTransformerConfig::new([1, 8, 8], 3).with_n_heads(2).with_depth(2);
        assert_eq!(config.n_tokens(), 4);
        let beta = SampleTemperature::Known(1.0);
        let model = config.init_with_sampler(&device, spy.clone(), beta, 5);
        let images = || Tensor::zeros([3, 1, 8, 8], &device);
        assert_eq!(model.try_forward(images()).unwrap().dims(), [3, 3]);
        assert_eq!(*spy.0.lock().unwrap(), [(12, 4, 5); 4]);
        assert!(model.try_forward(images()).unwrap_err().is_invalid_value());
    }

    #[test]
    #[should_panic(expected = "the attention Mha would be ignored: leave it out")]
    fn another_attention_beside_a_sampler() {
        let config = VisionTransformerConfig::new([1, 8, 8], 3).with_attention(AttentionKind::Mha);
        let beta = SampleTemperature::Known(1.0);
        config.init_with_sampler(&Device::flex(), Arc::new(Random::default()), beta, 5);
    }

    /// Only attention tells where tokens are relative to each other: without it, and without
    /// positions, their order does not matter, and the same holds for all of them.
    #[test]
    fn without_positions_the_order_of_patches_does_not_matter() {
        let device = Device::flex();
        use AttentionKind::*;
        for attention in [Qama, QamaAllOn, QamaPaperAllOn, Mha, None] {
            let config = VisionTransformerConfig::new([1, 4, 8], 3).with_attention(attention);
            let mut model = config.init(&device);
            model.position = Param::from_tensor(Tensor::zeros([2, 64], &device));
            let halves = [1.0, -2.0].map(|v| Tensor::<4>::full([1, 1, 4, 4], v, &device));
            let [a, b] = [[0, 1], [1, 0]].map(|order| {
                model.forward(Tensor::cat(order.map(|i| halves[i].clone()).into(), 3))
            });
            let difference = (a - b).abs().max().into_scalar::<f32>();
            assert!(difference < 1e-5, "{attention:?}: {difference}");
        }
    }

    #[test]
    fn another_attention_of_the_same_function_gives_the_same_logits() {
        let device = Device::flex();
        let config = VisionTransformerConfig::new([1, 8, 8], 3).with_depth(2);
        let mha = config.with_attention(AttentionKind::Mha).init(&device);
        let normal = burn::tensor::Distribution::Normal(0.0, 1.0);
        let images = Tensor::random([4, 1, 8, 8], normal, &device);
        let swapped = |kind| mha.clone().with_attention(kind, &device).forward(images.clone());
        let expected = mha.forward(images.clone());
        let largest =
            |logits: Tensor<2>| (expected.clone() - logits).abs().max().into_scalar::<f32>();
        let (one_key, mean_field) =
            (largest(swapped(AttentionKind::QamaOneKey)), largest(swapped(AttentionKind::Qama)));
        assert!(one_key < 1e-5 && mean_field > 1e-4, "{one_key} {mean_field}");
    }

    /// What a kind of attention trains beside its linear layers is its own.
    #[test]
    fn couplings_and_biases_do_not_move_to_another_attention() {
        let device = Device::flex();
        let config = VisionTransformerConfig::new([1, 8, 8], 3);
        let beta = SampleTemperature::Known(1.0);
        let sampled = config.init_with_sampler(&device, Arc::new(Random::default()), beta, 5);
        for (kind, bias) in [(AttentionKind::Qama, 1.5), (AttentionKind::QamaScore, -2.0)] {
            let swapped = sampled.clone().with_attention(kind, &device);
            let Some(TokenAttention::Qama(new)) = &swapped.blocks[0].attention else {
                panic!("{kind:?}")
            };
            let Some(TokenAttention::Qama(old)) = &sampled.blocks[0].attention else {
                panic!("a sampled attention")
            };
            new.key.weight.val().into_data().assert_eq(&old.key.weight.val().into_data(), true);
            let biases = new.bias.as_ref().unwrap().val().into_data();
            assert!(biases.iter::<f32>().all(|b| b == bias), "{kind:?}: {biases:?}");
        }
    }
}
