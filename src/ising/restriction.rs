//! Fixed variables and sub-problems.

use super::model::{self, Ising, check_spins};
use super::pairs::{Names, Pairs};
use super::qubo::{self, Qubo};
use crate::error::{Error, ErrorKind, length};

/// A model of some variables of a larger one, the others being fixed. `Model` is [`Ising`] with
/// values `i8` or [`Qubo`] with values `u8`.
///
/// ```
/// use burn_quantum::ising::Ising;
///
/// let chain = Ising::sparse(vec![0.0; 3], [(0, 1, -1.0), (1, 2, -2.0)], 0.5)?;
/// let ends = chain.fix(&[(1, -1)])?;
/// assert_eq!(ends.indices(), [0, 2]);
/// assert_eq!(ends.model().fields(), [1.0, 2.0]);
/// assert_eq!(ends.complete(&[-1, 1]), [-1, -1, 1]);
/// assert_eq!(ends.model().energy(&[-1, 1]), chain.energy(&[-1, -1, 1]));
/// # Ok::<(), burn_quantum::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct SubProblem<Model, Value> {
    model: Model,
    indices: Vec<usize>,
    background: Vec<Value>,
}

impl<Model, Value: Copy> SubProblem<Model, Value> {
    /// The model of the free variables. Its energies are those of the whole model, the offset
    /// holding what the fixed variables contribute.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The number that each free variable has in the whole model.
    pub fn indices(&self) -> &[usize] {
        &self.indices
    }

    /// The values of all variables, from those of the free ones.
    ///
    /// # Panics
    ///
    /// Panics unless there is one value for each free variable.
    pub fn complete(&self, free: &[Value]) -> Vec<Value> {
        assert_eq!(free.len(), self.indices.len(), "values for {} variables", self.indices.len());
        let mut all = self.background.clone();
        self.indices.iter().zip(free).for_each(|(&i, &value)| all[i] = value);
        all
    }
}

impl Ising {
    /// The model of the remaining spins when some are fixed: `h_i` grows by `sum_j J_ij s_j` over
    /// the fixed `j`, the offset by the fixed spins' own energy.
    ///
    /// # Errors
    ///
    /// When a spin is not there, is fixed to two values or to anything but `+1` or `-1`, or a sum
    /// overflows.
    pub fn fix(&self, fixed: &[(usize, i8)]) -> Result<SubProblem<Ising, i8>, Error> {
        let (free, background) = split(self.n_spins(), fixed, [-1, 1], model::NAMES)?;
        self.sub_problem(&free, &background)
    }

    /// The model of the spins `free`, in that order, all others being fixed as in `background`
    /// (`[n_spins]`; its values at `free` do not matter).
    ///
    /// # Errors
    ///
    /// When a spin of `free` is not there or there twice, `background` has another length, or a sum
    /// overflows.
    ///
    /// # Panics
    ///
    /// Panics if `background` holds anything but `+1` and `-1`.
    pub fn sub_problem(
        &self,
        free: &[usize],
        background: &[i8],
    ) -> Result<SubProblem<Ising, i8>, Error> {
        length("the background", self.n_spins(), background.len())?;
        check_spins(self.n_spins(), background);
        let (linear, pairs, offset) =
            restrict(&self.fields, &self.pairs, free, background, model::NAMES)?;
        let model = Ising::of(linear, pairs, self.offset + offset)?;
        Ok(SubProblem { model, indices: free.into(), background: background.into() })
    }
}

impl Qubo {
    /// The QUBO of the remaining variables when some are fixed.
    ///
    /// # Errors
    ///
    /// When a variable is not there, is fixed to two values or to anything but `0` or `1`, or a sum
    /// overflows.
    pub fn fix(&self, fixed: &[(usize, u8)]) -> Result<SubProblem<Qubo, u8>, Error> {
        let signed: Vec<_> = fixed.iter().map(|&(i, bit)| (i, i8::from(bit == 1))).collect();
        if let Some(&(i, bit)) = fixed.iter().find(|(_, bit)| *bit > 1) {
            return Err(bad_value(i, bit.into(), qubo::NAMES));
        }
        let (free, background) = split(self.n_variables(), &signed, [0, 1], qubo::NAMES)?;
        let background: Vec<u8> = background.iter().map(|&bit| bit as u8).collect();
        self.sub_problem(&free, &background)
    }

