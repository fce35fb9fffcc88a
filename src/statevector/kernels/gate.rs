//! One gate at a time, for what fits into no pass: controlled and many-qubit gates, and the Pauli
//! strings of observables.
//!
//! All are of one form: amplitude `j` becomes `alpha psi_j + beta psi_{j ^ x}`, where `alpha` and
//! `beta` depend on the parity of `j & z`, and where not all `controls` of `j` are 1 nothing
//! happens. Here `x`, `z` and `controls` are masks of qubits.

use super::super::buffer::View;
use super::super::program::{Instruction, Kernel};
use super::super::simd::{Complex, Element, Index, Isa, Lanes, Sweep, lanes};
use super::{add_inner, add_product, lane_bits, product};
use crate::circuit::PauliString;
use num_complex::Complex64;

/// What a gate does to an amplitude and its partner, for both parities.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    pub x: usize,
    pub z: usize,
    pub controls: usize,
    /// `(alpha, beta)` as multiples of `(cos, sin)` where `turned`, else as they are.
    pub pairs: [(Complex64, Complex64); 2],
    pub turned: bool,
}

const O: Complex64 = Complex64::ZERO;
const L: Complex64 = Complex64::ONE;

impl Rule {
    /// `P` itself, where the controls are 1, and 0 elsewhere if that matters to the caller.
    pub fn string(string: PauliString, controls: usize) -> Self {
        // (P psi)_j = phase(j ^ x) psi_{j ^ x}
        let even = string.phase(0) * parity(string.x & string.z);
        Self { x: string.x, z: string.z, controls, pairs: [(O, even), (O, -even)], turned: false }
    }

    /// The gate of an instruction.
    pub fn gate(instruction: &Instruction) -> Self {
        let controls = instruction.controls;
        let fixed = |x, z, pairs| Self { x, z, controls, pairs, turned: false };
        match instruction.kernel {
            Kernel::Flip { target } => fixed(target, 0, [(O, L); 2]),
            Kernel::Swap { a, b } => fixed(a | b, a | b, [(L, O), (O, L)]),
            Kernel::Matrix { target, entries: [a, b, c, d] } => {
                fixed(target, target, [(a, b), (d, c)])
            }
            // cos + i sin where all bits of the mask are 1
            Kernel::Phase { mask, .. } => Self {
                x: 0,
                z: 0,
                controls: controls | mask,
                pairs: [(L, Complex64::I); 2],
                turned: true,
            },
            // cos - i sin P
            Kernel::Rotation { string, .. } => {
                let rule = Self::string(string, controls);
                let pairs = rule.pairs.map(|(_, beta)| (L, -Complex64::I * beta));
                Self { pairs, turned: true, ..rule }
            }
        }
    }

    /// The inverse gate; of a turned one, that for the same sine and cosine.
    pub fn inverse(self) -> Self {
        if self.turned {
            return Self { pairs: self.pairs.map(|(a, b)| (a, -b)), ..self };
        }
        let [(a, b), (d, c)] = self.pairs;
        match self.z.count_ones() {
            1 => Self { pairs: [(a.conj(), c.conj()), (d.conj(), b.conj())], ..self },
            // X and SWAP
            _ => self,
        }
    }
}

fn parity(bits: usize) -> f64 {
    if bits.count_ones().is_multiple_of(2) { 1.0 } else { -1.0 }
}

/// The rule in registers: coefficients for even and odd parity of the bits above the lanes.
struct Bound<T: Element, S: Isa> {
    x: usize,
    z: usize,
    controls: usize,
    /// Lane `l` has its partner in lane `exchange[l]`.
    exchange: Index,
    crosses: bool,
    pairs: [(Complex<T, S>, Complex<T, S>); 2],
}

impl<T: Element, S: Isa> Bound<T, S> {
    /// `turn` holds a register of sines and one of cosines. Lanes whose controls are not all 1
    /// get `(idle, 0)`.
    #[inline(always)]
    fn new<const SINGLE: bool>(s: S, rule: &Rule, turn: &[T], idle: T) -> Self {
        let (n, bits) = (lanes::<T, S>(), lane_bits::<T, S>(SINGLE));
        let lane = |mask: usize| if SINGLE { mask & (n - 1) } else { 0 };
        let entry = |odd: usize, l: usize| -> [T; 4] {
            let active = l & lane(rule.controls) == lane(rule.controls) || !SINGLE;
            if !active {
                return [idle, T::zero(), T::zero(), T::zero()];
            }
            let flips = (l & lane(rule.z)).count_ones() as usize;
            let (alpha, beta) = rule.pairs[(odd + flips) % 2];
            let (sin, cos) =
                if rule.turned { (turn[l], turn[n + l]) } else { (T::one(), T::one()) };
            let of = |x: f64| T::from(x).unwrap_or(T::nan());
            [of(alpha.re) * cos, of(alpha.im) * cos, of(beta.re) * sin, of(beta.im) * sin]
        };
        let pair = |odd: usize| {
            let part = |k: usize| Lanes::from_fn(s, |l| entry(odd, l)[k]);
            ((part(0), part(1)), (part(2), part(3)))
        };
        Self {
            x: rule.x >> bits,
            z: rule.z >> bits,
            controls: rule.controls >> bits,
            exchange: std::array::from_fn(|l| (l ^ lane(rule.x)) as u32 % n as u32),
            crosses: lane(rule.x) != 0,
            pairs: [pair(0), pair(1)],
        }
    }

