//! The calls that members and nodes sign, and the session keys that they register.

use codec::DecodeAll;
use sp_core::{H256, sr25519};
use sp_runtime::traits::OpaqueKeys;
use touchstone_primitives::{
    NodeId,
    apis::TopicId,
    authored::{Part, Sealed},
    canary::Revealed,
    worker::{WorkerId, WorkerSignature},
};
use touchstone_runtime::{RuntimeCall, RuntimeEvent, SessionKeys};

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

/// Register sealed canaries for a topic; signed by the member. `None` for more than the chain takes at once.
pub fn register(topic: TopicId, canaries: Vec<Sealed>) -> Option<RuntimeCall> {
    let canaries = canaries.try_into().ok()?;
    Some(pallet_canaries::Call::register { topic, canaries }.into())
}

/// Numbers of the canaries that these events registered, in order.
pub fn registered(events: &[RuntimeEvent]) -> Vec<u32> {
    events
        .iter()
        .filter_map(|event| match event {
            RuntimeEvent::Canaries(pallet_canaries::Event::CanaryRegistered { canary, .. }) => {
                Some(*canary)
            }
            _ => None,
        })
        .collect()
}

/// What is sent in a canary round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CanaryCall {
    /// Node, round and commitments by slot.
    Commit(NodeId, u32, Vec<H256>),
    /// Node, round and answers.
    Reveal(NodeId, u32, Vec<Revealed>),
    /// Number of a member's canary, the part that is opened, its salt and what it is.
    Open(u32, Part, [u8; 32], Vec<u8>),
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
        RuntimeCall::Canaries(pallet_canaries::Call::open_canary {
            canary,
            part,
            salt,
            content,
        }) => Some(CanaryCall::Open(canary, part, salt, content.into_inner())),
        _ => None,
    }
}
