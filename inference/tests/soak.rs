//! The engine's memory does not grow with what it has answered.

mod common;

use common::Tiny;
use std::{
    ops::ControlFlow,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};
use touchstone_inference::*;
use touchstone_primitives::request::{Message, Role};

/// Resident memory of this process in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status
        .lines()
        .find_map(|l| l.strip_prefix("VmRSS:"))
        .expect("VmRSS");
    line.trim()
        .trim_end_matches(" kB")
        .parse()
        .expect("a number")
}

#[test]
fn memory_stays_flat_over_ten_thousand_requests() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("tiny.gguf");
    std::fs::write(&path, Tiny::new().bytes()).expect("written");
    let engine = LocalEngine::load(&EngineConfig {
        models: vec![ModelConfig {
            name: "tiny".into(),
            path,
            blake2: None,
            context: None,
        }],
        threads: Some(2),
        prefix_mib: 1,
        queue: 8,
        ..Default::default()
    });
    let next = AtomicU32::new(0);
    let answer_until = |end: u32| {
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    loop {
                        let n = next.fetch_add(1, Relaxed);
                        if n >= end {
                            return;
                        }
                        let job = Job {
                            model: None,
                            messages: vec![Message {
                                role: Role::User,
                                content: format!("question {n}"),
                            }],
                            max_tokens: 1 + n % 24,
                            temperature_milli: 1000,
                            top_k: 64,
                            sampler_key: [n as u8; 32],
                            stop: vec![],
                        };
                        // Every seventh client goes away in the middle.
                        let mut pieces = 0;
                        let answer = engine.generate(&job, &mut |_| {
                            pieces += 1;
                            match n % 7 == 0 && pieces == 3 {
                                true => ControlFlow::Break(()),
                                false => ControlFlow::Continue(()),
                            }
                        });
                        answer.expect("it answers");
                    }
                });
            }
        });
        next.store(end, Relaxed);
        resident()
    };
    let early = answer_until(2_000);
    let late = answer_until(12_000);
    println!("{early} KiB after 2,000 requests, {late} KiB after 12,000");
    assert!(
        late < early + 8 * 1024,
        "{early} KiB after 2,000 requests, {late} after 12,000"
    );
    assert_eq!(engine.load(), Load::default());
}
