//! CIFAR-10 and CIFAR-100 from their binary files.

use crate::ImageDataset;
use crate::error::{Error, corrupt};
use crate::file;
use std::path::{Path, PathBuf};

/// 60,000 colour images of 32 by 32 pixels in 10 classes.
///
/// Read from the six files of the binary version, each plain or as `.gz`; with the feature `download`
/// [`fetch`](Self::fetch) gets them first. A record is one byte with the class, then 1,024 bytes each
/// of red, green and blue. The files have no header, so the number of images is what they hold: the
/// published ones have 10,000 each.
///
/// # References
///
/// - A. Krizhevsky, *Learning multiple layers of features from tiny images*, 2009,
///   [its site](https://www.cs.toronto.edu/~kriz/cifar.html).
#[derive(Debug)]
pub struct Cifar10;

/// 60,000 colour images of 32 by 32 pixels in 100 classes, which form 20 groups.
///
/// As [`Cifar10`], but of two files, whose records begin with two bytes, the group and the class.
#[derive(Debug)]
pub struct Cifar100;

const SHAPE: [usize; 3] = [3, 32, 32];
const N_PIXELS: usize = 3 * 32 * 32;

/// The names of the labels at the start of a record, how many values each has, and which of them is
/// the class.
struct Layout {
    labels: &'static [(&'static str, u8)],
    class: usize,
}

const TEN: Layout = Layout { labels: &[("label", 10)], class: 0 };
const GROUPS: Layout = Layout { labels: &[("group", 20), ("label", 100)], class: 0 };
const HUNDRED: Layout = Layout { class: 1, ..GROUPS };

const TRAIN_10: [&str; 5] = [
    "data_batch_1.bin",
    "data_batch_2.bin",
    "data_batch_3.bin",
    "data_batch_4.bin",
    "data_batch_5.bin",
];

/// Name, SHA-256 and wanted members of an archive.
#[cfg(feature = "download")]
struct Archive {
    name: &'static str,
    sha256: &'static str,
    members: &'static [&'static str],
}

#[cfg(feature = "download")]
const ARCHIVE_10: Archive = Archive {
    name: "cifar-10-binary.tar.gz",
    sha256: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    members: &[TRAIN_10[0], TRAIN_10[1], TRAIN_10[2], TRAIN_10[3], TRAIN_10[4], "test_batch.bin"],
};

#[cfg(feature = "download")]
const ARCHIVE_100: Archive = Archive {
    name: "cifar-100-binary.tar.gz",
    sha256: "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
    members: &["train.bin", "test.bin"],
};

impl Cifar10 {
    /// The names of the classes.
    pub const CLASSES: [&str; 10] =
        ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

    /// The training images, `data_batch_1.bin` to `data_batch_5.bin`.
    ///
    /// # Errors
    ///
    /// When the folder or a file is missing, a file is not a whole number of records or holds a label
    /// that is none, or the five differ in length.
    pub fn train(folder: &Path) -> Result<ImageDataset, Error> {
        load(folder, &TRAIN_10, &TEN)
    }

    /// The test images, `test_batch.bin`.
    ///
    /// # Errors
    ///
    /// As [`train`](Self::train).
    pub fn test(folder: &Path) -> Result<ImageDataset, Error> {
        load(folder, &["test_batch.bin"], &TEN)
    }

    /// Where the files are kept if the user names no folder: `burn-quantum/cifar10` in the cache
    /// folder of the system.
    ///
    /// # Errors
    ///
    /// When the system has no cache folder.
    pub fn cache_folder() -> Result<PathBuf, Error> {
        file::cache_folder("cifar10")
    }

    /// Downloads the archive, if one of the six files is not in `folder`, and unpacks them there.
    /// See [`Fetcher`](crate::Fetcher) for what is checked.
    ///
    /// # Errors
    ///
    /// When the network or the disk fails, or the server sends another archive.
    #[cfg(feature = "download")]
    pub fn fetch(
        fetcher: &crate::Fetcher,
        folder: &Path,
        progress: impl FnMut(crate::Progress),
    ) -> Result<(), Error> {
        ARCHIVE_10.fetch(fetcher, folder, progress)
    }
}

