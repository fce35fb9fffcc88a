//! Linear constraints, and the penalties that take their place.

use super::expansion::weights;
use super::qubo::Qubo;
use crate::error::{Error, ErrorKind, finite, length};

/// What the left side of a constraint must be to its bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Relation {
    /// `sum_i a_i x_i = b`.
    Equal,
    /// `sum_i a_i x_i <= b`.
    AtMost,
    /// `sum_i a_i x_i >= b`.
    AtLeast,
}

/// A linear constraint with integer coefficients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Constraint {
    terms: Vec<(usize, i64)>,
    relation: Relation,
    bound: i64,
}

impl Constraint {
    /// The coefficients `(i, a_i)` that are not zero, in ascending order.
    pub fn terms(&self) -> &[(usize, i64)] {
        &self.terms
    }

    /// What the left side must be to the [bound](Self::bound).
    pub fn relation(&self) -> Relation {
        self.relation
    }

    /// The right side.
    pub fn bound(&self) -> i64 {
        self.bound
    }

    /// `sum_i a_i x_i`.
    ///
    /// # Panics
    ///
    /// Panics if a variable has no bit.
    pub fn left_side(&self, bits: &[u8]) -> i64 {
        self.terms.iter().map(|&(i, a)| a * i64::from(bits[i])).sum()
    }

    /// By how much the left side misses the bound; `0` where the constraint holds.
    ///
    /// # Panics
    ///
    /// Panics if a variable has no bit.
    pub fn violation(&self, bits: &[u8]) -> i64 {
        let excess = self.left_side(bits) - self.bound;
        match self.relation {
            Relation::Equal => excess.abs(),
            Relation::AtMost => excess.max(0),
            Relation::AtLeast => (-excess).max(0),
        }
    }
}

/// The weight of the penalties.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PenaltyWeight<'a> {
    /// Large enough that every minimiser is a feasible optimum, from the coefficients of the
    /// objective alone.
    Exact,
    /// The same, and often much smaller, given a feasible assignment.
    ExactFrom(&'a [u8]),
    /// This one. Whether a minimiser is feasible is then for [`violations`] to say.
    ///
    /// [`violations`]: ConstrainedQubo::violations
    Given(f64),
}

/// A QUBO under linear constraints with integer coefficients.
///
/// [`penalised`](Self::penalised) gives a QUBO without constraints, whose minimisers are the
/// optima. With the objective `f` and the weight `lambda` it is
///
/// `P(x, y) = f(x) + lambda sum_c p_c(x, y)`.
///
/// The penalty `p_c` of a constraint, whose coefficients and bound are first divided by their
/// greatest common divisor (a bound that is no multiple is rounded to the stronger one), is, with
/// `u = b - sum_i a_i x_i` and `u` between `u_min` and `u_max` over all `x`,
///
/// - `u^2` for an equality,
/// - nothing for `u >= 0` if `u_min >= 0`,
/// - `u^2` for `u >= 0` if `u_max = 0`, and `u (u - 1) / 2` if `u_max = 1`, which is zero for 0 and
///   1 and a positive integer elsewhere: "at most one" and "at least one of two" need no slack,
/// - `(u - sum_k w_k y_k)^2` for `u >= 0` otherwise, with slack bits `y` whose weights `w` write
///   exactly the numbers `0` to `u_max` (as in [`BinaryExpansion`](super::BinaryExpansion)).
///
/// **Exactness.** Let `L <= f(x)` for all `x`, and `U >= f(x')` for some feasible `x'`. If
/// `lambda > U - L`, then the minimisers of `P` are exactly the optima `x` with the slack bits that
/// make all penalties zero, and its minimum is the optimum.
/// *Proof.* Each `p_c` is a non-negative integer, since `a`, `b`, `w` are integers. If `x` satisfies
/// all constraints, some `y` makes all of them zero, as `0 <= u <= u_max` can be written; so
/// `P(x', y') = f(x') <= U`. If some `p_c(x, y) >= 1`, then `P(x, y) >= L + lambda > U`, which is no
/// minimum. So at a minimum all penalties are zero, hence `x` is feasible and `P = f`. ∎
///
/// [`PenaltyWeight::Exact`] takes `L = sum_i min(0, Q_ii + sum_j min(0, Q_ij) / 2)` plus the offset
/// and `U` the same with maxima: `f(x) = offset + sum_i x_i (Q_ii + sum_j Q_ij x_j / 2)` and each
/// bracket lies between these sums. [`PenaltyWeight::ExactFrom`] takes `U = f(x')`. An objective of
/// integers gets the next integer above `U - L`; any other gets more than `U - L` by `2^-10` of it
/// or of the largest coefficient, far above the rounding of the sums.
///
/// Without any feasible assignment the minimiser of `P` violates a constraint: ask
/// [`violations`](Self::violations), whatever the weight.
///
/// ```
/// use burn_quantum::ising::{ConstrainedQubo, PenaltyWeight, Qubo};
///
/// // A knapsack: values 6, 5, 4, weights 5, 4, 3, capacity 7.
/// let values = Qubo::sparse(3, [(0, 0, -6.0), (1, 1, -5.0), (2, 2, -4.0)], 0.0)?;
/// let mut knapsack = ConstrainedQubo::new(values);
/// knapsack.at_most([(0, 5), (1, 4), (2, 3)], 7)?;
///
/// let penalised = knapsack.penalised(PenaltyWeight::Exact)?;
/// assert_eq!(penalised.qubo().n_variables(), 3 + 3); // slack 0 to 7
/// let chosen = [0, 1, 1];
/// assert_eq!(penalised.qubo().energy(&penalised.with_slack(&chosen)), -9.0);
/// assert!(knapsack.is_feasible(&chosen) && !knapsack.is_feasible(&[1, 1, 0]));
/// # Ok::<(), burn_quantum::Error>(())
/// ```
///
/// # References
///
/// - [Glover, Kochenberger and Du (2018)](https://arxiv.org/abs/1811.11538) for penalties with and
///   without slack.
/// - [Montanez-Barrera et al. (2022)](https://arxiv.org/abs/2211.13914) for
///   [`unbalanced`](Self::unbalanced).
#[derive(Debug, Clone, PartialEq)]
pub struct ConstrainedQubo {
    objective: Qubo,
    constraints: Vec<Constraint>,
}

