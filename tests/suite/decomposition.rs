//! Circuits in the gates of devices, and the texts of Amazon Braket and QIR.

use crate::common::*;
use burn_quantum::circuit::{Angle, Circuit, Gate, GateSet, Operation};
use burn_quantum::statevector::dense;
use num_complex::Complex64;

/// A state in which every amplitude counts, then the circuit.
fn state(circuit: &Circuit) -> Vec<Complex64> {
    let mut all = Circuit::new(circuit.n_qubits());
    for q in 0..circuit.n_qubits() {
        all.ry(0.3 + q as f64, q).rz(1.1 * q as f64 - 0.4, q);
    }
    all.cnot_chain();
    dense::state(all.append(circuit).unwrap(), &[], &[]).unwrap()
}

fn assert_same(a: &Circuit, b: &Circuit) {
    let (x, y) = (state(a), state(b));
    let overlap: Complex64 = x.iter().zip(&y).map(|(x, y)| x.conj() * y).sum();
    let phase = overlap / overlap.norm();
    let difference = x.iter().zip(&y).map(|(x, y)| (x * phase - y).norm()).fold(0.0, f64::max);
    assert!(difference < 1e-13, "{difference:e}\n{a:?}\n{b:?}");
}

fn of_gate(gate: Gate, added: &[usize]) -> Circuit {
    let angles: Vec<Angle> = [0.7, -1.3, 2.1].map(Angle::Constant)[..gate.info().n_angles].into();
    let operation = Operation::new(gate, &[2, 0, 3][..gate.info().n_qubits()], &angles).unwrap();
    let mut circuit = Circuit::new(6);
    circuit.push(operation.with_controls(added).unwrap()).unwrap();
    circuit
}

fn circuits() -> Vec<Circuit> {
    let mut circuits = Vec::new();
    for gate in Gate::all() {
        for added in [&[][..], &[4], &[4, 1], &[1, 5, 4]] {
            circuits.push(of_gate(gate, added));
        }
    }
    for seed in 0..10 {
        let (mut rng, n) = (rng(1200 + seed), 1 + seed as usize % 5);
        let (x, w) = (uniform(&mut rng, n, 3.0), uniform(&mut rng, n, 3.0));
        circuits.push(random_circuit(&mut rng, n, 20).bind(&x, &w).unwrap());
    }
    circuits.push(Circuit::new(0));
    circuits.push(Circuit::new(3));
    circuits
}

#[test]
fn decompositions_are_exact_and_keep_to_their_set() {
    use Gate::*;
    let sets = [
        (GateSet::Common, &[X, Y, Z, H, S, Sdg, T, Tdg, RX, RY, RZ, CNOT][..]),
        (GateSet::Heron, &[X, SX, RZ, CZ]),
    ];
    for circuit in circuits() {
        for (set, gates) in sets {
            let decomposed = circuit.decomposed(set).unwrap();
            assert_same(&circuit, &decomposed);
            for operation in decomposed.operations() {
                let own = operation.gate().info().n_controls;
                assert!(gates.contains(&operation.gate()) && operation.controls().len() == own);
            }
        }
    }
}

/// What is in the set already is left as it is.
#[test]
fn common_gates_stay() {
    let mut circuit = Circuit::new(2);
    circuit.h(0).x(1).rx(0.3, 0).ry(-0.2, 1).rz(1e-9, 0).cnot(1, 0);
    for gate in [Gate::Y, Gate::Z, Gate::S, Gate::Sdg, Gate::T, Gate::Tdg] {
        circuit.gate(gate, &[1], &[]);
    }
    assert_eq!(circuit.decomposed(GateSet::Common).unwrap(), circuit);
}

#[test]
fn free_angles_and_too_many_controls_are_refused() {
    let mut free = Circuit::new(1);
    free.rx(Angle::Input(3), 0);
    for error in [
        free.decomposed(GateSet::Heron).unwrap_err(),
        free.to_braket_qasm().unwrap_err(),
        free.to_measured_braket_qasm().unwrap_err(),
        free.to_qir().unwrap_err(),
    ] {
        let text = "cannot express the free angle Input(3): `bind` the circuit first";
        assert!(error.to_string().ends_with(text), "{error}");
    }
    let controlled = |n: usize| {
        let mut circuit = Circuit::new(n + 1);
        let x = Operation::new(Gate::X, &[n], &[]).unwrap();
        circuit.push(x.with_controls(&(0..n).collect::<Vec<_>>()).unwrap()).unwrap();
        circuit
    };
    assert!(controlled(12).decomposed(GateSet::Common).is_ok());
    let error = controlled(13).decomposed(GateSet::Common).unwrap_err();
    assert!(error.is_size_limit());
    assert!(error.to_string().starts_with("13 controls exceed the limit of 12"), "{error}");
}

