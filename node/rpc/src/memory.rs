//! Memory: fragments of knowledge in namespaces, each answer with its proof.

use serde::{Deserialize, Serialize};
use sp_core::{Bytes, H256, sr25519};
use touchstone_primitives::{
    apis::{NamespaceInfo, RootInfo},
    memory::{
        Fragment, State, Value, Write, Writer,
        answer::{Opened, verify},
        tree::Proof,
    },
};

/// Most hits of a search.
pub const MAX_HITS: usize = 100;
/// Most ids or digests in one request.
pub const MAX_IDS: usize = 4096;

/// Key of a namespace that only its owner and those whom it tells can read, 32 bytes. A node forgets it when it stops.
pub type NamespaceKey = H256;

/// A namespace on chain, and what this node holds of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemoryNamespace {
    /// What the chain says.
    pub chain: NamespaceInfo,
    /// What this node holds; absent if nothing.
    pub held: Option<HeldNamespace>,
}

/// What a node holds of a namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HeldNamespace {
    /// Its newest state, which may be ahead of the chain's or behind it.
    pub state: State,
    /// Whether it is encrypted at rest.
    pub sealed: bool,
    /// Whether this node can read it now.
    pub readable: bool,
    /// Newest version that a finalised block anchors.
    pub anchored: Option<u64>,
    /// Fragments that are found by their meaning too.
    pub embedded: u64,
    /// Writes that lost a race for the same fragment and wait for their writer.
    pub conflicts: u64,
}

/// A write, with the content that the log has only the hash of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemoryChange {
    /// The signed line of the log.
    pub write: Write,
    /// Id, salt and fragment of a put; absent for a deletion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Opened>,
}

/// Where a namespace stands after a write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemoryState {
    /// The state of this node, durable.
    pub state: State,
    /// Its root.
    pub root: H256,
    /// What has to be committed on chain, if somebody has to: absent if this node does it or nothing waits.
    pub pending: Option<PendingCommit>,
}

/// A commit that a permitted writer has to sign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PendingCommit {
    /// SCALE encoding of the commit.
    pub commit: Bytes,
    /// State that it leads to.
    pub state: State,
}

/// A commit, signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignedCommit {
    /// SCALE encoding of the commit.
    pub commit: Bytes,
    /// Who signs.
    pub writer: Writer,
    /// Last block that may include it.
    pub valid_until: u32,
    /// Signature over the commit's message.
    pub signature: sr25519::Signature,
}

/// What to look for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MemorySearch {
    /// Name of the namespace.
    pub namespace: String,
    /// Words or a question.
    pub query: String,
    /// Most hits, 1..=100; default 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub k: Option<usize>,
    /// Kinds that count; all if absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<String>,
    /// Labels that a fragment must have, all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// Earliest time of writing, milliseconds of Unix time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
    /// Latest time of writing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
    /// Whether to search what no block anchors yet, too; its proofs are against a root that only this node vouches for.
    #[serde(default)]
    pub latest: bool,
    /// Key of a sealed namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<NamespaceKey>,
}

/// A block that anchors a root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AnchorBlock {
    /// Its number.
    pub number: u32,
    /// Its hash.
    pub hash: H256,
}

/// An answer of memory, with everything that is needed to check it offline against the root on chain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemoryAnswer {
    /// Root of the state.
    pub root: H256,
    /// Finalised block that anchors it; absent while that has not happened.
    pub block: Option<AnchorBlock>,
    /// State that the fragments are proven against.
    pub state: State,
    /// One proof for all of them.
    pub proof: Proof,
    /// The fragments, best first.
    pub hits: Vec<Opened>,
    /// Ids that nothing is held under.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub absent: Vec<H256>,
    /// For each hit of a search how well it fits; only the order means anything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scores: Vec<f64>,
}

impl MemoryAnswer {
    /// Checks everything that can be checked without the chain; says what is wrong.
    pub fn verify(&self) -> Result<(), String> {
        if self.state.root() != self.root {
            return Err("the root is not that of the state beside it".into());
        }
        verify(&self.state, &self.proof, &self.hits, &self.absent).map_err(|e| e.to_string())
    }
}

/// What a state holds at some ids, without their texts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemoryProof {
    /// The state.
    pub state: State,
    /// Its root.
    pub root: H256,
    /// The proof.
    pub proof: Proof,
    /// What is held at each id, in their order; null is proven absence.
    pub values: Vec<Option<Value>>,
}

/// Result of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemoryVerification {
    /// Whether the fragments and proof belong to the root.
    pub valid: bool,
    /// Whether finalised state has that root for that version.
    pub anchored: bool,
    /// What is wrong.
    pub reason: Option<String>,
}

/// What happened to a namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemoryHistory {
    /// Roots that the chain keeps, oldest first.
    pub roots: Vec<RootInfo>,
    /// Versions that this node can make proofs for, oldest first.
    pub held: Vec<u64>,
    /// Writes that lost a race for the same fragment.
    pub conflicts: Vec<Write>,
}

/// A page of a namespace's fragments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemoryPage {
    /// Ids and fragments.
    pub fragments: Vec<(H256, Fragment)>,
    /// Where the next page starts; absent at the end.
    pub next: Option<u64>,
}

/// Memory that a question is answered with.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AskMemory {
    /// Name of the namespace.
    pub namespace: String,
    /// How many fragments, 1..=16; default 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub k: Option<usize>,
    /// Key of a sealed namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<NamespaceKey>,
    /// Signed writes to the same namespace, made durable once the question is answered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remember: Vec<MemoryChange>,
}

/// What became of writes that came with a question. The question is answered either way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Remembered {
    /// They are durable.
    Stored(Box<MemoryState>),
    /// They were refused, for this reason.
    Refused(String),
}
