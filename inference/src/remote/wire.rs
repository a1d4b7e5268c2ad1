//! What the servers say, as far as it is read.

use super::transport::Fault;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

/// `GET /v1/models`.
#[derive(Deserialize)]
pub(super) struct Listing {
    pub data: Vec<Listed>,
}

#[derive(Deserialize)]
pub(super) struct Listed {
    pub id: String,
}

/// A part of the stream of `POST /v1/chat/completions`.
#[derive(Deserialize)]
pub(super) struct Chunk {
    #[serde(default)]
    pub choices: Vec<Choice>,
    /// vLLM, in the first part.
    pub prompt_token_ids: Option<Vec<u32>>,
    /// SGLang, in the last part but the usage.
    pub sglext: Option<Sglext>,
    pub usage: Option<Usage>,
    pub error: Option<Value>,
}

#[derive(Deserialize)]
pub(super) struct Choice {
    #[serde(default)]
    pub delta: Delta,
    pub finish_reason: Option<String>,
    /// vLLM.
    pub token_ids: Option<Vec<u32>>,
    pub logprobs: Option<Logprobs>,
}

#[derive(Default, Deserialize)]
pub(super) struct Delta {
    pub content: Option<String>,
    reasoning: Option<String>,
    reasoning_content: Option<String>,
}

impl Delta {
    /// Whether text was taken out of the answer.
    pub(super) fn has_reasoning(&self) -> bool {
        [&self.reasoning, &self.reasoning_content]
            .into_iter()
            .flatten()
            .any(|text| !text.is_empty())
    }
}

#[derive(Deserialize)]
pub(super) struct Logprobs {
    pub content: Option<Vec<Logprob>>,
}

#[derive(Deserialize)]
pub(super) struct Logprob {
    pub logprob: f32,
}

#[derive(Clone, Copy, Deserialize)]
pub(super) struct Usage {
    pub prompt_tokens: usize,
    #[serde(default)]
    pub completion_tokens: usize,
}

#[derive(Deserialize)]
pub(super) struct Sglext {
    pub input_ids: Option<Ids>,
    pub output_ids: Option<Ids>,
}

/// Token ids, once or for each choice; one choice is asked for.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Ids {
    One(Vec<u32>),
    EachChoice(Vec<Vec<u32>>),
}

impl Default for Ids {
    fn default() -> Self {
        Self::One(Vec::new())
    }
}

impl Ids {
    pub(super) fn flatten(self) -> Vec<u32> {
        match self {
            Self::One(ids) => ids,
            Self::EachChoice(choices) => choices.into_iter().next().unwrap_or_default(),
        }
    }
}

/// llama.cpp's `POST /apply-template`.
#[derive(Deserialize)]
pub(super) struct Prompt {
    pub prompt: String,
}

/// llama.cpp's `POST /tokenize`.
#[derive(Deserialize)]
pub(super) struct Tokens {
    pub tokens: Vec<u32>,
}

/// One of llama.cpp's `GET /lora-adapters`.
#[derive(Deserialize)]
pub(super) struct LoraAdapter {
    pub id: u32,
    pub path: String,
}

/// llama.cpp's `POST /completion`.
#[derive(Deserialize)]
pub(super) struct Completion {
    pub content: String,
    #[serde(default)]
    pub tokens: Vec<u32>,
    #[serde(default)]
    pub completion_probabilities: Vec<Logprob>,
    pub stop_type: String,
    pub tokens_predicted: usize,
    pub tokens_evaluated: usize,
    #[serde(default)]
    pub truncated: bool,
}

/// `POST /v1/embeddings`.
#[derive(Deserialize)]
pub(super) struct Embeddings {
    data: Vec<Embedding>,
}

#[derive(Deserialize)]
struct Embedding {
    index: usize,
    embedding: Vec<f32>,
}

impl Embeddings {
    /// As many vectors as texts were sent, each of length 1.
    pub(super) fn vectors(mut self, texts: usize) -> Result<Vec<Vec<f32>>, Fault> {
        self.data.sort_by_key(|e| e.index);
        if !self.data.iter().map(|e| e.index).eq(0..texts) {
            return Err(Fault::Garbled(format!(
                "{} vectors for {texts} texts",
                self.data.len()
            )));
        }
        let unit = |e: Embedding| {
            let length = e.embedding.iter().map(|x| x * x).sum::<f32>().sqrt();
            match length.is_normal() {
                true => Ok(e.embedding.iter().map(|x| x / length).collect()),
                false => Err(Fault::Garbled("a vector without a direction".into())),
            }
        };
        self.data.into_iter().map(unit).collect()
    }
}

/// Reads JSON of a known shape.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(bytes).map_err(|e| {
        let start = String::from_utf8_lossy(bytes.get(..200).unwrap_or(bytes));
        Fault::Garbled(format!("unreadable reply ({e}): {}", shorten(&start)))
    })
}

/// At most 200 characters, for messages.
pub(super) fn shorten(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(200)
        .collect()
}
