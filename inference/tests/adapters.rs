//! LoRA adapters: computed as if merged into the weights, mixed in one batch, kept within a budget, refused when they do not fit.

mod common;

use common::{GEMMA_HEAD, HIDDEN, Tensor, Tiny, WIDTH, random};
use std::{collections::BTreeMap, ops::ControlFlow, path::Path};
use touchstone_inference::*;
use touchstone_primitives::request::{Message, Role};

const RANK: usize = 4;
const ALPHA: f32 = 8.0;
/// Module in PEFT, tensor in GGUF, columns, rows.
const TARGETS: [(&str, &str, usize, usize); 7] = [
    ("self_attn.q_proj", "attn_q", WIDTH, 64),
    ("self_attn.k_proj", "attn_k", WIDTH, 32),
    ("self_attn.v_proj", "attn_v", WIDTH, 32),
    ("self_attn.o_proj", "attn_output", 64, WIDTH),
    ("mlp.gate_proj", "ffn_gate", WIDTH, HIDDEN),
    ("mlp.up_proj", "ffn_up", WIDTH, HIDDEN),
    ("mlp.down_proj", "ffn_down", HIDDEN, WIDTH),
];

/// A change of one matrix: its tensor's name in PEFT and GGUF, its shape, and the factors.
struct Change {
    module: String,
    tensor: String,
    cols: usize,
    rows: usize,
    a: Vec<f32>,
    b: Vec<f32>,
}

/// Random changes of the given targets in both layers.
fn changes(name: &str, targets: &[usize]) -> Vec<Change> {
    let mut all = Vec::new();
    for layer in 0..2 {
        for (module, tensor, cols, rows) in targets.iter().map(|t| TARGETS[*t]) {
            all.push(Change {
                module: format!("base_model.model.model.layers.{layer}.{module}"),
                tensor: format!("blk.{layer}.{tensor}.weight"),
                cols,
                rows,
                a: random(&format!("{name}{layer}{module}a"), RANK * cols, 0.2),
                b: random(&format!("{name}{layer}{module}b"), RANK * rows, 0.2),
            });
        }
    }
    all
}

fn tensors(changes: &[Change]) -> Vec<(String, Vec<usize>, Vec<f32>)> {
    changes
        .iter()
        .flat_map(|c| {
            [
                (
                    format!("{}.lora_A.weight", c.module),
                    vec![RANK, c.cols],
                    c.a.clone(),
                ),
                (
                    format!("{}.lora_B.weight", c.module),
                    vec![c.rows, RANK],
                    c.b.clone(),
                ),
            ]
        })
        .collect()
}

fn config() -> serde_json::Value {
    serde_json::json!({
        "peft_type": "LORA", "task_type": "CAUSAL_LM", "r": RANK, "lora_alpha": ALPHA, "bias": "none",
        "use_dora": false, "target_modules": ["q_proj"], "base_model_name_or_path": "tiny", "rank_pattern": {},
        "modules_to_save": null, "lora_dropout": 0.1,
    })
}

fn write_adapter(
    folder: &Path,
    config: &serde_json::Value,
    tensors: &[(String, Vec<usize>, Vec<f32>)],
) {
    std::fs::create_dir_all(folder).expect("a folder");
    std::fs::write(folder.join("adapter_config.json"), config.to_string()).expect("written");
    let bytes: Vec<Vec<u8>> = tensors
        .iter()
        .map(|(_, _, numbers)| numbers.iter().flat_map(|x| x.to_le_bytes()).collect())
        .collect();
    let views: BTreeMap<&str, safetensors::tensor::TensorView<'_>> = tensors
        .iter()
        .zip(&bytes)
        .map(|((name, shape, _), bytes)| {
            let view =
                safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.clone(), bytes);
            (name.as_str(), view.expect("a sound tensor"))
        })
        .collect();
    let file = safetensors::serialize(views, None).expect("safetensors");
    std::fs::write(folder.join("adapter_model.safetensors"), file).expect("written");
}

/// The tiny model with plain weights, so that changes can be merged into them.
fn plain() -> Tiny {
    let mut tiny = Tiny::new();
    for tensor in tiny.tensors.iter_mut().filter(|t| t.dimensions.len() == 2) {
        let (cols, rows) = (tensor.dimensions[0] as usize, tensor.dimensions[1] as usize);
        *tensor = Tensor::matrix(&tensor.name, cols, &random(&tensor.name, cols * rows, 0.2));
    }
    tiny
}

