//! The naive mean field of many small models of bits, and its derivative.
//!
//! `m = sigmoid(theta + m W)` for rows `theta` of which many share a matrix `W`. A few rows at a time
//! go through all iterations; nothing between them leaves the cache.

mod kernel;

use crate::error::{Error, ErrorKind, length};
use crate::statevector::simd::{Element, Machine};
use kernel::{Part, Pull, Scratch, Solve};
use rayon::prelude::*;

/// Elements of a batch that share their matrices are one task by so many, whatever the number of
/// threads: their gradients are added in this order.
const GROUP: usize = 4;

/// Multiplications of a task, at least: waking a thread takes as long.
const MIN_WORK: usize = 1 << 18;

/// Mean fields of `theta [batch, n_heads, n_rows, n]` with `W [batch or 1, n_heads, n, n]`, after
/// `n_iterations` steps from `sigmoid(theta)` and one more.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MeanField {
    dims: [usize; 4],
    /// Elements of the batch for each matrix of a head.
    group: usize,
    shared: bool,
    n_iterations: usize,
    machine: Machine,
}

impl MeanField {
    /// `shared`: whether one `W` serves the whole batch.
    pub fn new(dims: [usize; 4], shared: bool, n_iterations: usize) -> Self {
        let group = if shared { GROUP } else { 1 };
        Self { dims, group, shared, n_iterations, machine: Machine::new(true) }
    }

    /// `m`, of the shape of `theta`.
    ///
    /// # Errors
    ///
    /// When a slice has another length, or holds NaN or infinity.
    pub fn solve<T: Element>(&self, theta: &[T], couplings: &[T]) -> Result<Vec<T>, Error> {
        let [.., n] = self.dims;
        self.check("theta", self.dims, theta)?;
        self.check("couplings", self.matrix_dims(), couplings)?;
        let mut out = vec![T::zero(); theta.len()];
        if theta.is_empty() {
            return Ok(out);
        }
        let mut tasks: Vec<Vec<_>> = (0..self.n_tasks()).map(|_| Vec::new()).collect();
        for (k, part) in self.rows(theta).zip(self.rows_mut(&mut out)).enumerate() {
            tasks[self.task_of(k)].push(part);
        }
        let scratch = || Scratch::new(n, false);
        let tasks = tasks.into_par_iter().with_min_len(self.min_tasks()).enumerate();
        tasks.for_each_init(scratch, |scratch, (task, parts)| {
            let matrix = self.matrix(couplings, task);
            let n_iterations = self.n_iterations;
            self.machine.launch(Solve { scratch, matrix, n_iterations, parts });
        });
        Ok(out)
    }

    /// The gradients of `sum(cotangent * m)` by `theta` and by every entry of `W`, symmetric or not.
    ///
    /// It is the implicit derivative at the fixed point: with `s = m (1 - m)`, `g = u s` where
    /// `u = cotangent + (u s) W^T`, after as many steps as `m` had; `g` by `theta`, and
    /// `sum_rows m_i g_j` by `W_ij`.
    ///
    /// # Errors
    ///
    /// As [`solve`](Self::solve).
    pub fn gradient<T: Element>(
        &self,
        m: &[T],
        couplings: &[T],
        cotangent: &[T],
    ) -> Result<[Vec<T>; 2], Error> {
        let [.., n] = self.dims;
        self.check("m", self.dims, m)?;
        self.check("couplings", self.matrix_dims(), couplings)?;
        self.check("cotangent", self.dims, cotangent)?;
        let mut by_theta = vec![T::zero(); m.len()];
        if m.is_empty() {
            return Ok([by_theta, vec![T::zero(); couplings.len()]]);
        }
        let mut by_matrix = vec![T::zero(); self.n_tasks() * n * n];
        let mut tasks: Vec<Vec<_>> = (0..self.n_tasks()).map(|_| Vec::new()).collect();
        let given = self.rows(m).zip(self.rows(cotangent));
        for (k, ((m, cotangent), theta)) in given.zip(self.rows_mut(&mut by_theta)).enumerate() {
            tasks[self.task_of(k)].push(Part { m, cotangent, theta });
        }
        let scratch = || Scratch::new(n, true);
        let tasks = tasks.into_par_iter().zip(by_matrix.par_chunks_mut(n * n));
        let tasks = tasks.with_min_len(self.min_tasks()).enumerate();
        tasks.for_each_init(scratch, |scratch, (task, (parts, gradient))| {
            let matrix = self.matrix(couplings, task);
            let n_iterations = self.n_iterations;
            self.machine.launch(Pull { scratch, matrix, n_iterations, parts, gradient });
        });
        // Groups of a shared matrix, one after the other.
        let (sum, rest) = by_matrix.split_at_mut(couplings.len());
        for group in rest.chunks(couplings.len()) {
            sum.iter_mut().zip(group).for_each(|(sum, &x)| *sum = *sum + x);
        }
        by_matrix.truncate(couplings.len());
        Ok([by_theta, by_matrix])
    }

