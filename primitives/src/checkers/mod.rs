//! Checkers: what decides, without any model, whether an answer is right (class A, whitepaper 'Verification architecture').
//!
//! A checker is data. [`check`] reads a model's whole answer, takes the one answer out of it that the rules of [`extract`] name, and
//! compares. The same function runs in the runtime, in workers and in the command line, so a score can be replayed by anybody.
//!
//! | checker | right when |
//! |---|---|
//! | [`Checker::Exact`] | the extracted text, in the declared form, equals one of the expected texts |
//! | [`Checker::Choice`] | the option that is named is the right one |
//! | [`Checker::Number`] | the extracted number is within the tolerance of the expected one, computed exactly |
//! | [`Checker::Calc`] | the extracted number equals the value of the expression, computed with exact fractions |
//! | [`Checker::JsonSchema`] | the extracted JSON fits the schema ([`json`]) |
//! | [`Checker::Sql`] | the query that was written returns what the reference query returns |
//! | [`Checker::Code`] | the function that was written has the tested properties |
//!
//! The last two need an engine. The runtime has none and says [`Verdict::Void`]; the crate `touchstone-checkers` runs all of them.

pub mod calc;
pub mod extract;
pub mod json;
pub mod rational;

use alloc::{string::ToString, vec::Vec};
use codec::{Decode, DecodeWithMemTracking, Encode};
pub use extract::Form;
pub use rational::Rational;
use scale_info::TypeInfo;

/// Most bytes of an answer that a checker reads.
pub const MAX_ANSWER: u32 = 1024;
/// Most bytes of an encoded checker.
pub const MAX_CHECKER: u32 = 2048;
/// Most bytes of the name of a function.
pub const MAX_NAME: usize = 64;
/// Most bytes of a task's text.
pub const MAX_TASK: u32 = 4096;

/// Decides whether an answer is right.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub enum Checker {
    /// A text.
    Exact {
        /// Texts that are right; the first one is the reference.
        accept: Vec<Vec<u8>>,
        /// How the answer is taken out and compared.
        form: Form,
    },
    /// One of several options.
    Choice {
        /// The options.
        options: Vec<Vec<u8>>,
        /// Place of the right one.
        right: u8,
    },
    /// A number.
    Number {
        /// Expected value, as decimal text or fraction (`-3`, `0.25`, `7/3`).
        value: Vec<u8>,
        /// Largest admitted distance from it, in the same notation.
        tolerance: Vec<u8>,
    },
    /// The value of an arithmetic expression ([`calc`]).
    Calc {
        /// The expression, for example `(12 + 30) * 2 / 7`.
        expression: Vec<u8>,
    },
    /// JSON of a shape.
    JsonSchema {
        /// The schema, as JSON text ([`json`] says which subset).
        schema: Vec<u8>,
    },
    /// A query in SQLite's dialect, with the result of `reference` on the tables of `setup`. Off chain only.
    Sql {
        /// Statements that make and fill the tables, UTF-8.
        setup: Vec<u8>,
        /// A query with the right result, UTF-8.
        reference: Vec<u8>,
        /// Whether the rows must come in the order of the reference.
        ordered: bool,
    },
    /// A program in Starlark that defines a function with certain properties. Off chain only.
    Code {
        /// Name of the function: a small letter, then small letters, digits and `_`, at most [`MAX_NAME`] bytes.
        function: Vec<u8>,
        /// A program in Starlark that defines `test(f)`. The answer is right if that returns `True` for its function.
        tests: Vec<u8>,
    },
}

/// What a checker says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub enum Verdict {
    /// The answer is right.
    Right,
    /// The answer is wrong, or there is none.
    Wrong,
    /// The checker itself is broken or cannot be run here: nobody is scored by it.
    Void,
}

/// Whether the checker needs a program outside the runtime (and so a panel of auditors to settle a dispute).
pub fn needs_panel(checker: &Checker) -> bool {
    matches!(checker, Checker::Sql { .. } | Checker::Code { .. })
}

/// Whether the checker can decide at all: its own parts parse and are within their bounds.
pub fn is_sound(checker: &Checker) -> bool {
    if checker.encoded_size() > MAX_CHECKER as usize {
        return false;
    }
    match checker {
        Checker::Exact { accept, form } => {
            !accept.is_empty()
                && accept
                    .iter()
                    .all(|text| extract::normalise(text, *form).is_some())
        }
        Checker::Choice { options, right } => options
            .get(usize::from(*right))
            .is_some_and(|text| extract::choice(text, options) == Some((*right).into())),
        Checker::Number { value, tolerance } => {
            Rational::parse(value).is_some()
                && Rational::parse(tolerance).is_some_and(|t| !t.is_negative())
        }
        Checker::Calc { expression } => calc::evaluate(expression).is_ok(),
        Checker::JsonSchema { schema } => json::Schema::parse(schema).is_some(),
        // What stands in a program shows when it runs.
        Checker::Sql {
            setup, reference, ..
        } => is_program(setup) && is_program(reference),
        Checker::Code { function, tests } => is_name(function) && is_program(tests),
    }
}

