//! What a training run reports, as events.

use super::GradientFigure;
use burn::train::logger::{EvaluationProgressLogger, TrainingProgressLogger};
use burn::train::metric::{MetricDefinition, MetricId};
use burn::train::renderer::{
    EvaluationName, MetricState, MetricsRenderer, MetricsRendererEvaluation,
    MetricsRendererTraining,
};
use std::time::Instant;

/// An event of a training run.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A batch was trained.
    Batch {
        /// The epoch, from 1.
        epoch: usize,
        /// Items trained in this epoch.
        done: usize,
        /// Items of an epoch.
        total: usize,
    },
    /// An epoch ended.
    Epoch(EpochReport),
}

/// The figures of one epoch.
#[derive(Debug, Clone, PartialEq)]
pub struct EpochReport {
    /// The epoch, from 1.
    pub epoch: usize,
    /// The number of epochs in all.
    pub n_epochs: usize,
    /// Images, or other items, trained per second.
    pub images_per_second: f64,
    /// Mean loss on the training items.
    pub train_loss: f64,
    /// Accuracy on the training items as they were trained, in per cent.
    pub train_accuracy: f64,
    /// Mean loss on the held-out items.
    pub valid_loss: f64,
    /// Accuracy on the held-out items, in per cent.
    pub valid_accuracy: f64,
    /// Means of what the hybrid gradient mixed, in the order of
    /// [`GradientFigure::ALL`](super::GradientFigure::ALL), where the network has a sampler and the
    /// figure is estimated.
    pub gradient: [Option<f64>; 3],
}

/// Turns burn-train's calls into events.
pub(super) struct Renderer<F> {
    on_event: F,
    names: Vec<(MetricId, String)>,
    /// Loss and accuracy of the split in progress.
    latest: [f64; 2],
    training: bool,
    started: Instant,
    split_total: usize,
    report: EpochReport,
}

impl<F: FnMut(Event) + Send + Sync> Renderer<F> {
    pub fn new(on_event: F) -> Self {
        Self {
            on_event,
            names: Vec::new(),
            latest: [f64::NAN; 2],
            training: true,
            started: Instant::now(),
            split_total: 0,
            report: EpochReport {
                epoch: 1,
                n_epochs: 0,
                images_per_second: 0.0,
                train_loss: f64::NAN,
                train_accuracy: f64::NAN,
                valid_loss: f64::NAN,
                valid_accuracy: f64::NAN,
                gradient: [None; 3],
            },
        }
    }

    fn update(&mut self, state: MetricState) {
        let MetricState::Numeric(entry, Some(number)) = state else {
            return;
        };
        let known = self.names.iter().find(|(id, _)| *id == entry.metric_id);
        match known.map(|(_, name)| name.as_str()) {
            Some("Loss") => self.latest[0] = number.current(),
            Some("Accuracy") => self.latest[1] = number.current(),
            Some(name) => {
                let figure = GradientFigure::ALL.iter().position(|figure| figure.name() == name);
                if let Some(k) = figure {
                    // What was not measured in an epoch ends it as NaN.
                    self.report.gradient[k] = Some(number.current()).filter(|x| x.is_finite());
                }
            }
            None => {}
        }
    }
}

/// A renderer for burn-train that reports what happens as [`Event`]s, for trainings of networks of
/// one's own: `SupervisedTraining::renderer(event_renderer(|event| ...))`. It wants the metrics
/// `LossMetric` and `AccuracyMetric`; what is not measured stays 0.
pub fn event_renderer(
    on_event: impl FnMut(Event) + Send + Sync + 'static,
) -> Box<dyn MetricsRenderer> {
    Box::new(Renderer::new(on_event))
}

impl<F: FnMut(Event) + Send + Sync> MetricsRendererTraining for Renderer<F> {
    fn update_train(&mut self, state: MetricState) {
        self.update(state);
    }

    fn update_valid(&mut self, state: MetricState) {
        self.update(state);
    }
}

impl<F: FnMut(Event) + Send + Sync> TrainingProgressLogger for Renderer<F> {
    fn start(
        &mut self,
        total: usize,
        starting: usize,
        _items: Option<usize>,
        _label: Option<&str>,
    ) {
        (self.report.n_epochs, self.report.epoch) = (total, starting);
    }

    fn start_split(&mut self, split: &str, total_items: usize) {
        self.training = split == "train";
        self.split_total = total_items;
        self.started = Instant::now();
    }

    fn update_split(&mut self, done: usize) {
        if self.training {
            let (epoch, total) = (self.report.epoch, self.split_total);
            (self.on_event)(Event::Batch { epoch, done, total });
        }
    }

    fn end_split(&mut self) {
        let [loss, accuracy] = self.latest;
        if self.training {
            let seconds = self.started.elapsed().as_secs_f64();
            self.report.images_per_second = self.split_total as f64 / seconds;
            (self.report.train_loss, self.report.train_accuracy) = (loss, accuracy);
        } else {
            (self.report.valid_loss, self.report.valid_accuracy) = (loss, accuracy);
        }
    }

    fn update_epoch(&mut self, epoch: usize) {
        self.report.epoch = epoch;
        (self.on_event)(Event::Epoch(self.report.clone()));
        self.report.epoch = epoch + 1;
    }

    fn end(&mut self) {}

    fn log_event_training(&mut self, _event: String) {}
}

impl<F: FnMut(Event) + Send + Sync> MetricsRendererEvaluation for Renderer<F> {
    fn update_test(&mut self, _name: EvaluationName, _state: MetricState) {}
}

impl<F: FnMut(Event) + Send + Sync> EvaluationProgressLogger for Renderer<F> {
    fn start_global_progress(&mut self, _total: usize) {}
    fn start_test(&mut self, _name: &str, _total: usize) {}
    fn update_test_progress(&mut self, _done: usize) {}
    fn end_test(&mut self) {}
    fn end_global_progress(&mut self) {}
    fn log_event_evaluation(&mut self, _event: String) {}
}

impl<F: FnMut(Event) + Send + Sync> MetricsRenderer for Renderer<F> {
    fn manual_close(&mut self) {}

    fn register_metric(&mut self, definition: MetricDefinition) {
        self.names.push((definition.metric_id, definition.name.to_string()));
    }
}
