//! The remote engine against llama.cpp's own server, with the default models and a real adapter, beside the embedded engine with the
//! same files. `scripts/setup` places all of it.

mod common;

use common::connect;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    ops::ControlFlow,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};
use touchstone_inference::*;
use touchstone_primitives::request::{Message, Role};

const SMOLLM2: &str = "models/smollm2-135m-instruct.q4_1.gguf";
const GEMMA3: &str = "models/gemma-3-270m.q4_k_m.gguf";

/// A running server. It ends with the test, since its standard input does.
struct LlamaCpp {
    process: Child,
    /// `127.0.0.1:PORT`.
    address: String,
}

impl LlamaCpp {
    fn start(model: &str, adapters: &[&Path]) -> Self {
        let mut process = Command::new("python3")
            .arg(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/tests/llama_server.py"
            ))
            .arg(common::data("lib/xllamacpp.abi3.so"))
            .arg(common::data(model))
            .args(adapters)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("python3 runs");
        let output = process.stdout.take().expect("it was asked for");
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).expect("a line");
        let address = line.trim().strip_prefix("http://");
        let address = address.unwrap_or_else(|| panic!("the server did not start: {line:?}"));
        Self {
            address: address.into(),
            process,
        }
    }

    /// The body of what the server says under a path.
    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        let host = &self.address;
        write!(stream, "GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n").expect("sent");
        let mut reply = String::new();
        stream.read_to_string(&mut reply).expect("an answer");
        reply.split_once("\r\n\r\n").expect("a head").1.into()
    }

    fn config(&self, model: &str) -> RemoteConfig {
        let hash = "ab".repeat(32);
        RemoteConfig {
            url: format!("http://{}/v1", self.address),
            kind: RemoteKind::LlamaCpp,
            version: "b11549".into(),
            api_key_file: None,
            models: vec![RemoteModel {
                name: "base".into(),
                remote_name: common::data(model).display().to_string(),
                base: hash.clone(),
                adapter: None,
                lora: None,
                weight_dtype: "q4_1".into(),
                cache_dtype: "f16".into(),
                tokenizer: hash.clone(),
                chat_template: hash,
                context: 2048,
            }],
            embedding: None,
            slots: 2,
            queue: 2,
            limits: RemoteLimits {
                retries: 1,
                pause_ms: 1,
                breaker_failures: 2,
                ..Default::default()
            },
        }
    }
}

