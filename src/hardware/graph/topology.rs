//! The three families of annealing chips.

use crate::error::{Error, ErrorKind};
use serde::{Deserialize, Serialize};

/// A chip without defects: Chimera, Pegasus or Zephyr, in the maker's numbering of qubits.
///
/// In all three a qubit is a segment of a straight wire, vertical or horizontal. Segments that
/// cross are coupled, and so are neighbours on a wire; Pegasus and Zephyr also couple parallel
/// wires in pairs.
///
/// ```
/// use burn_quantum::hardware::Topology;
///
/// let chip = Topology::pegasus(16)?;
/// assert_eq!((chip.n_labels(), chip.couplers().len()), (5760, 40_484));
/// # Ok::<(), burn_quantum::Error>(())
/// ```
///
/// # References
///
/// - [Boothby, Bunyk, Raymond and Roy (2020)](https://arxiv.org/abs/2003.00133), Pegasus
/// - [Boothby, King and Raymond (2021)](https://www.dwavesys.com/media/2uznec4s/14-1056a-a_zephyr_topology_of_d-wave_quantum_processors.pdf), Zephyr
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Named", into = "Named")]
pub struct Topology(Family);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Family {
    Chimera { m: u32, n: u32, t: u32 },
    Pegasus { m: u32 },
    Zephyr { m: u32, t: u32 },
}

/// As solvers describe themselves.
#[derive(Clone, Serialize, Deserialize)]
struct Named {
    #[serde(rename = "type")]
    kind: String,
    shape: Vec<u32>,
}

impl TryFrom<Named> for Topology {
    type Error = Error;

    fn try_from(named: Named) -> Result<Self, Error> {
        match (named.kind.as_str(), &named.shape[..]) {
            ("chimera", &[m, n, t]) => Self::of(Family::Chimera { m, n, t }),
            ("pegasus", &[m]) => Self::pegasus(m),
            ("zephyr", &[m]) => Self::zephyr(m),
            ("zephyr", &[m, t]) => Self::of(Family::Zephyr { m, t }),
            (kind, shape) => Err(ErrorKind::Unsupported {
                what: format!("the topology {kind} {shape:?}"),
                remedy: "use a solver that is a Chimera [m, n, t], Pegasus [m] or Zephyr [m, t]"
                    .into(),
            }
            .into()),
        }
    }
}

impl From<Topology> for Named {
    fn from(topology: Topology) -> Self {
        let (kind, shape) = match topology.0 {
            Family::Chimera { m, n, t } => ("chimera", vec![m, n, t]),
            Family::Pegasus { m } => ("pegasus", vec![m]),
            Family::Zephyr { m, t } => ("zephyr", vec![m, t]),
        };
        Self { kind: kind.into(), shape }
    }
}

/// Where the first segments of Pegasus's wires begin: vertical, then horizontal ones.
const PEGASUS_OFFSETS: [[u32; 12]; 2] =
    [[2, 2, 2, 2, 10, 10, 10, 10, 6, 6, 6, 6], [6, 6, 6, 6, 2, 2, 2, 2, 10, 10, 10, 10]];

/// The direction of a wire, as it indexes tables.
pub(super) const VERTICAL: usize = 0;
pub(super) const HORIZONTAL: usize = 1;

/// A straight wire. Segment `z` crosses the perpendicular wires
/// `first + z step .. first + (z + 1) step`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wire {
    direction: usize,
    number: u32,
    pub first: u32,
    pub step: u32,
    pub n_segments: u32,
}

impl Wire {
    /// The segment that crosses a perpendicular wire.
    pub fn segment_at(&self, crossing: u32) -> Option<u32> {
        let z = crossing.checked_sub(self.first)? / self.step;
        (z < self.n_segments).then_some(z)
    }
}

impl Topology {
    /// Chimera with `m` by `m` cells of 4 + 4 qubits: D-Wave 2000Q is `chimera(16)`.
    ///
    /// # Errors
    ///
    /// When the size is not 1 to 1000, as for the other families.
    pub fn chimera(m: u32) -> Result<Self, Error> {
        Self::of(Family::Chimera { m, n: m, t: 4 })
    }

    /// Pegasus of size `m`, at least 2: Advantage is `pegasus(16)`.
    ///
    /// # Errors
    ///
    /// As [`chimera`](Self::chimera).
    pub fn pegasus(m: u32) -> Result<Self, Error> {
        Self::of(Family::Pegasus { m })
    }

    /// Zephyr of size `m` with tiles of four wires: Advantage2 is `zephyr(12)`.
    ///
    /// # Errors
    ///
    /// As [`chimera`](Self::chimera).
    pub fn zephyr(m: u32) -> Result<Self, Error> {
        Self::of(Family::Zephyr { m, t: 4 })
    }

    fn of(family: Family) -> Result<Self, Error> {
        let (numbers, least) = match family {
            Family::Chimera { m, n, t } => (vec![m, n, t], 1),
            Family::Pegasus { m } => (vec![m], 2),
            Family::Zephyr { m, t } => (vec![m, t], 1),
        };
        match numbers.iter().find(|&&number| number < least || number > 1000) {
            None => Ok(Self(family)),
            Some(&number) => {
                let what = "the size of a topology".into();
                let range = "1 to 1000, of Pegasus at least 2";
                Err(ErrorKind::OutOfRange { what, value: number.into(), range }.into())
            }
        }
    }

    /// One more than the largest number of a qubit.
    pub fn n_labels(&self) -> usize {
        match self.0 {
            Family::Chimera { m, n, t } => 2 * m as usize * n as usize * t as usize,
            Family::Pegasus { m } => 24 * m as usize * (m as usize - 1),
            Family::Zephyr { m, t } => 4 * m as usize * t as usize * (2 * m as usize + 1),
        }
    }

