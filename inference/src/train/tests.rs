//! Gradients against differences of the loss, and the loss against the engine's own scores.

use super::{
    common::{Tensor, Tiny, Value, random},
    *,
};
use crate::{AdapterConfig, Engine, EngineConfig, LocalEngine, ScoreQuery, adapter::Target};

const RANK: usize = 3;

/// A tiny model of an architecture, with weights that are as large as those of real ones.
fn tiny(folder: &Path, architecture: &str) -> PathBuf {
    let mut tiny = Tiny::new().set("general.architecture", Value::Text(architecture.into()));
    for (key, _) in &mut tiny.values {
        if let Some(rest) = key.strip_prefix("llama.") {
            *key = format!("{architecture}.{rest}");
        }
    }
    for tensor in tiny.tensors.iter_mut().filter(|t| t.dimensions.len() == 2) {
        let (cols, rows) = (tensor.dimensions[0] as usize, tensor.dimensions[1] as usize);
        *tensor = Tensor::matrix(&tensor.name, cols, &random(&tensor.name, cols * rows, 0.25));
    }
    if architecture == "qwen2" {
        for (name, size) in [("q", 64), ("k", 32), ("v", 32)] {
            for layer in 0..2 {
                let name = format!("blk.{layer}.attn_{name}.bias");
                let mut tensor = Tensor::matrix(&name, size, &random(&name, size, 1.0));
                tensor.dimensions.pop();
                tiny.tensors.push(tensor);
            }
        }
    }
    let file = folder.join(format!("{architecture}.gguf"));
    std::fs::write(&file, tiny.bytes()).expect("written");
    file
}

/// Three examples that begin alike.
fn data(folder: &Path) -> PathBuf {
    let file = folder.join("data.jsonl");
    let lines = [("one", "two he"), ("one, two", "three!"), ("hello", "he")];
    let lines = lines.map(|(prompt, completion)| {
        serde_json::json!({"prompt": prompt, "completion": completion}).to_string()
    });
    std::fs::write(&file, lines.join("\n")).expect("written");
    file
}

#[test]
fn gradients_of_every_target_are_the_slopes_of_the_loss() {
    let folder = tempfile::tempdir().expect("a folder");
    for architecture in ["llama", "qwen2"] {
        let file = tiny(folder.path(), architecture);
        let Base { loaded, .. } = Base::load(&file, Cpu::detect()).expect("a base");
        let data = Data::read(&data(folder.path()), &loaded.tokenizer, 256).expect("data");
        let examples: Vec<&Example> = data.examples.iter().collect();
        let batch = Batch::new(&examples, 1.0 / 3.0);
        let pool = Pool::new(2);
        let workers = pool.enter();
        for target in Target::ALL {
            let layout = Layout::new(&loaded.model.shape, &[target], RANK, 6.0);
            let mut passes = Passes::new(&loaded.model, &layout, Cpu::detect());
            let weights = random("factors", layout.size, 0.1);
            let mut grads = vec![0.0; layout.size];
            let loss = passes.run(&workers, &batch, &weights, Some(&mut grads));
            let size: f64 = grads.iter().map(|g| f64::from(g * g)).sum();
            assert!(
                size > 1e-6 && loss > 1.0,
                "{architecture} {target:?}: {size} {loss}"
            );
            // Along the gradient, along random directions, and for each layer's two factors alone.
            let mut directions = vec![grads.clone()];
            directions.extend((0..3).map(|n| random(&format!("direction{n}"), layout.size, 1.0)));
            for bundle in layout.bundles.iter().flatten().filter(|b| b.rank > 0) {
                let b = bundle
                    .b
                    .iter()
                    .flatten()
                    .next()
                    .expect("a target")
                    .1
                    .clone();
                for part in [bundle.a.clone(), b] {
                    let mut direction = vec![0.0; layout.size];
                    direction[part.clone()].copy_from_slice(&grads[part]);
                    directions.push(direction);
                }
            }
            for (n, direction) in directions.iter().enumerate() {
                let length = direction
                    .iter()
                    .map(|d| f64::from(d * d))
                    .sum::<f64>()
                    .sqrt();
                let step = (2e-2 / length) as f32;
                let mut at = |sign: f32| {
                    let moved = weights
                        .iter()
                        .zip(direction)
                        .map(|(w, d)| w + sign * step * d);
                    passes.run(&workers, &batch, &moved.collect::<Vec<_>>(), None)
                };
                let slope = (at(1.0) - at(-1.0)) / (2.0 * f64::from(step));
                let ours: f64 = grads
                    .iter()
                    .zip(direction)
                    .map(|(g, d)| f64::from(*g) * f64::from(*d))
                    .sum();
                let allowed = 0.01 * slope.abs() + 2e-3 * length * size.sqrt();
                assert!(
                    (slope - ours).abs() < allowed,
                    "{architecture} {target:?}, direction {n}: {slope} measured, {ours} computed"
                );
            }
        }
    }
}

