//! What goes over the wire, apart from the numbers.

use super::qp::ProblemData;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The name of a solver, and of which graph it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// As `Advantage_system4.1`.
    pub name: String,
    /// Changes when qubits or couplers do.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub version: Option<Version>,
}

/// The version of a solver.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Version {
    /// Names the working graph.
    pub graph_id: String,
}

/// A solver as the service lists it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SolverDefinition {
    /// Its name and version.
    pub identity: Identity,
    /// `ONLINE` or `OFFLINE`.
    pub status: String,
    /// In words.
    #[serde(default)]
    pub description: Option<String>,
    /// How busy it is, `0` to `1`.
    #[serde(default)]
    pub avg_load: Option<f64>,
    /// What it can do.
    pub properties: Value,
}

/// The variables of a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProblemKind {
    /// `+1` and `-1`.
    Ising,
    /// `1` and `0`.
    Qubo,
}

/// A problem to submit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Problem {
    /// The solver that shall solve it.
    pub solver: Identity,
    /// The kind of its variables.
    #[serde(rename = "type")]
    pub kind: ProblemKind,
    /// Shown by the service; helps to find the job again.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub label: Option<String>,
    /// `num_reads`, `answer_mode`, `annealing_time`, ... as the solver names them.
    #[serde(default)]
    pub params: Map<String, Value>,
    /// The coefficients.
    pub data: ProblemData,
}

/// What the service says of a job, or of a problem that it did not take.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Status {
    pub id: Option<String>,
    pub status: Option<String>,
    pub error_code: Option<u32>,
    pub error_msg: Option<String>,
    pub error_message: Option<String>,
    pub answer: Option<Value>,
}
