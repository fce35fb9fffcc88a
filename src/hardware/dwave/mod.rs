//! D-Wave's annealers as samplers.

mod collect;
mod options;
mod physical;
mod plan;
mod report;
mod ticket;
mod unembed;

pub use options::{AnswerMode, ChainStrength, Scale, Unembedding};
pub use report::Report;
pub use ticket::Ticket;

use crate::annealing::{BatchSampleSet, Cancellation, IsingSampler, SampleSet};
use crate::error::{Error, ErrorKind};
use crate::hardware::Embedding;
use crate::hardware::sapi::{
    Client, Coefficients, JobId, Problem, ProblemData, ProblemKind, Solver,
};
use crate::ising::{BatchedIsing, Ising};
use physical::Physical;
use serde_json::{Map, Value, json};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};
use ticket::{Placed, TicketJob};

/// A solver of a service that speaks D-Wave's Solver API, as a sampler.
///
/// A model of which spin `i` is qubit `i` and every coupling a coupler runs as it is. Others are
/// embedded: by the embedding that was given, or as a complete graph, so that any model of few
/// spins runs. The models of a batch lie side by side on the chip, as many in one job as fit.
///
/// Models are scaled into the ranges of the chip (each for itself, also in a batch), so samples
/// come at a temperature that depends on the model: [`Report::effective_beta`] estimates it.
/// Answers are checked (lengths, counts, energies), and energies of samples are those of the model.
///
/// ```
/// use burn_quantum::annealing::{IsingSampler, SimulatedAnnealing};
/// use burn_quantum::hardware::sapi::{Client, Server};
/// use burn_quantum::hardware::{DWave, Token, Topology};
/// use burn_quantum::ising::Ising;
/// use std::sync::Arc;
///
/// // In place of a machine of D-Wave: a server in this very program.
/// let server = Server::new("local", Topology::zephyr(2)?, Arc::new(SimulatedAnnealing::default()))?;
/// let client = Client::new("http://localhost/", Token::new("any")?)?.with_transport(Arc::new(server));
/// let device = DWave::new(client.clone(), client.solver("local")?);
///
/// let triangle = Ising::sparse(vec![0.0; 3], [(0, 1, 1.0), (1, 2, 1.0), (0, 2, 1.0)], 0.0)?;
/// let (set, report) = device.sample_reported(&triangle, 100)?;
/// assert_eq!((set.n_reads(), set.first().expect("100 reads").energy), (100, -1.0));
/// assert_eq!(report.jobs.len(), 1);
/// # Ok::<(), burn_quantum::Error>(())
/// ```
#[derive(Clone)]
pub struct DWave {
    client: Client,
    solver: Arc<Solver>,
    embedding: Option<Embedding>,
    chain_strength: ChainStrength,
    unembedding: Unembedding,
    scale: Scale,
    answer_mode: AnswerMode,
    n_gauges: usize,
    seed: u64,
    label: Option<String>,
    parameters: Map<String, Value>,
    time: Option<Duration>,
    cancellation: Option<Cancellation>,
    tell: Option<Tell>,
    tiles: plan::Tiles,
}

type Tell = Arc<dyn Fn(usize, &Report) + Send + Sync>;

impl fmt::Debug for DWave {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DWave")
            .field("solver", &self.solver.identity)
            .field("chain_strength", &self.chain_strength)
            .field("unembedding", &self.unembedding)
            .field("scale", &self.scale)
            .field("answer_mode", &self.answer_mode)
            .field("n_gauges", &self.n_gauges)
            .field("parameters", &self.parameters)
            .finish_non_exhaustive()
    }
}

/// Parameters that follow from other choices.
const OWN: [&str; 6] = [
    "num_reads",
    "answer_mode",
    "max_answers",
    "num_spin_reversal_transforms",
    "auto_scale",
    "label",
];

fn unsupported(what: String, remedy: impl Into<String>) -> Error {
    ErrorKind::Unsupported { what, remedy: remedy.into() }.into()
}

impl DWave {
    /// A sampler on a solver of a service.
    pub fn new(client: Client, solver: Solver) -> Self {
        Self {
            client,
            solver: Arc::new(solver),
            embedding: None,
            chain_strength: ChainStrength::default(),
            unembedding: Unembedding::default(),
            scale: Scale::default(),
            answer_mode: AnswerMode::default(),
            n_gauges: 0,
            seed: 0,
            label: None,
            parameters: Map::new(),
            time: None,
            cancellation: None,
            tell: None,
            tiles: plan::Tiles::default(),
        }
    }