/// The base and the base with an adapter of random factors: what the trainer computes, saves and the engine then serves.
#[test]
fn the_loss_is_what_the_engine_scores() {
    let folder = tempfile::tempdir().expect("a folder");
    for architecture in ["llama", "qwen2"] {
        let file = tiny(folder.path(), architecture);
        let Base { loaded, .. } = Base::load(&file, Cpu::detect()).expect("a base");
        let data = Data::read(&data(folder.path()), &loaded.tokenizer, 256).expect("data");
        let shape = &loaded.model.shape;
        let layout = Layout::new(shape, &Target::ALL, RANK, 6.0);
        let weights = random("factors", layout.size, 0.1);
        let out = folder.path().join(format!("{architecture}-adapter"));
        std::fs::create_dir(&out).expect("a folder");
        let bytes = layout.safetensors(shape, &weights).expect("a file");
        std::fs::write(out.join("adapter_model.safetensors"), bytes).expect("written");
        let config = serde_json::json!({"peft_type": "LORA", "r": RANK, "lora_alpha": 6.0});
        std::fs::write(out.join("adapter_config.json"), config.to_string()).expect("written");
        let engine = LocalEngine::load(&EngineConfig {
            models: vec![ModelConfig {
                name: "base".into(),
                path: file,
                blake2: None,
                context: None,
            }],
            adapters: vec![AdapterConfig {
                name: "adapter".into(),
                base: "base".into(),
                path: out,
                blake2: None,
            }],
            threads: Some(2),
            ..Default::default()
        });
        let pool = Pool::new(1);
        let workers = pool.enter();
        let mut passes = Passes::new(&loaded.model, &layout, Cpu::detect());
        for (model, weights) in [("base", vec![0.0; layout.size]), ("adapter", weights)] {
            for example in &data.examples {
                let batch = Batch::new(&[example], 1.0);
                let ours = passes.run(&workers, &batch, &weights, None);
                let query = ScoreQuery {
                    model: Some(model.into()),
                    prompt_token_ids: example.tokens[..example.first].to_vec(),
                    token_ids: example.tokens[example.first..].to_vec(),
                    top_k: 1,
                };
                let scores = engine.score(&query).expect("it scores");
                let theirs = scores.iter().map(|s| -f64::from(s.logprob)).sum::<f64>();
                let theirs = theirs / scores.len() as f64;
                println!("{architecture} {model}: {ours} here, {theirs} scored");
                // What 8-bit activations cost the engine.
                assert!((ours - theirs).abs() < 0.05, "{ours} {theirs}");
            }
        }
    }
}

#[test]
fn architectures_without_gradients_are_refused_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = tiny(folder.path(), "gemma3");
    let error = Base::load(&file, Cpu::detect())
        .err()
        .expect("refused")
        .to_string();
    assert!(
        error.contains("gemma3") && error.contains("llama or qwen2"),
        "{error}"
    );
}
