//! `touchstone canary sample`: tasks for the engines, drawn from a seed.

use crate::Result;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use std::io::Write;
use touchstone_checkers::generators::{self, Generated, Kind};
use touchstone_primitives::{checkers::Checker, tagged_hash};

/// Print tasks whose answers are queries or small programs, drawn from a seed, one JSON object a line, with an answer that is right.
/// `touchstone canary try --file` reads them.
#[derive(Args)]
#[command(after_help = "Examples:
  touchstone canary sample --kind sql --count 20 > sql.jsonl
  touchstone canary sample --kind code --seed 7 | head -n 1")]
pub struct Sample {
    /// What is to be written: a query, or a function in Starlark.
    #[arg(long, value_enum)]
    kind: Engine,
    /// How many tasks.
    #[arg(long, default_value_t = 10)]
    count: u32,
    /// What they are drawn from. The same number gives the same tasks.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Clone, Copy, ValueEnum)]
enum Engine {
    Sql,
    Code,
}

impl Sample {
    pub fn run(self) -> Result<()> {
        let mut out = std::io::stdout().lock();
        for number in 0..self.count {
            // Whoever reads may have enough, as `head` has.
            if writeln!(out, "{}", self.line(number)).is_err() {
                break;
            }
        }
        Ok(())
    }

    fn line(&self, number: u32) -> Value {
        let kind = match self.kind {
            Engine::Sql => Kind::Sql,
            Engine::Code => Kind::Code,
        };
        let place = [&self.seed.to_le_bytes()[..], &number.to_le_bytes()];
        let Generated {
            family,
            task,
            solution,
        } = generators::generate(kind, &tagged_hash("touchstone/sample/1", &place));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let checker = match &task.checker {
            Checker::Sql {
                setup,
                reference,
                ordered,
            } => {
                json!({"sql": {"setup": text(setup), "reference": text(reference), "ordered": ordered}})
            }
            Checker::Code { function, tests } => {
                json!({"code": {"function": text(function), "tests": text(tests)}})
            }
            _ => Value::Null,
        };
        let difficulty: Value =
            serde_json::from_str(&task.difficulty.to_string()).unwrap_or_default();
        json!({
            "id": format!("{family}-{}-{number}", self.seed), "task": task.prompt, "checker": checker,
            "difficulty": difficulty, "solution": solution,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canary::tasks::tests::tasks;

    #[test]
    fn samples_can_be_imported() {
        for kind in [Engine::Sql, Engine::Code] {
            let sample = Sample {
                kind,
                count: 12,
                seed: 5,
            };
            let lines: Vec<String> = (0..sample.count)
                .map(|n| sample.line(n).to_string())
                .collect();
            let read = tasks(&lines.join("\n")).unwrap();
            assert_eq!(read.len(), 12);
            assert_eq!(sample.line(3), sample.line(3));
            assert_ne!(sample.line(3), sample.line(4));
        }
    }
}
