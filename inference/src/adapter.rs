//! LoRA adapters in PEFT's layout: `y = W x + B (scale * A x)`, with A and B in bf16 beside the quantised base.

use crate::{
    EngineError,
    kernels::{Cpu, Out, TILE},
    llama::Shape,
    math,
};
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    ops::Range,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::*},
    },
};
use touchstone_primitives::{H256, tagged_hash};

/// Largest rank that is believed.
pub(crate) const MAX_RANK: usize = 256;
/// Largest adapter file that is read.
const MAX_BYTES: u64 = 4 << 30;

/// A matrix of a layer that an adapter can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Target {
    Query,
    Key,
    Value,
    Output,
    Gate,
    Up,
    Down,
}

impl Target {
    pub(crate) const ALL: [Self; 7] = [
        Self::Query,
        Self::Key,
        Self::Value,
        Self::Output,
        Self::Gate,
        Self::Up,
        Self::Down,
    ];

    /// The module's path in a layer, as PEFT writes it.
    pub(crate) fn module(self) -> &'static str {
        match self {
            Self::Query => "self_attn.q_proj",
            Self::Key => "self_attn.k_proj",
            Self::Value => "self_attn.v_proj",
            Self::Output => "self_attn.o_proj",
            Self::Gate => "mlp.gate_proj",
            Self::Up => "mlp.up_proj",
            Self::Down => "mlp.down_proj",
        }
    }

    /// Rows and columns of the matrix.
    pub(crate) fn dimensions(self, shape: &Shape) -> (usize, usize) {
        let (q, kv) = (shape.heads * shape.head, shape.kv_heads * shape.head);
        match self {
            Self::Query => (q, shape.width),
            Self::Key | Self::Value => (kv, shape.width),
            Self::Output => (shape.width, q),
            Self::Gate | Self::Up => (shape.hidden, shape.width),
            Self::Down => (shape.width, shape.hidden),
        }
    }
}

/// The two factors of a change, as bf16: A row by row; B in tiles like the base's matrices, in each column by column.
struct Factors {
    a: Vec<u16>,
    b: Vec<u16>,
    rank: usize,
    scale: f32,
}

/// An adapter in memory.
pub(crate) struct Adapter {
    /// For each layer and target.
    factors: Vec<[Option<Factors>; 7]>,
    /// Hash of configuration and weights.
    pub(crate) hash: H256,
    /// Memory that it takes.
    pub(crate) bytes: usize,
}

/// The parts of `adapter_config.json` that change what is computed. Settings that this engine does not know how to honour are
/// refused when they are on.
#[derive(Deserialize)]
struct Config {
    peft_type: String,
    r: usize,
    lora_alpha: f64,
    #[serde(default)]
    use_rslora: bool,
    #[serde(default)]
    base_model_name_or_path: Option<String>,
    /// Ours: the Blake2b-256 of the base that it was trained on.
    #[serde(default)]
    touchstone_base: Option<String>,
    #[serde(flatten)]
    rest: BTreeMap<String, serde_json::Value>,
}

/// Settings that must be off, because they change what is computed in a way that is not supported.
const REFUSED: [&str; 14] = [
    "use_dora",
    "use_qalora",
    "use_bdlora",
    "fan_in_fan_out",
    "lora_bias",
    "modules_to_save",
    "layers_to_transform",
    "layers_pattern",
    "layer_replication",
    "rank_pattern",
    "alpha_pattern",
    "target_parameters",
    "trainable_token_indices",
    "alora_invocation_tokens",
];

/// Whether a setting says no in any of the ways JSON has for it.
fn is_off(value: &serde_json::Value) -> bool {
    use serde_json::Value::*;
    match value {
        Null | Bool(false) => true,
        String(text) => text.is_empty() || text == "none",
        Array(items) => items.is_empty(),
        Object(items) => items.is_empty(),
        Bool(true) | Number(_) => false,
    }
}

/// An error about one file.
fn bad(file: &Path, expected: impl Into<String>, found: impl Into<String>) -> EngineError {
    EngineError::BadModel {
        file: file.into(),
        expected: expected.into(),
        found: found.into(),
    }
}

