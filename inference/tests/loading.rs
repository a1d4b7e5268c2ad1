//! Models are loaded beside everything else.

mod common;

use common::Tiny;
use std::{
    ffi::CString, fs::OpenOptions, ops::ControlFlow, os::unix::ffi::OsStrExt, path::Path,
    time::Duration,
};
use touchstone_inference::*;
use touchstone_primitives::request::{Message, Role};

fn model(name: &str, path: &Path) -> ModelConfig {
    ModelConfig {
        name: name.into(),
        path: path.into(),
        blake2: None,
        context: None,
    }
}

fn adapter(name: &str, base: &str) -> AdapterConfig {
    AdapterConfig {
        name: name.into(),
        base: base.into(),
        path: "/nowhere/law".into(),
        blake2: None,
    }
}

fn answer(engine: &LocalEngine, model: Option<&str>) -> Result<Generated, EngineError> {
    let job = Job {
        model: model.map(String::from),
        messages: vec![Message {
            role: Role::User,
            content: "hello".into(),
        }],
        max_tokens: 4,
        temperature_milli: 0,
        top_k: 1,
        sampler_key: [1; 32],
        stop: vec![],
    };
    engine.generate(&job, &mut |_| ControlFlow::Continue(()))
}

fn until(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..6000 {
        if condition() {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("it never happens that {what}");
}

#[test]
fn model_that_takes_long_delays_neither_the_start_nor_the_others() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (slow, sound) = (dir.path().join("slow.gguf"), dir.path().join("sound.gguf"));
    std::fs::write(&sound, Tiny::new().bytes()).expect("written");
    // Who opens a pipe to read waits until somebody opens it to write.
    let pipe = CString::new(slow.as_os_str().as_bytes()).expect("a path");
    assert_eq!(unsafe { libc::mkfifo(pipe.as_ptr(), 0o600) }, 0);

    let engine = LocalEngine::start(&EngineConfig {
        models: vec![model("slow", &slow), model("sound", &sound)],
        adapters: vec![
            adapter("law", "slow"),
            adapter("law", "sound"),
            adapter("law", "other"),
        ],
        threads: Some(1),
        ..Default::default()
    });
    let find = |name: &str| {
        let mut models = engine.models().into_iter();
        models.find(|m| m.name == name).expect("it is listed")
    };
    let failed = |name: &str, part: &str| match find(name).state {
        ModelState::Failed(why) => {
            assert!(why.contains(part), "{name}: {why}");
            true
        }
        _ => false,
    };
    until("the sound model is ready", || {
        find("sound").state == ModelState::Ready
    });
    assert!(answer(&engine, Some("sound")).is_ok());
    assert_eq!(find("slow").state, ModelState::Loading(Progress::default()));
    let waiting = find("slow+law");
    assert!(matches!(waiting.state, ModelState::Loading(_)));
    let residency = waiting.adapter.map(|a| a.residency);
    assert_eq!(residency, Some(Residency::Loading));
    for name in [None, Some("slow"), Some("slow+law")] {
        let refused = answer(&engine, name);
        assert!(
            matches!(&refused, Err(EngineError::Loading(model, 0)) if model.starts_with("slow")),
            "{refused:?}"
        );
    }
    until("the adapter that is not there is refused", || {
        failed("sound+law", "/nowhere/law/adapter_config.json")
    });
    assert!(failed("other+law", "no model \"other\" here"));

    drop(OpenOptions::new().write(true).open(&slow).expect("a pipe"));
    until("the pipe is refused", || {
        failed("slow", "found something that is no regular file")
    });
    until("its adapter is refused with it", || {
        failed("slow+law", "model \"slow\" is not ready")
    });
    assert!(matches!(
        answer(&engine, None),
        Err(EngineError::NotReady(..))
    ));
    assert!(answer(&engine, Some("sound")).is_ok());
}

#[test]
fn progress_is_a_percentage_even_while_the_size_is_unknown() {
    let percent = |read, size| Progress { read, size }.percent();
    assert_eq!(
        (percent(0, 0), percent(1, 3), percent(9, 9), percent(9, 3)),
        (0, 33, 100, 100)
    );
}
