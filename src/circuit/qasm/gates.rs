//! Definitions and calls of gates.

use super::Version;
use super::cursor::Cursor;
use super::expand::{Call, Callee, Definition, MAX_GATES, Modifier};
use super::export::definition;
use super::expression::Expression;
use super::lexer::{Token, tokens};
use super::parser::{MAX_QUBITS, Meaning, Parser};
use super::registers::Operand;
use super::standard::Standard;
use crate::circuit::Gate;
use crate::error::Error;
use std::ops::RangeInclusive;
use std::rc::Rc;

impl<'a> Parser<'a> {
    /// `gate name(parameters) qubits { calls }`
    pub fn gate(&mut self) -> Result<(), Error> {
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
        let is_standard = |(call, _): &(Call, _)| matches!(call.callee, Callee::Standard(_));
        let callee = match own_definition(self.cursor.since(start), name, self.cursor.version) {
            Some(gate) if body.iter().all(is_standard) => Callee::Standard(Standard::plain(gate)),
            _ => Callee::Defined(Rc::new(Definition::new(
                name,
                parameters.len(),
                qubits.len(),
                body,
            )?)),
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
        let first = self.cursor.peek();
        if first.is(defined.text) {
            return Err(first.refuse("calls itself: a definition may use earlier gates only"));
        }
        let barrier = self.cursor.take("barrier").is_some();
        let call = if barrier { None } else { Some(self.call(parameters)?) };
        let places = self.places(qubits)?;
        let Some(call) = call else { return Ok(None) };
        check_qubits(&call, &places)?;
        Ok(Some((call, places)))
    }

    /// The qubits of a definition's statement, by their places in its head.
    fn places(&mut self, qubits: &[Token<'a>]) -> Result<Vec<usize>, Error> {
        let mut places = Vec::new();
        if !self.cursor.peek().is(";") {
            let name = |cursor: &mut Cursor<'a>| cursor.name("a qubit of this definition");
            places = self.cursor.list(|cursor| place(name(cursor)?, qubits))?;
        }
        self.end()?;
        Ok(places)
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
        let arguments = self.arguments(parameters)?;
        let (expected, actual) = (callee.n_parameters(), arguments.len());
        if expected != actual {
            return Err(name.refuse(format!("takes {expected} parameters, got {actual}")));
        }
        Ok(Call { name, callee, modifiers, arguments })
    }

    fn arguments(&mut self, parameters: &[Token<'a>]) -> Result<Vec<Expression<'a>>, Error> {
        let mut arguments = Vec::new();
        if self.cursor.take("(").is_none() || self.cursor.take(")").is_some() {
            return Ok(arguments);
        }
        arguments.push(self.expression(parameters)?);
        while self.cursor.take(",").is_some() {
            arguments.push(self.expression(parameters)?);
        }
        self.cursor.expect(")")?;
        Ok(arguments)
    }

    fn unknown(&self) -> &'static str {
        match self.cursor.version {
            Version::V2 => "is not a known gate: include \"qelib1.inc\" or define it before",
            Version::V3 => "is not a known gate: include \"stdgates.inc\" or define it before",
        }
    }

    fn modifiers(&mut self) -> Result<Vec<Modifier>, Error> {
        let mut modifiers = Vec::new();
        while let Some(modifier) = self.modifier()? {
            self.cursor.expect("@")?;
            modifiers.push(modifier);
        }
        Ok(modifiers)
    }

    fn modifier(&mut self) -> Result<Option<Modifier>, Error> {
        let limit = MAX_GATES as i64;
        let keyword = self.cursor.peek();
        let known = ["ctrl", "negctrl", "inv", "pow"].contains(&keyword.text);
        if self.cursor.version == Version::V2 || !known {
            return Ok(None);
        }
        self.cursor.next();
        Ok(Some(match keyword.text {
            "inv" => Modifier::Inverse,
            "pow" => Modifier::Power(self.count(-limit..=limit)?),
            text => {
                let given = self.cursor.peek().is("(");
                let n = if given { self.count(1..=MAX_QUBITS as i64)? as usize } else { 1 };
                Modifier::Control { n, negative: text == "negctrl" }
            }
        }))
    }

    /// The integer in brackets after a modifier.
    fn count(&mut self, range: RangeInclusive<i64>) -> Result<i64, Error> {
        self.cursor.expect("(")?;
        let count = self.integer(range)?;
        self.cursor.expect(")")?;
        Ok(count)
    }

    pub fn gate_call(&mut self) -> Result<(), Error> {
        let call = self.call(&[])?;
        let operands = if self.cursor.peek().is(";") { Vec::new() } else { self.operands()? };
        self.end()?;
        for k in 0..n_lanes(&call, &operands)? {
            let qubits: Vec<usize> = operands.iter().map(|operand| operand.qubit(k)).collect();
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
}

/// The number of gates that a call on registers makes.
fn n_lanes(call: &Call, operands: &[Operand]) -> Result<usize, Error> {
    let mut registers = operands.iter().filter(|o| o.size.is_some());
    let length = registers.next().map_or(1, Operand::len);
    if let Some(other) = registers.find(|o| o.len() != length) {
        let sentence = format!("needs registers of one size: {length} and {}", other.len());
        return Err(call.name.refuse(sentence));
    }
    Ok(length)
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

/// The gate that the exporter defines by exactly these tokens.
fn own_definition(written: &[Token], name: Token, version: Version) -> Option<Gate> {
    let gate = Gate::all().find(|g| g.info().qasm == name.text)?;
    let own = tokens(definition(gate, version)?).ok()?;
    let same = own.iter().map(|t| t.text).take(written.len()).eq(written.iter().map(|t| t.text));
    (same && own.len() == written.len() + 1).then_some(gate)
}
