//! Measures a GGUF model: `bench FILE THREADS PROMPT_TOKENS ANSWER_TOKENS CONCURRENT ROUNDS [ADAPTER_FOLDER...]`.
//!
//! Requests take turns with the adapters. Prints one line of JSON: tokens per second of prompts and answers in the best round,
//! and the peak memory. `scripts/bench/inference` runs it beside llama.cpp.

use std::{ops::ControlFlow, time::Instant};
use touchstone_inference::*;
use touchstone_primitives::request::{Message, Role};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [
        file,
        threads,
        prompt,
        answer,
        concurrent,
        rounds,
        adapters @ ..,
    ] = args.as_slice()
    else {
        eprintln!(
            "usage: bench FILE THREADS PROMPT_TOKENS ANSWER_TOKENS CONCURRENT ROUNDS [ADAPTER_FOLDER...]"
        );
        std::process::exit(2);
    };
    let number = |text: &String| text.parse::<usize>().expect("a whole number");
    let (prompt, answer) = (number(prompt), number(answer));
    let concurrent = number(concurrent);
    let engine = LocalEngine::load(&EngineConfig {
        models: vec![ModelConfig {
            name: "base".into(),
            path: file.into(),
            blake2: None,
            context: None,
        }],
        adapters: adapters
            .iter()
            .map(|folder| AdapterConfig {
                name: folder.clone(),
                base: "base".into(),
                path: folder.into(),
                blake2: None,
            })
            .collect(),
        // Every prompt is computed in full.
        prefix_mib: 0,
        threads: Some(number(threads)),
        slots: concurrent as u32,
        ..Default::default()
    });
    // The template adds some tokens; the repeated part is six. The question is one that takes long to answer.
    let job = |words: usize, adapter: Option<&String>| Job {
        model: adapter.cloned(),
        messages: vec![Message {
            role: Role::User,
            content: format!(
                "Tell a very long story about{}",
                " the sea and the wind,".repeat(words / 6)
            ),
        }],
        max_tokens: answer as u32,
        temperature_milli: 0,
        top_k: 1,
        sampler_key: [0; 32],
        stop: vec![],
    };
    let run = |job: &Job| {
        engine
            .generate(job, &mut |_| ControlFlow::Continue(()))
            .expect("the model answers")
    };
    let overhead = run(&Job {
        max_tokens: 1,
        ..job(1, None)
    })
    .prompt_token_ids
    .len()
        - 1;
    let jobs: Vec<Job> = (0..concurrent)
        .map(|n| {
            let adapter = (!adapters.is_empty()).then(|| &adapters[n % adapters.len()]);
            job(prompt.saturating_sub(overhead).max(1), adapter)
        })
        .collect();
    let (mut prefill, mut decode, mut total) = (0f64, 0f64, 0f64);
    for _ in 0..number(rounds) {
        let started = Instant::now();
        let answers: Vec<Generated> = std::thread::scope(|scope| {
            let threads: Vec<_> = jobs.iter().map(|job| scope.spawn(|| run(job))).collect();
            threads
                .into_iter()
                .map(|t| t.join().expect("no panic"))
                .collect()
        });
        let all = started.elapsed().as_secs_f64();
        let read = answers
            .iter()
            .map(|a| a.prefill.as_secs_f64())
            .fold(0.0, f64::max);
        let wrote = answers
            .iter()
            .map(|a| a.decode.as_secs_f64())
            .fold(0.0, f64::max);
        let prompts: usize = answers.iter().map(|a| a.prompt_token_ids.len()).sum();
        let tokens: usize = answers.iter().map(|a| a.token_ids.len()).sum();
        prefill = prefill.max(prompts as f64 / read);
        decode = decode.max((tokens - concurrent) as f64 / wrote);
        total = total.max(tokens as f64 / all);
    }
    // What an audit of the last answer costs, as a part of what the answer cost.
    let last = run(&jobs[0]);
    let cost = (last.prefill + last.decode).as_secs_f64();
    let started = Instant::now();
    let query = ScoreQuery {
        model: jobs[0].model.clone(),
        prompt_token_ids: last.prompt_token_ids,
        token_ids: last.token_ids,
        top_k: 64,
    };
    engine.score(&query).expect("the model scores");
    let audit = started.elapsed().as_secs_f64() / cost;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status
        .lines()
        .find_map(|l| l.strip_prefix("VmHWM:"))
        .unwrap_or(" 0 kB");
    let peak = peak
        .trim()
        .trim_end_matches(" kB")
        .parse::<u64>()
        .unwrap_or(0)
        / 1024;
    println!(
        "{{\"prefill\": {prefill:.1}, \"decode\": {decode:.1}, \"total\": {total:.1}, \"peakMiB\": {peak}, \"audit\": {audit:.2}}}"
    );
}
