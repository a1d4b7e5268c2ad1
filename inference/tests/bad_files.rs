//! Every way in which a model file can be wrong has an error that names the file, what was expected and what was found; nothing
//! panics, and the other models go on answering.

mod common;

use common::{Tensor, Tiny, Value};
use proptest::prelude::*;
use std::{ops::ControlFlow, path::PathBuf};
use touchstone_inference::*;
use touchstone_primitives::request::{Message, Role};

fn write(dir: &tempfile::TempDir, name: &str, bytes: &[u8]) -> ModelConfig {
    let path = dir.path().join(name);
    std::fs::write(&path, bytes).expect("a temporary file");
    ModelConfig {
        name: name.into(),
        path,
        blake2: None,
        context: None,
    }
}

fn load(models: Vec<ModelConfig>) -> LocalEngine {
    LocalEngine::load(&EngineConfig {
        models,
        threads: Some(1),
        ..Default::default()
    })
}

fn ask(model: Option<&str>) -> Job {
    Job {
        model: model.map(String::from),
        messages: vec![Message {
            role: Role::User,
            content: "hello".into(),
        }],
        max_tokens: 4,
        temperature_milli: 1000,
        top_k: 40,
        sampler_key: [1; 32],
        stop: vec![],
    }
}

fn answer(engine: &LocalEngine, model: Option<&str>) -> Result<Generated, EngineError> {
    engine.generate(&ask(model), &mut |_| ControlFlow::Continue(()))
}

/// Why the bytes are refused; empty if they are not.
fn refusal(bytes: &[u8]) -> String {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let engine = load(vec![write(&dir, "model.gguf", bytes)]);
    match &engine.models()[0].state {
        ModelState::Failed(why) => {
            let file: PathBuf = dir.path().join("model.gguf");
            assert!(
                why.starts_with(&format!("{}: expected ", file.display())),
                "{why}"
            );
            assert!(why.contains(", found "), "{why}");
            assert!(matches!(
                answer(&engine, None),
                Err(EngineError::NotReady(..))
            ));
            why.clone()
        }
        _ => String::new(),
    }
}

#[test]
fn sound_file_answers() {
    assert_eq!(refusal(&Tiny::new().bytes()), "");
    let dir = tempfile::tempdir().expect("a temporary folder");
    let engine = load(vec![write(&dir, "tiny", &Tiny::new().bytes())]);
    let given = answer(&engine, None).expect("it answers");
    assert!(!given.token_ids.is_empty() && given.prompt_token_ids.contains(&(259)));
    assert_eq!(given.manifest.weight_dtype, "q4_1+q8_0 * q8_0");

    let template = "{{ '<|im_start|>' + messages[0]['content'].strip().upper() + '<|im_end|>' }}";
    let python = Tiny::new().set("tokenizer.chat_template", Value::Text(template.into()));
    let engine = load(vec![write(&dir, "python", &python.bytes())]);
    assert_eq!(
        answer(&engine, None)
            .expect("it answers")
            .prompt_token_ids
            .len(),
        7
    );
}

