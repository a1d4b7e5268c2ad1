//! What goes over the wire.

use codec::{Decode, Encode};
use serde::{Deserialize, Serialize};
use sp_core::{Bytes, H256};
use touchstone_primitives::{
    AccountId32, NodeId,
    manifest::Manifest,
    merkle::Proof,
    receipt::Receipt,
    request::{InvalidRequest, Message, Options, Request, Role},
};

/// Tokens of an answer when the request does not say.
pub const DEFAULT_MAX_TOKENS: u32 = 256;
pub use touchstone_primitives::request::DEFAULT_TOP_K;

/// A question. Exactly one of `messages` and `prompt` must be given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AskRequest {
    /// The conversation, oldest message first; the last one is the user's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages: Option<Vec<Message>>,
    /// Short form of one user message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// Name of a registered topic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// Name of the model, as `inference_models` has it; default: the first one. The receipt says which one it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Name of an adapter of that model or, if none is named, of any. `model: "BASE+ADAPTER"` says the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter: Option<String>,
    /// Most tokens of the answer, 1..=4096; default 256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// 0 (greedy, the default) to 2; rounded to thousandths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Among how many of the likeliest tokens to choose, 1..=64; default 40. Without effect at temperature 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_k: Option<u8>,
    /// Memory to answer with. What it finds stands before the last message in the canonical request, so the query hash covers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<crate::AskMemory>,
    /// Any 32 bytes; they make the query hash of equal questions different. Drawn by the node if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_nonce: Option<H256>,
}

impl AskRequest {
    /// The canonical request, with `nonce` where the client gave none; or what is wrong with it.
    pub fn canonical(self, nonce: H256) -> Result<Request, String> {
        let messages = match (self.messages, self.prompt) {
            (Some(messages), None) => messages,
            (None, Some(content)) => vec![Message {
                role: Role::User,
                content,
            }],
            _ => return Err("give either `messages` or `prompt`".into()),
        };
        let temperature = self.temperature.unwrap_or(0.0);
        if !(0.0..=1e6).contains(&temperature) {
            return Err(crate::errors::explain(
                InvalidRequest::TemperatureOutOfRange,
            ));
        }
        let request = Request {
            messages,
            topic: self.topic,
            options: Options {
                max_tokens: self.max_tokens.unwrap_or(DEFAULT_MAX_TOKENS),
                temperature_milli: (temperature * 1000.0).round() as u32,
                top_k: self.top_k.unwrap_or(DEFAULT_TOP_K),
            },
            client_nonce: self.client_nonce.unwrap_or(nonce),
        };
        request.check().map_err(crate::errors::explain)?;
        Ok(request)
    }
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FinishReason {
    /// The model ended it.
    Stop,
    /// `maxTokens` or the context limit was reached.
    Length,
}

/// Tokens that were processed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// Tokens of the prompt, template included.
    pub prompt_tokens: u32,
    /// Tokens of the answer, the end mark included.
    pub completion_tokens: u32,
    /// Their sum.
    pub total_tokens: u32,
}

/// Where the time went, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Timings {
    /// Waiting for a free slot of the engine.
    pub queue_ms: f64,
    /// Reading the prompt.
    pub prefill_ms: f64,
    /// Writing the answer.
    pub decode_ms: f64,
    /// Signing the receipt and making it durable.
    pub receipt_ms: f64,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AskAnswer {
    /// The text.
    pub text: String,
    /// The tokens, the end mark included.
    pub token_ids: Vec<u32>,
    /// Why it ended.
    pub finish_reason: FinishReason,
    /// What made it; its hash is in the receipt.
    pub manifest: Manifest,
    /// Tokens that were processed.
    pub usage: Usage,
    /// Where the time went.
    pub timings: Timings,
    /// The signed record.
    pub receipt: ReceiptView,
    /// What of memory was put before the model, in the order of its numbers [1], [2], ..; its root is in the receipt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<crate::MemoryAnswer>,
    /// What became of the writes that were to be remembered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remembered: Option<crate::Remembered>,
}

/// One item of a streamed answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "type", try_from = "serde_json::Value")]
pub enum AskUpdate {
    /// More text. Token ids may come without text while a character is incomplete.
    #[serde(rename_all = "camelCase")]
    Delta {
        /// Text to append.
        text: String,
        /// Tokens to append.
        token_ids: Vec<u32>,
    },
    /// The whole answer; the last item.
    Answer {
        /// The answer.
        answer: Box<AskAnswer>,
    },
    /// It could not be finished; the last item.
    Error {
        /// One of [`crate::errors`].
        code: i32,
        /// What happened and what to do.
        message: String,
    },
}

