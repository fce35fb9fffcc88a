//! Verified downloads.

use crate::error::{Error, ErrorKind, io};
use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};
use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::time::Duration;

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
        fs::create_dir_all(folder).map_err(io(folder))?;
        let url = format!("{}/{name}.gz", self.base_url);
        for attempt in 1.. {
            let fault = match self.attempt(&url, folder, name, sha256, progress)? {
                Ok(()) => return Ok(()),
                Err(fault) => fault,
            };
            if attempt >= self.attempts || !fault.passing {
                let (attempts, reason) = (attempt, fault.reason);
                return Err(ErrorKind::Download { url, attempts, reason }.into());
            }
            std::thread::sleep(self.pause * (1 << (attempt - 1).min(6)));
        }
        unreachable!("the loop returns")
    }

    /// One attempt: the outer error is the disk's, the inner the network's.
    fn attempt(
        &self,
        url: &str,
        folder: &Path,
        name: &str,
        sha256: &str,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Result<(), Fault>, Error> {
        let mut response = match self.get(url) {
            Ok(response) => response,
            Err(fault) => return Ok(Err(fault)),
        };
        let total = response.body().content_length();
        let mut received = 0;
        let counted = Counted {
            inner: response.body_mut().as_reader(),
            count: |n| {
                received += n as u64;
                progress(Progress { name: name.into(), received, total });
            },
        };
        let mut target = tempfile::NamedTempFile::new_in(folder).map_err(io(folder))?;
        let mut hash = Sha256::new();
        let mut contents = GzDecoder::new(counted);
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
        if given != sha256 {
            let reason = format!("SHA-256 of the contents is {given}, expected {sha256}");
            return Ok(Err(Fault { reason, passing: true }));
        }
        target.as_file().sync_all().map_err(io(folder))?;
        target.persist(folder.join(name)).map_err(|e| io(folder)(e.error))?;
        Ok(Ok(()))
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
