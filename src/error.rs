//! The error of this crate.

/// An error raised while building or running a circuit, a model or a layer.
///
/// The message names the value, the limit and the remedy. Callers that must branch use the
/// predicates; the kinds themselves are private, so that they can grow.
#[derive(Debug, Clone, thiserror::Error)]
#[error(transparent)]
pub struct Error(Box<ErrorKind>);

impl Error {
    /// Whether something is too large for the method that was asked to handle it.
    pub fn is_size_limit(&self) -> bool {
        matches!(
            *self.0,
            ErrorKind::TooManyQubits { .. }
                | ErrorKind::TooManyVariables { .. }
                | ErrorKind::TooLargeForDevice { .. }
        )
    }

    /// Whether a number was not finite or out of its range, or a matrix not of the kind asked for.
    pub fn is_invalid_value(&self) -> bool {
        matches!(
            *self.0,
            ErrorKind::NotFinite { .. }
                | ErrorKind::OutOfRange { .. }
                | ErrorKind::NotHermitian { .. }
                | ErrorKind::Incomplete { .. }
                | ErrorKind::Singular { .. }
                | ErrorKind::PairOutOfRange { .. }
                | ErrorKind::DiagonalPair { .. }
                | ErrorKind::Asymmetric { .. }
                | ErrorKind::VariableOutOfRange { .. }
                | ErrorKind::Repeated { .. }
                | ErrorKind::Infeasible { .. }
        )
    }

    /// Whether a text could not be parsed.
    pub fn is_syntax(&self) -> bool {
        matches!(
            *self.0,
            ErrorKind::PauliSyntax { .. } | ErrorKind::Qasm { .. } | ErrorKind::Format { .. }
        )
    }

    /// Whether a file could not be read or written.
    pub fn is_io(&self) -> bool {
        matches!(*self.0, ErrorKind::Io { .. })
    }

    /// Whether a device, or the service in front of it, refused, failed or did not answer.
    #[cfg(feature = "hardware")]
    pub fn is_device(&self) -> bool {
        self.fault().is_some()
    }

    /// Whether a service does not know the token, or grants it too little.
    #[cfg(feature = "hardware")]
    pub fn is_authentication(&self) -> bool {
        self.fault() == Some(Fault::Authentication)
    }

    /// Whether a service could not be reached, was too slow or too busy, so that the same call may
    /// succeed later. A job that was submitted then still runs: see [`job_id`](Self::job_id).
    #[cfg(feature = "hardware")]
    pub fn is_unavailable(&self) -> bool {
        matches!(self.fault(), Some(Fault::Unreachable | Fault::Timeout | Fault::Busy))
    }

    /// Whether a wait for a device was cancelled by its [switch](crate::annealing::Cancellation).
    #[cfg(feature = "hardware")]
    pub fn is_cancelled(&self) -> bool {
        self.fault() == Some(Fault::Cancelled)
    }

    /// Whether a budget of jobs has not enough left, so that nothing was submitted.
    #[cfg(feature = "hardware")]
    pub fn is_budget_spent(&self) -> bool {
        matches!(*self.0, ErrorKind::BudgetSpent { .. })
    }

    /// The job that the error is about, as the service names it.
    #[cfg(feature = "hardware")]
    pub fn job_id(&self) -> Option<&str> {
        match &*self.0 {
            ErrorKind::Device { job, .. } => job.as_deref(),
            _ => None,
        }
    }

    #[cfg(feature = "hardware")]
    fn fault(&self) -> Option<Fault> {
        match &*self.0 {
            ErrorKind::Device { fault, .. } => Some(*fault),
            _ => None,
        }
    }

    /// The same error, about a job if it did not name one.
    #[cfg(feature = "hardware")]
    pub(crate) fn about_job(mut self, id: &str) -> Self {
        if let ErrorKind::Device { job: job @ None, .. } = &mut *self.0 {
            *job = Some(id.into());
        }
        self
    }
}

/// What went wrong between a program and a device.
#[cfg(feature = "hardware")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// No connection, or one that broke.
    Unreachable,
    /// The service does not prove who it is.
    Untrusted,
    /// No answer in time.
    Timeout,
    /// The service asks to come later.
    Busy,
    /// The caller no longer wants it.
    Cancelled,
    /// The token is wrong, or grants too little.
    Authentication,
    /// The service refuses the request.
    Refused,
    /// The answer breaks the protocol.
    Malformed,
    /// The device failed on a job.
    Failed,
    /// The service does not know a job that it had accepted.
    Lost,
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Self(Box::new(kind))
    }
}

