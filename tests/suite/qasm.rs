//! OpenQASM: out, in, and what is refused where.

use crate::common::*;
use burn_quantum::circuit::{Angle, Circuit, Gate, Operation};
use burn_quantum::statevector::dense;
use num_complex::Complex64;
use rand::RngExt;

const V2: &str = "OPENQASM 2.0; include \"qelib1.inc\"; ";
const V3: &str = "OPENQASM 3.0; include \"stdgates.inc\"; ";

fn read(text: &str) -> Circuit {
    Circuit::from_qasm(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn state(circuit: &Circuit) -> Vec<Complex64> {
    dense::state(circuit, &[], &[]).unwrap()
}

/// A circuit without symmetries, before the one under test.
fn scrambled(n_qubits: usize, circuit: &Circuit) -> Vec<Complex64> {
    let mut all = Circuit::new(n_qubits);
    for q in 0..n_qubits {
        all.ry(0.3 + q as f64, q).rz(1.1 * q as f64 - 0.4, q);
    }
    all.cnot_chain();
    state(all.append(circuit).unwrap())
}

/// `1 - |<a|b>|`, on scrambled states: zero for equal circuits up to a global phase.
fn infidelity(a: &Circuit, b: &Circuit) -> f64 {
    let n = a.n_qubits();
    assert_eq!(n, b.n_qubits());
    let (a, b) = (scrambled(n, a), scrambled(n, b));
    1.0 - a.iter().zip(&b).map(|(a, b)| a.conj() * b).sum::<Complex64>().norm()
}

fn same(program: &str, circuit: &Circuit) {
    assert!(infidelity(&read(program), circuit) < 1e-14, "{program}");
}

fn table() -> impl Iterator<Item = Operation> {
    Gate::all().map(|gate| {
        let angles: Vec<Angle> =
            [0.7, -1.3e-9, 2.1].map(Angle::Constant)[..gate.info().n_angles].into();
        Operation::new(gate, &[2, 0, 3][..gate.info().n_qubits()], &angles).unwrap()
    })
}

fn single(operation: Operation) -> Circuit {
    let mut circuit = Circuit::new(5);
    circuit.push(operation).unwrap();
    circuit
}

#[test]
fn the_whole_gate_table_round_trips() {
    for operation in table() {
        let circuit = single(operation.clone());
        assert_eq!(read(&circuit.to_qasm3()), circuit);
        assert_eq!(read(&circuit.to_qasm2().unwrap()), circuit);
        for controls in [&[4][..], &[4, 1]] {
            let circuit = single(operation.clone().with_controls(controls).unwrap());
            let back = read(&circuit.to_qasm3());
            assert!(back == circuit || operation.gate() == Gate::U, "{}", circuit.to_qasm3());
            assert!(infidelity(&back, &circuit) < 1e-14, "{}", circuit.to_qasm3());
            if let Ok(program) = circuit.to_qasm2() {
                same(&program, &circuit);
            }
        }
    }
}

#[test]
fn random_circuits_round_trip_with_their_parameters() {
    for seed in 0..20 {
        let mut rng = rng(seed);
        let n = 1 + seed as usize % 5;
        let circuit = random_circuit(&mut rng, n, 30);
        let back = read(&circuit.to_qasm3());
        let (x, w) = (uniform(&mut rng, n, 3.0), uniform(&mut rng, n, 3.0));
        let bound = circuit.bind(&x, &w).unwrap();
        assert!(infidelity(&back.bind(&x, &w).unwrap(), &bound) < 1e-13);
        let is_moved = |op: &Operation| op.gate() == Gate::U && !op.controls().is_empty();
        if !circuit.operations().iter().any(is_moved) {
            assert_eq!(back, circuit);
        }
        let plain = random_runs(&mut rng, n, 30).bind(&x, &w).unwrap();
        assert_eq!(read(&plain.to_qasm2().unwrap()), plain);
        assert_eq!(read(&plain.to_qasm3()), plain);
    }
}

/// The definitions that we write and recognise, under other names, which we do not.
#[test]
fn exported_definitions_are_the_gates_that_they_name() {
    for operation in table() {
        let circuit = single(operation.clone());
        let name = operation.gate().info().qasm;
        let renamed = |program: String| {
            program.replace(&format!("{name}("), "other(").replace(&format!("{name} "), "other ")
        };
        for program in [circuit.to_qasm2().unwrap(), circuit.to_qasm3()] {
            if program.contains(&format!("gate {name}")) {
                same(&renamed(program), &circuit);
            }
        }
    }
}

#[test]
fn exported_text_is_literal() {
    let mut circuit = Circuit::new(3);
    circuit.h(0).rx(Angle::Input(10), 1).rx(Angle::Input(2), 1).rz(Angle::Weight(0), 2);
    circuit.gate(Gate::RZZ, &[0, 2], &[1e-7.into()]).gate(Gate::SXdg, &[1], &[]);
    let toffoli = Operation::new(Gate::CNOT, &[0, 1], &[]).unwrap();
    circuit.push(toffoli.with_controls(&[2]).unwrap()).unwrap();
    let u = Operation::new(Gate::U, &[0], &[1.0.into(), Angle::Weight(0), (-2.5).into()]).unwrap();
    circuit.push(u.with_controls(&[1, 2]).unwrap()).unwrap();
    let program = "OPENQASM 3.0;
include \"stdgates.inc\";
gate rzz(theta) a, b { cx a, b; rz(theta) b; cx a, b; }
input float[64] w_0;
input float[64] x_2;
input float[64] x_10;
qubit[3] q;
h q[0];
rx(x_10) q[1];
rx(x_2) q[1];
rz(w_0) q[2];
rzz(1.0e-7) q[0], q[2];
inv @ sx q[1];
ctrl @ cx q[2], q[0], q[1];
ctrl @ cu(1.0, w_0, -2.5, 0) q[1], q[2], q[0];
";
    assert_eq!(circuit.to_qasm3(), program);
    let message = |circuit: &Circuit| circuit.to_qasm2().unwrap_err().to_string();
    assert_eq!(
        message(&circuit),
        "OpenQASM 2 cannot express the free angle Input(10): `bind` the circuit first"
    );
    let rxx = Operation::new(Gate::RXX, &[0, 1], &[0.5.into()]).unwrap();
    assert_eq!(
        message(&single(rxx.with_controls(&[2]).unwrap())),
        "OpenQASM 2 cannot express RXX with 1 controls in all: use `to_qasm3`"
    );
    let swap = Operation::new(Gate::SWAP, &[0, 1], &[]).unwrap();
    let program = "OPENQASM 2.0;
include \"qelib1.inc\";
gate cswap a, b, c { cx c, b; ccx a, b, c; cx c, b; }
qreg q[5];
cswap q[4], q[0], q[1];
";
    assert_eq!(single(swap.with_controls(&[4]).unwrap()).to_qasm2().unwrap(), program);
    let empty = Circuit::new(0);
    assert_eq!(read(&empty.to_qasm3()), empty);
    assert_eq!(read(&empty.to_qasm2().unwrap()), empty);
}

#[test]
fn known_programs_have_known_states() {
    let bell = format!("{V2} qreg a[1]; qreg b[1]; creg c[2]; h a; cx a, b; measure a[0] -> c[0];");
    let amplitudes = state(&read(&bell));
    assert!((amplitudes[0].re - 0.5f64.sqrt()).abs() < 1e-15);
    assert!((amplitudes[3].re - 0.5f64.sqrt()).abs() < 1e-15);

    // The quantum Fourier transform of |5> on three qubits, whose amplitudes are powers of w.
    let qft = format!(
        "{V3} const int n = 3; qubit[n] q; bit[n] c; x q[0]; x q[2];
        h q[2]; cp(pi/2) q[1], q[2]; cp(pi/4) q[0], q[2]; h q[1]; cp(pi/2) q[0], q[1]; h q[0];
        swap q[0], q[n-1]; c = measure q;"
    );
    for (k, amplitude) in state(&read(&qft)).into_iter().enumerate() {
        let w = Complex64::cis(std::f64::consts::TAU * 5.0 * k as f64 / 8.0) / 8f64.sqrt();
        assert!((amplitude - w).norm() < 1e-14, "{k}");
    }
}

#[test]
fn names_of_both_files_are_our_gates() {
    let (half, a, b, c) = (std::f64::consts::FRAC_PI_2, 0.3, -0.4, 0.5);
    let mut u = Circuit::new(2);
    u.gate(Gate::U, &[0], &[a.into(), b.into(), c.into()]);
    for call in ["u3", "u", "U"] {
        assert_eq!(read(&format!("{V2} qreg q[2]; {call}(0.3, -0.4, 0.5) q[0];")), u);
    }
    assert_eq!(read(&format!("{V3} qubit[2] q; u3(0.3, -0.4, 0.5) q[0];")), u);
    assert_eq!(read("OPENQASM 3; qubit[2] q; U(0.3, -0.4, 0.5) q[0];"), u);
    let mut u2 = Circuit::new(2);
    u2.gate(Gate::U, &[0], &[half.into(), b.into(), c.into()]);
    for head in [V2, V3] {
        assert_eq!(read(&format!("{head} qreg q[2]; u2(-0.4, 0.5) q[0];")), u2);
    }
    for call in ["csx q[0], q[1]", "h q[1]; cu1(pi/2) q[0], q[1]; h q[1]"] {
        let mut csx = Circuit::new(2);
        let sx = Operation::new(Gate::SX, &[1], &[]).unwrap();
        csx.push(sx.with_controls(&[0]).unwrap()).unwrap();
        same(&format!("{V2} qreg q[2]; {call};"), &csx);
    }
    let mut cu = Circuit::new(2);
    cu.gate(Gate::CU, &[0, 1], &[a.into(), b.into(), c.into()]).gate(Gate::P, &[0], &[0.9.into()]);
    for head in [V2, V3] {
        same(&format!("{head} qreg q[2]; cu(0.3, -0.4, 0.5, 0.9) q[0], q[1];"), &cu);
    }
    // Margolus' gate: Y where both controls are 1, and a sign on |101>.
    let mut margolus = Circuit::new(3);
    let with = |gate, qubits: &[usize]| {
        Operation::new(gate, qubits, &[]).unwrap().with_controls(&[1]).unwrap()
    };
    margolus.push(with(Gate::CY, &[0, 2])).unwrap().x(1);
    margolus.push(with(Gate::CZ, &[0, 2])).unwrap().x(1);
    same(&format!("{V2} qreg q[3]; rccx q[0], q[1], q[2];"), &margolus);
}

/// By the definitions in `stdgates.inc`, where `U` carries `exp(i theta/2)`.
#[test]
fn controls_see_the_global_phases_of_openqasm_3() {
    let control = |call: &str| format!("{V3} qubit[2] q; ctrl @ {call} q[0], q[1];");
    let [theta, phi, lambda] = [0.7, -1.3, 2.1];
    let cu = |phase: f64| {
        let mut circuit = Circuit::new(2);
        circuit.gate(Gate::CU, &[0, 1], &[theta, phi, lambda].map(Angle::Constant));
        circuit.gate(Gate::P, &[0], &[phase.into()]);
        circuit
    };
    same(&control("U(0.7, -1.3, 2.1)"), &cu(theta / 2.0));
    same(&control("u3(0.7, -1.3, 2.1)"), &cu(-(phi + lambda) / 2.0));
    for (call, definition) in [
        ("x", "U(pi, 0, pi) a; gphase(-pi/2);"),
        ("y", "U(pi, pi/2, pi/2) a; gphase(-pi/2);"),
        ("h", "U(pi/2, 0, pi) a; gphase(-pi/4);"),
        ("rx(0.7)", "U(0.7, -pi/2, pi/2) a; gphase(-0.7/2);"),
        ("ry(0.7)", "U(0.7, 0, 0) a; gphase(-0.7/2);"),
        ("rz(0.7)", "gphase(-0.7/2); U(0, 0, 0.7) a;"),
        ("p(0.7)", "ctrl @ gphase(0.7) a;"),
        ("u2(0.7, 0.2)", "gphase(-(0.7 + 0.2 + pi/2)/2); U(pi/2, 0.7, 0.2) a;"),
        ("sx", "rx(pi/2) a; gphase(pi/4);"),
    ] {
        let defined = format!("{V3} gate g a {{ {definition} }} qubit[2] q; ctrl @ g q[0], q[1];");
        same(&defined, &read(&control(call)));
    }
    let cu4 = format!(
        "{V3} gate g(t, p, l, y) a, b {{ p(y - t/2) a; ctrl @ U(t, p, l) a, b; }}
        qubit[2] q; g(0.7, -1.3, 2.1, 0.4) q[0], q[1];"
    );
    same(&cu4, &read(&format!("{V3} qubit[2] q; cu(0.7, -1.3, 2.1, 0.4) q[0], q[1];")));
}

#[test]
fn modifiers_are_what_they_say() {
    let mut circuit = Circuit::new(3);
    circuit.x(1).gate(Gate::CCX, &[0, 1, 2], &[]).x(1);
    same(&format!("{V3} qubit[3] q; ctrl @ negctrl @ x q[0], q[1], q[2];"), &circuit);
    let mut circuit = Circuit::new(3);
    circuit.rx(-0.6, 0).rx(0.9, 1);
    let program =
        "qubit[3] q; pow(-2) @ rx(0.3) q[0]; inv @ pow(-3) @ rx(0.3) q[1]; pow(0) @ h q[2];";
    same(&format!("{V3} {program}"), &circuit);
    let defined = format!(
        "{V3} gate g(a) x, y {{ h x; cx x, y; rz(a) y; t x; }} qubit[3] q;
        ctrl(1) @ g(0.4) q[2], q[0], q[1]; inv @ ctrl @ g(0.4) q[2], q[0], q[1];"
    );
    same(&defined, &Circuit::new(3));
    for gate in ["U(0.7, -1.3, 2.1)", "ctrl @ U(0.7, -1.3, 2.1)", "u2(0.7, 0.2)", "sx", "s", "t"] {
        let qubits = if gate.contains("ctrl") { "q[0], q[1]" } else { "q[1]" };
        let undone = format!("{V3} qubit[2] q; {gate} {qubits}; inv @ {gate} {qubits};");
        same(&undone, &Circuit::new(2));
    }
}

#[test]
fn registers_are_one_after_the_other_and_gates_run_over_them() {
    let mut circuit = Circuit::new(5);
    circuit.h(0).h(1).cnot(0, 2).cnot(1, 3).cz(4, 2).cz(4, 3);
    let program = "qubit[2] a; qubit[2] b; qubit c; h a; cx a, b; barrier a, c; barrier; cz c, b;";
    assert_eq!(read(&format!("{V3} {program}")), circuit);
    let program = "qreg a[2]; qreg b[2]; qreg c[1]; h a; cx a, b; barrier a; cz c[0], b;";
    assert_eq!(read(&format!("{V2} {program}")), circuit);
}

#[test]
fn definitions_take_parameters_and_older_headers_may_be_completed() {
    let program = format!(
        "{V2} gate turn(a, b) q, r {{ ry(a*2) q; barrier q, r; rz(-b) r; }} // two turns
        gate twice(a) q, r {{ turn(a, a/2) q, r; turn(a, a/2) q, r; }}
        gate swap a, b {{ cx a, b; cx b, a; cx a, b; }}
        qreg q[2]; twice(0.5) q[1], q[0]; swap q[0], q[1];"
    );
    let mut circuit = Circuit::new(2);
    circuit.ry(1.0, 1).rz(-0.25, 0).ry(1.0, 1).rz(-0.25, 0).gate(Gate::SWAP, &[0, 1], &[]);
    same(&program, &circuit);
}

/// Our definition of a gate is that gate only where the gates in it are the standard ones.
#[test]
fn a_definition_of_ours_over_other_gates_is_expanded() {
    let rzz = "gate rzz(theta) a, b { cx a, b; rz(theta) b; cx a, b; }";
    let rest = format!("{rzz} qreg bit[2]; rzz(0.5) bit[0], bit[1];");
    let mut circuit = Circuit::new(2);
    circuit.gate(Gate::RZZ, &[0, 1], &[0.5.into()]);
    assert_eq!(read(&format!("{V2} {rest}")), circuit);
    let mut circuit = Circuit::new(2);
    circuit.cz(0, 1).rz(0.5, 1).cz(0, 1);
    assert_eq!(read(&format!("{V2} gate cx a, b {{ cz a, b; }} {rest}")), circuit);
}

#[test]
fn inputs_are_angles() {
    let program = format!(
        "{V3} input float[64] x_3; input angle w_0; input float w_1; const float half = 0.5;
        gate g(a) q {{ rx(a) q; }}
        qubit[2] q; ry(x_3) q[0]; g(w_0) q; cu(w_1, half, 0, 0) q[0], q[1]; U(w_1, 0, 0) q[0];"
    );
    let mut circuit = Circuit::new(2);
    circuit.ry(Angle::Input(3), 0).rx(Angle::Weight(0), 0).rx(Angle::Weight(0), 1);
    circuit.gate(Gate::CU, &[0, 1], &[Angle::Weight(1), 0.5.into(), 0.0.into()]);
    circuit.gate(Gate::U, &[0], &[Angle::Weight(1), 0.0.into(), 0.0.into()]);
    assert_eq!(read(&program), circuit);
}

#[test]
fn what_is_not_a_circuit_is_refused_where_it_stands() {
    for (program, message) in [
        ("OPENQASM 4.0;", "line 1, column 10: `4.0` is not a supported version: use 2.0 or 3.0"),
        (
            "OPENQASM 2.0;\ninclude \"stdgates.inc\";",
            "line 2, column 9: `\"stdgates.inc\"` cannot be included: only \"qelib1.inc\" is \
             built in",
        ),
        (
            "qubit q;\nh q;",
            "line 2, column 1: `h` is not a known gate: include \"stdgates.inc\" or define it \
             before",
        ),
        (
            "qubit q;\n  if (true) { }",
            "line 2, column 3: `if` is not supported: a circuit is a fixed list of gates",
        ),
        (
            "OPENQASM 2.0;\nopaque magic q;",
            "line 2, column 1: `opaque` is not supported: a circuit is a fixed list of gates",
        ),
        (
            "qubit[2] q;\nU(0, 0, 0) r[0];",
            "line 2, column 12: `r` is not declared: declare qubits before the gates on them",
        ),
        ("qubit[2] q;\nU(0, 0, 0) q[2];", "line 2, column 14: `2` needs an integer from 0 to 1"),
        ("qubit[2] q;\nU(0, 0) q;", "line 2, column 1: `U` takes 3 parameters, got 2"),
        (
            "qubit[2] q;\nctrl @ U(0, 0, 0) q[1];",
            "line 2, column 8: `U` takes 2 qubits with its controls, got 1",
        ),
        (
            "qubit[2] q;\nctrl @ U(0, 0, 0) q[1], q;",
            "line 2, column 8: `U` takes the same qubit twice: they must differ",
        ),
        (
            "OPENQASM 2.0;\nqreg a[2]; qreg b[3];\nCX a, b;",
            "line 3, column 1: `CX` needs registers of one size: 2 and 3",
        ),
        (
            "qubit[2] q; bit c;\nc = measure q[1];\nU(0, 0, 0) q;",
            "line 3, column 1: `U` acts on qubit 1 after its measurement on line 2: measure at \
             the end",
        ),
        (
            "qubit[2] q; bit c;\nc = measure q;",
            "line 2, column 1: `c` is measured from 2 qubits to 1 bits: use as many",
        ),
        (
            "gate g q {\n g q; }",
            "line 2, column 2: `g` calls itself: a definition may use earlier gates only",
        ),
        ("gate g q { U(0, 0, 0) r; }", "line 1, column 23: `r` is not a qubit of this definition"),
        ("gate g q, q { }", "line 1, column 11: `q` comes twice"),
        ("qubit q;\nqubit q;", "line 2, column 7: `q` has a meaning already: choose another name"),
        ("qubit q", "line 1, column 8: the end of the program stands where `;` is expected"),
        (
            "qubit q;\npow(0.5) @ U(0, 0, 0) q;",
            "line 2, column 5: `0.5` needs an integer from -1048576 to 1048576",
        ),
        (
            "input float theta;",
            "line 1, column 13: `theta` is not an input: call features x_0, x_1 and weights w_0, \
             w_1",
        ),
        (
            "input float x_0; qubit q;\nU(x_0/2, 0, 0) q;",
            "line 2, column 6: `/` computes with a free parameter: x_i and w_i can only be angles \
             as they stand, so bind them or compute before",
        ),
        (
            "input float x_0; qubit[2] q;\nctrl @ U(x_0, 0, 0) q[0], q[1];",
            "line 2, column 8: `U` computes with a free parameter: x_i and w_i can only be angles \
             as they stand, so bind them or compute before",
        ),
        (
            "const angle a = 1;",
            "line 1, column 7: `angle` cannot be the type of a constant: use float or int",
        ),
        ("qubit[9999] q;", "line 1, column 7: `9999` needs an integer from 1 to 4096"),
        ("qubit q; $0;", "line 1, column 10: `$` stands where a statement is expected"),
        (
            "gate measure q { }",
            "line 1, column 6: `measure` has a meaning already: choose another name",
        ),
    ] {
        let error = Circuit::from_qasm(program).unwrap_err();
        assert!(error.is_syntax());
        assert_eq!(error.to_string(), message, "{program}");
    }
}

/// Programs that are short to write and long to run.
#[test]
fn bombs_are_defused() {
    let inverses = "inv @ ".repeat(10_000);
    for innermost in ["U(0, 0, 0) q;", "", &format!("{inverses} gphase(0);")] {
        let mut program = format!("gate g0 q {{ {innermost} }} ");
        for k in 1..60 {
            program += &format!("gate g{k} q {{ g{} q; g{} q; }} ", k - 1, k - 1);
        }
        refused_for_its_size(&(program + "qubit q; g59 q;"));
    }
    let power = "qubit q; pow(1000000) @ pow(1000000) @ U(0, 0, 0) q;";
    refused_for_its_size(power);
}

fn refused_for_its_size(program: &str) {
    let error = Circuit::from_qasm(program).unwrap_err().to_string();
    assert!(error.contains("brings the program over the limit of 1048576 gates"), "{error}");
}

#[test]
fn definitions_nest_64_deep() {
    let mut chain = "gate g0 q { }\n".to_owned();
    (1..70).for_each(|k| chain += &format!("gate g{k} q {{ g{} q; }}\n", k - 1));
    let error = Circuit::from_qasm(&chain).unwrap_err().to_string();
    assert_eq!(error, "line 65, column 6: `g64` nests deeper than 64 definitions: expand it");
}

/// Pieces of valid programs in any order, and valid programs cut and altered anywhere: an answer
/// or an error with a position, never a panic.
#[test]
fn no_text_panics() {
    let mut rng = rng(77);
    let programs = [
        random_circuit(&mut rng, 4, 30).to_qasm3(),
        random_runs(&mut rng, 3, 20).bind(&[0.1; 3], &[0.2; 3]).unwrap().to_qasm2().unwrap(),
        format!(
            "{V3} const int n = 2; gate g(a) x, y {{ gphase(a/2); ctrl @ inv @ rx(-a**2) x, y; }}
            qubit[n] q; bit[n] c; pow(-2) @ inv @ g(sin(π)) q[0], q[1]; /* é */ c = measure q;"
        ),
    ];
    programs.iter().for_each(|program| drop(read(program)));
    let pieces: Vec<String> =
        programs.iter().flat_map(|p| p.split_inclusive(' ')).map(String::from).collect();
    for _ in 0..2000 {
        let n = rng.random_range(0..30);
        let random = (0..n).map(|_| pieces[rng.random_range(0..pieces.len())].as_str());
        let text: String = random.collect();
        check(&text);
        let program = &programs[rng.random_range(0..programs.len())];
        let mut chars: Vec<char> = program.chars().collect();
        chars.truncate(rng.random_range(0..chars.len()));
        for _ in 0..rng.random_range(0..4) {
            let at = rng.random_range(0..chars.len() + 1);
            let strange =
                ['(', ')', '[', '9', '-', '*', '@', 'é', '"', '.', ';', '\u{0}', '/', 'e'];
            let c = strange[rng.random_range(0..strange.len())];
            if at < chars.len() && rng.random_bool(0.5) {
                chars[at] = c
            } else {
                chars.insert(at, c)
            }
        }
        check(&chars.into_iter().collect::<String>());
    }
}

fn check(text: &str) {
    if let Err(error) = Circuit::from_qasm(text) {
        let message = error.to_string();
        assert!(error.is_syntax() && message.starts_with("line "), "{message}\n{text}");
    }
}
