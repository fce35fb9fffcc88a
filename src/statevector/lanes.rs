//! A small vector of samples: lane `l` belongs to sample `l` of a tile.
//!
//! Plain arrays and loops of fixed length, which the compiler turns into SIMD code for whatever
//! instruction set the caller was compiled for (see `super::dispatch`).

use super::Real;
use std::ops::{Add, AddAssign, Mul, Neg, Sub, SubAssign};

/// `L` numbers, one for each sample of a tile.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(transparent)]
pub struct Lanes<T, const L: usize>(pub [T; L]);

impl<T: Real, const L: usize> Lanes<T, L> {
    /// The same number in every lane.
    #[inline(always)]
    pub fn splat(value: T) -> Self {
        Self([value; L])
    }

    /// Zero in every lane.
    #[inline(always)]
    pub fn zero() -> Self {
        Self::splat(T::zero())
    }

    /// `f` in every lane.
    #[inline(always)]
    pub fn map(mut self, mut f: impl FnMut(T) -> T) -> Self {
        for lane in &mut self.0 {
            *lane = f(*lane);
        }
        self
    }

    /// `self * a + b`, in one rounding if the processor can (`FMA`).
    #[inline(always)]
    pub fn mul_add<const FMA: bool>(mut self, a: Self, b: Self) -> Self {
        for l in 0..L {
            self.0[l] = match FMA {
                true => self.0[l].mul_add(a.0[l], b.0[l]),
                false => self.0[l] * a.0[l] + b.0[l],
            };
        }
        self
    }

    /// `(sin, cos)` in every lane.
    #[inline(always)]
    pub fn sin_cos(self) -> (Self, Self) {
        let (mut sin, mut cos) = (Self::zero(), Self::zero());
        for l in 0..L {
            (sin.0[l], cos.0[l]) = self.0[l].sin_cos_inline();
        }
        (sin, cos)
    }

    /// The sum over the lanes, always in the same order.
    #[inline(always)]
    pub fn sum(self) -> T {
        self.0.into_iter().sum()
    }
}

macro_rules! lane_by_lane {
    ($trait:ident $method:ident $assign:ident $assign_method:ident) => {
        impl<T: Real, const L: usize> $trait for Lanes<T, L> {
            type Output = Self;

            #[inline(always)]
            fn $method(mut self, other: Self) -> Self {
                for l in 0..L {
                    self.0[l] = self.0[l].$method(other.0[l]);
                }
                self
            }
        }

        impl<T: Real, const L: usize> $assign for Lanes<T, L> {
            #[inline(always)]
            fn $assign_method(&mut self, other: Self) {
                *self = self.$method(other);
            }
        }
    };
}

lane_by_lane!(Add add AddAssign add_assign);
lane_by_lane!(Sub sub SubAssign sub_assign);

impl<T: Real, const L: usize> Mul for Lanes<T, L> {
    type Output = Self;

    #[inline(always)]
    fn mul(mut self, other: Self) -> Self {
        for l in 0..L {
            self.0[l] *= other.0[l];
        }
        self
    }
}

impl<T: Real, const L: usize> Neg for Lanes<T, L> {
    type Output = Self;

    #[inline(always)]
    fn neg(self) -> Self {
        self.map(|x| -x)
    }
}
