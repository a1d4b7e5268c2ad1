//! Transformers of the Llama family (Llama, Qwen2, Gemma 3): what they consist of and how they run.

use crate::{
    EngineError,
    adapter::{Adapter, Changes, Target},
    gguf::{Gguf, TensorInfo},
    kernels::{Acts, Cpu, Matrix, Out, computed_as, floats, multiply},
    math::{self, LANES},
    pool::Workers,
};
use std::collections::{BTreeMap, BTreeSet};

/// Largest dimensions that are believed.
const MAX_WIDTH: u64 = 1 << 17;

/// The numbers that shape a model.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Shape {
    pub(crate) layers: usize,
    pub(crate) width: usize,
    pub(crate) hidden: usize,
    pub(crate) heads: usize,
    pub(crate) kv_heads: usize,
    pub(crate) head: usize,
    pub(crate) vocabulary: usize,
    pub(crate) context: usize,
    /// Whether positions rotate neighbouring numbers of a head, and not those of its two halves.
    pub(crate) neighbours: bool,
    /// Whether queries, keys and values have biases.
    biases: bool,
    pub(crate) eps: f32,
    rope_base: f64,
    /// What Gemma 3 does otherwise, if it is one.
    gemma: Option<Gemma>,
}

/// Gemma 3: scaled embeddings, GELU instead of SiLU, norms of queries, keys and results, and layers that see only what is
/// near.
#[derive(Clone, Debug, PartialEq)]
struct Gemma {
    /// Positions that such a layer sees, its own among them.
    window: usize,
    /// Every how many layers one sees all positions.
    every: usize,
    /// Base of the rotation in layers that see only what is near.
    rope_base: f64,
}

/// The weights of a layer.
pub(crate) struct Layer {
    pub(crate) attention_norm: Vec<f32>,
    pub(crate) query: Matrix,
    pub(crate) key: Matrix,
    pub(crate) value: Matrix,
    /// Those of query, key and value, if the model has them.
    pub(crate) biases: Option<[Vec<f32>; 3]>,
    pub(crate) output: Matrix,
    pub(crate) ffn_norm: Vec<f32>,
    pub(crate) gate: Matrix,
    pub(crate) up: Matrix,
    pub(crate) down: Matrix,
    norms: Option<Norms>,
    /// Which of the model's rotations it uses.
    rope: usize,
    /// Positions that it sees, if not all.
    window: Option<usize>,
}

/// Further norms of a layer of Gemma 3.
struct Norms {
    query: Vec<f32>,
    key: Vec<f32>,
    attention: Vec<f32>,
    ffn: Vec<f32>,
}

/// For each position the cosines and sines of all pairs.
pub(crate) struct Rope {
    pub(crate) cos: Vec<f32>,
    pub(crate) sin: Vec<f32>,
}

impl Rope {
    fn new(shape: &Shape, base: f64) -> Self {
        let pairs = shape.head / 2;
        let mut angles = Vec::with_capacity(shape.context * pairs);
        for position in 0..shape.context {
            for pair in 0..pairs {
                let power = -2.0 * pair as f64 / shape.head as f64;
                angles.push(position as f64 * base.powf(power));
            }
        }
        Self {
            cos: angles.iter().map(|a| a.cos() as f32).collect(),
            sin: angles.iter().map(|a| a.sin() as f32).collect(),
        }
    }
}

/// The weights.
pub(crate) struct Model {
    pub(crate) shape: Shape,
    cpu: Cpu,
    pub(crate) embedding: Matrix,
    pub(crate) layers: Vec<Layer>,
    pub(crate) norm: Vec<f32>,
    /// Absent if the embedding serves for it.
    pub(crate) head: Option<Matrix>,
    pub(crate) ropes: Vec<Rope>,
    /// Precisions in use, joined by `+`.
    pub(crate) dtype: String,
}

/// What one sequence has left behind so far.
#[derive(Default)]
pub(crate) struct Cache {
    /// For each layer: blocks of 16 positions; in each, number after number of a key for all 16.
    keys: Vec<Vec<f32>>,
    /// For each layer: value after value.
    values: Vec<Vec<f32>>,
    /// Positions that are filled.
    pub(crate) length: usize,
}

/// A token to run through the model.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// Which of the caches it belongs to.
    pub(crate) cache: usize,
    /// Its place in the sequence.
    pub(crate) position: usize,
    pub(crate) token: u32,
}

