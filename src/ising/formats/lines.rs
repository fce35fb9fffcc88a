//! Reading text line by line.

use crate::error::{Error, ErrorKind};
use std::io::{BufRead, Read, Write};

/// The longest line, in bytes. No line of these formats comes near it.
const MAX_LINE: u64 = 1 << 16;

/// Variables that a file may have beyond [`PER_LINE`] for each of its lines, so that a header of a
/// few bytes cannot ask for gigabytes.
const FREE_VARIABLES: usize = 1 << 20;
const PER_LINE: usize = 16;

/// The lines of a text, counted from 1.
pub(super) struct Lines<R> {
    reader: R,
    format: &'static str,
    buffer: Vec<u8>,
    number: usize,
}

impl<R: BufRead> Lines<R> {
    pub fn new(format: &'static str, reader: R) -> Self {
        Self { reader, format, buffer: Vec::new(), number: 0 }
    }

    /// The next line that is not empty, trimmed.
    pub fn next(&mut self) -> Result<Option<Line<'_>>, Error> {
        loop {
            self.buffer.clear();
            let mut limited = (&mut self.reader).take(MAX_LINE);
            let read = limited.read_until(b'\n', &mut self.buffer);
            if read.map_err(|error| io(self.format, &error))? == 0 {
                return Ok(None);
            }
            self.number += 1;
            if self.buffer.len() as u64 == MAX_LINE && self.buffer.last() != Some(&b'\n') {
                let reason = format!("longer than {MAX_LINE} bytes: is it a text of this format?");
                return Err(self.error(reason));
            }
            if !self.buffer.trim_ascii().is_empty() {
                break;
            }
        }
        let (format, number) = (self.format, self.number);
        match std::str::from_utf8(&self.buffer) {
            Ok(text) => Ok(Some(Line { format, number, text: text.trim() })),
            Err(_) => Err(self.error("not text in UTF-8: is the file compressed?".into())),
        }
    }

    /// An error at the line last read.
    pub fn error(&self, reason: String) -> Error {
        error(self.format, self.number, reason)
    }

    /// Refuses a number of variables that the text does not account for.
    pub fn check_size(&self, n: usize) -> Result<(), Error> {
        let limit = self.number.saturating_mul(PER_LINE).saturating_add(FREE_VARIABLES);
        if n <= limit {
            return Ok(());
        }
        Err(self.error(format!(
            "{n} variables in a text of {} lines exceed the limit of {limit}, that is 2^20 and \
             {PER_LINE} for each line: renumber the variables so that none is unused",
            self.number
        )))
    }
}

/// A line of a text, trimmed.
#[derive(Clone, Copy)]
pub(super) struct Line<'a> {
    format: &'static str,
    pub number: usize,
    pub text: &'a str,
}

impl<'a> Line<'a> {
    pub fn error(&self, reason: String) -> Error {
        error(self.format, self.number, reason)
    }

    /// Exactly `N` words.
    pub fn words<const N: usize>(&self, expected: &str) -> Result<[&'a str; N], Error> {
        let mut words = self.text.split_ascii_whitespace();
        let mut found = [""; N];
        let filled = found.iter_mut().zip(&mut words).map(|(slot, word)| *slot = word).count();
        if filled < N || words.next().is_some() {
            let given = shortened(self.text);
            return Err(self.error(format!("`{given}` is not `{expected}`")));
        }
        Ok(found)
    }

    pub fn count(&self, what: &str, word: &str) -> Result<usize, Error> {
        word.parse().map_err(|_| {
            let given = shortened(word);
            self.error(format!("{what} `{given}` must be a whole number that is not negative"))
        })
    }

    /// A number from `first` to `first + n - 1`, counted from 0.
    pub fn index(&self, what: &str, word: &str, first: usize, n: usize) -> Result<usize, Error> {
        let index = self.count(what, word)?;
        if index >= first && index - first < n {
            return Ok(index - first);
        }
        let last = (n + first).saturating_sub(1);
        Err(self.error(match n {
            0 => format!("{what} {index}, but the header announces none"),
            _ => format!("{what} {index} is out of range: use {first} to {last}"),
        }))
    }

    pub fn value(&self, what: &str, word: &str) -> Result<f64, Error> {
        let given = || shortened(word);
        let value: f64 = word
            .parse()
            .map_err(|_| self.error(format!("{what} `{}` must be a number", given())))?;
        if value.is_finite() {
            return Ok(value);
        }
        Err(self.error(format!("{what} `{}` must be finite", given())))
    }
}

/// A quotation that fits into a message.
pub(super) fn shortened(text: &str) -> String {
    const LONGEST: usize = 60;
    match text.char_indices().nth(LONGEST) {
        None => text.into(),
        Some((end, _)) => format!("{}...", &text[..end]),
    }
}

pub(super) fn error(format: &'static str, line: usize, reason: String) -> Error {
    ErrorKind::Format { format, place: format!("line {line}"), reason }.into()
}

pub(super) fn io(format: &'static str, error: &std::io::Error) -> Error {
    ErrorKind::Io { format, reason: error.to_string() }.into()
}

/// Refuses a pair that is there twice, in either order.
pub(super) fn check_unique(
    format: &'static str,
    what: &str,
    first: usize,
    pairs: impl Iterator<Item = (usize, usize, usize)>,
) -> Result<(), Error> {
    let mut sorted: Vec<_> = pairs.map(|(i, j, line)| (i.min(j), i.max(j), line)).collect();
    sorted.sort_unstable();
    let twice = sorted.windows(2).find(|two| (two[0].0, two[0].1) == (two[1].0, two[1].1));
    match twice {
        None => Ok(()),
        Some(two) => {
            let (i, j) = (two[1].0 + first, two[1].1 + first);
            let reason = format!(
                "{what} ({i}, {j}) is in line {} already: give each pair once, in one order",
                two[0].2
            );
            Err(error(format, two[1].2, reason))
        }
    }
}

/// A buffered writer whose failures are errors of this crate.
pub(super) struct Output<W: Write> {
    writer: std::io::BufWriter<W>,
    format: &'static str,
}

impl<W: Write> Output<W> {
    pub fn new(format: &'static str, writer: W) -> Self {
        Self { writer: std::io::BufWriter::new(writer), format }
    }

    pub fn line(&mut self, text: std::fmt::Arguments) -> Result<(), Error> {
        writeln!(self.writer, "{text}").map_err(|error| io(self.format, &error))
    }

    pub fn finish(mut self) -> Result<(), Error> {
        self.writer.flush().map_err(|error| io(self.format, &error))
    }
}
