//! Complete graphs in chips of straight wires.
//!
//! Variable `i` is an L: a vertical wire `x_i` and a horizontal wire `y_i` that meet at a corner.
//! With `x` and `y` monotonic, the vertical part reaches from `y_i` to `y_{n-1}` and the horizontal
//! part from `x_0` to `x_i`, so for `i < j` the vertical part of `i` crosses the horizontal part of
//! `j` at `(x_i, y_j)`. What is left to choose is where the triangle lies and how it is turned:
//! each window of wires is tried, the shortest chains first, and wires with a defect where they are
//! needed are skipped.

use super::topology::{HORIZONTAL, VERTICAL, Wire};
use super::{Embedding, Topology, WorkingGraph};

/// A corner and a turn: where the wires `x` and `y` begin, and whether they ascend.
#[derive(Debug, Clone, Copy)]
struct Window {
    start: [u32; 2],
    ascending: [bool; 2],
    /// The longest chain and the number of qubits, without defects.
    cost: (u32, u32),
}

struct Search<'a> {
    topology: Topology,
    graph: &'a WorkingGraph,
    wires: [Vec<Wire>; 2],
    used: Vec<bool>,
}

/// Disjoint embeddings of complete graphs of `n` variables, at most `limit`: one for each problem
/// of a batch. The first has the shortest chains that were found. None, if not even one fits.
///
/// The cost is that of `W^2 n` steps and a sort, with `W` wires in each direction, and `n^2` for
/// each window with a defect.
///
/// ```
/// use burn_quantum::hardware::{Topology, WorkingGraph, cliques};
///
/// let topology = Topology::zephyr(6)?;
/// let chip = WorkingGraph::ideal(topology);
/// let found = cliques(topology, &chip, 16, 1);
/// assert_eq!(found[0].max_chain_length(), 3);
/// # Ok::<(), burn_quantum::Error>(())
/// ```
///
/// # References
///
/// - [Boothby, King and Roy (2016)](https://arxiv.org/abs/1507.04774), for Chimera
pub fn cliques(topology: Topology, graph: &WorkingGraph, n: usize, limit: usize) -> Vec<Embedding> {
    let mut search = Search::new(topology, graph);
    let mut found: Vec<Embedding> = Vec::new();
    if n == 0 || n > search.wires[VERTICAL].len().min(search.wires[HORIZONTAL].len()) {
        return found;
    }
    if n == 1 {
        return graph.qubits().iter().take(limit).map(|&q| Embedding::of_qubits([q])).collect();
    }
    if n == 2 {
        return pairs(graph, limit);
    }
    for window in search.windows(n as u32) {
        if found.len() >= limit {
            break;
        }
        if let Some(embedding) = search.embed(window, n) {
            embedding.chains().iter().flatten().for_each(|&q| search.used[q as usize] = true);
            found.push(embedding);
        }
    }
    found
}

/// The most variables of which a complete graph can be embedded by [`cliques`].
pub fn largest_clique(topology: Topology, graph: &WorkingGraph) -> usize {
    let fits = |n: usize| !cliques(topology, graph, n, 1).is_empty();
    let most = topology.n_wires(VERTICAL).min(topology.n_wires(HORIZONTAL)) as usize;
    let (mut fitting, mut failing) = (0, most + 1);
    while fitting + 1 < failing {
        let middle = fitting.midpoint(failing);
        match fits(middle) {
            true => fitting = middle,
            false => failing = middle,
        }
    }
    fitting
}

/// Couplers that share no qubit.
fn pairs(graph: &WorkingGraph, limit: usize) -> Vec<Embedding> {
    let mut used = vec![false; graph.n_labels()];
    let free = graph.couplers().iter().filter(|pair| {
        let free = pair.iter().all(|&q| !used[q as usize]);
        pair.iter().for_each(|&q| used[q as usize] |= free);
        free
    });
    free.take(limit).map(|&pair| Embedding::of_qubits(pair)).collect()
}

impl<'a> Search<'a> {
    fn new(topology: Topology, graph: &'a WorkingGraph) -> Self {
        let of = |direction| {
            (0..topology.n_wires(direction)).map(|k| topology.wire(direction, k)).collect()
        };
        let wires = [of(VERTICAL), of(HORIZONTAL)];
        Self { topology, graph, wires, used: vec![false; graph.n_labels()] }
    }

