//! Circuits on devices where not every pair of qubits is coupled.

use super::Step;
use crate::error::{Error, ErrorKind};
use std::collections::{HashSet, VecDeque};

/// So many places are tried before a layout without exchanges is given up.
const TRIES: usize = 50_000;

/// Which qubits of a device are coupled.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::hardware) struct Coupling {
    neighbours: Vec<Vec<usize>>,
    directed: HashSet<(usize, usize)>,
}

/// A circuit on the qubits of a device.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::hardware) struct Routed {
    pub steps: Vec<Step>,
    /// Where each qubit of the circuit is at the end.
    pub places: Vec<usize>,
}

impl Coupling {
    /// Couplers on which the gate is done with the first qubit as its control.
    pub fn new(n_qubits: usize, couplers: impl IntoIterator<Item = (usize, usize)>) -> Self {
        let mut neighbours = vec![Vec::new(); n_qubits];
        let directed: HashSet<(usize, usize)> =
            couplers.into_iter().filter(|&(a, b)| a != b && a < n_qubits && b < n_qubits).collect();
        for &(a, b) in &directed {
            neighbours[a].push(b);
            neighbours[b].push(a);
        }
        for list in &mut neighbours {
            list.sort_unstable();
            list.dedup();
        }
        Self { neighbours, directed }
    }

    pub fn n_qubits(&self) -> usize {
        self.neighbours.len()
    }

    /// Whether the gate is done with the first qubit as its control.
    pub fn is_pair(&self, a: usize, b: usize) -> bool {
        self.directed.contains(&(a, b))
    }

    fn are_coupled(&self, a: usize, b: usize) -> bool {
        self.neighbours[a].binary_search(&b).is_ok()
    }

    /// Places the qubits of a circuit, and exchanges neighbours where a pair has no coupler.
    ///
    /// A layout without exchanges is searched for first, up to a bounded number of tries. Otherwise
    /// the qubits lie close together, and one end of each distant pair moves along a shortest path:
    /// correct, and by far not the fewest exchanges possible.
    ///
    /// # Errors
    ///
    /// When no connected part of the device has as many qubits.
    pub fn route(&self, steps: &[Step], n_qubits: usize, device: &str) -> Result<Routed, Error> {
        let part = self.largest_part();
        if n_qubits > part.len() {
            return Err(ErrorKind::TooLargeForDevice {
                given: n_qubits,
                what: "qubits",
                device: device.into(),
                limit: part.len(),
                remedy: "use fewer: no more are connected",
            }
            .into());
        }
        let friends = friends(steps, n_qubits);
        let places = self.perfect(&friends).unwrap_or_else(|| self.compact(&friends, &part));
        Ok(self.routed(steps, places))
    }

    fn routed(&self, steps: &[Step], mut places: Vec<usize>) -> Routed {
        let mut out = Vec::with_capacity(steps.len());
        for step in steps {
            match *step {
                Step::Turn(matrix, qubit) => out.push(Step::Turn(matrix, places[qubit])),
                Step::Pair(a, b) => {
                    self.approach(&mut out, &mut places, a, b);
                    out.push(Step::Pair(places[a], places[b]));
                }
            }
        }
        Routed { steps: out, places }
    }

    /// Moves qubit `a` until it is a neighbour of `b`.
    fn approach(&self, out: &mut Vec<Step>, places: &mut [usize], a: usize, b: usize) {
        let distance = self.distances(places[b]);
        while !self.are_coupled(places[a], places[b]) {
            let from = places[a];
            let nearer = self.neighbours[from].iter().min_by_key(|&&q| distance[q]);
            let Some(&to) = nearer else { return };
            out.extend([Step::Pair(from, to), Step::Pair(to, from), Step::Pair(from, to)]);
            let moved = |place: usize| match place {
                place if place == from => to,
                place if place == to => from,
                place => place,
            };
            places.iter_mut().for_each(|place| *place = moved(*place));
        }
    }

