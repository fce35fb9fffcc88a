//! QHON less one of its parts.

use crate::{QhonConfig, QuantumPart};
use burn_quantum::nn::LossWeights;

/// A network of an ablation: QHON, or QHON with one of its parts changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Variant {
    /// The whole network.
    Qhon,
    /// A perceptron of about as many parameters in the quantum part's place.
    Classical,
    /// The quantum part keeps its random start.
    Frozen,
    /// The encoding circuit alone, without the annealing sampler and its memory.
    NoAnneal,
    /// Neither the quantum nor the classical memory.
    NoMemory,
    /// Attention at the scale 1 only.
    OneScale,
}

impl Variant {
    /// All variants, the whole network first.
    pub const ALL: [Self; 6] =
        [Self::Qhon, Self::Classical, Self::Frozen, Self::NoAnneal, Self::NoMemory, Self::OneScale];

    /// Its name in tables and files.
    ///
    /// ```
    /// use burn_quantum_models::Variant;
    ///
    /// assert_eq!(Variant::NoAnneal.name(), "no-anneal");
    /// ```
    pub fn name(self) -> &'static str {
        match self {
            Self::Qhon => "qhon",
            Self::Classical => "classical",
            Self::Frozen => "frozen",
            Self::NoAnneal => "no-anneal",
            Self::NoMemory => "no-memory",
            Self::OneScale => "one-scale",
        }
    }

    /// The configuration of this variant of the network that `config` describes.
    pub fn of(self, config: &QhonConfig) -> QhonConfig {
        let config = config.clone();
        match self {
            Self::Qhon => config,
            Self::Classical => config.with_quantum_part(QuantumPart::Classical),
            Self::Frozen => config.with_quantum_part(QuantumPart::Frozen),
            Self::NoAnneal => config.with_annealing(false),
            Self::NoMemory => config.with_n_quantum_slots(0).with_n_classical_slots(0),
            Self::OneScale => one_scale(config),
        }
    }
}

/// Fixed weights keep those of the network and of the scale 1, or of the first if there is no 1.
fn one_scale(mut config: QhonConfig) -> QhonConfig {
    if let Some(LossWeights::Fixed(weights)) = &mut config.scale_loss {
        let one = config.scales.iter().position(|&scale| scale == 1).unwrap_or(0);
        *weights = [0, 1 + one].iter().filter_map(|&k| weights.get(k).copied()).collect();
    }
    config.with_scales(vec![1])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TokenFeatures;
    use burn::module::Module;
    use burn::tensor::Device;

    fn config() -> QhonConfig {
        QhonConfig::new([1, 8, 8], 10).with_n_qubits(3).with_d_model(16).with_n_heads(2)
    }

    #[test]
    fn each_variant_lacks_what_its_name_says() {
        let device = Device::flex();
        for variant in Variant::ALL {
            let model = variant.of(&config()).init(&device);
            let quantum = match &model.features {
                TokenFeatures::Quantum(features) => Some(features),
                TokenFeatures::Classical(_) => None,
            };
            let annealing = quantum.is_some_and(|q| q.annealing.is_some());
            let memories =
                (quantum.is_some_and(|q| q.memory.is_some()), model.refinement.memory.is_some());
            let scales = model.attention.scales.len();
            let expected = match variant {
                Variant::Qhon | Variant::Frozen => (true, (true, true), 3),
                Variant::Classical => (false, (false, true), 3),
                Variant::NoAnneal => (false, (false, true), 3),
                Variant::NoMemory => (true, (false, false), 3),
                Variant::OneScale => (true, (true, true), 1),
            };
            assert_eq!((annealing, memories, scales), expected, "{}", variant.name());
            assert_eq!(quantum.is_some(), variant != Variant::Classical);
        }
    }

    #[test]
    fn names_differ_and_so_do_the_numbers_of_parameters() {
        let count = |v: Variant| v.of(&config()).init(&Device::flex()).num_params();
        let whole = count(Variant::Qhon);
        for variant in [Variant::NoAnneal, Variant::NoMemory, Variant::OneScale] {
            assert!(count(variant) < whole, "{}", variant.name());
        }
        let mut names = Variant::ALL.map(Variant::name);
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn one_scale_keeps_the_fixed_weights_that_it_has_a_head_for() {
        let weights = LossWeights::Fixed(vec![1.0, 0.1, 0.2, 0.3]);
        let config = config().with_scales(vec![2, 1, 4]).with_scale_loss(Some(weights));
        let one = Variant::OneScale.of(&config);
        assert_eq!(one.scale_loss, Some(LossWeights::Fixed(vec![1.0, 0.2])));
        one.init(&Device::flex());
    }
}
