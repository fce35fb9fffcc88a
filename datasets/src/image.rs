//! Labelled images in memory, and the batches made of them.

use burn::data::{
    dataloader::batcher::Batcher,
    dataset::{Dataset, DatasetError},
};
use burn::tensor::{Device, Int, Tensor, TensorData};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// One image, `channels * height * width` bytes in that order, and its class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageItem {
    /// Grey values or colours.
    pub pixels: Vec<u8>,
    /// The class.
    pub label: u8,
}

/// Labelled images of one size, held in memory.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageDataset {
    pixels: Vec<u8>,
    labels: Vec<u8>,
    shape: [usize; 3],
    n_classes: usize,
    max_value: u8,
}

impl ImageDataset {
    /// The images in `pixels`, one after the other, of `shape` `[channels, height, width]`.
    ///
    /// # Panics
    ///
    /// Panics unless there is one label per image, each below `n_classes`.
    pub fn new(
        pixels: Vec<u8>,
        labels: Vec<u8>,
        shape: [usize; 3],
        n_classes: usize,
        max_value: u8,
    ) -> Self {
        let size: usize = shape.iter().product();
        assert_eq!(pixels.len(), labels.len() * size, "pixels for {} labels", labels.len());
        let bad = labels.iter().find(|&&label| label as usize >= n_classes);
        assert!(bad.is_none(), "label {bad:?} is not below {n_classes}");
        Self { pixels, labels, shape, n_classes, max_value }
    }

    /// `[channels, height, width]`.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// The number of classes.
    pub fn n_classes(&self) -> usize {
        self.n_classes
    }

    /// The labels, in order.
    pub fn labels(&self) -> &[u8] {
        &self.labels
    }

    /// The images for which `keep(index)` holds.
    pub fn filter(&self, keep: impl Fn(usize) -> bool) -> Self {
        let size: usize = self.shape.iter().product();
        let kept = || (0..self.labels.len()).filter(|&i| keep(i));
        Self {
            pixels: kept().flat_map(|i| &self.pixels[i * size..][..size]).copied().collect(),
            labels: kept().map(|i| self.labels[i]).collect(),
            ..*self
        }
    }

    /// A batcher for these images: values in `[-1, 1]`, nothing moved.
    pub fn batcher(&self) -> ImageBatcher {
        ImageBatcher {
            shape: self.shape,
            max_value: self.max_value,
            max_shift: 0,
            seed: 0,
            drawn: Arc::default(),
        }
    }
}

impl Dataset<ImageItem> for ImageDataset {
    fn get(&self, index: usize) -> Result<ImageItem, DatasetError> {
        let size: usize = self.shape.iter().product();
        let pixels = self.pixels[index * size..][..size].to_vec();
        Ok(ImageItem { pixels, label: self.labels[index] })
    }

    fn len(&self) -> usize {
        self.labels.len()
    }
}

/// A batch of images and their classes.
#[derive(Debug, Clone)]
pub struct ImageBatch {
    /// `[batch_size, channels, height, width]`, values in `[-1, 1]`.
    pub images: Tensor<4>,
    /// `[batch_size]`.
    pub labels: Tensor<1, Int>,
}

/// Makes batches from the items of one [`ImageDataset`]; see [`ImageDataset::batcher`].
#[derive(Debug, Clone)]
pub struct ImageBatcher {
    shape: [usize; 3],
    max_value: u8,
    max_shift: usize,
    seed: u64,
    /// How many images this batcher has moved. A clone goes on counting together with it.
    drawn: Arc<AtomicU64>,
}

impl ImageBatcher {
    /// Moves each image by up to `pixels` in both directions, filling with black: augmentation
    /// for training. Reproducible where batches are asked for in one order (one worker).
    pub fn with_random_shift(mut self, pixels: usize, seed: u64) -> Self {
        (self.max_shift, self.seed) = (pixels, seed);
        self
    }