#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum ErrorKind {
    #[error("qubit {qubit} is out of range for {n_qubits} qubits: use 0 to {}", n_qubits.saturating_sub(1))]
    QubitOutOfRange { qubit: usize, n_qubits: usize },
    #[error("{gate} acts on qubit {qubit} twice: targets and controls must differ")]
    RepeatedQubit { gate: &'static str, qubit: usize },
    #[error("{gate} takes {expected} {what}, got {actual}")]
    WrongArity { gate: &'static str, what: &'static str, expected: usize, actual: usize },
    #[error("{what} is {value}: it must be finite")]
    NotFinite { what: String, value: f64 },
    #[error("{what} is {value}: use {range}")]
    OutOfRange { what: String, value: f64, range: &'static str },
    #[error(
        "{given} qubits exceed the limit of {limit} for {method}, as they take {}: {remedy}",
        memory(*log2_bytes)
    )]
    TooManyQubits {
        given: usize,
        limit: usize,
        method: &'static str,
        /// The binary logarithm of the bytes that one state takes in double precision.
        log2_bytes: usize,
        remedy: &'static str,
    },
    #[error("`{given}` is not a Pauli string: write factors such as `Z0 X3`, or `I`")]
    PauliSyntax { given: String },
    #[error("{what}: an observable must be Hermitian, {remedy}")]
    NotHermitian { what: String, remedy: &'static str },
    #[error(
        "the sum of K^dagger K over the Kraus operators must be the identity, but deviates by \
         {deviation} in an entry: at most {limit} is rounding, so rescale the operators"
    )]
    Incomplete { deviation: f64, limit: f64 },
    #[error(
        "the damped metric has the pivot {pivot} at weight {index}: it must be positive definite, \
         so raise the damping"
    )]
    Singular { index: usize, pivot: f64 },
    #[error(
        "the states have {given} qubits and the program {n_qubits}: take them from `forward` of the \
         same program"
    )]
    OtherStates { given: usize, n_qubits: usize },
    #[error("line {line}, column {column}: {message}")]
    Qasm { line: usize, column: usize, message: String },
    #[error("{language} cannot express {what}: {remedy}")]
    NotExpressible { language: String, what: String, remedy: &'static str },
    #[error("{given} {what} exceed the limit of {limit} for {method}: {remedy}")]
    TooManyVariables {
        given: usize,
        limit: usize,
        what: &'static str,
        method: &'static str,
        remedy: &'static str,
    },
    #[error(
        "{what} ({i}, {j}) is out of range for {n} {variable}: use 0 to {}", n.saturating_sub(1)
    )]
    PairOutOfRange { what: &'static str, i: usize, j: usize, variable: &'static str, n: usize },
    #[error("number {i} is out of range for {n} {variable}: use 0 to {}", n.saturating_sub(1))]
    VariableOutOfRange { variable: &'static str, i: usize, n: usize },
    #[error("number {i} of the {what} is given twice: {remedy}")]
    Repeated { what: &'static str, i: usize, remedy: &'static str },
    #[error("constraint {constraint} has no solution: {reason}")]
    Infeasible { constraint: usize, reason: String },
    #[error("{what} ({i}, {i}) = {value} is on the diagonal: {remedy}")]
    DiagonalPair { what: &'static str, i: usize, value: f64, remedy: &'static str },
    #[error(
        "{what} ({i}, {j}) = {upper} differs from ({j}, {i}) = {lower}, while ({row}, {column}) = \
         {other} is below the diagonal: give a symmetric matrix, or one with zeros below the \
         diagonal"
    )]
    Asymmetric {
        what: &'static str,
        i: usize,
        j: usize,
        upper: f64,
        lower: f64,
        row: usize,
        column: usize,
        other: f64,
    },
    #[error("{format}, {place}: {reason}")]
    Format { format: &'static str, place: String, reason: String },
    #[error("{format}: {reason}")]
    Io { format: &'static str, reason: String },
    #[cfg(feature = "hardware")]
    #[error("{service}{}: {reason}", job.as_ref().map(|id| format!(", job {id}")).unwrap_or_default())]
    Device { service: String, job: Option<String>, fault: Fault, reason: String },
    #[error("{given} {what} do not fit {device}, which takes {limit}: {remedy}")]
    TooLargeForDevice {
        given: usize,
        what: &'static str,
        device: String,
        limit: usize,
        remedy: &'static str,
    },
    #[cfg(feature = "hardware")]
    #[error(
        "{jobs} more {} the budget of {limit}, of which {spent} are spent: raise it, or stop here",
        if *jobs == 1 { "job exceeds" } else { "jobs exceed" }
    )]
    BudgetSpent { jobs: usize, spent: usize, limit: usize },
    #[cfg(feature = "hardware")]
    #[error("{what}: {remedy}")]
    Unsupported { what: String, remedy: String },
    #[error("{sampler}: {reason}")]
    BadCounts { sampler: String, reason: String },
    #[error("{what} has {actual} values, expected {expected}")]
    WrongLength { what: &'static str, expected: usize, actual: usize },
}

/// `2^log2_bytes` bytes in the unit that people buy, or as a power of two beyond all units.
fn memory(log2_bytes: usize) -> String {
    const UNITS: [&str; 7] = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    match UNITS.get(log2_bytes / 10) {
        Some(unit) => format!("{} {unit}", 1 << (log2_bytes % 10)),
        None => format!("2^{log2_bytes} bytes"),
    }
}

/// Refuses NaN and infinity in a coefficient.
pub(crate) fn finite(what: impl FnOnce() -> String, value: f64) -> Result<f64, Error> {
    if value.is_finite() {
        return Ok(value);
    }
    Err(ErrorKind::NotFinite { what: what(), value }.into())
}

/// Refuses a slice of the wrong length.
pub(crate) fn length(what: &'static str, expected: usize, actual: usize) -> Result<(), Error> {
    if expected == actual {
        return Ok(());
    }
    Err(ErrorKind::WrongLength { what, expected, actual }.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_named_in_its_unit() {
        assert_eq!([0, 9, 10, 34].map(memory), ["1 bytes", "512 bytes", "1 KiB", "16 GiB"]);
        assert_eq!([69, 70, 1000].map(memory), ["512 EiB", "2^70 bytes", "2^1000 bytes"]);
    }
}
