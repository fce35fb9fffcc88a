//! The schedule of Robbins and Monro: its formula, its record, its rates of convergence.

use crate::common::*;
use burn::lr_scheduler::LrSchedulerRecord;
use burn_quantum::nn::RobbinsMonroLrSchedulerConfig;
use rand::RngExt;

fn rates(initial_lr: f64, tau: f64, power: f64) -> impl Iterator<Item = f64> {
    let config = RobbinsMonroLrSchedulerConfig::new(initial_lr, tau).with_power(power);
    let mut scheduler = config.init().unwrap();
    std::iter::repeat_with(move || scheduler.step().base())
}

/// `E x_t^2` of `x <- x - eta (x + noise)`, noise of variance 1: the exact recursion.
fn error(rates: impl Iterator<Item = f64>, n_steps: usize) -> f64 {
    rates.take(n_steps).fold(1.0, |e, eta| (1.0 - eta).powi(2) * e + eta * eta)
}

#[test]
fn rates_are_the_formula() {
    for (t, rate) in rates(0.3, 20.0, 0.6).take(200).enumerate() {
        assert!((rate - 0.3 / (1.0 + t as f64 / 20.0).powf(0.6)).abs() < 1e-15);
    }
}

#[test]
fn a_saved_scheduler_goes_on_where_it_stopped() {
    let config = RobbinsMonroLrSchedulerConfig::new(0.5, 50.0).with_power(0.75);
    let mut whole = config.init().unwrap();
    (0..96).for_each(|_| drop(whole.step()));
    let bytes = whole.to_record().into_bytes().unwrap();
    let resumed = config.init().unwrap().load_record(LrSchedulerRecord::from_bytes(bytes).unwrap());
    let (mut resumed, mut fresh) = (resumed, config.init().unwrap());
    let next = whole.step().base();
    assert_eq!(resumed.step().base(), next);
    assert_ne!(fresh.step().base(), next);
}

#[test]
fn settings_out_of_range_are_refused_by_name() {
    let refuse = |initial_lr, tau, power| {
        let config = RobbinsMonroLrSchedulerConfig::new(initial_lr, tau).with_power(power);
        config.init().err().expect("refused")
    };
    assert_eq!(refuse(0.0, 1.0, 1.0), "initial_lr is 0: use a number in (0, 1]");
    assert_eq!(refuse(0.1, f64::NAN, 1.0), "tau is NaN: use a positive number of steps");
    assert_eq!(refuse(0.1, 1.0, 0.5), "power is 0.5: use a number in (1/2, 1]");
    assert_eq!(refuse(0.1, 1.0, 1.01), "power is 1.01: use a number in (1/2, 1]");
}

/// The error falls as `t^-p`; a constant rate stays at `eta / (2 - eta)`.
#[test]
fn the_error_falls_with_the_power_of_the_schedule() {
    for power in [0.6, 0.75, 1.0] {
        let [early, late] = [10_000, 1_000_000].map(|n| error(rates(0.5, 20.0, power), n));
        let slope = (late / early).log10() / 2.0;
        assert!((slope + power).abs() < 0.01, "power {power}: slope {slope}");
    }
    let plateau = error(std::iter::repeat(0.5), 10_000);
    assert!((plateau - 0.5 / 1.5).abs() < 1e-12);
    assert!(error(rates(0.5, 20.0, 1.0), 10_000) < plateau / 300.0);
}

/// Chains with noise drawn at random have the error of the recursion.
#[test]
fn stochastic_gradients_reach_the_minimum() {
    let (n_chains, n_steps) = (1_000, 1_000);
    let mut rng = rng(2026);
    let squares: Vec<f64> = (0..n_chains)
        .map(|_| {
            let step = |x: f64, eta: f64| x - eta * (x + rng.random_range(-1.0..1.0) * 3f64.sqrt());
            rates(0.5, 20.0, 1.0).take(n_steps).fold(1.0, step).powi(2)
        })
        .collect();
    let n = n_chains as f64;
    let mean = squares.iter().sum::<f64>() / n;
    let variance = squares.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let expected = error(rates(0.5, 20.0, 1.0), n_steps);
    let standard_error = (variance / n).sqrt();
    assert!((mean - expected).abs() < 4.0 * standard_error, "{mean} {expected} {standard_error}");
}
