//! Memory whose every answer can be proven (whitepaper, Plane H): what fragments, namespaces and roots are.
//!
//! Knowledge is kept as [fragments](Fragment) in namespaces. A namespace is a [tree] whose leaves are salted hashes of its fragments;
//! the [root](State::root) of a namespace commits to its name, version, number of fragments and tree, and is what the chain keeps.
//! Texts, salts and trees are with nodes; whoever forgets text and salt of a fragment leaves nothing that could be guessed at.
//!
//! Every change is a [`Write`] that its contributor signed. A write names the value that it replaces, so that it fits one
//! state of the fragment only: an old deletion cannot be played back on what was written since. Whoever keeps the log takes no
//! write twice either, so that nobody who has kept the text can play back a put after its fragment was deleted.

pub mod answer;
pub mod tree;

#[cfg(test)]
mod tests;

use crate::{
    AccountId32, H256, NodeId, merkle, tagged_hash,
    worker::{self, WorkerId},
};
use alloc::{string::String, vec::Vec};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_core::sr25519;
use sp_runtime::traits::Verify;

/// Versions of a namespace, besides snapshots, whose roots the chain keeps and whose proofs nodes can make.
pub const RETAINED: u32 = 64;
/// Most bytes of a fragment's text.
pub const MAX_TEXT: usize = 16 << 10;
/// Most bytes of a title, a source, a kind or a label.
pub const MAX_NAME: usize = 1024;
/// Most labels of a fragment.
pub const MAX_LABELS: usize = 16;
/// Most writes of a batch.
pub const MAX_BATCH: usize = 4096;
/// Most bytes of a namespace's name.
pub const MAX_NAMESPACE_NAME: u32 = 64;

/// [Hash of a namespace's name](namespace_id).
pub type NamespaceId = H256;
/// Place of a fragment in its namespace's tree.
pub type Key = H256;
/// What the tree holds at a key.
pub type Value = H256;

/// One passage of knowledge.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Fragment {
    /// The passage.
    pub text: String,
    /// What it is from, for people.
    pub title: String,
    /// Where it is from: a path or an address.
    pub source: String,
    /// What it is, for filters: `text`, `dialogue`, `fact`, or what the writer calls it.
    pub kind: String,
    /// When it was written, in milliseconds of Unix time.
    pub created: u64,
    /// For filters; `consented` admits it to training sets.
    pub labels: Vec<String>,
}

impl Fragment {
    /// What is larger than it may be: its name, how large it is, and how large it may be.
    pub fn oversized(&self) -> Option<(&'static str, usize, usize)> {
        let names = [&self.title, &self.source, &self.kind];
        let sizes = [
            ("text", self.text.len(), MAX_TEXT),
            ("labels", self.labels.len(), MAX_LABELS),
        ];
        let names = names
            .into_iter()
            .chain(&self.labels)
            .map(|name| ("a title, source, kind or label", name.len(), MAX_NAME));
        sizes
            .into_iter()
            .chain(names)
            .find(|(_, found, limit)| found > limit)
    }
}

/// Id of the namespace of this name.
pub fn namespace_id(name: &str) -> NamespaceId {
    tagged_hash("touchstone/memory/namespace/1", &[name.as_bytes()])
}

/// Place of fragment `id`, 32 bytes that its writer draws.
pub fn key(namespace: &NamespaceId, id: &H256) -> Key {
    tagged_hash(
        "touchstone/memory/key/1",
        &[namespace.as_bytes(), id.as_bytes()],
    )
}

/// What the tree holds for a fragment.
pub fn value(salt: &H256, fragment: &Fragment) -> Value {
    tagged_hash(
        "touchstone/memory/value/1",
        &[salt.as_bytes(), &fragment.encode()],
    )
}

/// The state of a namespace that a root commits to.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct State {
    /// The namespace.
    pub namespace: NamespaceId,
    /// Grows with every batch of writes; 0 is empty.
    pub version: u64,
    /// Fragments in it.
    pub count: u64,
    /// Root of the tree.
    pub tree: H256,
}

impl State {
    /// The state of a namespace that nothing was written to.
    pub fn empty(namespace: NamespaceId) -> Self {
        Self {
            namespace,
            version: 0,
            count: 0,
            tree: tree::EMPTY,
        }
    }

    /// What goes on chain.
    pub fn root(&self) -> H256 {
        tagged_hash(
            "touchstone/memory/root/1",
            &[
                self.namespace.as_bytes(),
                &self.version.to_le_bytes(),
                &self.count.to_le_bytes(),
                self.tree.as_bytes(),
            ],
        )
    }
}

/// A signed line of the write log. It holds hashes only, so that deleting a fragment needs no change here.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Write {
    /// The namespace.
    pub namespace: NamespaceId,
    /// Which fragment.
    pub key: Key,
    /// What it replaces; absent if nothing is there.
    pub previous: Option<Value>,
    /// What it becomes; absent if it is deleted.
    pub value: Option<Value>,
    /// Who wrote it.
    pub contributor: AccountId32,
    /// The contributor's signature (sr25519) over [`Write::hash`].
    pub signature: sr25519::Signature,
}

