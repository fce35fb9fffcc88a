//! Calls of gates, expanded to operations of our table.

use super::expression::{Expression, MAX_DEPTH, Value};
use super::lexer::Token;
use super::standard::Standard;
use crate::circuit::gate::Inverse;
use crate::circuit::{Gate, Operation};
use crate::error::Error;
use std::rc::Rc;

/// The largest number of gates after expansion, the copies that modifiers make included.
pub(super) const MAX_GATES: usize = 1 << 20;

/// What a call calls.
#[derive(Debug, Clone)]
pub(super) enum Callee<'a> {
    Standard(Standard),
    GlobalPhase,
    Defined(Rc<Definition<'a>>),
}

impl Callee<'_> {
    pub fn n_parameters(&self) -> usize {
        match self {
            Callee::Standard(row) => row.n_parameters(),
            Callee::GlobalPhase => 1,
            Callee::Defined(definition) => definition.n_parameters,
        }
    }

    pub fn n_qubits(&self) -> usize {
        match self {
            Callee::Standard(row) => row.n_qubits(),
            Callee::GlobalPhase => 0,
            Callee::Defined(definition) => definition.n_qubits,
        }
    }

    fn depth(&self) -> usize {
        if let Callee::Defined(definition) = self { definition.depth } else { 0 }
    }
}

/// A gate that the program defines: calls, each with the qubits it takes from the definition's.
#[derive(Debug)]
pub(super) struct Definition<'a> {
    n_parameters: usize,
    n_qubits: usize,
    body: Vec<(Call<'a>, Vec<usize>)>,
    depth: usize,
}

impl<'a> Definition<'a> {
    /// Definitions call earlier ones only, so that they cannot recurse, but they could be a chain
    /// as long as the program.
    pub fn new(
        name: Token<'a>,
        n_parameters: usize,
        n_qubits: usize,
        body: Vec<(Call<'a>, Vec<usize>)>,
    ) -> Result<Self, Error> {
        let depth = 1 + body.iter().map(|(call, _)| call.callee.depth()).max().unwrap_or(0);
        if depth > MAX_DEPTH {
            return Err(
                name.refuse(format!("nests deeper than {MAX_DEPTH} definitions: expand it"))
            );
        }
        Ok(Self { n_parameters, n_qubits, body, depth })
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Modifier {
    Control { n: usize, negative: bool },
    Inverse,
    Power(i64),
}

impl Modifier {
    fn n_controls(&self) -> usize {
        if let Modifier::Control { n, .. } = self { *n } else { 0 }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Call<'a> {
    pub name: Token<'a>,
    pub callee: Callee<'a>,
    /// As written: the first is applied last.
    pub modifiers: Vec<Modifier>,
    pub arguments: Vec<Expression<'a>>,
}

impl Call<'_> {
    /// What it takes to prepare the call, a long expression costing as much as some gates.
    fn cost(&self) -> usize {
        let arguments = self.arguments.iter().map(Expression::cost);
        self.n_qubits() + self.modifiers.len() + arguments.sum::<usize>()
    }

    pub fn n_qubits(&self) -> usize {
        let controls = self.modifiers.iter().map(Modifier::n_controls);
        controls.fold(self.callee.n_qubits(), usize::saturating_add)
    }
}

/// A gate of the table on its way to an [`Operation`]; without a gate, a phase.
#[derive(Debug, Clone)]
struct Step<'a> {
    gate: Option<Gate>,
    angles: Vec<Value<'a>>,
    qubits: Vec<usize>,
    controls: Vec<usize>,
    name: Token<'a>,
}

impl Step<'_> {
    fn inverse(mut self) -> Self {
        let inverse = self.gate.map_or(Inverse::Negated, |gate| gate.info().inverse);
        self.angles = self.angles.iter().map(|angle| angle.negated(self.name)).collect();
        match inverse {
            Inverse::Itself | Inverse::Negated => {}
            Inverse::Gate(gate) => self.gate = Some(gate),
            Inverse::Euler => self.angles.swap(1, 2),
        }
        self
    }

    fn is_zero(&self) -> bool {
        matches!(self.angles[..], [Value::Number { value: 0.0, .. }])
    }

    /// `None` for a global phase. A controlled phase is the phase gate on one of its controls.
    fn operation(mut self) -> Result<Option<Operation>, Error> {
        let gate = match self.gate {
            Some(gate) => gate,
            None if self.controls.is_empty() || self.is_zero() => return Ok(None),
            None => {
                self.qubits = vec![self.controls.remove(0)];
                Gate::P
            }
        };
        let angles = self.angles.iter().map(|a| a.angle()).collect::<Result<Vec<_>, _>>()?;
        let operation = Operation::new(gate, &self.qubits, &angles);
        let operation = operation.and_then(|op| op.with_controls(&self.controls));
        operation.map(Some).map_err(|error| self.name.refuse(format!("fails: {error}")))
    }
}

/// Counts the gates of one program.
#[derive(Debug, Default)]
pub(super) struct Expander {
    spent: usize,
}

impl Expander {
    /// The operations of one call.
    pub fn operations(&mut self, call: &Call, qubits: &[usize]) -> Result<Vec<Operation>, Error> {
        let steps = self.call(call, qubits, &[])?;
        steps.into_iter().filter_map(|step| step.operation().transpose()).collect()
    }

