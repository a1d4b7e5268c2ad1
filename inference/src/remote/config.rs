//! What an operator states about a remote server.

use super::transport::is_supported;
use crate::EngineError;
use serde::{Deserialize, Serialize};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};
use touchstone_primitives::{H256, manifest::Manifest};

/// Settings of a remote engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RemoteConfig {
    /// Base address, for example `http://127.0.0.1:8000/v1`. The node takes it from its command line.
    #[serde(default)]
    pub url: String,
    /// Which server it is.
    pub kind: RemoteKind,
    /// Its version, for manifests: other versions may give other tokens.
    pub version: String,
    /// File that holds the API key, if the server wants one.
    #[serde(default)]
    pub api_key_file: Option<PathBuf>,
    /// Models to serve; the first one is the default.
    pub models: Vec<RemoteModel>,
    /// The server's name of a model for sentence embeddings, if it has one.
    #[serde(default)]
    pub embedding: Option<String>,
    /// Jobs that run at a time.
    #[serde(default = "four")]
    pub slots: u32,
    /// Jobs that may wait.
    #[serde(default = "thirty_two")]
    pub queue: u32,
    /// How long to wait and how often to try.
    #[serde(default)]
    pub limits: RemoteLimits,
}

fn four() -> u32 {
    4
}

fn thirty_two() -> u32 {
    32
}

/// A server that speaks OpenAI's protocol and can tell token ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RemoteKind {
    /// vLLM.
    Vllm,
    /// SGLang.
    Sglang,
    /// The server of llama.cpp.
    LlamaCpp,
}

/// A model of a remote server. What the server does not tell truthfully enough for a receipt, the operator states.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RemoteModel {
    /// Name for people and for the OpenAI door.
    pub name: String,
    /// The server's name for it, as `GET /v1/models` tells it.
    pub remote_name: String,
    /// Blake2b-256 of the base model's canonical file, in hex.
    pub base: String,
    /// Blake2b-256 of the adapter's canonical file, in hex, if the server applies one under this name.
    #[serde(default)]
    pub adapter: Option<String>,
    /// Where the server has that adapter. With llama.cpp the file, as `--lora` named it: it is applied for each request. With vLLM
    /// the folder, if it is to be loaded under `remoteName` when the server does not list that name.
    #[serde(default)]
    pub lora: Option<String>,
    /// Precision of the weights as the server computes with them, for example `bf16`.
    pub weight_dtype: String,
    /// Precision of the server's key-value cache, for example `bf16`.
    pub cache_dtype: String,
    /// Hash of the tokenizer, in hex.
    pub tokenizer: String,
    /// Hash of the chat template, in hex.
    pub chat_template: String,
    /// Most tokens of prompt and answer together.
    pub context: u32,
}

/// How long to wait for a remote server and how often to try.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RemoteLimits {
    /// Longest wait for a connection, in milliseconds.
    pub connect_ms: u64,
    /// Longest wait for the first token, in milliseconds.
    pub first_token_ms: u64,
    /// Longest wait for each further token, in milliseconds.
    pub between_tokens_ms: u64,
    /// How often a job is repeated that failed before its first token.
    pub retries: u32,
    /// Pause before the first repetition, in milliseconds; it doubles each time.
    pub pause_ms: u64,
    /// Failed jobs in a row after which the server gets a rest.
    pub breaker_failures: u32,
    /// How long the rest is, in milliseconds; then one job tries.
    pub breaker_rest_ms: u64,
    /// How often the server is asked for its models, in milliseconds.
    pub poll_ms: u64,
}

impl Default for RemoteLimits {
    fn default() -> Self {
        Self {
            connect_ms: 5_000,
            first_token_ms: 120_000,
            between_tokens_ms: 30_000,
            retries: 2,
            pause_ms: 250,
            breaker_failures: 5,
            breaker_rest_ms: 10_000,
            poll_ms: 30_000,
        }
    }
}

impl RemoteLimits {
    pub(super) fn connect(&self) -> Duration {
        Duration::from_millis(self.connect_ms)
    }

    pub(super) fn first_token(&self) -> Duration {
        Duration::from_millis(self.first_token_ms)
    }

    pub(super) fn between_tokens(&self) -> Duration {
        Duration::from_millis(self.between_tokens_ms)
    }

    pub(super) fn pause(&self) -> Duration {
        Duration::from_millis(self.pause_ms)
    }

    pub(super) fn breaker_rest(&self) -> Duration {
        Duration::from_millis(self.breaker_rest_ms)
    }

    pub(super) fn poll(&self) -> Duration {
        Duration::from_millis(self.poll_ms.max(1))
    }
}

