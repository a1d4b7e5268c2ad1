//! Who does not want an answer any more frees its place at once: in the queue, while its prompt is read, and while it is answered.

mod common;

use common::Tiny;
use std::{ops::ControlFlow, sync::mpsc::channel};
use touchstone_inference::*;
use touchstone_primitives::request::{Message, Role};

/// The embedded engine with a tiny model, and the engine without one; each runs one job at a time.
fn engines(dir: &tempfile::TempDir) -> [Box<dyn Engine>; 2] {
    let path = dir.path().join("tiny.gguf");
    std::fs::write(&path, Tiny::new().bytes()).expect("a temporary file");
    let model = ModelConfig {
        name: "tiny".into(),
        path,
        blake2: None,
        context: None,
    };
    let local = LocalEngine::load(&EngineConfig {
        models: vec![model],
        threads: Some(1),
        slots: 1,
        queue: 2,
        ..Default::default()
    });
    let dummy = DummyEngine::new().limits(1, 2);
    [Box::new(local), Box::new(dummy)]
}

fn job(word: &str, times: usize) -> Job {
    Job {
        model: None,
        messages: vec![Message {
            role: Role::User,
            content: word.repeat(times),
        }],
        max_tokens: 4,
        temperature_milli: 1000,
        top_k: 40,
        sampler_key: [1; 32],
        stop: vec![],
    }
}

#[test]
fn queued_job_leaves_the_queue() {
    let dir = tempfile::tempdir().expect("a folder");
    for engine in engines(&dir) {
        let (running, is_running) = channel();
        let (go_on, may_go_on) = channel::<()>();
        std::thread::scope(|scope| {
            let engine = &engine;
            let first = scope.spawn(move || {
                engine.generate(&job("a ", 1), &mut |_| {
                    running.send(()).expect("somebody listens");
                    may_go_on.recv().ok();
                    ControlFlow::Continue(())
                })
            });
            is_running.recv().expect("it runs");
            let mut waited = Load::default();
            let second = engine.generate(&job("a ", 1), &mut |piece| {
                assert_eq!(piece, Piece::default());
                waited = engine.load();
                ControlFlow::Break(())
            });
            let second = second.expect("no error");
            assert_eq!(second.finish, Finish::Cancelled);
            assert_eq!((waited.active, waited.queued), (1, 1));
            let now = engine.load();
            assert_eq!((now.active, now.queued), (1, 0));
            drop(go_on);
            let first = first.join().expect("no panic").expect("it answers");
            assert_ne!(first.finish, Finish::Cancelled);
        });
        assert_eq!(engine.load(), Load::default());
    }
}

#[test]
fn prompt_that_is_read_in_parts_is_given_up_between_them() {
    let dir = tempfile::tempdir().expect("a folder");
    let [local, _] = engines(&dir);
    let mut pieces = Vec::new();
    let given = local.generate(&job("a ", 100), &mut |piece| {
        pieces.push(piece);
        ControlFlow::Break(())
    });
    let given = given.expect("no error");
    assert!(given.prompt_token_ids.len() > 128, "more than one part");
    assert_eq!(
        (given.finish, given.token_ids.len()),
        (Finish::Cancelled, 0)
    );
    assert_eq!(pieces, [Piece::default()]);
    assert_eq!(local.load(), Load::default());
    // Whoever goes on is asked after each part and answered as ever.
    let mut asked = 0;
    let whole = local.generate(&job("b ", 100), &mut |piece| {
        asked += usize::from(piece == Piece::default());
        ControlFlow::Continue(())
    });
    let whole = whole.expect("it answers");
    assert_eq!((whole.token_ids.is_empty(), asked), (false, 1));
}
