//! Jobs of circuits: submitted, waited for, collected, given up.

use super::{Counts, Wire, unsupported};
use crate::circuit::{Angle, Circuit, CircuitSampler};
use crate::error::{Error, ErrorKind};
use crate::hardware::sapi::JobId;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;

/// A device that runs circuits as jobs of a service.
///
/// [`CircuitSampler::run`] submits and collects in one call; these are its halves, for programs that
/// end before their jobs do.
///
/// ```no_run
/// use burn_quantum::circuit::Circuit;
/// use burn_quantum::hardware::{CircuitJobs, CircuitTicket, Connection, IonQ, Token};
///
/// let connect = || IonQ::new(Connection::default(), Token::from_env("IONQ_API_KEY")?, "qpu.forte-1");
/// let mut bell = Circuit::new(2);
/// bell.h(0).cnot(0, 1);
/// let ticket = connect()?.submit(&[bell], 1000)?;
/// std::fs::write("ticket.json", serde_json::to_string(&ticket)?)?;
///
/// // Tomorrow, in another run of the program:
/// let ticket: CircuitTicket = serde_json::from_slice(&std::fs::read("ticket.json")?)?;
/// let counts = connect()?.collect(&ticket)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait CircuitJobs: CircuitSampler {
    /// The most circuits that go into one job: `n` circuits are `n.div_ceil(circuits_a_job())` jobs.
    fn circuits_a_job(&self) -> usize;

    /// Submits circuits without waiting, in as few jobs as the service takes.
    ///
    /// If the service does not take all of the jobs, it is asked to cancel the others.
    ///
    /// # Errors
    ///
    /// When a circuit has a free angle or does not fit the device, or the service cannot be reached
    /// or refuses.
    fn submit(&self, circuits: &[Circuit], shots: usize) -> Result<CircuitTicket, Error>;

    /// Waits for the jobs of a ticket, and returns the counts of its circuits in their order.
    ///
    /// # Errors
    ///
    /// When the ticket is of another device, or a job failed or has no answer that holds together: it
    /// is named, and the ticket stays valid for the others.
    fn collect(&self, ticket: &CircuitTicket) -> Result<Vec<Counts>, Error>;

    /// Asks the service to cancel the jobs of a ticket. Those that it had finished stay finished,
    /// which is an error of that job.
    fn cancel(&self, ticket: &CircuitTicket) -> Vec<Result<(), Error>>;
}

/// The jobs of a call of [`CircuitJobs::submit`]. Keep it as a file, and
/// [`collect`](CircuitJobs::collect) the counts in another run of the program.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CircuitTicket {
    device: String,
    shots: usize,
    jobs: Vec<Job>,
}

/// A job of a ticket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::hardware) struct Job {
    pub id: JobId,
    /// The numbers of qubits of its circuits.
    pub n_qubits: Vec<usize>,
}

impl CircuitTicket {
    /// The jobs, as the service names them.
    pub fn jobs(&self) -> impl Iterator<Item = &JobId> {
        self.jobs.iter().map(|job| &job.id)
    }

    /// How often each circuit is run.
    pub fn shots(&self) -> usize {
        self.shots
    }
}

/// What a device takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::hardware) struct Limits {
    pub qubits: usize,
    pub shots: usize,
    /// In one job.
    pub circuits: usize,
}

/// What became of a job that did not fail.
pub(in crate::hardware) enum State {
    Running,
    /// With what the service said of it.
    Completed(Value),
}

/// A service, as the functions below need it.
pub(in crate::hardware) trait Provider: CircuitSampler {
    fn wire(&self) -> &Wire;
    fn limits(&self) -> Limits;
    /// Makes one job of circuits that are within the limits.
    fn submit_job(&self, wire: &Wire, circuits: &[Circuit], shots: usize) -> Result<JobId, Error>;
    fn state(&self, wire: &Wire, id: &str) -> Result<State, Error>;
    /// The counts of the circuits of a job that is completed.
    fn counts(
        &self,
        wire: &Wire,
        job: &Job,
        said: &Value,
        shots: usize,
    ) -> Result<Vec<Counts>, Error>;
    fn cancel_job(&self, wire: &Wire, id: &str) -> Result<(), Error>;
    /// Whether a name that comes from a file can be one of a job.
    fn is_job(&self, id: &str) -> bool;
}

