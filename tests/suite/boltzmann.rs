//! Gradients of Boltzmann expectations against exhaustive enumeration.

use crate::common::*;
use burn_quantum::annealing::{
    BatchSampleSet, GibbsSampler, IsingSampler, effective_beta_of_batch,
};
use burn_quantum::gradient::{
    Alpha, HybridGradient, HybridState, IsingEstimator, IsingGradient, SampledModels,
    SpinStatistics, mean_field,
};
use burn_quantum::ising::BatchedIsing;
use rand::{RngExt, rngs::StdRng};

const BETA: f64 = 0.8;

fn pairs(n: usize) -> Vec<(usize, usize)> {
    (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j))).collect()
}

/// One random model with everything about it enumerated.
struct Enumerated {
    n: usize,
    fields: Vec<f32>,
    couplings: Vec<f32>,
    states: Vec<Vec<i8>>,
    probabilities: Vec<f64>,
}

impl Enumerated {
    fn new(rng: &mut StdRng, n: usize, coupling: f64) -> Self {
        let fields: Vec<f32> = uniform(rng, n, 0.7).iter().map(|&h| h as f32).collect();
        // What lies on and below the diagonal must not count.
        let couplings: Vec<f32> = uniform(rng, n * n, coupling).iter().map(|&j| j as f32).collect();
        let state = |bits: usize| (0..n).map(|i| 1 - 2 * (bits >> i & 1) as i8).collect();
        let states: Vec<Vec<i8>> = (0..1 << n).map(state).collect();
        let mut model = Self { n, fields, couplings, states, probabilities: Vec::new() };
        let energies = model.batch().problem(0);
        let weight = |s: &Vec<i8>| (-BETA * energies.energy(s)).exp();
        let weights: Vec<f64> = model.states.iter().map(weight).collect();
        let total: f64 = weights.iter().sum();
        model.probabilities = weights.iter().map(|w| w / total).collect();
        model
    }

    fn batch(&self) -> BatchedIsing<'_> {
        BatchedIsing::new(1, self.n, &self.fields[..], &self.couplings[..]).unwrap()
    }

    fn draw(&self, rng: &mut StdRng, n_reads: usize) -> BatchSampleSet {
        let one = |rng: &mut StdRng| {
            let mut u: f64 = rng.random();
            let state = self.probabilities.iter().position(|p| {
                u -= p;
                u < 0.0
            });
            self.states[state.unwrap_or(0)].clone()
        };
        let spins: Vec<i8> = (0..n_reads).flat_map(|_| one(rng)).collect();
        BatchSampleSet::new(&self.batch(), n_reads, spins).unwrap()
    }

    fn mean(&self, f: impl Fn(&[i8]) -> f64) -> f64 {
        self.states.iter().zip(&self.probabilities).map(|(s, p)| p * f(s)).sum()
    }

    /// `-beta Cov(u, .)` by all states: fields, then pairs.
    fn exact_gradient(&self, statistics: &SpinStatistics, c: &[f64]) -> Vec<f64> {
        let u = |s: &[i8]| statistics.of(s).iter().zip(c).map(|(r, c)| r * c).sum::<f64>();
        let mean_u = self.mean(u);
        let all = SpinStatistics::spins_and_pairs(self.n);
        let of = |k: usize| {
            let t = |s: &[i8]| all.of(s)[k];
            -BETA * (self.mean(|s| u(s) * t(s)) - mean_u * self.mean(t))
        };
        (0..all.len()).map(of).collect()
    }
}

/// Fields, then the couplings above the diagonal; the others must be zero.
fn flat(gradient: &IsingGradient, n: usize) -> Vec<f64> {
    for k in (0..n * n).filter(|k| k / n >= k % n) {
        assert_eq!(gradient.couplings[k], 0.0);
    }
    let of_pairs = pairs(n).into_iter().map(|(i, j)| gradient.couplings[i * n + j]);
    gradient.fields.iter().copied().chain(of_pairs).collect()
}

fn estimate(
    model: &Enumerated,
    estimator: IsingEstimator,
    samples: &BatchSampleSet,
    statistics: &SpinStatistics,
    c: &[f64],
) -> Vec<f64> {
    let models = model.batch();
    let sampled = SampledModels { models: &models, samples, beta: BETA, statistics };
    flat(&estimator.gradient(&sampled, c).unwrap(), model.n)
}