    #[inline(always)]
    fn pair(&self, i: usize) -> (Complex<T, S>, Complex<T, S>) {
        self.pairs[(i & self.z).count_ones() as usize % 2]
    }

    #[inline(always)]
    fn is_active(&self, i: usize) -> bool {
        i & self.controls == self.controls
    }

    /// What the lanes of a register see as their partners, given the partner register.
    #[inline(always)]
    fn partner(&self, v: Complex<T, S>) -> Complex<T, S> {
        if !self.crosses {
            return v;
        }
        (v.0.permute(v.0, &self.exchange, 0), v.1.permute(v.1, &self.exchange, 0))
    }
}

/// Applies a gate in place, to a whole state.
pub struct Apply<'a, T> {
    pub state: View<T>,
    pub rule: Rule,
    /// A register of sines and one of cosines of the angle, if the rule is turned.
    pub turn: &'a [T],
}

impl<T: Element> Sweep for Apply<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Isa, const SINGLE: bool>(self, s: S) {
        let (state, n) = (self.state, self.state.registers::<S>());
        let rule = Bound::new::<SINGLE>(s, &self.rule, self.turn, T::one());
        for i in 0..n {
            let j = i ^ rule.x;
            if j < i || !rule.is_active(i) {
                continue;
            }
            // SAFETY: `x` has no bits above those of a register's index, so `j < n` too.
            unsafe {
                let (a, b) = (state.get(s, i), state.get(s, j));
                let (alpha, beta) = rule.pair(i);
                state.set(i, add_product(product(alpha, a), beta, rule.partner(b)));
                if j != i {
                    let (alpha, beta) = rule.pair(j);
                    state.set(j, add_product(product(alpha, b), beta, rule.partner(a)));
                }
            }
        }
    }
}

/// `to += c P from`, `c` a register.
pub struct AddString<'a, T> {
    pub from: View<T>,
    pub to: View<T>,
    pub rule: Rule,
    pub coefficient: &'a [T],
}

impl<T: Element> Sweep for AddString<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Isa, const SINGLE: bool>(self, s: S) {
        let rule = Bound::new::<SINGLE>(s, &self.rule, &[], T::zero());
        let c = Lanes::load(s, self.coefficient);
        for i in 0..self.to.registers::<S>() {
            // SAFETY: as in `Apply`, and both states have as many registers.
            unsafe {
                let partner = rule.partner(self.from.get(s, i ^ rule.x));
                let (_, beta) = rule.pair(i);
                let term = product((c * beta.0, c * beta.1), partner);
                let (re, im) = self.to.get(s, i);
                self.to.set(i, (re + term.0, im + term.1));
            }
        }
    }
}

/// `<bra|P Pi|ket>`, `Pi` the projector on all controls being 1: registers of real and imaginary
/// parts, to be added up over the lanes of a single state.
pub struct Overlap<'a, T> {
    pub bra: View<T>,
    pub ket: View<T>,
    pub rule: Rule,
    pub out: &'a mut [T],
}

impl<T: Element> Sweep for Overlap<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Isa, const SINGLE: bool>(self, s: S) {
        let rule = Bound::new::<SINGLE>(s, &self.rule, &[], T::zero());
        let mut sum = (Lanes::zero(s), Lanes::zero(s));
        for i in (0..self.bra.registers::<S>()).filter(|&i| rule.is_active(i)) {
            // SAFETY: as in `AddString`.
            unsafe {
                let partner = rule.partner(self.ket.get(s, i ^ rule.x));
                let (_, beta) = rule.pair(i);
                sum = add_inner(sum, self.bra.get(s, i), product(beta, partner));
            }
        }
        sum.0.store(self.out);
        sum.1.store(&mut self.out[lanes::<T, S>()..]);
    }
}
