//! The bqp files of Beasley's OR-Library: the number of problems, then for each a line `n m` and
//! `m` lines `i j q_ij`, variables counted from 1.
//!
//! They ask for the maximum of `x^T q x` with a symmetric `q` of which half is listed. This crate
//! minimises and counts each pair once, so `Q_ii = -q_ii` and `Q_ij = -2 q_ij`: the published
//! optima are minus the energies.
//!
//! ```
//! use burn_quantum::ising::formats::beasley;
//!
//! let problems = beasley::read("1\n2 2\n1 1 5\n1 2 -3\n".as_bytes())?;
//! assert_eq!(problems[0].energy(&[1, 1]), -(5.0 - 2.0 * 3.0));
//! # Ok::<(), burn_quantum::Error>(())
//! ```
//!
//! # References
//!
//! - [Beasley (1998)](http://people.brunel.ac.uk/~mastjjb/jeb/orlib/bqpinfo.html)

use super::lines::{Lines, Output, check_unique};
use crate::error::{Error, ErrorKind};
use crate::ising::Qubo;
use std::io::{BufRead, Write};

const FORMAT: &str = "bqp";

/// Reads all problems of a file, as QUBOs to be minimised.
///
/// # Errors
///
/// When the text is malformed (see [`formats`](super)), or cannot be read.
pub fn read(reader: impl BufRead) -> Result<Vec<Qubo>, Error> {
    let mut lines = Lines::new(FORMAT, reader);
    let Some(line) = lines.next()? else {
        let reason = "the text is empty: it must begin with the number of problems";
        return Err(lines.error(reason.into()));
    };
    let [count] = line.words("number of problems")?;
    let count = line.count("the number of problems", count)?;
    let (mut problems, mut n_all) = (Vec::new(), 0usize);
    while let Some(line) = lines.next()? {
        if problems.len() == count {
            let reason = format!("the first line announces {count} problems, here is more");
            return Err(line.error(reason));
        }
        let [n, m] = line.words("n m")?;
        let n = line.count("the number of variables", n)?;
        let m = line.count("the number of entries", m)?;
        let mut entries = Vec::new();
        while entries.len() < m {
            let Some(line) = lines.next()? else {
                let found = entries.len();
                return Err(lines.error(format!("the text ends after {found} of {m} entries")));
            };
            let [i, j, value] = line.words("i j q")?;
            let (i, j) = (line.index("variable", i, 1, n)?, line.index("variable", j, 1, n)?);
            entries.push((i, j, line.value("entry", value)?, line.number));
        }
        n_all = n_all.saturating_add(n);
        lines.check_size(n_all)?;
        check_unique(FORMAT, "entry", 1, entries.iter().map(|&(i, j, _, line)| (i, j, line)))?;
        let negated = entries.into_iter().map(|(i, j, q, _)| {
            let twice = if i == j { 1.0 } else { 2.0 };
            (i, j, -twice * q)
        });
        problems.push(Qubo::sparse(n, negated, 0.0)?);
    }
    if problems.len() < count {
        let found = problems.len();
        return Err(lines.error(format!("the text ends after {found} of {count} problems")));
    }
    Ok(problems)
}

/// Writes QUBOs that are to be minimised.
///
/// # Errors
///
/// When a QUBO has an offset, for which the format has no place, or the writer fails.
pub fn write(problems: &[Qubo], writer: impl Write) -> Result<(), Error> {
    let mut output = Output::new(FORMAT, writer);
    output.line(format_args!("{}", problems.len()))?;
    for qubo in problems {
        if qubo.offset() != 0.0 {
            let what = "the offset, which bqp files cannot hold,".into();
            let range = "zero, and add it to the energies";
            return Err(ErrorKind::OutOfRange { what, value: qubo.offset(), range }.into());
        }
        let linear = qubo.linear().iter().enumerate().map(|(i, &value)| (i, i, -value));
        let linear = linear.filter(|entry| entry.2 != 0.0);
        let entries = linear.chain(qubo.quadratic().map(|(i, j, value)| (i, j, -value / 2.0)));
        output.line(format_args!("{} {}", qubo.n_variables(), entries.clone().count()))?;
        for (i, j, q) in entries {
            output.line(format_args!("{} {} {q}", i + 1, j + 1))?;
        }
    }
    output.finish()
}