/// Implements the public traits for a [`Provider`].
macro_rules! sampler {
    ($device:ty) => {
        impl $crate::hardware::CircuitJobs for $device {
            fn circuits_a_job(&self) -> usize {
                $crate::hardware::service::Provider::limits(self).circuits.max(1)
            }

            fn submit(
                &self,
                circuits: &[$crate::circuit::Circuit],
                shots: usize,
            ) -> Result<$crate::hardware::CircuitTicket, $crate::error::Error> {
                $crate::hardware::service::submit(self, &self.wire().started(), circuits, shots)
            }

            fn collect(
                &self,
                ticket: &$crate::hardware::CircuitTicket,
            ) -> Result<Vec<$crate::hardware::service::Counts>, $crate::error::Error> {
                $crate::hardware::service::collect(self, &self.wire().started(), ticket)
            }

            fn cancel(
                &self,
                ticket: &$crate::hardware::CircuitTicket,
            ) -> Vec<Result<(), $crate::error::Error>> {
                $crate::hardware::service::cancel(self, ticket)
            }
        }

        impl $crate::circuit::CircuitSampler for $device {
            fn name(&self) -> &str {
                &self.name
            }

            fn max_qubits(&self) -> usize {
                $crate::hardware::service::max_qubits(self)
            }

            /// # Errors
            ///
            /// As [`submit`](crate::hardware::CircuitJobs::submit) and
            /// [`collect`](crate::hardware::CircuitJobs::collect).
            fn run(
                &self,
                circuits: &[$crate::circuit::Circuit],
                shots: usize,
            ) -> Result<Vec<$crate::hardware::service::Counts>, $crate::error::Error> {
                let wire = self.wire().started();
                let ticket = $crate::hardware::service::submit(self, &wire, circuits, shots)?;
                $crate::hardware::service::collect(self, &wire, &ticket)
            }
        }
    };
}
pub(in crate::hardware) use sampler;

/// Basis indices have to fit a `usize`.
pub(in crate::hardware) fn max_qubits(device: &impl Provider) -> usize {
    device.limits().qubits.min(usize::BITS as usize - 1)
}

fn check(device: &impl Provider, circuits: &[Circuit], shots: usize) -> Result<(), Error> {
    let (most, limit) = (device.limits().shots, max_qubits(device));
    let too_large = |given, what, limit, remedy| -> Error {
        let device = device.name().to_owned();
        ErrorKind::TooLargeForDevice { given, what, device, limit, remedy }.into()
    };
    if shots > most {
        return Err(too_large(shots, "shots", most, "add up the counts of several calls"));
    }
    if shots == 0 {
        let (what, range) = ("shots".into(), "at least 1");
        return Err(ErrorKind::OutOfRange { what, value: 0.0, range }.into());
    }
    for (k, circuit) in circuits.iter().enumerate() {
        let n = circuit.n_qubits();
        if n > limit {
            return Err(too_large(n, "qubits", limit, "use fewer qubits"));
        }
        if n == 0 {
            return Err(unsupported(format!("circuit {k} without qubits"), "give it qubits"));
        }
        let mut angles = circuit.operations().iter().flat_map(|operation| operation.angles());
        if let Some(free) = angles.find(|angle| !matches!(angle, Angle::Constant(_))) {
            let what = format!("the free angle {free:?} of circuit {k}");
            return Err(unsupported(what, "`bind` the circuit first"));
        }
    }
    Ok(())
}

pub(in crate::hardware) fn submit(
    device: &impl Provider,
    wire: &Wire,
    circuits: &[Circuit],
    shots: usize,
) -> Result<CircuitTicket, Error> {
    check(device, circuits, shots)?;
    let mut jobs: Vec<Job> = Vec::new();
    for batch in circuits.chunks(device.limits().circuits.max(1)) {
        let taken = device.submit_job(wire, batch, shots).and_then(|id| match () {
            _ if !device.is_job(&id.0) => Err(wire.malformed("no usable name of the job")),
            _ if jobs.iter().any(|job| job.id == id) => {
                Err(wire.malformed("the same job for two submissions").about_job(&id.0))
            }
            _ => Ok(id),
        });
        match taken {
            Ok(id) => {
                log::info!("{}: job {} of {} circuits", wire.base, id.0, batch.len());
                jobs.push(Job { id, n_qubits: batch.iter().map(Circuit::n_qubits).collect() });
            }
            Err(error) => {
                give_up(device, &jobs);
                return Err(error);
            }
        }
    }
    Ok(CircuitTicket { device: device.name().to_owned(), shots, jobs })
}

