//! A chip as it is: what works of it.

use super::Topology;
use crate::error::{Error, ErrorKind};
use std::collections::HashSet;

/// The qubits and couplers of a chip that work, in the order in which its solver lists them.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkingGraph {
    n_labels: usize,
    qubits: Vec<u32>,
    couplers: Vec<[u32; 2]>,
    /// Of each label its place in `qubits`, or `NONE`.
    places: Vec<u32>,
    /// Neighbours of each label, ascending, with the places of the couplers.
    neighbours: Vec<Vec<(u32, u32)>>,
}

const NONE: u32 = u32::MAX;

/// No chip has more, and tables of this many labels are no burden.
const MAX_LABELS: usize = 1 << 24;

fn refused(reason: String) -> Error {
    let remedy = "the definition of the solver is wrong".into();
    ErrorKind::Unsupported { what: reason, remedy }.into()
}

impl WorkingGraph {
    /// A graph of qubits numbered below `n_labels`.
    ///
    /// # Errors
    ///
    /// When a qubit is out of range or listed twice, or a coupler joins a qubit to itself, is
    /// listed twice, or names a qubit that is not listed.
    pub fn new(n_labels: usize, qubits: Vec<u32>, couplers: Vec<[u32; 2]>) -> Result<Self, Error> {
        if n_labels > MAX_LABELS || couplers.len() >= NONE as usize {
            return Err(refused(format!("a graph of {n_labels} qubits is too large")));
        }
        let mut places = vec![NONE; n_labels];
        for (place, &q) in qubits.iter().enumerate() {
            match places.get_mut(q as usize) {
                Some(slot) if *slot == NONE => *slot = place as u32,
                _ => return Err(refused(format!("qubit {q} is out of range or listed twice"))),
            }
        }
        let mut neighbours = vec![Vec::new(); n_labels];
        let mut seen = HashSet::with_capacity(couplers.len());
        for (place, &[a, b]) in couplers.iter().enumerate() {
            let works = |q: u32| places.get(q as usize).is_some_and(|&place| place != NONE);
            if a == b || !works(a) || !works(b) || !seen.insert([a.min(b), a.max(b)]) {
                return Err(refused(format!(
                    "coupler ({a}, {b}) is listed twice or joins no two working qubits"
                )));
            }
            neighbours[a as usize].push((b, place as u32));
            neighbours[b as usize].push((a, place as u32));
        }
        neighbours.iter_mut().for_each(|list| list.sort_unstable());
        Ok(Self { n_labels, qubits, couplers, places, neighbours })
    }

    /// A chip on which everything works.
    pub fn ideal(topology: Topology) -> Self {
        let couplers = topology.couplers();
        let mut qubits: Vec<u32> = couplers.iter().flatten().copied().collect();
        qubits.sort_unstable();
        qubits.dedup();
        Self::new(topology.n_labels(), qubits, couplers).expect("each coupler is listed once")
    }

    /// One more than the largest number that a qubit may have.
    pub fn n_labels(&self) -> usize {
        self.n_labels
    }

    /// The numbers of the working qubits.
    pub fn qubits(&self) -> &[u32] {
        &self.qubits
    }

    /// The working couplers.
    pub fn couplers(&self) -> &[[u32; 2]] {
        &self.couplers
    }

    /// The place of a qubit in the list of qubits, if it works.
    pub fn place(&self, qubit: u32) -> Option<usize> {
        self.places.get(qubit as usize).filter(|&&place| place != NONE).map(|&place| place as usize)
    }

    /// The place of a coupler in the list of couplers, if it works.
    pub fn coupler(&self, a: u32, b: u32) -> Option<usize> {
        let list = self.neighbours.get(a as usize)?;
        let at = list.binary_search_by_key(&b, |&(neighbour, _)| neighbour).ok()?;
        Some(list[at].1 as usize)
    }

    /// The qubits that a qubit is coupled to, ascending, with the places of the couplers.
    pub(in crate::hardware) fn edges(&self, qubit: u32) -> &[(u32, u32)] {
        self.neighbours.get(qubit as usize).map_or(&[], Vec::as_slice)
    }

    /// The qubits that a qubit is coupled to, ascending.
    pub fn neighbours(&self, qubit: u32) -> impl Iterator<Item = u32> + '_ {
        self.edges(qubit).iter().map(|&(neighbour, _)| neighbour)
    }
}