#[test]
fn means_are_those_of_the_values_of_each_read() {
    let mut rng = rng(3);
    let model = Enumerated::new(&mut rng, 4, 0.5);
    let samples = model.draw(&mut rng, 5);
    for statistics in [SpinStatistics::spins(4), SpinStatistics::spins_and_pairs(4)] {
        let means = statistics.means(&samples);
        assert_eq!(means.len(), statistics.len());
        for (k, mean) in means.iter().enumerate() {
            let sum: f64 = samples.spins().chunks(4).map(|s| statistics.of(s)[k]).sum();
            assert!((mean - sum / 5.0).abs() < 1e-15);
        }
    }
}

/// `-beta / (S - 1) sum_s (u_s - mean u) r_s`, term by term, for sizes around those of a register.
#[test]
fn the_covariance_estimator_is_the_covariance_of_its_samples() {
    let mut rng = rng(9);
    let (n_problems, n_reads) = (3, 5);
    for n in [1, 3, 15, 16, 17, 37] {
        let fields = vec![0.0f32; n_problems * n];
        let models =
            BatchedIsing::new(n_problems, n, fields, vec![0.0; n_problems * n * n]).unwrap();
        let n_values = n_problems * n_reads * n;
        let spins: Vec<i8> = (0..n_values).map(|_| if rng.random() { 1 } else { -1 }).collect();
        let samples = BatchSampleSet::new(&models, n_reads, spins.clone()).unwrap();
        for statistics in [SpinStatistics::spins(n), SpinStatistics::spins_and_pairs(n)] {
            let c = uniform(&mut rng, n_problems * statistics.len(), 1.0);
            let sampled = SampledModels {
                models: &models,
                samples: &samples,
                beta: BETA,
                statistics: &statistics,
            };
            let g = IsingEstimator::Covariance.gradient(&sampled, &c).unwrap();
            for p in 0..n_problems {
                let reads: Vec<&[i8]> = spins[p * n_reads * n..][..n_reads * n].chunks(n).collect();
                let c = &c[p * statistics.len()..][..statistics.len()];
                let of_read =
                    |s: &&[i8]| statistics.of(s).iter().zip(c).map(|(r, c)| r * c).sum::<f64>();
                let u: Vec<f64> = reads.iter().map(of_read).collect();
                let mean = u.iter().sum::<f64>() / n_reads as f64;
                let expected = |r: &dyn Fn(&[i8]) -> i8| {
                    let terms = reads.iter().zip(&u).map(|(s, u)| (u - mean) * f64::from(r(s)));
                    -BETA * terms.sum::<f64>() / (n_reads as f64 - 1.0)
                };
                for i in 0..n {
                    assert!((g.fields[p * n + i] - expected(&|s| s[i])).abs() < 1e-12, "{n} {i}");
                    for j in 0..n {
                        let entry = g.couplings[(p * n + i) * n + j];
                        let expected = if i < j { expected(&|s| s[i] * s[j]) } else { 0.0 };
                        assert!((entry - expected).abs() < 1e-12, "{n} {i} {j}");
                    }
                }
            }
        }
    }
}

/// Over many draws of 2 and 8 reads, within 5 standard errors for every coefficient.
#[test]
fn the_covariance_estimator_is_unbiased() {
    let mut rng = rng(1);
    for (n, n_reads, n_draws) in [(3, 2, 20_000), (5, 8, 5_000)] {
        let model = Enumerated::new(&mut rng, n, 0.6);
        for statistics in [SpinStatistics::spins(n), SpinStatistics::spins_and_pairs(n)] {
            let c = uniform(&mut rng, statistics.len(), 1.0);
            let exact = model.exact_gradient(&statistics, &c);
            let draws: Vec<Vec<f64>> = (0..n_draws)
                .map(|_| {
                    let samples = model.draw(&mut rng, n_reads);
                    estimate(&model, IsingEstimator::Covariance, &samples, &statistics, &c)
                })
                .collect();
            for (k, exact) in exact.iter().enumerate() {
                let column = || draws.iter().map(|g| g[k]);
                let mean = column().sum::<f64>() / n_draws as f64;
                let variance = column().map(|g| (g - mean).powi(2)).sum::<f64>() / n_draws as f64;
                let error = (variance / n_draws as f64).sqrt();
                assert!((mean - exact).abs() < 5.0 * error, "{mean} {exact} {error}");
                assert!(error < 0.05, "a test that sees something: {error}");
            }
        }
    }
}

