//! Labelled texts from tables.

use crate::error::{Error, ErrorKind, bad_line, corrupt, io};
use burn::data::dataset::{Dataset, DatasetError};
use csv::{ByteRecord, ReaderBuilder};
use std::fs;
use std::path::Path;

/// How a file of labelled texts is laid out: one text a line, its label in the first or last column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextFormat {
    /// What separates the columns.
    pub delimiter: u8,
    /// Whether a column may stand in double quotes; if not, quotes are part of the text.
    pub quoted: bool,
    /// Whether the label is the first column, not the last; the others are joined to the text.
    pub label_first: bool,
    /// The label of the first class.
    pub first_label: u8,
}

impl TextFormat {
    /// `sentence<TAB>label`, labels from 0, as of SST-2.
    pub const SST2: Self =
        Self { delimiter: b'\t', quoted: false, label_first: false, first_label: 0 };

    /// `"label","title","description"`, labels from 1, as of AG News.
    pub const AG_NEWS: Self =
        Self { delimiter: b',', quoted: true, label_first: true, first_label: 1 };
}

/// A text and its class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextItem {
    /// The text.
    pub text: String,
    /// The class, from 0.
    pub label: u8,
}

/// Labelled texts, held in memory.
///
/// ```
/// use burn_quantum_datasets::{TextDataset, TextFormat};
///
/// let file = "sentence\tlabel\na fine film\t1\nof no interest\t0\n";
/// let texts = TextDataset::parse("reviews.tsv".as_ref(), file.as_bytes(), TextFormat::SST2)?;
/// assert_eq!((texts.texts()[0].as_str(), texts.labels()), ("a fine film", &[1, 0][..]));
/// # Ok::<(), burn_quantum_datasets::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextDataset {
    texts: Vec<String>,
    labels: Vec<u8>,
    n_classes: usize,
}

/// What a header calls the column of labels.
const HEADERS: [&str; 4] = ["label", "labels", "class", "class index"];

impl TextDataset {
    /// The training and the test set of a folder: `train.tsv` and `test.tsv` in the format
    /// [`SST2`](TextFormat::SST2), or `train.csv` and `test.csv` in that of
    /// [`AG_NEWS`](TextFormat::AG_NEWS).
    ///
    /// # Errors
    ///
    /// When the folder or a file is missing, as [`read`](Self::read), and when the test set holds a
    /// label that the training set does not.
    pub fn load(folder: &Path) -> Result<[Self; 2], Error> {
        if !folder.is_dir() {
            return Err(ErrorKind::NotAFolder { folder: folder.into() }.into());
        }
        let train = find(folder, "train", None)?;
        let test = find(folder, "test", Some(train.n_classes))?;
        Ok([train, test])
    }

    /// Reads a file. A first line whose label is `label`, `labels`, `class` or `class index` is a
    /// header. The number of classes is one more than the largest label.
    ///
    /// # Errors
    ///
    /// Names the line where columns are missing, too many or not UTF-8, a text is empty, or a label is
    /// not a number of the format's range; also when the file cannot be read, quotes are not closed, or
    /// there is only one class.
    pub fn read(path: &Path, format: TextFormat) -> Result<Self, Error> {
        Self::parse(path, &fs::read(path).map_err(io(path))?, format)
    }

    /// As [`read`](Self::read), of the contents of a file; `path` is for the messages.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn parse(path: &Path, content: &[u8], format: TextFormat) -> Result<Self, Error> {
        let mut texts = parse(path, content, format, None)?;
        texts.n_classes = texts.labels.iter().max().map_or(0, |&label| label as usize + 1);
        if texts.n_classes < 2 {
            return Err(corrupt(path, format!("all labels are {}", format.first_label)));
        }
        Ok(texts)
    }

    /// As [`read`](Self::read), but the number of classes is given, that of a training set.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read), and when there are more classes.
    ///
    /// # Panics
    ///
    /// Panics if `n_classes` is 0.
    pub fn read_with_classes(
        path: &Path,
        format: TextFormat,
        n_classes: usize,
    ) -> Result<Self, Error> {
        assert!(n_classes > 0, "n_classes is 0: give that of the training set");
        parse(path, &fs::read(path).map_err(io(path))?, format, Some(n_classes))
    }

    /// The texts, in order.
    pub fn texts(&self) -> &[String] {
        &self.texts
    }

    /// The labels, in order.
    pub fn labels(&self) -> &[u8] {
        &self.labels
    }

    /// The number of classes.
    pub fn n_classes(&self) -> usize {
        self.n_classes
    }

    /// The texts for which `keep(index)` holds.
    pub fn filter(&self, keep: impl Fn(usize) -> bool) -> Self {
        let kept = || (0..self.labels.len()).filter(|&i| keep(i));
        Self {
            texts: kept().map(|i| self.texts[i].clone()).collect(),
            labels: kept().map(|i| self.labels[i]).collect(),
            n_classes: self.n_classes,
        }
    }
}

impl Dataset<TextItem> for TextDataset {
    fn get(&self, index: usize) -> Result<TextItem, DatasetError> {
        Ok(TextItem { text: self.texts[index].clone(), label: self.labels[index] })
    }

    fn len(&self) -> usize {
        self.labels.len()
    }
}

