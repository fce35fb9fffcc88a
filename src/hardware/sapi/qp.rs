//! The format `qp`: coefficients and samples as base64 of little-endian arrays.

use super::model::ProblemKind;
use crate::hardware::WorkingGraph;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::time::Duration;

/// A problem on a working graph.
///
/// ```
/// use burn_quantum::hardware::WorkingGraph;
/// use burn_quantum::hardware::sapi::{Coefficients, ProblemData};
///
/// let graph = WorkingGraph::new(8, (0..8).collect(), vec![[0, 4], [0, 5]])?;
/// let mut problem = Coefficients::inactive(&graph);
/// (problem.linear[0], problem.linear[4], problem.quadratic[0]) = (1.0, -1.0, 1.0);
/// let data = ProblemData::encode(&graph, &problem);
/// assert_eq!(data.quad, "AAAAAAAA8D8="); // the coupler to qubit 5, inactive, is not sent
/// # Ok::<(), burn_quantum::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Coefficients {
    /// One for each qubit in the order of [`WorkingGraph::qubits`]; NaN for those that take no part.
    pub linear: Vec<f64>,
    /// One for each coupler in the order of [`WorkingGraph::couplers`]; those with an end that takes
    /// no part do not count.
    pub quadratic: Vec<f64>,
}

impl Coefficients {
    /// No qubit takes part.
    pub fn inactive(graph: &WorkingGraph) -> Self {
        let linear = vec![f64::NAN; graph.qubits().len()];
        Self { linear, quadratic: vec![0.0; graph.couplers().len()] }
    }

    /// The numbers of the qubits that take part, in the order of the graph's list.
    pub fn active(&self, graph: &WorkingGraph) -> Vec<u32> {
        let pairs = graph.qubits().iter().zip(&self.linear);
        pairs.filter(|(_, h)| !h.is_nan()).map(|(&q, _)| q).collect()
    }

    /// Of each coupler whose two ends take part: the places of the ends among the active qubits,
    /// and the coefficient.
    pub(super) fn active_pairs(&self, graph: &WorkingGraph) -> Vec<(usize, usize, f64)> {
        let mut places = vec![usize::MAX; graph.n_labels()];
        for (k, &q) in self.active(graph).iter().enumerate() {
            places[q as usize] = k;
        }
        let ends = graph.couplers().iter().map(|&[a, b]| (places[a as usize], places[b as usize]));
        let all = ends.zip(&self.quadratic).map(|((a, b), &value)| (a, b, value));
        all.filter(|&(a, b, _)| a != usize::MAX && b != usize::MAX).collect()
    }

    /// Compares the energies that a device reports to those of its samples.
    pub(crate) fn check_energies(
        &self,
        graph: &WorkingGraph,
        kind: ProblemKind,
        answer: &Answer,
    ) -> Result<(), String> {
        if answer.active != self.active(graph) {
            return Err("the answer is about other qubits than the problem".into());
        }
        let linear: Vec<f64> = self.linear.iter().copied().filter(|h| !h.is_nan()).collect();
        let pairs = self.active_pairs(graph);
        let value = |s: i8| match kind {
            ProblemKind::Ising => f64::from(s),
            ProblemKind::Qubo => f64::from((1 + s) / 2),
        };
        let scale = linear.iter().map(|h| h.abs()).sum::<f64>()
            + pairs.iter().map(|(_, _, j)| j.abs()).sum::<f64>();
        let n = linear.len();
        for (k, &reported) in answer.energies.iter().enumerate() {
            let v: Vec<f64> = answer.spins[k * n..][..n].iter().map(|&s| value(s)).collect();
            let energy = linear.iter().zip(&v).map(|(h, v)| h * v).sum::<f64>()
                + pairs.iter().map(|&(a, b, j)| j * v[a] * v[b]).sum::<f64>();
            if (energy - reported).abs() > 1e-6 * scale.max(f64::MIN_POSITIVE) {
                return Err(format!(
                    "sample {k} comes with the energy {reported}, but has {energy}: samples and \
                     problem do not belong together"
                ));
            }
        }
        Ok(())
    }
}

