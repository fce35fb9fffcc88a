//! Parameter expressions: parsed to postfix, evaluated with a stack.
//!
//! Postfix, so that neither evaluating nor dropping a sum of a million terms recurses; only
//! brackets, signs and exponents recurse in the parser, to [`MAX_DEPTH`].

use super::Version;
use super::cursor::Cursor;
use super::lexer::{Kind, Token};
use crate::circuit::Angle;
use crate::error::Error;
use std::f64::consts::{E, PI, TAU};

/// How deep brackets, signs and exponents may nest.
pub(super) const MAX_DEPTH: usize = 64;

/// What an expression is worth.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'a> {
    Number {
        value: f64,
        integer: bool,
    },
    /// An input or a weight, alone.
    Free(Angle),
    /// Arithmetic with a free parameter, which no [`Angle`] can hold. It is an error only where it
    /// is used: most global phases are dropped. The token is the operator.
    Mixed(Token<'a>),
}

impl<'a> Value<'a> {
    pub fn real(value: f64) -> Self {
        Value::Number { value, integer: false }
    }

    /// `scale` times the sum of values; `at` is what to blame for it.
    pub fn scaled_sum(values: &[Value<'a>], scale: f64, at: Token<'a>) -> Self {
        let mut sum = 0.0;
        for value in values {
            match *value {
                Value::Number { value, .. } => sum += value,
                Value::Free(_) | Value::Mixed(_) => return Value::Mixed(at),
            }
        }
        Value::real(scale * sum)
    }

    pub fn negated(self, at: Token<'a>) -> Self {
        match self {
            Value::Number { value, integer } => Value::Number { value: -value, integer },
            Value::Free(_) | Value::Mixed(_) => Value::Mixed(at),
        }
    }

    pub fn angle(self) -> Result<Angle, Error> {
        match self {
            Value::Number { value, .. } => Ok(Angle::Constant(value)),
            Value::Free(angle) => Ok(angle),
            Value::Mixed(at) => Err(at.refuse(
                "computes with a free parameter: x_i and w_i can only be angles as they stand, so \
                 bind them or compute before",
            )),
        }
    }

    /// The number, which must be an integer from `range`.
    pub fn integer(
        self,
        at: Token<'a>,
        range: std::ops::RangeInclusive<i64>,
    ) -> Result<i64, Error> {
        match self {
            Value::Number { value, .. }
                if value.fract() == 0.0
                    && (*range.start() as f64..=*range.end() as f64).contains(&value) =>
            {
                Ok(value as i64)
            }
            _ => {
                let (low, high) = range.into_inner();
                Err(at.refuse(format!("needs an integer from {low} to {high}")))
            }
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Item<'a> {
    Value(Value<'a>),
    /// The parameter of a gate definition with this index.
    Parameter(usize),
    Negate,
    Binary,
    Function(fn(f64) -> f64),
}

/// An expression in postfix order, each item with the token it came from.
#[derive(Debug, Clone)]
pub(super) struct Expression<'a> {
    items: Vec<(Item<'a>, Token<'a>)>,
    version: Version,
}

impl<'a> Expression<'a> {
    /// The number of steps of its evaluation.
    pub fn cost(&self) -> usize {
        self.items.len()
    }

    /// The value, the parameters of the surrounding gate definition being given.
    pub fn value(&self, parameters: &[Value<'a>]) -> Result<Value<'a>, Error> {
        let mut stack: Vec<Value<'a>> = Vec::new();
        for &(item, token) in &self.items {
            let top = || token.refuse("lacks a value");
            let value = match item {
                Item::Value(value) => value,
                Item::Parameter(k) => parameters[k],
                Item::Negate => stack.pop().ok_or_else(top)?.negated(token),
                Item::Function(f) => apply(f, stack.pop().ok_or_else(top)?, token)?,
                Item::Binary => {
                    let (b, a) = (stack.pop().ok_or_else(top)?, stack.pop().ok_or_else(top)?);
                    binary(token, a, b, self.version)?
                }
            };
            stack.push(value);
        }
        Ok(stack[0])
    }
}

fn apply<'a>(f: fn(f64) -> f64, x: Value<'a>, at: Token<'a>) -> Result<Value<'a>, Error> {
    let Value::Number { value, .. } = x else { return Ok(Value::Mixed(at)) };
    let result = f(value);
    if result.is_finite() {
        return Ok(Value::real(result));
    }
    Err(at.refuse(format!("of {value} is {result}: angles must be finite")))
}

fn binary<'a>(
    at: Token<'a>,
    a: Value<'a>,
    b: Value<'a>,
    version: Version,
) -> Result<Value<'a>, Error> {
    let (Value::Number { value: x, integer: i }, Value::Number { value: y, integer: j }) = (a, b)
    else {
        return Ok(Value::Mixed(at));
    };
    let value = match at.text {
        "+" => x + y,
        "-" => x - y,
        "*" => x * y,
        "/" => x / y,
        _ => x.powf(y),
    };
    if !value.is_finite() {
        return Err(at.refuse(format!("gives {value} for {x} and {y}: angles must be finite")));
    }
    let integer = i && j && version == Version::V3;
    if integer && value.fract() != 0.0 {
        return Err(at.refuse(format!(
            "of the integers {x} and {y} drops the remainder in OpenQASM 3: write {x}.0"
        )));
    }
    Ok(Value::Number { value, integer })
}

/// Looks a name up: a parameter of the gate definition, or a value.
pub(super) trait Scope<'a> {
    fn parameter(&self, name: &str) -> Option<usize>;
    fn value(&self, name: &str) -> Option<Value<'a>>;
}

/// Reads an expression.
pub(super) fn parse<'a>(
    cursor: &mut Cursor<'a>,
    scope: &impl Scope<'a>,
) -> Result<Expression<'a>, Error> {
    let mut parser = Parser { version: cursor.version, cursor, scope, items: Vec::new(), depth: 0 };
    parser.sum(0)?;
    Ok(Expression { items: parser.items, version: parser.version })
}