impl RemoteKind {
    /// Name in manifests.
    fn name(self) -> &'static str {
        match self {
            Self::Vllm => "vllm",
            Self::Sglang => "sglang",
            Self::LlamaCpp => "llama.cpp",
        }
    }

    /// What to do when ids are missing; continues "this engine cannot".
    pub(super) fn how_to_get_ids(self) -> &'static str {
        match self {
            Self::Vllm => {
                "make receipts: the server does not return all token ids; run a vLLM that knows `return_token_ids` \
				 (0.10.2 or newer), without a proxy that drops it and without tool or reasoning parsers"
            }
            Self::Sglang => {
                "make receipts: the server does not return all token ids; run an SGLang that knows \
				 `return_output_ids_in_sglext`, or start it with --return-input-ids --return-output-ids"
            }
            Self::LlamaCpp => {
                "make receipts: the server does not return all token ids; run a llama-server whose /completion knows \
				 `return_tokens`, with a context (-c) that holds prompt and answer and without context shift"
            }
        }
    }
}

impl RemoteConfig {
    /// Reads a JSON file.
    pub fn read(path: &Path) -> Result<Self, EngineError> {
        let bad = |found: String| {
            EngineError::BadModel {
			file: path.into(),
			expected: "a remote configuration in JSON: kind, version and models with their manifest fields".into(),
			found,
		}
        };
        let bytes = std::fs::read(path).map_err(|e| bad(e.to_string()))?;
        serde_json::from_slice(&bytes).map_err(|e| bad(e.to_string()))
    }

    pub(super) fn api_key(&self) -> Result<Option<String>, EngineError> {
        let Some(path) = &self.api_key_file else {
            return Ok(None);
        };
        let bad = |found: String| EngineError::BadModel {
            file: path.clone(),
            expected: "an API key in one line".into(),
            found,
        };
        let key = std::fs::read_to_string(path).map_err(|e| bad(e.to_string()))?;
        match key.trim() {
            "" => Err(bad("nothing".into())),
            key if key.chars().all(|c| c.is_ascii_graphic()) => Ok(Some(key.into())),
            _ => Err(bad("several lines or unusual characters".into())),
        }
    }

    /// Every model with its manifest, or what is wrong with the configuration.
    pub(super) fn manifests(&self) -> Result<Vec<(&RemoteModel, Manifest)>, EngineError> {
        let bad = |what: String| EngineError::Failed(format!("remote configuration: {what}"));
        if !is_supported(&self.url) {
            return Err(bad(format!(
                "\"{}\" is not http(s)://HOST[:PORT]/v1",
                self.url
            )));
        }
        if self.models.is_empty() {
            return Err(bad("no models; state at least one under `models`".into()));
        }
        if self.version.trim().is_empty() {
            return Err(bad("`version` is empty; state the server's version".into()));
        }
        let manifest = |model: &RemoteModel| {
            let bad = |field: &str, need: &str| {
                bad(format!(
                    "model \"{}\": `{field}` must be {need}",
                    model.name
                ))
            };
            let hash = |field: &str, text: &str| {
                let digits = text.strip_prefix("0x").unwrap_or(text);
                let mut bytes = [0; 32];
                match hex::decode_to_slice(digits, &mut bytes) {
                    Ok(()) if bytes != [0; 32] => Ok(H256(bytes)),
                    _ => Err(bad(field, "a hash of 64 hex digits")),
                }
            };
            let filled = |field: &str, text: &str| match text.trim().is_empty() {
                true => Err(bad(field, "stated")),
                false => Ok(text.trim().to_string()),
            };
            filled("name", &model.name)?;
            filled("remoteName", &model.remote_name)?;
            match (self.kind, &model.adapter, &model.lora) {
                (_, None, Some(_)) => {
                    return Err(bad("adapter", "the hash of what `lora` names"));
                }
                (RemoteKind::LlamaCpp, Some(_), None) => {
                    return Err(bad(
                        "lora",
                        "the adapter's file as the server's --lora names it",
                    ));
                }
                (RemoteKind::Sglang, _, Some(_)) => {
                    let need = "absent: start SGLang with --lora-paths and name the adapter in `remoteName`";
                    return Err(bad("lora", need));
                }
                _ => {}
            }
            if model.context == 0 {
                return Err(bad("context", "at least 1"));
            }
            let engine = format!("remote:{}/{}", self.kind.name(), self.version.trim());
            Ok(Manifest {
                base: hash("base", &model.base)?,
                adapter: model
                    .adapter
                    .as_deref()
                    .map(|a| hash("adapter", a))
                    .transpose()?,
                weight_dtype: filled("weightDtype", &model.weight_dtype)?,
                cache_dtype: filled("cacheDtype", &model.cache_dtype)?,
                tokenizer: hash("tokenizer", &model.tokenizer)?,
                chat_template: hash("chatTemplate", &model.chat_template)?,
                sampler: engine.clone(),
                engine,
                context: model.context,
            })
        };
        let mut all = Vec::with_capacity(self.models.len());
        for (n, model) in self.models.iter().enumerate() {
            if self
                .models
                .iter()
                .take(n)
                .any(|other| other.name == model.name)
            {
                return Err(bad(format!("two models are called \"{}\"", model.name)));
            }
            all.push((model, manifest(model)?));
        }
        Ok(all)
    }
}
