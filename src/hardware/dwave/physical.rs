//! A model as fields of qubits and couplings of couplers.

use super::options::{ChainStrength, Scale};
use crate::error::{Error, ErrorKind};
use crate::hardware::sapi::{Coefficients, Solver};
use crate::hardware::{Embedding, WorkingGraph};
use crate::ising::Ising;
use std::collections::HashMap;

/// The coefficients of an embedded model before they are scaled. Fields are spread evenly over a
/// chain, couplings over all couplers between two chains.
pub(super) struct Physical {
    fields: Vec<Field>,
    couplings: Vec<Coupling>,
}

struct Field {
    qubit: u32,
    variable: usize,
    value: f64,
}

struct Coupling {
    place: usize,
    qubits: [u32; 2],
    /// The same twice, within a chain.
    variables: [usize; 2],
    value: f64,
}

impl Coupling {
    fn is_chain(&self) -> bool {
        self.variables[0] == self.variables[1]
    }
}

fn unsupported(what: String, remedy: &str) -> Error {
    ErrorKind::Unsupported { what, remedy: remedy.into() }.into()
}

/// `J_ij`, zero if there is none.
fn coupling(model: &Ising, i: usize, j: usize) -> f64 {
    if let Some(row) = model.row(i) {
        return row[j];
    }
    let (columns, values) = model.neighbours(i);
    columns.binary_search(&(j as u32)).map_or(0.0, |at| values[at])
}

impl ChainStrength {
    /// The strength for a model, in its units.
    pub(super) fn of(&self, model: &Ising) -> f64 {
        let unit = model.max_abs_coefficient();
        match *self {
            ChainStrength::Absolute(strength) => strength,
            ChainStrength::Relative(factor) if unit > 0.0 => factor * unit,
            ChainStrength::UniformTorque(factor) if model.n_couplings() > 0 => {
                let squares: f64 = model.couplings().map(|(_, _, j)| (j / unit).powi(2)).sum();
                let n = model.n_couplings() as f64;
                let degree = 2.0 * n / model.n_spins() as f64;
                factor * unit * (squares / n).sqrt() * degree.sqrt()
            }
            _ => 1.0,
        }
    }
}

impl Physical {
    pub fn new(
        model: &Ising,
        embedding: &Embedding,
        strength: f64,
        graph: &WorkingGraph,
    ) -> Result<Self, Error> {
        if embedding.n_variables() != model.n_spins() {
            let (given, wanted) = (embedding.n_variables(), model.n_spins());
            let what = format!("an embedding of {given} variables for a model of {wanted} spins");
            return Err(unsupported(what, "give each spin a chain"));
        }
        let pairs = embedded_pairs(embedding, graph)?;
        let mut shares: HashMap<[usize; 2], f64> = HashMap::new();
        for (_, _, variables) in &pairs {
            *shares.entry(*variables).or_default() += 1.0;
        }
        let missing = model.couplings().find(|&(i, j, _)| !shares.contains_key(&[i, j]));
        if let Some((i, j, _)) = missing {
            let what = format!("no coupler joins the chains of spins {i} and {j}");
            return Err(unsupported(what, "embed every pair that is coupled"));
        }
        let value = |variables: &[usize; 2]| match *variables {
            [i, j] if i == j => -strength,
            [i, j] => coupling(model, i, j) / shares[variables],
        };
        let of_pair = |(place, qubits, variables): (usize, [u32; 2], [usize; 2])| Coupling {
            place,
            qubits,
            variables,
            value: value(&variables),
        };
        let fields = embedding.chains().iter().zip(model.fields()).enumerate();
        let fields = fields.flat_map(|(variable, (chain, h))| {
            let value = h / chain.len() as f64;
            chain.iter().map(move |&qubit| Field { qubit, variable, value })
        });
        Ok(Self { fields: fields.collect(), couplings: pairs.into_iter().map(of_pair).collect() })
    }