struct Parser<'a, 'c, S> {
    cursor: &'c mut Cursor<'a>,
    scope: &'c S,
    items: Vec<(Item<'a>, Token<'a>)>,
    depth: usize,
    version: Version,
}

const LEVELS: [&[&str]; 2] = [&["+", "-"], &["*", "/"]];

impl<'a, S: Scope<'a>> Parser<'a, '_, S> {
    /// Sums at level 0, products at level 1, both from the left.
    fn sum(&mut self, level: usize) -> Result<(), Error> {
        let Some(operators) = LEVELS.get(level) else { return self.signed() };
        self.sum(level + 1)?;
        while operators.iter().any(|op| self.cursor.peek().is(op)) {
            let operator = self.cursor.next();
            self.sum(level + 1)?;
            self.items.push((Item::Binary, operator));
        }
        Ok(())
    }

    /// A sign binds less than a power: `-2^2` is -4.
    fn signed(&mut self) -> Result<(), Error> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let sentence = format!("nests deeper than {MAX_DEPTH}: split the expression");
            return Err(self.cursor.peek().refuse(sentence));
        }
        match self.cursor.take("-") {
            Some(minus) => {
                self.signed()?;
                self.items.push((Item::Negate, minus));
            }
            None => self.power()?,
        }
        self.depth -= 1;
        Ok(())
    }

    fn power(&mut self) -> Result<(), Error> {
        self.atom()?;
        let (mine, other) = match self.version {
            Version::V2 => ("^", "**"),
            Version::V3 => ("**", "^"),
        };
        if self.cursor.peek().is(other) {
            let sentence = format!("is not the power of this version: write `{mine}`");
            return Err(self.cursor.peek().refuse(sentence));
        }
        if let Some(operator) = self.cursor.take(mine) {
            self.signed()?;
            self.items.push((Item::Binary, operator));
        }
        Ok(())
    }

    fn atom(&mut self) -> Result<(), Error> {
        let token = self.cursor.next();
        match token.kind {
            Kind::Integer | Kind::Real => self.number(token),
            Kind::Name => self.named(token),
            _ if token.is("(") => self.bracketed(),
            _ => Err(token.refuse("stands where a number, a name or `(` is expected")),
        }
    }

    fn bracketed(&mut self) -> Result<(), Error> {
        self.sum(0)?;
        self.cursor.expect(")").map(|_| ())
    }

    fn number(&mut self, token: Token<'a>) -> Result<(), Error> {
        let value = token.text.parse().unwrap_or(f64::INFINITY);
        if !value.is_finite() {
            return Err(token.refuse("is too large for a double"));
        }
        let integer = token.kind == Kind::Integer;
        self.items.push((Item::Value(Value::Number { value, integer }), token));
        Ok(())
    }

    fn named(&mut self, token: Token<'a>) -> Result<(), Error> {
        let known = self.scope.parameter(token.text).map(Item::Parameter);
        let value = || self.scope.value(token.text).map(Item::Value);
        let constant = || constant(token.text).map(|x| Item::Value(Value::real(x)));
        if let Some(item) = known.or_else(value).or_else(constant) {
            self.items.push((item, token));
            return Ok(());
        }
        let Some(f) = function(token.text) else {
            return Err(token.refuse(
                "is not a known value: use pi, tau, euler, a parameter, an input or a constant",
            ));
        };
        self.cursor.expect("(")?;
        self.bracketed()?;
        self.items.push((Item::Function(f), token));
        Ok(())
    }
}

