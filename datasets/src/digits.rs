//! UCI's optical recognition of handwritten digits, embedded.

use crate::ImageDataset;
use flate2::read::GzDecoder;
use std::io::Read;

/// 1,797 images of handwritten digits, 8 by 8 pixels with values 0 to 16.
///
/// Every fifth image is the test set (359), the others the training set (1,438). The images come
/// in the order in which 13 people wrote them, so both sets hold digits of all writers. Their order
/// also repeats, so classes are not equally frequent: 27 21 34 52 34 28 31 43 47 42 of 0 to 9 in the
/// test set.
///
/// # References
///
/// - E. Alpaydin and C. Kaynak, *Optical Recognition of Handwritten Digits*, UCI Machine Learning
///   Repository, 1998, [doi:10.24432/C50P49](https://doi.org/10.24432/C50P49), licensed CC BY 4.0.
///   Embedded unchanged but for the compression; these are the 1,797 images of its test file.
///
/// ```
/// use burn::data::dataset::Dataset;
/// use burn_quantum_datasets::Digits;
///
/// assert_eq!((Digits::train().len(), Digits::test().len()), (1438, 359));
/// assert_eq!(Digits::train().shape(), [1, 8, 8]);
/// ```
#[derive(Debug)]
pub struct Digits;

const FILE: &[u8] = include_bytes!("../data/digits.csv.gz");

impl Digits {
    /// The training set.
    pub fn train() -> ImageDataset {
        all().filter(|i| i % 5 != 4)
    }

    /// The test set.
    pub fn test() -> ImageDataset {
        all().filter(|i| i % 5 == 4)
    }
}

fn all() -> ImageDataset {
    let mut text = String::new();
    GzDecoder::new(FILE).read_to_string(&mut text).expect("the embedded file is intact");
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for line in text.lines() {
        let values: Vec<u8> = line.split(',').map(|v| v.parse().expect("a number")).collect();
        pixels.extend_from_slice(&values[..64]);
        labels.push(values[64]);
    }
    ImageDataset::new(pixels, labels, [1, 8, 8], 10, 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_file_is_the_published_one() {
        let all = all();
        let count = |d| all.labels().iter().filter(|&&label| label == d).count();
        // The class counts that the repository states for the file.
        let counts: Vec<usize> = (0..10).map(count).collect();
        assert_eq!(counts, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
    }
}
