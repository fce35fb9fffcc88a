//! Runs a kernel compiled for the best instruction set of this processor.

use super::Real;

/// A computation on one tile of `L` samples, inlined into code for the processor at hand.
pub(super) trait TileJob<T: Real> {
    type Output;

    /// Must be `#[inline(always)]`, as must all that it calls in its loops.
    fn run<const L: usize>(self) -> Self::Output;
}

struct Sized<J, const L: usize, T>(J, std::marker::PhantomData<T>);

impl<T: Real, J: TileJob<T>, const L: usize> pulp::NullaryFnOnce for Sized<J, L, T> {
    type Output = J::Output;

    #[inline(always)]
    fn call(self) -> J::Output {
        self.0.run::<L>()
    }
}

/// How many samples share a tile. States that outgrow the caches go one by one; so do the last
/// few samples of a batch too small to fill lanes.
pub(super) fn lanes(batch: usize, n_qubits: usize) -> usize {
    match batch {
        0..=2 => 1,
        _ if n_qubits > 12 => 1,
        3..=8 => 8,
        _ => 16,
    }
}

/// Runs `job` with `lanes` (1, 8 or 16) samples to a tile.
pub(super) fn dispatch<T: Real, J: TileJob<T>>(lanes: usize, job: J) -> J::Output {
    let arch = pulp::Arch::new();
    let marker = std::marker::PhantomData;
    match lanes {
        1 => arch.dispatch(Sized::<J, 1, T>(job, marker)),
        8 => arch.dispatch(Sized::<J, 8, T>(job, marker)),
        _ => arch.dispatch(Sized::<J, 16, T>(job, marker)),
    }
}