fn constant(name: &str) -> Option<f64> {
    match name {
        "pi" | "π" => Some(PI),
        "tau" | "τ" => Some(TAU),
        "euler" | "ℇ" => Some(E),
        _ => None,
    }
}

/// Those of version 2 (`ln`) and version 3 (`log`, `arcsin`, ...), in both.
fn function(name: &str) -> Option<fn(f64) -> f64> {
    Some(match name {
        "sin" => f64::sin,
        "cos" => f64::cos,
        "tan" => f64::tan,
        "arcsin" => f64::asin,
        "arccos" => f64::acos,
        "arctan" => f64::atan,
        "exp" => f64::exp,
        "ln" | "log" => f64::ln,
        "sqrt" => f64::sqrt,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nothing;

    impl<'a> Scope<'a> for Nothing {
        fn parameter(&self, name: &str) -> Option<usize> {
            (name == "theta").then_some(0)
        }
        fn value(&self, name: &str) -> Option<Value<'a>> {
            (name == "x_0").then_some(Value::Free(Angle::Input(0)))
        }
    }

    fn angle(text: &str, version: Version) -> Result<Angle, Error> {
        let mut cursor = Cursor::new(text, version)?;
        let expression = parse(&mut cursor, &Nothing)?;
        cursor.expect("")?;
        expression.value(&[Value::real(0.75)])?.angle()
    }

    #[test]
    fn expressions_have_their_values() {
        for (text, value) in [
            ("1 + 2*3 - 4/2", 5.0),
            ("-2^2", -4.0),
            ("2^3^2", 512.0),
            ("2^-1", 0.5),
            ("8/4/2", 1.0),
            ("1/2", 0.5),
            ("-(pi - tau)/2", PI / 2.0),
            ("--sin(pi/2)", 1.0),
            ("ln(exp(2)) + sqrt(4)", 4.0),
            ("theta*4", 3.0),
            (".5e1 + 1.", 6.0),
        ] {
            assert_eq!(angle(text, Version::V2).unwrap(), Angle::Constant(value), "{text}");
        }
        assert_eq!(angle("2**3/4 + π", Version::V3).unwrap(), Angle::Constant(2.0 + PI));
        assert_eq!(angle("(x_0)", Version::V3).unwrap(), Angle::Input(0));
        let long = "1".to_owned() + &"+1".repeat(100_000);
        assert_eq!(angle(&long, Version::V3).unwrap(), Angle::Constant(100_001.0));
    }

    #[test]
    fn what_has_no_value_is_named() {
        for (text, message) in [
            (
                "1/2",
                "line 1, column 2: `/` of the integers 1 and 2 drops the remainder in OpenQASM 3: \
                 write 1.0",
            ),
            ("2.0/0", "line 1, column 4: `/` gives inf for 2 and 0: angles must be finite"),
            ("sqrt(-1)", "line 1, column 1: `sqrt` of -1 is NaN: angles must be finite"),
            ("2^2", "line 1, column 2: `^` is not the power of this version: write `**`"),
            ("1e999", "line 1, column 1: `1e999` is too large for a double"),
            ("(1", "line 1, column 3: the end of the program stands where `)` is expected"),
            (
                "2*x_0",
                "line 1, column 2: `*` computes with a free parameter: x_i and w_i can only be \
                 angles as they stand, so bind them or compute before",
            ),
            (
                "phi",
                "line 1, column 1: `phi` is not a known value: use pi, tau, euler, a parameter, an \
                 input or a constant",
            ),
        ] {
            assert_eq!(angle(text, Version::V3).unwrap_err().to_string(), message);
        }
        let deep = "(".repeat(100_000);
        let error = angle(&deep, Version::V3).unwrap_err().to_string();
        assert!(error.contains("column 65: `(` nests deeper than 64"), "{error}");
    }
}