    fn shift(&self) -> [isize; 2] {
        if self.max_shift == 0 {
            return [0, 0];
        }
        let random = mix(self.seed ^ mix(self.drawn.fetch_add(1, Ordering::Relaxed)));
        let range = 2 * self.max_shift as u64 + 1;
        [random % range, (random >> 32) % range].map(|r| r as isize - self.max_shift as isize)
    }

    fn append(&self, item: &ImageItem, out: &mut Vec<f32>) {
        let [channels, height, width] = self.shape;
        let [down, right] = self.shift();
        let value = |c: usize, y: isize, x: isize| {
            let inside = (0..height as isize).contains(&y) && (0..width as isize).contains(&x);
            let index = (c * height) as isize * width as isize + y * width as isize + x;
            let pixel = if inside { item.pixels[index as usize] } else { 0 };
            2.0 * pixel as f32 / self.max_value as f32 - 1.0
        };
        for c in 0..channels {
            for y in 0..height as isize {
                out.extend((0..width as isize).map(|x| value(c, y - down, x - right)));
            }
        }
    }
}

/// SplitMix64's output function.
fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

impl Batcher<ImageItem, ImageBatch> for ImageBatcher {
    fn batch(&self, items: Vec<ImageItem>, device: &Device) -> ImageBatch {
        let [channels, height, width] = self.shape;
        let mut values = Vec::with_capacity(items.len() * channels * height * width);
        items.iter().for_each(|item| self.append(item, &mut values));
        let labels: Vec<i32> = items.iter().map(|item| item.label.into()).collect();
        let images = TensorData::new(values, [items.len(), channels, height, width]);
        ImageBatch {
            images: Tensor::from_data(images, device),
            labels: Tensor::from_data(TensorData::new(labels, [items.len()]), device),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> ImageDataset {
        ImageDataset::new(vec![0, 1, 2, 3, 4, 4, 4, 4], vec![1, 0], [1, 2, 2], 2, 4)
    }

    #[test]
    fn values_reach_from_minus_one_to_one() {
        let items = vec![two().get(0).unwrap(), two().get(1).unwrap()];
        let batch = two().batcher().batch(items, &Device::flex());
        let values: Vec<f32> = batch.images.into_data().iter::<f32>().collect();
        assert_eq!(values, [-1.0, -0.5, 0.0, 0.5, 1.0, 1.0, 1.0, 1.0]);
        let labels: Vec<i64> = batch.labels.into_data().iter::<i64>().collect();
        assert_eq!(labels, [1, 0]);
    }

    #[test]
    fn shifts_stay_in_range_reach_both_ends_and_repeat() {
        let draw = || {
            let batcher = two().batcher().with_random_shift(2, 7);
            (0..200).map(|_| batcher.shift()).collect::<Vec<_>>()
        };
        let shifts = draw();
        for axis in 0..2 {
            for value in -2..=2 {
                assert!(shifts.iter().any(|shift| shift[axis] == value));
            }
            assert!(shifts.iter().all(|shift| shift[axis].abs() <= 2));
        }
        assert_eq!(shifts, draw());
    }

    #[test]
    fn a_shifted_image_keeps_what_stays_inside() {
        let mut shifted = Vec::new();
        let batcher = two().batcher().with_random_shift(1, 0);
        let item = two().get(0).unwrap();
        while batcher.drawn.load(Ordering::Relaxed) < 100 {
            let next = batcher.clone();
            let at = next.drawn.load(Ordering::Relaxed);
            shifted.clear();
            batcher.append(&item, &mut shifted);
            next.drawn.store(at, Ordering::Relaxed);
            let [down, right] = next.shift();
            for (k, &value) in shifted.iter().enumerate() {
                let (y, x) = (k as isize / 2 - down, k as isize % 2 - right);
                let inside = (0..2).contains(&y) && (0..2).contains(&x);
                let pixel = if inside { item.pixels[(y * 2 + x) as usize] } else { 0 };
                assert_eq!(value, pixel as f32 / 2.0 - 1.0);
            }
        }
    }

    #[test]
    #[should_panic(expected = "label Some(2) is not below 2")]
    fn a_label_out_of_range() {
        ImageDataset::new(vec![0], vec![2], [1, 1, 1], 2, 1);
    }
}
