//! Agreement with values that other simulators computed: see tests/data/README.md.
//!
//! Their qubit 0 is the most significant bit of an amplitude's index, ours the least. Values by
//! qubit need no conversion.

use crate::common::*;
use crate::evolution::{fitted_order, linear};
use burn_quantum::circuit::{Angle, Circuit, Observable};
use burn_quantum::statevector::{Evolution, EvolutionInput, Program};
use serde_json::Value;
use std::f64::consts::FRAC_PI_2;

fn load(name: &str) -> Value {
    let path = format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn flat(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(flat).collect(),
        number => vec![number.as_f64().unwrap()],
    }
}

fn count(value: &Value) -> usize {
    value.as_u64().unwrap() as usize
}

/// Index with the order of the `n` bits reversed.
fn reversed(index: usize, n: usize) -> usize {
    (0..n).map(|q| (index >> q & 1) << (n - 1 - q)).sum()
}

#[test]
fn circuits_agree_in_double_and_in_single_precision() {
    let files = ["n2_B1_L1", "n2_B3_L1", "n3_B2_L2", "n4_B3_L4", "n10_B1_L4"];
    for file in files.map(|f| load(&format!("reference_{f}.json"))) {
        let (n, batch, layers) =
            (count(&file["n_qubits"]), count(&file["batch"]), count(&file["layers"]));
        let mut circuit = Circuit::new(n);
        for q in 0..n {
            circuit.h(q).ry(Angle::Input(q), q);
        }
        circuit.append(&burn_quantum::circuit::ansatz::hardware_efficient(n, layers)).unwrap();
        let program = Program::new(&circuit, &Observable::each_z(n)).unwrap();
        let [x, w, c, out, dx, dw] = ["x", "w", "c", "out", "dx", "dw"].map(|key| flat(&file[key]));

        let double = program.gradient(batch, &x, &w, &c).unwrap();
        assert!(max_difference(&double.values, &out) < 1e-10);
        assert!(max_difference(&double.inputs, &dx) < 1e-10);
        assert!(max_difference(&double.weights, &dw) < 1e-10);
        let single = program.gradient(batch, &to_f32(&x), &to_f32(&w), &to_f32(&c)).unwrap();
        assert!(max_difference(&to_f64(&single.values), &out) < 1e-4);
        assert!(max_difference(&to_f64(&single.inputs), &dx) < 1e-4);
        assert!(max_difference(&to_f64(&single.weights), &dw) < 1e-4);

        if file.get("state_re").is_some_and(|v| !v.is_null()) {
            let (re, im) = (flat(&file["state_re"]), flat(&file["state_im"]));
            for b in 0..batch {
                let state = program.state::<f64>(&x[b * n..][..n], &w).unwrap();
                for (i, z) in state.iter().enumerate() {
                    let theirs = (b << n) + reversed(i, n);
                    assert!((z.re - re[theirs]).abs() < 1e-10 && (z.im - im[theirs]).abs() < 1e-10);
                }
            }
        }
    }
}

/// Their Hamiltonian is half of ours, so the pulse areas are halved.
#[test]
fn annealing_converges_to_the_reference_with_order_two() {
    for name in ["reference_anneal_n4.json", "reference_anneal_n8.json"] {
        let file = load(name);
        let n = count(&file["n"]);
        let time = file["T"].as_f64().unwrap();
        let [h, j, z] = ["h", "J", "z"].map(|key| flat(&file[key]));
        let start = vec![FRAC_PI_2; n];
        let run = |steps: usize| {
            let schedule: Vec<f64> = linear(steps, time).iter().map(|area| area / 2.0).collect();
            let input = EvolutionInput {
                batch: 1,
                fields: &h,
                couplings: &j,
                start: &start,
                schedule: &schedule,
            };
            let out = Evolution::each_z(n).unwrap().expectation(&input).unwrap();
            (time / steps as f64, max_difference(&out, &z))
        };
        let errors: Vec<_> = [50, 100, 200, 400].map(run).into();
        let order = fitted_order(&errors);
        assert!((order - 2.0).abs() < 0.1, "{name}: order {order}, {errors:?}");
        assert!(run(4000).1 < 1e-6, "{name}: {:?}", run(4000));
    }
}

/// The derivative of the final energy by `h` through the dynamics, the observable held fixed.
#[test]
fn annealing_gradients_agree_with_the_reference() {
    use burn_quantum::circuit::PauliString;
    for name in ["reference_anneal_n4.json", "reference_anneal_n8.json"] {
        let file = load(name);
        let n = count(&file["n"]);
        let [h, j, expected] = ["h", "J", "dE_dh_dynamics_only"].map(|key| flat(&file[key]));
        let z = PauliString::z;
        let mut readout: Vec<_> = (0..n).map(z).collect();
        let mut cotangent = h.clone();
        for (a, b) in (0..n).flat_map(|b| (0..b).map(move |a| (a, b))) {
            readout.push(z(a) * z(b));
            cotangent.push(j[a * n + b]);
        }
        let evolution = Evolution::new(n, &readout).unwrap();
        let time = file["T"].as_f64().unwrap();
        let schedule: Vec<f64> = linear(4000, time).iter().map(|area| area / 2.0).collect();
        let start = vec![FRAC_PI_2; n];
        let input = EvolutionInput {
            batch: 1,
            fields: &h,
            couplings: &j,
            start: &start,
            schedule: &schedule,
        };
        let g = evolution.gradient(&input, &cotangent).unwrap();
        let energy: f64 = g.values.iter().zip(&cotangent).map(|(a, b)| a * b).sum();
        assert!((energy - file["energy"].as_f64().unwrap()).abs() < 1e-5, "{name}");
        assert!(max_difference(&g.fields, &expected) < 1e-5, "{name}");
    }
}
