//! What a hybrid gradient mixes, as metrics.

use burn::tensor::TensorReadError;
use burn::train::metric::state::{FormatOptions, NumericMetricState};
use burn::train::metric::{
    Metric, MetricAttributes, MetricMetadata, MetricName, Numeric, NumericAttributes, NumericEntry,
    SerializedEntry,
};
use burn_quantum::gradient::{HybridReport, HybridState};
use std::sync::Arc;

/// A figure of a [`HybridReport`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GradientFigure {
    /// The share `alpha` of the classical estimator.
    Share,
    /// The estimated squared bias of the classical estimator, where the mixture is adaptive.
    SquaredBias,
    /// The estimated variance of the covariance estimator, likewise.
    Variance,
}

impl GradientFigure {
    /// All figures.
    pub const ALL: [Self; 3] = [Self::Share, Self::SquaredBias, Self::Variance];

    /// The name of its metric.
    pub fn name(self) -> &'static str {
        match self {
            Self::Share => "Gradient Share",
            Self::SquaredBias => "Gradient Squared Bias",
            Self::Variance => "Gradient Variance",
        }
    }

    fn of(self, report: HybridReport) -> Option<f64> {
        match self {
            Self::Share => Some(report.alpha),
            Self::SquaredBias => report.squared_bias,
            Self::Variance => report.variance,
        }
    }
}

/// A figure of the last backward pass as a metric of burn-train, the mean over the network's samplers.
///
/// burn-train measures behind the training, so a step may be counted twice and another not; the mean of
/// an epoch is what to read. Without samplers, or where the figure is not estimated, it is not available.
///
/// [`TrainingConfig::train`](super::TrainingConfig::train) registers all three for networks that have a
/// sampler; in a training of one's own:
///
/// ```
/// use burn::train::metric::Metric;
/// use burn_quantum_models::training::{Classifier, GradientFigure, GradientMetric};
/// use burn_quantum_models::{AttentionKind, VisionTransformerConfig};
///
/// let device = burn::tensor::Device::flex();
/// let config = VisionTransformerConfig::new([1, 8, 8], 10).with_attention(AttentionKind::QamaGibbs);
/// let model = config.init(&device);
/// let share = GradientMetric::new(GradientFigure::Share, model.gradient_states());
/// assert_eq!(share.name().as_str(), "Gradient Share");
/// ```
#[derive(Clone)]
pub struct GradientMetric {
    figure: GradientFigure,
    sources: Vec<Arc<HybridState>>,
    name: MetricName,
    state: NumericMetricState,
    measured: bool,
}

impl GradientMetric {
    /// The metric of `figure` over `sources`: see
    /// [`Classifier::gradient_states`](super::Classifier::gradient_states).
    pub fn new(figure: GradientFigure, sources: Vec<Arc<HybridState>>) -> Self {
        let name = Arc::new(figure.name().to_string());
        Self { figure, sources, name, state: NumericMetricState::new(), measured: false }
    }

    fn mean(&self) -> Option<f64> {
        let reports = self.sources.iter().filter_map(|source| source.report());
        let figures: Vec<f64> = reports.filter_map(|report| self.figure.of(report)).collect();
        (!figures.is_empty()).then(|| figures.iter().sum::<f64>() / figures.len() as f64)
    }

    fn format(&self) -> FormatOptions {
        FormatOptions::new(self.name()).precision(6)
    }

    fn entry(&self, value: NumericEntry) -> Option<NumericEntry> {
        self.measured.then_some(value)
    }
}

impl Metric for GradientMetric {
    type Input = ();

    fn name(&self) -> MetricName {
        self.name.clone()
    }

    fn attributes(&self) -> MetricAttributes {
        NumericAttributes { unit: None, higher_is_better: false }.into()
    }

    fn update(&mut self, _: &(), _: &MetricMetadata) -> Result<SerializedEntry, TensorReadError> {
        let Some(mean) = self.mean() else {
            return Ok(SerializedEntry::not_available(None));
        };
        self.measured = true;
        self.state.update(mean, 1);
        Ok(self.state.compute_update(self.format()))
    }

    fn compute(&mut self) -> Result<SerializedEntry, TensorReadError> {
        if !self.measured {
            return Ok(SerializedEntry::not_available(None));
        }
        Ok(self.state.compute_final(self.format()))
    }

    fn clear(&mut self) {
        self.state.reset();
        self.measured = false;
    }
}

impl Numeric for GradientMetric {
    fn value(&self) -> Option<NumericEntry> {
        self.entry(self.state.current_value())
    }

    fn running_value(&self) -> Option<NumericEntry> {
        self.entry(self.state.running_value())
    }

    fn final_value(&self) -> NumericEntry {
        self.state.final_value()
    }
}