/// A bound on the numbers of a constraint, so that no sum or square leaves the exact integers.
const MAX_LEFT_SIDE: i64 = 1 << 26;

impl ConstrainedQubo {
    /// An objective, as yet without constraints.
    pub fn new(objective: Qubo) -> Self {
        Self { objective, constraints: Vec::new() }
    }

    /// What is minimised.
    pub fn objective(&self) -> &Qubo {
        &self.objective
    }

    /// The constraints, in the order in which they were added.
    pub fn constraints(&self) -> &[Constraint] {
        &self.constraints
    }

    /// Adds `sum_i a_i x_i = bound`, from the terms `(i, a_i)`; terms of the same variable add up.
    ///
    /// # Errors
    ///
    /// When a term names a variable that is not there, no assignment satisfies this constraint, or
    /// the absolute values of its coefficients and bound sum to more than `2^26` (beyond which the
    /// squares leave the exact integers).
    pub fn equal(
        &mut self,
        terms: impl IntoIterator<Item = (usize, i64)>,
        bound: i64,
    ) -> Result<&mut Self, Error> {
        self.add(terms, Relation::Equal, bound)
    }

    /// Adds `sum_i a_i x_i <= bound`; otherwise as [`equal`](Self::equal).
    pub fn at_most(
        &mut self,
        terms: impl IntoIterator<Item = (usize, i64)>,
        bound: i64,
    ) -> Result<&mut Self, Error> {
        self.add(terms, Relation::AtMost, bound)
    }

    /// Adds `sum_i a_i x_i >= bound`; otherwise as [`equal`](Self::equal).
    pub fn at_least(
        &mut self,
        terms: impl IntoIterator<Item = (usize, i64)>,
        bound: i64,
    ) -> Result<&mut Self, Error> {
        self.add(terms, Relation::AtLeast, bound)
    }

