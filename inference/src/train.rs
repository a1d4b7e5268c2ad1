//! Trains LoRA adapters on this machine's processor: the quantised base stays as it is, and small factors beside its matrices
//! learn to write the completions of given prompts.
//!
//! The model computes here with the weights that answers are computed with, unpacked a panel at a time; activations and
//! factors are in single precision. All sums have a fixed order, so the same recipe gives the same adapter, bit by bit, with any
//! number of threads and after any interruption.

mod adamw;
mod batch;
mod checkpoint;
#[cfg(test)]
#[path = "../tests/common/mod.rs"]
mod common;
mod data;
mod factors;
mod ops;
mod passes;
mod product;
mod recipe;
#[cfg(test)]
mod tests;

pub use recipe::{Ingredient, Recipe, Settings};

use crate::{
    EngineError, ModelConfig,
    adapter::Adapter,
    gguf::Gguf,
    kernels::Cpu,
    local::{ENGINE, Loaded, load_file},
    pool::Pool,
};
use adamw::AdamW;
use batch::Batch;
use blake2::{Blake2b, Digest, digest::consts::U32};
use checkpoint::{Checkpoint, write};
use data::{Data, Example};
use factors::Layout;
use passes::Passes;
use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use touchstone_primitives::{H256, tagged_hash};

/// Most tokens of an example. What attention keeps for the way back grows with its square.
const LONGEST: u32 = 1024;
/// Tokens that are run through the model together; more of a step come after them.
const TOGETHER: usize = 1024;
/// Name of the checkpoint in the folder of results.
const CHECKPOINT: &str = "checkpoint";

/// What to train.
#[derive(Clone, Debug)]
pub struct Training {
    /// The base model's GGUF file.
    pub base: PathBuf,
    /// Lines of `{"prompt": "...", "completion": "..."}`.
    pub data: PathBuf,
    /// Folder for the results; it is made if it is not there.
    pub out: PathBuf,
    /// How.
    pub settings: Settings,
    /// Base, data and trainer must be those of this recipe, if there is one.
    pub recipe: Option<Recipe>,
    /// Threads that compute.
    pub threads: usize,
    /// Whether to go on from a checkpoint in the folder.
    pub resume: bool,
    /// Steps between checkpoints.
    pub checkpoint: usize,
}

/// How far a training has come.
#[derive(Clone, Debug)]
pub struct Progress {
    /// Steps that are done.
    pub step: usize,
    /// Steps in all.
    pub steps: usize,
    /// The last step's loss, in nats per token of the completions.
    pub loss: f32,
    /// Tokens per second, of prompts and completions; what a step's examples share counts once.
    pub speed: f64,
    /// Time until the end at this speed.
    pub left: Duration,
}

/// Why nothing was trained.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The base model, or what was made of it.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A line of the training data.
    #[error(
        "{file}, line {line}: expected {{\"prompt\": \"...\", \"completion\": \"...\"}} with two texts, found {found}"
    )]
    Data {
        /// The file.
        file: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is there.
        found: String,
    },
    /// The settings.
    #[error("cannot train with {0}")]
    Settings(String),
    /// A file cannot be read or written.
    #[error("{file}: {error}")]
    Io {
        /// The file.
        file: PathBuf,
        /// Why.
        error: String,
    },
    /// The folder of results holds a checkpoint and nobody asked to go on from it.
    #[error(
        "{0} is there already; give --resume to go on from it, or remove it, or choose another folder"
    )]
    Unfinished(PathBuf),
    /// The checkpoint is of no use.
    #[error(
        "{file}: expected a checkpoint of this training, found {found}; remove it to start anew"
    )]
    Checkpoint {
        /// The file.
        file: PathBuf,
        /// What it is.
        found: &'static str,
    },
    /// A recipe's file is not one.
    #[error("{file}: expected a recipe as `touchstone train` writes it, found {found}")]
    Recipe {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        found: String,
    },
    /// Not what the recipe asks for.
    #[error("the recipe asks for the {what} {wanted}, and this is {found}")]
    Differs {
        /// Base, data or trainer.
        what: &'static str,
        /// In the recipe.
        wanted: String,
        /// Here.
        found: String,
    },
    /// The numbers have grown out of bounds.
    #[error("step {0} gave numbers that are not finite; lower the learning rate")]
    Diverged(usize),
}

impl TrainError {
    fn io(file: &Path, error: std::io::Error) -> Self {
        Self::Io {
            file: file.into(),
            error: error.to_string(),
        }
    }
}

/// The Blake2b-256 of a file's bytes, as `b2sum -l 256` prints it.
fn blake2(bytes: &[u8]) -> H256 {
    H256(Blake2b::<U32>::digest(bytes).into())
}

/// A base that can be trained on.
struct Base {
    loaded: Loaded,
    name: String,
}

impl Base {
    /// Reads a file. Gradients are known for Llama and Qwen2.
    fn load(file: &Path, cpu: Cpu) -> Result<Self, TrainError> {
        let head = Gguf::open(file)?;
        let architecture = head.text("general.architecture")?;
        if !["llama", "qwen2"].contains(&architecture) {
            let expected = "general.architecture: llama or qwen2, for which gradients are known";
            return Err(head.bad(expected, architecture).into());
        }
        let name = head
            .text("general.name")
            .unwrap_or(architecture)
            .to_string();
        let config = ModelConfig {
            name: name.clone(),
            path: file.into(),
            blake2: None,
            context: Some(LONGEST),
        };
        let loaded = load_file(&config, cpu, &Default::default())?;
        Ok(Self { loaded, name })
    }
}

