//! Statements one by one, and what names stand for.

use super::cursor::Cursor;
use super::expand::{Callee, Expander};
use super::expression::{self, Expression, Scope, Value};
use super::lexer::{Kind, Token};
use super::standard::{RELATIVE_PHASE_GATES, Standard};
use super::{Circuit, Version};
use crate::circuit::{Angle, Operation};
use crate::error::Error;
use std::collections::HashMap;
use std::ops::RangeInclusive;

/// Enough for every simulator, and small enough that no program fills the memory.
pub(super) const MAX_QUBITS: usize = 4096;

/// The highest index of an input or a weight, plus one.
const MAX_PARAMETERS: usize = 1 << 20;

/// What a name stands for.
#[derive(Debug, Clone)]
pub(super) enum Meaning<'a> {
    /// Qubits from `first` on; one alone, that is without an index, if `size` is `None`.
    Qubits {
        first: usize,
        size: Option<usize>,
    },
    Bits(Option<usize>),
    Value(Value<'a>),
    Gate(Callee<'a>),
}

/// Reads a whole program.
pub(super) fn circuit(text: &str) -> Result<Circuit, Error> {
    let mut parser = Parser::new(text)?;
    parser.version_line()?;
    while parser.cursor.peek().kind != Kind::End {
        parser.statement()?;
    }
    Ok(Circuit { n_qubits: parser.n_qubits, operations: parser.operations })
}

/// What is known at one place of the program. Its other methods are in `registers` and `gates`.
pub(super) struct Parser<'a> {
    pub cursor: Cursor<'a>,
    pub names: HashMap<&'a str, Meaning<'a>>,
    pub n_qubits: usize,
    /// The line of each qubit's measurement.
    pub measured: HashMap<usize, usize>,
    pub operations: Vec<Operation>,
    pub expander: Expander,
}

/// Values of the whole program, and the parameters of one definition.
struct Local<'p, 'a> {
    names: &'p HashMap<&'a str, Meaning<'a>>,
    parameters: &'p [Token<'a>],
}

impl<'a> Scope<'a> for Local<'_, 'a> {
    fn parameter(&self, name: &str) -> Option<usize> {
        self.parameters.iter().position(|token| token.text == name)
    }