    fn add(
        &mut self,
        terms: impl IntoIterator<Item = (usize, i64)>,
        relation: Relation,
        bound: i64,
    ) -> Result<&mut Self, Error> {
        let (n, index) = (self.objective.n_variables(), self.constraints.len());
        let mut sorted: Vec<(usize, i64)> = terms.into_iter().collect();
        sorted.sort_by_key(|&(i, _)| i);
        let mut terms: Vec<(usize, i64)> = Vec::new();
        let mut size = bound.unsigned_abs();
        for (i, a) in sorted {
            if i >= n {
                return Err(ErrorKind::VariableOutOfRange { variable: "variables", i, n }.into());
            }
            size = size.saturating_add(a.unsigned_abs());
            match terms.last_mut() {
                Some((last, sum)) if *last == i => *sum = sum.saturating_add(a),
                _ => terms.push((i, a)),
            }
        }
        if size > MAX_LEFT_SIDE as u64 {
            let what = format!("the sum of absolute values in constraint {index}");
            let range = "at most 2^26, by dividing or rounding the coefficients";
            return Err(ErrorKind::OutOfRange { what, value: size as f64, range }.into());
        }
        terms.retain(|&(_, a)| a != 0);
        let constraint = Constraint { terms, relation, bound };
        Residual::of(&constraint).check(index, &constraint)?;
        self.constraints.push(constraint);
        Ok(self)
    }

    /// Whether an assignment satisfies all constraints. Slack bits after the variables are ignored.
    ///
    /// # Panics
    ///
    /// Panics if there are fewer bits than variables.
    pub fn is_feasible(&self, bits: &[u8]) -> bool {
        self.constraints.iter().all(|constraint| constraint.violation(bits) == 0)
    }

    /// The numbers of the constraints that an assignment violates, and by how much. Slack bits
    /// after the variables are ignored.
    ///
    /// # Panics
    ///
    /// Panics if there are fewer bits than variables.
    pub fn violations(&self, bits: &[u8]) -> Vec<(usize, i64)> {
        let all = self.constraints.iter().map(|constraint| constraint.violation(bits));
        all.enumerate().filter(|&(_, violation)| violation > 0).collect()
    }

    /// The QUBO whose minimisers are the feasible optima (see the [type](Self)).
    ///
    /// # Errors
    ///
    /// When a given weight is not finite or not positive, the assignment of
    /// [`PenaltyWeight::ExactFrom`] is not feasible or of the wrong length, or a coefficient
    /// overflows.
    pub fn penalised(&self, weight: PenaltyWeight) -> Result<Penalised, Error> {
        let weight = self.weight(weight)?;
        let mut sum = Sum::new(&self.objective);
        let mut slacks = Vec::new();
        for constraint in &self.constraints {
            let Residual { terms, bound, is_equality, least, most } = Residual::of(constraint);
            let minus: Vec<(usize, f64)> = terms.iter().map(|&(i, a)| (i, -a as f64)).collect();
            let bound = bound as f64;
            if is_equality || (least < 0 && most == 0) {
                sum.add_square(&minus, bound, weight);
            } else if least < 0 && most == 1 {
                // u (u - 1) / 2 = (u - 1/2)^2 / 2 - 1/8
                sum.add_square(&minus, bound - 0.5, weight / 2.0);
                sum.offset -= weight / 8.0;
            } else if least < 0 {
                let first = sum.n_variables;
                let weights = weights(most as u64);
                let slack = weights.iter().enumerate().map(|(k, &w)| (first + k, -(w as f64)));
                let all: Vec<(usize, f64)> = minus.iter().copied().chain(slack).collect();
                sum.n_variables += weights.len();
                sum.add_square(&all, bound, weight);
                slacks.push(Slack { terms, bound: bound as i64, first, weights });
            }
        }
        let n_variables = self.objective.n_variables();
        Ok(Penalised { qubo: sum.qubo()?, n_variables, weight, slacks })
    }

    /// Penalties without slack bits, `f(x) + sum_c (-linear u + square u^2)` with `u` as for
    /// [the exact ones](Self): for an inequality a parabola that is lower where it holds; for an
    /// equality `square u^2`.
    ///
    /// It needs no additional variables, and guarantees nothing: the weights are to be tuned, and
    /// a feasible optimum may lie above the minimum (see
    /// [Montanez-Barrera et al.](https://arxiv.org/abs/2211.13914), whose `lambda_1`, `lambda_2`
    /// these are).
    ///
    /// # Errors
    ///
    /// When a weight is negative or not finite, or a coefficient overflows.
    pub fn unbalanced(&self, linear: f64, square: f64) -> Result<Qubo, Error> {
        for (what, weight) in [("the linear weight", linear), ("the weight of squares", square)] {
            if finite(|| what.into(), weight)? < 0.0 {
                let (what, range) = (what.into(), "zero or a positive weight");
                return Err(ErrorKind::OutOfRange { what, value: weight, range }.into());
            }
        }
        let mut sum = Sum::new(&self.objective);
        for constraint in &self.constraints {
            let Residual { terms, bound, is_equality, .. } = Residual::of(constraint);
            let minus: Vec<(usize, f64)> = terms.iter().map(|&(i, a)| (i, -a as f64)).collect();
            sum.add_square(&minus, bound as f64, square);
            if !is_equality {
                sum.offset -= linear * bound as f64;
                sum.entries.extend(minus.iter().map(|&(i, a)| (i, i, -linear * a)));
            }
        }
        sum.qubo()
    }