/// Memory that passes use again and again.
#[derive(Default)]
pub(crate) struct Scratch {
    x: Vec<f32>,
    /// What the matrices of a step are multiplied with, before it is quantised.
    input: Vec<f32>,
    acts: Acts,
    query: Vec<f32>,
    key: Vec<f32>,
    value: Vec<f32>,
    attended: Vec<f32>,
    projected: Vec<f32>,
    gate: Vec<f32>,
    up: Vec<f32>,
    logits: Vec<f32>,
}

impl Shape {
    /// Reads and checks the numbers.
    pub(crate) fn read(gguf: &Gguf, vocabulary: usize) -> Result<Self, EngineError> {
        let architecture = gguf.text("general.architecture")?;
        let (qwen2, gemma3) = (architecture == "qwen2", architecture == "gemma3");
        if architecture != "llama" && !qwen2 && !gemma3 {
            let known = "general.architecture: llama, qwen2 or gemma3";
            return Err(gguf.bad(known, architecture));
        }
        let key = |name: &str| format!("{architecture}.{name}");
        let width = gguf.number(&key("embedding_length"), 32, MAX_WIDTH)?;
        let heads = gguf.number(&key("attention.head_count"), 1, 1024)?;
        let shape = Self {
            layers: gguf.number(&key("block_count"), 1, 1024)?,
            width,
            hidden: gguf.number(&key("feed_forward_length"), 32, MAX_WIDTH)?,
            heads,
            kv_heads: gguf.number(&key("attention.head_count_kv"), 1, heads as u64)?,
            head: match gguf.metadata.contains_key(&key("attention.key_length")) {
                true => gguf.number(&key("attention.key_length"), 2, 1024)?,
                false => width / heads,
            },
            vocabulary,
            neighbours: !qwen2 && !gemma3,
            biases: qwen2,
            context: gguf.number(&key("context_length"), 1, 1 << 24)?,
            eps: gguf.float(&key("attention.layer_norm_rms_epsilon"))? as f32,
            rope_base: match gguf.metadata.contains_key(&key("rope.freq_base")) {
                true => gguf.float(&key("rope.freq_base"))?,
                false => 10_000.0,
            },
            gemma: match gemma3 {
                true => Some(Gemma::read(gguf)?),
                false => None,
            },
        };
        let fits = shape.width.is_multiple_of(32)
            && shape.hidden.is_multiple_of(32)
            && shape.heads.is_multiple_of(shape.kv_heads)
            && (shape.heads * shape.head).is_multiple_of(32)
            && shape.head.is_multiple_of(if gemma3 { LANES } else { 2 });
        if !fits {
            return Err(gguf.bad(
                "widths in multiples of 32 and heads that divide evenly",
                format!("{shape:?}"),
            ));
        }
        for key in ["rope.dimension_count", "attention.value_length"].map(key) {
            if gguf.metadata.contains_key(&key) {
                let found = gguf.number(&key, 0, MAX_WIDTH)?;
                if found != shape.head {
                    return Err(gguf.bad(format!("{key}: {}", shape.head), found.to_string()));
                }
            }
        }
        for key in [
            "rope.scaling.type",
            "expert_count",
            "final_logit_softcapping",
        ]
        .map(key)
        {
            if let Some(value) = gguf.metadata.get(&key)
                && *value != crate::gguf::Value::Text("none".into())
                && *value != crate::gguf::Value::Unsigned(0)
            {
                return Err(gguf.bad(
                    format!("no {key}, which this engine does not compute"),
                    format!("{value:?}"),
                ));
            }
        }
        Ok(shape)
    }

    /// Rows and columns of every tensor that the model needs; vectors have one row.
    fn tensors(&self) -> BTreeMap<String, (usize, usize)> {
        let (q, kv) = (self.heads * self.head, self.kv_heads * self.head);
        let mut all = BTreeMap::from([
            (
                "token_embd.weight".to_string(),
                (self.vocabulary, self.width),
            ),
            ("output_norm.weight".to_string(), (1, self.width)),
        ]);
        for layer in 0..self.layers {
            for (name, shape) in [
                ("attn_norm", (1, self.width)),
                ("attn_q", (q, self.width)),
                ("attn_k", (kv, self.width)),
                ("attn_v", (kv, self.width)),
                ("attn_output", (self.width, q)),
                ("ffn_norm", (1, self.width)),
                ("ffn_gate", (self.hidden, self.width)),
                ("ffn_up", (self.hidden, self.width)),
                ("ffn_down", (self.width, self.hidden)),
            ] {
                all.insert(format!("blk.{layer}.{name}.weight"), shape);
            }
            for (name, size) in [("attn_q", q), ("attn_k", kv), ("attn_v", kv)] {
                if self.biases {
                    all.insert(format!("blk.{layer}.{name}.bias"), (1, size));
                }
            }
            for (name, size) in [
                ("attn_q_norm", self.head),
                ("attn_k_norm", self.head),
                ("post_attention_norm", self.width),
                ("post_ffw_norm", self.width),
            ] {
                if self.gemma.is_some() {
                    all.insert(format!("blk.{layer}.{name}.weight"), (1, size));
                }
            }
        }
        all
    }
}

