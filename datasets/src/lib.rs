//! Image data sets as Burn datasets, with batchers.
//!
//! - [`Digits`]: UCI's 8 by 8 digits, embedded in this crate.
//! - [`Mnist`]: read from its IDX files, which can be downloaded and are verified.
//!
//! This crate knows nothing of quantum layers.

mod digits;
mod error;
#[cfg(feature = "download")]
mod fetch;
mod idx;
mod image;
mod mnist;

pub use digits::Digits;
pub use error::Error;
#[cfg(feature = "download")]
pub use fetch::{Fetcher, Progress};
pub use image::{ImageBatch, ImageBatcher, ImageDataset, ImageItem};
pub use mnist::Mnist;