#[test]
fn the_mean_field_estimator_is_the_derivative_of_the_fixed_point() {
    let mut rng = rng(2);
    for coupling in [0.2, 0.9] {
        let n = 5;
        let model = Enumerated::new(&mut rng, n, coupling);
        let samples = model.draw(&mut rng, 1);
        for statistics in [SpinStatistics::spins(n), SpinStatistics::spins_and_pairs(n)] {
            let c = uniform(&mut rng, statistics.len(), 1.0);
            let g = estimate(&model, IsingEstimator::MeanField, &samples, &statistics, &c);
            let ising = model.batch().problem(0);
            let value = |k: usize, step: f64| {
                let mut fields = ising.fields().to_vec();
                let mut list: Vec<_> = ising.couplings().collect();
                if k < n {
                    fields[k] += step
                } else {
                    list[k - n].2 += step
                };
                let moved = burn_quantum::ising::Ising::sparse(fields, list, 0.0).unwrap();
                let m = mean_field(&moved, BETA).unwrap();
                let products = pairs(n).into_iter().map(|(i, j)| m[i] * m[j]);
                let r: Vec<f64> = m.iter().copied().chain(products).collect();
                c.iter().zip(&r).map(|(c, r)| c * r).sum::<f64>()
            };
            for (k, g) in g.iter().enumerate() {
                let numeric = (value(k, 1e-5) - value(k, -1e-5)) / 2e-5;
                assert!((g - numeric).abs() < 1e-7, "{k}: {g} {numeric}");
            }
        }
    }
}

#[test]
fn the_straight_through_estimator_differentiates_conditional_means() {
    let mut rng = rng(5);
    let n = 4;
    let model = Enumerated::new(&mut rng, n, 0.6);
    let samples = model.draw(&mut rng, 3);
    let statistics = SpinStatistics::spins_and_pairs(n);
    let c = uniform(&mut rng, statistics.len(), 1.0);
    let g = estimate(&model, IsingEstimator::StraightThrough, &samples, &statistics, &c);
    let ising = model.batch().problem(0);
    // u is linear in each spin: its slope is half of what a flip changes.
    let u = |s: &[i8]| statistics.of(s).iter().zip(&c).map(|(r, c)| r * c).sum::<f64>();
    let with = |s: &[i8], i: usize, value: i8| {
        let mut s = s.to_vec();
        s[i] = value;
        u(&s)
    };
    let value = |k: usize, step: f64| {
        let mut fields = ising.fields().to_vec();
        let mut list: Vec<_> = ising.couplings().collect();
        if k < n {
            fields[k] += step
        } else {
            list[k - n].2 += step
        };
        let moved = burn_quantum::ising::Ising::sparse(fields, list, 0.0).unwrap();
        let of_read = |s: &[i8]| -> f64 {
            let m = |i: usize| (-BETA * moved.local_field(i, s)).tanh();
            (0..n).map(|i| 0.5 * (with(s, i, 1) - with(s, i, -1)) * m(i)).sum()
        };
        samples.spins().chunks(n).map(of_read).sum::<f64>() / 3.0
    };
    for (k, g) in g.iter().enumerate() {
        let numeric = (value(k, 1e-5) - value(k, -1e-5)) / 2e-5;
        assert!((g - numeric).abs() < 1e-8, "{k}: {g} {numeric}");
    }
}