fn find(folder: &Path, name: &'static str, classes: Option<usize>) -> Result<TextDataset, Error> {
    let [tsv, csv] = ["tsv", "csv"].map(|end| folder.join(format!("{name}.{end}")));
    let (path, format) = match (tsv.is_file(), csv.is_file()) {
        (true, false) => (tsv, TextFormat::SST2),
        (false, true) => (csv, TextFormat::AG_NEWS),
        (true, true) => return Err(ErrorKind::TwoTables { stem: folder.join(name) }.into()),
        (false, false) => {
            return Err(ErrorKind::MissingTable { name, folder: folder.into() }.into());
        }
    };
    match classes {
        None => TextDataset::read(&path, format),
        Some(n_classes) => TextDataset::read_with_classes(&path, format, n_classes),
    }
}

fn parse(
    path: &Path,
    content: &[u8],
    format: TextFormat,
    n_classes: Option<usize>,
) -> Result<TextDataset, Error> {
    let mut reader = ReaderBuilder::new()
        .delimiter(format.delimiter)
        .quoting(format.quoted)
        .has_headers(false)
        .flexible(true) // lengths are compared below, for a message that names the line
        .from_reader(content);
    if format.quoted {
        check_quotes(path, content, format.delimiter)?;
    }
    let mut lines = Lines { path, format, n_classes, n_columns: None };
    let mut texts =
        TextDataset { texts: vec![], labels: vec![], n_classes: n_classes.unwrap_or(0) };
    let (mut record, mut line) = (ByteRecord::new(), 1);
    while reader.read_byte_record(&mut record).map_err(|e| corrupt(path, e.to_string()))? {
        line = record.position().map_or(line, |start| line_of(start, content));
        if let Some((text, label)) = lines.read(line, &record)? {
            texts.texts.push(text);
            texts.labels.push(label);
        }
    }
    if texts.labels.is_empty() {
        return Err(corrupt(path, "it holds no text"));
    }
    Ok(texts)
}

/// A column that begins with a quote ends with one, and quotes within it are doubled. The reader would
/// make one text of all lines up to the next quote otherwise.
fn check_quotes(path: &Path, content: &[u8], delimiter: u8) -> Result<(), Error> {
    let ends = |byte: u8| byte == delimiter || byte == b'\n' || byte == b'\r';
    let (mut line, mut rest) = (1, content);
    while !rest.is_empty() {
        let Some(quoted) = rest.strip_prefix(b"\"") else {
            let end = rest.iter().position(|&byte| ends(byte)).unwrap_or(rest.len());
            line += u64::from(rest.get(end) == Some(&b'\n'));
            rest = rest.get(end + 1..).unwrap_or_default();
            continue;
        };
        let bad = |reason| Err(bad_line(path, line, reason));
        let Some(length) = quoted_length(quoted) else {
            return bad("the quote of a column that begins here is not closed");
        };
        let after = quoted.get(length + 1).copied();
        if after.is_some_and(|byte| !ends(byte)) {
            return bad(
                "the quote of a column that begins here is closed before its end: write quotes within it twice",
            );
        }
        let whole = &quoted[..quoted.len().min(length + 2)];
        line += whole.iter().filter(|&&byte| byte == b'\n').count() as u64;
        rest = &quoted[whole.len()..];
    }
    Ok(())
}

/// Up to the quote that is not doubled, if there is one.
fn quoted_length(text: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let quote = from + text[from..].iter().position(|&byte| byte == b'"')?;
        if text.get(quote + 1) != Some(&b'"') {
            return Some(quote);
        }
        from = quote + 2;
    }
}

/// The line of a record, which may begin after empty lines.
fn line_of(start: &csv::Position, content: &[u8]) -> u64 {
    let rest = content.get(start.byte() as usize..).unwrap_or_default();
    let empty = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n'));
    start.line() + empty.filter(|&&byte| byte == b'\n').count() as u64
}

/// Reads the lines of one file, which all have as many columns as the first.
struct Lines<'a> {
    path: &'a Path,
    format: TextFormat,
    n_classes: Option<usize>,
    n_columns: Option<usize>,
}

impl Lines<'_> {
    /// Text and label, or nothing of a header.
    fn read(&mut self, line: u64, record: &ByteRecord) -> Result<Option<(String, u8)>, Error> {
        let bad = |reason: String| Err(bad_line(self.path, line, reason));
        let is_first = self.n_columns.is_none();
        let n_columns = *self.n_columns.get_or_insert(record.len());
        if record.len() != n_columns {
            return bad(format!("{} columns, the first line has {n_columns}", record.len()));
        }
        if n_columns < 2 {
            return bad("one column, expected a text and a label".into());
        }
        let columns: Result<Vec<&str>, _> = record.iter().map(std::str::from_utf8).collect();
        let Ok(mut columns) = columns else { return bad("not UTF-8".into()) };
        let label = columns.remove(if self.format.label_first { 0 } else { n_columns - 1 }).trim();
        if is_first && HEADERS.contains(&label.to_lowercase().as_str()) {
            return Ok(None);
        }
        let text = columns.join(" ").trim().to_string();
        if text.is_empty() {
            return bad("the text is empty".into());
        }
        match self.class(label) {
            Ok(class) => Ok(Some((text, class))),
            Err(reason) => bad(reason),
        }
    }

    fn class(&self, label: &str) -> Result<u8, String> {
        let first = self.format.first_label;
        let last = self.n_classes.map_or(255, |n| first as usize + n - 1);
        let range = format!("use a number from {first} to {last}");
        let number: Result<usize, _> = label.parse();
        let number = number.map_err(|_| format!("label `{label}`: {range}"))?;
        if !(first as usize..=last.min(255)).contains(&number) {
            return Err(format!("label {number}: {range}"));
        }
        Ok(number as u8 - first)
    }
}