#[test]
fn each_fault_is_named() {
    let tiny = Tiny::new;
    let text = |s: &str| Value::Text(s.into());
    let q = "blk.0.attn_q.weight";
    let mut missing = tiny();
    missing.tensors.retain(|t| t.name != q);
    let mut extra = tiny();
    extra.tensors.push(Tensor::f32("blk.0.attn_q.bias", 64));
    let mut twice = tiny();
    twice.tensors.push(twice.tensors[0].clone());
    let safetensors = [
        &68u64.to_le_bytes()[..],
        br#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
    ]
    .concat();
    let cases: Vec<(Vec<u8>, &str)> = vec![
		(vec![], "an empty file"),
		(b"GG".to_vec(), "truncated"),
		(b"<html>not found</html>".to_vec(), "the mark \"GGUF\""),
		(safetensors, "safetensors"),
		(
			tiny().set("general.architecture", text("mamba")).bytes(),
			"found mamba",
		),
		(
			tiny().without("general.architecture").bytes(),
			"general.architecture",
		),
		(
			tiny().without("tokenizer.ggml.tokens").bytes(),
			"tokenizer.ggml.tokens",
		),
		(
			tiny().without("tokenizer.ggml.merges").bytes(),
			"tokenizer.ggml.merges",
		),
		(
			tiny().set("tokenizer.ggml.pre", text("klingon")).bytes(),
			"found klingon",
		),
		(
			tiny()
				.set("tokenizer.ggml.eos_token_id", Value::U32(9999))
				.bytes(),
			"eos_token_id",
		),
		(
			tiny().without("tokenizer.chat_template").bytes(),
			"tokenizer.chat_template",
		),
		(
			tiny()
				.set("tokenizer.chat_template", text("{% for %}"))
				.bytes(),
			"a Jinja template",
		),
		(
			tiny()
				.set(
					"tokenizer.chat_template",
					text("{{ raise_exception('no') }}"),
				)
				.bytes(),
			"renders",
		),
		(
			tiny()
				.set(
					"tokenizer.chat_template",
					text(
						"{% for a in range(9999) %}{% for b in range(9999) %}.{% endfor %}{% endfor %}",
					),
				)
				.bytes(),
			"renders",
		),
		(
			tiny()
				.set("llama.embedding_length", Value::U32(u32::MAX))
				.bytes(),
			"embedding_length",
		),
		(
			tiny()
				.set("llama.block_count", Value::U32(u32::MAX))
				.bytes(),
			"block_count",
		),
		(
			tiny().set("llama.block_count", Value::U32(3)).bytes(),
			"blk.2",
		),
		(
			tiny()
				.set("llama.attention.head_count", Value::U32(0))
				.bytes(),
			"head_count",
		),
		(
			tiny()
				.set("llama.attention.head_count", Value::U32(3))
				.bytes(),
			"divide evenly",
		),
		(
			tiny().set("llama.rope.scaling.type", text("yarn")).bytes(),
			"llama.rope.scaling.type",
		),
		(
			tiny().set("general.alignment", Value::U32(3)).bytes(),
			"alignment",
		),
		(missing.bytes(), q),
		(extra.bytes(), "blk.0.attn_q.bias"),
		(twice.bytes(), "twice"),
		(
			tiny()
				.tensor(q, |t| t.dimensions = vec![u64::MAX, u64::MAX])
				.bytes(),
			q,
		),
		(
			tiny()
				.tensor(q, |t| t.dimensions = vec![1 << 40, 1 << 30])
				.bytes(),
			q,
		),
		(tiny().tensor(q, |t| t.dimensions = vec![0, 64]).bytes(), q),
		(
			tiny().tensor(q, |t| t.dimensions = vec![32, 64]).bytes(),
			"64 rows of 32 values",
		),
		(
			tiny().tensor(q, |t| t.dimensions = vec![32, 2, 64]).bytes(),
			"3 dimensions",
		),
		(tiny().tensor(q, |t| t.kind = 77).bytes(), "GGML type 77"),
		(
			tiny().tensor(q, |t| t.kind = 0).bytes(),
			"inside the tensor before it",
		),
		(
			tiny()
				.tensor(q, |t| t.bytes[..2].copy_from_slice(&[0, 0x7e]))
				.bytes(),
			"finite",
		),
		(
			tiny()
				.tensor("output_norm.weight", |t| {
					t.bytes[..4].copy_from_slice(&f32::NAN.to_le_bytes())
				})
				.bytes(),
			"finite",
		),
	];
    for (bytes, expected) in cases {
        let why = refusal(&bytes);
        println!("{why}");
        assert!(why.contains(expected), "{expected:?} is not in {why:?}");
    }
}

#[test]
fn each_fault_of_a_gemma_is_named() {
    let tiny = Tiny::gemma3;
    let text = |s: &str| Value::Text(s.into());
    assert_eq!(refusal(&tiny().bytes()), "");
    let without = |name: &str| {
        let mut tiny = tiny();
        tiny.tensors.retain(|t| t.name != name);
        tiny.bytes()
    };
    let mut no_byte = tiny();
    for (key, value) in &mut no_byte.values {
        if let (true, Value::Texts(tokens)) = (key == "tokenizer.ggml.tokens", value) {
            tokens[4 + 0x41] = "<0x42>".into();
        }
    }
    let heads = "gemma3.attention.head_count";
    let window = "gemma3.attention.sliding_window";
    let scores = "tokenizer.ggml.scores";
    let cases = [
        (
            tiny().set(heads, Value::U32(4)).bytes(),
            "attn_q.weight with 192 rows",
        ),
        (tiny().set(heads, Value::U32(0)).bytes(), heads),
        (
            tiny()
                .set("gemma3.attention.key_length", Value::U32(40))
                .bytes(),
            "divide evenly",
        ),
        (
            tiny()
                .set("gemma3.attention.value_length", Value::U32(32))
                .bytes(),
            "value_length: 48",
        ),
        (
            tiny()
                .set("gemma3.rope.scaling.type", text("linear"))
                .bytes(),
            "rope.scaling.type",
        ),
        (tiny().without(window).bytes(), window),
        (tiny().set(window, Value::U32(0)).bytes(), window),
        (
            without("blk.1.post_ffw_norm.weight"),
            "blk.1.post_ffw_norm.weight",
        ),
        (
            without("blk.0.attn_q_norm.weight"),
            "blk.0.attn_q_norm.weight",
        ),
        (tiny().without(scores).bytes(), scores),
        (
            tiny().set(scores, Value::F32s(vec![1.0; 7])).bytes(),
            "7 scores",
        ),
        (
            tiny().set(scores, Value::F32s(vec![f32::NAN; 270])).bytes(),
            "finite numbers",
        ),
        (
            tiny().set("tokenizer.ggml.model", text("t5")).bytes(),
            "found t5",
        ),
        (no_byte.bytes(), "<0x41> among them"),
        (
            tiny().without("tokenizer.chat_template").bytes(),
            "model.jinja",
        ),
    ];
    for (bytes, expected) in cases {
        let why = refusal(&bytes);
        println!("{why}");
        assert!(why.contains(expected), "{expected:?} is not in {why:?}");
    }
}

