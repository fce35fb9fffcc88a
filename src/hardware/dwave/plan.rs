//! Which models go where on the chip, in which jobs.

use super::physical::Physical;
use super::ticket::Placed;
use super::{DWave, unsupported};
use crate::error::{Error, ErrorKind};
use crate::hardware::{Embedding, cliques, largest_clique};
use crate::ising::Ising;
use crate::random::Stream;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// Disjoint complete graphs by their number of variables, found once: one of them, or all that the
/// chip holds. Clones share them.
pub(super) type Tiles = Arc<Mutex<HashMap<(usize, bool), Arc<Vec<Embedding>>>>>;

/// The reads of a job, and what is in it.
type Planned = (usize, Vec<Placed>);

/// The next models, and the places for them.
type Round = (Range<usize>, Arc<Vec<Embedding>>);

impl DWave {
    /// The number of jobs in which these models of the same number of spins would be sampled: they
    /// lie side by side, so it may be less than that of models.
    ///
    /// # Errors
    ///
    /// As [`submit`](Self::submit), as far as sizes are concerned.
    pub fn n_jobs(&self, models: &[&Ising], n_reads: usize) -> Result<usize, Error> {
        let rounds = self.rounds(models, n_reads)?;
        Ok(rounds.len() * self.reads_of_jobs(n_reads)?.len())
    }

    pub(super) fn plan(&self, models: &[&Ising], n_reads: usize) -> Result<Vec<Planned>, Error> {
        let rounds = self.rounds(models, n_reads)?;
        let mut planned = Vec::new();
        for (here, tiles) in rounds {
            for (gauge, &n_reads) in self.reads_of_jobs(n_reads)?.iter().enumerate() {
                let placed = here
                    .clone()
                    .zip(tiles.iter())
                    .map(|(p, tile)| self.place(p, models[p], tile, gauge as u64));
                planned.push((n_reads, placed.collect::<Result<_, _>>()?));
            }
        }
        Ok(planned)
    }

    /// Which models lie side by side; none if there is nothing to sample.
    fn rounds(&self, models: &[&Ising], n_reads: usize) -> Result<Vec<Round>, Error> {
        if n_reads == 0 {
            let (what, range) = ("the number of reads".into(), "1 or more");
            return Err(ErrorKind::OutOfRange { what, value: 0.0, range }.into());
        }
        let Some(first) = models.first() else { return Ok(Vec::new()) };
        let n_spins = first.n_spins();
        if let Some(other) = models.iter().find(|model| model.n_spins() != n_spins) {
            let what = format!("models of {n_spins} and of {} spins at once", other.n_spins());
            return Err(unsupported(what, "submit models of one size together"));
        }
        let (mut rounds, mut problem) = (Vec::new(), 0);
        while n_spins > 0 && problem < models.len() {
            let tiles = self.tiles(&models[problem..])?;
            let here = problem..models.len().min(problem + tiles.len());
            problem = here.end;
            rounds.push((here, tiles));
        }
        Ok(rounds)
    }

    /// The reads, spread over as many jobs as there are transforms, or as the limit of the solver
    /// asks for.
    fn reads_of_jobs(&self, n_reads: usize) -> Result<Vec<usize>, Error> {
        let [least, most] = self.solver.n_reads_range;
        let n_jobs = self.n_gauges.min(n_reads).max(n_reads.div_ceil(most.max(1))).max(1);
        let reads: Vec<usize> =
            (0..n_jobs).map(|k| n_reads / n_jobs + usize::from(k < n_reads % n_jobs)).collect();
        match reads.iter().find(|&&reads| reads < least || reads > most) {
            None => Ok(reads),
            Some(reads) => {
                let what = format!("a job of {reads} reads, the solver takes {least} to {most}");
                Err(unsupported(what, "ask for another number of reads or transforms"))
            }
        }
    }

    /// Places for the next models: as many as go into one job.
    fn tiles(&self, models: &[&Ising]) -> Result<Arc<Vec<Embedding>>, Error> {
        if let Some(embedding) = &self.embedding {
            return Ok(Arc::new(vec![embedding.clone()]));
        }
        let (model, is_batch) = (models[0], models.len() > 1);
        let n = model.n_spins();
        if (!is_batch || self.solver.topology.is_none()) && self.is_native(model) {
            return Ok(Arc::new(vec![Embedding::of_qubits(0..n as u32)]));
        }
        let Some(topology) = self.solver.topology else {
            let what = format!("the graph of {} is of no known family", self.solver.identity.name);
            return Err(unsupported(what, "give an embedding by `with_embedding`"));
        };
        let mut found = self.tiles.lock().unwrap_or_else(PoisonError::into_inner);
        let limit = if is_batch { usize::MAX } else { 1 };
        let search = || Arc::new(cliques(topology, &self.solver.graph, n, limit));
        let tiles = found.entry((n, is_batch)).or_insert_with(search).clone();
        drop(found);
        match tiles.is_empty() {
            false => Ok(tiles),
            true => Err(ErrorKind::TooLargeForDevice {
                given: n,
                what: "spins, all coupled,",
                device: self.solver.identity.name.clone(),
                limit: largest_clique(topology, &self.solver.graph),
                remedy: "use fewer spins, or give an embedding of a sparse model by `with_embedding`",
            }
            .into()),
        }
    }

    /// Whether spin `i` can be qubit `i`.
    fn is_native(&self, model: &Ising) -> bool {
        let graph = &self.solver.graph;
        (0..model.n_spins()).all(|i| u32::try_from(i).is_ok_and(|q| graph.place(q).is_some()))
            && model.couplings().all(|(i, j, _)| graph.coupler(i as u32, j as u32).is_some())
    }

    fn place(
        &self,
        problem: usize,
        model: &Ising,
        tile: &Embedding,
        gauge: u64,
    ) -> Result<Placed, Error> {
        let chain_strength = self.chain_strength.of(model);
        if !(chain_strength > 0.0 && chain_strength.is_finite()) {
            let (what, range) = ("the chain strength".into(), "a finite number above zero");
            return Err(ErrorKind::OutOfRange { what, value: chain_strength, range }.into());
        }
        let physical = Physical::new(model, tile, chain_strength, &self.solver.graph)?;
        let scale = physical.factor(&self.solver, self.scale, self.n_gauges > 0)?;
        if !(scale > 0.0 && scale.is_finite()) {
            let (what, range) = ("the scale".into(), "a finite number above zero");
            return Err(ErrorKind::OutOfRange { what, value: scale, range }.into());
        }
        let mut rng = Stream::new(self.seed, gauge);
        let signs = (0..model.n_spins()).map(|_| rng.sign() as i8);
        let gauge = if self.n_gauges > 0 { signs.collect() } else { Vec::new() };
        Ok(Placed { problem, embedding: tile.clone(), scale, chain_strength, gauge })
    }
}