    fn weight(&self, weight: PenaltyWeight) -> Result<f64, Error> {
        let (lower, upper) = self.objective_range();
        let upper = match weight {
            PenaltyWeight::Exact => upper,
            PenaltyWeight::ExactFrom(bits) => {
                length("the feasible assignment", self.objective.n_variables(), bits.len())?;
                if let Some(&(constraint, by)) = self.violations(bits).first() {
                    let reason = format!(
                        "the assignment called feasible violates it by {by}: give a feasible one, \
                         or use the exact weight without one"
                    );
                    return Err(ErrorKind::Infeasible { constraint, reason }.into());
                }
                self.objective.energy(bits)
            }
            PenaltyWeight::Given(weight) => {
                if finite(|| "the penalty weight".into(), weight)? <= 0.0 {
                    let (what, range) = ("the penalty weight".into(), "a positive weight");
                    return Err(ErrorKind::OutOfRange { what, value: weight, range }.into());
                }
                return Ok(weight);
            }
        };
        let range = finite(|| "the range of the objective".into(), upper - lower)?.max(0.0);
        let objective = &self.objective;
        let is_integer = |value: &f64| value.fract() == 0.0;
        let quadratic = objective.quadratic().map(|(_, _, value)| value);
        let integers = range < (1u64 << 52) as f64
            && objective.linear().iter().copied().chain(quadratic).all(|v| is_integer(&v));
        // A known optimum at the lower bound has the range 0, and still needs some penalty.
        let margin = range.max(objective.max_abs_coefficient()) / 1024.0;
        let above = if integers { range.floor() + 1.0 } else { range + margin };
        finite(|| "the exact penalty weight".into(), above)
    }

    /// Bounds of the objective over all assignments.
    fn objective_range(&self) -> (f64, f64) {
        let (mut lower, mut upper) = (self.objective.offset(), self.objective.offset());
        for (i, &linear) in self.objective.linear().iter().enumerate() {
            let (_, values) = self.objective.neighbours(i);
            let half =
                |pick: fn(f64, f64) -> f64| values.iter().map(|&v| pick(v, 0.0)).sum::<f64>() / 2.0;
            lower += (linear + half(f64::min)).min(0.0);
            upper += (linear + half(f64::max)).max(0.0);
        }
        (lower, upper)
    }
}

/// `u = b - sum_i a_i x_i`, which must be `0` or `>= 0`, in lowest terms.
struct Residual {
    terms: Vec<(usize, i64)>,
    bound: i64,
    is_equality: bool,
    /// The range of `u` over all assignments.
    least: i64,
    most: i64,
}

impl Residual {
    fn of(constraint: &Constraint) -> Residual {
        let sign = if constraint.relation == Relation::AtLeast { -1 } else { 1 };
        let is_equality = constraint.relation == Relation::Equal;
        let gcd = constraint.terms.iter().fold(0, |gcd, &(_, a)| greatest_common_divisor(gcd, a));
        let gcd = gcd.max(1);
        let mut terms: Vec<(usize, i64)> = constraint.terms.clone();
        terms.iter_mut().for_each(|(_, a)| *a *= sign);
        let mut bound = sign * constraint.bound;
        // An equality with an indivisible bound has no solution; `check` says so before any use.
        if !is_equality || bound % gcd == 0 {
            terms.iter_mut().for_each(|(_, a)| *a /= gcd);
            bound = bound.div_euclid(gcd);
        }
        let positive: i64 = terms.iter().map(|&(_, a)| a.max(0)).sum();
        let negative: i64 = terms.iter().map(|&(_, a)| a.min(0)).sum();
        Residual { terms, bound, is_equality, least: bound - positive, most: bound - negative }
    }