    /// All windows of `n` wires in which the chip has segments, the cheapest first.
    fn windows(&self, n: u32) -> Vec<Window> {
        let mut windows = Vec::new();
        let last = |direction: usize| self.wires[direction].len() as u32 - n;
        for x in 0..=last(VERTICAL) {
            for y in 0..=last(HORIZONTAL) {
                for ascending in [[true, true], [false, false], [true, false], [false, true]] {
                    let at = |low: u32, up: bool| if up { low } else { low + n - 1 };
                    let start = [at(x, ascending[0]), at(y, ascending[1])];
                    let window = Window { start, ascending, cost: (0, 0) };
                    if let Some(cost) = self.cost(&window, n) {
                        windows.push(Window { cost, ..window });
                    }
                }
            }
        }
        windows.sort_by_key(|window| window.cost);
        windows
    }

    fn cost(&self, window: &Window, n: u32) -> Option<(u32, u32)> {
        let at = |direction: usize, i: u32| match window.ascending[direction] {
            true => window.start[direction] + i,
            false => window.start[direction] - i,
        };
        let (mut longest, mut total) = (0, 0);
        for i in 0..n {
            let (x, y) = (at(VERTICAL, i), at(HORIZONTAL, i));
            let vertical = segments(&self.wires[VERTICAL][x as usize], y, at(HORIZONTAL, n - 1))?;
            let horizontal = segments(&self.wires[HORIZONTAL][y as usize], at(VERTICAL, 0), x)?;
            let length = vertical.count() as u32 + horizontal.count() as u32;
            (longest, total) = (longest.max(length), total + length);
        }
        Some((longest, total))
    }

    /// The embedding from a window on, without the wires that have a defect where they are needed.
    fn embed(&self, window: Window, n: usize) -> Option<Embedding> {
        let candidates = |direction: usize| -> Vec<u32> {
            let (start, all) = (window.start[direction], self.wires[direction].len() as u32);
            // Past the window there may be as many wires more as a defect or two would take.
            let spare = n as u32 + self.topology.period();
            match window.ascending[direction] {
                true => (start..all.min(start + spare)).collect(),
                false => ((start + 1).saturating_sub(spare)..=start).rev().collect(),
            }
        };
        let mut lines = [candidates(VERTICAL), candidates(HORIZONTAL)];
        loop {
            if lines.iter().any(|line| line.len() < n) {
                return None;
            }
            let (x, y) = (&lines[VERTICAL][..n], &lines[HORIZONTAL][..n]);
            let mut bad = [Vec::new(), Vec::new()];
            let mut chains = Vec::with_capacity(n);
            for i in 0..n {
                let vertical = self.part(VERTICAL, x[i], y[i], y[n - 1]);
                let horizontal = self.part(HORIZONTAL, y[i], x[0], x[i]);
                match (vertical, horizontal) {
                    (Some(v), Some(h)) => chains.push([v, h].concat()),
                    (v, h) => {
                        bad[VERTICAL].extend(v.is_none().then_some(x[i]));
                        bad[HORIZONTAL].extend(h.is_none().then_some(y[i]));
                    }
                }
            }
            if bad.iter().all(Vec::is_empty) {
                match self.missing(x, y) {
                    None => return Some(Embedding::new(chains)),
                    Some(wire) => bad[VERTICAL].push(wire),
                }
            }
            for (line, bad) in lines.iter_mut().zip(&bad) {
                line.retain(|wire| !bad.contains(wire));
            }
        }
    }

    /// The free working qubits of a wire from one crossing to another, if they are all there.
    fn part(&self, direction: usize, wire: u32, from: u32, to: u32) -> Option<Vec<u32>> {
        let wire = self.wires[direction][wire as usize];
        let qubits: Vec<u32> =
            segments(&wire, from, to)?.map(|z| self.topology.label(wire, z)).collect();
        let works = |&q: &u32| self.graph.place(q).is_some() && !self.used[q as usize];
        let joined = |pair: &[u32]| self.graph.coupler(pair[0], pair[1]).is_some();
        (qubits.iter().all(works) && qubits.windows(2).all(joined)).then_some(qubits)
    }

    /// A vertical wire of which a crossing has no coupler.
    fn missing(&self, x: &[u32], y: &[u32]) -> Option<u32> {
        let qubit = |direction: usize, wire: u32, crossing: u32| {
            let wire = self.wires[direction][wire as usize];
            wire.segment_at(crossing).map(|z| self.topology.label(wire, z))
        };
        let coupled = |x: u32, y: u32| {
            let ends = qubit(VERTICAL, x, y).zip(qubit(HORIZONTAL, y, x));
            ends.is_some_and(|(a, b)| self.graph.coupler(a, b).is_some())
        };
        let wanting = |&i: &usize| y[i..].iter().any(|&y| !coupled(x[i], y));
        (0..x.len()).find(wanting).map(|i| x[i])
    }
}

