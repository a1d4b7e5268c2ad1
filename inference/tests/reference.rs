//! Tiny models against a plain computation in double precision, which shares no code with the engine.

mod common;

use common::{GEMMA_HEAD, HIDDEN, Tensor, Tiny, Value, WIDTH, random};
use std::collections::BTreeMap;
use touchstone_inference::*;

const KEYS: usize = 32;

/// A model with plain weights, and these by name.
fn model(architecture: &str) -> (Tiny, BTreeMap<String, Vec<f64>>) {
    let base = match architecture {
        "gemma3" => Tiny::gemma3(),
        _ => Tiny::new(),
    };
    let mut tiny = base.set("general.architecture", Value::Text(architecture.into()));
    for (key, _) in &mut tiny.values {
        if let Some(rest) = key.strip_prefix("llama.") {
            *key = format!("{architecture}.{rest}");
        }
    }
    for tensor in tiny.tensors.iter_mut().filter(|t| t.dimensions.len() == 2) {
        let (cols, rows) = (tensor.dimensions[0] as usize, tensor.dimensions[1] as usize);
        *tensor = Tensor::matrix(&tensor.name, cols, &random(&tensor.name, cols * rows, 0.25));
    }
    // Norms that are not all ones.
    for tensor in tiny.tensors.iter_mut().filter(|t| t.dimensions.len() == 1) {
        let numbers = random(&tensor.name, tensor.dimensions[0] as usize, 0.5);
        let numbers = numbers.iter().map(|x| x + 1.0);
        tensor.bytes = numbers.flat_map(f32::to_le_bytes).collect();
    }
    if architecture == "qwen2" {
        for (name, size) in [("q", 64), ("k", KEYS), ("v", KEYS)] {
            for layer in 0..2 {
                let name = format!("blk.{layer}.attn_{name}.bias");
                let mut tensor = Tensor::matrix(&name, size, &random(&name, size, 1.0));
                tensor.dimensions.pop();
                tiny.tensors.push(tensor);
            }
        }
    }
    let numbers = |t: &Tensor| {
        t.bytes
            .chunks_exact(4)
            .map(|b| f64::from(f32::from_le_bytes(b.try_into().expect("four"))))
            .collect()
    };
    let weights = tiny
        .tensors
        .iter()
        .map(|t| (t.name.clone(), numbers(t)))
        .collect();
    (tiny, weights)
}

fn product(matrix: &[f64], x: &[f64]) -> Vec<f64> {
    matrix
        .chunks_exact(x.len())
        .map(|row| row.iter().zip(x).map(|(a, b)| a * b).sum())
        .collect()
}

fn norm(x: &[f64], weight: &[f64]) -> Vec<f64> {
    let mean = x.iter().map(|x| x * x).sum::<f64>() / x.len() as f64;
    x.iter()
        .zip(weight)
        .map(|(x, w)| x / (mean + 1e-5).sqrt() * w)
        .collect()
}

/// Turns the pairs of each head: neighbours with Llama, halves with the others.
fn rotate(x: &mut [f64], width: usize, position: usize, base: f64, halves: bool) {
    for head in x.chunks_exact_mut(width) {
        for i in 0..width / 2 {
            let angle = position as f64 * base.powf(-2.0 * i as f64 / width as f64);
            let (a, b) = if halves {
                (i, i + width / 2)
            } else {
                (2 * i, 2 * i + 1)
            };
            let (x0, x1) = (head[a], head[b]);
            head[a] = x0 * angle.cos() - x1 * angle.sin();
            head[b] = x0 * angle.sin() + x1 * angle.cos();
        }
    }
}