    /// The solver.
    pub fn solver(&self) -> &Solver {
        &self.solver
    }

    /// Where the spins of every model go. Default: to the qubits of their numbers if that fits, else
    /// as a complete graph
    pub fn with_embedding(mut self, embedding: Embedding) -> Self {
        self.embedding = Some(embedding);
        self
    }

    /// The strength of chains. Default: [`ChainStrength::UniformTorque`]
    pub fn with_chain_strength(mut self, strength: ChainStrength) -> Self {
        self.chain_strength = strength;
        self
    }

    /// What broken chains become. Default: [`Unembedding::MajorityVote`]
    pub fn with_unembedding(mut self, unembedding: Unembedding) -> Self {
        self.unembedding = unembedding;
        self
    }

    /// The factor of models. Default: [`Scale::Fit`]
    pub fn with_scale(mut self, scale: Scale) -> Self {
        self.scale = scale;
        self
    }

    /// What the device sends back. Default: [`AnswerMode::Histogram`]
    pub fn with_answer_mode(mut self, mode: AnswerMode) -> Self {
        self.answer_mode = mode;
        self
    }

    /// Spreads the reads over so many jobs, in each of which another random half of the spins is
    /// programmed with the opposite sign, chains as a whole. This averages out offsets of the device
    /// that favour one sign. Default: 0, no transform
    pub fn with_spin_reversal_transforms(mut self, n: usize) -> Self {
        self.n_gauges = n;
        self
    }

    /// The seed of spin-reversal transforms and of ties of broken chains; it does not make a device
    /// repeat itself. Default: 0
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Shown by the service beside each job. Default: none
    pub fn with_label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// A parameter of the solver, as `annealing_time` in microseconds.
    ///
    /// # Errors
    ///
    /// When the solver does not take it, or it follows from another choice here.
    pub fn with_parameter(mut self, name: &str, value: impl Into<Value>) -> Result<Self, Error> {
        if OWN.contains(&name) {
            let what = format!("the parameter {name} follows from other choices");
            return Err(unsupported(what, "use the methods of this type"));
        }
        if !self.solver.takes(name) {
            let what = format!("{} does not take the parameter {name}", self.solver.identity.name);
            return Err(unsupported(
                what,
                format!("use one of {}", self.solver.parameters.join(", ")),
            ));
        }
        self.parameters.insert(name.into(), value.into());
        Ok(self)
    }

    /// How long a submission, and then the wait for its jobs, may take each. After that jobs still run, and the error names one; to
    /// fetch them later, [`submit`](Self::submit) and [`collect`](Self::collect) apart. Default: as
    /// long as it takes
    pub fn with_time(mut self, time: Duration) -> Self {
        self.time = Some(time);
        self
    }

    /// Ends waits when this is switched, and asks the service to cancel their jobs. Default: never
    pub fn with_cancellation(mut self, cancellation: Cancellation) -> Self {
        self.cancellation = Some(cancellation);
        self
    }

    /// Calls a function with the place of each model in its batch and its report.
    pub fn with_report(mut self, tell: impl Fn(usize, &Report) + Send + Sync + 'static) -> Self {
        self.tell = Some(Arc::new(tell));
        self
    }

    /// Draws samples, and tells how.
    ///
    /// # Errors
    ///
    /// When no read is asked for, the model does not fit the chip, or the service does not answer
    /// or answers nonsense.
    pub fn sample_reported(
        &self,
        model: &Ising,
        n_reads: usize,
    ) -> Result<(SampleSet, Report), Error> {
        let models = [model];
        let mut read = self.collected(&models, &self.submit(&models, n_reads)?, true)?;
        match read.pop() {
            Some((set, Some(report))) => Ok((set, report)),
            _ => Err(self.client.malformed("no samples of the model")),
        }
    }

