//! Who belongs to the consortium.

use crate::{
    AccountId32, H256, Moment, NodeId,
    consortium::{HardwareTier, MemberStatus, NodeStatus, Roles},
    provenance::Jurisdiction,
    worker::WorkerId,
};
use alloc::vec::Vec;
use codec::{Decode, Encode};
use scale_info::TypeInfo;

/// A member, as the API shows it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub struct MemberInfo {
    /// Account of the organisation.
    pub member: AccountId32,
    /// Blake2b-256 of its registered legal name, UTF-8.
    pub legal_name_hash: H256,
    /// ISO 3166-1 alpha-2 code.
    pub jurisdiction: Jurisdiction,
    /// Where it stands.
    pub status: MemberStatus,
    /// Its nodes.
    pub nodes: Vec<NodeId>,
}

/// A node, as the API shows it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub struct NodeInfo {
    /// Stash account and validator id.
    pub node: NodeId,
    /// Member that runs it.
    pub member: AccountId32,
    /// What it may do.
    pub roles: Roles,
    /// What its machine can sustain.
    pub tier: HardwareTier,
    /// Where it stands.
    pub status: NodeStatus,
    /// Libp2p PeerId, as bytes.
    pub peer_id: Vec<u8>,
    /// Multiaddresses, as text.
    pub addresses: Vec<Vec<u8>>,
    /// Key with which its worker signs now.
    pub worker_key: WorkerId,
    /// Held bond.
    pub bond: u128,
}

sp_api::decl_runtime_apis! {
    /// Members, nodes and worker keys.
    pub trait ConsortiumApi {
        /// All members that are not revoked.
        fn members() -> Vec<MemberInfo>;
        /// All nodes.
        fn nodes() -> Vec<NodeInfo>;
        /// One node.
        fn node(node: NodeId) -> Option<NodeInfo>;
        /// The node whose current worker key this is.
        fn node_of_worker(worker: WorkerId) -> Option<NodeId>;
        /// The worker key that was valid for the node at this time (milliseconds), if it is still kept.
        fn worker_key_at(node: NodeId, at: Moment) -> Option<WorkerId>;
    }
}
