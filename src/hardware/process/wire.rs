//! The messages.

use super::{Failure, ProblemForm, ProcessInfo};
use crate::error::Fault;
use crate::hardware::Int8Ising;
use crate::ising::Ising;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What both sides speak.
const PROTOCOL: &str = "burn-quantum/1";

/// The first line.
pub(super) const GREETING: &[u8] = b"{\"protocol\":\"burn-quantum/1\"}\n";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Greeted {
    name: String,
    #[serde(default)]
    takes: ProblemForm,
    max_spins: Option<usize>,
    max_reads: Option<usize>,
}

fn malformed(reason: String) -> Failure {
    Failure::Ends(Fault::Malformed, format!("the program breaks the protocol: {reason}"))
}

/// The beginning of a line, for a message.
fn shown(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    match text.char_indices().nth(120) {
        Some((end, _)) => format!("`{}...`", &text[..end]),
        None => format!("`{text}`"),
    }
}

fn parsed<'a, T: Deserialize<'a>>(line: &'a [u8]) -> Result<T, Failure> {
    serde_json::from_slice(line).map_err(|error| {
        let remedy = "write one JSON object a line to standard output, without NaN, and everything \
                      else to standard error";
        malformed(format!("{error}, in {}: {remedy}", shown(line)))
    })
}

/// Reads the answer to [`GREETING`].
pub(super) fn info(line: &[u8]) -> Result<ProcessInfo, Failure> {
    let mut said: Map<String, Value> = parsed(line)?;
    if let Some(error) = said.get("error") {
        let reason = error.as_str().map_or_else(|| error.to_string(), String::from);
        return Err(Failure::Failed(reason));
    }
    let theirs = said.remove("protocol").unwrap_or_default();
    if theirs != PROTOCOL {
        return Err(malformed(format!("it speaks {theirs}, this version \"{PROTOCOL}\"")));
    }
    let Greeted { name, takes, max_spins, max_reads } = serde_json::from_value(said.into())
        .map_err(|error| malformed(format!("{error}, in {}", shown(line))))?;
    match [max_spins, max_reads].contains(&Some(0)) {
        true => Err(malformed("it takes at most 0 spins or reads: say 1 or more".into())),
        false => Ok(ProcessInfo { name, takes, max_spins, max_reads }),
    }
}

/// A problem in the form that the program takes.
pub(super) enum Form<'a> {
    Ising(&'a Ising),
    Int8(Int8Ising),
}

#[derive(Serialize)]
struct IsingRequest<'a> {
    id: u64,
    num_reads: usize,
    n_spins: usize,
    offset: f64,
    h: &'a [f64],
    i: Vec<usize>,
    j: Vec<usize>,
    #[serde(rename = "J")]
    couplings: Vec<f64>,
}

#[derive(Serialize)]
struct Int8Request<'a> {
    id: u64,
    num_reads: usize,
    n_spins: usize,
    int8: Vec<&'a [i8]>,
}