/// Merges changes into weights. Rows of q and k are where llama.cpp's converter puts them: within a head, the two halves of
/// Hugging Face's order alternate.
fn merged(mut tiny: Tiny, changes: &[Change]) -> Tiny {
    for change in changes {
        let tensor = tiny
            .tensors
            .iter_mut()
            .find(|t| t.name == change.tensor)
            .expect("a tensor");
        let mut weights: Vec<f32> = tensor
            .bytes
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes(b.try_into().expect("four bytes")))
            .collect();
        for hf in 0..change.rows {
            let (head, half, i) = (hf / 32, hf % 32 / 16, hf % 16);
            let rotated = change.tensor.contains("attn_q") || change.tensor.contains("attn_k");
            let row = if rotated {
                head * 32 + i * 2 + half
            } else {
                hf
            };
            for col in 0..change.cols {
                let sum: f32 = (0..RANK)
                    .map(|r| change.b[hf * RANK + r] * change.a[r * change.cols + col])
                    .sum();
                weights[row * change.cols + col] += ALPHA / RANK as f32 * sum;
            }
        }
        *tensor = Tensor::matrix(&tensor.name.clone(), change.cols, &weights);
    }
    tiny
}

fn engine(folder: &Path, tiny: &Tiny, slots: u32) -> LocalEngine {
    let path = folder.join("tiny.gguf");
    std::fs::write(&path, tiny.bytes()).expect("written");
    LocalEngine::load(&EngineConfig {
        models: vec![ModelConfig {
            name: "tiny".into(),
            path,
            blake2: None,
            context: None,
        }],
        threads: Some(2),
        slots,
        ..Default::default()
    })
}

fn adapter(name: &str, path: &Path) -> AdapterConfig {
    AdapterConfig {
        name: name.into(),
        base: "tiny".into(),
        path: path.into(),
        blake2: None,
    }
}

fn scores(engine: &LocalEngine, model: &str) -> Vec<ScoredPosition> {
    let query = ScoreQuery {
        model: Some(model.into()),
        prompt_token_ids: vec![1, 50, 60],
        token_ids: (0..12).map(|n| 10 + n * 13).collect(),
        top_k: 128,
    };
    engine.score(&query).expect("it scores")
}

/// The largest difference of log probabilities.
fn distance(a: &[ScoredPosition], b: &[ScoredPosition]) -> f32 {
    a.iter()
        .zip(b)
        .map(|(a, b)| (a.logprob - b.logprob).abs())
        .fold(0.0, f32::max)
}

fn answer(engine: &LocalEngine, model: &str) -> (Generated, Vec<f32>) {
    let job = Job {
        model: Some(model.into()),
        messages: vec![Message {
            role: Role::User,
            content: "hello".into(),
        }],
        max_tokens: 48,
        temperature_milli: 1000,
        top_k: 64,
        sampler_key: [5; 32],
        stop: vec![],
    };
    let mut logprobs = Vec::new();
    let answer = engine.generate(&job, &mut |piece| {
        logprobs.extend(piece.logprobs);
        ControlFlow::Continue(())
    });
    (answer.expect("it answers"), logprobs)
}

#[test]
fn adapter_gives_what_merged_weights_give_for_every_target_module() {
    /// What rounding the merged weights and the activations to 8 bits may cost.
    const TOLERANCE: f32 = 0.12;
    let dir = tempfile::tempdir().expect("a folder");
    let base = engine(dir.path(), &plain(), 1);
    let untouched = scores(&base, "tiny");
    let one_by_one = (0..7).map(|t| vec![t]);
    for targets in one_by_one.chain([(0..7).collect()]) {
        let name = format!("{targets:?}");
        let changes = changes(&name, &targets);
        let folder = dir.path().join(&name);
        write_adapter(&folder, &config(), &tensors(&changes));
        base.add_adapter(&adapter(&name, &folder)).expect("it fits");
        let with = scores(&base, &name);
        let reference = engine(dir.path(), &merged(plain(), &changes), 1);
        let (error, effect) = (
            distance(&with, &scores(&reference, "tiny")),
            distance(&with, &untouched),
        );
        println!("{name}: error {error}, effect {effect}");
        assert!(
            error < TOLERANCE && effect > 2.0 * error,
            "{name}: error {error}, effect {effect}"
        );
    }
    assert_eq!(scores(&base, "tiny"), untouched);
}

/// The tiny Gemma 3 with plain weights, with changes merged into them; its file keeps the order of rows.
fn gemma(changes: &[common::Change]) -> Tiny {
    let mut tiny = Tiny::gemma3();
    for tensor in tiny.tensors.iter_mut().filter(|t| t.dimensions.len() == 2) {
        let (cols, rows) = (tensor.dimensions[0] as usize, tensor.dimensions[1] as usize);
        let mut weights = random(&tensor.name, cols * rows, 0.2);
        let of_this =
            |c: &&common::Change| tensor.name == format!("blk.{}.{}.weight", c.layer, c.tensor);
        for change in changes.iter().filter(of_this) {
            for (index, weight) in weights.iter_mut().enumerate() {
                let (row, col) = (index / cols, index % cols);
                let products = (0..common::RANK)
                    .map(|r| change.b[row * common::RANK + r] * change.a[r * cols + col]);
                *weight += products.sum::<f32>();
            }
        }
        *tensor = Tensor::matrix(&tensor.name.clone(), cols, &weights);
    }
    tiny
}

