//! dimod's coordinate lists: lines `i j bias`, variables counted from 0, `i = j` for a linear bias,
//! and a header `# vartype=SPIN` or `# vartype=BINARY`.
//!
//! Biases of the same pair add up, as in dimod. The model has all variables up to the largest
//! number, while dimod makes only those that are named; `write` therefore names all of them. The
//! format has no offset: it is kept in a comment `# offset=<number>`, which dimod ignores. Other
//! comments are ignored here as well.
//!
//! ```
//! use burn_quantum::ising::formats::{Vartype, coo};
//!
//! let text = "# vartype=SPIN\n0 0 1.000000\n0 1 -1.000000\n";
//! let model = coo::read(text.as_bytes(), None)?.to_ising()?;
//! assert_eq!(model.energy(&[1, 1]), 0.0);
//!
//! let error = coo::read("0 1 1.0\n".as_bytes(), None).unwrap_err();
//! assert!(error.to_string().contains("vartype"), "{error}");
//! assert!(coo::read("0 1 1.0\n".as_bytes(), Some(Vartype::Binary)).is_ok());
//! # Ok::<(), burn_quantum::Error>(())
//! ```

use super::lines::{Line, Lines, Output, shortened};
use super::{Model, Vartype};
use crate::error::Error;
use std::io::{BufRead, Write};

const FORMAT: &str = "COO";

/// Reads a model. Without a header its kind of variables is `vartype`.
///
/// # Errors
///
/// When the text is malformed (see [`formats`](super)), its header is neither there nor replaced by
/// `vartype`, the two differ, or it cannot be read.
pub fn read(reader: impl BufRead, vartype: Option<Vartype>) -> Result<Model, Error> {
    let mut lines = Lines::new(FORMAT, reader);
    let (mut vartype, mut offset) = (vartype, 0.0);
    let (mut diagonal, mut pairs) = (Vec::new(), Vec::new());
    let mut n = 0;
    while let Some(line) = lines.next()? {
        if line.text.starts_with('#') {
            if let Some(name) = setting(line, "vartype") {
                let Some(given) = Vartype::of_name(name) else {
                    let name = shortened(name);
                    return Err(line.error(format!("vartype `{name}` must be SPIN or BINARY")));
                };
                if vartype.is_some_and(|expected| expected != given) {
                    return Err(line.error(format!(
                        "vartype {name} contradicts the one given before: drop one of them"
                    )));
                }
                vartype = Some(given);
            } else if let Some(value) = setting(line, "offset") {
                offset = line.value("offset", value)?;
            }
            continue;
        }
        let [i, j, bias] = line.words("i j bias")?;
        let limit = u32::MAX as usize;
        let (i, j) = (line.index("variable", i, 0, limit)?, line.index("variable", j, 0, limit)?);
        let bias = line.value("bias", bias)?;
        n = n.max(i + 1).max(j + 1);
        if i == j { diagonal.push((i, bias)) } else { pairs.push((i, j, bias)) }
    }
    let Some(vartype) = vartype else {
        let reason = "no vartype: begin with `# vartype=SPIN` or `# vartype=BINARY`, or name it";
        return Err(lines.error(reason.into()));
    };
    lines.check_size(n)?;
    let mut linear = vec![0.0; n];
    diagonal.into_iter().for_each(|(i, bias)| linear[i] += bias);
    Model::of(vartype, linear, pairs, offset)
}

/// The value of `name=value` or `name: value` in a comment.
fn setting<'a>(line: Line<'a>, name: &str) -> Option<&'a str> {
    let after = line.text[line.text.find(name)? + name.len()..].strip_prefix([':', '='])?;
    after.split_ascii_whitespace().next()
}

/// Writes a model with its header.
///
/// # Errors
///
/// When the writer fails.
pub fn write(model: &Model, writer: impl Write) -> Result<(), Error> {
    let mut output = Output::new(FORMAT, writer);
    output.line(format_args!("# vartype={}", model.vartype().name()))?;
    if model.offset() != 0.0 {
        output.line(format_args!("# offset={}", model.offset()))?;
    }
    for (i, bias) in model.linear().iter().enumerate() {
        output.line(format_args!("{i} {i} {bias}"))?;
    }
    for (i, j, bias) in model.pairs() {
        output.line(format_args!("{i} {j} {bias}"))?;
    }
    output.finish()
}
