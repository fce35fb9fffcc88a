//! The host implementation: tensors to slices, kernels, slices to tensors.

use super::{CircuitRun, QuantumOps, SpinDraw, SpinSamples, jobs, mean_field};
use crate::annealing::IsingSampler;
use crate::error::Error;
use crate::ising::BatchedIsing;
use crate::statevector::{Evolution, Real};
use burn::backend::{
    Backend, DType, Element, FloatDType, TensorData, TensorMetadata, tensor::FloatTensor,
};
use std::{borrow::Cow, sync::Arc};

/// A tensor as the kernels see it.
pub(super) struct HostSlice<'a, T: Clone> {
    pub values: Cow<'a, [T]>,
    pub dims: Vec<usize>,
}

impl<T: Clone> HostSlice<'_, T> {
    /// The length of the first axis.
    pub fn rows(&self) -> usize {
        self.dims[0]
    }
}

/// A computation from `N` tensors to `M` tensors, in `f32` or `f64`.
pub(super) trait HostJob<const N: usize, const M: usize> {
    /// How panics name the operation.
    const NAME: &'static str;

    fn run<T: Real>(&self, inputs: [HostSlice<T>; N]) -> Result<[Vec<T>; M], Error>;

    /// The shapes of the outputs, from those of the inputs.
    fn shapes(&self, inputs: [&[usize]; N]) -> [Vec<usize>; M];
}

/// The element types that kernels compute in.
pub(super) trait HostElement: Real + Element {
    #[cfg(feature = "flex")]
    fn flex(tensor: &burn::backend::flex::FlexTensor) -> Option<&[Self]>;

    #[cfg(feature = "ndarray")]
    fn ndarray(tensor: &burn::backend::ndarray::NdArrayTensor) -> ndarray::ArrayViewD<'_, Self>;
}

macro_rules! impl_host_element {
    ($float:ident, $variant:ident) => {
        impl HostElement for $float {
            #[cfg(feature = "flex")]
            fn flex(tensor: &burn::backend::flex::FlexTensor) -> Option<&[Self]> {
                tensor.as_slice::<$float>()
            }

            #[cfg(feature = "ndarray")]
            fn ndarray(
                tensor: &burn::backend::ndarray::NdArrayTensor,
            ) -> ndarray::ArrayViewD<'_, Self> {
                match tensor {
                    burn::backend::ndarray::NdArrayTensor::$variant(array) => array.view(),
                    _ => unreachable!("the dtype was checked"),
                }
            }
        }
    };
}

impl_host_element!(f32, F32);
impl_host_element!(f64, F64);

/// A backend whose tensors the host can read.
trait HostBackend: Backend {
    /// The elements in row-major order, borrowed where the layout allows.
    fn read<T: HostElement>(tensor: &FloatTensor<Self>) -> Cow<'_, [T]>;
}

#[cfg(feature = "flex")]
impl HostBackend for burn::backend::flex::Flex {
    fn read<T: HostElement>(tensor: &FloatTensor<Self>) -> Cow<'_, [T]> {
        match T::flex(tensor) {
            Some(slice) => Cow::Borrowed(slice),
            None => match T::flex(&tensor.to_contiguous()) {
                Some(slice) => Cow::Owned(slice.to_vec()),
                None => unreachable!("the dtype was checked"),
            },
        }
    }
}

#[cfg(feature = "ndarray")]
#[allow(deprecated)]
impl HostBackend for burn::backend::ndarray::NdArray {
    fn read<T: HostElement>(tensor: &FloatTensor<Self>) -> Cow<'_, [T]> {
        let view = T::ndarray(tensor);
        match view.to_slice() {
            Some(slice) => Cow::Borrowed(slice),
            None => Cow::Owned(view.iter().copied().collect()),
        }
    }
}

