//! The JSON-RPC API of a Touchstone node.
//!
//! | method | what it does |
//! |---|---|
//! | `inference_ask` | answers a question, with a signed receipt |
//! | `inference_subscribeAsk` | the same, streamed |
//! | `inference_models` | what this node can answer with |
//! | `canary_keep` | keeps tasks that a member wrote, sealed, and says what to register; unsafe, for the operator |
//! | `receipts_get` | a receipt and, once anchored, the proof of its anchor |
//! | `receipts_verify` | checks a receipt and its anchor against finalised state |
//! | `node_health` | how the node does |
//!
//! All fields are in camelCase; hashes, keys and SCALE bytes are `0x` hex; times are milliseconds.

pub mod errors;
mod types;

pub use types::*;

use jsonrpsee::{
    core::{RpcResult, SubscriptionResult},
    proc_macros::rpc,
};
use sp_core::{H256, crypto::AccountId32};

/// Questions to the engine.
#[rpc(client, server)]
pub trait Inference {
    /// Answers a question.
    #[method(name = "inference_ask", with_extensions)]
    async fn ask(&self, request: AskRequest) -> RpcResult<AskAnswer>;

    /// Answers a question piece by piece: deltas, then the whole answer (or an error) as the last item.
    #[subscription(
		name = "inference_subscribeAsk" => "inference_askUpdate",
		unsubscribe = "inference_unsubscribeAsk",
		item = AskUpdate
	)]
    async fn subscribe_ask(&self, request: AskRequest) -> SubscriptionResult;

    /// What this node can answer with.
    #[method(name = "inference_models")]
    async fn models(&self) -> RpcResult<Vec<Model>>;
}

/// Canaries that members write.
#[rpc(client, server)]
pub trait Canary {
    /// Keeps canaries sealed on this node, which opens them when a round draws them, and gives what is to be registered, in order.
    /// At most [`MAX_KEPT`] at once. An unsafe method: it is for the operator of the node.
    #[method(name = "canary_keep", with_extensions)]
    async fn keep(
        &self,
        author: AccountId32,
        canaries: Vec<PlainCanary>,
    ) -> RpcResult<Vec<CanarySeals>>;
}

/// Receipts of answers.
#[rpc(client, server)]
pub trait Receipts {
    /// A receipt that this node keeps, with its anchor once the batch is in the best chain.
    #[method(name = "receipts_get")]
    async fn get(&self, id: H256) -> RpcResult<StoredReceipt>;

    /// Checks signatures, keys and, if given, the anchor against the finalised state of this node.
    #[method(name = "receipts_verify")]
    async fn verify(&self, receipt: ReceiptView, anchor: Option<Anchor>)
    -> RpcResult<Verification>;
}

/// The state of the node.
#[rpc(client, server)]
pub trait Node {
    /// How the node does.
    #[method(name = "node_health")]
    async fn health(&self) -> RpcResult<Health>;
}
