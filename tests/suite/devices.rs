//! The devices that this build can test, and a gradient checker that works on each.

use burn::tensor::{DType, Device, Tensor, TensorData};

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

/// The precision in which gradients are checked: double on the CPU backends.
pub fn precision(name: &str) -> (DType, f64, f64) {
    match name {
        "wgpu" => (DType::F32, 1e-2, 2e-3),
        _ => (DType::F64, 1e-6, 1e-8),
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

/// Compares the gradient of the scalar `f` at `at` with central differences, plain and under
/// gradient checkpointing.
pub fn check_gradient(name: &str, device: &Device, at: &[f64], f: impl Fn(Tensor<1>) -> Tensor<1>) {
    let (dtype, step, tolerance) = precision(name);
    let loss = |v: &[f64]| values(f(tensor(v, [v.len()], device, dtype)))[0];
    let numeric: Vec<f64> = (0..at.len())
        .map(|i| {
            let (mut plus, mut minus) = (at.to_vec(), at.to_vec());
            (plus[i], minus[i]) = (at[i] + step, at[i] - step);
            (loss(&plus) - loss(&minus)) / (2.0 * step)
        })
        .collect();
    let plain = device.clone().autodiff();
    for (mode, device) in
        [("plain", plain.clone()), ("checkpointed", plain.gradient_checkpointing())]
    {
        let x = tensor(at, [at.len()], &device, dtype).require_grad();
        let gradient = values(x.grad(&f(x.clone()).backward()).expect("a gradient"));
        for (i, (a, n)) in gradient.iter().zip(&numeric).enumerate() {
            let error = (a - n).abs() / (1.0 + n.abs());
            assert!(error < tolerance, "{name}, {mode}: entry {i} is {a}, differences give {n}");
        }
    }
}