impl Cifar100 {
    /// The training images with their classes, `train.bin`.
    ///
    /// # Errors
    ///
    /// When the folder or the file is missing, or it is not a whole number of records or holds a label
    /// that is none.
    pub fn train(folder: &Path) -> Result<ImageDataset, Error> {
        load(folder, &["train.bin"], &HUNDRED)
    }

    /// The test images with their classes, `test.bin`.
    ///
    /// # Errors
    ///
    /// As [`train`](Self::train).
    pub fn test(folder: &Path) -> Result<ImageDataset, Error> {
        load(folder, &["test.bin"], &HUNDRED)
    }

    /// The training images, the 20 groups in the classes' place.
    ///
    /// # Errors
    ///
    /// As [`train`](Self::train).
    pub fn train_groups(folder: &Path) -> Result<ImageDataset, Error> {
        load(folder, &["train.bin"], &GROUPS)
    }

    /// The test images, the 20 groups in the classes' place.
    ///
    /// # Errors
    ///
    /// As [`train`](Self::train).
    pub fn test_groups(folder: &Path) -> Result<ImageDataset, Error> {
        load(folder, &["test.bin"], &GROUPS)
    }

    /// Where the files are kept if the user names no folder: `burn-quantum/cifar100` in the cache
    /// folder of the system.
    ///
    /// # Errors
    ///
    /// When the system has no cache folder.
    pub fn cache_folder() -> Result<PathBuf, Error> {
        file::cache_folder("cifar100")
    }

    /// Downloads the archive, if one of the two files is not in `folder`, and unpacks them there.
    /// See [`Fetcher`](crate::Fetcher) for what is checked.
    ///
    /// # Errors
    ///
    /// When the network or the disk fails, or the server sends another archive.
    #[cfg(feature = "download")]
    pub fn fetch(
        fetcher: &crate::Fetcher,
        folder: &Path,
        progress: impl FnMut(crate::Progress),
    ) -> Result<(), Error> {
        ARCHIVE_100.fetch(fetcher, folder, progress)
    }
}

#[cfg(feature = "download")]
impl Archive {
    fn fetch(
        &self,
        fetcher: &crate::Fetcher,
        folder: &Path,
        mut progress: impl FnMut(crate::Progress),
    ) -> Result<(), Error> {
        if self.members.iter().all(|name| file::is_there(folder, name)) {
            return Ok(());
        }
        fetcher.fetch_tar_gz(folder, self.name, self.sha256, self.members, &mut progress)
    }
}

fn load(folder: &Path, names: &[&'static str], layout: &Layout) -> Result<ImageDataset, Error> {
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    let mut first: Option<(&str, usize)> = None;
    for &name in names {
        let (path, content) = file::read(folder, name)?;
        let before = labels.len();
        layout.append(&path, &content, &mut pixels, &mut labels)?;
        let n = labels.len() - before;
        let &mut (other, expected) = first.get_or_insert((name, n));
        if n != expected {
            let reason = format!("{n} images, but `{other}` holds {expected}");
            return Err(corrupt(&path, reason));
        }
    }
    let (_, n_classes) = layout.labels[layout.class];
    Ok(ImageDataset::new(pixels, labels, SHAPE, n_classes.into(), 255))
}

impl Layout {
    fn append(
        &self,
        path: &Path,
        content: &[u8],
        pixels: &mut Vec<u8>,
        labels: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let size = self.labels.len() + N_PIXELS;
        if content.is_empty() {
            return Err(corrupt(path, "it is empty"));
        }
        let (n, rest) = (content.len() / size, content.len() % size);
        if rest != 0 {
            let (bytes, start) = (content.len(), n * size);
            let reason = format!(
                "{bytes} bytes are not records of {size}: record {n} begins at byte {start} and has {rest}"
            );
            return Err(corrupt(path, reason));
        }
        for (k, record) in content.chunks_exact(size).enumerate() {
            let (given, image) = record.split_at(self.labels.len());
            for (i, (&value, (name, n_values))) in given.iter().zip(self.labels).enumerate() {
                if value >= *n_values {
                    let offset = k * size + i;
                    let reason = format!(
                        "byte {offset} (record {k}): {name} {value} is not below {n_values}"
                    );
                    return Err(corrupt(path, reason));
                }
            }
            labels.push(given[self.class]);
            pixels.extend_from_slice(image);
        }
        Ok(())
    }
}
