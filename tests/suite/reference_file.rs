//! Reference files of other simulators, and how far this library is from them.
//!
//! Used by the test suite and by the example `check_reference`. The format is in
//! `tests/data/README.md`. Their qubit 0 is the most significant bit of an amplitude's index, ours
//! the least; values by qubit need no conversion.

use burn_quantum::circuit::{Angle, Circuit, Observable, PauliString, ansatz};
use burn_quantum::statevector::{Evolution, EvolutionInput, Gradient, Program, Real};
use serde::Deserialize;
use std::error::Error;
use std::f64::consts::FRAC_PI_2;

/// The circuit `H`, `RY(x)`, then layers of `RY`, `RZ` and a CNOT chain; `loss = sum c <Z>`.
#[derive(Deserialize)]
pub struct CircuitFile {
    n_qubits: usize,
    batch: usize,
    layers: usize,
    x: Vec<Vec<f64>>,
    w: Vec<Vec<Vec<f64>>>,
    c: Vec<Vec<f64>>,
    out: Vec<Vec<f64>>,
    dx: Vec<Vec<f64>>,
    dw: Vec<Vec<Vec<f64>>>,
    state_re: Option<Vec<Vec<f64>>>,
    state_im: Option<Vec<Vec<f64>>>,
}

/// Annealing from `|+...+>` over the time `T`, with a Hamiltonian that is half of ours.
#[derive(Deserialize)]
pub struct AnnealFile {
    n: usize,
    #[serde(rename = "T")]
    time: f64,
    h: Vec<f64>,
    #[serde(rename = "J")]
    couplings: Vec<Vec<f64>>,
    z: Vec<f64>,
    energy: f64,
    #[serde(rename = "dE_dh_dynamics_only")]
    energy_by_h: Vec<f64>,
}

pub enum Reference {
    Circuit(CircuitFile),
    Anneal(AnnealFile),
}

/// Largest absolute differences.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Errors {
    pub values: f64,
    pub gradients: f64,
}

impl Reference {
    pub fn parse(text: &str) -> Result<Self, Box<dyn Error>> {
        let value: serde_json::Value = serde_json::from_str(text)?;
        if value.get("n_qubits").is_some() {
            let file: CircuitFile = serde_json::from_value(value)?;
            file.check_shape()?;
            Ok(Self::Circuit(file))
        } else if value.get("T").is_some() {
            let file: AnnealFile = serde_json::from_value(value)?;
            file.check_shape()?;
            Ok(Self::Anneal(file))
        } else {
            Err("neither a circuit (`n_qubits`) nor an annealing run (`T`)".into())
        }
    }
}

fn expect(what: &str, right: bool) -> Result<(), Box<dyn Error>> {
    if right { Ok(()) } else { Err(format!("`{what}` does not have the announced shape").into()) }
}

impl CircuitFile {
    fn check_shape(&self) -> Result<(), Box<dyn Error>> {
        let (b, n) = (self.batch, self.n_qubits);
        let by_qubit = |v: &Vec<Vec<f64>>| v.len() == b && v.iter().all(|row| row.len() == n);
        let by_layer = |v: &Vec<Vec<Vec<f64>>>| {
            let row = |row: &Vec<Vec<f64>>| row.len() == n && row.iter().all(|w| w.len() == 2);
            v.len() == self.layers && v.iter().all(row)
        };
        expect("x", by_qubit(&self.x))?;
        expect("c", by_qubit(&self.c))?;
        expect("out", by_qubit(&self.out))?;
        expect("dx", by_qubit(&self.dx))?;
        expect("w", by_layer(&self.w))?;
        expect("dw", by_layer(&self.dw))
    }

    fn program(&self) -> Result<Program, Box<dyn Error>> {
        let n = self.n_qubits;
        let mut circuit = Circuit::new(n);
        for q in 0..n {
            circuit.h(q).ry(Angle::Input(q), q);
        }
        circuit.append(&ansatz::hardware_efficient(n, self.layers))?;
        Ok(Program::new(&circuit, &Observable::each_z(n))?)
    }

    /// The errors of values and gradients, computed in `T`.
    pub fn errors<T: Real>(&self) -> Result<Errors, Box<dyn Error>> {
        let cast = |values: Vec<f64>| -> Vec<T> { values.into_iter().map(T::of).collect() };
        let [x, c] = [&self.x, &self.c].map(|rows| cast(rows.concat()));
        let w = cast(self.w.concat().concat());
        let Gradient { values, inputs, weights } =
            self.program()?.gradient(self.batch, &x, &w, &c)?;
        Ok(Errors {
            values: difference(&values, &self.out.concat()),
            gradients: difference(&inputs, &self.dx.concat())
                .max(difference(&weights, &self.dw.concat().concat())),
        })
    }

