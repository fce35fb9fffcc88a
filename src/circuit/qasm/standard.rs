//! The gates that a program may use without defining them: the built-in ones and those of
//! `qelib1.inc` (version 2) and `stdgates.inc` (version 3).
//!
//! The two files agree on matrices up to global phases. OpenQASM 3 can put a control on those, so
//! they are kept here, as `stdgates.inc` has them: `U(theta, phi, lambda)` is our `U` times
//! `exp(i theta/2)`, while `u2` and `u3` have determinant 1.

use super::Version;
use super::expression::Value;
use super::lexer::Token;
use crate::circuit::Gate;
use std::f64::consts::FRAC_PI_2;

/// Which programs know a gate.
#[derive(Debug, Clone, Copy, PartialEq)]
enum File {
    BuiltIn,
    Qelib1,
    Stdgates,
    Both,
}

/// How the parameters become the angles of our gate and a phase on its targets.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Form {
    Angles,
    /// A duration, without effect.
    Ignored,
    /// `theta = pi/2`.
    Quarter,
    /// `theta = pi/2`, determinant 1.
    UnimodularQuarter,
    /// Determinant 1: phase `-(phi + lambda)/2`.
    Unimodular,
    /// `U` of OpenQASM 3: phase `theta/2`.
    Paper,
    /// The fourth parameter is the phase.
    Phased,
}

/// A gate known by name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Standard {
    pub name: &'static str,
    file: File,
    pub gate: Gate,
    /// Controls before those that `gate` has itself.
    pub added: usize,
    form: Form,
}

macro_rules! rows {
    ($($file:ident: $($name:literal $gate:ident $(+ $added:literal)? $($form:ident)?),*;)*) => {
        &[$($(Standard {
            name: $name,
            file: File::$file,
            gate: Gate::$gate,
            added: 0 $(+ $added)?,
            form: rows!(@form $($form)?),
        }),*),*]
    };
    (@form) => { Form::Angles };
    (@form $form:ident) => { Form::$form };
}

const ROWS: &[Standard] = rows! {
    BuiltIn: "U" U Paper, "CX" CNOT;
    Both: "id" I, "x" X, "y" Y, "z" Z, "h" H, "s" S, "sdg" Sdg, "t" T, "tdg" Tdg, "sx" SX,
        "rx" RX, "ry" RY, "rz" RZ, "p" P, "u1" P, "cx" CNOT, "cy" CY, "cz" CZ, "ch" CH,
        "cp" CP, "crx" CRX, "cry" CRY, "crz" CRZ, "cu" CU Phased, "swap" SWAP, "cswap" CSWAP,
        "ccx" CCX;
    Qelib1: "u" U, "u0" I Ignored, "u2" U Quarter, "u3" U, "sxdg" SXdg, "cu1" CP, "cu3" CU,
        "csx" SX + 1, "rxx" RXX, "rzz" RZZ, "c3x" CCX + 1, "c3sqrtx" SX + 3, "c4x" CCX + 2;
    Stdgates: "CX" CNOT, "phase" P, "cphase" CP, "u2" U UnimodularQuarter, "u3" U Unimodular;
};

/// The rest of `qelib1.inc`.
pub(super) const RELATIVE_PHASE_GATES: &str = "
gate rccx a, b, c {
    u2(0, pi) c; u1(pi/4) c; cx b, c; u1(-pi/4) c; cx a, c;
    u1(pi/4) c; cx b, c; u1(-pi/4) c; u2(0, pi) c;
}
gate rc3x a, b, c, d {
    u2(0, pi) d; u1(pi/4) d; cx c, d; u1(-pi/4) d; u2(0, pi) d;
    cx a, d; u1(pi/4) d; cx b, d; u1(-pi/4) d; cx a, d; u1(pi/4) d; cx b, d; u1(-pi/4) d;
    u2(0, pi) d; u1(pi/4) d; cx c, d; u1(-pi/4) d; u2(0, pi) d;
}";

impl Standard {
    /// A gate of our table under its own name.
    pub fn plain(gate: Gate) -> Self {
        let name = gate.info().qasm;
        Self { name, file: File::BuiltIn, gate, added: 0, form: Form::Angles }
    }

    pub fn built_in() -> impl Iterator<Item = Self> {
        ROWS.iter().copied().filter(|row| row.file == File::BuiltIn)
    }

    /// Whether a program may define the gate anew: `qelib1.inc` grew over the years, so that older
    /// programs define what it holds today.
    pub fn is_replaceable(&self, version: Version) -> bool {
        version == Version::V2 && self.file != File::BuiltIn
    }

    /// The gates of the file that a version includes.
    pub fn included(version: Version) -> impl Iterator<Item = Self> {
        let own = match version {
            Version::V2 => File::Qelib1,
            Version::V3 => File::Stdgates,
        };
        ROWS.iter().copied().filter(move |row| row.file == own || row.file == File::Both)
    }

    pub fn n_parameters(&self) -> usize {
        match self.form {
            Form::Angles | Form::Unimodular | Form::Paper => self.gate.info().n_angles,
            Form::Ignored => 1,
            Form::Quarter | Form::UnimodularQuarter => 2,
            Form::Phased => 4,
        }
    }

    pub fn n_qubits(&self) -> usize {
        self.added + self.gate.info().n_qubits()
    }

    /// The angles of our gate, and the phase.
    pub fn angles<'a>(
        &self,
        parameters: &[Value<'a>],
        at: Token<'a>,
    ) -> (Vec<Value<'a>>, Option<Value<'a>>) {
        let quarter = || [&[Value::real(FRAC_PI_2)], parameters].concat();
        let sum = |values: &[Value<'a>], scale| Some(Value::scaled_sum(values, scale, at));
        match self.form {
            Form::Angles => (parameters.to_vec(), None),
            Form::Ignored => (Vec::new(), None),
            Form::Quarter => (quarter(), None),
            Form::UnimodularQuarter => (quarter(), sum(parameters, -0.5)),
            Form::Unimodular => (parameters.to_vec(), sum(&parameters[1..], -0.5)),
            Form::Paper => (parameters.to_vec(), sum(&parameters[..1], 0.5)),
            Form::Phased => (parameters[..3].to_vec(), Some(parameters[3])),
        }
    }
}
