//! Training a tiny model: the same adapter from the same recipe, whatever happens in between, and clear words about what is wrong.

mod common;

use common::{Tensor, Tiny, random};
use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};
use touchstone_inference::{
    AdapterConfig, Engine, EngineConfig, Job, LocalEngine, ModelConfig, ScoreQuery,
    train::{Progress, Recipe, Settings, TrainError, Training, train},
};
use touchstone_primitives::request::{Message, Role};

/// Tells the test that is run as a process of its own where to work.
const FOLDER: &str = "TOUCHSTONE_TRAIN_TEST_FOLDER";
const STEPS: usize = 40;

/// A base and data in a folder, and how to train with them.
fn training(folder: &Path, out: &str) -> Training {
    let mut tiny = Tiny::new();
    for tensor in tiny.tensors.iter_mut().filter(|t| t.dimensions.len() == 2) {
        let (cols, rows) = (tensor.dimensions[0] as usize, tensor.dimensions[1] as usize);
        *tensor = Tensor::matrix(&tensor.name, cols, &random(&tensor.name, cols * rows, 0.2));
    }
    let (base, data) = (folder.join("tiny.gguf"), folder.join("data.jsonl"));
    if !base.exists() {
        std::fs::write(&base, tiny.bytes()).expect("written");
        let lines: Vec<String> = (0..12)
            .map(|n| format!(r#"{{"prompt": "say {n}", "completion": "he {}"}}"#, n * 7))
            .collect();
        std::fs::write(&data, lines.join("\n")).expect("written");
    }
    Training {
        base,
        data,
        out: folder.join(out),
        settings: Settings {
            rank: 2,
            alpha: 4.0,
            steps: STEPS,
            batch: 5,
            learning_rate: 1e-2,
            seed: 7,
            ..Settings::default()
        },
        recipe: None,
        threads: 2,
        resume: false,
        checkpoint: 3,
    }
}

fn silently(training: &Training) -> Result<Recipe, TrainError> {
    train(training, &mut |_| {})
}

fn files(folder: &Path) -> Vec<Vec<u8>> {
    let names = [
        "adapter_model.safetensors",
        "adapter_config.json",
        "recipe.json",
        "loss.csv",
    ];
    names
        .iter()
        .map(|name| std::fs::read(folder.join(name)).expect("it is there"))
        .collect()
}

#[test]
fn the_same_recipe_gives_the_same_bytes_with_any_number_of_threads() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = silently(&training(folder.path(), "first")).expect("it trains");
    for threads in [1, 3] {
        let again = Training {
            threads,
            recipe: Some(first.clone()),
            out: folder.path().join(threads.to_string()),
            ..training(folder.path(), "")
        };
        assert_eq!(silently(&again).expect("it trains"), first);
        assert_eq!(files(&again.out), files(&folder.path().join("first")));
    }
    let mut other = training(folder.path(), "other");
    other.settings.seed += 1;
    assert_ne!(silently(&other).expect("it trains").adapter, first.adapter);
    assert_eq!(
        Recipe::read(&folder.path().join("first/recipe.json")).expect("it reads"),
        first
    );
}

/// Not a test: the process that the next one kills.
#[test]
#[ignore = "run by the test after it"]
fn child() {
    let folder = PathBuf::from(std::env::var_os(FOLDER).expect("run by another test"));
    let slowly = &mut |_: &Progress| std::thread::sleep(Duration::from_millis(50));
    train(&training(&folder, "killed"), slowly).expect("it trains");
}

#[test]
fn a_run_that_is_killed_and_resumed_gives_the_bytes_of_one_that_was_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let whole = training(folder.path(), "whole");
    silently(&whole).expect("it trains");
    let mut process = Command::new(std::env::current_exe().expect("this test's file"))
        .args(["--exact", "child", "--ignored"])
        .env(FOLDER, folder.path())
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts");
    let mut killed = training(folder.path(), "killed");
    let (checkpoint, started) = (killed.out.join("checkpoint"), Instant::now());
    while !checkpoint.exists() {
        assert!(started.elapsed() < Duration::from_secs(60), "no checkpoint");
        std::thread::sleep(Duration::from_millis(20));
    }
    // SIGKILL.
    process.kill().expect("it is alive");
    process.wait().expect("it ends");
    assert!(
        !killed.out.join("recipe.json").exists(),
        "it was killed too late"
    );

    assert!(matches!(silently(&killed), Err(TrainError::Unfinished(_))));
    killed.resume = true;
    let mut first = None;
    train(&killed, &mut |progress| {
        first.get_or_insert(progress.step);
    })
    .expect("it goes on");
    assert!(first > Some(1) && first < Some(STEPS), "{first:?}");
    assert_eq!(files(&killed.out), files(&whole.out));
    assert!(!checkpoint.exists());
}