/// By hand, because serde's tagged enums cannot read fractions when `serde_json` keeps arbitrary precision, which the SDK turns on.
impl TryFrom<serde_json::Value> for AskUpdate {
    type Error = serde_json::Error;

    fn try_from(value: serde_json::Value) -> Result<Self, serde_json::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Delta {
            text: String,
            token_ids: Vec<u32>,
        }
        #[derive(Deserialize)]
        struct Answer {
            answer: Box<AskAnswer>,
        }
        #[derive(Deserialize)]
        struct Failure {
            code: i32,
            message: String,
        }
        let kind = value
            .get("type")
            .and_then(|kind| kind.as_str())
            .unwrap_or_default();
        Ok(match kind {
            "delta" => {
                let Delta { text, token_ids } = serde_json::from_value(value)?;
                Self::Delta { text, token_ids }
            }
            "answer" => {
                let Answer { answer } = serde_json::from_value(value)?;
                Self::Answer { answer }
            }
            "error" => {
                let Failure { code, message } = serde_json::from_value(value)?;
                Self::Error { code, message }
            }
            other => {
                let reason =
                    format!("an update of type \"{other}\"; known are delta, answer and error");
                return Err(serde::de::Error::custom(reason));
            }
        })
    }
}

/// A receipt as JSON. `encoded` is the receipt; the other fields repeat it for people, and parsing checks that they agree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(
    rename_all = "camelCase",
    try_from = "serde_json::Map<String, serde_json::Value>"
)]
pub struct ReceiptView {
    /// Id: leaf of the batch tree.
    pub id: H256,
    /// SCALE encoding, both signatures included.
    pub encoded: Bytes,
    /// Genesis hash of the chain.
    pub genesis: H256,
    /// Node that took the query.
    pub gateway: NodeId,
    /// Its stream.
    pub stream: u32,
    /// Number within the stream.
    pub sequence: u64,
    /// Node that produced the answer.
    pub specialist: NodeId,
    /// Chain time when the answer was complete.
    pub answered_at: u64,
    /// Hash of the canonical request.
    pub query_hash: H256,
    /// Topic.
    pub topic: Option<String>,
    /// Trust tier.
    pub tier: touchstone_primitives::provenance::Tier,
    /// Version of the routing policy.
    pub policy_version: u32,
    /// Root of the epoch's routing table.
    pub table_root: Option<H256>,
    /// Hash of the options.
    pub options_hash: H256,
    /// Nonce of the request.
    pub client_nonce: H256,
    /// Session whose randomness was current.
    pub session: u32,
    /// That randomness.
    pub randomness: H256,
    /// Temperature in thousandths.
    pub temperature_milli: u32,
    /// Among how many of the likeliest tokens.
    pub top_k: u8,
    /// Most tokens allowed.
    pub max_tokens: u32,
    /// Hash of the manifest.
    pub manifest_hash: H256,
    /// Merkle root over the prompt's token ids.
    pub prompt_token_root: H256,
    /// Merkle root over the answer's token ids.
    pub token_root: H256,
    /// Number of tokens of the answer.
    pub token_count: u32,
    /// Hash of the answer's text.
    pub answer_hash: H256,
    /// Root of the memory that was read.
    pub memory_root: Option<H256>,
    /// Result of verification by class.
    pub verdict: Option<String>,
}

impl ReceiptView {
    /// The view of a receipt.
    pub fn of(receipt: &Receipt) -> Self {
        let wrapper = receipt.wrapper();
        let body = &wrapper.body;
        Self {
            id: receipt.id(),
            encoded: Bytes(receipt.encode()),
            genesis: wrapper.genesis,
            gateway: wrapper.gateway.clone(),
            stream: wrapper.stream,
            sequence: wrapper.sequence,
            specialist: wrapper.specialist.clone(),
            answered_at: wrapper.answered_at,
            query_hash: body.query_hash,
            topic: body.topic.clone(),
            tier: body.tier,
            policy_version: body.policy_version,
            table_root: body.table_root,
            options_hash: body.options_hash,
            client_nonce: body.client_nonce,
            session: body.beacon.session,
            randomness: body.beacon.randomness,
            temperature_milli: body.sampler.temperature_milli,
            top_k: body.sampler.top_k,
            max_tokens: body.sampler.max_tokens,
            manifest_hash: body.manifest_hash,
            prompt_token_root: body.prompt_token_root,
            token_root: body.token_root,
            token_count: body.token_count,
            answer_hash: body.answer_hash,
            memory_root: body.memory_root,
            verdict: body.verdict.map(|v| format!("{v:?}").to_lowercase()),
        }
    }

