//! The passes of a plan on one tile of samples: forwards, and undone with their gradient.

use super::plan::{Cycles, Diagonal, Pass, Run, RunGate};
use super::{Complex, Lanes, Real, Tile, gather, walsh};
use crate::circuit::{Angle, Pauli};

/// A 2 by 2 matrix, row-major.
type Matrix<T, const L: usize> = [Complex<T, L>; 4];

/// Where angles come from: the rows of the samples of a tile, or nothing yet.
#[derive(Clone, Copy)]
pub(super) struct Angles<'a, T> {
    pub inputs: &'a [T],
    pub width: usize,
    pub weights: &'a [T],
}

/// A plan with its angles bound. What all samples share is bound once for a job.
pub(super) struct Bound<T, const L: usize> {
    /// One for each run, in the order of the passes.
    matrices: Vec<Matrix<T, L>>,
    /// `exp(-i phi)` of each diagonal.
    diagonals: Vec<Factors<T, L>>,
    /// `(sin, cos)` of each single gate.
    gates: Vec<Complex<T, L>>,
}

/// The factors of a diagonal: none (it is a mere map), the same for all samples, or of each.
enum Factors<T, const L: usize> {
    One,
    Shared(Vec<(T, T)>),
    Each(Tile<T, L>),
}

/// The gradient by the angles of a pass, as it is found.
pub(super) trait Emit<T, const L: usize>: FnMut(Angle, Lanes<T, L>) {}

impl<T, const L: usize, F: FnMut(Angle, Lanes<T, L>)> Emit<T, L> for F {}

#[inline(always)]
fn angle<T: Real, const L: usize>(angle: Angle, from: Angles<T>) -> Lanes<T, L> {
    match angle {
        Angle::Constant(value) => Lanes::splat(T::of(value)),
        Angle::Weight(i) => Lanes::splat(from.weights[i]),
        Angle::Input(i) => gather(from.inputs, from.width, i),
    }
}

impl<T: Real, const L: usize> Bound<T, L> {
    /// Binds what all samples share and makes room for the rest.
    #[inline(always)]
    pub fn new(plan: &[Pass], dim: usize, from: Angles<T>) -> Self {
        let mut bound = Self { matrices: Vec::new(), diagonals: Vec::new(), gates: Vec::new() };
        for pass in plan {
            match pass {
                Pass::Qubits(runs) => runs.iter().for_each(|run| {
                    let shared = run.is_shared();
                    bound.matrices.push(if shared { run_matrix(run, from) } else { identity() });
                }),
                Pass::Diagonal(diagonal) => bound.diagonals.push(if diagonal.terms.is_empty() {
                    Factors::One
                } else if diagonal.is_shared() {
                    let mut one = Tile::<T, 1>::new(dim);
                    factors(diagonal, from, &mut one);
                    let pairs = one.re.iter().zip(&one.im);
                    Factors::Shared(pairs.map(|(re, im)| (re.0[0], im.0[0])).collect())
                } else {
                    Factors::Each(Tile::new(dim))
                }),
                Pass::Gate(_) => bound.gates.push((Lanes::zero(), Lanes::zero())),
            }
        }
        bound
    }

