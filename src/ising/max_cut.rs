//! The maximum cut of a weighted graph.

use super::model::{Ising, check_spins};
use super::pairs::{Names, Pairs};
use crate::error::{Error, finite};

const NAMES: Names = Names {
    variable: "vertices",
    linear: "vertex",
    pair: "edge",
    matrix: "the matrix of weights",
    diagonal: "no cut contains a loop, so leave it out",
};

/// A weighted graph to be cut in two: `cut(s) = sum_{(i,j)} w_ij (1 - s_i s_j) / 2`, to be
/// maximised.
///
/// Weights of the same edge add up, and edges of weight zero are dropped.
///
/// ```
/// use burn_quantum::ising::MaxCut;
///
/// let square = MaxCut::new(4, [(0, 1, 1.0), (1, 2, 1.0), (2, 3, 1.0), (3, 0, 1.0)])?;
/// let (alternating, ising) = ([1, -1, 1, -1], square.to_ising());
/// assert_eq!(square.cut(&alternating), 4.0);
/// assert_eq!(ising.energy(&alternating), -2.0 * 4.0);
/// # Ok::<(), burn_quantum::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct MaxCut {
    ising: Ising,
}

impl MaxCut {
    /// A graph of the edges `(i, j, w_ij)`, in any order, vertices counted from 0.
    ///
    /// # Errors
    ///
    /// When an edge names a vertex that is not there or joins one to itself, or a weight or a sum
    /// of weights is NaN or infinite.
    pub fn new(
        n_vertices: usize,
        edges: impl IntoIterator<Item = (usize, usize, f64)>,
    ) -> Result<Self, Error> {
        let pairs = Pairs::sparse(n_vertices, edges, NAMES)?;
        let total: f64 = pairs.iter().map(|(_, _, w)| w).sum();
        finite(|| "the sum of the weights".into(), total)?;
        Ok(Self { ising: Ising::of(vec![0.0; n_vertices], pairs, -total)? })
    }

    /// The number of vertices.
    pub fn n_vertices(&self) -> usize {
        self.ising.n_spins()
    }

    /// The number of edges whose weight is not zero.
    pub fn n_edges(&self) -> usize {
        self.ising.n_couplings()
    }

    /// The edges `(i, j, w_ij)`, with `i < j`, in ascending order.
    pub fn edges(&self) -> impl Iterator<Item = (usize, usize, f64)> + Clone + '_ {
        self.ising.couplings()
    }

    /// The sum of all weights.
    pub fn total_weight(&self) -> f64 {
        -self.ising.offset()
    }

    /// The weight between the vertices of spin `+1` and those of spin `-1`.
    ///
    /// # Panics
    ///
    /// Panics unless `spins` holds `n_vertices` values `+1` or `-1`.
    pub fn cut(&self, spins: &[i8]) -> f64 {
        check_spins(self.n_vertices(), spins);
        self.edges().filter(|&(i, j, _)| spins[i] != spins[j]).map(|(_, _, w)| w).sum()
    }

    /// The model whose energy is minus twice the cut: `J = w`, no fields, `offset = -sum w`. Its
    /// couplings are the weights themselves, so weights `+1` and `-1` stay so.
    pub fn to_ising(&self) -> Ising {
        self.ising.clone()
    }

    /// The cut of a configuration of that energy in [`to_ising`](Self::to_ising).
    pub fn cut_of_energy(&self, energy: f64) -> f64 {
        -energy / 2.0
    }
}