    /// The receipt itself. Parsing a view has checked that it decodes.
    pub fn receipt(&self) -> Result<Receipt, String> {
        Receipt::decode(&mut &self.encoded.0[..]).map_err(|e| format!("`encoded`: {e}"))
    }
}

impl TryFrom<serde_json::Map<String, serde_json::Value>> for ReceiptView {
    type Error = String;

    fn try_from(map: serde_json::Map<String, serde_json::Value>) -> Result<Self, String> {
        let encoded = map
            .get("encoded")
            .ok_or("a receipt needs the field `encoded`")?;
        let encoded: Bytes =
            serde_json::from_value(encoded.clone()).map_err(|e| format!("`encoded`: {e}"))?;
        let mut bytes = &encoded.0[..];
        let receipt = Receipt::decode(&mut bytes).map_err(|e| format!("`encoded`: {e}"))?;
        if !bytes.is_empty() {
            return Err(format!("`encoded` has {} bytes too many", bytes.len()));
        }
        let view = Self::of(&receipt);
        let serde_json::Value::Object(fields) =
            serde_json::to_value(&view).map_err(|e| e.to_string())?
        else {
            return Err("a receipt is an object".into());
        };
        for (name, value) in &map {
            match fields.get(name) {
                Some(own) if own == value => {}
                Some(own) => return Err(format!("`{name}` is {value} but `encoded` says {own}")),
                None => return Err(format!("unknown field `{name}`")),
            }
        }
        Ok(view)
    }
}

/// Where a receipt is anchored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Anchor {
    /// Number of the block that anchored the batch.
    pub block: u32,
    /// Its hash.
    pub block_hash: H256,
    /// Root of the batch.
    pub root: H256,
    /// That the receipt's id is a leaf of it.
    pub proof: Proof,
    /// Whether the block is finalised.
    pub finalized: bool,
}

/// Answer of `receipts_get`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredReceipt {
    /// The receipt.
    pub receipt: ReceiptView,
    /// Its anchor, once the batch is in the best chain.
    pub anchor: Option<Anchor>,
}

/// Answer of `receipts_verify`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Verification {
    /// Whether everything that could be checked holds.
    pub valid: bool,
    /// Whether the anchor was given and holds in finalised state.
    pub anchored: bool,
    /// What failed, in words.
    pub reason: Option<String>,
}

/// Something that this node can answer with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Model {
    /// What to ask for: `BASE`, or `BASE+ADAPTER`.
    pub name: String,
    /// Hash of the manifest.
    pub manifest_hash: H256,
    /// The manifest.
    pub manifest: Manifest,
    /// Whether it answers: `ready`, `loading` or what is wrong.
    pub state: String,
    /// Whether base and adapter are in the registry.
    pub registered: bool,
    /// How far it is, while it is `loading`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// What it adds to which base, if it is an adapter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter: Option<Adapter>,
}

/// How much of a model's file has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// Bytes that have been read.
    pub read: u64,
    /// Bytes that there are; 0 while that is not known.
    pub size: u64,
    /// 0 to 100.
    pub percent: u64,
}

/// An adapter and where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Adapter {
    /// Its name.
    pub name: String,
    /// Name of the model that it changes.
    pub base: String,
    /// Bytes that it takes in memory; 0 while that is not known.
    pub bytes: u64,
    /// `loading`, `resident` or `evicted`: read again when it is asked for.
    pub residency: String,
}

/// State of the engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EngineHealth {
    /// Of the model that answers by default: `ready`, `loading`, `none` or `failed`.
    pub state: String,
    /// Which models do not answer, and why.
    pub detail: Option<String>,
    /// Requests that are being answered.
    pub active: u32,
    /// Requests that wait.
    pub queued: u32,
}