#[cfg(feature = "cube")]
impl HostBackend for burn::backend::Cube {
    fn read<T: HostElement>(tensor: &FloatTensor<Self>) -> Cow<'_, [T]> {
        use burn::backend::ops::FloatTensorOps;
        let data = burn::backend::read_sync(Self::float_into_data(tensor.clone()));
        let values = data.map(|data| data.try_into_vec::<T>());
        match values {
            Ok(Ok(values)) => Cow::Owned(values),
            Ok(Err(error)) => panic!("reading a tensor from the device: {error:?}"),
            Err(error) => panic!("reading a tensor from the device: {error:?}"),
        }
    }
}

fn run<B: HostBackend, J: HostJob<N, M>, const N: usize, const M: usize>(
    job: J,
    inputs: [FloatTensor<B>; N],
) -> [FloatTensor<B>; M] {
    let dtype = inputs[0].dtype();
    for input in &inputs {
        let other = input.dtype();
        assert!(other == dtype, "{}: dtypes differ ({dtype:?}, {other:?}): cast one", J::NAME);
    }
    match dtype {
        DType::F32 => run_as::<B, f32, J, N, M>(job, inputs),
        DType::F64 => run_as::<B, f64, J, N, M>(job, inputs),
        // Half precision is computed in single precision.
        _ => {
            let inputs = inputs.map(|input| B::float_cast(input, FloatDType::F32));
            let outputs = run_as::<B, f32, J, N, M>(job, inputs);
            outputs.map(|output| B::float_cast(output, dtype.into()))
        }
    }
}

fn run_as<B: HostBackend, T: HostElement, J: HostJob<N, M>, const N: usize, const M: usize>(
    job: J,
    inputs: [FloatTensor<B>; N],
) -> [FloatTensor<B>; M] {
    let device = inputs[0].device();
    let slices = inputs
        .each_ref()
        .map(|input| HostSlice { values: B::read::<T>(input), dims: input.shape().to_vec() });
    let mut shapes = job.shapes(slices.each_ref().map(|slice| &slice.dims[..])).into_iter();
    let outputs = match job.run(slices) {
        Ok(outputs) => outputs,
        Err(error) => panic!("{}: {error}", J::NAME),
    };
    outputs.map(|values| {
        let shape = shapes.next().expect("one shape for each output");
        B::float_from_data(TensorData::new(values, shape), &device)
    })
}

/// Samplers compute in single precision.
fn draw<B: HostBackend>(
    tensors: [FloatTensor<B>; 2],
    sampler: &dyn IsingSampler,
    n_reads: usize,
    estimate: bool,
) -> Result<SpinDraw, Error> {
    let [fields, couplings] = tensors.map(|tensor| match tensor.dtype() {
        DType::F32 => tensor,
        _ => B::float_cast(tensor, FloatDType::F32),
    });
    let (n_problems, n) = (fields.shape()[0], fields.shape()[1]);
    let (fields, couplings) = (B::read::<f32>(&fields), B::read::<f32>(&couplings));
    let models = BatchedIsing::new(n_problems, n, fields, couplings)?;
    SpinDraw::new(&models, sampler, n_reads, estimate)
}

#[cfg(any(feature = "flex", feature = "ndarray"))]
macro_rules! mean_field_by_kernel {
    () => {
        fn mean_field(
            theta: FloatTensor<Self>,
            couplings: FloatTensor<Self>,
            n_iterations: usize,
        ) -> FloatTensor<Self> {
            let job = mean_field::Forward(n_iterations);
            let [m] = run::<Self, _, 2, 1>(job, [theta, couplings]);
            m
        }

        fn mean_field_backward(
            m: FloatTensor<Self>,
            couplings: FloatTensor<Self>,
            cotangent: FloatTensor<Self>,
            n_iterations: usize,
        ) -> (FloatTensor<Self>, FloatTensor<Self>) {
            let job = mean_field::Backward(n_iterations);
            run::<Self, _, 3, 2>(job, [m, couplings, cotangent]).into()
        }
    };
}

