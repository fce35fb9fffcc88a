//! Models on chips and back.

use super::loopback::{Act, Loopback};
use super::{annealer, client, device, server};
use burn_quantum::Error;
use burn_quantum::annealing::{
    Exact, GibbsSampler, IsingSampler, Random, SampleSet, check_conformance,
};
use burn_quantum::hardware::sapi::{Coefficients, JobId, ProblemData, Server};
use burn_quantum::hardware::{
    AnswerMode, ChainStrength, DWave, Embedding, Scale, Ticket, Topology, Unembedding,
    WorkingGraph, cliques,
};
use burn_quantum::ising::{BatchedIsing, Ising};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

fn topologies() -> [Topology; 3] {
    [Topology::chimera(4), Topology::pegasus(3), Topology::zephyr(2)].map(Result::unwrap)
}

fn all_pairs(n: usize, seed: u64) -> Ising {
    let mut rng = StdRng::seed_from_u64(seed);
    let fields = (0..n).map(|_| rng.random_range(-1.0..1.0)).collect();
    let pairs = (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j)));
    let couplings: Vec<_> = pairs.map(|(i, j)| (i, j, rng.random_range(-1.0..1.0))).collect();
    Ising::sparse(fields, couplings, 0.5).unwrap()
}

fn batch(n_problems: usize, n: usize) -> BatchedIsing<'static> {
    let mut rng = StdRng::seed_from_u64(7);
    let h: Vec<f32> = (0..n_problems * n).map(|_| rng.random_range(-1.0..1.0)).collect();
    let j: Vec<f32> = (0..n_problems * n * n).map(|_| rng.random_range(-1.0..1.0)).collect();
    BatchedIsing::new(n_problems, n, h, j).unwrap()
}

/// A service on a port.
fn serving(server: Server) -> Loopback {
    Loopback::new(move |request| Act::Answer(server.respond(request)))
}

fn online(service: &Loopback) -> DWave {
    let client = client(&service.url);
    let solver = client.find_solver(|_| true).unwrap();
    DWave::new(client, solver)
}

#[test]
fn the_device_conforms_on_every_chip_with_every_choice() {
    for topology in topologies() {
        let plain = device(server(topology, annealer()));
        let raw = plain.clone().with_answer_mode(AnswerMode::Raw);
        let turned = plain.clone().with_spin_reversal_transforms(3);
        let minimising = plain.clone().with_unembedding(Unembedding::MinimiseEnergy);
        let weak = minimising.clone().with_chain_strength(ChainStrength::Relative(0.1));
        for device in [plain, raw, turned, minimising, weak] {
            check_conformance(&device).unwrap_or_else(|e| panic!("{device:?}: {e}"));
        }
    }
}

#[test]
fn the_device_conforms_over_a_port() {
    check_conformance(&online(&serving(server(topologies()[1], annealer())))).unwrap();
}

#[test]
fn embedded_models_reach_their_ground_states() {
    for topology in topologies() {
        let device = device(server(topology, annealer()));
        for seed in 0..4 {
            let model = all_pairs(8, seed);
            let ground = Exact::default().sample(&model, 1).unwrap().energies()[0];
            let (set, report) = device.sample_reported(&model, 100).unwrap();
            let best = set.first().unwrap().energy;
            assert!((best - ground).abs() < 1e-9, "{best}, not {ground}: {report:?}");
            assert_eq!(set.n_reads(), 100);
            assert!(report.max_chain_length > 1 && report.chain_break_fraction() < 0.5);
        }
    }
}

/// A sampler that remembers what it was asked.
#[derive(Debug, Clone)]
struct Spy<S>(S, Arc<Mutex<Vec<Ising>>>);

impl<S: IsingSampler> IsingSampler for Spy<S> {
    fn sample(&self, model: &Ising, n_reads: usize) -> Result<SampleSet, Error> {
        self.1.lock().unwrap().push(model.clone());
        self.0.sample(model, n_reads)
    }
}

#[test]
fn coefficients_fill_the_ranges_of_the_chip_and_do_not_leave_them() {
    let spy = Spy(annealer(), Arc::default());
    let plain = device(server(topologies()[1], spy.clone()));
    let seen = || std::mem::take(&mut *spy.1.lock().unwrap());
    for scale in [1e-30, 1.0, 1e30] {
        let model = all_pairs(6, 1).scaled(scale).unwrap();
        for (device, low) in
            [(plain.clone(), -2.0), (plain.clone().with_spin_reversal_transforms(2), -2.0)]
        {
            let (_, report) = device.sample_reported(&model, 4).unwrap();
            let asked = seen();
            assert_eq!(asked.len(), report.jobs.len());
            for asked in &asked {
                let most = asked.couplings().map(|(_, _, j)| j).fold(0.0, f64::max);
                let least = asked.couplings().map(|(_, _, j)| j).fold(0.0, f64::min);
                assert!(most <= 1.0 && least >= low, "{least} {most}");
                assert!(asked.fields().iter().all(|h| h.abs() <= 4.0));
                let full = [most / 1.0, least / low].into_iter().fold(0.0, f64::max);
                assert!((full - 1.0).abs() < 1e-12, "{full}");
            }
            let programmed = report.programmed();
            assert_eq!(programmed.n_couplings(), asked[0].n_couplings());
            let error = report.rounding_error(8).unwrap();
            let bound = programmed.n_couplings() + programmed.n_spins();
            assert!(error > 0.0 && error * report.scale <= bound as f64 * 2.0 / 127.0 / 2.0);
        }
    }
}

