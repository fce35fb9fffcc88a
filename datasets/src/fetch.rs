//! Verified downloads.

use crate::error::{Error, ErrorKind, corrupt, io};
use flate2::read::MultiGzDecoder;
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::time::Duration;
use tempfile::NamedTempFile;

/// Downloads files, so that a file is either whole and verified or not there.
///
/// The contents go to a temporary file beside the target and are renamed only after their SHA-256
/// was checked; a failed download leaves nothing. Faults of the connection, truncated contents and
/// the statuses 408, 429 and 5xx are retried with growing pauses, others are not.
#[derive(Debug, Clone)]
pub struct Fetcher {
    /// The address of the folder that holds the files, without a slash at its end.
    pub base_url: String,
    /// How often to try each file.
    pub attempts: usize,
    /// The pause before the second attempt; it doubles with each.
    pub pause: Duration,
    /// The longest wait for a connection, and for an answer to the request.
    pub timeout: Duration,
    /// The longest time for the contents of one file.
    pub body_timeout: Duration,
}

/// How far the download of one file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The file.
    pub name: String,
    /// Bytes received.
    pub received: u64,
    /// Bytes in all, if the server says.
    pub total: Option<u64>,
}

/// What to download, and how to tell that it is that.
struct Wanted<'a> {
    url: String,
    /// Its name in the progress.
    name: &'a str,
    /// Of the contents, after decompression where `gzip` says so.
    sha256: &'a str,
    gzip: bool,
}

/// Why one attempt failed, and whether another may help.
struct Fault {
    reason: String,
    passing: bool,
}

impl Fetcher {
    /// Three attempts, a pause of one second, 30 seconds for an answer, 10 minutes for a file.
    pub fn new(base_url: impl Into<String>) -> Self {
        Self {
            base_url: base_url.into(),
            attempts: 3,
            pause: Duration::from_secs(1),
            timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(600),
        }
    }

    /// A public mirror of MNIST.
    pub fn mnist() -> Self {
        Self::new("https://storage.googleapis.com/cvdf-datasets/mnist")
    }

    /// The site of CIFAR-10 and CIFAR-100, each one archive of about 170 MB.
    pub fn cifar() -> Self {
        let body_timeout = Duration::from_secs(3600);
        Self { body_timeout, ..Self::new("https://www.cs.toronto.edu/~kriz") }
    }

    /// Gets `name.gz` and leaves its uncompressed contents as `name` in `folder`, which is made if
    /// needed. `sha256` is that of the uncompressed contents, in lower-case hexadecimal digits.
    ///
    /// # Errors
    ///
    /// When the network or the disk fails, or the server sends other contents.
    pub fn fetch_gz(
        &self,
        folder: &Path,
        name: &str,
        sha256: &str,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), Error> {
        let wanted = Wanted { url: self.url(&format!("{name}.gz")), name, sha256, gzip: true };
        let contents = self.download(folder, &wanted, progress)?;
        contents.persist(folder.join(name)).map_err(|e| io(folder)(e.error))?;
        Ok(())
    }

    /// Gets `archive`, a `.tar.gz`, and leaves the files of it that `members` names, without their
    /// folders, in `folder`, which is made if needed. `sha256` is that of the archive, which is not
    /// kept.
    ///
    /// # Errors
    ///
    /// When the network or the disk fails, the server sends another archive, or a member is not in
    /// it; then no member is left.
    pub fn fetch_tar_gz(
        &self,
        folder: &Path,
        archive: &str,
        sha256: &str,
        members: &[&str],
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), Error> {
        let wanted = Wanted { url: self.url(archive), name: archive, sha256, gzip: false };
        let contents = self.download(folder, &wanted, progress)?;
        let unpacked = unpack(contents.as_file(), folder, archive, members)?;
        for (file, name) in unpacked.into_iter().zip(members) {
            file.persist(folder.join(name)).map_err(|e| io(folder)(e.error))?;
        }
        Ok(())
    }

    fn url(&self, file: &str) -> String {
        format!("{}/{file}", self.base_url)
    }