#[test]
fn shared_couplings_get_the_sum_over_the_problems() {
    let mut rng = rng(6);
    // More problems of a group than are summed at once, and a rest.
    let (n, n_problems) = (3, 140);
    let one = Enumerated::new(&mut rng, n, 0.5);
    let fields = uniform(&mut rng, n_problems * n, 1.0);
    let fields: Vec<f32> = fields.iter().map(|&h| h as f32).collect();
    let other = Enumerated::new(&mut rng, n, 0.5);
    let n_values = n_problems * 4 * n;
    let spins: Vec<i8> = (0..n_values).map(|_| if rng.random() { 1 } else { -1 }).collect();
    let statistics = SpinStatistics::spins(n);
    let c = uniform(&mut rng, n_problems * n, 1.0);
    let gradient = |couplings: Vec<f32>, estimator: IsingEstimator| {
        let models = BatchedIsing::new(n_problems, n, &fields[..], couplings).unwrap();
        let samples = BatchSampleSet::new(&models, 4, spins.clone()).unwrap();
        let sampled = SampledModels {
            models: &models,
            samples: &samples,
            beta: BETA,
            statistics: &statistics,
        };
        estimator.gradient(&sampled, &c).unwrap()
    };
    use IsingEstimator::*;
    for estimator in [Covariance, MeanField, StraightThrough] {
        for groups in [vec![&one.couplings], vec![&one.couplings, &other.couplings]] {
            let size = n_problems / groups.len();
            let shared = groups.iter().flat_map(|j| j.iter().copied()).collect();
            let apart = groups.iter().flat_map(|j| j.repeat(size)).collect();
            let (a, b) = (gradient(shared, estimator), gradient(apart, estimator));
            assert_eq!(a.fields, b.fields);
            let of_group = |each: &[f64]| -> Vec<f64> {
                (0..n * n).map(|k| each.iter().skip(k).step_by(n * n).sum()).collect()
            };
            let sums: Vec<_> = b.couplings.chunks(size * n * n).map(of_group).collect();
            assert!(max_difference(&a.couplings, &sums.concat()) < 1e-12);
            assert!(sums.iter().all(|sum| sum[1].abs() > 0.1), "{estimator:?}: a visible sum");
        }
    }
}

/// Mean squared errors against the exact gradient, from weak couplings, where mean field is the
/// better, to strong ones, where it is not.
#[test]
fn an_adaptive_mixture_is_no_worse_than_the_better_of_the_two() {
    let mut rng = rng(7);
    for (n, coupling, n_reads) in
        [(4, 0.05, 8), (6, 0.3, 16), (6, 0.8, 64), (8, 0.5, 16), (10, 1.0, 256)]
    {
        let model = Enumerated::new(&mut rng, n, coupling);
        let models = model.batch();
        let statistics = SpinStatistics::spins(n);
        let c = uniform(&mut rng, n, 1.0);
        let exact = model.exact_gradient(&statistics, &c);
        let error = |g: &[f64]| g.iter().zip(&exact).map(|(g, e)| (g - e).powi(2)).sum::<f64>();
        let hybrid = HybridGradient {
            alpha: Alpha::Adaptive { memory: 0.9 },
            classical: IsingEstimator::MeanField,
        };
        let state = HybridState::default();
        let (mut quantum, mut adaptive) = (Vec::new(), Vec::new());
        let n_calls = 400;
        for call in 0..n_calls + 20 {
            let samples = model.draw(&mut rng, n_reads);
            let sampled = SampledModels {
                models: &models,
                samples: &samples,
                beta: BETA,
                statistics: &statistics,
            };
            let g = flat(&hybrid.gradient(&sampled, &c, &state).unwrap(), n);
            if call >= 20 {
                adaptive.push(error(&g));
                let covariance = IsingEstimator::Covariance.gradient(&sampled, &c).unwrap();
                quantum.push(error(&flat(&covariance, n)));
            }
        }
        let samples = model.draw(&mut rng, 1);
        let classical =
            error(&estimate(&model, IsingEstimator::MeanField, &samples, &statistics, &c));
        let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
        let (mse, of_quantum) = (mean(&adaptive), mean(&quantum));
        let spread: f64 = adaptive.iter().map(|x| (x - mse).powi(2)).sum();
        let standard_error = (spread / (n_calls * (n_calls - 1)) as f64).sqrt();
        let variance = state.report().unwrap().variance.unwrap();
        // The estimated variance is the measured one.
        assert!((variance / of_quantum - 1.0).abs() < 0.4, "{variance} {of_quantum}");
        let better = classical.min(of_quantum) * (1.0 + 1e-9);
        assert!(mse < better + standard_error, "{mse} {classical} {of_quantum}");
    }
}