impl Gemma {
    /// Reads and checks the numbers; what files leave out is what the model's authors chose.
    fn read(gguf: &Gguf) -> Result<Self, EngineError> {
        let [every, base] = ["attention.sliding_window_pattern", "rope.freq_base_swa"]
            .map(|key| format!("gemma3.{key}"));
        Ok(Self {
            window: gguf.number("gemma3.attention.sliding_window", 1, 1 << 24)?,
            every: match gguf.metadata.contains_key(&every) {
                true => gguf.number(&every, 1, 1024)?,
                false => 6,
            },
            rope_base: match gguf.metadata.contains_key(&base) {
                true => gguf.float(&base)?,
                false => 10_000.0,
            },
        })
    }
}

impl Model {
    /// Reads all tensors of a file. Its shapes are checked before the first is read.
    pub(crate) fn load(gguf: &mut Gguf, shape: Shape, cpu: Cpu) -> Result<Self, EngineError> {
        let expected = shape.tensors();
        let optional = ("output.weight", (shape.vocabulary, shape.width));
        for tensor in &gguf.tensors {
            let known = expected.get(&tensor.name).copied();
            let known = known.or((tensor.name == optional.0).then_some(optional.1));
            let found = format!("{} rows of {} values", tensor.rows, tensor.cols);
            match known {
                Some((rows, cols)) if (rows, cols) == (tensor.rows, tensor.cols) => {}
                Some((rows, cols)) => {
                    let expected =
                        format!("tensor {} with {rows} rows of {cols} values", tensor.name);
                    return Err(gguf.bad(expected, found));
                }
                None => {
                    return Err(gguf.bad(
                        "only tensors of a plain Llama, Qwen2 or Gemma 3 model",
                        format!("tensor {} with {found}", tensor.name),
                    ));
                }
            }
        }
        let names: BTreeSet<&str> = gguf.tensors.iter().map(|t| t.name.as_str()).collect();
        if let Some(missing) = expected.keys().find(|name| !names.contains(name.as_str())) {
            return Err(gguf.bad(format!("tensor {missing}"), "no such tensor"));
        }

        let mut vectors = BTreeMap::new();
        let mut matrices = BTreeMap::new();
        let mut dtypes = BTreeSet::new();
        for tensor in gguf.tensors.clone() {
            let bytes = gguf.read(&tensor)?;
            let TensorInfo {
                name,
                rows,
                cols,
                storage,
                ..
            } = tensor;
            let refused = |found: &str| {
                gguf.bad(
                    format!("tensor {name} of finite {} numbers", storage.name()),
                    found,
                )
            };
            if name.ends_with("norm.weight") || name.ends_with(".bias") {
                vectors.insert(name.clone(), floats(storage, &bytes).map_err(refused)?);
            } else {
                dtypes.insert(computed_as(storage));
                let matrix = Matrix::pack(storage, rows, cols, &bytes).map_err(refused)?;
                matrices.insert(name.clone(), matrix);
            }
        }
        // Presence was checked above; an error here would be a mistake of ours.
        let lost = || EngineError::Failed("a tensor was lost while loading".into());
        let mut vector = |name: &str| vectors.remove(name).ok_or_else(lost);
        let mut matrix = |name: &str| matrices.remove(name).ok_or_else(lost);
        let mut layers = Vec::new();
        for n in 0..shape.layers {
            let name = |part: &str| format!("blk.{n}.{part}.weight");
            let mut bias = |part: &str| vector(&format!("blk.{n}.{part}.bias"));
            let biases = match shape.biases {
                true => Some([bias("attn_q")?, bias("attn_k")?, bias("attn_v")?]),
                false => None,
            };
            let norms = match shape.gemma {
                Some(_) => Some(Norms {
                    query: vector(&name("attn_q_norm"))?,
                    key: vector(&name("attn_k_norm"))?,
                    attention: vector(&name("post_attention_norm"))?,
                    ffn: vector(&name("post_ffw_norm"))?,
                }),
                None => None,
            };
            let near = shape.gemma.as_ref().filter(|g| (n + 1) % g.every != 0);
            layers.push(Layer {
                norms,
                rope: usize::from(near.is_some()),
                window: near.map(|g| g.window),
                attention_norm: vector(&name("attn_norm"))?,
                query: matrix(&name("attn_q"))?,
                key: matrix(&name("attn_k"))?,
                value: matrix(&name("attn_v"))?,
                biases,
                output: matrix(&name("attn_output"))?,
                ffn_norm: vector(&name("ffn_norm"))?,
                gate: matrix(&name("ffn_gate"))?,
                up: matrix(&name("ffn_up"))?,
                down: matrix(&name("ffn_down"))?,
            });
        }
        let (embedding, norm) = (matrix("token_embd.weight")?, vector("output_norm.weight")?);
        let head = matrix("output.weight").ok();
        let bases = [
            Some(shape.rope_base),
            shape.gemma.as_ref().map(|g| g.rope_base),
        ];
        Ok(Self {
            cpu,
            embedding,
            layers,
            norm,
            head,
            ropes: bases
                .into_iter()
                .flatten()
                .map(|base| Rope::new(&shape, base))
                .collect(),
            dtype: dtypes.into_iter().collect::<Vec<_>>().join("+"),
            shape,
        })
    }

