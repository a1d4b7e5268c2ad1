//! A binary Merkle tree over 32-byte leaves whose root commits to the number of leaves.
//!
//! Leaves, inner nodes and the root are hashed under different tags and the count is part of the root, so that an inner
//! node can never be passed off as a leaf and a tree can never be presented as a longer or shorter one (RFC 6962
//! section 2.1 gives the attack; here the count is committed as well). An odd node is promoted unchanged to the next level.

use crate::{H256, tagged_hash};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_core::{ConstU32, bounded::BoundedVec};

/// Longest possible proof: a tree of `u32::MAX` leaves has 32 levels.
pub const MAX_DEPTH: u32 = 32;

/// That a leaf stands at `index` of a tree of `count` leaves: the siblings from the leaf to the top.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Proof {
    /// Position of the leaf, from 0.
    pub index: u32,
    /// Number of leaves of the tree.
    pub count: u32,
    /// Sibling hashes, lowest level first; levels where the node is promoted have none.
    pub siblings: BoundedVec<H256, ConstU32<MAX_DEPTH>>,
}

fn leaf(value: &H256) -> H256 {
    tagged_hash("touchstone/merkle/leaf/1", &[value.as_bytes()])
}

fn node(left: &H256, right: &H256) -> H256 {
    tagged_hash(
        "touchstone/merkle/node/1",
        &[left.as_bytes(), right.as_bytes()],
    )
}

fn commit(count: u32, top: &H256) -> H256 {
    tagged_hash(
        "touchstone/merkle/root/1",
        &[&count.to_le_bytes(), top.as_bytes()],
    )
}

fn parents(level: &[H256]) -> Vec<H256> {
    level
        .chunks(2)
        .filter_map(|pair| match pair {
            [left, right] => Some(node(left, right)),
            [odd] => Some(*odd),
            _ => None,
        })
        .collect()
}

/// Root of the tree over `leaves`, in order. The empty tree has a root too, of count 0.
///
/// Leaves beyond `u32::MAX` do not exist in practice; the count saturates there.
pub fn root(leaves: &[H256]) -> H256 {
    let count = u32::try_from(leaves.len()).unwrap_or(u32::MAX);
    let mut level: Vec<H256> = leaves.iter().map(leaf).collect();
    while level.len() > 1 {
        level = parents(&level);
    }
    commit(count, &level.first().copied().unwrap_or_default())
}

/// Proof that `leaves[index]` is in the tree of `leaves`; `None` if there is no such leaf.
pub fn prove(leaves: &[H256], index: u32) -> Option<Proof> {
    let mut position = index as usize;
    leaves.get(position)?;
    let mut level: Vec<H256> = leaves.iter().map(leaf).collect();
    let mut siblings = BoundedVec::new();
    while level.len() > 1 {
        if let Some(sibling) = level.get(position ^ 1) {
            siblings.try_push(*sibling).ok()?;
        }
        level = parents(&level);
        position >>= 1;
    }
    Some(Proof {
        index,
        count: u32::try_from(leaves.len()).ok()?,
        siblings,
    })
}

/// Whether `proof` shows that `value` is a leaf of the tree with this root.
pub fn verify(root: &H256, value: &H256, proof: &Proof) -> bool {
    if proof.index >= proof.count {
        return false;
    }
    let (mut position, mut last) = (proof.index, proof.count.saturating_sub(1));
    let mut siblings = proof.siblings.iter();
    let mut hash = leaf(value);
    while last > 0 {
        // The last node of a level with an odd number of nodes has no sibling.
        if position & 1 == 1 || position < last {
            let Some(sibling) = siblings.next() else {
                return false;
            };
            hash = if position & 1 == 1 {
                node(sibling, &hash)
            } else {
                node(&hash, sibling)
            };
        }
        position >>= 1;
        last >>= 1;
    }
    siblings.next().is_none() && commit(proof.count, &hash) == *root
}