/// Whether this can be the source of a program: UTF-8 with something in it and without zero bytes.
fn is_program(source: &[u8]) -> bool {
    !source.contains(&0)
        && core::str::from_utf8(source).is_ok_and(|source| !source.trim().is_empty())
}

fn is_name(name: &[u8]) -> bool {
    name.len() <= MAX_NAME
        && name.first().is_some_and(u8::is_ascii_lowercase)
        && name
            .iter()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'_')
}

/// The verdict over a model's whole answer. Work is bounded by the bounds of answer and checker; there is no input that panics.
///
/// ```
/// use touchstone_primitives::checkers::*;
/// let checker = Checker::Number { value: b"90".to_vec(), tolerance: b"0".to_vec() };
/// assert_eq!(check(&checker, b"56 + 30 = 86, 86 + 4 = 90"), Verdict::Right);
/// assert_eq!(check(&checker, b"Answer: 91"), Verdict::Wrong);
/// ```
pub fn check(checker: &Checker, answer: &[u8]) -> Verdict {
    if !is_sound(checker) || needs_panel(checker) {
        return Verdict::Void;
    }
    if answer.len() > MAX_ANSWER as usize {
        return Verdict::Wrong;
    }
    let right = match checker {
        Checker::Exact { accept, form } => match extract::text(answer, *form) {
            Some(found) => accept
                .iter()
                .any(|text| extract::normalise(text, *form).as_ref() == Some(&found)),
            None => false,
        },
        Checker::Choice { options, right } => {
            extract::choice(answer, options) == Some((*right).into())
        }
        Checker::Number { value, tolerance } => {
            let (Some(value), Some(tolerance)) =
                (Rational::parse(value), Rational::parse(tolerance))
            else {
                return Verdict::Void;
            };
            extract::number(answer)
                .and_then(|found| found.minus(&value))
                .is_some_and(|distance| distance.absolute() <= tolerance)
        }
        Checker::Calc { expression } => {
            let Ok(value) = calc::evaluate(expression) else {
                return Verdict::Void;
            };
            extract::number(answer).is_some_and(|found| found == value)
        }
        Checker::JsonSchema { schema } => {
            let Some(schema) = json::Schema::parse(schema) else {
                return Verdict::Void;
            };
            extract::json(answer).is_some_and(|found| schema.admits(&found))
        }
        Checker::Sql { .. } | Checker::Code { .. } => return Verdict::Void,
    };
    if right {
        Verdict::Right
    } else {
        Verdict::Wrong
    }
}

/// The extracted answer in canonical form, empty when there is none. Equal wrong answers of two nodes have equal forms, however
/// they were phrased.
///
/// Queries and programs have none here: two that differ in a blank are one answer and two that do the same cannot be told without
/// running them, so they never count as a wrong answer that two nodes have in common.
pub fn canonical(checker: &Checker, answer: &[u8]) -> Vec<u8> {
    let answer = answer.get(..MAX_ANSWER as usize).unwrap_or(answer);
    match checker {
        Checker::Exact { form, .. } => extract::text(answer, *form).unwrap_or_default(),
        Checker::Choice { options, .. } => extract::choice(answer, options)
            .and_then(|place| options.get(place).cloned())
            .unwrap_or_default(),
        Checker::Number { .. } | Checker::Calc { .. } => extract::number(answer)
            .map(|found| found.to_string().into_bytes())
            .unwrap_or_default(),
        Checker::JsonSchema { .. } => extract::json(answer)
            .map(|found| found.to_string().into_bytes())
            .unwrap_or_default(),
        Checker::Sql { .. } | Checker::Code { .. } => Vec::new(),
    }
}

/// Hash of the checker's form, without what makes one task differ from the next: the family of an authored canary.
///
/// Authors cannot choose it, so a new label does not make a new family.
pub fn form_hash(checker: &Checker) -> crate::H256 {
    let form = match checker {
        Checker::Exact { form, .. } => (0u8, form.encode()),
        Checker::Number { tolerance, .. } => (
            1,
            Rational::parse(tolerance)
                .is_some_and(|t| !t.is_zero())
                .encode(),
        ),
        Checker::Calc { expression } => (2, calc::shape(expression)),
        Checker::JsonSchema { schema } => (3, json::shape(schema)),
        Checker::Sql { ordered, .. } => (4, ordered.encode()),
        Checker::Code { .. } => (5, Vec::new()),
        Checker::Choice { options, .. } => (6, (options.len() as u32).encode()),
    };
    crate::tagged_hash("touchstone/family/authored/1", &[&form.encode()])
}

#[cfg(test)]
mod tests;
