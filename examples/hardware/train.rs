//! Training with a device in the network: every pass costs, and may fail.

use crate::common::Outcome;
use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::Dataset;
use burn::module::Module;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::{Device, Tensor};
use burn_quantum::hardware::Meter;
use burn_quantum_datasets::{ImageBatch, ImageDataset};
use burn_quantum_models::LearningRateSchedule;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use std::path::PathBuf;
use std::time::Instant;

/// A classifier that says when its device fails.
pub trait Network: Module + std::fmt::Debug {
    /// Images `[batch_size, channels, height, width]` to logits `[batch_size, n_classes]`.
    fn try_logits(&self, images: Tensor<4>) -> Result<Tensor<2>, burn_quantum::Error>;
}

/// How to train, and how much it may cost.
pub struct Training {
    pub n_epochs: usize,
    pub batch_size: usize,
    pub schedule: LearningRateSchedule,
    pub learning_rate: f64,
    pub max_jobs: Option<usize>,
    pub seed: u64,
    pub meter: Meter,
    /// Where the trained network goes.
    pub file: PathBuf,
}

/// The jobs of a pass over so many images, with gradients or without.
pub type Jobs<'a> = &'a dyn Fn(usize, bool) -> Outcome<usize>;

/// What it will cost.
struct Estimate {
    n_steps: usize,
    train: usize,
    test: usize,
}

impl Training {
    /// Trains, saves, tests on images never seen, and prints what it costs.
    pub fn run<N: Network>(
        &self,
        model: N,
        device: &Device,
        [train, test]: [&ImageDataset; 2],
        jobs: Jobs,
    ) -> Outcome<()> {
        let start = Instant::now();
        let estimate = self.estimate([train.len(), test.len()], jobs)?;
        self.announce(&estimate, [train.len(), test.len()])?;
        let (model, ended) = self.descend(model, device, train, &estimate);
        model.clone().save_file(&self.file).map_err(|error| error.to_string())?;
        println!("the network is in `{}`", self.file.display());
        ended?;
        self.meter.set_max_jobs(self.max_jobs);
        let correct = self.correct(&model.valid(), device, test)?;
        let percent = 100.0 * correct as f64 / test.len() as f64;
        println!("{} in {:.1} s", self.cost(), start.elapsed().as_secs_f64());
        println!("test accuracy: {percent:.2} %");
        Ok(())
    }

    /// The sizes of the batches of a pass over `n` images.
    fn batches(&self, n: usize) -> impl Iterator<Item = usize> {
        let size = self.batch_size;
        (0..n).step_by(size).map(move |first| size.min(n - first))
    }

    fn estimate(&self, [train, test]: [usize; 2], jobs: Jobs) -> Outcome<Estimate> {
        if self.batch_size == 0 || self.n_epochs == 0 {
            return Err("--batch-size and --epochs: use at least 1".into());
        }
        let pass = |n, trains| -> Outcome<usize> {
            self.batches(n).map(|n_images| jobs(n_images, trains)).sum()
        };
        let n_steps = self.batches(train).count() * self.n_epochs;
        let (train, test) = (pass(train, true)? * self.n_epochs, pass(test, false)?);
        Ok(Estimate { n_steps, train, test })
    }

    /// Says what is coming, and leaves the training what the test does not need.
    fn announce(&self, estimate: &Estimate, [train, test]: [usize; 2]) -> Outcome<()> {
        let Estimate { n_steps, train: jobs, test: test_jobs } = *estimate;
        let total = jobs + test_jobs;
        println!(
            "plan: {n_steps} steps ({} epochs of {train} images) of {:.1} jobs, and {test_jobs} jobs to test {test} images: {total} jobs",
            self.n_epochs,
            jobs as f64 / n_steps as f64
        );
        println!("few images, since jobs cost: see --train, --test, --epochs and --max-jobs");
        let Some(max_jobs) = self.max_jobs else { return Ok(()) };
        let first = jobs.div_ceil(n_steps);
        if max_jobs < test_jobs + first {
            return Err(format!(
                "--max-jobs {max_jobs} is less than the {first} of the first step and the {test_jobs} of the test: raise it, or lower --test"
            )
            .into());
        }
        if max_jobs < total {
            println!("the budget of {max_jobs} jobs will end the training early");
        }
        self.meter.set_max_jobs(Some(max_jobs - test_jobs));
        Ok(())
    }

