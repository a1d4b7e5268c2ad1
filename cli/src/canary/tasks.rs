//! Tasks of a JSONL file, of one's own or of a public benchmark: an object on each line. docs/canaries.md describes the format.

use crate::Result;
use codec::Encode;
use serde::Deserialize;
use serde_json::{Number, Value};
use std::{collections::BTreeMap, path::Path};
use touchstone_checkers::{Judge, TaskFault};
use touchstone_primitives::{
    checkers::{Checker, Form, MAX_CHECKER, MAX_TASK, Verdict},
    fixed::Fixed,
    generators::Task,
};

/// Most lines that are complained about at once.
const MAX_COMPLAINTS: usize = 20;

/// A task of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ImportedTask {
    /// What the file calls it, else the number of its line. No other task of the file is called so.
    pub id: String,
    /// What is asked, what decides, and how hard it is said to be.
    pub task: Task,
}

/// All tasks of a file. Tasks that need an engine have been run once.
///
/// # Errors
///
/// Names every bad line as `file:line`, what is wrong with it and what to write instead.
pub(crate) fn read(path: &Path) -> Result<Vec<ImportedTask>> {
    let judge = Judge::of_this_program().map_err(|e| format!("cannot find this program: {e}"))?;
    read_with(path, &judge)
}

/// A difficulty, as files and options give it.
pub(crate) fn difficulty(text: &str) -> std::result::Result<Fixed, &'static str> {
    text.parse()
        .ok()
        .filter(|difficulty: &Fixed| !difficulty.is_zero() && *difficulty <= Fixed::ONE)
        .ok_or("the difficulty is out of range; write a decimal above 0 and up to 1, such as 0.5")
}

fn read_with(path: &Path, judge: &Judge) -> Result<Vec<ImportedTask>> {
    let file = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|e| format!("cannot read {file}: {e}; give a file of UTF-8 text"))?;
    let (mut tasks, mut complaints) = (Vec::new(), Vec::new());
    let mut lines = BTreeMap::new();
    for (line, number) in text.lines().zip(1u32..) {
        if line.trim().is_empty() {
            continue;
        }
        let read = task(line, number, judge).and_then(|task| {
            match lines.insert(task.id.clone(), number) {
                None => Ok(task),
                Some(first) => Err(format!(
                    "line {first} has the id \"{}\" too; give each task its own, or none",
                    task.id
                )),
            }
        });
        match read {
            Ok(task) => tasks.push(task),
            Err(reason) => complaints.push(format!("{file}:{number}: {reason}")),
        }
    }
    if complaints.is_empty() {
        return Ok(tasks);
    }
    let more = complaints.len().saturating_sub(MAX_COMPLAINTS);
    complaints.truncate(MAX_COMPLAINTS);
    if more > 0 {
        complaints.push(format!("and {more} more lines"));
    }
    Err(complaints.join("\n").into())
}

#[derive(Deserialize)]
struct Line {
    id: Option<Value>,
    task: Option<String>,
    checker: Option<Given>,
    difficulty: Option<Number>,
    solution: Option<String>,
    question: Option<String>,
    answer: Option<String>,
}

