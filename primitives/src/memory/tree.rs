//! A binary sparse Merkle tree over 256-bit keys in which a subtree with one leaf is that leaf.
//!
//! Its depth is about the logarithm of the number of leaves and its root depends on the leaves alone, not on the order in which they
//! came (compact sparse Merkle tree; Dahlberg, Pulls, Peeters 2016, 'Efficient Sparse Merkle Trees'). Leaves and inner nodes are hashed
//! under different tags; the empty tree is zero, which no input is known to hash to.
//!
//! A [`Proof`] is the part of the tree that some keys lead through: it shows for each of them what the tree holds, or that it
//! holds nothing, and one proof for many keys has each common sibling once.

use super::{Key, Value};
use crate::{H256, tagged_hash};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use codec::{Decode, DecodeWithMemTracking, Encode};
use scale_info::TypeInfo;

/// Hash of a tree without leaves.
pub const EMPTY: H256 = H256::zero();
/// Longest path of a key.
pub const MAX_DEPTH: usize = 256;

/// A node of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Node {
    /// The only leaf under a prefix.
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MissingNode(pub H256);

impl core::fmt::Display for MissingNode {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "node {:?} of the tree is missing", self.0)
    }
}

impl core::error::Error for MissingNode {}

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
    let byte = key.as_bytes().get(depth >> 3).copied().unwrap_or(0);
    byte.wrapping_shl(depth as u32 & 7) & 0x80 != 0
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
                let next = depth.saturating_add(1);
                let (left, right) = (self.build(left, next), self.build(right, next));
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
        let next = depth.saturating_add(1);
        let new_left = self.change(left, to_left, next)?;
        let new_right = self.change(right, to_right, next)?;
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
    dropped.retain(|hash| written.remove(hash).is_none());
    Ok(Update {
        root,
        written,
        dropped,
    })
}

/// Root of the tree of these leaves.
pub fn root(leaves: &[(Key, Value)]) -> H256 {
    let changes: Vec<_> = leaves
        .iter()
        .map(|(key, value)| (*key, Some(*value)))
        .collect();
    update(&BTreeMap::new(), EMPTY, &changes).map_or(EMPTY, |update| update.root)
}

/// A place of the part of a tree that a proof shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub enum Step {
    /// Nothing is here.
    #[codec(index = 0)]
    Empty,
    /// The only leaf of this subtree.
    #[codec(index = 1)]
    Leaf(Key, Value),
    /// A subtree that no proven key leads to, by its hash.
    #[codec(index = 2)]
    Hash(H256),
    /// A branch; its left subtree follows, then its right one.
    #[codec(index = 3)]
    Branch,
}

/// The part of a tree that the proven keys lead through, from the root down, left before right. As JSON it is the hex of its encoding.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Proof(pub Vec<Step>);

#[cfg(feature = "serde")]
impl serde::Serialize for Proof {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        sp_core::bytes::serialize(&self.encode(), serializer)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Proof {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = sp_core::bytes::deserialize(deserializer)?;
        codec::DecodeAll::decode_all(&mut &bytes[..]).map_err(serde::de::Error::custom)
    }
}

/// Shows what the tree holds at these keys.
pub fn prove(nodes: &impl Nodes, root: H256, keys: &[Key]) -> Result<Proof, MissingNode> {
    let keys: BTreeSet<Key> = keys.iter().copied().collect();
    let keys: Vec<Key> = keys.into_iter().collect();
    let mut steps = Vec::new();
    show(nodes, root, &keys, 0, &mut steps)?;
    Ok(Proof(steps))
}

fn show(
    nodes: &impl Nodes,
    at: H256,
    keys: &[Key],
    depth: usize,
    steps: &mut Vec<Step>,
) -> Result<(), MissingNode> {
    if at == EMPTY {
        steps.push(Step::Empty);
        return Ok(());
    }
    if keys.is_empty() {
        steps.push(Step::Hash(at));
        return Ok(());
    }
    match nodes.get(&at).ok_or(MissingNode(at))? {
        Node::Leaf(key, value) => steps.push(Step::Leaf(key, value)),
        Node::Branch(left, right) => {
            steps.push(Step::Branch);
            let middle = keys.partition_point(|key| !bit(key, depth));
            let (to_left, to_right) = keys.split_at(middle);
            let next = depth.saturating_add(1);
            show(nodes, left, to_left, next, steps)?;
            show(nodes, right, to_right, next, steps)?;
        }
    }
    Ok(())
}

