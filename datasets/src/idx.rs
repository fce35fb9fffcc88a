//! The IDX files of MNIST.

use crate::error::{Error, corrupt};
use crate::file;
use std::path::{Path, PathBuf};

/// The bytes of an array of unsigned bytes and its dimensions.
pub(crate) struct Idx {
    pub path: PathBuf,
    pub dims: Vec<usize>,
    pub bytes: Vec<u8>,
}

impl Idx {
    /// Reads `name` or `name.gz` in `folder`, an array of `rank` dimensions.
    pub fn read(folder: &Path, name: &'static str, rank: usize) -> Result<Self, Error> {
        let (path, content) = file::read(folder, name)?;
        Self::parse(path, content, rank)
    }

    // Two zero bytes, the type (8: unsigned byte), the rank, then big-endian dimensions.
    fn parse(path: PathBuf, mut content: Vec<u8>, rank: usize) -> Result<Self, Error> {
        let header = 4 + 4 * rank;
        if content.len() < header {
            let reason = format!("{} bytes are too few for its header of {header}", content.len());
            return Err(corrupt(&path, reason));
        }
        let magic = [0, 0, 8, rank as u8];
        if content[..4] != magic {
            let reason = format!("it starts with {:?}, expected {magic:?}", &content[..4]);
            return Err(corrupt(&path, reason));
        }
        let dims: Vec<usize> = content[4..header]
            .chunks_exact(4)
            .map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]) as usize)
            .collect();
        let elements = dims.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
        let announced = elements.and_then(|n| n.checked_add(header));
        if announced != Some(content.len()) {
            let announced = announced.map_or("more than memory".into(), |n| n.to_string());
            let reason = format!("{} bytes, its header announces {announced}", content.len());
            return Err(corrupt(&path, reason));
        }
        content.drain(..header);
        Ok(Self { path, dims, bytes: content })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(content: &[u8], rank: usize) -> Result<Idx, String> {
        Idx::parse("f".into(), content.to_vec(), rank).map_err(|e| e.to_string())
    }

    #[test]
    fn well_formed_files_are_read() {
        let idx = parse(&[0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 0, 3, 7, 8, 9], 2).unwrap();
        assert_eq!((idx.dims, idx.bytes), (vec![1, 3], vec![7, 8, 9]));
        let empty = parse(&[0, 0, 8, 2, 0, 0, 0, 0, 0, 0, 0, 3], 2).unwrap();
        assert_eq!(empty.dims, [0, 3]);
    }

    #[test]
    fn malformed_files_are_named_with_the_reason() {
        let cases: [(&[u8], &str); 4] = [
            (&[0, 0, 8], "`f` is corrupt: 3 bytes are too few for its header of 8"),
            (
                &[0, 0, 9, 1, 0, 0, 0, 0],
                "`f` is corrupt: it starts with [0, 0, 9, 1], expected [0, 0, 8, 1]",
            ),
            (&[0, 0, 8, 1, 0, 0, 0, 2, 5], "`f` is corrupt: 9 bytes, its header announces 10"),
            (&[0, 0, 8, 1, 0, 0, 0, 1, 5, 5], "`f` is corrupt: 10 bytes, its header announces 9"),
        ];
        for (content, message) in cases {
            assert_eq!(parse(content, 1).err().unwrap(), message);
        }
        let huge = [&[0, 0, 8, 3][..], &[0xff; 12]].concat();
        assert!(parse(&huge, 3).err().unwrap().contains("more than memory"));
    }
}
