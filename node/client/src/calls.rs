//! The calls that members and nodes sign, and the session keys that they register.

use codec::DecodeAll;
use sp_core::{H256, sr25519};
use sp_runtime::traits::OpaqueKeys;
use touchstone_primitives::{
    NodeId,
    apis::TopicId,
    canary::Revealed,
    worker::{WorkerId, WorkerSignature},
};
use touchstone_runtime::{RuntimeCall, SessionKeys};

/// Worker key of these bytes.
pub fn worker_id(bytes: H256) -> WorkerId {
    sr25519::Public::from_raw(bytes.0).into()
}

/// Replaces the worker key of a node; signed by the node or by its member.
pub fn rotate_worker_key(node: NodeId, key: WorkerId, proof: WorkerSignature) -> RuntimeCall {
    pallet_consortium::Call::rotate_worker_key {
        node,
        worker_key: key,
        proof,
    }
    .into()
}

/// Registers session keys; signed by the node. `None` if the bytes are not session keys of this runtime.
pub fn set_session_keys(keys: &[u8], proof: Vec<u8>) -> Option<RuntimeCall> {
    let keys = SessionKeys::decode_all(&mut &keys[..]).ok()?;
    Some(pallet_session::Call::set_keys { keys, proof }.into())
}

/// Whether the proof shows that whoever holds these session keys wants `owner` to use them.
pub fn session_keys_are_proven(keys: &[u8], owner: &NodeId, proof: &[u8]) -> bool {
    SessionKeys::decode_all(&mut &keys[..])
        .is_ok_and(|keys| keys.ownership_proof_is_valid(owner.as_ref(), proof))
}

/// Serve a topic with this base and adapter; signed by the node.
pub fn enrol(topic: TopicId, base: H256, adapter: Option<H256>) -> RuntimeCall {
    pallet_canaries::Call::enrol {
        topic,
        base,
        adapter,
    }
    .into()
}

/// Serve a topic no longer; signed by the node.
pub fn leave(topic: TopicId) -> RuntimeCall {
    pallet_canaries::Call::leave { topic }.into()
}

/// What a node sends in a canary round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CanaryCall {
    /// Node, round and commitments by slot.
    Commit(NodeId, u32, Vec<H256>),
    /// Node, round and answers.
    Reveal(NodeId, u32, Vec<Revealed>),
}

/// What this call sends in a canary round, if that is what it does.
pub fn canary(call: RuntimeCall) -> Option<CanaryCall> {
    match call {
        RuntimeCall::Canaries(pallet_canaries::Call::commit {
            node,
            round,
            hashes,
            ..
        }) => Some(CanaryCall::Commit(node, round, hashes.into_inner())),
        RuntimeCall::Canaries(pallet_canaries::Call::reveal {
            node,
            round,
            answers,
        }) => Some(CanaryCall::Reveal(node, round, answers.into_inner())),
        _ => None,
    }
}
