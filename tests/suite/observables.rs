//! The algebra of observables against dense matrices.

use crate::common::*;
use burn_quantum::circuit::{MAX_HERMITIAN_QUBITS, Observable, PauliString};
use burn_quantum::statevector::dense;
use num_complex::Complex64;

type Matrix = Vec<Vec<Complex64>>;

fn matrix(observable: &Observable, n: usize) -> Matrix {
    dense::observable_matrix(observable, n)
}

fn distance(a: &Matrix, b: &Matrix) -> f64 {
    let pairs = a.iter().flatten().zip(b.iter().flatten());
    pairs.map(|(a, b)| (a - b).norm()).fold(0.0, f64::max)
}

fn scaled(a: &Matrix, c: Complex64) -> Matrix {
    a.iter().map(|row| row.iter().map(|z| z * c).collect()).collect()
}

fn added(a: &Matrix, b: &Matrix) -> Matrix {
    let row = |(a, b): (&Vec<Complex64>, &Vec<Complex64>)| -> Vec<Complex64> {
        a.iter().zip(b).map(|(a, b)| a + b).collect()
    };
    a.iter().zip(b).map(row).collect()
}

fn strings(n: usize) -> Vec<PauliString> {
    let single =
        |q: usize| [PauliString::IDENTITY, PauliString::x(q), PauliString::y(q), PauliString::z(q)];
    (0..n).fold(vec![PauliString::IDENTITY], |all, q| {
        all.iter().flat_map(|&s| single(q).map(|p| s * p)).collect()
    })
}

#[test]
fn every_product_of_strings_is_that_of_their_matrices() {
    let n = 2;
    for (a, b) in strings(n).iter().flat_map(|&a| strings(n).into_iter().map(move |b| (a, b))) {
        let (phase, string) = a.product(b);
        let of = |s: PauliString| matrix(&s.into(), n);
        let ab = dense::multiply(&of(a), &of(b));
        assert!(distance(&ab, &scaled(&of(string), phase)) < 1e-15, "{a} * {b}");
        let ba = dense::multiply(&of(b), &of(a));
        assert_eq!(a.commutes_with(b), distance(&ab, &ba) < 1e-15, "{a}, {b}");
        let factors = |s: PauliString| {
            let text = s.to_string();
            text.split(' ').filter(|f| *f != "I").map(str::to_owned).collect::<Vec<_>>()
        };
        let clash = |f: &String| factors(b).iter().any(|g| f != g && f[1..] == g[1..]);
        assert_eq!(a.commutes_qubit_wise_with(b), !factors(a).iter().any(clash), "{a}, {b}");
    }
}

#[test]
fn sums_multiples_and_squares_are_those_of_the_matrices() {
    let (n, mut rng) = (3, rng(1));
    for _ in 0..10 {
        let [a, b] = [0, 1].map(|k| random_observables(&mut rng, n)[n + k].clone());
        let (a_matrix, b_matrix) = (matrix(&a, n), matrix(&b, n));
        let minus = scaled(&b_matrix, Complex64::from(-0.7));
        let combined = a.clone() - 0.7 * b.clone();
        assert!(distance(&matrix(&combined, n), &added(&a_matrix, &minus)) < 1e-15);
        let square = matrix(&a.product(&a).unwrap(), n);
        assert!(distance(&square, &dense::multiply(&a_matrix, &a_matrix)) < 1e-15);
        assert!((a.clone() - a).terms().is_empty());
    }
}

#[test]
fn a_product_that_is_not_hermitian_is_refused() {
    let (x, z) = (Observable::from(PauliString::x(0)), Observable::from(PauliString::z(0)));
    let error = x.product(&z).unwrap_err();
    assert!(error.is_invalid_value());
    assert_eq!(
        error.to_string(),
        "the product has -1i times `Y0`: an observable must be Hermitian, and only factors that \
         commute have a Hermitian product"
    );
    let zz = z.product(&PauliString::z(1).into()).unwrap();
    assert_eq!(zz, (PauliString::z(0) * PauliString::z(1)).into());
}

fn random_hermitian(seed: u64, dim: usize) -> Vec<Complex64> {
    let parts = uniform(&mut rng(seed), 2 * dim * dim, 1.0);
    let entry = |i: usize, j: usize| {
        let at =
            |i: usize, j: usize| Complex64::new(parts[i * dim + j], parts[dim * (dim + i) + j]);
        at(i, j) + at(j, i).conj()
    };
    (0..dim * dim).map(|k| entry(k / dim, k % dim)).collect()
}

#[test]
fn a_hermitian_matrix_is_the_sum_of_its_strings() {
    for n in 0..=4 {
        let small = random_hermitian(n as u64, 1 << n);
        let qubits: Vec<usize> = (0..n).collect();
        let observable = Observable::hermitian(&small, &qubits).unwrap();
        let rows: Matrix = small.chunks(1 << n).map(<[_]>::to_vec).collect();
        assert!(distance(&matrix(&observable, n), &rows) < 1e-14, "{n} qubits");
    }
}

/// The first qubit in the list is the least significant bit, wherever it lies.
#[test]
fn a_hermitian_matrix_goes_to_the_qubits_named() {
    let small = random_hermitian(9, 4);
    let observable = Observable::hermitian(&small, &[2, 0]).unwrap();
    let entry = |i: usize, j: usize| match (i ^ j) & 0b010 {
        0 => {
            let local = |k: usize| k >> 2 & 1 | (k & 1) << 1;
            small[local(i) * 4 + local(j)]
        }
        _ => Complex64::ZERO,
    };
    let expected: Matrix = (0..8).map(|i| (0..8).map(|j| entry(i, j)).collect()).collect();
    assert!(distance(&matrix(&observable, 3), &expected) < 1e-14);
}

#[test]
fn matrices_that_are_no_observables_are_refused() {
    let message = |m: &[f64], qubits: &[usize]| {
        let matrix: Vec<_> = m.iter().map(|&x| Complex64::from(x)).collect();
        Observable::hermitian(&matrix, qubits).unwrap_err().to_string()
    };
    assert_eq!(
        message(&[0.0, 1.0, 2.0, 0.0], &[0]),
        "entry [0, 1] of the matrix is 1+0i but [1, 0] is 2+0i: an observable must be Hermitian, \
         pass (M + M^dagger) / 2"
    );
    assert_eq!(message(&[1.0; 4], &[0, 1]), "the Hermitian matrix has 4 values, expected 16");
    assert!(message(&[f64::NAN; 4], &[0]).contains("entry [0, 0] of the matrix is NaN"));
    assert!(message(&[1.0; 16], &[3, 3]).contains("acts on qubit 3 twice"));
    let many: Vec<usize> = (0..=MAX_HERMITIAN_QUBITS).collect();
    let error = Observable::hermitian(&[], &many).unwrap_err();
    assert!(error.is_size_limit(), "{error}");
    let imaginary = [0.0, 1.0, 1.0, 0.0].map(|y| Complex64::new(0.0, y));
    assert!(Observable::hermitian(&imaginary, &[0]).unwrap_err().is_invalid_value());
}
