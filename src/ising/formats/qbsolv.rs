//! `.qubo` files, the input of qbsolv: comments `c ...`, a line
//! `p qubo topology maxNodes nNodes nCouplers`, `nNodes` lines `i i Q_ii` and then `nCouplers` lines
//! `i j Q_ij`, `i < j`, variables counted from 0.
//!
//! The model has `maxNodes` variables, named or not. A coupler may join variables that are not
//! among the nodes, as in the files that come with qbsolv, though its manual forbids it. The format
//! does not say whether to minimise; the Beasley problems that come with qbsolv are to be maximised,
//! so solve their [`negated`](Qubo::negated) model. The format has no offset: it is kept in a comment
//! `c offset <number>`, which other programs ignore.
//!
//! ```
//! use burn_quantum::ising::formats::qbsolv;
//!
//! let qubo = qbsolv::read("c one of two\np qubo 0 2 2 1\n0 0 -1\n1 1 -1\n0 1 2\n".as_bytes())?;
//! assert_eq!(qubo.energy(&[1, 0]), -1.0);
//!
//! let error = qbsolv::read("p qubo 0 2 0 1\n1 0 2.5\n".as_bytes()).unwrap_err();
//! assert_eq!(error.to_string(), "qubo, line 2: coupler (1, 0) must have i < j: swap its numbers");
//! # Ok::<(), burn_quantum::Error>(())
//! ```

use super::lines::{Lines, Output, check_unique};
use crate::error::Error;
use crate::ising::Qubo;
use std::io::{BufRead, Write};

const FORMAT: &str = "qubo";
const HEADER: &str = "p qubo topology maxNodes nNodes nCouplers";

/// Reads a QUBO.
///
/// # Errors
///
/// When the text is malformed (see [`formats`](super)), or cannot be read.
pub fn read(reader: impl BufRead) -> Result<Qubo, Error> {
    let mut lines = Lines::new(FORMAT, reader);
    let (mut header, mut offset) = (None, 0.0);
    let mut entries = Vec::new();
    while let Some(line) = lines.next()? {
        let is = |word: &str| line.text.split_ascii_whitespace().next() == Some(word);
        if line.text.starts_with('c') {
            let mut words = line.text.split_ascii_whitespace();
            if let (Some("c"), Some("offset"), Some(value), None) =
                (words.next(), words.next(), words.next(), words.next())
            {
                offset = line.value("offset", value)?;
            }
        } else if is("p") && header.is_none() {
            let [_, kind, _, n, n_nodes, n_couplers] = line.words(HEADER)?;
            if kind != "qubo" {
                return Err(line.error(format!("the file type must be `qubo`: write `{HEADER}`")));
            }
            let n = line.count("maxNodes", n)?;
            let n_nodes = line.count("nNodes", n_nodes)?;
            header = Some((n, n_nodes, line.count("nCouplers", n_couplers)?));
        } else if is("p") {
            return Err(line.error("a second program line: there must be one".into()));
        } else {
            let Some((n, n_nodes, n_couplers)) = header else {
                return Err(line.error(format!("before any entry there must be a line `{HEADER}`")));
            };
            let [i, j, value] = line.words("i j value")?;
            let (i, j) = (line.index("variable", i, 0, n)?, line.index("variable", j, 0, n)?);
            let value = line.value("coefficient", value)?;
            let (is_node, seen) = (i == j, entries.len());
            if seen - n_nodes.min(seen) >= n_couplers && seen >= n_nodes {
                let sum = format!("{n_nodes} nodes and {n_couplers} couplers");
                return Err(line.error(format!("the header announces {sum}, here is another")));
            } else if is_node != (seen < n_nodes) {
                let (expected, given) = match is_node {
                    true => ("coupler", "node"),
                    false => ("node", "coupler"),
                };
                return Err(line.error(format!(
                    "({i}, {j}) is a {given}, but the header announces {n_nodes} nodes, then \
                     {n_couplers} couplers, so a {expected} must follow"
                )));
            } else if i > j {
                let reason = format!("coupler ({i}, {j}) must have i < j: swap its numbers");
                return Err(line.error(reason));
            }
            entries.push((i, j, value, line.number));
        }
    }
    let Some((n, n_nodes, n_couplers)) = header else {
        return Err(lines.error(format!("the text ends without a line `{HEADER}`")));
    };
    // The sum of two counts of a header may overflow; what was read cannot.
    if entries.len() < n_nodes || entries.len() - n_nodes < n_couplers {
        let found = entries.len();
        return Err(lines.error(format!(
            "the text ends after {found} entries of {n_nodes} nodes and {n_couplers} couplers"
        )));
    }
    lines.check_size(n)?;
    check_unique(FORMAT, "entry", 0, entries.iter().map(|&(i, j, _, line)| (i, j, line)))?;
    Qubo::sparse(n, entries.into_iter().map(|(i, j, value, _)| (i, j, value)), offset)
}

/// Writes a QUBO.
///
/// # Errors
///
/// When the writer fails.
pub fn write(qubo: &Qubo, writer: impl Write) -> Result<(), Error> {
    let mut output = Output::new(FORMAT, writer);
    if qubo.offset() != 0.0 {
        output.line(format_args!("c offset {}", qubo.offset()))?;
    }
    let nodes = qubo.linear().iter().enumerate().filter(|(_, value)| **value != 0.0);
    let (n, n_nodes, n_couplers) = (qubo.n_variables(), nodes.clone().count(), qubo.n_quadratic());
    output.line(format_args!("p qubo 0 {n} {n_nodes} {n_couplers}"))?;
    for (i, value) in nodes {
        output.line(format_args!("{i} {i} {value}"))?;
    }
    for (i, j, value) in qubo.quadratic() {
        output.line(format_args!("{i} {j} {value}"))?;
    }
    output.finish()
}
