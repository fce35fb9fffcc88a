//! A place in a list of tokens.

use super::Version;
use super::lexer::{Kind, Token, tokens};
use crate::error::Error;

pub(super) struct Cursor<'a> {
    tokens: Vec<Token<'a>>,
    place: usize,
    pub version: Version,
}

impl<'a> Cursor<'a> {
    pub fn new(text: &'a str, version: Version) -> Result<Self, Error> {
        Ok(Self { tokens: tokens(text)?, place: 0, version })
    }

    pub fn peek(&self) -> Token<'a> {
        self.tokens[self.place]
    }

    /// The next token. The end of the program stays where it is.
    pub fn next(&mut self) -> Token<'a> {
        let token = self.peek();
        self.place = (self.place + 1).min(self.tokens.len() - 1);
        token
    }

    /// The next token, if it reads like this.
    pub fn take(&mut self, text: &str) -> Option<Token<'a>> {
        let found = self.peek().is(text) && self.peek().kind != Kind::End;
        found.then(|| self.next())
    }

    pub fn expect(&mut self, text: &str) -> Result<Token<'a>, Error> {
        let token = self.next();
        if token.is(text) {
            return Ok(token);
        }
        Err(token.refuse(format!("stands where `{text}` is expected")))
    }

    pub fn name(&mut self, what: &str) -> Result<Token<'a>, Error> {
        let token = self.next();
        if token.kind == Kind::Name {
            return Ok(token);
        }
        Err(token.refuse(format!("stands where {what} is expected")))
    }

    /// The number of tokens before this one, for [`since`](Self::since).
    pub fn place(&self) -> usize {
        self.place
    }

    /// The tokens from an earlier place up to here.
    pub fn since(&self, place: usize) -> &[Token<'a>] {
        &self.tokens[place..self.place]
    }

    /// One or more items with commas between them.
    pub fn list<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let mut items = vec![item(self)?];
        while self.take(",").is_some() {
            items.push(item(self)?);
        }
        Ok(items)
    }
}