/// The segments of a wire from one crossing to another, if it reaches both.
fn segments(wire: &Wire, from: u32, to: u32) -> Option<std::ops::RangeInclusive<u32>> {
    let (a, b) = (wire.segment_at(from)?, wire.segment_at(to)?);
    Some(a.min(b)..=a.max(b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Stream;

    fn all_pairs(n: usize) -> impl Iterator<Item = (usize, usize)> {
        (0..n).flat_map(move |i| (i + 1..n).map(move |j| (i, j)))
    }

    fn check(topology: Topology, graph: &WorkingGraph, n: usize) -> usize {
        let found = cliques(topology, graph, n, 1);
        let [embedding] = &found[..] else { panic!("K{n} in {topology:?}: none") };
        embedding.verify(graph, all_pairs(n)).unwrap_or_else(|e| panic!("K{n}, {topology:?}: {e}"));
        embedding.max_chain_length()
    }

    /// Chain lengths as Boothby, King and Roy give them for Chimera, and as minorminer 0.2's
    /// `busclique` finds them for the others: 3, 5, 7 and 3, 4, 6. Its largest have 180 and 184
    /// variables.
    #[test]
    fn chains_of_ideal_chips_are_as_short_as_published() {
        let chimera = Topology::chimera(16).unwrap();
        let graph = WorkingGraph::ideal(chimera);
        assert_eq!([4, 16, 32, 64].map(|n| check(chimera, &graph, n)), [2, 5, 9, 17]);
        let pegasus = Topology::pegasus(16).unwrap();
        let graph = WorkingGraph::ideal(pegasus);
        assert_eq!([16, 32, 64].map(|n| check(pegasus, &graph, n)), [3, 5, 7]);
        assert_eq!(largest_clique(pegasus, &graph), 176);
        let zephyr = Topology::zephyr(12).unwrap();
        let graph = WorkingGraph::ideal(zephyr);
        assert_eq!([16, 32, 64].map(|n| check(zephyr, &graph, n)), [3, 4, 6]);
        assert_eq!(largest_clique(zephyr, &graph), 185);
    }

    #[test]
    fn every_size_up_to_the_largest_is_embedded() {
        for topology in [Topology::chimera(4), Topology::pegasus(4), Topology::zephyr(3)] {
            let topology = topology.unwrap();
            let graph = WorkingGraph::ideal(topology);
            let largest = largest_clique(topology, &graph);
            (1..=largest).for_each(|n| {
                check(topology, &graph, n);
            });
            assert!(cliques(topology, &graph, largest + 1, 1).is_empty());
        }
    }

    #[test]
    fn defects_are_stepped_over() {
        for topology in [Topology::chimera(8), Topology::pegasus(8), Topology::zephyr(6)] {
            let topology = topology.unwrap();
            let ideal = WorkingGraph::ideal(topology);
            let mut rng = Stream::new(11, 0);
            let qubits: Vec<u32> =
                ideal.qubits().iter().copied().filter(|_| rng.uniform() > 0.01).collect();
            let couplers = ideal.couplers().iter().filter(|pair| {
                rng.uniform() > 0.002 && pair.iter().all(|q| qubits.binary_search(q).is_ok())
            });
            let graph =
                WorkingGraph::new(ideal.n_labels(), qubits.clone(), couplers.copied().collect());
            let graph = graph.unwrap();
            for n in [3, 8, 16] {
                check(topology, &graph, n);
            }
        }
    }

    #[test]
    fn tiles_are_disjoint_and_each_is_right() {
        for topology in [Topology::chimera(8), Topology::pegasus(6), Topology::zephyr(4)] {
            let topology = topology.unwrap();
            let graph = WorkingGraph::ideal(topology);
            for n in [1, 2, 3, 4, 8] {
                let tiles = cliques(topology, &graph, n, usize::MAX);
                let all = Embedding::new(tiles.iter().flat_map(|e| e.chains().to_vec()).collect());
                all.verify(&graph, []).unwrap();
                tiles.iter().for_each(|tile| tile.verify(&graph, all_pairs(n)).unwrap());
                assert!(
                    tiles.len() * n * n.max(2) * 4 > graph.qubits().len(),
                    "{n}: {}",
                    tiles.len()
                );
            }
        }
    }
}