impl Write {
    /// What the contributor signs, and what the log has of it.
    pub fn message(
        namespace: &NamespaceId,
        key: &Key,
        previous: Option<&Value>,
        value: Option<&Value>,
    ) -> H256 {
        tagged_hash(
            "touchstone/memory/write/1",
            &[
                namespace.as_bytes(),
                key.as_bytes(),
                &previous.encode(),
                &value.encode(),
            ],
        )
    }

    /// [`Write::message`] of this write.
    pub fn hash(&self) -> H256 {
        Self::message(
            &self.namespace,
            &self.key,
            self.previous.as_ref(),
            self.value.as_ref(),
        )
    }

    /// Whether the signature is the contributor's.
    pub fn is_signed(&self) -> bool {
        let signer = sr25519::Public::from_raw(*self.contributor.as_ref());
        self.signature.verify(self.hash().as_bytes(), &signer)
    }
}

/// Merkle root over a batch of writes in order, so that any one of them can be shown to be in it ([`merkle::prove`]).
pub fn batch_root(writes: &[Write]) -> H256 {
    let leaves: Vec<H256> = writes
        .iter()
        .map(|write| {
            let (hash, contributor) = (write.hash(), write.contributor.encode());
            tagged_hash(
                "touchstone/memory/line/1",
                &[hash.as_bytes(), &contributor, &write.signature.encode()],
            )
        })
        .collect();
    merkle::root(&leaves)
}

/// Who signs a commit.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Writer {
    /// A node, with its worker key.
    Node(NodeId),
    /// An account, with its own key (sr25519).
    Account(AccountId32),
}

impl Writer {
    /// The account that permissions are kept for.
    pub fn account(&self) -> &AccountId32 {
        match self {
            Writer::Node(account) | Writer::Account(account) => account,
        }
    }
}

/// Replaces the root of a namespace by that of a newer state.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Commit {
    /// Root that the chain must have; that of the [empty state](State::empty) at first.
    pub previous: H256,
    /// The new state.
    pub state: State,
    /// [`batch_root`] of all writes in between.
    pub batch: H256,
    /// Bytes of the fragments' canonical encodings, all together.
    pub bytes: u64,
}

impl Commit {
    /// What the writer signs.
    pub fn message(&self, genesis: &H256, writer: &Writer, valid_until: u64) -> H256 {
        tagged_hash(
            "touchstone/memory/commit/1",
            &[
                genesis.as_bytes(),
                &writer.encode(),
                &self.encode(),
                &valid_until.to_le_bytes(),
            ],
        )
    }

    /// Whether `signature` over this commit is by `key`: the worker key of the writer if that is a node.
    pub fn is_signed(
        &self,
        genesis: &H256,
        writer: &Writer,
        valid_until: u64,
        worker: Option<&WorkerId>,
        signature: &sr25519::Signature,
    ) -> bool {
        let message = self.message(genesis, writer, valid_until);
        match (writer, worker) {
            (Writer::Node(_), Some(worker)) => {
                worker::verify(worker, &message, &(*signature).into())
            }
            (Writer::Node(_), None) => false,
            (Writer::Account(account), _) => {
                let signer = sr25519::Public::from_raw(*account.as_ref());
                signature.verify(message.as_bytes(), &signer)
            }
        }
    }
}

/// Whose knowledge a namespace holds.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum Kind {
    /// Knowledge about a topic, shared.
    Topic,
    /// What a person or an application has told.
    User,
    /// What a node has learnt.
    Node,
}

/// Who may change a namespace, besides those whom its owner grants it.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum Writers {
    /// The owner only, and nobody can be granted it.
    Owner,
    /// The owner and the accounts that it lists.
    Listed,
    /// Every active node as well.
    Nodes,
    /// As [`Writers::Listed`], but a root gets on chain only by motion of the council.
    Council,
}

/// Who may hold and read a namespace.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum Visibility {
    /// Every active node holds it, anybody may read it.
    Public,
    /// Only nodes that the owner lists hold it, sealed with a key of the owner's.
    Granted,
}

/// What an account may do with a namespace.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Rights {
    /// Change it.
    pub write: bool,
    /// Hold a copy.
    pub hold: bool,
}

/// Whether somebody with these rights gets a root on chain by its signature. Where the council decides, nobody does.
pub fn may_commit(writers: Writers, rights: Rights) -> bool {
    rights.write && writers != Writers::Council
}

/// What an account may do: `granted` is what the owner has listed for it, `is_node` says that it is an active node.
pub fn rights(
    writers: Writers,
    visibility: Visibility,
    is_owner: bool,
    is_node: bool,
    granted: Rights,
) -> Rights {
    let write = match writers {
        Writers::Owner => is_owner,
        Writers::Listed | Writers::Council => is_owner || granted.write,
        Writers::Nodes => is_owner || granted.write || is_node,
    };
    let hold = match visibility {
        Visibility::Public => is_node,
        Visibility::Granted => is_node && (is_owner || granted.hold),
    };
    Rights { write, hold }
}
