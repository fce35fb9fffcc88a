//! Samplers: distributions against enumeration, reproducibility, limits and refusals.

use burn_quantum::annealing::{
    AllOn, Bifurcation, Cancellation, Exact, GibbsSampler, IsingSampler, Limits, Order,
    ParallelTempering, PathIntegral, Portfolio, Random, SampleSet, Schedule, SchroedingerSampler,
    SimulatedAnnealing, SimulatedBifurcation, Tabu, Update, check_conformance, effective_beta,
};
use burn_quantum::ising::{BatchedIsing, Ising};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// All pairs of `n` spins with couplings uniform on `(-1, 1) 1.7 / sqrt(n)`, and fields.
fn all_pairs(n: usize, seed: u64) -> Ising {
    let mut rng = StdRng::seed_from_u64(seed);
    let fields = (0..n).map(|_| rng.random_range(-0.5..0.5)).collect();
    let mut couplings = vec![0.0; n * n];
    for i in 0..n {
        for j in i + 1..n {
            couplings[i * n + j] = rng.random_range(-1.0..1.0) * 1.7 / (n as f64).sqrt();
        }
    }
    Ising::dense(fields, &couplings, 0.25).expect("finite")
}

/// A ring with chords of three neighbours a spin, `coupling(k)` for each pair.
fn sparse(n: usize, field: f64, coupling: impl Fn(usize) -> f64) -> Ising {
    let ring = (0..n).map(|i| (i, (i + 1) % n));
    let chords = (0..n / 2).map(|i| (i, i + n / 2));
    let pairs = ring.chain(chords).enumerate().map(|(k, (i, j))| (i, j, coupling(k)));
    let fields = (0..n).map(|i| if i % 3 == 0 { field } else { 0.0 }).collect();
    Ising::sparse(fields, pairs, 0.0).expect("finite")
}

fn signs(k: usize) -> f64 {
    if k.is_multiple_of(3) { 1.0 } else { -1.0 }
}

/// All pairs of `n` spins with couplings `+1` or `-1`, and odd fields.
fn all_signs(n: usize) -> Ising {
    let sign = |k: usize| signs(k.wrapping_mul(2_654_435_761) >> 7);
    let couplings: Vec<f64> =
        (0..n * n).map(|k| if k / n < k % n { sign(k) } else { 0.0 }).collect();
    Ising::dense((0..n).map(|i| sign(i + 1)).collect(), &couplings, 0.0).expect("finite")
}

fn batch(n_problems: usize, n: usize, seed: u64) -> BatchedIsing<'static> {
    let mut rng = StdRng::seed_from_u64(seed);
    let h: Vec<f32> = (0..n_problems * n).map(|_| rng.random_range(-0.5..0.5)).collect();
    let scale = 1.7 / (n as f32).sqrt();
    let j: Vec<f32> =
        (0..n_problems * n * n).map(|_| rng.random_range(-1.0..1.0) * scale).collect();
    BatchedIsing::new(n_problems, n, h, j).expect("finite")
}

/// Means and pair moments within 4 sigma of enumeration. For hundreds of moments in all, sigma is
/// that of independent samples.
fn assert_boltzmann(name: &str, model: &Ising, beta: f64, set: &SampleSet) {
    let exact = Exact::moments(model, beta).expect("few spins");
    let (n, reads) = (model.n_spins(), set.n_reads() as f64);
    let check = |what: String, mean: f64, sum: f64| {
        let sigma = ((1.0 - mean * mean).max(0.0) / reads).sqrt();
        let error = sum / reads - mean;
        assert!(error.abs() < 4.0 * sigma + 1e-9, "{name}: {what} is off by {error}, {sigma}");
    };
    for i in 0..n {
        for j in i..n {
            let value = |spins: &[i8]| match i == j {
                true => f64::from(spins[i]),
                false => f64::from(spins[i] * spins[j]),
            };
            let sum = set.iter().map(|s| s.count as f64 * value(s.spins)).sum();
            let mean = if i == j { exact.mean_spins[i] } else { exact.correlations[i * n + j] };
            check(format!("moment {i} {j}"), mean, sum);
        }
    }
}

#[test]
fn samples_at_a_fixed_temperature_have_the_exact_moments() {
    let models = [
        ("dense", all_pairs(10, 1)),
        ("dense integers", all_signs(7)),
        ("sparse integers", sparse(12, 1.0, signs)),
        ("sparse reals", sparse(12, 0.4, |k| 0.3 * k as f64 / 10.0 - 0.4)),
        ("free", Ising::sparse(vec![0.0; 3], [], 0.0).expect("valid")),
    ];
    let reads = 10_000;
    for (name, model) in &models {
        for beta in [0.4, 1.0] {
            for update in [Update::Metropolis, Update::Gibbs] {
                for order in [Order::Random, Order::Sequential] {
                    let sampler = SimulatedAnnealing::default()
                        .with_n_sweeps(150)
                        .with_schedule(Schedule::constant(beta))
                        .with_update(update)
                        .with_order(order)
                        .with_seed(17);
                    let set = sampler.sample(model, reads).expect("valid");
                    let name = format!("{name}, {update:?}, {order:?}, beta {beta}");
                    assert_boltzmann(&name, model, beta, &set);
                }
            }
            let gibbs = GibbsSampler::new(beta).with_n_sweeps(150).with_seed(4);
            let set = gibbs.sample(model, reads).expect("valid");
            assert_boltzmann(&format!("{name}, GibbsSampler"), model, beta, &set);
        }
    }
}