/// Log probabilities of all tokens after each position.
fn log_probabilities(
    w: &BTreeMap<String, Vec<f64>>,
    tokens: &[u32],
    architecture: &str,
) -> Vec<Vec<f64>> {
    let (qwen2, gemma3) = (architecture == "qwen2", architecture == "gemma3");
    let head = if gemma3 { GEMMA_HEAD } else { 32 };
    let embedding = &w["token_embd.weight"];
    let mut xs: Vec<Vec<f64>> = tokens
        .iter()
        .map(|t| embedding[*t as usize * WIDTH..][..WIDTH].to_vec())
        .collect();
    if gemma3 {
        xs.iter_mut()
            .flatten()
            .for_each(|x| *x *= (WIDTH as f64).sqrt());
    }
    for layer in 0..2 {
        let get = |part: &str| &w[&format!("blk.{layer}.{part}")];
        // Gemma's first layer sees eight positions.
        let near = gemma3 && layer == 0;
        let base = if gemma3 && !near { 1e6 } else { 1e4 };
        let after = |part: &str, y: Vec<f64>| match gemma3 {
            true => norm(&y, get(&format!("{part}.weight"))),
            false => y,
        };
        let each_head = |part: &str, y: Vec<f64>| -> Vec<f64> {
            y.chunks(head)
                .flat_map(|y| after(part, y.to_vec()))
                .collect()
        };
        let project = |part: &str, x: &[f64]| {
            let mut y = product(get(&format!("attn_{part}.weight")), x);
            if qwen2 {
                y.iter_mut()
                    .zip(get(&format!("attn_{part}.bias")))
                    .for_each(|(y, b)| *y += b);
            }
            y
        };
        let (mut keys, mut values) = (Vec::new(), Vec::new());
        for (position, x) in xs.iter_mut().enumerate() {
            let h = norm(x, get("attn_norm.weight"));
            let mut q = each_head("attn_q_norm", project("q", &h));
            let mut k = each_head("attn_k_norm", project("k", &h));
            rotate(&mut q, head, position, base, qwen2 || gemma3);
            rotate(&mut k, head, position, base, qwen2 || gemma3);
            keys.push(k);
            values.push(project("v", &h));
            let mut attended = Vec::new();
            let first = if near {
                keys.len().saturating_sub(8)
            } else {
                0
            };
            for q in q.chunks_exact(head) {
                let scores = keys[first..].iter().map(|k| {
                    (q.iter().zip(k).map(|(q, k)| q * k).sum::<f64>() / (head as f64).sqrt()).exp()
                });
                let scores: Vec<f64> = scores.collect();
                let total: f64 = scores.iter().sum();
                attended.extend((0..head).map(|d| {
                    scores
                        .iter()
                        .zip(&values[first..])
                        .map(|(s, v)| s / total * v[d])
                        .sum::<f64>()
                }));
            }
            let y = product(get("attn_output.weight"), &attended);
            let y = after("post_attention_norm", y);
            x.iter_mut().zip(y).for_each(|(x, y)| *x += y);
            let h = norm(x, get("ffn_norm.weight"));
            let (gate, up) = (
                product(get("ffn_gate.weight"), &h),
                product(get("ffn_up.weight"), &h),
            );
            let inner: Vec<f64> = gate
                .iter()
                .zip(up)
                .map(|(g, u)| match gemma3 {
                    true => {
                        let inner =
                            (2.0 / std::f64::consts::PI).sqrt() * (g + 0.044715 * g.powi(3));
                        g / 2.0 * (1.0 + inner.tanh()) * u
                    }
                    false => g / (1.0 + (-g).exp()) * u,
                })
                .collect();
            assert_eq!(inner.len(), HIDDEN);
            let y = after("post_ffw_norm", product(get("ffn_down.weight"), &inner));
            x.iter_mut().zip(y).for_each(|(x, y)| *x += y);
        }
    }
    xs.iter()
        .map(|x| {
            let logits = product(embedding, &norm(x, &w["output_norm.weight"]));
            let total: f64 = logits.iter().map(|z| z.exp()).sum();
            logits.iter().map(|z| z - total.ln()).collect()
        })
        .collect()
}

#[test]
fn each_architecture_computes_what_the_plain_reference_does() {
    for architecture in ["llama", "qwen2", "gemma3"] {
        let (tiny, weights) = model(architecture);
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("tiny.gguf");
        std::fs::write(&path, tiny.bytes()).expect("written");
        let engine = LocalEngine::load(&EngineConfig {
            models: vec![ModelConfig {
                name: "tiny".into(),
                path,
                blake2: None,
                context: None,
            }],
            threads: Some(2),
            ..Default::default()
        });
        assert_eq!(engine.models()[0].state, ModelState::Ready);
        let tokens: Vec<u32> = (0..40).map(|n| n * 37 % 250 + 3).collect();
        let query = ScoreQuery {
            model: None,
            prompt_token_ids: tokens[..4].to_vec(),
            token_ids: tokens[4..].to_vec(),
            top_k: 8,
        };
        let scores = engine.score(&query).expect("it scores");
        let exact = log_probabilities(&weights, &tokens, architecture);
        let mut worst = 0f64;
        for (n, score) in scores.iter().enumerate() {
            let exact = &exact[3 + n];
            for (id, ours) in &score.top {
                worst = worst.max((f64::from(*ours) - exact[*id as usize]).abs());
            }
            worst = worst.max((f64::from(score.logprob) - exact[tokens[4 + n] as usize]).abs());
        }
        println!("{architecture}: the largest difference is {worst}");
        // What 8-bit weights and activations cost.
        assert!(worst < 0.25, "{architecture}: {worst}");
    }
}