/// Answer of `node_health`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// Version of the node.
    pub version: String,
    /// Genesis hash.
    pub genesis: H256,
    /// Connected peers.
    pub peers: u32,
    /// Whether it is catching up.
    pub is_syncing: bool,
    /// Best block.
    pub best: u32,
    /// Finalised block.
    pub finalized: u32,
    /// Best minus finalised.
    pub finality_lag: u32,
    /// Milliseconds between the best block's timestamp and this machine's clock.
    pub best_age_ms: i64,
    /// The engine.
    pub engine: EngineHealth,
    /// Receipts in the journal that are not anchored in finalised state yet.
    pub mailbox_depth: u64,
    /// Worker key in the keystore that the chain knows, or the first one there is.
    pub worker_key: Option<H256>,
    /// The node that this key serves.
    pub node: Option<NodeId>,
    /// Status of that node.
    pub node_status: Option<String>,
    /// The member that runs it.
    pub member: Option<AccountId32>,
    /// Status of that member.
    pub member_status: Option<String>,
    /// Port of the OpenAI-compatible door on this host, if it is open.
    pub openai_port: Option<u16>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use sp_core::Pair;
    use touchstone_primitives::{receipt::example, worker::WorkerPair};

    fn view() -> ReceiptView {
        let pair = WorkerPair::from_seed(&[1; 32]);
        ReceiptView::of(&example::receipt(
            H256::zero(),
            NodeId::new([2; 32]),
            &pair,
            0,
            7,
        ))
    }

    #[test]
    fn a_receipt_survives_json() {
        let view = view();
        let json = serde_json::to_string(&view).unwrap();
        assert_eq!(serde_json::from_str::<ReceiptView>(&json).unwrap(), view);
    }

    #[test]
    fn an_altered_field_is_named() {
        let mut json = serde_json::to_value(view()).unwrap();
        json["sequence"] = 8.into();
        let error = serde_json::from_value::<ReceiptView>(json)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("`sequence` is 8 but `encoded` says 7"),
            "{error}"
        );
    }

    #[test]
    fn a_request_gives_messages_or_a_prompt() {
        let nonce = H256::repeat_byte(1);
        let ask = |json: serde_json::Value| {
            serde_json::from_value::<AskRequest>(json)
                .map_err(|e| e.to_string())?
                .canonical(nonce)
        };
        let ok = ask(serde_json::json!({"prompt": "hi", "temperature": 0.7})).unwrap();
        assert_eq!(
            (ok.options.temperature_milli, ok.client_nonce),
            (700, nonce)
        );
        for bad in [
            serde_json::json!({}),
            serde_json::json!({"prompt": "hi", "messages": []}),
            serde_json::json!({"prompt": "hi", "temperature": -1}),
            serde_json::json!({"prompt": "hi", "maxTokens": 0}),
            serde_json::json!({"prompt": "hi", "unheard": 1}),
            serde_json::json!({"prompt": ""}),
            serde_json::json!({"messages": [{"role": "assistant", "content": "hi"}]}),
            serde_json::json!({"messages": [{"role": "king", "content": "hi"}]}),
        ] {
            assert!(ask(bad.clone()).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_update_survives_json_fractions_included() {
        let manifest = Manifest {
            base: H256::zero(),
            adapter: None,
            engine: "dummy/1".into(),
            weight_dtype: "none".into(),
            cache_dtype: "none".into(),
            tokenizer: H256::zero(),
            chat_template: H256::zero(),
            sampler: "dummy/1".into(),
            context: 1,
        };
        let answer = AskAnswer {
            text: "gold".into(),
            token_ids: vec![1, 2],
            finish_reason: FinishReason::Stop,
            manifest,
            usage: Usage::default(),
            timings: Timings {
                decode_ms: 1.25,
                ..Timings::default()
            },
            receipt: view(),
            memory: None,
            remembered: None,
        };
        for update in [
            AskUpdate::Delta {
                text: "x".into(),
                token_ids: vec![7],
            },
            AskUpdate::Answer {
                answer: Box::new(answer),
            },
            AskUpdate::Error {
                code: 7001,
                message: "no".into(),
            },
        ] {
            let json = serde_json::to_string(&update).unwrap();
            assert_eq!(serde_json::from_str::<AskUpdate>(&json).unwrap(), update);
        }
        assert!(serde_json::from_str::<AskUpdate>(r#"{"type": "news"}"#).is_err());
    }
}

/// Most canaries that are kept with one call.
pub const MAX_KEPT: usize = 16;

/// A canary in the clear.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlainCanary {
    /// What the model is asked, 1..=4096 bytes.
    pub task: String,
    /// The SCALE-encoded checker, at most 2048 bytes.
    pub checker: Bytes,
}

/// What is registered of a canary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CanarySeals {
    /// Seal of the task.
    pub task: H256,
    /// Seal of the checker.
    pub checker: H256,
}