    /// Binds what differs between samples.
    #[inline(always)]
    pub fn load(&mut self, plan: &[Pass], from: Angles<T>) {
        let mut matrices = self.matrices.iter_mut();
        let mut diagonals = self.diagonals.iter_mut();
        let mut gates = self.gates.iter_mut();
        for pass in plan {
            match pass {
                Pass::Qubits(runs) => {
                    for (run, matrix) in runs.iter().zip(&mut matrices) {
                        if !run.is_shared() {
                            *matrix = run_matrix(run, from);
                        }
                    }
                }
                Pass::Diagonal(diagonal) => {
                    if let Some(Factors::Each(table)) = diagonals.next() {
                        factors(diagonal, from, table);
                    }
                }
                Pass::Gate(gate) => {
                    let slot = gates.next().expect("one for each gate");
                    if let Some((free, scale)) = gate.angle() {
                        *slot = (angle(free, from) * Lanes::splat(T::of(scale))).sin_cos();
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn identity<T: Real, const L: usize>() -> Matrix<T, L> {
    let (o, l) = (Lanes::zero(), Lanes::splat(T::one()));
    [(l, o), (o, o), (o, o), (l, o)]
}

#[inline(always)]
fn run_matrix<T: Real, const L: usize>(run: &Run, from: Angles<T>) -> Matrix<T, L> {
    let gates = run.gates.iter().map(|gate| gate_matrix(gate, from));
    gates.fold(identity(), |product, gate| times(&gate, &product))
}

#[inline(always)]
fn gate_matrix<T: Real, const L: usize>(gate: &RunGate, from: Angles<T>) -> Matrix<T, L> {
    let o = Lanes::zero();
    match *gate {
        RunGate::Fixed(entries) => entries.map(super::expectation::constant),
        RunGate::Phase(free) => {
            let (sin, cos) = angle(free, from).sin_cos();
            [(Lanes::splat(T::one()), o), (o, o), (o, o), (cos, sin)]
        }
        RunGate::Rotation(pauli, free) => {
            let (s, c) = (angle(free, from) * Lanes::splat(T::of(0.5))).sin_cos();
            match pauli {
                Pauli::X => [(c, o), (o, -s), (o, -s), (c, o)],
                Pauli::Y => [(c, o), (-s, o), (s, o), (c, o)],
                Pauli::Z => [(c, -s), (o, o), (o, o), (c, s)],
            }
        }
    }
}

#[inline(always)]
fn times<T: Real, const L: usize>(a: &Matrix<T, L>, b: &Matrix<T, L>) -> Matrix<T, L> {
    let entry = |i: usize, j: usize| {
        let (p, q) = (multiply(a[2 * i], b[j]), multiply(a[2 * i + 1], b[2 + j]));
        (p.0 + q.0, p.1 + q.1)
    };
    [entry(0, 0), entry(0, 1), entry(1, 0), entry(1, 1)]
}

#[inline(always)]
fn multiply<T: Real, const L: usize>(a: Complex<T, L>, b: Complex<T, L>) -> Complex<T, L> {
    (a.0 * b.0 - a.1 * b.1, a.0 * b.1 + a.1 * b.0)
}

#[inline(always)]
fn dagger<T: Real, const L: usize>([a, b, c, d]: Matrix<T, L>) -> Matrix<T, L> {
    [(a.0, -a.1), (c.0, -c.1), (b.0, -b.1), (d.0, -d.1)]
}

/// `exp(-i phi)` of every basis state.
#[inline(always)]
fn factors<T: Real, const L: usize>(diagonal: &Diagonal, from: Angles<T>, table: &mut Tile<T, L>) {
    table.re.fill(Lanes::zero());
    for term in &diagonal.terms {
        table.re[term.mask] += angle(term.angle, from) * Lanes::splat(T::of(term.scale));
    }
    match diagonal.singles {
        true => walsh::expand_singles(&mut table.re),
        false => walsh::transform(&mut table.re),
    }
    for (re, im) in table.re.iter_mut().zip(&mut table.im) {
        let (sin, cos) = re.sin_cos();
        (*re, *im) = (cos, -sin);
    }
}

impl<T: Real, const L: usize> Tile<T, L> {
    /// Runs a plan from `|0...0>`.
    #[inline(always)]
    pub(super) fn run_plan<const FMA: bool>(&mut self, plan: &[Pass], bound: &Bound<T, L>) {
        let (mut matrices, mut diagonals) = (&bound.matrices[..], bound.diagonals.iter());
        let mut gates = bound.gates.iter();
        self.reset();
        for (k, pass) in plan.iter().enumerate() {
            match pass {
                Pass::Qubits(runs) => {
                    let (own, rest) = matrices.split_at(runs.len());
                    matrices = rest;
                    match k {
                        0 => self.fill_runs(runs, own),
                        _ => self.apply_runs::<FMA>(runs, own),
                    }
                }
                Pass::Diagonal(diagonal) => {
                    let factors = diagonals.next().expect("one for each diagonal");
                    self.apply_diagonal::<FMA>(diagonal, factors);
                }
                Pass::Gate(gate) => gate.apply(self, *gates.next().expect("one for each gate")),
            }
        }
    }

    /// Undoes a plan on this state and on `bra`, and emits the gradient by every free angle.
    /// `scratch` has the length of a state.
    #[inline(always)]
    pub(super) fn undo_plan<const FMA: bool>(
        &mut self,
        bra: &mut Self,
        plan: &[Pass],
        bound: &Bound<T, L>,
        from: Angles<T>,
        scratch: &mut [Lanes<T, L>],
        mut emit: impl Emit<T, L>,
    ) {
        let (mut matrices, mut diagonals) = (&bound.matrices[..], bound.diagonals.iter().rev());
        let mut gates = bound.gates.iter().rev();
        for (k, pass) in plan.iter().enumerate().rev() {
            match pass {
                Pass::Qubits(runs) => {
                    let (rest, own) = matrices.split_at(matrices.len() - runs.len());
                    matrices = rest;
                    self.undo_runs::<FMA>(bra, runs, own, k > 0, from, &mut emit);
                }
                Pass::Diagonal(diagonal) => {
                    let factors = diagonals.next().expect("one for each diagonal");
                    self.undo_diagonal::<FMA>(factors, &diagonal.cycles);
                    bra.undo_diagonal::<FMA>(factors, &diagonal.cycles);
                    if diagonal.is_free() {
                        self.diagonal_gradient(bra, diagonal, scratch, &mut emit);
                    }
                }
                Pass::Gate(gate) => {
                    let turn = *gates.next().expect("one for each gate");
                    gate.undo(self, bra, turn, &mut emit);
                }
            }
        }
    }

    /// The product state of runs on `|0...0>`, from the lowest qubit to the highest.
    #[inline(always)]
    fn fill_runs(&mut self, runs: &[Run], matrices: &[Matrix<T, L>]) {
        for (run, m) in runs.iter().zip(matrices) {
            let real = run.is_real();
            for i in 0..run.target {
                let amplitude = (self.re[i], self.im[i]);
                let j = i + run.target;
                if real {
                    self.re[i] = amplitude.0 * m[0].0;
                    self.im[i] = amplitude.1 * m[0].0;
                    self.re[j] = amplitude.0 * m[2].0;
                    self.im[j] = amplitude.1 * m[2].0;
                } else {
                    (self.re[i], self.im[i]) = multiply(amplitude, m[0]);
                    (self.re[j], self.im[j]) = multiply(amplitude, m[2]);
                }
            }
        }
    }

    #[inline(always)]
    fn apply_runs<const FMA: bool>(&mut self, runs: &[Run], matrices: &[Matrix<T, L>]) {
        let mut k = 0;
        while k < runs.len() {
            let real = runs[k..].iter().take_while(|run| run.is_real()).count();
            let bits = |n: usize| {
                std::array::from_fn::<usize, 3, _>(|q| if q < n { runs[k + q].target } else { 0 })
            };
            match real {
                0 => {
                    self.apply_complex::<FMA>(runs[k].target, &matrices[k]);
                    k += 1;
                }
                3 | 5.. => {
                    let [a, b, c] = bits(3);
                    self.apply_real::<8, 3, FMA>([a, b, c], &matrices[k..]);
                    k += 3;
                }
                2 | 4 => {
                    let [a, b, _] = bits(2);
                    self.apply_real::<4, 2, FMA>([a, b], &matrices[k..]);
                    k += 2;
                }
                1 => {
                    self.apply_real::<2, 1, FMA>([runs[k].target], &matrices[k..]);
                    k += 1;
                }
            }
        }
    }

    /// `Q` real matrices on as many qubits, `D = 2^Q` amplitudes at a time in registers.
    #[inline(always)]
    fn apply_real<const D: usize, const Q: usize, const FMA: bool>(
        &mut self,
        bits: [usize; Q],
        matrices: &[Matrix<T, L>],
    ) {
        let m: [[Lanes<T, L>; 4]; Q] = std::array::from_fn(|q| matrices[q].map(|z| z.0));
        let offset = offsets::<D, Q>(bits);
        for plane in [&mut self.re[..], &mut self.im[..]] {
            each_block(
                plane.len(),
                &bits,
                #[inline(always)]
                |i| {
                    let mut v: [Lanes<T, L>; D] = std::array::from_fn(|d| plane[i + offset[d]]);
                    turn_real::<T, L, D, Q, FMA>(&mut v, &m);
                    for d in 0..D {
                        plane[i + offset[d]] = v[d];
                    }
                },
            );
        }
    }

    #[inline(always)]
    fn apply_complex<const FMA: bool>(&mut self, target: usize, m: &Matrix<T, L>) {
        for base in (0..self.re.len()).step_by(2 * target) {
            for i in base..base + target {
                let j = i + target;
                let (a, b) = ((self.re[i], self.im[i]), (self.re[j], self.im[j]));
                (self.re[i], self.im[i]) = dot::<T, L, FMA>(m[0], a, m[1], b);
                (self.re[j], self.im[j]) = dot::<T, L, FMA>(m[2], a, m[3], b);
            }
        }
    }

    /// The gradient by the angles of runs; then undoes the runs, if `undo`.
    #[inline(always)]
    fn undo_runs<const FMA: bool>(
        &mut self,
        bra: &mut Self,
        runs: &[Run],
        matrices: &[Matrix<T, L>],
        undo: bool,
        from: Angles<T>,
        emit: &mut impl Emit<T, L>,
    ) {
        let mut k = 0;
        while k < runs.len() {
            let real = runs[k..].iter().take_while(|run| run.is_real()).count();
            if real == 0 {
                if runs[k].is_free() {
                    let cross = self.cross::<FMA>(bra, runs[k].target);
                    emit_complex(&runs[k], cross, from, emit);
                }
                if undo {
                    let back = dagger(matrices[k]);
                    self.apply_complex::<FMA>(runs[k].target, &back);
                    bra.apply_complex::<FMA>(runs[k].target, &back);
                }
                k += 1;
            } else if real == 1 {
                let bits = [runs[k].target];
                let g = self.undo_real::<2, 1, FMA>(bra, bits, &matrices[k..], undo);
                emit_real(&runs[k], g[0], emit);
                k += 1;
            } else {
                let bits = [runs[k].target, runs[k + 1].target];
                let g = self.undo_real::<4, 2, FMA>(bra, bits, &matrices[k..], undo);
                emit_real(&runs[k], g[0], emit);
                emit_real(&runs[k + 1], g[1], emit);
                k += 2;
            }
        }
    }

    /// `Im <bra|Y_q|self>` for each of `Q` qubits; then undoes their real matrices.
    #[inline(always)]
    fn undo_real<const D: usize, const Q: usize, const FMA: bool>(
        &mut self,
        bra: &mut Self,
        bits: [usize; Q],
        matrices: &[Matrix<T, L>],
        undo: bool,
    ) -> [Lanes<T, L>; Q] {
        let transposed = |q: usize| {
            let [a, b, c, d] = matrices[q].map(|z| z.0);
            [a, c, b, d]
        };
        let m: [[Lanes<T, L>; 4]; Q] = std::array::from_fn(transposed);
        let offset = offsets::<D, Q>(bits);
        let mut sums = [Lanes::zero(); Q];
        let planes = [(&mut self.re[..], &mut bra.re[..]), (&mut self.im[..], &mut bra.im[..])];
        for (ket, bra) in planes {
            each_block(
                ket.len(),
                &bits,
                #[inline(always)]
                |i| {
                    let mut x: [Lanes<T, L>; D] = std::array::from_fn(|d| ket[i + offset[d]]);
                    let mut y: [Lanes<T, L>; D] = std::array::from_fn(|d| bra[i + offset[d]]);
                    for (q, sum) in sums.iter_mut().enumerate() {
                        for d in (0..D).filter(|d| d >> q & 1 == 0) {
                            let e = d | 1 << q;
                            *sum = y[e].mul_add::<FMA>(x[d], *sum);
                            *sum = (-y[d]).mul_add::<FMA>(x[e], *sum);
                        }
                    }
                    if undo {
                        turn_real::<T, L, D, Q, FMA>(&mut x, &m);
                        turn_real::<T, L, D, Q, FMA>(&mut y, &m);
                        for d in 0..D {
                            (ket[i + offset[d]], bra[i + offset[d]]) = (x[d], y[d]);
                        }
                    }
                },
            );
        }
        sums
    }

    /// `sum_rest ket_a conj(bra_b)` of one qubit, row-major in `(a, b)`.
    #[inline(always)]
    fn cross<const FMA: bool>(&self, bra: &Self, target: usize) -> Matrix<T, L> {
        let mut sum = [(Lanes::zero(), Lanes::zero()); 4];
        for base in (0..self.re.len()).step_by(2 * target) {
            for i in base..base + target {
                for (k, (a, b)) in [(0, 0), (0, 1), (1, 0), (1, 1)].into_iter().enumerate() {
                    let (x, y) = (i + a * target, i + b * target);
                    let (xr, xi) = (self.re[x], self.im[x]);
                    let (yr, yi) = (bra.re[y], bra.im[y]);
                    let (re, im) = sum[k];
                    let re = xi.mul_add::<FMA>(yi, xr.mul_add::<FMA>(yr, re));
                    let im = (-xr).mul_add::<FMA>(yi, xi.mul_add::<FMA>(yr, im));
                    sum[k] = (re, im);
                }
            }
        }
        sum
    }

    #[inline(always)]
    fn apply_diagonal<const FMA: bool>(&mut self, diagonal: &Diagonal, factors: &Factors<T, L>) {
        for_all(
            factors,
            #[inline(always)]
            |i, f| {
                (self.re[i], self.im[i]) = product::<T, L, FMA>((self.re[i], self.im[i]), f);
            },
        );
        for cycle in diagonal.cycles.iter() {
            let first = (self.re[cycle[0] as usize], self.im[cycle[0] as usize]);
            for pair in cycle.windows(2) {
                let (to, from) = (pair[0] as usize, pair[1] as usize);
                (self.re[to], self.im[to]) = (self.re[from], self.im[from]);
            }
            let last = cycle[cycle.len() - 1] as usize;
            (self.re[last], self.im[last]) = first;
        }
    }

    #[inline(always)]
    fn undo_diagonal<const FMA: bool>(&mut self, factors: &Factors<T, L>, cycles: &Cycles) {
        for cycle in cycles.iter() {
            let last = cycle[cycle.len() - 1] as usize;
            let kept = (self.re[last], self.im[last]);
            for pair in cycle.windows(2).rev() {
                let (from, to) = (pair[0] as usize, pair[1] as usize);
                (self.re[to], self.im[to]) = (self.re[from], self.im[from]);
            }
            (self.re[cycle[0] as usize], self.im[cycle[0] as usize]) = kept;
        }
        for_all(
            factors,
            #[inline(always)]
            |i, (re, im)| {
                (self.re[i], self.im[i]) =
                    product::<T, L, FMA>((self.re[i], self.im[i]), (re, -im));
            },
        );
    }

    /// `dL/dphi_i = 2 Im(conj(bra_i) ket_i)`, and its transform is the gradient by every term.
    #[inline(always)]
    fn diagonal_gradient(
        &self,
        bra: &Self,
        diagonal: &Diagonal,
        scratch: &mut [Lanes<T, L>],
        emit: &mut impl Emit<T, L>,
    ) {
        for (i, w) in scratch.iter_mut().enumerate() {
            *w = bra.im_product(i, i, self);
        }
        match diagonal.singles {
            true => walsh::transform_singles(scratch),
            false => walsh::transform(scratch),
        }
        for term in diagonal.terms.iter().filter(|term| !matches!(term.angle, Angle::Constant(_))) {
            emit(term.angle, scratch[term.mask] * Lanes::splat(T::of(2.0 * term.scale)));
        }
    }
}

/// Calls `f` with every basis state and its factor; not at all if all factors are one.
#[inline(always)]
fn for_all<T: Real, const L: usize>(
    factors: &Factors<T, L>,
    mut f: impl FnMut(usize, Complex<T, L>),
) {
    match factors {
        Factors::One => {}
        Factors::Shared(table) => {
            for (i, &(re, im)) in table.iter().enumerate() {
                f(i, (Lanes::splat(re), Lanes::splat(im)));
            }
        }
        Factors::Each(table) => {
            for (i, (&re, &im)) in table.re.iter().zip(&table.im).enumerate() {
                f(i, (re, im));
            }
        }
    }
}

#[inline(always)]
fn product<T: Real, const L: usize, const FMA: bool>(
    a: Complex<T, L>,
    b: Complex<T, L>,
) -> Complex<T, L> {
    ((-a.1).mul_add::<FMA>(b.1, a.0 * b.0), a.1.mul_add::<FMA>(b.0, a.0 * b.1))
}

/// `p a + q b`.
#[inline(always)]
fn dot<T: Real, const L: usize, const FMA: bool>(
    p: Complex<T, L>,
    a: Complex<T, L>,
    q: Complex<T, L>,
    b: Complex<T, L>,
) -> Complex<T, L> {
    let (x, y) = product::<T, L, FMA>(p, a);
    let re = (-q.1).mul_add::<FMA>(b.1, q.0.mul_add::<FMA>(b.0, x));
    (re, q.1.mul_add::<FMA>(b.0, q.0.mul_add::<FMA>(b.1, y)))
}

/// Applies matrix `q` to bit `q` of the index into `v`.
#[inline(always)]
fn turn_real<T: Real, const L: usize, const D: usize, const Q: usize, const FMA: bool>(
    v: &mut [Lanes<T, L>; D],
    m: &[[Lanes<T, L>; 4]; Q],
) {
    for (q, m) in m.iter().enumerate() {
        for d in (0..D).filter(|d| d >> q & 1 == 0) {
            let e = d | 1 << q;
            let (a, b) = (v[d], v[e]);
            v[d] = m[1].mul_add::<FMA>(b, m[0] * a);
            v[e] = m[3].mul_add::<FMA>(b, m[2] * a);
        }
    }
}

/// The places of the amplitudes of a block, relative to its first.
#[inline(always)]
fn offsets<const D: usize, const Q: usize>(bits: [usize; Q]) -> [usize; D] {
    std::array::from_fn(|d| (0..Q).map(|q| if d >> q & 1 == 1 { bits[q] } else { 0 }).sum())
}

/// Calls `f` with every index in which all of `bits` are 0.
#[inline(always)]
fn each_block<const Q: usize>(dim: usize, bits: &[usize; Q], mut f: impl FnMut(usize)) {
    let fixed: usize = bits.iter().sum();
    let mut i = 0;
    while i < dim {
        f(i);
        i = ((i | fixed) + 1) & !fixed;
    }
}

/// The gradient by the angles of a real run, from `g = Im <bra|Y|ket>` after it: gate by gate
/// backwards, a real orthogonal `V` turns `Y` into `det(V) Y`.
#[inline(always)]
fn emit_real<T: Real, const L: usize>(run: &Run, g: Lanes<T, L>, emit: &mut impl Emit<T, L>) {
    let mut g = g;
    for gate in run.gates.iter().rev() {
        match *gate {
            RunGate::Rotation(_, Angle::Constant(_)) | RunGate::Phase(_) => {}
            RunGate::Rotation(_, free) => emit(free, g),
            RunGate::Fixed([a, b, c, d]) => {
                if (a * d - b * c).re < 0.0 {
                    g = -g;
                }
            }
        }
    }
}

/// The gradient by the angles of a run, from the cross matrix `M_ab = sum_rest ket_a conj(bra_b)`
/// after it: gate by gate backwards `M` becomes `V^dagger M V`, and `<bra|P|ket> = tr(P M)`.
#[inline(always)]
fn emit_complex<T: Real, const L: usize>(
    run: &Run,
    mut cross: Matrix<T, L>,
    from: Angles<T>,
    emit: &mut impl Emit<T, L>,
) {
    for gate in run.gates.iter().rev() {
        let [m00, m01, m10, m11] = cross;
        match *gate {
            RunGate::Rotation(pauli, free) if !matches!(free, Angle::Constant(_)) => {
                let g = match pauli {
                    Pauli::X => m01.1 + m10.1,
                    Pauli::Y => m01.0 - m10.0,
                    Pauli::Z => m00.1 - m11.1,
                };
                emit(free, g);
            }
            RunGate::Phase(free) if !matches!(free, Angle::Constant(_)) => {
                emit(free, -(m11.1 + m11.1));
            }
            _ => {}
        }
        let matrix = gate_matrix(gate, from);
        cross = times(&dagger(matrix), &times(&cross, &matrix));
    }
}
