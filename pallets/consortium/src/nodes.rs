//! Nodes: registration, bonds, keys and addresses.

use crate::*;
use frame_support::traits::{fungible::MutateHold, tokens::Precision};
use sp_runtime::traits::{Saturating, Zero};
use touchstone_primitives::{
    consortium::{NodeRole, NodeStatus, is_multiaddress, is_peer_id, max_validators_per_member},
    worker,
};

impl<T: Config> Pallet<T> {
    /// That the node's member or its stash account sent the call.
    pub(crate) fn ensure_operator(origin: OriginFor<T>, node: &T::AccountId) -> DispatchResult {
        let sender = ensure_signed(origin)?;
        let record = Nodes::<T>::get(node).ok_or(Error::<T>::UnknownNode)?;
        ensure!(
            sender == record.member || sender == *node,
            Error::<T>::NotOperator
        );
        Ok(())
    }

    /// That the worker key wants to serve this node on this chain.
    pub(crate) fn ensure_possession(
        node: &T::AccountId,
        key: &WorkerId,
        proof: &WorkerSignature,
    ) -> DispatchResult {
        let genesis = frame_system::Pallet::<T>::block_hash(BlockNumberFor::<T>::zero());
        let message = worker::possession(&genesis, node);
        ensure!(
            worker::verify(key, &message, proof),
            Error::<T>::InvalidProof
        );
        Ok(())
    }

    #[allow(clippy::too_many_arguments)]
    pub(crate) fn do_register_node(
        member: T::AccountId,
        node: T::AccountId,
        roles: Roles,
        tier: HardwareTier,
        peer_id: PeerId,
        addresses: Addresses,
        worker_key: WorkerId,
        bond: BalanceOf<T>,
    ) -> DispatchResult {
        ensure!(!Nodes::<T>::contains_key(&node), Error::<T>::NodeExists);
        ensure!(
            Nodes::<T>::count() < T::MaxNodes::get(),
            Error::<T>::TooManyNodes
        );
        ensure!(roles.is_valid(), Error::<T>::InvalidRoles);
        Self::ensure_addresses(&addresses)?;
        Members::<T>::try_mutate(&member, |record| -> DispatchResult {
            let record = record.as_mut().ok_or(Error::<T>::UnknownMember)?;
            let room = (record.nodes.len() as u32) < T::MaxNodesPerMember::get();
            ensure!(room, Error::<T>::TooManyNodesOfMember);
            let pushed = record.nodes.try_push(node.clone());
            pushed.map_err(|_| Error::<T>::TooManyNodesOfMember.into())
        })?;
        Self::claim_peer_id(&node, &peer_id)?;
        Self::set_worker_key(&node, worker_key)?;
        Self::hold_bond(&member, bond)?;
        let record = Node {
            member: member.clone(),
            roles,
            tier,
            status: NodeStatus::Registered,
            peer_id,
            addresses,
            bond,
            unlocks_at: None,
            punished_through: None,
        };
        Nodes::<T>::insert(&node, record);
        Self::deposit_event(Event::NodeRegistered { node, member, bond });
        Ok(())
    }

    pub(crate) fn do_activate_node(node: T::AccountId) -> DispatchResult {
        Self::try_mutate_node(&node, |record| {
            ensure!(
                record.status == NodeStatus::Registered,
                Error::<T>::NotRegistered
            );
            Self::ensure_active_member(&record.member)?;
            ensure!(record.bond >= T::MinBond::get(), Error::<T>::BondTooLow);
            if record.roles.contains(NodeRole::Validator) {
                Self::ensure_may_validate(&node, record)?;
            }
            record.status = NodeStatus::Active;
            Ok(())
        })?;
        Self::deposit_event(Event::NodeActivated { node });
        Ok(())
    }

