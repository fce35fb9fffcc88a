//! The scalar types of amplitudes.

use super::pool::Pool;
use super::simd::Element;
use super::{
    Evolution, EvolutionGradient, EvolutionInput, Gradient, Program, States, adjoint, evolution,
    expectation,
};
use num_complex::Complex;
use num_traits::{Float, NumAssign};
use std::{fmt::Debug, iter::Sum};

/// `f32` or `f64`.
pub trait Real:
    Float + NumAssign + Sum + Debug + Default + Send + Sync + Element + Drivers + 'static
{
    /// The nearest value.
    fn of(value: f64) -> Self;

    /// The value in double precision.
    fn as_f64(self) -> f64;
}

/// What runs on each scalar type, compiled once, in this crate: as generic functions these would be
/// compiled, with all their kernels, in every crate that calls them.
pub trait Drivers: Sized {
    #[doc(hidden)]
    fn expectation(program: &Program, batch: usize, x: &[Self], w: &[Self]) -> Vec<Self>;
    #[doc(hidden)]
    fn gradient(
        program: &Program,
        batch: usize,
        x: &[Self],
        w: &[Self],
        c: &[Self],
    ) -> Gradient<Self>;
    #[doc(hidden)]
    fn forward(
        program: &Program,
        batch: usize,
        x: &[Self],
        w: &[Self],
    ) -> (Vec<Self>, States<Self>);
    #[doc(hidden)]
    fn backward(
        program: &Program,
        states: States<Self>,
        x: &[Self],
        w: &[Self],
        c: &[Self],
    ) -> Gradient<Self>;
    #[doc(hidden)]
    fn pool(program: &Program) -> &Pool<Self>;
    #[doc(hidden)]
    fn state(program: &Program, x: &[Self], w: &[Self]) -> Vec<Complex<Self>>;
    #[doc(hidden)]
    fn evolve(
        evolution: &Evolution,
        input: &EvolutionInput<Self>,
        cotangent: Option<&[Self]>,
    ) -> EvolutionGradient<Self>;
    #[doc(hidden)]
    fn evolve_to_probabilities(
        evolution: &Evolution,
        input: &EvolutionInput<Self>,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Vec<Self>;
}

macro_rules! impl_real {
    ($float:ident $pool:tt) => {
        impl Real for $float {
            #[inline(always)]
            fn of(value: f64) -> Self {
                value as $float
            }

            #[inline(always)]
            fn as_f64(self) -> f64 {
                self as f64
            }
        }

        impl Drivers for $float {
            fn expectation(program: &Program, batch: usize, x: &[Self], w: &[Self]) -> Vec<Self> {
                expectation::run(program, batch, x, w)
            }

            fn gradient(
                program: &Program,
                batch: usize,
                x: &[Self],
                w: &[Self],
                c: &[Self],
            ) -> Gradient<Self> {
                adjoint::run(program, batch, x, w, c)
            }

            fn forward(
                program: &Program,
                batch: usize,
                x: &[Self],
                w: &[Self],
            ) -> (Vec<Self>, States<Self>) {
                adjoint::forward(program, batch, x, w)
            }

            fn backward(
                program: &Program,
                states: States<Self>,
                x: &[Self],
                w: &[Self],
                c: &[Self],
            ) -> Gradient<Self> {
                adjoint::backward(program, states, x, w, c)
            }

            fn pool(program: &Program) -> &Pool<Self> {
                &program.pools.$pool
            }

            fn state(program: &Program, x: &[Self], w: &[Self]) -> Vec<Complex<Self>> {
                expectation::state(program, x, w)
            }

            fn evolve(
                evolution: &Evolution,
                input: &EvolutionInput<Self>,
                cotangent: Option<&[Self]>,
            ) -> EvolutionGradient<Self> {
                evolution::run(evolution, input, cotangent)
            }

            fn evolve_to_probabilities(
                evolution: &Evolution,
                input: &EvolutionInput<Self>,
                stop: &(dyn Fn() -> bool + Sync),
            ) -> Vec<Self> {
                evolution::probabilities(evolution, input, stop)
            }
        }
    };
}

impl_real!(f32 0);
impl_real!(f64 1);