#[test]
fn template_beside_a_file_serves_one_that_has_none() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let bytes = Tiny::gemma3().without("tokenizer.chat_template").bytes();
    let model = write(&dir, "model.gguf", &bytes);
    let beside = dir.path().join("model.jinja");
    std::fs::write(&beside, "<turn>{{ messages[0]['content'] }} hello").expect("written");
    let engine = load(vec![model.clone()]);
    let given = answer(&engine, None).expect("it answers");
    assert_eq!(
        given.prompt_token_ids,
        [3, 269, 269],
        "<turn>, and twice a space with hello"
    );
    let hash = given.manifest.chat_template;
    std::fs::write(&beside, "<turn>{{ messages[0]['content'] }}").expect("written");
    let other = load(vec![model.clone()]).models()[0].manifest.chat_template;
    assert_ne!(hash, other, "the manifest tells which template it is");
    std::fs::write(&beside, "{% for %}").expect("written");
    let state = load(vec![model]).models()[0].state.clone();
    assert!(matches!(state, ModelState::Failed(why) if why.contains("a Jinja template")));
}

#[test]
fn huge_declared_counts_are_refused_before_memory_is_taken() {
    let sound = Tiny::new().bytes();
    for at in [8, 16, 24] {
        for count in [1u64 << 20, 1 << 40, u64::MAX] {
            let mut bytes = sound.clone();
            bytes[at..at + 8].copy_from_slice(&count.to_le_bytes());
            assert_ne!(refusal(&bytes), "");
        }
    }
}

#[test]
fn absent_file_folder_and_wrong_hash_are_refused() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let sound = write(&dir, "sound", &Tiny::new().bytes());
    let right = load(vec![sound.clone()]).models()[0].manifest.base;
    let with = |hash: String| ModelConfig {
        blake2: Some(hash),
        ..sound.clone()
    };
    let absent = ModelConfig {
        path: dir.path().join("absent"),
        ..sound.clone()
    };
    let folder = ModelConfig {
        path: dir.path().into(),
        ..sound.clone()
    };
    let engine = load(vec![
        with(format!("{right:?}")),
        with("00".repeat(32)),
        with("short".into()),
        absent,
        folder,
    ]);
    let states: Vec<ModelState> = engine.models().into_iter().map(|m| m.state).collect();
    assert_eq!(states[0], ModelState::Ready);
    for (state, expected) in
        states[1..]
            .iter()
            .zip(["found 0x", "64 hex digits", "No such file", "found"])
    {
        assert!(
            matches!(state, ModelState::Failed(why) if why.contains(expected)),
            "{state:?}"
        );
    }
}

#[test]
fn broken_model_is_reported_and_the_others_answer() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let bytes = Tiny::new().bytes();
    let engine = load(vec![
        write(&dir, "broken", &bytes[..bytes.len() / 2]),
        write(&dir, "sound", &bytes),
    ]);
    assert!(
        matches!(&engine.models()[0].state, ModelState::Failed(why) if why.contains("truncated"))
    );
    assert!(
        matches!(answer(&engine, None), Err(EngineError::NotReady(name, _)) if name == "broken")
    );
    assert!(answer(&engine, Some("sound")).is_ok());
    assert!(matches!(
        answer(&engine, Some("other")),
        Err(EngineError::UnknownModel(_))
    ));
    assert!(matches!(
        answer(&load(vec![]), None),
        Err(EngineError::NotReady(..))
    ));
}

#[test]
fn weights_that_overflow_fail_the_answer_and_not_the_engine() {
    // Finite as stored, but their products are not.
    let huge = Tiny::new().tensor("output_norm.weight", |t| {
        t.bytes = (0..64).flat_map(|_| f32::MAX.to_le_bytes()).collect();
    });
    let dir = tempfile::tempdir().expect("a temporary folder");
    let engine = load(vec![write(&dir, "huge", &huge.bytes())]);
    for _ in 0..2 {
        let failed = answer(&engine, None);
        assert!(
            matches!(&failed, Err(EngineError::Failed(why)) if why.contains("finite")),
            "{failed:?}"
        );
    }
    assert_eq!(engine.load(), Load::default());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn truncated_anywhere_is_refused(cut in 0.0f64..1.0) {
        let bytes = Tiny::new().bytes();
        let why = refusal(&bytes[..(bytes.len() as f64 * cut) as usize]);
        prop_assert_ne!(why, "");
    }

    #[test]
    fn damage_anywhere_is_refused_or_answered_but_never_a_panic(
        hits in prop::collection::vec((0.0f64..1.0, any::<u8>()), 1..8),
        head in any::<bool>(),
        gemma in any::<bool>(),
    ) {
        let mut bytes = if gemma { Tiny::gemma3() } else { Tiny::new() }.bytes();
        let end = if head { 4_000 } else { bytes.len() };
        for (at, byte) in hits {
            bytes[(end as f64 * at) as usize] = byte;
        }
        let dir = tempfile::tempdir().expect("a temporary folder");
        let engine = load(vec![write(&dir, "damaged", &bytes)]);
        let _ = answer(&engine, None);
    }
}