    fn matrix_dims(&self) -> [usize; 4] {
        let [batch, n_heads, _, n] = self.dims;
        [if self.shared { 1 } else { batch }, n_heads, n, n]
    }

    /// One for each head and each group of elements.
    fn n_tasks(&self) -> usize {
        self.dims[0].div_ceil(self.group) * self.dims[1]
    }

    /// The task of head and element `k`.
    fn task_of(&self, k: usize) -> usize {
        let n_heads = self.dims[1];
        k / n_heads / self.group * n_heads + k % n_heads
    }

    /// Neighbouring tasks that go to one thread, at least.
    fn min_tasks(&self) -> usize {
        let [_, _, n_rows, n] = self.dims;
        MIN_WORK.div_ceil(self.group * n_rows * n * n * (self.n_iterations + 1))
    }

    fn matrix<'a, T>(&self, couplings: &'a [T], task: usize) -> &'a [T] {
        let [_, n_heads, _, n] = self.dims;
        let k = if self.shared { task % n_heads } else { task };
        &couplings[k * n * n..][..n * n]
    }

    /// `[n_rows, n]` of each element and head.
    fn rows<'a, T>(&self, x: &'a [T]) -> std::slice::ChunksExact<'a, T> {
        x.chunks_exact(self.dims[2] * self.dims[3])
    }

    fn rows_mut<'a, T>(&self, x: &'a mut [T]) -> std::slice::ChunksExactMut<'a, T> {
        x.chunks_exact_mut(self.dims[2] * self.dims[3])
    }

    fn check<T: Element>(
        &self,
        name: &'static str,
        dims: [usize; 4],
        values: &[T],
    ) -> Result<(), Error> {
        length(name, dims.iter().product(), values.len())?;
        // Without a way out of the loop it runs in lanes.
        if values.iter().fold(true, |finite, x| finite & x.is_finite()) {
            return Ok(());
        }
        let bad = values.iter().position(|x| !x.is_finite()).unwrap_or(0);
        let [_, b, c, d] = dims;
        let place = [bad / d / c / b, bad / d / c % b, bad / d % c, bad % d];
        let value = values[bad].to_f64().unwrap_or(f64::NAN);
        Err(ErrorKind::NotFinite { what: format!("{name}{place:?}"), value }.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Stream;

    const SIZES: [usize; 8] = [1, 2, 7, 16, 33, 64, 100, 130];

    struct Case {
        field: MeanField,
        theta: Vec<f64>,
        couplings: Vec<f64>,
        cotangent: Vec<f64>,
    }

    /// Matrices of any symmetry, of a norm that lets the iteration contract, as a rule.
    fn case(dims: [usize; 4], shared: bool, n_iterations: usize, seed: u64) -> Case {
        let [batch, n_heads, n_rows, n] = dims;
        let mut stream = Stream::new(seed, 0);
        let mut random = |len: usize, scale: f64| -> Vec<f64> {
            (0..len).map(|_| (2.0 * stream.uniform() - 1.0) * scale).collect()
        };
        let n_matrices = if shared { 1 } else { batch } * n_heads;
        Case {
            field: MeanField::new(dims, shared, n_iterations),
            theta: random(batch * n_heads * n_rows * n, 3.0),
            couplings: random(n_matrices * n * n, 2.0 / n as f64),
            cotangent: random(batch * n_heads * n_rows * n, 1.0),
        }
    }

    fn single(x: &[f64]) -> Vec<f32> {
        x.iter().map(|&x| x as f32).collect()
    }

    impl Case {
        fn coupling(&self, k: usize, i: usize, j: usize) -> f64 {
            let [_, n_heads, _, n] = self.field.dims;
            let k = if self.field.shared { k % n_heads } else { k };
            self.couplings[(k * n + i) * n + j]
        }

        /// `x + y W` or `x + y W^T`, number by number.
        fn pulled(&self, x: &[f64], y: &[f64], transposed: bool) -> Vec<f64> {
            let [_, _, n_rows, n] = self.field.dims;
            let entry = |at: usize| {
                let (k, row, j) = (at / n / n_rows, at / n * n, at % n);
                let w = |i: usize| match transposed {
                    true => self.coupling(k, j, i),
                    false => self.coupling(k, i, j),
                };
                x[at] + (0..n).map(|i| y[row + i] * w(i)).sum::<f64>()
            };
            (0..x.len()).map(entry).collect()
        }

        fn oracle(&self) -> Vec<f64> {
            let sigmoid =
                |x: Vec<f64>| x.into_iter().map(|x| 1.0 / (1.0 + (-x).exp())).collect::<Vec<f64>>();
            let start = sigmoid(self.theta.clone());
            let step = |m: Vec<f64>, _| sigmoid(self.pulled(&self.theta, &m, false));
            (0..=self.field.n_iterations).fold(start, step)
        }

        fn oracle_gradient(&self, m: &[f64]) -> [Vec<f64>; 2] {
            let [_, n_heads, n_rows, n] = self.field.dims;
            let times_slope = |u: &[f64]| -> Vec<f64> {
                u.iter().zip(m).map(|(u, m)| u * m * (1.0 - m)).collect()
            };
            let mut u = self.cotangent.clone();
            for _ in 0..self.field.n_iterations {
                u = self.pulled(&self.cotangent, &times_slope(&u), true);
            }
            let g = times_slope(&u);
            let mut by_matrix = vec![0.0; self.couplings.len()];
            for (at, g) in g.iter().enumerate() {
                let (k, row, j) = (at / n / n_rows, at / n * n, at % n);
                let k = if self.field.shared { k % n_heads } else { k };
                (0..n).for_each(|i| by_matrix[(k * n + i) * n + j] += m[row + i] * g);
            }
            [g, by_matrix]
        }

        fn check<T: Element>(&self, tolerance: f64) {
            let lanes = |x: &[f64]| -> Vec<T> {
                x.iter().map(|&x| T::from(x).expect("a number")).collect()
            };
            let close = |what: &str, a: &[T], b: &[f64]| {
                assert_eq!(a.len(), b.len());
                for (a, b) in a.iter().zip(b) {
                    let error = (a.to_f64().expect("a number") - b).abs() / (1.0 + b.abs());
                    assert!(error < tolerance, "{what}, {:?}: {a:?}, {b}", self.field);
                }
            };
            let (theta, couplings) = (lanes(&self.theta), lanes(&self.couplings));
            let m = self.oracle();
            close("m", &self.field.solve(&theta, &couplings).unwrap(), &m);
            let cotangent = lanes(&self.cotangent);
            let [by_theta, by_matrix] =
                self.field.gradient(&lanes(&m), &couplings, &cotangent).unwrap();
            let [expected_theta, expected_matrix] = self.oracle_gradient(&m);
            close("by theta", &by_theta, &expected_theta);
            close("by couplings", &by_matrix, &expected_matrix);
        }
    }

    #[test]
    fn values_and_gradients_are_those_of_the_obvious_loops() {
        for (seed, n) in SIZES.into_iter().enumerate() {
            for (batch, n_heads, n_rows) in [(1, 1, 1), (2, 3, 5), (5, 2, 17), (9, 1, 4)] {
                for shared in [false, true] {
                    for n_iterations in [0, 4] {
                        let dims = [batch, n_heads, n_rows, n];
                        let case = case(dims, shared, n_iterations, seed as u64);
                        case.check::<f32>(3e-6);
                        case.check::<f64>(1e-14);
                    }
                }
            }
        }
    }

    #[test]
    fn every_instruction_set_gives_the_same() {
        for machine in Machine::every(true) {
            for (n, shared) in [(7, false), (33, true), (100, false)] {
                let mut case = case([3, 2, 6, n], shared, 3, 8);
                case.field.machine = machine;
                case.check::<f32>(3e-6);
                case.check::<f64>(1e-14);
            }
        }
    }

    /// By every number that goes in, of the fixed point that many iterations find.
    #[test]
    fn gradients_agree_with_central_differences() {
        for shared in [false, true] {
            let case = case([2, 2, 3, 5], shared, 150, 11);
            let loss = |theta: &[f64], couplings: &[f64]| -> f64 {
                let m = case.field.solve(theta, couplings).unwrap();
                m.iter().zip(&case.cotangent).map(|(m, c)| m * c).sum()
            };
            let m = case.field.solve(&case.theta, &case.couplings).unwrap();
            let [by_theta, by_matrix] =
                case.field.gradient(&m, &case.couplings, &case.cotangent).unwrap();
            let step = 1e-5;
            let moved = |x: &[f64], k: usize, by: f64| {
                let mut x = x.to_vec();
                x[k] += by;
                x
            };
            for (k, g) in by_theta.iter().enumerate() {
                let at = |by| loss(&moved(&case.theta, k, by), &case.couplings);
                assert!(((at(step) - at(-step)) / (2.0 * step) - g).abs() < 1e-9, "theta {k}");
            }
            for (k, g) in by_matrix.iter().enumerate() {
                let at = |by| loss(&case.theta, &moved(&case.couplings, k, by));
                assert!(((at(step) - at(-step)) / (2.0 * step) - g).abs() < 1e-9, "coupling {k}");
            }
        }
    }

    /// A field of -1e4 takes a bit out: it is 0, pulls at nobody, and has no gradient.
    #[test]
    fn hidden_bits_are_zero_and_get_no_gradient() {
        let mut case = case([2, 1, 3, 6], false, 4, 12);
        let hidden = |at: usize| at % 6 > 3 || at / 6 == 2;
        for at in (0..36).filter(|&at| hidden(at)) {
            case.theta[at] -= 1e4;
        }
        let (theta, w) = (single(&case.theta), single(&case.couplings));
        let m = case.field.solve(&theta, &w).unwrap();
        let [by_theta, by_matrix] = case.field.gradient(&m, &w, &single(&case.cotangent)).unwrap();
        for at in 0..36 {
            assert_eq!(m[at] == 0.0, hidden(at));
            assert_eq!(by_theta[at] == 0.0, hidden(at));
        }
        for (at, g) in by_matrix.iter().enumerate() {
            assert_eq!(*g == 0.0, at % 6 > 3 || at / 6 % 6 > 3, "{at}");
        }
    }

    #[test]
    fn the_number_of_threads_does_not_matter() {
        let case = case([11, 2, 9, 20], true, 4, 13);
        let (w, c) = (single(&case.couplings), single(&case.cotangent));
        let run = || {
            let m = case.field.solve(&single(&case.theta), &w).unwrap();
            (case.field.gradient(&m, &w, &c).unwrap(), m)
        };
        let pool = |n| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
        assert_eq!(pool(1).install(run), pool(3).install(run));
    }

    #[test]
    fn nothing_gives_nothing() {
        for dims in [[0, 2, 3, 4], [2, 0, 3, 4], [2, 2, 0, 4], [2, 2, 3, 0]] {
            for shared in [false, true] {
                let case = case(dims, shared, 2, 1);
                let m = case.field.solve(&case.theta, &case.couplings).unwrap();
                let [by_theta, by_matrix] =
                    case.field.gradient(&m, &case.couplings, &case.cotangent).unwrap();
                assert!(m.is_empty() && by_theta.is_empty());
                assert_eq!(by_matrix, vec![0.0; case.couplings.len()]);
            }
        }
    }

    #[test]
    fn bad_numbers_are_named() {
        let mut case = case([2, 2, 3, 4], false, 2, 1);
        let m = case.oracle();
        let theta = std::mem::replace(&mut case.theta[46], f64::NAN);
        let error = case.field.solve(&case.theta, &case.couplings).unwrap_err();
        assert_eq!(error.to_string(), "theta[1, 1, 2, 2] is NaN: it must be finite");
        case.theta[46] = theta;
        case.couplings[17] = f64::INFINITY;
        let error = case.field.solve(&case.theta, &case.couplings).unwrap_err();
        assert_eq!(error.to_string(), "couplings[0, 1, 0, 1] is inf: it must be finite");
        case.couplings[17] = 0.0;
        case.cotangent[0] = f64::NAN;
        let error = case.field.gradient(&m, &case.couplings, &case.cotangent).unwrap_err();
        assert_eq!(error.to_string(), "cotangent[0, 0, 0, 0] is NaN: it must be finite");
        let error = case.field.solve(&case.theta[1..], &case.couplings).unwrap_err();
        assert_eq!(error.to_string(), "theta has 47 values, expected 48");
    }
}
