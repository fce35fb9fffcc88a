//! The runs of an ablation, kept in a file as they finish.

use crate::common::Outcome;
use burn::module::Module;
use burn::tensor::Device;
use burn_quantum_datasets::ImageDataset;
use burn_quantum_models::statistics::{PairedTest, Summary};
use burn_quantum_models::training::{Run, Score, TrainingConfig};
use burn_quantum_models::{QhonConfig, Variant};
use serde::{Deserialize, Serialize};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// A finished run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Finished {
    variant: String,
    seed: u64,
    /// Test accuracy in per cent.
    accuracy: f64,
    correct: usize,
    total: usize,
    parameters: usize,
    seconds: f64,
}

/// What must agree between runs that are compared.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Settings {
    dataset: String,
    limit: Option<usize>,
    network: QhonConfig,
    training: TrainingConfig,
}

#[derive(Debug, Serialize, Deserialize)]
struct Record {
    settings: Settings,
    runs: Vec<Finished>,
}

/// Runs and where they are kept.
#[derive(Debug)]
pub struct Study {
    folder: PathBuf,
    record: Record,
}

impl Study {
    /// Goes on with the study in `folder`, or starts one.
    pub fn open(
        folder: &Path,
        dataset: &str,
        network: &QhonConfig,
        training: &TrainingConfig,
        limit: Option<usize>,
    ) -> Outcome<Self> {
        let (network, training) = (network.clone(), training.clone());
        let settings = Settings { dataset: dataset.into(), limit, network, training };
        fs::create_dir_all(folder).map_err(|e| format!("`{}`: {e}", folder.display()))?;
        let file = folder.join("runs.json");
        let record = if file.exists() {
            let record: Record = serde_json::from_str(&fs::read_to_string(&file)?)
                .map_err(|e| format!("`{}`: {e}", file.display()))?;
            if serde_json::to_value(&record.settings)? != serde_json::to_value(&settings)? {
                let remedy = "use the same, or name another folder with --out";
                let file = file.display();
                return Err(format!("`{file}` holds runs of other settings: {remedy}").into());
            }
            record
        } else {
            Record { settings, runs: Vec::new() }
        };
        Ok(Self { folder: folder.into(), record })
    }

    /// Trains and tests one network, if that was not done before.
    pub fn run(
        &mut self,
        variant: Variant,
        seed: u64,
        device: &Device,
        train: &ImageDataset,
        test: &ImageDataset,
    ) -> Outcome<()> {
        let name = variant.name();
        if self.record.runs.iter().any(|run| run.variant == name && run.seed == seed) {
            return Ok(());
        }
        let Settings { network, training, .. } = self.record.settings.clone();
        let folder = self.folder.join(format!("{name}-seed{seed}"));
        let run = Run { folder, resume: false, dashboard: false };
        let start = Instant::now();
        let network = variant.of(&network);
        let model = training.with_seed(seed).train(&network, device, train, &run, |_| {})?;
        let seconds = start.elapsed().as_secs_f64();
        let score = Score::of(&model, test, device);
        let accuracy = score.percent();
        println!("{name:<10} seed {seed}: {accuracy:.2} % in {seconds:.0} s");
        self.record.runs.push(Finished {
            variant: name.into(),
            seed,
            accuracy,
            correct: score.correct,
            total: score.total,
            parameters: model.num_params(),
            seconds,
        });
        fs::write(self.folder.join("runs.json"), serde_json::to_string_pretty(&self.record)?)?;
        Ok(())
    }

    /// The variants that were run, and their accuracies by seed.
    pub fn accuracies(&self) -> Vec<(&'static str, Vec<f64>)> {
        let of = |variant: Variant| {
            let accuracies = self.runs(variant).iter().map(|run| run.accuracy).collect();
            (variant.name(), accuracies)
        };
        let all = Variant::ALL.into_iter().map(of);
        all.filter(|(_, accuracies): &(_, Vec<f64>)| !accuracies.is_empty()).collect()
    }

    /// The runs of a variant, by seed.
    fn runs(&self, variant: Variant) -> Vec<&Finished> {
        let of = |run: &&Finished| run.variant == variant.name();
        let mut runs: Vec<_> = self.record.runs.iter().filter(of).collect();
        runs.sort_by_key(|run| run.seed);
        runs
    }

    /// A paired t test against the classical twin, over the seeds that both have.
    fn test(&self, variant: Variant) -> Option<PairedTest> {
        let twins = self.runs(Variant::Classical);
        let runs = self.runs(variant);
        let pair = |run: &&Finished| {
            let twin = twins.iter().find(|twin| twin.seed == run.seed)?;
            Some((run.accuracy, twin.accuracy))
        };
        let (ours, theirs): (Vec<f64>, Vec<f64>) = runs.iter().filter_map(pair).unzip();
        PairedTest::of(&ours, &theirs).filter(|_| variant != Variant::Classical)
    }

    /// The table of all variants.
    pub fn report(&self) -> String {
        let mut table = format!(
            "{:<10} {:>5} {:>17} {:>14} {:>10} {:>8}   less classical, paired t test\n",
            "variant", "seeds", "test accuracy", "95 % interval", "parameters", "time"
        );
        for variant in Variant::ALL {
            let runs = self.runs(variant);
            let accuracies: Vec<f64> = runs.iter().map(|run| run.accuracy).collect();
            let Some(s) = Summary::of(&accuracies) else { continue };
            let seconds = runs.iter().map(|run| run.seconds).sum::<f64>() / s.n as f64;
            let deviation = s.standard_deviation.map_or("-".into(), |sd| format!("{sd:.2}"));
            let interval = s
                .half_width
                .map_or("-".into(), |h| format!("{:.2} to {:.2}", s.mean - h, s.mean + h));
            let test = self.test(variant).map_or("-".into(), |test| {
                let (d, h) = (test.difference.mean, test.difference.half_width.unwrap_or(f64::NAN));
                format!("{d:+.2} +- {h:.2}, t = {:.2}, p = {:.3}", test.t, test.p)
            });
            let accuracy = format!("{:.2} +- {deviation}", s.mean);
            let (name, n, parameters) = (variant.name(), s.n, runs[0].parameters);
            let _ = writeln!(
                table,
                "{name:<10} {n:>5} {accuracy:>17} {interval:>14} {parameters:>10} {seconds:>6.0} s   {test}"
            );
        }
        table
    }

    /// One line for each run.
    pub fn write_csv(&self) -> Outcome<()> {
        let mut csv = String::from("variant,seed,accuracy,correct,total,parameters,seconds\n");
        for run in Variant::ALL.iter().flat_map(|&variant| self.runs(variant)) {
            let Finished { variant, seed, accuracy, correct, total, parameters, seconds } = run;
            let _ = writeln!(
                csv,
                "{variant},{seed},{accuracy},{correct},{total},{parameters},{seconds}"
            );
        }
        Ok(fs::write(self.folder.join("runs.csv"), csv)?)
    }
}
