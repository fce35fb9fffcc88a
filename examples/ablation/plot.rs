//! The plot of an ablation.

use crate::common::Outcome;
use crate::study::Study;
use burn_quantum_models::statistics::Summary;
use plotters::prelude::*;
use plotters::style::{FontStyle, register_font};
use std::path::Path;

/// Draws each run as a dot, and the mean of each variant with its 95 % interval.
pub fn accuracies(file: &Path, study: &Study) -> Outcome<()> {
    let font = epaint_default_fonts::UBUNTU_LIGHT;
    register_font("sans-serif", FontStyle::Normal, font).map_err(|_| "the font is not readable")?;
    let variants = study.accuracies();
    let (low, high) = range(&variants);

    let area = BitMapBackend::new(file, (900, 500)).into_drawing_area();
    area.fill(&WHITE)?;
    let columns = -0.5..variants.len() as f64 - 0.5;
    let mut chart = ChartBuilder::on(&area)
        .margin(20)
        .x_label_area_size(40)
        .y_label_area_size(70)
        .build_cartesian_2d(columns, low..high)?;
    let name = |x: &f64| {
        let whole = (x - x.round()).abs() < 1e-9;
        let variant = variants.get(x.round().max(0.0) as usize).filter(|_| whole);
        variant.map_or(String::new(), |(name, _)| (*name).into())
    };
    chart
        .configure_mesh()
        .disable_x_mesh()
        .x_labels(2 * variants.len() + 1)
        .x_label_formatter(&name)
        .y_desc("test accuracy, %")
        .label_style(("sans-serif", 18))
        .draw()?;
    for (column, (_, accuracies)) in variants.iter().enumerate() {
        let x = column as f64;
        let dots =
            accuracies.iter().map(|&y| Circle::new((x - 0.15, y), 4, BLUE.mix(0.4).filled()));
        chart.draw_series(dots)?;
        let Some(summary) = Summary::of(accuracies) else { continue };
        let half = summary.half_width.unwrap_or(0.0);
        let bar = [(x, summary.mean - half), (x, summary.mean + half)];
        chart.draw_series(LineSeries::new(bar, BLACK.stroke_width(2)))?;
        chart.draw_series([Circle::new((x, summary.mean), 5, BLACK.filled())])?;
    }
    area.present()?;
    Ok(())
}

/// From the lowest to the highest run or end of an interval, with a margin.
fn range(variants: &[(&str, Vec<f64>)]) -> (f64, f64) {
    let ends = variants.iter().filter_map(|(_, accuracies)| {
        let summary = Summary::of(accuracies)?;
        let half = summary.half_width.unwrap_or(0.0);
        Some([summary.mean - half, summary.mean + half])
    });
    let all = variants.iter().flat_map(|(_, accuracies)| accuracies.clone()).chain(ends.flatten());
    let (low, high) = all.fold((f64::MAX, f64::MIN), |(a, b), v| (a.min(v), b.max(v)));
    (low - 0.2, high + 0.2)
}
