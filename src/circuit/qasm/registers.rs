//! Registers, their elements, and what is done to them besides gates.

use super::Version;
use super::lexer::Token;
use super::parser::{MAX_QUBITS, Meaning, Parser};
use crate::error::Error;

/// Qubits of a call: a register, or one if `size` is `None`.
pub(super) struct Operand<'a> {
    name: Token<'a>,
    first: usize,
    pub size: Option<usize>,
}

impl Operand<'_> {
    pub fn len(&self) -> usize {
        self.size.unwrap_or(1)
    }

    /// Its qubit for the `k`-th gate on registers; a single qubit takes part in each.
    pub fn qubit(&self, k: usize) -> usize {
        if self.size.is_some() { self.first + k } else { self.first }
    }
}

impl<'a> Parser<'a> {
    /// `qreg q[2];`, `creg c[2];`, or without a size in version 3.
    pub fn old_register(&mut self) -> Result<(), Error> {
        let keyword = self.cursor.next();
        let name = self.cursor.name("the name of a register")?;
        let size = self.size()?;
        if size.is_none() && self.cursor.version == Version::V2 {
            return Err(name.refuse("lacks its size: write it in brackets"));
        }
        self.declare_register(keyword.is("qreg"), name, size)?;
        self.end()
    }

    /// `qubit[2] q;`, `bit c;`, `bit[2] c = measure q;`
    pub fn register(&mut self) -> Result<(), Error> {
        let keyword = self.cursor.next();
        let size = self.size()?;
        let name = self.cursor.name("the name of a register")?;
        self.declare_register(keyword.is("qubit"), name, size)?;
        if keyword.is("bit") && self.cursor.peek().is("=") {
            return self.measure_into(name, size.unwrap_or(1));
        }
        self.end()
    }

    pub fn size(&mut self) -> Result<Option<usize>, Error> {
        if self.cursor.take("[").is_none() {
            return Ok(None);
        }
        let size = self.integer(1..=MAX_QUBITS as i64)?;
        self.cursor.expect("]")?;
        Ok(Some(size as usize))
    }

    fn declare_register(
        &mut self,
        quantum: bool,
        name: Token<'a>,
        size: Option<usize>,
    ) -> Result<(), Error> {
        if !quantum {
            return self.declare(name, Meaning::Bits(size));
        }
        let first = self.n_qubits;
        self.n_qubits += size.unwrap_or(1);
        if self.n_qubits > MAX_QUBITS {
            return Err(name.refuse(format!("brings the program over {MAX_QUBITS} qubits")));
        }
        self.declare(name, Meaning::Qubits { first, size })
    }

    pub fn operands(&mut self) -> Result<Vec<Operand<'a>>, Error> {
        let mut operands = vec![self.operand()?];
        while self.cursor.take(",").is_some() {
            operands.push(self.operand()?);
        }
        Ok(operands)
    }

    /// `q` or `q[1]`.
    fn operand(&mut self) -> Result<Operand<'a>, Error> {
        let name = self.cursor.name("a qubit or a register")?;
        match self.names.get(name.text) {
            Some(&Meaning::Qubits { first, size }) => {
                let index = self.index(name, size)?;
                let size = if index.is_some() { None } else { size };
                Ok(Operand { name, first: first + index.unwrap_or(0), size })
            }
            Some(_) => Err(name.refuse("is not a qubit")),
            None => Err(name.refuse("is not declared: declare qubits before the gates on them")),
        }
    }

    fn index(&mut self, name: Token<'a>, size: Option<usize>) -> Result<Option<usize>, Error> {
        if self.cursor.take("[").is_none() {
            return Ok(None);
        }
        let Some(size) = size else { return Err(name.refuse("is not a register: drop the index")) };
        let index = self.integer(0..=size as i64 - 1)?;
        self.cursor.expect("]")?;
        Ok(Some(index as usize))
    }

    pub fn barrier(&mut self) -> Result<(), Error> {
        self.cursor.next();
        if !self.cursor.peek().is(";") {
            self.operands()?;
        }
        self.end()
    }

    /// `measure q;`, `measure q -> c;`
    pub fn measure(&mut self) -> Result<(), Error> {
        let keyword = self.cursor.next();
        let operand = self.operand()?;
        self.mark(keyword, &operand);
        if self.cursor.take("->").is_some() {
            let bits = self.bits()?;
            same_size(operand.name, operand.len(), bits)?;
        }
        self.end()
    }

    /// `c = measure q;`, `c[0] = measure q[0];`
    pub fn assignment(&mut self) -> Result<(), Error> {
        let name = self.cursor.peek();
        let bits = self.bits()?;
        self.measure_into(name, bits)
    }

    fn measure_into(&mut self, name: Token<'a>, bits: usize) -> Result<(), Error> {
        self.cursor.expect("=")?;
        let keyword = self.cursor.expect("measure")?;
        let operand = self.operand()?;
        self.mark(keyword, &operand);
        same_size(name, operand.len(), bits)?;
        self.end()
    }

    /// The number of bits in `c` or `c[0]`.
    fn bits(&mut self) -> Result<usize, Error> {
        let name = self.cursor.name("a classical register")?;
        let Some(&Meaning::Bits(size)) = self.names.get(name.text) else {
            return Err(name.refuse("is not a classical register"));
        };
        let index = self.index(name, size)?;
        Ok(if index.is_some() { 1 } else { size.unwrap_or(1) })
    }

    fn mark(&mut self, keyword: Token<'a>, operand: &Operand) {
        let qubits = operand.first..operand.first + operand.len();
        self.measured.extend(qubits.map(|q| (q, keyword.line)));
    }
}

fn same_size(name: Token, qubits: usize, bits: usize) -> Result<(), Error> {
    if qubits == bits {
        return Ok(());
    }
    Err(name.refuse(format!("is measured from {qubits} qubits to {bits} bits: use as many")))
}