    /// The QUBO of the variables `free`, in that order, all others being fixed as in `background`
    /// (`[n_variables]`; its values at `free` do not matter).
    ///
    /// # Errors
    ///
    /// When a variable of `free` is not there or there twice, `background` has another length, or
    /// a sum overflows.
    ///
    /// # Panics
    ///
    /// Panics if `background` holds anything but `0` and `1`.
    pub fn sub_problem(
        &self,
        free: &[usize],
        background: &[u8],
    ) -> Result<SubProblem<Qubo, u8>, Error> {
        length("the background", self.n_variables(), background.len())?;
        assert!(background.iter().all(|&bit| bit <= 1), "bits must be 0 or 1");
        let signed: Vec<i8> = background.iter().map(|&bit| bit as i8).collect();
        let (linear, pairs, offset) =
            restrict(&self.linear, &self.pairs, free, &signed, qubo::NAMES)?;
        let model = Qubo::of(linear, pairs, self.offset + offset)?;
        Ok(SubProblem { model, indices: free.into(), background: background.into() })
    }
}

fn bad_value(i: usize, value: f64, names: Names) -> Error {
    let what = format!("the fixed value of number {i} of the {}", names.variable);
    let range = if names.variable == "spins" { "+1 or -1" } else { "0 or 1" };
    ErrorKind::OutOfRange { what, value, range }.into()
}

/// The variables that are not fixed, and a background that holds those that are.
fn split(
    n: usize,
    fixed: &[(usize, i8)],
    values: [i8; 2],
    names: Names,
) -> Result<(Vec<usize>, Vec<i8>), Error> {
    let mut of: Vec<Option<i8>> = vec![None; n];
    for &(i, value) in fixed {
        check_index(i, n, names)?;
        if !values.contains(&value) {
            return Err(bad_value(i, value.into(), names));
        }
        if of[i].is_some_and(|other| other != value) {
            return Err(
                ErrorKind::Repeated { what: names.variable, i, remedy: "fix it once" }.into()
            );
        }
        of[i] = Some(value);
    }
    let free = (0..n).filter(|&i| of[i].is_none()).collect();
    Ok((free, of.into_iter().map(|value| value.unwrap_or(values[1])).collect()))
}

fn check_index(i: usize, n: usize, names: Names) -> Result<(), Error> {
    if i < n {
        return Ok(());
    }
    Err(ErrorKind::VariableOutOfRange { variable: names.variable, i, n }.into())
}

/// Linear coefficients, pairs and the additional offset of the free variables.
fn restrict(
    linear: &[f64],
    pairs: &Pairs,
    free: &[usize],
    background: &[i8],
    names: Names,
) -> Result<(Vec<f64>, Pairs, f64), Error> {
    const FIXED: usize = usize::MAX;
    let n = linear.len();
    let mut position = vec![FIXED; n];
    for (k, &i) in free.iter().enumerate() {
        check_index(i, n, names)?;
        if position[i] != FIXED {
            let remedy = "name each free one once";
            return Err(ErrorKind::Repeated { what: names.variable, i, remedy }.into());
        }
        position[i] = k;
    }
    let v = |i: usize| f64::from(background[i]);
    let mut sub_linear: Vec<f64> = free.iter().map(|&i| linear[i]).collect();
    let fixed = (0..n).filter(|&i| position[i] == FIXED);
    let mut offset: f64 = fixed.map(|i| linear[i] * v(i)).sum();
    let mut kept = Vec::new();
    for (i, j, value) in pairs.iter() {
        match (position[i], position[j]) {
            (FIXED, FIXED) => offset += value * v(i) * v(j),
            (FIXED, k) => sub_linear[k] += value * v(i),
            (k, FIXED) => sub_linear[k] += value * v(j),
            (k, l) => kept.push((k, l, value)),
        }
    }
    let sparse = Pairs::sparse(free.len(), kept, names)?;
    let sub_pairs = if pairs.is_dense() { sparse.to_dense(names)? } else { sparse };
    Ok((sub_linear, sub_pairs, offset))
}
