//! The shipped arithmetic specialist on problems that it was not trained on, through the engine that serves it.

use std::{ops::ControlFlow, path::PathBuf};
use touchstone_inference::{
    train::Recipe,
    {AdapterConfig, Engine, EngineConfig, Job, LocalEngine, ModelConfig, ModelState},
};
use touchstone_primitives::request::{Message, Role};

/// Of 100 problems, how many must be solved.
const WANTED: usize = 90;

fn base() -> PathBuf {
    let home =
        || PathBuf::from(std::env::var_os("HOME").expect("HOME is set")).join(".local/share");
    let data = std::env::var_os("XDG_DATA_HOME").map_or_else(home, PathBuf::from);
    let file = data.join("touchstone/models/smollm2-135m-instruct.q4_1.gguf");
    assert!(
        file.exists(),
        "{} is missing: run scripts/setup",
        file.display()
    );
    file
}

#[test]
fn the_arithmetic_specialist_solves_nine_of_ten_fresh_problems() {
    let folder = PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/specialists/arithmetic"
    ));
    let recipe = Recipe::read(&folder.join("recipe.json")).expect("a recipe");
    let written = std::fs::read_to_string(folder.join("recipe.json")).expect("it reads");
    assert_eq!(
        recipe.text(),
        written,
        "as the trainer writes it, in every build"
    );
    let engine = LocalEngine::load(&EngineConfig {
        models: vec![ModelConfig {
            name: "base".into(),
            path: base(),
            blake2: Some(hex::encode(recipe.base.blake2)),
            context: Some(512),
        }],
        adapters: vec![AdapterConfig {
            name: "arithmetic".into(),
            base: "base".into(),
            path: folder.clone(),
            blake2: Some(hex::encode(recipe.adapter)),
        }],
        slots: 20,
        ..Default::default()
    });
    for model in engine.models() {
        assert_eq!(model.state, ModelState::Ready, "{}", model.name);
    }
    let solves = |problem: &serde_json::Value| {
        let job = Job {
            model: Some("arithmetic".into()),
            messages: vec![Message {
                role: Role::User,
                content: problem["prompt"].as_str().expect("a prompt").into(),
            }],
            max_tokens: 40,
            temperature_milli: 0,
            top_k: 1,
            sampler_key: [0; 32],
            stop: vec![],
        };
        let given = engine
            .generate(&job, &mut |_| ControlFlow::Continue(()))
            .expect("it answers");
        let mut numbers = given.text.rsplit(|c: char| !c.is_ascii_digit());
        numbers.find(|n| !n.is_empty()) == Some(&problem["answer"].to_string())
    };
    let sample = std::fs::read_to_string(folder.join("sample.jsonl")).expect("a sample");
    let problems: Vec<serde_json::Value> = sample
        .lines()
        .map(|line| serde_json::from_str(line).expect("a problem"))
        .collect();
    let mut solved = 0;
    for problems in problems.chunks(20) {
        solved += std::thread::scope(|scope| {
            let asked: Vec<_> = problems.iter().map(|p| scope.spawn(|| solves(p))).collect();
            asked
                .into_iter()
                .map(|a| usize::from(a.join().expect("it ends")))
                .sum::<usize>()
        });
    }
    println!("{solved} of {} solved", problems.len());
    assert!(
        problems.len() >= 60 && solved * 100 >= problems.len() * WANTED,
        "{solved}"
    );
}