    fn spend(&mut self, gates: usize, at: Token) -> Result<(), Error> {
        self.spent = self.spent.saturating_add(gates);
        if self.spent > MAX_GATES {
            return Err(
                at.refuse(format!("brings the program over the limit of {MAX_GATES} gates"))
            );
        }
        Ok(())
    }

    fn call<'a>(
        &mut self,
        call: &Call<'a>,
        qubits: &[usize],
        scope: &[Value<'a>],
    ) -> Result<Vec<Step<'a>>, Error> {
        self.spend(1 + call.cost() / 16, call.name)?;
        let arguments =
            call.arguments.iter().map(|e| e.value(scope)).collect::<Result<Vec<_>, _>>()?;
        let (mut controls, own) = qubits.split_at(qubits.len() - call.callee.n_qubits());
        let mut steps = self.body(call, own, arguments)?;
        for modifier in call.modifiers.iter().rev() {
            let (outer, inner) = controls.split_at(controls.len() - modifier.n_controls());
            controls = outer;
            steps = self.modified(steps, *modifier, inner, call.name)?;
        }
        Ok(steps)
    }

    fn body<'a>(
        &mut self,
        call: &Call<'a>,
        qubits: &[usize],
        arguments: Vec<Value<'a>>,
    ) -> Result<Vec<Step<'a>>, Error> {
        match &call.callee {
            Callee::Standard(row) => Ok(standard(row, call.name, qubits, &arguments)),
            Callee::GlobalPhase => Ok(vec![phase(call.name, arguments[0])]),
            Callee::Defined(definition) => {
                let mut steps = Vec::new();
                for (inner, places) in &definition.body {
                    let qubits: Vec<usize> = places.iter().map(|&k| qubits[k]).collect();
                    steps.extend(self.call(inner, &qubits, &arguments)?);
                }
                Ok(steps)
            }
        }
    }

    fn modified<'a>(
        &mut self,
        steps: Vec<Step<'a>>,
        modifier: Modifier,
        controls: &[usize],
        at: Token<'a>,
    ) -> Result<Vec<Step<'a>>, Error> {
        match modifier {
            Modifier::Inverse => self.inverse(steps, at),
            Modifier::Control { n, negative } => {
                self.spend(steps.len().saturating_mul(n), at)?;
                Ok(controlled(steps, controls, negative, at))
            }
            Modifier::Power(exponent) => {
                let times = exponent.unsigned_abs() as usize;
                self.spend(times.saturating_mul(steps.len()), at)?;
                let steps = if exponent < 0 { self.inverse(steps, at)? } else { steps };
                Ok(std::iter::repeat_n(steps, times).flatten().collect())
            }
        }
    }

    fn inverse<'a>(&mut self, steps: Vec<Step<'a>>, at: Token<'a>) -> Result<Vec<Step<'a>>, Error> {
        self.spend(steps.len(), at)?;
        Ok(steps.into_iter().rev().map(Step::inverse).collect())
    }
}

fn standard<'a>(
    row: &Standard,
    name: Token<'a>,
    qubits: &[usize],
    arguments: &[Value<'a>],
) -> Vec<Step<'a>> {
    let (angles, phase_of_targets) = row.angles(arguments, name);
    let (added, own) = qubits.split_at(row.added);
    let (gate, controls) = (Some(row.gate), added.to_vec());
    let mut steps = vec![Step { gate, angles, qubits: own.to_vec(), controls, name }];
    if let Some(value) = phase_of_targets {
        let controls = own[..row.gate.info().n_controls].to_vec();
        steps.push(Step { controls, ..phase(name, value) });
    }
    steps
}

fn phase<'a>(name: Token<'a>, value: Value<'a>) -> Step<'a> {
    Step { gate: None, angles: vec![value], qubits: Vec::new(), controls: Vec::new(), name }
}

fn controlled<'a>(
    mut steps: Vec<Step<'a>>,
    controls: &[usize],
    negative: bool,
    name: Token<'a>,
) -> Vec<Step<'a>> {
    steps.iter_mut().for_each(|step| step.controls.extend(controls));
    if !negative {
        return steps;
    }
    let (gate, angles) = (Some(Gate::X), Vec::new());
    let not =
        |&q: &usize| Step { gate, angles: angles.clone(), qubits: vec![q], controls: vec![], name };
    let nots = || controls.iter().map(not);
    nots().chain(steps).chain(nots()).collect()
}
