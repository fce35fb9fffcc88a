//! Variables as chains of qubits.

use super::WorkingGraph;
use crate::error::{Error, ErrorKind};
use serde::{Deserialize, Serialize};

/// A minor embedding: for each variable of a problem the qubits that stand for it, its chain.
///
/// ```
/// use burn_quantum::hardware::{Embedding, Topology, WorkingGraph};
///
/// // A triangle in a cell of Chimera, which has none: one variable takes two qubits.
/// let chip = WorkingGraph::ideal(Topology::chimera(1)?);
/// let triangle = Embedding::new(vec![vec![0], vec![4], vec![1, 5]]);
/// triangle.verify(&chip, [(0, 1), (0, 2), (1, 2)])?;
/// # Ok::<(), burn_quantum::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Embedding {
    chains: Vec<Vec<u32>>,
}

fn refused(what: String, remedy: &str) -> Error {
    ErrorKind::Unsupported { what, remedy: remedy.into() }.into()
}

impl Embedding {
    /// The chains of variables `0`, `1`, ...
    pub fn new(chains: Vec<Vec<u32>>) -> Self {
        Self { chains }
    }

    /// One qubit for each variable.
    pub fn of_qubits(qubits: impl IntoIterator<Item = u32>) -> Self {
        Self { chains: qubits.into_iter().map(|q| vec![q]).collect() }
    }

    /// The chains.
    pub fn chains(&self) -> &[Vec<u32>] {
        &self.chains
    }

    /// The number of variables.
    pub fn n_variables(&self) -> usize {
        self.chains.len()
    }

    /// The number of qubits of the longest chain.
    pub fn max_chain_length(&self) -> usize {
        self.chains.iter().map(Vec::len).max().unwrap_or(0)
    }

    /// Whether every variable is one qubit.
    pub fn is_native(&self) -> bool {
        self.chains.iter().all(|chain| chain.len() == 1)
    }

    /// Checks the embedding of a problem with these pairs of variables.
    ///
    /// # Errors
    ///
    /// When a chain is empty or not connected, a qubit is not there or in two chains, or the chains
    /// of a pair have no coupler between them.
    pub fn verify(
        &self,
        graph: &WorkingGraph,
        pairs: impl IntoIterator<Item = (usize, usize)>,
    ) -> Result<(), Error> {
        let mut owner = vec![usize::MAX; graph.n_labels()];
        for (i, chain) in self.chains.iter().enumerate() {
            for &q in chain {
                if graph.place(q).is_none() {
                    let what = format!("qubit {q} of the chain of variable {i} does not work");
                    return Err(refused(what, "embed into the working graph of the solver"));
                }
                if std::mem::replace(&mut owner[q as usize], i) != usize::MAX {
                    return Err(refused(format!("qubit {q} is in two chains"), "use it once"));
                }
            }
        }
        for (i, chain) in self.chains.iter().enumerate() {
            if !is_connected(graph, chain, |q| owner[q as usize] == i) {
                let what = format!("the chain of variable {i} is not connected");
                return Err(refused(what, "join its qubits by couplers"));
            }
        }
        let chain = |i: usize| self.chains.get(i).map(Vec::as_slice).unwrap_or_default();
        let coupled = |i: usize, j: usize| {
            chain(i).iter().any(|&q| graph.neighbours(q).any(|p| owner[p as usize] == j))
        };
        match pairs.into_iter().find(|&(i, j)| !coupled(i, j)) {
            None => Ok(()),
            Some((i, j)) => {
                let what = format!("no coupler joins the chains of variables {i} and {j}");
                Err(refused(what, "embed the pair, or drop its coupling"))
            }
        }
    }
}

fn is_connected(graph: &WorkingGraph, chain: &[u32], inside: impl Fn(u32) -> bool) -> bool {
    let Some(&first) = chain.first() else { return false };
    let (mut reached, mut next) = (vec![first], 0);
    while let Some(&q) = reached.get(next) {
        for p in graph.neighbours(q).filter(|&p| inside(p)) {
            if !reached.contains(&p) {
                reached.push(p);
            }
        }
        next += 1;
    }
    reached.len() == chain.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hardware::Topology;

    #[test]
    fn wrong_embeddings_are_refused_with_the_reason() {
        let chip = WorkingGraph::ideal(Topology::chimera(1).unwrap());
        let refusal = |chains: &[&[u32]]| {
            let embedding = Embedding::new(chains.iter().map(|c| c.to_vec()).collect());
            embedding.verify(&chip, [(0, 1)]).unwrap_err().to_string()
        };
        assert!(refusal(&[&[0], &[]]).contains("variable 1 is not connected"));
        assert!(refusal(&[&[0, 1], &[4]]).contains("variable 0 is not connected"));
        assert!(refusal(&[&[0], &[0]]).contains("qubit 0 is in two chains"));
        assert!(refusal(&[&[0], &[8]]).contains("qubit 8 of the chain of variable 1"));
        assert!(refusal(&[&[0], &[1]]).contains("variables 0 and 1"));
        assert!(refusal(&[&[0]]).contains("variables 0 and 1"));
    }
}
