//! Circuits in the gates of IBM's processors, as OpenQASM 3 on their qubits.

use crate::circuit::Circuit;
use crate::error::Error;
use crate::hardware::native::{Coupling, Euler, Pair, Step, euler, lowered, merged};
use crate::hardware::service::number;
use std::f64::consts::{FRAC_PI_2, PI, TAU};

/// Angles below this are rounding.
const ROUNDING: f64 = 1e-12;

/// The standard library lacks it.
const ECR: &str = "gate ecr a, b { h b; cx a, b; rz(pi/2) b; cx a, b; h b; x a; }\n";

#[derive(Debug, Clone, Copy, PartialEq)]
enum Turn {
    Rz(f64),
    Sx,
    X,
}

/// A turn in at most two square roots of X; turns about Z cost nothing on these processors.
fn turns(matrix: &[num_complex::Complex64; 4]) -> Vec<Turn> {
    let Euler { theta, phi, lambda, .. } = euler(matrix);
    let all = if theta < ROUNDING {
        vec![Turn::Rz(phi + lambda)]
    } else if (theta - FRAC_PI_2).abs() < ROUNDING {
        vec![Turn::Rz(lambda - FRAC_PI_2), Turn::Sx, Turn::Rz(phi + FRAC_PI_2)]
    } else if (theta - PI).abs() < ROUNDING {
        vec![Turn::Rz(lambda - FRAC_PI_2), Turn::X, Turn::Rz(phi + FRAC_PI_2)]
    } else {
        vec![Turn::Rz(lambda), Turn::Sx, Turn::Rz(theta + PI), Turn::Sx, Turn::Rz(phi + PI)]
    };
    let reduced = |turn| match turn {
        Turn::Rz(angle) => Turn::Rz(angle - TAU * (angle / TAU).round()),
        turn => turn,
    };
    let is_seen = |turn: &Turn| !matches!(turn, Turn::Rz(angle) if angle.abs() < ROUNDING);
    all.into_iter().map(reduced).filter(is_seen).collect()
}

fn name(pair: Pair) -> &'static str {
    match pair {
        Pair::Cnot => "cx",
        Pair::Cz => "cz",
        Pair::Ecr => "ecr",
    }
}

/// The gate on pairs among the names of a processor's gates.
pub(super) fn pair_of(gates: &[String]) -> Option<Pair> {
    let has = |pair: &Pair| gates.iter().any(|gate| gate == name(*pair));
    [Pair::Cz, Pair::Ecr, Pair::Cnot].into_iter().find(has)
}

/// The program of a circuit whose angles are constants, which measures qubit `k` into bit `k`.
pub(super) fn source(
    circuit: &Circuit,
    coupling: &Coupling,
    pair: Pair,
    device: &str,
) -> Result<String, Error> {
    let n = circuit.n_qubits();
    let routed = coupling.route(&lowered(circuit)?, n, device)?;
    let is_pair = |a, b| coupling.is_pair(a, b);
    let steps = merged(pair.translated(routed.steps, is_pair), coupling.n_qubits());
    let mut text = "OPENQASM 3.0;\ninclude \"stdgates.inc\";\n".to_owned();
    if pair == Pair::Ecr {
        text += ECR;
    }
    text += &format!("bit[{n}] c;\n");
    for step in &steps {
        match step {
            Step::Pair(a, b) => text += &format!("{} ${a}, ${b};\n", name(pair)),
            Step::Turn(matrix, qubit) => text.extend(turns(matrix).iter().map(|turn| match turn {
                Turn::Rz(angle) => format!("rz({}) ${qubit};\n", number(*angle)),
                Turn::Sx => format!("sx ${qubit};\n"),
                Turn::X => format!("x ${qubit};\n"),
            })),
        }
    }
    let measures = routed.places.iter().enumerate();
    text.extend(measures.map(|(k, place)| format!("c[{k}] = measure ${place};\n")));
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hardware::native::oracle;

    /// The unitary part, with the processor's qubits as a register.
    fn read(source: &str, n: usize) -> Circuit {
        let mut text = String::new();
        for line in
            source.lines().filter(|line| !line.contains("measure") && !line.starts_with("bit"))
        {
            text += &format!("{line}\n");
            if line.starts_with("include") {
                text += &format!("qubit[{n}] q;\n");
            }
        }
        for q in 0..n {
            text = text.replace(&format!("${q},"), &format!("q[{q}],"));
            text = text.replace(&format!("${q};"), &format!("q[{q}];"));
        }
        Circuit::from_qasm(&text).unwrap()
    }

    #[test]
    fn the_whole_table_is_the_same_in_ibms_gates() {
        for pair in [Pair::Cz, Pair::Ecr, Pair::Cnot] {
            for circuit in oracle::whole_table() {
                let n = circuit.n_qubits();
                // Any order of the qubits would do, but this is compared entry by entry.
                let pairs = (0..n).flat_map(|a| (0..a).map(move |b| (a, b)));
                let coupling = Coupling::new(n, pairs);
                let text = source(&circuit, &coupling, pair, "").unwrap();
                let places = places(&text, n);
                let (found, exact) =
                    (oracle::of_circuit(&read(&text, n)), oracle::of_circuit(&circuit));
                let moved = |i: usize| (0..n).map(|k| (i >> k & 1) << places[k]).sum::<usize>();
                let rows = |i: usize| (0..1 << n).map(|j| found[moved(i)][moved(j)]).collect();
                let found: oracle::Rows = (0..1 << n).map(rows).collect();
                assert!(oracle::agree(&found, &exact), "{circuit:?}\n{text}");
            }
        }
    }

    /// Where each bit is measured.
    fn places(text: &str, n: usize) -> Vec<usize> {
        let place = |k: usize| {
            let (_, rest) = text.split_once(&format!("c[{k}] = measure $")).unwrap();
            rest.split_once(';').unwrap().0.parse().unwrap()
        };
        (0..n).map(place).collect()
    }

    #[test]
    fn programs_are_as_ibm_documents_them() {
        let mut bell = Circuit::new(2);
        bell.h(0).cnot(0, 1);
        let coupling = Coupling::new(3, [(1, 2)]);
        assert_eq!(
            source(&bell, &coupling, Pair::Cnot, "").unwrap(),
            "OPENQASM 3.0;\ninclude \"stdgates.inc\";\nbit[2] c;\nrz(1.5707963267948966) $1;\n\
             sx $1;\nrz(1.5707963267948966) $1;\ncx $1, $2;\nc[0] = measure $1;\nc[1] = measure $2;\n"
        );
        let names = |gates: &[&str]| gates.iter().map(|g| g.to_string()).collect::<Vec<_>>();
        assert_eq!(pair_of(&names(&["rz", "cx", "ecr"])), Some(Pair::Ecr));
        assert_eq!(pair_of(&names(&["rz", "sx"])), None);
    }
}
