//! From answers to samples.

use super::physical::Physical;
use super::ticket::{Placed, Ticket, TicketJob};
use super::unembed::unembed;
use super::{AnswerMode, DWave, Report, unsupported};
use crate::annealing::{Cancellation, SampleSet, effective_beta};
use crate::error::Error;
use crate::hardware::sapi::{Answer, JobId, ProblemKind};
use crate::ising::Ising;
use crate::random::Stream;
use std::time::{Duration, Instant};

/// The samples of one model, and their report if anybody wants it.
pub(super) type Read = (SampleSet, Option<Report>);

/// A model's share of an answer.
struct Part<'a> {
    stream: u64,
    job: &'a TicketJob,
    placed: &'a Placed,
    answer: &'a Answer,
}

impl DWave {
    pub(super) fn collected(
        &self,
        models: &[&Ising],
        ticket: &Ticket,
        reports: bool,
    ) -> Result<Vec<Read>, Error> {
        let start = Instant::now();
        self.check_ticket(models, ticket)?;
        let ids: Vec<JobId> = ticket.jobs().cloned().collect();
        let client = self.client.limited(self.time, self.cancellation.as_ref());
        let answers = client.wait(&self.solver, &ids);
        if answers.iter().flatten().count() < ids.len()
            && self.cancellation.as_ref().is_some_and(Cancellation::is_cancelled)
        {
            self.give_up(&ids);
        }
        let answers = answers.into_iter().collect::<Result<Vec<_>, _>>()?;
        let mut parts: Vec<Vec<Part>> = models.iter().map(|_| Vec::new()).collect();
        for (k, (job, answer)) in ticket.jobs.iter().zip(&answers).enumerate() {
            self.check_answer(models, job, answer)?;
            for placed in &job.placed {
                parts[placed.problem].push(Part { stream: k as u64, job, placed, answer });
            }
        }
        let read = |(model, parts): (&&Ising, &Vec<Part>)| {
            self.read(model, parts, ticket.n_reads, reports)
        };
        let all = models.iter().zip(&parts).map(read).collect::<Result<Vec<_>, _>>()?;
        for (p, (_, report)) in all.iter().enumerate() {
            if let (Some(tell), Some(report)) = (&self.tell, report) {
                tell(p, report);
            }
        }
        let elapsed = start.elapsed();
        Ok(all.into_iter().map(|(set, report)| (set.with_elapsed(elapsed), report)).collect())
    }

    fn check_ticket(&self, models: &[&Ising], ticket: &Ticket) -> Result<(), Error> {
        let fits = ticket.solver == self.solver.identity
            && ticket.n_problems == models.len()
            && models.iter().all(|model| model.n_spins() == ticket.n_spins)
            && ticket.jobs.iter().flat_map(|job| &job.placed).all(|p| p.problem < models.len());
        match fits {
            true => Ok(()),
            false => {
                let (n, spins) = (ticket.n_problems, ticket.n_spins);
                let what =
                    format!("a ticket of {n} models of {spins} spins on {}", ticket.solver.name);
                Err(unsupported(what, "give it the models and the solver of its submission"))
            }
        }
    }

    fn check_answer(
        &self,
        models: &[&Ising],
        job: &TicketJob,
        answer: &Answer,
    ) -> Result<(), Error> {
        let named = |reason: String| self.client.malformed(reason).about_job(&job.id.0);
        let n_reads: usize = answer.counts.iter().sum();
        if n_reads != job.n_reads {
            return Err(named(format!("{n_reads} reads, asked for {}", job.n_reads)));
        }
        let sent = self.coefficients(models, &job.placed)?;
        sent.check_energies(&self.solver.graph, ProblemKind::Ising, answer).map_err(named)
    }

    fn read(
        &self,
        model: &Ising,
        parts: &[Part],
        n_reads: usize,
        reports: bool,
    ) -> Result<Read, Error> {
        let (mut spins, mut counts) = (Vec::new(), Vec::new());
        let mut broken = vec![0; model.n_spins()];
        for part in parts {
            let Part { stream, placed, answer, .. } = part;
            let mut rng =
                Stream::new(self.seed, 1 << 40 | stream << 20 | placed.problem as u64 & 0xfffff);
            let (embedding, gauge) = (&placed.embedding, &placed.gauge[..]);
            let found = unembed(model, embedding, gauge, self.unembedding, answer, &mut rng);
            spins.extend(found.spins);
            counts.extend(&answer.counts);
            broken.iter_mut().zip(&found.broken).for_each(|(to, n)| *to += n);
        }
        if parts.is_empty() {
            counts = vec![1; n_reads];
        }
        let set = SampleSet::counted(model, spins, counts)?.with_seed(self.seed);
        let set =
            if self.answer_mode == AnswerMode::Histogram { set.aggregated().sorted() } else { set };
        let report = reports.then(|| self.report(model, parts, &set, &broken)).transpose()?;
        Ok((set, report))
    }

    fn report(
        &self,
        model: &Ising,
        parts: &[Part],
        set: &SampleSet,
        broken: &[usize],
    ) -> Result<Report, Error> {
        let first = parts.first().map(|part| part.placed);
        let programmed = match first {
            None => Ising::sparse(vec![], [], 0.0)?,
            Some(placed) => {
                let graph = &self.solver.graph;
                Physical::new(model, &placed.embedding, placed.chain_strength, graph)?
                    .programmed(placed.scale)?
            }
        };
        let n_reads = set.n_reads() as f64;
        let times = parts.iter().map(|part| part.answer.qpu_access_time());
        Ok(Report {
            jobs: parts.iter().map(|part| part.job.id.clone()).collect(),
            scale: first.map_or(1.0, |placed| placed.scale),
            chain_strength: first.map_or(1.0, |placed| placed.chain_strength),
            max_chain_length: first.map_or(0, |placed| placed.embedding.max_chain_length()),
            chain_breaks: broken.iter().map(|&n| n as f64 / n_reads).collect(),
            effective_beta: effective_beta(model, set).ok(),
            qpu_access_time: times.sum::<Option<Duration>>(),
            programmed,
        })
    }
}
