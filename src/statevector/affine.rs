//! Maps of basis states made of X, CNOT and SWAP: `f(k) = M k + offset` over the bits of `k`.

/// Where each amplitude comes from, and where it goes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Affine {
    /// `new[k] = old[source(k)]`.
    pub source: BitMap,
    /// `new[target(j)] = old[j]`.
    pub target: BitMap,
}

/// `k -> M k + offset`, by the images of single bits.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct BitMap {
    columns: Vec<usize>,
    offset: usize,
}

impl BitMap {
    fn identity(n_qubits: usize) -> Self {
        Self { columns: (0..n_qubits).map(|q| 1 << q).collect(), offset: 0 }
    }

    /// `M k`, without the offset.
    pub fn linear(&self, k: usize) -> usize {
        let bits = self.columns.iter().enumerate().filter(|(q, _)| k >> q & 1 == 1);
        bits.fold(0, |sum, (_, column)| sum ^ column)
    }

    /// `M (v << first)` for all `v` below `2^bits`.
    pub fn table(&self, first: usize, bits: usize) -> Vec<usize> {
        let mut table = Vec::with_capacity(1 << bits);
        table.push(0);
        for column in &self.columns[first..first + bits] {
            for v in 0..table.len() {
                table.push(table[v] ^ column);
            }
        }
        table
    }

    /// Where 0 goes.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Applies `f` to every image: `f` after this map.
    fn then(&mut self, f: impl Fn(usize) -> usize) {
        self.columns.iter_mut().for_each(|column| *column = f(*column));
    }
}

impl Affine {
    pub fn identity(n_qubits: usize) -> Self {
        Self { source: BitMap::identity(n_qubits), target: BitMap::identity(n_qubits) }
    }

    pub fn is_identity(&self) -> bool {
        *self == Self::identity(self.source.columns.len())
    }

    /// X on the qubit of bit `target`.
    pub fn flip(&mut self, target: usize) {
        self.source.offset ^= self.source.linear(target);
        self.target.offset ^= target;
    }

    /// CNOT between the qubits of two bits.
    pub fn cnot(&mut self, control: usize, target: usize) {
        let step = |k: usize| if k & control != 0 { k ^ target } else { k };
        let (c, t) = (control.trailing_zeros() as usize, target.trailing_zeros() as usize);
        self.source.columns[c] ^= self.source.columns[t];
        self.target.then(step);
        self.target.offset = step(self.target.offset);
    }

    /// SWAP of the qubits of bits `a` and `b`.
    pub fn swap(&mut self, a: usize, b: usize) {
        let step = |k: usize| if (k & a == 0) != (k & b == 0) { k ^ a ^ b } else { k };
        self.source.columns.swap(a.trailing_zeros() as usize, b.trailing_zeros() as usize);
        self.target.then(step);
        self.target.offset = step(self.target.offset);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_maps_are_those_of_the_gates_and_invert_each_other() {
        let mut map = Affine::identity(4);
        map.cnot(1, 4);
        map.flip(2);
        map.swap(1, 8);
        map.cnot(8, 2);
        map.flip(8);
        let gates = |j: usize| {
            let j = if j & 1 != 0 { j ^ 4 } else { j } ^ 2;
            let j = if (j & 1 == 0) != (j & 8 == 0) { j ^ 9 } else { j };
            if j & 8 != 0 { j ^ 2 ^ 8 } else { j ^ 8 }
        };
        for j in 0..16 {
            let apply = |map: &BitMap, k: usize| map.linear(k) ^ map.offset;
            assert_eq!(apply(&map.target, j), gates(j));
            assert_eq!(apply(&map.source, gates(j)), j);
            assert_eq!(map.source.table(1, 3)[j >> 1], map.source.linear(j & !1));
        }
        assert!(!map.is_identity() && Affine::identity(4).is_identity());
    }
}
