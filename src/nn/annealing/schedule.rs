//! How the transverse field gives way to the problem.

use super::positive;
use burn::config::Config;
use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor};
use std::f64::consts::PI;

/// How `A` and `B` change with `s = t / time`. `A` falls to
/// `A(1) = 0` and `B` rises to `B(1) = 1`, but for a table.
#[derive(Config, Debug, PartialEq)]
pub enum AnnealingSchedule {
    /// `A = 1 - s`, `B = s`.
    Linear,
    /// `A = (e^(-rate s) - e^(-rate)) / (1 - e^(-rate))`, `B = 1 - A`: the paper's `exp(-t/T)`,
    /// rescaled to meet both ends. `rate` must be positive.
    Exponential {
        /// How fast the transverse field falls.
        rate: f64,
    },
    /// As hardware vendors publish it: rows `[s, A, B]`, `A` and `B` in GHz, linear in between, of
    /// `H / h = -(A / 2) sum X + (B / 2) (sum h Z + sum J Z Z)`, `h` Planck's constant. The time is in
    /// ns, and `A(s)`, `B(s)` are `pi` times these, in rad/ns. `s` must rise from 0 to 1; `A` must fall
    /// and `B` rise, and `A(1)` be at most a hundredth of `A(0)`.
    Table(Vec<[f64; 3]>),
    /// Trained, with the total time; it starts as `Linear`. See [`LearnedSchedule`].
    Learned,
}

/// A schedule with trained pace and total time.
///
/// `u_k`, the progress in the middle of step `k`, sums the softmax of the logits; `A = 1 - u`,
/// `B = u`, so it is monotonic and meets both ends whatever the logits.
#[derive(Module, Debug)]
pub struct LearnedSchedule {
    /// Logits of the progress made in each step, `[n_steps]`.
    pub logits: Param<Tensor<1>>,
    /// The logarithm of the total time, `[1]`.
    pub log_time: Param<Tensor<1>>,
}

impl LearnedSchedule {
    pub(super) fn init(n_steps: usize, time: f64, device: &Device) -> Self {
        Self {
            logits: Initializer::Zeros.init([n_steps], device),
            log_time: Initializer::Constant { value: time.ln() }.init([1], device),
        }
    }

    /// Pulse areas `(A dt, B dt)`, `[n_steps, 2]`.
    pub fn pulses(&self) -> Tensor<2> {
        let [n_steps] = self.logits.dims();
        let pace = softmax(self.logits.val(), 0);
        let progress: Tensor<2> = (pace.clone().cumsum(0) - pace * 0.5).unsqueeze_dim(1);
        let time = self.log_time.val().exp();
        // `div_scalar` would round the gradient to single precision: Burn has a reciprocal of that
        // precision in its backward pass.
        let dt: Tensor<2> = (time.clone() / time.full_like(n_steps as f64)).unsqueeze();
        Tensor::cat(vec![1.0 - progress.clone(), progress], 1) * dt
    }
}

impl AnnealingSchedule {
    /// `(A(s), B(s))`; `Learned` gives where it starts.
    ///
    /// ```
    /// use burn_quantum::nn::AnnealingSchedule;
    ///
    /// assert_eq!(AnnealingSchedule::Exponential { rate: 3.0 }.at(1.0), (0.0, 1.0));
    /// ```
    pub fn at(&self, s: f64) -> (f64, f64) {
        let a = match self {
            Self::Linear | Self::Learned => 1.0 - s,
            Self::Exponential { rate } => {
                ((-rate * s).exp() - (-rate).exp()) / (1.0 - (-rate).exp())
            }
            Self::Table(rows) => return interpolated(rows, s),
        };
        (a, 1.0 - a)
    }

    /// # Panics
    ///
    /// Panics on a rate that is not positive and on a table that is not an annealing schedule.
    pub(super) fn check(&self) {
        match self {
            Self::Linear | Self::Learned => {}
            Self::Exponential { rate } => positive("the rate of the schedule", *rate),
            Self::Table(rows) => check_table(rows),
        }
    }

    pub(super) fn pulses(&self, n_steps: usize, time: f64) -> Vec<f64> {
        let dt = time / n_steps as f64;
        let step = |k: usize| {
            let (a, b) = self.at((k as f64 + 0.5) / n_steps as f64);
            [a * dt, b * dt]
        };
        (0..n_steps).flat_map(step).collect()
    }
}

/// Linear between the rows around `s`.
fn interpolated(rows: &[[f64; 3]], s: f64) -> (f64, f64) {
    let above = rows.partition_point(|row| row[0] < s).clamp(1, rows.len() - 1);
    let ([s0, a0, b0], [s1, a1, b1]) = (rows[above - 1], rows[above]);
    let t = ((s - s0) / (s1 - s0)).clamp(0.0, 1.0);
    (PI * (a0 + t * (a1 - a0)), PI * (b0 + t * (b1 - b0)))
}

fn check_table(rows: &[[f64; 3]]) {
    assert!(rows.len() > 1, "the table of the schedule has {} rows: use 2 or more", rows.len());
    for (k, row) in rows.iter().enumerate() {
        let good = row.iter().all(|x| x.is_finite() && *x >= 0.0);
        assert!(
            good,
            "row {k} of the table of the schedule is {row:?}: use finite numbers from 0 on"
        );
    }
    for (k, pair) in rows.windows(2).enumerate() {
        let ([s0, a0, b0], [s1, a1, b1]) = (pair[0], pair[1]);
        let good = s1 > s0 && a1 <= a0 && b1 >= b0;
        assert!(good, "rows {k} and {} of the schedule: s and B must rise and A fall", k + 1);
    }
    let (first, last) = (rows[0], rows[rows.len() - 1]);
    let ends = [first[0], last[0]];
    assert!(
        ends == [0.0, 1.0],
        "the table of the schedule runs from {ends:?}: it must from 0 to 1"
    );
    let good = last[1] <= 0.01 * first[1] && first[1] > first[2] && last[2] > 0.0;
    assert!(
        good,
        "the table of the schedule must begin with A > B and end with A < A(0) / 100 < B"
    );
}