/// The coefficients of a problem, encoded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProblemData {
    /// `qp`
    pub format: String,
    /// Base64 of an `f64` for each qubit, NaN if it takes no part.
    pub lin: String,
    /// Base64 of an `f64` for each coupler whose two ends take part.
    pub quad: String,
    /// Added to energies by clients.
    #[serde(default)]
    pub offset: f64,
}

fn encode<const N: usize>(values: impl Iterator<Item = [u8; N]>) -> String {
    let mut bytes = Vec::with_capacity(N * values.size_hint().1.unwrap_or(0));
    values.for_each(|value| bytes.extend_from_slice(&value));
    BASE64.encode(bytes)
}

/// The values of a base64 text.
fn decode<const N: usize, T>(
    what: &str,
    text: &str,
    value: impl Fn([u8; N]) -> T,
) -> Result<Vec<T>, String> {
    let bytes = BASE64.decode(text).map_err(|error| format!("{what} is not base64: {error}"))?;
    match bytes.as_chunks::<N>() {
        (chunks, []) => Ok(chunks.iter().map(|&chunk| value(chunk)).collect()),
        _ => Err(format!("{what} has {} bytes, which is no multiple of {N}", bytes.len())),
    }
}

fn expect(what: &str, expected: usize, actual: usize) -> Result<(), String> {
    match expected == actual {
        true => Ok(()),
        false => Err(format!("{what} has {actual} values, expected {expected}")),
    }
}

impl ProblemData {
    /// Encodes a problem.
    ///
    /// # Panics
    ///
    /// Panics if the problem is of another graph.
    pub fn encode(graph: &WorkingGraph, problem: &Coefficients) -> Self {
        assert_eq!(problem.linear.len(), graph.qubits().len(), "a problem of this graph");
        assert_eq!(problem.quadratic.len(), graph.couplers().len(), "a problem of this graph");
        let mut active = vec![false; graph.n_labels()];
        for (&q, h) in graph.qubits().iter().zip(&problem.linear) {
            active[q as usize] = !h.is_nan();
        }
        let sent = graph.couplers().iter().zip(&problem.quadratic);
        let sent = sent.filter(|([a, b], _)| active[*a as usize] && active[*b as usize]);
        // One NaN of many, as the maker's own client sends it.
        let linear = problem.linear.iter().map(|&h| if h.is_nan() { f64::NAN } else { h });
        Self {
            format: "qp".into(),
            lin: encode(linear.map(f64::to_le_bytes)),
            quad: encode(sent.map(|(_, value)| value.to_le_bytes())),
            offset: 0.0,
        }
    }

    /// Decodes a problem, and says what is wrong with it.
    pub(super) fn decode(&self, graph: &WorkingGraph) -> Result<Coefficients, String> {
        if self.format != "qp" {
            return Err(format!("the format `{}` is not supported: use `qp`", self.format));
        }
        let linear = decode("lin", &self.lin, f64::from_le_bytes)?;
        expect("lin", graph.qubits().len(), linear.len())?;
        let mut problem = Coefficients { linear, ..Coefficients::inactive(graph) };
        let values = decode("quad", &self.quad, f64::from_le_bytes)?;
        let active = |q: u32| graph.place(q).is_some_and(|p| !problem.linear[p].is_nan());
        let places = (0..graph.couplers().len())
            .filter(|&place| graph.couplers()[place].iter().all(|&q| active(q)));
        let places: Vec<usize> = places.collect();
        expect("quad", places.len(), values.len())?;
        for (&place, &value) in places.iter().zip(&values) {
            problem.quadratic[place] = value;
        }
        match problem.linear.iter().chain(&values).find(|x| x.is_infinite()) {
            None if values.iter().all(|x| x.is_finite()) => Ok(problem),
            _ => Err("a coefficient is not finite".into()),
        }
    }
}