impl Drop for LlamaCpp {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn local(model: &str) -> LocalEngine {
    LocalEngine::load(&EngineConfig {
        models: vec![ModelConfig {
            name: "base".into(),
            path: common::data(model),
            blake2: None,
            context: Some(2048),
        }],
        ..Default::default()
    })
}

fn ask(model: &str, content: &str) -> Job {
    Job {
        model: Some(model.into()),
        messages: vec![Message {
            role: Role::User,
            content: content.into(),
        }],
        max_tokens: 16,
        temperature_milli: 0,
        top_k: 40,
        sampler_key: [3; 32],
        stop: vec![],
    }
}

/// An answer and the log probabilities of its tokens.
fn answer(engine: &dyn Engine, job: &Job) -> (Generated, Vec<f32>) {
    let mut logprobs = Vec::new();
    let answer = engine.generate(job, &mut |piece| {
        logprobs.extend(piece.logprobs);
        ControlFlow::Continue(())
    });
    (answer.expect("it answers"), logprobs)
}

/// What the embedded engine thinks of an answer of the server: mean and largest difference of the log probabilities.
fn differences(
    local: &LocalEngine,
    model: &str,
    answer: &Generated,
    logprobs: &[f32],
) -> (f32, f32) {
    let scores = local.score(&ScoreQuery {
        model: Some(model.into()),
        prompt_token_ids: answer.prompt_token_ids.clone(),
        token_ids: answer.token_ids.clone(),
        top_k: 1,
    });
    let scores = scores.expect("it scores");
    assert_eq!(
        (scores.len(), logprobs.len()),
        (answer.token_ids.len(), scores.len())
    );
    let apart = scores
        .iter()
        .zip(logprobs)
        .map(|(s, l)| (s.logprob - l).abs());
    let apart: Vec<f32> = apart.collect();
    let mean = apart.iter().sum::<f32>() / apart.len() as f32;
    (mean, apart.iter().copied().fold(0.0, f32::max))
}

#[test]
fn real_server_gives_the_ids_and_probabilities_that_the_embedded_engine_finds() {
    for model in [SMOLLM2, GEMMA3] {
        let server = LlamaCpp::start(model, &[]);
        let remote = connect(&server.config(model));
        assert_eq!(remote.models()[0].state, ModelState::Ready);
        let local = local(model);
        for question in [
            "What is the capital of France?",
            "¿Qué es el oro?  \t Größe:\n\n\n 12345 <b>§</b> don't 日本語 \u{10ffff}",
            "Repeat: 😀 🤖 👩‍🚀 <end_of_turn> <|im_end|> </s>",
        ] {
            let (theirs, logprobs) = answer(&remote, &ask("base", question));
            let (ours, _) = answer(&local, &ask("base", question));
            // What reads like a control token is plain text to the embedded engine, and a control token to llama.cpp.
            if !question.contains("<|im_end|>") {
                assert_eq!(theirs.prompt_token_ids, ours.prompt_token_ids, "{question}");
            }
            println!("{model}: {:?}: {logprobs:?}", theirs.text);
            // The server tells no probabilities of tokens that end inside a character, and then none are taken.
            if logprobs.is_empty() {
                assert!(!theirs.text.is_ascii());
                continue;
            }
            let (mean, most) = differences(&local, "base", &theirs, &logprobs);
            println!("mean {mean}, largest {most}");
            assert!(mean < 0.2 && most < 1.0, "{mean}, {most}");
        }
        let (theirs, logprobs) = answer(&remote, &ask("base", "What is the capital of France?"));
        assert_eq!((logprobs.len(), theirs.token_ids.len()), (16, 16));
        assert!(
            model == SMOLLM2 || theirs.text.contains("Paris"),
            "{}",
            theirs.text
        );
    }
}

#[test]
fn adapter_is_switched_for_each_request_and_changes_what_it_changes_in_the_embedded_engine() {
    let dir = tempfile::tempdir().expect("a folder");
    let changes = common::changes("law", 30, [576, 576, 192, 1536], 0.2);
    common::write_peft(&dir.path().join("law"), &changes);
    let files: Vec<PathBuf> = ["other.gguf", "law.gguf"]
        .map(|f| dir.path().join(f))
        .into();
    common::write_gguf_lora(
        &files[0],
        &common::changes("other", 30, [576, 576, 192, 1536], 0.2),
        64,
    );
    common::write_gguf_lora(&files[1], &changes, 64);
    let server = LlamaCpp::start(SMOLLM2, &[&files[0], &files[1]]);
    let mut config = server.config(SMOLLM2);
    for (name, file) in [
        ("law", files[1].clone()),
        ("absent", dir.path().join("absent.gguf")),
    ] {
        config.models.push(RemoteModel {
            name: name.into(),
            adapter: Some("cd".repeat(32)),
            lora: Some(file.display().to_string()),
            ..config.models[0].clone()
        });
    }
    let remote = connect(&config);
    let states: Vec<ModelState> = remote.models().into_iter().map(|m| m.state).collect();
    assert_eq!(states[..2], [ModelState::Ready, ModelState::Ready]);
    assert!(matches!(&states[2], ModelState::Failed(why) if why.contains("/lora-adapters")));

    let local = local(SMOLLM2);
    let adapter = AdapterConfig {
        name: "law".into(),
        base: "base".into(),
        path: dir.path().join("law"),
        blake2: None,
    };
    local.add_adapter(&adapter).expect("it fits");
    let question = "Write one sentence about the sea.";
    let (base, base_logprobs) = answer(&remote, &ask("base", question));
    let (law, law_logprobs) = answer(&remote, &ask("law", question));
    assert_ne!(base.token_ids, law.token_ids);
    for (model, given, logprobs) in [
        ("base", &base, &base_logprobs),
        ("law", &law, &law_logprobs),
    ] {
        let (mean, most) = differences(&local, model, given, logprobs);
        println!("{model}: {:?}: mean {mean}, largest {most}", given.text);
        assert!(mean < 0.2 && most < 1.0, "{model}: {mean}, {most}");
    }
    // Without the adapter the same answer has other probabilities: it was really on.
    let off = differences(&local, "base", &law, &law_logprobs).0;
    println!("without the adapter: mean {off}");
    assert!(off > 0.4, "{off}");
    // Side by side and one after the other, on the same two slots.
    for _ in 0..2 {
        std::thread::scope(|scope| {
            let both = [("base", &base), ("law", &law)].map(|(model, before)| {
                let remote = &remote;
                scope.spawn(move || {
                    let (again, _) = answer(remote, &ask(model, question));
                    assert_eq!(again.token_ids, before.token_ids, "{model}");
                })
            });
            for thread in both {
                thread.join().expect("no panic");
            }
        });
    }
}

#[test]
fn server_killed_while_it_answers_is_a_clear_error_and_then_gets_a_rest() {
    let mut server = LlamaCpp::start(SMOLLM2, &[]);
    let config = RemoteConfig {
        slots: 1,
        queue: 0,
        ..server.config(SMOLLM2)
    };
    let remote = connect(&config);
    let long = Job {
        max_tokens: 1500,
        temperature_milli: 1000,
        ..ask(
            "base",
            "Write a long story about the sea, with many chapters.",
        )
    };
    std::thread::scope(|scope| {
        let first = scope.spawn(|| remote.generate(&long, &mut |_| ControlFlow::Continue(())));
        while !server.get("/slots").contains("\"is_processing\":true") {
            assert!(!first.is_finished(), "it ended before it was seen to begin");
        }
        let second = remote.generate(&long, &mut |_| ControlFlow::Continue(()));
        let busy = EngineError::Busy {
            active: 1,
            queued: 0,
        };
        assert!(matches!(second, Err(e) if e.to_string() == busy.to_string()));
        server.process.kill().expect("killed");
        let first = first.join().expect("no panic");
        let why = match first {
            Err(EngineError::Failed(why)) => why,
            other => panic!("{other:?}"),
        };
        println!("{why}");
        assert!(
            why.contains("cannot connect"),
            "the retry found nobody: {why}"
        );
    });
    let again = || remote.generate(&long, &mut |_| ControlFlow::Continue(()));
    assert!(matches!(again(), Err(EngineError::Failed(_))));
    let resting = again();
    assert!(
        matches!(&resting, Err(EngineError::NotReady(_, why)) if why.contains("gets a rest")),
        "{resting:?}"
    );
    assert_eq!(remote.load(), Load::default());
}