/// A checker as files have it.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Given {
    Exact(Value),
    Choice(Choice),
    Number(Value),
    Calc(String),
    JsonSchema(Value),
    Sql(Sql),
    Code(Code),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Choice {
    options: Vec<String>,
    right: u8,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sql {
    setup: String,
    reference: String,
    #[serde(default)]
    ordered: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Code {
    function: String,
    tests: String,
}

fn task(line: &str, number: u32, judge: &Judge) -> Result<ImportedTask, String> {
    let line: Line = serde_json::from_str(line).map_err(|e| {
        let reason = e.to_string().replace(" at line 1 column ", " in column ");
        format!("{reason}; write {{\"task\": \"…\", \"checker\": {{\"number\": 42}}}}")
    })?;
    let (prompt, checker) = match (line.task, line.checker, line.question, line.answer) {
        (Some(task), Some(given), _, _) => (task, given.checker()?),
        (None, None, Some(question), Some(answer)) => (question, reference(&answer)),
        _ => {
            return Err(
                "write \"task\" and \"checker\", or \"question\" and \"answer\" as GSM8K does"
                    .into(),
            );
        }
    };
    if prompt.trim().is_empty() || prompt.len() > MAX_TASK as usize {
        return Err(format!(
            "the task has {} bytes; write 1 to {MAX_TASK}",
            prompt.len()
        ));
    }
    if checker.encoded_size() > MAX_CHECKER as usize {
        return Err(format!(
            "the checker has {} bytes; shorten it to {MAX_CHECKER}",
            checker.encoded_size()
        ));
    }
    judge.prove(&checker).map_err(|fault| match fault {
        TaskFault::NotRun(_) => fault.to_string(),
        fault => format!("{fault}; {}", advice(&checker)),
    })?;
    if let Some(solution) = line.solution {
        let verdict = judge.check(&checker, solution.as_bytes());
        if verdict != Ok(Verdict::Right) {
            return Err(
                "the checker refuses the solution; correct one of them, or leave the solution out"
                    .into(),
            );
        }
    }
    let difficulty = match line.difficulty {
        None => Fixed::ratio(1, 2),
        Some(number) => difficulty(&number.to_string())?,
    };
    let id = match line.id {
        None => number.to_string(),
        Some(Value::String(id)) if !id.trim().is_empty() => id,
        Some(Value::Number(id)) => id.to_string(),
        Some(_) => {
            return Err("the id is neither text nor a number; write \"id\": \"a name\"".into());
        }
    };
    let options = match &checker {
        Checker::Choice { options, .. } => (options.len() as u32).saturating_sub(1).max(1),
        // Nobody said how many wrong answers are plausible; as many as where a number is asked for.
        _ => 100,
    };
    Ok(ImportedTask {
        id,
        task: Task {
            prompt,
            checker,
            options,
            difficulty,
        },
    })
}

impl Given {
    fn checker(self) -> Result<Checker, String> {
        Ok(match self {
            Self::Exact(given) => exact(given)?,
            Self::Choice(Choice { options, right }) => Checker::Choice {
                options: options.into_iter().map(String::into_bytes).collect(),
                right,
            },
            Self::Number(Value::Object(fields)) => Checker::Number {
                value: digits(fields.get("value").unwrap_or(&Value::Null))?,
                tolerance: fields.get("tolerance").map_or(Ok(b"0".to_vec()), digits)?,
            },
            Self::Number(value) => number(digits(&value)?),
            Self::Calc(expression) => Checker::Calc {
                expression: expression.into_bytes(),
            },
            Self::JsonSchema(schema) => Checker::JsonSchema {
                schema: schema.to_string().into_bytes(),
            },
            Self::Sql(sql) => Checker::Sql {
                setup: sql.setup.into_bytes(),
                reference: sql.reference.into_bytes(),
                ordered: sql.ordered,
            },
            Self::Code(code) => Checker::Code {
                function: code.function.into_bytes(),
                tests: code.tests.into_bytes(),
            },
        })
    }
}

/// `"text"`, `["text", …]` or `{"accept": […], "form": "word"}`.
fn exact(given: Value) -> Result<Checker, String> {
    let (given, form) = match given {
        Value::Object(mut fields) => {
            let form = fields.remove("form");
            (fields.remove("accept").unwrap_or_default(), form)
        }
        given => (given, None),
    };
    let form = match form.as_ref().map(Value::as_str) {
        None | Some(Some("text")) => Form::Text,
        Some(Some("word")) => Form::Word,
        Some(Some("list")) => Form::List,
        Some(Some("set")) => Form::Set,
        Some(Some("numbers")) => Form::Numbers,
        _ => return Err("there is no such form; write text, word, list, set or numbers".into()),
    };
    let texts = match given {
        Value::Array(texts) => texts,
        text => vec![text],
    };
    let accept: Option<Vec<Vec<u8>>> = texts
        .iter()
        .map(|text| Some(text.as_str()?.as_bytes().to_vec()))
        .collect();
    let accept = accept
        .ok_or("an exact answer is no text; write \"exact\": \"Paris\", or a list of texts")?;
    Ok(Checker::Exact { accept, form })
}

fn number(value: Vec<u8>) -> Checker {
    Checker::Number {
        value,
        tolerance: b"0".to_vec(),
    }
}

/// A number as the checker reads it, from a JSON number or text.
fn digits(value: &Value) -> Result<Vec<u8>, String> {
    match value {
        Value::String(text) => Ok(text.trim().as_bytes().to_vec()),
        Value::Number(number) => Ok(number.to_string().into_bytes()),
        _ => Err("the number is missing; write \"number\": 42, or {\"value\": \"7/3\", \"tolerance\": \"0.01\"}".into()),
    }
}

/// What the answer of a public benchmark asks for: the number behind `####`, else the text.
fn reference(answer: &str) -> Checker {
    match answer.rsplit_once("####") {
        Some((_, value)) => number(value.trim().replace([',', '$'], "").into_bytes()),
        None => Checker::Exact {
            accept: vec![answer.as_bytes().to_vec()],
            form: Form::Text,
        },
    }
}

/// What to write where a checker cannot decide.
fn advice(checker: &Checker) -> &'static str {
    match checker {
        Checker::Exact { .. } => {
            "write a text with a letter or digit in it (numbers for the form numbers)"
        }
        Checker::Choice { .. } => "write different options, and the place of the right one from 0",
        Checker::Number { .. } => {
            "write a decimal or fraction, such as 42, \"0.25\" or \"7/3\", and a tolerance that is not negative"
        }
        Checker::Calc { .. } => "write an expression such as \"(12 + 30) * 2 / 7\"",
        Checker::JsonSchema { .. } => {
            "write a schema with the keywords that docs/canaries.md lists"
        }
        Checker::Sql { .. } => "write SQLite's dialect, and try both parts with `sqlite3`",
        Checker::Code { .. } => {
            "write tests in Starlark that define `test(f)`, and a name of small letters, digits and _"
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use touchstone_checkers::judge;

    /// This test program is the judge of its own tests.
    fn judge() -> Judge {
        let name = format!("{}::serve", module_path!().split_once("::").unwrap().1);
        let arguments = ["--exact", &name, "--ignored", "--nocapture"];
        Judge::new(
            std::env::current_exe().unwrap(),
            arguments.iter().map(Into::into).collect(),
        )
    }

    #[test]
    #[ignore = "the judge of the other tests"]
    fn serve() {
        // Not when somebody runs all ignored tests: nothing would come.
        if std::env::args().any(|argument| argument == "--exact") {
            judge::serve();
        }
    }

    /// The tasks of a file with this text.
    pub(crate) fn tasks(text: &str) -> Result<Vec<ImportedTask>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tasks.jsonl");
        std::fs::write(&path, text).unwrap();
        read_with(&path, &judge()).map_err(|e| {
            let folder = format!("{}/", folder.path().display());
            e.to_string().replace(&folder, "")
        })
    }

    fn verdict(line: &str, answer: &str) -> Verdict {
        let task = &tasks(line).unwrap()[0].task;
        judge().check(&task.checker, answer.as_bytes()).unwrap()
    }

    #[test]
    fn lines_of_gsm8k_are_read_as_they_are() {
        let line = r#"{"question": "Tom has 3 boxes of 416 nails. How many nails?", "answer": "3*416=<<3*416=1248>>1248\n#### 1,248"}"#;
        assert_eq!(verdict(line, "That makes 1248 nails."), Verdict::Right);
        assert_eq!(verdict(line, "#### 1247"), Verdict::Wrong);
    }

    #[test]
    fn the_shipped_benchmark_is_read() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/word-problems.jsonl");
        let read = read_with(&path, &judge()).unwrap();
        assert_eq!(read.len(), 200);
        let texts: std::collections::BTreeSet<&str> =
            read.iter().map(|task| task.task.prompt.as_str()).collect();
        assert_eq!(texts.len(), 200);
        let text = std::fs::read_to_string(&path).unwrap();
        for (line, task) in text.lines().zip(&read) {
            let line: Value = serde_json::from_str(line).unwrap();
            let answer = line["answer"].as_str().unwrap();
            let verdict = judge().check(&task.task.checker, answer.as_bytes());
            assert_eq!(verdict, Ok(Verdict::Right), "{line}");
        }
    }

    #[test]
    fn every_kind_of_checker_can_be_given() {
        for (checker, right, wrong) in [
            (r#"{"number": "7/3"}"#, "7/3", "2.33"),
            (
                r#"{"number": {"value": 0.5, "tolerance": "0.1"}}"#,
                "0.45",
                "0.3",
            ),
            (r#"{"calc": "(1 + 2) / 6"}"#, "0.5", "1"),
            (
                r#"{"exact": "Mount Everest"}"#,
                "Answer: mount everest",
                "K2",
            ),
            (
                r#"{"exact": ["Paris", "city of Paris"]}"#,
                "Answer: Paris.",
                "Rome",
            ),
            (
                r#"{"exact": {"accept": "b, a", "form": "set"}}"#,
                "a and b",
                "a",
            ),
            (
                r#"{"choice": {"options": ["Ann", "Hugo"], "right": 1}}"#,
                "Hugo has it.",
                "Ann",
            ),
            (
                r#"{"json_schema": {"type": "array", "minItems": 1}}"#,
                "[1]",
                "[]",
            ),
            (
                r#"{"sql": {"setup": "CREATE TABLE t (a); INSERT INTO t VALUES (1), (2)", "reference": "SELECT SUM(a) FROM t"}}"#,
                "```sql\nSELECT TOTAL(a) FROM t;\n```",
                "SELECT a FROM t",
            ),
            (
                r#"{"sql": {"setup": "CREATE TABLE t (a); INSERT INTO t VALUES (1), (2)", "reference": "SELECT a FROM t ORDER BY a DESC", "ordered": true}}"#,
                "VALUES (2), (1)",
                "SELECT a FROM t",
            ),
            (
                r#"{"code": {"function": "double", "tests": "def test(f):\n    return f(4) == 8 and f(-1) == -2"}}"#,
                "def double(n):\n    return n + n",
                "def double(n):\n    return n * n",
            ),
        ] {
            let line = format!(r#"{{"task": "?", "checker": {checker}, "source": "ours"}}"#);
            assert_eq!(verdict(&line, right), Verdict::Right, "{line}");
            assert_eq!(verdict(&line, wrong), Verdict::Wrong, "{line}");
        }
    }

    #[test]
    fn ids_difficulties_and_solutions_are_read() {
        let read = tasks(
            "\n{\"task\": \"?\", \"checker\": {\"number\": 1}}\n\
             {\"task\": \"?\", \"checker\": {\"number\": 1}, \"id\": \"one\", \"difficulty\": 0.25, \"solution\": \"1\"}\n\
             {\"task\": \"?\", \"checker\": {\"number\": 1}, \"id\": 7, \"difficulty\": 1}\n",
        )
        .unwrap();
        let ids: Vec<&str> = read.iter().map(|task| task.id.as_str()).collect();
        assert_eq!(ids, ["2", "one", "7"]);
        let difficulties: Vec<Fixed> = read.iter().map(|task| task.task.difficulty).collect();
        assert_eq!(
            difficulties,
            [Fixed::ratio(1, 2), Fixed::ratio(1, 4), Fixed::ONE]
        );
    }

    #[test]
    fn every_bad_line_is_named_with_what_to_write_instead() {
        let good = r#"{"task": "?", "checker": {"number": 1}}"#;
        let long = format!(
            r#"{{"task": "{}", "checker": {{"number": 1}}}}"#,
            "x".repeat(4097)
        );
        let heavy = format!(
            r#"{{"task": "?", "checker": {{"exact": "{}"}}}}"#,
            "x".repeat(2048)
        );
        let bad = [
            ("no JSON", "expected ident in column 2; write {"),
            (r#"{"task": "?"}"#, r#"write "task" and "checker", or"#),
            (
                r#"{"task": " ", "checker": {"number": 1}}"#,
                "the task has 1 bytes; write 1 to 4096",
            ),
            (&long, "the task has 4097 bytes; write 1 to 4096"),
            (&heavy, "shorten it to 2048"),
            (
                r#"{"task": "?", "checker": {"regex": "x"}}"#,
                "unknown variant `regex`, expected one of `exact`",
            ),
            (
                r#"{"task": "?", "checker": {"number": "one"}}"#,
                "write a decimal or fraction",
            ),
            (
                r#"{"task": "?", "checker": {"number": {"tolerance": 1}}}"#,
                "the number is missing; write",
            ),
            (
                r#"{"task": "?", "checker": {"calc": "1 +"}}"#,
                "write an expression such as",
            ),
            (
                r#"{"task": "?", "checker": {"exact": 5}}"#,
                "write \"exact\": \"Paris\"",
            ),
            (
                r#"{"task": "?", "checker": {"exact": {"accept": "a", "form": "regex"}}}"#,
                "write text, word, list",
            ),
            (
                r#"{"task": "?", "checker": {"choice": {"options": ["a"], "right": 1}}}"#,
                "write different options",
            ),
            (
                r#"{"task": "?", "checker": {"json_schema": {"pattern": "x"}}}"#,
                "write a schema",
            ),
            (
                r#"{"task": "?", "checker": {"sql": {"setup": "CREATE TABLE t (a)", "reference": "SELECT b FROM t"}}}"#,
                "the task itself fails: reference: no such column: b",
            ),
            (
                r#"{"task": "?", "checker": {"sql": {"setup": "CREATE TABLE t (a)"}}}"#,
                "missing field `reference`",
            ),
            (
                r#"{"task": "?", "checker": {"code": {"function": "F", "tests": "def test(f): return True"}}}"#,
                "a name of small letters",
            ),
            (
                r#"{"task": "?", "checker": {"code": {"function": "f", "tests": "def check(f): return True"}}}"#,
                "tests define no `test(f)`",
            ),
            (
                r#"{"task": "?", "checker": {"number": 1}, "solution": "2"}"#,
                "refuses the solution",
            ),
            (
                r#"{"task": "?", "checker": {"number": 1}, "difficulty": 1.5}"#,
                "write a decimal above 0 and up to 1",
            ),
        ];
        for (line, reason) in bad {
            let error = tasks(&format!("{good}\n{line}\n")).unwrap_err();
            println!("{error}");
            assert!(
                error.starts_with("tasks.jsonl:2: ") && error.contains(reason),
                "{line}: {error}"
            );
        }
        let all = bad.map(|(line, _)| line).join("\n");
        let error = tasks(&format!("{all}\n{all}\n{good}")).unwrap_err();
        assert!(error.ends_with("and 18 more lines"), "{error}");
        let named = r#"{"task": "?", "checker": {"number": 1}, "id": "a"}"#;
        let error = tasks(&format!("{named}\n{named}")).unwrap_err();
        assert!(
            error.starts_with("tasks.jsonl:2: line 1 has the id"),
            "{error}"
        );
    }
}
