//! Weighted graphs as in the G-set, written by the generator rudy: a line `n m`, then `m` lines
//! `i j w`, vertices counted from 1.
//!
//! Each edge is given once and joins two different vertices.
//!
//! ```
//! use burn_quantum::ising::formats::gset;
//!
//! let graph = gset::read("3 2\n1 2 1\n2 3 -4\n".as_bytes())?;
//! assert_eq!(graph.edges().collect::<Vec<_>>(), [(0, 1, 1.0), (1, 2, -4.0)]);
//!
//! let mut text = Vec::new();
//! gset::write(&graph, &mut text)?;
//! assert_eq!(text, b"3 2\n1 2 1\n2 3 -4\n");
//!
//! let error = gset::read("3 2\n1 2 1\n2 4 1\n".as_bytes()).unwrap_err();
//! assert_eq!(error.to_string(), "G-set, line 3: vertex 4 is out of range: use 1 to 3");
//! # Ok::<(), burn_quantum::Error>(())
//! ```
//!
//! # References
//!
//! - [Helmberg and Rendl (2000)](https://doi.org/10.1137/S1052623497328987), who made the G-set.

use super::lines::{Lines, Output, check_unique};
use crate::error::Error;
use crate::ising::MaxCut;
use std::io::{BufRead, Write};

const FORMAT: &str = "G-set";

/// Reads a graph.
///
/// # Errors
///
/// When the text is malformed (see [`formats`](super)), or cannot be read.
pub fn read(reader: impl BufRead) -> Result<MaxCut, Error> {
    let mut lines = Lines::new(FORMAT, reader);
    let Some(line) = lines.next()? else {
        return Err(lines.error("the text is empty: it must begin with a line `n m`".into()));
    };
    let [n, m] = line.words("n m")?;
    let n = line.count("the number of vertices", n)?;
    let m = line.count("the number of edges", m)?;
    let mut edges = Vec::new();
    while let Some(line) = lines.next()? {
        if edges.len() == m {
            return Err(line.error(format!("the header announces {m} edges, here is another")));
        }
        let [i, j, w] = line.words("i j w")?;
        let (i, j) = (line.index("vertex", i, 1, n)?, line.index("vertex", j, 1, n)?);
        if i == j {
            let vertex = i + 1;
            return Err(line.error(format!(
                "edge ({vertex}, {vertex}) is a loop, which no cut contains: leave it out"
            )));
        }
        edges.push((i, j, line.value("weight", w)?, line.number));
    }
    if edges.len() < m {
        let found = edges.len();
        return Err(lines.error(format!("the text ends after {found} of {m} edges")));
    }
    lines.check_size(n)?;
    check_unique(FORMAT, "edge", 1, edges.iter().map(|&(i, j, _, line)| (i, j, line)))?;
    MaxCut::new(n, edges.into_iter().map(|(i, j, w, _)| (i, j, w)))
}

/// Writes a graph.
///
/// # Errors
///
/// When the writer fails.
pub fn write(graph: &MaxCut, writer: impl Write) -> Result<(), Error> {
    let mut output = Output::new(FORMAT, writer);
    output.line(format_args!("{} {}", graph.n_vertices(), graph.n_edges()))?;
    for (i, j, w) in graph.edges() {
        output.line(format_args!("{} {} {w}", i + 1, j + 1))?;
    }
    output.finish()
}
