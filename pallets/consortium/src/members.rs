//! Candidates, members and their council seats.

use crate::*;
use frame_support::traits::{fungible::Mutate, tokens::Preservation};
use touchstone_primitives::{
    consortium::{MemberStatus, NodeStatus, at_least_two_thirds},
    provenance::is_jurisdiction,
};

impl<T: Config> Pallet<T> {
    pub(crate) fn do_apply(
        sender: T::AccountId,
        member: T::AccountId,
        legal_name_hash: H256,
        jurisdiction: Jurisdiction,
    ) -> DispatchResult {
        let sponsored = Self::ensure_active_member(&sender).is_ok();
        ensure!(sender == member || sponsored, Error::<T>::NotSponsor);
        ensure!(
            is_jurisdiction(&jurisdiction),
            Error::<T>::InvalidJurisdiction
        );
        if let Some(known) = Members::<T>::get(&member) {
            let gone = known.status == MemberStatus::Revoked && known.nodes.is_empty();
            ensure!(gone, Error::<T>::AlreadyMember);
        }
        Candidates::<T>::try_append(member.clone()).map_err(|_| Error::<T>::TooManyCandidates)?;
        let record = Member {
            legal_name_hash,
            jurisdiction,
            status: MemberStatus::Candidate,
            nodes: BoundedVec::new(),
        };
        Members::<T>::insert(&member, record);
        Self::deposit_event(Event::Applied { member });
        Ok(())
    }

    /// Takes a candidate off the list and forgets it.
    pub(crate) fn remove_candidate(member: &T::AccountId) -> DispatchResult {
        Self::take_candidate(member)?;
        Members::<T>::remove(member);
        Ok(())
    }

    fn take_candidate(member: &T::AccountId) -> DispatchResult {
        Candidates::<T>::try_mutate(|candidates| {
            let before = candidates.len();
            candidates.retain(|candidate| candidate != member);
            ensure!(candidates.len() < before, Error::<T>::NotCandidate);
            Ok(())
        })
    }

    pub(crate) fn do_admit_member(member: T::AccountId) -> DispatchResult {
        Self::take_candidate(&member)?;
        Self::set_status(&member, MemberStatus::Active)?;
        Self::add_seat(&member)?;
        let credit = T::AdmissionCredit::get();
        T::Currency::transfer(&T::Commons::get(), &member, credit, Preservation::Preserve)
            .map_err(|_| Error::<T>::CommonsTooPoor)?;
        Self::deposit_event(Event::MemberAdmitted { member, credit });
        Ok(())
    }

    pub(crate) fn do_leave(member: T::AccountId) -> DispatchResult {
        let record = Members::<T>::get(&member).ok_or(Error::<T>::UnknownMember)?;
        ensure!(
            record.status != MemberStatus::Leaving,
            Error::<T>::AlreadyLeaving
        );
        Self::remove_seat(&member)?;
        Self::set_status(&member, MemberStatus::Leaving)?;
        Self::deposit_event(Event::MemberLeaving {
            member: member.clone(),
        });
        Self::retire_nodes(&record);
        Self::forget_if_left(&member);
        Ok(())
    }

    pub(crate) fn do_revoke_member(member: T::AccountId) -> DispatchResult {
        let record = Members::<T>::get(&member).ok_or(Error::<T>::UnknownMember)?;
        let call = Call::revoke_member {
            member: member.clone(),
        };
        Self::ensure_enough_without(&member, call, at_least_two_thirds)?;
        Self::remove_seat(&member)?;
        Self::set_status(&member, MemberStatus::Revoked)?;
        Suspensions::<T>::remove(Subject::Member(member.clone()));
        Self::deposit_event(Event::MemberRevoked { member });
        Self::retire_nodes(&record);
        Self::disable_barred();
        Ok(())
    }

    fn retire_nodes(record: &MemberOf<T>) {
        for node in &record.nodes {
            // Nodes that leave already keep their date.
            let _ = Self::do_leave_node(node);
        }
    }

    /// Forgets a leaving member without nodes.
    pub(crate) fn forget_if_left(member: &T::AccountId) {
        let left = Members::<T>::get(member).is_some_and(|record| {
            record.status == MemberStatus::Leaving && record.nodes.is_empty()
        });
        if left {
            Members::<T>::remove(member);
            Suspensions::<T>::remove(Subject::Member(member.clone()));
            Self::deposit_event(Event::MemberLeft {
                member: member.clone(),
            });
        }
    }

    pub(crate) fn set_status(member: &T::AccountId, status: MemberStatus) -> DispatchResult {
        Members::<T>::try_mutate(member, |record| {
            record.as_mut().ok_or(Error::<T>::UnknownMember)?.status = status;
            Ok(())
        })
    }

    /// That the account is an active member.
    pub(crate) fn ensure_active_member(member: &T::AccountId) -> DispatchResult {
        let record = Members::<T>::get(member).ok_or(Error::<T>::UnknownMember)?;
        ensure!(
            record.status == MemberStatus::Active,
            Error::<T>::MemberNotActive
        );
        Ok(())
    }

    /// That a council motion of exactly this call passes without the aye of the member that it concerns.
    ///
    /// A call inside another one, such as a batch, cannot be found and is judged by its origin alone.
    pub(crate) fn ensure_enough_without(
        member: &T::AccountId,
        call: Call<T>,
        enough: fn(u32, u32) -> bool,
    ) -> DispatchResult {
        let ayes = T::Motions::ayes(&call.into()).unwrap_or_default();
        if ayes.contains(member) {
            let others = (ayes.len() as u32).saturating_sub(1);
            let seats = Seats::<T>::decode_len().unwrap_or(0) as u32;
            ensure!(enough(others, seats), Error::<T>::OwnVoteNeeded);
        }
        Ok(())
    }

    fn add_seat(member: &T::AccountId) -> DispatchResult {
        Seats::<T>::try_mutate(|seats| {
            if let Err(place) = seats.binary_search(member) {
                seats
                    .try_insert(place, member.clone())
                    .map_err(|_| Error::<T>::TooManyMembers)?;
            }
            T::Council::change_members_sorted(core::slice::from_ref(member), &[], seats);
            Ok(())
        })
    }

    fn remove_seat(member: &T::AccountId) -> DispatchResult {
        Seats::<T>::try_mutate(|seats| {
            let place = seats
                .binary_search(member)
                .map_err(|_| Error::<T>::NoSeat)?;
            ensure!(seats.len() > 1, Error::<T>::LastSeat);
            seats.remove(place);
            T::Council::change_members_sorted(&[], core::slice::from_ref(member), seats);
            Ok(())
        })
    }

    /// Where a node stands when its member is taken into account.
    pub(crate) fn effective_status(node: &NodeOf<T>) -> NodeStatus {
        let member = Members::<T>::get(&node.member).map(|record| record.status);
        match (node.status, member) {
            (NodeStatus::Active, Some(MemberStatus::Active)) => NodeStatus::Active,
            (NodeStatus::Active, _) => NodeStatus::Suspended,
            (status, _) => status,
        }
    }
}
