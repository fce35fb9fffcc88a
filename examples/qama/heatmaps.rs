//! What each head selects, as pictures and as numbers.

use crate::common::Outcome;
use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::Dataset;
use burn::tensor::{Device, Tensor};
use burn_quantum_datasets::{ImageDataset, TokenBatcher, TokenDataset, Vocabulary};
use burn_quantum_models::{AttentionOutput, HeadMeter, TextClassifier, VisionTransformer};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontStyle, FontTransform, register_font};
use std::fs;
use std::path::Path;

type Area<'a> = DrawingArea<BitMapBackend<'a>, Shift>;

/// Side of an image, and of the square that holds the selection of one head, if its words need no more.
const SIDE: i32 = 256;
/// Height of a word.
const CELL: i32 = 14;
/// Room for words.
const MARGIN: i32 = 90;
/// Room for the title of a head.
const TITLE: i32 = 24;
const GAP: i32 = 16;
/// Heads side by side.
const COLUMNS: usize = 4;

/// A model and the test set that it selects from.
pub struct Maps<'a> {
    n_items: usize,
    /// The attention of each layer on some items, and what these are.
    attend: Box<dyn Fn(std::ops::Range<usize>) -> Batch + 'a>,
}

struct Batch {
    layers: Vec<AttentionOutput>,
    mask_pad: Option<Tensor<2, burn::tensor::Bool>>,
    items: Vec<Item>,
}

/// What the tokens of an item are.
enum Item {
    Words(Vec<String>),
    /// The patches of an image, so many in a row.
    Patches {
        image: Picture,
        n_columns: usize,
    },
}

struct Picture {
    pixels: Vec<RGBColor>,
    width: usize,
}

pub fn of_images<'a>(
    model: &VisionTransformer,
    images: &'a ImageDataset,
    patch_size: usize,
    device: &Device,
) -> Maps<'a> {
    let (model, device) = (model.clone(), device.clone());
    let [_, _, width] = images.shape();
    let attend = move |range: std::ops::Range<usize>| {
        let items: Vec<_> = range.map(|i| images.get(i).expect("in memory")).collect();
        let pictures = items.iter().map(|item| Item::Patches {
            image: picture(&item.pixels, images.shape()),
            n_columns: width / patch_size,
        });
        let pictures = pictures.collect();
        let batch = images.batcher().batch(items, &device);
        let (_, layers) = model.forward_with_attention(batch.images);
        Batch { layers, mask_pad: None, items: pictures }
    };
    Maps { n_items: images.len(), attend: Box::new(attend) }
}

pub fn of_texts<'a>(
    model: &TextClassifier,
    texts: &'a TokenDataset,
    vocabulary: &'a Vocabulary,
    device: &Device,
) -> Maps<'a> {
    let (model, device) = (model.clone(), device.clone());
    let word = |&token: &u32| vocabulary.word(token).unwrap_or("?").to_string();
    let attend = move |range: std::ops::Range<usize>| {
        let items: Vec<_> = range.map(|i| texts.get(i).expect("in memory")).collect();
        let words = items.iter().map(|item| Item::Words(item.tokens.iter().map(word).collect()));
        let words = words.collect();
        let batch = TokenBatcher.batch(items, &device);
        let (_, layers) = model.forward_with_attention(batch.tokens, batch.mask_pad.clone());
        Batch { layers, mask_pad: Some(batch.mask_pad), items: words }
    };
    Maps { n_items: texts.len(), attend: Box::new(attend) }
}

/// The grey values or colours, brightened to the whole range.
fn picture(pixels: &[u8], [channels, height, width]: [usize; 3]) -> Picture {
    let brightest = pixels.iter().copied().max().unwrap_or(0).max(1) as usize;
    let value = |c: usize, i: usize| {
        let plane = if channels == 3 { c } else { 0 };
        (255 * pixels[plane * height * width + i] as usize / brightest) as u8
    };
    let pixels = (0..height * width).map(|i| RGBColor(value(0, i), value(1, i), value(2, i)));
    Picture { pixels: pixels.collect(), width }
}

