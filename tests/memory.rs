//! A large state must fit: this test is a process of its own, whose peak memory is known.
#![cfg(target_os = "linux")]

use burn_quantum::circuit::{Angle, Circuit, Observable, ansatz};
use burn_quantum::statevector::Program;

/// The peak resident memory of this process, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    1024 * line.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
}

/// 24 qubits in single precision are 128 MiB a state; forward and gradient need at most three, and
/// some more for tables.
#[test]
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
