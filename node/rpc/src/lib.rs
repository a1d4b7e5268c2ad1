//! The JSON-RPC API of a Touchstone node.
//!
//! | method | what it does |
//! |---|---|
//! | `inference_ask` | answers a question, with a signed receipt |
//! | `inference_subscribeAsk` | the same, streamed |
//! | `inference_models` | what this node can answer with |
//! | `canary_keep` | keeps tasks that a member wrote, sealed, and says what to register; unsafe, for the operator |
//! | `memory_namespaces` | namespaces of memory, and what this node holds of them |
//! | `memory_search`, `memory_get`, `memory_prove` | fragments, each with its proof against the root on chain |
//! | `memory_verify` | checks such an answer against finalised state |
//! | `memory_put`, `memory_delete` | takes signed writes |
//! | `memory_pending`, `memory_commit` | what has to be committed on chain, and a commit that a writer has signed |
//! | `memory_known`, `memory_history`, `memory_export` | which texts are there already; versions; all fragments |
//! | `receipts_get` | a receipt and, once anchored, the proof of its anchor |
//! | `receipts_verify` | checks a receipt and its anchor against finalised state |
//! | `node_health` | how the node does |
//!
//! All fields are in camelCase; hashes, keys and SCALE bytes are `0x` hex; times are milliseconds.

pub mod errors;
mod memory;
mod types;

pub use memory::*;
pub use types::*;

use jsonrpsee::{
    core::{RpcResult, SubscriptionResult},
    proc_macros::rpc,
};
use sp_core::{H256, crypto::AccountId32};
use touchstone_primitives::memory::Write;

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

/// Memory. Namespaces are given by name. Methods that read a sealed namespace take its key; those that write take signed writes.
#[rpc(client, server)]
pub trait Memory {
    /// All namespaces on chain, by name, and what this node holds of them.
    #[method(name = "memory_namespaces")]
    async fn namespaces(&self) -> RpcResult<Vec<MemoryNamespace>>;

    /// Stores signed puts, at most 4096, durably and all or none; a sealed namespace needs its key. Writes whose contributor may not
    /// write, or which do not fit what is there, are refused.
    #[method(name = "memory_put", with_extensions)]
    async fn put(
        &self,
        namespace: String,
        changes: Vec<MemoryChange>,
        key: Option<NamespaceKey>,
    ) -> RpcResult<MemoryState>;

    /// Deletes fragments: text and salt are overwritten here, and on other nodes when they follow.
    #[method(name = "memory_delete", with_extensions)]
    async fn delete(
        &self,
        namespace: String,
        writes: Vec<Write>,
        key: Option<NamespaceKey>,
    ) -> RpcResult<MemoryState>;

    /// Finds fragments by words and by meaning.
    #[method(name = "memory_search", with_extensions)]
    async fn search(&self, search: MemorySearch) -> RpcResult<MemoryAnswer>;

    /// Fragments by their ids, in the newest state; ids that are not there are proven absent.
    #[method(name = "memory_get", with_extensions)]
    async fn get(
        &self,
        namespace: String,
        ids: Vec<H256>,
        key: Option<NamespaceKey>,
    ) -> RpcResult<MemoryAnswer>;

    /// Proof of what a version that is still held has at these ids; the newest anchored one if none is given. Says nothing of texts.
    #[method(name = "memory_prove", with_extensions)]
    async fn prove(
        &self,
        namespace: String,
        ids: Vec<H256>,
        version: Option<u64>,
    ) -> RpcResult<MemoryProof>;

    /// Checks an answer, and its root against the finalised state of this node.
    #[method(name = "memory_verify")]
    async fn verify(&self, answer: MemoryAnswer) -> RpcResult<MemoryVerification>;

    /// What a permitted writer has to sign so that the newest state of this node gets on chain; nothing if it is there.
    #[method(name = "memory_pending")]
    async fn pending(&self, namespace: String) -> RpcResult<Option<PendingCommit>>;

    /// Sends a signed commit.
    #[method(name = "memory_commit", with_extensions)]
    async fn commit(&self, commit: SignedCommit) -> RpcResult<()>;

    /// Which of these digests of texts are in the namespace already.
    #[method(name = "memory_known", with_extensions)]
    async fn known(&self, namespace: String, digests: Vec<H256>) -> RpcResult<Vec<bool>>;

    /// Roots on chain, versions held here, and writes that lost a race.
    #[method(name = "memory_history")]
    async fn history(&self, namespace: String) -> RpcResult<MemoryHistory>;

    /// A page of all fragments, or of those with a label, from `from` on.
    #[method(name = "memory_export", with_extensions)]
    async fn export(
        &self,
        namespace: String,
        label: Option<String>,
        from: Option<u64>,
        key: Option<NamespaceKey>,
    ) -> RpcResult<MemoryPage>;
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