/// Makes the folder, before a training whose maps could not be kept.
pub fn prepare(folder: &Path) -> Outcome<()> {
    Ok(fs::create_dir_all(folder).map_err(|error| format!("`{}`: {error}", folder.display()))?)
}

/// Writes the statistics of all test items, and a picture of each of the first `n_drawn` and each
/// layer.
pub fn write(folder: &Path, n_drawn: usize, maps: &Maps) -> Outcome<()> {
    let font = epaint_default_fonts::UBUNTU_LIGHT;
    register_font("sans-serif", FontStyle::Normal, font).map_err(|_| "the font is not readable")?;
    let mut meters: Vec<HeadMeter> = Vec::new();
    for first in (0..maps.n_items).step_by(64) {
        let batch = (maps.attend)(first..(first + 64).min(maps.n_items));
        meters.resize_with(batch.layers.len(), HeadMeter::default);
        for (meter, layer) in meters.iter_mut().zip(&batch.layers) {
            meter.add(layer, batch.mask_pad.as_ref());
        }
        for (k, item) in batch.items.iter().enumerate().take_while(|(k, _)| first + k < n_drawn) {
            for (l, layer) in batch.layers.iter().enumerate() {
                let file = folder.join(format!("item{}-layer{}.png", first + k + 1, l + 1));
                draw(&file, layer, k, item)?;
            }
        }
    }
    let file = folder.join("statistics.csv");
    let written = fs::write(&file, table(&meters));
    Ok(written.map_err(|error| format!("`{}`: {error}", file.display()))?)
}

fn table(layers: &[HeadMeter]) -> String {
    let mut table = "layer,head,selected_fraction,entropy,effective_keys,n_queries\n".to_string();
    for (l, layer) in layers.iter().enumerate() {
        for (h, head) in layer.statistics().iter().enumerate() {
            table += &format!(
                "{},{},{:.6},{:.6},{:.4},{}\n",
                l + 1,
                h + 1,
                head.selected_fraction,
                head.entropy,
                head.effective_keys,
                head.n_queries
            );
        }
    }
    table
}

/// One square per head: a row for each token that selects, a column for each that is selected. Of an
/// image also the mean selection of each patch.
fn draw(file: &Path, layer: &AttentionOutput, k: usize, item: &Item) -> Outcome<()> {
    let [_, n_heads, n, _] = layer.selection.dims();
    let n_tokens = if let Item::Words(words) = item { words.len() } else { n };
    let one = layer.selection.clone().slice([k..k + 1, 0..n_heads, 0..n_tokens, 0..n_tokens]);
    let values: Vec<f64> = one.into_data().iter::<f64>().collect();
    let panel = Panel::of(item);
    let (width, height) = panel.size(n_heads);
    let area = BitMapBackend::new(file, (width as u32, height as u32)).into_drawing_area();
    area.fill(&WHITE)?;
    if let Item::Patches { image, .. } = item {
        panel.cells(&area, (GAP, GAP + TITLE), &image.pixels, image.width)?;
    }
    for (h, head) in values.chunks(n_tokens * n_tokens).enumerate() {
        panel.head(&area, h, head, item)?;
    }
    area.present()?;
    Ok(())
}

/// The layout of a picture.
struct Panel {
    /// Of the square of one head.
    side: i32,
    /// Room on the left of the square, below it, and on the left of all.
    left: i32,
    below: i32,
    first: i32,
}

impl Panel {
    fn of(item: &Item) -> Self {
        match item {
            Item::Words(words) => {
                let side = SIDE.max(CELL * words.len() as i32);
                Self { side, left: MARGIN, below: MARGIN, first: 0 }
            }
            Item::Patches { .. } => {
                Self { side: SIDE, left: 0, below: GAP + SIDE, first: SIDE + GAP }
            }
        }
    }