/// More spins than reads have lanes for, where rows are added one by one.
#[test]
fn the_kernel_of_large_dense_models_has_the_exact_moments() {
    let small = all_pairs(9, 3);
    let n = 70;
    // The small model, and spins that see nothing but a field.
    let mut couplings = vec![0.0; n * n];
    small.couplings().for_each(|(i, j, value)| couplings[i * n + j] = value);
    for i in 9..n {
        for j in i + 1..n {
            couplings[i * n + j] = 1e-12;
        }
    }
    let mut fields = small.fields().to_vec();
    fields.resize(n, 0.3);
    let model = Ising::dense(fields, &couplings, 0.0).expect("finite");
    for update in [Update::Metropolis, Update::Gibbs] {
        let sampler = SimulatedAnnealing::default()
            .with_n_sweeps(100)
            .with_schedule(Schedule::constant(0.8))
            .with_update(update);
        let set = sampler.sample(&model, 10_000).expect("valid");
        let first: Vec<i8> = set.iter().flat_map(|s| &s.spins[..9]).copied().collect();
        assert_boltzmann("dense", &small, 0.8, &SampleSet::new(&small, first).expect("spins"));
        let (mean, exact) = (set.mean_spins()[69], -(0.8f64 * 0.3).tanh());
        assert!((mean - exact).abs() < 4.0 * 0.01, "{mean}, not {exact}");
    }
}

/// The same for couplings in bytes. The first nine spins do not see the others, which lie in the
/// same blocks and flip all the time.
#[test]
fn the_kernel_of_large_integer_models_has_the_exact_moments() {
    let n = 70;
    let small = {
        let pairs = (0..9).flat_map(|i| (i + 1..9).map(move |j| (i, j)));
        let half = |(i, j): (usize, usize)| (i, j, 0.5 * ((3 * i + 5 * j) % 5) as f64 - 1.0);
        Ising::sparse((0..9).map(|i| (i % 3) as f64 - 0.5).collect(), pairs.map(half), 0.0)
    };
    let small = small.expect("finite");
    let mut couplings = vec![0.0; n * n];
    small.couplings().for_each(|(i, j, value)| couplings[i * n + j] = value);
    for i in 9..n - 1 {
        (i + 1..n - 1).for_each(|j| couplings[i * n + j] = signs(i * j));
    }
    let mut fields = small.fields().to_vec();
    fields.resize(n, 0.5);
    let model = Ising::dense(fields, &couplings, 0.0).expect("finite");
    for update in [Update::Metropolis, Update::Gibbs] {
        for order in [Order::Random, Order::Sequential] {
            let sampler = SimulatedAnnealing::default()
                .with_n_sweeps(100)
                .with_schedule(Schedule::constant(0.3))
                .with_update(update)
                .with_order(order);
            let set = sampler.sample(&model, 10_000).expect("valid");
            let first: Vec<i8> = set.iter().flat_map(|s| &s.spins[..9]).copied().collect();
            let name = format!("{update:?}, {order:?}");
            assert_boltzmann(&name, &small, 0.3, &SampleSet::new(&small, first).expect("spins"));
            let (mean, exact) = (set.mean_spins()[n - 1], -(0.3f64 * 0.5).tanh());
            assert!((mean - exact).abs() < 4.0 * 0.01, "{name}: {mean}, not {exact}");
        }
    }
    // In units of another size: the same chain at another temperature.
    let scale = |factor: f64| {
        let fields = model.fields().iter().map(|h| h * factor).collect();
        let couplings = model.couplings().map(|(i, j, value)| (i, j, value * factor));
        Ising::sparse(fields, couplings, 0.0).expect("finite").to_dense()
    };
    let run = |factor: f64| {
        let schedule = Schedule::constant(0.5 / factor);
        let sampler = SimulatedAnnealing::default().with_n_sweeps(40).with_schedule(schedule);
        sampler.sample(&scale(factor), 5).expect("valid").spins().to_vec()
    };
    assert_eq!(run(1.0), run(1024.0));
    assert_eq!(run(1.0), run(2f64.powi(-300)));
}

#[test]
fn problems_of_a_batch_have_their_exact_moments() {
    let models = batch(21, 8, 2);
    for update in [Update::Metropolis, Update::Gibbs] {
        let sampler = SimulatedAnnealing::default()
            .with_n_sweeps(100)
            .with_schedule(Schedule::constant(0.9))
            .with_update(update);
        let set = sampler.sample_batch(&models, 4000).expect("valid");
        for p in [0, 7, 15, 16, 20] {
            let name = format!("problem {p}, {update:?}");
            assert_boltzmann(&name, &models.problem(p), 0.9, &set.problem(p));
        }
    }
    let set = GibbsSampler::new(0.5).with_n_sweeps(100).sample_batch(&models, 4000).expect("valid");
    assert_boltzmann("Gibbs", &models.problem(3), 0.5, &set.problem(3));
}

