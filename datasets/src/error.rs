//! The error of this crate.

use std::path::{Path, PathBuf};

/// An error raised while reading or fetching a data set. The message names the file or address
/// and says what to do.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(Box<ErrorKind>);

impl Error {
    /// Whether the files are not there, so that fetching them would help.
    pub fn is_missing(&self) -> bool {
        use ErrorKind::{Missing, MissingTable, NotAFolder};
        matches!(*self.0, Missing { .. } | MissingTable { .. } | NotAFolder { .. })
    }

    /// Whether a file is truncated or damaged, so that fetching it again would help, or one of its
    /// lines is not what the format says.
    pub fn is_corrupt(&self) -> bool {
        matches!(*self.0, ErrorKind::Corrupt { .. } | ErrorKind::BadLine { .. })
    }

    /// Whether a download failed.
    pub fn is_download(&self) -> bool {
        matches!(*self.0, ErrorKind::Download { .. })
    }
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Self(Box::new(kind))
    }
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum ErrorKind {
    #[error("`{}` is not a folder: give the one that holds the data set's files", folder.display())]
    NotAFolder { folder: PathBuf },
    #[error("neither `{name}` nor `{name}.gz` is in `{}`", folder.display())]
    Missing { name: &'static str, folder: PathBuf },
    #[error("neither `{name}.tsv` nor `{name}.csv` is in `{}`", folder.display())]
    MissingTable { name: &'static str, folder: PathBuf },
    #[error("`{}` is both a `.tsv` and a `.csv`: leave one of them", stem.display())]
    TwoTables { stem: PathBuf },
    #[error("`{}`, line {line}: {reason}", path.display())]
    BadLine { path: PathBuf, line: u64, reason: String },
    #[error("`{}`: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error("`{}` is corrupt: {reason}", path.display())]
    Corrupt { path: PathBuf, reason: String },
    #[error("could not download {url} ({attempts} attempts): {reason}")]
    Download { url: String, attempts: usize, reason: String },
    #[error("this system names no cache folder: give a folder")]
    NoCacheFolder,
}

pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Error + '_ {
    move |source| ErrorKind::Io { path: path.into(), source }.into()
}

pub(crate) fn corrupt(path: &Path, reason: impl Into<String>) -> Error {
    ErrorKind::Corrupt { path: path.into(), reason: reason.into() }.into()
}

pub(crate) fn bad_line(path: &Path, line: u64, reason: impl Into<String>) -> Error {
    ErrorKind::BadLine { path: path.into(), line, reason: reason.into() }.into()
}
