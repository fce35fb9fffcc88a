//! Encodings and templates against states written down by hand.

use crate::common::*;
use burn_quantum::circuit::ansatz::{self, Entanglement};
use burn_quantum::circuit::{Angle, Circuit, Gate, Observable, Pauli};
use burn_quantum::encoding;
use burn_quantum::statevector::{Program, dense};
use num_complex::Complex64;

fn state(circuit: &Circuit, x: &[f64], w: &[f64]) -> Vec<Complex64> {
    dense::state(circuit, x, w).unwrap()
}

fn distance(a: &[Complex64], b: &[Complex64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).norm()).fold(0.0, f64::max)
}

fn normalised(a: &[Complex64]) -> Vec<Complex64> {
    let norm = a.iter().map(|z| z.norm_sqr()).sum::<f64>().sqrt();
    a.iter().map(|z| z / norm).collect()
}

#[test]
fn angle_encoding_is_a_product_state() {
    let x = [0.4f64, -1.1, 2.3];
    let half = |q: usize| (x[q] / 2.0).sin_cos();
    let product = |one: Complex64| -> Vec<Complex64> {
        let factor = |i: usize, q: usize| match i >> q & 1 {
            0 => Complex64::from(half(q).1),
            _ => one * half(q).0,
        };
        (0..8).map(|i| (0..3).map(|q| factor(i, q)).product()).collect()
    };
    let by = |axis| state(&encoding::angle(3, axis), &x, &[]);
    assert!(distance(&by(Pauli::Y), &product(Complex64::ONE)) < 1e-15);
    assert!(distance(&by(Pauli::X), &product(-Complex64::I)) < 1e-15);
    let phase = Complex64::cis(-x.iter().sum::<f64>() / 2.0);
    assert!((by(Pauli::Z)[0] - phase).norm() < 1e-15);
}

#[test]
fn basis_encoding_is_a_basis_state_also_by_angles() {
    let bits = [true, false, true, true];
    let fixed = state(&encoding::basis(&bits), &[], &[]);
    assert_eq!(fixed[0b1101], Complex64::ONE);
    let x = bits.map(|b| if b { std::f64::consts::PI } else { 0.0 });
    let free = state(&encoding::angle(4, Pauli::X), &x, &[]);
    assert!((free[0b1101] - (-Complex64::I).powu(3)).norm() < 1e-15);
}

#[test]
fn amplitude_encoding_prepares_real_vectors_with_their_signs() {
    for n in 1..=7 {
        let a = uniform(&mut rng(n), (1 << n) - (n as usize - 1).min(3), 1.0);
        let circuit = encoding::amplitude(&a).unwrap();
        let mut expected: Vec<_> = a.into_iter().map(Complex64::from).collect();
        expected.resize(1 << n, Complex64::ZERO);
        let difference = distance(&state(&circuit, &[], &[]), &normalised(&expected));
        assert!(difference < 1e-14, "{n} qubits: {difference}");
    }
}

#[test]
fn amplitude_encoding_prepares_complex_vectors_with_their_global_phase() {
    for n in 1..=6u64 {
        let parts = uniform(&mut rng(10 + n), 2 << n, 1.0);
        let mut a: Vec<_> = parts.chunks(2).map(|p| Complex64::new(p[0], p[1])).collect();
        a[1] = Complex64::ZERO;
        let circuit = encoding::amplitude(&a).unwrap();
        let fast = Program::new(&circuit, &[]).unwrap().state::<f64>(&[], &[]).unwrap();
        let difference = distance(&fast, &normalised(&a));
        assert!(difference < 1e-14, "{n} qubits: {difference}");
    }
}

#[test]
fn amplitude_encoding_of_extreme_vectors() {
    let sparse =
        |n: usize, k: usize, x: f64| (0..n).map(|i| if i == k { x } else { 0.0 }).collect();
    let cases: [Vec<f64>; 6] = [
        vec![-1.0],
        vec![-2.0, 0.0],
        sparse(8, 5, -3.0),
        sparse(5, 4, 1e-310),
        vec![1e300, -1e300, 1e300, 1e300],
        vec![-0.0, -1.0],
    ];
    for a in cases {
        let state = state(&encoding::amplitude(&a).unwrap(), &[], &[]);
        let largest = a.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
        let mut scaled: Vec<_> = a.iter().map(|x| Complex64::from(x / largest)).collect();
        scaled.resize(state.len(), Complex64::ZERO);
        assert!(distance(&state, &normalised(&scaled)) < 1e-15, "{a:?}");
    }
}

#[test]
fn amplitude_encoding_refuses_what_has_no_direction() {
    let message = |a: &[f64]| encoding::amplitude(a).unwrap_err().to_string();
    let zero = "the norm of the amplitudes is 0: use a vector with an entry other than 0";
    assert_eq!(message(&[0.0, 0.0]), zero);
    assert_eq!(message(&[]), zero);
    assert_eq!(message(&[1.0, f64::NAN]), "amplitudes[1] is NaN: it must be finite");
    let complex = encoding::amplitude(&[Complex64::new(0.0, f64::INFINITY)]).unwrap_err();
    assert!(complex.is_invalid_value(), "{complex}");
}