    /// The number of couplers from a qubit to each.
    fn distances(&self, from: usize) -> Vec<usize> {
        let mut distances = vec![usize::MAX; self.n_qubits()];
        distances[from] = 0;
        let mut queue = VecDeque::from([from]);
        while let Some(at) = queue.pop_front() {
            for &next in &self.neighbours[at] {
                if distances[next] == usize::MAX {
                    distances[next] = distances[at] + 1;
                    queue.push_back(next);
                }
            }
        }
        distances
    }

    fn largest_part(&self) -> Vec<usize> {
        let mut parts: Vec<Vec<usize>> = Vec::new();
        for qubit in 0..self.n_qubits() {
            if !parts.iter().any(|part| part.contains(&qubit)) {
                let distances = self.distances(qubit);
                parts.push((0..self.n_qubits()).filter(|&q| distances[q] < usize::MAX).collect());
            }
        }
        parts.into_iter().rev().max_by_key(Vec::len).unwrap_or_default()
    }

    /// A layout in which all pairs of the circuit are coupled, if one is found.
    fn perfect(&self, friends: &[Vec<usize>]) -> Option<Vec<usize>> {
        let mut search = Search {
            coupling: self,
            friends,
            order: order(friends),
            places: vec![None; friends.len()],
            taken: vec![false; self.n_qubits()],
            tries: TRIES,
        };
        search.place(0).then(|| search.places.into_iter().flatten().collect())
    }

    /// Qubits of the circuit on qubits of a connected part, those that meet close to each other.
    fn compact(&self, friends: &[Vec<usize>], part: &[usize]) -> Vec<usize> {
        let spread = |&q: &usize| {
            let mut distances = self.distances(q);
            distances.sort_unstable();
            distances.iter().take(friends.len()).sum::<usize>()
        };
        let centre = part.iter().copied().min_by_key(spread).unwrap_or(0);
        let from_centre = self.distances(centre);
        let mut near: Vec<usize> = part.to_vec();
        near.sort_by_key(|&q| (from_centre[q], q));
        near.truncate(friends.len());
        let mut places: Vec<Option<usize>> = vec![None; friends.len()];
        for qubit in order(friends) {
            let known: Vec<Vec<usize>> = friends[qubit]
                .iter()
                .filter_map(|&friend| places[friend])
                .map(|place| self.distances(place))
                .collect();
            let cost =
                |&q: &usize| known.iter().map(|d| d[q]).sum::<usize>() * 1024 + from_centre[q];
            let best = near.iter().copied().min_by_key(cost).unwrap_or(centre);
            near.retain(|&q| q != best);
            places[qubit] = Some(best);
        }
        places.into_iter().flatten().collect()
    }
}

/// The qubits that each qubit meets.
fn friends(steps: &[Step], n_qubits: usize) -> Vec<Vec<usize>> {
    let mut friends = vec![Vec::new(); n_qubits];
    for step in steps {
        if let Step::Pair(a, b) = *step {
            friends[a].push(b);
            friends[b].push(a);
        }
    }
    for list in &mut friends {
        list.sort_unstable();
        list.dedup();
    }
    friends
}

/// Each qubit after one that it meets, the busiest first.
fn order(friends: &[Vec<usize>]) -> Vec<usize> {
    let mut order: Vec<usize> = Vec::with_capacity(friends.len());
    while order.len() < friends.len() {
        let key = |&q: &usize| {
            let known = friends[q].iter().filter(|friend| order.contains(friend)).count();
            (known, friends[q].len(), std::cmp::Reverse(q))
        };
        let Some(next) = (0..friends.len()).filter(|q| !order.contains(q)).max_by_key(key) else {
            break;
        };
        order.push(next);
    }
    order
}

struct Search<'a> {
    coupling: &'a Coupling,
    friends: &'a [Vec<usize>],
    order: Vec<usize>,
    places: Vec<Option<usize>>,
    taken: Vec<bool>,
    tries: usize,
}

