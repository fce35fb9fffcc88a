//! How the learning rate falls.

use burn::lr_scheduler::cosine::CosineAnnealingLrSchedulerConfig;
use burn::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn_quantum::nn::RobbinsMonroLrSchedulerConfig;
use serde::{Deserialize, Serialize};

/// How the learning rate changes during a training.
///
/// ```
/// use burn_quantum_models::LearningRateSchedule;
///
/// let schedule = LearningRateSchedule::RobbinsMonro { tau: 1.0, power: 1.0 };
/// let mut scheduler = schedule.init(0.1, 1000)?;
/// assert_eq!([scheduler.step().base(), scheduler.step().base()], [0.1, 0.05]);
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum LearningRateSchedule {
    /// It does not.
    Constant,
    /// It falls to a hundredth along a cosine, over the whole training.
    Cosine,
    /// `eta_0 / (1 + t / tau)^power`.
    RobbinsMonro {
        /// After how many steps the rate has fallen to `2^-power` of the first.
        tau: f64,
        /// The power, in (1/2, 1].
        power: f64,
    },
}

impl LearningRateSchedule {
    /// A scheduler that starts at `learning_rate`, for a training of `n_steps` steps.
    ///
    /// # Errors
    ///
    /// When the rate is not in (0, 1], there is no step, or `tau` or `power` is out of range.
    pub fn init(&self, learning_rate: f64, n_steps: usize) -> Result<ModuleLrScheduler, String> {
        match *self {
            Self::Constant if learning_rate > 0.0 && learning_rate <= 1.0 => {
                Ok(learning_rate.into())
            }
            Self::Constant => {
                Err(format!("learning_rate is {learning_rate}: use a number in (0, 1]"))
            }
            Self::Cosine => CosineAnnealingLrSchedulerConfig::new(learning_rate, n_steps)
                .with_min_lr(learning_rate / 100.0)
                .init(),
            Self::RobbinsMonro { tau, power } => {
                RobbinsMonroLrSchedulerConfig::new(learning_rate, tau).with_power(power).init()
            }
        }
    }
}