    fn width(&self) -> i32 {
        self.left + self.side + GAP
    }

    fn height(&self) -> i32 {
        TITLE + self.side + self.below + GAP
    }

    fn size(&self, n_heads: usize) -> (i32, i32) {
        let (columns, rows) = (n_heads.min(COLUMNS), n_heads.div_ceil(COLUMNS));
        let width = GAP + self.first + columns as i32 * self.width();
        (width, GAP + rows as i32 * self.height())
    }

    fn head(&self, area: &Area, h: usize, values: &[f64], item: &Item) -> Outcome<()> {
        let (column, row) = ((h % COLUMNS) as i32, (h / COLUMNS) as i32);
        let x = GAP + self.first + column * self.width() + self.left;
        let y = GAP + row * self.height();
        let n = values.len().isqrt();
        let percent = 100.0 * values.iter().sum::<f64>() / values.len() as f64;
        let largest = values.iter().copied().fold(0.0, f64::max);
        let title = format!("head {}: {percent:.1} % selected, black = {largest:.2}", h + 1);
        area.draw_text(&title, &font(14), (x, y))?;
        let square = (x, y + TITLE);
        self.cells(area, square, &grey(values.iter().copied(), largest), n)?;
        match item {
            Item::Words(words) => self.label(area, square, words),
            Item::Patches { n_columns, .. } => {
                let of_key = |j: usize| values.iter().skip(j).step_by(n).sum::<f64>() / n as f64;
                let means = grey((0..n).map(of_key), largest);
                self.cells(area, (x, square.1 + SIDE + GAP), &means, *n_columns)
            }
        }
    }

    /// Fills a square with cells, row by row, and frames it.
    fn cells(
        &self,
        area: &Area,
        (x, y): (i32, i32),
        colors: &[RGBColor],
        n_columns: usize,
    ) -> Outcome<()> {
        let (side, n_rows) = (self.side, colors.len().div_ceil(n_columns));
        let edge = |k: usize, n: usize| side * k as i32 / n as i32;
        for (i, color) in colors.iter().enumerate() {
            let (row, column) = (i / n_columns, i % n_columns);
            let from = (x + edge(column, n_columns), y + edge(row, n_rows));
            let to = (x + edge(column + 1, n_columns), y + edge(row + 1, n_rows));
            area.draw(&Rectangle::new([from, to], color.filled()))?;
        }
        area.draw(&Rectangle::new([(x, y), (x + side, y + side)], BLACK.stroke_width(1)))?;
        Ok(())
    }

    /// Writes the words beside the rows and, from top to bottom, below the columns.
    fn label(&self, area: &Area, (x, y): (i32, i32), words: &[String]) -> Outcome<()> {
        let n = words.len() as i32;
        let beside = font(CELL - 2).pos(Pos::new(HPos::Right, VPos::Center));
        let below = font(CELL - 2).transform(FontTransform::Rotate90);
        for (k, word) in words.iter().enumerate() {
            let middle = self.side * (2 * k as i32 + 1) / (2 * n);
            let short: String = word.chars().take(12).collect();
            area.draw_text(&short, &beside, (x - 4, y + middle))?;
            area.draw_text(&short, &below, (x + middle + CELL / 2, y + self.side + 4))?;
        }
        Ok(())
    }
}

fn font(size: i32) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&BLACK)
}

/// 0 white, `largest` black.
fn grey(values: impl Iterator<Item = f64>, largest: f64) -> Vec<RGBColor> {
    let share = |value: f64| if largest > 0.0 { (value / largest).clamp(0.0, 1.0) } else { 0.0 };
    let level = |value: f64| (255.0 * (1.0 - share(value))).round() as u8;
    values.map(|value| RGBColor(level(value), level(value), level(value))).collect()
}
