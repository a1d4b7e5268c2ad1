//! Tasks of a JSONL file, for example of a public benchmark: an object on each line.
//!
//! | field | meaning |
//! |---|---|
//! | `prompt` or `question` | what the model is asked |
//! | `number`, with `tolerance` if it is not 0 | right is a number: `42`, `"0.25"`, `"7/3"` |
//! | `expression` | right is the value of the expression: `"(12 + 30) * 2"` |
//! | `accept` | right is one of these texts |
//! | `schema` | right is JSON that fits this schema |
//! | `answer` | right is this text; what stands after `####` in it is a number, as GSM8K writes it |
//!
//! Exactly one of the last five decides. Other fields do not matter.

use serde::Deserialize;
use serde_json::Value;
use touchstone_primitives::checkers::{Checker, Form, MAX_TASK, is_sound};

/// A task of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// What the model is asked.
    pub prompt: String,
    /// What decides about its answer.
    pub checker: Checker,
}

#[derive(Deserialize)]
struct Line {
    #[serde(alias = "question")]
    prompt: String,
    number: Option<Value>,
    tolerance: Option<Value>,
    expression: Option<String>,
    accept: Option<Vec<String>>,
    schema: Option<Value>,
    answer: Option<String>,
}

/// All tasks of a file, or the first line that is none and why.
pub fn read(text: &str) -> Result<Vec<Task>, String> {
    let lines = text.lines().zip(1u32..);
    lines
        .filter(|(line, _)| !line.trim().is_empty())
        .map(|(line, number)| task(line).map_err(|reason| format!("line {number}: {reason}")))
        .collect()
}

fn task(line: &str) -> Result<Task, String> {
    let line: Line = serde_json::from_str(line).map_err(|e| e.to_string())?;
    if line.prompt.trim().is_empty() || line.prompt.len() > MAX_TASK as usize {
        return Err(format!("a prompt has 1 to {MAX_TASK} bytes"));
    }
    let given = [
        line.number.is_some(),
        line.expression.is_some(),
        line.accept.is_some(),
        line.schema.is_some(),
        line.answer.is_some(),
    ];
    if given.iter().filter(|given| **given).count() != 1 {
        return Err("give exactly one of number, expression, accept, schema and answer".into());
    }
    let checker = checker(&line);
    if !is_sound(&checker) {
        return Err(format!("the checker cannot decide anything: {checker:?}"));
    }
    Ok(Task {
        prompt: line.prompt,
        checker,
    })
}

fn checker(line: &Line) -> Checker {
    let exact = |texts: &[String]| Checker::Exact {
        accept: texts.iter().map(|text| text.clone().into_bytes()).collect(),
        form: Form::Text,
    };
    let number = |value: Vec<u8>| Checker::Number {
        value,
        tolerance: line.tolerance.as_ref().map_or(b"0".to_vec(), digits),
    };
    match line {
        Line {
            number: Some(value),
            ..
        } => number(digits(value)),
        Line {
            expression: Some(expression),
            ..
        } => Checker::Calc {
            expression: expression.clone().into_bytes(),
        },
        Line {
            accept: Some(texts),
            ..
        } => exact(texts),
        Line {
            schema: Some(schema),
            ..
        } => Checker::JsonSchema {
            schema: schema.to_string().into_bytes(),
        },
        Line { answer, .. } => {
            let answer = answer.clone().unwrap_or_default();
            match answer.rsplit_once("####") {
                Some((_, value)) => number(value.trim().replace(',', "").into_bytes()),
                None => exact(&[answer]),
            }
        }
    }
}

/// A number as the checker reads it, from a JSON number or text.
fn digits(value: &Value) -> Vec<u8> {
    match value {
        Value::String(text) => text.trim().as_bytes().to_vec(),
        other => other.to_string().into_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use touchstone_primitives::checkers::{Verdict, check};

    fn verdict(line: &str, answer: &str) -> Verdict {
        check(&task(line).unwrap().checker, answer.as_bytes())
    }

    #[test]
    fn lines_of_gsm8k_are_read_as_they_are() {
        let line = r#"{"question": "Tom has 3 boxes of 416 nails. How many nails?", "answer": "3*416=<<3*416=1248>>1248\n#### 1,248"}"#;
        assert_eq!(verdict(line, "That makes 1248 nails."), Verdict::Right);
        assert_eq!(verdict(line, "#### 1247"), Verdict::Wrong);
    }

    #[test]
    fn every_kind_of_checker_can_be_given() {
        for (line, right, wrong) in [
            (
                r#"{"prompt": "?", "number": 0.5, "tolerance": "0.1"}"#,
                "0.45",
                "0.3",
            ),
            (
                r#"{"prompt": "?", "expression": "(1 + 2) / 6"}"#,
                "0.5",
                "1",
            ),
            (
                r#"{"prompt": "?", "accept": ["Paris", "city of Paris"]}"#,
                "Answer: Paris.",
                "Answer: Rome",
            ),
            (
                r#"{"prompt": "?", "schema": {"type": "array", "minItems": 1}, "id": 7}"#,
                "[1]",
                "[]",
            ),
            (
                r#"{"prompt": "?", "answer": "Mount Everest"}"#,
                "Answer: mount everest",
                "Answer: K2",
            ),
        ] {
            assert_eq!(verdict(line, right), Verdict::Right, "{line}");
            assert_eq!(verdict(line, wrong), Verdict::Wrong, "{line}");
        }
    }

    #[test]
    fn a_line_that_is_no_task_is_named() {
        let good = r#"{"prompt": "?", "number": 1}"#;
        assert_eq!(read(&format!("{good}\n\n{good}\n")).unwrap().len(), 2);
        for (bad, reason) in [
            (r#"{"prompt": "?"}"#, "exactly one"),
            (
                r#"{"prompt": "?", "number": 1, "answer": "1"}"#,
                "exactly one",
            ),
            (r#"{"prompt": " ", "number": 1}"#, "prompt"),
            (r#"{"prompt": "?", "number": "one"}"#, "cannot decide"),
            (
                r#"{"prompt": "?", "schema": {"pattern": "x"}}"#,
                "cannot decide",
            ),
            ("no JSON", "expected"),
        ] {
            let error = read(&format!("{good}\n{bad}")).unwrap_err();
            assert!(
                error.starts_with("line 2: ") && error.contains(reason),
                "{bad}: {error}"
            );
        }
    }
}