impl Form<'_> {
    /// The number of spins that the program sees.
    pub fn size(&self) -> usize {
        match self {
            Self::Ising(model) => model.n_spins(),
            Self::Int8(matrix) => matrix.size(),
        }
    }

    /// The line that asks for samples.
    pub fn request(&self, id: u64, num_reads: usize) -> Result<Vec<u8>, Failure> {
        let n_spins = self.size();
        let line = match self {
            Self::Ising(model) => {
                let couplings = || model.couplings();
                serde_json::to_vec(&IsingRequest {
                    id,
                    num_reads,
                    n_spins,
                    offset: model.offset(),
                    h: model.fields(),
                    i: couplings().map(|(i, _, _)| i).collect(),
                    j: couplings().map(|(_, j, _)| j).collect(),
                    couplings: couplings().map(|(_, _, value)| value).collect(),
                })
            }
            Self::Int8(matrix) => {
                let int8 = matrix.matrix().chunks(n_spins.max(1)).collect();
                serde_json::to_vec(&Int8Request { id, num_reads, n_spins, int8 })
            }
        };
        let mut line = line.map_err(|error| malformed(error.to_string()))?;
        line.push(b'\n');
        Ok(line)
    }

    fn energy(&self, spins: &[i8]) -> f64 {
        match self {
            Self::Ising(model) => model.energy(spins),
            Self::Int8(matrix) => matrix.energy(spins) as f64,
        }
    }

    /// What energies are compared to.
    fn scale(&self) -> f64 {
        match self {
            Self::Ising(model) => {
                let couplings = model.couplings().map(|(_, _, value)| value);
                let all = model.fields().iter().copied().chain(couplings);
                all.chain([model.offset()]).map(f64::abs).sum()
            }
            Self::Int8(matrix) => {
                matrix.matrix().iter().map(|&m| f64::from(m.unsigned_abs())).sum()
            }
        }
    }

    fn spins_of_model(&self, spins: &[i8]) -> Vec<i8> {
        match self {
            Self::Ising(_) => spins.to_vec(),
            Self::Int8(matrix) => matrix.spins_of_model(spins),
        }
    }

    /// Reads the answer to [`request`](Self::request): spins of the model and how often they were read.
    pub fn samples(
        &self,
        id: u64,
        n_reads: usize,
        line: &[u8],
    ) -> Result<(Vec<i8>, Vec<usize>), Failure> {
        let answer: Answer = parsed(line)?;
        if answer.id != id {
            let theirs = answer.id;
            return Err(malformed(format!("it answers request {theirs}, asked was {id}")));
        }
        if let Some(error) = answer.error {
            return Err(Failure::Failed(error));
        }
        let spins = answer.spins.ok_or_else(|| malformed("there is no `spins`".into()))?;
        let counts = answer.occurrences.unwrap_or_else(|| vec![1; spins.len()]);
        check_counts(&spins, &counts, n_reads).map_err(malformed)?;
        check_spins(&spins, self.size()).map_err(malformed)?;
        let energies = answer.energies.as_deref();
        energies.map_or(Ok(()), |e| self.check_energies(&spins, e)).map_err(malformed)?;
        Ok((spins.iter().flat_map(|spins| self.spins_of_model(spins)).collect(), counts))
    }

    fn check_energies(&self, spins: &[Vec<i8>], energies: &[f64]) -> Result<(), String> {
        if energies.len() != spins.len() {
            return Err(format!("{} `energies` of {} samples", energies.len(), spins.len()));
        }
        let tolerance = 1e-6 * self.scale();
        for (k, (spins, &reported)) in spins.iter().zip(energies).enumerate() {
            let energy = self.energy(spins);
            if (energy - reported).abs() > tolerance {
                return Err(format!(
                    "sample {k} comes with the energy {reported}, but has {energy}: its spins are \
                     in another order or of other signs, or leave out `energies`"
                ));
            }
        }
        Ok(())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    id: u64,
    error: Option<String>,
    spins: Option<Vec<Vec<i8>>>,
    energies: Option<Vec<f64>>,
    occurrences: Option<Vec<usize>>,
}

fn check_counts(spins: &[Vec<i8>], counts: &[usize], n_reads: usize) -> Result<(), String> {
    if counts.len() != spins.len() {
        return Err(format!("{} `occurrences` of {} samples", counts.len(), spins.len()));
    }
    if let Some(k) = counts.iter().position(|&count| count == 0) {
        return Err(format!("sample {k} occurs 0 times: leave it out"));
    }
    match counts.iter().fold(0, |sum: usize, &count| sum.saturating_add(count)) {
        sum if sum == n_reads => Ok(()),
        sum => Err(format!("{sum} reads, asked for {n_reads}")),
    }
}

fn check_spins(spins: &[Vec<i8>], size: usize) -> Result<(), String> {
    for (k, spins) in spins.iter().enumerate() {
        if spins.len() != size {
            return Err(format!("sample {k} has {} spins, the problem {size}", spins.len()));
        }
        if let Some(i) = spins.iter().position(|s| s.unsigned_abs() != 1) {
            return Err(format!("spin {i} of sample {k} is {}: use 1 or -1", spins[i]));
        }
    }
    Ok(())
}