    fn value(&self, name: &str) -> Option<Value<'a>> {
        match self.names.get(name) {
            Some(Meaning::Value(value)) => Some(*value),
            _ => None,
        }
    }
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Result<Self, Error> {
        let gate = |row: Standard| (row.name, Meaning::Gate(Callee::Standard(row)));
        Ok(Self {
            cursor: Cursor::new(text, Version::V3)?,
            names: Standard::built_in().map(gate).collect(),
            n_qubits: 0,
            measured: HashMap::new(),
            operations: Vec::new(),
            expander: Expander::default(),
        })
    }

    fn version_line(&mut self) -> Result<(), Error> {
        if self.cursor.take("OPENQASM").is_some() {
            let number = self.cursor.next();
            self.cursor.version = match number.text.split('.').next() {
                Some("2") => Version::V2,
                Some("3") => Version::V3,
                _ => return Err(number.refuse("is not a supported version: use 2.0 or 3.0")),
            };
            self.cursor.expect(";")?;
        }
        if self.cursor.version == Version::V3 {
            self.names.insert("gphase", Meaning::Gate(Callee::GlobalPhase));
            self.names.remove("CX");
        }
        Ok(())
    }

    fn statement(&mut self) -> Result<(), Error> {
        let token = self.cursor.peek();
        let in_v3 = self.cursor.version == Version::V3;
        match token.text {
            "include" => self.include(),
            "qreg" | "creg" => self.old_register(),
            "qubit" | "bit" if in_v3 => self.register(),
            "const" if in_v3 => self.constant(),
            "input" if in_v3 => self.input(),
            "gate" => self.gate(),
            "barrier" => self.barrier(),
            "measure" => self.measure(),
            "OPENQASM" => Err(token.refuse("comes too late: the version is the first statement")),
            text if unsupported(self.cursor.version).contains(&text) => {
                Err(token.refuse("is not supported: a circuit is a fixed list of gates"))
            }
            text if matches!(self.names.get(text), Some(Meaning::Bits(_))) => self.assignment(),
            _ => self.gate_call(),
        }
    }

    /// Names `token`, which must be new.
    pub fn declare(&mut self, token: Token<'a>, meaning: Meaning<'a>) -> Result<(), Error> {
        let version = self.cursor.version;
        let taken = match (self.names.get(token.text), &meaning) {
            (None, _) => {
                let reserved = [keywords(version), unsupported(version)];
                reserved.iter().any(|words| words.contains(&token.text))
            }
            (Some(Meaning::Gate(Callee::Standard(row))), Meaning::Gate(_)) => {
                !row.is_replaceable(version)
            }
            (Some(_), _) => true,
        };
        if taken {
            return Err(token.refuse("has a meaning already: choose another name"));
        }
        self.names.insert(token.text, meaning);
        Ok(())
    }

    pub fn end(&mut self) -> Result<(), Error> {
        self.cursor.expect(";").map(|_| ())
    }

    fn include(&mut self) -> Result<(), Error> {
        self.cursor.next();
        let file = self.cursor.next();
        let version = self.cursor.version;
        let known = if version == Version::V2 { "\"qelib1.inc\"" } else { "\"stdgates.inc\"" };
        if file.kind != Kind::Text || file.text != known {
            return Err(file.refuse(format!("cannot be included: only {known} is built in")));
        }
        self.end()?;
        for row in Standard::included(version) {
            let at = Token { text: row.name, ..file };
            self.declare(at, Meaning::Gate(Callee::Standard(row)))?;
        }
        if version == Version::V2 {
            let prelude = Cursor::new(RELATIVE_PHASE_GATES, version)?;
            let program = std::mem::replace(&mut self.cursor, prelude);
            while self.cursor.peek().kind != Kind::End {
                self.gate()?;
            }
            self.cursor = program;
        }
        Ok(())
    }

    /// An expression without parameters.
    fn number(&mut self) -> Result<Value<'a>, Error> {
        self.expression(&[])?.value(&[])
    }

    pub fn integer(&mut self, range: RangeInclusive<i64>) -> Result<i64, Error> {
        let at = self.cursor.peek();
        self.number()?.integer(at, range)
    }

    pub fn expression(&mut self, parameters: &[Token<'a>]) -> Result<Expression<'a>, Error> {
        let scope = Local { names: &self.names, parameters };
        expression::parse(&mut self.cursor, &scope)
    }

    /// `const float[64] a = pi/2;`, `const int n = 3;`
    fn constant(&mut self) -> Result<(), Error> {
        self.cursor.next();
        let kind = self.cursor.name("the type of a constant")?;
        if !["float", "int", "uint"].contains(&kind.text) {
            return Err(kind.refuse("cannot be the type of a constant: use float or int"));
        }
        self.size()?;
        let name = self.cursor.name("the name of a constant")?;
        self.cursor.expect("=")?;
        let value = match self.number()? {
            Value::Number { value, .. } if kind.is("float") => Value::real(value),
            Value::Number { value, .. } if value.fract() == 0.0 => {
                Value::Number { value, integer: true }
            }
            _ => return Err(name.refuse(format!("is not constant or not of type {}", kind.text))),
        };
        self.declare(name, Meaning::Value(value))?;
        self.end()
    }

    /// `input float[64] x_0;`
    fn input(&mut self) -> Result<(), Error> {
        self.cursor.next();
        let kind = self.cursor.name("the type of an input")?;
        if !["float", "angle"].contains(&kind.text) {
            return Err(kind.refuse("cannot be the type of an input: use float or angle"));
        }
        self.size()?;
        let name = self.cursor.name("the name of an input")?;
        let Some(angle) = free_angle(name.text) else {
            return Err(name.refuse("is not an input: call features x_0, x_1 and weights w_0, w_1"));
        };
        self.declare(name, Meaning::Value(Value::Free(angle)))?;
        self.end()
    }
}

/// Statements that are read, and modifiers.
#[rustfmt::skip]
fn keywords(version: Version) -> &'static [&'static str] {
    match version {
        Version::V2 => &["OPENQASM", "include", "qreg", "creg", "gate", "barrier", "measure"],
        Version::V3 => &[
            "OPENQASM", "include", "qreg", "creg", "gate", "barrier", "measure", "qubit", "bit",
            "const", "input", "ctrl", "negctrl", "inv", "pow",
        ],
    }
}

/// Statements that are no part of a circuit.
#[rustfmt::skip]
fn unsupported(version: Version) -> &'static [&'static str] {
    match version {
        Version::V2 => &["if", "opaque", "reset"],
        Version::V3 => &[
            "if", "else", "for", "while", "switch", "case", "default", "break", "continue",
            "return", "end", "def", "extern", "opaque", "reset", "let", "box", "delay", "cal",
            "defcal", "defcalgrammar", "output", "array", "bool", "int", "uint", "float", "angle",
            "complex", "duration", "stretch", "pragma", "nop",
        ],
    }
}

/// `x_3` and `w_3`, as the exporter calls them.
fn free_angle(name: &str) -> Option<Angle> {
    let (letter, index) = name.split_once('_')?;
    let index: usize = index.parse().ok().filter(|&i| i < MAX_PARAMETERS)?;
    match letter {
        "x" => Some(Angle::Input(index)),
        "w" => Some(Angle::Weight(index)),
        _ => None,
    }
}