fn give_up(device: &impl Provider, jobs: &[Job]) {
    let wire = device.wire().unlimited();
    let refused = jobs.iter().filter_map(|job| device.cancel_job(&wire, &job.id.0).err());
    refused.for_each(|error| log::warn!("{error}"));
}

pub(in crate::hardware) fn collect(
    device: &impl Provider,
    wire: &Wire,
    ticket: &CircuitTicket,
) -> Result<Vec<Counts>, Error> {
    check_ticket(device, ticket)?;
    let said = wait(device, wire, &ticket.jobs);
    if wire.is_cancelled() && said.iter().any(Result::is_err) {
        let unfinished = ticket.jobs.iter().zip(&said).filter(|(_, said)| said.is_err());
        give_up(device, &unfinished.map(|(job, _)| job.clone()).collect::<Vec<_>>());
    }
    let mut all = Vec::new();
    for (job, said) in ticket.jobs.iter().zip(said) {
        let named = |error: Error| error.about_job(&job.id.0);
        let counts = device.counts(wire, job, &said?, ticket.shots).map_err(named)?;
        check_counts(wire, job, &counts, ticket.shots).map_err(named)?;
        all.extend(counts);
    }
    Ok(all)
}

fn check_ticket(device: &impl Provider, ticket: &CircuitTicket) -> Result<(), Error> {
    if ticket.device != device.name() {
        let what = format!("a ticket of {} for {}", ticket.device, device.name());
        return Err(unsupported(what, "give it to the device of its submission"));
    }
    let fits = |job: &Job| {
        device.is_job(&job.id.0) && job.n_qubits.iter().all(|&n| n < usize::BITS as usize)
    };
    match ticket.jobs.iter().all(fits) {
        true => Ok(()),
        false => Err(unsupported("a ticket whose jobs have no such names".into(), "submit again")),
    }
}

/// No count is lost or invented, whatever the service sent.
fn check_counts(wire: &Wire, job: &Job, counts: &[Counts], shots: usize) -> Result<(), Error> {
    let (given, expected) = (counts.len(), job.n_qubits.len());
    if given != expected {
        return Err(wire.malformed(format!("results of {given} circuits, expected {expected}")));
    }
    for (k, (counts, &n)) in counts.iter().zip(&job.n_qubits).enumerate() {
        let total: usize = counts.values().sum();
        if total != shots {
            return Err(wire.malformed(format!("{total} shots of circuit {k}, asked for {shots}")));
        }
        if let Some(index) = counts.keys().find(|&&index| index >> n != 0) {
            return Err(
                wire.malformed(format!("the outcome {index} of circuit {k}, which has {n} qubits"))
            );
        }
    }
    Ok(())
}

/// What the service says of each job once it is done.
fn wait(device: &impl Provider, wire: &Wire, jobs: &[Job]) -> Vec<Result<Value, Error>> {
    let mut slots: Vec<Option<Result<Value, Error>>> = vec![None; jobs.len()];
    let [mut pause, longest] = wire.pauses;
    loop {
        let mut news = false;
        for (job, slot) in jobs.iter().zip(&mut slots).filter(|(_, slot)| slot.is_none()) {
            let state = wire.link.check().and_then(|()| device.state(wire, &job.id.0));
            *slot = match state {
                Ok(State::Running) => None,
                Ok(State::Completed(said)) => Some(Ok(said)),
                Err(error) => Some(Err(error.about_job(&job.id.0))),
            };
            news |= slot.is_some();
        }
        if slots.iter().all(Option::is_some) {
            break;
        }
        pause = if news { wire.pauses[0] } else { pause };
        // An end of patience shows in the next round, as an error of each job.
        let _ = wire.link.pause(pause);
        pause = lengthened(pause, longest);
    }
    slots.into_iter().flatten().collect()
}

fn lengthened(pause: Duration, longest: Duration) -> Duration {
    pause.mul_f64(1.5).min(longest)
}

pub(in crate::hardware) fn cancel(
    device: &impl Provider,
    ticket: &CircuitTicket,
) -> Vec<Result<(), Error>> {
    if let Err(error) = check_ticket(device, ticket) {
        return ticket.jobs.iter().map(|_| Err(error.clone())).collect();
    }
    let wire = device.wire().started();
    let one =
        |job: &Job| device.cancel_job(&wire, &job.id.0).map_err(|error| error.about_job(&job.id.0));
    ticket.jobs.iter().map(one).collect()
}