#[test]
fn a_checkpoint_of_other_settings_or_a_damaged_one_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut stopped = training(folder.path(), "out");
    // Too fast to be stopped at a certain step, so it goes wrong at one.
    let checkpoint = stopped.out.join("checkpoint");
    let stop = std::panic::catch_unwind(|| {
        train(&stopped, &mut |progress| {
            assert!(progress.step < 10, "enough")
        })
    });
    assert!(stop.is_err() && checkpoint.exists());
    stopped.resume = true;
    let other = Training {
        settings: Settings {
            learning_rate: 2e-2,
            ..stopped.settings.clone()
        },
        ..stopped.clone()
    };
    let error = silently(&other).expect_err("other settings").to_string();
    assert!(error.contains("another base, data or settings"), "{error}");
    let bytes = std::fs::read(&checkpoint).expect("read");
    std::fs::write(&checkpoint, &bytes[..bytes.len() / 2]).expect("written");
    let error = silently(&stopped)
        .expect_err("half a checkpoint")
        .to_string();
    assert!(error.contains("damaged"), "{error}");
    std::fs::write(&checkpoint, bytes).expect("written");
    silently(&stopped).expect("it goes on");
}

#[test]
fn bad_lines_settings_and_recipes_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let good = training(folder.path(), "out");
    let line = r#"{"prompt": "a", "completion": "b"}"#;
    let long = "a long prompt ".repeat(200);
    for (bad, named) in [
        ("no JSON", "expected ident"),
        (r#"{"prompt": "a"}"#, "missing field `completion`"),
        (r#"{"prompt": "a", "completion": 3}"#, "invalid type"),
        (r#"{"prompt": "a", "completion": ""}"#, "an empty text"),
        (&line.replace('a', &long), "tokens with the chat template"),
    ] {
        std::fs::write(
            folder.path().join("bad.jsonl"),
            format!("{line}\n\n{bad}\n{line}\n"),
        )
        .expect("written");
        let training = Training {
            data: folder.path().join("bad.jsonl"),
            ..good.clone()
        };
        let error = silently(&training).expect_err(bad).to_string();
        assert!(
            error.contains("bad.jsonl, line 3: ") && error.contains(named),
            "{error}"
        );
    }
    std::fs::write(folder.path().join("bad.jsonl"), "\n").expect("written");
    let empty = Training {
        data: folder.path().join("bad.jsonl"),
        ..good.clone()
    };
    assert!(
        silently(&empty)
            .expect_err("no line")
            .to_string()
            .contains("no line at all")
    );

    type Change = fn(&mut Settings);
    let changes: [(Change, &str); 6] = [
        (|s| s.rank = 0, "rank 0"),
        (|s| s.steps = 0, "steps 0"),
        (|s| s.alpha = f64::NAN, "alpha NaN"),
        (|s| s.learning_rate = -1.0, "learning rate -1"),
        (|s| s.targets = vec![], "no targets"),
        (|s| s.targets = vec!["q".into()], "\"q\": there are q_proj"),
    ];
    for (change, named) in changes {
        let mut training = good.clone();
        change(&mut training.settings);
        let error = silently(&training).expect_err(named).to_string();
        assert!(error.contains(named), "{error}");
    }

    let recipe = silently(&good).expect("it trains");
    std::fs::write(folder.path().join("bad.jsonl"), line).expect("written");
    let other = Training {
        recipe: Some(recipe),
        ..empty
    };
    let error = silently(&other).expect_err("other data").to_string();
    assert!(error.contains("the recipe asks for the data"), "{error}");
    let wild = Training {
        settings: Settings {
            learning_rate: 1e30,
            ..good.settings.clone()
        },
        out: folder.path().join("wild"),
        ..good
    };
    assert!(matches!(silently(&wild), Err(TrainError::Diverged(_))));
}

#[test]
fn what_was_learned_is_what_the_engine_serves() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut training = training(folder.path(), "out");
    training.settings.steps = 150;
    let recipe = silently(&training).expect("it trains");
    assert!(recipe.loss[1] < 0.5 * recipe.loss[0], "{:?}", recipe.loss);
    let engine = LocalEngine::load(&EngineConfig {
        models: vec![ModelConfig {
            name: "base".into(),
            path: training.base,
            blake2: None,
            context: None,
        }],
        adapters: vec![AdapterConfig {
            name: "adapter".into(),
            base: "base".into(),
            path: training.out,
            blake2: Some(hex::encode(recipe.adapter)),
        }],
        ..Default::default()
    });
    let likely = |model: &str| {
        let job = Job {
            model: Some(model.into()),
            messages: vec![Message {
                role: Role::User,
                content: "say 3".into(),
            }],
            max_tokens: 1,
            temperature_milli: 0,
            top_k: 1,
            sampler_key: [0; 32],
            stop: vec![],
        };
        let given = engine.generate(&job, &mut |_| ControlFlow::Continue(()));
        let prompt = given.expect("it answers").prompt_token_ids;
        let query = ScoreQuery {
            model: Some(model.into()),
            prompt_token_ids: prompt,
            token_ids: engine
                .tokens_of_answer(Some(model), "he 21")
                .expect("tokens"),
            top_k: 1,
        };
        let scores = engine.score(&query).expect("it scores");
        scores.iter().map(|s| s.logprob).sum::<f32>() / scores.len() as f32
    };
    let (before, after) = (likely("base"), likely("adapter"));
    assert!(after > before + 1.0, "{before} {after}");
}
