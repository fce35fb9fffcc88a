//! Text to tokens that know where they stand.

use crate::error::{Error, ErrorKind};

/// What a token is, as far as spelling tells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Name,
    /// Digits alone. OpenQASM 3 divides integers without a remainder, so they are kept apart.
    Integer,
    Real,
    /// With its quotes.
    Text,
    /// One character, or `**`, `->`.
    Symbol,
    End,
}

/// A piece of the program.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token<'a> {
    pub kind: Kind,
    pub text: &'a str,
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
}

impl Token<'_> {
    /// The error that quotes this token: "`token` ..." with the rest of the sentence.
    pub fn refuse(&self, sentence: impl AsRef<str>) -> Error {
        let quoted = match self.kind {
            Kind::End => "the end of the program".into(),
            _ => format!("`{}`", abridged(self.text)),
        };
        let message = format!("{quoted} {}", sentence.as_ref());
        ErrorKind::Qasm { line: self.line, column: self.column, message }.into()
    }

    pub fn is(&self, text: &str) -> bool {
        self.text == text && self.kind != Kind::Text
    }
}

/// Messages stay on one line, also those about a text without end.
fn abridged(text: &str) -> String {
    let line = text.lines().next().unwrap_or("");
    let start: String = line.chars().take(32).collect();
    if start.len() == text.len() { start } else { start + "..." }
}

/// The tokens of a program; the last is [`Kind::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<Token<'_>>, Error> {
    let mut lexer = Lexer { rest: text, line: 1, column: 1 };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_blanks()?;
        let token = lexer.token()?;
        tokens.push(token);
        if token.kind == Kind::End {
            return Ok(tokens);
        }
    }
}

struct Lexer<'a> {
    rest: &'a str,
    line: usize,
    column: usize,
}

impl<'a> Lexer<'a> {
    /// Takes `length` bytes, which end at a character boundary.
    fn take(&mut self, kind: Kind, length: usize) -> Token<'a> {
        let (text, rest) = self.rest.split_at(length);
        let token = Token { kind, text, line: self.line, column: self.column };
        for c in text.chars() {
            (self.line, self.column) =
                if c == '\n' { (self.line + 1, 1) } else { (self.line, self.column + 1) };
        }
        self.rest = rest;
        token
    }

    fn skip_blanks(&mut self) -> Result<(), Error> {
        loop {
            let length = if self.rest.starts_with("//") {
                self.rest.find('\n').unwrap_or(self.rest.len())
            } else if self.rest.starts_with("/*") {
                let Some(end) = self.rest.find("*/") else {
                    return Err(self.take(Kind::Symbol, 2).refuse("has no matching `*/`"));
                };
                end + 2
            } else {
                self.length_of(char::is_whitespace)
            };
            if length == 0 {
                return Ok(());
            }
            self.take(Kind::Symbol, length);
        }
    }

    fn length_of(&self, belongs: impl Fn(char) -> bool) -> usize {
        self.rest.find(|c| !belongs(c)).unwrap_or(self.rest.len())
    }

    fn token(&mut self) -> Result<Token<'a>, Error> {
        let mut chars = self.rest.chars();
        let (first, second) = (chars.next(), chars.next());
        let is_digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
        match first {
            None => Ok(self.take(Kind::End, 0)),
            Some(c) if starts_name(c) => Ok(self.take(Kind::Name, self.length_of(in_name))),
            Some('.') if is_digit(second) => self.number(),
            Some(_) if is_digit(first) => self.number(),
            Some('"') => self.quoted(),
            Some('*') if second == Some('*') => Ok(self.take(Kind::Symbol, 2)),
            Some('-') if second == Some('>') => Ok(self.take(Kind::Symbol, 2)),
            Some(c) => Ok(self.take(Kind::Symbol, c.len_utf8())),
        }
    }

    fn quoted(&mut self) -> Result<Token<'a>, Error> {
        match self.rest[1..].find(['"', '\n']) {
            Some(end) if self.rest[1 + end..].starts_with('"') => {
                Ok(self.take(Kind::Text, end + 2))
            }
            _ => Err(self.take(Kind::Symbol, 1).refuse("has no closing quote on its line")),
        }
    }

    fn number(&mut self) -> Result<Token<'a>, Error> {
        let length = number_length(self.rest.as_bytes());
        let is_integer = self.rest[..length].bytes().all(|b| b.is_ascii_digit());
        let tail = self.rest[length..].find(|c| !in_name(c)).unwrap_or(self.rest.len() - length);
        if tail > 0 {
            let token = self.take(Kind::Name, length + tail);
            return Err(token.refuse("is not a number: write decimals such as 16, 0.5 or 1.5e-3"));
        }
        Ok(self.take(if is_integer { Kind::Integer } else { Kind::Real }, length))
    }
}

fn starts_name(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

fn in_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Digits, a point and digits, an exponent.
fn number_length(text: &[u8]) -> usize {
    let digits = |from: usize| text[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    let mut length = digits(0);
    if text.get(length) == Some(&b'.') {
        length += 1 + digits(length + 1);
    }
    if matches!(text.get(length), Some(b'e' | b'E')) {
        let sign = matches!(text.get(length + 1), Some(b'+' | b'-')) as usize;
        let exponent = digits((length + 1 + sign).min(text.len()));
        if exponent > 0 {
            length += 1 + sign + exponent;
        }
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<&str> {
        tokens(text).unwrap().iter().map(|t| t.text).collect()
    }

    #[test]
    fn numbers_names_and_symbols_are_told_apart() {
        assert_eq!(
            words("rx(1.5e-3)q[0]->"),
            ["rx", "(", "1.5e-3", ")", "q", "[", "0", "]", "->", ""]
        );
        assert_eq!(words(".5 1. 2**3 π/2"), [".5", "1.", "2", "**", "3", "π", "/", "2", ""]);
        assert_eq!(words("a/* x\n */b // c"), ["a", "b", ""]);
    }

    #[test]
    fn positions_count_characters() {
        let tokens = tokens("π x\n  \"a\" y").unwrap();
        let places: Vec<_> = tokens.iter().map(|t| (t.line, t.column)).collect();
        assert_eq!(places, [(1, 1), (1, 3), (2, 3), (2, 7), (2, 8)]);
    }

    #[test]
    fn what_is_not_a_token_is_named() {
        let message = |text| tokens(text).unwrap_err().to_string();
        assert_eq!(
            message("x 0x1F"),
            "line 1, column 3: `0x1F` is not a number: write decimals such as 16, 0.5 or 1.5e-3"
        );
        assert_eq!(message("\n /* x"), "line 2, column 2: `/*` has no matching `*/`");
        assert_eq!(message("\"x\n\""), "line 1, column 1: `\"` has no closing quote on its line");
    }
}