    /// The instructions that it computes with.
    pub(crate) fn cpu(&self) -> Cpu {
        self.cpu
    }

    /// Bytes of the weights in memory.
    pub(crate) fn bytes(&self) -> usize {
        let layers = self.layers.iter().map(|l| {
            [
                &l.query, &l.key, &l.value, &l.output, &l.gate, &l.up, &l.down,
            ]
            .map(Matrix::bytes)
            .iter()
            .sum::<usize>()
        });
        layers.sum::<usize>() + self.embedding.bytes() + self.head.as_ref().map_or(0, Matrix::bytes)
    }

    /// Runs tokens through all layers. Rows of one cache must follow on from what it holds, in order; `adapters` are
    /// those of the caches.
    ///
    /// Each row's result depends on its own sequence only, bit by bit.
    pub(crate) fn forward(
        &self,
        workers: &Workers<'_>,
        scratch: &mut Scratch,
        caches: &mut [&mut Cache],
        adapters: &[Option<&Adapter>],
        rows: &[Row],
    ) {
        let Shape {
            width,
            hidden,
            heads,
            kv_heads,
            head,
            neighbours,
            ref gemma,
            ..
        } = self.shape;
        let (q, kv) = (heads * head, kv_heads * head);
        let (cpu, count) = (self.cpu, rows.len());
        let Scratch {
            x,
            input,
            acts,
            query,
            key,
            value,
            attended,
            projected,
            gate,
            up,
            ..
        } = scratch;
        let adapters: Vec<Option<&Adapter>> = rows.iter().map(|row| adapters[row.cache]).collect();
        let mut inner = Vec::new();
        x.resize(count * width, 0.0);
        for (row, x) in rows.iter().zip(x.chunks_exact_mut(width)) {
            self.embedding.row(row.token as usize, x);
            if self.shape.gemma.is_some() {
                let factor = (width as f32).sqrt();
                x.iter_mut().for_each(|x| *x *= factor);
            }
        }
        for row in rows {
            let cache = &mut caches[row.cache];
            cache.reserve(self.shape.layers, row.position + 1, kv);
            cache.length = row.position + 1;
        }
        for (n, layer) in self.layers.iter().enumerate() {
            self.normalise(workers, x, &layer.attention_norm, input, acts, count);
            let targets = [Target::Query, Target::Key, Target::Value];
            let changes = Changes::new(&adapters, n, &targets, input, &mut inner);
            let matrices = [&layer.query, &layer.key, &layer.value];
            multiply(
                workers,
                cpu,
                &matrices,
                acts,
                count,
                Some(&changes),
                &mut [query, key, value],
            );
            for (i, row) in rows.iter().enumerate() {
                let pairs = row.position * head / 2..(row.position + 1) * head / 2;
                let rope = &self.ropes[layer.rope];
                let (cos, sin) = (&rope.cos[pairs.clone()], &rope.sin[pairs]);
                if let Some([to_query, to_key, to_value]) = &layer.biases {
                    math::add(cpu, &mut query[i * q..][..q], to_query);
                    math::add(cpu, &mut key[i * kv..][..kv], to_key);
                    math::add(cpu, &mut value[i * kv..][..kv], to_value);
                }
                if let Some(norms) = &layer.norms {
                    self.normalise_heads(&mut query[i * q..][..q], &norms.query);
                    self.normalise_heads(&mut key[i * kv..][..kv], &norms.key);
                }
                math::rotate(cpu, &mut query[i * q..][..q], head, cos, sin, neighbours);
                math::rotate(cpu, &mut key[i * kv..][..kv], head, cos, sin, neighbours);
                caches[row.cache].store(
                    n,
                    row.position,
                    &key[i * kv..][..kv],
                    &value[i * kv..][..kv],
                );
            }
            attended.resize(count * q, 0.0);
            let out = Out(attended.as_mut_ptr());
            let seen: Vec<&Cache> = rows.iter().map(|row| &*caches[row.cache]).collect();
            let tasks = count * heads;
            let chunk = if count == 1 { 1 } else { heads };
            workers.run(tasks.div_ceil(chunk), &|task| {
                let mut scores = Vec::new();
                for index in task * chunk..tasks.min((task + 1) * chunk) {
                    let (i, h) = (index / heads, index % heads);
                    let at = h / (heads / kv_heads) * head;
                    let count = rows[i].position + 1;
                    math::attend(
                        cpu,
                        &query[index * head..][..head],
                        &seen[i].keys[n][at * LANES..],
                        kv * LANES,
                        &seen[i].values[n][at..],
                        kv,
                        count.saturating_sub(layer.window.unwrap_or(count)),
                        count,
                        &mut scores,
                        // Each task writes its own heads.
                        unsafe { out.slice(index * head, head) },
                    );
                }
            });
            self.quantise(workers, attended, q, acts, count);
            let changes = Changes::new(&adapters, n, &[Target::Output], attended, &mut inner);
            multiply(
                workers,
                cpu,
                &[&layer.output],
                acts,
                count,
                Some(&changes),
                &mut [projected],
            );
            let norm = layer.norms.as_ref().map(|n| &n.attention);
            self.add(workers, x, projected, norm, input, count);

            self.normalise(workers, x, &layer.ffn_norm, input, acts, count);
            let changes =
                Changes::new(&adapters, n, &[Target::Gate, Target::Up], input, &mut inner);
            multiply(
                workers,
                cpu,
                &[&layer.gate, &layer.up],
                acts,
                count,
                Some(&changes),
                &mut [gate, up],
            );
            acts.reset(count, hidden);
            let (places, gates) = (acts.places(), Out(gate.as_mut_ptr()));
            each(workers, count, &|i| unsafe {
                // Each call has its own vector.
                let gate = gates.slice(i * hidden, hidden);
                let up = &up[i * hidden..][..hidden];
                match gemma {
                    Some(_) => math::gelu_times(cpu, gate, up),
                    None => math::silu_times(cpu, gate, up),
                }
                places.store(cpu, i, gate);
            });
            let changes = Changes::new(&adapters, n, &[Target::Down], gate, &mut inner);
            multiply(
                workers,
                cpu,
                &[&layer.down],
                acts,
                count,
                Some(&changes),
                &mut [projected],
            );
            let norm = layer.norms.as_ref().map(|n| &n.ffn);
            self.add(workers, x, projected, norm, input, count);
        }
    }

