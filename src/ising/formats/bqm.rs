//! dimod's JSON of a `BinaryQuadraticModel`, what `json.dumps(bqm.to_serializable())` writes: schema
//! 3.0.0, and 2.0.0 with lists.
//!
//! ```
//! use burn_quantum::ising::Ising;
//! use burn_quantum::ising::formats::bqm::{self, Label};
//!
//! let model = Ising::sparse(vec![0.5, 0.0], [(0, 1, -1.0)], 2.0)?;
//! let labels = [Label::Text("a".into()), Label::Integer(7)];
//! let mut json = Vec::new();
//! bqm::write(&model.clone().into(), Some(&labels), &mut json)?;
//!
//! let read = bqm::read(&json[..])?;
//! assert_eq!(read.model, model.into());
//! assert_eq!(read.labels, labels);
//! # Ok::<(), burn_quantum::Error>(())
//! ```

use super::lines::{io, shortened};
use super::{Model, Vartype};
use crate::error::{Error, ErrorKind, length};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::io::{BufRead, Write};

const FORMAT: &str = "BQM JSON";

/// The name of a variable.
#[allow(missing_docs)]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Label {
    Integer(i64),
    Real(f64),
    Text(String),
    Tuple(Vec<Label>),
}

/// A model and the names of its variables.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelledModel {
    /// The model, its variables in the order of the file.
    pub model: Model,
    /// Their names, `[n_variables]`.
    pub labels: Vec<Label>,
}

#[derive(Serialize, Deserialize)]
struct Version {
    bqm_schema: String,
}

/// What the lists have in common with the ones that hold bytes.
#[derive(Serialize, Deserialize)]
struct Document {
    #[serde(rename = "type")]
    kind: String,
    version: Version,
    use_bytes: bool,
    #[serde(default)]
    index_type: String,
    #[serde(default)]
    bias_type: String,
    num_variables: usize,
    num_interactions: usize,
    variable_labels: Vec<Label>,
    variable_type: String,
    offset: f64,
    #[serde(default, skip_deserializing)]
    info: Info,
    linear_biases: Vec<f64>,
    quadratic_biases: Vec<f64>,
    quadratic_head: Vec<usize>,
    quadratic_tail: Vec<usize>,
}

/// An empty object, which dimod still writes.
#[derive(Default, Serialize)]
struct Info {}

fn refused(place: impl Into<String>, reason: impl Into<String>) -> Error {
    ErrorKind::Format { format: FORMAT, place: place.into(), reason: reason.into() }.into()
}

/// Where serde_json stopped, and why.
fn of_json(error: &serde_json::Error) -> Error {
    if error.is_io() {
        return ErrorKind::Io { format: FORMAT, reason: error.to_string() }.into();
    }
    let place = format!("line {}, column {}", error.line(), error.column());
    let suffix = format!(" at {}", place.replace(", column", " column"));
    let reason = error.to_string();
    let reason = shortened(reason.strip_suffix(&suffix).unwrap_or(&reason));
    refused(place, format!("{reason}: give what `json.dumps(bqm.to_serializable())` writes"))
}

