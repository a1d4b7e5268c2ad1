//! The rules of memory, as far as the store needs them: keys, values, the tree and its proofs.
//!
//! The tree is a binary sparse Merkle tree in which a subtree with one leaf is that leaf, so that its depth is about the logarithm of the
//! number of fragments and its root depends on the content alone. Leaves, inner nodes and the root are hashed under different tags.

use codec::{Decode, Encode};
use serde::{Deserialize, Serialize};
use sp_core::{Pair, sr25519};
use std::collections::{BTreeMap, BTreeSet};
use touchstone_primitives::{H256, tagged_hash};

/// Place of a fragment in its namespace's tree.
pub type Key = H256;
/// What the tree holds at a key.
pub type Value = H256;

/// Hash of a tree without leaves.
pub const EMPTY: H256 = H256::zero();

/// One passage of knowledge.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
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

/// Place of fragment `id` of a namespace.
pub fn key(namespace: &H256, id: &H256) -> Key {
    tagged_hash(
        "touchstone/memory/key/1",
        &[namespace.as_bytes(), id.as_bytes()],
    )
}

/// What the tree holds for a fragment. Whoever forgets salt and text leaves nothing that could be guessed at.
pub fn value(salt: &H256, fragment: &Fragment) -> Value {
    tagged_hash(
        "touchstone/memory/value/1",
        &[salt.as_bytes(), &fragment.encode()],
    )
}

/// The state of a namespace that a root commits to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Anchor {
    /// The namespace.
    pub namespace: H256,
    /// Number of the batch that led to it; 0 is empty.
    pub version: u64,
    /// Fragments in it.
    pub count: u64,
    /// Root of the tree.
    pub tree: H256,
}

impl Anchor {
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
pub struct Write {
    /// The namespace.
    pub namespace: H256,
    /// Which fragment.
    pub key: Key,
    /// What it becomes; absent if it is deleted.
    pub value: Option<Value>,
    /// Who wrote it (sr25519).
    pub contributor: [u8; 32],
    /// Signature of the contributor over [`Write::message`].
    pub signature: [u8; 64],
}

impl Write {
    /// What the contributor signs.
    pub fn message(namespace: &H256, key: &Key, value: Option<&Value>) -> H256 {
        tagged_hash(
            "touchstone/memory/write/1",
            &[namespace.as_bytes(), key.as_bytes(), &value.encode()],
        )
    }

    /// Whether the signature is the contributor's.
    pub fn is_signed(&self) -> bool {
        let message = Self::message(&self.namespace, &self.key, self.value.as_ref());
        sr25519::Pair::verify(
            &sr25519::Signature::from_raw(self.signature),
            message.as_bytes(),
            &sr25519::Public::from_raw(self.contributor),
        )
    }
}

/// Hash of a batch of writes, in order.
pub fn batch_hash(writes: &[Write]) -> H256 {
    tagged_hash("touchstone/memory/batch/1", &[&writes.encode()])
}

/// A node of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Node {
    /// The only fragment under a prefix.
    Leaf(Key, Value),
    /// Hashes of the subtrees for the next bit 0 and 1.
    Branch(H256, H256),
}

impl Node {
    /// Its hash.
    pub fn hash(&self) -> H256 {
        match self {
            Node::Leaf(key, value) => tagged_hash(
                "touchstone/memory/leaf/1",
                &[key.as_bytes(), value.as_bytes()],
            ),
            Node::Branch(left, right) => tagged_hash(
                "touchstone/memory/node/1",
                &[left.as_bytes(), right.as_bytes()],
            ),
        }
    }
}

/// Where nodes are found by their hash.
pub trait Nodes {
    /// The node with this hash.
    fn get(&self, hash: &H256) -> Option<Node>;
}

impl Nodes for BTreeMap<H256, Node> {
    fn get(&self, hash: &H256) -> Option<Node> {
        BTreeMap::get(self, hash).copied()
    }
}

/// A node that the tree names is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("node {0:?} of the tree is missing")]
pub struct MissingNode(pub H256);

/// What a change of a tree amounts to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// The new root.
    pub root: H256,
    /// Nodes that the new tree has and the old one has not.
    pub written: BTreeMap<H256, Node>,
    /// Nodes that only the old tree has.
    pub dropped: BTreeSet<H256>,
}

fn bit(key: &Key, depth: usize) -> bool {
    key.as_bytes()
        .get(depth / 8)
        .is_some_and(|byte| byte >> (7 - depth % 8) & 1 == 1)
}

struct Updating<'a, N> {
    nodes: &'a N,
    written: BTreeMap<H256, Node>,
    dropped: BTreeSet<H256>,
}