    pub(super) fn n_wires(&self, direction: usize) -> u32 {
        match self.0 {
            Family::Chimera { n, t, .. } if direction == VERTICAL => n * t,
            Family::Chimera { m, t, .. } => m * t,
            Family::Pegasus { m } => 12 * m,
            Family::Zephyr { m, t } => 2 * t * (2 * m + 1),
        }
    }

    pub(super) fn wire(&self, direction: usize, number: u32) -> Wire {
        let (first, step, n_segments) = match self.0 {
            Family::Chimera { m, n, t } => (0, t, if direction == VERTICAL { m } else { n }),
            Family::Pegasus { m } => {
                (PEGASUS_OFFSETS[direction][(number % 12) as usize], 12, m - 1)
            }
            Family::Zephyr { m, t } => (2 * t * (number % 2), 4 * t, m),
        };
        Wire { direction, number, first, step, n_segments }
    }

    /// After how many wires the pattern of wires repeats.
    pub(super) fn period(&self) -> u32 {
        match self.0 {
            Family::Chimera { t, .. } => t,
            Family::Pegasus { .. } => 12,
            Family::Zephyr { t, .. } => 4 * t,
        }
    }

    /// The number of the qubit that is segment `z` of a wire.
    pub(super) fn label(&self, wire: Wire, z: u32) -> u32 {
        let (u, number) = (wire.direction as u32, wire.number);
        match self.0 {
            Family::Chimera { n, t, .. } => {
                let (across, k) = (number / t, number % t);
                let (row, column) = if u == 0 { (z, across) } else { (across, z) };
                ((row * n + column) * 2 + u) * t + k
            }
            Family::Pegasus { m } => ((u * m + number / 12) * 12 + number % 12) * (m - 1) + z,
            Family::Zephyr { m, t } => (u * (2 * m + 1) * 2 * t + number) * m + z,
        }
    }

    /// All couplers, each with the smaller number first, in ascending order. Pegasus has a few
    /// qubits at its border that cross no other; real chips leave them out, so they have no couplers
    /// here.
    pub fn couplers(&self) -> Vec<[u32; 2]> {
        let mut couplers = Vec::new();
        for direction in [VERTICAL, HORIZONTAL] {
            for number in 0..self.n_wires(direction) {
                let wire = self.wire(direction, number);
                self.along(wire, &mut couplers);
                if direction == VERTICAL {
                    self.across(wire, &mut couplers);
                }
            }
        }
        couplers.iter_mut().for_each(|pair| pair.sort_unstable());
        couplers.sort_unstable();
        match self.0 {
            Family::Pegasus { .. } => self.fabric_only(couplers),
            _ => couplers,
        }
    }

    /// Couplers of a wire with itself and with its parallel partner.
    fn along(&self, wire: Wire, to: &mut Vec<[u32; 2]>) {
        let qubit = |z| self.label(wire, z);
        to.extend((1..wire.n_segments).map(|z| [qubit(z - 1), qubit(z)]));
        if matches!(self.0, Family::Chimera { .. }) || wire.number % 2 == 1 {
            return;
        }
        let partner = self.wire(wire.direction, wire.number + 1);
        to.extend((0..wire.n_segments).map(|z| [qubit(z), self.label(partner, z)]));
        if matches!(self.0, Family::Zephyr { .. }) {
            to.extend((1..wire.n_segments).map(|z| [self.label(partner, z - 1), qubit(z)]));
        }
    }

    /// Couplers of a vertical wire with horizontal ones.
    fn across(&self, wire: Wire, to: &mut Vec<[u32; 2]>) {
        for number in 0..self.n_wires(HORIZONTAL) {
            let other = self.wire(HORIZONTAL, number);
            if let (Some(z), Some(other_z)) =
                (wire.segment_at(number), other.segment_at(wire.number))
            {
                to.push([self.label(wire, z), self.label(other, other_z)]);
            }
        }
    }

    /// The couplers of qubits that cross another one.
    fn fabric_only(&self, couplers: Vec<[u32; 2]>) -> Vec<[u32; 2]> {
        let mut crossed = vec![false; self.n_labels()];
        let half = self.n_labels() as u32 / 2;
        for &[a, b] in couplers.iter().filter(|[a, b]| (*a < half) != (*b < half)) {
            crossed[a as usize] = true;
            crossed[b as usize] = true;
        }
        couplers.into_iter().filter(|pair| pair.iter().all(|&q| crossed[q as usize])).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers of nodes and edges as the maker's own generator gives them.
    #[test]
    fn the_chips_have_their_published_sizes() {
        let sizes = |topology: Result<Topology, Error>| {
            let couplers = topology.unwrap().couplers();
            let mut qubits: Vec<u32> = couplers.iter().flatten().copied().collect();
            qubits.sort_unstable();
            qubits.dedup();
            (qubits.len(), couplers.len())
        };
        assert_eq!(sizes(Topology::chimera(16)), (2048, 6016));
        assert_eq!(sizes(Topology::pegasus(16)), (5640, 40_484));
        assert_eq!(sizes(Topology::zephyr(12)), (4800, 45_864));
        assert_eq!(sizes(Topology::zephyr(15)), (7440, 71_736));
    }

    #[test]
    fn names_are_those_of_solvers() {
        let text = r#"{"type":"zephyr","shape":[12,4]}"#;
        let topology: Topology = serde_json::from_str(text).unwrap();
        assert_eq!(topology, Topology::zephyr(12).unwrap());
        assert_eq!(serde_json::to_string(&topology).unwrap(), text);
        for text in [r#"{"type":"torus","shape":[3]}"#, r#"{"type":"pegasus","shape":[1]}"#] {
            assert!(serde_json::from_str::<Topology>(text).is_err(), "{text}");
        }
    }
}
