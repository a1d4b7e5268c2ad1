//! Taking evidence.

use crate::{Accounts, Config, Event, History, Pallet, Rings, TopicKnobs, types::NodeAccount};
use frame_support::{
    BoundedVec,
    traits::{Get, Time},
};
use touchstone_primitives::{
    Moment, NodeId,
    apis::TopicId,
    evidence::{Offence, RecordEvidence, RingEntry, Scored},
    fixed::Fixed,
    reputation::{Account, Knobs},
    traits::MembershipOf,
};

impl<T: Config> Pallet<T> {
    /// Parameters in force on a topic. How fast `S` recovers is the network's everywhere, since `S` belongs to no topic.
    pub fn knobs_of(topic: TopicId) -> Knobs {
        let network = T::Knobs::get();
        match TopicKnobs::<T>::get(topic) {
            Some(own) => Knobs {
                recovery: network.recovery,
                ..own
            },
            None => network,
        }
    }

    pub(crate) fn now() -> Moment {
        T::Time::now()
    }

    /// The member that runs the node, or ran it when it was last scored.
    pub(crate) fn member_of(node: &NodeId, topic: TopicId) -> Option<NodeId> {
        T::Membership::node(node)
            .map(|view| view.member)
            .or_else(|| Accounts::<T>::get(topic, node).map(|account| account.member))
    }

    /// The node's evidence, if its present member earned it.
    pub(crate) fn account_of(node: &NodeId, topic: TopicId, member: &NodeId) -> Account {
        Accounts::<T>::get(topic, node)
            .filter(|stored| stored.member == *member)
            .map_or_else(Account::default, |stored| stored.account)
    }

    fn fold(node: &NodeId, topic: TopicId, scored: &[Scored], is_secret: bool) {
        let Some(member) = Self::member_of(node, topic) else {
            log::debug!(target: crate::LOG_TARGET, "evidence of the unknown node {node:?}");
            return;
        };
        let (now, knobs) = (Self::now(), Self::knobs_of(topic));
        let is_new_owner =
            Accounts::<T>::get(topic, node).is_some_and(|stored| stored.member != member);
        let mut account = Self::account_of(node, topic, &member);
        let Some(fold) = account.fold(scored, is_secret, now, &knobs) else {
            return;
        };
        if is_new_owner {
            Rings::<T>::remove(topic, node);
            History::<T>::remove(topic, node);
        }
        Accounts::<T>::insert(topic, node, NodeAccount { member, account });
        History::<T>::mutate(topic, node, |history| push(history, fold));
        if !is_secret && scored.iter().any(|duty| duty.shared) {
            Rings::<T>::mutate(topic, node, |ring| {
                for duty in scored.iter().filter(|duty| duty.shared) {
                    push(ring, ring_entry(duty, now));
                }
            });
        }
        Self::deposit_event(Event::EvidenceFolded {
            node: node.clone(),
            topic,
            fold,
        });
    }
}

impl<T: Config> RecordEvidence for Pallet<T> {
    fn record(node: &NodeId, topic: TopicId, scored: &[Scored]) {
        Self::fold(node, topic, scored, false)
    }

    fn record_secret(node: &NodeId, topic: TopicId, _auditor: &NodeId, scored: &[Scored]) {
        Self::fold(node, topic, scored, true)
    }

    fn manifest_changed(node: &NodeId, topic: TopicId) {
        let changed = Accounts::<T>::mutate(topic, node, |stored| {
            let account = &mut stored.as_mut()?.account;
            account.change_model(Self::now(), &Self::knobs_of(topic));
            Some(account.tally)
        });
        if let Some(tally) = changed {
            Self::deposit_event(Event::ModelChanged {
                node: node.clone(),
                topic,
                evidence: tally.evidence,
                passed: tally.passed,
            });
        }
    }

    fn offence(node: &NodeId, topic: TopicId, offence: Offence) {
        Self::do_punish(node, topic, offence)
    }
}

fn ring_entry(duty: &Scored, at: Moment) -> RingEntry {
    let right = duty.outcome >= Fixed::HALF;
    let [a, b, c, d, e, f, g, h, ..] = duty.duty.0;
    RingEntry {
        duty: [a, b, c, d, e, f, g, h],
        at,
        right,
        wrong: duty.wrong.filter(|_| !right),
        options: duty.options,
    }
}

/// Appends to a ring, dropping the oldest entry when it is full.
pub(crate) fn push<E, S: Get<u32>>(ring: &mut BoundedVec<E, S>, entry: E) {
    if ring.is_full() {
        ring.remove(0);
    }
    // There is room now, unless the bound is 0, and then nothing is kept.
    let _ = ring.try_push(entry);
}
