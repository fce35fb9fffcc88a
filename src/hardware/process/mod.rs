//! Devices behind a program of their own.

mod program;
mod wire;

use crate::annealing::{Cancellation, IsingSampler, SampleSet};
use crate::error::{Error, ErrorKind, Fault};
use crate::hardware::Int8Ising;
use crate::ising::Ising;
use program::{Patience, Program, Trouble};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use wire::Form;

/// A device behind a program that reads problems from its standard input and writes samples to its
/// standard output: for devices that are only reached through a closed library, as QBoson's coherent Ising machine.
/// On Unix only.
///
/// The program is started by the first call, in a process group of its own, and killed with all
/// that it started when this is dropped, when it does not answer in time, and when it breaks the protocol; the next
/// call starts it again. It ends by itself at the end of its input. `examples/process_bridge.py` is such a program.
///
/// # Protocol
///
/// One JSON object a line, in UTF-8, one answer to each request, in their order. Both sides say what they speak first:
///
/// ```json
/// {"protocol":"burn-quantum/1"}
/// {"protocol":"burn-quantum/1","name":"annealer","takes":"ising","max_spins":100,"max_reads":1000}
/// ```
///
/// `name` is shown in errors. Optional are `takes` (`"ising"`, the default, or `"int8"`) and the largest problem and
/// number of reads of a request: larger problems are refused, more reads are asked for in parts.
///
/// A request that `takes` is `"ising"` minimises `offset + sum h_a s_a + sum J_k s_i(k) s_j(k)`, each pair once with `i < j`:
///
/// ```json
/// {"id":1,"num_reads":3,"n_spins":2,"offset":0.0,"h":[0.5,0.0],"i":[0],"j":[1],"J":[-1.0]}
/// {"id":1,"spins":[[-1,-1],[1,1]],"occurrences":[2,1],"energies":[-1.5,-0.5]}
/// ```
///
/// The occurrences sum to `num_reads`; without them, each configuration is one read. Energies need not be there; those that
/// are must be right, as a sign of what convention the program follows. Where it `takes` `"int8"`, requests have a
/// symmetric matrix instead, and `-s^T M s` is to be minimised; see [`Int8Ising`]. `n_spins` is its side, and energies
/// are `-s^T M s`:
///
/// ```json
/// {"id":1,"num_reads":1,"n_spins":3,"int8":[[0,2,-1],[2,0,0],[-1,0,0]]}
/// {"id":1,"spins":[[-1,-1,1]],"energies":[-6]}
/// ```
///
/// A program that cannot answer says why, and goes on; so it may answer the greeting, too, and then end:
///
/// ```json
/// {"id":1,"error":"the machine is under maintenance until Monday"}
/// ```
///
/// ```
/// use burn_quantum::annealing::IsingSampler;
/// use burn_quantum::hardware::ProcessDevice;
/// use burn_quantum::ising::Ising;
/// use std::process::Command;
///
/// // A device that knows one answer, in two lines of the shell.
/// let mut program = Command::new("sh");
/// program.args(["-c", r#"read line; echo '{"protocol":"burn-quantum/1","name":"one answer"}'
///     read line; echo '{"id":1,"spins":[[-1]],"occurrences":[5]}'"#]);
/// let device = ProcessDevice::new(program);
///
/// let set = device.sample(&Ising::sparse(vec![1.0], [], 0.0)?, 5)?;
/// assert_eq!((set.n_reads(), set.mean_energy()), (5, -1.0));
/// # Ok::<(), burn_quantum::Error>(())
/// ```
pub struct ProcessDevice {
    program: String,
    time: Duration,
    cancellation: Option<Cancellation>,
    state: Mutex<State>,
}

struct State {
    command: Command,
    session: Option<Session>,
}

/// A program that was greeted.
struct Session {
    program: Program,
    info: ProcessInfo,
    last_id: u64,
}

/// What the program of a [`ProcessDevice`] says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProcessInfo {
    /// The name of the device.
    pub name: String,
    /// The form in which it takes problems.
    pub takes: ProblemForm,
    /// The largest number of spins of a problem, if there is one; of
    /// [`Int8`](ProblemForm::Int8) with the further spin.
    pub max_spins: Option<usize>,
    /// The largest number of reads of a request, if there is one.
    pub max_reads: Option<usize>,
}

