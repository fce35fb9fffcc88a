//! The scalar types of amplitudes, and a sine that vectorises.

use super::dispatch::Kernels;
use num_traits::{Float, NumAssign};
use std::{fmt::Debug, iter::Sum};

/// `f32` or `f64`.
pub trait Real:
    Float + NumAssign + Sum + Debug + Default + Send + Sync + Kernels + 'static
{
    /// The nearest value.
    fn of(value: f64) -> Self;

    /// The value in double precision.
    fn as_f64(self) -> f64;

    /// `(sin x, cos x)` without branches or calls, so that loops over it vectorise.
    ///
    /// Accurate to 2 units in the last place while `|x| < 1e4` (`f32`) or `1e8` (`f64`).
    #[doc(hidden)]
    fn sin_cos_inline(self) -> (Self, Self);
}

macro_rules! impl_real {
    ($float:ident, $magic:expr, $pi_parts:expr, $sin:expr, $cos:expr) => {
        impl Real for $float {
            #[inline(always)]
            fn of(value: f64) -> Self {
                value as $float
            }

            #[inline(always)]
            fn as_f64(self) -> f64 {
                self as f64
            }

            // Cody and Waite: x = k pi/2 + r with |r| <= pi/4, then Cephes' polynomials. Adding
            // `magic` rounds to an integer, which is left in the low bits.
            #[inline(always)]
            fn sin_cos_inline(self) -> (Self, Self) {
                const MAGIC: $float = $magic;
                let shifted = self * std::$float::consts::FRAC_2_PI + MAGIC;
                let (quadrant, k) = (shifted.to_bits(), shifted - MAGIC);
                let [p0, p1, p2] = $pi_parts;
                let r = ((self - k * p0) - k * p1) - k * p2;
                let r2 = r * r;
                let sin = r + r * r2 * polynomial(r2, $sin);
                let cos = 1.0 - 0.5 * r2 + r2 * r2 * polynomial(r2, $cos);
                let swap = quadrant & 1 != 0;
                let (s, c) = if swap { (cos, sin) } else { (sin, cos) };
                let s = if quadrant & 2 != 0 { -s } else { s };
                let c = if (quadrant.wrapping_add(1)) & 2 != 0 { -c } else { c };
                (s, c)
            }
        }
    };
}

#[inline(always)]
fn polynomial<T: Float, const N: usize>(x: T, coefficients: [T; N]) -> T {
    coefficients.into_iter().fold(T::zero(), |sum, c| sum * x + c)
}

#[allow(clippy::excessive_precision)] // Cephes, as published
mod coefficients {
    pub const PI_F32: [f32; 3] = [1.5703125, 4.837512969970703e-4, 7.549789948768648e-8];
    pub const SIN_F32: [f32; 3] = [-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1];
    pub const COS_F32: [f32; 3] =
        [2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2];
    pub const PI_F64: [f64; 3] =
        [1.570796251296997070312, 7.549789415861596353352e-8, 5.390302858158134e-15];
    pub const SIN_F64: [f64; 6] = [
        1.58962301576546568060e-10,
        -2.50507477628578072866e-8,
        2.75573136213857245213e-6,
        -1.98412698295895385996e-4,
        8.33333333332211858878e-3,
        -1.66666666666666307295e-1,
    ];
    pub const COS_F64: [f64; 6] = [
        -1.13585365213876817300e-11,
        2.08757008419747316778e-9,
        -2.75573141792967388112e-7,
        2.48015872888517045348e-5,
        -1.38888888888730564116e-3,
        4.16666666666665929218e-2,
    ];
}
use coefficients::*;

impl_real!(f32, 12_582_912.0, PI_F32, SIN_F32, COS_F32);
impl_real!(f64, 6_755_399_441_055_744.0, PI_F64, SIN_F64, COS_F64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inline_sine_agrees_with_the_library() {
        for k in -20_000..20_000 {
            let x = k as f64 * 0.0131;
            let (s, c) = x.sin_cos_inline();
            assert!((s - x.sin()).abs() < 4e-16 && (c - x.cos()).abs() < 4e-16, "{x}");
            let (s, c) = (x as f32).sin_cos_inline();
            let exact = x as f32 as f64;
            assert!((s as f64 - exact.sin()).abs() < 2e-7, "{x}");
            assert!((c as f64 - exact.cos()).abs() < 2e-7, "{x}");
        }
    }
}
