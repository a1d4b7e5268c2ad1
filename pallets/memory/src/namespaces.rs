//! Who decides about a namespace, and what.

use crate::{
    BalanceOf, Config, Deleted, Error, Event, Grants, HoldReason, NamespaceOf, Namespaces, Pallet,
    Roots,
    types::{MAX_GRANTS, MAX_SNAPSHOTS, Name, Namespace, Root},
};
use frame_support::{
    BoundedVec, ensure,
    pallet_prelude::*,
    traits::{fungible::MutateHold, tokens::Precision},
};
use frame_system::{ensure_signed, pallet_prelude::OriginFor};
use touchstone_primitives::{
    AccountId32, H256,
    memory::{Kind, NamespaceId, RETAINED, Rights, State, Visibility, Writers, namespace_id},
    model::is_name,
    traits::MembershipOf,
};

/// Most roots that a namespace can have.
const MAX_ROOTS: u32 = RETAINED.saturating_add(MAX_SNAPSHOTS);

/// Id of the namespace of this name, if it is one.
fn id_of(name: &Name) -> Option<NamespaceId> {
    let name = core::str::from_utf8(name).ok()?;
    is_name(name.as_bytes()).then(|| namespace_id(name))
}

impl<T: Config> Pallet<T> {
    /// The namespace, if the origin may decide about it: its owner, or the council if that is who writes.
    pub(crate) fn ensure_decides(
        origin: OriginFor<T>,
        id: &NamespaceId,
    ) -> Result<NamespaceOf<T>, DispatchError> {
        let namespace = Namespaces::<T>::get(id).ok_or(Error::<T>::UnknownNamespace)?;
        let is_council = namespace.writers == Writers::Council
            && T::CouncilOrigin::ensure_origin(origin.clone()).is_ok();
        if !is_council {
            let who = ensure_signed(origin)?;
            ensure!(who == namespace.owner, Error::<T>::NotOwner);
        }
        Ok(namespace)
    }

    pub(crate) fn do_create_namespace(
        sponsor: AccountId32,
        name: Name,
        kind: Kind,
        owner: AccountId32,
        writers: Writers,
        visibility: Visibility,
    ) -> DispatchResult {
        ensure!(
            T::Membership::is_active_member(&sponsor),
            Error::<T>::NotMember
        );
        let id = id_of(&name).ok_or(Error::<T>::BadName)?;
        ensure!(!Namespaces::<T>::contains_key(id), Error::<T>::NameTaken);
        ensure!(!Deleted::<T>::contains_key(id), Error::<T>::NameUsed);
        let deposit: BalanceOf<T> = T::Deposit::get();
        T::Currency::hold(&HoldReason::Namespace.into(), &sponsor, deposit)?;

        let now = frame_system::Pallet::<T>::block_number();
        let state = State::empty(id);
        // The empty state is a root like any other, so that absence can be proven from the start.
        Roots::<T>::insert(
            id,
            state.version,
            Root {
                state,
                batch: H256::zero(),
                writer: None,
                block: now,
                snapshot: None,
            },
        );
        Namespaces::<T>::insert(
            id,
            Namespace {
                name: name.clone(),
                kind,
                owner: owner.clone(),
                sponsor: sponsor.clone(),
                deposit,
                writers,
                visibility,
                state,
                bytes: 0,
                committed_at: now,
                since: now,
                retained: BoundedVec::truncate_from([state.version].into()),
                snapshots: 0,
                grants: 0,
            },
        );
        Self::deposit_event(Event::NamespaceCreated {
            namespace: id,
            name,
            kind,
            owner,
            sponsor,
        });
        Ok(())
    }

    pub(crate) fn do_set_policy(
        id: NamespaceId,
        mut namespace: NamespaceOf<T>,
        writers: Writers,
        visibility: Visibility,
    ) -> DispatchResult {
        // What nodes hold is sealed or not from the first write on.
        let is_empty = namespace.state.version == 0;
        ensure!(
            is_empty || namespace.visibility == visibility,
            Error::<T>::NotEmpty
        );
        namespace.writers = writers;
        namespace.visibility = visibility;
        Namespaces::<T>::insert(id, namespace);
        Self::deposit_event(Event::PolicySet {
            namespace: id,
            writers,
            visibility,
        });
        Ok(())
    }

    pub(crate) fn do_transfer(id: NamespaceId, mut namespace: NamespaceOf<T>, to: AccountId32) {
        let from = core::mem::replace(&mut namespace.owner, to.clone());
        Namespaces::<T>::insert(id, namespace);
        Self::deposit_event(Event::NamespaceTransferred {
            namespace: id,
            from,
            to,
        });
    }

    pub(crate) fn do_grant(
        id: NamespaceId,
        mut namespace: NamespaceOf<T>,
        who: AccountId32,
        rights: Rights,
    ) -> DispatchResult {
        let is_listed = Grants::<T>::contains_key(id, &who);
        if rights == Rights::default() {
            ensure!(is_listed, Error::<T>::NotListed);
            Grants::<T>::remove(id, &who);
            namespace.grants = namespace.grants.saturating_sub(1);
        } else {
            if !is_listed {
                ensure!(namespace.grants < MAX_GRANTS, Error::<T>::TooManyGrants);
                namespace.grants = namespace.grants.saturating_add(1);
            }
            Grants::<T>::insert(id, &who, rights);
        }
        Namespaces::<T>::insert(id, namespace);
        Self::deposit_event(Event::RightsGranted {
            namespace: id,
            who,
            rights,
        });
        Ok(())
    }

    pub(crate) fn do_delete_namespace(id: NamespaceId, namespace: NamespaceOf<T>) {
        // The limits are never reached: there are not more.
        let _ = Roots::<T>::clear_prefix(id, MAX_ROOTS, None);
        let _ = Grants::<T>::clear_prefix(id, MAX_GRANTS, None);
        Namespaces::<T>::remove(id);
        Deleted::<T>::insert(id, ());
        let _ = T::Currency::release(
            &HoldReason::Namespace.into(),
            &namespace.sponsor,
            namespace.deposit,
            Precision::BestEffort,
        );
        Self::deposit_event(Event::NamespaceDeleted { namespace: id });
    }
}