/// The form in which a program takes problems.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ProblemForm {
    /// Fields and couplings in double precision.
    #[default]
    Ising,
    /// An [`Int8Ising`]: coefficients are rounded to 8 bits.
    Int8,
}

/// The longest line without samples.
const SHORT: usize = 1 << 20;

/// The name of a device before it was greeted.
const UNKNOWN: &str = "the device";

impl fmt::Debug for ProcessDevice {
    // Not the whole command: its environment may hold a token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (program, time) = (&self.program, &self.time);
        f.debug_struct("ProcessDevice").field("program", program).field("time", time).finish()
    }
}

impl ProcessDevice {
    /// A device behind a program, whose standard streams become those of the protocol. It is
    /// started by the first call.
    pub fn new(command: Command) -> Self {
        Self {
            program: command.get_program().to_string_lossy().into_owned(),
            time: Duration::from_secs(600),
            cancellation: None,
            state: Mutex::new(State { command, session: None }),
        }
    }

    /// How long the program may take to start, and then for each request. Default: 10 minutes
    pub fn with_time(mut self, time: Duration) -> Self {
        self.time = time;
        self
    }

    /// Ends waits when this is switched, and the program with them. Default: never
    pub fn with_cancellation(mut self, cancellation: Cancellation) -> Self {
        self.cancellation = Some(cancellation);
        self
    }

    /// What the program says of itself. Starts it if it does not run.
    ///
    /// # Errors
    ///
    /// When it cannot be started, does not greet in time, or speaks another protocol.
    pub fn info(&self) -> Result<ProcessInfo, Error> {
        self.with_session(|session| Ok(session.info.clone()))
    }

    /// The number of requests for samples of so many problems: one for each, or more if the program
    /// limits the reads of a request. Starts it if it does not run.
    ///
    /// # Errors
    ///
    /// As [`info`](Self::info).
    pub fn n_requests(&self, n_problems: usize, n_reads: usize) -> Result<usize, Error> {
        let most = self.info()?.max_reads.unwrap_or(usize::MAX);
        Ok(n_problems.saturating_mul(n_reads.div_ceil(most)))
    }

    fn error(&self, name: &str, fault: Fault, reason: String) -> Error {
        let service = format!("{name} ({})", self.program);
        ErrorKind::Device { service, job: None, fault, reason }.into()
    }

    fn patience(&self) -> Patience<'_> {
        // A time too long for the clock is as good as a century.
        let century = Duration::from_secs(100 * 365 * 86_400);
        let end = Instant::now() + self.time.min(century);
        Patience { end, cancellation: self.cancellation.as_ref() }
    }

    /// Talks to the program, which is started if it does not run, and ended if it cannot go on.
    fn with_session<T>(
        &self,
        talk: impl FnOnce(&mut Session) -> Result<T, Failure>,
    ) -> Result<T, Error> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut session = match state.session.take() {
            Some(session) => session,
            None => self.start(&mut state.command)?,
        };
        match talk(&mut session) {
            Err(Failure::Ends(fault, reason)) => {
                let Session { program, info, .. } = session;
                Err(self.error(&info.name, fault, reason + &program.last_words()))
            }
            outcome => {
                let name = &session.info.name;
                let outcome = outcome.map_err(|failure| failure.of(self, name));
                state.session = Some(session);
                outcome
            }
        }
    }

    fn start(&self, command: &mut Command) -> Result<Session, Error> {
        let mut program = Program::start(command).map_err(|error| {
            let reason = format!("the program cannot be started: {error}");
            self.error(UNKNOWN, Fault::Unreachable, reason)
        })?;
        let greeted = program
            .exchange(wire::GREETING, SHORT, self.patience())
            .map_err(|trouble| trouble.into_failure(self.time))
            .and_then(|line| wire::info(&line));
        match greeted {
            Ok(info) => Ok(Session { program, info, last_id: 0 }),
            Err(Failure::Ends(fault, reason)) => {
                Err(self.error(UNKNOWN, fault, reason + &program.last_words()))
            }
            Err(failure) => Err(failure.of(self, UNKNOWN)),
        }
    }

    /// Spins and counts of a model, in as many requests as the program asks for.
    fn read(&self, model: &Ising, n_reads: usize) -> Result<(Vec<i8>, Vec<usize>), Error> {
        self.with_session(|session| {
            let form = match session.info.takes {
                ProblemForm::Ising => Form::Ising(model),
                ProblemForm::Int8 => Form::Int8(Int8Ising::new(model).map_err(Failure::Stays)?),
            };
            session.info.check_size(form.size())?;
            let most = session.info.max_reads.unwrap_or(n_reads);
            let (mut spins, mut counts) = (Vec::new(), Vec::new());
            for start in (0..n_reads).step_by(most) {
                let part = session.request(&form, most.min(n_reads - start), self)?;
                spins.extend(part.0);
                counts.extend(part.1);
            }
            Ok((spins, counts))
        })
    }
}