    pub(crate) fn do_update_node(
        node: T::AccountId,
        roles: Roles,
        tier: HardwareTier,
    ) -> DispatchResult {
        ensure!(roles.is_valid(), Error::<T>::InvalidRoles);
        Self::try_mutate_node(&node, |record| {
            ensure!(
                record.status != NodeStatus::Leaving,
                Error::<T>::AlreadyLeaving
            );
            let (before, after) = (
                record.roles.contains(NodeRole::Validator),
                roles.contains(NodeRole::Validator),
            );
            // Else a suspended validator could make room for the suspension of another one by changing its roles.
            ensure!(
                before == after || record.status != NodeStatus::Suspended,
                Error::<T>::NodeNotActive
            );
            if !before && after && record.status == NodeStatus::Active {
                Self::ensure_may_validate(&node, record)?;
            }
            record.roles = roles;
            record.tier = tier;
            Ok(())
        })?;
        Self::deposit_event(Event::NodeUpdated { node, roles, tier });
        Ok(())
    }

    pub(crate) fn do_leave_node(node: &T::AccountId) -> DispatchResult {
        let unlocks_at = Self::now().saturating_add(T::UnbondingDelay::get());
        Self::try_mutate_node(node, |record| {
            ensure!(
                record.status != NodeStatus::Leaving,
                Error::<T>::AlreadyLeaving
            );
            record.status = NodeStatus::Leaving;
            record.unlocks_at = Some(unlocks_at);
            Ok(())
        })?;
        Self::deposit_event(Event::NodeLeaving {
            node: node.clone(),
            unlocks_at,
        });
        Ok(())
    }

    pub(crate) fn do_withdraw_bond(node: T::AccountId) -> DispatchResult {
        let record = Nodes::<T>::get(&node).ok_or(Error::<T>::UnknownNode)?;
        let unlocks_at = record.unlocks_at.ok_or(Error::<T>::NotLeaving)?;
        ensure!(
            !Self::validator_set().contains(&node),
            Error::<T>::StillValidator
        );
        ensure!(Self::now() >= unlocks_at, Error::<T>::BondLocked);
        T::Currency::release(
            &HoldReason::NodeBond.into(),
            &record.member,
            record.bond,
            Precision::Exact,
        )?;
        T::Sessions::purge_keys(&node);
        Nodes::<T>::remove(&node);
        AddedBonds::<T>::remove(&node);
        NodeOfPeerId::<T>::remove(&record.peer_id);
        for worker_key in WorkerKeysOf::<T>::take(&node) {
            NodeOfWorkerKey::<T>::remove(worker_key.key);
        }
        Suspensions::<T>::remove(Subject::Node(node.clone()));
        QueuedSuspensions::<T>::mutate(|queue| queue.retain(|(queued, _)| *queued != node));
        Members::<T>::mutate(&record.member, |member| {
            if let Some(member) = member {
                member.nodes.retain(|other| *other != node);
            }
        });
        Self::deposit_event(Event::BondWithdrawn {
            node,
            amount: record.bond,
        });
        Self::forget_if_left(&record.member);
        Ok(())
    }

    pub(crate) fn do_add_bond(
        sender: T::AccountId,
        node: T::AccountId,
        amount: BalanceOf<T>,
    ) -> DispatchResult {
        Self::try_mutate_node(&node, |record| {
            ensure!(sender == record.member, Error::<T>::NotOperator);
            ensure!(
                record.status != NodeStatus::Leaving,
                Error::<T>::AlreadyLeaving
            );
            Self::hold_bond(&record.member, amount)?;
            record.bond = record.bond.saturating_add(amount);
            Ok(())
        })?;
        Self::note_added_bond(&node, amount);
        Self::deposit_event(Event::BondAdded { node, amount });
        Ok(())
    }

    pub(crate) fn do_rotate_peer_id(node: T::AccountId, peer_id: PeerId) -> DispatchResult {
        Self::claim_peer_id(&node, &peer_id)?;
        Self::try_mutate_node(&node, |record| {
            NodeOfPeerId::<T>::remove(&record.peer_id);
            record.peer_id = peer_id.clone();
            Ok(())
        })?;
        Self::deposit_event(Event::PeerIdRotated { node, peer_id });
        Ok(())
    }