    /// Refuses a constraint that no assignment satisfies for a reason that can be seen at once.
    fn check(&self, index: usize, constraint: &Constraint) -> Result<(), Error> {
        let Constraint { terms, bound, .. } = constraint;
        let low: i64 = terms.iter().map(|&(_, a)| a.min(0)).sum();
        let high: i64 = terms.iter().map(|&(_, a)| a.max(0)).sum();
        let gcd = terms.iter().fold(0, |gcd, &(_, a)| greatest_common_divisor(gcd, a));
        let reason = if self.most < 0 || (self.is_equality && self.least > 0) {
            format!("its left side lies between {low} and {high}, its bound is {bound}")
        } else if self.is_equality && gcd > 1 && bound % gcd != 0 {
            format!("its coefficients are multiples of {gcd}, its bound {bound} is not")
        } else {
            return Ok(());
        };
        Err(ErrorKind::Infeasible { constraint: index, reason }.into())
    }
}

fn greatest_common_divisor(a: i64, b: i64) -> i64 {
    if b == 0 { a.abs() } else { greatest_common_divisor(b, a % b) }
}

/// An objective and the penalties added to it.
struct Sum {
    n_variables: usize,
    entries: Vec<(usize, usize, f64)>,
    offset: f64,
}

impl Sum {
    fn new(objective: &Qubo) -> Self {
        let linear = objective.linear().iter().enumerate().map(|(i, &value)| (i, i, value));
        let entries = linear.chain(objective.quadratic()).collect();
        Self { n_variables: objective.n_variables(), entries, offset: objective.offset() }
    }

    /// `weight (constant + sum_i a_i x_i)^2`, with different variables in the terms.
    fn add_square(&mut self, terms: &[(usize, f64)], constant: f64, weight: f64) {
        self.offset += weight * constant * constant;
        for (k, &(i, a)) in terms.iter().enumerate() {
            self.entries.push((i, i, weight * a * (a + 2.0 * constant)));
            let products = terms[k + 1..].iter().map(|&(j, b)| (i, j, 2.0 * weight * a * b));
            self.entries.extend(products);
        }
    }

    fn qubo(self) -> Result<Qubo, Error> {
        Qubo::sparse(self.n_variables, self.entries, self.offset)
    }
}

/// The slack bits of one constraint.
#[derive(Debug, Clone, PartialEq)]
struct Slack {
    terms: Vec<(usize, i64)>,
    bound: i64,
    first: usize,
    weights: Vec<u64>,
}

/// A constrained problem as a QUBO: the variables first, then the slack bits.
#[derive(Debug, Clone, PartialEq)]
pub struct Penalised {
    qubo: Qubo,
    n_variables: usize,
    weight: f64,
    slacks: Vec<Slack>,
}

impl Penalised {
    /// The QUBO without constraints.
    pub fn qubo(&self) -> &Qubo {
        &self.qubo
    }

    /// The weight of the penalties.
    pub fn weight(&self) -> f64 {
        self.weight
    }

    /// The number of slack bits.
    pub fn n_slack(&self) -> usize {
        self.qubo.n_variables() - self.n_variables
    }

    /// The variables of the problem among those of the QUBO.
    ///
    /// # Panics
    ///
    /// Panics if there are fewer bits than variables.
    pub fn variables<'a>(&self, bits: &'a [u8]) -> &'a [u8] {
        &bits[..self.n_variables]
    }

    /// The assignment with the slack bits that penalise it least.
    ///
    /// # Panics
    ///
    /// Panics if `variables` holds another number of bits than the problem.
    pub fn with_slack(&self, variables: &[u8]) -> Vec<u8> {
        assert_eq!(variables.len(), self.n_variables, "bits of {} variables", self.n_variables);
        let mut bits = variables.to_vec();
        bits.resize(self.qubo.n_variables(), 0);
        for slack in &self.slacks {
            let left: i64 = slack.terms.iter().map(|&(i, a)| a * i64::from(variables[i])).sum();
            let mut rest = (slack.bound - left).max(0) as u64;
            for (k, &w) in slack.weights.iter().enumerate().rev() {
                if rest >= w {
                    (bits[slack.first + k], rest) = (1, rest - w);
                }
            }
        }
        bits
    }
}