impl ProcessInfo {
    fn check_size(&self, given: usize) -> Result<(), Failure> {
        match self.max_spins {
            Some(limit) if given > limit => Err(Failure::Stays(
                ErrorKind::TooLargeForDevice {
                    given,
                    what: "spins",
                    device: self.name.clone(),
                    limit,
                    remedy: "use fewer spins (fields take one more in 8 bits)",
                }
                .into(),
            )),
            _ => Ok(()),
        }
    }
}

impl Session {
    fn request(
        &mut self,
        form: &Form<'_>,
        n_reads: usize,
        device: &ProcessDevice,
    ) -> Result<(Vec<i8>, Vec<usize>), Failure> {
        self.last_id += 1;
        let id = self.last_id;
        let request = form.request(id, n_reads)?;
        // A spin takes four characters, an energy thirty.
        let limit = SHORT.saturating_add(n_reads.saturating_mul(16 * form.size() + 128));
        let line = self.program.exchange(&request, limit, device.patience());
        let line = line.map_err(|trouble| trouble.into_failure(device.time))?;
        form.samples(id, n_reads, &line)
    }
}

/// Why there are no samples.
#[derive(Debug)]
enum Failure {
    /// This is refused, and the program goes on.
    Stays(Error),
    /// The program says that it failed, and goes on.
    Failed(String),
    /// The program cannot go on.
    Ends(Fault, String),
}

impl Failure {
    fn of(self, device: &ProcessDevice, name: &str) -> Error {
        match self {
            Self::Stays(error) => error,
            Self::Failed(reason) => device.error(name, Fault::Failed, reason),
            Self::Ends(fault, reason) => device.error(name, fault, reason),
        }
    }
}

impl Trouble {
    fn into_failure(self, time: Duration) -> Failure {
        let (fault, reason) = match self {
            Self::Timeout => {
                let seconds = time.as_secs_f64();
                let reason = format!("no answer within {seconds} s: raise `with_time`");
                (Fault::Timeout, reason)
            }
            Self::Cancelled => (Fault::Cancelled, "cancelled by the caller".into()),
            Self::Closed => (Fault::Unreachable, "the program closed its pipes".into()),
            Self::TooLong(limit) => {
                let reason = format!("a line of more than {limit} bytes, which no answer needs");
                (Fault::Malformed, reason)
            }
            Self::Early => (Fault::Malformed, "it answered before it had read the request".into()),
            Self::Io(error) => (Fault::Unreachable, format!("a pipe broke: {error}")),
        };
        Failure::Ends(fault, reason)
    }
}

impl IsingSampler for ProcessDevice {
    /// # Errors
    ///
    /// When no read is asked for, the problem is larger than the program takes, or the program
    /// cannot be started, fails, ends, breaks the protocol, or does not answer in time.
    fn sample(&self, model: &Ising, n_reads: usize) -> Result<SampleSet, Error> {
        if n_reads == 0 {
            let (what, range) = ("the number of reads".into(), "1 or more");
            return Err(ErrorKind::OutOfRange { what, value: 0.0, range }.into());
        }
        let start = Instant::now();
        let (spins, counts) = match model.n_spins() {
            0 => (Vec::new(), vec![n_reads]), // nothing to ask for
            _ => self.read(model, n_reads)?,
        };
        Ok(SampleSet::counted(model, spins, counts)?.with_elapsed(start.elapsed()))
    }
}