impl Search<'_> {
    /// Places the qubits from this one of the order on.
    fn place(&mut self, at: usize) -> bool {
        let Some(&qubit) = self.order.get(at) else { return true };
        let known: Vec<usize> =
            self.friends[qubit].iter().filter_map(|&friend| self.places[friend]).collect();
        let candidates: Vec<usize> = match known.first() {
            Some(&place) => self.coupling.neighbours[place].clone(),
            None => (0..self.coupling.n_qubits()).collect(),
        };
        for place in candidates {
            if self.tries == 0 {
                return false;
            }
            self.tries -= 1;
            let fits = !self.taken[place]
                && known.iter().all(|&other| self.coupling.are_coupled(place, other));
            if !fits {
                continue;
            }
            (self.places[qubit], self.taken[place]) = (Some(place), true);
            if self.place(at + 1) {
                return true;
            }
            (self.places[qubit], self.taken[place]) = (None, false);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::super::{lowered, oracle};
    use super::*;
    use crate::circuit::Circuit;
    use crate::random::Stream;
    use num_complex::Complex64;

    fn line(n: usize) -> Coupling {
        Coupling::new(n, (1..n).map(|b| (b - 1, b)))
    }

    fn random_circuit(n: usize, seed: u64) -> Circuit {
        let mut rng = Stream::new(seed, 0);
        let mut circuit = Circuit::new(n);
        for _ in 0..12 {
            let mut draw = |n: usize| (rng.uniform() * n as f64) as usize;
            let (a, step) = (draw(n), 1 + draw(n - 1));
            circuit.ry(draw(1000) as f64 / 100.0, a).cnot(a, (a + step) % n);
        }
        circuit
    }

    /// The state of the circuit, in the places of its qubits, all others in 0.
    fn check(coupling: &Coupling, circuit: &Circuit) -> Routed {
        let (n, all) = (circuit.n_qubits(), coupling.n_qubits());
        let routed = coupling.route(&lowered(circuit).unwrap(), n, "test").unwrap();
        for step in &routed.steps {
            if let Step::Pair(a, b) = *step {
                assert!(coupling.are_coupled(a, b), "{a} {b}");
            }
        }
        let found = oracle::of_steps(&routed.steps, &oracle::cnot(), all);
        let exact = oracle::of_circuit(circuit);
        for (i, row) in exact.iter().enumerate() {
            let place = |(k, place): (usize, &usize)| (i >> k & 1) << place;
            let at: usize = routed.places.iter().enumerate().map(place).sum();
            assert!((row[0].norm() - found[at][0].norm()).abs() < 1e-9, "{circuit:?}");
        }
        let norm: f64 = found.iter().map(|row: &Vec<Complex64>| row[0].norm_sqr()).sum();
        assert!((norm - 1.0).abs() < 1e-9);
        routed
    }

    #[test]
    fn routed_circuits_are_the_same_on_all_graphs() {
        let tree = Coupling::new(6, [(0, 1), (2, 1), (1, 3), (3, 4), (5, 3)]);
        let ring = Coupling::new(6, (0..6).map(|a| (a, (a + 1) % 6)));
        for seed in 0..6 {
            for coupling in [&line(5), &tree, &ring] {
                check(coupling, &random_circuit(4, seed));
            }
        }
    }

    #[test]
    fn a_circuit_that_fits_is_not_given_exchanges() {
        let mut ghz = Circuit::new(4);
        ghz.h(2).cnot(2, 0).cnot(0, 3).cnot(3, 1);
        assert_eq!(check(&line(6), &ghz).steps.len(), 4);
        let mut star = Circuit::new(4);
        star.h(0).cnot(0, 1).cnot(0, 2).cnot(0, 3);
        assert!(check(&line(6), &star).steps.len() > 4);
    }

    #[test]
    fn a_part_that_is_too_small_is_refused() {
        let two = Coupling::new(5, [(0, 1), (2, 3), (3, 4)]);
        check(&two, Circuit::new(3).cnot(0, 1).cnot(0, 2));
        let error = two.route(&[], 4, "chip").unwrap_err();
        assert!(error.is_size_limit() && error.to_string().contains("chip"), "{error}");
    }
}