/// Reads a model and its labels.
///
/// # Errors
///
/// When the text is not JSON of this schema, its lists do not fit together, or it cannot be read.
pub fn read(reader: impl BufRead) -> Result<LabelledModel, Error> {
    let document: Document = serde_json::from_reader(reader).map_err(|error| of_json(&error))?;
    let Document { kind, version, variable_labels: labels, .. } = &document;
    if kind != "BinaryQuadraticModel" {
        return Err(refused(
            "type",
            format!("`{}` must be `BinaryQuadraticModel`", shortened(kind)),
        ));
    }
    let schema = &version.bqm_schema;
    if !["2.", "3."].iter().any(|major| schema.starts_with(major)) {
        return Err(refused(
            "version",
            format!("schema `{}` must be 2.0.0 or 3.0.0", shortened(schema)),
        ));
    }
    if document.use_bytes {
        return Err(refused("use_bytes", "must be false: call `to_serializable(use_bytes=False)`"));
    }
    let Some(vartype) = Vartype::of_name(&document.variable_type) else {
        let given = shortened(&document.variable_type);
        return Err(refused("variable_type", format!("`{given}` must be SPIN or BINARY")));
    };
    let (n, m) = (document.num_variables, document.num_interactions);
    let lengths = [
        ("variable_labels", labels.len(), n, "num_variables"),
        ("linear_biases", document.linear_biases.len(), n, "num_variables"),
        ("quadratic_biases", document.quadratic_biases.len(), m, "num_interactions"),
        ("quadratic_head", document.quadratic_head.len(), m, "num_interactions"),
        ("quadratic_tail", document.quadratic_tail.len(), m, "num_interactions"),
    ];
    for (place, actual, expected, of) in lengths {
        if actual != expected {
            let reason = format!("has {actual} entries, but {of} is {expected}");
            return Err(refused(place, reason));
        }
    }
    check_labels(labels)?;
    let mut pairs = Vec::with_capacity(m);
    for k in 0..m {
        let (i, j) = (document.quadratic_head[k], document.quadratic_tail[k]);
        for (place, index) in [("quadratic_head", i), ("quadratic_tail", j)] {
            if index >= n {
                let reason = format!("{index} is out of range for {n} variables");
                return Err(refused(format!("{place}[{k}]"), reason));
            }
        }
        if i == j {
            let reason = format!("joins variable {i} to itself: make it a linear bias or offset");
            return Err(refused(format!("interaction {k}"), reason));
        }
        pairs.push((i, j, document.quadratic_biases[k]));
    }
    let model = Model::of(vartype, document.linear_biases, pairs, document.offset)?;
    Ok(LabelledModel { model, labels: document.variable_labels })
}

fn check_labels(labels: &[Label]) -> Result<(), Error> {
    let mut seen = HashSet::new();
    for (k, label) in labels.iter().enumerate() {
        let text = serde_json::to_string(label).map_err(|error| of_json(&error))?;
        if !seen.insert(text) {
            let reason = "names a variable that has this name already: rename one";
            return Err(refused(format!("variable_labels[{k}]"), reason));
        }
    }
    Ok(())
}

/// Writes a model in schema 3.0.0. Without labels, the variables are named by their numbers.
///
/// # Errors
///
/// When there is not one label for each variable, two are the same, or the writer fails.
pub fn write(model: &Model, labels: Option<&[Label]>, writer: impl Write) -> Result<(), Error> {
    let n = model.n_variables();
    let labels = match labels {
        Some(labels) => labels.to_vec(),
        None => (0..n as i64).map(Label::Integer).collect(),
    };
    length("the labels", n, labels.len())?;
    check_labels(&labels)?;
    let pairs = || model.pairs();
    let document = Document {
        kind: "BinaryQuadraticModel".into(),
        version: Version { bqm_schema: "3.0.0".into() },
        use_bytes: false,
        index_type: if i32::try_from(n).is_ok() { "int32" } else { "int64" }.into(),
        bias_type: "float64".into(),
        num_variables: n,
        num_interactions: pairs().count(),
        variable_labels: labels,
        variable_type: model.vartype().name().into(),
        offset: model.offset(),
        info: Info {},
        linear_biases: model.linear().to_vec(),
        quadratic_biases: pairs().map(|(_, _, value)| value).collect(),
        quadratic_head: pairs().map(|(i, _, _)| i).collect(),
        quadratic_tail: pairs().map(|(_, j, _)| j).collect(),
    };
    let mut writer = std::io::BufWriter::new(writer);
    serde_json::to_writer(&mut writer, &document).map_err(|error| of_json(&error))?;
    writer.flush().map_err(|error| io(FORMAT, &error))
}
