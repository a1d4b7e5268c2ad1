//! The sampler against vectors that `tests/sampler.py` made and checks in plain Python.

use serde_json::Value;
use touchstone_inference::sampler::{SAMPLER, choose, gumbel};

fn key(value: &Value) -> [u8; 32] {
    let mut key = [0; 32];
    hex::decode_to_slice(value["key"].as_str().expect("a key"), &mut key).expect("hex");
    key
}

fn number(value: &Value, name: &str) -> u32 {
    value[name]
        .as_u64()
        .and_then(|n| u32::try_from(n).ok())
        .expect("a number")
}

#[test]
fn noise_and_choices_are_those_of_the_python_implementation() {
    let vectors: Value = serde_json::from_str(include_str!("vectors/sampler.json")).expect("JSON");
    assert_eq!(vectors["sampler"], SAMPLER);
    for v in vectors["noise"].as_array().expect("noise") {
        let ours = gumbel(&key(v), number(v, "position"), number(v, "token"));
        let theirs = v["gumbel"].as_f64().expect("a number");
        assert!(
            (ours - theirs).abs() <= 1e-12 * theirs.abs().max(1.0),
            "{ours} and {theirs}"
        );
    }
    for v in vectors["choices"].as_array().expect("choices") {
        let logits: Vec<f32> = v["logits"]
            .as_array()
            .expect("logits")
            .iter()
            .map(|z| z.as_f64().expect("a number") as f32)
            .collect();
        let top_k = number(v, "topK") as u8;
        let temperature = number(v, "temperatureMilli");
        let chosen = choose(&logits, top_k, temperature, &key(v), number(v, "position"));
        assert_eq!(chosen.map(|(id, _)| id), Some(number(v, "token")), "{v}");
    }
}

#[test]
fn python_agrees() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sampler.py");
    let run = std::process::Command::new("python3")
        .arg(script)
        .output()
        .expect("python3 runs");
    assert!(
        run.status.success(),
        "{}",
        String::from_utf8_lossy(&run.stderr)
    );
}
