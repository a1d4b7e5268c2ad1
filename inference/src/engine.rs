//! What every backend offers. Calls block; run them on threads of their own, never on an async executor.

use std::{ops::ControlFlow, path::PathBuf, time::Duration};
use touchstone_primitives::{manifest::Manifest, request::Message};

/// A backend that can answer.
pub trait Engine: Send + Sync {
    /// What it can answer with, and in which state each model is. The first one is the default.
    fn models(&self) -> Vec<ModelInfo>;

    /// Answers a conversation. Every piece goes to `sink` as soon as it exists; `Break` cancels and frees the slot. While there
    /// is nothing to hand out, in the queue or while a long prompt is read, an empty piece asks whether to go on.
    ///
    /// The same job gives the same tokens, whatever else runs beside it.
    fn generate(
        &self,
        job: &Job,
        sink: &mut dyn FnMut(Piece) -> ControlFlow<()>,
    ) -> Result<Generated, EngineError>;

    /// Scores given tokens in one prefill (teacher forcing): for each position the `top_k` likeliest tokens with their
    /// natural-log probabilities, likeliest first, and the log probability of the token that stands there.
    fn score(&self, query: &ScoreQuery) -> Result<Vec<ScoredPosition>, EngineError>;

    /// One vector of length 1 for each text.
    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EngineError>;

    /// For each text a probability for each label of a classifier, in the order of its labels.
    fn classify(
        &self,
        _classifier: &str,
        _texts: &[&str],
    ) -> Result<Vec<Vec<(String, f32)>>, EngineError> {
        Err(EngineError::Unsupported(
            "classify texts; the embedded engine can, with `classifiers` in its configuration",
        ))
    }

    /// How many jobs run and wait now.
    fn load(&self) -> Load;
}

/// A model of a backend.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelInfo {
    /// Name for people and for the OpenAI door.
    pub name: String,
    /// What it consists of.
    pub manifest: Manifest,
    /// Whether it answers.
    pub state: ModelState,
    /// What it is, if it is an adapter on another model of this backend.
    pub adapter: Option<AdapterInfo>,
}

/// An adapter and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdapterInfo {
    /// Its name.
    pub name: String,
    /// Name of the model that it belongs to.
    pub base: String,
    /// Bytes that it takes in memory; 0 while that is not known.
    pub bytes: usize,
    /// Whether it is in memory.
    pub residency: Residency,
}

/// Where an adapter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Residency {
    /// Being read and checked for the first time.
    Loading,
    /// In memory.
    Resident,
    /// Not in memory; if it is sound, it is read when it is asked for.
    Evicted,
}

/// Whether a model answers.
#[derive(Clone, Debug, PartialEq)]
pub enum ModelState {
    /// It answers.
    Ready,
    /// It is being read.
    Loading(Progress),
    /// It could not be loaded; the text says why and what to do.
    Failed(String),
}

/// How much of a file has been read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that have been read.
    pub read: u64,
    /// Bytes that there are; 0 while that is not known.
    pub size: u64,
}

impl Progress {
    /// 0 to 100.
    pub fn percent(self) -> u64 {
        let percent = self.read.saturating_mul(100).checked_div(self.size);
        percent.unwrap_or(0).min(100)
    }
}

/// How to answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Name of the model; the first one if absent.
    pub model: Option<String>,
    /// The conversation, put into the model's chat template.
    pub messages: Vec<Message>,
    /// Most tokens of the answer.
    pub max_tokens: u32,
    /// Temperature in thousandths; 0 is greedy.
    pub temperature_milli: u32,
    /// Among how many of the likeliest tokens the sampler chooses, 1..=64.
    pub top_k: u8,
    /// Key of the sampler's noise.
    pub sampler_key: [u8; 32],
    /// Texts that end the answer; they are not part of it.
    pub stop: Vec<String>,
}

/// A part of an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Piece {
    /// Text to append; empty while a character is incomplete.
    pub text: String,
    /// Tokens to append.
    pub token_ids: Vec<u32>,
    /// Natural-log probability of each of them.
    pub logprobs: Vec<f32>,
}

/// A finished answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Generated {
    /// The text: what the pieces add up to.
    pub text: String,
    /// The tokens, the end mark included.
    pub token_ids: Vec<u32>,
    /// Tokens of the prompt, template included.
    pub prompt_token_ids: Vec<u32>,
    /// Why it ended.
    pub finish: Finish,
    /// Manifest of the model that answered.
    pub manifest: Manifest,
    /// Waiting for a slot.
    pub queued: Duration,
    /// Reading the prompt.
    pub prefill: Duration,
    /// Writing the answer.
    pub decode: Duration,
}

impl Generated {
    /// One that was cancelled before its first token.
    pub(crate) fn cancelled(manifest: Manifest, prompt: Vec<u32>, queued: Duration) -> Self {
        Self {
            text: String::new(),
            token_ids: Vec::new(),
            prompt_token_ids: prompt,
            finish: Finish::Cancelled,
            manifest,
            queued,
            prefill: Duration::ZERO,
            decode: Duration::ZERO,
        }
    }
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// The model ended it, or a stop text appeared.
    Stop,
    /// `max_tokens` was reached.
    Length,
    /// The sink asked for it.
    Cancelled,
}

/// What to score.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoreQuery {
    /// Name of the model; the first one if absent.
    pub model: Option<String>,
    /// Tokens of the prompt.
    pub prompt_token_ids: Vec<u32>,
    /// Tokens of the answer, which are scored.
    pub token_ids: Vec<u32>,
    /// How many of the likeliest tokens to return for each position, at most 128.
    pub top_k: u8,
}

/// Scores at one position.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoredPosition {
    /// The likeliest tokens and their natural-log probabilities, likeliest first (ties: lower id first).
    pub top: Vec<(u32, f32)>,
    /// Natural-log probability of the token that stands there.
    pub logprob: f32,
}

/// How busy an engine is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Jobs that run.
    pub active: u32,
    /// Jobs that wait.
    pub queued: u32,
}

/// Why an engine did not answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum EngineError {
    /// As many jobs as allowed run and wait.
    #[error("the engine is busy: {active} running, {queued} waiting; try again later")]
    Busy {
        /// Jobs that run.
        active: u32,
        /// Jobs that wait.
        queued: u32,
    },
    /// Prompt and answer do not fit.
    #[error(
        "{prompt} prompt tokens and {max_tokens} answer tokens exceed the model's context of {context}; shorten the \
		 prompt or lower the limit"
    )]
    ContextExceeded {
        /// Tokens of the prompt.
        prompt: u32,
        /// Tokens asked for.
        max_tokens: u32,
        /// Most tokens of both.
        context: u32,
    },
    /// There is no such model here.
    #[error("no model \"{0}\" here; `inference_models` lists those there are")]
    UnknownModel(String),
    /// A file is not what it should be.
    #[error("{file}: expected {expected}, found {found}")]
    BadModel {
        /// The file.
        file: PathBuf,
        /// What it should be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// The model is not ready yet.
    #[error("model \"{0}\" is being loaded ({1} % are read); try again in a moment")]
    Loading(String, u64),
    /// The model is not ready.
    #[error("model \"{0}\" is not ready: {1}")]
    NotReady(String, String),
    /// The backend cannot do this.
    #[error("this engine cannot {0}")]
    Unsupported(&'static str),
    /// Something broke while answering.
    #[error("the engine failed: {0}")]
    Failed(String),
}