    /// The number of steps that the budget allows, over which the learning rate falls.
    fn affordable(&self, estimate: &Estimate) -> usize {
        let Estimate { n_steps, train, test } = *estimate;
        let limit = self.max_jobs.map_or(train, |max_jobs| (max_jobs - test).min(train));
        (n_steps * limit).div_ceil(train)
    }

    /// All steps, or as many as the budget allows; with the network comes what stopped it.
    fn descend<N: Network>(
        &self,
        mut model: N,
        device: &Device,
        images: &ImageDataset,
        estimate: &Estimate,
    ) -> (N, Outcome<()>) {
        let mut rng = StdRng::seed_from_u64(self.seed);
        let mut optimizer = AdamWConfig::new().init();
        let mut schedule = match self.schedule.init(self.learning_rate, self.affordable(estimate)) {
            Ok(schedule) => schedule,
            Err(reason) => return (model, Err(reason.into())),
        };
        let mut order: Vec<usize> = (0..images.len()).collect();
        for epoch in 1..=self.n_epochs {
            order.shuffle(&mut rng);
            let mut sum = 0.0;
            for indices in order.chunks(self.batch_size) {
                let (loss, gradients) = match step(&model, device, images, indices) {
                    Ok(step) => step,
                    Err(error) => return (model, ended(epoch, error)),
                };
                if epoch == 1 && sum == 0.0 {
                    println!("first step:  loss {loss:.4}  {}", self.progress(estimate));
                }
                sum += loss * indices.len() as f64;
                model = optimizer.step(schedule.step(), model, gradients);
            }
            let loss = sum / images.len() as f64;
            let cost = self.progress(estimate);
            println!("epoch {epoch:>2}/{}  loss {loss:.4}  {cost}", self.n_epochs);
        }
        (model, Ok(()))
    }

    fn correct<N: Network>(
        &self,
        model: &N,
        device: &Device,
        images: &ImageDataset,
    ) -> Outcome<usize> {
        let all: Vec<usize> = (0..images.len()).collect();
        let mut correct = 0;
        for indices in all.chunks(self.batch_size) {
            let batch = batch(images, indices, device)?;
            let classes = model.try_logits(batch.images)?.argmax(1).squeeze_dim::<1>(1);
            let hits = classes.equal(batch.labels).int().sum().into_data();
            correct += hits.iter::<i64>().sum::<i64>() as usize;
        }
        Ok(correct)
    }

    /// The cost so far.
    fn cost(&self) -> String {
        let used = self.meter.usage();
        let device_time = match used.device_time.is_zero() {
            true => String::new(),
            false => format!(", {:.3} s of the device", used.device_time.as_secs_f64()),
        };
        let seconds = used.time.as_secs_f64();
        format!(
            "{} jobs, {} problems, {} reads, {seconds:.1} s of waiting{device_time}",
            used.jobs, used.problems, used.reads
        )
    }

    /// The cost so far, and what it will be at the end if it goes on like that.
    fn progress(&self, estimate: &Estimate) -> String {
        let used = self.meter.usage();
        let total = estimate.train + estimate.test;
        let total = self.max_jobs.map_or(total, |max_jobs| total.min(max_jobs));
        let factor = total as f64 / used.jobs.max(1) as f64;
        let time = if used.device_time.is_zero() { used.time } else { used.device_time };
        let whole = time.as_secs_f64() * factor;
        format!("{}; at the end {total} jobs, about {whole:.1} s", self.cost())
    }
}

/// The loss of a batch, and where it falls.
fn step<N: Network>(
    model: &N,
    device: &Device,
    images: &ImageDataset,
    indices: &[usize],
) -> Outcome<(f64, GradientsParams)> {
    let batch = batch(images, indices, &device.clone().autodiff())?;
    let logits = model.try_logits(batch.images)?;
    let loss = CrossEntropyLossConfig::new().init(&logits.device());
    let loss = loss.forward(logits, batch.labels);
    let value = loss.clone().into_scalar::<f64>();
    Ok((value, GradientsParams::from_grads(loss.backward(), model)))
}

/// A spent budget ends the training, anything else the program.
fn ended(epoch: usize, error: Box<dyn std::error::Error>) -> Outcome<()> {
    match error.downcast_ref::<burn_quantum::Error>() {
        Some(spent) if spent.is_budget_spent() => {
            println!("the training ends in epoch {epoch}: {spent}");
            Ok(())
        }
        _ => Err(error),
    }
}

fn batch(images: &ImageDataset, indices: &[usize], device: &Device) -> Outcome<ImageBatch> {
    let items = indices.iter().map(|&i| images.get(i)).collect::<Result<_, _>>()?;
    Ok(images.batcher().batch(items, device))
}