#[test]
fn a_schedule_goes_from_one_end_to_the_other_and_a_share_of_one_needs_no_second_read() {
    let mut rng = rng(8);
    let model = Enumerated::new(&mut rng, 3, 0.5);
    let (models, statistics) = (model.batch(), SpinStatistics::spins(3));
    let samples = model.draw(&mut rng, 6);
    let sampled =
        SampledModels { models: &models, samples: &samples, beta: BETA, statistics: &statistics };
    let c = [1.0, -0.5, 0.3];
    let of = |e: IsingEstimator| flat(&e.gradient(&sampled, &c).unwrap(), 3);
    let (quantum, classical) =
        (of(IsingEstimator::Covariance), of(IsingEstimator::StraightThrough));
    let alpha = Alpha::Scheduled { start: 1.0, end: 0.0, n_calls: 4 };
    let hybrid = HybridGradient { alpha, classical: IsingEstimator::StraightThrough };
    let state = HybridState::default();
    for expected in [1.0, 0.75, 0.5, 0.25, 0.0, 0.0] {
        let g = flat(&hybrid.gradient(&sampled, &c, &state).unwrap(), 3);
        assert_eq!(state.report().unwrap().alpha, expected);
        for k in 0..g.len() {
            let mix = expected * classical[k] + (1.0 - expected) * quantum[k];
            assert!((g[k] - mix).abs() < 1e-15);
        }
    }
}

#[test]
fn refusals_name_the_value_and_the_limit() {
    let mut rng = rng(9);
    let model = Enumerated::new(&mut rng, 2, 0.5);
    let (models, statistics) = (model.batch(), SpinStatistics::spins(2));
    let samples = model.draw(&mut rng, 1);
    let ask = |beta: f64, c: &[f64], hybrid: HybridGradient| {
        let sampled =
            SampledModels { models: &models, samples: &samples, beta, statistics: &statistics };
        let result = hybrid.gradient(&sampled, c, &HybridState::default());
        result.unwrap_err().to_string()
    };
    let with = |alpha| HybridGradient { alpha, classical: IsingEstimator::MeanField };
    let c = [1.0, 1.0];
    for (error, parts) in [
        (ask(1.0, &c, with(Alpha::Fixed(0.0))), ["number of reads is 1", "2 or more"]),
        (ask(f64::NAN, &c, with(Alpha::Fixed(1.0))), ["beta is NaN", "finite"]),
        (ask(1.0, &c[..1], with(Alpha::Fixed(1.0))), ["cotangent", "2"]),
        (ask(1.0, &c, with(Alpha::Fixed(1.5))), ["alpha is 1.5", "[0, 1]"]),
        (ask(1.0, &c, with(Alpha::Adaptive { memory: 1.0 })), ["memory", "[0, 1)"]),
        (
            ask(1.0, &c, with(Alpha::Scheduled { start: 0.0, end: 1.0, n_calls: 0 })),
            ["calls", "1 or more"],
        ),
    ] {
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
    }
}

#[test]
fn the_temperature_of_a_batch_is_found_from_all_its_problems() {
    let mut rng = rng(10);
    let (n, n_problems) = (6, 50);
    let random = |rng: &mut StdRng, len, scale| -> Vec<f32> {
        uniform(rng, len, scale).iter().map(|&x| x as f32).collect()
    };
    let fields = random(&mut rng, n_problems * n, 0.7);
    let couplings = random(&mut rng, n_problems * n * n, 0.7);
    let models = BatchedIsing::new(n_problems, n, fields, couplings).unwrap();
    let samples = GibbsSampler::new(BETA).with_n_sweeps(50).sample_batch(&models, 40).unwrap();
    let estimate = effective_beta_of_batch(&models, &samples).unwrap();
    assert!((estimate.beta - BETA).abs() < 4.0 * estimate.standard_error, "{estimate:?}");
    assert!(estimate.standard_error < 0.05, "{estimate:?}");
}
