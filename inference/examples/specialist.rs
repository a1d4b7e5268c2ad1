//! What an adapter has learned and what it has cost. Called by `scripts/bench/specialist`.
//!
//! `specialist BASE THREADS answer QUESTIONS` prints the base's own greedy answers as training data: one JSON object for each line of
//! the file that is answered within 64 tokens.
//! `specialist BASE THREADS measure PROBLEMS CHECK [ADAPTER]` prints one JSON object: how many problems are solved, the mean log
//! probability of each general question's reference answer, how many of them hold what they must, and the answers themselves.

use serde_json::{Value, json};
use std::{ops::ControlFlow, path::Path};
use touchstone_inference::*;
use touchstone_primitives::request::{Message, Role};

/// Questions that are answered at a time.
const TOGETHER: usize = 16;
/// Most tokens of an answer.
const ANSWER: u32 = 64;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [base, threads, "answer", questions] => {
            let engine = engine(base, threads, None);
            let questions = std::fs::read_to_string(questions).expect("the questions can be read");
            let questions: Vec<&str> = questions.lines().collect();
            for (question, answer) in questions.iter().zip(answers(&engine, &questions)) {
                if answer.finish == Finish::Stop && !answer.text.trim().is_empty() {
                    println!("{}", json!({"prompt": question, "completion": answer.text}));
                }
            }
        }
        [base, threads, "measure", problems, check, ref adapter @ ..] => {
            let engine = engine(base, threads, adapter.first().copied());
            println!("{}", measure(&engine, &lines(problems), &lines(check)));
        }
        _ => panic!("see the comment at the top of this file"),
    }
}

/// An engine with a base and, as its only other model, an adapter.
fn engine(base: &str, threads: &str, adapter: Option<&str>) -> LocalEngine {
    let engine = LocalEngine::load(&EngineConfig {
        models: vec![ModelConfig {
            name: "base".into(),
            path: base.into(),
            blake2: None,
            context: Some(1024),
        }],
        adapters: adapter
            .map(|path| AdapterConfig {
                name: "adapter".into(),
                base: "base".into(),
                path: path.into(),
                blake2: None,
            })
            .into_iter()
            .collect(),
        threads: threads.parse().ok(),
        slots: TOGETHER as u32,
        ..Default::default()
    });
    for model in engine.models() {
        assert_eq!(model.state, ModelState::Ready, "{}", model.name);
    }
    engine
}

fn lines(file: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(Path::new(file)).expect("the file can be read");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("a JSON object on each line"))
        .collect()
}

fn text<'a>(line: &'a Value, key: &str) -> &'a str {
    line[key].as_str().unwrap_or_default()
}

/// The last model's greedy answers.
fn answers(engine: &LocalEngine, questions: &[&str]) -> Vec<Generated> {
    let model = engine.models().last().map(|m| m.name.clone());
    let one = |question: &str| {
        let job = Job {
            model: model.clone(),
            messages: vec![Message {
                role: Role::User,
                content: question.into(),
            }],
            max_tokens: ANSWER,
            temperature_milli: 0,
            top_k: 1,
            sampler_key: [0; 32],
            stop: vec![],
        };
        engine
            .generate(&job, &mut |_| ControlFlow::Continue(()))
            .expect("the model answers")
    };
    let mut all = Vec::new();
    for questions in questions.chunks(TOGETHER) {
        all.extend(std::thread::scope(|scope| {
            let asked: Vec<_> = questions
                .iter()
                .map(|question| scope.spawn(|| one(question)))
                .collect();
            let answers = asked.into_iter().map(|a| a.join().expect("it ends"));
            answers.collect::<Vec<_>>()
        }));
        eprint!("\r{} answered", all.len());
    }
    eprintln!();
    all
}

/// The last whole number in a text.
fn last_number(text: &str) -> Option<i64> {
    let digits = |c: char| !c.is_ascii_digit();
    text.rsplit(digits).find(|n| !n.is_empty())?.parse().ok()
}

fn measure(engine: &LocalEngine, problems: &[Value], check: &[Value]) -> Value {
    let model = engine.models().last().map(|m| m.name.clone());
    let questions: Vec<&str> = problems.iter().map(|p| text(p, "prompt")).collect();
    let solved: Vec<bool> = answers(engine, &questions)
        .iter()
        .zip(problems)
        .map(|(answer, problem)| last_number(&answer.text) == problem["answer"].as_i64())
        .collect();
    let of = |sign: &str| {
        let about = |p: &Value| text(p, "completion").contains(sign);
        let these = problems.iter().zip(&solved).filter(|(p, _)| about(p));
        [these.clone().filter(|(_, s)| **s).count(), these.count()]
    };

    let questions: Vec<&str> = check.iter().map(|c| text(c, "prompt")).collect();
    let given = answers(engine, &questions);
    let mut likely = Vec::new();
    let mut right = 0;
    for (answer, check) in given.iter().zip(check) {
        right += usize::from(answer.text.contains(text(check, "contains")));
        let query = ScoreQuery {
            model: model.clone(),
            prompt_token_ids: answer.prompt_token_ids.clone(),
            token_ids: engine
                .tokens_of_answer(model.as_deref(), text(check, "completion"))
                .expect("the reference has tokens"),
            top_k: 1,
        };
        let scores = engine.score(&query).expect("the model scores");
        let sum: f64 = scores.iter().map(|s| f64::from(s.logprob)).sum();
        likely.push(sum / scores.len() as f64);
    }
    json!({
        "solved": solved.iter().filter(|s| **s).count(),
        "problems": problems.len(),
        "additions": of(" + "),
        "subtractions": of(" - "),
        "likely": likely,
        "right": right,
        "answers": given.iter().map(|a| a.text.clone()).collect::<Vec<_>>(),
    })
}