impl<N: Nodes> Updating<'_, N> {
    fn write(&mut self, node: Node) -> H256 {
        let hash = node.hash();
        self.written.insert(hash, node);
        hash
    }

    fn node(&self, hash: &H256) -> Result<Node, MissingNode> {
        let written = self.written.get(hash).copied();
        written
            .or_else(|| self.nodes.get(hash))
            .ok_or(MissingNode(*hash))
    }

    /// A tree of these leaves, which are sorted and share `depth` bits.
    fn build(&mut self, leaves: &[(Key, Value)], depth: usize) -> H256 {
        match leaves {
            [] => EMPTY,
            [(key, value)] => self.write(Node::Leaf(*key, *value)),
            _ => {
                let middle = leaves.partition_point(|(key, _)| !bit(key, depth));
                let (left, right) = leaves.split_at(middle);
                let (left, right) = (self.build(left, depth + 1), self.build(right, depth + 1));
                self.write(Node::Branch(left, right))
            }
        }
    }

    fn change(
        &mut self,
        at: H256,
        changes: &[(Key, Option<Value>)],
        depth: usize,
    ) -> Result<H256, MissingNode> {
        if changes.is_empty() {
            return Ok(at);
        }
        let old = if at == EMPTY {
            None
        } else {
            Some(self.node(&at)?)
        };
        let (left, right) = match old {
            Some(Node::Branch(left, right)) => (left, right),
            leaf => {
                let mut leaves = BTreeMap::new();
                if let Some(Node::Leaf(key, value)) = leaf {
                    self.dropped.insert(at);
                    leaves.insert(key, value);
                }
                for (key, value) in changes {
                    match value {
                        Some(value) => leaves.insert(*key, *value),
                        None => leaves.remove(key),
                    };
                }
                return Ok(self.build(&leaves.into_iter().collect::<Vec<_>>(), depth));
            }
        };
        let middle = changes.partition_point(|(key, _)| !bit(key, depth));
        let (to_left, to_right) = changes.split_at(middle);
        let new_left = self.change(left, to_left, depth + 1)?;
        let new_right = self.change(right, to_right, depth + 1)?;
        if (new_left, new_right) == (left, right) {
            return Ok(at);
        }
        self.dropped.insert(at);
        for (one, other) in [(new_left, new_right), (new_right, new_left)] {
            if one == EMPTY && (other == EMPTY || matches!(self.node(&other)?, Node::Leaf(..))) {
                return Ok(other);
            }
        }
        Ok(self.write(Node::Branch(new_left, new_right)))
    }
}

/// Applies changes to the tree with this root; of several changes of one key the last counts.
pub fn update(
    nodes: &impl Nodes,
    root: H256,
    changes: &[(Key, Option<Value>)],
) -> Result<Update, MissingNode> {
    let changes: BTreeMap<_, _> = changes.iter().copied().collect();
    let changes: Vec<_> = changes.into_iter().collect();
    let mut updating = Updating {
        nodes,
        written: BTreeMap::new(),
        dropped: BTreeSet::new(),
    };
    let root = updating.change(root, &changes, 0)?;
    let Updating {
        mut written,
        mut dropped,
        ..
    } = updating;
    // What was there and still is.
    let both: Vec<_> = dropped
        .iter()
        .filter(|hash| written.contains_key(*hash))
        .copied()
        .collect();
    for hash in both {
        written.remove(&hash);
        dropped.remove(&hash);
    }
    Ok(Update {
        root,
        written,
        dropped,
    })
}

/// Shows what a tree holds at a key: what is found at the end of the key's path, and what branches off on the way.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Proof {
    /// The leaf at the end of the path; absent if nothing is there.
    pub leaf: Option<(Key, Value)>,
    /// What branches off, from the root down; at most 256.
    pub siblings: Vec<H256>,
}

/// Proof of what the tree holds at a key, or that it holds nothing.
pub fn prove(nodes: &impl Nodes, root: H256, key: &Key) -> Result<Proof, MissingNode> {
    let (mut at, mut siblings) = (root, Vec::new());
    loop {
        if at == EMPTY {
            return Ok(Proof {
                leaf: None,
                siblings,
            });
        }
        match nodes.get(&at).ok_or(MissingNode(at))? {
            Node::Leaf(key, value) => {
                return Ok(Proof {
                    leaf: Some((key, value)),
                    siblings,
                });
            }
            Node::Branch(left, right) => {
                let (next, sibling) = if bit(key, siblings.len()) {
                    (right, left)
                } else {
                    (left, right)
                };
                siblings.push(sibling);
                at = next;
            }
        }
    }
}

/// Why a proof shows nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadProof {
    /// It does not lead to the root.
    #[error("the proof does not lead to this root")]
    OtherRoot,
    /// It ends at a leaf that is not on the key's path.
    #[error("the proof is for another key")]
    OtherKey,
    /// Deeper than a tree can be.
    #[error("the proof is deeper than a tree can be")]
    TooDeep,
}

/// What a tree holds at a key, from a proof.
pub fn verify(tree: &H256, proof: &Proof, key: &Key) -> Result<Option<Value>, BadProof> {
    let depth = proof.siblings.len();
    if depth > 256 {
        return Err(BadProof::TooDeep);
    }
    let mut hash = EMPTY;
    if let Some((at, value)) = &proof.leaf {
        if (0..depth).any(|depth| bit(at, depth) != bit(key, depth)) {
            return Err(BadProof::OtherKey);
        }
        hash = Node::Leaf(*at, *value).hash();
    }
    for (depth, sibling) in proof.siblings.iter().enumerate().rev() {
        hash = if bit(key, depth) {
            Node::Branch(*sibling, hash).hash()
        } else {
            Node::Branch(hash, *sibling).hash()
        };
    }
    if hash != *tree {
        return Err(BadProof::OtherRoot);
    }
    Ok(proof
        .leaf
        .filter(|(at, _)| at == key)
        .map(|(_, value)| value))
}
