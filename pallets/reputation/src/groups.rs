//! Operator groups: who belongs together, and what offences cost.

use crate::{Config, Error, Event, Groups, MergedInto, Pallet, Penalties, recording::push};
use alloc::vec::Vec;
use frame_support::{ensure, pallet_prelude::DispatchResult, traits::Get};
use touchstone_primitives::{
    NodeId,
    apis::{OffenceRecord, TopicId},
    evidence::{BondOf, Offence},
    fixed::Fixed,
    reputation::{Penalty, Safety},
    traits::MembershipOf,
};

impl<T: Config> Pallet<T> {
    /// The group of a member: itself, or the member whose group it was merged into.
    pub fn group_of(member: &NodeId) -> NodeId {
        MergedInto::<T>::get(member).unwrap_or_else(|| member.clone())
    }

    /// Members of a group, the one it goes by first.
    pub fn members_of(group: &NodeId) -> Vec<NodeId> {
        let mut merged: Vec<_> = MergedInto::<T>::iter()
            .filter(|(_, into)| into == group)
            .map(|(member, _)| member)
            .collect();
        merged.sort();
        core::iter::once(group.clone()).chain(merged).collect()
    }

    /// The smallest bond that any member of the group has at stake. Members without nodes have none to lose.
    pub fn bond_of(group: &NodeId) -> u128 {
        let bonds = Self::members_of(group)
            .into_iter()
            .map(|member| T::Bonds::bond(&member));
        bonds.filter(|bond| *bond > 0).min().unwrap_or(0)
    }

    /// `S` of a group now.
    pub fn safety_of(group: &NodeId) -> Fixed {
        let recovery = T::Knobs::get().recovery;
        Groups::<T>::get(group).safety.now(Self::now(), recovery)
    }

    /// What an offence costs.
    pub fn penalty_of(offence: Offence) -> Penalty {
        Penalties::<T>::get(offence).unwrap_or_else(|| Penalty::starting(offence))
    }

    pub(crate) fn do_merge_groups(member: NodeId, into: NodeId) -> DispatchResult {
        ensure!(member != into, Error::<T>::SameMember);
        ensure!(
            T::Membership::is_active_member(&into),
            Error::<T>::NotMember
        );
        let has_merged = MergedInto::<T>::iter_values().any(|group| group == member);
        let is_merged =
            MergedInto::<T>::contains_key(&member) || MergedInto::<T>::contains_key(&into);
        ensure!(!has_merged && !is_merged, Error::<T>::AlreadyMerged);
        let (own, theirs) = (Self::safety_of(&member), Self::safety_of(&into));
        if own < theirs {
            let safety = Safety {
                value: own,
                at: Self::now(),
            };
            Groups::<T>::mutate(&into, |joint| joint.safety = safety);
        }
        MergedInto::<T>::insert(&member, &into);
        Self::deposit_event(Event::GroupsMerged {
            member,
            into,
            safety: own.min(theirs),
        });
        Ok(())
    }

    pub(crate) fn do_split_group(member: NodeId) -> DispatchResult {
        let from = MergedInto::<T>::take(&member).ok_or(Error::<T>::NotMerged)?;
        // Leaving a group does not shed what was done in it.
        let joint = Groups::<T>::get(&from).safety;
        Groups::<T>::mutate(&member, |own| own.safety = joint);
        Self::deposit_event(Event::GroupSplit { member, from });
        Ok(())
    }

    pub(crate) fn do_punish(node: &NodeId, topic: TopicId, offence: Offence) {
        let Some(member) = Self::member_of(node, topic) else {
            log::warn!(target: crate::LOG_TARGET, "{offence:?} of the unknown node {node:?}");
            return;
        };
        let group = Self::group_of(&member);
        let (now, penalty) = (Self::now(), Self::penalty_of(offence));
        let slashed = T::Bonds::slash(node, penalty.bond);
        let safety = Groups::<T>::mutate(&group, |record| {
            record
                .safety
                .punish(penalty.safety, now, T::Knobs::get().recovery);
            let safety = record.safety.value;
            let entry = OffenceRecord {
                at: now,
                node: node.clone(),
                topic,
                offence,
                safety,
                slashed,
            };
            push(&mut record.offences, entry);
            safety
        });
        Self::deposit_event(Event::OffencePunished {
            group,
            node: node.clone(),
            topic,
            offence,
            factor: penalty.safety,
            safety,
            slashed,
        });
    }
}