    /// Logits after the given rows of the last pass, one vector after the other.
    pub(crate) fn logits<'s>(
        &self,
        workers: &Workers<'_>,
        scratch: &'s mut Scratch,
        rows: &[usize],
    ) -> &'s [f32] {
        let width = self.shape.width;
        let Scratch {
            x,
            input,
            acts,
            logits,
            ..
        } = scratch;
        let last: Vec<f32> = rows
            .iter()
            .flat_map(|r| x[r * width..][..width].iter().copied())
            .collect();
        self.normalise(workers, &last, &self.norm, input, acts, rows.len());
        let head = self.head.as_ref().unwrap_or(&self.embedding);
        multiply(
            workers,
            self.cpu,
            &[head],
            acts,
            rows.len(),
            None,
            &mut [logits],
        );
        logits
    }

    /// Normalises vectors into `input` and quantises them.
    fn normalise(
        &self,
        workers: &Workers<'_>,
        x: &[f32],
        weight: &[f32],
        input: &mut Vec<f32>,
        acts: &mut Acts,
        count: usize,
    ) {
        let (cpu, width, eps) = (self.cpu, self.shape.width, self.shape.eps);
        acts.reset(count, width);
        input.resize(count * width, 0.0);
        let (places, inputs) = (acts.places(), Out(input.as_mut_ptr()));
        each(workers, count, &|i| unsafe {
            // Each call has its own vector.
            let out = inputs.slice(i * width, width);
            math::rms_norm(cpu, &x[i * width..][..width], weight, eps, out);
            places.store(cpu, i, out);
        });
    }

    /// Normalises each head of a vector.
    fn normalise_heads(&self, x: &mut [f32], weight: &[f32]) {
        let mut out = vec![0.0; self.shape.head];
        for head in x.chunks_exact_mut(self.shape.head) {
            math::rms_norm(self.cpu, head, weight, self.shape.eps, &mut out);
            head.copy_from_slice(&out);
        }
    }

    /// Adds what a part of a layer gives to the vectors, normalised if that part has a norm.
    fn add(
        &self,
        workers: &Workers<'_>,
        x: &mut [f32],
        given: &[f32],
        norm: Option<&Vec<f32>>,
        normalised: &mut Vec<f32>,
        count: usize,
    ) {
        let Some(weight) = norm else {
            return math::add(self.cpu, x, given);
        };
        let (width, eps) = (self.shape.width, self.shape.eps);
        normalised.resize(count * width, 0.0);
        let out = Out(normalised.as_mut_ptr());
        each(workers, count, &|i| unsafe {
            // Each call has its own vector.
            let out = out.slice(i * width, width);
            math::rms_norm(self.cpu, &given[i * width..][..width], weight, eps, out);
        });
        math::add(self.cpu, x, normalised);
    }

    /// Quantises vectors.
    fn quantise(
        &self,
        workers: &Workers<'_>,
        x: &[f32],
        cols: usize,
        acts: &mut Acts,
        count: usize,
    ) {
        acts.reset(count, cols);
        let places = acts.places();
        // Each call has its own vector.
        each(workers, count, &|i| unsafe {
            places.store(self.cpu, i, &x[i * cols..][..cols])
        });
    }
}

