//! Error codes of the API. Every refusal has its own code, and its message says what to do.

use jsonrpsee::types::ErrorObjectOwned;
use touchstone_primitives::request::{self, InvalidRequest};

/// The request is malformed or outside the limits; the message names the field.
pub const INVALID_REQUEST: i32 = 7001;
/// The prompt and the answer asked for do not fit into the model's context.
pub const CONTEXT_EXCEEDED: i32 = 7002;
/// As many requests as allowed are running and waiting; try again later.
pub const BUSY: i32 = 7003;
/// Too many requests in a short time; the message says how long to wait.
pub const RATE_LIMITED: i32 = 7004;
/// This node runs no engine, or its model could not be loaded.
pub const NO_ENGINE: i32 = 7005;
/// The engine failed while answering.
pub const ENGINE_FAILED: i32 = 7006;
/// The answer was made but its receipt could not be made durable, so it is not given out.
pub const JOURNAL_FAILED: i32 = 7007;
/// This node is not registered, not active or has no worker key, so it cannot sign receipts.
pub const NOT_A_WORKER: i32 = 7008;
/// No receipt of this id is kept here.
pub const UNKNOWN_RECEIPT: i32 = 7009;
/// The node could not read its own chain state.
pub const STATE_UNAVAILABLE: i32 = 7010;
/// No topic of this name.
pub const UNKNOWN_TOPIC: i32 = 7011;
/// The request is larger than the network admits; the message says how large it may be.
pub const REQUEST_TOO_LARGE: i32 = 7012;
/// The topic does not admit the model of this node, or the model is not registered and the topic asks for that.
pub const MODEL_NOT_ADMITTED: i32 = 7013;
/// There is no model of this name here; the message names those there are.
pub const UNKNOWN_MODEL: i32 = 7014;
/// The model is being loaded; the message says how far it is. Ask again in a moment.
pub const LOADING: i32 = 7015;
/// There is no adapter of this name on the model; the message names those there are.
pub const UNKNOWN_ADAPTER: i32 = 7016;

/// No namespace of this name on chain, or this node may not or does not hold it.
pub const UNKNOWN_NAMESPACE: i32 = 7017;
/// The namespace is sealed and the request does not carry its key.
pub const SEALED: i32 = 7018;
/// The contributor or writer may not write to the namespace.
pub const NOT_A_WRITER: i32 = 7019;
/// A write does not fit what is there: somebody else was first. Read again, sign again.
pub const WRITE_CONFLICT: i32 = 7020;
/// The version is not held any more, or never was.
pub const UNKNOWN_VERSION: i32 = 7021;
/// The memory of this node failed or has no room; nothing of the request was stored.
pub const MEMORY_FAILED: i32 = 7022;
/// A commit was refused by the chain.
pub const COMMIT_REFUSED: i32 = 7023;
/// The namespace has as many bytes as this node takes.
pub const QUOTA_EXCEEDED: i32 = 7024;

/// An error object of this API.
pub fn error(code: i32, message: impl Into<String>) -> ErrorObjectOwned {
    ErrorObjectOwned::owned(code, message.into(), None::<()>)
}

/// The message for a request that is outside the network's limits.
pub fn explain(invalid: InvalidRequest) -> String {
    match invalid {
        InvalidRequest::NothingAsked => {
            "`messages` must end with a message of role \"user\", and some message must hold text"
                .into()
        }
        InvalidRequest::TooManyMessages => {
            format!(
                "at most {} messages; drop or summarise the oldest",
                request::MAX_MESSAGES
            )
        }
        InvalidRequest::PromptTooLong => {
            format!(
                "at most {} bytes of text in all messages",
                request::MAX_PROMPT_BYTES
            )
        }
        InvalidRequest::MaxTokensOutOfRange => {
            format!("`maxTokens` must be 1..={}", request::MAX_TOKENS)
        }
        InvalidRequest::TemperatureOutOfRange => format!(
            "`temperature` must be 0..={}",
            f64::from(request::MAX_TEMPERATURE_MILLI) / 1000.0
        ),
        InvalidRequest::TopKOutOfRange => "`topK` must be 1..=64".into(),
    }
}
