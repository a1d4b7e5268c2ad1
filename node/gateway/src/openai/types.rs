//! What goes over the wire.

use crate::Ask;
use serde::Deserialize;
use serde_json::{Value, json};
use touchstone_primitives::{
    H256,
    request::{Message, Role},
    tagged_hash,
};
use touchstone_rpc::{AskAnswer, AskMemory, AskRequest, FinishReason, Model};

/// A request for a chat completion. Fields that are not listed are for features that change nothing here (`user`, `metadata`, ...).
#[derive(Deserialize)]
pub(super) struct ChatRequest {
    model: Option<String>,
    messages: Vec<ChatMessage>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    max_tokens: Option<u32>,
    max_completion_tokens: Option<u32>,
    temperature: Option<f64>,
    stop: Option<OneOrMany>,
    seed: Option<i64>,
    touchstone: Option<Extension>,
    // What the network cannot do, unless it is set to its default.
    n: Option<u64>,
    top_p: Option<f64>,
    presence_penalty: Option<f64>,
    frequency_penalty: Option<f64>,
    logprobs: Option<bool>,
    response_format: Option<Value>,
    tools: Option<Vec<Value>>,
    functions: Option<Vec<Value>>,
    logit_bias: Option<serde_json::Map<String, Value>>,
}

#[derive(Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// What this network adds to the interface.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Extension {
    topic: Option<String>,
    top_k: Option<u8>,
    client_nonce: Option<H256>,
    memory: Option<AskMemory>,
}

#[derive(Deserialize)]
struct ChatMessage {
    role: String,
    content: Content,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Deserialize)]
struct Part {
    #[serde(rename = "type")]
    kind: String,
    text: Option<String>,
}

impl ChatMessage {
    fn message(self) -> Result<Message, String> {
        let role = match self.role.as_str() {
            "system" | "developer" => Role::System,
            "user" => Role::User,
            "assistant" => Role::Assistant,
            other => {
                return Err(format!(
                    "role \"{other}\" is not known; there are system, developer, user and assistant"
                ));
            }
        };
        let content = match self.content {
            Content::Text(text) => text,
            Content::Parts(parts) => parts
                .into_iter()
                .map(|part| match (part.kind.as_str(), part.text) {
                    ("text", Some(text)) => Ok(text),
                    (kind, _) => Err(format!(
                        "content of type \"{kind}\" is not supported, only text"
                    )),
                })
                .collect::<Result<String, String>>()?,
        };
        Ok(Message { role, content })
    }
}

impl ChatRequest {
    pub(super) fn is_stream(&self) -> bool {
        self.stream.unwrap_or(false)
    }

    pub(super) fn includes_usage(&self) -> bool {
        self.stream_options
            .as_ref()
            .is_some_and(|options| options.include_usage)
    }

    /// The question; or what the network cannot do.
    pub(super) fn into_ask(self) -> Result<Ask, String> {
        self.check_supported()?;
        let extension = self.touchstone.unwrap_or_default();
        let seeded = |seed: i64| tagged_hash("touchstone/openai-seed/1", &[&seed.to_le_bytes()]);
        Ok(Ask {
            request: AskRequest {
                memory: extension.memory,
                messages: Some(
                    self.messages
                        .into_iter()
                        .map(ChatMessage::message)
                        .collect::<Result<Vec<_>, _>>()?,
                ),
                prompt: None,
                topic: extension.topic,
                model: self.model,
                adapter: None,
                max_tokens: self.max_completion_tokens.or(self.max_tokens),
                temperature: self.temperature,
                top_k: extension.top_k,
                client_nonce: extension.client_nonce.or(self.seed.map(seeded)),
            },
            stop: match self.stop {
                None => Vec::new(),
                Some(OneOrMany::One(stop)) => vec![stop],
                Some(OneOrMany::Many(stops)) => stops,
            },
        })
    }

