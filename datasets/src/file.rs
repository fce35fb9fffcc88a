//! Files of a data set's folder, plain or compressed.

use crate::error::{Error, ErrorKind, corrupt, io};
use flate2::read::MultiGzDecoder;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The path and the uncompressed contents of `name` or `name.gz` in `folder`.
pub(crate) fn read(folder: &Path, name: &'static str) -> Result<(PathBuf, Vec<u8>), Error> {
    if !folder.is_dir() {
        return Err(ErrorKind::NotAFolder { folder: folder.into() }.into());
    }
    let names = [name.to_string(), format!("{name}.gz")];
    let found = names.iter().map(|name| folder.join(name)).find(|path| path.is_file());
    let missing = || ErrorKind::Missing { name, folder: folder.into() };
    let path = found.ok_or_else(missing)?;
    let raw = fs::read(&path).map_err(io(&path))?;
    let content = if raw.starts_with(&[0x1f, 0x8b]) { unzip(&path, &raw)? } else { raw };
    Ok((path, content))
}

/// The folder `name` of this project in the cache folder of the system.
pub(crate) fn cache_folder(name: &str) -> Result<PathBuf, Error> {
    let cache = dirs::cache_dir().ok_or(ErrorKind::NoCacheFolder)?;
    Ok(cache.join("burn-quantum").join(name))
}

/// Whether `name` or `name.gz` is in `folder`.
#[cfg(feature = "download")]
pub(crate) fn is_there(folder: &Path, name: &str) -> bool {
    folder.join(name).is_file() || folder.join(format!("{name}.gz")).is_file()
}

fn unzip(path: &Path, raw: &[u8]) -> Result<Vec<u8>, Error> {
    let mut content = Vec::new();
    let result = MultiGzDecoder::new(raw).read_to_end(&mut content);
    result.map_err(|error| corrupt(path, format!("not a whole gzip file ({error})")))?;
    Ok(content)
}