/// Why a proof shows nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub enum BadProof {
    /// It does not lead to the root.
    OtherRoot,
    /// It has no end, goes on after it, or is deeper than a tree can be.
    Malformed,
    /// A leaf is not on its key's path.
    Misplaced,
    /// It does not show what is at the key.
    Incomplete,
}

impl core::fmt::Display for BadProof {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            BadProof::OtherRoot => "the proof does not lead to this root",
            BadProof::Malformed => "the proof is not a part of a tree",
            BadProof::Misplaced => "the proof has a leaf where its key does not lead",
            BadProof::Incomplete => "the proof does not show what is at this key",
        })
    }
}

impl core::error::Error for BadProof {}

/// What a tree holds at each of these keys, in their order, from a proof.
///
/// Its cost is one hash for each leaf and branch of the proof.
pub fn verify(root: &H256, proof: &Proof, keys: &[Key]) -> Result<Vec<Option<Value>>, BadProof> {
    let mut reading = Reading {
        steps: proof.0.iter(),
        leaves: BTreeMap::new(),
        hidden: Vec::new(),
        path: [0; 32],
    };
    let hash = reading.read(0)?;
    if reading.steps.next().is_some() {
        return Err(BadProof::Malformed);
    }
    if hash != *root {
        return Err(BadProof::OtherRoot);
    }
    let found = keys.iter().map(|key| {
        let hides = |(depth, path): &(usize, Key)| shares(path, key, *depth);
        match reading.leaves.get(key) {
            Some(value) => Ok(Some(*value)),
            None if reading.hidden.iter().any(hides) => Err(BadProof::Incomplete),
            None => Ok(None),
        }
    });
    found.collect()
}

/// Whether two keys have the same first bits.
fn shares(one: &Key, other: &Key, bits: usize) -> bool {
    let (whole, rest) = (bits >> 3, bits & 7);
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let mask = !(0xff_u8.wrapping_shr(rest as u32));
    one.get(..whole) == other.get(..whole)
        && (rest == 0
            || one
                .get(whole)
                .zip(other.get(whole))
                .is_some_and(|(one, other)| (one ^ other) & mask == 0))
}

struct Reading<'a> {
    steps: core::slice::Iter<'a, Step>,
    leaves: BTreeMap<Key, Value>,
    /// Subtrees of which only the hash is known: their depth and the path to them.
    hidden: Vec<(usize, Key)>,
    path: [u8; 32],
}

impl Reading<'_> {
    /// Hash of the subtree that comes next, at the current path.
    fn read(&mut self, depth: usize) -> Result<H256, BadProof> {
        match *self.steps.next().ok_or(BadProof::Malformed)? {
            Step::Empty => Ok(EMPTY),
            Step::Hash(hash) => {
                self.hidden.push((depth, H256(self.path)));
                Ok(hash)
            }
            Step::Leaf(key, value) => {
                if !shares(&key, &H256(self.path), depth) {
                    return Err(BadProof::Misplaced);
                }
                self.leaves.insert(key, value);
                Ok(Node::Leaf(key, value).hash())
            }
            Step::Branch if depth >= MAX_DEPTH => Err(BadProof::Malformed),
            Step::Branch => {
                let next = depth.saturating_add(1);
                let left = self.read(next)?;
                self.turn(depth);
                let right = self.read(next)?;
                self.turn(depth);
                Ok(Node::Branch(left, right).hash())
            }
        }
    }

    /// Flips the bit of the path at this depth.
    fn turn(&mut self, depth: usize) {
        if let Some(byte) = self.path.get_mut(depth >> 3) {
            *byte ^= 0x80_u8.wrapping_shr(depth as u32 & 7);
        }
    }
}