    /// The error of the amplitudes, where the file has them.
    pub fn state_error(&self) -> Result<Option<f64>, Box<dyn Error>> {
        let (Some(re), Some(im)) = (&self.state_re, &self.state_im) else {
            return Ok(None);
        };
        let (n, w) = (self.n_qubits, self.w.concat().concat());
        let reversed = |i: usize| (0..n).map(|q| (i >> q & 1) << (n - 1 - q)).sum::<usize>();
        let mut worst = 0.0f64;
        for ((x, re), im) in self.x.iter().zip(re).zip(im) {
            expect("state_re", re.len() == 1 << n && im.len() == 1 << n)?;
            for (i, z) in self.program()?.state::<f64>(x, &w)?.iter().enumerate() {
                let theirs = reversed(i);
                worst = worst.max((z.re - re[theirs]).hypot(z.im - im[theirs]));
            }
        }
        Ok(Some(worst))
    }
}

impl AnnealFile {
    fn check_shape(&self) -> Result<(), Box<dyn Error>> {
        let n = self.n;
        expect("h", self.h.len() == n)?;
        expect("z", self.z.len() == n)?;
        expect("J", self.couplings.len() == n && self.couplings.iter().all(|row| row.len() == n))?;
        expect("dE_dh_dynamics_only", [0, n].contains(&self.energy_by_h.len()))
    }

    /// The errors of `<Z>`, of the energy and, where the file has it, of the derivative of the
    /// energy by `h` with the observable held fixed, after `steps` steps computed in `T`.
    pub fn errors<T: Real>(&self, steps: usize) -> Result<Errors, Box<dyn Error>> {
        let n = self.n;
        let pairs = || (0..n).flat_map(|j| (0..j).map(move |i| (i, j)));
        let mut readout: Vec<_> = (0..n).map(PauliString::z).collect();
        readout.extend(pairs().map(|(i, j)| PauliString::z(i) * PauliString::z(j)));
        let mut coefficients = self.h.clone();
        coefficients.extend(pairs().map(|(i, j)| self.couplings[i][j]));

        let cast = |values: &[f64]| -> Vec<T> { values.iter().map(|&v| T::of(v)).collect() };
        let (fields, couplings) = (cast(&self.h), cast(&self.couplings.concat()));
        let start = vec![T::of(FRAC_PI_2); n];
        let schedule = cast(&linear_schedule(steps, self.time / 2.0));
        let input = EvolutionInput {
            batch: 1,
            fields: &fields,
            couplings: &couplings,
            start: &start,
            schedule: &schedule,
        };
        let g = Evolution::new(n, &readout)?.gradient(&input, &cast(&coefficients))?;
        let terms = g.values.iter().zip(&coefficients);
        let energy: f64 = terms.map(|(value, c)| value.as_f64() * c).sum();
        let by_h = if self.energy_by_h.is_empty() { &[][..] } else { &g.fields[..] };
        Ok(Errors {
            values: difference(&g.values[..n], &self.z).max((energy - self.energy).abs()),
            gradients: difference(by_h, &self.energy_by_h),
        })
    }

    /// The slope of log(error of the values) against log(dt), fitted over `steps`.
    pub fn order(&self, steps: &[usize]) -> Result<f64, Box<dyn Error>> {
        let errors: Result<Vec<_>, _> = steps
            .iter()
            .map(|&k| Ok((self.time / k as f64, self.errors::<f64>(k)?.values)))
            .collect::<Result<_, Box<dyn Error>>>();
        Ok(fitted_order(&errors?))
    }
}

/// Pulse areas of `A = 1 - s`, `B = s` in `steps` steps over `time`.
pub fn linear_schedule(steps: usize, time: f64) -> Vec<f64> {
    let dt = time / steps as f64;
    let s = |k: usize| (k as f64 + 0.5) / steps as f64;
    (0..steps).flat_map(|k| [(1.0 - s(k)) * dt, s(k) * dt]).collect()
}

/// Fits the slope of log(error) against log(dt).
pub fn fitted_order(errors: &[(f64, f64)]) -> f64 {
    let logs: Vec<(f64, f64)> = errors.iter().map(|(dt, e)| (dt.ln(), e.ln())).collect();
    let mean = |f: fn(&(f64, f64)) -> f64| logs.iter().map(f).sum::<f64>() / logs.len() as f64;
    let (mx, my) = (mean(|p| p.0), mean(|p| p.1));
    let (xy, xx) = logs
        .iter()
        .fold((0.0, 0.0), |(xy, xx), (x, y)| (xy + (x - mx) * (y - my), xx + (x - mx) * (x - mx)));
    xy / xx
}

fn difference<T: Real>(ours: &[T], theirs: &[f64]) -> f64 {
    assert_eq!(ours.len(), theirs.len());
    let pairs = ours.iter().zip(theirs);
    pairs.map(|(a, b)| (a.as_f64() - b).abs()).fold(0.0, f64::max)
}