/// Root over token ids: the leaf of a token is its id as little-endian `u32` in the first four bytes.
pub fn token_root(ids: &[u32]) -> H256 {
    let leaves: Vec<H256> = ids
        .iter()
        .map(|id| {
            let mut bytes = [0u8; 32];
            for (to, from) in bytes.iter_mut().zip(id.to_le_bytes()) {
                *to = from;
            }
            H256(bytes)
        })
        .collect();
    root(&leaves)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn leaves(n: u32) -> Vec<H256> {
        (0..n)
            .map(|i| tagged_hash("test", &[&i.to_le_bytes()]))
            .collect()
    }

    #[test]
    fn every_leaf_of_small_trees_is_proven() {
        for n in 1..70 {
            let leaves = leaves(n);
            let root = root(&leaves);
            for (i, value) in leaves.iter().enumerate() {
                let proof = prove(&leaves, i as u32).unwrap();
                assert!(verify(&root, value, &proof), "leaf {i} of {n}");
            }
        }
    }

    #[test]
    fn nothing_is_proven_in_the_empty_tree() {
        assert_eq!(prove(&[], 0), None);
        let proof = Proof {
            index: 0,
            count: 0,
            siblings: Default::default(),
        };
        assert!(!verify(&root(&[]), &H256::zero(), &proof));
    }

    #[test]
    fn an_inner_node_is_not_a_leaf() {
        let leaves = leaves(4);
        let inner = node(&leaf(&leaves[0]), &leaf(&leaves[1]));
        let other = node(&leaf(&leaves[2]), &leaf(&leaves[3]));
        let proof = Proof {
            index: 0,
            count: 2,
            siblings: vec![other].try_into().unwrap(),
        };
        assert!(!verify(&root(&leaves), &inner, &proof));
    }

    #[test]
    fn a_repeated_last_leaf_changes_the_root() {
        // The duplication attack on trees that pad with the last leaf (CVE-2012-2459).
        let three = leaves(3);
        let mut four = three.clone();
        four.push(three[2]);
        assert_ne!(root(&three), root(&four));
    }

    #[test]
    fn roots_are_pinned() {
        // Recomputed with Python's hashlib.
        let expected = "8f0d9dc16fd5c65c3d7129acb0e92014c2c9ef5cc83d36435db69fc5252d5129";
        assert_eq!(hex::encode(root(&leaves(5))), expected);
    }

    proptest! {
        #[test]
        fn a_flipped_bit_fails(n in 1u32..40, pick in any::<u32>(), bit in 0usize..256, place in 0usize..8) {
            let leaves = leaves(n);
            let root = root(&leaves);
            let index = pick % n;
            let good = prove(&leaves, index).unwrap();
            let mut value = leaves[index as usize];
            let mut proof = good.clone();
            if proof.siblings.is_empty() || place == 0 {
                value.0[bit / 8] ^= 1 << (bit % 8);
            } else {
                let at = place % proof.siblings.len();
                proof.siblings[at].0[bit / 8] ^= 1 << (bit % 8);
            }
            prop_assert!(!verify(&root, &value, &proof));
        }

        #[test]
        fn a_proof_for_one_place_fails_at_another(n in 2u32..40, a in any::<u32>(), b in any::<u32>()) {
            let leaves = leaves(n);
            let (a, b) = (a % n, b % n);
            prop_assume!(a != b);
            let mut proof = prove(&leaves, a).unwrap();
            proof.index = b;
            prop_assert!(!verify(&root(&leaves), &leaves[a as usize], &proof));
        }

        #[test]
        fn a_wrong_count_fails(n in 1u32..40, wrong in 1u32..80) {
            prop_assume!(n != wrong);
            let leaves = leaves(n);
            let mut proof = prove(&leaves, 0).unwrap();
            proof.count = wrong;
            prop_assert!(!verify(&root(&leaves), &leaves[0], &proof));
        }
    }
}