#[test]
fn parallel_tempering_and_its_cluster_moves_keep_the_boltzmann_distribution() {
    for (model, clusters) in [(sparse(10, 0.5, signs), true), (all_pairs(8, 5), false)] {
        let sampler = ParallelTempering::default()
            .with_n_sweeps(60)
            .with_n_temperatures(5)
            .with_range(0.2, 1.5)
            .with_cluster_moves(clusters)
            .with_boltzmann_samples();
        let set = sampler.sample(&model, 8000).expect("valid");
        assert_boltzmann("tempering", &model, 1.5, &set);
    }
}

/// Textbook Metropolis accepts every flip that costs nothing. In sweeps over a flat landscape this
/// flips every spin every time: after an even number of sweeps the chain is where it started, for
/// ever, in whatever order each sweep visits the spins. Ours may stay, so it forgets its start.
#[test]
fn textbook_metropolis_sweeps_are_not_ergodic_and_ours_are() {
    let start = [1, -1, 1, 1, -1, -1];
    let mut textbook = start;
    for _sweep in 0..1000 {
        for spin in &mut textbook {
            let energy_change = 0.0f64;
            if (-energy_change).exp() >= 1.0 {
                *spin = -*spin;
            }
        }
    }
    assert_eq!(textbook, start);

    let flat = [
        Ising::sparse(vec![0.0; 6], [], 0.0).expect("valid"),
        Ising::dense(vec![0.0; 6], &[0.0; 36], 0.0).expect("valid"),
    ];
    for (model, order) in flat.iter().flat_map(|m| [(m, Order::Sequential), (m, Order::Random)]) {
        let sampler = SimulatedAnnealing::default()
            .with_n_sweeps(200)
            .with_order(order)
            .with_initial_states(start.to_vec());
        let set = sampler.sample(model, 4000).expect("valid");
        assert_boltzmann("flat", model, 1.0, &set);
    }
    // Every kernel: a spin without a field among others, sparse and dense, integer and real.
    let n = 70;
    for size in [1.0, 0.371] {
        for dense in [true, false] {
            let pairs = (0..n - 1).flat_map(|i| (i + 1..n - 1).map(move |j| (i, j, size)));
            let pairs = pairs.filter(|&(i, j, _)| dense || j == i + 1);
            let mut model = Ising::sparse(vec![0.0; n], pairs, 0.0).expect("valid");
            if dense && size != 1.0 {
                let odd = [(0, 1, 1.0 / 3.0)];
                let couplings: Vec<_> = model.couplings().chain(odd).collect();
                model = Ising::sparse(vec![0.0; n], couplings, 0.0).expect("valid");
            }
            for order in [Order::Sequential, Order::Random] {
                let sampler = SimulatedAnnealing::default()
                    .with_n_sweeps(200)
                    .with_order(order)
                    .with_initial_states(vec![1; n]);
                let mean = sampler.sample(&model, 4000).expect("valid").mean_spins()[n - 1];
                assert!(mean.abs() < 4.0 / 4000f64.sqrt(), "{size}, {dense}, {order:?}: {mean}");
            }
        }
    }
}

#[test]
fn all_on_is_on_in_batches_too() {
    let models = BatchedIsing::new(2, 3, vec![1.0; 6], vec![0.5; 9]).unwrap();
    let set = AllOn.sample_batch(&models, 4).unwrap();
    assert_eq!((set.spins(), set.energies()), (&[1; 24][..], &[4.5; 8][..]));
}

fn all_samplers() -> Vec<Box<dyn IsingSampler>> {
    let annealing = SimulatedAnnealing::default().with_n_sweeps(60).with_seed(1);
    let bifurcation = SimulatedBifurcation::default().with_n_steps(60);
    vec![
        Box::new(annealing.clone()),
        Box::new(annealing.with_update(Update::Gibbs).with_order(Order::Sequential)),
        Box::new(GibbsSampler::new(1.0).with_n_sweeps(50)),
        Box::new(Random::default()),
        Box::new(AllOn),
        Box::new(Exact::default()),
        Box::new(Tabu::default()),
        Box::new(ParallelTempering::default().with_n_sweeps(40)),
        Box::new(PathIntegral::default().with_n_sweeps(40)),
        Box::new(bifurcation.clone().with_kind(Bifurcation::Ballistic)),
        Box::new(bifurcation),
        Box::new(Portfolio::default().with_n_sweeps(5)),
        Box::new(SchroedingerSampler::default().with_time(2.0).with_n_steps(5)),
    ]
}

/// Whether the cost grows as `2^n_spins`.
fn is_exponential(sampler: &dyn IsingSampler) -> bool {
    let name = format!("{sampler:?}");
    name.starts_with("Exact") || name.starts_with("Schroedinger")
}