#[test]
fn adapter_of_gemma_gives_what_merged_weights_give_for_every_target_module() {
    let dir = tempfile::tempdir().expect("a folder");
    let base = engine(dir.path(), &gemma(&[]), 1);
    let untouched = scores(&base, "tiny");
    let sizes = [WIDTH, 2 * GEMMA_HEAD, GEMMA_HEAD, HIDDEN];
    for target in TARGETS.map(|t| Some(t.0)).into_iter().chain([None]) {
        let name = target.unwrap_or("all");
        let mut changes = common::changes(name, 2, sizes, 0.3);
        changes.retain(|c| target.is_none_or(|t| c.module == t));
        let folder = dir.path().join(name);
        common::write_peft(&folder, &changes);
        base.add_adapter(&adapter(name, &folder)).expect("it fits");
        let with = scores(&base, name);
        let reference = engine(dir.path(), &gemma(&changes), 1);
        let error = distance(&with, &scores(&reference, "tiny"));
        let effect = distance(&with, &untouched);
        println!("{name}: error {error}, effect {effect}");
        assert!(
            error < 0.12 && effect > 2.0 * error,
            "{name}: error {error}, effect {effect}"
        );
    }
}

#[test]
fn eight_adapters_in_one_batch_answer_as_each_alone() {
    let dir = tempfile::tempdir().expect("a folder");
    let engine = engine(dir.path(), &Tiny::new(), 9);
    let names: Vec<String> = (0..8).map(|n| format!("adapter-{n}")).collect();
    for name in &names {
        let folder = dir.path().join(name);
        write_adapter(
            &folder,
            &config(),
            &tensors(&changes(name, &[0, 1, 2, 3, 4, 5, 6])),
        );
        engine
            .add_adapter(&adapter(name, &folder))
            .expect("it fits");
    }
    let all: Vec<&str> = names.iter().map(String::as_str).chain(["tiny"]).collect();
    let alone: Vec<(Generated, Vec<f32>)> = all.iter().map(|name| answer(&engine, name)).collect();
    let together: Vec<(Generated, Vec<f32>)> = std::thread::scope(|scope| {
        let threads: Vec<_> = all
            .iter()
            .map(|name| scope.spawn(|| answer(&engine, name)))
            .collect();
        threads
            .into_iter()
            .map(|t| t.join().expect("no panic"))
            .collect()
    });
    for ((a, a_logprobs), (b, b_logprobs)) in alone.iter().zip(&together) {
        assert_eq!((&a.token_ids, &a.manifest), (&b.token_ids, &b.manifest));
        assert_eq!(a_logprobs, b_logprobs);
    }
    for pair in alone.windows(2) {
        assert_ne!(pair[0].1, pair[1].1);
        assert_ne!(pair[0].0.manifest.hash(), pair[1].0.manifest.hash());
    }
}

#[test]
fn adapters_that_were_not_used_for_longest_make_room_and_come_back_unchanged_or_not_at_all() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("tiny.gguf");
    std::fs::write(&path, Tiny::new().bytes()).expect("written");
    let names = ["a", "b", "c", "d", "e", "f", "g"];
    // Each takes about 0.16 MiB.
    let wide = |name: &str| -> Vec<(String, Vec<usize>, Vec<f32>)> {
        (0..2)
            .flat_map(|layer| {
                let module = format!("base_model.model.model.layers.{layer}.mlp.gate_proj");
                [
                    (
                        format!("{module}.lora_A.weight"),
                        vec![256, WIDTH],
                        random(name, 256 * WIDTH, 0.05),
                    ),
                    (
                        format!("{module}.lora_B.weight"),
                        vec![HIDDEN, 256],
                        random(name, HIDDEN * 256, 0.05),
                    ),
                ]
            })
            .collect()
    };
    let mut wide_config = config();
    wide_config["r"] = 256.into();
    for name in names {
        write_adapter(&dir.path().join(name), &wide_config, &wide(name));
    }
    let engine = LocalEngine::load(&EngineConfig {
        models: vec![ModelConfig {
            name: "tiny".into(),
            path,
            blake2: None,
            context: None,
        }],
        adapters: names
            .iter()
            .map(|name| adapter(name, &dir.path().join(name)))
            .collect(),
        adapter_mib: 1,
        threads: Some(1),
        ..Default::default()
    });
    let resident = || -> Vec<String> {
        let all = engine.adapters().into_iter();
        all.filter(|a| a.residency == Residency::Resident)
            .map(|a| a.name)
            .collect()
    };
    assert_eq!(
        engine
            .models()
            .iter()
            .filter(|m| m.state == ModelState::Ready)
            .count(),
        8
    );
    assert_eq!(resident(), ["b", "c", "d", "e", "f", "g"]);
    answer(&engine, "b");
    let first = answer(&engine, "a");
    assert_eq!(resident(), ["a", "b", "d", "e", "f", "g"]);
    assert_eq!(answer(&engine, "a").1, first.1);

    write_adapter(&dir.path().join("c"), &wide_config, &wide("other"));
    let job = Job {
        model: Some("c".into()),
        messages: vec![Message {
            role: Role::User,
            content: "hello".into(),
        }],
        max_tokens: 2,
        temperature_milli: 0,
        top_k: 1,
        sampler_key: [0; 32],
        stop: vec![],
    };
    let refused = engine.generate(&job, &mut |_| ControlFlow::Continue(()));
    assert!(
        matches!(&refused, Err(EngineError::BadModel { expected, .. }) if expected.starts_with("Blake2b-256")),
        "{refused:?}"
    );
}

