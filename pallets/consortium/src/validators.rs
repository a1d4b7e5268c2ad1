//! The validator set: which nodes the session pallet is given, and who is stopped meanwhile.

use crate::*;
use core::marker::PhantomData;
use sp_runtime::traits::Convert;
use sp_staking::SessionIndex;
use touchstone_primitives::consortium::{NodeRole, NodeStatus, max_suspended};

impl<T: Config> pallet_session::SessionManager<T::AccountId> for Pallet<T> {
    fn new_session(_: SessionIndex) -> Option<Vec<T::AccountId>> {
        Self::plan_validators()
    }

    fn end_session(_: SessionIndex) {
        Self::lapse_suspensions();
        Self::suspend_queued();
    }

    fn start_session(_: SessionIndex) {
        Self::disable_barred();
    }
}

impl<T: Config> pallet_session::historical::SessionManager<T::AccountId, ()> for Pallet<T> {
    fn new_session(_: SessionIndex) -> Option<Vec<(T::AccountId, ())>> {
        Self::plan_validators().map(|set| set.into_iter().map(|node| (node, ())).collect())
    }

    fn end_session(end: SessionIndex) {
        <Self as pallet_session::SessionManager<T::AccountId>>::end_session(end)
    }

    fn start_session(start: SessionIndex) {
        <Self as pallet_session::SessionManager<T::AccountId>>::start_session(start)
    }
}

impl<T: Config> Pallet<T> {
    /// The next validator set, `None` when neither it nor its keys change.
    ///
    /// Active validator nodes with session keys, sorted. If they are too few, nodes that should be out are kept: those that
    /// leave before those that are suspended or revoked.
    fn plan_validators() -> Option<Vec<T::AccountId>> {
        let current = Validators::<T>::get();
        let mut next: Vec<T::AccountId> = Nodes::<T>::iter()
            .filter(|(node, record)| {
                record.roles.contains(NodeRole::Validator)
                    && Self::effective_status(record) == NodeStatus::Active
                    && T::Sessions::has_keys(node)
            })
            .map(|(node, _)| node)
            .collect();

        let mut outgoing: Vec<_> = current
            .iter()
            .filter(|node| !next.contains(node) && T::Sessions::has_keys(node))
            .map(|node| (Self::is_barred(node), node.clone()))
            .collect();
        outgoing.sort();
        let missing = (MinValidators::<T>::get() as usize).saturating_sub(next.len());
        let kept: Vec<_> = outgoing
            .into_iter()
            .take(missing)
            .map(|(_, node)| node)
            .collect();
        Self::report_queued_removals(&kept);
        next.extend(kept);
        next.sort();

        if next.is_empty() || (next == current.to_vec() && !T::Sessions::keys_changed()) {
            return None;
        }
        for node in current.iter().filter(|node| !next.contains(node)) {
            Self::restart_unbonding(node);
        }
        Validators::<T>::put(BoundedVec::truncate_from(next.clone()));
        Some(next)
    }

    fn report_queued_removals(kept: &[T::AccountId]) {
        let before = QueuedRemovals::<T>::get();
        if before.as_slice() == kept {
            return;
        }
        for node in kept.iter().filter(|node| !before.contains(node)) {
            Self::deposit_event(Event::RemovalQueued { node: node.clone() });
        }
        QueuedRemovals::<T>::put(BoundedVec::truncate_from(kept.to_vec()));
    }

    /// The bond of a leaving validator stays locked for the whole delay after it is out of the set.
    fn restart_unbonding(node: &T::AccountId) {
        Nodes::<T>::mutate(node, |record| {
            if let Some(record) = record
                && record.status == NodeStatus::Leaving
            {
                record.unlocks_at = Some(Self::now().saturating_add(T::UnbondingDelay::get()));
            }
        });
    }

    /// Stops the validators that are barred, as many as finality can bear.
    pub(crate) fn disable_barred() {
        let validators = T::Sessions::validators();
        let most = max_suspended(validators.len() as u32) as usize;
        for node in validators
            .iter()
            .filter(|node| Self::is_barred(node))
            .take(most)
        {
            T::Sessions::disable(node);
        }
    }

    /// Nodes that validate in the running session or are planned for a later one.
    pub(crate) fn validator_set() -> Vec<T::AccountId> {
        let mut set = T::Sessions::validators();
        set.extend(Validators::<T>::get());
        set
    }
}

/// Gives the validators and keys of [`pallet_session`].
pub struct SessionPallet<T>(PhantomData<T>);

impl<T> ValidatorSessions<T::AccountId> for SessionPallet<T>
where
    T: pallet_session::Config<ValidatorId = <T as frame_system::Config>::AccountId>,
{
    fn has_keys(node: &T::AccountId) -> bool {
        pallet_session::NextKeys::<T>::contains_key(node)
    }

    fn validators() -> Vec<T::AccountId> {
        pallet_session::Validators::<T>::get()
    }

    fn keys_changed() -> bool {
        pallet_session::QueuedKeys::<T>::get()
            .iter()
            .any(|(node, keys)| {
                pallet_session::NextKeys::<T>::get(node).is_none_or(|next| next != *keys)
            })
    }

    fn disable(node: &T::AccountId) {
        if let Some(index) = pallet_session::Pallet::<T>::validator_id_to_index(node) {
            pallet_session::Pallet::<T>::disable_index(index);
        }
    }

    fn enable(node: &T::AccountId) {
        if let Some(index) = pallet_session::Pallet::<T>::validator_id_to_index(node) {
            pallet_session::Pallet::<T>::reenable_index(index);
        }
    }

    fn purge_keys(node: &T::AccountId) {
        // Fails only if there are none.
        let _ = pallet_session::Pallet::<T>::purge_keys(
            frame_system::RawOrigin::Signed(node.clone()).into(),
        );
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn set_keys_for_benchmark(node: &T::AccountId) {
        use codec::Decode;
        if let Ok(keys) = T::Keys::decode(&mut sp_runtime::traits::TrailingZeroInput::new(&[])) {
            pallet_session::NextKeys::<T>::insert(node, keys);
        }
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn set_validators_for_benchmark(nodes: &[T::AccountId]) {
        pallet_session::Validators::<T>::put(nodes.to_vec());
    }
}

/// Lets only registered nodes set session keys: for `pallet_session::Config::ValidatorIdOf`.
pub struct RegisteredNode<T>(PhantomData<T>);

impl<T: Config> Convert<T::AccountId, Option<T::AccountId>> for RegisteredNode<T> {
    fn convert(node: T::AccountId) -> Option<T::AccountId> {
        Nodes::<T>::contains_key(&node).then_some(node)
    }
}

/// Identifies offenders by their node alone: for `pallet_session::historical::Config::FullIdentificationOf`.
pub struct UnitIdentification;

impl<AccountId> Convert<AccountId, Option<()>> for UnitIdentification {
    fn convert(_: AccountId) -> Option<()> {
        Some(())
    }
}
