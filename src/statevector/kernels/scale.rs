//! A state times a number for each sample.

use super::super::buffer::View;
use super::super::simd::{Element, Isa, Lanes, Sweep};
use std::ops::Range;

/// Multiplies a state by a register.
pub struct Scale<'a, T> {
    pub state: View<T>,
    pub factors: &'a [T],
    pub registers: Range<usize>,
}

impl<T: Element> Sweep for Scale<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Isa, const SINGLE: bool>(self, s: S) {
        let factors = Lanes::load(s, self.factors);
        for i in self.registers.clone() {
            // SAFETY: these registers of the state are lent to this call alone.
            unsafe {
                let (re, im) = self.state.get(s, i);
                self.state.set(i, (factors * re, factors * im));
            }
        }
    }
}
