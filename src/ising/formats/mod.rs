//! Models in files.
//!
//! | module | holds | numbered from |
//! | --- | --- | --- |
//! | [`gset`] | [`MaxCut`](super::MaxCut) graphs, as the G-set and rudy | 1 |
//! | [`qbsolv`] | [`Qubo`], `.qubo` files | 0 |
//! | [`coo`] | [`Model`], dimod's coordinate lists | 0 |
//! | [`bqm`] | [`Model`] with labels, dimod's JSON | 0 |
//! | [`beasley`] | lists of [`Qubo`], OR-Library's bqp files, which maximise | 1 |
//!
//! Each has `read` and `write`. A reader goes through its input once and takes memory in proportion
//! to what it really holds, whatever its header announces. Anything malformed is refused with the
//! place, the reason and the remedy; nothing is skipped or guessed. Numbers are written with the
//! digits that read back to the same number.

pub mod beasley;
pub mod bqm;
pub mod coo;
pub mod gset;
mod lines;
pub mod qbsolv;

use super::model::Ising;
use super::qubo::Qubo;
use crate::error::Error;

/// What values the variables of a file take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Vartype {
    /// `-1` and `+1`.
    Spin,
    /// `0` and `1`.
    Binary,
}

impl Vartype {
    fn name(self) -> &'static str {
        match self {
            Vartype::Spin => "SPIN",
            Vartype::Binary => "BINARY",
        }
    }

    fn of_name(name: &str) -> Option<Vartype> {
        [Vartype::Spin, Vartype::Binary].into_iter().find(|vartype| vartype.name() == name)
    }
}

/// A model over either kind of variable.
#[derive(Debug, Clone, PartialEq)]
pub enum Model {
    /// A model over spins.
    Ising(Ising),
    /// A model over bits.
    Qubo(Qubo),
}

impl Model {
    /// The kind of its variables.
    pub fn vartype(&self) -> Vartype {
        match self {
            Model::Ising(_) => Vartype::Spin,
            Model::Qubo(_) => Vartype::Binary,
        }
    }

    /// The number of variables.
    pub fn n_variables(&self) -> usize {
        match self {
            Model::Ising(model) => model.n_spins(),
            Model::Qubo(model) => model.n_variables(),
        }
    }

    /// The model over spins.
    ///
    /// # Errors
    ///
    /// When a coefficient overflows in the conversion.
    pub fn to_ising(&self) -> Result<Ising, Error> {
        match self {
            Model::Ising(model) => Ok(model.clone()),
            Model::Qubo(model) => model.to_ising(),
        }
    }

    /// The model over bits.
    ///
    /// # Errors
    ///
    /// When a coefficient overflows in the conversion.
    pub fn to_qubo(&self) -> Result<Qubo, Error> {
        match self {
            Model::Ising(model) => model.to_qubo(),
            Model::Qubo(model) => Ok(model.clone()),
        }
    }

    fn linear(&self) -> &[f64] {
        match self {
            Model::Ising(model) => model.fields(),
            Model::Qubo(model) => model.linear(),
        }
    }

    fn offset(&self) -> f64 {
        match self {
            Model::Ising(model) => model.offset(),
            Model::Qubo(model) => model.offset(),
        }
    }

    fn pairs(&self) -> impl Iterator<Item = (usize, usize, f64)> + '_ {
        match self {
            Model::Ising(model) => model.pairs.iter(),
            Model::Qubo(model) => model.pairs.iter(),
        }
    }

    /// A model of linear coefficients and pairs `i != j`.
    fn of(
        vartype: Vartype,
        linear: Vec<f64>,
        pairs: Vec<(usize, usize, f64)>,
        offset: f64,
    ) -> Result<Model, Error> {
        let n = linear.len();
        match vartype {
            Vartype::Spin => Ising::sparse(linear, pairs, offset).map(Model::Ising),
            Vartype::Binary => {
                let diagonal = linear.into_iter().enumerate().map(|(i, value)| (i, i, value));
                Qubo::sparse(n, diagonal.chain(pairs), offset).map(Model::Qubo)
            }
        }
    }
}

impl From<Ising> for Model {
    fn from(model: Ising) -> Self {
        Model::Ising(model)
    }
}

impl From<Qubo> for Model {
    fn from(model: Qubo) -> Self {
        Model::Qubo(model)
    }
}
