//! OpenQASM 2.0 and 3: circuits out of this crate, and back in.
//!
//! The parser is written here because no kept-up crate reads both versions, and the subset that is
//! a circuit is small: registers, gates, definitions of gates, modifiers, parameters.

mod braket;
mod cursor;
mod expand;
mod export;
mod expression;
mod gates;
mod lexer;
mod parser;
mod registers;
mod standard;

#[cfg(feature = "hardware")]
pub(crate) use braket::braket_name;

use super::Circuit;
use crate::error::Error;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Version {
    V2,
    V3,
}

impl Circuit {
    /// Reads an OpenQASM 2.0 or 3 program that is a circuit.
    ///
    /// The version line decides; without one, it is version 3. What is read:
    ///
    /// - `qubit[n] q;`, `qreg q[n];`: all registers one after the other, so that the first qubit
    ///   declared is qubit 0
    /// - the gates of `qelib1.inc` (2) or `stdgates.inc` (3) after its `include`, which reads no
    ///   file, and `U`, `CX`, `gphase`; on whole registers, too
    /// - `gate` definitions, which are expanded
    /// - parameters: `+ - * /`, powers (`^` in 2, `**` in 3), `pi tau euler`,
    ///   `sin cos tan arcsin arccos arctan exp ln log sqrt`, `const float`, `const int`
    /// - version 3: `ctrl`, `negctrl`, `inv`, and `pow` with an integer
    /// - version 3: `input float x_0;` (or `angle`) is `Angle::Input(0)`, `w_0` is
    ///   `Angle::Weight(0)`; such a parameter can be an angle, but not a part of one
    /// - `barrier`, without effect
    /// - `measure`, without effect, where no gate acts on that qubit afterwards
    ///
    /// The circuit is that of the program up to its global phase; a phase with controls is exact.
    ///
    /// # Errors
    ///
    /// For everything else, with the line and the column. At most 4096 qubits, 2^20 gates after
    /// expansion, and definitions or brackets nested 64 deep.
    ///
    /// # References
    ///
    /// - [Cross et al. (2017)](https://arxiv.org/abs/1707.03429), OpenQASM 2
    /// - [Cross et al. (2021)](https://arxiv.org/abs/2104.14722), OpenQASM 3
    ///
    /// ```
    /// use burn_quantum::circuit::Circuit;
    ///
    /// let bell = "OPENQASM 2.0; include \"qelib1.inc\"; qreg q[2]; h q[0]; cx q[0], q[1];";
    /// let bell = Circuit::from_qasm(bell)?;
    /// assert_eq!(&bell, Circuit::new(2).h(0).cnot(0, 1));
    ///
    /// let error = Circuit::from_qasm("OPENQASM 3;\nqubit[2] q;\nreset q;").unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "line 3, column 1: `reset` is not supported: a circuit is a fixed list of gates"
    /// );
    /// # Ok::<(), burn_quantum::Error>(())
    /// ```
    pub fn from_qasm(program: &str) -> Result<Circuit, Error> {
        parser::circuit(program)
    }
}