#[test]
fn a_fixed_scale_is_kept_or_refused() {
    let spy = Spy(annealer(), Arc::default());
    let device = device(server(topologies()[0], spy.clone()));
    let native = Ising::sparse(vec![0.5, 0.0, 0.0, 0.0, 1.0], [(0, 4, -1.0)], 0.0).unwrap();
    device.clone().with_scale(Scale::Fixed(0.25)).sample(&native, 1).unwrap();
    let asked = spy.1.lock().unwrap()[0].clone();
    assert_eq!((asked.fields()[0], asked.couplings().next().unwrap().2), (0.125, -0.25));
    let error = device.with_scale(Scale::Fixed(3.0)).sample(&native, 1).unwrap_err().to_string();
    assert!(error.contains("qubits (0, 4) is -3 at the scale 3, outside of [-2, 1]"), "{error}");
}

/// A device that answers +1 whatever it is asked.
#[derive(Debug)]
struct Stuck;

impl IsingSampler for Stuck {
    fn sample(&self, model: &Ising, n_reads: usize) -> Result<SampleSet, Error> {
        SampleSet::new(model, vec![1; model.n_spins() * n_reads])
    }
}

#[test]
fn spin_reversal_takes_out_the_bias_of_a_device() {
    let device = device(server(topologies()[0], Stuck));
    let model = Ising::sparse(vec![0.0; 8], [], 0.0).unwrap();
    assert_eq!(device.sample(&model, 400).unwrap().mean_spins(), [1.0; 8]);
    let turned = device.with_spin_reversal_transforms(400).with_seed(5);
    for mean in turned.sample(&model, 400).unwrap().mean_spins() {
        assert!(mean.abs() < 4.0 * 0.05, "{mean}");
    }
}

/// The service samples at `beta = 1` what it gets, so the model itself is at `beta = scale`.
#[test]
fn the_effective_temperature_is_that_of_the_scaled_model() {
    let gibbs = GibbsSampler::new(1.0).with_n_sweeps(100).with_seed(2);
    let device = device(server(topologies()[0], gibbs));
    let ring = [(0, 4, -0.3), (4, 1, 0.2), (1, 5, -0.25), (5, 0, 0.3)];
    let model = Ising::sparse(vec![0.1, -0.1, 0.0, 0.0, 0.2, 0.0], ring, 0.0).unwrap();
    for scale in [Scale::Fit, Scale::Fixed(1.0), Scale::Fixed(2.0)] {
        let (_, report) = device.clone().with_scale(scale).sample_reported(&model, 4000).unwrap();
        let estimate = report.effective_beta.unwrap();
        let error = estimate.beta - report.scale;
        assert!(error.abs() < 4.0 * estimate.standard_error, "{estimate:?}, {}", report.scale);
    }
}

#[test]
fn broken_chains_are_counted_and_strong_ones_hold() {
    let device = device(server(topologies()[0], annealer()));
    let model = all_pairs(8, 2);
    let breaks = |strength| {
        let device = device.clone().with_chain_strength(strength);
        device.sample_reported(&model, 200).unwrap().1.chain_break_fraction()
    };
    let (weak, strong) =
        (breaks(ChainStrength::Relative(0.02)), breaks(ChainStrength::Relative(3.0)));
    assert!(weak > 0.2 && strong < 0.02, "{weak} {strong}");
    let random = super::device(server(topologies()[0], Random::default()));
    let (_, report) = random.sample_reported(&all_pairs(8, 2), 4000).unwrap();
    // Three qubits agree by chance in a quarter of the reads.
    assert!(report.max_chain_length == 3 && (report.chain_break_fraction() - 0.75).abs() < 0.02);
}

#[test]
fn uniform_torque_is_that_of_d_wave() {
    // What `dwave.embedding.chain_strength.uniform_torque_compensation` says of the same model.
    let expected = 2.6453517724491764;
    let device = device(server(topologies()[0], annealer()));
    let model = Ising::sparse(vec![0.0; 3], [(0, 1, 1.0), (1, 2, -2.0), (0, 2, 0.5)], 0.0).unwrap();
    let (_, report) = device.sample_reported(&model, 1).unwrap();
    assert!((report.chain_strength - expected).abs() < 1e-12);
}

