//! Arithmetic expressions with exact fractions: `+ - * / ^`, parentheses, decimals. `^` takes a whole exponent up to 64.

use super::Rational;
use alloc::vec::Vec;

/// Most levels of parentheses and signs.
pub const MAX_DEPTH: u32 = 16;
/// Most numbers and operators.
pub const MAX_NODES: u32 = 64;
/// Largest exponent.
pub const MAX_EXPONENT: u32 = 64;

/// Why an expression has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoValue {
    /// It is not an expression.
    Syntax,
    /// It is deeper or longer than admitted.
    TooBig,
    /// A division by zero, or a part of more than 512 bits.
    Range,
}

struct Parser<'a> {
    rest: &'a [u8],
    nodes: u32,
    /// Operators and parentheses in order, without the numbers.
    shape: Vec<u8>,
}

/// The value of an expression.
pub fn evaluate(expression: &[u8]) -> Result<Rational, NoValue> {
    parse(expression).0
}

/// Operators and parentheses in order: what two tasks of the same form share.
pub fn shape(expression: &[u8]) -> Vec<u8> {
    parse(expression).1
}

fn parse(expression: &[u8]) -> (Result<Rational, NoValue>, Vec<u8>) {
    let mut parser = Parser {
        rest: expression,
        nodes: 0,
        shape: Vec::new(),
    };
    let value = parser.sum(0).and_then(|value| match parser.peek() {
        None => Ok(value),
        Some(_) => Err(NoValue::Syntax),
    });
    (value, parser.shape)
}

impl Parser<'_> {
    fn peek(&mut self) -> Option<u8> {
        while let [b' ' | b'\t', rest @ ..] = self.rest {
            self.rest = rest;
        }
        self.rest.first().copied()
    }

    fn take(&mut self) {
        if let [first, rest @ ..] = self.rest {
            self.shape.push(*first);
            self.rest = rest;
        }
    }

    fn node(&mut self) -> Result<(), NoValue> {
        self.nodes = self.nodes.saturating_add(1);
        if self.nodes > MAX_NODES {
            return Err(NoValue::TooBig);
        }
        Ok(())
    }

    fn sum(&mut self, depth: u32) -> Result<Rational, NoValue> {
        let mut value = self.product(depth)?;
        while let Some(sign @ (b'+' | b'-')) = self.peek() {
            self.take();
            self.node()?;
            let right = self.product(depth)?;
            let next = if sign == b'+' {
                value.plus(&right)
            } else {
                value.minus(&right)
            };
            value = next.ok_or(NoValue::Range)?;
        }
        Ok(value)
    }

    fn product(&mut self, depth: u32) -> Result<Rational, NoValue> {
        let mut value = self.power(depth)?;
        while let Some(sign @ (b'*' | b'/')) = self.peek() {
            self.take();
            self.node()?;
            let right = self.power(depth)?;
            let next = if sign == b'*' {
                value.times(&right)
            } else {
                value.over(&right)
            };
            value = next.ok_or(NoValue::Range)?;
        }
        Ok(value)
    }

    fn power(&mut self, depth: u32) -> Result<Rational, NoValue> {
        let value = self.atom(depth)?;
        if self.peek() != Some(b'^') {
            return Ok(value);
        }
        self.take();
        self.node()?;
        let exponent = self.atom(depth)?;
        let exponent = exponent
            .to_u32()
            .filter(|e| *e <= MAX_EXPONENT)
            .ok_or(NoValue::Range)?;
        value.power(exponent).ok_or(NoValue::Range)
    }

    fn atom(&mut self, depth: u32) -> Result<Rational, NoValue> {
        if depth >= MAX_DEPTH {
            return Err(NoValue::TooBig);
        }
        self.node()?;
        let deeper = depth.saturating_add(1);
        match self.peek().ok_or(NoValue::Syntax)? {
            b'(' => {
                self.take();
                let value = self.sum(deeper)?;
                if self.peek() != Some(b')') {
                    return Err(NoValue::Syntax);
                }
                self.take();
                Ok(value)
            }
            b'-' => {
                self.take();
                Ok(self.atom(deeper)?.negate())
            }
            _ => {
                let length = self
                    .rest
                    .iter()
                    .take_while(|b| b.is_ascii_digit() || **b == b'.')
                    .count();
                let (number, rest) = self.rest.split_at_checked(length).ok_or(NoValue::Syntax)?;
                self.rest = rest;
                Rational::parse(number).ok_or(NoValue::Syntax)
            }
        }
    }
}