    pub(crate) fn do_set_addresses(node: T::AccountId, addresses: Addresses) -> DispatchResult {
        Self::ensure_addresses(&addresses)?;
        Self::try_mutate_node(&node, |record| {
            record.addresses = addresses;
            Ok(())
        })?;
        Self::deposit_event(Event::AddressesSet { node });
        Ok(())
    }

    /// Makes the key the node's current worker key and drops those that nobody needs any more.
    pub(crate) fn set_worker_key(node: &T::AccountId, key: WorkerId) -> DispatchResult {
        ensure!(
            !NodeOfWorkerKey::<T>::contains_key(&key),
            Error::<T>::WorkerKeyInUse
        );
        let now = Self::now();
        WorkerKeysOf::<T>::try_mutate(node, |keys| {
            keys.retain(|old| {
                let kept = old
                    .until
                    .is_none_or(|until| until.saturating_add(T::KeyRetention::get()) > now);
                if !kept {
                    NodeOfWorkerKey::<T>::remove(&old.key);
                }
                kept
            });
            if let Some(current) = keys.last_mut() {
                current.until = Some(now);
            }
            keys.try_push(WorkerKey {
                key: key.clone(),
                from: now,
                until: None,
            })
            .map_err(|_| Error::<T>::TooManyWorkerKeys)?;
            NodeOfWorkerKey::<T>::insert(key, node);
            Ok(())
        })
    }

    pub(crate) fn hold_bond(member: &T::AccountId, amount: BalanceOf<T>) -> DispatchResult {
        T::Currency::hold(&HoldReason::NodeBond.into(), member, amount)
            .map_err(|_| Error::<T>::BondNotCovered.into())
    }

    fn claim_peer_id(node: &T::AccountId, peer_id: &PeerId) -> DispatchResult {
        ensure!(is_peer_id(peer_id), Error::<T>::InvalidPeerId);
        ensure!(
            !NodeOfPeerId::<T>::contains_key(peer_id),
            Error::<T>::PeerIdInUse
        );
        NodeOfPeerId::<T>::insert(peer_id, node);
        Ok(())
    }

    fn ensure_addresses(addresses: &Addresses) -> DispatchResult {
        let valid = addresses.iter().all(|address| is_multiaddress(address));
        ensure!(valid, Error::<T>::InvalidAddress);
        Ok(())
    }

    /// That the node has session keys and its member does not get more than its share of the validators.
    fn ensure_may_validate(node: &T::AccountId, record: &NodeOf<T>) -> DispatchResult {
        ensure!(T::Sessions::has_keys(node), Error::<T>::KeysNotSet);
        if MemberCapExempt::<T>::get() {
            return Ok(());
        }
        // Both counts start with the node itself.
        let (all, own) = Nodes::<T>::iter_values()
            .filter(|other| {
                // Suspended ones may return.
                matches!(other.status, NodeStatus::Active | NodeStatus::Suspended)
                    && other.roles.contains(NodeRole::Validator)
            })
            .fold((1u32, 1u32), |(all, own), other| {
                let same = u32::from(other.member == record.member);
                (all.saturating_add(1), own.saturating_add(same))
            });
        let within = all < T::MemberCapFrom::get() || own <= max_validators_per_member(all);
        ensure!(within, Error::<T>::MemberCapReached);
        Ok(())
    }

    pub(crate) fn try_mutate_node(
        node: &T::AccountId,
        change: impl FnOnce(&mut NodeOf<T>) -> DispatchResult,
    ) -> DispatchResult {
        Nodes::<T>::try_mutate(node, |record| {
            change(record.as_mut().ok_or(Error::<T>::UnknownNode)?)
        })
    }
}
