//! Annealers, with a meter before them.

use crate::common::Outcome;
use burn_quantum::annealing::IsingSampler;
use burn_quantum::hardware::sapi::{Client, JobId};
use burn_quantum::hardware::{DWave, Meter, Metered, Token};
use burn_quantum::ising::Ising;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

type Jobs = Arc<dyn Fn(&[&Ising], usize) -> Result<usize, burn_quantum::Error> + Send + Sync>;

/// A device that samples Ising models.
pub struct Annealer {
    name: String,
    meter: Meter,
    jobs: Jobs,
    sampler: Arc<dyn IsingSampler>,
}

impl Annealer {
    /// A solver of a service that speaks D-Wave's Solver API.
    pub fn dwave(endpoint: &str, solver: Option<&str>, time: Duration) -> Outcome<Self> {
        let client = Client::new(endpoint, Token::from_env("DWAVE_API_TOKEN")?)?;
        let solver = match solver {
            Some(name) => client.solver(name)?,
            None => client.find_solver(|solver| solver.is_online)?,
        };
        let name = format!("{} at {endpoint}", solver.identity.name);
        let (meter, device) = (Meter::default(), DWave::new(client, solver).with_time(time));
        let (counting, timed) = (device.clone(), meter.clone());
        // The models of a batch share jobs, whose time counts once.
        let seen = Mutex::new(HashSet::<JobId>::new());
        let device = device.with_report(move |_, report| {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            let is_new = report.jobs.iter().filter(|job| seen.insert((*job).clone())).count() > 0;
            if let Some(time) = report.qpu_access_time.filter(|_| is_new) {
                timed.add_device_time(time);
            }
        });
        let jobs = move |models: &[&Ising], n_reads| counting.n_jobs(models, n_reads);
        Ok(Self::new(name, Arc::new(device), meter, Arc::new(jobs)))
    }

    /// A device behind a program, which the shell runs.
    #[cfg(unix)]
    pub fn process(command: &str, time: Duration) -> Outcome<Self> {
        use burn_quantum::hardware::ProcessDevice;
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", command]);
        let device = Arc::new(ProcessDevice::new(shell).with_time(time));
        let info = device.info()?;
        let name = format!("{} behind `{command}`, which takes {:?}", info.name, info.takes);
        let counting = device.clone();
        let jobs = move |models: &[&Ising], n_reads| counting.n_requests(models.len(), n_reads);
        Ok(Self::new(name, device, Meter::default(), Arc::new(jobs)))
    }

    #[cfg(not(unix))]
    pub fn process(_: &str, _: Duration) -> Outcome<Self> {
        Err("devices behind a program need Unix".into())
    }

    fn new(name: String, device: Arc<dyn IsingSampler>, meter: Meter, jobs: Jobs) -> Self {
        let counted = jobs.clone();
        let metered = Metered::new(device, meter.clone())
            .with_jobs(move |models, n_reads| counted(models, n_reads));
        Self { name, meter, jobs, sampler: Arc::new(metered) }
    }

    /// The device in words.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it was asked for.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// The sampler of the network.
    pub fn sampler(&self) -> Arc<dyn IsingSampler> {
        self.sampler.clone()
    }

    /// The number of jobs of a batch of dense problems.
    pub fn jobs(&self, n_problems: usize, n_spins: usize, n_reads: usize) -> Outcome<usize> {
        let pairs = (0..n_spins).flat_map(|i| (i + 1..n_spins).map(move |j| (i, j, 1.0)));
        let model = Ising::sparse(vec![1.0; n_spins], pairs, 0.0)?;
        Ok((self.jobs)(&vec![&model; n_problems], n_reads)?)
    }
}
