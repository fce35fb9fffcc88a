//! Peak memory: this test is a process of its own and its parts follow each other, so that each peak is
//! known.
#![cfg(target_os = "linux")]

use burn_quantum::circuit::{Angle, Circuit, Observable, ansatz};
use burn_quantum::statevector::{Evolution, EvolutionInput, Program};

/// The peak resident memory of this process, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    1024 * line.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
}

#[test]
fn peaks() {
    #[cfg(feature = "flex")]
    qama_needs_at_most_three_times_the_memory_of_softmax_attention();
    the_gradient_of_annealing_needs_no_more_memory_for_more_steps();
    forward_and_gradient_on_24_qubits_fit_into_half_a_gibibyte();
}

/// Forward and backward, 32 sequences of 64 tokens, above what the process had before.
#[cfg(feature = "flex")]
#[allow(clippy::print_stdout)] // the figures that the documentation quotes
fn qama_needs_at_most_three_times_the_memory_of_softmax_attention() {
    use burn::nn::attention::{MhaInput, MultiHeadAttentionConfig};
    use burn::tensor::{Device, Distribution, Tensor};
    use burn_quantum::nn::attention::{QamaConfig, QamaInput};

    let device = Device::flex().autodiff();
    let tokens = || Tensor::<3>::random([32, 64, 128], Distribution::Normal(0.0, 1.0), &device);
    let softmax = MultiHeadAttentionConfig::new(128, 8).init(&device);
    let qama = QamaConfig::new(128, 8).init(&device);
    let before = peak();
    softmax.forward(MhaInput::self_attn(tokens())).context.sum().backward();
    let of_softmax = peak() - before;
    qama.forward(QamaInput::self_attn(tokens())).context.sum().backward();
    let of_qama = peak() - before;
    assert!(of_softmax > 8 << 20, "attention that can be seen: {} KiB", of_softmax >> 10);
    let limit = 3 * of_softmax;
    assert!(of_qama <= limit, "{} MiB, not {} MiB", of_qama >> 20, limit >> 20);
    println!("softmax {} MiB, QAMA {} MiB", of_softmax >> 20, of_qama >> 20);
}

/// 24 qubits in single precision are 128 MiB a state; forward and gradient need at most three, and
/// some more for tables.
fn forward_and_gradient_on_24_qubits_fit_into_half_a_gibibyte() {
    let mut circuit = Circuit::new(24);
    (0..24).for_each(|q| {
        circuit.h(q).ry(Angle::Input(q), q);
    });
    circuit.append(&ansatz::hardware_efficient(24, 1)).unwrap();
    let program = Program::new(&circuit, &Observable::each_z(24)).unwrap();
    let (x, w) = (vec![0.3f32; 24], vec![0.2f32; program.n_weights()]);
    let (values, states) = program.forward(1, &x, &w).unwrap();
    let gradient = program.gradient_from(states, &x, &w, &[1.0; 24]).unwrap();
    // H RY(x) RY(w) |0> on qubit 0, before anything but phases and the control of a CNOT.
    let angle = 0.5f32;
    assert!((values[0] + angle.sin()).abs() < 1e-5, "{}", values[0]);
    assert!(gradient.inputs[0].is_finite());
    assert!(peak() < 512 << 20, "{} MiB", peak() >> 20);
}

/// The adjoint sweep of annealing keeps two states, not one for each step: 4000 steps on 12 qubits
/// would be 125 MiB for each of the 16 runs.
fn the_gradient_of_annealing_needs_no_more_memory_for_more_steps() {
    let (n, batch) = (12, 16);
    let evolution = Evolution::each_z(n).unwrap();
    let gradient = |n_steps: usize| {
        let (fields, couplings) = (vec![0.3f32; batch * n], vec![0.1f32; n * n]);
        let (start, schedule) = (vec![1.5f32; batch * n], vec![0.01f32; 2 * n_steps]);
        let input = EvolutionInput {
            batch,
            fields: &fields,
            couplings: &couplings,
            start: &start,
            schedule: &schedule,
        };
        let gradient = evolution.gradient(&input, &vec![1.0; batch * n]).unwrap();
        assert_eq!(gradient.schedule.len(), 2 * n_steps);
        peak()
    };
    let few = gradient(10);
    let many = gradient(4000);
    assert!(many < few + (8 << 20), "{} MiB, then {} MiB", few >> 20, many >> 20);
}
