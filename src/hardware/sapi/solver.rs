//! A solver that takes problems on the graph of its chip.

use super::model::{Identity, SolverDefinition};
use crate::error::{Error, ErrorKind};
use crate::hardware::{Topology, WorkingGraph};
use serde::Deserialize;
use serde_json::{Map, Value};

/// A solver with a graph of qubits, and the ranges of what it takes.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Solver {
    /// Its name and version.
    pub identity: Identity,
    /// Whether it takes problems now.
    pub is_online: bool,
    /// How busy it is, `0` to `1`, if it says so.
    pub avg_load: Option<f64>,
    /// The qubits and couplers that work.
    pub graph: WorkingGraph,
    /// The family of its chip, if it is one of the known.
    pub topology: Option<Topology>,
    /// The range of fields.
    pub h_range: [f64; 2],
    /// The range of couplings; the extended one, if the chip has one.
    pub j_range: [f64; 2],
    /// The range of the sum of the couplings of a qubit, if it is limited.
    pub coupling_sum_range: Option<[f64; 2]>,
    /// The least and most reads of a problem.
    pub n_reads_range: [usize; 2],
    /// The names of the parameters that it takes.
    pub parameters: Vec<String>,
}

#[derive(Deserialize)]
struct Properties {
    num_qubits: usize,
    qubits: Vec<u32>,
    couplers: Vec<[u32; 2]>,
    #[serde(default)]
    topology: Value,
    h_range: [f64; 2],
    j_range: [f64; 2],
    extended_j_range: Option<[f64; 2]>,
    per_qubit_coupling_range: Option<[f64; 2]>,
    num_reads_range: [usize; 2],
    #[serde(default)]
    parameters: Map<String, Value>,
}

impl Solver {
    /// Reads the definition of a solver.
    ///
    /// # Errors
    ///
    /// When it is not one of a chip (but of a hybrid solver, say), or contradicts itself.
    pub fn new(definition: &SolverDefinition) -> Result<Self, Error> {
        let name = &definition.identity.name;
        let refused = |reason: String| ErrorKind::Unsupported {
            what: format!("solver {name} cannot be used as a chip: {reason}"),
            remedy: "choose another one".into(),
        };
        let properties: Properties = serde_json::from_value(definition.properties.clone())
            .map_err(|error| refused(error.to_string()))?;
        let Properties { num_qubits, qubits, couplers, .. } = properties;
        let graph = WorkingGraph::new(num_qubits, qubits, couplers)
            .map_err(|error| refused(error.to_string()))?;
        let j_range = properties.extended_j_range.unwrap_or(properties.j_range);
        for [low, high] in [properties.h_range, j_range] {
            if !(low < 0.0 && high > 0.0 && low.is_finite() && high.is_finite()) {
                let reason = format!("a range of coefficients is [{low}, {high}]");
                return Err(refused(reason).into());
            }
        }
        Ok(Self {
            identity: definition.identity.clone(),
            is_online: definition.status.eq_ignore_ascii_case("online"),
            avg_load: definition.avg_load,
            graph,
            topology: serde_json::from_value(properties.topology).ok(),
            h_range: properties.h_range,
            j_range,
            coupling_sum_range: properties.per_qubit_coupling_range,
            n_reads_range: properties.num_reads_range,
            parameters: properties.parameters.into_iter().map(|(name, _)| name).collect(),
        })
    }

    /// Whether it takes a parameter of this name.
    pub fn takes(&self, parameter: &str) -> bool {
        self.parameters.iter().any(|name| name == parameter)
    }
}