fn read(file: &Path) -> Result<Vec<u8>, EngineError> {
    let unreadable = |e: std::io::Error| bad(file, "a readable file", e.to_string());
    let length = std::fs::metadata(file).map_err(unreadable)?.len();
    if length > MAX_BYTES {
        return Err(bad(
            file,
            format!("at most {MAX_BYTES} bytes"),
            length.to_string(),
        ));
    }
    std::fs::read(file).map_err(unreadable)
}

impl Adapter {
    /// Reads `adapter_config.json` and `adapter_model.safetensors` in a folder and checks that they fit the base.
    pub(crate) fn load(folder: &Path, shape: &Shape, base: H256) -> Result<Self, EngineError> {
        let config_file = folder.join("adapter_config.json");
        let file = folder.join("adapter_model.safetensors");
        let (config, weights) = (read(&config_file)?, read(&file)?);
        let hash = tagged_hash("touchstone/adapter/1", &[&config, &weights]);
        let config: Config = serde_json::from_slice(&config)
            .map_err(|e| bad(&config_file, "a PEFT configuration of LoRA", e.to_string()))?;
        let scale = config.check(&config_file, base)?;
        let tensors = SafeTensors::deserialize(&weights)
            .map_err(|e| bad(&file, "a safetensors file", e.to_string()))?;

        let mut factors: Vec<[Option<Factors>; 7]> = Vec::new();
        factors.resize_with(shape.layers, || [const { None }; 7]);
        let (mut used, mut bytes) = (0, 0);
        for (layer, slots) in factors.iter_mut().enumerate() {
            for (target, slot) in Target::ALL.into_iter().zip(slots) {
                let module = format!("base_model.model.model.layers.{layer}.{}", target.module());
                let [a, b] = ["lora_A", "lora_B"].map(|part| format!("{module}.{part}.weight"));
                let (rows, cols) = target.dimensions(shape);
                let part = |name: &str, rows: usize, cols: usize| {
                    let tensor = match tensors.tensor(name) {
                        Ok(tensor) => tensor,
                        Err(_) => return Ok(None),
                    };
                    if tensor.shape() != [rows, cols] {
                        return Err(bad(
                            &file,
                            format!(
                                "{name} of shape [{rows}, {cols}], which the base and rank {} ask for",
                                config.r
                            ),
                            format!("{:?}; it was made for another base or rank", tensor.shape()),
                        ));
                    }
                    numbers(tensor.dtype(), tensor.data())
                        .map(Some)
                        .map_err(|found| {
                            bad(
                                &file,
                                format!("{name} of finite f32, f16 or bf16 numbers"),
                                found,
                            )
                        })
                };
                match (part(&a, config.r, cols)?, part(&b, rows, config.r)?) {
                    (None, None) => {}
                    (Some(a), Some(b)) => {
                        used += 2;
                        bytes += (a.len() + b.len()) * 2;
                        let b = tiled(&b, config.r, |row| place(target, row, shape));
                        let a = a.into_iter().map(round).collect();
                        *slot = Some(Factors {
                            a,
                            b,
                            rank: config.r,
                            scale,
                        });
                    }
                    _ => {
                        return Err(bad(
                            &file,
                            format!("both factors of {module}"),
                            "one of them",
                        ));
                    }
                }
            }
        }
        if used == 0 || used != tensors.len() {
            let other = tensors
                .names()
                .into_iter()
                .find(|name| !known(name, shape.layers));
            return Err(bad(
                &file,
                format!(
                    "LoRA factors of q, k, v, o, gate, up and down projections of {} layers",
                    shape.layers
                ),
                other.map_or("none".into(), |name| format!("tensor {name}")),
            ));
        }
        Ok(Self {
            factors,
            hash,
            bytes,
        })
    }
}

/// What adapters add to the products of some vectors with some matrices. The first factor is applied by tasks that run beside the
/// product; whoever needs the result first waits for them.
pub(crate) struct Changes<'a> {
    /// For each matrix, one for each vector.
    factors: Vec<Option<&'a Factors>>,
    /// Which of `factors`, and from which of its rows on: one task.
    tasks: Vec<(usize, usize)>,
    left: AtomicUsize,
    x: &'a [f32],
    count: usize,
    /// Results of the first factor, `stride` apart.
    inner: Out,
    stride: usize,
}

impl<'a> Changes<'a> {
    /// Rows of a first factor that a task computes.
    const ROWS: usize = 4;