#[test]
fn every_sampler_conforms() {
    for sampler in all_samplers() {
        check_conformance(&*sampler).unwrap_or_else(|e| panic!("{sampler:?}: {e}"));
    }
}

/// The check would notice: a sampler that answers another model, and one that forgets reads.
#[test]
fn the_conformance_check_finds_wrong_samplers() {
    #[derive(Debug)]
    struct Wrong(bool);

    impl IsingSampler for Wrong {
        fn sample(&self, model: &Ising, n: usize) -> Result<SampleSet, burn_quantum::Error> {
            let fields = model.fields().iter().map(|h| h + 1.0).collect();
            let other = Ising::sparse(fields, model.couplings(), 0.0)?;
            match self.0 {
                true => Random::default().sample(&other, n),
                false => Random::default().sample(model, n.min(2)),
            }
        }
    }

    for wrong in [Wrong(true), Wrong(false)] {
        assert!(check_conformance(&wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn optimisers_find_the_ground_state() {
    for model in [all_pairs(16, 8), sparse(16, 0.0, signs), sparse(16, 0.3, |k| 0.1 * k as f64)] {
        let ground = Exact::default().sample(&model, 1).expect("16 spins").energies()[0];
        let samplers: [Box<dyn IsingSampler>; 6] = [
            Box::new(Portfolio::default().with_n_sweeps(50)),
            Box::new(SimulatedAnnealing::default()),
            Box::new(Tabu::default()),
            Box::new(ParallelTempering::default().with_n_sweeps(200)),
            Box::new(PathIntegral::default()),
            Box::new(SimulatedBifurcation::default()),
        ];
        for sampler in samplers {
            let set = sampler.sample(&model, 32).expect("valid");
            let best = set.first().expect("32 reads").energy;
            assert!((best - ground).abs() < 1e-9, "{sampler:?}: {best}, not {ground}");
        }
        // Positions between the walls exert wrong forces: close is all that this one promises.
        let ballistic = SimulatedBifurcation::default().with_kind(Bifurcation::Ballistic);
        let best = ballistic.sample(&model, 32).expect("valid").first().expect("reads").energy;
        assert!(best < 0.95 * ground, "{best}, not {ground}");
    }
}

/// A planted model of each kind: every coupling agrees with a hidden configuration.
#[test]
fn annealing_finds_planted_configurations_of_any_size_and_scale() {
    for scale in [1.0, 1e-30, 1e30, 1e300] {
        for (n, density) in [(40, 1.0), (200, 0.5), (300, 0.05)] {
            let mut rng = StdRng::seed_from_u64(n as u64);
            let hidden: Vec<i8> = (0..n).map(|_| if rng.random() { 1 } else { -1 }).collect();
            let mut pairs = Vec::new();
            for i in 0..n {
                for j in i + 1..n {
                    if rng.random::<f64>() < density {
                        let size =
                            if scale == 1.0 { 1.0 } else { rng.random_range(0.1..1.0) * scale };
                        pairs.push((i, j, -size * f64::from(hidden[i] * hidden[j])));
                    }
                }
            }
            let model = Ising::sparse(vec![0.0; n], pairs, 0.0).expect("finite");
            let set = SimulatedAnnealing::default().with_n_sweeps(200).sample(&model, 8);
            let best = set.expect("valid").first().expect("8 reads").energy;
            let ground = model.energy(&hidden);
            assert!((best - ground).abs() <= 1e-9 * ground.abs(), "{n} spins, {scale}: {best}");
        }
    }
}

/// Groups of seven problems, which registers of sixteen lanes cross.
#[test]
fn shared_couplings_are_those_of_each_problem_of_a_group() {
    let (n_groups, size, n) = (3, 7, 5);
    let apart = batch(n_groups * size, n, 8);
    let groups = apart.couplings().chunks(size * n * n);
    let shared: Vec<f32> = groups.clone().flat_map(|group| group[..n * n].to_vec()).collect();
    let each: Vec<f32> = groups.flat_map(|group| group[..n * n].repeat(size)).collect();
    let with = |j: Vec<f32>| BatchedIsing::new(n_groups * size, n, apart.fields(), j).unwrap();
    for sampler in all_samplers() {
        let sets =
            [shared.clone(), each.clone()].map(|j| sampler.sample_batch(&with(j), 3).unwrap());
        assert_eq!(sets[0].spins(), sets[1].spins(), "{sampler:?}");
        assert_eq!(sets[0].energies(), sets[1].energies(), "{sampler:?}");
    }
}

#[test]
fn a_problem_gives_the_same_samples_alone_and_in_a_batch() {
    let models = batch(1000, 12, 6);
    let sampler = SimulatedAnnealing::default().with_n_sweeps(30).with_seed(5);
    let all = sampler.sample_batch(&models, 2).expect("valid");
    for b in [0, 1, 15, 16, 517, 999] {
        let (h, j) = (models.fields_of(b).to_vec(), models.couplings_of(b).to_vec());
        let one = BatchedIsing::new(1, 12, h, j).expect("finite");
        let alone = sampler.clone().with_stream(b as u64).sample_batch(&one, 2).expect("valid");
        assert_eq!(alone.spins(), all.spins_of(b), "problem {b}");
    }
    // And the same problem in another place is another stream.
    assert!(
        all.spins_of(0)
            != sampler.clone().with_seed(6).sample_batch(&models, 2).expect("valid").spins_of(0)
    );
    // Samplers that take the problems one by one: also the first of all, and by another method.
    macro_rules! check {
        ($($sampler:expr),*) => {
            $(
                let sampler = $sampler.with_seed(3);
                let all = sampler.sample_batch(&batch(1000, 6, 6), 2).expect("valid");
                for b in [0, 1, 517, 999] {
                    let problem = batch(1000, 6, 6).problem(b);
                    let alone = sampler.clone().with_stream(b as u64).sample(&problem, 2);
                    assert_eq!(alone.expect("valid").spins(), all.spins_of(b), "{sampler:?}, {b}");
                }
            )*
        };
    }
    check!(
        Tabu::default().with_n_iterations(20),
        ParallelTempering::default().with_n_sweeps(5),
        PathIntegral::default().with_n_sweeps(5),
        SimulatedBifurcation::default().with_n_steps(20),
        Portfolio::default().with_n_sweeps(3),
        SchroedingerSampler::default().with_time(2.0),
        Random::default()
    );
}

/// Every sampler, stopped before it begins: at least one read, with the energies of the model.
#[test]
fn cancellation_returns_what_was_found() {
    let switch = Cancellation::default();
    switch.cancel();
    macro_rules! cancelled {
        ($($sampler:expr),*) => {
            [$(Box::new($sampler.with_cancellation(switch.clone())) as Box<dyn IsingSampler>),*]
        };
    }
    let samplers = cancelled!(
        SimulatedAnnealing::default(),
        GibbsSampler::new(1.0),
        Random::default(),
        Tabu::default(),
        ParallelTempering::default(),
        PathIntegral::default(),
        SimulatedBifurcation::default(),
        Portfolio::default(),
        SchroedingerSampler::default()
    );
    let exact = Exact::default().with_limits(Limits::default().with_cancellation(switch.clone()));
    let exact: Box<dyn IsingSampler> = Box::new(exact);
    let small = [all_pairs(16, 2), sparse(16, 0.1, |k| k as f64)];
    let large = [all_pairs(80, 2), all_signs(80), sparse(80, 0.0, signs)];
    for sampler in samplers.iter().chain([&exact]) {
        let models = small.iter().chain(large.iter().filter(|_| !is_exponential(&**sampler)));
        for model in models {
            let set = sampler.sample(model, 500).expect("valid");
            assert!(set.is_interrupted() && !set.is_empty(), "{sampler:?}: {} reads", set.len());
            for sample in set.iter() {
                assert_eq!(sample.energy, model.energy(sample.spins), "{sampler:?}");
            }
        }
        // Twelve spins are too few for enumeration to look at the switch.
        let set = sampler.sample_batch(&batch(3, 12, 1), 2).expect("valid");
        assert!(set.is_interrupted() || format!("{sampler:?}").starts_with("Exact"));
        assert_eq!(set.n_problems(), 3);
    }
}

/// A target ends the run that reaches it and no other.
#[test]
fn a_target_stops_where_it_is_reached() {
    let models = [all_pairs(80, 2), all_signs(80), sparse(80, 0.0, signs), all_pairs(16, 1)];
    macro_rules! check {
        ($model:expr, $($sampler:expr),*) => {
            $(
                let free = $sampler.with_seed(4).sample($model, 400).expect("valid");
                let lowest = free.energies().iter().copied().fold(f64::INFINITY, f64::min);
                let limited = |target: f64| {
                    let limits = Limits::default().with_target(target + 1e-9);
                    let sampler = $sampler.with_seed(4).with_limits(limits);
                    sampler.sample($model, 400).expect("valid")
                };
                let reached = limited(lowest);
                assert!(reached.is_interrupted());
                assert_eq!(reached.first().expect("one read").energy, lowest);
                let beyond = limited(lowest - 1.0);
                assert!(!beyond.is_interrupted() && beyond.n_reads() == 400);
            )*
        };
    }
    for model in &models {
        check!(
            model,
            SimulatedAnnealing::default().with_n_sweeps(20),
            Tabu::default().with_n_iterations(200),
            Portfolio::default().with_n_sweeps(2),
            Random::default()
        );
    }
}

/// Progress tells the lowest energy of the finished reads.
#[test]
fn progress_knows_the_lowest_energy() {
    let model = sparse(40, 0.0, signs);
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let of_progress = seen.clone();
    let limits = Limits::default()
        .with_progress(move |p| of_progress.lock().expect("alive").push((p.reads_done, p.lowest)));
    let sampler = Portfolio::default().with_n_sweeps(5).with_limits(limits);
    let set = sampler.sample(&model, 20).expect("valid");
    let mut seen = seen.lock().expect("alive").clone();
    seen.sort_by_key(|&(reads, _)| reads);
    assert_eq!(seen.len(), 20);
    assert_eq!(seen[19].1, set.first().expect("20 reads").energy);
}

/// A slow anneal of the Schroedinger equation ends in the ground state, a sudden one where it began,
/// and between them the reads have the probabilities of the state.
#[test]
fn the_schroedinger_equation_is_adiabatic_when_slow() {
    for scale in [1.0, 1e-40, 1e60] {
        let model = all_pairs(7, 11);
        let fields = model.fields().iter().map(|h| h * scale).collect();
        let pairs = model.couplings().map(|(i, j, value)| (i, j, value * scale));
        let model = Ising::sparse(fields, pairs, 0.0).expect("finite");
        let ground = Exact::default().sample(&model, 1).expect("few spins");
        let sampler = SchroedingerSampler::default().with_seed(2);
        let hits = |time: f64| {
            let set = sampler.clone().with_time(time).sample(&model, 4000).expect("valid");
            set.iter().filter(|s| s.spins == ground.spins()).count() as f64 / 4000.0
        };
        assert!(hits(400.0) > 0.97, "{}", hits(400.0));
        let sudden = hits(0.0);
        let sigma = (1f64 / 128.0 / 4000.0).sqrt();
        assert!((sudden - 1.0 / 128.0).abs() < 4.0 * sigma, "{sudden}");
        assert!(hits(20.0) > 10.0 * sudden);
    }
}

/// One spin in a field: the Bloch equation of `H = -(1 - s) X + s Z`, integrated by Runge and Kutta.
#[test]
fn the_schroedinger_equation_of_one_spin_is_that_of_bloch() {
    let time = 3.0;
    // dr/dt = 2 B x r with H = B sigma.
    let rate = |t: f64, [x, y, z]: [f64; 3]| {
        let (bx, bz) = (-2.0 * (1.0 - t / time), 2.0 * t / time);
        [-bz * y, bz * x - bx * z, bx * y]
    };
    let n = 3000;
    let (mut r, dt) = ([1.0, 0.0, 0.0], time / n as f64);
    let ahead = |r: [f64; 3], k: [f64; 3], dt: f64| std::array::from_fn(|i| r[i] + dt * k[i]);
    for step in 0..n {
        let t = step as f64 * dt;
        let k1 = rate(t, r);
        let k2 = rate(t + dt / 2.0, ahead(r, k1, dt / 2.0));
        let k3 = rate(t + dt / 2.0, ahead(r, k2, dt / 2.0));
        let k4 = rate(t + dt, ahead(r, k3, dt));
        let k = std::array::from_fn(|i| (k1[i] + 2.0 * k2[i] + 2.0 * k3[i] + k4[i]) / 6.0);
        r = ahead(r, k, dt);
    }
    let model = Ising::sparse(vec![17.0], [], 0.0).expect("valid");
    let sampler = SchroedingerSampler::default().with_time(time).with_n_steps(300);
    let mean = sampler.sample(&model, 40_000).expect("valid").mean_spins()[0];
    let sigma = ((1.0 - r[2] * r[2]) / 40_000.0).sqrt();
    assert!((mean - r[2]).abs() < 4.0 * sigma, "{mean}, not {}", r[2]);
}

#[test]
fn too_many_spins_for_the_schroedinger_equation_are_refused_with_their_memory() {
    let model = Ising::sparse(vec![0.0; 30], [], 0.0).expect("valid");
    let error = SchroedingerSampler::default().sample(&model, 1).expect_err("too large");
    assert!(error.is_size_limit());
    let message = error.to_string();
    assert!(message.contains("30") && message.contains("16 GiB"), "{message}");
}

#[test]
fn the_same_seed_gives_the_same_samples_on_any_number_of_threads() {
    let pool = |n| rayon::ThreadPoolBuilder::new().num_threads(n).build().expect("threads");
    let (one, two) = (pool(1), pool(2));
    let models = [
        all_pairs(13, 1),
        all_pairs(80, 1),
        all_signs(80),
        sparse(40, 0.0, signs),
        sparse(40, 0.1, |k| k as f64),
    ];
    for sampler in all_samplers() {
        for model in models.iter().filter(|m| m.n_spins() <= 13 || !is_exponential(&*sampler)) {
            let run = || sampler.sample(model, 150).expect("valid");
            let (a, b) = (one.install(run), two.install(run));
            assert_eq!(a.spins(), b.spins(), "{sampler:?}");
            // A read does not depend on how many there are.
            let fewer = sampler.sample(model, 70).expect("valid");
            assert_eq!(fewer.spins(), &a.spins()[..fewer.spins().len()], "{sampler:?}");
        }
        let models = batch(40, 6, 1);
        let run = || sampler.sample_batch(&models, 2).expect("valid");
        assert_eq!(one.install(run).spins(), two.install(run).spins(), "{sampler:?}");
    }
}

#[test]
fn initial_states_are_where_chains_start() {
    for model in [
        all_pairs(20, 1),
        all_pairs(80, 1),
        all_signs(80),
        sparse(40, 0.0, signs),
        sparse(40, 0.1, |k| k as f64),
    ] {
        let n = model.n_spins();
        let states: Vec<i8> = (0..3 * n).map(|k| if k * k % 7 < 3 { 1 } else { -1 }).collect();
        let sampler = SimulatedAnnealing::default().with_n_sweeps(0);
        let set =
            sampler.clone().with_initial_states(states.clone()).sample(&model, 7).expect("valid");
        for (r, sample) in set.iter().enumerate() {
            assert_eq!(sample.spins, &states[r % 3 * n..][..n]);
        }
        let odd = sampler.clone().with_initial_states(vec![1; n + 1]).sample(&model, 1);
        assert!(odd.is_err());
        let zero = sampler.with_initial_states(vec![0; n]).sample(&model, 1);
        assert!(zero.expect_err("zero is no spin").is_invalid_value());
    }
    let models = batch(20, 6, 1);
    let states: Vec<i8> = (0..12).map(|k| if k % 5 < 2 { 1 } else { -1 }).collect();
    let sampler =
        SimulatedAnnealing::default().with_n_sweeps(0).with_initial_states(states.clone());
    let set = sampler.sample_batch(&models, 2).expect("valid");
    assert_eq!(set.spins_of(19), [&states[6..], &states[6..]].concat());
}

#[test]
fn limits_stop_runs_with_what_was_found() {
    let model = all_pairs(80, 2);
    for sampler in [
        SimulatedAnnealing::default().with_n_sweeps(100_000_000),
        SimulatedAnnealing::default().with_schedule(Schedule::Custom(vec![1.0; 1_000_000])),
    ] {
        for model in
            [model.clone(), all_signs(80), sparse(40, 0.0, signs), sparse(40, 0.1, |k| k as f64)]
        {
            let sampler = sampler.clone().with_n_sweeps(1_000_000);
            let set = sampler
                .with_time_limit(Duration::from_millis(20))
                .sample(&model, 3)
                .expect("valid");
            assert!(set.is_interrupted() && set.n_reads() >= 1, "{} reads", set.n_reads());
            assert!(set.elapsed() < Duration::from_secs(5));
        }
    }
    let cancellation = Cancellation::default();
    let switch = cancellation.clone();
    let limits =
        Limits::default().with_cancellation(cancellation).with_progress(move |_| switch.cancel());
    let set = Tabu::default().with_limits(limits).sample(&model, 1000).expect("valid");
    assert!(set.is_interrupted() && (1..1000).contains(&set.n_reads()));
    let seen = Arc::new(AtomicUsize::new(0));
    let of_progress = seen.clone();
    let limits = Limits::default()
        .with_progress(move |p| _ = of_progress.fetch_max(p.reads_done, Ordering::Relaxed));
    let set = Random::default().with_limits(limits).sample(&model, 50).expect("valid");
    assert!(!set.is_interrupted() && seen.load(Ordering::Relaxed) == 50);
}

#[test]
fn automatic_ranges_follow_the_scale_and_not_the_smallest_coupling() {
    let model = all_pairs(64, 4);
    let (hot, cold) = Schedule::range(&model);
    assert!(hot > 0.02 && cold < 100.0, "{hot} to {cold}");
    let scaled = |factor: f64| {
        let fields = model.fields().iter().map(|h| h * factor).collect();
        let couplings = model.couplings().map(|(i, j, value)| (i, j, value * factor));
        Ising::sparse(fields, couplings, 0.0).expect("finite")
    };
    for factor in [1e-200, 1e-3, 1e3, 1e200] {
        let (h, c) = Schedule::range(&scaled(factor));
        assert!((h * factor / hot - 1.0).abs() < 1e-9 && (c * factor / cold - 1.0).abs() < 1e-9);
    }
    // One coupling that is nearly zero changes nothing.
    let with_tiny = Ising::sparse(vec![0.0; 3], [(0, 1, 1.0), (1, 2, 1e-9)], 0.0).expect("finite");
    assert!(Schedule::range(&with_tiny).1 < 1e10);
}

#[test]
fn the_effective_temperature_of_samples_is_found() {
    for (model, beta) in [(all_pairs(10, 9), 1.3), (sparse(30, 0.2, signs), 0.6)] {
        let set = GibbsSampler::new(beta).with_n_sweeps(200).sample(&model, 3000).expect("valid");
        let estimate = effective_beta(&model, &set).expect("enough");
        let error = estimate.beta - beta;
        assert!(error.abs() < 4.0 * estimate.standard_error, "{estimate:?}");
        assert!(estimate.standard_error < 0.05, "{estimate:?}");
        let counted = effective_beta(&model, &set.aggregated()).expect("enough");
        assert!((counted.beta - estimate.beta).abs() < 1e-9);
    }
    let model = Ising::sparse(vec![1.0], [], 0.0).expect("valid");
    let of =
        |spins: Vec<i8>| effective_beta(&model, &SampleSet::new(&model, spins).expect("spins"));
    assert_eq!(of(vec![-1, -1]).expect("informative").beta, f64::INFINITY);
    assert_eq!(of(vec![1]).expect("informative").beta, f64::NEG_INFINITY);
    // Three of four: p = 3/4, so 2 beta = ln 3.
    let estimate = of(vec![-1, -1, 1, -1]).expect("informative").beta;
    assert!((estimate - 3f64.ln() / 2.0).abs() < 1e-9);
    assert!(of(vec![1, -1]).expect("informative").beta.abs() < 1e-9);
    assert!(of(vec![]).is_err());
}

#[test]
fn enumeration_agrees_with_brute_force() {
    for model in [all_pairs(13, 3), sparse(14, 0.5, signs)] {
        let n = model.n_spins();
        let mut all: Vec<f64> = (0..1u32 << n)
            .map(|bits| {
                model.energy(&(0..n).map(|i| 1 - 2 * (bits >> i & 1) as i8).collect::<Vec<_>>())
            })
            .collect();
        all.sort_by(f64::total_cmp);
        let set = Exact::default().sample(&model, 100).expect("few spins");
        for (a, b) in set.energies().iter().zip(&all) {
            assert!((a - b).abs() < 1e-12);
        }
        let log_z = all.iter().map(|e| (-0.7 * e).exp()).sum::<f64>().ln();
        let moments = Exact::moments(&model, 0.7).expect("few spins");
        assert!((moments.log_partition - log_z).abs() < 1e-9);
    }
    let large = Ising::sparse(vec![0.0; 31], [], 0.0).expect("valid");
    assert!(Exact::default().sample(&large, 1).expect_err("too large").is_size_limit());
    assert!(Exact::moments(&large, 1.0).expect_err("too large").is_size_limit());
}

#[test]
fn bad_options_are_refused() {
    let model = all_pairs(4, 1);
    for schedule in [
        Schedule::constant(f64::NAN),
        Schedule::constant(-1.0),
        Schedule::Geometric { from: 0.0, to: 1.0 },
        Schedule::Custom(vec![1.0, f64::INFINITY]),
    ] {
        let sampler = SimulatedAnnealing::default().with_schedule(schedule.clone());
        let error = sampler.sample(&model, 1).expect_err("not a schedule");
        assert!(error.is_invalid_value(), "{schedule:?}: {error}");
        assert!(sampler.sample_batch(&batch(2, 3, 1), 1).is_err());
    }
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert!(GibbsSampler::new(bad).sample(&model, 1).is_err());
        assert!(GibbsSampler::new(bad).sample_batch(&batch(2, 3, 1), 1).is_err());
        assert!(Exact::moments(&model, bad).is_err());
        for range in [(bad, 1.0), (1.0, bad)] {
            let tempering = ParallelTempering::default().with_range(range.0, range.1);
            assert!(tempering.sample(&model, 1).is_err());
            let schedule = Schedule::Geometric { from: range.0, to: range.1 };
            assert!(schedule.betas(&model, 3).is_err());
        }
        assert!(PathIntegral::default().with_beta(bad).sample(&model, 1).is_err());
        assert!(PathIntegral::default().with_gamma(bad).sample(&model, 1).is_err());
        assert!(SimulatedBifurcation::default().with_time_step(bad).sample(&model, 1).is_err());
        assert!(SchroedingerSampler::default().with_time(bad).sample(&model, 1).is_err());
    }
    assert!(ParallelTempering::default().with_n_temperatures(0).sample(&model, 1).is_err());
    assert!(ParallelTempering::default().with_range(-1.0, 1.0).sample(&model, 1).is_err());
    assert!(PathIntegral::default().with_gamma(0.0).sample(&model, 1).is_err());
    assert!(PathIntegral::default().with_n_slices(0).sample(&model, 1).is_err());
    assert!(SampleSet::new(&model, vec![1, 1, 1]).is_err());
    assert!(SampleSet::new(&model, vec![1, 1, 1, 0]).is_err());
}

#[test]
fn sample_sets_survive_json_and_refuse_broken_ones() {
    let model = sparse(6, 0.5, signs);
    let set =
        Random::default().with_seed(9).sample(&model, 30).expect("valid").aggregated().sorted();
    let text = serde_json::to_string(&set).expect("serialisable");
    let back: SampleSet = serde_json::from_str(&text).expect("the same");
    assert_eq!(back, set);
    assert!(set.energies().is_sorted() && set.n_reads() == 30 && set.seed() == Some(9));
    assert_eq!(set.clone().truncated(3).len(), 3);
    let broken = text.replacen("\"n_spins\":6", "\"n_spins\":5", 1);
    assert!(serde_json::from_str::<SampleSet>(&broken).is_err());
    for schedule in [Schedule::Automatic, Schedule::Custom(vec![0.5]), Schedule::constant(2.0)] {
        let text = serde_json::to_string(&schedule).expect("serialisable");
        assert_eq!(serde_json::from_str::<Schedule>(&text).expect("the same"), schedule);
    }
}