/// Calls `task` for every number below `count`; few calls are not worth sharing out.
fn each(workers: &Workers<'_>, count: usize, task: &(dyn Fn(usize) + Sync)) {
    const TOGETHER: usize = 4;
    workers.run(count.div_ceil(TOGETHER), &|n| {
        (n * TOGETHER..count.min((n + 1) * TOGETHER)).for_each(task);
    });
}

impl Cache {
    /// Makes room for `count` positions.
    fn reserve(&mut self, layers: usize, count: usize, kv: usize) {
        self.keys.resize(layers, Vec::new());
        self.values.resize(layers, Vec::new());
        let size = count.next_multiple_of(LANES) * kv;
        for part in self
            .keys
            .iter_mut()
            .chain(&mut self.values)
            .filter(|p| p.len() < size)
        {
            part.resize(size, 0.0);
        }
    }

    /// Bytes in memory.
    pub(crate) fn bytes(&self) -> usize {
        self.keys
            .iter()
            .chain(&self.values)
            .map(|part| part.capacity() * 4)
            .sum()
    }

    /// A copy of the first `count` positions. Whoever goes on from it finds the same bits as one who starts anew.
    pub(crate) fn prefix(&self, count: usize) -> Self {
        let cut = |parts: &[Vec<f32>]| {
            let size = |part: &Vec<f32>| {
                let positions = self.length.next_multiple_of(LANES).max(1);
                (part.len() / positions * count.next_multiple_of(LANES)).min(part.len())
            };
            parts
                .iter()
                .map(|part| part[..size(part)].to_vec())
                .collect()
        };
        Self {
            keys: cut(&self.keys),
            values: cut(&self.values),
            length: count,
        }
    }

    fn store(&mut self, layer: usize, position: usize, key: &[f32], value: &[f32]) {
        let block = &mut self.keys[layer][position / LANES * LANES * key.len()..];
        for (i, key) in key.iter().enumerate() {
            block[i * LANES + position % LANES] = *key;
        }
        self.values[layer][position * value.len()..][..value.len()].copy_from_slice(value);
    }
}