/// Trains an adapter and writes `adapter_model.safetensors`, `adapter_config.json`, `recipe.json` and `loss.csv` into the folder
/// of results. Returns the recipe.
pub fn train(
    training: &Training,
    progress: &mut dyn FnMut(&Progress),
) -> Result<Recipe, TrainError> {
    let settings = &training.settings;
    let targets = settings.check()?;
    let cpu = Cpu::detect();
    let Base { loaded, name } = Base::load(&training.base, cpu)?;
    let (model, base) = (&loaded.model, loaded.manifest.base);
    let data = Data::read(&training.data, &loaded.tokenizer, model.shape.context)?;
    if let Some(recipe) = &training.recipe {
        recipe.ensure(base, data.hash)?;
    }
    let text = serde_json::to_vec(settings).unwrap_or_default();
    let parts: [&[u8]; 4] = [recipe::TRAINER.as_bytes(), &base.0, &data.hash.0, &text];
    let inputs = tagged_hash("touchstone/training/1", &parts);

    let layout = Layout::new(&model.shape, &targets, settings.rank, settings.alpha);
    std::fs::create_dir_all(&training.out).map_err(|e| TrainError::io(&training.out, e))?;
    let file = training.out.join(CHECKPOINT);
    let (mut losses, mut weights, mut adam) = match (file.exists(), training.resume) {
        (true, false) => return Err(TrainError::Unfinished(file)),
        (true, true) => Checkpoint::read(&file, inputs, layout.size)?.state(),
        (false, _) => (
            Vec::new(),
            layout.begin(&model.shape, settings.seed),
            AdamW::new(layout.size),
        ),
    };

    let pool = Pool::new(training.threads.max(1));
    let workers = pool.enter();
    let mut passes = Passes::new(model, &layout, cpu);
    let mut grads = vec![0.0; layout.size];
    let (started, first, mut tokens) = (Instant::now(), losses.len(), 0);
    for step in first..settings.steps {
        grads.fill(0.0);
        let mut loss = 0.0;
        let examples = data.step(settings.seed, settings.batch, step);
        for examples in parts_of(&examples) {
            let batch = Batch::new(examples, 1.0 / settings.batch as f32);
            tokens += batch.len();
            loss += passes.run(&workers, &batch, &weights, Some(&mut grads));
        }
        let (steps, rate) = (settings.steps, settings.learning_rate);
        let decay = settings.weight_decay;
        if !loss.is_finite() || !adam.step(&mut weights, &grads, (step, steps), rate, decay) {
            return Err(TrainError::Diverged(step + 1));
        }
        losses.push(loss as f32);
        if (step + 1).is_multiple_of(training.checkpoint.max(1)) || step + 1 == steps {
            Checkpoint::new(inputs, &losses, &weights, &adam).write(&file)?;
        }
        let elapsed = started.elapsed();
        progress(&Progress {
            step: step + 1,
            steps,
            loss: loss as f32,
            speed: tokens as f64 / elapsed.as_secs_f64(),
            left: elapsed.mul_f64((steps - step - 1) as f64 / (step + 1 - first) as f64),
        });
    }

    let config = serde_json::json!({
        "base_model_name_or_path": name,
        "bias": "none",
        "fan_in_fan_out": false,
        "inference_mode": true,
        "lora_alpha": settings.alpha,
        "lora_dropout": 0.0,
        "peft_type": "LORA",
        "r": settings.rank,
        "target_modules": settings.targets,
        "task_type": "CAUSAL_LM",
        "touchstone_base": hex::encode(base),
    });
    let out = |name: &str, bytes: &[u8]| write(&training.out.join(name), bytes);
    out(
        "adapter_model.safetensors",
        &layout.safetensors(&model.shape, &weights)?,
    )?;
    out("adapter_config.json", pretty(&config).as_bytes())?;
    let tenth = losses.len().div_ceil(10);
    let mean = |losses: &[f32]| losses.iter().sum::<f32>() / losses.len().max(1) as f32;
    let recipe = Recipe {
        trainer: recipe::TRAINER.into(),
        engine: ENGINE.into(),
        cpu: format!("{} {cpu:?}", std::env::consts::ARCH).to_lowercase(),
        base: Ingredient { name, blake2: base },
        data: Ingredient {
            name: file_name(&training.data),
            blake2: data.hash,
        },
        examples: data.examples.len(),
        settings: settings.clone(),
        loss: [
            mean(&losses[..tenth]),
            mean(&losses[losses.len() - tenth..]),
        ],
        // What the engine reads is what counts.
        adapter: Adapter::load(&training.out, &model.shape, base)?.hash,
    };
    let lines = losses
        .iter()
        .zip(1..)
        .map(|(loss, step)| format!("{step},{loss}\n"));
    let lines: String = lines.collect();
    out("loss.csv", format!("step,loss\n{lines}").as_bytes())?;
    out("recipe.json", recipe.text().as_bytes())?;
    std::fs::remove_file(&file).map_err(|e| TrainError::io(&file, e))?;
    Ok(recipe)
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into()
}

fn pretty(value: &serde_json::Value) -> String {
    format!("{value:#}\n")
}

/// Cuts a step's examples into parts that are computed together.
fn parts_of<'a, 'b>(examples: &'a [&'b Example]) -> Vec<&'a [&'b Example]> {
    let mut parts = Vec::new();
    let (mut start, mut tokens) = (0, 0);
    for (n, example) in examples.iter().enumerate() {
        if n > start && tokens + example.tokens.len() > TOGETHER {
            parts.push(&examples[start..n]);
            (start, tokens) = (n, 0);
        }
        tokens += example.tokens.len();
    }
    parts.push(&examples[start..]);
    parts
}