    /// Submits models of the same number of spins without waiting.
    ///
    /// If the service does not take all of the jobs, it is asked to cancel the others.
    ///
    /// # Errors
    ///
    /// As [`sample_reported`](Self::sample_reported).
    pub fn submit(&self, models: &[&Ising], n_reads: usize) -> Result<Ticket, Error> {
        let planned = self.plan(models, n_reads)?;
        let problem = |(n_reads, placed): &(usize, Vec<Placed>)| -> Result<Problem, Error> {
            Ok(self.problem(&self.coefficients(models, placed)?, *n_reads))
        };
        let problems = planned.iter().map(problem).collect::<Result<Vec<_>, _>>()?;
        let client = self.client.limited(self.time, self.cancellation.as_ref());
        let taken = client.submit(&problems);
        if let Some(error) = taken.iter().find_map(|job| job.as_ref().err()) {
            let others: Vec<JobId> =
                taken.iter().filter_map(|job| job.as_ref().ok().cloned()).collect();
            self.give_up(&others);
            return Err(error.clone());
        }
        let job = |(id, (n_reads, placed)): (JobId, (usize, Vec<Placed>))| TicketJob {
            id,
            n_reads,
            placed,
        };
        Ok(Ticket {
            solver: self.solver.identity.clone(),
            n_problems: models.len(),
            n_reads,
            n_spins: models.first().map_or(0, |model| model.n_spins()),
            jobs: taken.into_iter().flatten().zip(planned).map(job).collect(),
        })
    }

    /// Waits for the jobs of a ticket, and reads the samples of its models.
    ///
    /// # Errors
    ///
    /// When the ticket is of other models or another solver, or as
    /// [`sample_reported`](Self::sample_reported). A job whose answer could not be fetched is named,
    /// and the ticket stays valid.
    pub fn collect(
        &self,
        models: &[&Ising],
        ticket: &Ticket,
    ) -> Result<Vec<(SampleSet, Report)>, Error> {
        let read = self.collected(models, ticket, true)?;
        Ok(read.into_iter().filter_map(|(set, report)| Some((set, report?))).collect())
    }

    fn give_up(&self, jobs: &[JobId]) {
        let refused = self.client.unlimited().cancel(jobs).into_iter().filter_map(Result::err);
        refused.for_each(|error| log::warn!("{error}"));
    }

    fn coefficients(&self, models: &[&Ising], placed: &[Placed]) -> Result<Coefficients, Error> {
        let mut coefficients = Coefficients::inactive(&self.solver.graph);
        for part in placed {
            let model = models[part.problem];
            let physical =
                Physical::new(model, &part.embedding, part.chain_strength, &self.solver.graph)?;
            physical.write(&self.solver, part.scale, &part.gauge, &mut coefficients);
        }
        Ok(coefficients)
    }

    fn problem(&self, coefficients: &Coefficients, n_reads: usize) -> Problem {
        let mut params = self.parameters.clone();
        params.insert("num_reads".into(), json!(n_reads));
        params.insert("answer_mode".into(), json!(self.answer_mode));
        if self.solver.takes("auto_scale") {
            params.insert("auto_scale".into(), json!(false));
        }
        Problem {
            solver: self.solver.identity.clone(),
            kind: ProblemKind::Ising,
            label: self.label.clone(),
            params,
            data: ProblemData::encode(&self.solver.graph, coefficients),
        }
    }
}

impl IsingSampler for DWave {
    /// # Errors
    ///
    /// As [`sample_reported`](Self::sample_reported).
    fn sample(&self, model: &Ising, n_reads: usize) -> Result<SampleSet, Error> {
        let models = [model];
        let ticket = self.submit(&models, n_reads)?;
        let read = self.collected(&models, &ticket, self.tell.is_some())?.pop();
        read.map(|(set, _)| set).ok_or_else(|| self.client.malformed("no samples of the model"))
    }

    /// All problems in as few jobs as the chip allows, submitted at once.
    ///
    /// # Errors
    ///
    /// As [`sample_reported`](Self::sample_reported).
    fn sample_batch(
        &self,
        models: &BatchedIsing<'_>,
        n_reads: usize,
    ) -> Result<BatchSampleSet, Error> {
        let start = Instant::now();
        let owned: Vec<Ising> = (0..models.n_problems()).map(|p| models.problem(p)).collect();
        let borrowed: Vec<&Ising> = owned.iter().collect();
        let ticket = self.submit(&borrowed, n_reads)?;
        let sets = self.collected(&borrowed, &ticket, self.tell.is_some())?;
        let reads = sets.iter().flat_map(|(set, _)| set.iter());
        let spins = reads.flat_map(|read| std::iter::repeat_n(read.spins, read.count).flatten());
        let set = BatchSampleSet::new(models, n_reads, spins.copied().collect())?;
        Ok(set.with_elapsed(start.elapsed()).with_seed(self.seed))
    }
}