    fn check_supported(&self) -> Result<(), String> {
        let text_format = |format: &Value| format.get("type").is_some_and(|kind| kind == "text");
        let unsupported = [
            ("n", self.n.is_some_and(|n| n != 1)),
            ("top_p", self.top_p.is_some_and(|p| p != 1.0)),
            (
                "presence_penalty",
                self.presence_penalty.is_some_and(|p| p != 0.0),
            ),
            (
                "frequency_penalty",
                self.frequency_penalty.is_some_and(|p| p != 0.0),
            ),
            ("logprobs", self.logprobs == Some(true)),
            (
                "response_format",
                self.response_format
                    .as_ref()
                    .is_some_and(|f| !text_format(f)),
            ),
            (
                "tools",
                self.tools.as_ref().is_some_and(|tools| !tools.is_empty()),
            ),
            (
                "functions",
                self.functions
                    .as_ref()
                    .is_some_and(|functions| !functions.is_empty()),
            ),
            (
                "logit_bias",
                self.logit_bias
                    .as_ref()
                    .is_some_and(|bias| !bias.is_empty()),
            ),
        ];
        match unsupported.iter().find(|(_, used)| *used) {
            Some((name, _)) => Err(format!(
                "`{name}` is not supported: the network fixes how answers are drawn; leave it out"
            )),
            None => Ok(()),
        }
    }
}

/// Seconds since the Unix epoch.
pub(super) fn now() -> u64 {
    crate::answer::wall_clock() / 1000
}

pub(super) fn model_list(models: &[Model]) -> Value {
    let data: Vec<Value> = models
        .iter()
        .map(|model| {
            json!({
                "id": model.name,
                "object": "model",
                "created": 0,
                "owned_by": "touchstone",
                "touchstone": {
                    "manifestHash": model.manifest_hash,
                    "manifest": model.manifest,
                    "state": model.state,
                    "registered": model.registered,
                    "progress": model.progress,
                    "adapter": model.adapter,
                },
            })
        })
        .collect();
    json!({"object": "list", "data": data})
}

fn finish(answer: &AskAnswer) -> &'static str {
    match answer.finish_reason {
        FinishReason::Stop => "stop",
        FinishReason::Length => "length",
    }
}

fn usage(answer: &AskAnswer) -> Value {
    json!({
        "prompt_tokens": answer.usage.prompt_tokens,
        "completion_tokens": answer.usage.completion_tokens,
        "total_tokens": answer.usage.total_tokens,
    })
}

/// What this network adds to an answer.
fn extension(answer: &AskAnswer) -> Value {
    let mut extension = json!({
        "receipt": answer.receipt,
        "manifest": answer.manifest,
        "tokenIds": answer.token_ids,
        "timings": answer.timings,
    });
    if let Some(memory) = &answer.memory {
        extension["memory"] = json!(memory);
        extension["remembered"] = json!(answer.remembered);
    }
    extension
}

pub(super) fn completion(model: &str, answer: &AskAnswer) -> Value {
    json!({
        "id": format!("chatcmpl-{}", hex::encode(answer.receipt.id.as_bytes())),
        "object": "chat.completion",
        "created": now(),
        "model": model,
        "choices": [{
            "index": 0,
            "message": {"role": "assistant", "content": answer.text},
            "logprobs": null,
            "finish_reason": finish(answer),
        }],
        "usage": usage(answer),
        "touchstone": extension(answer),
    })
}

/// What all chunks of a stream share.
pub(super) struct Chunk {
    pub(super) id: String,
    pub(super) model: String,
    pub(super) created: u64,
    pub(super) include_usage: bool,
}

impl Chunk {
    fn chunk(&self, delta: Value, finish: Option<&str>) -> Value {
        let choices =
            json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}]);
        self.with(choices)
    }

    fn with(&self, choices: Value) -> Value {
        json!({
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": choices,
        })
    }

    /// The first chunk.
    pub(super) fn role(&self) -> Value {
        self.chunk(json!({"role": "assistant", "content": ""}), None)
    }

    /// More text.
    pub(super) fn delta(&self, text: &str) -> Value {
        self.chunk(json!({"content": text}), None)
    }

    /// The end, with the receipt.
    pub(super) fn end(&self, answer: &AskAnswer) -> Value {
        let mut chunk = self.chunk(json!({}), Some(finish(answer)));
        chunk["touchstone"] = extension(answer);
        chunk
    }

    /// Usage, if the client wants it.
    pub(super) fn usage(&self, answer: &AskAnswer) -> Option<Value> {
        let mut chunk = self.include_usage.then(|| self.with(json!([])))?;
        chunk["usage"] = usage(answer);
        Some(chunk)
    }
}
