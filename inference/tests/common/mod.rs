//! A tiny Llama and a tiny Gemma 3 in GGUF files, with random weights, for tests that break them.

// Each test file uses a part of this.
#![allow(dead_code)]

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{RngCore, SeedableRng},
};
use std::path::{Path, PathBuf};
use touchstone_inference::{Engine, ModelInfo, ModelState, RemoteConfig, RemoteEngine};

/// An engine that has asked the server for its models.
pub fn connect(config: &RemoteConfig) -> RemoteEngine {
    let engine = RemoteEngine::connect(config).expect("a sound configuration");
    let loading = |model: &ModelInfo| matches!(model.state, ModelState::Loading(_));
    while engine.models().iter().any(loading) {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    engine
}

/// A file that `scripts/setup` places.
pub fn data(path: &str) -> PathBuf {
    let home =
        || PathBuf::from(std::env::var_os("HOME").expect("HOME is set")).join(".local/share");
    let data = std::env::var_os("XDG_DATA_HOME").map_or_else(home, PathBuf::from);
    let file = data.join("touchstone").join(path);
    assert!(
        file.exists(),
        "{} is missing: run scripts/setup",
        file.display()
    );
    file
}

/// A metadata value to write.
#[derive(Clone)]
pub enum Value {
    U32(u32),
    F32(f32),
    Text(String),
    Texts(Vec<String>),
    I32s(Vec<i32>),
    F32s(Vec<f32>),
}

/// A tensor to write: name, dimensions (row length first), GGML type, bytes.
#[derive(Clone)]
pub struct Tensor {
    pub name: String,
    pub dimensions: Vec<u64>,
    pub kind: u32,
    pub bytes: Vec<u8>,
}

/// Everything that is in a file.
#[derive(Clone)]
pub struct Tiny {
    pub values: Vec<(String, Value)>,
    pub tensors: Vec<Tensor>,
}

pub const WIDTH: usize = 64;
pub const HIDDEN: usize = 96;
pub const GEMMA_HEAD: usize = 48;
pub const TEMPLATE: &str = "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

impl Tiny {
    /// Two layers, two heads that share one key, a vocabulary of bytes and three special tokens.
    pub fn new() -> Self {
        let mut tokens: Vec<String> = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
            .map(String::from)
            .into();
        // GPT-2's stand-ins for bytes.
        let printable = |b: &u32| matches!(b, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
        let hidden = (0..256).filter(|b| !printable(b)).count() as u32;
        tokens.extend(
            (0..256u32)
                .filter(printable)
                .chain(256..256 + hidden)
                .filter_map(char::from_u32)
                .map(String::from),
        );
        tokens.push("he".into());
        let types = (0..tokens.len())
            .map(|n| if n < 3 { 3 } else { 1 })
            .collect();
        let vocabulary = tokens.len();
        let text = |s: &str| Value::Text(s.into());
        let values = [
            ("general.architecture", text("llama")),
            ("llama.block_count", Value::U32(2)),
            ("llama.context_length", Value::U32(256)),
            ("llama.embedding_length", Value::U32(WIDTH as u32)),
            ("llama.feed_forward_length", Value::U32(HIDDEN as u32)),
            ("llama.attention.head_count", Value::U32(2)),
            ("llama.attention.head_count_kv", Value::U32(1)),
            ("llama.attention.layer_norm_rms_epsilon", Value::F32(1e-5)),
            ("llama.rope.dimension_count", Value::U32(32)),
            ("tokenizer.ggml.model", text("gpt2")),
            ("tokenizer.ggml.pre", text("smollm")),
            ("tokenizer.ggml.tokens", Value::Texts(tokens)),
            ("tokenizer.ggml.token_type", Value::I32s(types)),
            ("tokenizer.ggml.merges", Value::Texts(vec!["h e".into()])),
            ("tokenizer.ggml.bos_token_id", Value::U32(1)),
            ("tokenizer.ggml.eos_token_id", Value::U32(2)),
            ("tokenizer.chat_template", text(TEMPLATE)),
        ];
        let mut tensors = vec![
            Tensor::q8_0("token_embd.weight", WIDTH, vocabulary),
            Tensor::f32("output_norm.weight", WIDTH),
        ];
        for layer in 0..2 {
            for (name, cols, rows) in [
                ("attn_q", WIDTH, 64),
                ("attn_k", WIDTH, 32),
                ("attn_v", WIDTH, 32),
                ("attn_output", 64, WIDTH),
                ("ffn_gate", WIDTH, HIDDEN),
                ("ffn_up", WIDTH, HIDDEN),
                ("ffn_down", HIDDEN, WIDTH),
            ] {
                tensors.push(Tensor::q4_1(
                    &format!("blk.{layer}.{name}.weight"),
                    cols,
                    rows,
                ));
            }
            for name in ["attn_norm", "ffn_norm"] {
                tensors.push(Tensor::f32(&format!("blk.{layer}.{name}.weight"), WIDTH));
            }
        }
        Self {
            values: values.map(|(k, v)| (k.to_string(), v)).into(),
            tensors,
        }
    }

    /// Gemma 3 with two layers, of which the first sees eight positions, and a vocabulary of bytes and a few words. Its two
    /// heads are wider than the model divided by them.
    pub fn gemma3() -> Self {
        let mut tokens: Vec<String> = ["<pad>", "<eos>", "<bos>", "<turn>"]
            .map(String::from)
            .into();
        tokens.extend((0..256).map(|byte| format!("<0x{byte:02X}>")));
        let words = [
            "h",
            "e",
            "l",
            "o",
            "he",
            "ll",
            "hell",
            "hello",
            "\u{2581}",
            "\u{2581}hello",
        ];
        tokens.extend(words.map(String::from));
        let count = tokens.len();
        let types = (0..count).map(|n| match n {
            0..4 => 3,
            4..260 => 6,
            _ => 1,
        });
        let scores = (0..count).map(|n| -(n as f32));
        let template = "{% for message in messages %}<turn>{{ message['content'] }}{% endfor %}";
        let text = |s: &str| Value::Text(s.into());
        let values = [
            ("general.architecture", text("gemma3")),
            ("gemma3.block_count", Value::U32(2)),
            ("gemma3.context_length", Value::U32(256)),
            ("gemma3.embedding_length", Value::U32(WIDTH as u32)),
            ("gemma3.feed_forward_length", Value::U32(HIDDEN as u32)),
            ("gemma3.attention.head_count", Value::U32(2)),
            ("gemma3.attention.head_count_kv", Value::U32(1)),
            ("gemma3.attention.key_length", Value::U32(GEMMA_HEAD as u32)),
            (
                "gemma3.attention.value_length",
                Value::U32(GEMMA_HEAD as u32),
            ),
            ("gemma3.attention.layer_norm_rms_epsilon", Value::F32(1e-5)),
            ("gemma3.attention.sliding_window", Value::U32(8)),
            ("gemma3.attention.sliding_window_pattern", Value::U32(2)),
            ("gemma3.rope.freq_base", Value::F32(1e6)),
            ("tokenizer.ggml.model", text("llama")),
            ("tokenizer.ggml.tokens", Value::Texts(tokens)),
            ("tokenizer.ggml.token_type", Value::I32s(types.collect())),
            ("tokenizer.ggml.scores", Value::F32s(scores.collect())),
            ("tokenizer.ggml.bos_token_id", Value::U32(2)),
            ("tokenizer.ggml.eos_token_id", Value::U32(1)),
            ("tokenizer.chat_template", text(template)),
        ];
        let mut tensors = vec![
            Tensor::q8_0("token_embd.weight", WIDTH, count),
            Tensor::f32("output_norm.weight", WIDTH),
        ];
        for layer in 0..2 {
            let name = |part: &str| format!("blk.{layer}.{part}.weight");
            for (part, cols, rows) in [
                ("attn_q", WIDTH, 2 * GEMMA_HEAD),
                ("attn_k", WIDTH, GEMMA_HEAD),
                ("attn_v", WIDTH, GEMMA_HEAD),
                ("attn_output", 2 * GEMMA_HEAD, WIDTH),
                ("ffn_gate", WIDTH, HIDDEN),
                ("ffn_up", WIDTH, HIDDEN),
                ("ffn_down", HIDDEN, WIDTH),
            ] {
                tensors.push(Tensor::q4_1(&name(part), cols, rows));
            }
            for (part, size) in [
                ("attn_norm", WIDTH),
                ("ffn_norm", WIDTH),
                ("post_attention_norm", WIDTH),
                ("post_ffw_norm", WIDTH),
                ("attn_q_norm", GEMMA_HEAD),
                ("attn_k_norm", GEMMA_HEAD),
            ] {
                tensors.push(Tensor::f32(&name(part), size));
            }
        }
        Self {
            values: values.map(|(k, v)| (k.to_string(), v)).into(),
            tensors,
        }
    }

    /// Replaces or adds a value.
    pub fn set(mut self, key: &str, value: Value) -> Self {
        self.values.retain(|(k, _)| k != key);
        self.values.push((key.into(), value));
        self
    }

    /// Drops a value.
    pub fn without(mut self, key: &str) -> Self {
        self.values.retain(|(k, _)| k != key);
        self
    }

    /// Changes a tensor.
    pub fn tensor(mut self, name: &str, change: impl FnOnce(&mut Tensor)) -> Self {
        change(
            self.tensors
                .iter_mut()
                .find(|t| t.name == name)
                .expect("there is such a tensor"),
        );
        self
    }

    /// The bytes of the file.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = b"GGUF".to_vec();
        out.extend(3u32.to_le_bytes());
        out.extend((self.tensors.len() as u64).to_le_bytes());
        out.extend((self.values.len() as u64).to_le_bytes());
        for (key, value) in &self.values {
            put_text(&mut out, key);
            match value {
                Value::U32(n) => put(&mut out, 4, &n.to_le_bytes()),
                Value::F32(n) => put(&mut out, 6, &n.to_le_bytes()),
                Value::Text(s) => {
                    put(&mut out, 8, &[]);
                    put_text(&mut out, s);
                }
                Value::Texts(all) => {
                    put(&mut out, 9, &8u32.to_le_bytes());
                    out.extend((all.len() as u64).to_le_bytes());
                    all.iter().for_each(|s| put_text(&mut out, s));
                }
                Value::I32s(all) => {
                    put(&mut out, 9, &5u32.to_le_bytes());
                    out.extend((all.len() as u64).to_le_bytes());
                    all.iter().for_each(|n| out.extend(n.to_le_bytes()));
                }
                Value::F32s(all) => {
                    put(&mut out, 9, &6u32.to_le_bytes());
                    out.extend((all.len() as u64).to_le_bytes());
                    all.iter().for_each(|n| out.extend(n.to_le_bytes()));
                }
            }
        }
        let mut offset = 0u64;
        for tensor in &self.tensors {
            put_text(&mut out, &tensor.name);
            out.extend((tensor.dimensions.len() as u32).to_le_bytes());
            tensor
                .dimensions
                .iter()
                .for_each(|d| out.extend(d.to_le_bytes()));
            out.extend(tensor.kind.to_le_bytes());
            out.extend(offset.to_le_bytes());
            offset = (offset + tensor.bytes.len() as u64).next_multiple_of(32);
        }
        for tensor in &self.tensors {
            out.resize(out.len().next_multiple_of(32), 0);
            out.extend(&tensor.bytes);
        }
        out
    }
}

fn put(out: &mut Vec<u8>, kind: u32, bytes: &[u8]) {
    out.extend(kind.to_le_bytes());
    out.extend(bytes);
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

/// A half-precision number near 2^-7.
fn scale(rng: &mut ChaCha8Rng) -> [u8; 2] {
    (0x2000 + (rng.next_u32() % 0x400) as u16).to_le_bytes()
}

impl Tensor {
    fn random(name: &str) -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(
            name.bytes()
                .fold(7, |n, b| n * 31 % 1_000_003 + u64::from(b)),
        )
    }

    /// Ones.
    pub fn f32(name: &str, length: usize) -> Self {
        let bytes = (0..length).flat_map(|_| 1f32.to_le_bytes()).collect();
        Self {
            name: name.into(),
            dimensions: vec![length as u64],
            kind: 0,
            bytes,
        }
    }

    /// Random numbers around 0.
    pub fn q4_1(name: &str, cols: usize, rows: usize) -> Self {
        let mut rng = Self::random(name);
        let mut bytes = Vec::new();
        for _ in 0..cols * rows / 32 {
            let scale = scale(&mut rng);
            let mut values = [0; 16];
            rng.fill_bytes(&mut values);
            bytes.extend(scale);
            // Minus eight times the scale: the sign, and three more in the exponent.
            bytes.extend((u16::from_le_bytes(scale) + 0x8000 + 0xc00).to_le_bytes());
            bytes.extend(values);
        }
        Self {
            name: name.into(),
            dimensions: vec![cols as u64, rows as u64],
            kind: 3,
            bytes,
        }
    }

    /// Random numbers around 0.
    pub fn q8_0(name: &str, cols: usize, rows: usize) -> Self {
        let mut rng = Self::random(name);
        let mut bytes = Vec::new();
        for _ in 0..cols * rows / 32 {
            bytes.extend(scale(&mut rng));
            bytes.extend(
                (0..32)
                    .map(|_| (rng.next_u32() % 255) as u8)
                    .map(|b| if b == 128 { 0 } else { b }),
            );
        }
        Self {
            name: name.into(),
            dimensions: vec![cols as u64, rows as u64],
            kind: 8,
            bytes,
        }
    }
}

/// Random numbers between `-size` and `size`, always the same for a name.
pub fn random(name: &str, count: usize, size: f32) -> Vec<f32> {
    let mut rng = Tensor::random(name);
    (0..count)
        .map(|_| ((rng.next_u32() % 20_001) as f32 / 10_000.0 - 1.0) * size)
        .collect()
}

impl Tensor {
    /// A matrix of the given numbers.
    pub fn matrix(name: &str, cols: usize, numbers: &[f32]) -> Self {
        Self {
            name: name.into(),
            dimensions: vec![cols as u64, (numbers.len() / cols) as u64],
            kind: 0,
            bytes: numbers.iter().flat_map(|x| x.to_le_bytes()).collect(),
        }
    }
}

/// A change of one matrix: the module in PEFT, the tensor in GGUF, its shape, and the factors.
pub struct Change {
    pub layer: usize,
    pub module: &'static str,
    pub tensor: &'static str,
    pub rows: usize,
    pub cols: usize,
    pub a: Vec<f32>,
    pub b: Vec<f32>,
}

/// Rank of [`changes`]; their alpha is the same.
pub const RANK: usize = 4;

/// Random changes of all seven projections of all layers of a model.
pub fn changes(
    name: &str,
    layers: usize,
    [width, heads, keys, hidden]: [usize; 4],
    size: f32,
) -> Vec<Change> {
    let targets = [
        ("self_attn.q_proj", "attn_q", heads, width),
        ("self_attn.k_proj", "attn_k", keys, width),
        ("self_attn.v_proj", "attn_v", keys, width),
        ("self_attn.o_proj", "attn_output", width, heads),
        ("mlp.gate_proj", "ffn_gate", hidden, width),
        ("mlp.up_proj", "ffn_up", hidden, width),
        ("mlp.down_proj", "ffn_down", width, hidden),
    ];
    (0..layers)
        .flat_map(|layer| targets.map(|target| (layer, target)))
        .map(|(layer, (module, tensor, rows, cols))| Change {
            layer,
            module,
            tensor,
            rows,
            cols,
            a: random(&format!("{name}{layer}{module}a"), RANK * cols, size),
            b: random(&format!("{name}{layer}{module}b"), RANK * rows, size),
        })
        .collect()
}

/// Writes changes as PEFT does.
pub fn write_peft(folder: &Path, changes: &[Change]) {
    let mut tensors = Vec::new();
    for change in changes {
        let module = format!(
            "base_model.model.model.layers.{}.{}",
            change.layer, change.module
        );
        for (part, shape, numbers) in [
            ("A", [RANK, change.cols], &change.a),
            ("B", [change.rows, RANK], &change.b),
        ] {
            let bytes: Vec<u8> = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
            tensors.push((format!("{module}.lora_{part}.weight"), shape, bytes));
        }
    }
    let views = tensors.iter().map(|(name, shape, bytes)| {
        let dtype = safetensors::Dtype::F32;
        let view = safetensors::tensor::TensorView::new(dtype, shape.to_vec(), bytes);
        (name.as_str(), view.expect("a sound tensor"))
    });
    let file = safetensors::serialize(views, None).expect("safetensors");
    std::fs::create_dir_all(folder).expect("a folder");
    std::fs::write(folder.join("adapter_model.safetensors"), file).expect("written");
    let config = format!(r#"{{ "peft_type": "LORA", "r": {RANK}, "lora_alpha": {RANK} }}"#);
    std::fs::write(folder.join("adapter_config.json"), config).expect("written");
}

/// Writes changes of a Llama as llama.cpp's converter does: it puts the rotated pairs of queries and keys side by side.
pub fn write_gguf_lora(path: &Path, changes: &[Change], head: usize) {
    let text = |s: &str| Value::Text(s.into());
    let values = [
        ("general.architecture", text("llama")),
        ("general.type", text("adapter")),
        ("adapter.type", text("lora")),
        ("adapter.lora.alpha", Value::F32(RANK as f32)),
    ];
    let mut tensors = Vec::new();
    for change in changes {
        let name = format!("blk.{}.{}.weight", change.layer, change.tensor);
        let mut b = vec![0.0; change.b.len()];
        for (row, numbers) in change.b.chunks_exact(RANK).enumerate() {
            let (start, within) = (row / head * head, row % head);
            let place = match change.tensor {
                "attn_q" | "attn_k" => start + within % (head / 2) * 2 + within / (head / 2),
                _ => row,
            };
            b[place * RANK..][..RANK].copy_from_slice(numbers);
        }
        tensors.push(Tensor::matrix(
            &format!("{name}.lora_a"),
            change.cols,
            &change.a,
        ));
        tensors.push(Tensor::matrix(&format!("{name}.lora_b"), RANK, &b));
    }
    let file = Tiny {
        values: values.map(|(k, v)| (k.to_string(), v)).into(),
        tensors,
    };
    std::fs::write(path, file.bytes()).expect("written");
}
