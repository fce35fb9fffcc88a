//! The learning-rate schedule of Robbins and Monro.

use burn::config::Config;
use burn::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::lr_scheduler::{LrScheduler, LrSchedulerRecord};
use burn::optim::LearningRate;

/// Configuration to create a [`RobbinsMonroLrScheduler`] using the
/// [init function](RobbinsMonroLrSchedulerConfig::init).
#[derive(Config, Debug)]
pub struct RobbinsMonroLrSchedulerConfig {
    /// The learning rate `eta_0` of the first step.
    pub initial_lr: LearningRate,
    /// The number of steps `tau` after which the rate has fallen to `2^-power` of the first.
    pub tau: f64,
    /// The power `p`. Default: 1.0
    #[config(default = 1.0)]
    pub power: f64,
}

/// `eta_t = eta_0 / (1 + t / tau)^p`, `t` the number of steps taken, `1/2 < p <= 1`.
///
/// The rates sum to infinity and their squares do not: stochastic gradient descent then reaches the
/// minimum of a convex problem whatever its noise and its start. On a strongly convex one the error of the
/// objective falls as `t^-p`, at `p = 1` if `2 lambda eta_0 tau > 1`, `lambda` the smallest
/// curvature.
///
/// Should be created with [`RobbinsMonroLrSchedulerConfig`].
///
/// # References
///
/// - [Robbins and Monro (1951)](https://doi.org/10.1214/aoms/1177729586)
/// - [Bottou, Curtis and Nocedal (2018)](https://arxiv.org/abs/1606.04838), theorem 4.7, for the rate
///
/// ```
/// use burn_quantum::nn::RobbinsMonroLrSchedulerConfig;
///
/// let mut scheduler = RobbinsMonroLrSchedulerConfig::new(0.1, 1.0).init()?;
/// assert_eq!([scheduler.step().base(), scheduler.step().base()], [0.1, 0.05]);
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct RobbinsMonroLrScheduler {
    initial_lr: LearningRate,
    tau: f64,
    power: f64,
    n_steps: u64,
}

impl RobbinsMonroLrSchedulerConfig {
    /// Initialises a [module learning rate scheduler](ModuleLrScheduler).
    ///
    /// # Errors
    ///
    /// When `initial_lr` is not in (0, 1], `tau` not positive, or `power` not in (1/2, 1].
    pub fn init(&self) -> Result<ModuleLrScheduler, String> {
        let Self { initial_lr, tau, power } = *self;
        if !(initial_lr > 0.0 && initial_lr <= 1.0) {
            return Err(format!("initial_lr is {initial_lr}: use a number in (0, 1]"));
        }
        if !(tau > 0.0 && tau.is_finite()) {
            return Err(format!("tau is {tau}: use a positive number of steps"));
        }
        if !(power > 0.5 && power <= 1.0) {
            return Err(format!("power is {power}: use a number in (1/2, 1]"));
        }
        Ok(RobbinsMonroLrScheduler { initial_lr, tau, power, n_steps: 0 }.into())
    }
}

impl LrScheduler for RobbinsMonroLrScheduler {
    fn step(&mut self) -> LearningRate {
        let decay = (1.0 + self.n_steps as f64 / self.tau).powf(self.power);
        self.n_steps += 1;
        self.initial_lr / decay
    }

    fn to_record(&self) -> LrSchedulerRecord {
        LrSchedulerRecord::new().with_scalar("n_steps", self.n_steps)
    }

    fn load_record(&mut self, record: LrSchedulerRecord) {
        if let Some(n_steps) = record.scalar("n_steps") {
            self.n_steps = n_steps;
        }
    }
}