    /// What `adapters`, one for each vector of `x`, change about the products of `x` and the matrices named by `targets`.
    pub(crate) fn new(
        adapters: &[Option<&'a Adapter>],
        layer: usize,
        targets: &[Target],
        x: &'a [f32],
        inner: &'a mut Vec<f32>,
    ) -> Self {
        let none = || adapters.iter().all(Option::is_none);
        let factors: Vec<Option<&Factors>> = match none() {
            true => Vec::new(),
            false => targets
                .iter()
                .flat_map(|t| {
                    adapters
                        .iter()
                        .map(|a| a.and_then(|a| a.factors[layer][*t as usize].as_ref()))
                })
                .collect(),
        };
        let stride = factors.iter().flatten().map(|f| f.rank).max().unwrap_or(0);
        inner.resize(factors.len() * stride, 0.0);
        let tasks: Vec<(usize, usize)> = factors
            .iter()
            .enumerate()
            .flat_map(|(index, f)| {
                (0..f.map_or(0, |f| f.rank))
                    .step_by(Self::ROWS)
                    .map(move |row| (index, row))
            })
            .collect();
        let left = AtomicUsize::new(tasks.len());
        let inner = Out(inner.as_mut_ptr());
        Self {
            factors,
            tasks,
            left,
            x,
            count: adapters.len(),
            inner,
            stride,
        }
    }

    /// How many tasks there are.
    pub(crate) fn tasks(&self) -> usize {
        self.tasks.len()
    }

    /// Does some of the tasks. Each must be done once, and be begun before anybody calls `add`.
    pub(crate) fn run(&self, cpu: Cpu, tasks: Range<usize>) {
        let cols = self.x.len() / self.count;
        let tasks = &self.tasks[tasks];
        for (n, &(index, row)) in tasks.iter().enumerate() {
            if let Some(Factors { a, rank, scale, .. }) = self.factors[index] {
                let rows = Self::ROWS.min(rank - row);
                if let Some((index, row)) = tasks.get(n + 1)
                    && let Some(Factors { a, .. }) = self.factors[*index]
                {
                    math::prefetch(&a[row * cols..a.len().min((row + Self::ROWS) * cols)]);
                }
                // Each task has its own places.
                let inner = unsafe { self.inner.slice(index * self.stride + row, rows) };
                let x = &self.x[index % self.count * cols..][..cols];
                math::project(cpu, &a[row * cols..][..rows * cols], *scale, x, inner);
            }
        }
        self.left.fetch_sub(tasks.len(), Release);
    }

    /// Adds the changes to the sums of a tile of rows, for consecutive vectors and one matrix.
    pub(crate) fn add(
        &self,
        cpu: Cpu,
        matrix: usize,
        first: usize,
        tile: usize,
        sums: &mut [[f32; TILE]],
    ) {
        let from = matrix * self.count + first;
        let Some(factors) = self.factors.get(from..from + sums.len()) else {
            return;
        };
        while self.left.load(Acquire) > 0 {
            std::hint::spin_loop();
        }
        for (n, (factors, sums)) in factors.iter().zip(sums).enumerate() {
            let Some(Factors { b, rank, .. }) = factors else {
                continue;
            };
            let size = rank * TILE;
            // Factors of several adapters lie far apart, which the processor's own prefetching does not see through. The
            // same thread most likely computes the next tile.
            if let Some(next) = b.get((tile + 1) * size..) {
                math::prefetch(&next[..size.min(next.len())]);
            }
            // All tasks are done, so nobody writes any more.
            let inner = unsafe { self.inner.slice((from + n) * self.stride, *rank) };
            math::expand(cpu, &b[tile * size..][..size], inner, sums);
        }
    }
}

impl Config {
    /// Checks everything that does not depend on the tensors and returns the factor before B.
    fn check(&self, file: &Path, base: H256) -> Result<f32, EngineError> {
        if self.peft_type != "LORA" {
            return Err(bad(file, "peft_type LORA", self.peft_type.clone()));
        }
        if !(1..=MAX_RANK).contains(&self.r) {
            return Err(bad(
                file,
                format!("a rank r from 1 to {MAX_RANK}"),
                self.r.to_string(),
            ));
        }
        for name in REFUSED.iter().chain(&["bias"]) {
            if let Some(value) = self.rest.get(*name).filter(|value| !is_off(value)) {
                return Err(bad(
                    file,
                    format!("plain LoRA without {name}"),
                    format!("{name}: {value}"),
                ));
            }
        }
        if let Some(wanted) = &self.touchstone_base
            && wanted.trim_start_matches("0x") != hex::encode(base)
        {
            let name = self.base_model_name_or_path.as_deref().unwrap_or("a base");
            return Err(bad(
                file,
                format!("an adapter of the base {base:?}"),
                format!("one of {name}, {wanted}"),
            ));
        }
        let rank = self.r as f64;
        let scale = self.lora_alpha / if self.use_rslora { rank.sqrt() } else { rank };
        match scale.is_finite() {
            true => Ok(scale as f32),
            false => Err(bad(
                file,
                "a finite lora_alpha",
                self.lora_alpha.to_string(),
            )),
        }
    }
}

/// Whether a tensor's name belongs to a module that can be changed.
fn known(name: &str, layers: usize) -> bool {
    let Some(rest) = name.strip_prefix("base_model.model.model.layers.") else {
        return false;
    };
    let Some((layer, rest)) = rest.split_once('.') else {
        return false;
    };
    layer.parse::<usize>().is_ok_and(|n| n < layers)
        && Target::ALL.iter().any(|t| {
            rest.strip_prefix(t.module())
                .is_some_and(|end| end == ".lora_A.weight" || end == ".lora_B.weight")
        })
}

/// Where a row of a Hugging Face matrix is in a GGUF file: Llama's rotated pairs are put side by side there.
pub(crate) fn place(target: Target, row: usize, shape: &Shape) -> usize {
    let head = shape.head;
    match target {
        Target::Query | Target::Key if shape.neighbours => {
            let (start, within) = (row / head * head, row % head);
            start + within % (head / 2) * 2 + within / (head / 2)
        }
        _ => row,
    }
}

/// Rounds to bf16.
fn round(x: f32) -> u16 {
    half::bf16::from_f32(x).to_bits()
}

/// Cuts a matrix of `cols` columns into tiles, with its rows put into their places.
fn tiled(matrix: &[f32], cols: usize, place: impl Fn(usize) -> usize) -> Vec<u16> {
    let rows = matrix.len() / cols;
    let mut out = vec![0; rows.next_multiple_of(TILE) * cols];
    for (row, values) in matrix.chunks_exact(cols).enumerate() {
        let (tile, lane) = (place(row) / TILE, place(row) % TILE);
        for (col, value) in values.iter().enumerate() {
            out[(tile * cols + col) * TILE + lane] = round(*value);
        }
    }
    out
}

fn numbers(dtype: Dtype, bytes: &[u8]) -> Result<Vec<f32>, String> {
    use crate::{gguf::Storage, kernels::floats};
    let storage = match dtype {
        Dtype::F32 => Storage::F32,
        Dtype::F16 => Storage::F16,
        Dtype::BF16 => Storage::BF16,
        other => return Err(format!("{other:?}")),
    };
    floats(storage, bytes).map_err(String::from)
}

/// The adapters of one base that are in memory, within a budget. The least recently used go first.
pub(crate) struct Residents {
    budget: usize,
    /// The most recently used last.
    loaded: Vec<(PathBuf, Arc<Adapter>)>,
}

impl Residents {
    pub(crate) fn new(budget: usize) -> Self {
        Self {
            budget,
            loaded: Vec::new(),
        }
    }

    /// Whether the adapter of a folder is in memory.
    pub(crate) fn holds(&self, folder: &Path) -> bool {
        self.loaded.iter().any(|(f, _)| f == folder)
    }

    /// The adapter of a folder, if it is in memory.
    pub(crate) fn get(&mut self, folder: &Path) -> Option<Arc<Adapter>> {
        let at = self.loaded.iter().position(|(f, _)| f == folder)?;
        let entry = self.loaded.remove(at);
        let adapter = entry.1.clone();
        self.loaded.push(entry);
        Some(adapter)
    }

    /// Keeps an adapter, and lets go of others until the budget holds. Answers in progress keep theirs until they end.
    pub(crate) fn insert(&mut self, folder: &Path, adapter: Arc<Adapter>) {
        self.loaded.retain(|(f, _)| f != folder);
        self.loaded.push((folder.into(), adapter));
        let mut bytes: usize = self.loaded.iter().map(|(_, a)| a.bytes).sum();
        while bytes > self.budget && self.loaded.len() > 1 {
            bytes -= self.loaded.remove(0).1.bytes;
        }
    }
}