#[test]
fn the_models_of_a_batch_lie_side_by_side_in_few_jobs() {
    let models = batch(100, 6);
    for topology in topologies() {
        let jobs = Arc::<Mutex<HashSet<JobId>>>::default();
        let seen = jobs.clone();
        let device = device(server(topology, annealer()))
            .with_report(move |_, report| seen.lock().unwrap().extend(report.jobs.clone()));
        let tiles = cliques(topology, &device.solver().graph, 6, usize::MAX).len();
        let set = device.sample_batch(&models, 50).unwrap();
        assert_eq!((set.n_problems(), set.n_reads(99)), (100, 50));
        assert_eq!(jobs.lock().unwrap().len(), 100usize.div_ceil(tiles));
        assert!(tiles >= 4, "{tiles}");
        for p in [0, 37, 99] {
            let model = models.problem(p);
            let ground = Exact::default().sample(&model, 1).unwrap().energies()[0];
            let best = set.energies_of(p).iter().copied().fold(f64::INFINITY, f64::min);
            assert!((best - ground).abs() < 1e-6, "{topology:?}, {p}: {best}, not {ground}");
        }
    }
}

#[test]
fn a_ticket_outlives_the_program() {
    let service = serving(server(topologies()[2], annealer()));
    let model = all_pairs(7, 4);
    let text = {
        let ticket =
            online(&service).with_spin_reversal_transforms(2).submit(&[&model], 30).unwrap();
        serde_json::to_string(&ticket).unwrap()
    };
    let ticket: Ticket = serde_json::from_str(&text).unwrap();
    let fetched = online(&service).collect(&[&model], &ticket).unwrap();
    let (set, report) = &fetched[0];
    assert_eq!((set.n_reads(), report.jobs.len()), (30, 2));
    assert_eq!(service.count("POST", "problems"), 1);

    let other = all_pairs(7, 5);
    let error = online(&service).collect(&[&other], &ticket).unwrap_err();
    assert!(
        error.job_id().is_some() && error.to_string().contains("do not belong together"),
        "{error}"
    );
    let error = online(&service).collect(&[&model, &model], &ticket).unwrap_err();
    assert!(error.to_string().contains("a ticket of 1 models of 7 spins"), "{error}");
}

#[test]
fn what_does_not_fit_is_refused_with_the_limit() {
    let device = device(server(topologies()[0], annealer()));
    let error = device.sample(&all_pairs(40, 1), 1).unwrap_err();
    assert!(error.is_size_limit(), "{error}");
    assert!(
        error.to_string().contains("40 spins, all coupled, do not fit local, which takes 16"),
        "{error}"
    );
    let error = device.sample(&all_pairs(2, 1), 10_001);
    assert_eq!(error.unwrap().n_reads(), 10_001); // as two jobs
    let error = device.clone().with_parameter("num_reads", 3).unwrap_err().to_string();
    assert!(error.contains("num_reads follows from other choices"), "{error}");
    let error = device.clone().with_parameter("annealing_time", 20.0).unwrap_err().to_string();
    assert!(error.contains("does not take the parameter annealing_time: use one of"), "{error}");
    let embedding = Embedding::new(vec![vec![0], vec![1]]);
    let error =
        device.with_embedding(embedding).sample(&all_pairs(2, 1), 1).unwrap_err().to_string();
    assert!(error.contains("no coupler joins the chains of spins 0 and 1"), "{error}");
}

#[test]
fn a_sparse_model_of_the_whole_chip_runs_natively() {
    let topology = Topology::chimera(4).unwrap();
    let couplers = topology.couplers();
    let signs = |k: usize| if k.is_multiple_of(3) { 1.0 } else { -1.0 };
    let pairs = couplers.iter().enumerate().map(|(k, &[a, b])| (a as usize, b as usize, signs(k)));
    let model = Ising::sparse(vec![0.1; 128], pairs, 0.0).unwrap();
    let (set, report) = device(server(topology, annealer())).sample_reported(&model, 20).unwrap();
    assert_eq!((report.max_chain_length, report.chain_break_fraction()), (1, 0.0));
    let local = annealer().sample(&model.scaled(report.scale).unwrap(), 20).unwrap();
    let (a, b) = (set.first().unwrap().energy, local.first().unwrap().energy / report.scale);
    assert!((a - b).abs() < 0.1 * b.abs(), "{a} {b}");
}

/// The fastest of some runs, as other programs run here too.
fn fastest(n: usize, mut work: impl FnMut()) -> Duration {
    let times = (0..n).map(|_| {
        let start = Instant::now();
        work();
        start.elapsed()
    });
    times.min().unwrap()
}

#[test]
fn a_problem_of_five_thousand_variables_is_encoded_in_two_milliseconds() {
    let graph = WorkingGraph::ideal(Topology::pegasus(16).unwrap());
    let mut problem = Coefficients::inactive(&graph);
    problem.linear[..5000].fill(0.5);
    problem.quadratic.fill(-0.25);
    let time = fastest(20, || assert!(ProblemData::encode(&graph, &problem).quad.len() > 300_000));
    assert!(time < Duration::from_millis(2), "{time:?}");
}

#[test]
fn two_hundred_small_problems_a_second_pass_through_a_port() {
    let device = online(&serving(server(Topology::pegasus(6).unwrap(), annealer())));
    let models = batch(200, 8);
    device.sample_batch(&models, 10).unwrap();
    let time =
        fastest(3, || assert_eq!(device.sample_batch(&models, 10).unwrap().n_problems(), 200));
    assert!(time < Duration::from_secs(1), "{time:?}");
}
