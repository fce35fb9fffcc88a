//! Budgets.

use super::{annealer, device, server};
use burn_quantum::Error;
use burn_quantum::annealing::{IsingSampler, Random, SampleSet, check_conformance};
use burn_quantum::circuit::{Circuit, CircuitSampler};
use burn_quantum::hardware::sapi::JobId;
use burn_quantum::hardware::{Meter, Metered, MeteredCircuits, Topology};
use burn_quantum::ising::{BatchedIsing, Ising};
use burn_quantum::statevector::ShotSimulator;
use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn batch(n_problems: usize, n: usize) -> BatchedIsing<'static> {
    let h: Vec<f32> = (0..n_problems * n).map(|k| (k % 5) as f32 - 2.0).collect();
    let j: Vec<f32> = (0..n_problems * n * n).map(|k| (k % 7) as f32 - 3.0).collect();
    BatchedIsing::new(n_problems, n, h, j).unwrap()
}

/// A sampler that counts how often it is asked.
#[derive(Debug, Default, Clone)]
struct Counting(Arc<Mutex<usize>>);

impl IsingSampler for Counting {
    fn sample(&self, model: &Ising, n_reads: usize) -> Result<SampleSet, Error> {
        *self.0.lock().unwrap() += 1;
        Random::default().sample(model, n_reads)
    }
}

#[test]
fn a_metered_sampler_conforms() {
    let meter = Meter::default();
    check_conformance(&Metered::new(Arc::new(annealer()), meter.clone())).unwrap();
    assert!(meter.usage().jobs > 40 && meter.usage().time > Duration::ZERO);
}

/// The jobs that are counted beforehand are those that the service names.
#[test]
fn jobs_of_a_device_are_counted_exactly() {
    for (gauges, n_reads) in [(0, 10), (3, 10), (0, 25_000)] {
        let jobs = Arc::<Mutex<HashSet<JobId>>>::default();
        let (seen, meter) = (jobs.clone(), Meter::default());
        let device = device(server(Topology::chimera(4).unwrap(), Random::default()))
            .with_spin_reversal_transforms(gauges)
            .with_report(move |_, report| seen.lock().unwrap().extend(report.jobs.clone()));
        let counting = device.clone();
        let metered = Metered::new(Arc::new(device), meter.clone())
            .with_jobs(move |models, n_reads| counting.n_jobs(models, n_reads));
        metered.sample(&batch(1, 5).problem(0), n_reads).unwrap();
        metered.sample_batch(&batch(40, 4), n_reads.min(100)).unwrap();
        let usage = meter.usage();
        assert_eq!(usage.jobs, jobs.lock().unwrap().len());
        assert_eq!((usage.problems, usage.reads), (41, n_reads + 40 * n_reads.min(100)));
    }
}

#[test]
fn beyond_the_budget_nothing_reaches_the_device() {
    let (counting, meter) = (Counting::default(), Meter::default().with_max_jobs(5));
    let metered = Metered::new(Arc::new(counting.clone()), meter.clone());
    metered.sample_batch(&batch(3, 2), 4).unwrap();
    let error = metered.sample_batch(&batch(3, 2), 4).unwrap_err();
    assert!(error.is_budget_spent() && !error.is_device(), "{error}");
    let expected =
        "3 more jobs exceed the budget of 5, of which 3 are spent: raise it, or stop here";
    assert_eq!(error.to_string(), expected);
    assert_eq!((*counting.0.lock().unwrap(), meter.usage().jobs), (3, 3));

    // What fits still goes, and a raised limit lets more pass.
    metered.sample_batch(&batch(2, 2), 4).unwrap();
    meter.set_max_jobs(Some(8));
    metered.sample_batch(&batch(3, 2), 4).unwrap();
    assert_eq!((*counting.0.lock().unwrap(), meter.usage().reads), (8, 32));
}

#[test]
fn threads_share_a_budget_to_its_last_job() {
    let (counting, meter) = (Counting::default(), Meter::default().with_max_jobs(57));
    let metered = Metered::new(Arc::new(counting.clone()), meter);
    let model = batch(1, 2).problem(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..50).filter(|_| metered.sample(&model, 1).is_err()).count());
        }
    });
    assert_eq!(*counting.0.lock().unwrap(), 57);
}

#[test]
fn another_seed_stays_on_the_budget() {
    let meter = Meter::default().with_max_jobs(1);
    let metered = Metered::new(Arc::new(annealer()), meter.clone());
    let model = batch(1, 2).problem(0);
    let reseeded = metered.reseeded(9).unwrap();
    assert_eq!(reseeded.sample(&model, 2).unwrap().seed(), Some(9));
    assert!(metered.sample(&model, 2).unwrap_err().is_budget_spent());
    assert!(Metered::new(Arc::new(Counting::default()), meter).reseeded(9).is_none());
}

#[test]
fn the_time_of_the_device_is_what_it_says() {
    let meter = Meter::default();
    meter.add_device_time(Duration::from_millis(3));
    meter.add_device_time(Duration::from_millis(4));
    assert_eq!(meter.usage().device_time, Duration::from_millis(7));
    assert_eq!(meter.usage().jobs, 0);
}

#[test]
fn what_no_device_is_asked_costs_no_job() {
    let meter = Meter::default().with_max_jobs(0);
    let metered = Metered::new(Arc::new(Random::default()), meter.clone());
    metered.sample(&Ising::sparse(vec![], [], 1.0).unwrap(), 2).unwrap();
    // Refused by the sampler, before the budget.
    let error = metered.sample(&batch(1, 2).problem(0), 0).unwrap_err();
    assert!(!error.is_budget_spent(), "{error}");
    assert_eq!((meter.usage().jobs, meter.usage().problems), (0, 1));
}

#[test]
fn circuits_are_counted_by_the_job() {
    for (a_job, jobs) in [(10, 2), (15, 1), (0, 15)] {
        let meter = Meter::default().with_max_jobs(jobs);
        let simulator = Arc::new(ShotSimulator::new(1));
        let device = MeteredCircuits::new(simulator, meter.clone(), a_job);
        assert_eq!(device.run(&vec![Circuit::new(1); 15], 4).unwrap().len(), 15);
        let usage = meter.usage();
        assert_eq!((usage.jobs, usage.problems, usage.reads), (jobs, 15, 60));
        assert!(usage.time > Duration::ZERO);
        assert!(device.run(&[Circuit::new(1)], 4).unwrap_err().is_budget_spent());
    }
}
