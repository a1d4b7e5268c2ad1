//! ONNX models: MiniLM as `scripts/setup` places it, beside vectors computed in f32 from the original weights; and a tiny classifier
//! that is written here.

mod common;

use touchstone_inference::*;

fn minilm() -> OnnxConfig {
    OnnxConfig {
        model: common::data("models/minilm-l6-v2.int8.onnx"),
        tokenizer: common::data("models/minilm-tokenizer.json"),
        runtime: common::data("lib/libonnxruntime.so"),
        provider: OnnxProvider::Cpu,
    }
}

fn with(embedding: OnnxConfig) -> LocalEngine {
    LocalEngine::load(&EngineConfig {
        embedding: Some(embedding),
        ..Default::default()
    })
}

/// The file is rounded to 8 bits, so it cannot give the same numbers as the original weights, which `tests/reference_minilm.py` used. Of
/// vectors of length 1 every component is within 0.01, and the cosine within 0.001 of 1.
#[test]
fn embeddings_are_close_to_those_of_the_original_weights() {
    #[derive(serde::Deserialize)]
    struct Reference {
        text: String,
        vector: Vec<f32>,
    }
    let references: Vec<Reference> =
        serde_json::from_str(include_str!("vectors/minilm.json")).expect("JSON");
    let texts: Vec<&str> = references.iter().map(|r| r.text.as_str()).collect();
    let engine = with(minilm());
    // One by one: in a batch, padding changes the scale of what is rounded.
    let vectors: Vec<Vec<f32>> = texts
        .iter()
        .map(|text| engine.embed(&[text]).expect("it embeds").remove(0))
        .collect();
    for (reference, vector) in references.iter().zip(&vectors) {
        let pairs = || reference.vector.iter().zip(vector);
        let most = pairs().map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
        let cosine: f32 = pairs().map(|(a, b)| a * b).sum();
        println!(
            "{:?}: largest {most}, 1 - cosine {}",
            reference.text,
            1.0 - cosine
        );
        assert_eq!(vector.len(), 384);
        assert!(most < 1e-2 && cosine > 0.999, "{most}, {cosine}");
    }
    // A batch mate that makes for padding changes next to nothing.
    let together = engine.embed(&texts).expect("it embeds");
    let drift = together.iter().flatten().zip(vectors.iter().flatten());
    let drift = drift.map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
    assert!(drift < 1e-2, "{drift}");
}

#[test]
fn missing_and_wrong_files_are_refused() {
    let texts = ["A cat sits on the mat."];
    let none = LocalEngine::load(&EngineConfig::default());
    assert!(matches!(
        none.embed(&texts),
        Err(EngineError::Unsupported(_))
    ));
    let missing = OnnxConfig {
        model: "/nowhere/model.onnx".into(),
        ..minilm()
    };
    let wrong = OnnxConfig {
        model: minilm().tokenizer,
        ..minilm()
    };
    for config in [missing, wrong] {
        let refused = with(config).embed(&texts);
        assert!(
            matches!(refused, Err(EngineError::BadModel { .. })),
            "{refused:?}"
        );
    }
}

#[test]
fn absent_execution_provider_is_named_and_never_replaced_by_the_processor() {
    for provider in [
        OnnxProvider::Cuda,
        OnnxProvider::Rocm,
        OnnxProvider::MiGraphX,
        OnnxProvider::CoreMl,
    ] {
        let refused = with(OnnxConfig {
            provider,
            ..minilm()
        });
        let why = refused
            .embed(&["gold"])
            .expect_err("the library has none")
            .to_string();
        println!("{why}");
        assert!(
            why.contains(&format!("the execution provider {provider:?}")),
            "{why}"
        );
        assert!(
            why.contains("onnxruntime-gpu") && why.contains("`provider` to cpu"),
            "{why}"
        );
    }
}

/// Writes protocol buffers.
#[derive(Default)]
struct Proto(Vec<u8>);

impl Proto {
    fn varint(&mut self, mut n: u64) {
        while n >= 0x80 {
            self.0.push(n as u8 | 0x80);
            n >>= 7;
        }
        self.0.push(n as u8);
    }

    fn number(mut self, field: u64, n: u64) -> Self {
        self.varint(field << 3);
        self.varint(n);
        self
    }

    fn bytes(mut self, field: u64, bytes: &[u8]) -> Self {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
        self
    }

    fn text(self, field: u64, text: &str) -> Self {
        self.bytes(field, text.as_bytes())
    }

    fn message(self, field: u64, message: Proto) -> Self {
        self.bytes(field, &message.0)
    }
}

const FLOAT: u64 = 1;
const INT64: u64 = 7;

fn tensor(name: &str, kind: u64, dims: &[u64], data: &[u8]) -> Proto {
    let proto = dims.iter().fold(Proto::default(), |p, d| p.number(1, *d));
    proto.number(2, kind).text(8, name).bytes(9, data)
}

fn node(operator: &str, inputs: &[&str], output: &str, attribute: Option<(&str, u64)>) -> Proto {
    let proto = inputs
        .iter()
        .fold(Proto::default(), |p, input| p.text(1, input));
    let proto = proto.text(2, output).text(4, operator);
    match attribute {
        // 2: a whole number.
        Some((name, n)) => {
            proto.message(5, Proto::default().text(1, name).number(3, n).number(20, 2))
        }
        None => proto,
    }
}