    /// The factor that brings all coefficients into the ranges of a chip. With `gauged`, signs may
    /// turn, so the ranges must hold either.
    pub fn factor(&self, solver: &Solver, scale: Scale, gauged: bool) -> Result<f64, Error> {
        let symmetric = |[low, high]: [f64; 2]| {
            let bound = high.min(-low);
            [-bound, bound]
        };
        let turned = |range: [f64; 2], turns: bool| if turns { symmetric(range) } else { range };
        let fields = self.fields.iter().map(|f| {
            (f.value, turned(solver.h_range, gauged), "the field of qubit", [f.qubit, f.qubit])
        });
        let couplings = self.couplings.iter().map(|c| {
            let range = turned(solver.j_range, gauged && !c.is_chain());
            (c.value, range, "the coupling of qubits", c.qubits)
        });
        let sums = self.sums(gauged).into_iter().flat_map(|(qubit, sums)| {
            let range = solver.coupling_sum_range;
            range.into_iter().flat_map(move |range| {
                sums.map(|sum| (sum, range, "the sum of couplings of qubit", [qubit, qubit]))
            })
        });
        let all = fields.chain(couplings).chain(sums);
        match scale {
            Scale::Fit => Ok(largest_factor(all.map(|(value, range, _, _)| (value, range)))),
            Scale::Fixed(factor) => {
                let slack = 1.0 + 1e-12;
                let out = |&(value, [low, high], _, _): &(f64, [f64; 2], _, _)| {
                    let scaled = value * factor;
                    !(low * slack..=high * slack).contains(&scaled)
                };
                match { all }.find(out) {
                    None => Ok(factor),
                    Some((value, [low, high], name, [a, b])) => {
                        let at = if a == b { a.to_string() } else { format!("({a}, {b})") };
                        let scaled = value * factor;
                        let what = format!(
                            "{name} {at} is {scaled} at the scale {factor}, outside of [{low}, {high}]"
                        );
                        Err(unsupported(what, "use a smaller scale, or `Scale::Fit`"))
                    }
                }
            }
        }
    }

    /// The least and largest sum of the couplings of each qubit.
    fn sums(&self, gauged: bool) -> HashMap<u32, [f64; 2]> {
        let mut sums: HashMap<u32, [f64; 2]> = HashMap::new();
        for coupling in &self.couplings {
            for qubit in coupling.qubits {
                let sum = sums.entry(qubit).or_default();
                let turned = if gauged && !coupling.is_chain() {
                    coupling.value.abs()
                } else {
                    coupling.value
                };
                let back = if gauged && !coupling.is_chain() { -turned } else { turned };
                (sum[0], sum[1]) = (sum[0] + back, sum[1] + turned);
            }
        }
        sums
    }

    /// Writes the scaled coefficients, with the signs of a gauge, into a problem.
    pub fn write(&self, solver: &Solver, factor: f64, gauge: &[i8], to: &mut Coefficients) {
        let sign = |variable: usize| gauge.get(variable).map_or(1.0, |&s| f64::from(s));
        let clamped = |value: f64, [low, high]: [f64; 2]| (value * factor).clamp(low, high);
        for field in &self.fields {
            if let Some(place) = solver.graph.place(field.qubit) {
                to.linear[place] = sign(field.variable) * clamped(field.value, solver.h_range);
            }
        }
        for coupling in &self.couplings {
            let signs = sign(coupling.variables[0]) * sign(coupling.variables[1]);
            to.quadratic[coupling.place] = clamped(signs * coupling.value, solver.j_range);
        }
    }

    /// The scaled coefficients as a model of the qubits, for its precision.
    pub fn programmed(&self, factor: f64) -> Result<Ising, Error> {
        let place = |k: usize| (self.fields[k].qubit, k);
        let places: HashMap<u32, usize> = (0..self.fields.len()).map(place).collect();
        let fields = self.fields.iter().map(|field| field.value * factor).collect();
        let couplings = self.couplings.iter().map(|coupling| {
            let [a, b] = coupling.qubits.map(|q| places[&q]);
            (a, b, coupling.value * factor)
        });
        Ising::sparse(fields, couplings, 0.0)
    }
}

/// The couplers between the qubits of an embedding: place, ends, and the variables of the ends in
/// ascending order.
type Pair = (usize, [u32; 2], [usize; 2]);

fn embedded_pairs(embedding: &Embedding, graph: &WorkingGraph) -> Result<Vec<Pair>, Error> {
    let mut owner: HashMap<u32, usize> = HashMap::new();
    for (i, chain) in embedding.chains().iter().enumerate() {
        for &q in chain {
            if graph.place(q).is_none() || owner.insert(q, i).is_some() {
                let what = format!("qubit {q} does not work or is in two chains");
                return Err(unsupported(what, "embed into the working graph of the solver"));
            }
        }
        if chain.is_empty() {
            return Err(unsupported(
                format!("the chain of variable {i} is empty"),
                "give it a qubit",
            ));
        }
    }
    let of_qubit = |(&q, &i): (&u32, &usize)| {
        let of_edge = |&(p, place): &(u32, u32)| {
            let j = *owner.get(&p).filter(|_| q < p)?;
            Some((place as usize, [q, p], [i.min(j), i.max(j)]))
        };
        graph.edges(q).iter().filter_map(of_edge).collect::<Vec<_>>()
    };
    let mut pairs: Vec<Pair> = owner.iter().flat_map(of_qubit).collect();
    pairs.sort_unstable();
    Ok(pairs)
}

fn largest_factor(values: impl Iterator<Item = (f64, [f64; 2])>) -> f64 {
    let room = |(value, [low, high]): (f64, [f64; 2])| {
        if value > 0.0 { high / value } else { low / value }
    };
    let factor = values.filter(|(value, _)| *value != 0.0).map(room).fold(f64::INFINITY, f64::min);
    if factor == f64::INFINITY { 1.0 } else { factor }
}