/// Back through our own reader, once Braket's names are those of `stdgates.inc`.
#[test]
fn programs_for_braket_are_the_circuit() {
    for circuit in circuits() {
        let (plain, measured) =
            (circuit.to_braket_qasm().unwrap(), circuit.to_measured_braket_qasm().unwrap());
        assert!(!plain.contains("include") && !plain.contains('@') && !plain.contains("measure"));
        assert_eq!(measured.matches("measure").count(), circuit.n_qubits());
        for program in [plain, measured] {
            let names = [("cnot ", "cx "), ("\nsi ", "\nsdg "), ("\nti ", "\ntdg ")];
            let names = names.iter().fold(program, |text, (from, to)| text.replace(from, to));
            let program = names.replacen("3.0;\n", "3.0;\ninclude \"stdgates.inc\";\n", 1);
            assert_same(&Circuit::from_qasm(&program).unwrap(), &circuit);
        }
    }
}

#[test]
fn measured_programs_for_ibm_are_the_circuit() {
    let mut circuit = Circuit::new(2);
    circuit.h(0).cnot(0, 1);
    let program = circuit.to_measured_qasm3();
    assert_eq!(
        program,
        "OPENQASM 3.0;\ninclude \"stdgates.inc\";\nqubit[2] q;\nbit[2] c;\nh q[0];\n\
         cx q[0], q[1];\nc[0] = measure q[0];\nc[1] = measure q[1];\n"
    );
    assert_eq!(Circuit::from_qasm(&program).unwrap(), circuit);
    assert_eq!(Circuit::new(0).to_measured_qasm3(), Circuit::new(0).to_qasm3());
}

/// The calls of a QIR module as a circuit, in the order of the text.
fn read_qir(module: &str) -> Circuit {
    let attribute = module.split("\"required_num_qubits\"=\"").nth(1).unwrap();
    let mut circuit = Circuit::new(attribute.split('"').next().unwrap().parse().unwrap());
    let body = module.split("body:\n").nth(1).unwrap().split("  br label").next().unwrap();
    for line in body.lines() {
        let call = line.strip_prefix("  call void @__quantum__qis__").unwrap();
        let (name, arguments) = call.split_once('(').unwrap();
        let gate = Gate::all().find(|gate| {
            let info = gate.info();
            let name = name.trim_end_matches("__body");
            match name.strip_suffix("__adj") {
                Some(name) => info.qasm == format!("{name}dg"),
                None => info.qasm == name.replace("cnot", "cx"),
            }
        });
        let (mut angles, mut qubits) = (Vec::new(), Vec::new());
        for argument in arguments.trim_end_matches(')').replace("ptr)", "ptr").split(", ") {
            match argument.strip_prefix("double 0x") {
                Some(bits) => {
                    let bits = u64::from_str_radix(bits, 16).unwrap();
                    angles.push(Angle::Constant(f64::from_bits(bits)));
                }
                None if argument == "ptr null" => qubits.push(0),
                None => qubits.push(argument.split(' ').nth(3).unwrap().parse().unwrap()),
            }
        }
        circuit.gate(gate.unwrap(), &qubits, &angles);
    }
    circuit
}

#[test]
fn qir_modules_are_the_circuit_and_record_every_qubit() {
    for circuit in circuits() {
        let module = circuit.to_qir().unwrap();
        assert_eq!(read_qir(&module), circuit.decomposed(GateSet::Common).unwrap());
        let n = circuit.n_qubits();
        let count = |text: &str| module.matches(text).count();
        assert_eq!(count("call void @__quantum__qis__mz__body"), n);
        assert_eq!(count("call void @__quantum__rt__result_record_output"), n);
    }
    let module = Circuit::new(12).to_qir().unwrap();
    let eleven = "ptr inttoptr (i64 11 to ptr)";
    assert!(module.contains(&format!("__quantum__qis__mz__body({eleven}, {eleven})")));
    assert!(module.contains(&format!("result_record_output({eleven}, ptr @r11)")));
    assert!(module.contains("@r11 = internal constant [4 x i8] c\"r11\\00\""));
}
