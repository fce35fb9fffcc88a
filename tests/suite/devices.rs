//! The devices that this build can test, and a gradient checker that works on each.

use crate::common::{rng, uniform};
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{DType, Device, Tensor, TensorData};
use rand::rngs::StdRng;

/// One device of every backend that is compiled in.
#[allow(deprecated)]
pub fn devices() -> Vec<(&'static str, Device)> {
    vec![
        #[cfg(feature = "flex")]
        ("flex", Device::flex()),
        #[cfg(feature = "ndarray")]
        ("ndarray", Device::ndarray()),
        #[cfg(feature = "wgpu")]
        ("wgpu", Device::wgpu(Default::default())),
    ]
}

/// The first of them, for what does not depend on the backend.
pub fn device() -> Device {
    devices().remove(0).1
}

/// How near to the exact value a closed form comes in Burn's own operations on the first device:
/// GPUs have single precision only, whatever the tensor says.
pub fn rounding() -> f64 {
    match devices()[0].0 {
        "wgpu" => 1e-5,
        _ => 1e-12,
    }
}

/// The precision in which gradients are checked, the step and the tolerance: double on the CPU
/// backends.
pub fn precision(name: &str) -> (DType, f64, f64) {
    match name {
        "wgpu" => (DType::F32, 1e-2, 2e-3),
        _ => (DType::F64, 3e-4, 1e-9),
    }
}

pub fn tensor<const D: usize>(
    values: &[f64],
    shape: [usize; D],
    device: &Device,
    dtype: DType,
) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), (device, dtype))
}

pub fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

/// The module with parameters that are the same in every run. Burn's own generator is shared by all
/// threads, so what a test draws from it depends on the other tests.
pub fn drawn<M: Module>(seed: u64, module: M) -> M {
    module.map(&mut Draw(rng(seed)))
}

struct Draw(StdRng);

/// As large as those of Burn's initialisers. Parameters that start with one value, as biases and
/// gains do, are spread around it; scalars, as temperatures and times, stay.
impl ModuleMapper for Draw {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|old| {
            let (n, fan_in) = (old.shape().num_elements(), old.dims()[0] as f64);
            let constant = values(old.clone().max() - old.clone().min())[0] == 0.0;
            let noise = uniform(&mut self.0, n, fan_in.powf(-0.5));
            let noise = tensor(&noise, old.dims(), &old.device(), old.dtype());
            let tracked = old.is_require_grad();
            let new = match (n, constant) {
                (1, _) => old,
                (_, true) => old.detach() + noise,
                (_, false) => noise,
            };
            new.detach().set_require_grad(tracked)
        })
    }
}

/// Compares the gradient of the scalar `f` at `at` with central differences of order four, plain and under
/// gradient checkpointing: every entry on CPU backends, and random directions on a GPU, where each
/// value costs many launches.
pub fn check_gradient(name: &str, device: &Device, at: &[f64], f: impl Fn(Tensor<1>) -> Tensor<1>) {
    check_gradient_to(precision(name), name, device, at, f);
}

/// As [`check_gradient`], in a precision of one's own.
pub fn check_gradient_to(
    (dtype, step, tolerance): (DType, f64, f64),
    name: &str,
    device: &Device,
    at: &[f64],
    f: impl Fn(Tensor<1>) -> Tensor<1>,
) {
    let loss = |v: &[f64]| values(f(tensor(v, [v.len()], device, dtype)))[0];
    let directions = directions(name, at.len());
    let slope = |direction: &[f64], step: f64| {
        let moved = |step: f64| -> Vec<f64> {
            at.iter().zip(direction).map(|(x, d)| x + step * d).collect()
        };
        (loss(&moved(step)) - loss(&moved(-step))) / (2.0 * step)
    };
    let difference = |d: &Vec<f64>| (4.0 * slope(d, step) - slope(d, 2.0 * step)) / 3.0;
    let numeric: Vec<f64> = directions.iter().map(difference).collect();
    let plain = device.clone().autodiff();
    for (mode, device) in
        [("plain", plain.clone()), ("checkpointed", plain.gradient_checkpointing())]
    {
        let x = tensor(at, [at.len()], &device, dtype).require_grad();
        let gradient = values(x.grad(&f(x.clone()).backward()).expect("a gradient"));
        for (i, (direction, n)) in directions.iter().zip(&numeric).enumerate() {
            let a: f64 = gradient.iter().zip(direction).map(|(g, d)| g * d).sum();
            let error = (a - n).abs() / (1.0 + n.abs());
            assert!(error < tolerance, "{name}, {mode}: direction {i} gives {a}, differences {n}");
        }
    }
}

/// The axes, or random unit vectors.
fn directions(name: &str, n: usize) -> Vec<Vec<f64>> {
    if name != "wgpu" || n < N_DIRECTIONS {
        return (0..n).map(|i| (0..n).map(|k| f64::from(i == k)).collect()).collect();
    }
    let mut rng = rng(n as u64);
    let direction = |_| {
        let v = uniform(&mut rng, n, 1.0);
        let norm = v.iter().map(|x| x * x).sum::<f64>().sqrt();
        v.iter().map(|x| x / norm).collect()
    };
    (0..N_DIRECTIONS).map(direction).collect()
}

/// Random directions on a GPU.
const N_DIRECTIONS: usize = 8;