/// Twice: Hadamards on all qubits, then the phase of the polynomial on each basis state.
#[test]
fn iqp_is_hadamards_and_a_polynomial_of_the_spins() {
    let x = [0.7, -1.2, 0.4];
    let polynomial = |i: usize| {
        let s = |q: usize| x[q] * (1.0 - 2.0 * (i >> q & 1) as f64);
        s(0) + s(1) + s(2) + s(0) * s(1) + s(0) * s(2) + s(1) * s(2)
    };
    let mut expected = vec![Complex64::ZERO; 8];
    expected[0] = Complex64::ONE;
    for _ in 0..2 {
        let sign =
            |i: usize, j: usize| if (i & j).count_ones().is_multiple_of(2) { 1.0 } else { -1.0 };
        let spread = |i: usize| (0..8).map(|j| sign(i, j) * expected[j]).sum::<Complex64>();
        let phase = |i: usize| Complex64::cis(-polynomial(i) / 2.0) / 8f64.sqrt();
        expected = (0..8).map(|i| phase(i) * spread(i)).collect();
    }
    let actual = state(&encoding::iqp(3, 2), &encoding::iqp_features(&x), &[]);
    assert!(distance(&actual, &expected) < 1e-14);
}

#[test]
fn reuploading_repeats_the_features_with_fresh_weights() {
    let mut features = Circuit::new(2);
    features.ry(Angle::Input(0), 0).ry(Angle::Input(1), 1).rz(Angle::Weight(0), 1);
    let mut ansatz = Circuit::new(2);
    ansatz.rx(Angle::Weight(1), 0).cnot(0, 1).rx(Angle::Weight(0), 1);
    let circuit = encoding::reuploading(&features, &ansatz, 2).unwrap();
    let mut expected = Circuit::new(2);
    for layer in [0, 3] {
        expected.append(&encoding::angle(2, Pauli::Y)).unwrap();
        expected.rz(Angle::Weight(layer), 1).rx(Angle::Weight(layer + 2), 0);
        expected.cnot(0, 1).rx(Angle::Weight(layer + 1), 1);
    }
    assert_eq!(circuit, expected);
    assert!(encoding::reuploading(&Circuit::new(1), &ansatz, 1).is_err());
}

/// `<Z>` of a qubit that reads `x` in L layers is a Fourier series of degree L: its discrete
/// Fourier transform on 2 L + 3 points has no higher frequency.
#[test]
fn reuploading_gives_a_fourier_series_of_its_depth() {
    let (layers, n_points) = (3, 9);
    let encode = encoding::angle(1, Pauli::X);
    let ansatz = ansatz::strongly_entangling(1, 1);
    let circuit = encoding::reuploading(&encode, &ansatz, layers).unwrap();
    let w = uniform(&mut rng(3), circuit.n_weights(), 3.0);
    let point = |k: usize| std::f64::consts::TAU * k as f64 / n_points as f64;
    let x: Vec<f64> = (0..n_points).map(point).collect();
    let program = Program::new(&circuit, &Observable::each_z(1)).unwrap();
    let z = program.expectation(n_points, &x, &w).unwrap();
    let coefficient = |k: usize| {
        z.iter().zip(&x).map(|(z, x)| z * Complex64::cis(-(k as f64) * x)).sum::<Complex64>()
    };
    assert!(coefficient(layers).norm() > 1e-3 && coefficient(layers + 1).norm() < 1e-13);
}

#[test]
fn templates_are_the_circuits_they_describe() {
    let mut expected = Circuit::new(3);
    for layer in 0..2 {
        for q in 0..3 {
            expected.rx(Angle::Weight(3 * layer + q), q);
        }
        expected.cnot(0, 1).cnot(1, 2).cnot(2, 0);
    }
    assert_eq!(ansatz::basic_entangler(3, Gate::RX, 2), expected);
    assert_eq!(ansatz::basic_entangler(2, Gate::RX, 1).operations().len(), 3);
    assert_eq!(ansatz::basic_entangler(1, Gate::RX, 1).operations().len(), 1);

    let mut expected = Circuit::new(2);
    expected.ry(Angle::Weight(0), 0).ry(Angle::Weight(1), 1);
    expected.gate(Gate::CRZ, &[0, 1], &[Angle::Weight(2)]);
    expected.ry(Angle::Weight(3), 0).ry(Angle::Weight(4), 1);
    assert_eq!(ansatz::two_local(2, &[Gate::RY], Gate::CRZ, Entanglement::Linear, 1), expected);
}

#[test]
fn real_amplitudes_are_real() {
    for pairs in [Entanglement::Linear, Entanglement::Circular, Entanglement::Full] {
        let circuit = ansatz::real_amplitudes(4, pairs, 3);
        let w = uniform(&mut rng(4), circuit.n_weights(), 3.0);
        assert!(state(&circuit, &[], &w).iter().all(|z| z.im.abs() < 1e-15));
    }
}

/// One layer of QAOA on a ring cuts 3/4 of its edges at the best angles (Farhi et al. 2014,
/// section 4).
#[test]
fn qaoa_cuts_three_quarters_of_a_ring() {
    let n = 6;
    let edges = Entanglement::Circular.pairs(n);
    let zz = edges.iter().map(|&(i, j)| (0.5, format!("Z{i} Z{j}").parse().unwrap()));
    let cut = Observable::new(zz).unwrap();
    let program = Program::new(&ansatz::qaoa_max_cut(n, &edges, 1), &[cut]).unwrap();
    let quarter = std::f64::consts::FRAC_PI_4;
    let mean = program.expectation(1, &[], &[-quarter, quarter]).unwrap()[0];
    assert!((n as f64 / 2.0 - mean - 0.75 * n as f64).abs() < 1e-13, "{mean}");
}
