//! The calls that members and nodes sign, and the session keys that they register.

use codec::DecodeAll;
use sp_core::{H256, sr25519};
use sp_runtime::traits::OpaqueKeys;
use touchstone_primitives::{
    AccountId32, NodeId,
    apis::TopicId,
    authored::{Part, Sealed},
    canary::Revealed,
    memory::{
        Commit, Key, Kind, NamespaceId, Rights, Value, Visibility, Writer, Writers, tree::Proof,
    },
    worker::{WorkerId, WorkerSignature},
};
use touchstone_runtime::{RuntimeEvent, SessionKeys};

pub use touchstone_runtime::RuntimeCall;

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

/// Create a namespace of memory; signed by an active member, who pays the deposit. `None` if the name is too long.
pub fn create_namespace(
    name: &str,
    kind: Kind,
    owner: AccountId32,
    writers: Writers,
    visibility: Visibility,
) -> Option<RuntimeCall> {
    let name = name.as_bytes().to_vec().try_into().ok()?;
    let call = pallet_memory::Call::create_namespace {
        name,
        kind,
        owner,
        writers,
        visibility,
    };
    Some(call.into())
}

/// Say who may change a namespace and who may hold it; signed by its owner.
pub fn set_policy(namespace: NamespaceId, writers: Writers, visibility: Visibility) -> RuntimeCall {
    pallet_memory::Call::set_policy {
        namespace,
        writers,
        visibility,
    }
    .into()
}

/// Hand a namespace over; signed by its owner.
pub fn transfer_namespace(namespace: NamespaceId, new_owner: AccountId32) -> RuntimeCall {
    pallet_memory::Call::transfer {
        namespace,
        new_owner,
    }
    .into()
}

/// List an account with what it may do, or take it off the list with nothing; signed by the owner.
pub fn grant(namespace: NamespaceId, who: AccountId32, rights: Rights) -> RuntimeCall {
    pallet_memory::Call::grant {
        namespace,
        who,
        rights,
    }
    .into()
}

/// Delete a namespace for ever; signed by its owner.
pub fn delete_namespace(namespace: NamespaceId) -> RuntimeCall {
    pallet_memory::Call::delete_namespace { namespace }.into()
}

/// Replace the root of a namespace; a transaction without account, by whose signature over [`Commit::message`] the writer vouches.
pub fn commit_root(
    writer: Writer,
    commit: Commit,
    valid_until: u32,
    signature: sr25519::Signature,
) -> RuntimeCall {
    pallet_memory::Call::commit_root {
        writer,
        commit,
        valid_until,
        signature,
    }
    .into()
}

/// Keep the newest root of a namespace under this name; signed by its owner. `None` if the name is too long.
pub fn snapshot(namespace: NamespaceId, name: &str) -> Option<RuntimeCall> {
    let name = name.as_bytes().to_vec().try_into().ok()?;
    Some(pallet_memory::Call::snapshot { namespace, name }.into())
}

/// Keep a snapshot no longer than other roots; signed by the owner.
pub fn drop_snapshot(namespace: NamespaceId, version: u64) -> RuntimeCall {
    pallet_memory::Call::drop_snapshot { namespace, version }.into()
}

/// Verify a proof on chain; signed by anybody. `None` for more keys than the chain takes at once.
pub fn verify_fragments(
    namespace: NamespaceId,
    version: u64,
    keys: Vec<Key>,
    proof: Proof,
) -> Option<RuntimeCall> {
    let keys = keys.try_into().ok()?;
    let call = pallet_memory::Call::verify_fragments {
        namespace,
        version,
        keys,
        proof,
    };
    Some(call.into())
}

/// Version and root that these events made a snapshot.
pub fn snapshot_taken(events: &[RuntimeEvent]) -> Option<(u64, H256)> {
    events.iter().find_map(|event| match event {
        RuntimeEvent::Memory(pallet_memory::Event::SnapshotTaken { version, root, .. }) => {
            Some((*version, *root))
        }
        _ => None,
    })
}

/// What these events say that a namespace holds at the verified keys.
pub fn fragments_verified(events: &[RuntimeEvent]) -> Option<&[Option<Value>]> {
    events.iter().find_map(|event| match event {
        RuntimeEvent::Memory(pallet_memory::Event::FragmentsVerified { values, .. }) => {
            Some(values.as_slice())
        }
        _ => None,
    })
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
