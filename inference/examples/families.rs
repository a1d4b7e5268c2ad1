//! How often a model passes each family of procedural canaries. Called by `scripts/bench/families`.
//!
//! `families BASE THREADS SAMPLES [--adapter FOLDER] [--show N] [FAMILY ..]` prints a table of pass rates in percent, levels as columns.

use std::{collections::HashMap, ops::ControlFlow};
use touchstone_inference::*;
use touchstone_primitives::{
    checkers::{Verdict, check},
    generators::{LEVELS, Task, families},
    request::{Message, Role},
    tagged_hash,
};

/// Questions that are answered at a time.
const TOGETHER: usize = 16;
/// Most tokens of an answer: what the network gives to a duty.
const ANSWER: u32 = 64;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut next = || {
        arguments
            .next()
            .expect("see the comment at the top of this file")
    };
    let (base, threads, samples) = (next(), next(), next().parse::<u64>().expect("a number"));
    let (mut adapter, mut show, mut only) = (None, 0, Vec::new());
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--adapter" => adapter = arguments.next(),
            "--show" => show = arguments.next().and_then(|n| n.parse().ok()).unwrap_or(3),
            name => only.push(name.to_string()),
        }
    }
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
    println!(
        "| family | {} |",
        (1..=LEVELS)
            .map(|l| format!("level {l}"))
            .collect::<Vec<_>>()
            .join(" | ")
    );
    println!("|---|{}", "---:|".repeat(LEVELS.into()));
    for family in families() {
        if !only.is_empty() && !only.iter().any(|name| name == family.name) {
            continue;
        }
        let mut cells = Vec::new();
        for level in 1..=LEVELS {
            let tasks: Vec<Task> = (0..samples)
                .map(|n| {
                    let seed = tagged_hash("touchstone/bench/families", &[&n.to_le_bytes()]);
                    family.generate(level, &seed).expect("the level exists")
                })
                .collect();
            let texts = answers(&engine, &tasks);
            let right: Vec<bool> = tasks
                .iter()
                .zip(&texts)
                .map(|(task, text)| check(&task.checker, text.as_bytes()) == Verdict::Right)
                .collect();
            for n in 0..show.min(tasks.len()) {
                eprintln!(
                    "{} {level}: {:?} -> {:?} {}",
                    family.name, tasks[n].prompt, texts[n], right[n]
                );
            }
            let passed = right.iter().filter(|r| **r).count();
            cells.push(format!("{:.0}", 100.0 * passed as f64 / samples as f64));
        }
        println!("| `{}` | {} |", family.name, cells.join(" | "));
    }
}

/// The last model's greedy answers.
fn answers(engine: &LocalEngine, tasks: &[Task]) -> Vec<String> {
    let model = engine.models().last().map(|m| m.name.clone());
    let one = |prompt: &str| {
        let job = Job {
            model: model.clone(),
            messages: vec![Message {
                role: Role::User,
                content: prompt.into(),
            }],
            max_tokens: ANSWER,
            temperature_milli: 0,
            top_k: 1,
            sampler_key: [0; 32],
            stop: vec![],
        };
        let mut answer = engine
            .generate(&job, &mut |_| ControlFlow::Continue(()))
            .expect("the model answers");
        answer.text.truncate(answer.text.floor_char_boundary(1024));
        answer.text
    };
    let mut known = HashMap::new();
    for tasks in tasks.chunks(TOGETHER) {
        let made = std::thread::scope(|scope| {
            let asked: Vec<_> = tasks
                .iter()
                .map(|task| scope.spawn(|| (task.prompt.clone(), one(&task.prompt))))
                .collect();
            asked
                .into_iter()
                .map(|a| a.join().expect("it ends"))
                .collect::<Vec<_>>()
        });
        known.extend(made);
    }
    tasks
        .iter()
        .map(|task| known[&task.prompt].clone())
        .collect()
}
