//! The rules of Touchstone: pure, integer-only, `no_std` functions and the types they speak about.
//!
//! Pallets keep state and call these functions; workers, RPC, command line and tests call the very same ones, so that
//! anybody can replay a decision of the network from public data.
//!
//! | module | what it decides |
//! |---|---|
//! | [`consortium`] | members, nodes, roles, statuses and how many validators may be removed |
//! | [`provenance`] | trust tiers, verification classes, provenance manifests and the gate that T3 topics pose |
//! | [`model`] | what a producer declares of a model, and signs |
//! | [`manifest`] | what exactly produced an answer: base, adapter, precision, template, sampler |
//! | [`request`] | the canonical form of a query and its hash |
//! | [`receipt`] | the signed record of one answer |
//! | [`merkle`] | the tree whose root anchors a batch of receipts |
//! | [`worker`] | worker keys and what they sign |
//! | [`memory`] | fragments, namespaces and their trees, writes and commits, and who may do what |
//! | [`mailbox`] | what a gateway's worker hands to the chain's offchain hook |
//! | [`fixed`] | numbers without floats |
//! | [`evidence`] | what pallets tell each other about scored duties, offences, standings and weights |
//! | [`reputation`] | decayed evidence, competence, stake and safety: the number of a node on a topic |
//! | [`influence`] | what an operator group weighs in votes and panels |
//! | [`independence`] | how far nodes err alike, and for how many they speak |
//! | [`exploration`] | who is selected, with slots that newcomers are sure to get |
//! | [`audit`] | blind audits: what an auditor asks, and what proves the answers |
//! | [`canary`] | rounds: who owes which answers, commitments, what a duty is worth |
//! | [`checkers`] | whether an answer is right, without any model |
//! | [`generators`] | tasks that nobody wrote: drawn from a seed, with their checker |
//! | [`significance`] | whether a difference is real, at any time somebody looks |
//! | [`watch`] | who became worse, and who is good only where it is seen |
//! | [`traits`] | how pallets meet without knowing each other |
//! | [`apis`] | runtime APIs |

#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects))]

extern crate alloc;

pub mod apis;
pub mod audit;
pub mod authored;
pub mod canary;
pub mod checkers;
pub mod consortium;
pub mod evidence;
pub mod exploration;
pub mod fixed;
pub mod generators;
pub mod independence;
pub mod influence;
pub mod mailbox;
pub mod manifest;
pub mod memory;
pub mod merkle;
pub mod model;
pub mod provenance;
pub mod receipt;
pub mod reputation;
pub mod request;
pub mod significance;
pub mod traits;
pub mod watch;
pub mod worker;

pub use sp_core::H256;
pub use sp_runtime::AccountId32;

/// A node of the consortium, named by its stash account. It is also the validator's id.
pub type NodeId = AccountId32;

/// Milliseconds since the Unix epoch, as the chain's timestamp counts.
pub type Moment = u64;

/// Blake2b-256 of `tag`, its length and the parts, each part preceded by its length.
///
/// Every hash of the protocol goes through here, so that a value hashed for one purpose can never be presented for
/// another (domain separation), and so that moving a byte from one part to the next changes the result.
pub fn tagged_hash(tag: &str, parts: &[&[u8]]) -> H256 {
    let capacity = parts
        .iter()
        .fold(tag.len(), |sum, part| sum.saturating_add(part.len()));
    let mut bytes = alloc::vec::Vec::with_capacity(capacity.saturating_add(16));
    for part in core::iter::once(&tag.as_bytes()).chain(parts) {
        bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
        bytes.extend_from_slice(part);
    }
    H256(sp_crypto_hashing::blake2_256(&bytes))
}