#[cfg(feature = "cube")]
macro_rules! mean_field_by_operations {
    () => {
        fn mean_field(
            theta: FloatTensor<Self>,
            couplings: FloatTensor<Self>,
            n_iterations: usize,
        ) -> FloatTensor<Self> {
            mean_field::composed::forward::<Self>(theta, couplings, n_iterations)
        }

        fn mean_field_backward(
            m: FloatTensor<Self>,
            couplings: FloatTensor<Self>,
            cotangent: FloatTensor<Self>,
            n_iterations: usize,
        ) -> (FloatTensor<Self>, FloatTensor<Self>) {
            mean_field::composed::backward::<Self>(m, couplings, cotangent, n_iterations)
        }
    };
}

macro_rules! impl_host_ops {
    ($(#[$attribute:meta])* $backend:ty, $mean_field:ident) => {
        $(#[$attribute])*
        impl QuantumOps for $backend {
            fn circuit_expectation(
                inputs: FloatTensor<Self>,
                weights: FloatTensor<Self>,
                circuit: CircuitRun,
            ) -> FloatTensor<Self> {
                let [out] = run::<Self, _, 2, 1>(jobs::Circuit(&circuit), [inputs, weights]);
                out
            }

            fn circuit_expectation_backward(
                inputs: FloatTensor<Self>,
                weights: FloatTensor<Self>,
                cotangent: FloatTensor<Self>,
                circuit: CircuitRun,
            ) -> (FloatTensor<Self>, FloatTensor<Self>) {
                let tensors = [inputs, weights, cotangent];
                run::<Self, _, 3, 2>(jobs::CircuitGradient(&circuit), tensors).into()
            }

            fn anneal_expectation(
                fields: FloatTensor<Self>,
                couplings: FloatTensor<Self>,
                start: FloatTensor<Self>,
                schedule: FloatTensor<Self>,
                evolution: Arc<Evolution>,
            ) -> FloatTensor<Self> {
                let tensors = [fields, couplings, start, schedule];
                let [out] = run::<Self, _, 4, 1>(jobs::Anneal(&evolution), tensors);
                out
            }

            fn anneal_expectation_backward(
                fields: FloatTensor<Self>,
                couplings: FloatTensor<Self>,
                start: FloatTensor<Self>,
                schedule: FloatTensor<Self>,
                cotangent: FloatTensor<Self>,
                evolution: Arc<Evolution>,
            ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
                let tensors = [fields, couplings, start, schedule, cotangent];
                run::<Self, _, 5, 4>(jobs::AnnealGradient(&evolution), tensors).into()
            }

            fn draw_spins(
                fields: FloatTensor<Self>,
                couplings: FloatTensor<Self>,
                sampler: &dyn IsingSampler,
                n_reads: usize,
                estimate: bool,
            ) -> Result<SpinDraw, Error> {
                draw::<Self>([fields, couplings], sampler, n_reads, estimate)
            }

            fn spin_statistics(
                fields: FloatTensor<Self>,
                couplings: FloatTensor<Self>,
                samples: Arc<SpinSamples>,
            ) -> FloatTensor<Self> {
                let [out] = run::<Self, _, 2, 1>(jobs::Spins(&samples), [fields, couplings]);
                out
            }

            fn spin_statistics_backward(
                fields: FloatTensor<Self>,
                couplings: FloatTensor<Self>,
                cotangent: FloatTensor<Self>,
                samples: Arc<SpinSamples>,
            ) -> (FloatTensor<Self>, FloatTensor<Self>) {
                let tensors = [fields, couplings, cotangent];
                run::<Self, _, 3, 2>(jobs::SpinsGradient(&samples), tensors).into()
            }

            $mean_field!();
        }
    };
}

#[cfg(feature = "flex")]
impl_host_ops!(burn::backend::flex::Flex, mean_field_by_kernel);

#[cfg(feature = "ndarray")]
impl_host_ops!(
    #[allow(deprecated)]
    burn::backend::ndarray::NdArray,
    mean_field_by_kernel
);

#[cfg(feature = "cube")]
impl_host_ops!(burn::backend::Cube, mean_field_by_operations);
