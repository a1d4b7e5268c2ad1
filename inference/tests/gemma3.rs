//! Gemma 3 270M, as `scripts/setup` places it, with the chat template of `inference/templates`.

mod common;

use std::{ops::ControlFlow, sync::LazyLock};
use touchstone_inference::*;
use touchstone_primitives::request::{Message, Role};

fn load(threads: usize) -> LocalEngine {
    LocalEngine::load(&EngineConfig {
        models: vec![ModelConfig {
            name: "gemma3".into(),
            path: common::data("models/gemma-3-270m.q4_k_m.gguf"),
            blake2: None,
            context: Some(2048),
        }],
        threads: Some(threads),
        ..Default::default()
    })
}

static ENGINE: LazyLock<LocalEngine> = LazyLock::new(|| load(2));

fn ask(content: &str) -> Job {
    Job {
        model: None,
        messages: vec![Message {
            role: Role::User,
            content: content.into(),
        }],
        max_tokens: 12,
        temperature_milli: 0,
        top_k: 40,
        sampler_key: [3; 32],
        stop: vec!["\n\n".into()],
    }
}

fn answer(engine: &LocalEngine, job: &Job) -> Generated {
    engine
        .generate(job, &mut |_| ControlFlow::Continue(()))
        .expect("it answers")
}

#[test]
fn question_is_answered_sensibly() {
    let given = answer(&ENGINE, &ask("What is the capital of France?"));
    assert_eq!(given.text, " The capital of France is Paris.");
    assert_eq!(given.finish, Finish::Stop);
    assert_eq!(given.manifest.weight_dtype, "q4_1+q8_0 * q8_0");
}

/// Likeliest tokens and their log probabilities, computed in f32 from the same file by `tests/reference_gemma3.py`.
#[test]
fn probabilities_are_close_to_those_computed_without_quantised_activations() {
    let vectors = include_str!("vectors/gemma3.json");
    let vectors: serde_json::Value = serde_json::from_str(vectors).expect("JSON");
    let ids = |name: &str| -> Vec<u32> {
        serde_json::from_value(vectors[name].clone()).expect("token ids")
    };
    let given = answer(&ENGINE, &ask("What is the capital of France?"));
    assert_eq!(given.prompt_token_ids, ids("prompt"));
    assert_eq!(given.token_ids, ids("answer"));
    let scores = ENGINE
        .score(&ScoreQuery {
            model: None,
            prompt_token_ids: ids("prompt"),
            token_ids: ids("answer"),
            top_k: 16,
        })
        .expect("it scores");
    let reference: Vec<Vec<(u32, f64)>> =
        serde_json::from_value(vectors["top"].clone()).expect("positions");
    let (mut sum, mut count, mut worst) = (0.0, 0.0, 0f64);
    for (score, reference) in scores.iter().zip(&reference) {
        for (token, exact) in reference {
            let ours = score.top.iter().find(|(id, _)| id == token);
            let ours = ours.map_or(-20.0, |(_, p)| f64::from(*p));
            let error = (ours - exact).abs();
            assert!(
                error < 0.15 - 0.15 * exact,
                "token {token}: {ours} and {exact}"
            );
            worst = worst.max(error);
            sum += error * exact.exp();
            count += exact.exp();
        }
    }
    println!("mean error {}, worst {worst}", sum / count);
    assert_eq!(scores.len(), reference.len());
    assert!(sum / count < 0.05, "mean error {}", sum / count);
}

#[test]
fn same_tokens_come_alone_in_company_and_from_kept_beginnings() {
    // Longer than the window of 512 positions.
    let long = "The sea is wide and the ships are small. ".repeat(60);
    let jobs: Vec<Job> = (0..3u8)
        .map(|n| Job {
            temperature_milli: 1000,
            sampler_key: [n; 32],
            stop: vec![],
            ..ask(&format!(
                "{}Story {n}",
                &long[..long.len() / (usize::from(n) + 1)]
            ))
        })
        .collect();
    let single = load(1);
    let alone: Vec<Generated> = jobs.iter().map(|job| answer(&single, job)).collect();
    assert!(alone[0].prompt_token_ids.len() > 520);
    let together: Vec<Generated> = std::thread::scope(|scope| {
        let threads: Vec<_> = jobs
            .iter()
            .map(|job| scope.spawn(move || answer(&ENGINE, job)))
            .collect();
        let threads = threads.into_iter();
        threads.map(|t| t.join().expect("no panic")).collect()
    });
    for (job, (a, b)) in jobs.iter().zip(alone.iter().zip(&together)) {
        assert_eq!(a.token_ids, b.token_ids);
        // Now the prompt is in the prefix cache; and a score, which computes everything anew, tells the same.
        let again = answer(&ENGINE, job);
        assert_eq!(a.token_ids, again.token_ids);
    }
    let mut logprobs = Vec::new();
    let given = ENGINE
        .generate(&jobs[0], &mut |piece| {
            logprobs.extend(piece.logprobs);
            ControlFlow::Continue(())
        })
        .expect("it answers");
    let query = ScoreQuery {
        model: None,
        prompt_token_ids: given.prompt_token_ids,
        token_ids: given.token_ids,
        top_k: 1,
    };
    let scores = ENGINE.score(&query).expect("it scores");
    assert_eq!(
        scores.iter().map(|s| s.logprob).collect::<Vec<_>>(),
        logprobs
    );
}

#[test]
fn adapters_change_the_answer_of_whoever_asks_for_them() {
    let dir = tempfile::tempdir().expect("a folder");
    for (name, size) in [("nothing", 0.0), ("something", 0.3)] {
        let changes = common::changes(name, 18, [640, 1024, 256, 2048], size);
        common::write_peft(&dir.path().join(name), &changes);
        let config = AdapterConfig {
            name: name.into(),
            base: "gemma3".into(),
            path: dir.path().join(name),
            blake2: None,
        };
        ENGINE.add_adapter(&config).expect("it fits");
    }
    let with = |model: &str| {
        let job = ask("What is the capital of France?");
        let model = Some(model.into());
        answer(&ENGINE, &Job { model, ..job }).token_ids
    };
    assert_eq!(with("nothing"), with("gemma3"));
    assert_ne!(with("something"), with("gemma3"));
}
