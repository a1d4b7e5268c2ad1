//! What other pallets and the runtime API may know.

use crate::*;
use sp_runtime::SaturatedConversion;
use touchstone_primitives::{
    AccountId32, NodeId,
    apis::{MemberInfo, NodeInfo},
    consortium::MemberStatus,
    traits::{MembershipOf, NodeView},
};

impl<T: Config> MembershipOf<T::AccountId> for Pallet<T> {
    fn is_active_member(who: &T::AccountId) -> bool {
        Self::ensure_active_member(who).is_ok()
    }

    fn node(node: &T::AccountId) -> Option<NodeView<T::AccountId>> {
        let record = Nodes::<T>::get(node)?;
        let status = Self::effective_status(&record);
        Some(NodeView {
            member: record.member,
            roles: record.roles,
            status,
        })
    }

    fn worker_key(node: &T::AccountId) -> Option<WorkerId> {
        WorkerKeysOf::<T>::get(node)
            .last()
            .map(|current| current.key.clone())
    }

    fn was_worker_key(node: &T::AccountId, key: &WorkerId, at: Moment) -> bool {
        Self::worker_key_at(node, at).as_ref() == Some(key)
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn create_for_benchmark(member: &T::AccountId, node: &T::AccountId, worker: WorkerId) {
        benchmarking::create_member::<T>(member);
        benchmarking::create_node::<T>(member, node, worker);
    }
}

impl<T: Config> Pallet<T> {
    /// The node whose current worker key this is.
    pub fn node_of_worker(worker: &WorkerId) -> Option<T::AccountId> {
        NodeOfWorkerKey::<T>::get(worker)
            .filter(|node| Self::worker_key(node).as_ref() == Some(worker))
    }

    /// The worker key that was valid for the node at this time (milliseconds), if it is still kept.
    pub fn worker_key_at(node: &T::AccountId, at: Moment) -> Option<WorkerId> {
        // Keys that are replaced within one block are never valid: `from` equals `until`.
        WorkerKeysOf::<T>::get(node)
            .into_iter()
            .find(|key| key.from <= at && key.until.is_none_or(|until| at < until))
            .map(|key| key.key)
    }
}

impl<T: Config + frame_system::Config<AccountId = AccountId32>> Pallet<T> {
    /// All members that are not revoked.
    pub fn member_infos() -> Vec<MemberInfo> {
        Members::<T>::iter()
            .filter(|(_, record)| record.status != MemberStatus::Revoked)
            .map(|(member, record)| MemberInfo {
                member,
                legal_name_hash: record.legal_name_hash,
                jurisdiction: record.jurisdiction,
                status: record.status,
                nodes: record.nodes.into_inner(),
            })
            .collect()
    }

    /// All nodes.
    pub fn node_infos() -> Vec<NodeInfo> {
        Nodes::<T>::iter()
            .filter_map(|(node, record)| Self::info(node, record))
            .collect()
    }

    /// One node.
    pub fn node_info(node: &NodeId) -> Option<NodeInfo> {
        Self::info(node.clone(), Nodes::<T>::get(node)?)
    }

    fn info(node: NodeId, record: NodeOf<T>) -> Option<NodeInfo> {
        Some(NodeInfo {
            worker_key: Self::worker_key(&node)?,
            status: Self::effective_status(&record),
            node,
            member: record.member,
            roles: record.roles,
            tier: record.tier,
            peer_id: record.peer_id.into_inner(),
            addresses: record
                .addresses
                .into_iter()
                .map(BoundedVec::into_inner)
                .collect(),
            bond: record.bond.saturated_into(),
        })
    }
}
