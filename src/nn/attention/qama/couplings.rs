//! Couplings between the keys that a query may select.

use super::input::Masks;
use burn::config::Config;
use burn::module::Param;
use burn::nn::Initializer;
use burn::tensor::{Device, Tensor};

/// `beta |W|` stays below this times one over the number of keys, so the mean field, whose slope is
/// `beta / 4` at most, contracts by a half or more in each iteration.
const BOUND: f64 = 2.0;

/// The couplings `W_jj'` between keys. They are symmetric, without diagonal, and bounded:
/// `|W_jj'| <= 2 / (beta n)` with `n` keys that are not padding, so that the mean field has one
/// solution, and each iteration at least halves its distance from it.
#[derive(Config, Debug, Copy, PartialEq, Eq)]
pub enum QamaCoupling {
    /// None: keys are selected independently.
    None,
    /// Trained for each pair of places, `[n_heads, max_keys, max_keys]` before they are bounded.
    Learned {
        /// The largest number of keys.
        max_keys: usize,
    },
    /// `W_jj' = 2 tanh(c) cos^2(k_j, k_j') / (beta n)`: similar keys exclude each other where `c < 0`,
    /// which is where it starts, or call for each other; `c` is trained, `[n_heads, 1, 1]`.
    KeyKey,
}

impl QamaCoupling {
    pub(super) fn init(self, n_heads: usize, device: &Device) -> Option<Param<Tensor<3>>> {
        match self {
            Self::None => None,
            Self::Learned { max_keys } => {
                let normal = Initializer::Normal { mean: 0.0, std: 0.1 };
                Some(normal.init([n_heads, max_keys, max_keys], device))
            }
            Self::KeyKey => {
                Some(Initializer::Constant { value: -0.3 }.init([n_heads, 1, 1], device))
            }
        }
    }

    /// `[batch or 1, n_heads, n_keys, n_keys]`: `W` of an inverse temperature; `beta W` for one of 1.
    ///
    /// # Panics
    ///
    /// Panics on more keys than were announced.
    pub(super) fn matrix(
        self,
        raw: Tensor<3>,
        key: &Tensor<4>,
        masks: &Masks,
        beta: f64,
    ) -> Tensor<4> {
        let [_, n_heads, n_keys, _] = key.dims();
        let strength: Tensor<4> = match self {
            Self::Learned { max_keys } => {
                assert!(
                    n_keys <= max_keys,
                    "there are {n_keys} keys, but couplings of {max_keys}: raise max_keys"
                );
                let raw = raw.slice([0..n_heads, 0..n_keys, 0..n_keys]);
                ((raw.clone() + raw.transpose()) * 0.5).tanh().unsqueeze_dim(0)
            }
            Self::None | Self::KeyKey => raw.tanh().unsqueeze_dim(0),
        };
        let strength = match masks.keys {
            Some(_) => strength.mul_scalar(BOUND / beta) / masks.n_keys(n_keys),
            None => strength.mul_scalar(BOUND / (beta * n_keys.max(1) as f64)),
        };
        let diagonal = Tensor::<2>::eye(n_keys, &key.device()).cast(key.dtype());
        let off_diagonal: Tensor<4> = diagonal.neg().add_scalar(1.0).unsqueeze();
        let couplings = strength * off_diagonal;
        match self {
            Self::Learned { .. } => couplings,
            Self::None | Self::KeyKey => couplings * squared_cosines(key),
        }
    }
}

/// Of each pair of keys.
fn squared_cosines(key: &Tensor<4>) -> Tensor<4> {
    let norm = key.clone().powi_scalar(2).sum_dim(3).add_scalar(1e-12).sqrt();
    let key = key.clone() / norm;
    key.clone().matmul(key.transpose()).powi_scalar(2)
}