fn value(name: &str, kind: u64, dims: [&str; 2]) -> Proto {
    let shape = dims.iter().fold(Proto::default(), |p, dim| {
        p.message(1, Proto::default().text(2, dim))
    });
    let tensor = Proto::default().number(1, kind).message(2, shape);
    Proto::default()
        .text(1, name)
        .message(2, Proto::default().message(1, tensor))
}

/// Adds up two numbers for each word that the mask lets through.
fn classifier(table: &[[f32; 2]]) -> Vec<u8> {
    let numbers: Vec<u8> = table
        .iter()
        .flatten()
        .flat_map(|x| x.to_le_bytes())
        .collect();
    let graph = Proto::default()
        .message(1, node("Gather", &["table", "input_ids"], "words", None))
        .message(
            1,
            node("Cast", &["attention_mask"], "mask", Some(("to", FLOAT))),
        )
        .message(1, node("Unsqueeze", &["mask", "two"], "wide", None))
        .message(1, node("Mul", &["words", "wide"], "seen", None))
        .message(
            1,
            node(
                "ReduceSum",
                &["seen", "one"],
                "logits",
                Some(("keepdims", 0)),
            ),
        )
        .text(2, "tone")
        .message(
            5,
            tensor("table", FLOAT, &[table.len() as u64, 2], &numbers),
        )
        .message(5, tensor("one", INT64, &[1], &1i64.to_le_bytes()))
        .message(5, tensor("two", INT64, &[1], &2i64.to_le_bytes()))
        .message(11, value("input_ids", INT64, ["batch", "tokens"]))
        .message(11, value("attention_mask", INT64, ["batch", "tokens"]))
        .message(12, value("logits", FLOAT, ["batch", "labels"]));
    let opset = Proto::default().text(1, "").number(2, 13);
    Proto::default()
        .number(1, 8)
        .message(7, graph)
        .message(8, opset)
        .0
}

const TOKENIZER: &str = r#"{
	"version": "1.0", "truncation": null, "padding": null, "normalizer": null, "post_processor": null, "decoder": null,
	"pre_tokenizer": { "type": "Whitespace" },
	"added_tokens": [{ "id": 0, "content": "[PAD]", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true }],
	"model": { "type": "WordLevel", "vocab": { "[PAD]": 0, "[UNK]": 1, "good": 2, "bad": 3 }, "unk_token": "[UNK]" }
}"#;

#[test]
fn texts_are_classified_by_any_model_with_labels() {
    let dir = tempfile::tempdir().expect("a folder");
    let tokenizer = dir.path().join("tokenizer.json");
    std::fs::write(&tokenizer, TOKENIZER).expect("written");
    // What stands for padding would change everything if it were not masked.
    let tables = [
        (
            "tone.onnx",
            [[9.0, -9.0], [0.0, 0.0], [2.0, 0.0], [0.0, 2.0]],
        ),
        ("nan.onnx", [[f32::NAN; 2]; 4]),
    ];
    for (file, table) in tables {
        std::fs::write(dir.path().join(file), classifier(&table)).expect("written");
    }
    let config = |name: &str, file: &str, labels: &[&str], several| ClassifierConfig {
        name: name.into(),
        onnx: OnnxConfig {
            model: dir.path().join(file),
            tokenizer: tokenizer.clone(),
            ..minilm()
        },
        labels: labels.iter().map(|l| l.to_string()).collect(),
        several,
    };
    let engine = LocalEngine::load(&EngineConfig {
        classifiers: vec![
            config("tone", "tone.onnx", &["kind", "harsh"], false),
            config("tones", "tone.onnx", &["kind", "harsh"], true),
            config("three", "tone.onnx", &["a", "b", "c"], false),
            config("none", "tone.onnx", &[], false),
            config("nan", "nan.onnx", &["a", "b"], false),
        ],
        ..Default::default()
    });
    let near = |found: &(String, f32), label: &str, probability: f32| {
        assert_eq!(found.0, label);
        assert!((found.1 - probability).abs() < 1e-5, "{found:?}");
    };
    let given = engine
        .classify("tone", &["good", "good good bad today", ""])
        .expect("it classifies");
    for text in &given[..2] {
        near(&text[0], "kind", 0.880797);
        near(&text[1], "harsh", 0.119203);
    }
    near(&given[2][0], "kind", 0.5);
    let given = engine.classify("tones", &["good"]).expect("it classifies");
    near(&given[0][0], "kind", 0.880797);
    near(&given[0][1], "harsh", 0.5);
    assert!(matches!(
        engine.classify("other", &["good"]),
        Err(EngineError::UnknownModel(_))
    ));
    for (name, why) in [("three", "3 labels"), ("none", "labels"), ("nan", "NaN")] {
        let refused = engine
            .classify(name, &["good"])
            .expect_err("it is refused")
            .to_string();
        println!("{refused}");
        assert!(
            refused.contains("tone.onnx") || refused.contains("nan.onnx"),
            "{refused}"
        );
        assert!(refused.contains(why), "{refused}");
    }
}