    /// The verified contents, in a temporary file of `folder`.
    fn download(
        &self,
        folder: &Path,
        wanted: &Wanted,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<NamedTempFile, Error> {
        fs::create_dir_all(folder).map_err(io(folder))?;
        for attempt in 1.. {
            let fault = match self.attempt(folder, wanted, progress)? {
                Ok(contents) => return Ok(contents),
                Err(fault) => fault,
            };
            if attempt >= self.attempts || !fault.passing {
                let (url, attempts, reason) = (wanted.url.clone(), attempt, fault.reason);
                return Err(ErrorKind::Download { url, attempts, reason }.into());
            }
            std::thread::sleep(self.pause * (1 << (attempt - 1).min(6)));
        }
        unreachable!("the loop returns")
    }

    /// One attempt: the outer error is the disk's, the inner the network's.
    fn attempt(
        &self,
        folder: &Path,
        wanted: &Wanted,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Result<NamedTempFile, Fault>, Error> {
        let mut response = match self.get(&wanted.url) {
            Ok(response) => response,
            Err(fault) => return Ok(Err(fault)),
        };
        let total = response.body().content_length();
        let mut received = 0;
        let counted = Counted {
            inner: response.body_mut().as_reader(),
            count: |n| {
                received += n as u64;
                progress(Progress { name: wanted.name.into(), received, total });
            },
        };
        let mut contents: Box<dyn Read> =
            if wanted.gzip { Box::new(MultiGzDecoder::new(counted)) } else { Box::new(counted) };
        let mut target = NamedTempFile::new_in(folder).map_err(io(folder))?;
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 1 << 16];
        loop {
            let n = match contents.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => n,
                Err(error) => return Ok(Err(Fault { reason: error.to_string(), passing: true })),
            };
            hash.update(&buffer[..n]);
            target.write_all(&buffer[..n]).map_err(io(folder))?;
        }
        let given: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        if given != wanted.sha256 {
            let reason = format!("SHA-256 of the contents is {given}, expected {}", wanted.sha256);
            return Ok(Err(Fault { reason, passing: true }));
        }
        target.as_file().sync_all().map_err(io(folder))?;
        Ok(Ok(target))
    }

    fn get(&self, url: &str) -> Result<ureq::http::Response<ureq::Body>, Fault> {
        let config = ureq::Agent::config_builder()
            .timeout_connect(Some(self.timeout))
            .timeout_recv_response(Some(self.timeout))
            .timeout_recv_body(Some(self.body_timeout))
            .build();
        ureq::Agent::new_with_config(config).get(url).call().map_err(|error| Fault {
            reason: error.to_string(),
            passing: match error {
                ureq::Error::StatusCode(status) => matches!(status, 408 | 429 | 500..=599),
                ureq::Error::BadUri(_) => false,
                _ => true,
            },
        })
    }
}

/// The members of a `.tar.gz`, in the order of `members`, as temporary files of `folder`.
fn unpack(
    mut archive: &File,
    folder: &Path,
    name: &str,
    members: &[&str],
) -> Result<Vec<NamedTempFile>, Error> {
    let unreadable =
        |error: std::io::Error| corrupt(Path::new(name), format!("not a tar.gz file ({error})"));
    archive.rewind().map_err(io(folder))?;
    let mut tar = tar::Archive::new(MultiGzDecoder::new(archive));
    let mut found: Vec<Option<NamedTempFile>> = members.iter().map(|_| None).collect();
    for entry in tar.entries().map_err(unreadable)? {
        let mut entry = entry.map_err(unreadable)?;
        let path = entry.path().map_err(unreadable)?.into_owned();
        let file_name = path.file_name().and_then(|file| file.to_str());
        let Some(k) = members.iter().position(|&member| file_name == Some(member)) else {
            continue;
        };
        let mut target = NamedTempFile::new_in(folder).map_err(io(folder))?;
        std::io::copy(&mut entry, &mut target).map_err(io(folder))?;
        target.as_file().sync_all().map_err(io(folder))?;
        found[k] = Some(target);
    }
    let whole = found.into_iter().zip(members).map(|(file, member)| {
        file.ok_or_else(|| corrupt(Path::new(name), format!("`{member}` is not in it")))
    });
    whole.collect()
}

/// Reports how many bytes each read gave.
struct Counted<R, F> {
    inner: R,
    count: F,
}

impl<R: Read, F: FnMut(usize)> Read for Counted<R, F> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = self.inner.read(buffer)?;
        (self.count)(n);
        Ok(n)
    }
}
