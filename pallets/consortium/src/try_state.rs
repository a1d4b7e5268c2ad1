//! What always holds, checked after every test and by try-runtime.

use crate::*;
use alloc::collections::{btree_map::BTreeMap, btree_set::BTreeSet};
use frame_support::traits::fungible::InspectHold;
use sp_runtime::{
    TryRuntimeError,
    traits::{Saturating, Zero},
};
use touchstone_primitives::consortium::{MemberStatus, NodeStatus};

impl<T: Config> Pallet<T> {
    /// Checks that the stored items agree with each other.
    pub fn do_try_state() -> Result<(), TryRuntimeError> {
        Self::try_state_members()?;
        Self::try_state_nodes()?;
        Self::try_state_worker_keys()?;
        Self::try_state_suspensions()?;
        Self::try_state_constitution()
    }

    fn try_state_members() -> Result<(), TryRuntimeError> {
        let with = |statuses: &[MemberStatus]| -> BTreeSet<T::AccountId> {
            Members::<T>::iter()
                .filter(|(_, record)| statuses.contains(&record.status))
                .map(|(account, _)| account)
                .collect()
        };
        let seated = with(&[MemberStatus::Active, MemberStatus::Suspended]);
        let seats = Seats::<T>::get();
        ensure!(
            seats.iter().eq(seated.iter()),
            "seats are those of active and suspended members"
        );
        let candidates = Candidates::<T>::get();
        let listed: BTreeSet<_> = candidates.iter().cloned().collect();
        ensure!(
            listed.len() == candidates.len(),
            "no candidate is listed twice"
        );
        ensure!(
            listed == with(&[MemberStatus::Candidate]),
            "candidates are listed"
        );
        for (account, record) in Members::<T>::iter() {
            let mut nodes = record.nodes.iter();
            let own =
                nodes.all(|node| Nodes::<T>::get(node).is_some_and(|node| node.member == account));
            ensure!(own, "a member's nodes name it");
            let gone = matches!(record.status, MemberStatus::Leaving | MemberStatus::Revoked);
            let left = record.nodes.iter().all(|node| {
                Nodes::<T>::get(node).is_some_and(|node| node.status == NodeStatus::Leaving)
            });
            ensure!(!gone || left, "nodes of a member that is gone leave");
        }
        Ok(())
    }

    fn try_state_nodes() -> Result<(), TryRuntimeError> {
        ensure!(
            AddedBonds::<T>::iter_keys().all(Nodes::<T>::contains_key),
            "bonds are added to nodes"
        );
        let mut bonds = BTreeMap::<T::AccountId, BalanceOf<T>>::new();
        for (node, record) in Nodes::<T>::iter() {
            let listed = Members::<T>::get(&record.member)
                .is_some_and(|member| member.nodes.contains(&node));
            ensure!(listed, "a node is listed by its member");
            ensure!(record.roles.is_valid(), "a node has known roles");
            ensure!(
                record.unlocks_at.is_some() == (record.status == NodeStatus::Leaving),
                "leaving nodes have a date"
            );
            let own_peer = NodeOfPeerId::<T>::get(&record.peer_id);
            ensure!(own_peer == Some(node), "a node has its PeerId");
            let bond = bonds.entry(record.member).or_default();
            *bond = bond.saturating_add(record.bond);
        }
        let count = Nodes::<T>::iter_keys().count();
        ensure!(count == Nodes::<T>::count() as usize, "nodes are counted");
        ensure!(
            count == NodeOfPeerId::<T>::iter_keys().count(),
            "PeerIds belong to nodes"
        );
        ensure!(count <= T::MaxNodes::get() as usize, "nodes have room");
        for (member, _) in Members::<T>::iter() {
            let held = T::Currency::balance_on_hold(&HoldReason::NodeBond.into(), &member);
            let bond = bonds.remove(&member).unwrap_or_else(Zero::zero);
            ensure!(
                held == bond,
                "the bonds of its nodes are held on the member's account"
            );
        }
        let known = Validators::<T>::get().iter().all(Nodes::<T>::contains_key);
        ensure!(known, "validators are nodes");
        Ok(())
    }

    fn try_state_worker_keys() -> Result<(), TryRuntimeError> {
        let mut kept = 0usize;
        for (node, keys) in WorkerKeysOf::<T>::iter() {
            ensure!(
                Nodes::<T>::contains_key(&node),
                "worker keys belong to nodes"
            );
            ensure!(
                keys.last().is_some_and(|key| key.until.is_none()),
                "a node has a current key"
            );
            let in_order = keys
                .iter()
                .zip(keys.iter().skip(1))
                .all(|(old, new)| old.until.is_some_and(|until| until <= new.from));
            ensure!(in_order, "worker keys follow each other");
            let indexed = keys
                .iter()
                .all(|key| NodeOfWorkerKey::<T>::get(&key.key).as_ref() == Some(&node));
            ensure!(indexed, "worker keys are indexed");
            kept = kept.saturating_add(keys.len());
        }
        ensure!(
            kept == NodeOfWorkerKey::<T>::iter_keys().count(),
            "indexed worker keys are kept"
        );
        let with_keys = WorkerKeysOf::<T>::iter_keys().count();
        ensure!(
            with_keys == Nodes::<T>::count() as usize,
            "every node has worker keys"
        );
        Ok(())
    }

    fn try_state_suspensions() -> Result<(), TryRuntimeError> {
        for (subject, _) in Suspensions::<T>::iter() {
            let fits = match &subject {
                Subject::Member(member) => Members::<T>::get(member).is_some_and(|record| {
                    matches!(
                        record.status,
                        MemberStatus::Suspended | MemberStatus::Leaving
                    )
                }),
                Subject::Node(node) => Nodes::<T>::get(node).is_some_and(|record| {
                    matches!(record.status, NodeStatus::Suspended | NodeStatus::Leaving)
                }),
            };
            ensure!(fits, "who has a suspension is suspended or leaves");
        }
        let recorded = Members::<T>::iter()
            .filter(|(_, record)| record.status == MemberStatus::Suspended)
            .all(|(member, _)| Suspensions::<T>::contains_key(Subject::Member(member)))
            && Nodes::<T>::iter()
                .filter(|(_, record)| record.status == NodeStatus::Suspended)
                .all(|(node, _)| Suspensions::<T>::contains_key(Subject::Node(node)));
        ensure!(recorded, "who is suspended has a suspension");
        let queue = QueuedSuspensions::<T>::get();
        let waiting = queue.iter().all(|(node, _)| Nodes::<T>::contains_key(node));
        ensure!(waiting, "queued offenders are nodes");
        Ok(())
    }

    fn try_state_constitution() -> Result<(), TryRuntimeError> {
        let proposals = RootProposals::<T>::get();
        let in_order = proposals
            .iter()
            .zip(proposals.iter().skip(1))
            .all(|(a, b)| a.id < b.id);
        ensure!(in_order, "Root proposals are in order");
        let next = NextRootProposal::<T>::get();
        ensure!(
            proposals.iter().all(|proposal| proposal.id < next),
            "Root proposals are counted"
        );
        Ok(())
    }
}