/// The samples of a job.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Answer {
    /// The numbers of the qubits that took part.
    pub active: Vec<u32>,
    /// The configurations of these qubits, `[len, n_active]`: `+1` or `-1`, where `+1` is the bit 1
    /// of a QUBO.
    pub spins: Vec<i8>,
    /// The energies as the device reports them, `[len]`, without the offset of the problem.
    pub energies: Vec<f64>,
    /// How often each was read, `[len]`.
    pub counts: Vec<usize>,
    /// Times in microseconds, as the device names them.
    pub timing: Map<String, Value>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct AnswerData {
    format: String,
    num_variables: usize,
    active_variables: String,
    energies: String,
    solutions: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    num_occurrences: Option<String>,
    #[serde(default)]
    timing: Map<String, Value>,
}

impl Answer {
    /// The number of different configurations, or of reads of a raw answer.
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// The time for which the chip was in use.
    pub fn qpu_access_time(&self) -> Option<Duration> {
        let microseconds = self.timing.get("qpu_access_time")?.as_f64()?;
        Duration::try_from_secs_f64(1e-6 * microseconds).ok()
    }

    pub(super) fn encode(&self, graph: &WorkingGraph) -> AnswerData {
        let pack = |spins: &[i8]| {
            let bit = |(k, &s): (usize, &i8)| u8::from(s > 0) << (7 - k);
            spins.chunks(8).map(|eight| eight.iter().enumerate().map(bit).sum::<u8>()).collect()
        };
        let n = self.active.len();
        let packed = (0..self.len()).map(|k| pack(&self.spins[k * n..][..n]));
        AnswerData {
            format: "qp".into(),
            num_variables: graph.n_labels(),
            active_variables: encode(self.active.iter().map(|q| q.to_le_bytes())),
            energies: encode(self.energies.iter().map(|e| e.to_le_bytes())),
            solutions: BASE64.encode(packed.collect::<Vec<Vec<u8>>>().concat()),
            num_occurrences: Some(encode(self.counts.iter().map(|&c| (c as i32).to_le_bytes()))),
            timing: self.timing.clone(),
        }
    }

