//! The canonical form of a query. Two doors that receive the same question make the same bytes of it.

use crate::{H256, tagged_hash};
use alloc::{string::String, vec::Vec};
use codec::{Decode, Encode};

/// Most bytes of all messages of a request together.
pub const MAX_PROMPT_BYTES: usize = 256 * 1024;
/// Most messages of a request.
pub const MAX_MESSAGES: usize = 256;
/// Most tokens a request may ask for.
pub const MAX_TOKENS: u32 = 4096;
/// Tokens among which a sampled answer chooses when the request does not say.
pub const DEFAULT_TOP_K: u8 = 40;
/// Highest temperature, in thousandths.
pub const MAX_TEMPERATURE_MILLI: u32 = 2_000;

/// Who speaks in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum Role {
    /// Instructions of the operator or application.
    System,
    /// The person or program that asks.
    User,
    /// The model.
    Assistant,
}

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said, as UTF-8.
    pub content: String,
}

/// A query, ready to be hashed: defaults filled in, numbers as integers.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Request {
    /// The conversation, oldest message first.
    pub messages: Vec<Message>,
    /// Topic asked for, if the client names one.
    pub topic: Option<String>,
    /// Options that decide how the answer is made.
    pub options: Options,
    /// Chosen by the client so that equal questions have different hashes.
    pub client_nonce: H256,
}

/// How the answer is to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Options {
    /// Most tokens of the answer.
    pub max_tokens: u32,
    /// Temperature in thousandths; 0 is greedy.
    pub temperature_milli: u32,
    /// Among how many of the likeliest tokens the sampler chooses, 1..=64.
    pub top_k: u8,
}

impl Options {
    /// Hash that receipts carry.
    pub fn hash(&self) -> H256 {
        tagged_hash("touchstone/options/1", &[&self.encode()])
    }
}

/// Why a request cannot be answered as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidRequest {
    /// It holds no message, or the last one is not the user's.
    NothingAsked,
    /// More than [`MAX_MESSAGES`] messages.
    TooManyMessages,
    /// More than [`MAX_PROMPT_BYTES`] bytes of text.
    PromptTooLong,
    /// `max_tokens` is 0 or above [`MAX_TOKENS`].
    MaxTokensOutOfRange,
    /// The temperature is above [`MAX_TEMPERATURE_MILLI`].
    TemperatureOutOfRange,
    /// `top_k` is 0 or above 64.
    TopKOutOfRange,
}

impl Request {
    /// The query hash: what receipts, routing and sampler keys are bound to.
    pub fn hash(&self) -> H256 {
        tagged_hash("touchstone/query/1", &[&self.encode()])
    }

    /// Whether the request is within the limits of the network.
    pub fn check(&self) -> Result<(), InvalidRequest> {
        if self.messages.len() > MAX_MESSAGES {
            return Err(InvalidRequest::TooManyMessages);
        }
        let asks = matches!(self.messages.last(), Some(last) if last.role == Role::User);
        if !asks || self.messages.iter().all(|m| m.content.trim().is_empty()) {
            return Err(InvalidRequest::NothingAsked);
        }
        let bytes = self
            .messages
            .iter()
            .fold(0usize, |n, m| n.saturating_add(m.content.len()));
        if bytes > MAX_PROMPT_BYTES {
            return Err(InvalidRequest::PromptTooLong);
        }
        if !(1..=MAX_TOKENS).contains(&self.options.max_tokens) {
            return Err(InvalidRequest::MaxTokensOutOfRange);
        }
        if self.options.temperature_milli > MAX_TEMPERATURE_MILLI {
            return Err(InvalidRequest::TemperatureOutOfRange);
        }
        if !(1..=64).contains(&self.options.top_k) {
            return Err(InvalidRequest::TopKOutOfRange);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(content: &str) -> Request {
        Request {
            messages: vec![Message {
                role: Role::User,
                content: content.into(),
            }],
            topic: None,
            options: Options {
                max_tokens: 16,
                temperature_milli: 0,
                top_k: 1,
            },
            client_nonce: H256::zero(),
        }
    }

    #[test]
    fn each_limit_has_its_error() {
        let ok = request("hello");
        assert_eq!(ok.check(), Ok(()));
        assert_eq!(request(" \n").check(), Err(InvalidRequest::NothingAsked));
        let mut bad = ok.clone();
        bad.messages.push(Message {
            role: Role::Assistant,
            content: "hi".into(),
        });
        assert_eq!(bad.check(), Err(InvalidRequest::NothingAsked));
        let mut bad = ok.clone();
        bad.messages = vec![ok.messages[0].clone(); MAX_MESSAGES + 1];
        assert_eq!(bad.check(), Err(InvalidRequest::TooManyMessages));
        assert_eq!(
            request(&"x".repeat(MAX_PROMPT_BYTES + 1)).check(),
            Err(InvalidRequest::PromptTooLong)
        );
        for max_tokens in [0, MAX_TOKENS + 1] {
            let mut bad = ok.clone();
            bad.options.max_tokens = max_tokens;
            assert_eq!(bad.check(), Err(InvalidRequest::MaxTokensOutOfRange));
        }
        let mut bad = ok.clone();
        bad.options.temperature_milli = MAX_TEMPERATURE_MILLI + 1;
        assert_eq!(bad.check(), Err(InvalidRequest::TemperatureOutOfRange));
        for top_k in [0, 65] {
            let mut bad = ok.clone();
            bad.options.top_k = top_k;
            assert_eq!(bad.check(), Err(InvalidRequest::TopKOutOfRange));
        }
    }

    #[test]
    fn the_nonce_separates_equal_questions() {
        let (a, mut b) = (request("hello"), request("hello"));
        assert_eq!(a.hash(), b.hash());
        b.client_nonce = H256::repeat_byte(1);
        assert_ne!(a.hash(), b.hash());
    }
}
