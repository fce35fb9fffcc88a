//! MNIST from its four IDX files.

use crate::ImageDataset;
use crate::error::{Error, corrupt};
use crate::file;
use crate::idx::Idx;
use std::path::{Path, PathBuf};

/// 70,000 images of handwritten digits, 28 by 28 grey values.
///
/// Read from the four IDX files of the distribution, each plain or as `.gz`; with the feature
/// `download` [`fetch`](Self::fetch) gets them first.
///
/// # References
///
/// - LeCun, Bottou, Bengio and Haffner, *Gradient-based learning applied to document recognition*,
///   Proceedings of the IEEE 86, 1998.
#[derive(Debug)]
pub struct Mnist;

/// Name and SHA-256 (of the uncompressed contents) of each file.
pub(crate) const FILES: [(&str, &str); 4] = [
    ("train-images-idx3-ubyte", "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
    ("train-labels-idx1-ubyte", "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
    ("t10k-images-idx3-ubyte", "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
    ("t10k-labels-idx1-ubyte", "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
];

impl Mnist {
    /// The 60,000 training images.
    ///
    /// # Errors
    ///
    /// When the folder or a file is missing, or a file is truncated or corrupt.
    pub fn train(folder: &Path) -> Result<ImageDataset, Error> {
        load(folder, FILES[0].0, FILES[1].0)
    }

    /// The 10,000 test images.
    ///
    /// # Errors
    ///
    /// As [`train`](Self::train).
    pub fn test(folder: &Path) -> Result<ImageDataset, Error> {
        load(folder, FILES[2].0, FILES[3].0)
    }

    /// Where the files are kept if the user names no folder: `burn-quantum/mnist` in the cache
    /// folder of the system.
    ///
    /// # Errors
    ///
    /// When the system has no cache folder.
    pub fn cache_folder() -> Result<PathBuf, Error> {
        file::cache_folder("mnist")
    }

    /// Downloads what is missing of the four files into `folder`, which is made if needed, and
    /// reports the progress. See [`Fetcher`](crate::Fetcher) for what is checked.
    ///
    /// # Errors
    ///
    /// When the network or the disk fails, or the server sends other contents.
    #[cfg(feature = "download")]
    pub fn fetch(
        fetcher: &crate::Fetcher,
        folder: &Path,
        mut progress: impl FnMut(crate::Progress),
    ) -> Result<(), Error> {
        for (name, sha256) in FILES {
            if !file::is_there(folder, name) {
                fetcher.fetch_gz(folder, name, sha256, &mut progress)?;
            }
        }
        Ok(())
    }
}

fn load(folder: &Path, images: &'static str, labels: &'static str) -> Result<ImageDataset, Error> {
    let (images, labels) = (Idx::read(folder, images, 3)?, Idx::read(folder, labels, 1)?);
    if images.dims[1..] != [28, 28] {
        let reason = format!("images of {:?} pixels, expected [28, 28]", &images.dims[1..]);
        return Err(corrupt(&images.path, reason));
    }
    if images.dims[0] != labels.dims[0] {
        let reason = format!("{} labels for {} images", labels.dims[0], images.dims[0]);
        return Err(corrupt(&labels.path, reason));
    }
    if let Some(label) = labels.bytes.iter().find(|&&label| label > 9) {
        return Err(corrupt(&labels.path, format!("label {label} is not a digit")));
    }
    Ok(ImageDataset::new(images.bytes, labels.bytes, [1, 28, 28], 10, 255))
}
