//! Runs a kernel compiled for the best instruction set of this processor.

use super::adjoint::Backward;
use super::evolution::Run;
use super::expectation::{Forward, State};
use super::{EvolutionGradient, Gradient, Program, Real};
use num_complex::Complex;

/// A computation on one tile of `L` samples, inlined into code for the processor at hand.
pub(super) trait TileJob<T: Real> {
    type Output;

    /// Must be `#[inline(always)]`, as must all that it calls in its loops. `FMA` says whether the
    /// processor multiplies and adds in one instruction; without, `mul_add` is a slow call.
    fn run<const L: usize, const FMA: bool>(self) -> Self::Output;
}

/// A job with its number of samples to a tile, for code that multiplies and adds in one instruction.
struct Fused<J, const L: usize, T>(J, std::marker::PhantomData<T>);

impl<T: Real, J: TileJob<T>, const L: usize> pulp::NullaryFnOnce for Fused<J, L, T> {
    type Output = J::Output;

    #[inline(always)]
    fn call(self) -> J::Output {
        self.0.run::<L, true>()
    }
}

fn run<T: Real, J: TileJob<T>, const L: usize>(job: J) -> J::Output {
    let fused = Fused::<J, L, T>(job, std::marker::PhantomData);
    match pulp::Arch::new() {
        #[cfg(target_arch = "x86_64")]
        pulp::Arch::V4(simd) => pulp::Simd::vectorize(simd, fused),
        #[cfg(target_arch = "x86_64")]
        pulp::Arch::V3(simd) => pulp::Simd::vectorize(simd, fused),
        #[cfg(target_arch = "aarch64")]
        pulp::Arch::Neon(simd) => pulp::Simd::vectorize(simd, fused),
        _ => fused.0.run::<L, false>(),
    }
}

/// How many samples share a tile. States that outgrow the caches go one by one, as do batches too
/// small to fill lanes.
pub(super) fn lanes(batch: usize, n_qubits: usize) -> usize {
    if batch <= 2 || n_qubits > 12 { 1 } else { 16 }
}

/// Runs `job` with `lanes` (1 or 16) samples to a tile.
fn dispatch<T: Real, J: TileJob<T>>(lanes: usize, job: J) -> J::Output {
    match lanes {
        1 => run::<T, J, 1>(job),
        _ => run::<T, J, 16>(job),
    }
}

/// The jobs of each scalar type, compiled once, in this crate: as generic functions they would be
/// compiled again in every crate that calls them.
pub trait Kernels: Sized {
    #[doc(hidden)]
    fn forward(lanes: usize, job: Forward<'_, Self>);
    #[doc(hidden)]
    fn backward(lanes: usize, job: Backward<'_, Self>) -> Gradient<Self>;
    #[doc(hidden)]
    fn evolve(lanes: usize, job: Run<'_, Self>) -> EvolutionGradient<Self>;
    #[doc(hidden)]
    fn state(program: &Program, inputs: &[Self], weights: &[Self]) -> Vec<Complex<Self>>;
}

macro_rules! impl_kernels {
    ($float:ident) => {
        impl Kernels for $float {
            fn forward(lanes: usize, job: Forward<'_, Self>) {
                dispatch(lanes, job)
            }

            fn backward(lanes: usize, job: Backward<'_, Self>) -> Gradient<Self> {
                dispatch(lanes, job)
            }

            fn evolve(lanes: usize, job: Run<'_, Self>) -> EvolutionGradient<Self> {
                dispatch(lanes, job)
            }

            fn state(program: &Program, inputs: &[Self], weights: &[Self]) -> Vec<Complex<Self>> {
                dispatch(1, State { program, inputs, weights })
            }
        }
    };
}

impl_kernels!(f32);
impl_kernels!(f64);
