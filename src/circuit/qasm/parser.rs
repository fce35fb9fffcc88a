//! Statements, and what their names stand for.

use super::cursor::Cursor;
use super::expand::{Call, Callee, Definition, Expander, Modifier};
use super::export::definition;
use super::expression::{self, Expression, Scope, Value};
use super::lexer::{Kind, Token, tokens};
use super::standard::{RELATIVE_PHASE_GATES, Standard};
use super::{Circuit, Version};
use crate::circuit::{Angle, Gate};
use crate::error::Error;
use std::collections::HashMap;
use std::rc::Rc;

/// Enough for every simulator, and small enough that no program fills the memory.
const MAX_QUBITS: usize = 4096;

/// The highest index of an input or a weight, plus one.
const MAX_PARAMETERS: usize = 1 << 20;

/// What a name stands for.
#[derive(Debug, Clone)]
enum Meaning<'a> {
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

struct Parser<'a> {
    cursor: Cursor<'a>,
    names: HashMap<&'a str, Meaning<'a>>,
    n_qubits: usize,
    /// The line of each qubit's measurement.
    measured: HashMap<usize, usize>,
    operations: Vec<crate::circuit::Operation>,
    expander: Expander,
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
    fn declare(&mut self, token: Token<'a>, meaning: Meaning<'a>) -> Result<(), Error> {
        let version = self.cursor.version;
        let taken = match (self.names.get(token.text), &meaning) {
            (None, _) => {
                KEYWORDS.contains(&token.text) || unsupported(version).contains(&token.text)
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

    fn end(&mut self) -> Result<(), Error> {
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

    /// `qreg q[2];`, `creg c[2];`, or without a size in version 3.
    fn old_register(&mut self) -> Result<(), Error> {
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
    fn register(&mut self) -> Result<(), Error> {
        let keyword = self.cursor.next();
        let size = self.size()?;
        let name = self.cursor.name("the name of a register")?;
        self.declare_register(keyword.is("qubit"), name, size)?;
        if keyword.is("bit") && self.cursor.peek().is("=") {
            return self.measure_into(name, size.unwrap_or(1));
        }
        self.end()
    }

    fn size(&mut self) -> Result<Option<usize>, Error> {
        let Some(bracket) = self.cursor.take("[") else { return Ok(None) };
        let size = self.number()?.integer(bracket, 1..=MAX_QUBITS as i64)?;
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

    /// An expression without parameters.
    fn number(&mut self) -> Result<Value<'a>, Error> {
        self.expression(&[])?.value(&[])
    }

    fn expression(&mut self, parameters: &[Token<'a>]) -> Result<Expression<'a>, Error> {
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

    /// `gate name(parameters) qubits { calls }`
    fn gate(&mut self) -> Result<(), Error> {
        let start = self.cursor.place();
        self.cursor.next();
        let name = self.cursor.name("the name of a gate")?;
        let parameters = self.formal_parameters()?;
        let qubits = self.cursor.list(|cursor| cursor.name("the name of a qubit"))?;
        distinct(&parameters)?;
        distinct(&qubits)?;
        self.cursor.expect("{")?;
        let mut body = Vec::new();
        while self.cursor.take("}").is_none() {
            body.extend(self.inner_call(name, &parameters, &qubits)?);
        }
        let callee = match own_definition(self.cursor.since(start), name, self.cursor.version) {
            Some(gate) => Callee::Standard(Standard::plain(gate)),
            None => {
                let definition = Definition::new(name, parameters.len(), qubits.len(), body)?;
                Callee::Defined(Rc::new(definition))
            }
        };
        self.declare(name, Meaning::Gate(callee))
    }

    fn formal_parameters(&mut self) -> Result<Vec<Token<'a>>, Error> {
        if self.cursor.take("(").is_none() || self.cursor.take(")").is_some() {
            return Ok(Vec::new());
        }
        let parameters = self.cursor.list(|cursor| cursor.name("the name of a parameter"))?;
        self.cursor.expect(")")?;
        Ok(parameters)
    }

    /// A statement of a definition; `None` for a barrier.
    fn inner_call(
        &mut self,
        defined: Token<'a>,
        parameters: &[Token<'a>],
        qubits: &[Token<'a>],
    ) -> Result<Option<(Call<'a>, Vec<usize>)>, Error> {
        let barrier = self.cursor.take("barrier").is_some();
        if !barrier && self.cursor.peek().is(defined.text) {
            return Err(self
                .cursor
                .peek()
                .refuse("calls itself: a definition may use earlier gates only"));
        }
        let call = if barrier { None } else { Some(self.call(parameters)?) };
        let mut places = Vec::new();
        if !self.cursor.peek().is(";") {
            places = self
                .cursor
                .list(|cursor| place(cursor.name("a qubit of this definition")?, qubits))?;
        }
        self.end()?;
        let Some(call) = call else { return Ok(None) };
        check_qubits(&call, &places)?;
        Ok(Some((call, places)))
    }

    /// Modifiers, a name and its parameters.
    fn call(&mut self, parameters: &[Token<'a>]) -> Result<Call<'a>, Error> {
        let modifiers = self.modifiers()?;
        let name = self.cursor.name("a statement")?;
        let callee = match self.names.get(name.text) {
            Some(Meaning::Gate(callee)) => callee.clone(),
            Some(_) => return Err(name.refuse("is not a gate")),
            None => return Err(name.refuse(self.unknown())),
        };
        let mut arguments = Vec::new();
        if self.cursor.take("(").is_some() && self.cursor.take(")").is_none() {
            arguments.push(self.expression(parameters)?);
            while self.cursor.take(",").is_some() {
                arguments.push(self.expression(parameters)?);
            }
            self.cursor.expect(")")?;
        }
        let (expected, actual) = (callee.n_parameters(), arguments.len());
        if expected != actual {
            return Err(name.refuse(format!("takes {expected} parameters, got {actual}")));
        }
        Ok(Call { name, callee, modifiers, arguments })
    }

    fn unknown(&self) -> &'static str {
        match self.cursor.version {
            Version::V2 => "is not a known gate: include \"qelib1.inc\" or define it before",
            Version::V3 => "is not a known gate: include \"stdgates.inc\" or define it before",
        }
    }

    fn modifiers(&mut self) -> Result<Vec<Modifier>, Error> {
        let mut modifiers = Vec::new();
        while self.cursor.version == Version::V3 {
            let token = self.cursor.peek();
            let negative = token.is("negctrl");
            let modifier = match token.text {
                "ctrl" | "negctrl" => {
                    self.cursor.next();
                    let n = self.count(Some(1), 1..=MAX_QUBITS as i64)? as usize;
                    Modifier::Control { n, negative }
                }
                "inv" => {
                    self.cursor.next();
                    Modifier::Inverse
                }
                "pow" => {
                    self.cursor.next();
                    let limit = super::expand::MAX_GATES as i64;
                    Modifier::Power(self.count(None, -limit..=limit)?)
                }
                _ => break,
            };
            self.cursor.expect("@")?;
            modifiers.push(modifier);
        }
        Ok(modifiers)
    }

    /// The integer in brackets after a modifier.
    fn count(
        &mut self,
        default: Option<i64>,
        range: std::ops::RangeInclusive<i64>,
    ) -> Result<i64, Error> {
        match default {
            Some(count) if !self.cursor.peek().is("(") => Ok(count),
            _ => {
                let bracket = self.cursor.expect("(")?;
                let count = self.number()?.integer(bracket, range)?;
                self.cursor.expect(")")?;
                Ok(count)
            }
        }
    }

    fn gate_call(&mut self) -> Result<(), Error> {
        let call = self.call(&[])?;
        let operands = if self.cursor.peek().is(";") { Vec::new() } else { self.operands()? };
        self.end()?;
        for qubits in lanes(&call, &operands)? {
            check_qubits(&call, &qubits)?;
            self.refuse_measured(&call, &qubits)?;
            self.operations.extend(self.expander.operations(&call, &qubits)?);
        }
        Ok(())
    }

    fn refuse_measured(&self, call: &Call, qubits: &[usize]) -> Result<(), Error> {
        match qubits.iter().find_map(|q| Some((q, self.measured.get(q)?))) {
            None => Ok(()),
            Some((qubit, line)) => Err(call.name.refuse(format!(
                "acts on qubit {qubit} after its measurement on line {line}: measure at the end"
            ))),
        }
    }

    fn operands(&mut self) -> Result<Vec<Operand<'a>>, Error> {
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
        let at = self.cursor.peek();
        let index = self.number()?.integer(at, 0..=size as i64 - 1)?;
        self.cursor.expect("]")?;
        Ok(Some(index as usize))
    }

    fn barrier(&mut self) -> Result<(), Error> {
        self.cursor.next();
        if !self.cursor.peek().is(";") {
            self.operands()?;
        }
        self.end()
    }

    /// `measure q;`, `measure q -> c;`
    fn measure(&mut self) -> Result<(), Error> {
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
    fn assignment(&mut self) -> Result<(), Error> {
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

/// Statements that are read, and modifiers.
const KEYWORDS: &[&str] = &[
    "OPENQASM", "include", "qreg", "creg", "qubit", "bit", "const", "input", "gate", "barrier",
    "measure", "ctrl", "negctrl", "inv", "pow",
];

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

/// Qubits of a call: a register, or one if `size` is `None`.
struct Operand<'a> {
    name: Token<'a>,
    first: usize,
    size: Option<usize>,
}

impl Operand<'_> {
    fn len(&self) -> usize {
        self.size.unwrap_or(1)
    }
}

/// The qubits of each gate that a call on registers makes; single qubits take part in each.
fn lanes(call: &Call, operands: &[Operand]) -> Result<Vec<Vec<usize>>, Error> {
    let mut registers = operands.iter().filter(|o| o.size.is_some());
    let length = registers.next().map_or(1, Operand::len);
    if let Some(other) = registers.find(|o| o.len() != length) {
        let sentence = format!("needs registers of one size: {length} and {}", other.len());
        return Err(call.name.refuse(sentence));
    }
    let lane =
        |k| operands.iter().map(|o| o.first + if o.size.is_some() { k } else { 0 }).collect();
    Ok((0..length).map(lane).collect())
}

/// The right number of qubits, all of them different.
fn check_qubits(call: &Call, qubits: &[usize]) -> Result<(), Error> {
    let (expected, actual) = (call.n_qubits(), qubits.len());
    if expected != actual {
        let sentence = format!("takes {expected} qubits with its controls, got {actual}");
        return Err(call.name.refuse(sentence));
    }
    let mut sorted = qubits.to_vec();
    sorted.sort_unstable();
    match sorted.windows(2).any(|pair| pair[0] == pair[1]) {
        true => Err(call.name.refuse("takes the same qubit twice: they must differ")),
        false => Ok(()),
    }
}

fn same_size(name: Token, qubits: usize, bits: usize) -> Result<(), Error> {
    if qubits == bits {
        return Ok(());
    }
    Err(name.refuse(format!("is measured from {qubits} qubits to {bits} bits: use as many")))
}

fn place(name: Token, qubits: &[Token]) -> Result<usize, Error> {
    let found = qubits.iter().position(|q| q.text == name.text);
    found.ok_or_else(|| name.refuse("is not a qubit of this definition"))
}

fn distinct(names: &[Token]) -> Result<(), Error> {
    if let Some(name) = names.get(MAX_QUBITS) {
        return Err(name.refuse(format!("is one too many: a gate takes up to {MAX_QUBITS}")));
    }
    for (k, name) in names.iter().enumerate() {
        if names[..k].iter().any(|earlier| earlier.text == name.text) {
            return Err(name.refuse("comes twice"));
        }
    }
    Ok(())
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

/// The gate that the exporter defines by exactly these tokens.
fn own_definition(written: &[Token], name: Token, version: Version) -> Option<Gate> {
    let gate = Gate::all().find(|g| g.info().qasm == name.text)?;
    let own = tokens(definition(gate, version)?).ok()?;
    let same = own.iter().map(|t| t.text).take(written.len()).eq(written.iter().map(|t| t.text));
    (same && own.len() == written.len() + 1).then_some(gate)
}
