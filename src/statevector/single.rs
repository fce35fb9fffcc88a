//! One instruction at a time, for what fits into no pass and for states too large for plans.

use super::expectation::constant;
use super::program::{Instruction, Kernel};
use super::{Complex, Lanes, Real, Tile};
use crate::circuit::Angle;

impl Instruction {
    /// The angle, and what to multiply it with before its sine and cosine are taken.
    pub fn angle(&self) -> Option<(Angle, f64)> {
        match self.kernel {
            Kernel::Phase { angle, .. } => Some((angle, 1.0)),
            Kernel::Rotation { angle, .. } => Some((angle, 0.5)),
            _ => None,
        }
    }

    /// Applies the instruction, given `(sin, cos)` of its angle if it has one.
    #[inline(always)]
    pub fn apply<T: Real, const L: usize>(&self, ket: &mut Tile<T, L>, turn: Complex<T, L>) {
        let (controls, (sin, cos)) = (self.controls, turn);
        match self.kernel {
            Kernel::Flip { target } => ket.flip(target, controls),
            Kernel::Swap { a, b } => ket.swap(a, b, controls),
            Kernel::Matrix { target, entries } => {
                ket.matrix(target, controls, &entries.map(constant))
            }
            Kernel::Phase { mask, .. } => ket.phase(mask, (cos, sin)),
            Kernel::Rotation { string, .. } => ket.rotate(string, controls, (sin, cos)),
        }
    }

    /// Undoes the instruction on both states, and emits the gradient by its angle if it is free.
    #[inline(always)]
    pub fn undo<T: Real, const L: usize>(
        &self,
        ket: &mut Tile<T, L>,
        bra: &mut Tile<T, L>,
        (sin, cos): Complex<T, L>,
        mut emit: impl FnMut(Angle, Lanes<T, L>),
    ) {
        let controls = self.controls;
        match self.kernel {
            Kernel::Phase { mask, angle } if !matches!(angle, Angle::Constant(_)) => {
                let g = bra.im_projector(mask, ket);
                emit(angle, -(g + g));
            }
            Kernel::Rotation { string, angle } if !matches!(angle, Angle::Constant(_)) => {
                emit(angle, bra.im_pauli(string, controls, ket));
            }
            _ => {}
        }
        for state in [ket, bra] {
            match self.kernel {
                Kernel::Matrix { target, entries: [a, b, c, d] } => {
                    let dagger = [a, c, b, d].map(|z| constant(z.conj()));
                    state.matrix(target, controls, &dagger);
                }
                _ => self.apply(state, (-sin, cos)),
            }
        }
    }
}
