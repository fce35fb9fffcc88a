//! Data sets as Burn datasets, with batchers.
//!
//! - [`Digits`]: UCI's 8 by 8 digits, embedded in this crate.
//! - [`Mnist`], [`Cifar10`], [`Cifar100`]: read from their own files, which can be downloaded and are
//!   verified.
//! - [`TextDataset`]: labelled texts from TSV or CSV files, and [`TokenDataset`], the same by the words
//!   of a [`Vocabulary`].
//!
//! This crate knows nothing of quantum layers.

mod cifar;
mod digits;
mod error;
#[cfg(feature = "download")]
mod fetch;
mod file;
mod idx;
mod image;
mod mnist;
mod text;
mod tokens;
mod vocabulary;

pub use cifar::{Cifar10, Cifar100};
pub use digits::Digits;
pub use error::Error;
#[cfg(feature = "download")]
pub use fetch::{Fetcher, Progress};
pub use image::{ImageBatch, ImageBatcher, ImageDataset, ImageItem};
pub use mnist::Mnist;
pub use text::{TextDataset, TextFormat, TextItem};
pub use tokens::{TokenBatch, TokenBatcher, TokenDataset, TokenItem};
pub use vocabulary::Vocabulary;