    /// Decodes an answer, and says what is wrong with it.
    pub(super) fn decode(graph: &WorkingGraph, answer: Value) -> Result<Self, String> {
        let data: AnswerData = serde_json::from_value(answer).map_err(|e| e.to_string())?;
        if data.format != "qp" {
            return Err(format!("the format `{}` is not supported, only `qp`", data.format));
        }
        expect("num_variables", graph.n_labels(), data.num_variables)?;
        let active = decode("active_variables", &data.active_variables, u32::from_le_bytes)?;
        if let Some(q) = active.iter().find(|&&q| graph.place(q).is_none()) {
            return Err(format!("active_variables names {q}, which is no working qubit"));
        }
        let energies = decode("energies", &data.energies, f64::from_le_bytes)?;
        if let Some((k, e)) = energies.iter().enumerate().find(|(_, e)| !e.is_finite()) {
            return Err(format!("the energy of sample {k} is {e}"));
        }
        let counts = match &data.num_occurrences {
            None => vec![1; energies.len()],
            Some(text) => decode("num_occurrences", text, i32::from_le_bytes)?
                .into_iter()
                .map(|count| usize::try_from(count).ok().filter(|&count| count > 0))
                .collect::<Option<_>>()
                .ok_or("num_occurrences has a count that is not positive")?,
        };
        expect("num_occurrences", energies.len(), counts.len())?;
        let bytes = BASE64.decode(&data.solutions).map_err(|e| format!("solutions: {e}"))?;
        let (n, width) = (active.len(), active.len().div_ceil(8));
        expect("solutions", energies.len() * width, bytes.len())?;
        let spin = |sample: &[u8], k: usize| match sample[k / 8] >> (7 - k % 8) & 1 {
            1 => 1,
            _ => -1,
        };
        let samples = (0..energies.len()).map(|k| &bytes[k * width..][..width]);
        let spins = samples.flat_map(|sample| (0..n).map(move |k| spin(sample, k))).collect();
        Ok(Self { active, spins, energies, counts, timing: data.timing })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vector that the specification gives, byte for byte: qubits 0 to 7, of which 0 and 4 take
    /// part, `h = (1, -1)`, `J = 1`, of which the ground state is `(-1, +1)` with energy -3.
    #[test]
    fn the_check_vector_of_the_specification_is_met() {
        let couplers = (0..4).flat_map(|a| (4..8).map(move |b| [a, b])).collect();
        let graph = WorkingGraph::new(8, (0..8).collect(), couplers).unwrap();
        let mut problem = Coefficients::inactive(&graph);
        (problem.linear[0], problem.linear[4]) = (1.0, -1.0);
        problem.quadratic[graph.coupler(4, 0).unwrap()] = 1.0;
        let data = ProblemData::encode(&graph, &problem);
        let lin = "AAAAAAAA8D8AAAAAAAD4fwAAAAAAAPh/AAAAAAAA+H8AAAAAAADwvwAAAAAAAPh/AAAAAAAA+H8AAAAAAAD4fw==";
        assert_eq!((data.lin.as_str(), data.quad.as_str()), (lin, "AAAAAAAA8D8="));
        let decoded = data.decode(&graph).unwrap();
        assert_eq!(ProblemData::encode(&graph, &decoded), data);

        let answer = serde_json::json!({
            "format": "qp", "num_variables": 8, "active_variables": "AAAAAAQAAAA=",
            "energies": "AAAAAAAACMA=", "solutions": "QA==", "num_occurrences": "FAAAAA==",
            "timing": {"qpu_access_time": 1500.0},
        });
        let decoded = Answer::decode(&graph, answer.clone()).unwrap();
        assert_eq!((&decoded.active[..], &decoded.spins[..]), (&[0, 4][..], &[-1, 1][..]));
        assert_eq!((&decoded.energies[..], &decoded.counts[..]), (&[-3.0][..], &[20][..]));
        assert_eq!(decoded.qpu_access_time(), Some(Duration::from_micros(1500)));
        assert_eq!(serde_json::to_value(decoded.encode(&graph)).unwrap(), answer);
        problem.check_energies(&graph, ProblemKind::Ising, &decoded).unwrap();
        assert!(problem.check_energies(&graph, ProblemKind::Qubo, &decoded).is_err());
    }

    #[test]
    fn wrong_answers_are_refused_with_the_reason() {
        let graph = WorkingGraph::new(8, (0..8).collect(), vec![[0, 4]]).unwrap();
        let right = serde_json::json!({
            "format": "qp", "num_variables": 8, "active_variables": "AAAAAAQAAAA=",
            "energies": "AAAAAAAACMA=", "solutions": "QA==", "num_occurrences": "FAAAAA==",
        });
        let nan = BASE64.encode(f64::NAN.to_le_bytes());
        let nine = BASE64.encode(9u32.to_le_bytes());
        for (field, value, reason) in [
            ("format", "bq", "`bq` is not supported"),
            ("energies", &nan, "the energy of sample 0 is NaN"),
            ("energies", "AAAA", "no multiple of 8"),
            ("energies", "", "num_occurrences has 1 values, expected 0"),
            ("energies", "*", "energies is not base64"),
            ("solutions", "QAA=", "solutions has 2 values, expected 1"),
            ("num_occurrences", "AAAAAA==", "not positive"),
            ("active_variables", &nine, "names 9, which is no working qubit"),
        ] {
            let mut wrong = right.clone();
            wrong[field] = value.into();
            let error = Answer::decode(&graph, wrong).unwrap_err();
            assert!(error.contains(reason), "{field}: {error}");
        }
    }

    #[test]
    fn wrong_problems_are_refused_with_the_reason() {
        let graph = WorkingGraph::new(2, vec![0, 1], vec![[0, 1]]).unwrap();
        let right = ProblemData::encode(
            &graph,
            &Coefficients { linear: vec![1.0, 2.0], quadratic: vec![0.5] },
        );
        assert!(right.decode(&graph).is_ok());
        let wrong = [
            (ProblemData { format: "bq".into(), ..right.clone() }, "`bq`"),
            (ProblemData { lin: right.quad.clone(), ..right.clone() }, "lin has 1 values"),
            (ProblemData { quad: String::new(), ..right.clone() }, "quad has 0 values"),
            (ProblemData { quad: BASE64.encode(f64::NAN.to_le_bytes()), ..right }, "not finite"),
        ];
        for (data, reason) in wrong {
            let error = data.decode(&graph).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }
}