#[test]
fn adapters_that_do_not_fit_are_refused_with_both_sides_named() {
    let dir = tempfile::tempdir().expect("a folder");
    let engine = engine(dir.path(), &Tiny::new(), 1);
    let sound = || tensors(&changes("x", &[0]));
    let with = |key: &str, value: serde_json::Value| {
        let mut config = config();
        config[key] = value;
        config
    };
    let changed = |change: &dyn Fn(&mut Vec<(String, Vec<usize>, Vec<f32>)>)| {
        let mut all = sound();
        change(&mut all);
        all
    };
    let other_base = changed(&|all| {
        all[0].1 = vec![RANK, 32];
        all[0].2.truncate(RANK * 32);
    });
    let cases = [
        (
            with("use_dora", true.into()),
            sound(),
            "found use_dora: true",
        ),
        (with("peft_type", "LOHA".into()), sound(), "found LOHA"),
        (with("bias", "all".into()), sound(), "found bias"),
        (
            with("modules_to_save", serde_json::json!(["lm_head"])),
            sound(),
            "modules_to_save",
        ),
        (
            with("rank_pattern", serde_json::json!({ "q_proj": 2 })),
            sound(),
            "rank_pattern",
        ),
        (with("r", 0.into()), sound(), "rank r from 1"),
        (with("r", 8.into()), sound(), "[8, 64]"),
        (
            with("lora_alpha", "big".into()),
            sound(),
            "PEFT configuration",
        ),
        (
            with("touchstone_base", "00".repeat(32).into()),
            sound(),
            "an adapter of the base 0x",
        ),
        (
            config(),
            other_base,
            "found [4, 32]; it was made for another base",
        ),
        (
            config(),
            changed(&|all| drop(all.remove(1))),
            "both factors",
        ),
        (config(), changed(&|all| all[0].2[0] = f32::NAN), "finite"),
        (
            config(),
            changed(&|all| {
                all.push((
                    "base_model.model.lm_head.lora_A.weight".into(),
                    vec![1],
                    vec![0.0],
                ))
            }),
            "lm_head",
        ),
        (config(), vec![], "LoRA factors"),
    ];
    for (n, (config, tensors, expected)) in cases.into_iter().enumerate() {
        let folder = dir.path().join(n.to_string());
        write_adapter(&folder, &config, &tensors);
        let refused = engine
            .add_adapter(&adapter("x", &folder))
            .expect_err("it does not fit");
        println!("{refused}");
        assert!(
            matches!(refused, EngineError::BadModel { .. }),
            "{refused:?}"
        );
        assert!(
            refused.to_string().contains(expected),
            "{expected:?} is not in {refused}"
        );
    }
    let folder = dir.path().join("sound");
    write_adapter(&folder, &config(), &sound());
    let other = AdapterConfig {
        base: "other".into(),
        ..adapter("x", &folder)
    };
    assert_eq!(
        engine.add_adapter(&other),
        Err(EngineError::UnknownModel("other".into()))
    );
    let wrong = AdapterConfig {
        blake2: Some("00".repeat(32)),
        ..adapter("x", &folder)
    };
    assert!(matches!(
        engine.add_adapter(&wrong),
        Err(EngineError::BadModel { .. })
    ));
    let file = folder.join("adapter_model.safetensors");
    let bytes = std::fs::read(&file).expect("written before");
    for cut in [0, 7, 9, bytes.len() / 2, bytes.len() - 1] {
        std::fs::write(&file, &bytes[..cut]).expect("written");
        let refused = engine.add_adapter(&adapter("x", &folder));
        assert!(
            matches!(refused, Err(EngineError::BadModel { .. })),
            "{refused:?}"
        );
    }
    assert_eq!(engine.models().len(), 1);
    assert!(!answer(&engine, "tiny").1.is_empty());
}
